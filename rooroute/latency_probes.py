"""Latency probes: in pools that go by speed and whose user wants it, a small question to those members that nobody has asked of late.

One window of the machine does it (``routing.probing``). What a probe sends, and what that costs, is told by ``health_status.probe_words``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from rooroute.errors import RoorouteError
from rooroute.ledger import AttemptRecord
from rooroute.limiter import Limiter
from rooroute.outcome import Failure, Fault
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Pool, Profile
from rooroute.providers.dialect import Target
from rooroute.providers.table import resolve_model, target_for
from rooroute.roster import candidate
from rooroute.routing.candidate import Candidate
from rooroute.routing.figures import policy_for
from rooroute.routing.marks import Change, Snapshot
from rooroute.routing.measurements import Measurements
from rooroute.routing.probing import claim, due, may_be_asked, members, probes
from rooroute.routing.route import unfit
from rooroute.routing.rules import NOTHING
from rooroute.routing.settling import Ending, settle
from rooroute.small_question import Reply, SmallQuestion
from rooroute.trial import Upstream

TAG: Final = "latency-probe"
"""What the attempts of probes are tagged with in the ledger, besides the profile's own tags."""

Attempts = Callable[[float], Awaitable[list[AttemptRecord]]]
"""The attempts of all windows since then (UTC epoch seconds)."""

_AT_ONCE: Final = 2
_LOOK_SECONDS: Final = 1.0
_TEACHES_NOTHING: Final = frozenset({Fault.NETWORK, Fault.LOCAL_LIMIT, Fault.CANCELLED})
"""Of a probe: whether the network itself is down is not known from one host."""


class LatencyProbes:
    """One window's. Call ``look`` a few times a second; it never waits."""

    def __init__(
        self, ports: Ports, upstream: Upstream, limiter: Limiter, measurements: Measurements, attempts: Attempts
    ) -> None:
        self._ports, self._measurements, self._attempts = ports, measurements, attempts
        self._question = SmallQuestion(ports, upstream, limiter, measurements)
        self._configuration: Configuration | None = None
        self._pools: list[Pool] = []
        self._looked_at = 0.0
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def look(self) -> None:
        """Begin the probes that are due."""
        configuration, now = self._ports.configuration(), self._ports.now()
        if configuration is not self._configuration:
            self._configuration = configuration
            self._pools = [each for each in configuration.pools.values() if probes(each)]
        if not self._pools or 0 <= now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at, snapshot = now, self._ports.state.snapshot()
        for pool in self._pools:
            for each in members(pool):
                if each not in self._running and self._due(pool, each, snapshot):
                    task = self._running[each] = asyncio.ensure_future(self._probe(pool, each))
                    task.add_done_callback(lambda _, name=each: self._running.pop(name, None))  # type: ignore[misc]

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _due(self, pool: Pool, profile_id: str, snapshot: Snapshot) -> bool:
        """Whether it is to be measured, as far as this window knows."""
        profile = self._ports.configuration().profiles.get(profile_id)
        if profile is None or not profile.enabled:
            return False
        every, now = pool.latency.probe_every or 0.0, self._ports.now()
        measured_at = self._measurements.asked_at.get(profile_id)
        return due(profile_id, every, measured_at, snapshot, now) and may_be_asked(
            self._seen(pool, profile), snapshot, now
        )

    def _seen(self, pool: Pool, profile: Profile) -> Candidate:
        seen = candidate(profile, self._ports.credentials)
        known = self._ports.configuration().knowledge.filled(profile, seen.model)
        why = seen.excluded or unfit(known, pool, NOTHING, pool.region)
        return replace(seen, excluded=why)

    async def _probe(self, pool: Pool, profile_id: str) -> None:
        async with self._room:
            await self._learn(pool, profile_id)
            profile = self._ports.configuration().profiles.get(profile_id)
            target = None if profile is None else await self._target(profile)
            if target is None or not self._due(pool, profile_id, self._ports.state.snapshot()):
                return
            if await self._claim(pool, profile_id) and self._stands(pool, target.profile):
                await self._ask(pool, target)
                self._ports.changed()

    async def _target(self, profile: Profile) -> Target | None:
        """None for want of a key or an approved address. Whose quota the key draws on is known when it has been read."""
        try:
            secrets = await self._ports.credentials.resolve(profile)
            return target_for(profile, resolve_model(profile, None) or "", secrets)
        except RoorouteError:
            return None

    async def _ask(self, pool: Pool, target: Target) -> None:
        seen, started_at = self._seen(pool, target.profile), self._ports.now()
        try:
            reply = await self._question.ask(target, pool, target.profile.timeouts, TAG)
        except RoorouteError:  # a request that cannot be built
            return
        if isinstance(reply, Reply) and self._stands(pool, target.profile):
            await self._settle(pool, target.profile, seen, reply.failure, started_at)

    def _stands(self, pool: Pool, profile: Profile) -> bool:
        """Whether both are still as they were, and the pool's members to be measured."""
        now = self._ports.configuration()
        return now.pools.get(pool.id) == pool and now.profiles.get(profile.id) == profile

    async def _learn(self, pool: Pool, profile_id: str) -> None:
        """What other windows have measured meanwhile."""
        asked_at = self._measurements.asked_at
        for each in await self._attempts(self._ports.now() - (pool.latency.probe_every or 0.0)):
            if each.profile_id == profile_id:
                self._measurements.learn(each.profile_id, each.at, each.first_token_s, each.output_tokens)
                asked_at[profile_id] = max(each.at, asked_at.get(profile_id, each.at))

    async def _claim(self, pool: Pool, profile_id: str) -> bool:
        every = pool.latency.probe_every or 0.0
        measured_at = self._measurements.asked_at.get(profile_id)

        def decide(snapshot: Snapshot) -> tuple[Change, bool]:
            change = claim(profile_id, self._ports.owner, every, measured_at, snapshot, self._ports.now())
            return change, bool(change)

        return await self._ports.state.update(decide)

    async def _settle(
        self, pool: Pool, profile: Profile, seen: Candidate, failure: Failure | None, started_at: float
    ) -> None:
        """What it teaches is what a request would have taught."""
        if failure is not None and failure.fault in _TEACHES_NOTHING:
            return
        configuration = self._ports.configuration()
        others = [configuration.profiles[each] for each in pool.profiles if each in configuration.profiles]
        lone = not any(each.enabled and each.id != profile.id for each in others)
        policy = policy_for(profile, pool, configuration.defaults, lone=lone)

        def decide(snapshot: Snapshot) -> tuple[Change, None]:
            outcome = Ending.CLEAN_END if failure is None else failure
            now, jitter = self._ports.now(), self._ports.jitter()
            change = settle(seen, outcome, snapshot, started_at=started_at, now=now, policy=policy, jitter=jitter)
            return change, None

        await self._ports.state.update(decide)
