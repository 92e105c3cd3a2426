"""Which members of a pool that goes by speed are to be measured now, and whose turn that is. Decisions only, all pure.

A lease makes one window of the machine the prober of a profile; it lasts for the whole interval, or as long as the window that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rooroute.outcome import Scope
from rooroute.profiles import Pool, Strategy
from rooroute.routing.candidate import Candidate
from rooroute.routing.marks import Change, MarkKey, ProbeLease, Snapshot
from rooroute.routing.readiness import look

LEAST_SECONDS: Final = 10.0
"""More often nobody is asked only to be measured."""


def probe_key(profile_id: str) -> MarkKey:
    """What the prober of a profile holds: no mark ever lies there, since a profile's id has no slash."""
    return MarkKey(Scope.PROFILE, f"latency/{profile_id}")


def probes(pool: Pool) -> bool:
    """Whether the pool has its members measured: the user wants it, the pool goes by speed, and it may go on to others at all."""
    on = pool.enabled and pool.failover.enabled and pool.strategy is Strategy.LATENCY
    return on and pool.latency.probe_every is not None and pool.latency.probe_every >= LEAST_SECONDS


def members(pool: Pool) -> Iterator[str]:
    """Who is measured: everybody but the last resort, which is asked only when no other can answer."""
    last = pool.last_resort.profile if pool.last_resort else None
    return (each for each in dict.fromkeys(pool.profiles) if each != last)


def due(profile_id: str, every: float, measured_at: float | None, snapshot: Snapshot, now: float) -> bool:
    """Whether ``every`` seconds have passed since the profile was last asked anything (``measured_at``, UTC epoch seconds), and no window
    is at it."""
    lease = snapshot.leases.get(probe_key(profile_id))
    if lease is not None and now < lease.expires <= now + every:
        return False
    return measured_at is None or not measured_at <= now < measured_at + every


def may_be_asked(candidate: Candidate, snapshot: Snapshot, now: float) -> bool:
    """Whether it could answer a request now. Who has just rested is left to a request, which knows what to make of it."""
    seen = look(candidate, snapshot, now)
    return seen.ready and not seen.probe and not candidate.last_resort


def claim(
    profile_id: str, owner: str, every: float, measured_at: float | None, snapshot: Snapshot, now: float
) -> Change:
    """The lease to make one probe; an empty change where it is not due."""
    if not due(profile_id, every, measured_at, snapshot, now):
        return Change()
    key = probe_key(profile_id)
    before = snapshot.leases.get(key)
    return Change(put_leases=(ProbeLease(key, owner, now + every, before.generation + 1 if before else 1),))
