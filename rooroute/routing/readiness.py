"""Whether one profile can be asked now, and if not, why and until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from rooroute.routing.candidate import Candidate, marks_covering
from rooroute.routing.figures import FIGURES
from rooroute.routing.marks import Mark, MarkState, ProbeLease, Snapshot


class Standing(StrEnum):
    """Ordered by nothing; a profile has exactly one towards a request."""

    READY = "ready"
    COOLING = "cooling"
    PROBED = "probed"  # by another request; comes back when that one ends
    FAILED = "failed"
    ASKED = "asked"
    UNSUITABLE = "unsuitable"
    DISABLED = "disabled"
    LIMITED = "limited"  # by a limit the user set; nothing is marked


@dataclass(frozen=True, slots=True)
class Look:
    """One profile's standing. ``probe`` are the leases to take before asking it. ``returns_at`` is when it can be asked without the
    user's doing (UTC epoch seconds; None: never, or it can be asked now)."""

    candidate: Candidate
    standing: Standing
    probe: tuple[ProbeLease, ...] = ()
    returns_at: float | None = None

    @property
    def ready(self) -> bool:
        return self.standing is Standing.READY


EXCLUDED: Final = {
    Standing.COOLING: "is cooling down",
    Standing.PROBED: "is being tried by another request",
    Standing.FAILED: "has failed and needs the user",
    Standing.ASKED: "was asked already",
    Standing.DISABLED: "is switched off",
}


def why_not(look: Look) -> str:
    """What keeps this profile from the request, as the end of a sentence about it."""
    if look.standing is Standing.LIMITED:
        return look.candidate.limit
    return look.candidate.excluded or EXCLUDED[look.standing] if not look.ready else "comes later in the order"


def live_lease(snapshot: Snapshot, mark: Mark, now: float) -> ProbeLease | None:
    """Who is trying this mark now, if anybody."""
    lease = snapshot.leases.get(mark.key)
    return lease if lease is not None and lease.expires > now else None


def locked_for_the_day(mark: Mark) -> bool:
    """Whether this is the long lock of a day quota, which may be looked at once an hour when nobody else can answer."""
    return mark.daily and mark.strike > 1


def opens_at(mark: Mark, *, alone: bool) -> float | None:
    """When a mark may be probed: at its end, and with nobody else to ask (``alone``) a day's lock hourly before it. None: never."""
    if mark.until is None or not (alone and locked_for_the_day(mark)):
        return mark.until
    return min(mark.until, mark.since + FIGURES.daily_probe)


def look(
    candidate: Candidate,
    snapshot: Snapshot,
    now: float,
    *,
    owner: str = "",
    early: bool = False,
    alone: bool = False,
    anyway: bool = False,
) -> Look:
    """One profile's standing at ``now`` (UTC epoch seconds) towards the request ``owner``, whose own leases do not stand in its way.

    ``early`` lets the user's "Retry now" look behind a rest that is not over; ``alone`` says that nobody else can answer; ``anyway`` is
    the safety net, which looks behind failures too.
    """
    if not candidate.enabled:
        return Look(candidate, Standing.DISABLED)
    if candidate.excluded is not None:
        return Look(candidate, Standing.UNSUITABLE)
    probe: list[ProbeLease] = []
    standing, returns_at = Standing.READY, now
    for mark in marks_covering(candidate, snapshot.marks):
        if mark.state is MarkState.WATCHED:
            continue
        opens = now if anyway else opens_at(mark, alone=alone)
        if opens is None:
            return Look(candidate, Standing.FAILED)
        lease = live_lease(snapshot, mark, now)
        if lease is not None and lease.owner != owner:
            standing = _worse(standing, Standing.PROBED)
            returns_at = max(returns_at, opens, lease.expires)
        elif opens > now and not early:
            standing = _worse(standing, Standing.FAILED if mark.state is MarkState.FAILED else Standing.COOLING)
            returns_at = max(returns_at, opens)
        probe.append(ProbeLease(mark.key, owner, now + FIGURES.lease, mark.generation))
    if standing is not Standing.READY:
        return Look(candidate, standing, returns_at=returns_at)
    return _within_limits(Look(candidate, standing, probe=tuple(probe)), now)


def _within_limits(ready: Look, now: float) -> Look:
    until = ready.candidate.limited_until
    return Look(ready.candidate, Standing.LIMITED, returns_at=until) if until is not None and until > now else ready


def _worse(one: Standing, other: Standing) -> Standing:
    order = (Standing.FAILED, Standing.COOLING, Standing.PROBED, Standing.READY)
    return min(one, other, key=order.index)


def soonest(looks: Iterable[Look]) -> float | None:
    """The first time at which any of them can be asked without the user's doing."""
    return min((each.returns_at for each in looks if each.returns_at is not None), default=None)


def as_asked(each: Look) -> Look:
    """The same profile, which this request has asked already."""
    return replace(each, standing=Standing.ASKED, probe=()) if each.ready else each
