"""Choosing in a large pool as quickly as in a small one: a short list of whoever could come first, which is then chosen from as usual.

Who lies under no mark is known from an index of the places where marks can lie, and who is next by turn from a heap that is put right as it
is read. When nobody on the short list can answer, the whole pool is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain, islice
from typing import Final

from rooroute.outcome import Scope
from rooroute.profiles import Strategy
from rooroute.routing.candidate import Candidate
from rooroute.routing.marks import Mark, MarkKey, MarkState, Snapshot
from rooroute.routing.pool import Ask, Decision, Use, acquire
from rooroute.routing.strategies import Reading, next_turn

SMALL: Final = 64
"""Pools of so many profiles are looked at whole."""
_NEAR: Final = 8
_NEVER: Final = float("-inf")
_FIXED: Final = frozenset({Strategy.PRIORITY, Strategy.MODEL})


class Crowd:
    """The candidates of a large pool. ``price`` of a profile is the same for those that cost the same."""

    def __init__(self, candidates: Sequence[Candidate], price: Callable[[str], Hashable]) -> None:
        self._by_id = {each.profile_id: each for each in candidates}
        self._holders: dict[tuple[Scope, str], dict[str, None]] = defaultdict(dict)
        for each in candidates:
            for holder in _holders_of(each):
                self._holders[holder][each.profile_id] = None
        fit = [each for each in candidates if each.enabled and each.excluded is None and not each.last_resort]
        first = min(((each.group, each.tier or 0) for each in fit), default=(0, 0))
        self._first = [each.profile_id for each in fit if (each.group, each.tier or 0) == first]
        rest = sorted((each for each in fit if (each.group, each.tier or 0) != first), key=_place)
        self._rest = [each.profile_id for each in rest]
        self._prices: dict[Hashable, list[str]] = defaultdict(list)
        for name in self._first:
            self._prices[price(name)].append(name)
        self._turns: list[tuple[float, int]] = []
        self._cursor = 0
        self._quick: list[str] = []
        self._marks: Mapping[MarkKey, Mark] | None = None
        self._touched: dict[str, float] = {}
        self._back: list[tuple[float, str]] = []
        self._standing: list[str] = []

    def renew(self, known: Candidate, now: Candidate) -> None:
        """A candidate's quota turned out to be another."""
        self._by_id[now.profile_id] = now
        for holder in _holders_of(known):
            self._holders[holder].pop(known.profile_id, None)
        for holder in _holders_of(now):
            self._holders[holder][now.profile_id] = None
        if self._marks:
            self._marks = None

    def near(self, ask: Ask, snapshot: Snapshot, now: float) -> list[Candidate]:
        """Those among whom the choice lies, unless none of them can answer."""
        if snapshot.marks is not self._marks:
            self._look_at(snapshot.marks)
        named = (ask.pinned, ask.pointer, ask.sticky, ask.retry_now, snapshot.last_working.get(ask.pool_id))
        found = {each: self._by_id[each] for each in named if each in self._by_id}
        for until, profile_id in self._back[:_NEAR]:
            if until <= now:
                found[profile_id] = self._by_id[profile_id]
        for each in self._standing if ask.strategy in _FIXED else self._healthy(self._in_order(ask, snapshot)):
            found[each] = self._by_id[each]
        return list(found.values())

    def _look_at(self, marks: Mapping[MarkKey, Mark]) -> None:
        """Other marks than the last time."""
        self._marks, self._touched = marks, self._covered(marks)
        self._back = sorted((until, each) for each, until in self._touched.items())
        self._standing = self._healthy(chain(self._first, self._rest))

    def _healthy(self, profile_ids: Iterable[str]) -> list[str]:
        """The first few of them that lie under no mark."""
        return list(islice((each for each in profile_ids if each not in self._touched), _NEAR))

    def _covered(self, marks: Mapping[MarkKey, Mark]) -> dict[str, float]:
        """Under a mark: profile ids, with the time from which they may be tried."""
        found: dict[str, float] = {}
        for key, mark in marks.items():
            if mark.state is not MarkState.WATCHED:
                until = float("inf") if mark.until is None else mark.until
                for each in self._holders.get((key.scope, key.holder), ()):
                    if key.model in (None, self._by_id[each].model):
                        found[each] = max(until, found.get(each, until))
        return found

    def _in_order(self, ask: Ask, snapshot: Snapshot) -> Iterator[str]:
        reading = ask.reading
        if ask.strategy in (Strategy.ROUND_ROBIN, Strategy.LEAST_BUSY):
            yield from self._by_turn(lambda each: snapshot.last_selected.get(each, _NEVER))
        elif ask.strategy is Strategy.WEIGHTED:
            yield from self._by_turn(lambda each: next_turn(each, reading))
        elif ask.strategy is Strategy.COST:
            yield from self._by_cost(reading)
        elif ask.strategy is Strategy.LATENCY:
            yield from self._by_speed(reading)
        yield from self._rest

    def _by_turn(self, key: Callable[[str], float]) -> Iterator[str]:
        """Whose turn it is first. A turn only ever moves back, so an entry found stale is put where it belongs."""
        if not self._turns:
            self._turns = [(key(each), place) for place, each in enumerate(self._first)]
            heapify(self._turns)
        given: list[tuple[float, int]] = []
        try:
            while self._turns:
                at, place = heappop(self._turns)
                current = key(self._first[place])
                if current > at:
                    heappush(self._turns, (current, place))
                    continue
                given.append((at, place))
                yield self._first[place]
        finally:
            for entry in given:
                heappush(self._turns, entry)

    def _by_cost(self, reading: Reading) -> Iterator[str]:
        def dear(profile_ids: Sequence[str]) -> float:
            estimate = reading.cost(profile_ids[0])
            return float("inf") if estimate is None else estimate

        for alike in sorted(self._prices.values(), key=dear):
            yield from alike

    def _by_speed(self, reading: Reading) -> Iterator[str]:
        """The quickest so far; who was never asked follows in turn while few are known, and whenever a request explores. In a large pool
        nobody waits until everybody was measured."""
        known = {each for each in self._quick if each in reading.measured_at}
        self._quick = sorted(known, key=lambda each: (reading.first_token(each) or 0.0, each))[:_NEAR]
        if not reading.explore:
            yield from list(self._quick)
        if reading.explore or len(self._quick) < _NEAR:
            for each in self._unknown(reading):
                self._quick.append(each)
                yield each

    def _unknown(self, reading: Reading) -> Iterator[str]:
        """Who was never asked, in order; when there is nobody left, all in turn."""
        many = len(self._first)
        for _ in range(many):
            if self._first[self._cursor] not in reading.measured_at:
                break
            self._cursor = (self._cursor + 1) % many
        for step in range(many):
            yield self._first[(self._cursor + step) % many]


def _holders_of(candidate: Candidate) -> tuple[tuple[Scope, str], ...]:
    return (
        (Scope.ENDPOINT, candidate.endpoint),
        (Scope.DOMAIN, candidate.domain),
        (Scope.PROFILE, candidate.profile_id),
    )


def _place(candidate: Candidate) -> tuple[int, int, int]:
    return candidate.group, candidate.tier or 0, candidate.position


def choose(
    ask: Ask,
    short: Sequence[Candidate] | None,
    everybody: Callable[[], Sequence[Candidate]],
    snapshot: Snapshot,
    now: float,
) -> Decision:
    """``acquire`` from the short list if there is one; where that has nobody, from everybody."""
    if short is not None:
        decision = acquire(ask, short, snapshot, now)
        if isinstance(decision, Use):
            return decision
    return acquire(ask, everybody(), snapshot, now)
