"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses-streaming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from rooroute.chat import ChatRequest, FinishReason, ThinkingDelta, ToolCallDelta, Usage, UsageSeen
from rooroute.outcome import Failure, Fault
from rooroute.providers import envelope, openai_errors, responses_request
from rooroute.providers.authentication import BEARER, KeyPlace
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target
from rooroute.providers.failures import Row, evidence_of, judge, pattern, statuses
from rooroute.providers.openai import OPENAI_RANGES
from rooroute.providers.ranges import Range, fitted
from rooroute.providers.stream import StreamDecoder, count, mapping_of, text_of

_PATH: Final = "/responses"
_CUT_SHORT: Final = {"max_output_tokens": FinishReason.LENGTH, "content_filter": FinishReason.CONTENT_FILTER}

ROWS: Final = (
    # Sealed reasoning opens for the organisation alone that it was made for: another profile may have no trouble with this history.
    Row(Fault.BAD_ANSWER, codes=frozenset({"invalid_encrypted_content"}), seals_refused=True),
    Row(
        Fault.BAD_ANSWER,
        status=statuses(400),
        text=pattern(r"encrypted content .{0,2000}could not be (?:verified|decrypted)"),
        seals_refused=True,
    ),
    *openai_errors.ROWS,
)


class ResponsesDecoder(StreamDecoder):
    """Items in, events out. ``response.completed`` and ``response.incomplete`` prove the end."""

    ROWS = ROWS

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        super().__init__(content_type, now, rows)
        self._calls: dict[object, int] = {}  # the item's place -> ours
        self._silent: set[int] = set()  # calls without arguments so far
        self._refused = False
        self._thought = False

    def read(self, document: dict[str, Any], name: bytes) -> None:
        """One event; see ``StreamDecoder``."""
        kind = document.get("type")
        if kind == "response.output_text.delta":
            if text := text_of(document.get("delta")):
                self.out.text(text)
        elif kind == "response.function_call_arguments.delta":
            self._arguments(document, text_of(document.get("delta")))
        elif (reader := self._READERS.get(str(kind))) is not None:
            reader(self, document)
        elif document.get("error") or name == b"error":
            self.fail_with(document)

    def read_whole(self, document: dict[str, Any]) -> None:
        """The whole answer in one document; see ``StreamDecoder``."""
        if document.get("object") != "response":
            self.read(document, b"")
            return
        output = document.get("output")
        for at, item in enumerate(output if isinstance(output, list) else ()):
            self._whole_item(at, mapping_of(item))
        end = {"response": document}
        readers = {"failed": self._failed, "incomplete": self._incomplete, "completed": self._completed}
        readers.get(str(document.get("status")), self._completed)(end)

    def _whole_item(self, at: int, item: Mapping[str, Any]) -> None:
        for place in ("content", "summary"):
            parts = item.get(place)
            for part in map(mapping_of, parts if isinstance(parts, list) else ()):
                kind, text = part.get("type"), text_of(part.get("text")) or text_of(part.get("refusal"))
                self._refused = self._refused or kind == "refusal"
                if text:
                    spoken = kind in ("output_text", "refusal")
                    self.out.text(text) if spoken else self.out.append(ThinkingDelta(text))
        self._item_added({"output_index": at, "item": {**item, "arguments": ""}})
        self._item_done({"output_index": at, "item": item})

    def _thinking(self, document: Mapping[str, Any]) -> None:
        if text := text_of(document.get("delta")):
            self._thought = True
            self.out.append(ThinkingDelta(text))

    def _next_summary(self, document: Mapping[str, Any]) -> None:
        """Parts of one summary are paragraphs."""
        if self._thought and document.get("summary_index"):
            self.out.append(ThinkingDelta("\n\n"))

    def _refusal(self, document: Mapping[str, Any]) -> None:
        if text := text_of(document.get("delta")):
            self._refused = True
            self.out.text(text)

    def _item_added(self, document: Mapping[str, Any]) -> None:
        item, place = mapping_of(document.get("item")), _place(document)
        if item.get("type") != "function_call" or place in self._calls:
            return
        index = self._calls[place] = len(self._calls)
        given = text_of(item.get("call_id")) or text_of(item.get("id")) or f"call_{int(self.now * 1000):x}_{index}"
        self._silent.add(index)
        self.out.append(ToolCallDelta(index, given, text_of(item.get("name"))))
        self._arguments(document, text_of(item.get("arguments")))

    def _arguments(self, document: Mapping[str, Any], fragment: str) -> None:
        index = self._calls.get(_place(document))
        if fragment and index is not None:
            self._silent.discard(index)
            self.out.append(ToolCallDelta(index, arguments=fragment))

    def _item_done(self, document: Mapping[str, Any]) -> None:
        item = mapping_of(document.get("item"))
        if item.get("type") == "function_call":
            self._item_added({**document, "item": {**item, "arguments": ""}})
            index = self._calls[_place(document)]
            if index in self._silent:
                self._arguments(document, text_of(item.get("arguments")).strip() or "{}")
        elif item.get("type") == "reasoning" and (sealed := text_of(item.get("encrypted_content"))):
            self.out.append(ThinkingDelta("", sealed))

    def _completed(self, document: Mapping[str, Any]) -> None:
        self._end(document, FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP)

    def _incomplete(self, document: Mapping[str, Any]) -> None:
        why = mapping_of(mapping_of(document.get("response")).get("incomplete_details")).get("reason")
        self._end(document, _CUT_SHORT.get(str(why), FinishReason.OTHER))

    def _end(self, document: Mapping[str, Any], reason: FinishReason) -> None:
        for index in sorted(self._silent):
            self.out.append(ToolCallDelta(index, arguments="{}"))
        self._silent.clear()
        self._see_usage(mapping_of(mapping_of(document.get("response")).get("usage")))
        self.reason = FinishReason.CONTENT_FILTER if self._refused else reason
        self.finish()

    def _failed(self, document: Mapping[str, Any]) -> None:
        self.fail_with({"error": mapping_of(document.get("response")).get("error")})

    def _error(self, document: Mapping[str, Any]) -> None:
        self.fail_with({"error": document.get("error") or {**document, "type": None}})

    def _see_usage(self, told: Mapping[str, Any]) -> None:
        entered, left = count(told.get("input_tokens")), count(told.get("output_tokens"))
        if entered is None and left is None:
            return
        self.out.append(
            UsageSeen(
                Usage(
                    input_tokens=entered or 0,
                    output_tokens=left or 0,
                    cached_input_tokens=count(mapping_of(told.get("input_tokens_details")).get("cached_tokens")),
                    reasoning_tokens=count(mapping_of(told.get("output_tokens_details")).get("reasoning_tokens")),
                )
            )
        )

    _READERS: ClassVar[Mapping[str, Callable[[ResponsesDecoder, Mapping[str, Any]], None]]] = {
        "response.reasoning_summary_text.delta": _thinking,
        "response.reasoning_text.delta": _thinking,
        "response.reasoning_summary_part.added": _next_summary,
        "response.refusal.delta": _refusal,
        "response.output_item.added": _item_added,
        "response.output_item.done": _item_done,
        "response.completed": _completed,
        "response.incomplete": _incomplete,
        "response.failed": _failed,
        "error": _error,
    }


def _place(document: Mapping[str, Any]) -> object:
    """What tells an item of the output apart: its index or, from llama.cpp's server, its id alone."""
    at = document.get("output_index")
    return at if isinstance(at, int) else document.get("item_id") or mapping_of(document.get("item")).get("id")


@dataclass(frozen=True, slots=True)
class Responses:
    """The dialect. Its seals are nobody else's, hence the name."""

    name: str = "openai-responses"
    continues: bool = False
    key: KeyPlace = BEARER
    option_headers: Mapping[str, str] = field(default_factory=dict)
    ranges: tuple[Range, ...] = OPENAI_RANGES

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request; see ``Dialect``."""
        document = responses_request.body_of(target.model, fitted(self.ranges, target, request))
        envelope.merged(document, request.provider_options)["stream"] = True
        options = target.profile.options
        headers = {header: str(options[name]) for name, header in self.option_headers.items() if options.get(name)}
        path = "" if target.base_url.endswith(_PATH) else _PATH
        return envelope.post(envelope.address(target, path), target, self.key, document, headers)

    def decoder(self, content_type: str, now: float) -> ResponsesDecoder:
        """A fresh decoder; see ``Dialect``."""
        return ResponsesDecoder(content_type, now)

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """What a non-2xx answer means; see ``Dialect``."""
        return judge(ROWS, evidence_of(answer, now))


OPENAI_RESPONSES: Final = Responses(option_headers={"organization": "openai-organization", "project": "openai-project"})
