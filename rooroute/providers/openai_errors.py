"""What errors of the OpenAI dialect mean, one row each: https://platform.openai.com/docs/guides/error-codes and what compatible servers add."""

from __future__ import annotations

from typing import Final

from rooroute.outcome import Fault, Scope
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.rests import until_next_month, until_refilled

_BUDGET: Final = until_refilled(
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
)
_RAMP: Final = 30.0
_WINDOW: Final = pattern(
    r"(?:context length (?:is|of)|context size \(|context window (?:is|of)|limit[: ]) ?([0-9][0-9,]{2,})"
)


def _ramp(evidence: Evidence) -> float:
    return evidence.hint or _RAMP


ROWS: Final = (
    # What a model cannot take is no outage and no missing model, and another profile's may take it. llama.cpp says it with 500
    # (https://github.com/ggml-org/llama.cpp/issues/15377), OpenRouter with 404 (https://github.com/openclaw/openclaw/issues/99078), OpenAI
    # with 400 (https://github.com/browser-use/web-ui/issues/274).
    Row(
        Fault.BAD_ANSWER,
        status=statuses(400, 404, 500),
        text=pattern(
            r"image input is not supported|image_url is only supported by certain models|no endpoints found that (?:support|can handle)"
        ),
    ),
    # https://platform.openai.com/docs/guides/spend-limits names no zone for the month, UTC is assumed.
    Row(
        Fault.QUOTA,
        codes=frozenset({"organization_spend_limit_exceeded", "project_spend_limit_exceeded"}),
        scope=Scope.DOMAIN,
        hint=until_next_month,
    ),
    Row(
        Fault.BILLING,
        codes=frozenset(
            {
                "insufficient_quota",
                "credit_balance_exhausted",
                "organization_usage_limit_exceeded",
                "billing_hard_limit_reached",
                "billing_not_active",
                "exceeded_current_quota_error",  # Moonshot
                "insufficient_balance",
            }
        ),
        scope=Scope.DOMAIN,
    ),
    Row(
        Fault.CONTEXT,
        codes=frozenset({"context_length_exceeded", "exceed_context_size_error"}),
        window=_WINDOW,
    ),
    # A single request above the whole minute's tokens never fits, however long one waits (Groq 413, OpenAI 429).
    Row(Fault.CONTEXT, status=statuses(413, 429), text=pattern("request too large for"), window=_WINDOW),
    Row(Fault.RATE_LIMIT, codes=frozenset({"slow_down"}), scope=Scope.DOMAIN, hint=_ramp),
    Row(
        Fault.OVERLOAD,
        codes=frozenset(
            {"server_is_overloaded", "service_unavailable_error", "overloaded_error", "engine_overloaded_error"}
        ),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(
        Fault.RATE_LIMIT,
        codes=frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error"}),
        scope=Scope.DOMAIN,
        per_model=True,
        hint=_BUDGET,
    ),
    Row(
        Fault.POLICY,
        codes=frozenset(
            {
                "content_policy_violation",
                "invalid_prompt",
                "content_filter",
                "responsibleaipolicyviolation",
                "moderation_blocked",
            }
        ),
    ),
    Row(Fault.PERMISSION, codes=frozenset({"unsupported_country_region_territory"}), scope=Scope.ENDPOINT),
    # "The model `X` has been deprecated", Groq's model_decommissioned: gone for everybody, not only for this key.
    Row(
        Fault.MODEL,
        status=statuses(400, 403, 404, 410, 422),
        text=pattern(
            r"\bmodels?\b.{0,200}(?:deprecated|retired|decommissioned|discontinued|no longer (?:available|supported|offered))"
        ),
        per_model=True,
        retired=True,
    ),
    Row(Fault.MODEL, codes=frozenset({"model_decommissioned", "modeldeprecated"}), per_model=True, retired=True),
    Row(Fault.MODEL, codes=frozenset({"model_not_found", "model_not_exist", "deploymentnotfound"}), per_model=True),
    Row(Fault.PERMISSION, status=statuses(401, 403), text=pattern(r"\bip\b.*not (?:been )?(?:authori[sz]ed|allowed)")),
    Row(Fault.CREDENTIAL, codes=frozenset({"invalid_api_key", "invalid_authentication_error"}), confirm=True),
    Row(Fault.CREDENTIAL, status=statuses(400, 403), text=pattern("(?:incorrect|invalid) api key"), confirm=True),
    Row(Fault.BILLING, status=statuses(429), text=pattern("exceeded your current quota"), scope=Scope.DOMAIN),
    Row(Fault.RATE_LIMIT, status=statuses(429), scope=Scope.DOMAIN, per_model=True, hint=_BUDGET),
    Row(
        Fault.MODEL,
        status=statuses(400, 404, 410, 422),
        text=pattern(r"\bmodel\b.*(?:not found|not exist)"),
        per_model=True,
    ),
    Row(
        Fault.CONTEXT,
        status=statuses(400, 413, 422, 500),
        text=pattern(
            "maximum context length|context (?:size|length|window).*exceed|exceeds? .*context (?:size|length|window)|prompt is too long"
        ),
        window=_WINDOW,
    ),
    Row(
        Fault.TRANSIENT,
        codes=frozenset({"server_error", "internal_server_error", "timeout"}),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    # Inside a 200 stream there is no status to fall back on; this type says that the request itself is wrong.
    Row(Fault.REQUEST, codes=frozenset({"invalid_request_error"}), if_=lambda evidence: evidence.status is None),
)
"""Tried in order; then ``failures.BY_STATUS``."""
