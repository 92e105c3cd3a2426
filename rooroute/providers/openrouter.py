"""OpenRouter: chat completions with preferences among providers, and an account of its own between key and model.

https://openrouter.ai/docs/api-reference/overview, https://openrouter.ai/docs/api_reference/limits
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rooroute.chat import ChatRequest
from rooroute.outcome import Fault, Scope
from rooroute.providers.dialect import Target
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.openai import ChatCompletions
from rooroute.providers.ranges import Range
from rooroute.providers.retry_after import server_now, wait

_FREE_DAY: Final = frozenset({"openrouter_free_tier_daily"})
_BUDGETS: Final = frozenset({"openrouter_guardrail_budget", "openrouter_workspace_budget"})
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
        text=pattern(r"no (?:endpoints found|allowed providers)|not a valid model id"),
        per_model=True,
    ),
)


@dataclass(frozen=True, slots=True)
class OpenRouterChatCompletions(ChatCompletions):
    """Chat completions with OpenRouter's own fields: ``provider`` preferences, ``reasoning``, ``usage`` accounting."""

    def document(self, target: Target, request: ChatRequest) -> dict[str, Any]:
        """The body, with the cost asked for (https://openrouter.ai/docs/use-cases/usage-accounting)."""
        document = ChatCompletions.document(self, target, request)
        document["usage"] = {"include": True}
        if request.reasoning_effort is not None:
            document["reasoning"] = {"effort": request.reasoning_effort}
        return document


OPENROUTER: Final = OpenRouterChatCompletions(
    rows=OPENROUTER_ROWS,
    names={"reasoning_effort": None},
    option_fields={"provider": "provider", "models": "models", "transforms": "transforms"},
    option_headers={"appUrl": "http-referer", "appTitle": "x-title"},
    ranges=(Range("temperature", 0, 2), Range("top_p", 0, 1)),
)
