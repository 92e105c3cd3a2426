"""One test of one profile, stage by stage: address, TCP, TLS, key, model, one real token."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, TypeAlias

from rooroute import attempt
from rooroute.chat import ChatRequest, Message
from rooroute.diagnosis import (
    Asked,
    Diagnosis,
    Subject,
    no_model,
    not_a_list,
    of_answer,
    of_clock,
    of_failure,
    of_refusal,
    of_silence,
    other_addresses,
    skew_of,
    unlisted,
)
from rooroute.errors import RoorouteError
from rooroute.outcome import Failure, Unreachable
from rooroute.profile_checks import check_profile
from rooroute.profiles import Profile
from rooroute.providers.authentication import tls_of
from rooroute.providers.curl import curl_command
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target, Tls
from rooroute.providers.model_list import Page, first_page, read_page
from rooroute.providers.table import base_url_of, check, dialect_for, resolve_model, target_for, vendor_of
from rooroute.providers.vendor import ModelShape
from rooroute.secret import Secret

Json: TypeAlias = dict[str, Any]

_SECONDS: Final = 10.0
_TOKEN_SECONDS: Final = 60.0
_OUTPUT_TOKENS: Final = (
    16  # the least that OpenAI's Responses take: https://platform.openai.com/docs/api-reference/responses/create
)
_NO_SUCH_PATH: Final = frozenset({404, 405, 410})
SMALL_QUESTION: Final = ChatRequest(messages=(Message("user", "Say OK."),), max_tokens=_OUTPUT_TOKENS)
"""What is asked to see whether an answer comes."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way to an address, with its time in seconds: ``address`` (the name), ``tcp`` or ``tls``."""

    name: str
    seconds: float
    detail: str
    failure: Failure | None = None


class Dial(Protocol):
    """The way out, without a request. Both raise ValueError for a proxy that cannot be used."""

    def proxy_of(self, url: str, chosen: str | None) -> str | None:
        """The proxy on the way, its credentials left out, given a profile's own."""

    def steps(
        self, url: str, chosen: str | None, *, seconds: float, tls: Tls | None = None
    ) -> AsyncGenerator[Step, None]:
        """The steps towards ``url``, as they are done; one that fails is the last."""


class Upstream(attempt.Upstream, Protocol):
    """The network. ``request`` is one short exchange; raises Unreachable."""

    async def request(self, request: HttpRequest, *, seconds: float, proxy: str | None) -> ErrorAnswer: ...


class _Stop(Exception):
    """A stage failed; nothing after it can be tried."""


@dataclass(slots=True)
class Trial:
    """One test as it goes."""

    upstream: Upstream
    dial: Dial
    now: Callable[[], float]
    monotonic: Callable[[], float]
    profile: Profile
    report: Callable[[Json], None]
    stages: list[Json] = field(default_factory=list)
    curl: str | None = None
    proxy: str | None = None
    asked: Asked | None = None
    _began: float = 0.0

    async def run(
        self,
        level: str,
        secrets: Callable[[], Awaitable[Mapping[str, Secret]]],
    ) -> None:
        try:
            url = self._settings()
            await self._connect(url)
            if level == "connect":
                return
            self._began = self.monotonic()
            try:
                target = target_for(self.profile, resolve_model(self.profile, None) or "", await secrets())
            except RoorouteError as wrong:
                raise self._failed("auth", of_refusal(Subject.KEY, wrong.message)) from None
            self.asked = Asked(vendor_of(self.profile), target, self.proxy)
            page = await self._authenticate(self.asked, may_be_missing=level == "completion")
            self._look_up(self.asked, page, will_be_asked=level == "completion")
            if level == "completion":
                await self._complete(self.asked, page)
        except _Stop:
            return

    def result(self) -> Json:
        found: Json = {"ok": all(stage["ok"] for stage in self.stages), "stages": self.stages}
        if self.curl:
            found["curl"] = self.curl
        if page := vendor_of(self.profile).status_page:
            found["statusPage"] = page
        return found

    # --- stages -----------------------------------------------------------------------------------------------------------------------

    def _settings(self) -> str:
        """The address to ask; a stage of its own only when something in the profile is wrong."""
        self._began = self.monotonic()
        problem = next(iter((*check_profile(self.profile), *check(self.profile))), None)
        url = base_url_of(self.profile)
        if problem is not None:
            told = Diagnosis(Subject.ADDRESS, False, problem.message, problem.remedy or "")
            raise self._failed("settings", told, problem.field)
        if url is None:
            told = of_refusal(Subject.ADDRESS, f"{self.profile.title} has no base URL; add one.")
            raise self._failed("settings", told, "baseUrl")
        try:
            self.proxy = self.dial.proxy_of(url, self.profile.proxy)
        except ValueError as wrong:
            words = f"The proxy cannot be used: {wrong}; mend the profile's proxy field or the proxy's variable."
            raise self._failed("settings", of_refusal(Subject.PROXY, words), "proxy") from None
        return url

    async def _connect(self, url: str) -> None:
        asked = Asked(vendor_of(self.profile), Target(self.profile, "", url), self.proxy)
        way = self.dial.steps(url, self.profile.proxy, seconds=self._seconds(), tls=tls_of(self.profile))
        async with aclosing(way) as steps:
            async for step in steps:
                if step.failure is not None:
                    self._add(step.name, of_silence(asked, step.failure), step.seconds)
                    raise _Stop
                self._add(step.name, Diagnosis(Subject.ADDRESS, True, step.detail), step.seconds)

    async def _authenticate(self, asked: Asked, *, may_be_missing: bool) -> Page:
        """The first page of the vendor's list; an empty one where the vendor has none, or a missing list may be left to the next stage."""
        self._began = self.monotonic()
        request = first_page(asked.target)
        if request is None:
            cause = f"{asked.row.name} has no list of models to ask for; one real token is the proof of a key."
            self._pass("auth", Diagnosis(Subject.KEY, True, cause))
            return Page((), {})
        self.curl = curl_command(request, self.proxy)
        try:
            answer = await self.upstream.request(request, seconds=self._seconds(), proxy=self.profile.proxy)
        except Unreachable as lost:
            raise self._failed("auth", of_silence(asked, lost.failure)) from None
        except RoorouteError as wrong:
            raise self._failed("auth", of_refusal(Subject.KEY, wrong.message)) from None
        now = self.now()
        found = of_answer(asked, answer, now)
        page = read_page(_shape(asked), answer.body) if found.ok else None
        if found.ok and page is None:
            found = not_a_list(asked)
        if page is not None:
            self._pass("auth", _with_clock(found, skew_of(answer.headers, now)))
            return page
        if may_be_missing and answer.status in _NO_SUCH_PATH:
            self._pass("auth", replace(found, ok=True))
            return Page((), {})
        raise self._failed("auth", await self._redirected(asked, found))

    def _look_up(self, asked: Asked, page: Page, *, will_be_asked: bool) -> None:
        """Whether the profile's model is in the list; where it will be asked in a moment its answer decides, not the list."""
        if not page.models:
            return
        self._began = self.monotonic()
        names = [model.id for model in page.models]
        found = unlisted(asked.row, asked.target.model, names) if asked.target.model else no_model(names)
        if found is None or page.next:
            there = "; the profile's is among them" if found is None else ""
            self._pass("listing", Diagnosis(Subject.MODEL, True, f"{len(names)} models{there}."))
        elif will_be_asked or not asked.target.model:
            self._pass("listing", replace(found, ok=True))
        else:
            raise self._failed("listing", found)

    async def _complete(self, asked: Asked, page: Page) -> None:
        self._began = self.monotonic()
        if not asked.target.model:
            raise self._failed("completion", no_model([model.id for model in page.models]))
        dialect = dialect_for(self.profile, asked.target.model)
        run = attempt.Attempt(dialect, attempt.Delivery(attempt.Silence()), self.monotonic, lambda: None)
        times = self.profile.timeouts
        times = replace(times, total=min(times.total, _TOKEN_SECONDS))
        try:
            request = dialect.build(asked.target, SMALL_QUESTION)
            self.curl = curl_command(request, self.proxy)
            failure = await run.run(self.upstream, request, times, self.profile.proxy, self.now())
        except RoorouteError as wrong:
            raise self._failed("completion", of_refusal(Subject.MODEL, wrong.message)) from None
        if failure is not None:
            found = of_failure(asked, failure)
            if found.subject is Subject.MODEL and page.models:
                near = unlisted(asked.row, asked.target.model, [model.id for model in page.models])
                found = replace(found, remedy=f"{found.remedy} {near.remedy}") if near else found
            raise self._failed("completion", await self._redirected(asked, found))
        first = "" if run.first_token is None else f" after {run.first_token * 1000:.0f} ms"
        self._pass("completion", Diagnosis(Subject.MODEL, True, f"{asked.target.model} answered{first}."))

    async def _redirected(self, asked: Asked, found: Diagnosis) -> Diagnosis:
        """``found``, with the base URL that would do as its remedy where an address nearby answers with a list."""
        if found.subject is not Subject.ADDRESS:
            return found
        for url in other_addresses(asked):
            request = first_page(replace(asked.target, base_url=url))
            if request is None:
                break
            try:
                answer = await self.upstream.request(request, seconds=self._seconds(), proxy=self.profile.proxy)
            except (Unreachable, RoorouteError):
                break
            if answer.status == 200 and read_page(_shape(asked), answer.body) is not None:
                return replace(found, remedy=f"Set baseUrl to {url}: there the list of models is.")
        return found

    # --- reporting --------------------------------------------------------------------------------------------------------------------

    def _seconds(self) -> float:
        return min(self.profile.timeouts.connect, _SECONDS)

    def _pass(self, name: str, found: Diagnosis) -> None:
        self._add(name, found, self.monotonic() - self._began)

    def _failed(self, name: str, found: Diagnosis, about: str | None = None) -> _Stop:
        """``about`` is the field of the profile that is wrong."""
        self._add(name, found, self.monotonic() - self._began, about)
        return _Stop()

    def _add(self, name: str, found: Diagnosis, seconds: float, about: str | None = None) -> None:
        stage: Json = {"name": name, "ok": found.ok, "durationMs": round(seconds * 1000, 1), "detail": found.cause}
        if found.remedy:
            stage["remedy"] = found.remedy
        if about:
            stage["field"] = about
        self.stages.append(stage)
        self.report(dict(stage))


def _shape(asked: Asked) -> ModelShape:
    return asked.row.models.shape if asked.row.models else ModelShape.OPENAI


def _with_clock(found: Diagnosis, skew: float | None) -> Diagnosis:
    """A wrong clock is worth a word though the key was taken: signed requests and tokens will not be."""
    clock = of_clock(skew)
    return found if clock is None else replace(found, cause=f"{found.cause} {clock.cause}", remedy=clock.remedy)
