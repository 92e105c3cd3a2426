"""What a window has seen of its profiles."""

from __future__ import annotations

import pytest

from rooroute.profiles import Latency, Price, Strategy
from rooroute.routing.costs import switch_cost, usd
from rooroute.routing.marks import Snapshot
from rooroute.routing.measurements import USUAL_OUTPUT, Measurements
from rooroute.routing.pool import Ask, Use, acquire
from tests.routing.scenario import NOON, candidate

HOW = Latency(window=60.0, percentile=50.0)


def test_the_percentile_is_of_the_window_and_the_last_known_stands_in_for_nothing() -> None:
    seen = Measurements()
    for at, seconds in ((0, 9.0), (100, 1.0), (110, 2.0), (120, 3.0)):
        seen.observe("A", NOON + at, seconds)
    assert seen.first_token("A", HOW, NOON + 120) == 2.0
    assert seen.first_token("A", Latency(window=60.0, percentile=95.0), NOON + 120) == 3.0
    assert seen.first_token("A", HOW, NOON + 5_000) == 3.0
    assert seen.first_token("B", HOW, NOON) is None


def test_the_ledger_teaches_each_attempt_once() -> None:
    seen = Measurements()
    seen.observe("A", NOON, 1.0)
    for _ in range(3):
        seen.learn("A", NOON, 1.0)
        seen.learn("A", NOON - 30, 5.0)
    assert seen.first_token("A", Latency(window=60.0, percentile=100.0), NOON) == 5.0
    assert seen.asked_at == {"A": NOON}
    seen.learn("A", NOON - 3_000, 99.0)
    assert seen.first_token("A", Latency(window=9_000.0, percentile=100.0), NOON) == 5.0


def test_an_answers_usual_length_is_what_answers_were_like() -> None:
    seen = Measurements()
    assert seen.output_tokens() == USUAL_OUTPUT
    seen.observe("A", NOON, 1.0, 100)
    seen.observe("A", NOON, 1.0, 300)
    assert seen.output_tokens() == 200


def test_a_quota_speaks_until_its_reset() -> None:
    seen = Measurements()
    seen.told("A", NOON, [("requests", 100.0, 5.0, NOON + 60), ("tokens", 1_000.0, 900.0, NOON + 10)])
    assert seen.share_left("A", NOON) == 0.05
    assert seen.share_left("A", NOON + 61) == 1.0
    assert seen.resets_at("A", NOON) == NOON + 60
    seen.told("A", NOON - 5, [("requests", 100.0, 99.0, NOON + 60)])
    assert seen.share_left("A", NOON) == 0.05, "an older answer says nothing new"
    seen.told("B", NOON, [("requests", None, 0.0, None)])
    assert seen.share_left("B", NOON) == 0.0
    assert seen.share_left("B", NOON + 61) == 1.0, "a minute is the longest that an unknown reset is believed"


def test_what_is_lost_first_is_used_first() -> None:
    resets = {"late": NOON + 9_000, "soon": NOON + 60}
    pool = [candidate(name, position=place) for place, name in enumerate(("unknown", "late", "soon"))]
    ask = Ask(owner="me", strategy=Strategy.PRIORITY, resets_at=resets.get)
    found = acquire(ask, pool, Snapshot(last_working={"": "unknown"}), NOON)
    assert isinstance(found, Use)
    assert found.ranked == ("soon", "late", "unknown")


def test_leaving_a_warm_cache_costs_the_difference_of_reading_it_afresh() -> None:
    here, there = Price(input=3, output=15, cache_read=0.3), Price(input=2, output=8)
    assert switch_cost(100_000, here, there) == 100_000 * (2 - 0.3) / 1e6
    assert switch_cost(100_000, here, Price(input=2, output=8, cache_write=2.5)) == 100_000 * (2.5 - 0.3) / 1e6
    assert switch_cost(100_000, here, Price(input=0, output=0)) == 0.0
    assert switch_cost(100_000, None, there) is None


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0.0, "0"),
        (1e-17, "0"),
        (0.00000123, "0.0000012"),
        (0.00005, "0.000050"),
        (0.5, "0.5000"),
        (12.34567, "12.3457"),
    ],
)
def test_a_sum_is_never_told_as_nothing(amount: float, told: str) -> None:
    assert usd(amount) == told
