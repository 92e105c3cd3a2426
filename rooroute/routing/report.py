"""What one call has to say about one key, and which condition of the state machine that meets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate
from rooroute.routing.figures import HAPPENINGS, Happening, Policy
from rooroute.routing.marks import Mark, MarkKey, MarkState


class Condition(StrEnum):
    ACTIVE = "active"
    WATCHED = "watched"
    RESTING = "resting"
    RETRIED = "retried"
    PROBING = "probing"
    FAILED = "failed"
    RECHECKED = "rechecked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one call has to say about one key.

    ``started_at`` is when the call was sent, ``now`` when this became known (both UTC epoch seconds). ``leased`` says that the call holds
    the probe lease of this key. ``jitter`` is a random number in [0, 1). ``others_ready`` says that somebody whom this failure would not
    touch could answer instead.
    """

    key: MarkKey
    happening: Happening
    profile_id: str
    fingerprint: str
    started_at: float
    now: float
    policy: Policy
    failure: Failure | None = None
    jitter: float = 0.0
    leased: bool = False
    others_ready: bool = False

    @property
    def fault(self) -> Failure:
        """The failure, in rules that are only reached by one."""
        assert self.failure is not None
        return self.failure


def key_of(failure: Failure, candidate: Candidate, policy: Policy) -> MarkKey:
    """Where a failure leaves its mark.

    A network fault is the origin's, whatever the classifier thought; a missing model is a matter of that model only. ``fixed`` mode
    rests the profile that failed and nobody else, as its users expect.
    """
    holders = {Scope.ENDPOINT: candidate.endpoint, Scope.DOMAIN: candidate.domain, Scope.PROFILE: candidate.profile_id}
    temporary = HAPPENINGS[failure.fault] in (Happening.LIMITED, Happening.FAULTED)
    if policy.fixed and temporary:
        return MarkKey(Scope.PROFILE, candidate.profile_id)
    if failure.fault is Fault.NETWORK:
        return MarkKey(Scope.ENDPOINT, candidate.endpoint)
    narrow = failure.per_model or failure.fault is Fault.MODEL
    return MarkKey(failure.scope, holders[failure.scope], candidate.model if narrow else None)


def condition(mark: Mark | None, report: Report) -> Condition:
    """Which row of ``RULES`` holds for this mark and this call."""
    if mark is None:
        return Condition.ACTIVE
    if mark.state is MarkState.WATCHED:
        return Condition.WATCHED
    if mark.until is None:
        return Condition.FAILED
    cooling = mark.state is MarkState.COOLDOWN
    if report.started_at >= mark.until:
        return Condition.PROBING if cooling else Condition.RECHECKED
    if report.leased:
        return Condition.RETRIED
    return Condition.RESTING if cooling else Condition.FAILED
