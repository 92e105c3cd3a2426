"""Reserve before, settle after, release on abort: the user's limits over all windows, with blocks leased ahead so that the healthy path
does not write for every request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from rooroute.profiles import Configuration, Pool, Profile
from rooroute.routing.limits import Block, Count, Counters, Gauge, Measure, Refused, Span, Want, gauges_of, take

T = TypeVar("T")
_IDLE_SECONDS: Final = 1.0
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
        amount = {Measure.TOKENS: self.tokens, Measure.COST: self.cost}.get(gauge.measure, 1.0)
        return min(amount, gauge.most)


@dataclass(slots=True)
class Reservation:
    """What one attempt holds: gauge, amount and the bucket it counts in. Ended once, by settling or releasing."""

    held: tuple[tuple[Gauge, float, int], ...] = ()
    ended: bool = False


@dataclass(slots=True)
class _Places:
    """Among the concurrent requests: those leased, and those of them in use. An idle one is kept a moment for the next request."""

    held: int = 0
    used: int = 0
    idle_since: float = 0.0


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
        self._blocks: dict[Gauge, Block] = {}
        self._slots: dict[str, _Places] = {}
        self._refused: dict[Gauge, tuple[float, float, float]] = {}  # amount, until, believed until
        self._configuration: Configuration | None = None
        self._gauges: dict[str, tuple[Gauge, ...]] = {}

    def gauges(
        self, configuration: Configuration, pool: Pool, profile: Profile, tags: Iterable[str]
    ) -> tuple[Gauge, ...]:
        """Every gauge that a request to this profile of this pool moves; ``tags`` are the request's own."""
        if configuration is not self._configuration:
            self._configuration, self._gauges = configuration, {}
        found = self._of(
            f"profile:{profile.id}", lambda: gauges_of(f"profile:{profile.id}", profile.limits, profile.budget)
        )
        if pool.limits or pool.budget:
            found += self._of(f"pool:{pool.id}", lambda: gauges_of(f"pool:{pool.id}", pool.limits, pool.budget))
        for tag in dict.fromkeys((*profile.tags, *tags)) if configuration.defaults.budgets else ():
            budget = configuration.defaults.budgets.get(tag)
            found += gauges_of(f"tag:{tag}", None, budget)
        return found

    def _of(self, holder: str, make: Callable[[], tuple[Gauge, ...]]) -> tuple[Gauge, ...]:
        if holder not in self._gauges:
            self._gauges[holder] = make()
        return self._gauges[holder]

    async def reserve(self, gauges: Sequence[Gauge], amounts: Amounts) -> Reservation | Refused:
        """Hold what the request takes of every gauge, or nothing."""
        if not gauges:
            return NOTHING_RESERVED
        now = self._now()
        for gauge in gauges:
            amount, until, believed = self._refused.get(gauge, (0.0, 0.0, 0.0))
            if now < min(until, believed) and amounts.of(gauge) >= amount:
                return Refused(gauge, until)
        held = tuple((gauge, amounts.of(gauge), gauge.bucket(now)) for gauge in gauges)
        drawn = {gauge: self._draw(gauge, amount, bucket) for gauge, amount, bucket in held}
        short = [
            Want(gauge, amount - drawn[gauge], self._ahead(gauge, amount))
            for gauge, amount, _ in held
            if amount - drawn[gauge] > 1e-12
        ]
        if not short:
            return Reservation(held)
        refusal = await self._lease(short, {gauge: bucket for gauge, _, bucket in held})
        if refusal is None:
            return Reservation(held)
        for gauge, _, bucket in held:
            self._give_back(gauge, drawn[gauge], bucket)
        if refusal.gauge.measure is not Measure.CONCURRENT:
            wanted = next(amount for gauge, amount, _ in held if gauge == refusal.gauge)
            self._refused[refusal.gauge] = (wanted, refusal.until, now + _REFUSAL_BELIEVED)
        return refusal

    def _draw(self, gauge: Gauge, amount: float, bucket: int) -> float:
        if gauge.measure is Measure.CONCURRENT:
            places = self._slots.setdefault(gauge.holder, _Places())
            if places.held == places.used:
                return 0.0
            places.used += 1
            return amount
        return self._blocks.setdefault(gauge, Block()).draw(amount, bucket)

    def _ahead(self, gauge: Gauge, amount: float) -> float:
        return 0.0 if gauge.measure is Measure.CONCURRENT else self._blocks[gauge].ahead(amount)

    async def _lease(self, wants: Sequence[Want], buckets: Mapping[Gauge, int]) -> Refused | None:
        found = await self._store.count(
            [want.gauge.holder for want in wants], lambda counters: take(wants, counters, self._now())
        )
        if isinstance(found, Refused):
            return found
        for want in wants:
            if want.gauge.measure is Measure.CONCURRENT:
                places = self._slots[want.gauge.holder]
                places.held += 1
                places.used += 1
            else:
                self._blocks[want.gauge].refill(found[want.gauge] - want.amount, self._bucket(want.gauge, buckets))
        return None

    def _bucket(self, gauge: Gauge, buckets: Mapping[Gauge, int]) -> int:
        """The bucket a lease was made in, when that is still the request's own; what was leased across a border is left to lapse."""
        return buckets[gauge] if gauge.bucket(self._now()) == buckets[gauge] else -1

    def _give_back(self, gauge: Gauge, amount: float, bucket: int) -> None:
        if gauge.measure is not Measure.CONCURRENT:
            self._blocks.setdefault(gauge, Block()).refill(amount, bucket)
            return
        if amount:
            self._leave(gauge.holder)

    def _leave(self, holder: str) -> None:
        places = self._slots[holder]
        places.used -= 1
        places.idle_since = self._now()

    def tidy(self, *, everything: bool = False) -> None:
        """Let the other windows have the places that have been idle for a second (or all idle ones). Call now and then."""
        now = self._now()
        for holder, places in self._slots.items():
            idle = places.held - places.used
            if idle and (everything or now - places.idle_since >= _IDLE_SECONDS):
                places.held = places.used
                self._store.note_count(Count(slots={holder: -idle}))

    def release(self, held: Reservation) -> None:
        """It was not sent after all."""
        if not held.ended:
            held.ended = held is not NOTHING_RESERVED
            for gauge, amount, bucket in held.held:
                self._give_back(gauge, amount, bucket)

    def settle(self, held: Reservation, actual: Amounts) -> None:
        """It was sent, and this is what it came to."""
        if held.ended or not held.held:
            return
        held.ended = True
        over: dict[tuple[str, str, str, int], tuple[float, float]] = {}
        for gauge, amount, bucket in held.held:
            if gauge.measure is Measure.CONCURRENT:
                self._leave(gauge.holder)
            elif gauge.measure in (Measure.TOKENS, Measure.COST):
                real = {Measure.TOKENS: actual.tokens, Measure.COST: actual.cost}[gauge.measure]
                more = real - amount
                if more <= 0:
                    self._give_back(gauge, -more, bucket)
                elif (missing := more - self._blocks.setdefault(gauge, Block()).draw(more, bucket)) > 0:
                    over[*gauge.key, bucket] = (missing, gauge.leaves(bucket))
        if over:
            self._store.note_count(Count(add=over))

    async def retry(self, configuration: Configuration) -> bool:
        """Whether this machine may ask a profile again that has just failed."""
        most = configuration.defaults.retries_per_minute
        gauge = Gauge("machine:", Measure.RETRIES, Span.MINUTE, most, 60.0)
        return most > 0 and isinstance(await self.reserve((gauge,), Amounts()), Reservation)
