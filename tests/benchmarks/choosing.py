"""Choosing among ten thousand profiles beside choosing among ten: from the configuration to the profile that is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from rooroute.profiles import Configuration, Pool, Price, Profile, Strategy
from rooroute.roster import Roster, cost_estimate
from rooroute.routing.crowd import choose
from rooroute.routing.marks import Snapshot
from rooroute.routing.measurements import Measurements
from rooroute.routing.pool import Ask, Use
from rooroute.routing.rules import Facts
from rooroute.routing.strategies import Reading
from tests.benchmarks.figures import Figure, Round

GOAL = 2.0
FEW, MANY = 10, 10_000
FACTS = Facts(tokens=1_000)


class NoMarks:
    """What tells profiles apart, without a keyring."""

    version = judgements = 0

    def unusable(self, profile: Profile) -> None:
        return None

    def fingerprint(self, profile: Profile) -> str:
        return profile.id

    def domain(self, profile: Profile) -> str:
        return profile.id

    def learnt(self, since: int) -> Sequence[str]:
        return ()


class Chooser:
    """One window with a pool of so many profiles, choosing request after request."""

    def __init__(self, count: int, strategy: Strategy) -> None:
        profiles = {
            f"p{n}": Profile(id=f"p{n}", provider="openai", model="m", price=Price(input=1 + n % 7, output=3))
            for n in range(count)
        }
        self.pool = Pool(id="pool", profiles=tuple(profiles), strategy=strategy, default_route="p3")
        self.configuration = Configuration(profiles=profiles, pools={"pool": self.pool})
        self.roster = Roster(NoMarks())
        self.seen = Measurements()
        self.selected: dict[str, float] = {}
        self.snapshot = Snapshot(last_selected=self.selected)
        self.now = 1_800_000_000.0

    def one(self) -> str:
        lineup = self.roster.lineup(self.configuration, self.pool, FACTS, "session")
        turns, turn = self.seen.turns("pool")
        profiles, how = self.configuration.profiles, self.pool.latency
        reading = Reading(
            cost=lambda each: cost_estimate(profiles[each], FACTS, 500),
            first_token=lambda each: self.seen.first_token(each, how, self.now),
            measured_at=self.seen.asked_at,
            explore=self.seen.explores("pool", how),
            turns=turns,
            turn=turn,
        )
        ask = Ask(owner="me", pool_id="pool", strategy=lineup.way.strategy, reading=reading)
        short = lineup.crowd.near(ask, self.snapshot, self.now) if lineup.crowd else None
        decision = choose(ask, short, lambda: lineup.candidates, self.snapshot, self.now)
        assert isinstance(decision, Use)
        found = decision.candidate.profile_id
        self.now += 0.001
        self.selected[found] = self.now
        self.seen.chosen("pool", found, {} if self.pool.strategy is Strategy.WEIGHTED else None)
        self.seen.observe(found, self.now, 0.2)
        return found

    def microseconds(self, times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            self.one()
        return (time.perf_counter() - began) / times * 1e6


def choosing(times: int, rounds: int) -> Iterator[Figure]:
    """One figure per strategy; the first choice, which makes the candidates, is not counted."""
    for strategy in Strategy:
        few, many = Chooser(FEW, strategy), Chooser(MANY, strategy)
        few.microseconds(20)
        many.microseconds(20)
        seen = [Round(few.microseconds(times), many.microseconds(times)) for _ in range(rounds)]
        yield Figure(f"choosing among {MANY:,} instead of {FEW}: {strategy.value}", "µs", seen, GOAL)
