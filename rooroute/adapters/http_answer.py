"""An HTTP answer as it comes, under deadlines of our own; part of the one room that knows httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Final

import httpx

from rooroute.adapters.http_failures import ON_THE_WIRE, failure_of
from rooroute.adapters.http_message import Message
from rooroute.adapters.patience import Patience, ReadAhead
from rooroute.outcome import Failure, Fault, Unreachable

_MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
_ERROR_BODY_SECONDS: Final = 5.0
_DRAIN_SECONDS: Final = 0.25
_DRAIN_BYTES: Final = 65_536


class Answer:
    """An HTTP answer whose body is still coming: status, headers (names lower case), ``chunks`` as they arrive, never decoded.

    Each wait for the provider has its own deadline: the first chunk has what ``patience`` left of its gap, every later one ``idle``
    seconds, all together what ``patience`` has left. Time that the reader takes does not count: a slow reader is not the provider's fault.
    """

    def __init__(self, response: httpx.Response, message: Message, idle: float, patience: Patience) -> None:
        self.status = response.status_code
        self._failed = not httpx.codes.is_success(self.status)
        self.headers: Mapping[str, str] = message.struck_headers(response.headers) if self._failed else response.headers
        self.finished = False
        self._response = response
        self._message = message
        self._place = message.place
        self._idle = idle
        self._patience = patience
        self._joined = False
        self._ahead: ReadAhead | None = None
        self._size = 0
        self.chunks: AsyncGenerator[bytes, None] = self._read_chunks()

    def join_chunks(self) -> None:
        """From now on ``chunks`` gives in one piece what came in one go: that is faster to decode, once the first word is shown."""
        self._joined = True

    async def _read_chunks(self) -> AsyncGenerator[bytes, None]:
        patience = self._patience
        assert isinstance(self._response.stream, httpx.AsyncByteStream)
        stream = aiter(self._response.stream)
        try:
            patience.waits()
            async for chunk in stream:
                patience.heard(self._idle)
                self._count(chunk)
                yield chunk
                if self._joined:
                    break
                patience.waits()
            else:
                self.finished = True
                return
            self._ahead = ReadAhead(stream)
            while piece := await self._next_piece(self._ahead):
                yield piece
            self.finished = True
        except asyncio.CancelledError:
            if not patience.was_the_cause():
                raise
            raise Unreachable(self._late()) from None
        except ON_THE_WIRE as error:
            raise Unreachable(failure_of(error, self._place)) from None
        finally:
            patience.stop()
            if self._ahead is not None:
                await self._ahead.stop()

    async def _next_piece(self, ahead: ReadAhead) -> bytes:
        if ahead.empty:
            self._patience.waits()
            await ahead.come()
            self._patience.heard(self._idle)
        piece = await ahead.take()
        self._count(piece)
        return piece

    def _count(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > _MAX_ANSWER_BYTES:
            raise Unreachable(Failure(Fault.BAD_ANSWER, f"The answer of {self._place} is longer than 256 MiB."))

    def _late(self) -> Failure:
        gap, left = self._patience.gap, self._patience.left
        if left <= gap:
            return Failure(Fault.TIMEOUT, f"{self._place} did not finish its answer in time.")
        return Failure(Fault.TIMEOUT, f"{self._place} sent nothing for {gap:.3g} seconds.")

    async def read(self, limit: int) -> bytes:
        """The body's first ``limit`` bytes, or what of them came within 5 seconds: an error is judged by what can be had of it.

        The keys that were sent are struck out: a provider may quote the very key it refuses.
        """
        body = bytearray()
        with suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_ERROR_BODY_SECONDS):
                async for chunk in self.chunks:
                    body += chunk
                    if len(body) >= limit:
                        break
        return self._message.struck(bytes(body))[:limit]

    def told(self, body: bytes) -> bytes:
        """A whole body as it may be read: an error without the keys that were sent; what was asked for (names of models, a token) as it came."""
        return self._message.struck(body) if self._failed else body

    async def close(self) -> None:
        """Let the connection go: back into the pool when the body was read to its end, closed otherwise."""
        await self.chunks.aclose()
        await self._response.aclose()


async def finish(answer: Answer) -> None:
    """Read the little that is left and let the connection go; it is closed where more comes, or too late."""
    rest = 0
    try:
        with suppress(TimeoutError, Unreachable):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for chunk in answer.chunks:
                    rest += len(chunk)
                    if rest > _DRAIN_BYTES:
                        break
    finally:
        await answer.close()
