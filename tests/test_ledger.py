"""What a set of attempts adds up to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.ledger import BLAMELESS, UNKNOWN, AttemptRecord, GroupBy, a_month, figures, percentile
from rooroute.outcome import Fault

DAY = 1_800_000_000.0  # 2027-01-15T08:00Z


def attempt(verdict: str = "ok", **more: Any) -> AttemptRecord:
    fields = {"request_id": "r", "n": 1, "at": DAY, "pool_id": "p", "profile_id": "a", "model": "m", **more}
    return AttemptRecord(verdict=verdict, **fields)


def test_nothing_adds_up_to_nothing() -> None:
    assert figures([]) == []


@pytest.mark.parametrize(
    ("group_by", "keys"),
    [(GroupBy.PROFILE, ["a", "b"]), (GroupBy.MODEL, ["m", "n"]), (GroupBy.DAY, ["2027-01-14", "2027-01-15"])],
)
def test_attempts_are_grouped(group_by: GroupBy, keys: list[str]) -> None:
    records = [attempt(), attempt(profile_id="b"), attempt(model="n"), attempt(at=DAY - 8 * 3600 - 1)]
    assert [row.key for row in figures(records, group_by)] == keys


def test_a_providers_profiles_count_together_and_those_that_are_gone_too() -> None:
    records = [attempt(), attempt(profile_id="b"), attempt(profile_id="c"), attempt(profile_id="gone")]
    rows = figures(records, GroupBy.PROVIDER, {"a": "openai", "b": "openai", "c": "groq"})
    assert [(row.key, row.attempts) for row in rows] == [("groq", 1), ("openai", 2), (UNKNOWN, 1)]


def test_a_month_goes_on_like_the_days_before() -> None:
    assert a_month(2.0, 10 * 86_400.0) == 6.0
    assert a_month(2.0, 3_600.0) is None
    assert a_month(None, 10 * 86_400.0) is None


@pytest.mark.parametrize("fault", sorted(BLAMELESS))
def test_what_is_nobodys_fault_does_not_count(fault: Fault) -> None:
    (row,) = figures([attempt(), attempt(fault.value)])
    assert (row.attempts, row.succeeded, row.success_rate) == (2, 1, 1.0)
    assert figures([attempt(fault.value)])[0].success_rate is None


def test_a_failure_counts_and_a_request_counts_once() -> None:
    (row,) = figures([attempt(Fault.RATE_LIMIT, n=1), attempt(n=2), attempt(request_id="s"), attempt("overload")])
    assert (row.attempts, row.requests, row.succeeded, row.success_rate) == (4, 2, 2, 0.5)


def test_tokens_and_cost_add_up_failed_partials_included() -> None:
    (row,) = figures(
        [
            attempt(input_tokens=10, output_tokens=2, cached_input_tokens=4, cost=0.5, at=DAY + 5),
            attempt("network", input_tokens=10, output_tokens=1, reasoning_tokens=1, cache_write_tokens=3),
        ]
    )
    assert (row.input_tokens, row.output_tokens, row.cached_input_tokens) == (20, 3, 4)
    assert (row.cache_write_tokens, row.reasoning_tokens, row.cost, row.last_at) == (3, 1, 0.5, DAY + 5)
    assert figures([attempt()])[0].cost is None


def test_percentiles_are_waits_that_occurred() -> None:
    (row,) = figures([attempt(first_token_s=n / 10) for n in range(100, 0, -1)] + [attempt("timeout")])
    told = (row.first_token_median_s, row.first_token_p90_s, row.first_token_p95_s, row.first_token_p99_s)
    assert told == (5.0, 9.0, 9.5, 9.9)
    assert figures([attempt("timeout")])[0].first_token_median_s is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_has_its_share_at_or_below_it(values: list[float], share: float) -> None:
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
