"""Bytes of a recorded stream in, events out; and the way an answer takes through a client into the next request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rooroute.attempt import Delivery, Silence
from rooroute.chat import ChatRequest, Event, Failed, Finished, Message, TextDelta, ThinkingDelta, ToolCallDelta
from rooroute.portable_history import SignatureMemory, for_dialect, sealed
from rooroute.profiles import Profile
from rooroute.providers.dialect import Dialect, HttpRequest, Target
from rooroute.secret import Secret

RECORDED = Path(__file__).parent / "recorded"
NOW = 1_774_310_400.0
"""2026-03-24 00:00 UTC."""


def decoded(dialect: Dialect, pieces: Iterable[bytes], content_type: str = "text/event-stream") -> list[Event]:
    """Every event of a body that arrives in these pieces."""
    decoder = dialect.decoder(content_type, NOW)
    events: list[Event] = []
    for piece in pieces:
        events += decoder.feed(piece)
    return merged([*events, *decoder.close()])


def merged(events: Iterable[Event]) -> list[Event]:
    """The events as if all had come in one go: text that follows text is one delta."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            out[-1] = TextDelta(last.text + event.text)
        else:
            out.append(event)
    return out


def _by_letter(events: Iterable[Event]) -> list[Event]:
    return [
        each for event in events for each in (map(TextDelta, event.text) if isinstance(event, TextDelta) else (event,))
    ]


def assert_any_cut_is_noticed(dialect: Dialect, data: bytes, evidence_ends: int) -> None:
    """Cut anywhere: one end, a good one only with the evidence in, deltas a prefix of the whole."""
    whole = _by_letter(content(decoded(dialect, [data])))
    for at in range(len(data) + 1):
        events = decoded(dialect, [data[:at]])
        assert sum(isinstance(event, Finished | Failed) for event in events) == 1, at
        assert isinstance(events[-1], Finished) == (at >= evidence_ends), at
        letters = _by_letter(content(events))
        assert letters == whole[: len(letters)], at


def content(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta)]


def text_in(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def as_delivered(dialect: Dialect, events: Sequence[Event]) -> Message:
    """The answer as a client holds it: put together and sealed by the code that serves clients."""
    delivery = Delivery(Silence())
    for event in events:
        match event:
            case TextDelta():
                delivery.text(event)
            case ThinkingDelta(text, signature):
                delivery.thinking(ThinkingDelta(text, sealed(signature, dialect.name)))
            case ToolCallDelta():
                delivery.tool_call(replace(event, signature=sealed(event.signature, dialect.name)))
            case _:
                pass
    return delivery.message(complete=True)


def sent(dialect: Dialect, request: ChatRequest, model: str, **options: Any) -> Any:
    """The JSON body of a request."""
    return json.loads(built(dialect, request, model, **options).body)


def sent_next(dialect: Dialect, request: ChatRequest, model: str) -> Any:
    """The JSON body of a request whose history a client carried."""
    return sent(dialect, for_dialect(request, dialect.name, SignatureMemory()), model)


def built(
    dialect: Dialect, request: ChatRequest, model: str, base_url: str = "https://api.test", **profile: Any
) -> HttpRequest:
    secret = Secret("sk-very-secret", "https://api.test:443")
    target = Target(Profile(id="p", provider=dialect.name, **profile), model, base_url, {"apiKey": secret})
    return dialect.build(target, request)


def ask(text: str = "Hello", **more: Any) -> ChatRequest:
    return ChatRequest((Message("user", text),), **more)
