"""What the Gemini API's errors mean (https://ai.google.dev/gemini-api/docs/troubleshooting, https://ai.google.dev/gemini-api/docs/rate-limits).

Errors are google.rpc.Status: a canonical status, and details that name reasons and violated quotas
(https://cloud.google.com/apis/design/errors, https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rooroute.outcome import Fault, Scope
from rooroute.providers.failures import Evidence, Row, pattern, statuses

_SPEND_WINDOW: Final = 600.0
"""Seconds over which spend is summed up for the spend-based limit."""


def _quotas(evidence: Evidence) -> Iterator[str]:
    """Names of the violated quotas, lower case, without the signs that vary between their spellings."""
    for found in evidence.objects:
        for key in ("quotaId", "quotaMetric"):
            if isinstance(name := found.get(key), str):
                yield name.lower().replace("_", "")


def _per_day(evidence: Evidence) -> bool:
    return any("perday" in name for name in _quotas(evidence))


def _per_spend(evidence: Evidence) -> bool:
    return any("spend" in name for name in _quotas(evidence))


def _not_offered(evidence: Evidence) -> bool:
    """A limit of zero: the model is not part of this tier, and whatever delay is shown means nothing."""
    return any(str(found.get("quotaValue")) == "0" for found in evidence.objects)


ROWS: Final = (
    # Of several violations the longest class wins, so: never, money, day, window, minute.
    Row(
        Fault.PERMISSION,
        codes=frozenset({"resource_exhausted"}),
        if_=_not_offered,
        scope=Scope.DOMAIN,
        per_model=True,
    ),
    # "Quota exceeded for metric: …, limit: 0, model: …": https://github.com/continuedev/continue/issues/10062
    Row(
        Fault.PERMISSION,
        codes=frozenset({"resource_exhausted"}),
        text=pattern(r"\blimit: 0\b"),
        scope=Scope.DOMAIN,
        per_model=True,
    ),
    # Shared capacity, not the caller's quota: https://github.com/google-gemini/gemini-cli/issues/26633
    Row(Fault.OVERLOAD, codes=frozenset({"model_capacity_exhausted"}), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.BILLING, text=pattern(r"prepa(?:id|yment) credits (?:are|have been) depleted"), scope=Scope.DOMAIN),
    Row(
        Fault.QUOTA,
        codes=frozenset({"resource_exhausted"}),
        if_=_per_day,
        scope=Scope.DOMAIN,
        per_model=True,
        daily=True,
    ),
    Row(
        Fault.RATE_LIMIT,
        codes=frozenset({"resource_exhausted"}),
        if_=_per_spend,
        scope=Scope.DOMAIN,
        hint=lambda evidence: evidence.hint or _SPEND_WINDOW,
    ),
    # Said of shared capacity too: https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429
    Row(
        Fault.OVERLOAD,
        codes=frozenset({"resource_exhausted"}),
        text=pattern(r"resource exhausted[.,] please try again later"),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    # "Your quota will reset after 5h59m59s.": https://github.com/Wei-Shaw/claude-relay-service/issues/746
    Row(Fault.QUOTA, codes=frozenset({"quota_exhausted"}), scope=Scope.DOMAIN, per_model=True),
    Row(Fault.RATE_LIMIT, codes=frozenset({"resource_exhausted"}), scope=Scope.DOMAIN, per_model=True),
    # A bad key is a 400 here.
    Row(Fault.CREDENTIAL, codes=frozenset({"api_key_invalid"}), confirm=True),
    Row(
        Fault.CREDENTIAL,
        status=statuses(400),
        text=pattern(r"api key (?:not valid|not found|expired)"),
        confirm=True,
    ),
    # https://github.com/google/generative-ai-docs/issues/356
    Row(Fault.CREDENTIAL, codes=frozenset({"consumer_suspended"})),
    # https://github.com/continuedev/continue/issues/10513
    Row(Fault.CREDENTIAL, status=statuses(403), text=pattern(r"has been suspended|reported as leaked")),
    Row(
        Fault.PERMISSION,
        codes=frozenset(
            {
                "api_key_service_blocked",
                "api_key_http_referrer_blocked",
                "api_key_ip_address_blocked",
                "api_key_android_app_blocked",
                "api_key_ios_app_blocked",
                "service_disabled",
                "user_project_denied",
                "location_policy_violated",
            }
        ),
    ),
    Row(Fault.BILLING, codes=frozenset({"billing_disabled"}), scope=Scope.DOMAIN),
    Row(Fault.BILLING, status=statuses(402), scope=Scope.DOMAIN),
    Row(
        Fault.CONTEXT,
        codes=frozenset({"invalid_argument"}),
        text=pattern(r"token count.{0,40}exceeds the maximum number of (?:input )?tokens"),
        window=pattern(r"number of (?:input )?tokens allowed \(?([\d,]+)"),
    ),
    # "Corrupted thought signature.": https://github.com/google-gemini/gemini-cli/issues/13467
    Row(
        Fault.BAD_ANSWER,
        codes=frozenset({"invalid_argument"}),
        text=pattern(r"(?:corrupted|invalid) thought.?signature|thought.?signature is not valid"),
        seals_refused=True,
    ),
    Row(Fault.PERMISSION, codes=frozenset({"failed_precondition"}), scope=Scope.DOMAIN),
    Row(Fault.REQUEST, codes=frozenset({"invalid_argument", "out_of_range"})),
    Row(Fault.CREDENTIAL, codes=frozenset({"unauthenticated"}), confirm=True),
    Row(Fault.PERMISSION, codes=frozenset({"permission_denied"}), per_model=True),
    # "This model models/gemini-2.0-flash is no longer available.": https://ai.google.dev/gemini-api/docs/deprecations
    Row(
        Fault.MODEL,
        codes=frozenset({"not_found"}),
        text=pattern(r"\bmodel.{0,200}(?:no longer (?:available|supported)|deprecated|retired|shut down)"),
        per_model=True,
        retired=True,
    ),
    Row(Fault.MODEL, codes=frozenset({"not_found"}), per_model=True),
    Row(Fault.CANCELLED, codes=frozenset({"cancelled"})),
    Row(
        Fault.OVERLOAD,
        codes=frozenset({"unavailable", "deadline_exceeded"}),
        scope=Scope.ENDPOINT,
        per_model=True,
    ),
    # "Your input context is too long" is the cause the troubleshooting page names; the answer itself does not say so.
    Row(
        Fault.TRANSIENT,
        codes=frozenset({"internal"}),
        scope=Scope.ENDPOINT,
        per_model=True,
        advice="Google answers so to a prompt that is too long, too: if it repeats, shorten it or choose another model.",
    ),
    Row(Fault.TRANSIENT, codes=frozenset({"unknown", "aborted"}), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.OVERLOAD, status=statuses(504), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.CANCELLED, status=statuses(499)),
)
"""Typed reasons and statuses; a sentence decides only where one status covers several causes."""
