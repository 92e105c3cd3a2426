"""Asks one profile's provider for its models and says what that shows: address, key, model, proxy and clock."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

from rooroute.errors import RoorouteError
from rooroute.outcome import Fault, Unreachable
from rooroute.profiles import Profile
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target
from rooroute.providers.envelope import address
from rooroute.providers.retry_after import server_now
from rooroute.providers.table import PROVIDERS, ModelList, ModelShape, Vendor, base_url_of, resolve_model, target_for
from rooroute.secret import Secret

_SHOWN_MODELS: Final = 5
_OK: Final = 200
_CLIENT_ERRORS: Final = range(400, 500)
_NO_SUCH_PATH: Final = frozenset({404, 405, 410})
_PROXY_AUTHENTICATION: Final = 407
_ADDRESS: Final = "Check the profile's baseUrl, its path too: most end in /v1, Gemini's in /v1beta."
_AROUND_PROXY: Final = "Mend the proxy, set the profile's own proxy field, or name the host in NO_PROXY."


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
    proxy: str | None = None
    skew: float | None = None
    findings: list[Finding] = field(default_factory=list)

    def add(self, subject: str, ok: bool, cause: str, remedy: str = "") -> None:
        self.findings.append(Finding(f"{subject} of {self.profile.title}", ok, cause, remedy))


async def call_on(network: Network, profile: Profile, now: Callable[[], float]) -> Visit:
    """Asks one profile for its models; what the configuration alone shows is not said again. ``now`` gives UTC epoch
    seconds."""
    visit = Visit(profile)
    url, row = base_url_of(profile), PROVIDERS.get(profile.provider)
    if url is None or row is None or row.models is None:
        return visit
    try:
        visit.proxy = network.proxy_of(url, profile.proxy)
    except ValueError as wrong:
        visit.add("proxy", False, f"The proxy cannot be used: {wrong}.", "Mend the profile's proxy field.")
        return visit
    try:
        target = target_for(profile, profile.model or "", await network.resolve(profile))
        await _ask(network, visit, row, target, now)
    except RoorouteError as wrong:
        visit.findings.append(of_sentence(f"key of {profile.title}", wrong.message))
    return visit


async def _ask(network: Network, visit: Visit, row: Vendor, target: Target, clock: Callable[[], float]) -> None:
    models = row.models or ModelList()
    secret_headers = row.key.place.headers(target)
    own = {name: text for name, text in target.profile.headers.items() if name.lower() not in secret_headers}
    headers = {"accept": "application/json", **models.headers, **own}
    url = address(target, models.path)
    try:
        answer = await network.ask(HttpRequest("GET", url, headers, secret_headers), target.profile.proxy)
    except Unreachable as lost:
        _judge_silence(visit, lost)
        return
    now = clock()
    if "date" in answer.headers:
        visit.skew = server_now(answer.headers, now) - now
    _judge(visit, row, target, answer, now)


def _judge_silence(visit: Visit, lost: Unreachable) -> None:
    cause, _, remedy = lost.failure.message.partition("; ")
    if visit.proxy is not None:
        visit.add("proxy", False, f"{ended(cause)} The way leads through the proxy {visit.proxy}.", _AROUND_PROXY)
    elif lost.failure.fault is Fault.BAD_ANSWER:
        visit.add("address", False, ended(cause), _ADDRESS)
    else:
        visit.add("address", False, ended(cause), _capital(remedy) or _ADDRESS)


def _judge(visit: Visit, row: Vendor, target: Target, answer: ErrorAnswer, now: float) -> None:
    host = urlsplit(target.base_url).netloc
    page = answer.headers.get("content-type", "").startswith("text/html")
    if visit.proxy is not None and (page or answer.status == _PROXY_AUTHENTICATION):
        cause = f"The proxy {visit.proxy} answered in place of {host} (HTTP {answer.status})."
        visit.add("proxy", False, cause, _AROUND_PROXY)
    elif page and answer.status not in _CLIENT_ERRORS:
        cause = f"{target.base_url} answers with a web page: it is no API, or a network's sign-in page is in the way."
        visit.add("address", False, cause, _ADDRESS)
    elif answer.status in _NO_SUCH_PATH:
        visit.add("address", False, f"{target.base_url} knows no list of models (HTTP {answer.status}).", _ADDRESS)
    elif answer.status in _CLIENT_ERRORS:
        _judge_refusal(visit, row, answer, now)
    else:
        _judge_list(visit, row, target, answer)


def _judge_refusal(visit: Visit, row: Vendor, answer: ErrorAnswer, now: float) -> None:
    failure = row.dialect.classify(answer, now)
    words = f"{row.name} answered: {ended(failure.message)}"
    if failure.fault in (Fault.CREDENTIAL, Fault.PERMISSION, Fault.BILLING):
        page = f" Keys are made at {row.key.page}." if row.key.page else ""
        visit.add("key", False, words, f"Enter a valid key: rooroute profiles edit {visit.profile.id}.{page}")
    else:
        visit.add("address", True, words)


def _judge_list(visit: Visit, row: Vendor, target: Target, answer: ErrorAnswer) -> None:
    way = f" through the proxy {visit.proxy}" if visit.proxy else ""
    if answer.status != _OK:
        visit.add("address", True, f"{row.name} has a trouble of its own just now (HTTP {answer.status}).")
        return
    ids = _model_ids(answer.body, row.models.shape if row.models else ModelShape.OPENAI)
    if ids is None:
        visit.add("address", False, f"{target.base_url} answers, but not as {row.name} does.", _ADDRESS)
        return
    visit.add("address", True, f"{target.base_url} answers{way} and takes the key.")
    model = resolve_model(visit.profile, None)
    if model is None or not ids or model in ids:
        return
    close = get_close_matches(model, ids, _SHOWN_MODELS, 0.0)
    visit.add("model", False, f"{row.name} does not list the model {model} for this key.", f"Try {_either(close)}.")


def _model_ids(body: bytes, shape: ModelShape) -> list[str] | None:
    """The names a list of models holds; None when it is none."""
    try:
        document: Any = json.loads(body)
        if shape is ModelShape.GEMINI:
            return [str(row["name"]).removeprefix("models/") for row in document["models"]]
        return [str(row["id"]) for row in document["data"]]
    except (ValueError, KeyError, TypeError):
        return None


def of_sentence(name: str, sentence: str) -> Finding:
    """This project's sentences say what happened, then what to do, with a semicolon between."""
    cause, _, remedy = sentence.partition("; ")
    return Finding(name, False, ended(cause), _capital(remedy))


def ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _either(names: Sequence[str]) -> str:
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)
