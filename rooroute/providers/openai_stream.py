"""What a chat completions answer tells: https://platform.openai.com/docs/api-reference/chat-streaming, and what servers make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rooroute.chat import FinishReason, ThinkingDelta, ToolCallDelta, Usage, UsageSeen
from rooroute.outcome import Fault, Scope
from rooroute.providers.failures import Row
from rooroute.providers.openai_errors import ROWS
from rooroute.providers.stream import StreamDecoder, count, mapping_of, text_of

_REASONS: Final = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


class ChatCompletionsDecoder(StreamDecoder):
    """Reads one answer. The finish reason is terminal evidence, ``[DONE]`` the end: usage may come between the two."""

    ROWS = ROWS

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        super().__init__(content_type, now, rows)
        self._calls: list[str] = []  # ids, in order of appearance
        self._place: dict[object, int] = {}  # the provider's index -> ours
        self._begun: set[int] = set()  # calls that have arguments
        self._refused = False
        self._answered = False
        self._id = ""

    def read(self, document: dict[str, Any], name: bytes) -> None:
        """One chunk."""
        choices = document.get("choices")
        if choices and not document.get("error"):
            self._answered = True
            choice = choices[0]
            delta = choice.get("delta") or choice.get("message")
            if delta and len(delta) == 1 and type(content := delta.get("content")) is str:
                self.out.text(content)  # nearly every chunk
            elif delta:
                self._read_delta(delta, document)
            if choice.get("finish_reason") or choice.get("error"):
                self._read_end(choice, document)
            usage = document.get("usage") or choice.get("usage")
        elif document.get("error") or name == b"error" or document.get("object") == "error":
            self.fail_with(document)
            return
        else:
            usage = document.get("usage")
        if usage or "x_groq" in document:
            self._read_usage(usage or mapping_of(document.get("x_groq")).get("usage"))

    def read_whole(self, document: dict[str, Any]) -> None:
        """The answer as one document: complete by being complete."""
        self.read(document, b"")
        if self.over:
            return
        if not self._answered:
            self.fail_as(Fault.BAD_ANSWER, "The provider's answer holds no choice.", code="empty")
            return
        self.reason = self.reason or FinishReason.STOP
        self.finish()

    def read_word(self, data: bytes) -> bool:
        """``[DONE]`` ends the stream."""
        if data.strip() != b"[DONE]":
            return False
        if not self._answered:
            self.fail_as(Fault.BAD_ANSWER, "The provider ended its answer before it began.", code="empty")
            return True
        self.reason = self.reason or FinishReason.STOP
        self.finish()
        return True

    def finish(self) -> None:
        """Ends the answer well: a call without arguments gets the empty object, and the reason says what really was."""
        for index in range(len(self._calls)):
            if index not in self._begun:
                self.out.append(ToolCallDelta(index, arguments="{}"))
        if self._refused:
            self.reason = FinishReason.CONTENT_FILTER
        elif self._calls and self.reason in (FinishReason.STOP, FinishReason.OTHER):
            self.reason = FinishReason.TOOL_CALLS
        super().finish()

    def _read_delta(self, delta: dict[str, Any], document: dict[str, Any]) -> None:
        content = delta.get("content")
        thinking = delta.get("reasoning_content") or delta.get("reasoning")
        if thinking and isinstance(thinking, str):
            self.out.append(ThinkingDelta(thinking))
        if content:
            if isinstance(content, str):
                self.out.text(content)
            else:
                self._read_parts(content)
        if delta.get("tool_calls"):
            self._id = self._id or text_of(document.get("id"))
            for call in delta["tool_calls"]:
                self._read_call(call)
        if refusal := text_of(delta.get("refusal")):
            self._refused = True
            self.out.text(refusal)

    def _read_parts(self, parts: Sequence[Mapping[str, Any]]) -> None:
        """Content as parts, as Mistral's reasoning models send it (https://docs.mistral.ai/capabilities/reasoning/)."""
        for part in parts:
            if part.get("type") == "thinking":
                inner = part.get("thinking") or ()
                text = inner if isinstance(inner, str) else "".join(text_of(one.get("text")) for one in inner)
                self.out.append(ThinkingDelta(text))
            elif text := text_of(part.get("text")):
                self.out.text(text)

    def _read_call(self, call: Mapping[str, Any]) -> None:
        """One fragment. Servers jump indices, leave them out, or use 0 for every call: a new id is a new call whatever its index says."""
        place, function = call.get("index"), mapping_of(call.get("function"))
        if not call.get("id") and place in self._place and type(more := function.get("arguments")) is str:
            self._add_arguments(self._place[place], more)  # nearly every fragment
            return
        given = text_of(call.get("id"))
        index = self._place.get(place, len(self._calls) - 1 if place is None else -1)
        name = text_of(function.get("name"))
        is_new = (
            index < 0 or bool(given and given != self._calls[index]) or (place is None and not given and bool(name))
        )
        if is_new:
            index = len(self._calls)
            self._calls.append(given or f"{self._id or f'call_{int(self.now * 1000):x}'}_{index}")
            if place is not None:
                self._place[place] = index
        arguments = function.get("arguments")
        text = (
            arguments
            if isinstance(arguments, str)
            else ""
            if arguments is None
            else json.dumps(arguments, ensure_ascii=False)
        )
        self._add_arguments(index, text, self._calls[index] if is_new else None, name if is_new else None)

    def _add_arguments(self, index: int, text: str, own_id: str | None = None, name: str | None = None) -> None:
        if index not in self._begun and text.strip():
            self._begun.add(index)
        if text or own_id is not None:
            self.out.append(ToolCallDelta(index, own_id, name, text))

    def _read_end(self, choice: Mapping[str, Any], document: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if choice.get("error"):
            self.fail_with(choice)
        elif reason == "error":
            self.fail_as(
                Fault.TRANSIENT,
                "The provider ended the answer with an error.",
                scope=Scope.ENDPOINT,
                per_model=True,
                code="error",
            )
        elif reason:
            self.reason = _REASONS.get(reason, FinishReason.OTHER)

    def _cost(self, told: Mapping[str, Any]) -> float | None:
        """What the provider says it charged, in USD; the dialect itself has no word for it."""
        return None

    def _read_usage(self, usage: Any) -> None:
        """Reasoning counts as output; xAI leaves it out of ``completion_tokens`` and only its total shows that."""
        told = mapping_of(usage)
        entered, left = count(told.get("prompt_tokens")), count(told.get("completion_tokens"))
        if entered is None and left is None:
            return
        cached = count(mapping_of(told.get("prompt_tokens_details")).get("cached_tokens"))
        thought = count(mapping_of(told.get("completion_tokens_details")).get("reasoning_tokens"))
        output = left or 0
        if thought and count(told.get("total_tokens")) == (entered or 0) + output + thought:
            output += thought
        seen = Usage(
            input_tokens=entered or 0,
            output_tokens=output,
            cached_input_tokens=cached if cached is not None else count(told.get("prompt_cache_hit_tokens")),
            cache_write_tokens=count(told.get("cache_creation_input_tokens")),
            reasoning_tokens=thought,
            cost=self._cost(told),
        )
        if not self.over:
            self.out.append(UsageSeen(seen))
