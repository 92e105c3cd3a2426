"""The network: send one request, hand over the answer as it comes, under deadlines of our own. With ``http_answer`` and
``http_failures`` the one room that knows httpx.

httpx's transport is used without its client: a transport follows no redirect, keeps no cookie, reads no environment and logs no URL, so
a key cannot leave by any of those doors. A secret is revealed at the moment of sending, against the origin of the URL it goes to.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import Any, Final

import httpx

from rooroute.adapters.commands import Commands
from rooroute.adapters.http_answer import Answer, finish
from rooroute.adapters.http_failures import ON_THE_WIRE, closed, failure_of
from rooroute.adapters.http_message import Message, reveal
from rooroute.adapters.network import CONNECTED, Network
from rooroute.adapters.patience import Patience
from rooroute.adapters.tls import TlsFiles, tls_context
from rooroute.errors import InvalidInput
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Tls
from rooroute.proxies import Proxy, proxy_for

if find_spec("sniffio") is None:
    # httpcore tries to import it several times per request, and each time the whole of sys.path is searched in vain: more than its own
    # work on the request. None says at once that it is not there (https://docs.python.org/3/reference/import.html#the-module-cache,
    # https://github.com/encode/httpcore/blob/1.0.9/httpcore/_synchronization.py#L22).
    sys.modules["sniffio"] = None  # type: ignore[assignment]
logging.getLogger("httpcore").setLevel(logging.WARNING)  # at DEBUG it tells what is sent

_KEPT_SECONDS: Final = 120.0
_LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_KEPT_SECONDS)


def open_transport(proxy: Proxy | None, tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The seam: another transport is put in here."""
    way = None
    if proxy is not None:
        host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
        url = f"{'https' if proxy.secure else 'http'}://{host}:{proxy.port}"
        way = httpx.Proxy(url, auth=proxy.auth, ssl_context=tls if proxy.secure else None)

    another = partial(_Transport, verify=tls, limits=_LIMITS, proxy=way, trust_env=False)
    return Lanes(another, asyncio.get_running_loop().time)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over connections of ours: httpcore takes another network (https://www.encode.io/httpcore/network-backends/), and httpx
    has no parameter to pass it on."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._pool._network_backend = Network()  # noqa: SLF001


class _Lane:
    """One of several transports, whether a request is on it, and since when none is."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self.transport = transport
        self.taken = True
        self.free_since = 0.0


class _OnLane(httpx.AsyncByteStream):
    """A body that leaves its lane when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, leave: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._leave: Callable[[], Awaitable[None]] | None = leave

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        leave, self._leave = self._leave, None
        try:
            await self._stream.aclose()
        finally:
            if leave is not None:
                await leave()


class Lanes(httpx.AsyncBaseTransport):
    """A transport for each request that is under way to an origin; the first free one is used, the last are dropped when nobody needs them.

    httpcore goes through all connections of a pool, with a system call for each idle one, whenever a request begins or ends
    (https://github.com/encode/httpcore/blob/1.0.9/httpcore/_async/connection_pool.py#L270): at a hundred streams that is a quarter of
    the whole work, and a failover pays it four times. It also closes what has expired only when it is asked for something.
    """

    def __init__(self, another: Callable[[], httpx.AsyncBaseTransport], clock: Callable[[], float]) -> None:
        self._another = another
        self._clock = clock
        self._lanes: dict[tuple[str, bytes], list[_Lane]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on the first free lane to its origin."""
        lanes = self._lanes.setdefault((request.url.scheme, request.url.netloc), [])
        lane = next((each for each in lanes if not each.taken), None)
        if lane is None:
            lane = _Lane(self._another())
            lanes.append(lane)
        lane.taken = True
        leave = partial(self._leave, lane, lanes)
        try:
            response = await lane.transport.handle_async_request(request)
        except BaseException:
            await leave()
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _OnLane(response.stream, leave)
        return response

    async def _leave(self, lane: _Lane, lanes: list[_Lane]) -> None:
        now = self._clock()
        lane.taken, lane.free_since = False, now
        last = lanes[-1] if lanes else lane
        if last is not lane and not last.taken and now - last.free_since > _KEPT_SECONDS:
            lanes.pop()
            await last.transport.aclose()

    async def aclose(self) -> None:
        """Drop every connection."""
        lanes, self._lanes = [lane for lanes in self._lanes.values() for lane in lanes], {}
        for lane in lanes:
            await lane.transport.aclose()


class Upstream:
    """Connections to every provider of this process: one transport per way (direct or a proxy) and client certificate, made when first
    needed.

    ``environment`` is read once, for HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and for the commands that sign; a profile's own
    proxy comes first.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {
            name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")
        }
        self._commands = Commands(environment)
        self._transports: dict[tuple[Proxy | None, TlsFiles | None], httpx.AsyncBaseTransport] = {}
        self._tls: ssl.SSLContext | None = None
        self._draining: set[asyncio.Task[None]] = set()

    async def warm(self) -> None:
        """Load the trust store and make the direct transport, so that the first request does not pay for it."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        await self._transport(None, None)

    async def close(self) -> None:
        """Drop every connection; answers still open break off."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        transports, self._transports = self._transports, {}
        for transport in transports.values():
            await transport.aclose()

    @asynccontextmanager
    async def open(self, request: HttpRequest, timeouts: Timeouts, proxy: str | None = None) -> AsyncIterator[Answer]:
        """Send ``request``; the answer as soon as its headers are there, whatever its status.

        Raises ``Unreachable`` (here or from ``chunks``) for whatever goes wrong on the wire, ``OriginNotApproved`` when a secret was
        saved for another origin, ``InvalidInput`` for a URL or proxy that cannot be used. ``timeouts.connect`` bounds the connection,
        ``first_token`` the time to the body's first byte, ``idle`` each gap after it, ``total`` everything.
        """
        if request.signer is not None:
            request = await self._commands.sign(request, request.signer)
        message = reveal(request)
        transport = await self._transport(self._way(request.url, proxy), request.tls)
        answer = await self._ask(message, timeouts, transport)
        try:
            _refuse_compression(answer, message.place)
            yield answer
        except BaseException:
            await answer.close()
            raise
        if answer.finished:
            await answer.close()
        else:
            self._drain(answer)

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
            return ErrorAnswer(answer.status, answer.headers, answer.told(bytes(body)))

    def _way(self, url: str, proxy: str | None) -> Proxy | None:
        try:
            return proxy_for(url, proxy, self._environment)
        except ValueError as wrong:
            remedy = (
                "correct the profile's proxy" if proxy else "correct the environment's, or give the profile its own"
            )
            raise InvalidInput(f"The proxy cannot be used: {wrong}; {remedy}.", field="profile.proxy") from None

    async def _transport(self, proxy: Proxy | None, wish: Tls | None) -> httpx.AsyncBaseTransport:
        """A profile's certificates are read again when their files have changed: some are renewed every hour."""
        files = TlsFiles.seen(wish) if wish is not None else None
        found = self._transports.get((proxy, files))
        if found is None:
            if wish is None:
                tls = self._tls = self._tls or tls_context()
            else:
                tls = await asyncio.to_thread(tls_context, wish)
            found = self._transports.setdefault((proxy, files), open_transport(proxy, tls))
        return found

    async def _ask(self, message: Message, timeouts: Timeouts, transport: httpx.AsyncBaseTransport) -> Answer:
        patience = Patience(timeouts.first_token, timeouts.total)
        patience.waits()
        try:
            response = await self._send(message, timeouts, transport)
        except asyncio.CancelledError:
            if not patience.was_the_cause():
                raise
            bound = min(timeouts.first_token, timeouts.total)
            late = Failure(Fault.TIMEOUT, f"{message.place} did not answer within {bound:g} seconds.")
            raise Unreachable(late) from None
        except ON_THE_WIRE as error:
            raise Unreachable(failure_of(error, message.place, seconds=timeouts.connect)) from None
        finally:
            patience.heard()
            patience.stop()
        return Answer(response, message, timeouts.idle, patience)

    async def _send(self, message: Message, timeouts: Timeouts, transport: httpx.AsyncBaseTransport) -> httpx.Response:
        """Send and wait for the headers. A kept connection that the other side had closed meanwhile is replaced once, unseen.

        On a fresh connection nothing is sent twice: whoever broke that may have begun to answer.
        """
        times = {"connect": timeouts.connect, "write": None, "read": None, "pool": None}
        url = _parsed(message)
        length = [(b"content-length", b"%d" % len(message.body))] if message.body else []
        headers, stream = [(b"host", url.netloc), *length, *message.headers], httpx.ByteStream(message.body)
        request = httpx.Request(message.method, url, headers=headers, stream=stream, extensions={"timeout": times})
        CONNECTED.set(False)
        try:
            return await transport.handle_async_request(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            dropped = isinstance(error, httpx.ReadError | httpx.WriteError) or closed(error) is not None
            if CONNECTED.get() or not dropped:
                raise
        return await transport.handle_async_request(request)

    def _drain(self, answer: Answer) -> None:
        """Read the little that follows the end of a stream, so that its connection can be used again."""
        task = asyncio.get_running_loop().create_task(finish(answer))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


def _parsed(message: Message) -> httpx.URL:
    """Parsing costs as much as connecting to a kept connection; a URL that holds a secret is not remembered."""
    try:
        return httpx.URL(message.url) if message.url_is_secret else _remembered(message.url)
    except httpx.InvalidURL as wrong:
        told = f"The address at {message.place} cannot be used: {wrong}; correct the base URL."
        raise InvalidInput(told, field="profile.baseUrl") from None


@lru_cache(maxsize=256)
def _remembered(url: str) -> httpx.URL:
    return httpx.URL(url)


def _refuse_compression(answer: Answer, place: str) -> None:
    """Identity was asked for; a compressed answer is refused unread, since 48 KB of gzip can be 50 MB of text."""
    if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise Unreachable(
            Failure(Fault.BAD_ANSWER, f"{place} compressed its answer though asked not to.", status=answer.status)
        )
