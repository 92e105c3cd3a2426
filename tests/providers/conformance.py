"""What every vendor's row must be able to do, in no vendor's terms: requests to build, recorded answers, and what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rooroute.chat import (
    ChatRequest,
    Event,
    Failed,
    Finished,
    FinishReason,
    ImagePart,
    Message,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageSeen,
)
from rooroute.errors import InvalidInput
from rooroute.outcome import Fault
from rooroute.profiles import Profile
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.dialect import Decoder, Dialect, HttpRequest, Target
from rooroute.providers.table import PROVIDERS, Vendor, target_for
from rooroute.secret import Secret, origin_of
from tests.providers.decoding import merged

RECORDED: Final = Path(__file__).parent / "recorded"
CANARY: Final = "sk-canary-0123456789-abcdefghijklmnopqrstuvwxyz"
NOW: Final = 1_790_000_000.0
EVENT_STREAM: Final = "text/event-stream; charset=utf-8"
FALLBACK_BASE: Final = "https://models.example.net/v1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A decoded answer, its deltas put together. ``calls`` are (name, arguments); ``end`` is a finish reason or a fault."""

    text: str = ""
    thinking: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    tokens: tuple[int, int] | None = None
    end: FinishReason | Fault | None = None


HELLO: Final = "Hello, Wörld\u2028👋!"

SHARED: Final[dict[str, Answer]] = {
    "shared-text.sse": Answer(HELLO, tokens=(12, 7), end=FinishReason.STOP),
    "shared-thinking.sse": Answer("42", "Let me think.", tokens=(12, 19), end=FinishReason.STOP),
    "shared-parallel-tools.sse": Answer(
        "Looking.",
        calls=(("get_weather", {"city": "Zürich"}), ("get_time", {})),
        tokens=(82, 34),
        end=FinishReason.TOOL_CALLS,
    ),
    "shared-length.sse": Answer("Hello, Wör", tokens=(12, 3), end=FinishReason.LENGTH),
    "shared-stop-sequence.sse": Answer("one, two, ", tokens=(12, 5), end=FinishReason.STOP),
    "shared-content-filter.sse": Answer("I cannot", tokens=(12, 2), end=FinishReason.CONTENT_FILTER),
    "shared-error-first.sse": Answer(end=Fault.OVERLOAD),
    "shared-error-after-text.sse": Answer("Hello, Wör", end=Fault.OVERLOAD),
    "shared-whole.json": Answer(HELLO, tokens=(12, 7), end=FinishReason.STOP),
}

EVIDENCE: Final = {
    "openai": re.compile(rb'"finish_reason": ?"'),
    "anthropic": re.compile(rb'"type": ?"message_stop"'),
    "gemini": re.compile(rb'"finishReason": ?"'),
    "openai-responses": re.compile(rb'"type": ?"response[.](?:completed|incomplete)"'),
}
"""What proves the end in each dialect; an answer that is one document is proved by being complete."""


FORMS: Final = {"vertex-gemini": "gemini", "openrouter": "openai"}
"""Dialects whose answers have another one's form: their names differ only because signatures do."""


def form_of(dialect: Dialect) -> str:
    """The folder of the recorded answers that this dialect reads."""
    return FORMS.get(dialect.name, dialect.name)


def subjects() -> dict[str, Vendor]:
    """Every row, and every row once more with each of its variants' dialects."""
    found: dict[str, Vendor] = {}
    for row in PROVIDERS.values():
        found[row.id] = row
        for variant in row.variants:
            found[f"{row.id} speaking {variant.dialect.name}"] = replace(row, dialect=variant.dialect)
    return found


def recorded(dialect: Dialect, name: str) -> bytes:
    return (RECORDED / form_of(dialect) / name).read_bytes()


def streams_of(dialect: Dialect) -> list[str]:
    """The names of every recorded answer of a dialect."""
    found = sorted((RECORDED / form_of(dialect)).iterdir())
    return [path.name for path in found if path.suffix in (".sse", ".json")]


def content_type_of(name: str) -> str:
    return EVENT_STREAM if name.endswith(".sse") else "application/json"


def evidence_end(dialect: Dialect, name: str, body: bytes) -> int | None:
    """After how many bytes the end is proved: the last byte of the line that holds the evidence; None when nothing proves it."""
    if name.endswith(".json"):
        return len(body.rstrip())
    found = EVIDENCE[form_of(dialect)].search(body)
    if found is None:
        return None
    return found.end() + len(re.split(rb"[\r\n]", body[found.end() :], maxsplit=1)[0])


def decoded(decoder: Decoder, pieces: Iterable[bytes]) -> list[Event]:
    """All events of these pieces, the close included."""
    events: list[Event] = []
    for piece in pieces:
        events.extend(decoder.feed(piece))
    events.extend(decoder.close())
    return merged(events)


def decode(dialect: Dialect, name: str, pieces: Iterable[bytes]) -> list[Event]:
    return decoded(dialect.decoder(content_type_of(name), NOW), pieces)


def halves(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every way to cut ``body`` in two."""
    return ((body[:at], body[at:]) for at in range(1, len(body)))


def assembled(events: Sequence[Event]) -> Answer:
    """The answer that these events tell. Fails where they break the contract: one end, nothing after it, calls numbered in order."""
    ends = [event for event in events if isinstance(event, Finished | Failed)]
    assert len(ends) == 1, f"one end, not {ends}"
    assert events[-1] is ends[0], "nothing follows the end"
    usage: Usage | None = None
    calls: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, UsageSeen):
            usage = event.usage
        if isinstance(event, ToolCallDelta):
            _add(calls, event)
    return Answer(
        text="".join(event.text for event in events if isinstance(event, TextDelta)),
        thinking="".join(event.text for event in events if isinstance(event, ThinkingDelta)),
        calls=tuple((name, _arguments(text)) for name, text in calls),
        tokens=(usage.input_tokens, usage.output_tokens) if usage else None,
        end=ends[0].reason if isinstance(ends[0], Finished) else ends[0].failure.fault,
    )


def _add(calls: list[tuple[str, str]], delta: ToolCallDelta) -> None:
    if delta.index == len(calls):
        assert delta.id, "a call's first fragment brings its id"
        assert delta.name, "a call's first fragment brings its name"
        calls.append((delta.name, delta.arguments))
    else:
        assert 0 <= delta.index < len(calls), "calls are numbered in order of appearance"
        name, arguments = calls[delta.index]
        calls[delta.index] = (name, arguments + delta.arguments)


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def profile_of(vendor: Vendor, **changes: Any) -> Profile:
    """A profile of this vendor with what it cannot do without."""
    options = samples(vendor) | changes.pop("options", {})
    usual = {"id": "one", "provider": vendor.id, "base_url": vendor.default_base_url or FALLBACK_BASE}
    return Profile(**{**usual, "options": options, **changes})


def samples(vendor: Vendor) -> dict[str, str]:
    """The options that the vendor needs, each with its placeholder for a value."""
    named = {"azure-openai": {"options.apiVersion"}}.get(vendor.id, set())
    return {
        asked.name.removeprefix("options."): asked.placeholder
        for asked in vendor.fields
        if asked.name.startswith("options.") and (asked.required or asked.name in named)
    }


def target(vendor: Vendor, **changes: Any) -> Target:
    """A target of this vendor whose key is the canary."""
    profile = profile_of(vendor, **changes)
    return target_for(profile, "model-x", {USUAL_SLOT: Secret(CANARY, origin_of(profile.base_url or FALLBACK_BASE))})


def build(vendor: Vendor, request: ChatRequest, **changes: Any) -> HttpRequest:
    return vendor.dialect.build(target(vendor, **changes), request)


def sayable(vendor: Vendor, request: ChatRequest) -> ChatRequest:
    """The request without the stop sequences where a dialect knows none and says so."""
    try:
        build(vendor, request)
    except InvalidInput as refused:
        assert refused.field == "stop"
        return replace(request, stop=())
    return request


def body_of(request: HttpRequest) -> Any:
    return json.loads(request.body)


def values_in(document: Any) -> Iterator[Any]:
    """Every value inside a JSON document, itself included."""
    yield document
    for inner in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from values_in(inner)


def said(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message("user", text),))


SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "class": {"type": "string", "enum": ["a", "b"], "default": None},
        "$ref-like": {"$ref": "#/$defs/deep"},
        "jsonrpc": {"type": ["number", "null"], "minimum": -1.5},
    },
    "$defs": {"deep": {"type": "array", "items": {"type": "object", "additionalProperties": False}}},
    "required": ["class"],
    "additionalProperties": False,
}
TOOL: Final = Tool("look_up", SCHEMA, "Looks a word up.")
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

CONVERSATION: Final = ChatRequest(
    messages=(
        Message("system", "Be brief-1."),
        Message("system", "Be kind-2."),
        Message("user", (TextPart("What is this-3?"), ImagePart("image/png", PIXEL))),
        Message(
            "assistant",
            (ThinkingPart("A word, surely."), TextPart("I look it up-4.")),
            tool_calls=(ToolCall("call_1", "look_up", '{"class":"a"}'), ToolCall("call_2", "look_up", "")),
        ),
        Message("tool", "found-5", tool_call_id="call_1"),
        Message("tool", "missing-6", tool_call_id="call_2", is_error=True),
        Message("user", "And so-7?"),
    ),
    tools=(TOOL,),
    tool_choice="auto",
    max_tokens=777,
    stop=("three",),
)
"""A second turn with everything a first one can hold. The numbered texts must all arrive."""
