"""The harness runs and reports ratios; what they are is nobody's business here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.benchmarks import measures
from tests.benchmarks.figures import Figure, Round, table
from tests.benchmarks.measures import MEASURES, TINY, Measurer


def test_a_ratio_is_taken_within_a_round() -> None:
    figure = Figure("x", "ms", [Round(1.0, 2.0, 0.1), Round(10.0, 15.0, 0.0), Round(100.0, 120.0)], 1.6)
    assert (figure.value, figure.reached) == (1.5, True)
    assert "| x | 10.00 ms | 15.00 ms | 1.50 | 1.6 | yes | 0.05 |" in table([figure])


def test_a_missed_goal_is_said_loudly() -> None:
    assert Figure("x", "MB", [Round(0.0, 91.0)], 90.0, absolute=True).cells()[-2] == "NO"


@pytest.mark.skipif(sys.platform != "linux", reason="the harness reads processor time from Linux")
def test_every_measure_runs_with_tiny_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.sched_getaffinity(0)
    seen = dict.fromkeys(MEASURES, 0)

    def watched(name: str) -> Callable[[Measurer], Iterator[Figure]]:
        def run(measurer: Measurer) -> Iterator[Figure]:
            for figure in run_as_is[name](measurer):
                seen[name] += 1
                yield figure

        return run

    run_as_is = dict(MEASURES)
    monkeypatch.setattr(measures, "MEASURES", {name: watched(name) for name in MEASURES})
    figures = list(measures.measure(list(MEASURES), TINY))
    assert all(seen.values()), seen
    assert len({figure.name for figure in figures}) == sum(seen.values())
    assert all(figure.value > 0 for figure in figures)
    assert os.sched_getaffinity(0) == before
