"""What the machine remembers of profiles between requests, as values: marks, probe leases and the picture of them all.

A mark lies on a holder (an origin, a quota domain, a profile), perhaps for one model only; what a user sees of a profile is the worst
mark that covers it. All times are UTC epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rooroute.outcome import Fault, Scope


class MarkState(StrEnum):
    """Stored states; Active is the absence of a mark and Disabled is the user's switch in the profile."""

    WATCHED = "watched"  # faults were counted but not enough to rest anybody; still active
    COOLDOWN = "cooldown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class MarkKey:
    """Where a mark lies. ``holder`` is an origin, a domain key or a profile id; ``model`` None covers every model."""

    scope: Scope
    holder: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """One remembered judgement.

    ``since`` is when it was made, ``until`` when a cooldown ends or a failed billing mark is rechecked (None: only the user heals it).
    ``strike`` counts unhinted repetitions, ``faults`` holds the times of recent faults that did not mark yet, ``successes`` counts good
    probes under a success threshold above one. ``fingerprint`` is a keyed hash of the credential; a mark with another one is ignored.
    ``generation`` grows with every change, so that a result that began before it can be told.
    """

    key: MarkKey
    state: MarkState
    fault: Fault
    since: float
    until: float | None = None
    hinted: bool = False
    daily: bool = False
    strike: int = 0
    faults: tuple[float, ...] = ()
    successes: int = 0
    reason: str = ""
    profile_id: str = ""
    fingerprint: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class ProbeLease:
    """The right of one request, in one process of this machine, to try an expired mark. Renewed while its request lives; a dead owner's
    lease expires."""

    key: MarkKey
    owner: str
    expires: float
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the latest health check of a profile came to, at ``at``.

    ``seconds`` is how long an answer took (None: there was none), ``error`` the sentence of what was wrong, ``failures`` how many failed in
    a row. ``lost`` says that the host could not be reached at all.
    """

    profile_id: str
    at: float
    endpoint: str
    fingerprint: str
    seconds: float | None = None
    error: str | None = None
    failures: int = 0
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent picture of what is shared by all windows. ``last_selected`` feeds least-recently-used rotation, ``last_working`` is
    by pool id, ``checks`` by profile id. ``revision`` grows when anything but the first two changes."""

    marks: Mapping[MarkKey, Mark] = field(default_factory=dict)
    leases: Mapping[MarkKey, ProbeLease] = field(default_factory=dict)
    last_selected: Mapping[str, float] = field(default_factory=dict)
    last_working: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    checks: Mapping[str, Checked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision wants written: marks and leases to put (by key) and to drop, checks to put. Empty means: write nothing."""

    put_marks: tuple[Mark, ...] = ()
    drop_marks: tuple[MarkKey, ...] = ()
    put_leases: tuple[ProbeLease, ...] = ()
    drop_leases: tuple[MarkKey, ...] = ()
    put_checks: tuple[Checked, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put_marks or self.drop_marks or self.put_leases or self.drop_leases or self.put_checks)
