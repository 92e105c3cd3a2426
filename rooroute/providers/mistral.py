"""Mistral: chat completions with stricter rules, https://docs.mistral.ai/api/."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from rooroute.chat import ChatRequest
from rooroute.outcome import Fault, Scope
from rooroute.providers.failures import Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.ranges import Range
from rooroute.providers.rests import until_refilled

_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BRIDGE: Final = "Done."
_BUDGET: Final = until_refilled(
    ("x-ratelimit-remaining-req-minute", "ratelimitbysize-reset"),
    ("x-ratelimitbysize-remaining-minute", "ratelimitbysize-reset"),
    ("ratelimitbysize-remaining", "ratelimitbysize-reset"),
)


def tool_id(given: str) -> str:
    """An id of nine letters and digits, which Mistral demands; one that is so already stays, different ones stay different."""
    if _ID.fullmatch(given):
        return given
    number = int.from_bytes(hashlib.blake2b(given.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    letters = []
    for _ in range(9):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)


MISTRAL_ROWS: Final = (
    Row(
        Fault.OVERLOAD,
        codes=frozenset({"service_tier_capacity_exceeded"}),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(Fault.RATE_LIMIT, codes=frozenset({"rate_limited"}), scope=Scope.DOMAIN, per_model=True, hint=_BUDGET),
    Row(Fault.RATE_LIMIT, status=statuses(429), scope=Scope.DOMAIN, per_model=True, hint=_BUDGET),
    Row(Fault.MODEL, codes=frozenset({"invalid_model"}), per_model=True),
    Row(
        Fault.CONTEXT,
        status=statuses(400, 422),
        text=pattern(r"too large for model with [\d,]+ maximum context length"),
        window=pattern(r"model with ([\d,]+) maximum context length"),
    ),
)


@dataclass(frozen=True, slots=True)
class MistralChatCompletions(ChatCompletions):
    """Chat completions with short tool ids, and an assistant's word between a tool's result and the user
    (https://github.com/mistralai/mistral-common/issues/169)."""

    def messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The conversation in Mistral's order and with its ids."""
        bridged: list[dict[str, Any]] = []
        for message in ChatCompletions.messages(self, request):
            if message["role"] == "user" and bridged and bridged[-1]["role"] == "tool":
                bridged.append({"role": "assistant", "content": _BRIDGE})
            if "tool_call_id" in message:
                message["tool_call_id"] = tool_id(message["tool_call_id"])
            for call in message.get("tool_calls", ()):
                call["id"] = tool_id(call["id"])
            bridged.append(message)
        return bridged


# It answers 422 to fields it does not know; usage comes without being asked for.
MISTRAL: Final = MistralChatCompletions(
    include_usage=False,
    names={"seed": "random_seed", "reasoning_effort": None},
    rows=MISTRAL_ROWS,
    ranges=(Range("temperature", 0, 1.5), Range("top_p", 0.001, 1)),
)
