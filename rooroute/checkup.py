"""Asks one profile's provider for its models and says what that shows of address, key, model, proxy and clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from rooroute.diagnosis import Asked, Diagnosis, capital, ended, not_a_list, of_answer, of_silence, skew_of, unlisted
from rooroute.errors import RoorouteError
from rooroute.outcome import Unreachable
from rooroute.profiles import Profile
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from rooroute.providers.model_list import first_page, read_page
from rooroute.providers.table import PROVIDERS, base_url_of, resolve_model, target_for
from rooroute.secret import Secret


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``cause`` says what was seen, a sentence; ``remedy`` what to do, empty where all is well."""

    name: str
    ok: bool
    cause: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """What is needed from outside.

    ``resolve`` gives a profile's secrets and raises what they raise when they cannot be had; ``ask`` sends one short
    request through a profile's proxy and raises ``Unreachable``; ``proxy_of`` names the proxy a URL would go through
    given a profile's own, None for none (ValueError for one that cannot be used).
    """

    resolve: Callable[[Profile], Awaitable[Mapping[str, Secret]]]
    ask: Callable[[HttpRequest, str | None], Awaitable[ErrorAnswer]]
    proxy_of: Callable[[str, str | None], str | None]


@dataclass(slots=True)
class Visit:
    """What asking one profile for its models came to. ``skew`` is the server's clock minus ours, in seconds."""

    profile: Profile
    skew: float | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, found: Diagnosis) -> None:
        """One more finding."""
        name = f"{found.subject} of {self.profile.title}"
        self.findings.append(Finding(name, found.ok, found.cause, found.remedy))


async def call_on(network: Network, profile: Profile, now: Callable[[], float]) -> Visit:
    """Asks one profile for its models; what the configuration alone shows is not said again.

    ``now`` gives UTC epoch seconds.
    """
    visit = Visit(profile)
    url, row = base_url_of(profile), PROVIDERS.get(profile.provider)
    if url is None or row is None:
        return visit
    try:
        proxy = network.proxy_of(url, profile.proxy)
    except ValueError as wrong:
        remedy = "Mend the profile's proxy field or the environment's proxy variables."
        name = f"proxy of {profile.title}"
        visit.findings.append(Finding(name, False, f"The proxy cannot be used: {wrong}.", remedy))
        return visit
    try:
        target = target_for(profile, profile.model or "", await network.resolve(profile))
        request = first_page(target)
    except RoorouteError as wrong:
        visit.findings.append(of_sentence(f"key of {profile.title}", wrong.message))
        return visit
    if request is not None:
        await _ask(visit, Asked(row, target, proxy), network.ask(request, profile.proxy), now)
    return visit


async def _ask(visit: Visit, asked: Asked, asking: Awaitable[ErrorAnswer], now: Callable[[], float]) -> None:
    try:
        answer = await asking
    except Unreachable as lost:
        visit.add(of_silence(asked, lost.failure))
        return
    except RoorouteError as wrong:
        visit.findings.append(of_sentence(f"key of {visit.profile.title}", wrong.message))
        return
    visit.skew = skew_of(answer.headers, now())
    found = of_answer(asked, answer, now())
    if not found.ok or asked.row.models is None:
        visit.add(found)
        return
    page = read_page(asked.row.models.shape, answer.body)
    if page is None:
        visit.add(not_a_list(asked))
        return
    visit.add(found)
    model = resolve_model(visit.profile, None)
    missing = unlisted(asked.row, model, (m.id for m in page.models)) if model and not page.next else None
    if missing is not None:
        visit.add(missing)


def of_sentence(name: str, sentence: str) -> Finding:
    """This project's sentences say what happened, then what to do, with a semicolon between."""
    cause, _, remedy = sentence.partition("; ")
    return Finding(name, False, ended(cause), capital(remedy))
