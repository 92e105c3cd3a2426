"""Reserve before, settle after, release on abort: the user's limits over all windows, with blocks leased ahead so that the healthy path
does not write for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeVar

from rooroute.profiles import Budget, Configuration, Limits, Pool, Profile
from rooroute.routing.limits import (
    Block,
    Count,
    Counters,
    Gauge,
    Measure,
    Refused,
    Span,
    Want,
    gauges_of,
    room_at,
    take,
    taken,
)

T = TypeVar("T")
_ESTIMATED: Final = frozenset({Measure.TOKENS, Measure.COST})
_TINY: Final = 1e-12
_IDLE_SECONDS: Final = 1.0
_BLOCK_IDLE_SECONDS: Final = 60.0
"""After so long without a request nothing is kept ahead: a day's or month's budget is not to lie with a window that is only open."""
_REFUSAL_BELIEVED: Final = 0.5  # seconds; somebody may give back what was not needed


class CounterStore(Protocol):
    """The counters all windows share."""

    async def count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        """Run ``decide`` on fresh counters of these holders and write what it says in the same transaction."""

    def note_count(self, count: Count) -> None:
        """To be written within a second."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a request takes. Tokens and USD are estimates until it has ended."""

    tokens: float = 0.0
    cost: float = 0.0

    def of(self, gauge: Gauge) -> float:
        """What counts on this gauge; a request larger than the whole limit passes when nothing else does."""
        measure = gauge.measure
        amount = self.tokens if measure is Measure.TOKENS else self.cost if measure is Measure.COST else 1.0
        return min(amount, gauge.most)


@dataclass(slots=True)
class _Meter:
    """This window's share of one gauge: a block leased ahead, or places among the concurrent requests (``places`` leased, ``used`` of them
    in use; an idle one is kept a moment for the next request); and the last refusal, believed for a moment. ``spare`` is how much was last
    leased ahead, and as much may stay here unused; ``told`` is how much of the block the shared counters hold for unused, ``notes`` what
    they do not know yet: (key, bucket, amount). ``idle_since`` is when a place was last let go, or the block last drawn from."""

    gauge: Gauge
    block: Block = field(default_factory=Block)
    spare: float = 0.0
    told: float = 0.0
    places: int = 0
    used: int = 0
    idle_since: float = 0.0
    refused: float = 0.0
    refusal: Refused | None = None
    believed_until: float = 0.0
    notes: list[tuple[tuple[str, str, str], int, float]] = field(default_factory=list)
    _number: int = 0
    _begins: float = 0.0
    _ends: float = 0.0

    def bucket(self, now: float) -> int:
        """The number of the bucket that ``now`` lies in."""
        if not self._begins <= now < self._ends:
            self._number = self.gauge.bucket(now)
            self._begins, self._ends = now, self.gauge.ends(self._number)
        return self._number

    def draw(self, amount: float, bucket: int, now: float) -> float:
        """Up to ``amount`` of what is leased already; how much that was."""
        if self.gauge.measure is not Measure.CONCURRENT:
            if bucket != self.block.bucket:  # an earlier one, or a later one of a clock that was ahead
                self.let_go()
                self.block = Block(bucket)
            self.idle_since = now
            return self.block.draw(amount, bucket)
        if self.places == self.used:
            return 0.0
        self.used += 1
        return amount

    def ahead(self, amount: float) -> float:
        return 0.0 if self.gauge.measure is Measure.CONCURRENT else self.block.ahead(amount)

    def leased(self, surplus: float, bucket: int) -> None:
        """What was lacking has been leased, and so much beyond it."""
        if self.gauge.measure is Measure.CONCURRENT:
            self.places += 1
            self.used += 1
        elif self.block.refill(surplus, bucket):
            self.told += surplus
            self.spare = surplus

    def give_back(self, amount: float, bucket: int, now: float) -> None:
        """It is not needed after all, or no more; what was taken from an earlier block goes back to everybody."""
        if self.gauge.measure is Measure.CONCURRENT:
            self.used -= 1
            self.idle_since = now
        elif not self.block.refill(amount, bucket):
            self.notes.append((self.gauge.key, bucket, -amount))

    def idle(self, now: float) -> float:
        """How much a request could have without anybody else's being asked."""
        if self.gauge.measure is Measure.CONCURRENT:
            return self.places - self.used
        return self.block.left if self.block.bucket == self.bucket(now) else 0.0

    def idle_for(self, seconds: float, now: float) -> bool:
        """Whether nothing was drawn or let go for so long, as far as a clock that was ahead meanwhile lets one know."""
        return not self.idle_since <= now < self.idle_since + seconds

    def let_go(self) -> None:
        """Give what was not used of the block back to everybody."""
        if self.block.left or self.told:
            self.notes.append((self.gauge.key, self.block.bucket, -self.block.left))
            self.notes.append((self.gauge.unused_key, self.block.bucket, -self.told))
            self.block.left = self.block.size = self.told = 0.0

    def tell(self, now: float) -> Iterable[tuple[tuple[str, str, str], int, float]]:
        """What the shared counters shall learn: what is not kept any longer, and how much of the block is unused by now."""
        if self.bucket(now) != self.block.bucket or self.idle_for(_BLOCK_IDLE_SECONDS, now):
            self.let_go()
        if (surplus := self.block.left - self.spare) > _TINY:  # requests reserve by estimate, and it was less
            self.notes.append((self.gauge.key, self.block.bucket, -surplus))
            self.block.left = self.spare
        if (more := self.block.left - self.told) != 0.0:
            self.notes.append((self.gauge.unused_key, self.block.bucket, more))
            self.told = self.block.left
        notes, self.notes = self.notes, []
        return notes

    def refuse(self, refusal: Refused, amount: float, now: float) -> None:
        """The shared counters had no room for ``amount``; nobody knows when a place among the concurrent ones is free."""
        if self.gauge.measure is not Measure.CONCURRENT:
            self.refused, self.refusal = amount, refusal
            self.believed_until = min(refusal.until, now + _REFUSAL_BELIEVED)


@dataclass(frozen=True, slots=True)
class Held:
    """So much of a gauge, counted in a bucket."""

    meter: _Meter
    amount: float
    bucket: int


@dataclass(slots=True)
class Reservation:
    """What one attempt holds. Ended once, by settling or releasing."""

    held: tuple[Held, ...] = ()
    ended: bool = False


NOTHING_RESERVED: Final = Reservation()


def limits_of(configuration: Configuration) -> tuple[Gauge, ...]:
    """Every gauge that the configuration sets."""
    found: list[Gauge] = []
    for profile in configuration.profiles.values():
        if profile.limits or profile.budget:
            found += gauges_of(f"profile:{profile.id}", profile.limits, profile.budget)
    for pool in configuration.pools.values():
        if pool.limits or pool.budget:
            found += gauges_of(f"pool:{pool.id}", pool.limits, pool.budget)
    for tag, budget in configuration.defaults.budgets.items():
        found += gauges_of(f"tag:{tag}", None, budget)
    return tuple(found)


class Limiter:
    """One window's. ``now`` gives UTC epoch seconds."""

    def __init__(self, store: CounterStore, now: Callable[[], float]) -> None:
        self._store, self._now = store, now
        self._meters: dict[Gauge, _Meter] = {}
        self._configuration: Configuration | None = None
        self._gauges: dict[str, tuple[Gauge, ...]] = {}
        self._leasing = asyncio.Lock()  # one at a time: who comes next may find what is lacking in the block

    def gauges(
        self, configuration: Configuration, pool: Pool, profile: Profile, tags: Iterable[str]
    ) -> tuple[Gauge, ...]:
        """Every gauge that a request to this profile of this pool moves; ``tags`` are the request's own."""
        if configuration is not self._configuration:
            self._configuration, self._gauges = configuration, {}
        found = self._of(f"profile:{profile.id}", profile.limits, profile.budget)
        if pool.limits or pool.budget:
            found += self._of(f"pool:{pool.id}", pool.limits, pool.budget)
        for tag in dict.fromkeys((*profile.tags, *tags)) if configuration.defaults.budgets else ():
            found += self._of(f"tag:{tag}", None, configuration.defaults.budgets.get(tag))
        return found

    def _of(self, holder: str, limits: Limits | None, budget: Budget | None) -> tuple[Gauge, ...]:
        if holder not in self._gauges:
            self._gauges[holder] = gauges_of(holder, limits, budget)
        return self._gauges[holder]

    def _meter(self, gauge: Gauge) -> _Meter:
        found = self._meters.get(gauge)
        if found is None:
            found = self._meters[gauge] = _Meter(gauge)
        return found

    async def reserve(self, gauges: Sequence[Gauge], amounts: Amounts) -> Reservation | Refused:
        """Hold what the request takes of every gauge, or nothing."""
        if not gauges:
            return NOTHING_RESERVED
        held, short = self._draw(gauges, amounts)
        if not short:
            return Reservation(held)
        self._put_back(held, short)
        if (refusal := self._believed(short)) is not None:
            return refusal
        async with self._leasing:
            held, short = self._draw(gauges, amounts)
            if not short:
                return Reservation(held)
            refusal = self._believed(short)
            if refusal is None:
                leasing = asyncio.ensure_future(self._lease(short))
                try:
                    refusal = await asyncio.shield(leasing)
                except BaseException:
                    leasing.add_done_callback(lambda ended: self._give_up(ended, held, short))
                    raise
                if refusal is None:
                    return Reservation(held)
                self._refuse(refusal, short)
            self._put_back(held, short)
        # Meanwhile somebody may have given back to the block what the shared counters do not have.
        held, short = self._draw(gauges, amounts)
        if not short:
            return Reservation(held)
        self._put_back(held, short)
        return refusal

    def _draw(self, gauges: Sequence[Gauge], amounts: Amounts) -> tuple[tuple[Held, ...], Sequence[tuple[Held, float]]]:
        """Take what is leased already; what is held if nothing lacks, and where how much does."""
        now = self._now()
        held: list[Held] = []
        short: list[tuple[Held, float]] = []
        for gauge in gauges:
            meter, amount = self._meter(gauge), amounts.of(gauge)
            each = Held(meter, amount, meter.bucket(now))
            held.append(each)
            if (lacking := amount - meter.draw(amount, each.bucket, now)) > _TINY:
                short.append((each, lacking))
        return tuple(held), short

    def _put_back(self, held: Sequence[Held], short: Sequence[tuple[Held, float]]) -> None:
        """What was drawn although something lacks."""
        now = self._now()
        lacking = {each.meter.gauge: amount for each, amount in short}
        for each in held:
            if had := each.amount - lacking.get(each.meter.gauge, 0.0):
                each.meter.give_back(had, each.bucket, now)

    def _give_up(
        self, leasing: asyncio.Future[Refused | None], held: Sequence[Held], short: Sequence[tuple[Held, float]]
    ) -> None:
        """It failed, or whoever wanted it was cancelled, which does not call back what is on its way to the shared counters."""
        leased = not leasing.cancelled() and leasing.exception() is None and leasing.result() is None
        self._put_back(held, () if leased else short)

    def _believed(self, short: Sequence[tuple[Held, float]]) -> Refused | None:
        """Who has refused as much a moment ago."""
        now = self._now()
        for each, lacking in short:
            meter = each.meter
            believed = meter.believed_until - _REFUSAL_BELIEVED <= now < meter.believed_until
            if meter.refusal is not None and believed and lacking >= meter.refused:
                return replace(meter.refusal, wanted=each.amount)
        return None

    def _refuse(self, refusal: Refused, short: Sequence[tuple[Held, float]]) -> None:
        now = self._now()
        for each, lacking in short:
            if each.meter.gauge == refusal.gauge:
                each.meter.refuse(refusal, lacking, now)

    async def _lease(self, short: Sequence[tuple[Held, float]]) -> Refused | None:
        wants = [Want(each.meter.gauge, amount, each.meter.ahead(each.amount)) for each, amount in short]
        holders = [want.gauge.holder for want in wants]
        self._tell(each.meter for each, _ in short)  # what was given back counts for this very lease
        found = await self._store.count(holders, lambda counters: take(wants, counters, self._now()))
        if isinstance(found, Refused):
            drawn = next(each.amount - lacking for each, lacking in short if each.meter.gauge == found.gauge)
            return replace(found, left=found.left + drawn, wanted=found.wanted + drawn)
        now = self._now()
        for each, amount in short:
            # What was leased across the border of two buckets is left to lapse.
            bucket = each.bucket if each.meter.bucket(now) == each.bucket else -1
            each.meter.leased(found[each.meter.gauge] - amount, bucket)
        return None

    def tidy(self, *, everything: bool = False) -> None:
        """Let the other windows have the places that have been idle for a second (or all idle ones) and what requests reserved and did
        not need, and tell them how much of what was leased is used. Call now and then."""
        now = self._now()
        for meter in self._meters.values():
            idle = meter.places - meter.used
            if idle and (everything or meter.idle_for(_IDLE_SECONDS, now)):
                meter.places = meter.used
                self._store.note_count(Count(slots={meter.gauge.holder: -idle}))
        self._tell(self._meters.values())

    def _tell(self, meters: Iterable[_Meter]) -> None:
        now = self._now()
        add: dict[tuple[str, str, str, int], tuple[float, float]] = {}
        for meter in meters:
            for key, bucket, amount in meter.tell(now):
                add[*key, bucket] = (amount + add.get((*key, bucket), (0.0, 0.0))[0], meter.gauge.leaves(bucket))
        if add:
            self._store.note_count(Count(add=add))

    def close(self) -> None:
        """Give back all that is leased and not in use; the window ends."""
        for meter in self._meters.values():
            meter.let_go()
        self.tidy(everything=True)

    def foresee(self, gauges: Sequence[Gauge], amounts: Amounts, counters: Counters) -> Refused | None:
        """Which gauge would refuse a request now, with these counters of all windows; nothing is held."""
        now = self._now()
        for gauge in gauges:
            meter, amount = self._meters.get(gauge), amounts.of(gauge)
            lacking = amount - (0.0 if meter is None else meter.idle(now))
            until = room_at(gauge, lacking, counters, now)
            if lacking > _TINY and until > now:
                left = max(0.0, gauge.most - taken(gauge, counters, now)) + amount - lacking
                return Refused(gauge, until, left, amount)
        return None

    def idle_places(self, gauge: Gauge) -> int:
        """How many of the places that this window holds among the concurrent requests are not in use."""
        meter = self._meters.get(gauge)
        return 0 if meter is None else meter.places - meter.used

    def release(self, held: Reservation) -> None:
        """It was not sent after all."""
        if not held.ended:
            held.ended = held is not NOTHING_RESERVED
            now = self._now()
            for each in held.held:
                each.meter.give_back(each.amount, each.bucket, now)

    def settle(self, held: Reservation, actual: Amounts) -> None:
        """It was sent, and this is what it came to."""
        if held.ended or not held.held:
            return
        held.ended = True
        now = self._now()
        over: dict[tuple[str, str, str, int], tuple[float, float]] = {}
        for each in held.held:
            meter, gauge = each.meter, each.meter.gauge
            if gauge.measure is Measure.CONCURRENT:
                meter.give_back(1.0, 0, now)
            elif gauge.measure in _ESTIMATED:
                more = (actual.tokens if gauge.measure is Measure.TOKENS else actual.cost) - each.amount
                if more <= 0:
                    meter.give_back(-more, each.bucket, now)
                elif (missing := more - meter.block.draw(more, each.bucket)) > 0:
                    over[*gauge.key, each.bucket] = (missing, gauge.leaves(each.bucket))
        if over:
            self._store.note_count(Count(add=over))

    async def retry(self, configuration: Configuration) -> bool:
        """Whether this machine may ask a profile again that has just failed."""
        most = configuration.defaults.retries_per_minute
        gauge = Gauge("machine:", Measure.RETRIES, Span.MINUTE, most, 60.0)
        return most > 0 and isinstance(await self.reserve((gauge,), Amounts()), Reservation)
