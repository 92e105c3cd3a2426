"""Sockets for the HTTP engine: TCP and TLS on plain asyncio.

httpcore's own asyncio backend goes through anyio, which opens a cancel scope and yields to the loop once for every read; a stream is
thousands of reads. This one also knows two things the engine cannot see: whether a connection died before a single byte of this
answer (then asking again on a fresh one is safe), and how to wake a reader whose time is up.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import httpcore
import truststore

_HIGH_WATER: Final = 262_144
_CA_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


class StaleConnection(httpcore.ReadError):
    """A kept connection was closed by the other side before any byte of this answer."""


class OutOfTime(httpcore.ReadTimeout):
    """The reader was woken because its deadline passed."""


def tls_context() -> ssl.SSLContext:
    """TLS 1.2 or later against the operating system's trust store.

    macOS and Windows are asked through truststore. On Linux the same files are read here once: truststore reads them again for every
    handshake, 15 ms on the event loop. ``SSLKEYLOGFILE`` has no effect: only ``ssl.create_default_context`` looks at it.
    """
    if sys.platform in ("darwin", "win32"):
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        found = next((name for name in _CA_FILES if Path(name).is_file()), None)
        if found:
            context.load_verify_locations(cafile=found)
    return context


class Socket(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One connection. Reads hand out whatever has arrived; writes wait only while the kernel's buffer is full."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._over = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._clogged = False
        self._resting = False
        self._heard = False
        self._reused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _HIGH_WATER and not self._resting and self._transport is not None:
            self._resting = True
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> None:
        self._over = True
        _wake(self._reader)

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._error = self._error or exc
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        _wake(self._writer)

    def interrupt(self) -> None:
        """End the pending and every later read with ``OutOfTime``."""
        self._error = OutOfTime()
        _wake(self._reader)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while not self._buffer:
            if self._over or self._error is not None:
                return self._ended()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        self._heard = True
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        if self._resting and not self._buffer and self._transport is not None:
            self._resting = False
            self._transport.resume_reading()
        return data

    def _ended(self) -> bytes:
        if isinstance(self._error, OutOfTime):
            raise self._error
        if self._reused and not self._heard:
            raise StaleConnection from self._error
        if self._error is not None:
            raise httpcore.ReadError from self._error
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._heard:
            self._heard, self._reused = False, True
        if not buffer:
            return
        if self._over or self._transport is None or self._transport.is_closing():
            raise httpcore.WriteError from self._error
        self._transport.write(buffer)
        while self._clogged and not self._over:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    async def aclose(self) -> None:
        if not self._over:
            self._error = self._error or ConnectionAbortedError()
        if self._transport is not None:
            self._transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        if self._transport is None or self._buffer:
            raise httpcore.ConnectError("bytes arrived before the TLS handshake")
        inner = Socket()
        try:
            inner._transport = await asyncio.get_running_loop().start_tls(
                self._transport,
                inner,
                ssl_context,
                server_hostname=server_hostname,
                ssl_handshake_timeout=timeout,
            )
        except (OSError, ssl.CertificateError) as error:
            self._transport.abort()
            raise httpcore.ConnectError from error
        except BaseException:
            self._transport.abort()
            raise
        if inner._transport is None:
            raise httpcore.ConnectError("the connection closed during the TLS handshake")
        return inner

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._over or bool(self._buffer)
        return self._transport.get_extra_info(info) if self._transport is not None else None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class Sockets(httpcore.AsyncNetworkBackend):
    """Opens connections; both address families are tried, the second a quarter of a second after the first (RFC 8305)."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, opened = await loop.create_connection(Socket, host, port, happy_eyeballs_delay=0.25)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError from error
        return opened
