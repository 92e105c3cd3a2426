"""What is read from the shared state and what waits to be written to it, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rooroute.ledger import AttemptRecord
from rooroute.routing.limits import Count, Counters
from rooroute.routing.marks import Change, Mark, MarkKey, Snapshot
from rooroute.routing.noticed import Notice


@dataclass(frozen=True, slots=True)
class Picture:
    """What one read of the shared tables showed. ``touched`` counts settled batches of selections, as ``snapshot.revision`` the rest."""

    snapshot: Snapshot = field(default_factory=Snapshot)
    approvals: frozenset[tuple[str, str, str]] = frozenset()
    touched: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """One running server: its process (``machine.identity``), the version it runs, and when it last said that it lives."""

    identity: str
    version: str
    started: float
    heartbeat: float


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A change that is shown here and waits to be written: what it was decided on, and the number of the time in which nobody else
    could write (0: anybody could)."""

    base: Snapshot
    change: Change
    hold: int = 0


@dataclass(slots=True)
class Batch:
    """What can wait a moment before it is written."""

    selected: dict[str, float] = field(default_factory=dict)
    working: dict[str, str] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    requests: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)
    window: Window | None = None
    count: Count = field(default_factory=Count)
    notices: list[Notice] = field(default_factory=list)

    def then(self, later: Batch, most: int) -> Batch:
        """Both, at most the latest ``most`` attempts and requests of them."""
        return Batch(
            selected=self.selected | later.selected,
            working=self.working | later.working,
            attempts=[*self.attempts, *later.attempts][-most:],
            requests=dict([*(self.requests | later.requests).items()][-most:]),
            window=later.window or self.window,
            count=summed(self.count, later.count),
            notices=[*self.notices, *later.notices][-most:],
        )

    def __bool__(self) -> bool:
        told = self.selected or self.working or self.attempts or self.requests or self.notices
        return bool(told or self.window or self.count)


def summed(one: Count, other: Count) -> Count:
    """Both counts as one."""
    add = {**one.add}
    for key, (amount, expires) in other.add.items():
        add[key] = (add.get(key, (0.0, expires))[0] + amount, expires)
    slots = {**one.slots}
    for holder, more in other.slots.items():
        slots[holder] = slots.get(holder, 0) + more
    return Count(add, slots)


def counted(counters: Counters, count: Count, owner: str) -> Counters:
    """The counters after the count of ``owner``."""
    used, slots = {**counters.used}, {**counters.slots}
    for key, (amount, _) in count.add.items():
        used[key] = max(0.0, used.get(key, 0.0) + amount)
    for holder, more in count.slots.items():
        slots[holder, owner] = max(0, slots.get((holder, owner), 0) + more)
    return Counters(used, slots)


def applied(snapshot: Snapshot, change: Change) -> Snapshot:
    """The picture after the change, one revision on."""
    marks = {key: mark for key, mark in snapshot.marks.items() if key not in change.drop_marks}
    leases = {key: lease for key, lease in snapshot.leases.items() if key not in change.drop_leases}
    marks.update((mark.key, mark) for mark in change.put_marks)
    leases.update((lease.key, lease) for lease in change.put_leases)
    checks = {**snapshot.checks, **{each.profile_id: each for each in change.put_checks}}
    return replace(snapshot, marks=marks, leases=leases, checks=checks, revision=snapshot.revision + 1)


def what_still_holds(now: Snapshot, base: Snapshot, late: Change) -> Change:
    """What of a change that was decided on ``base`` and could not be written may be written now: nothing that another window has
    changed since, unless it makes a cooldown longer. A lease cannot be granted in hindsight."""

    def untouched(key: MarkKey) -> bool:
        return now.marks.get(key) == base.marks.get(key)

    def stronger(mark: Mark) -> bool:
        theirs = now.marks.get(mark.key)
        return theirs is None or (theirs.until is not None and (mark.until is None or mark.until > theirs.until))

    return Change(
        put_marks=tuple(mark for mark in late.put_marks if untouched(mark.key) or stronger(mark)),
        drop_marks=tuple(key for key in late.drop_marks if key in now.marks and untouched(key)),
        drop_leases=tuple(
            key for key in late.drop_leases if key in now.leases and now.leases[key] == base.leases.get(key)
        ),
        put_checks=tuple(
            each for each in late.put_checks if now.checks.get(each.profile_id) == base.checks.get(each.profile_id)
        ),
    )
