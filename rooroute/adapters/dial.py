"""Reaches out to an address step by step, each with its time: the name, TCP, TLS. Nothing of a request is sent."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from rooroute.adapters.http_failures import failure_of
from rooroute.adapters.tls import tls_context
from rooroute.outcome import Failure, Fault, Scope, Unreachable
from rooroute.providers.dialect import Tls
from rooroute.proxies import Proxy, proxy_for
from rooroute.secret import origin_of
from rooroute.trial import Step

T = TypeVar("T")
_SHOWN_ADDRESSES: Final = 2
_MOST_AT_ONCE: Final = 65_536
_LONGEST_HEAD: Final = 65_536
_TUNNEL_OPEN: Final = range(200, 300)


class Dialer:
    """Knows the way out. ``environment`` is read once, for HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {
            name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")
        }
        self._tls: ssl.SSLContext | None = None

    def proxy_of(self, url: str, chosen: str | None) -> str | None:
        """The proxy a request to ``url`` goes through given a profile's own, without its credentials; ValueError for one that cannot be
        used."""
        proxy = proxy_for(url, chosen, self._environment)
        return None if proxy is None else str(proxy)

    async def steps(
        self, url: str, chosen: str | None, *, seconds: float, tls: Tls | None = None
    ) -> AsyncGenerator[Step, None]:
        """The steps towards ``url``, each as it is done; one that fails is the last. ``seconds`` bounds each of them. TLS is left out
        where it is not spoken; ``tls`` holds the profile's own files for it. Raises ValueError for a URL or proxy that cannot be used."""
        loop = asyncio.get_running_loop()
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        began = loop.time()
        try:
            context = self._tls if tls is None else await asyncio.to_thread(tls_context, tls)
        except Unreachable as unusable:
            yield Step("tls", loop.time() - began, "", unusable.failure)
            return
        way = _Way(url, proxy_for(url, chosen, self._environment), context)
        work = {
            "address": way.resolve,
            "tcp": lambda: way.connect(seconds),
            **({"tls": way.secure} if way.is_secure else {}),
        }
        try:
            for name, take in work.items():
                began = loop.time()
                detail, failure = "", None
                try:
                    async with asyncio.timeout(seconds):
                        detail = await take()
                except TimeoutError:
                    kind = "TLS connection" if name == "tls" else "connection"
                    failure = _no_way(f"No {kind} to {way.place} within {seconds:g} seconds.")
                except Unreachable as lost:
                    failure = lost.failure
                yield Step(name, loop.time() - began, detail, failure)
                if failure is not None:
                    return
        finally:
            way.close()


class _Way:
    """The way to one address. Each step gives a sentence of detail and raises ``Unreachable``."""

    def __init__(self, url: str, proxy: Proxy | None, tls: ssl.SSLContext) -> None:
        parts = urlsplit(origin_of(url))
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._target_is_secure = parts.scheme == "https"
        self._proxy = proxy
        self._tls = tls
        self._addresses: list[tuple[socket.AddressFamily, Any]] = []
        self._pipe: _Pipe | None = None
        self.place = parts.netloc

    @property
    def is_secure(self) -> bool:
        return self._target_is_secure or (self._proxy is not None and self._proxy.secure)

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()

    async def resolve(self) -> str:
        host, port = (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(failure_of(error, self.place)) from None
        self._addresses = [(entry[0], entry[4]) for entry in found]
        names = list(dict.fromkeys(str(address[0]) for _, address in self._addresses))
        more = len(names) - _SHOWN_ADDRESSES
        shown = " and ".join(names[:_SHOWN_ADDRESSES]) + (f" and {more} more" if more > 0 else "")
        return f"{'The proxy ' if self._proxy else ''}{host} is at {shown}."

    async def connect(self, seconds: float) -> str:
        """Each address in turn, with its share of the time."""
        told: OSError = OSError()
        for family, address in self._addresses:
            try:
                async with asyncio.timeout(seconds / len(self._addresses)):
                    self._pipe = await _connected(family, address)
            except OSError as error:  # TimeoutError is one
                told = error
            else:
                return f"{self._proxy or self.place} accepts connections."
        if isinstance(told, TimeoutError):
            raise told
        if isinstance(told, ConnectionRefusedError):
            raise Unreachable(failure_of(told, self.place))
        raise Unreachable(_no_way(f"No connection to {self.place} could be made."))

    async def secure(self) -> str:
        pipe = self._pipe
        assert pipe is not None
        version = "TLS"
        try:
            if self._proxy and self._proxy.secure:
                pipe = _Sealed(pipe, self._tls, self._proxy.host)
                version = await pipe.shake_hands()
            if self._proxy and self._target_is_secure:
                await self._open_tunnel(pipe, self._proxy)
            if self._target_is_secure:
                version = await _Sealed(pipe, self._tls, self._host).shake_hands()
        except ssl.SSLError as error:
            raise Unreachable(failure_of(error, self.place)) from None
        except TimeoutError:
            raise
        except OSError:
            raise Unreachable(failure_of(ssl.SSLError(), self.place)) from None
        return f"{version}, and the certificate is trusted."

    async def _open_tunnel(self, pipe: _Pipe, proxy: Proxy) -> None:
        lines = [f"CONNECT {self.place} HTTP/1.1", f"Host: {self.place}"]
        if proxy.auth is not None:
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(':'.join(proxy.auth).encode()).decode()}")
        await pipe.send("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD and (arrived := await pipe.receive()):
            head += arrived
        status = head[9:12].decode("latin-1") if head.startswith(b"HTTP/1.") else ""
        if not status.isdecimal() or int(status) not in _TUNNEL_OPEN:
            said = f" (HTTP {status})" if status.isdecimal() else ""
            raise Unreachable(_no_way(f"The proxy did not open a way to {self.place}{said}."))


def _no_way(sentence: str) -> Failure:
    return Failure(Fault.NETWORK, sentence, Scope.ENDPOINT)


class _Pipe(Protocol):
    """Bytes both ways. Raises OSError."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...

    def close(self) -> None: ...


async def _connected(family: socket.AddressFamily, address: Any) -> _Pipe:
    plain = _Plain(socket.socket(family, socket.SOCK_STREAM))
    try:
        await asyncio.get_running_loop().sock_connect(plain.socket, address)
    except BaseException:
        plain.close()
        raise
    return plain


class _Plain:
    """A socket of our own: nothing of it is left to the loop when a step fails or is given up."""

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        opened.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, _MOST_AT_ONCE)

    def close(self) -> None:
        self.socket.close()


class _Sealed:
    """TLS over another pipe, which may be TLS itself: a proxy that is spoken to in TLS opens a tunnel for TLS."""

    def __init__(self, under: _Pipe, context: ssl.SSLContext, host: str) -> None:
        self._under = under
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def shake_hands(self) -> str:
        """The version agreed on. Raises ssl.SSLError too."""
        await self._through(self._tls.do_handshake)
        return self._tls.version() or "TLS"

    async def send(self, data: bytes) -> None:
        await self._through(lambda: self._tls.write(data))

    async def receive(self) -> bytes:
        return await self._through(lambda: self._tls.read(_MOST_AT_ONCE))

    def close(self) -> None:
        self._under.close()

    async def _through(self, work: Callable[[], T]) -> T:
        while True:
            try:
                done = work()
            except ssl.SSLWantReadError:
                await self._flush()
                arrived = await self._under.receive()
                if not arrived:
                    raise ConnectionResetError from None
                self._incoming.write(arrived)
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._under.send(self._outgoing.read())
