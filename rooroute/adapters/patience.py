"""Waiting for a provider: how long a wait may take, and reading on while nobody waits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Final

_MOST_AHEAD: Final = 256 * 1024


class Patience:
    """The deadline of one wait after another: ``gap`` seconds for this one, ``left`` for all that are still to come.

    Only waiting counts, never what happens in between. One timer serves a whole stream; it is set anew when it fires, not at every chunk
    (``asyncio.timeout`` around each costs more than httpx takes to read it). Like ``asyncio.timeout`` it ends a wait by cancelling the
    task that waits.
    """

    __slots__ = ("_cancelling", "_clock", "_loop", "_since", "_task", "_timer", "gap", "late", "left")

    def __init__(self, gap: float, total: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._since = math.inf
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self.gap = gap
        self.left = total
        self.late = False

    def waits(self) -> None:
        """The running task waits for the provider from now on."""
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._since = self._clock()
        if self._timer is None:
            self._timer = self._loop.call_later(max(0.0, min(self.gap, self.left)), self._look)

    def heard(self, gap: float | None = None) -> None:
        """Something came; the next wait may take ``gap`` seconds (None: what this one has left of its time)."""
        waited = self._clock() - self._since
        self._since = math.inf
        self.left -= waited
        gap = self.gap - waited if gap is None else gap
        if gap < self.gap and self._timer is not None:
            self.stop()
        self.gap = gap

    def stop(self) -> None:
        """Nobody waits any more."""
        self._since = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def was_the_cause(self) -> bool:
        """Whether a cancellation just caught was this deadline's alone, which is then taken back; somebody else's has to go on."""
        if not self.late or self._task is None:
            return False
        return self._task.uncancel() <= self._cancelling

    def _look(self) -> None:
        self._timer = None
        if self._since is math.inf:
            return
        over = self._since + min(self.gap, self.left) - self._clock()
        if over > 0:
            self._timer = self._loop.call_later(over, self._look)
        elif self._task is not None:
            self.late = True
            self._task.cancel()


class ReadAhead:
    """Reads ``chunks`` in a task of its own, so that whatever came in one go can be taken in one piece. At most 256 KiB lie untaken."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._parts: list[bytes] = []
        self._over = False
        self._came = asyncio.Event()
        self._taken = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._read(chunks))

    @property
    def empty(self) -> bool:
        """Whether the next piece has to be waited for."""
        return not (self._parts or self._over)

    async def come(self) -> None:
        """Wait for the next piece, or the end."""
        self._came.clear()
        await self._came.wait()

    async def take(self) -> bytes:
        """What has come; nothing at the end. Raises what the reading raised, after everything that came before."""
        parts, self._parts = self._parts, []
        self._taken.set()
        if not parts:
            await self._task
        return b"".join(parts)

    async def stop(self) -> None:
        """Read no more; what it came to is of no interest any more."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        size = 0
        try:
            async for chunk in chunks:
                if not self._parts:
                    self._came.set()
                    size = 0
                self._parts.append(chunk)
                size += len(chunk)
                if size > _MOST_AHEAD:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            self._over = True
            self._came.set()
