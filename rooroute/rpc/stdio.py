"""The process's standard streams: frames in, frames out, and nothing else on either.

Writing never blocks the loop: what the pipe does not take waits, ``blocked`` says so, and whoever streams awaits ``room()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import stat
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

_CHUNK: Final = 256 * 1024
_THREAD_LIMIT: Final = 256 * 1024
_LAST_WRITE_SECONDS: Final = 0.3


def seal_standard_streams() -> tuple[int, int]:
    """Keep descriptors 0 and 1 for frames alone; gives (input, output).

    A stray ``print()`` or a C library's ``write(1)`` then lands in stderr, and a child process that reads standard input gets none.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(nowhere, 2)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    os.close(nowhere)
    sys.stdout = sys.stderr
    return incoming, outgoing


def _pollable(descriptor: int) -> bool:
    """Pipes and sockets can be waited for; a terminal is left alone, since non-blocking mode would be its other users' too."""
    if sys.platform == "win32":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


Take: TypeAlias = Callable[[bytes], Awaitable[None] | None]
"""Called on the loop with the bytes that came, in the very turn in which they came, and with none at the end. Where it gives something to
wait for, nothing more is read until that is done."""


async def open_input(descriptor: int, take: Take) -> None:
    """Read ``descriptor`` to its end."""
    if not _pollable(descriptor):
        _read_in_thread(descriptor, take)
        return
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: _PipeInput(take), pipe)


class _PipeInput(asyncio.Protocol):
    """A pipe or socket. A stream reader and a task would come to the bytes a turn of the loop later than this does."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._transport: Any = None
        self._waiting: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        wait = self._take(data)
        if wait is not None:
            self._transport.pause_reading()
            self._waiting = asyncio.ensure_future(wait)
            self._waiting.add_done_callback(self._go_on)

    def connection_lost(self, exc: Exception | None) -> None:
        self._take(b"")

    def _go_on(self, waited: asyncio.Future[None]) -> None:
        if not waited.cancelled() and not self._transport.is_closing():
            self._transport.resume_reading()


def _read_in_thread(descriptor: int, take: Take) -> None:
    """Where a descriptor cannot be waited for (Windows, files, terminals)."""
    loop = asyncio.get_running_loop()
    taken = threading.Semaphore(0)

    def hand_over(data: bytes) -> None:
        wait = take(data)
        if wait is None:
            taken.release()
        else:
            asyncio.ensure_future(wait).add_done_callback(lambda _: taken.release())

    def run() -> None:
        data = b"-"
        while data:
            try:
                data = os.read(descriptor, _CHUNK)
            except OSError:
                data = b""
            try:
                loop.call_soon_threadsafe(hand_over, data)
            except RuntimeError:  # the loop has been closed meanwhile
                return
            taken.acquire()

    threading.Thread(target=run, name="stdin", daemon=True).start()


class Outgoing(Protocol):
    """Where frames go."""

    blocked: bool

    @property
    def waiting(self) -> int:
        """Bytes that have not left yet."""

    def write(self, frame: bytes) -> None:
        """Send now or, where the client does not read, later; never waits, keeps order."""

    def when_free(self, call: Callable[[], None]) -> None:
        """Call once, as soon as nothing waits any more."""

    async def room(self) -> None:
        """Return at once unless something waits; then when it has left."""

    def close(self) -> None: ...


def open_output(descriptor: int, lost: Callable[[], None]) -> Outgoing:
    """``lost`` is called on the loop when the client has closed its end."""
    return PipeOutgoing(descriptor, lost) if _pollable(descriptor) else ThreadOutgoing(descriptor, lost)


class _Waiters:
    """Who is to be told when nothing waits any more."""

    def __init__(self) -> None:
        self.blocked = False
        self._calls: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()

    def when_free(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    async def room(self) -> None:
        while self.blocked:
            future = self._loop.create_future()
            self._calls.append(lambda future=future: future.done() or future.set_result(None))  # type: ignore[misc]
            await future

    def _free(self) -> None:
        self.blocked = False
        calls, self._calls = self._calls, []
        for call in calls:
            call()


class PipeOutgoing(_Waiters):
    """Non-blocking writes to a pipe or socket, straight from the loop."""

    def __init__(self, descriptor: int, lost: Callable[[], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lost = lost
        self._open = True
        self._queue = bytearray()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._other_end_moved)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def write(self, frame: bytes) -> None:
        if not self._open:
            return
        if self.blocked:
            self._queue += frame
            return
        sent = self._send(frame)
        if self._open and sent < len(frame):
            self._queue += memoryview(frame)[sent:]
            self.blocked = True
            self._loop.add_writer(self._descriptor, self._drain)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            with contextlib.suppress(OSError):
                os.set_blocking(self._descriptor, True)
            self._queue.clear()
            self._free()

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            self._lost()
            return 0

    def _drain(self) -> None:
        del self._queue[: self._send(self._queue)]
        if self._open and not self._queue:
            self._loop.remove_writer(self._descriptor)
            self._free()

    def _other_end_moved(self) -> None:
        """The write end of a pipe turns readable when its reader goes away. A socket does so too when its peer merely ends its own
        sending (which a parent that only reads may do at once): that is no loss."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
            self.close()
            self._lost()
        else:
            self._loop.remove_reader(self._descriptor)


class ThreadOutgoing(_Waiters):
    """A daemon thread writes, where a descriptor cannot be waited for (Windows, files, terminals)."""

    def __init__(self, descriptor: int, lost: Callable[[], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lost = lost
        self._frames: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._waiting

    def write(self, frame: bytes) -> None:
        self._waiting += len(frame)
        self.blocked = self.blocked or self._waiting > _THREAD_LIMIT
        self._frames.put(frame)

    def close(self) -> None:
        self._frames.put(b"")
        self._thread.join(_LAST_WRITE_SECONDS)

    def _run(self) -> None:
        while frame := self._frames.get():
            rest = memoryview(frame)
            try:
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            except OSError:
                self._tell(self._lost)
                return
            self._tell(partial(self._sent, len(frame)))

    def _tell(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(call)

    def _sent(self, count: int) -> None:
        self._waiting -= count
        if self.blocked and not self._waiting:
            self._free()
