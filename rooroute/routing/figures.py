"""Every number of the state machine, in one place, and the user's say over them. Seconds unless a name says otherwise.

The figures are judgement; where one rests on something, its comment says on what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rooroute.outcome import Fault
from rooroute.profiles import CooldownMode, Defaults, Pool, Profile

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The defaults. ``*_ladder`` are multiples or absolute steps, taken by the number of rests before and held at the last."""

    fixed_cooldown: float = 5 * MINUTE  # "for example 5 minutes": github.com/RooCodeInc/Roo-Code/discussions/3162
    rate_limit: float = MINUTE  # most providers count per minute
    quota: float = 5 * MINUTE
    rate_limit_ladder: tuple[float, ...] = (1.0, 2.0, 4.0)
    rate_limit_longest: float = HOUR
    fault_first: float = 15.0
    fault_longest: float = 5 * MINUTE
    fault_threshold: int = 3
    fault_window: float = MINUTE
    confirmations: int = 2  # one 401 may be a hiccup of theirs, one HTML page a captive portal
    billing_ladder: tuple[float, ...] = (5 * HOUR, 10 * HOUR, 24 * HOUR)
    billing_postponed: float = 5 * MINUTE  # a recheck that met an outage proved nothing about money
    strikes_forgotten: float = DAY
    hint_longest: float = 35 * DAY  # a month's spend limit ends within it
    hint_jitter: float = 0.05
    hint_jitter_longest: float = 5.0
    lone_longest: float = 30.0  # nobody is gained by resting the only profile long on a guess of ours
    daily_believed: float = (
        5 * MINUTE
    )  # Gemini's day quota has been seen with delays of 22 s and of 9 h: see health.day_quota
    daily_probe: float = HOUR
    daily_zone: str = (
        "America/Los_Angeles"  # ai.google.dev/gemini-api/docs/rate-limits: "reset at midnight Pacific time"
    )
    lease: float = 90.0
    clock_tolerance: float = 5.0  # of times from before the clock was corrected
    minimum_stay: float = MINUTE  # against going back and forth
    same_profile_backoff: float = 1.0


FIGURES: Final = Figures()


class Happening(StrEnum):
    """What the state machine can be told."""

    LIMITED = "limited"  # a limit with an end
    FAULTED = "faulted"  # their trouble; several make a case
    REJECTED = "rejected"  # needs the user
    UNPAID = "unpaid"  # needs money
    EXCUSED = "excused"  # the caller's own fault, a cancellation, our own limits: blames nobody
    FIRST_TOKEN = "firstToken"
    CLEAN_END = "cleanEnd"
    FORGIVEN = "forgiven"  # key, base URL or model edited; reset; a successful connection test


HAPPENINGS: Final[Mapping[Fault, Happening]] = {
    Fault.RATE_LIMIT: Happening.LIMITED,
    Fault.QUOTA: Happening.LIMITED,
    Fault.OVERLOAD: Happening.FAULTED,
    Fault.TRANSIENT: Happening.FAULTED,
    Fault.TIMEOUT: Happening.FAULTED,
    Fault.NETWORK: Happening.FAULTED,
    Fault.CREDENTIAL: Happening.REJECTED,
    Fault.PERMISSION: Happening.REJECTED,
    Fault.MODEL: Happening.REJECTED,
    Fault.CONFIG: Happening.REJECTED,
    Fault.BILLING: Happening.UNPAID,
    Fault.BAD_ANSWER: Happening.EXCUSED,
    Fault.CONTEXT: Happening.EXCUSED,
    Fault.POLICY: Happening.EXCUSED,
    Fault.REQUEST: Happening.EXCUSED,
    Fault.CANCELLED: Happening.EXCUSED,
    Fault.LOCAL_LIMIT: Happening.EXCUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How one attempt's failure is to be punished.

    ``cooldown`` is the user's own (None: the class's default; 0: try the next one and mark nothing). ``lone`` says that the pool has
    nobody else. ``threshold`` faults within ``FIGURES.fault_window`` make a rest; ``success_threshold`` good probes end one for good;
    ``breaker_rest`` is that rest's length where the user set a circuit breaker. ``retries`` is how often a request may ask the profile
    again, ``same_first`` that it shall do so before it goes on.
    """

    cooldown: float | None = None
    mode: CooldownMode = CooldownMode.HINT_FIRST
    lone: bool = False
    threshold: int = FIGURES.fault_threshold
    success_threshold: int = 1
    breaker_rest: float | None = None
    retries: int = 1
    same_first: bool = False

    @property
    def fixed(self) -> bool:
        return self.mode is CooldownMode.FIXED


def policy_for(profile: Profile, pool: Pool, defaults: Defaults, *, lone: bool = False) -> Policy:
    """The user's value nearest to the profile: the profile's own, the pool's, the defaults'. A provider's hint goes before all of them
    (except in ``fixed`` mode), a class's default after."""
    breaker = pool.circuit_breaker
    said = (profile.cooldown, pool.cooldown, defaults.cooldown)
    return Policy(
        cooldown=next((value for value in said if value is not None), None),
        mode=pool.cooldown_mode or defaults.cooldown_mode,
        lone=lone,
        threshold=breaker.failure_threshold if breaker else FIGURES.fault_threshold,
        success_threshold=breaker.success_threshold if breaker else 1,
        breaker_rest=breaker.timeout if breaker else None,
        retries=next(each for each in (profile.max_retries, pool.failover.max_retries, 1) if each is not None),
        same_first=pool.failover.same_first,
    )
