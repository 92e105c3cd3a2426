"""The network: send one request, hand over the answer as it comes. The one room that knows httpcore.

The engine is used below httpx's client on purpose: it has no redirects, no cookies, no netrc, no environment and no URL in its
exceptions, so a key cannot leave by any of those doors. A secret is revealed here, at the moment of sending, against the origin of the
URL it goes to.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, Protocol

import httpcore

from rooroute.adapters.http_answer import Answer, Patience
from rooroute.adapters.http_message import Message, engine_request, reveal
from rooroute.adapters.proxies import Proxy, proxy_for
from rooroute.adapters.wire import Sockets, StaleConnection, tls_context
from rooroute.adapters.wire_faults import ENGINE_ERRORS, failure_of
from rooroute.errors import InvalidInput
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import ErrorAnswer, HttpRequest

_KEEP_ALIVE: Final = 120.0
_KEPT_CONNECTIONS: Final = 100
_DRAIN_SECONDS: Final = 0.25
_DRAIN_BYTES: Final = 65_536

logging.getLogger("httpcore").setLevel(logging.WARNING)


class Engine(Protocol):
    """What sends a request and gives back an answer whose headers are there."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response: ...

    async def aclose(self) -> None: ...


def open_pool(proxy: Proxy | None, tls: ssl.SSLContext) -> Engine:
    """The seam: another engine is put in here."""
    limits: dict[str, Any] = {
        "max_connections": None,
        "max_keepalive_connections": _KEPT_CONNECTIONS,
        "keepalive_expiry": _KEEP_ALIVE,
        "http2": False,
        "retries": 0,
        "network_backend": Sockets(),
    }
    if proxy is None:
        return httpcore.AsyncConnectionPool(ssl_context=tls, **limits)
    return httpcore.AsyncHTTPProxy(
        proxy_url=proxy.url,
        proxy_auth=proxy.auth,
        ssl_context=tls,
        proxy_ssl_context=tls if proxy.url.startswith("https:") else None,
        **limits,
    )


class Upstream:
    """Connections to every provider of this process: one pool directly and one per proxy, all made when first needed.

    ``environment`` is read once, for HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; a profile's own proxy comes first.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {
            name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")
        }
        self._pools: dict[Proxy | None, Engine] = {}
        self._tls: ssl.SSLContext | None = None
        self._draining: set[asyncio.Task[None]] = set()

    async def warm(self) -> None:
        """Load the trust store and make the direct pool, so that the first request does not pay for it."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        self._pool(None)

    async def close(self) -> None:
        """Drop every connection; answers still open break off."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.aclose()

    @asynccontextmanager
    async def open(self, request: HttpRequest, timeouts: Timeouts, proxy: str | None = None) -> AsyncIterator[Answer]:
        """Send ``request``; the answer as soon as its headers are there, whatever its status.

        Raises ``Unreachable`` (here or from ``chunks``) for whatever goes wrong on the wire, ``OriginNotApproved`` when a secret was
        saved for another origin, ``InvalidInput`` for a URL or proxy that cannot be used. ``timeouts.connect`` bounds the connection,
        ``first_token`` the time to the body's first byte, ``idle`` each gap after it, ``total`` everything.
        """
        message = reveal(request)
        response, patience = await self._ask(message, timeouts, self._pool(self._way(request.url, proxy)))
        answer = Answer(response, patience, message.place)
        try:
            _refuse_compression(answer, message.place)
            yield answer
        except BaseException:
            await answer.chunks.aclose()
            await response.aclose()
            raise
        if answer.finished:
            await response.aclose()
        else:
            self._drain(answer, response)

    async def request(
        self, request: HttpRequest, *, seconds: float = 10.0, limit: int = 8_388_608, proxy: str | None = None
    ) -> ErrorAnswer:
        """One short exchange, body and all, for model lists and tokens. At most ``limit`` bytes within ``seconds``."""
        times = Timeouts(connect=seconds, first_token=seconds, idle=seconds, total=seconds)
        async with self.open(request, times, proxy) as answer:
            body = bytearray()
            async with aclosing(answer.chunks) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > limit:
                        raise Unreachable(Failure(Fault.BAD_ANSWER, f"The answer is longer than {limit:,} bytes."))
            return ErrorAnswer(answer.status, answer.headers, bytes(body))

    def _way(self, url: str, proxy: str | None) -> Proxy | None:
        try:
            return proxy_for(url, proxy, self._environment)
        except ValueError as wrong:
            raise InvalidInput(f"The proxy cannot be used: {wrong}.", field="profile.proxy") from None

    def _pool(self, proxy: Proxy | None) -> Engine:
        if proxy not in self._pools:
            self._tls = self._tls or tls_context()
            self._pools[proxy] = open_pool(proxy, self._tls)
        return self._pools[proxy]

    async def _ask(self, message: Message, timeouts: Timeouts, pool: Engine) -> tuple[httpcore.Response, Patience]:
        """Send and wait for the headers. A kept connection that turns out dead before any byte of the answer is replaced once."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        bound = min(timeouts.first_token, timeouts.total)
        lost: Failure
        try:
            async with asyncio.timeout(bound):
                try:
                    response = await pool.handle_async_request(engine_request(message, timeouts))
                except StaleConnection:
                    response = await pool.handle_async_request(engine_request(message, timeouts))
                spent = loop.time() - began
                socket = response.extensions["network_stream"]
                return response, Patience(bound - spent, timeouts.idle, timeouts.total - spent, socket)
        except TimeoutError:
            lost = Failure(Fault.TIMEOUT, f"{message.place} did not answer within {bound:g} seconds.")
        except ENGINE_ERRORS as error:
            lost = failure_of(error, message.place, seconds=timeouts.connect)
        raise Unreachable(lost)

    def _drain(self, answer: Answer, response: httpcore.Response) -> None:
        """Read the little that follows the end of a stream, so that its connection can be used again."""
        task = asyncio.get_running_loop().create_task(_finish(answer, response))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


async def _finish(answer: Answer, response: httpcore.Response) -> None:
    rest = 0
    try:
        with suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for chunk in answer.chunks:
                    rest += len(chunk)
                    if rest > _DRAIN_BYTES:
                        break
    finally:
        await answer.chunks.aclose()
        await response.aclose()


def _refuse_compression(answer: Answer, place: str) -> None:
    """Identity was asked for; a compressed answer is refused unread, since 48 KB of gzip can be 50 MB of text."""
    if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise Unreachable(
            Failure(Fault.BAD_ANSWER, f"{place} compressed its answer though asked not to.", status=answer.status)
        )
