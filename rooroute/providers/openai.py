"""The OpenAI chat completions dialect, and every server that speaks it.

https://platform.openai.com/docs/api-reference/chat, https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rooroute.chat import (
    ChatRequest,
)
from rooroute.outcome import Failure
from rooroute.providers import envelope
from rooroute.providers.authentication import BEARER, KeyPlace
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target
from rooroute.providers.failures import Row, evidence_of, judge
from rooroute.providers.openai_errors import ROWS
from rooroute.providers.openai_request import messages_of, response_format_of, tool_choice_of, tool_of
from rooroute.providers.openai_stream import ChatCompletionsDecoder
from rooroute.providers.ranges import Range, fitted

_PATH: Final = "/chat/completions"


# Reasoning models take no temperature but the default of 1 (https://github.com/tmc/langchaingo/issues/1355); gpt-5-chat takes any.
_REASONING: Final = re.compile(r"^(?:openai/)?(?:o[1-9](?!\d)|gpt-[5-9](?!.*chat))")
OPENAI_RANGES: Final = (
    Range("temperature", 1, 1, _REASONING),
    Range("top_p", 1, 1, _REASONING),
    Range("temperature", 0, 2),
    Range("top_p", 0, 1),
    Range("stop", 0, 4),
)
_COMPATIBLE_RANGES: Final = (Range("temperature", 0, 2), Range("top_p", 0, 1))


@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """The dialect with what differs between servers as data.

    ``name`` marks signatures as this dialect's. ``max_tokens`` is the field that limits the answer; ``include_usage`` asks for usage in
    the stream; ``option_headers`` and ``option_fields`` send fields of the profile's ``options`` as headers and in the body. ``names``
    gives a field of the body another name, or none where a server refuses it. ``rows`` are the vendor's errors, judged before the
    dialect's own; ``ranges`` what it takes.
    """

    name: str = "openai"
    continues: bool = False
    key: KeyPlace = BEARER
    max_tokens: str = "max_tokens"
    include_usage: bool = True
    option_headers: Mapping[str, str] = field(default_factory=dict)
    option_fields: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str | None] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    ranges: tuple[Range, ...] = _COMPATIBLE_RANGES

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request; see ``Dialect``."""
        document = self.document(target, fitted(self.ranges, target, request))
        options = target.profile.options
        document.update((name, options[each]) for each, name in self.option_fields.items() if options.get(each))
        envelope.merged(document, request.provider_options)
        document["stream"] = True
        headers = {header: str(options[name]) for name, header in self.option_headers.items() if options.get(name)}
        return envelope.post(self.url(target), target, self.key, document, headers)

    def url(self, target: Target) -> str:
        """Where the request goes."""
        return envelope.address(target, "" if target.base_url.endswith(_PATH) else _PATH)

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The JSON body, before options are laid over it."""
        document: dict[str, Any] = {"model": target.model, "messages": self.messages(request), "stream": True}
        if self.include_usage:
            document["stream_options"] = {"include_usage": True}
        wishes = {
            self.max_tokens: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "reasoning_effort": request.reasoning_effort,
            "tools": [tool_of(tool) for tool in request.tools] or None,
            "tool_choice": tool_choice_of(request) if request.tools else None,
            "response_format": response_format_of(request.response_format),
        }
        named = ((self.names.get(wish, wish), value) for wish, value in wishes.items())
        document.update((name, value) for name, value in named if name is not None and value is not None)
        return document

    def messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The conversation as this server takes it."""
        return messages_of(request.messages)

    def decoder(self, content_type: str, now: float) -> ChatCompletionsDecoder:
        """A fresh decoder; see ``Dialect``."""
        return ChatCompletionsDecoder(content_type, now, (*self.rows, *ROWS))

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """What a non-2xx answer means; see ``Dialect``."""
        return judge((*self.rows, *ROWS), evidence_of(answer, now))


OPENAI: Final = ChatCompletions(
    ranges=OPENAI_RANGES,
    max_tokens="max_completion_tokens",
    option_headers={"organization": "openai-organization", "project": "openai-project"},
)
OPENAI_COMPATIBLE: Final = ChatCompletions()
