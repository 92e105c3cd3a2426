"""What errors of each vendor mean that speaks another one's dialect: one recorded-form body for each row of its table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rooroute.outcome import Failure, Fault, Scope
from rooroute.providers import openai_errors, responses
from rooroute.providers.azure import AZURE_ROWS
from rooroute.providers.cohere import COHERE_ROWS
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.failures import Row, evidence_of
from rooroute.providers.huggingface import HUGGING_FACE_ROWS
from rooroute.providers.litellm import LITELLM_ROWS
from rooroute.providers.mistral import MISTRAL_ROWS
from rooroute.providers.openrouter import OPENROUTER_ROWS
from rooroute.providers.vertex import VERTEX_ROWS
from tests.providers import conformance as c

SUBJECTS = c.subjects()
VERTEX_CLAUDE = "vertex speaking anthropic"
RESPONSES = "openai speaking openai-responses"
TABLES: dict[str, tuple[Row, ...]] = {
    "azure-openai": AZURE_ROWS,
    "openrouter": OPENROUTER_ROWS,
    "litellm": LITELLM_ROWS,
    "mistral": MISTRAL_ROWS,
    "cohere": COHERE_ROWS,
    "huggingface": HUGGING_FACE_ROWS,
    "vertex": VERTEX_ROWS,
    RESPONSES: responses.ROWS[: -len(openai_errors.ROWS)],
}
MIDNIGHT = 1_790_035_200.0  # 2026-09-22T00:00:00Z
TO_OCTOBER = 812_800.0  # from 2026-09-21T14:13:20Z
Case = tuple[str, int, dict[str, str], Any, dict[str, Any]]


def said(message: str, code: Any = None, kind: str | None = None, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def routed(code: int, message: str, **metadata: Any) -> dict[str, Any]:
    """https://openrouter.ai/docs/api-reference/errors"""
    return {
        "error": {"code": code, "message": message, **({"metadata": metadata} if metadata else {})},
        "user_id": "user_x",
    }


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {
        "error": {"code": code, "message": message, "status": status, **({"details": list(details)} if details else {})}
    }


AZURE_RATE = "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate limit of your current OpenAI S0 pricing tier."
HERE = {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "per_model": True}
CAPACITY = {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True}

ERRORS: dict[str, Case] = {
    "azure-says-when-in-milliseconds": ("azure-openai", 429, {"retry-after-ms": "37250", "retry-after": "38"}, said(AZURE_RATE, "429"), HERE | {"hint": 37.25}),
    "azure-says-when-in-seconds": ("azure-openai", 429, {"retry-after": "38"}, said(AZURE_RATE, "429"), HERE | {"hint": 38.0}),
    "azure-says-when-in-words": ("azure-openai", 429, {}, said(AZURE_RATE + " Please retry after 37 seconds.", "429"), HERE | {"hint": 37.0}),
    "azure-s-minus-one-means-nothing": (
        "azure-openai",
        429,
        {"retry-after": "-1", "x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "0", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "-1"},
        said("Too Many Requests", "429"),
        HERE | {"hint": 10.0},
    ),
    "azure-is-short-of-room": ("azure-openai", 429, {}, said("The service is temporarily unable to process your request due to high demand.", "429"), CAPACITY | {"hint": None}),
    "azure-has-no-quota": ("azure-openai", 429, {}, said("You exceeded your current quota.", "insufficient_quota"), {"fault": Fault.BILLING}),
    "azure-refuses-the-key": (
        "azure-openai",
        401,
        {},
        said("Access denied due to invalid subscription key or wrong API endpoint.", "401"),
        {"fault": Fault.CREDENTIAL, "confirm": True},
    ),
    "azure-misses-a-role": (
        "azure-openai",
        401,
        {},
        said("The principal `x` lacks the required data action `Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action`.", "PermissionDenied"),
        {"fault": Fault.PERMISSION, "confirm": False},
    ),
    "azure-stands-behind-a-network": (
        "azure-openai",
        403,
        {},
        said("Access denied due to Virtual Network/Firewall rules.", "403"),
        {"fault": Fault.PERMISSION, "scope": Scope.ENDPOINT},
    ),
    "azure-has-no-such-deployment": (
        "azure-openai",
        404,
        {},
        said("The API deployment for this resource does not exist.", "DeploymentNotFound"),
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "azure-has-no-such-path": ("azure-openai", 404, {}, said("Resource not found", "404"), {"fault": Fault.CONFIG}),
    "azure-has-no-such-version": ("azure-openai", 400, {}, said("The API version 2020-01-01 is not supported.", "BadRequest"), {"fault": Fault.CONFIG}),
    "azure-s-deployment-does-not-chat": (
        "azure-openai",
        400,
        {},
        said("The chatCompletion operation does not work with the specified model, text-embedding-3-small.", "OperationNotSupported"),
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "azure-s-filter": (
        "azure-openai",
        400,
        {},
        said("The response was filtered.", "content_filter", innererror={"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}),
        {"fault": Fault.POLICY},
    ),
    "openrouter-s-key-is-wrong": ("openrouter", 401, {}, routed(401, "User not found."), {"fault": Fault.CREDENTIAL, "confirm": True}),
    "openrouter-s-running-requests-cost-enough": (
        "openrouter",
        402,
        {"retry-after": "4"},
        routed(402, "In-flight budget exhausted.", limit_source="openrouter_in_flight_budget", reason="in_flight_budget_exhausted"),
        {"fault": Fault.RATE_LIMIT, "hint": 4.0, "scope": Scope.DOMAIN, "per_model": False},
    ),
    "openrouter-has-no-credits": ("openrouter", 402, {}, routed(402, "Insufficient credits.", limit_source="openrouter_credits"), {"fault": Fault.BILLING, "scope": Scope.DOMAIN}),
    "openrouter-finds-one-request-too-dear": (
        "openrouter",
        402,
        {},
        routed(402, "This request costs more than your budget.", limit_source="openrouter_credits", reason="weight_exceeds_budget"),
        {"fault": Fault.REQUEST},
    ),
    "openrouter-can-afford-a-smaller-answer": (
        "openrouter",
        402,
        {},
        routed(402, "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 2666.", provider_name=None),
        {"fault": Fault.REQUEST},
    ),
    "openrouter-can-afford-nothing": (
        "openrouter",
        402,
        {},
        routed(402, "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 0."),
        {"fault": Fault.BILLING},
    ),
    "openrouter-s-key-has-spent-its-share-until-midnight": (
        "openrouter",
        403,
        {},
        routed(403, "Key limit exceeded.", limit_source="openrouter_key_limit", limit_usd=10, spend_usd=10.1, resets_at="2026-09-22T00:00:00Z"),
        {"fault": Fault.QUOTA, "hint": MIDNIGHT - c.NOW, "scope": Scope.PROFILE},
    ),
    "openrouter-s-key-has-spent-its-share-for-good": ("openrouter", 402, {}, routed(402, "Key limit exceeded.", limit_source="openrouter_key_limit"), {"fault": Fault.BILLING, "scope": Scope.PROFILE}),
    "openrouter-s-workspace-has-spent-its-budget": (
        "openrouter",
        403,
        {},
        routed(403, "Budget limit exceeded.", limit_source="openrouter_workspace_budget", resets_at="2026-09-22T00:00:00Z"),
        {"fault": Fault.QUOTA, "hint": MIDNIGHT - c.NOW, "scope": Scope.DOMAIN},
    ),
    "openrouter-s-guardrail-never-resets": ("openrouter", 403, {}, routed(403, "Budget limit exceeded.", limit_source="openrouter_guardrail_budget"), {"fault": Fault.BILLING, "scope": Scope.DOMAIN}),
    "openrouter-s-key-limit-in-words-only": ("openrouter", 403, {}, routed(403, "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"), {"fault": Fault.BILLING}),
    "openrouter-s-moderation": (
        "openrouter",
        403,
        {},
        routed(403, "openai/gpt-4o requires moderation. Your input was flagged.", reasons=["violence"], flagged_input="…", provider_name="OpenAI"),
        {"fault": Fault.POLICY},
    ),
    "openrouter-s-free-day-is-over": (
        "openrouter",
        429,
        {},
        routed(
            429,
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
            headers={"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(MIDNIGHT * 1000))},
            provider_name=None,
        ),
        {"fault": Fault.QUOTA, "hint": MIDNIGHT - c.NOW, "scope": Scope.DOMAIN, "per_model": True},
    ),
    "openrouter-s-free-day-by-its-type": (
        "openrouter",
        429,
        {"x-ratelimit-reset": str(int(MIDNIGHT * 1000))},
        routed(429, "Rate limit exceeded.", limit_source="openrouter_free_tier_daily"),
        {"fault": Fault.QUOTA, "hint": MIDNIGHT - c.NOW},
    ),
    "openrouter-s-free-minute-is-over": (
        "openrouter",
        429,
        {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int((c.NOW + 41) * 1000))},
        routed(429, "Rate limit exceeded: free-models-per-min."),
        HERE | {"hint": 41.0},
    ),
    "a-provider-behind-openrouter-is-at-its-limit": (
        "openrouter",
        429,
        {},
        routed(429, "Provider returned error", provider_name="Google AI Studio", raw='{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota.","details":[{"retryDelay":"12s"}]}}'),
        CAPACITY | {"hint": 12.0},
    ),
    "openrouter-has-nobody-for-the-model": ("openrouter", 404, {}, routed(404, "No endpoints found for foo/bar."), {"fault": Fault.MODEL, "per_model": True}),
    "openrouter-has-nobody-who-sees-images": ("openrouter", 404, {}, routed(404, "No endpoints found that support image input"), {"fault": Fault.BAD_ANSWER}),
    "openrouter-has-nobody-with-the-parameters": ("openrouter", 404, {}, routed(404, "No endpoints found that can handle the requested parameters."), {"fault": Fault.BAD_ANSWER}),
    "openrouter-s-provider-is-away": ("openrouter", 502, {}, routed(502, "Provider returned error", provider_name="DeepInfra", raw="upstream connect error"), {"fault": Fault.TRANSIENT, "per_model": True}),
    "openrouter-s-providers-are-all-away": ("openrouter", 503, {}, routed(503, "No provider available that meets your routing requirements"), CAPACITY),
    "openrouter-passes-a-long-prompt-s-error-on": (
        "openrouter",
        400,
        {},
        routed(400, "Provider returned error", provider_name="OpenAI", raw=json.dumps(said("This model's maximum context length is 128000 tokens.", "context_length_exceeded"))),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 128000},
    ),
    "litellm-has-everything-resting": (
        "litellm",
        429,
        {},
        said("No deployments available for selected model, Try again in 60 seconds. Passed model=claude-3-haiku. pre-call-checks=False, cooldown_list=['3d']", "429", "None"),
        CAPACITY | {"hint": 60.0},
    ),
    "litellm-s-budget-is-spent": ("litellm", 400, {}, said("Budget has been exceeded! Current cost: 5.1, Max budget: 5.0", "400", "budget_exceeded"), {"fault": Fault.BILLING, "scope": Scope.PROFILE}),
    "litellm-s-team-budget-in-words-only": ("litellm", 400, {}, said("ExceededTeamBudget: Budget has been exceeded! Team=t", "400"), {"fault": Fault.BILLING}),
    "litellm-s-key-may-not-use-the-model": (
        "litellm",
        401,
        {},
        said("key not allowed to access model. This key can only access models=['a']. Tried to access b", "401", "key_model_access_denied"),
        {"fault": Fault.PERMISSION, "per_model": True, "confirm": False},
    ),
    "litellm-s-key-is-over": ("litellm", 401, {}, said("Authentication Error - Expired Key.", "400", "expired_key"), {"fault": Fault.CREDENTIAL, "confirm": False}),
    "litellm-s-key-is-wrong": ("litellm", 400, {}, said("Authentication Error, LiteLLM Virtual Key expected.", "400", "auth_error"), {"fault": Fault.CREDENTIAL, "confirm": True}),
    "litellm-does-not-know-the-model": (
        "litellm",
        400,
        {},
        said("/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view available models for your key.", "400"),
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "a-prompt-too-long-behind-litellm": (
        "litellm",
        400,
        {},
        said("litellm.ContextWindowExceededError: litellm.BadRequestError: AnthropicException - prompt is too long: 210000 tokens > 200000 maximum", "400"),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 200000},
    ),
    "a-filter-behind-litellm": ("litellm", 400, {}, said("litellm.ContentPolicyViolationError: AzureException - The response was filtered", "400"), {"fault": Fault.POLICY}),
    "a-bad-key-behind-litellm": (
        "litellm",
        401,
        {},
        said("litellm.AuthenticationError: AuthenticationError: OpenAIException - Incorrect API key provided: sk-a***b.", "401", "invalid_request_error"),
        {"fault": Fault.PERMISSION, "per_model": True, "confirm": False},
    ),
    "a-limit-behind-litellm": (
        "litellm",
        429,
        {},
        said("litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached. Please try again in 20s.", "429", "throttling_error"),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.ENDPOINT, "per_model": True, "hint": 20.0},
    ),
    "litellm-without-a-database-knows-its-master-key-alone": (
        "litellm",
        400,
        {},
        said("No connected db.", "400", "no_db_connection"),
        {"fault": Fault.CREDENTIAL, "scope": Scope.PROFILE, "confirm": True},
    ),
    "litellm-has-lost-its-database": (
        "litellm",
        503,
        {},
        said("Service Unavailable, the authentication database is unreachable.", "503", "no_db_connection"),
        {"fault": Fault.TRANSIENT, "scope": Scope.ENDPOINT},
    ),
    "an-overload-behind-litellm": (
        "litellm",
        503,
        {},
        said("litellm.ServiceUnavailableError: ServiceUnavailableError: OpenAIException - Overloaded", "503", "internal_server_error"),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True},
    ),
    "mistral-is-short-of-room": (
        "mistral",
        429,
        {},
        {"object": "error", "message": "Service tier capacity exceeded for this model.", "type": "service_tier_capacity_exceeded", "param": None, "code": "3505"},
        CAPACITY,
    ),
    "mistral-counts-requests": ("mistral", 429, {}, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": None, "code": "1300"}, HERE),
    "mistral-counts-tokens": ("mistral", 429, {"ratelimitbysize-remaining": "0", "ratelimitbysize-reset": "26"}, {"message": "Requests rate limit exceeded"}, HERE | {"hint": 26.0}),
    "mistral-s-key-is-wrong": ("mistral", 401, {}, {"detail": "Unauthorized"}, {"fault": Fault.CREDENTIAL, "confirm": True}),
    "mistral-does-not-know-the-model": (
        "mistral",
        400,
        {},
        {"object": "error", "message": "Invalid model: foo", "type": "invalid_model", "param": None, "code": "1500"},
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "a-prompt-too-long-for-mistral": (
        "mistral",
        400,
        {},
        {"object": "error", "message": "Prompt contains 40003 tokens, too large for model with 32768 maximum context length", "type": "invalid_request_prompt", "param": None, "code": "3051"},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 32768},
    ),
    "a-field-mistral-does-not-know": (
        "mistral",
        422,
        {},
        {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}, "type": "invalid_request_error"},
        {"fault": Fault.REQUEST},
    ),
    "cohere-s-trial-month-is-over": (
        "cohere",
        429,
        {},
        {"message": "You are using a Trial key, which is limited to 1000 API calls / month. You can upgrade to a Production key."},
        {"fault": Fault.QUOTA, "hint": TO_OCTOBER, "scope": Scope.DOMAIN},
    ),
    "cohere-s-trial-minute-is-over": ("cohere", 429, {}, {"message": "You are using a Trial key, which is limited to 20 API calls / minute."}, HERE),
    "cohere-s-key-is-wrong": ("cohere", 401, {}, {"id": "a", "message": "invalid api token"}, {"fault": Fault.CREDENTIAL, "confirm": True}),
    "cohere-blocks-the-key": ("cohere", 498, {}, {"message": "invalid token"}, {"fault": Fault.CREDENTIAL, "confirm": True}),
    "cohere-noticed-our-cancelling": ("cohere", 499, {}, {"message": "request cancelled"}, {"fault": Fault.CANCELLED}),
    "cohere-wants-to-be-paid": ("cohere", 402, {}, {"message": "Please add or update your payment method"}, {"fault": Fault.BILLING}),
    "cohere-does-not-know-the-model": ("cohere", 404, {}, {"id": "a", "message": "model 'command-x' not found, make sure the correct model ID was used"}, {"fault": Fault.MODEL}),
    "a-prompt-too-long-for-cohere": (
        "cohere",
        400,
        {},
        {"message": "too many tokens: total number of tokens in the prompt cannot exceed 128000 - received 130000."},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 128000},
    ),
    "hugging-face-s-month-is-used-up": (
        "huggingface",
        402,
        {},
        {"error": "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits."},
        {"fault": Fault.QUOTA, "hint": TO_OCTOBER, "scope": Scope.DOMAIN},
    ),
    "hugging-face-has-nobody-for-the-model": (
        "huggingface",
        400,
        {},
        said("The requested model 'x/y' is not supported by any provider you have enabled.", "model_not_supported", "invalid_request_error"),
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "hugging-face-is-loading-the-model": ("huggingface", 503, {}, {"error": "Model x/y is currently loading", "estimated_time": 20.0}, CAPACITY | {"hint": 20.0}),
    "hugging-face-s-token-may-not": (
        "huggingface",
        403,
        {},
        {"error": "This authentication method does not have sufficient permissions to call Inference Providers on behalf of user x"},
        {"fault": Fault.PERMISSION, "per_model": False},
    ),
    "hugging-face-s-token-is-wrong": ("huggingface", 401, {}, {"error": "Invalid username or password."}, {"fault": Fault.CREDENTIAL, "confirm": True}),
    "vertex-is-short-of-room": (
        "vertex",
        429,
        {},
        google(429, "RESOURCE_EXHAUSTED", "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."),
        CAPACITY,
    ),
    "vertex-is-short-of-room-in-older-words": ("vertex", 429, {}, google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), CAPACITY),
    "vertex-counts-the-project-s-minute": (
        "vertex",
        429,
        {},
        google(429, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/generate_content_requests_per_minute_per_project_per_base_model with base model: gemini-2.5-pro. Please submit a quota increase request."),
        HERE,
    ),
    "vertex-counts-claude-s-tokens": (
        VERTEX_CLAUDE,
        429,
        {},
        google(429, "RESOURCE_EXHAUSTED", "Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model with base model: anthropic-claude-opus-4."),
        HERE,
    ),
    "vertex-s-provisioned-throughput-is-used": ("vertex", 429, {}, google(429, "RESOURCE_EXHAUSTED", "Too many requests. Exceeded the Provisioned Throughput."), HERE | {"hint": 10.0}),
    "vertex-s-token-is-over": (
        "vertex",
        401,
        {},
        google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_EXPIRED"}),
        {"fault": Fault.CREDENTIAL, "confirm": True},
    ),
    "vertex-wants-another-kind-of-token": (
        VERTEX_CLAUDE,
        401,
        {},
        google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", {"reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED"}),
        {"fault": Fault.CREDENTIAL, "confirm": True},
    ),
    "vertex-is-switched-off": (
        "vertex",
        403,
        {},
        google(403, "PERMISSION_DENIED", "Vertex AI API has not been used in project x before or it is disabled.", {"reason": "SERVICE_DISABLED"}),
        {"fault": Fault.PERMISSION, "per_model": False},
    ),
    "vertex-misses-a-role": (VERTEX_CLAUDE, 403, {}, google(403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource"), {"fault": Fault.PERMISSION}),
    "vertex-does-not-know-the-model": (
        VERTEX_CLAUDE,
        404,
        {},
        google(404, "NOT_FOUND", "Publisher Model `projects/p/locations/us-east5/publishers/anthropic/models/claude-x` was not found or your project does not have access to it."),
        {"fault": Fault.MODEL, "per_model": True},
    ),
    "vertex-is-down": ("vertex", 503, {}, google(503, "UNAVAILABLE", "The service is currently unavailable."), CAPACITY),
    "vertex-gave-up": (VERTEX_CLAUDE, 504, {}, google(504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."), CAPACITY),
    "claude-on-vertex-is-overloaded": (VERTEX_CLAUDE, 529, {}, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, CAPACITY),
    "a-prompt-too-long-for-claude-on-vertex": (
        VERTEX_CLAUDE,
        400,
        {},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 200000},
    ),
    "a-seal-that-another-organization-made": (RESPONSES, 400, {}, said("The encrypted content for item rs_1 could not be verified.", "invalid_encrypted_content", "invalid_request_error"), {"fault": Fault.BAD_ANSWER, "seals_refused": True}),
    "a-seal-that-another-organization-made-in-words-only": (
        RESPONSES,
        400,
        {},
        said("The encrypted content gAAA... could not be verified. Reason: Encrypted content organization_id did not match the target organization.", None, "invalid_request_error"),
        {"fault": Fault.BAD_ANSWER, "seals_refused": True},
    ),
    "a-seal-that-another-server-of-the-dialect-made": (
        "anthropic",
        400,
        {},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "messages.1.content.0: Invalid `signature` in `thinking` block"}},
        {"fault": Fault.BAD_ANSWER, "seals_refused": True},
    ),
    "a-seal-that-an-upstream-of-openrouter-refuses": (
        "openrouter",
        400,
        {},
        routed(400, "Provider returned error", raw='{"error":{"message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}', provider_name="Anthropic"),
        {"fault": Fault.BAD_ANSWER, "seals_refused": True},
    ),
    "gemini-s-broken-seal": ("gemini", 400, {}, google(400, "INVALID_ARGUMENT", "Corrupted thought signature."), {"fault": Fault.BAD_ANSWER, "seals_refused": True}),
    "vertex-s-broken-seal": ("vertex", 400, {}, google(400, "INVALID_ARGUMENT", "Unable to submit request because Thought signature is not valid."), {"fault": Fault.BAD_ANSWER, "seals_refused": True}),
    "a-seal-that-is-missing-is-the-request-s-own-fault": (
        "gemini",
        400,
        {},
        google(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."),
        {"fault": Fault.REQUEST, "seals_refused": False},
    ),
    "responses-count-tokens-too": (RESPONSES, 429, {"retry-after": "3"}, said("Rate limit reached.", "rate_limit_exceeded", "tokens"), HERE | {"hint": 3.0}),
}  # fmt: skip


def classified(case: Case) -> Failure:
    subject, status, headers, document, _ = case
    return SUBJECTS[subject].dialect.classify(ErrorAnswer(status, headers, json.dumps(document).encode()), c.NOW)


@pytest.mark.parametrize("case", ERRORS.values(), ids=ERRORS)
def test_an_error_means(case: Case) -> None:
    failure = classified(case)
    expected = case[-1]
    assert {name: getattr(failure, name) for name in expected} == pytest.approx(expected)
    assert failure.status == case[1]


@pytest.mark.parametrize("subject", TABLES)
def test_every_row_is_shown_by_a_recorded_error(subject: str) -> None:
    """A row that no recorded body reaches is a guess."""
    seen = [
        evidence_of(ErrorAnswer(status, headers, json.dumps(document).encode()), c.NOW)
        for each, status, headers, document, _ in ERRORS.values()
        if each.partition(" ")[0] == subject.partition(" ")[0]
    ]
    reached = {next((at for at, row in enumerate(TABLES[subject]) if row.fits(evidence)), None) for evidence in seen}
    assert [row for at, row in enumerate(TABLES[subject]) if at not in reached] == []


def test_an_error_in_the_stream_is_judged_by_the_vendor_too() -> None:
    body = {
        "id": "gen-1",
        "error": routed(429, "Provider returned error", provider_name="DeepInfra")["error"],
        "choices": [],
    }
    line = b"data: " + json.dumps(body).encode() + b"\n\n"
    dialect = SUBJECTS["openrouter"].dialect
    end = c.decoded(dialect.decoder(c.EVENT_STREAM, c.NOW), [b": OPENROUTER PROCESSING\n\n", line])[-1]
    assert (end.failure.fault, end.failure.scope) == (Fault.OVERLOAD, Scope.ENDPOINT)  # type: ignore[union-attr]
