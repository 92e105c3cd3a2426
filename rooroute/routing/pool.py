"""Who answers a request, and what its end teaches. Decisions only: the caller does what they say.

``acquire`` may be asked of any snapshot. When its answer holds leases (``Use.probe``) or a mark has to change, the caller asks again
inside one short update of the shared state, so that only one window of the machine takes a lease. After a ``Wait`` the request starts
over with nobody counted as asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from rooroute.outcome import Fault
from rooroute.profiles import Consent, LastResort, Revert, Strategy
from rooroute.routing.candidate import Candidate, marks_covering
from rooroute.routing.costs import usd
from rooroute.routing.figures import FIGURES
from rooroute.routing.marks import Change, ProbeLease, Snapshot
from rooroute.routing.readiness import Look, Standing, as_asked, look, soonest, why_not
from rooroute.routing.shown import Shown, shown_state
from rooroute.routing.strategies import BLANK, ORDER_WORDS, SPREADING, STRATEGIES, Reading, unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request wants of its pool.

    ``owner`` names the request on this machine (its leases bear it). ``tried`` are the (profile id, model) pairs it has asked and shall
    not ask again. ``pinned`` allows one profile only. ``pointer`` is the profile rotated to by hand, ``sticky`` the one that last
    answered this session and ``sticky_since`` when the session came to it. ``retry_now`` is the profile the user wants tried before its
    time. ``max_wait`` is how many seconds the request is still ready to wait. ``reading`` is what the strategy may know. ``last_resort``
    says when the last resort may be used, ``consented`` that the user has said yes to it. ``switch_cost`` is what leaving the sticky
    profile for another costs in USD, and ``max_switch_cost`` how much of that the user accepts. ``safety_net``: ask everybody once
    before giving up. ``resets_at`` is when a quota is reset (UTC epoch seconds); what resets first goes first.
    """

    owner: str
    pool_id: str = ""
    strategy: Strategy = Strategy.PRIORITY
    revert: Revert = Revert.SESSION
    max_wait: float = 0.0
    tried: frozenset[tuple[str, str]] = frozenset()
    pinned: str | None = None
    pointer: str | None = None
    sticky: str | None = None
    sticky_since: float = 0.0
    in_tool_loop: bool = False
    retry_now: str | None = None
    reading: Reading = BLANK
    last_resort: LastResort | None = None
    consented: bool = False
    switch_cost: Callable[[str], float | None] = unknown
    max_switch_cost: float | None = None
    safety_net: bool = False
    resets_at: Callable[[str], float | None] = unknown


@dataclass(frozen=True, slots=True)
class Use:
    """Ask this one. ``probe`` are the leases that must be taken first. ``why`` ends a sentence about it; ``ranked`` are the profiles that
    could answer, best first; ``excluded`` says what kept the others. ``pointer_lost`` says that the profile rotated to by hand cannot
    serve any more and the pointer shall be dropped."""

    candidate: Candidate
    probe: tuple[ProbeLease, ...]
    why: str
    ranked: tuple[str, ...]
    excluded: Mapping[str, str]
    pointer_lost: bool = False

    @property
    def change(self) -> Change:
        """The leases, as a change to be written."""
        return Change(put_leases=self.probe)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody can answer now, but somebody soon. ``until`` is UTC epoch seconds; ``profile_ids`` are those with a time of return, soonest
    first. ``on_lease``: one of them is being tried by another request, and the end of that may come sooner."""

    until: float
    profile_ids: tuple[str, ...]
    on_lease: bool
    shown: tuple[Shown, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict)


class NobodyKind(StrEnum):
    """The first four are spelt as the errors they become."""

    ALL_COOLING_DOWN = "allCoolingDown"
    ALL_FAILED = "allFailed"
    NO_PROFILES = "noProfiles"
    ATTEMPTS_EXHAUSTED = "attemptsExhausted"
    LIMITED = "limited"  # by what the user set
    CONSENT = "consent"  # the last resort could, if the user said yes
    UNSUITABLE = "unsuitable"  # there are profiles, but none that this request could go to


@dataclass(frozen=True, slots=True)
class Nobody:
    """Nobody can answer. ``soonest`` is the first time (UTC epoch seconds) anybody could without the user's doing; None: never."""

    kind: NobodyKind
    soonest: float | None
    shown: tuple[Shown, ...]
    excluded: Mapping[str, str] = field(default_factory=dict)


Decision = Use | Wait | Nobody


def acquire(ask: Ask, candidates: Sequence[Candidate], snapshot: Snapshot, now: float) -> Decision:
    """Whom this request shall ask at ``now`` (UTC epoch seconds)."""
    allowed = [each for each in candidates if ask.pinned in (None, each.profile_id)]
    looks = [_look(ask, each, snapshot, now) for each in allowed]
    excluded = {each.profile_id: "is not the profile the request names" for each in candidates if each not in allowed}
    looks = _guarded(ask, looks, snapshot, now)
    chosen = _choose(ask, looks, snapshot, now)
    if chosen is None:
        looks = _guarded(ask, [_look(ask, each, snapshot, now, alone=True) for each in allowed], snapshot, now)
        chosen = _choose(ask, looks, snapshot, now)
    if chosen is None and ask.safety_net:
        caught = _guarded(ask, [_look(ask, each, snapshot, now, anyway=True) for each in allowed], snapshot, now)
        if (found := _choose(ask, caught, snapshot, now)) is not None:
            looks, chosen = caught, (found[0], SAFETY_NET, found[2])
    if chosen is None:
        excluded |= {each.candidate.profile_id: why_not(each) for each in looks}
        return _nobody(ask, looks, snapshot, now, excluded)
    best, why, ranked = chosen
    excluded |= {each.candidate.profile_id: why_not(each) for each in looks if each not in ranked}
    lost = ask.pinned is None and ask.pointer is not None and _lost(ask.pointer, looks)
    return Use(best.candidate, best.probe, why, tuple(each.candidate.profile_id for each in ranked), excluded, lost)


SAFETY_NET: Final = "is asked once more although it rests or has failed, since nobody else is left"
_LOST: Final = frozenset({Standing.COOLING, Standing.FAILED, Standing.DISABLED})


def _lost(pointer: str, looks: Iterable[Look]) -> bool:
    return not any(each.candidate.profile_id == pointer and each.standing not in _LOST for each in looks)


def _look(
    ask: Ask, candidate: Candidate, snapshot: Snapshot, now: float, *, alone: bool = False, anyway: bool = False
) -> Look:
    early = ask.retry_now == candidate.profile_id
    found = look(candidate, snapshot, now, owner=ask.owner, early=early, alone=alone, anyway=anyway)
    asked = (candidate.profile_id, candidate.model) in ask.tried and not early
    return as_asked(found) if asked else found


_LIMITING: Final = frozenset({Fault.RATE_LIMIT, Fault.QUOTA, Fault.LOCAL_LIMIT})


def _guarded(ask: Ask, looks: list[Look], snapshot: Snapshot, now: float) -> list[Look]:
    """With the last resort left out where its conditions are not met, if nobody else is ready."""
    rule = ask.last_resort
    if rule is None or any(each.ready and not each.candidate.last_resort for each in looks):
        return looks
    limited = {_is_limited(each, snapshot) for each in looks if not each.candidate.last_resort and _in_trouble(each)}
    if not ((rule.on_rate_limit and True in limited) or (rule.on_error and (False in limited or not limited))):
        refusal = "is the last resort, and not for this kind of trouble"
    elif rule.consent is Consent.NEVER:
        refusal = "is the last resort, and may not be used"
    elif rule.consent is Consent.ASK and not ask.consented:
        refusal = NO_CONSENT
    else:
        return looks
    return [
        Look(replace(each.candidate, excluded=refusal), Standing.UNSUITABLE)
        if each.ready and each.candidate.last_resort and each.candidate.profile_id not in _named(ask)
        else each
        for each in looks
    ]


NO_CONSENT: Final = "is the last resort and wants your consent first"
SKIPPED: Final = "was skipped by hand"
_NO_TROUBLE: Final = frozenset({Standing.DISABLED, Standing.UNSUITABLE})


def _in_trouble(found: Look) -> bool:
    """Whether the profile would have answered but for a limit or an error. Who was skipped by hand would have: its rest was not waited for."""
    return found.standing not in _NO_TROUBLE or found.candidate.excluded == SKIPPED


def _is_limited(found: Look, snapshot: Snapshot) -> bool:
    marks = marks_covering(found.candidate, snapshot.marks)
    return found.standing is Standing.LIMITED or any(mark.fault in _LIMITING for mark in marks)


def _named(ask: Ask) -> tuple[str | None, ...]:
    return (ask.pinned, ask.pointer, ask.retry_now)


def _choose(ask: Ask, looks: Iterable[Look], snapshot: Snapshot, now: float) -> tuple[Look, str, list[Look]] | None:
    ready = [each for each in looks if each.ready]
    named = _named(ask)
    usual = [each for each in ready if not each.candidate.last_resort or each.candidate.profile_id in named]
    ordered = _ordered(ask, usual or ready, snapshot)
    if not ordered:
        return None
    preferred = {each.candidate.profile_id: each for each in reversed(ordered)}
    for profile_id, why in _preferences(ask, ordered, snapshot, now):
        if profile_id in preferred:
            best = preferred[profile_id]
            return best, why, [best, *(each for each in ordered if each is not best)]
    if (warm := _worth_staying(ask, ordered)) is not None:
        best, why = warm
        return best, why, [best, *(each for each in ordered if each is not best)]
    why = "is the last resort" if ordered[0].candidate.last_resort and not usual else ORDER_WORDS[ask.strategy]
    return ordered[0], why, ordered


HOLDS_CACHE: Final = "holds the warm prompt cache"


def _worth_staying(ask: Ask, ordered: Sequence[Look]) -> tuple[Look, str] | None:
    """The session's profile, where going to the best one would cost more than the user accepts."""
    first = ordered[0].candidate
    price = None if ask.max_switch_cost is None else ask.switch_cost(first.profile_id)
    if ask.max_switch_cost is None or price is None or price <= ask.max_switch_cost:
        return None
    here = next((each for each in ordered if each.candidate.profile_id == ask.sticky), None)
    if here is None or here.candidate.group != first.group:
        return None
    return here, f"{HOLDS_CACHE}; switching would cost ${usd(price)}"


def _tier(candidate: Candidate, strategy: Strategy) -> int:
    if candidate.tier is not None:
        return candidate.tier
    return candidate.position if strategy is Strategy.PRIORITY else 0


def _ordered(ask: Ask, ready: Sequence[Look], snapshot: Snapshot) -> list[Look]:
    looks = {id(each.candidate): each for each in ready}
    reading = replace(ask.reading, last_selected=snapshot.last_selected)
    order = STRATEGIES[ask.strategy]([each.candidate for each in ready], reading)
    if ask.resets_at is unknown:
        return [looks[id(each)] for each in sorted(order, key=lambda each: (each.group, _tier(each, ask.strategy)))]
    return [looks[id(each)] for each in sorted(order, key=lambda each: _by_reset(ask, each))]


def _by_reset(ask: Ask, candidate: Candidate) -> tuple[int, int, float, int]:
    """The order among tiers of the user's own making: what is lost first is used first."""
    at = ask.resets_at(candidate.profile_id)
    place = _tier(candidate, ask.strategy) if candidate.tier is None else 0
    return candidate.group, candidate.tier or 0, float("inf") if at is None else at, place


def _preferences(ask: Ask, ordered: Sequence[Look], snapshot: Snapshot, now: float) -> Iterable[tuple[str | None, str]]:
    """Who goes before the order, first come first. ``ordered`` is not empty."""
    yield ask.retry_now, "is tried now as the user asked"
    yield ask.pointer, "was chosen by hand"
    first = ordered[0].candidate
    led = {each.candidate.profile_id for each in ordered if each.candidate.group == first.group}
    if ask.in_tool_loop or (_stays(ask, now) and ask.sticky in led):
        yield ask.sticky, "answered this session before"
    if ask.strategy is not Strategy.PRIORITY or ask.resets_at is not unknown:
        return
    best = (first.group, _tier(first, ask.strategy))
    equals = {
        each.candidate.profile_id
        for each in ordered
        if (each.candidate.group, _tier(each.candidate, ask.strategy)) == best
    }
    last_working = snapshot.last_working.get(ask.pool_id)
    if (ask.revert is Revert.NEVER and last_working in led) or last_working in equals:
        yield last_working, "answered last"


def _stays(ask: Ask, now: float) -> bool:
    """Whether the session stays with the profile that answered it, though a better one may be back. A tool loop always does: caches and
    thinking signatures belong to the vendor that made them."""
    if ask.in_tool_loop:
        return True
    if ask.strategy in SPREADING:
        return False
    settled = now - ask.sticky_since < FIGURES.minimum_stay
    return settled or ask.revert in (Revert.SESSION, Revert.NEVER)


def _nobody(
    ask: Ask, looks: Sequence[Look], snapshot: Snapshot, now: float, excluded: Mapping[str, str]
) -> Wait | Nobody:
    shown = tuple(shown_state(each.candidate, snapshot, now) for each in looks)
    first = soonest(looks)
    standings = {each.standing for each in looks}
    if NO_CONSENT in excluded.values():
        return Nobody(NobodyKind.CONSENT, first, shown, excluded)
    if first is None or not standings & {Standing.COOLING, Standing.PROBED, Standing.LIMITED}:
        return Nobody(_kind(standings), first, shown, excluded)
    on_lease = Standing.PROBED in standings
    if first - now > ask.max_wait and not (on_lease and ask.max_wait > 0):
        mine = Standing.LIMITED in standings and Standing.COOLING not in standings
        return Nobody(NobodyKind.LIMITED if mine else NobodyKind.ALL_COOLING_DOWN, first, shown, excluded)
    returning = sorted((each.returns_at, each.candidate.profile_id) for each in looks if each.returns_at is not None)
    profile_ids = tuple(profile_id for _, profile_id in returning)
    return Wait(min(first, now + ask.max_wait), profile_ids, on_lease, shown, excluded)


def _kind(standings: set[Standing]) -> NobodyKind:
    if Standing.ASKED in standings:
        return NobodyKind.ATTEMPTS_EXHAUSTED
    if Standing.FAILED in standings:
        return NobodyKind.ALL_FAILED
    return NobodyKind.UNSUITABLE if Standing.UNSUITABLE in standings else NobodyKind.NO_PROFILES


def ready_at(candidates: Iterable[Candidate], snapshot: Snapshot, now: float) -> float | None:
    """The first time (UTC epoch seconds) any of them can be asked: ``now`` if one can already, None if it takes the user."""
    looks = [look(each, snapshot, now, alone=True) for each in candidates]
    return now if any(each.ready for each in looks) else soonest(looks)


def rotate(
    candidates: Sequence[Candidate], snapshot: Snapshot, now: float, *, current: str | None, to: str | None = None
) -> Candidate | Nobody:
    """The next profile after ``current`` that can serve, or ``to`` if that one can; a last resort only when no other can."""
    others = [each for each in candidates if (each.profile_id == to if to else each.profile_id != current)]
    here = next((each.position for each in candidates if each.profile_id == current), -1)
    looks = [look(each, snapshot, now) for each in others]
    ready = [each.candidate for each in looks if each.ready]
    if ready:
        return min(ready, key=lambda each: (each.last_resort, each.position < here, each.position))
    shown = tuple(shown_state(each.candidate, snapshot, now) for each in looks)
    standings = {each.standing for each in looks}
    cooling = bool(standings & {Standing.COOLING, Standing.PROBED})
    kind = NobodyKind.ALL_COOLING_DOWN if cooling else _kind(standings)
    return Nobody(kind, soonest(looks), shown, {each.candidate.profile_id: why_not(each) for each in looks})
