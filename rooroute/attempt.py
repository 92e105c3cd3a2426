"""One attempt at one profile: send, decode, deliver, and say what it came to.

The first piece of content handed to the client is the commit point. Before it a failure is silent; after it the delivered part stays
delivered, and what happens next is decided by the story's ``verdicts``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from rooroute.chat import (
    Event,
    Failed,
    Finished,
    FinishReason,
    Message,
    Part,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageSeen,
)
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.portable_history import sealed
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import Dialect, ErrorAnswer, HttpRequest

_ERROR_BODY_BYTES: Final = 65_536


class Answer(Protocol):
    """An HTTP answer whose body is still coming."""

    status: int
    headers: Mapping[str, str]

    @property
    def chunks(self) -> AsyncIterator[bytes]: ...

    def join_chunks(self) -> None: ...

    async def read(self, limit: int) -> bytes: ...


class Upstream(Protocol):
    """The network. Raises ``Unreachable`` for whatever goes wrong on the wire, and ``OriginNotApproved``."""

    def open(
        self, request: HttpRequest, timeouts: Timeouts, proxy: str | None
    ) -> AbstractAsyncContextManager[Answer]: ...


class Sink(Protocol):
    """Where an answer goes, in delivery order. Plain calls, since they are on the path of every token; ``room`` is the back-pressure."""

    def attempt(self, n: int, profile_id: str, model: str, why: str) -> None: ...

    def text(self, text: str) -> None: ...

    def thinking(self, text: str, signature: str | None) -> None: ...

    def tool_call(self, delta: ToolCallDelta) -> None: ...

    def waiting(self, until: float | None, now: float, profile_ids: tuple[str, ...]) -> None: ...

    def reset(self, n: int) -> None: ...

    def usage(self, usage: Usage) -> None: ...

    async def room(self) -> None: ...


class Silence:
    """The sink of an answer that nobody hears while it comes."""

    def attempt(self, n: int, profile_id: str, model: str, why: str) -> None: ...

    def text(self, text: str) -> None: ...

    def thinking(self, text: str, signature: str | None) -> None: ...

    def tool_call(self, delta: ToolCallDelta) -> None: ...

    def waiting(self, until: float | None, now: float, profile_ids: tuple[str, ...]) -> None: ...

    def reset(self, n: int) -> None: ...

    def usage(self, usage: Usage) -> None: ...

    async def room(self) -> None: ...


@dataclass(slots=True)
class _CallDraft:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    signature: str | None = None


class Delivery:
    """What one request has handed to its client since the last reset, whichever attempts it came from."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._text: list[str] = []
        self._thinking: list[tuple[str, str | None]] = []
        self._calls: dict[int, _CallDraft] = {}

    @property
    def empty(self) -> bool:
        return not (self._text or self._thinking or self._calls)

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    @property
    def has_thinking(self) -> bool:
        return bool(self._thinking)

    def text_so_far(self) -> str:
        return "".join(self._text)

    def room(self) -> Awaitable[None]:
        """Until the client takes more."""
        return self._sink.room()

    def text(self, delta: TextDelta) -> None:
        self._text.append(delta.text)
        self._sink.text(delta.text)

    def thinking(self, delta: ThinkingDelta) -> None:
        self._thinking.append((delta.text, delta.signature))
        self._sink.thinking(delta.text, delta.signature)

    def tool_call(self, delta: ToolCallDelta) -> None:
        draft = self._calls.setdefault(delta.index, _CallDraft())
        draft.id = delta.id or draft.id
        draft.name = delta.name or draft.name
        draft.signature = delta.signature or draft.signature
        draft.arguments.append(delta.arguments)
        self._sink.tool_call(delta)

    def reset(self, n: int) -> None:
        """Take everything back; the client is told to drop it."""
        self._text.clear()
        self._thinking.clear()
        self._calls.clear()
        self._sink.reset(n)

    def message(self, *, complete: bool) -> Message:
        """The delivered answer as a message. Of an interrupted one the tool calls are left out: half a call must never be run."""
        thinking = self._thinking_parts()
        text = self.text_so_far()
        content: str | tuple[Part, ...] = (*thinking, *((TextPart(text),) if text else ())) if thinking else text
        calls = tuple(
            ToolCall(d.id, d.name, "".join(d.arguments) or "{}", d.signature) for _, d in sorted(self._calls.items())
        )
        return Message("assistant", content, calls if complete else ())

    def _thinking_parts(self) -> tuple[ThinkingPart, ...]:
        """Fragments joined up to each signature: a signature closes the block it signs."""
        parts: list[ThinkingPart] = []
        pending: list[str] = []
        for text, signature in self._thinking:
            pending.append(text)
            if signature is not None:
                parts.append(ThinkingPart("".join(pending), signature))
                pending.clear()
        if any(pending):
            parts.append(ThinkingPart("".join(pending)))
        return tuple(parts)


@dataclass(slots=True)
class Attempt:
    """One attempt as it goes and, in the end, as it went. Durations in seconds.

    Signatures that come before any word begin no answer: they are held back until one does, and dropped where none comes.
    """

    dialect: Dialect
    delivery: Delivery
    monotonic: Callable[[], float]
    on_commit: Callable[[], None]
    committed: bool = False
    usage: Usage | None = None
    output_characters: int = 0
    first_token: float | None = None
    duration: float = 0.0
    finish: FinishReason | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    error_body: bytes = b""
    _started: float = 0.0
    _first_content: asyncio.Timeout | None = None
    _held_back: list[ThinkingDelta] = field(default_factory=list)

    async def run(
        self, upstream: Upstream, request: HttpRequest, timeouts: Timeouts, proxy: str | None, now: float
    ) -> Failure | None:
        """Send and deliver; None when terminal evidence was seen, else what went wrong. Cancellation passes through."""
        self._started = self.monotonic()
        try:
            async with asyncio.timeout(timeouts.first_token) as self._first_content:
                return await self._exchange(upstream, request, timeouts, proxy, now)
        except TimeoutError:
            return Failure(Fault.TIMEOUT, f"No token came within {timeouts.first_token:g} seconds.")
        except Unreachable as lost:
            return lost.failure
        finally:
            self.duration = self.monotonic() - self._started

    async def _exchange(
        self, upstream: Upstream, request: HttpRequest, timeouts: Timeouts, proxy: str | None, now: float
    ) -> Failure | None:
        async with upstream.open(request, timeouts, proxy) as answer:
            self.status, self.headers = answer.status, answer.headers
            if not 200 <= answer.status < 300:
                body = self.error_body = await answer.read(_ERROR_BODY_BYTES)
                return self.dialect.classify(ErrorAnswer(answer.status, answer.headers, body), now)
            decoder = self.dialect.decoder(answer.headers.get("content-type", ""), now)
            async for chunk in answer.chunks:
                for event in decoder.feed(chunk):
                    if (end := self._take(event)) is not None:
                        return self._judged(end)
                if self.committed:  # before it there is nothing to wait with, and the deadline for the first token runs
                    answer.join_chunks()
                    await self.delivery.room()
            for event in decoder.close():
                if (end := self._take(event)) is not None:
                    return self._judged(end)
        return Failure(Fault.TRANSIENT, "The answer ended without its closing event.")

    def _take(self, event: Event) -> Finished | Failed | None:
        """Deliver one event; the closing one is handed back."""
        if type(event) is not TextDelta:
            return self._take_rare(event)
        if event.text:
            if not self.committed:
                self._commit()
            self.output_characters += len(event.text)
            self.delivery.text(event)
        return None

    def _take_rare(self, event: Event) -> Finished | Failed | None:
        match event:
            case ThinkingDelta(text, signature) if text or signature:
                if text and not self.committed:
                    self._commit()
                self.output_characters += len(text)
                told = ThinkingDelta(text, sealed(signature, self.dialect.name))
                self.delivery.thinking(told) if self.committed else self._held_back.append(told)
            case ToolCallDelta():
                if not self.committed:
                    self._commit()
                self.output_characters += len(event.arguments)
                self.delivery.tool_call(replace(event, signature=sealed(event.signature, self.dialect.name)))
            case UsageSeen(usage):
                self.usage = usage
            case Finished(reason):
                self.finish = reason
                return event
            case Failed():
                return event
        return None

    def _commit(self) -> None:
        self.committed = True
        self.first_token = self.monotonic() - self._started
        if self._first_content is not None:
            self._first_content.reschedule(None)
        self.on_commit()
        self._hand_over_seals()

    def _hand_over_seals(self) -> None:
        for each in self._held_back:
            self.delivery.thinking(each)

    def _judged(self, end: Finished | Failed) -> Failure | None:
        """What the closing event means. A clean end without a word is a bad answer: the next profile may have one. One that a filter left
        without a word is a refusal like that of a prompt."""
        if isinstance(end, Failed):
            return end.failure
        if self.committed:
            return None
        if end.reason is FinishReason.CONTENT_FILTER:
            return Failure(Fault.POLICY, "The answer was refused by a content filter.", status=self.status)
        if end.reason in (FinishReason.STOP, FinishReason.OTHER):
            return Failure(Fault.BAD_ANSWER, "The answer was empty.", status=self.status)
        self._hand_over_seals()
        return None
