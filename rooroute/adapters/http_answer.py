"""An answer whose body is still coming, and the deadlines it is under."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Final

from rooroute.adapters.http_engine import Reply
from rooroute.adapters.wire import OutOfTime, Socket, WireError
from rooroute.adapters.wire_faults import failure_of
from rooroute.outcome import Failure, Fault, Unreachable

_MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
_ERROR_BODY_SECONDS: Final = 5.0


class Patience:
    """Deadlines of one answer's body, in seconds. They run only while the provider is awaited: a slow reader is not its fault.

    One timer serves the whole stream; it is moved when it fires, not at every chunk.
    """

    __slots__ = ("_due", "_loop", "_since", "_socket", "_timer", "idle", "left", "next")

    def __init__(self, first: float, idle: float, total: float, socket: Socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._since = 0.0
        self.next = first
        self.idle = idle
        self.left = total

    def waits(self) -> None:
        """The provider is awaited from now on."""
        self._since = now = self._loop.time()
        self._due = due = now + min(self.next, self.left)
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._look)
        elif due < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(due, self._look)

    def heard(self) -> None:
        """Something came."""
        self._due = math.inf
        self.left -= self._loop.time() - self._since
        self.next = self.idle

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._due <= self._loop.time():
            self._socket.interrupt()
        elif self._due is not math.inf:
            self._timer = self._loop.call_at(self._due, self._look)


class Answer:
    """An HTTP answer whose body is still coming: status, headers (names lower case; repeated ones joined by a comma), ``chunks`` as
    they arrive, never decoded."""

    __slots__ = ("_place", "_reply", "_total", "chunks", "headers", "patience", "status")

    def __init__(self, reply: Reply, patience: Patience, place: str) -> None:
        self.status = reply.head.status
        self.headers: Mapping[str, str] = _lower(reply.head.headers)
        self.patience = patience
        self._place = place
        self._reply = reply
        self._total = 0
        self.chunks: AsyncGenerator[bytes, None] = self._read_chunks()

    async def _read_chunks(self) -> AsyncGenerator[bytes, None]:
        patience = self.patience
        lost: Failure | None = None
        try:
            patience.waits()
            while chunk := await self._reply.read():
                patience.heard()
                self._total += len(chunk)
                if self._total > _MAX_ANSWER_BYTES:
                    lost = Failure(Fault.BAD_ANSWER, f"The answer of {self._place} is longer than 256 MiB.")
                    break
                yield chunk
                patience.waits()
        except OutOfTime:
            lost = self._late()
        except WireError as error:
            lost = failure_of(error, self._place)
        finally:
            patience.stop()
        if lost is not None:
            raise Unreachable(lost)

    def _late(self) -> Failure:
        if self.patience.left <= self.patience.next:
            return Failure(Fault.TIMEOUT, f"{self._place} did not finish its answer in time.")
        return Failure(Fault.TIMEOUT, f"{self._place} sent nothing for {self.patience.next:g} seconds.")

    async def read(self, limit: int) -> bytes:
        """The body's first ``limit`` bytes, or what of them came within 5 seconds: an error is judged by what can be had of it."""
        body = bytearray()
        with suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                async for chunk in self.chunks:
                    body += chunk
                    if len(body) >= limit:
                        break
        return bytes(body[:limit])


def _lower(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
