"""How long a rest lasts. All figures come from ``figures``; nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rooroute.outcome import Fault
from rooroute.profiles import CooldownMode
from rooroute.routing.figures import FIGURES, HAPPENINGS, Happening
from rooroute.routing.marks import Mark
from rooroute.routing.report import Report


def usable_hint(hint: float | None) -> float | None:
    """A hint in seconds that makes sense: more than nothing, at most 35 days. NaN, zero and the past count as no hint."""
    if hint is None or not hint > 0:
        return None
    return min(hint, FIGURES.hint_longest)


def strikes(mark: Mark | None, report: Report) -> int:
    """How many rests of the same kind went before this one; a clean day forgets them."""
    if mark is None or HAPPENINGS[mark.fault] is not report.happening:
        return 0
    ended = mark.since if mark.until is None else mark.until
    return 0 if report.now - ended >= FIGURES.strikes_forgotten else mark.strike


def rest_time(report: Report, strike: int) -> tuple[float, bool]:
    """How long a rest is, in seconds, and whether the provider said so."""
    policy, hint = report.policy, usable_hint(report.fault.hint)
    if policy.fixed:
        return (FIGURES.fixed_cooldown if policy.cooldown is None else policy.cooldown), False
    if hint is not None:
        hinted = hint + report.jitter * min(hint * FIGURES.hint_jitter, FIGURES.hint_jitter_longest)
        configured = policy.cooldown if policy.mode is CooldownMode.MAX else None
        return max(hinted, configured or 0.0), True
    guessed = _unhinted(report, strike)
    return (min(guessed, FIGURES.lone_longest) if policy.lone else guessed), False


def _unhinted(report: Report, strike: int) -> float:
    configured = report.policy.cooldown
    if report.happening is Happening.FAULTED:
        return (
            report.policy.breaker_rest
            or configured
            or min(FIGURES.fault_first * 2.0 ** min(strike, 16), FIGURES.fault_longest)
        )
    base = configured or (FIGURES.quota if report.fault.fault is Fault.QUOTA else FIGURES.rate_limit)
    climbed = base * FIGURES.rate_limit_ladder[min(strike, len(FIGURES.rate_limit_ladder) - 1)]
    return max(base, min(climbed, FIGURES.rate_limit_longest))


def next_day(now: float) -> float:
    """When the day of Google's quotas ends, as UTC epoch seconds."""
    zone = ZoneInfo(FIGURES.daily_zone)
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).timestamp()


def ahead(at: float, now: float) -> bool:
    """Whether a stored time can only be from a clock that was ahead."""
    return at > now + FIGURES.clock_tolerance


def set_back(marks: Iterable[Mark], now: float) -> tuple[Mark, ...]:
    """Those that a clock made which was ahead, as if they were made now: a rest never lasts longer from now than it was made for.

    To be stored: whoever applied it at every look would put the end of the rest off for ever.
    """
    return tuple(_set_back(mark, now) for mark in marks if ahead(mark.since, now))


def _set_back(mark: Mark, now: float) -> Mark:
    until = mark.until
    if until is not None:
        longest = min(until - mark.since, FIGURES.hint_longest + FIGURES.hint_jitter_longest)
        until = min(until, now + max(longest, 0.0))
    faults = tuple(at for at in mark.faults if at <= now)
    return replace(mark, since=now, until=until, faults=faults, generation=mark.generation + 1)
