"""Health checks: asks the providers of those profiles whose user wants it, now and then, whether they answer.

One window of the machine does it (``routing.checking``), never for a profile that is switched off. What a check sends, and what that
costs, is told by ``health_status.cost_words``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from rooroute.diagnosis import Asked, not_a_list, of_answer
from rooroute.errors import RoorouteError
from rooroute.limiter import Limiter
from rooroute.outcome import Failure, Fault, Scope, Unreachable
from rooroute.ports import Ports
from rooroute.profiles import CheckKind, Configuration, HealthCheck, Pool, Profile, Timeouts
from rooroute.providers.dialect import ErrorAnswer, Target
from rooroute.providers.model_list import read_page
from rooroute.providers.table import dialect_for, models_request, request_at, resolve_model, target_for, vendor_of
from rooroute.providers.vendor import ModelShape
from rooroute.roster import candidate
from rooroute.routing.candidate import Candidate
from rooroute.routing.checking import claim, due, give_up, held_back, learn
from rooroute.routing.figures import HAPPENINGS, Happening, policy_for
from rooroute.routing.limits import Refused
from rooroute.routing.marks import Change, ProbeLease, Snapshot
from rooroute.routing.measurements import Measurements
from rooroute.small_question import SmallQuestion
from rooroute.trial import Upstream

TAG: Final = "health-check"
"""What the attempts of checks are tagged with in the ledger, besides the profile's own tags."""

_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class _Found:
    """``seconds`` until the answer, or its first token; ``blames``: the failure says something about answers to requests."""

    failure: Failure | None
    seconds: float | None = None
    blames: bool = True


class HealthChecks:
    """One window's. Call ``look`` a few times a second; it never waits."""

    def __init__(self, ports: Ports, upstream: Upstream, limiter: Limiter, measurements: Measurements) -> None:
        self._ports, self._upstream = ports, upstream
        self._question = SmallQuestion(ports, upstream, limiter, measurements)
        self._configuration: Configuration | None = None
        self._wanted: list[Profile] = []
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def look(self) -> None:
        """Begin the checks that are due."""
        configuration = self._ports.configuration()
        if configuration is not self._configuration:
            self._configuration = configuration
            self._wanted = [each for each in configuration.profiles.values() if _wants(each)]
        if not self._wanted:
            return
        snapshot, now = self._ports.state.snapshot(), self._ports.now()
        for profile in self._wanted:
            if profile.id not in self._running and due(profile.id, profile.health_check.interval, snapshot, now):
                task = self._running[profile.id] = asyncio.ensure_future(self._check(profile))
                task.add_done_callback(lambda _, name=profile.id: self._running.pop(name, None))  # type: ignore[misc]

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, profile: Profile) -> None:
        check = profile.health_check
        proves = check.sends is CheckKind.COMPLETION
        async with self._room:
            seen = candidate(profile, self._ports.credentials)
            if not seen.endpoint or held_back(seen, self._ports.state.snapshot(), self._ports.now(), proves=proves):
                return
            lease = await self._claim(profile)
            if lease is None:
                return
            started_at = self._ports.now()
            found = await self._asked(profile) if self._stands(profile) else None
            if found is None or not self._stands(profile):
                await self._ports.state.update(lambda snapshot: (give_up(lease, snapshot), None))
                return
            await self._settle(profile, candidate(profile, self._ports.credentials), lease, found, started_at)
        self._ports.changed()

    def _stands(self, profile: Profile) -> bool:
        """Whether the profile is still as it was, and to be checked."""
        return self._ports.configuration().profiles.get(profile.id) == profile and _wants(profile)

    async def _claim(self, profile: Profile) -> ProbeLease | None:
        check, owner = profile.health_check, self._ports.owner

        def decide(snapshot: Snapshot) -> tuple[Change, ProbeLease | None]:
            change = claim(profile.id, owner, check.interval, check.timeout, snapshot, self._ports.now())
            return change, next(iter(change.put_leases), None)

        return await self._ports.state.update(decide)

    async def _settle(
        self, profile: Profile, seen: Candidate, lease: ProbeLease, found: _Found, started_at: float
    ) -> None:
        check, configuration = profile.health_check, self._ports.configuration()
        pool = next((each for each in configuration.pools.values() if profile.id in each.profiles), None)
        others = [each for each in (pool or configuration.pool(None) or Pool(id="")).profiles if each != profile.id]
        lone = not any(each in configuration.profiles and configuration.profiles[each].enabled for each in others)
        policy = policy_for(profile, pool or Pool(id=""), configuration.defaults, lone=lone)

        def decide(snapshot: Snapshot) -> tuple[Change, None]:
            change = learn(
                seen,
                found.failure,
                snapshot,
                lease=lease,
                started_at=started_at,
                now=self._ports.now(),
                policy=policy,
                interval=check.interval,
                enough=check.failures,
                seconds=found.seconds,
                blames=found.blames,
                proves=check.sends is CheckKind.COMPLETION,
            )
            return change, None

        await self._ports.state.update(decide)

    # --- asking -----------------------------------------------------------------------------------------------------------------------

    async def _asked(self, profile: Profile) -> _Found:
        ask = self._answered if profile.health_check.sends is CheckKind.COMPLETION else self._listed
        try:
            secrets = await self._ports.credentials.resolve(profile)
            return await ask(target_for(profile, resolve_model(profile, None) or "", secrets))
        except Unreachable as lost:
            return _Found(lost.failure)
        except RoorouteError as wrong:  # nothing was sent: a missing key, an address not approved
            return _Found(Failure(Fault.LOCAL_LIMIT, wrong.message), blames=False)

    async def _listed(self, target: Target) -> _Found:
        profile = target.profile
        check = profile.health_check
        request = models_request(target) if check.endpoint is None else request_at(target, check.endpoint)
        if request is None:
            name = vendor_of(profile).name
            words = f"{name} has no list of models; name an endpoint for the health check of {profile.title}."
            return _Found(Failure(Fault.LOCAL_LIMIT, words), blames=False)
        began = self._ports.monotonic()
        answer = await self._upstream.request(request, seconds=check.timeout, proxy=profile.proxy)
        seconds = self._ports.monotonic() - began
        failure = judged(target, answer, self._ports.now())
        return _Found(failure, seconds, failure is None or _is_evidence(check, failure.fault))

    async def _answered(self, target: Target) -> _Found:
        """A real answer, within the user's limits and in the ledger like any other."""
        profile, bound = target.profile, target.profile.health_check.timeout
        times = Timeouts(connect=bound, first_token=bound, idle=bound, total=bound)
        reply = await self._question.ask(target, Pool(id=""), times, TAG)
        if isinstance(reply, Refused):
            return _Found(Failure(Fault.LOCAL_LIMIT, f"Not checked: {profile.title} {reply.words}."), blames=False)
        return _Found(reply.failure, reply.seconds)


def judged(target: Target, answer: ErrorAnswer, now: float) -> Failure | None:
    """What is wrong with the answer to a GET; None when it is healthy. What the user expects in so many words and does not get is the
    provider's fault; of other answers the dialect says whose."""
    check = target.profile.health_check
    fits = answer.status in check.expect_status if check.expect_status else 200 <= answer.status < 300
    if not fits:
        failure = dialect_for(target.profile, target.model).classify(answer, now)
        if answer.status >= 400 and HAPPENINGS[failure.fault] is Happening.FAULTED:
            name = f"HTTP {answer.status}"
            return failure if name in failure.message else replace(failure, message=f"{name}: {failure.message}")
        if not check.expect_status:
            return failure
        words = f"It answered HTTP {answer.status}, and {' or '.join(map(str, check.expect_status))} was expected."
        return Failure(Fault.TRANSIENT, words, hint=failure.hint, status=answer.status)
    if check.expect_body is not None:
        if check.expect_body in answer.body.decode("utf-8", "replace"):
            return None
        words = f"Its answer lacks {check.expect_body!r}, which was expected."
        return Failure(Fault.TRANSIENT, words, Scope.PROFILE, status=answer.status)
    return None if check.endpoint or check.expect_status else _no_list(target, answer, now)


def _no_list(target: Target, answer: ErrorAnswer, now: float) -> Failure | None:
    """A web page, say of a network that wants a sign-in first, is no list of models."""
    asked = Asked(vendor_of(target.profile), target)
    found = of_answer(asked, answer, now)
    shape = asked.row.models.shape if asked.row.models else ModelShape.OPENAI
    if found.ok and read_page(shape, answer.body) is not None:
        return None
    return Failure(Fault.BAD_ANSWER, (not_a_list(asked) if found.ok else found).cause, status=answer.status)


def _is_evidence(check: HealthCheck, fault: Fault) -> bool:
    """Whether a failed GET says that requests would fail too. A limit, a right or a path of its own says nothing of theirs; a key that
    the vendor's own list rejects does."""
    return HAPPENINGS[fault] is Happening.FAULTED or (fault is Fault.CREDENTIAL and check.endpoint is None)


def _wants(profile: Profile) -> bool:
    return profile.enabled and profile.health_check.enabled
