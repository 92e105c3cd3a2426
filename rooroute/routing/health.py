"""The state machine of one mark: what each thing that can happen makes of it. ``RULES`` is the whole of it.

=========== =====================================================================================================================
condition   of a mark, seen from one call
=========== =====================================================================================================================
ACTIVE      there is none
WATCHED     faults were counted, or a probe's first token has come and its clean end has not; selectable
RESTING     cooling, and the call began before the end of the rest: it was under way already and can teach only a later end
RETRIED     cooling or without money, and the call is a leased probe from before its time ("Retry now", a day quota's hourly look)
PROBING     the rest was over when the call began
FAILED      needs the user
RECHECKED   failed for want of money, and the time for another look had come when the call began
=========== =====================================================================================================================

A rule gets the mark (None when active) and the report, and gives the mark that shall lie there: the very same object when nothing
changes, None when nothing shall. Rules never shorten a rest; only a proof (a success begun after the mark) or forgiveness ends one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from rooroute.outcome import Fault
from rooroute.routing.candidate import applies
from rooroute.routing.figures import FIGURES, HAPPENINGS, Happening
from rooroute.routing.marks import Mark, MarkState
from rooroute.routing.report import Condition, Report, condition
from rooroute.routing.times import next_day, rest_time, strikes, usable_hint

OVERLOAD_STATUSES: Final = frozenset({503, 529})

Rule = Callable[[Mark | None, Report], Mark | None]


def next_mark(mark: Mark | None, report: Report) -> Mark | None:
    """The mark that shall lie at ``report.key``; the same object as ``mark`` when nothing changes.

    A mark made under another credential counts as none, except that a call older than it has nothing to add.
    """
    known = mark
    if mark is not None and not applies(mark, report.profile_id, report.fingerprint):
        if report.started_at <= mark.since:
            return mark
        known = None
    wanted = RULES[condition(known, report), report.happening](known, report)
    if wanted is known:
        return mark
    return None if wanted is None else replace(wanted, generation=mark.generation + 1 if mark else 1)


def _mark(
    report: Report, state: MarkState, *, until: float | None = None, hinted: bool = False, strike: int = 0
) -> Mark:
    failure = report.fault
    return Mark(
        key=report.key,
        state=state,
        fault=failure.fault,
        since=report.now,
        until=until,
        hinted=hinted,
        strike=strike,
        reason=failure.message,
        profile_id=report.profile_id,
        fingerprint=report.fingerprint,
    )


def keep(mark: Mark | None, report: Report) -> Mark | None:
    """Nothing to learn."""
    return mark


def forgive(mark: Mark | None, report: Report) -> Mark | None:
    """A clean slate: strikes, counts and failures are forgotten."""
    return None


def rest(mark: Mark | None, report: Report) -> Mark | None:
    """Rest from now on; a repetition without a hint climbs the ladder."""
    if report.policy.cooldown == 0:
        return None
    if report.fault.daily and not report.policy.fixed:
        return day_quota(mark, report)
    strike = strikes(mark, report)
    seconds, hinted = rest_time(report, strike)
    return _mark(
        report, MarkState.COOLDOWN, until=report.now + seconds, hinted=hinted, strike=strike if hinted else strike + 1
    )


def day_quota(mark: Mark | None, report: Report) -> Mark:
    """A day quota, whose hint may be much shorter than the day: believe the first short one, then wait for the day's end.

    Google documents midnight Pacific time, yet answers have carried 22 s, 36 s and 9 h 54 min for the same quota id.
    """
    before = strikes(mark, report) if mark is not None and mark.daily else 0
    seconds, hinted = rest_time(report, 0)
    if hinted and seconds >= FIGURES.daily_believed:
        return _mark(report, MarkState.COOLDOWN, until=report.now + seconds, hinted=True)
    if before and not report.policy.lone:
        seconds, hinted = next_day(report.now) - report.now, False
    rested = _mark(report, MarkState.COOLDOWN, until=report.now + seconds, hinted=hinted, strike=before + 1)
    return replace(rested, daily=True)


def count(mark: Mark | None, report: Report) -> Mark | None:
    """Rest at once if the provider says how long, in ``fixed`` mode, or while too few good answers followed a rest; otherwise when enough
    faults came close together."""
    failure, policy = report.fault, report.policy
    if policy.cooldown == 0:
        return mark
    known = mark if mark is not None and HAPPENINGS[mark.fault] is Happening.FAULTED else None
    recent = tuple(at for at in (known.faults if known else ()) if report.now - at < FIGURES.fault_window) + (
        report.now,
    )
    overloaded = failure.fault is Fault.OVERLOAD or failure.status in OVERLOAD_STATUSES
    needed = 1 if overloaded and report.others_ready and policy.breaker_rest is None else policy.threshold
    half_open = known is not None and known.successes > 0
    if policy.fixed or half_open or usable_hint(failure.hint) is not None or len(recent) >= needed:
        return rest(mark, report)
    return replace(_mark(report, MarkState.WATCHED, strike=strikes(mark, report)), faults=recent)


def reject(mark: Mark | None, report: Report) -> Mark | None:
    """Failed until the user acts; what might be a hiccup must be said twice, the second time by a call begun after the first verdict."""
    failure = report.fault
    if not (failure.confirm or failure.fault is Fault.CONFIG):
        return _mark(report, MarkState.FAILED)
    suspected = mark is not None and mark.state is MarkState.WATCHED and mark.fault is failure.fault
    if not suspected or mark is None:
        return replace(_mark(report, MarkState.WATCHED), faults=(report.now,))
    if report.started_at < mark.since:
        return mark
    verdicts = (*mark.faults, report.now)
    state = MarkState.FAILED if len(verdicts) >= FIGURES.confirmations else MarkState.WATCHED
    return replace(_mark(report, state), faults=verdicts)


def condemn(mark: Mark | None, report: Report) -> Mark | None:
    """A verdict about the credential stands above a rest, unless it still wants confirming: then the rest goes on."""
    unsure = report.fault.confirm or report.fault.fault is Fault.CONFIG
    return mark if unsure else _mark(report, MarkState.FAILED)


def bill(mark: Mark | None, report: Report) -> Mark | None:
    """Failed for want of money; looked at again when the provider says, else after 5, 10, then every 24 hours."""
    strike, hint = strikes(mark, report), usable_hint(report.fault.hint)
    step = FIGURES.billing_ladder[min(strike, len(FIGURES.billing_ladder) - 1)]
    until = report.now + (step if hint is None else hint)
    if mark is not None and mark.until is not None:
        until = max(until, mark.until)
        if strike and report.started_at < mark.until:  # a look before its time
            return replace(mark, since=report.now, until=mark.until if hint is None else until)
    return _mark(report, MarkState.FAILED, until=until, hinted=hint is not None, strike=strike + 1)


def postpone(mark: Mark | None, report: Report) -> Mark | None:
    """The recheck met another trouble, which says nothing about money."""
    assert mark is not None and mark.until is not None
    return replace(mark, until=max(mark.until, report.now + FIGURES.billing_postponed))


def lengthen(mark: Mark | None, report: Report) -> Mark | None:
    """A call that was under way during the rest neither extends it nor strikes, but the provider's own later time is taken."""
    assert mark is not None and mark.until is not None
    deaf = report.policy.fixed or report.policy.cooldown == 0 or mark.state is MarkState.FAILED
    if deaf or usable_hint(report.fault.hint) is None:
        return mark
    until = report.now + rest_time(report, 0)[0]
    if until <= mark.until:
        return mark
    told = _mark(report, MarkState.COOLDOWN, until=until, hinted=True, strike=mark.strike)
    return replace(told, since=mark.since, daily=mark.daily)


def rest_on(mark: Mark | None, report: Report) -> Mark | None:
    """A probe before its time failed: no strike, no new guess; only when it was remembered, for the next hourly look."""
    longer = lengthen(mark, report)
    assert longer is not None
    return replace(longer, since=report.now)


def admit(mark: Mark | None, report: Report) -> Mark | None:
    """The probe's first token has come: open to others at once, strikes remembered until the clean end."""
    assert mark is not None
    return replace(mark, state=MarkState.WATCHED, until=None, hinted=False, faults=())


def absolve(mark: Mark | None, report: Report) -> Mark | None:
    """A success begun after the mark clears it; a provider's own unexpired time yields only to a probe."""
    assert mark is not None
    proven = report.leased or report.started_at > mark.since
    told = mark.hinted and mark.until is not None and report.started_at < mark.until and not report.leased
    if not proven or told:
        return mark
    if mark.strike == 0 or mark.successes + 1 >= report.policy.success_threshold:
        return None
    return replace(mark, state=MarkState.WATCHED, until=None, hinted=False, faults=(), successes=mark.successes + 1)


def _row(
    condition: Condition, limited: Rule, faulted: Rule, rejected: Rule, unpaid: Rule, first_token: Rule, clean_end: Rule
) -> dict[tuple[Condition, Happening], Rule]:
    return {
        (condition, Happening.LIMITED): limited,
        (condition, Happening.FAULTED): faulted,
        (condition, Happening.REJECTED): rejected,
        (condition, Happening.UNPAID): unpaid,
        (condition, Happening.EXCUSED): keep,
        (condition, Happening.FIRST_TOKEN): first_token,
        (condition, Happening.CLEAN_END): clean_end,
        (condition, Happening.FORGIVEN): forgive,
    }


#                             limited   faulted   rejected unpaid first token clean end   (excused: keep; forgiven: forgive)
RULES: Final[Mapping[tuple[Condition, Happening], Rule]] = {
    **_row(Condition.ACTIVE, rest, count, reject, bill, keep, keep),
    **_row(Condition.WATCHED, rest, count, reject, bill, keep, absolve),
    **_row(Condition.RESTING, lengthen, lengthen, condemn, bill, keep, absolve),
    **_row(Condition.RETRIED, rest_on, rest_on, condemn, bill, admit, absolve),
    **_row(Condition.PROBING, rest, rest, reject, bill, admit, absolve),
    **_row(Condition.FAILED, keep, keep, keep, keep, keep, absolve),
    **_row(Condition.RECHECKED, rest, postpone, reject, bill, admit, absolve),
}
