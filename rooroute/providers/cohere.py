"""Cohere's Compatibility API: chat completions with fewer fields, https://docs.cohere.com/docs/compatibility-api."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rooroute.chat import ChatRequest
from rooroute.outcome import Fault, Scope
from rooroute.providers.dialect import Target
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.ranges import Range
from rooroute.providers.rests import until_next_month

_EFFORTS: Final = {"minimal": "none", "low": "none", "medium": "high", "high": "high"}
_CHOICES: Final = ("none", "required")


def _month(evidence: Evidence) -> float | None:
    """A trial key's month is taken to be the calendar's; the documentation does not say."""
    return evidence.hint or until_next_month(evidence)


COHERE_ROWS: Final = (
    # "You are using a Trial key, which is limited to 1000 API calls / month": https://docs.cohere.com/docs/rate-limits
    Row(Fault.QUOTA, status=statuses(429), text=pattern(r"calls? ?(?:/|per) ?month"), scope=Scope.DOMAIN, hint=_month),
    Row(Fault.CREDENTIAL, status=statuses(498), confirm=True),
    Row(Fault.CANCELLED, status=statuses(499)),
    Row(
        Fault.CONTEXT,
        status=statuses(400, 422),
        text=pattern(r"too many tokens"),
        window=pattern(r"cannot exceed ([\d,]+)"),
    ),
)


@dataclass(frozen=True, slots=True)
class CohereChatCompletions(ChatCompletions):
    """Chat completions whose tools are chosen freely, never, or of necessity, and whose thinking is on or off."""

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The body with what Cohere takes of it."""
        document = ChatCompletions.document(self, target, request)
        choice = document.pop("tool_choice", None)
        if isinstance(choice, dict):  # no tool can be named: it is the only one offered instead
            wanted = choice["function"]["name"]
            document["tools"] = [tool for tool in document["tools"] if tool["function"]["name"] == wanted]
            choice = "required"
        if choice in _CHOICES:
            document["tool_choice"] = choice
        if request.reasoning_effort is not None:
            document["reasoning_effort"] = _EFFORTS[request.reasoning_effort]
        return document


# "Cohere's Compatibility API rejects the stream_options request field": https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/
COHERE: Final = CohereChatCompletions(
    include_usage=False,
    rows=COHERE_ROWS,
    ranges=(Range("temperature", 0, 1), Range("top_p", 0.01, 0.99), Range("stop", 0, 5)),
)
