"""Reaches out to an address step by step, each with its time: the name, TCP, TLS. Nothing of a request is sent."""

from __future__ import annotations

import asyncio
import base64
import errno
import ssl
from collections.abc import AsyncGenerator, Mapping
from typing import Final
from urllib.parse import urlsplit

from rooroute.adapters.http import failure_of
from rooroute.adapters.proxies import Proxy, proxy_for
from rooroute.adapters.tls import tls_context
from rooroute.outcome import Failure, Fault, Scope, Unreachable
from rooroute.secret import origin_of
from rooroute.trial import Step

_SHOWN_ADDRESSES: Final = 2
_SECOND_FAMILY_AFTER: Final = 0.25  # RFC 8305
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

    async def steps(self, url: str, chosen: str | None, *, seconds: float) -> AsyncGenerator[Step, None]:
        """The steps towards ``url``, each as it is done; one that fails is the last. ``seconds`` bounds each of them. TLS is left out
        where it is not spoken. Raises ValueError for a URL or proxy that cannot be used."""
        loop = asyncio.get_running_loop()
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        way = _Way(url, proxy_for(url, chosen, self._environment), self._tls)
        work = {"address": way.resolve, "tcp": way.connect, **({"tls": way.secure} if way.is_secure else {})}
        try:
            for name, take in work.items():
                began = loop.time()
                detail, failure = "", None
                try:
                    async with asyncio.timeout(seconds):
                        detail = await take()
                except TimeoutError:
                    kind = "TLS connection" if name == "tls" else "connection"
                    failure = way.lost(f"No {kind} to {way.place} within {seconds:g} seconds.")
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
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.place = parts.netloc

    @property
    def is_secure(self) -> bool:
        return self._target_is_secure or (self._proxy is not None and self._proxy.secure)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    def lost(self, sentence: str) -> Failure:
        return Failure(Fault.NETWORK, sentence, Scope.ENDPOINT)

    def _first(self) -> tuple[str, int]:
        return (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)

    async def resolve(self) -> str:
        host, port = self._first()
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable(failure_of(error, self.place)) from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        more = len(addresses) - _SHOWN_ADDRESSES
        shown = " and ".join(addresses[:_SHOWN_ADDRESSES]) + (f" and {more} more" if more > 0 else "")
        return f"{'The proxy ' if self._proxy else ''}{host} is at {shown}."

    async def connect(self) -> str:
        host, port = self._first()
        try:
            self._reader, self._writer = await asyncio.open_connection(
                host, port, happy_eyeballs_delay=_SECOND_FAMILY_AFTER
            )
        except OSError as error:
            refused = error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error)
            told = failure_of(ConnectionRefusedError(), self.place)
            raise Unreachable(told if refused else self.lost(f"No connection to {self.place} could be made.")) from None
        return f"{self._proxy or self.place} accepts connections."

    async def secure(self) -> str:
        reader, writer = self._reader, self._writer
        assert reader is not None and writer is not None
        try:
            if self._proxy and self._proxy.secure:
                await writer.start_tls(self._tls, server_hostname=self._proxy.host)
            if self._proxy and self._target_is_secure:
                await self._open_tunnel(reader, writer, self._proxy)
            if self._target_is_secure:
                await writer.start_tls(self._tls, server_hostname=self._host)
        except ssl.SSLError as error:
            raise Unreachable(failure_of(error, self.place)) from None
        except OSError:
            raise Unreachable(failure_of(ssl.SSLError(), self.place)) from None
        version = writer.get_extra_info("ssl_object").version()
        return f"{version}, and the certificate is trusted."

    async def _open_tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy) -> None:
        lines = [f"CONNECT {self.place} HTTP/1.1", f"Host: {self.place}"]
        if proxy.auth is not None:
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(':'.join(proxy.auth).encode()).decode()}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = b""
        status = head[9:12].decode("latin-1") if head.startswith(b"HTTP/1.") else ""
        if not status.isdecimal() or int(status) not in _TUNNEL_OPEN:
            said = f" (HTTP {status})" if status.isdecimal() else ""
            raise Unreachable(self.lost(f"The proxy did not open a way to {self.place}{said}."))
