"""The network: send one request, hand over the answer as it comes, under deadlines of our own.

A secret is revealed at the moment of sending, against the origin of the URL it goes to (``http_message``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

from rooroute.adapters.http_answer import Answer, Patience
from rooroute.adapters.http_engine import Engine, Reply
from rooroute.adapters.http_message import Message, reveal
from rooroute.adapters.proxies import Proxy, proxy_for
from rooroute.adapters.wire import WireError, tls_context
from rooroute.adapters.wire_faults import failure_of
from rooroute.errors import InvalidInput
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import ErrorAnswer, HttpRequest

_DRAIN_SECONDS: Final = 0.25
_DRAIN_BYTES: Final = 65_536


class Upstream:
    """Connections to every provider of this process: one engine for the direct way and one per proxy, all made when first needed.

    ``environment`` is read once, for HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY; a profile's own proxy comes first.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {
            name.lower(): value for name, value in environment.items() if name.lower().endswith("_proxy")
        }
        self._engines: dict[Proxy | None, Engine] = {}
        self._tls: ssl.SSLContext | None = None
        self._draining: set[asyncio.Task[None]] = set()

    async def warm(self) -> None:
        """Load the trust store and make the direct engine, so that the first request does not pay for it."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(tls_context)
        self._engine(None)

    async def close(self) -> None:
        """Drop every connection; answers still open break off."""
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        engines, self._engines = self._engines, {}
        for engine in engines.values():
            await engine.close()

    @asynccontextmanager
    async def open(self, request: HttpRequest, timeouts: Timeouts, proxy: str | None = None) -> AsyncIterator[Answer]:
        """Send ``request``; the answer as soon as its headers are there, whatever its status.

        Raises ``Unreachable`` (here or from ``chunks``) for whatever goes wrong on the wire, ``OriginNotApproved`` when a secret was
        saved for another origin, ``InvalidInput`` for a URL or proxy that cannot be used. ``timeouts.connect`` bounds the connection,
        ``first_token`` the time to the body's first byte, ``idle`` each gap after it, ``total`` everything.
        """
        message = reveal(request)
        reply, patience = await self._ask(message, timeouts, self._engine(self._way(request.url, proxy)))
        answer = Answer(reply, patience, message.place)
        try:
            _refuse_compression(answer, message.place)
            yield answer
        except BaseException:
            await answer.chunks.aclose()
            reply.close()
            raise
        if reply.over:
            await answer.chunks.aclose()
            reply.close()
        else:
            self._drain(answer, reply)

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

    def _engine(self, proxy: Proxy | None) -> Engine:
        """The seam: another engine is put in here."""
        if proxy not in self._engines:
            self._tls = self._tls or tls_context()
            self._engines[proxy] = Engine(proxy, self._tls)
        return self._engines[proxy]

    async def _ask(self, message: Message, timeouts: Timeouts, engine: Engine) -> tuple[Reply, Patience]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        bound = min(timeouts.first_token, timeouts.total)
        lost: Failure
        try:
            async with asyncio.timeout(bound):
                reply = await engine.send(message, timeouts.connect)
            spent = loop.time() - began
            return reply, Patience(bound - spent, timeouts.idle, timeouts.total - spent, reply.socket)
        except TimeoutError:
            lost = Failure(Fault.TIMEOUT, f"{message.place} did not answer within {bound:g} seconds.")
        except WireError as error:
            lost = failure_of(error, message.place, seconds=timeouts.connect)
        raise Unreachable(lost)

    def _drain(self, answer: Answer, reply: Reply) -> None:
        """Read the little that follows the end of a stream, so that its connection can be used again."""
        task = asyncio.get_running_loop().create_task(_finish(answer, reply))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


async def _finish(answer: Answer, reply: Reply) -> None:
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
        reply.close()


def _refuse_compression(answer: Answer, place: str) -> None:
    """Identity was asked for; a compressed answer is refused unread, since 48 KB of gzip can be 50 MB of text."""
    if answer.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
        raise Unreachable(
            Failure(Fault.BAD_ANSWER, f"{place} compressed its answer though asked not to.", status=answer.status)
        )
