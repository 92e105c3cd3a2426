"""HTTP/1.1 over kept connections: one request, one answer, the connection back into its place when the answer was read to its end.

There is nothing here that could follow a redirect, keep a cookie, read an environment or log a URL; that is why it is not httpx. Heads
are written and read by h11. HTTP/2 would save connections to a provider that is asked by many streams at once, and cost more per
chunk.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import h11

from rooroute.adapters.http_body import Framing, Malformed, framing_of
from rooroute.adapters.http_message import Message
from rooroute.adapters.proxies import Proxy
from rooroute.adapters.wire import (
    ConnectFailed,
    ConnectionBroken,
    ConnectTooSlow,
    Socket,
    StaleConnection,
    WireError,
    connect,
)

_KEEP_ALIVE: Final = 120.0
_KEPT_CONNECTIONS: Final = 100
_LONGEST_HEAD: Final = 102_400
Headers: TypeAlias = list[tuple[bytes, bytes]]


class Cut(WireError):
    """The connection ended before the answer did."""


class NotHttp(WireError):
    """What came is no HTTP answer."""


class Unsendable(WireError):
    """The request cannot be written as HTTP."""


class ProxyRefused(ConnectFailed):
    """The proxy did not open a tunnel."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status and headers, names lower case, in their order."""

    status: int
    headers: list[tuple[bytes, bytes]]
    keeps: bool
    rest: bytes


class Reply:
    """An answer in progress."""

    __slots__ = ("_engine", "_framing", "_key", "_rest", "head", "socket")

    def __init__(self, engine: Engine, key: str, socket: Socket, head: Head, framing: Framing) -> None:
        self._engine = engine
        self._key = key
        self.socket = socket
        self.head = head
        self._framing = framing
        self._rest = head.rest

    async def read(self) -> bytes:
        """The next bytes of the body; empty at its end. Raises ``WireError``."""
        framing = self._framing
        while not framing.done:
            data, self._rest = self._rest or await self.socket.read(), b""
            if not data:
                if framing.at_close:
                    return b""
                raise Cut
            try:
                piece = framing.feed(data)
            except Malformed:
                raise NotHttp from None
            if piece:
                return piece
        return b""

    @property
    def over(self) -> bool:
        """Whether the body's end has been seen."""
        return self._framing.done

    def close(self) -> None:
        """Give the connection back if nothing more can come on it for this answer, else drop it. May be called twice."""
        framing = self._framing
        keeps = framing.done and not framing.excess and not self._rest and self.head.keeps
        self._engine.release(self._key, self.socket, keep=keeps)


class Engine:
    """Connections by one way: directly, or through one proxy."""

    def __init__(self, proxy: Proxy | None, tls: ssl.SSLContext) -> None:
        self._proxy = proxy
        self._tls = tls
        self._idle: dict[str, list[tuple[Socket, float]]] = {}
        self._busy: set[Socket] = set()

    async def send(self, message: Message, connect_seconds: float) -> Reply:
        """Send and wait for the answer's head. A kept connection found dead before any byte of it is replaced by a new one, once.

        Raises ``WireError``.
        """
        target, headers = self._line(message)
        key = f"{message.secure}:{message.place}"
        kept = self._kept(key)
        if kept is not None:
            try:
                return await self._exchange(kept, key, message, target, headers)
            except StaleConnection:
                pass
        return await self._exchange(await self._connected(message, connect_seconds), key, message, target, headers)

    def release(self, key: str, socket: Socket, *, keep: bool) -> None:
        """Take a connection back."""
        if socket not in self._busy:
            return
        self._busy.discard(socket)
        idle = self._idle.setdefault(key, [])
        if keep and not socket.spent and len(idle) < _KEPT_CONNECTIONS:
            idle.append((socket, asyncio.get_running_loop().time()))
        else:
            socket.close()

    async def close(self) -> None:
        """Drop every connection."""
        for socket in (*self._busy, *(socket for idle in self._idle.values() for socket, _ in idle)):
            socket.close()
        self._busy.clear()
        self._idle.clear()
        await asyncio.sleep(0)

    def _kept(self, key: str) -> Socket | None:
        """The connection used last that can be used again: the others are left to grow old."""
        idle = self._idle.get(key, [])
        now = asyncio.get_running_loop().time()
        while idle:
            socket, since = idle.pop()
            if not socket.spent and now - since < _KEEP_ALIVE:
                return socket
            socket.close()
        return None

    async def _exchange(self, socket: Socket, key: str, message: Message, target: str, headers: Headers) -> Reply:
        self._busy.add(socket)
        try:
            head = await _answered(socket, message.method, target, headers, message.body)
            return Reply(self, key, socket, head, framing_of(message.method, head.status, dict(head.headers)))
        except BaseException:
            self.release(key, socket, keep=False)
            raise

    async def _connected(self, message: Message, seconds: float) -> Socket:
        opened: Socket | None = None
        try:
            async with asyncio.timeout(seconds):
                proxy = self._proxy
                opened = await connect(*((proxy.host, proxy.port) if proxy else (message.host, message.port)))
                if proxy and proxy.secure:
                    opened = await opened.start_tls(self._tls, proxy.host)
                if proxy and message.secure:
                    await open_tunnel(opened, message.place, proxy)
                if message.secure:
                    opened = await opened.start_tls(self._tls, message.host)
                return opened
        except TimeoutError:
            if opened is not None:
                opened.close()
            raise ConnectTooSlow from None
        except BaseException:
            if opened is not None:
                opened.close()
            raise

    def _line(self, message: Message) -> tuple[str, Headers]:
        """Target and headers; a proxy that is no tunnel is told the whole URL and who is asking."""
        if self._proxy is None or message.secure:
            return message.target, message.headers
        return f"http://{message.authority}{message.target}", [*message.headers, *_credentials(self._proxy)]


async def open_tunnel(socket: Socket, place: str, proxy: Proxy) -> None:
    """Let ``proxy`` at the other end of ``socket`` connect it to ``place`` (host and port). Raises ``WireError``."""
    headers = [(b"host", place.encode()), *_credentials(proxy)]
    head = await _answered(socket, "CONNECT", place, headers, b"")
    if not 200 <= head.status < 300 or head.rest:
        raise ProxyRefused


def _credentials(proxy: Proxy) -> Headers:
    if proxy.auth is None:
        return []
    return [(b"proxy-authorization", b"Basic " + base64.b64encode(":".join(proxy.auth).encode()))]


async def _answered(socket: Socket, method: str, target: str, headers: Headers, body: bytes) -> Head:
    """Write a request and read the head of its answer. A server may answer and close before it has read everything."""
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    try:
        head = talk.send(h11.Request(method=method, target=target, headers=headers))
    except h11.LocalProtocolError:
        raise Unsendable from None
    with suppress(ConnectionBroken):
        await socket.write((head or b"") + body)
    while True:
        try:
            event = talk.next_event()
            if event is h11.NEED_DATA:
                arrived = await socket.read()
                if not arrived:
                    raise Cut
                talk.receive_data(arrived)
                continue
        except h11.RemoteProtocolError:
            raise NotHttp from None
        if isinstance(event, h11.Response):
            break
        if not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
            raise NotHttp
    headers = list(event.headers)
    keeps = event.http_version == b"1.1" and b"close" not in dict(headers).get(b"connection", b"").lower()
    return Head(event.status_code, headers, keeps, talk.trailing_data[0])
