"""One connection on plain asyncio: TCP, and TLS on top of it.

It knows two things that decide what may happen next: whether a kept connection died before a single byte of this answer (then asking
again on a fresh one is safe), and how to wake a reader whose time is up.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Final

import truststore

_HIGH_WATER: Final = 262_144
_MOST_AT_ONCE: Final = 16_384
_CA_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


class WireError(Exception):
    """Something on the wire; its cause says what."""


class ConnectFailed(WireError):
    """No connection."""


class ConnectTooSlow(ConnectFailed):
    """No connection in time."""


class ConnectionBroken(WireError):
    """A connection was reset."""


class StaleConnection(ConnectionBroken):
    """A kept connection was closed by the other side before any byte of this answer."""


class OutOfTime(WireError):
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


class Socket(asyncio.Protocol):
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

    async def read(self) -> bytes:
        """What has arrived, 16 KiB at most; empty at the end. Raises ``ConnectionBroken`` or ``OutOfTime``.

        When more than that has arrived, everybody else has a turn before the rest: decoding it all at once would hold them up.
        """
        if self._buffer:
            await asyncio.sleep(0)
        while not self._buffer:
            if self._over or self._error is not None:
                return self._ended()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        self._heard = True
        data = bytes(self._buffer[:_MOST_AT_ONCE])
        del self._buffer[:_MOST_AT_ONCE]
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
            raise ConnectionBroken from self._error
        return b""

    async def write(self, data: bytes) -> None:
        """Send one whole request. Raises ``ConnectionBroken``."""
        if self._heard:
            self._heard, self._reused = False, True
        if self._over or self._transport is None or self._transport.is_closing():
            raise ConnectionBroken from self._error
        self._transport.write(data)
        while self._clogged and not self._over:
            self._writer = asyncio.get_running_loop().create_future()
            try:
                await self._writer
            finally:
                self._writer = None

    def close(self) -> None:
        """Drop the connection; a reader of ours sees it broken, not ended."""
        if not self._over:
            self._error = self._error or ConnectionAbortedError()
        if self._transport is not None:
            self._transport.abort()

    @property
    def spent(self) -> bool:
        """Whether an idle connection can no longer be used: nothing may arrive on it but its end."""
        return self._over or bool(self._buffer)

    @property
    def tls_version(self) -> str | None:
        """``TLSv1.3``, say; None for a plain connection."""
        tls = self._transport.get_extra_info("ssl_object") if self._transport is not None else None
        return tls.version() if tls is not None else None

    async def start_tls(self, context: ssl.SSLContext, host: str) -> Socket:
        """The same connection under TLS; this object must not be used any more. Raises ``ConnectFailed``."""
        if self._transport is None or self._buffer:
            raise ConnectFailed
        inner = Socket()
        try:
            inner._transport = await asyncio.get_running_loop().start_tls(
                self._transport, inner, context, server_hostname=host
            )
        except (OSError, ssl.CertificateError) as error:
            self._transport.abort()
            raise ConnectFailed from error
        except BaseException:
            self._transport.abort()
            raise
        if inner._transport is None:
            raise ConnectFailed
        return inner


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


async def connect(host: str, port: int) -> Socket:
    """A TCP connection; both address families are tried, the second a quarter of a second later (RFC 8305)."""
    try:
        _, opened = await asyncio.get_running_loop().create_connection(Socket, host, port, happy_eyeballs_delay=0.25)
    except (OSError, UnicodeError) as error:
        raise ConnectFailed from error
    return opened
