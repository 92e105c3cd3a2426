"""The Gemini API's streamGenerateContent: https://ai.google.dev/api/generate-content#v1beta.models.streamGenerateContent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rooroute.chat import ChatRequest, FinishReason, ThinkingDelta, ToolCallDelta, Usage, UsageSeen
from rooroute.outcome import Failure, Fault
from rooroute.providers import gemini_errors, gemini_request, wire_json
from rooroute.providers.authentication import KeyPlace
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target
from rooroute.providers.envelope import address, merged, post, segment
from rooroute.providers.failures import Row, evidence_of, judge
from rooroute.providers.gemini_request import ON_TEXT, OWN_ID
from rooroute.providers.ranges import Range, fitted
from rooroute.providers.redaction import plain
from rooroute.providers.stream import StreamDecoder, count, holds_content, mapping_of, text_of

# A key in the query would reach logs and proxies; this header does the same.
_KEY: Final = KeyPlace("x-goog-api-key", "")

_REASONS: Final = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "SAFETY": FinishReason.CONTENT_FILTER,
    "RECITATION": FinishReason.CONTENT_FILTER,
    "BLOCKLIST": FinishReason.CONTENT_FILTER,
    "PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "SPII": FinishReason.CONTENT_FILTER,
    "MODEL_ARMOR": FinishReason.CONTENT_FILTER,
    "IMAGE_SAFETY": FinishReason.CONTENT_FILTER,
    "IMAGE_PROHIBITED_CONTENT": FinishReason.CONTENT_FILTER,
    "IMAGE_RECITATION": FinishReason.CONTENT_FILTER,
}
_BAD_ANSWERS: Final = frozenset(
    {
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
    }
)
_KINDS: Final = ("models", "tunedModels")
# https://ai.google.dev/api/generate-content#v1beta.GenerationConfig: five stop sequences, a seed of 32 bits
_RANGES: Final = (
    Range("temperature", 0, 2),
    Range("top_p", 0, 1),
    Range("stop", 0, 5),
    Range("seed", -(2**31), 2**31 - 1),
)
_NOT_YET: Final = "FINISH_REASON_UNSPECIFIED"


class GeminiDecoder(StreamDecoder):
    """Candidates in, events out. A finishReason proves the end, but usage may follow it: the body's end finishes."""

    ROWS = gemini_errors.ROWS

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        super().__init__(content_type, now, rows)
        self._usage: object = None
        self._calls = 0
        self._answered = False
        self._began = False

    def read(self, document: dict[str, Any], name: bytes) -> None:
        """One document of the stream; see ``StreamDecoder``."""
        candidates = document.get("candidates")
        if isinstance(candidates, list) and candidates:
            if (part := _text_alone(candidates[0])) is not None:
                self._answered = self._began = True
                text = part["text"]
                self.out.text(text) if len(part) == 1 else self.out.append(ThinkingDelta(text))
            else:
                self._candidate(mapping_of(candidates[0]), text_of(document.get("responseId")))
        elif "error" in document:
            self.fail_with(document)
        elif block := text_of(mapping_of(document.get("promptFeedback")).get("blockReason")):
            self._blocked(document, block)
        usage = document.get("usageMetadata")
        if not self.over and usage is not None and usage != self._usage:
            self._see_usage(usage)

    def read_whole(self, document: dict[str, Any]) -> None:
        """The whole answer in one document; see ``StreamDecoder``."""
        self.read(document, b"")

    def _candidate(self, candidate: Mapping[str, Any], response_id: str) -> None:
        self._answered = True
        parts = mapping_of(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(part, response_id)
        reason = candidate.get("finishReason")
        if reason is not None and reason != _NOT_YET:
            self._finish_reason(str(reason), text_of(candidate.get("finishMessage")))

    def _part(self, part: Mapping[str, Any], response_id: str) -> None:
        signature = text_of(part.get("thoughtSignature")) or None
        text = text_of(part.get("text"))
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._call(call, signature, response_id)
        elif part.get("thought") is True:
            if text or signature:
                self.out.append(ThinkingDelta(text, signature))
        else:
            if text:
                self.out.text(text)
            self._sign_text(signature)
        self._began = self._began or any(map(holds_content, self.out.seen()))

    def _sign_text(self, signature: str | None) -> None:
        """The last piece of an answer is often empty text with a signature. A signature of nothing is no answer."""
        if signature and (self._began or any(map(holds_content, self.out.seen()))):
            self.out.append(ThinkingDelta("", ON_TEXT + signature))

    def _call(self, call: Mapping[str, Any], signature: str | None, response_id: str) -> None:
        """A call comes whole. Where it has no id it gets one that is the same however the bytes were split."""
        name = text_of(call.get("name"))
        try:
            arguments = wire_json.write(mapping_of(call.get("args"))).decode()
        except ValueError:
            self.fail_as(
                Fault.BAD_ANSWER, "The model called a tool with arguments that are not JSON.", code="malformed"
            )
            return
        known = f"{response_id}\n{self.now}\n{self._calls}\n{name}\n{arguments}".encode("utf-8", "replace")
        call_id = text_of(call.get("id")) or OWN_ID + hashlib.blake2b(known, digest_size=10).hexdigest()
        self.out.append(ToolCallDelta(self._calls, call_id, name, arguments, signature))
        self._calls += 1

    def _finish_reason(self, reason: str, message: str) -> None:
        if reason in _BAD_ANSWERS:
            shown = plain(f"The model's answer was unusable ({reason}): {message}" if message else reason)
            self.fail_as(Fault.BAD_ANSWER, shown, code=reason)
            return
        self.reason = _REASONS.get(reason, FinishReason.OTHER)
        if self._calls and self.reason in (FinishReason.STOP, FinishReason.OTHER):
            self.reason = FinishReason.TOOL_CALLS  # calls come whole here, whatever name a mirror gives to their end

    def _blocked(self, document: Mapping[str, Any], block: str) -> None:
        said = text_of(mapping_of(document.get("promptFeedback")).get("blockReasonMessage"))
        self.fail_as(Fault.POLICY, plain(f"The prompt was blocked ({block}). {said}"), code=block)

    def _see_usage(self, usage: object) -> None:
        self._usage = usage
        told = mapping_of(usage)
        thoughts = count(told.get("thoughtsTokenCount"))
        asked = (count(told.get(name)) or 0 for name in ("promptTokenCount", "toolUsePromptTokenCount"))
        self.out.append(
            UsageSeen(
                Usage(
                    input_tokens=sum(asked),
                    output_tokens=(count(told.get("candidatesTokenCount")) or 0) + (thoughts or 0),
                    cached_input_tokens=count(told.get("cachedContentTokenCount")),
                    reasoning_tokens=thoughts,
                )
            )
        )

    def _cut(self) -> None:
        if self._documents and not self._answered:
            self.fail_as(Fault.BAD_ANSWER, "The provider answered without a candidate.", code="empty")
        else:
            super()._cut()


def _text_alone(candidate: Any) -> dict[str, Any] | None:
    """The part of a candidate that is nothing but text, the answer's or, with one field more, a thought's, as nearly every one on the way
    is: one part, no signature, no end."""
    if type(candidate) is not dict or "finishReason" in candidate:
        return None
    content = candidate.get("content")
    parts = content.get("parts") if type(content) is dict else None
    if type(parts) is not list or len(parts) != 1:
        return None
    part = parts[0]
    if type(part) is not dict or type(text := part.get("text")) is not str or not text:
        return None
    return part if len(part) == 1 or (len(part) == 2 and part.get("thought") is True) else None


@dataclass(frozen=True, slots=True)
class GeminiDialect:
    """The dialect ``gemini``, with what differs where others serve its models as data. ``rows`` are judged before the API's own."""

    name: str = "gemini"
    continues: bool = True
    key: KeyPlace = _KEY
    rows: tuple[Row, ...] = ()
    ranges: tuple[Range, ...] = _RANGES

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request; see ``Dialect``."""
        body = gemini_request.body_of(target.model, fitted(self.ranges, target, request))
        merged(body, request.provider_options)
        return post(self.url(target), target, self.key, body)

    def url(self, target: Target) -> str:
        """Where the request goes."""
        kind, _, model = target.model.partition("/")
        if kind not in _KINDS:
            kind, model = "models", target.model
        path = f"/{kind}/{segment(model)}:streamGenerateContent"
        return address(target, path, {"alt": "sse"})

    def decoder(self, content_type: str, now: float) -> GeminiDecoder:
        """A fresh decoder; see ``Dialect``."""
        return GeminiDecoder(content_type, now, (*self.rows, *gemini_errors.ROWS))

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """What a non-2xx answer means; see ``Dialect``."""
        return judge((*self.rows, *gemini_errors.ROWS), evidence_of(answer, now))


GEMINI: Final = GeminiDialect()
