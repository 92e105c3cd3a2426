"""What the end of a call, or of a wait for the user, changes in the shared state. Decisions only, all pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate, keys_covering
from rooroute.routing.figures import FIGURES, HAPPENINGS, Happening, Policy
from rooroute.routing.health import next_mark
from rooroute.routing.marks import Change, Mark, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.readiness import look
from rooroute.routing.report import Report, key_of


class Ending(StrEnum):
    """How a call that did not fail went on."""

    FIRST_TOKEN = "firstToken"
    CLEAN_END = "cleanEnd"
    ABORTED = "aborted"


_GOOD: Final = {Ending.FIRST_TOKEN: Happening.FIRST_TOKEN, Ending.CLEAN_END: Happening.CLEAN_END}
_ONCE_MORE: Final = frozenset({Fault.TRANSIENT, Fault.OVERLOAD, Fault.NETWORK, Fault.BAD_ANSWER})


def settle(
    candidate: Candidate,
    outcome: Failure | Ending,
    snapshot: Snapshot,
    *,
    leases: Sequence[ProbeLease] = (),
    started_at: float,
    now: float,
    policy: Policy,
    jitter: float = 0.0,
    others_ready: bool = False,
    offline: bool = False,
) -> Change:
    """What a call to ``candidate``, sent at ``started_at`` and known at ``now`` (UTC epoch seconds), changes.

    ``candidate`` is the one that was asked, with the fingerprint it was asked with. ``leases`` are those it was asked under; the ones
    that another request holds by now count for nothing. ``jitter`` is a random number in [0, 1). ``others_ready``: see
    ``another_ready``. ``offline``: unrelated hosts fail too, so a network fault is nobody's. An empty change means: write nothing.
    """
    held = {lease.key for lease in leases if _holds(lease, snapshot)}

    def report(key: MarkKey, happening: Happening, failure: Failure | None = None) -> Report:
        return Report(
            key=key,
            happening=happening,
            profile_id=candidate.profile_id,
            fingerprint=candidate.fingerprint,
            started_at=min(started_at, now),  # later: the clock was set back meanwhile
            now=now,
            policy=policy,
            failure=failure,
            jitter=jitter,
            leased=key in held,
            others_ready=others_ready,
        )

    reports: list[Report] = []
    if isinstance(outcome, Failure):
        if not (offline and outcome.fault is Fault.NETWORK):
            reports.append(report(key_of(outcome, candidate, policy), HAPPENINGS[outcome.fault], outcome))
    elif outcome is not Ending.ABORTED:
        reports.extend(report(key, _GOOD[outcome]) for key in keys_covering(candidate) if key in snapshot.marks)
    return _change(reports, snapshot, drop_leases=held)


def _holds(lease: ProbeLease, snapshot: Snapshot) -> bool:
    stored = snapshot.leases.get(lease.key)
    return stored is not None and (stored.owner, stored.generation) == (lease.owner, lease.generation)


def _change(reports: Iterable[Report], snapshot: Snapshot, drop_leases: Iterable[MarkKey] = ()) -> Change:
    put: list[Mark] = []
    drop: list[MarkKey] = []
    for report in reports:
        before = snapshot.marks.get(report.key)
        after = next_mark(before, report)
        if after is None and before is not None:
            drop.append(report.key)
        elif after is not None and after is not before:
            put.append(after)
    return Change(put_marks=tuple(put), drop_marks=tuple(drop), drop_leases=tuple(drop_leases))


def renew(leases: Iterable[ProbeLease], snapshot: Snapshot, now: float) -> Change:
    """The leases of a request that lives, for another ``FIGURES.lease`` seconds; those it lost meanwhile are left to their owners."""
    expires = now + FIGURES.lease
    return Change(put_leases=tuple(replace(lease, expires=expires) for lease in leases if _holds(lease, snapshot)))


def another_ready(
    failure: Failure, candidate: Candidate, others: Iterable[Candidate], snapshot: Snapshot, now: float, policy: Policy
) -> bool:
    """Whether somebody whom this failure would not rest could answer instead."""
    touched = key_of(failure, candidate, policy)
    return any(
        each.profile_id != candidate.profile_id
        and touched not in keys_covering(each)
        and look(each, snapshot, now).ready
        for each in others
    )


def ask_again(failure: Failure, asked: int, others_ready: bool, policy: Policy) -> float | None:
    """Seconds after which the same profile may be asked once more within this request, or None: go on to the next.

    ``asked`` is how often the request has asked it, ``policy`` how often it may. A key that seems dead is confirmed at once; a passing
    trouble is tried again only when nobody else could answer, or where the user wants the same one first.
    """
    if failure.fault is Fault.CREDENTIAL and failure.confirm:
        return 0.0 if asked == 1 else None
    if asked > policy.retries or failure.fault not in _ONCE_MORE or (others_ready and not policy.same_first):
        return None
    return FIGURES.same_profile_backoff * 2.0 ** (asked - 1)


def reset(candidate: Candidate, snapshot: Snapshot) -> Change:
    """Everything that lies on this profile for any model, forgotten: the user's reset, or a successful connection test."""
    holders = {key.scope: key.holder for key in keys_covering(candidate)}
    return _forget(snapshot, lambda mark: holders[mark.key.scope] == mark.key.holder)


def edited(profile_id: str, snapshot: Snapshot) -> Change:
    """What a profile's own calls left behind, forgotten: its key, base URL or model was edited, or it was deleted. An origin's trouble
    stays known."""
    return _forget(snapshot, lambda mark: mark.profile_id == profile_id and mark.key.scope is not Scope.ENDPOINT)


def _forget(snapshot: Snapshot, which: Callable[[Mark], bool]) -> Change:
    gone = tuple(key for key, mark in snapshot.marks.items() if which(mark))
    return Change(drop_marks=gone, drop_leases=tuple(key for key in gone if key in snapshot.leases))


def rest_by_hand(candidate: Candidate, seconds: float, snapshot: Snapshot, now: float) -> Change:
    """Rest this profile for so many seconds because the user said so; a longer rest, or a failure, stands."""
    key = MarkKey(Scope.PROFILE, candidate.profile_id)
    before = snapshot.marks.get(key)
    until = now + seconds
    if before is not None and (before.state is MarkState.FAILED or (before.until or 0.0) >= until):
        return Change()
    return Change(
        put_marks=(
            Mark(
                key=key,
                state=MarkState.COOLDOWN,
                fault=Fault.LOCAL_LIMIT,
                since=now,
                until=until,
                hinted=True,
                profile_id=candidate.profile_id,
                fingerprint=candidate.fingerprint,
                generation=before.generation + 1 if before else 1,
            ),
        )
    )
