"""A small stage for routing tests: candidates, failures and a shared state to which changes are applied as a store would."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate
from rooroute.routing.figures import Policy
from rooroute.routing.marks import Change, Mark, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.settling import Ending, settle

NOON = 1_800_000_000.0  # an arbitrary moment; tests count seconds from it
PLAIN = Policy()
BLAMELESS = frozenset(
    {Fault.BAD_ANSWER, Fault.CONTEXT, Fault.POLICY, Fault.REQUEST, Fault.CANCELLED, Fault.LOCAL_LIMIT}
)  # said here once more, so that the table cannot be changed unnoticed


def candidate(profile_id: str = "Gemini1", *, position: int = 0, **changes: object) -> Candidate:
    plain = Candidate(
        profile_id=profile_id,
        model="m",
        endpoint=f"https://{profile_id.lower()}.example",
        domain=f"domain-of-{profile_id}",
        fingerprint=f"key-of-{profile_id}",
        position=position,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def failure(fault: Fault, **changes: object) -> Failure:
    return replace(Failure(fault, "said the provider"), **changes)  # type: ignore[arg-type]


def apply(snapshot: Snapshot, change: Change) -> Snapshot:
    marks = {key: mark for key, mark in snapshot.marks.items() if key not in change.drop_marks}
    leases = {key: lease for key, lease in snapshot.leases.items() if key not in change.drop_leases}
    marks |= {mark.key: mark for mark in change.put_marks}
    leases |= {lease.key: lease for lease in change.put_leases}
    return replace(snapshot, marks=marks, leases=leases, revision=snapshot.revision + bool(change))


@dataclass
class Stage:
    """One profile under test and what everybody remembers of it."""

    who: Candidate = field(default_factory=candidate)
    policy: Policy = PLAIN
    snapshot: Snapshot = field(default_factory=Snapshot)
    now: float = NOON

    @property
    def key(self) -> MarkKey:
        return MarkKey(Scope.PROFILE, self.who.profile_id)

    @property
    def mark(self) -> Mark | None:
        return self.snapshot.marks.get(self.key)

    @property
    def cooling_for(self) -> float:
        """Seconds of rest still to come."""
        mark = self.mark
        assert mark is not None and mark.state is MarkState.COOLDOWN and mark.until is not None
        return mark.until - self.now

    @property
    def state(self) -> str:
        return "active" if self.mark is None else self.mark.state.value

    def lease(self, owner: str = "probe") -> tuple[ProbeLease, ...]:
        mark = self.mark
        assert mark is not None
        lease = ProbeLease(self.key, owner, self.now + 90, mark.generation)
        self.snapshot = apply(self.snapshot, Change(put_leases=(lease,)))
        return (lease,)

    def hear(
        self,
        outcome: Failure | Ending,
        *,
        began: float | None = None,
        leases: tuple[ProbeLease, ...] = (),
        jitter: float = 0.0,
        others_ready: bool = False,
        offline: bool = False,
    ) -> Change:
        change = settle(
            self.who,
            outcome,
            self.snapshot,
            leases=leases,
            started_at=self.now if began is None else began,
            now=self.now,
            policy=self.policy,
            jitter=jitter,
            others_ready=others_ready,
            offline=offline,
        )
        self.snapshot = apply(self.snapshot, change)
        return change
