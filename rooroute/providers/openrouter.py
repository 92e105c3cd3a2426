"""OpenRouter: chat completions with preferences among providers, and an account of its own between key and model.

https://openrouter.ai/docs/api-reference/overview, https://openrouter.ai/docs/api_reference/limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rooroute.chat import ChatRequest, Message, ThinkingDelta, ThinkingPart
from rooroute.outcome import Fault, Scope
from rooroute.providers import wire_json
from rooroute.providers.dialect import Target
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.openai_errors import ROWS
from rooroute.providers.openai_stream import ChatCompletionsDecoder
from rooroute.providers.ranges import Range
from rooroute.providers.retry_after import number, server_now, wait
from rooroute.providers.stream import mapping_of

_FREE_DAY: Final = frozenset({"openrouter_free_tier_daily"})
_BUDGETS: Final = frozenset({"openrouter_guardrail_budget", "openrouter_workspace_budget"})
_GROWING: Final = frozenset({"text", "summary", "data"})
_OPAQUE: Final = ("signature", "data")
_MAKERS: Final = {"anthropic-": "anthropic/", "google-": "google/", "openai-": "openai/", "xai-": "x-ai/"}
"""Whose models take details of a format: https://openrouter.ai/docs/use-cases/reasoning-tokens names the formats."""

_UPSTREAM: Final = ("provider_name", "provider_code")


def _reset(evidence: Evidence) -> float | None:
    """The reset of the platform's own limits, which stand in headers or, inside a body, in ``metadata.headers``, in epoch milliseconds."""
    told = [evidence.headers, *evidence.objects]
    resets = [value for each in told for name, value in each.items() if name.lower() == "x-ratelimit-reset"]
    server_time = server_now(evidence.headers, evidence.now)
    found = (wait(each, server_time) for each in resets)
    return evidence.hint or next((seconds for seconds in found if seconds is not None), None)


def _upstream(evidence: Evidence) -> bool:
    """Whether the limit is that of a provider behind OpenRouter."""
    return any(found.get(name) for found in evidence.objects for name in _UPSTREAM)


def _ends(evidence: Evidence) -> bool:
    return evidence.hint is not None


OPENROUTER_ROWS: Final = (
    # Estimated cost of running requests; it settles within seconds and says when.
    Row(Fault.RATE_LIMIT, codes=frozenset({"openrouter_in_flight_budget"}), scope=Scope.DOMAIN),
    Row(Fault.QUOTA, codes=frozenset({"openrouter_key_limit"}), if_=_ends),
    Row(Fault.BILLING, codes=frozenset({"openrouter_key_limit"})),
    Row(Fault.QUOTA, codes=_BUDGETS, if_=_ends, scope=Scope.DOMAIN),
    Row(Fault.BILLING, codes=_BUDGETS, scope=Scope.DOMAIN),
    # One request dearer than all there is: a smaller one may pass, so nobody is marked.
    Row(Fault.REQUEST, codes=frozenset({"weight_exceeds_budget"})),
    Row(Fault.REQUEST, status=statuses(402), text=pattern(r"can only afford [1-9]|weight exceeds")),
    Row(Fault.BILLING, codes=frozenset({"openrouter_credits"}), scope=Scope.DOMAIN),
    Row(Fault.BILLING, status=statuses(403), text=pattern(r"key limit exceeded")),
    Row(Fault.POLICY, status=statuses(403), text=pattern(r"moderation|flagged")),
    # Reasoning that another of its providers signed; the sentence is the upstream's own.
    Row(
        Fault.BAD_ANSWER,
        status=statuses(400),
        text=pattern(
            r"invalid `?signature`? in `?(?:redacted_)?thinking|(?:corrupted|invalid) thought.?signature"
            r"|thought.?signature is not valid|encrypted content .{0,2000}could not be (?:verified|decrypted)"
        ),
        seals_refused=True,
    ),
    # https://github.com/Avarok-Cybersecurity/atlas/pull/543, https://github.com/Gitlawb/openclaude/issues/936
    Row(Fault.QUOTA, codes=_FREE_DAY, scope=Scope.DOMAIN, per_model=True, hint=_reset),
    Row(
        Fault.QUOTA,
        status=statuses(429),
        text=pattern(r"free-models-per-day"),
        scope=Scope.DOMAIN,
        per_model=True,
        hint=_reset,
    ),
    # A provider's limit, shared by everybody whom OpenRouter sends there: other keys do not help, other models do.
    Row(Fault.OVERLOAD, status=statuses(429), if_=_upstream, scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.RATE_LIMIT, status=statuses(429), scope=Scope.DOMAIN, per_model=True, hint=_reset),
    Row(
        Fault.MODEL,
        status=statuses(400, 404),
        text=pattern(r"no endpoints found(?! that (?:support|can handle))|no allowed providers|not a valid model id"),
        per_model=True,
    ),
)


class OpenRouterDecoder(ChatCompletionsDecoder):
    """Besides what chat completions tell: ``reasoning_details``, put together, as the seal of the answer's thinking.

    https://openrouter.ai/docs/use-cases/reasoning-tokens asks for them back, unchanged, within a loop of tool calls.
    """

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        super().__init__(content_type, now, rows)
        self._details: dict[tuple[object, object], dict[str, Any]] = {}

    def _read_delta(self, delta: dict[str, Any], document: dict[str, Any]) -> None:
        if told := delta.get("reasoning_details"):
            for detail in told:
                self._add(detail)
        super()._read_delta(delta, document)

    def _add(self, detail: Mapping[str, Any]) -> None:
        """Fragments of one detail share index and type; text grows, everything else is what was said last."""
        known = self._details.setdefault((detail.get("index"), detail.get("type")), {})
        for name, value in detail.items():
            if name in _GROWING and isinstance(value, str) and isinstance(known.get(name), str):
                known[name] += value
            elif value is not None or name not in known:
                known[name] = value

    def _cost(self, told: Mapping[str, Any]) -> float | None:
        """Credits are dollars; with a key of one's own at the provider, what that one charges comes on top."""
        fee = number(told.get("cost"))
        upstream = number(mapping_of(told.get("cost_details")).get("upstream_inference_cost"))
        if fee is None or fee < 0:
            return None
        return fee + upstream if told.get("is_byok") is True and upstream is not None and upstream > 0 else fee

    def finish(self) -> None:
        """Ends the answer well; thinking that nobody signed needs no seal."""
        details = list(self._details.values())
        if any(detail.get(name) for detail in details for name in _OPAQUE):
            self.out.append(ThinkingDelta("", wire_json.write(details).decode()))
        super().finish()


@dataclass(frozen=True, slots=True)
class OpenRouterChatCompletions(ChatCompletions):
    """Chat completions with OpenRouter's own fields: ``provider`` preferences, ``reasoning`` and its details, ``usage`` accounting."""

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The body, with the cost asked for (https://openrouter.ai/docs/use-cases/usage-accounting)."""
        document = ChatCompletions.document(self, target, request)
        document["usage"] = {"include": True}
        if request.reasoning_effort is not None:
            document["reasoning"] = {"effort": request.reasoning_effort}
        told = (each for each in document["messages"] if each["role"] == "assistant")
        for message, answer in zip((m for m in request.messages if m.role == "assistant"), told, strict=True):
            if details := _details_of(message, target.model):
                answer["reasoning_details"] = details
        return document

    def decoder(self, content_type: str, now: float) -> OpenRouterDecoder:
        """A fresh decoder; see ``Dialect``."""
        return OpenRouterDecoder(content_type, now, (*self.rows, *ROWS))


def _details_of(message: Message, model: str) -> list[Any]:
    """The details sealed in an earlier answer, save those that another maker's model signed."""
    parts = message.content if isinstance(message.content, tuple) else ()
    found: list[Any] = []
    for part in parts:
        if isinstance(part, ThinkingPart) and part.signature:
            try:
                sealed = wire_json.read(part.signature.encode())
            except ValueError:
                continue
            found += (
                [each for each in sealed if isinstance(each, dict) and _is_for(each, model)]
                if isinstance(sealed, list)
                else []
            )
    return found


def _is_for(detail: Mapping[str, Any], model: str) -> bool:
    maker = next((maker for begins, maker in _MAKERS.items() if str(detail.get("format")).startswith(begins)), None)
    return maker is None or model.startswith(maker)


OPENROUTER: Final = OpenRouterChatCompletions(
    name="openrouter",
    rows=OPENROUTER_ROWS,
    names={"reasoning_effort": None},
    option_fields={"provider": "provider", "models": "models", "transforms": "transforms"},
    option_headers={"appUrl": "http-referer", "appTitle": "x-title"},
    ranges=(Range("temperature", 0, 2), Range("top_p", 0, 1)),
)
