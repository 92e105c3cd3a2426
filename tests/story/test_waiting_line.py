"""A request in the waiting line: what ends its wait, and what it then knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from rooroute.attempt import Silence
from rooroute.routing.pool import Wait
from rooroute.story.errand import Progress
from rooroute.story.waiting_line import WaitingLine

LONG = 3_600.0


def line_with(progress: Progress) -> WaitingLine:
    """A line by a clock that stands at 0 and a stopwatch that gains 5 seconds whenever it is read."""
    ticks = iter(range(0, 1_000, 5))
    ports = SimpleNamespace(now=lambda: 0.0, monotonic=lambda: float(next(ticks)))
    return WaitingLine(ports, Silence(), progress)  # type: ignore[arg-type]


async def stand(line: WaitingLine, then: Callable[[], None]) -> None:
    waiting = asyncio.create_task(line.stand(Wait(LONG, ("first", "second"), on_lease=False)))
    await asyncio.sleep(0)
    assert line.standing
    then()
    await waiting
    assert not line.standing


async def test_an_impatient_user_has_the_first_in_line_tried_early() -> None:
    progress = Progress()
    line = line_with(progress)
    await stand(line, line.retry_now)
    assert (progress.early, progress.unfit) == ("first", {})


async def test_a_skipped_profile_is_left_out_of_this_request() -> None:
    progress = Progress()
    line = line_with(progress)
    await stand(line, line.skip)
    assert (progress.early, progress.unfit) == (None, {"first": "was skipped by hand"})


async def test_a_nudge_ends_the_wait_and_decides_nothing() -> None:
    progress = Progress()
    line = line_with(progress)
    await stand(line, line.nudge)
    assert progress == Progress(waited=5.0)


async def test_a_nudge_from_before_does_not_cut_the_next_wait_short() -> None:
    line = line_with(Progress())
    line.nudge()
    await stand(line, line.nudge)


async def test_a_wait_that_is_over_already_ends_by_itself() -> None:
    line = line_with(Progress())
    await line.stand(Wait(-1.0, ("first",), on_lease=False))
    assert not line.standing


async def test_a_cancelled_wait_is_counted_too() -> None:
    progress = Progress()
    waiting = asyncio.create_task(line_with(progress).stand(Wait(LONG, ("first",), on_lease=False)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert progress.waited == 5.0
