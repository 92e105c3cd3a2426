"""The neutral conversation: what a client asks and what an answer is made of, in no vendor's terms.

Everything here is a frozen value. A decoder produces ``Event``s in delivery order; the last one is always ``Finished`` or ``Failed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypeAlias

from rooroute.outcome import Failure
from rooroute.profiles import SCHEMA, OnInterrupt


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "toolCalls"
    CONTENT_FILTER = "contentFilter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class TextPart:
    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True)
class ImagePart:
    """``data`` is base64 without line breaks or a data: prefix."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    mime_type: str
    data: str
    type: Literal["image"] = "image"


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """``signature`` is opaque; it goes back only to the vendor that made it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    text: str
    signature: str | None = None
    type: Literal["thinking"] = "thinking"


Part: TypeAlias = TextPart | ImagePart | ThinkingPart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``arguments`` is a JSON document as text; ``signature`` as in ThinkingPart (Gemini's thought signatures sit on calls)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    id: str
    name: str
    arguments: str
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant", "tool"]
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """``parameters`` is a JSON Schema and reaches the provider equal as JSON."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    name: str
    parameters: Mapping[str, Any]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ToolChoiceName:
    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    name: str


ToolChoice: TypeAlias = Literal["auto", "none", "required"] | ToolChoiceName


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request. ``max_tokens`` counts output tokens; ``response_format`` is ``{"type": "json"}`` or
    ``{"type": "jsonSchema", "name": str, "schema": object}``; ``provider_options`` is merged into the vendor's body as it is."""

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: Literal["minimal", "low", "medium", "high"] | None = None
    response_format: Mapping[str, Any] | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionOptions:
    """How one request wants to be served. ``request_id`` names it in progress, errors and ``why``; ``pool`` and ``profile`` are ids, at
    most one of them given; ``fallback`` False asks the first choice only, None means: yes for a pool, no for a named profile.
    ``session`` names the conversation for stickiness; ``metadata`` is the client's own and goes nowhere but to the rules.

    ``mode``, ``task``, ``language`` (of the file) and ``tags`` are for the rules; ``tags`` also for budgets and the ledger. ``region``
    binds the request to profiles of that region. ``consent`` is the user's word about the last resort: for this request, for this
    window's session, or (None) none. ``pin`` keeps the session where this request goes."""

    request_id: str
    pool: str | None = None
    profile: str | None = None
    model: str | None = None
    session: str | None = None
    on_interrupt: OnInterrupt | None = None
    fallback: bool | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    mode: str | None = None
    task: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    region: str | None = None
    consent: Literal["once", "session"] | None = None
    pin: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one attempt. ``input_tokens`` includes cached ones, ``output_tokens`` includes reasoning; ``estimated`` is true where
    the provider told nothing. ``cost`` is what the provider itself says it charged, in USD; None where it does not say."""

    __pydantic_config__: ClassVar[dict[str, Any]] = SCHEMA
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    estimated: bool = False
    cost: float | None = None


# Deltas are values like the others and nobody changes one; they are not frozen because one is made for every token, and a frozen one
# takes twice as long to make.


@dataclass(slots=True)
class TextDelta:
    text: str


@dataclass(slots=True)
class ThinkingDelta:
    """Text of the model's thinking; a signature comes with, or after, the text it signs."""

    text: str
    signature: str | None = None


@dataclass(slots=True)
class ToolCallDelta:
    """A fragment of the call numbered ``index`` (0-based, in order of appearance). ``id`` and ``name`` come with its first fragment."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class UsageSeen:
    """Cumulative: the last value wins, it is never added up."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finished:
    """Terminal evidence was seen; always the last event of a good stream."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream carried an error or ended without terminal evidence; always the last event of a bad one."""

    failure: Failure


Event: TypeAlias = TextDelta | ThinkingDelta | ToolCallDelta | UsageSeen | Finished | Failed
