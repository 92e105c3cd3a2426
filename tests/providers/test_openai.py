"""Chat completions: what servers of this dialect really send, and what their errors mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rooroute.chat import (
    ChatRequest,
    Event,
    Failed,
    FinishReason,
    ImagePart,
    Message,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoiceName,
    Usage,
    UsageSeen,
)
from rooroute.errors import InvalidInput
from rooroute.outcome import Failure, Fault, Scope
from rooroute.providers import openai_errors
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.failures import evidence_in_stream, evidence_of
from rooroute.providers.openai import OPENAI, OPENAI_COMPATIBLE
from rooroute.providers.table import PROVIDERS
from tests.providers import conformance as c

OFFICIAL, COMPATIBLE = PROVIDERS["openai"], PROVIDERS["openai-compatible"]


def read(name: str) -> list[Event]:
    return c.decode(OPENAI, name, [c.recorded(OPENAI, name)])


STOP, TOOLS = FinishReason.STOP, FinishReason.TOOL_CALLS
ONE: tuple[str, Any] = ("one", {"x": 1})
TWO: tuple[str, Any] = ("two", {})

ANSWERS = {
    "openrouter_comment_and_midstream_error.sse": c.Answer("Half", end=Fault.TRANSIENT),
    "azure_prompt_filter_chunk.sse": c.Answer("Hi", end=STOP),
    "parallel_tools_all_index_0.sse": c.Answer(calls=(("one", {}), ("two", {"x": 1})), end=TOOLS),
    "tools_with_index_jumps.sse": c.Answer(calls=(ONE, TWO), end=TOOLS),
    "tools_without_index_or_id.sse": c.Answer(calls=(ONE, TWO), end=TOOLS),
    "tools_with_repeated_id.sse": c.Answer(calls=(ONE,), end=TOOLS),
    "tool_arguments_as_an_object.sse": c.Answer(calls=(("one", {"x": "ü"}),), end=TOOLS),
    "no_done_after_the_finish_reason.sse": c.Answer("Hi", tokens=(3, 1), end=STOP),
    "done_without_a_finish_reason.sse": c.Answer("Hi", end=STOP),
    "done_alone.sse": c.Answer(end=Fault.BAD_ANSWER),
    "usage_in_every_chunk.sse": c.Answer("Hi", tokens=(3, 2), end=STOP),
    "usage_in_x_groq.sse": c.Answer("Hi", tokens=(3, 2), end=STOP),
    "xai_reasoning_outside_of_completion_tokens.sse": c.Answer("42", tokens=(32, 103), end=STOP),
    "deepseek_cache_hits.sse": c.Answer("Hi", tokens=(20, 1), end=STOP),
    "senseless_usage.sse": c.Answer("Hi", tokens=(0, 10**12), end=STOP),
    "refusal.sse": c.Answer("I'm sorry, I cannot help with that.", end=FinishReason.CONTENT_FILTER),
    "reasoning_field.sse": c.Answer("42", "Let me think.", end=STOP),
    "mistral_content_parts.sse": c.Answer("42", "Let me think.", end=STOP),
    "finish_reason_error.sse": c.Answer("Ha", end=Fault.TRANSIENT),
    "finish_reason_unheard_of.sse": c.Answer("Hi", end=FinishReason.OTHER),
    "bare_json_error_after_text.sse": c.Answer("Hi", end=Fault.RATE_LIMIT),
    "llama_cpp_error_field.sse": c.Answer("Hi", end=Fault.TRANSIENT),
    "named_error_event.sse": c.Answer(end=Fault.TRANSIENT),
    "vllm_error_object.sse": c.Answer(end=Fault.MODEL),
    "error_object.json": c.Answer(end=Fault.BILLING),
    "answer_with_tools.json": c.Answer(calls=(ONE, TWO), tokens=(3, 2), end=TOOLS),
    "answer_without_choices.json": c.Answer(end=Fault.BAD_ANSWER),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_from_the_wild(name: str) -> None:
    assert c.assembled(read(name)) == ANSWERS[name]


def test_every_recorded_answer_is_expected_somewhere() -> None:
    assert set(c.streams_of(OPENAI)) == {*ANSWERS, *c.SHARED}


def test_usage_tells_what_was_cached_and_thought() -> None:
    seen = [
        event.usage for event in read("xai_reasoning_outside_of_completion_tokens.sse") if isinstance(event, UsageSeen)
    ]
    assert seen == [Usage(32, 103, cached_input_tokens=6, reasoning_tokens=94)]
    assert [e.usage.cached_input_tokens for e in read("deepseek_cache_hits.sse") if isinstance(e, UsageSeen)] == [16]


def test_a_call_without_an_id_gets_one_that_other_answers_do_not_have() -> None:
    body = c.recorded(OPENAI, "tools_without_index_or_id.sse")
    named = [e.id for e in read("tools_without_index_or_id.sse") if isinstance(e, ToolCallDelta) and e.id]
    assert named == ["chatcmpl-1_0", "chatcmpl-1_1"]
    anonymous = body.replace(b'"id":"chatcmpl-1",', b"")
    ids = {
        event.id
        for now in (c.NOW, c.NOW + 1)
        for event in c.decoded(OPENAI.decoder(c.EVENT_STREAM, now), [anonymous])
        if isinstance(event, ToolCallDelta) and event.id
    }
    assert len(ids) == 4


def test_an_error_inside_the_stream_brings_its_hint() -> None:
    end = read("bare_json_error_after_text.sse")[-1]
    assert isinstance(end, Failed)
    assert (end.failure.hint, end.failure.code, end.failure.status) == (360.0, "rate_limit_exceeded", None)


# Requests


def body(request: ChatRequest, vendor: Any = COMPATIBLE, **changes: Any) -> dict[str, Any]:
    document = c.body_of(c.build(vendor, request, **changes))
    assert isinstance(document, dict)
    return document


def test_the_plainest_request() -> None:
    assert body(c.said("hi")) == {
        "model": "model-x",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_tool_s_image_follows_in_a_message_of_its_own() -> None:
    request = ChatRequest(
        (
            Message("user", "Draw."),
            Message("assistant", "", (ToolCall("a", "draw", ""), ToolCall("b", "draw", "{}"))),
            Message("tool", (TextPart("done"), ImagePart("image/png", "AAAA")), tool_call_id="a"),
            Message("tool", "done too", tool_call_id="b"),
            Message("assistant", (ThinkingPart("Nice.", "sig"), TextPart("There."))),
        )
    )
    assert body(request)["messages"] == [
        {"role": "user", "content": "Draw."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "draw", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "draw", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "done"},
        {"role": "tool", "tool_call_id": "b", "content": "done too"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
        {"role": "assistant", "content": "There."},
    ]


def test_every_wish_has_its_field() -> None:
    request = ChatRequest(
        c.said("hi").messages,
        tools=(Tool("t", {"type": "object"}),),
        tool_choice=ToolChoiceName("t"),
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        stop=("a", "b"),
        seed=0,
        reasoning_effort="low",
        response_format={"type": "jsonSchema", "name": "n", "schema": {"type": "object"}, "strict": True},
        provider_options={
            "stream": False,
            "stream_options": {"include_obfuscation": False},
            "seed": None,
            "logit_bias": {"5": -100},
        },
    )
    wished = {key: value for key, value in body(request, OFFICIAL).items() if key not in ("model", "messages")}
    assert wished == {
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
        "max_completion_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a", "b"],
        "reasoning_effort": "low",
        "tools": [{"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "t"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
        },
        "logit_bias": {"5": -100},
    }
    assert body(ChatRequest(request.messages, max_tokens=9))["max_tokens"] == 9
    assert "tool_choice" not in body(ChatRequest(request.messages, tool_choice="auto"))
    assert body(ChatRequest(request.messages, response_format={"type": "json"}))["response_format"] == {
        "type": "json_object"
    }


@pytest.mark.parametrize("wanted", [{}, {"type": "xml"}, {"type": "jsonSchema"}, {"type": "jsonSchema", "schema": "x"}])
def test_an_unknown_response_format_is_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        body(ChatRequest(c.said("hi").messages, response_format=wanted))
    assert refused.value.field == "responseFormat"


def test_organization_and_project_travel_as_headers() -> None:
    request = c.build(OFFICIAL, c.said("hi"), options={"organization": "org-1", "project": "proj_2"})
    assert (request.headers["openai-organization"], request.headers["openai-project"]) == ("org-1", "proj_2")
    assert request.url == "https://api.openai.com/v1/chat/completions"
    assert "openai-project" not in c.build(COMPATIBLE, c.said("hi"), options={"project": "p"}).headers


def test_a_pasted_endpoint_is_not_doubled() -> None:
    url = c.build(COMPATIBLE, c.said("hi"), base_url="https://host/v1/chat/completions/").url
    assert url == "https://host/v1/chat/completions"


def test_a_local_server_is_asked_without_a_key() -> None:
    target = c.target(COMPATIBLE, base_url="http://localhost:8000/v1")
    assert OPENAI_COMPATIBLE.build(target, c.said("hi")).secret_headers


# Errors: one recorded-form body for each row of https://platform.openai.com/docs/guides/error-codes and of compatible servers


def said(message: str, code: str | None = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


RATE = said(
    "Rate limit reached for gpt-5 in organization org-abc on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000.",
    "rate_limit_exceeded",
    "tokens",
)
QUOTA = "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs."
TO_OCTOBER = 812800.0  # from 2026-09-21T14:13:20Z

ERRORS: dict[str, tuple[int, dict[str, str], Any, dict[str, Any]]] = {
    "a-rate-limit-with-retry-after": (429, {"retry-after": "20"}, RATE, {"fault": Fault.RATE_LIMIT, "hint": 20.0, "scope": Scope.DOMAIN, "per_model": True}),
    "a-rate-limit-takes-the-later-exhausted-reset": (
        429,
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "17ms",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "23h47m36.648s",
        },
        RATE,
        {"fault": Fault.RATE_LIMIT, "hint": 85656.648},
    ),
    "a-rate-limit-ignores-a-budget-with-something-left": (
        429,
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "29000",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        RATE,
        {"fault": Fault.RATE_LIMIT, "hint": 1.0},
    ),
    "a-rate-limit-that-says-when-in-words": (
        429,
        {},
        said("Rate limit reached for requests. Please try again in 6m0s.", "rate_limit_exceeded", "requests"),
        {"fault": Fault.RATE_LIMIT, "hint": 360.0},
    ),
    "a-rate-limit-without-a-hint": (429, {}, RATE, {"fault": Fault.RATE_LIMIT, "hint": None}),
    "a-rate-limit-without-a-code": (
        429,
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "40"},
        {"message": "Requests rate limit exceeded"},
        {"fault": Fault.RATE_LIMIT, "hint": 40.0, "scope": Scope.DOMAIN, "per_model": True},
    ),
    "a-ramp-too-steep-rests-half-a-minute": (429, {}, said("Slow down.", "slow_down", "rate_limit_error"), {"fault": Fault.RATE_LIMIT, "hint": 30.0, "per_model": False}),
    "a-spent-balance": (429, {"retry-after": "1"}, said(QUOTA, "insufficient_quota", "insufficient_quota"), {"fault": Fault.BILLING, "scope": Scope.DOMAIN}),
    "a-credit-balance-used-up": (429, {}, said("No credit.", "credit_balance_exhausted", "insufficient_quota"), {"fault": Fault.BILLING, "scope": Scope.DOMAIN}),
    "an-organization-s-usage-limit": (429, {}, said("Limit.", "organization_usage_limit_exceeded", "insufficient_quota"), {"fault": Fault.BILLING}),
    "a-spent-balance-in-words-only": (429, {}, said(QUOTA), {"fault": Fault.BILLING}),
    "a-project-s-spend-limit-ends-with-the-month": (
        429,
        {},
        said("Project spend limit exceeded.", "project_spend_limit_exceeded", "insufficient_quota"),
        {"fault": Fault.QUOTA, "hint": TO_OCTOBER, "scope": Scope.DOMAIN},
    ),
    "a-spend-limit-ends-by-the-server-s-clock": (
        429,
        {"date": "Wed, 30 Sep 2026 23:59:00 GMT"},
        said("Spend limit reached.", "project_spend_limit_exceeded"),
        {"fault": Fault.QUOTA, "hint": 60.0},
    ),
    "an-organization-s-spend-limit-ends-with-the-month": (
        429,
        {},
        said("Spend limit exceeded.", "organization_spend_limit_exceeded", "insufficient_quota"),
        {"fault": Fault.QUOTA, "hint": TO_OCTOBER},
    ),
    "a-request-larger-than-the-whole-minute": (
        429,
        {},
        said("Request too large for gpt-5 in organization org-abc on tokens per min (TPM): Limit 30000, Requested 41234.", "rate_limit_exceeded", "tokens"),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 30000},
    ),
    "a-request-larger-than-groq-s-minute": (
        413,
        {},
        said("Request too large for model `llama-3.3-70b` on tokens per minute (TPM): Limit 6000, Requested 7164.", "rate_limit_exceeded", "tokens"),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 6000},
    ),
    "a-wrong-key": (
        401,
        {},
        said("Incorrect API key provided: sk-proj-abc***xyz. You can find your API key at …", "invalid_api_key", "invalid_request_error"),
        {"fault": Fault.CREDENTIAL, "confirm": True, "scope": Scope.PROFILE},
    ),
    "a-wrong-key-told-as-400": (400, {}, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***yz."}, {"fault": Fault.CREDENTIAL, "confirm": True}),
    "no-member-of-the-organization": (401, {}, said("You must be a member of an organization to use the API."), {"fault": Fault.CREDENTIAL}),
    "an-address-that-is-not-allowed": (401, {}, said("Your IP is not authorized to access this resource."), {"fault": Fault.PERMISSION, "confirm": False}),
    "a-country-that-is-not-served": (
        403,
        {},
        said("Country, region, or territory not supported", "unsupported_country_region_territory", "request_forbidden"),
        {"fault": Fault.PERMISSION, "scope": Scope.ENDPOINT},
    ),
    "a-model-that-is-not-there": (
        404,
        {},
        said("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found", "invalid_request_error"),
        {"fault": Fault.MODEL, "per_model": True, "scope": Scope.PROFILE},
    ),
    "a-model-the-project-may-not-use": (403, {}, said("Project `proj_x` does not have access to model `gpt-5`", "model_not_found"), {"fault": Fault.MODEL}),
    "a-model-ollama-has-not-pulled": (404, {}, said('model "qwen9" not found, try pulling it first', kind="api_error"), {"fault": Fault.MODEL}),
    "a-model-that-was-retired": (404, {}, said("The model `gpt-3.5` has been deprecated, learn more here: …", "x"), {"fault": Fault.MODEL, "retired": True}),
    "a-model-that-groq-took-away": (
        400,
        {},
        said("The model `mixtral-8x7b-32768` has been decommissioned and is no longer supported.", "model_decommissioned", "invalid_request_error"),
        {"fault": Fault.MODEL, "retired": True, "per_model": True},
    ),
    "a-deployment-whose-model-was-retired": (400, {}, said("Gone.", "ModelDeprecated"), {"fault": Fault.MODEL, "retired": True}),
    "a-path-that-is-not-there": (404, {}, said("Unknown request URL: POST /v1/v1/chat/completions.", "unknown_url"), {"fault": Fault.CONFIG}),
    "a-prompt-too-long": (
        400,
        {},
        said("This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens.", "context_length_exceeded"),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 128000},
    ),
    "a-prompt-too-long-for-vllm": (
        400,
        {},
        {"object": "error", "message": "This model's maximum context length is 4,096 tokens. However, you requested 5000 tokens.", "type": "BadRequestError", "code": 400},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 4096},
    ),
    "a-prompt-too-long-for-llama-cpp": (
        400,
        {},
        {"error": {"code": 400, "message": "the request exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error"}},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 4096},
    ),
    "a-prompt-too-long-for-llama-cpp-as-it-says-it-now": (
        400,
        {},
        {"error": {"code": 400, "message": "request (1503 tokens) exceeds the available context size (256 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 1503, "n_ctx": 256}},
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 256},
    ),
    "an-image-that-llama-cpp-s-model-cannot-see": (
        500,
        {},
        {"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", "type": "server_error"}},
        {"fault": Fault.BAD_ANSWER, "scope": Scope.PROFILE},
    ),
    "an-image-that-the-model-cannot-see": (400, {}, said("Invalid content type. image_url is only supported by certain models.", None, "invalid_request_error"), {"fault": Fault.BAD_ANSWER}),
    "a-forbidden-prompt": (400, {}, said("Your request was rejected.", "content_policy_violation"), {"fault": Fault.POLICY}),
    "an-invalid-prompt": (400, {}, said("Invalid prompt: flagged.", "invalid_prompt", "invalid_request_error"), {"fault": Fault.POLICY}),
    "azure-s-filter": (
        400,
        {},
        {"error": {"code": "content_filter", "message": "…", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        {"fault": Fault.POLICY},
    ),
    "another-400": (400, {}, said("Unrecognized request argument supplied: foo", None, "invalid_request_error"), {"fault": Fault.REQUEST}),
    "another-422": (422, {}, {"detail": [{"loc": ["body", "messages"], "msg": "field required", "type": "missing"}]}, {"fault": Fault.REQUEST}),
    "a-server-error": (500, {}, said("The server had an error while processing your request.", None, "server_error"), {"fault": Fault.TRANSIENT, "scope": Scope.ENDPOINT}),
    "an-overloaded-server": (
        503,
        {},
        said("The server is overloaded.", "server_is_overloaded", "service_unavailable_error"),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True},
    ),
    "a-model-still-loading": (503, {}, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, {"fault": Fault.OVERLOAD}),
    "a-gateway-s-page": (502, {"content-type": "text/html"}, None, {"fault": Fault.TRANSIENT, "message": "HTTP 502"}),
    "an-error-wrapped-in-an-error": (
        400,
        {},
        said('Provider returned error: {"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}}', None),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 8192, "message": "maximum context length is 8192 tokens"},
    ),
}  # fmt: skip


def classified(status: int, headers: dict[str, str], document: Any) -> Failure:
    text = b"<html><h1>Bad gateway</h1></html>" if document is None else json.dumps(document).encode()
    return OPENAI.classify(ErrorAnswer(status, headers, text), c.NOW)


@pytest.mark.parametrize(("status", "headers", "document", "expected"), ERRORS.values(), ids=ERRORS)
def test_an_error_means(status: int, headers: dict[str, str], document: Any, expected: dict[str, Any]) -> None:
    failure = classified(status, headers, document)
    assert {name: getattr(failure, name) for name in expected} == pytest.approx(expected)
    assert failure.status == status


def test_every_row_is_shown_by_a_recorded_error() -> None:
    """A row that no recorded body reaches is a guess."""
    seen = [
        evidence_of(ErrorAnswer(s, h, json.dumps(d).encode()), c.NOW) for s, h, d, _ in ERRORS.values() if d is not None
    ]
    seen += [evidence_in_stream(said("Bad.", None, "invalid_request_error"), c.NOW)]
    reached = {next((at for at, row in enumerate(openai_errors.ROWS) if row.fits(evidence)), None) for evidence in seen}
    assert [row for at, row in enumerate(openai_errors.ROWS) if at not in reached] == []
