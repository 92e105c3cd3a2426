"""Sockets for httpcore, on asyncio itself: httpcore's own way there goes through anyio, whose checkpoints cost a turn of the loop at every
read and write and twice the time of a chunk (https://www.encode.io/httpcore/network-backends/ is the seam that this fills).

Names, happy eyeballs (https://www.rfc-editor.org/rfc/rfc8305), TLS and flow control are asyncio's and aiohappyeyeballs'; ours is only what
lies between them and httpcore. Part of the one room that knows httpx.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

import aiohappyeyeballs
import anyio
import httpcore
from httpcore._synchronization import AsyncLock

_AT_ONCE: Final = 65_536
_MOST_UNREAD: Final = 262_144
_HEAD: Final = 16_384
_SECOND_ADDRESS_AFTER: Final = 0.25

CONNECTED: Final[ContextVar[bool]] = ContextVar("connected", default=False)
"""Whether the running task has opened a connection since it last set this to False."""


_set_up: Final = AsyncLock.setup


def _set_up_quick(lock: AsyncLock) -> None:
    """httpcore takes three locks a request that nobody else wants, and each costs a turn of the loop, since anyio's gives way to other tasks
    first. anyio has a switch for that (https://anyio.readthedocs.io/en/stable/api.html#anyio.Lock); httpcore has no way to turn it."""
    _set_up(lock)
    if isinstance(getattr(lock, "_anyio_lock", None), anyio.Lock):
        lock._anyio_lock = anyio.Lock(fast_acquire=True)  # noqa: SLF001


AsyncLock.setup = _set_up_quick  # type: ignore[assignment,method-assign]


class Network(httpcore.AsyncNetworkBackend):
    """Opens connections on the running loop. What arrives on any of them passes through one buffer."""

    def __init__(self) -> None:
        self._space = memoryview(bytearray(_AT_ONCE))

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that takes one. Raises httpcore.ConnectError, ConnectTimeout."""
        loop = asyncio.get_running_loop()
        wire = _Wire(loop, self._space)
        CONNECTED.set(True)
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                opened = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_SECOND_ADDRESS_AFTER)
                for option in socket_options or ():
                    opened.setsockopt(*option)
                await loop.create_connection(lambda: wire, sock=opened)
        except TimeoutError as late:
            raise httpcore.ConnectTimeout from late
        except (OSError, UnicodeError) as wrong:
            raise httpcore.ConnectError from wrong
        return Connection(wire)

    async def sleep(self, seconds: float) -> None:
        """What httpcore waits with between tries."""
        await asyncio.sleep(seconds)


class _Wire(asyncio.BufferedProtocol):
    """What has come and was not read yet, and who waits for more, or for room to write."""

    def __init__(self, loop: asyncio.AbstractEventLoop, space: memoryview) -> None:
        self.loop = loop
        self.transport: Any = None
        self.unread = bytearray()
        self.over = False
        self.lost: BaseException | None = None
        self.waiting: asyncio.Future[None] | None = None
        self.full: asyncio.Future[None] | None = None
        self.paused = False
        self._space = space

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._space

    def buffer_updated(self, nbytes: int) -> None:
        self.unread += self._space[:nbytes]
        if self.waiting is not None:
            self._wake()
        elif len(self.unread) > _MOST_UNREAD and not self.paused:
            self.paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.over = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.over, self.lost = True, self.lost or exc
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self.full = self.loop.create_future()

    def resume_writing(self) -> None:
        full, self.full = self.full, None
        if full is not None and not full.done():
            full.set_result(None)

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class Connection(httpcore.AsyncNetworkStream):
    """One connection, plain or in TLS."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._held = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """What has come, or the next that comes; nothing at the end. Raises httpcore.ReadError, ReadTimeout."""
        wire = self._wire
        if self._held:
            await self._send(self._held, timeout)
        if not wire.unread:
            if not wire.over:
                wire.waiting = wire.loop.create_future()
                if timeout is None:
                    await wire.waiting
                else:
                    await self._come(timeout)
            if not wire.unread:
                if wire.lost is not None:
                    raise _because(httpcore.ReadError(), wire.lost)
                return b""
        data = bytes(wire.unread[:max_bytes])
        del wire.unread[:max_bytes]
        if wire.paused:
            wire.paused = False
            wire.transport.resume_reading()
        return data

    async def _come(self, timeout: float) -> None:
        assert self._wire.waiting is not None
        try:
            async with asyncio.timeout(timeout):
                await self._wire.waiting
        except TimeoutError as late:
            raise httpcore.ReadTimeout from late

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Hand over ``buffer``; waits while the other side takes nothing. Raises httpcore.WriteError, WriteTimeout.

        What comes first waits for what comes next: httpcore writes head and body one after the other, then nothing for the end, and in one
        piece they cost one system call, one packet and one waking of the other side.
        """
        self._check_open()
        if buffer and not self._held and len(buffer) <= _HEAD:
            self._held = buffer
        elif buffer or self._held:
            await self._send(self._held + buffer, timeout)

    async def _send(self, buffer: bytes, timeout: float | None) -> None:
        wire, self._held = self._wire, b""
        self._check_open()
        wire.transport.write(buffer)
        if wire.full is not None:
            try:
                async with asyncio.timeout(timeout):
                    await wire.full
            except TimeoutError as late:
                raise httpcore.WriteTimeout from late
            if wire.lost is not None:
                raise _because(httpcore.WriteError(), wire.lost)

    def _check_open(self) -> None:
        wire = self._wire
        if wire.lost is not None or wire.transport.is_closing():
            raise _because(httpcore.WriteError(), wire.lost)

    async def aclose(self) -> None:
        """Drop the connection, with whatever was not sent yet."""
        wire = self._wire
        wire.lost = wire.lost or ConnectionAbortedError("closed here")  # for who may be reading: no end of the answer
        wire.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """The same connection in TLS. Raises httpcore.ConnectError, ConnectTimeout."""
        wire = self._wire
        try:
            async with asyncio.timeout(timeout):
                wire.transport = await wire.loop.start_tls(
                    wire.transport, wire, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as late:
            await self.aclose()
            raise httpcore.ConnectTimeout from late
        except OSError as wrong:  # ssl.SSLError is one
            await self.aclose()
            raise httpcore.ConnectError from wrong
        return self

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks for: ``ssl_object``, addresses, ``socket``, and whether something came that nobody asked for."""
        transport = self._wire.transport
        match info:
            case "ssl_object":
                return transport.get_extra_info("ssl_object")
            case "client_addr":
                return transport.get_extra_info("sockname")
            case "server_addr":
                return transport.get_extra_info("peername")
            case "socket":
                return transport.get_extra_info("socket")
            case "is_readable":
                return self._wire.over or bool(self._wire.unread) or _readable(transport.get_extra_info("socket"))
            case _:
                return None


def _because(error: Exception, lost: BaseException | None) -> Exception:
    """As the context too: httpcore raises it again ``from None``, which takes its cause away."""
    error.__cause__ = error.__context__ = lost
    return error


def _readable(opened: socket.socket | None) -> bool:
    """Whether the other side said something, or goodbye, that the loop has not come to yet."""
    if opened is None or (descriptor := opened.fileno()) < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
