"""Anthropic's Messages API: https://platform.claude.com/docs/en/build-with-claude/streaming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rooroute.chat import ChatRequest, FinishReason, ThinkingDelta, ToolCallDelta, Usage, UsageSeen
from rooroute.outcome import Failure
from rooroute.providers import anthropic_errors, anthropic_request, wire_json
from rooroute.providers.anthropic_request import REDACTED
from rooroute.providers.authentication import KeyPlace
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target
from rooroute.providers.envelope import address, merged, post
from rooroute.providers.failures import Row, evidence_of, judge
from rooroute.providers.ranges import Range, fitted
from rooroute.providers.stream import StreamDecoder, count, mapping_of, text_of

_VERSION: Final = "2023-06-01"
_KEY: Final = KeyPlace("x-api-key", "")
_PATHS: Final = (("/v1/messages", ""), ("/v1", "/messages"))
"""What is left of the path for a base URL that holds a part of it already."""
_REASONS: Final = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
    "pause_turn": FinishReason.OTHER,  # a server's tool wants another turn; nobody here asked for one
}
_TOKENS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class AnthropicDecoder(StreamDecoder):
    """Content blocks in, events out. ``message_stop`` alone proves the end."""

    ROWS = anthropic_errors.ROWS

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        super().__init__(content_type, now, rows)
        self._stop_reason: str | None = None
        self._tokens: dict[str, int] = {}
        self._calls: dict[int, int] = {}
        self._silent_calls: dict[int, str] = {}
        self._signatures: dict[int, str] = {}

    def read(self, document: dict[str, Any], name: bytes) -> None:
        """One document of the stream; see ``StreamDecoder``."""
        kind = document.get("type")
        if kind == "content_block_delta":
            delta = document.get("delta")
            if type(delta) is dict:
                text = delta.get("text")
                if type(text) is str and delta.get("type") == "text_delta":  # nearly every event there is
                    if text:
                        self.out.text(text)
                else:
                    self._block_delta(document, delta)
        elif "error" in document or kind == "error":
            self.fail_with(document)
        elif (reader := self._READERS.get(str(kind))) is not None:
            reader(self, document)

    def read_whole(self, document: dict[str, Any]) -> None:
        """The whole answer in one document; see ``StreamDecoder``."""
        if document.get("type") != "message":
            self.read(document, b"")
            return
        self._see_usage(document.get("usage"))
        content = document.get("content")
        for at, block in enumerate(content if isinstance(content, list) else ()):
            one = {"index": at, "content_block": block}
            self._block_start(one)
            self._block_stop(one)
        self._stop_reason = document.get("stop_reason")
        self._message_stop(document)

    def _message_start(self, document: Mapping[str, Any]) -> None:
        self._see_usage(mapping_of(document.get("message")).get("usage"))

    def _block_start(self, document: Mapping[str, Any]) -> None:
        at = _index(document)
        block = mapping_of(document.get("content_block"))
        kind = block.get("type")
        if kind == "text" and (text := text_of(block.get("text"))):
            self.out.text(text)
        elif kind == "thinking":
            if text := text_of(block.get("thinking")):
                self.out.append(ThinkingDelta(text))
            self._signatures[at] = text_of(block.get("signature"))
        elif kind == "redacted_thinking":
            self.out.append(ThinkingDelta("", REDACTED + text_of(block.get("data"))))
        elif kind == "tool_use" and at not in self._calls:
            number = self._calls[at] = len(self._calls)
            self._silent_calls[at] = _arguments(block.get("input"))
            self.out.append(ToolCallDelta(number, text_of(block.get("id")), text_of(block.get("name"))))

    def _block_delta(self, document: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "input_json_delta":
            number, fragment = self._calls.get(_index(document)), text_of(delta.get("partial_json"))
            if fragment and number is not None:
                if self._silent_calls:
                    self._silent_calls.pop(_index(document), None)
                self.out.append(ToolCallDelta(number, None, None, fragment))
        elif kind == "thinking_delta":
            if text := text_of(delta.get("thinking")):
                self.out.append(ThinkingDelta(text))
        elif kind == "signature_delta":
            at = _index(document)
            self._signatures[at] = self._signatures.get(at, "") + text_of(delta.get("signature"))

    def _block_stop(self, document: Mapping[str, Any]) -> None:
        at = _index(document)
        if (arguments := self._silent_calls.pop(at, None)) is not None:
            self.out.append(ToolCallDelta(self._calls[at], arguments=arguments))
        if signature := self._signatures.pop(at, ""):
            self.out.append(ThinkingDelta("", signature))

    def _message_delta(self, document: Mapping[str, Any]) -> None:
        self._stop_reason = mapping_of(document.get("delta")).get("stop_reason") or self._stop_reason
        self._see_usage(document.get("usage"))

    def _message_stop(self, document: Mapping[str, Any]) -> None:
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        reason = self._stop_reason
        self.reason = usual if reason is None else _REASONS.get(str(reason), FinishReason.OTHER)
        self.finish()

    def _see_usage(self, usage: object) -> None:
        """Each count is cumulative. ``input_tokens`` leaves out what went through the cache; ours holds all of it."""
        told = {name: n for name in _TOKENS if (n := count(mapping_of(usage).get(name))) is not None}
        if not told:
            return
        self._tokens |= told
        fresh, written, read, output = (self._tokens.get(name) for name in _TOKENS)
        self.out.append(
            UsageSeen(
                Usage(
                    input_tokens=(fresh or 0) + (written or 0) + (read or 0),
                    output_tokens=output or 0,
                    cached_input_tokens=read,
                    cache_write_tokens=written,
                )
            )
        )

    # Everything else (``ping``, kinds yet to come) is passed over, as the API's versioning policy asks of clients.
    _READERS: ClassVar[Mapping[str, Callable[[AnthropicDecoder, Mapping[str, Any]], None]]] = {
        "message_start": _message_start,
        "content_block_start": _block_start,
        "content_block_stop": _block_stop,
        "message_delta": _message_delta,
        "message_stop": _message_stop,
    }


def _index(document: Mapping[str, Any]) -> int:
    at = document.get("index")
    return at if isinstance(at, int) else 0


def _arguments(value: object) -> str:
    """Arguments that came with the block's start, where no fragments follow."""
    return wire_json.write(value).decode() if isinstance(value, dict) and value else "{}"


@dataclass(frozen=True, slots=True)
class AnthropicDialect:
    """The dialect ``anthropic``, with what differs where others serve its models as data. ``rows`` are judged before the API's own;
    ``options.promptCache`` sets cache marks."""

    name: str = "anthropic"
    continues: bool = True
    key: KeyPlace = _KEY
    rows: tuple[Row, ...] = ()
    ranges: tuple[Range, ...] = (Range("temperature", 0, 1), Range("top_p", 0, 1))

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request; see ``Dialect``."""
        body = self.document(target, fitted(self.ranges, target, request))
        merged(body, request.provider_options)["stream"] = True
        return post(self.url(target), target, self.key, body, self.headers())

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The JSON body, before options are laid over it."""
        cached = target.profile.options.get("promptCache") is True
        return anthropic_request.body_of(target.model, request, prompt_cache=cached)

    def url(self, target: Target) -> str:
        """Where the request goes."""
        path = next((rest for end, rest in _PATHS if target.base_url.endswith(end)), "/v1/messages")
        return address(target, path)

    def headers(self) -> dict[str, str]:
        """What every request says besides."""
        return {"anthropic-version": _VERSION}

    def decoder(self, content_type: str, now: float) -> AnthropicDecoder:
        """A fresh decoder; see ``Dialect``."""
        return AnthropicDecoder(content_type, now, (*self.rows, *anthropic_errors.ROWS))

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """What a non-2xx answer means; see ``Dialect``."""
        return judge((*self.rows, *anthropic_errors.ROWS), evidence_of(answer, now))


ANTHROPIC: Final = AnthropicDialect()
