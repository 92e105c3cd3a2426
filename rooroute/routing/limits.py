"""The limits a user sets, as gauges: what may pass within a window, what a request takes of it, when there is room again.

Everything is counted in buckets, ``_BUCKETS`` of them in a window, and a bucket counts until its last moment has left the
window: within no span of that length can more pass than the limit allows, at the price of letting a little less pass. Money goes by UTC
days and calendar months. What a process leases ahead for later requests is used within the bucket it was leased in, or lapses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil, floor
from typing import Final

from rooroute.profiles import Budget, Limits
from rooroute.routing.costs import usd

_LEASED_AHEAD: Final = 8
"""At most this part of what is left is leased ahead at once."""
_SLOT_LOOK: Final = 0.5
"""Seconds after which a place among the concurrent requests is looked for again: nobody can know when one is free."""
WARN_AT: Final = 0.8
_TINY: Final = 1e-9


class Measure(StrEnum):
    REQUESTS = "requests"
    TOKENS = "tokens"
    COST = "cost"  # USD
    CONCURRENT = "concurrent"
    RETRIES = "retries"


class Span(StrEnum):
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    CALENDAR_DAY = "calendarDay"
    MONTH = "month"
    NOW = "now"


_SECONDS: Final[Mapping[Span, float]] = {Span.SECOND: 1.0, Span.MINUTE: 60.0, Span.HOUR: 3600.0, Span.DAY: 86400.0}
_BUCKETS: Final[Mapping[Span, int]] = {Span.SECOND: 12, Span.MINUTE: 12, Span.HOUR: 60, Span.DAY: 96}
"""The longer the window, the more: what is told of the time at which there is room may be late by one of them."""
_CALENDAR: Final = frozenset({Span.CALENDAR_DAY, Span.MONTH})


@dataclass(frozen=True, slots=True)
class Gauge:
    """At most ``most`` of ``measure`` within ``seconds`` for ``holder``: "profile:ID", "pool:ID", "tag:NAME" or "machine:"."""

    holder: str
    measure: Measure
    span: Span
    most: float
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str, str]:
        return self.holder, self.measure.value, self.span.value

    @property
    def unused_key(self) -> tuple[str, str, str]:
        """Where it is counted how much of what was taken lies with some process that has not used it yet."""
        return self.holder, f"{self.measure.value}/unused", self.span.value

    @property
    def words(self) -> str:
        """The limit as the end of a sentence."""
        return f"is at the {self._limit}"

    @property
    def too_near(self) -> str:
        """As ``words``, where something is left, and too little."""
        return f"is too near the {self._limit}"

    @property
    def rate(self) -> float | None:
        """Requests per second, where ``most`` is how many of them may come at once."""
        return self.most / self.seconds if (self.measure, self.span) == (Measure.REQUESTS, Span.SECOND) else None

    @property
    def _limit(self) -> str:
        whose = {"pool": " of its pool", "tag": f" of the tag {self.holder[4:]}"}.get(self.holder.partition(":")[0], "")
        if self.measure is Measure.COST:
            every = "day" if self.span is Span.CALENDAR_DAY else "month"
            return f"budget{whose} of ${self.most:g} per {every}"
        if self.measure is Measure.CONCURRENT:
            return f"limit{whose} of {self.most:g} requests at once"
        if self.rate is not None:
            return f"limit{whose} of {_rate_words(self.rate, self.most)}"
        return f"limit{whose} of {self.most:g} {self.measure.value} per {self.span.value}"

    def bucket(self, now: float) -> int:
        """The number of the bucket that ``now`` (UTC epoch seconds) lies in; concurrency has but one."""
        if self.measure is Measure.CONCURRENT:
            return 0
        if self.span is Span.MONTH:
            day = datetime.fromtimestamp(now, UTC)
            return day.year * 12 + day.month - 1
        return floor(now / (86400.0 if self.span is Span.CALENDAR_DAY else self._width))

    @property
    def _width(self) -> float:
        return self.seconds / _BUCKETS[self.span]

    def ends(self, bucket: int) -> float:
        """When the next bucket begins (UTC epoch seconds)."""
        if self.measure is Measure.CONCURRENT:
            return float("inf")
        return self.leaves(bucket) if self.span in _CALENDAR else (bucket + 1) * self._width

    def leaves(self, bucket: int) -> float:
        """When a bucket counts no more (UTC epoch seconds)."""
        if self.span is Span.MONTH:
            year, month = divmod(bucket + 1, 12)
            return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()
        if self.span is Span.CALENDAR_DAY:
            return (bucket + 1) * 86400.0
        return (bucket + 1) * self._width + self.seconds


def _rate_words(rate: float, at_once: float) -> str:
    slow = f" ({rate * 60:g} a minute)" if rate < 1 else ""
    burst = f", in bursts of {at_once:g}" if at_once != _usual_burst(rate) else ""
    return f"{rate:g} requests per second{slow}{burst}"


def _usual_burst(rate: float) -> int:
    return max(1, floor(rate + _TINY))


Used = Mapping[tuple[str, str, str, int], float]
"""What was taken, by gauge key and bucket."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What all windows have taken, and the places each process holds among the concurrent requests, by holder and process."""

    used: Used = field(default_factory=dict)
    slots: Mapping[tuple[str, str], int] = field(default_factory=dict)
    _by_gauge: dict[tuple[str, str, str], list[tuple[int, float]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of(self, key: tuple[str, str, str]) -> Sequence[tuple[int, float]]:
        """What was taken of the gauge of that key: bucket and amount, oldest first."""
        if self.used and not self._by_gauge:
            for (*head, bucket), amount in sorted(self.used.items()):
                self._by_gauge.setdefault((head[0], head[1], head[2]), []).append((bucket, amount))
        return self._by_gauge.get(key, ())


@dataclass(frozen=True, slots=True)
class Count:
    """What is to be written: how much to ``add`` to a bucket that counts until then, and how many places more or fewer this process
    holds, by holder."""

    add: Mapping[tuple[str, str, str, int], tuple[float, float]] = field(default_factory=dict)
    slots: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.add or self.slots)


@dataclass(frozen=True, slots=True)
class Want:
    """``amount`` of a gauge for this request and up to ``ahead`` more for later ones."""

    gauge: Gauge
    amount: float
    ahead: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """This gauge has no room for ``wanted`` before ``until`` (UTC epoch seconds); ``left`` of it is not enough."""

    gauge: Gauge
    until: float
    left: float = 0.0
    wanted: float = 0.0

    @property
    def words(self) -> str:
        """What keeps the request away, as the end of a sentence; nobody knows when a place among the concurrent ones is free."""
        if self.gauge.measure is Measure.CONCURRENT:
            return self.gauge.words
        at = datetime.fromtimestamp(ceil(self.until), UTC).isoformat().replace("+00:00", "Z")
        if self._told(self.left) == "0":
            return f"{self.gauge.words} (nothing left, room at {at})"
        sums = f"about {self._sum(self.wanted)} wanted, {self._sum(self.left)} left"
        return f"{self.gauge.too_near} ({sums}, room at {at})"

    def _told(self, amount: float) -> str:
        return usd(amount) if self.gauge.measure is Measure.COST else f"{floor(amount + _TINY):,}"

    def _sum(self, amount: float) -> str:
        return f"{'$' if self.gauge.measure is Measure.COST else ''}{self._told(amount)}"


def taken(gauge: Gauge, counters: Counters, now: float) -> float:
    """How much of a gauge nobody else can take at ``now``: what is used, and what processes have leased ahead."""
    if gauge.measure is Measure.CONCURRENT:
        return sum(held for (holder, _), held in counters.slots.items() if holder == gauge.holder)
    return sum(amount for _, amount in _counting(gauge, counters, now))


def _counting(gauge: Gauge, counters: Counters, now: float) -> Iterator[tuple[int, float]]:
    """The buckets that count now, oldest first."""
    current = gauge.bucket(now)
    first = current if gauge.span in _CALENDAR else current - _BUCKETS[gauge.span]
    for bucket, amount in counters.of(gauge.key):
        if amount and first <= bucket <= current:
            yield bucket, amount


def used(gauge: Gauge, counters: Counters, now: float) -> float:
    """How much of a gauge has been used, requests under way at their estimate."""
    if gauge.measure is Measure.CONCURRENT:
        return taken(gauge, counters, now)
    return sum(amount for _, amount in _used(gauge, counters, now))


def _used(gauge: Gauge, counters: Counters, now: float) -> Iterator[tuple[int, float]]:
    """The buckets that count now and of which something was used, oldest first."""
    for bucket, amount in _counting(gauge, counters, now):
        really = amount - counters.used.get((*gauge.unused_key, bucket), 0.0)
        if really > _TINY:
            yield bucket, really


def comes_back(gauge: Gauge, counters: Counters, now: float) -> float | None:
    """When the next part of what was used comes back, and of a day's or month's budget all of it (UTC epoch seconds); None while nothing
    is used, and for requests at once, whose end nobody knows."""
    if gauge.measure is Measure.CONCURRENT:
        return None
    first = next(_used(gauge, counters, now), None)
    return None if first is None else gauge.leaves(first[0])


def room_at(gauge: Gauge, amount: float, counters: Counters, now: float) -> float:
    """When ``amount`` more will fit (UTC epoch seconds); ``now`` when it does."""
    if gauge.measure is Measure.CONCURRENT:
        return now if taken(gauge, counters, now) + amount <= gauge.most else now + _SLOT_LOOK
    over = taken(gauge, counters, now) + amount - gauge.most
    until = now
    for bucket, used in _counting(gauge, counters, now):
        if over <= _TINY:
            break
        over -= used
        until = gauge.leaves(bucket)
    return until


def take(wants: Iterable[Want], counters: Counters, now: float) -> tuple[Count, Mapping[Gauge, float] | Refused]:
    """All of what is wanted, or nothing: what to write, and how much of each gauge was leased, or who refused."""
    add: dict[tuple[str, str, str, int], tuple[float, float]] = {}
    slots: dict[str, int] = {}
    leased: dict[Gauge, float] = {}
    for want in wants:
        gauge = want.gauge
        until = room_at(gauge, want.amount, counters, now)
        if until > now:
            return Count(), Refused(gauge, until, max(0.0, gauge.most - taken(gauge, counters, now)), want.amount)
        if gauge.measure is Measure.CONCURRENT:
            slots[gauge.holder] = int(want.amount)
            leased[gauge] = want.amount
            continue
        left = gauge.most - taken(gauge, counters, now) - want.amount
        spare = max(0.0, left / _LEASED_AHEAD)
        ahead = min(want.ahead, spare if gauge.measure is Measure.COST else floor(spare))
        bucket = gauge.bucket(now)
        add[*gauge.key, bucket] = (want.amount + ahead, gauge.leaves(bucket))
        if ahead:
            add[*gauge.unused_key, bucket] = (ahead, gauge.leaves(bucket))
        leased[gauge] = want.amount + ahead
    return Count(add, slots), leased


def gauges_of(holder: str, limits: Limits | None, budget: Budget | None) -> tuple[Gauge, ...]:
    """The gauges of one holder. Limits that are no numbers above 0 are left out; the user is told of them where they are read."""
    found: list[Gauge] = []
    if limits is not None:
        for span, seconds in _SECONDS.items():
            for measure in (Measure.REQUESTS, Measure.TOKENS):
                most = getattr(limits, f"{measure.value}_per_{span.value}")
                if most is not None and most > 0:
                    found.append(_gauge(holder, measure, span, most, seconds, limits.burst))
        if limits.concurrent_requests is not None and limits.concurrent_requests > 0:
            found.append(Gauge(holder, Measure.CONCURRENT, Span.NOW, limits.concurrent_requests))
    if budget is not None:
        for span, money in ((Span.CALENDAR_DAY, budget.per_day), (Span.MONTH, budget.per_month)):
            if money is not None and money > 0:
                found.append(Gauge(holder, Measure.COST, span, money))
    return tuple(found)


def _gauge(holder: str, measure: Measure, span: Span, most: float, seconds: float, burst: int | None) -> Gauge:
    """``burst`` requests at once, then the usual rate: as many within as long as the rate takes for them."""
    if measure is Measure.REQUESTS and span is Span.SECOND:
        at_once = burst or _usual_burst(most)
        return Gauge(holder, measure, span, at_once, at_once / most)
    return Gauge(holder, measure, span, most, seconds)


@dataclass(slots=True)
class Block:
    """What this process has leased of one gauge and not used yet. ``size`` is how much it leases ahead next time."""

    bucket: int = 0
    left: float = 0.0
    size: float = 0.0

    def draw(self, amount: float, bucket: int) -> float:
        """Up to ``amount`` out of the block; how much that was. What was leased in another bucket has lapsed."""
        if bucket != self.bucket:
            return 0.0
        drawn = min(amount, self.left)
        self.left -= drawn
        return drawn

    def refill(self, surplus: float, bucket: int) -> bool:
        """Put in what was leased beyond the need, or was not needed after all. False where it was taken in another bucket."""
        if bucket != self.bucket:
            return False
        self.left += surplus
        return True

    def ahead(self, amount: float) -> float:
        """How much to lease ahead with ``amount``: more each time within one bucket, so that an idle window leases little."""
        self.size = max(amount, self.size * 2)
        return self.size
