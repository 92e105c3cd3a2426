"""When a profile's health check is due, whose it is, and what its end changes in the shared state. Decisions only, all pure.

A lease makes one window of the machine the checker; it ends with the check, or with the window that held it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate, marks_covering
from rooroute.routing.figures import HAPPENINGS, Happening, Policy
from rooroute.routing.marks import Change, Checked, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.settling import Ending, settle

_SLACK: Final = 30.0
"""Seconds beyond its time limit after which a check counts as given up."""


def check_key(profile_id: str) -> MarkKey:
    """What the checker of a profile holds: no mark ever lies there, since a profile's id has no slash."""
    return MarkKey(Scope.PROFILE, f"check/{profile_id}")


def due(profile_id: str, interval: float, snapshot: Snapshot, now: float) -> bool:
    """Whether ``interval`` seconds have passed since the last check of any window, and no window is at it."""
    lease = snapshot.leases.get(check_key(profile_id))
    if lease is not None and lease.expires > now:
        return False
    last = snapshot.checks.get(profile_id)
    return last is None or not last.at <= now < last.at + interval


def claim(profile_id: str, owner: str, interval: float, timeout: float, snapshot: Snapshot, now: float) -> Change:
    """The lease to make one check; an empty change where it is not due."""
    if not due(profile_id, interval, snapshot, now):
        return Change()
    key = check_key(profile_id)
    before = snapshot.leases.get(key)
    generation = before.generation + 1 if before else 1
    return Change(put_leases=(ProbeLease(key, owner, now + timeout + _SLACK, generation),))


def give_up(lease: ProbeLease, snapshot: Snapshot) -> Change:
    """The check was not made after all, or nobody wants to know any more."""
    return Change(drop_leases=(lease.key,)) if snapshot.leases.get(lease.key) == lease else Change()


def learn(
    candidate: Candidate,
    failure: Failure | None,
    snapshot: Snapshot,
    *,
    lease: ProbeLease,
    started_at: float,
    now: float,
    policy: Policy,
    interval: float,
    enough: int,
    seconds: float | None = None,
    blames: bool = True,
    proves: bool = False,
) -> Change:
    """What a check of ``candidate``, sent at ``started_at`` and over at ``now`` (UTC epoch seconds), changes.

    ``enough`` failures in a row go to the state machine, where such a failure ``blames`` the provider at all: the profile then rests until
    the next check. A success heals what faults left; what else it heals takes an answer of a model, which ``proves`` it. A time the
    provider told itself stands. Nothing is changed by a check whose lease was lost meanwhile.
    """
    if snapshot.leases.get(lease.key) != lease:
        return Change()
    before = snapshot.checks.get(candidate.profile_id)
    known = before.failures if before is not None and before.fingerprint == candidate.fingerprint else 0
    ours = failure is not None and failure.fault is Fault.LOCAL_LIMIT
    checked = Checked(
        profile_id=candidate.profile_id,
        at=now,
        endpoint=candidate.endpoint,
        fingerprint=candidate.fingerprint,
        seconds=seconds,
        error=None if failure is None else failure.message,
        failures=0 if failure is None else known if ours else known + 1,
        lost=failure is not None and failure.fault is Fault.NETWORK,
    )
    taught = Change()
    if failure is None:
        marks = {key: each for key, each in snapshot.marks.items() if proves or _of_faults(each.fault)}
        healable = replace(snapshot, marks=marks)
        taught = settle(candidate, Ending.CLEAN_END, healable, started_at=started_at, now=now, policy=policy)
    elif blames and checked.failures >= enough:
        rest = None if policy.cooldown is not None else interval
        taught = settle(
            candidate,
            failure,
            snapshot,
            started_at=started_at,
            now=now,
            policy=replace(policy, threshold=1, breaker_rest=policy.breaker_rest or rest),
            offline=_offline(candidate, snapshot, now - 2 * interval),
        )
    return replace(taught, drop_leases=(*taught.drop_leases, lease.key), put_checks=(checked,))


def _of_faults(fault: Fault) -> bool:
    return HAPPENINGS[fault] is Happening.FAULTED


def _offline(candidate: Candidate, snapshot: Snapshot, since: float) -> bool:
    """Whether the other hosts could not be reached of late either: then it is the network, and nobody is blamed."""
    others = [each for each in snapshot.checks.values() if each.endpoint != candidate.endpoint and each.at >= since]
    return bool(others) and all(each.lost for each in others)


def held_back(candidate: Candidate, snapshot: Snapshot, now: float, *, proves: bool) -> bool:
    """Whether this is no time to check: what has failed needs the user first, and an answer of a model is not asked of who rests for a
    quota or for as long as the provider said."""
    return any(
        mark.state is MarkState.FAILED
        or (proves and mark.until is not None and mark.until > now and (mark.hinted or not _of_faults(mark.fault)))
        for mark in marks_covering(candidate, snapshot.marks)
    )
