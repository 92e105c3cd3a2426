"""Deadlines that count nothing but waiting, and reading on in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rooroute.adapters.patience import Patience, ReadAhead


async def waiting(patience: Patience) -> str:
    """What a reader does: waits for ever, and asks whose cancellation it was."""
    patience.waits()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not patience.was_the_cause():
            raise
    finally:
        patience.stop()
    return "late"


async def test_a_deadline_ends_a_wait_and_leaves_no_cancellation_behind() -> None:
    async def twice() -> str:
        return await waiting(Patience(0.01, 10)) + await waiting(Patience(10, 0.01))

    assert await asyncio.create_task(twice()) == "latelate"


@pytest.mark.parametrize("user_first", [False, True], ids=["deadline-first", "user-first"])
async def test_a_users_cancellation_that_meets_the_deadline_goes_on(user_first: bool) -> None:
    task = asyncio.create_task(waiting(Patience(0.0, 10)))
    await asyncio.sleep(0)
    if user_first:
        task.cancel()
    else:  # right behind the deadline, in the same turn of the loop
        asyncio.get_running_loop().call_later(0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_time_between_waits_does_not_count() -> None:
    patience = Patience(0.2, 0.4)
    for _ in range(3):
        patience.waits()
        await asyncio.sleep(0)
        patience.heard(0.2)
        await asyncio.sleep(0.25)
    patience.stop()
    assert patience.left > 0.2
    assert not patience.late


async def test_waits_add_up_to_the_total() -> None:
    async def drip(patience: Patience) -> int:
        count = 0
        try:
            while True:
                patience.waits()
                await asyncio.sleep(0.02)
                patience.heard(10)
                count += 1
        except asyncio.CancelledError:
            assert patience.was_the_cause()
        return count

    assert await asyncio.wait_for(asyncio.create_task(drip(Patience(10, 0.2))), 10) <= 10


async def pieces(*given: bytes, end: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece
    if end is not None:
        raise end


async def test_what_came_before_an_error_is_taken_first() -> None:
    ahead = ReadAhead(pieces(b"a", b"b", end=RuntimeError("cut")))
    await ahead.come()
    assert await ahead.take() == b"ab"
    assert not ahead.empty, "nobody waits for what is over"
    with pytest.raises(RuntimeError, match="cut"):
        await ahead.take()
    await ahead.stop()


async def test_the_end_is_an_empty_piece() -> None:
    ahead = ReadAhead(pieces())
    await ahead.come()
    assert await ahead.take() == b""


async def test_reading_ahead_stops_at_its_limit_until_something_is_taken() -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while given < 1_000:
            given += 1
            yield b"x" * 65_536
            await asyncio.sleep(0)

    ahead = ReadAhead(endless())
    await ahead.come()
    for _ in range(100):
        await asyncio.sleep(0)
    assert given < 10
    size = 0
    while piece := await ahead.take():
        size += len(piece)
        if ahead.empty:
            await ahead.come()
    assert size == 1_000 * 65_536


async def test_a_reader_that_is_stopped_is_closed_without_a_word() -> None:
    closed = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            closed.set()

    ahead = ReadAhead(silent())
    await asyncio.sleep(0)
    await ahead.stop()
    assert closed.is_set()
