"""What Anthropic's errors mean (https://platform.claude.com/docs/en/api/errors, https://platform.claude.com/docs/en/api/rate-limits)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from rooroute.outcome import Fault, Scope
from rooroute.providers import retry_after
from rooroute.providers.failures import Evidence, Row, pattern, statuses
from rooroute.providers.rests import until_next_month, until_refilled

_BUDGET: Final = until_refilled(
    *(
        (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset")
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    )
)
_REGAIN: Final = re.compile(r"regain access on (\d{4}-\d\d-\d\d)(?: at (\d\d:\d\d))?", re.ASCII)


def _until_regained(evidence: Evidence) -> float | None:
    """Seconds until the date of "You will regain access on 2026-04-01 at 00:00 UTC."; None without one."""
    found = _REGAIN.search(evidence.text)
    if not found:
        return None
    try:
        day = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return retry_after.sensible(day.timestamp() - retry_after.server_now(evidence.headers, evidence.now))


ROWS: Final = (
    Row(
        Fault.QUOTA,
        codes=frozenset({"enforced_spend_limit_reached"}),
        scope=Scope.DOMAIN,
        hint=until_next_month,
    ),
    # Limits the user set in the console come as 400: https://github.com/anthropics/claude-code/issues/38035
    Row(
        Fault.QUOTA,
        text=pattern(r"reached your specified (?:workspace )?api usage limits"),
        if_=lambda evidence: _until_regained(evidence) is not None,
        scope=Scope.DOMAIN,
        hint=_until_regained,
    ),
    Row(
        Fault.BILLING,
        text=pattern(r"reached your specified (?:workspace )?api usage limits"),
        scope=Scope.DOMAIN,
        hint=lambda evidence: None,
    ),
    # https://github.com/anthropics/claude-code/issues/54311
    Row(Fault.PERMISSION, text=pattern(r"organization has been disabled"), scope=Scope.DOMAIN),
    # https://github.com/anthropics/claude-code/issues/66314
    Row(Fault.BILLING, text=pattern(r"credit balance is too low"), scope=Scope.DOMAIN),
    Row(Fault.BILLING, codes=frozenset({"billing_error"}), scope=Scope.DOMAIN),
    Row(
        Fault.CONTEXT,
        codes=frozenset({"invalid_request_error"}),
        text=pattern(r"prompt is too long"),
        window=pattern(r"> ([\d,]+) maximum"),
    ),
    Row(
        Fault.CONTEXT,
        codes=frozenset({"invalid_request_error"}),
        text=pattern(r"input length and `max_tokens` exceed context limit"),
        window=pattern(r"> ([\d,]+)"),
    ),
    # What llama.cpp's server says for its own context window, in this dialect too.
    Row(
        Fault.CONTEXT,
        codes=frozenset({"exceed_context_size_error"}),
        window=pattern(r"context size \(([\d,]+)"),
    ),
    # Thinking that another server of this dialect signed: https://github.com/NousResearch/hermes-agent/issues/24401
    Row(
        Fault.BAD_ANSWER,
        codes=frozenset({"invalid_request_error"}),
        text=pattern(r"invalid `?signature`? in `?(?:redacted_)?thinking`? block"),
        seals_refused=True,
    ),
    # https://github.com/anthropics/claude-code/issues/58367
    Row(
        Fault.POLICY,
        codes=frozenset({"invalid_request_error"}),
        text=pattern(r"blocked by content filtering policy"),
    ),
    Row(
        Fault.RATE_LIMIT,
        codes=frozenset({"rate_limit_error"}),
        scope=Scope.DOMAIN,
        per_model=True,
        hint=_BUDGET,
    ),
    Row(Fault.OVERLOAD, codes=frozenset({"overloaded_error"}), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.CREDENTIAL, codes=frozenset({"authentication_error"}), confirm=True),
    Row(Fault.PERMISSION, codes=frozenset({"permission_error"}), per_model=True),
    Row(Fault.MODEL, codes=frozenset({"not_found_error"}), per_model=True),
    Row(Fault.REQUEST, codes=frozenset({"request_too_large"})),
    Row(
        Fault.TRANSIENT,
        codes=frozenset({"api_error", "timeout_error", "conflict_error"}),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    Row(Fault.REQUEST, codes=frozenset({"invalid_request_error"})),
    Row(Fault.RATE_LIMIT, status=statuses(429), scope=Scope.DOMAIN, per_model=True, hint=_BUDGET),
)
"""Typed code first; where one code covers several causes (above all ``invalid_request_error``), the sentence tells."""
