"""Gemini's dialect: requests, streams, and a recorded example for every row of its error table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from rooroute.chat import (
    ChatRequest,
    Failed,
    Finished,
    FinishReason,
    ImagePart,
    Message,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoiceName,
    Usage,
    UsageSeen,
)
from rooroute.errors import InvalidInput
from rooroute.outcome import Fault, Scope
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.failures import evidence_of
from rooroute.providers.gemini import GEMINI
from rooroute.providers.gemini_errors import ROWS
from rooroute.providers.gemini_request import OWN_ID
from tests.providers.decoding import (
    NOW,
    RECORDED,
    as_delivered,
    ask,
    assert_any_cut_is_noticed,
    built,
    content,
    decoded,
    sent,
    sent_next,
    text_in,
)

MODEL = "gemini-3-flash-preview"
BASE = "https://generativelanguage.googleapis.com/v1beta"
GOOD_STREAMS = [
    path
    for path in sorted((RECORDED / "gemini").glob("*.sse"))
    if b"finishReason" in path.read_bytes() and path.stem != "malformed_call"
]
SIGNATURE = "EjQKMgEMOdbHO0cs5+Wm1lXSYr8="
CALL_SIGNATURE = "CiEBjz1rX0ilumvPg6k0sMMUtISoQCLJv2bPJ7Vv9r+Xw0o="
SCHEMA = {"type": "object", "properties": {"location": {"$ref": "#/$defs/place"}}, "$defs": {"place": {"const": None}}}
WEATHER = Tool("get_weather", SCHEMA, "Weather at a place")


def recorded(name: str) -> bytes:
    return (RECORDED / "gemini" / name).read_bytes()


def events_of(name: str) -> list[Any]:
    return decoded(GEMINI, [recorded(name)])


# --- streams


@pytest.mark.parametrize("path", GOOD_STREAMS, ids=lambda path: path.stem)
def test_a_cut_at_any_byte_is_never_taken_for_the_end(path: Any) -> None:
    data = path.read_bytes()
    finishing = re.search(rb'[^\n]*"finishReason"[^\r\n]*', data)
    assert finishing
    assert_any_cut_is_noticed(GEMINI, data, finishing.end())


def test_text_comes_as_it_was_sent_and_usage_before_the_end() -> None:
    events = events_of("text.sse")
    assert text_in(events) == "Hello! Grüße\u2028🙂"
    assert events[-2:] == [UsageSeen(Usage(8, 6)), Finished(FinishReason.STOP)]


def test_usage_that_did_not_change_is_told_once() -> None:
    assert sum(isinstance(event, UsageSeen) for event in events_of("text.sse")) == 2


def test_thoughts_are_thinking_and_the_closing_signature_is_kept() -> None:
    events = events_of("thinking.sse")
    assert content(events) == [
        ThinkingDelta("**Adding**\n\nTwo and two."),
        TextDelta("Four."),
        ThinkingDelta("", f"text:{SIGNATURE}"),
    ]
    assert events[-2] == UsageSeen(Usage(8, 42, reasoning_tokens=36))


def test_calls_come_whole_with_their_signature() -> None:
    events = events_of("parallel_tools.sse")
    assert content(events)[1:] == [
        ToolCallDelta(0, "8f2b1a3c", "get_weather", '{"location":"Paris","days":1}', CALL_SIGNATURE),
        ToolCallDelta(1, "8f2b1a3d", "get_weather", '{"location":"Zürich"}'),
    ]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS)


def test_calls_without_ids_get_ids_of_their_own() -> None:
    first, second = content(events_of("tools_without_ids.sse"))
    assert isinstance(first, ToolCallDelta)
    assert isinstance(second, ToolCallDelta)
    assert (first.arguments, second.arguments) == ("{}", "{}")
    assert first.id != second.id
    assert str(first.id).startswith(OWN_ID)
    assert events_of("tools_without_ids.sse")[0] == first


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("cached.sse", FinishReason.LENGTH, id="max-tokens-is-length"),
        pytest.param("safety.sse", FinishReason.CONTENT_FILTER, id="safety-is-content-filter"),
        pytest.param("finish_reason_in_every_chunk.sse", FinishReason.STOP, id="a-reason-in-every-chunk-is-no-end"),
        pytest.param("usage_after_reason.sse", FinishReason.STOP, id="usage-may-follow-the-reason"),
    ],
)
def test_finish_reasons(name: str, reason: FinishReason) -> None:
    assert events_of(name)[-1] == Finished(reason)


def test_every_piece_is_delivered_where_each_chunk_names_a_reason() -> None:
    assert text_in(events_of("finish_reason_in_every_chunk.sse")) == "ab"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("PROHIBITED_CONTENT", FinishReason.CONTENT_FILTER),
        ("BLOCKLIST", FinishReason.CONTENT_FILTER),
        ("SPII", FinishReason.CONTENT_FILTER),
        ("OTHER", FinishReason.OTHER),
        ("SOMETHING_NEW", FinishReason.OTHER),
    ],
)
def test_finish_reasons_by_name(reason: str, expected: FinishReason) -> None:
    data = b'data: {"candidates":[{"finishReason":"%b"}]}\n\n' % reason.encode()
    assert decoded(GEMINI, [data]) == [Finished(expected)]


def test_a_reason_that_is_unspecified_proves_nothing() -> None:
    data = b'data: {"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}\n\n'
    (event,) = decoded(GEMINI, [data])
    assert isinstance(event, Failed)
    assert event.failure.fault is Fault.TRANSIENT


def test_usage_counts_thoughts_tools_and_cache() -> None:
    usage = Usage(2152 + 10, 1, cached_input_tokens=2027)
    assert UsageSeen(usage) in events_of("cached.sse")


def test_a_signature_of_nothing_is_not_content() -> None:
    events = events_of("signature_alone.sse")
    assert content(events) == []
    assert events[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize(
    ("name", "fault", "delivered"),
    [
        pytest.param("error_first.sse", Fault.OVERLOAD, "", id="an-error-before-the-first-token"),
        pytest.param("error_after_text.sse", Fault.TRANSIENT, "Hello", id="an-error-after-text"),
        pytest.param("bare_error_after_text.sse", Fault.RATE_LIMIT, "Hello", id="a-bare-error-after-text"),
        pytest.param("bare_error.json", Fault.RATE_LIMIT, "", id="a-bare-error-alone"),
        pytest.param("bare_error_list.json", Fault.RATE_LIMIT, "", id="a-bare-error-in-a-list"),
        pytest.param("blocked_prompt.sse", Fault.POLICY, "", id="a-blocked-prompt"),
        pytest.param("malformed_call.sse", Fault.BAD_ANSWER, "", id="a-malformed-call"),
        pytest.param("no_candidates.sse", Fault.BAD_ANSWER, "", id="no-candidates-at-all"),
    ],
)
def test_failures_inside_a_good_answer(name: str, fault: Fault, delivered: str) -> None:
    events = events_of(name)
    assert text_in(events) == delivered
    assert isinstance(events[-1], Failed)
    assert events[-1].failure.fault is fault


def test_the_reason_of_a_block_is_told() -> None:
    failure = events_of("blocked_prompt.sse")[-1].failure
    assert failure.code == "PROHIBITED_CONTENT"
    assert "PROHIBITED_CONTENT" in failure.message


def test_chunks_in_one_json_list_are_an_answer_too() -> None:
    events = decoded(GEMINI, [recorded("chunks.json")], "application/json")
    assert text_in(events) == "Hi!"
    assert events[-1] == Finished(FinishReason.STOP)


# --- the second turn


def second_turn(name: str, model: str = MODEL) -> Any:
    answer = as_delivered(GEMINI, events_of(name))
    results = tuple(Message("tool", f"{call.id} done", tool_call_id=call.id) for call in answer.tool_calls)
    history = (Message("user", "Weather?"), answer, *(results or (Message("user", "Sure?"),)))
    return sent_next(GEMINI, ChatRequest(history, tools=(WEATHER,)), model)["contents"]


def test_a_closing_signature_survives_a_second_turn_on_its_empty_text() -> None:
    assert second_turn("thinking.sse")[1] == {
        "role": "model",
        "parts": [{"text": "Four."}, {"text": "", "thoughtSignature": SIGNATURE}],
    }


def test_a_calls_signature_survives_a_second_turn_on_its_call() -> None:
    _, answer, results = second_turn("parallel_tools.sse")
    first, second = answer["parts"]
    assert first == {
        "functionCall": {"name": "get_weather", "args": {"location": "Paris", "days": 1}, "id": "8f2b1a3c"},
        "thoughtSignature": CALL_SIGNATURE,
    }
    assert "thoughtSignature" not in second
    assert results["parts"][1] == {
        "functionResponse": {"name": "get_weather", "response": {"output": "8f2b1a3d done"}, "id": "8f2b1a3d"}
    }


def test_ids_that_gemini_did_not_give_are_not_sent_back() -> None:
    _, answer, results = second_turn("tools_without_ids.sse", "gemini-2.5-flash")
    assert [part["functionCall"] for part in answer["parts"]] == [{"name": "get_time", "args": {}}] * 2
    assert len(results["parts"]) == 2
    assert all("id" not in part["functionResponse"] for part in results["parts"])


def test_a_thought_with_its_own_signature_goes_back_as_a_thought() -> None:
    history = (
        Message("user", "a"),
        Message("assistant", (ThinkingPart("hm", "EjQ="), TextPart("b"))),
        Message("user", "c"),
    )
    assert sent(GEMINI, ChatRequest(history), MODEL)["contents"][1]["parts"] == [
        {"text": "hm", "thought": True, "thoughtSignature": "EjQ="},
        {"text": "b"},
    ]


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        pytest.param(MODEL, "skip_thought_signature_validator", id="generation-3-is-told-to-do-without"),
        pytest.param("gemini-2.5-pro", None, id="generation-2.5-does-not-ask"),
    ],
)
def test_calls_that_another_model_made(model: str, signature: str | None) -> None:
    calls = (ToolCall("toolu_1", "get_weather", "{}"), ToolCall("toolu_2", "get_weather", "{}"))
    results = tuple(Message("tool", "18 °C", tool_call_id=call.id) for call in calls)
    history = (Message("user", "a"), Message("assistant", "", calls), *results)
    first, second = sent(GEMINI, ChatRequest(history), model)["contents"][1]["parts"]
    assert first.get("thoughtSignature") == signature
    assert "thoughtSignature" not in second


# --- requests


def test_the_request_streams_with_the_key_in_its_header_and_never_in_the_url() -> None:
    request = built(GEMINI, ask(), MODEL, BASE)
    assert request.url == f"{BASE}/models/{MODEL}:streamGenerateContent?alt=sse"
    assert set(request.secret_headers) == {"x-goog-api-key"}
    assert not request.secret_query
    assert "sk-very-secret" not in repr(request)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-2.5-pro", "/models/gemini-2.5-pro"),
        ("tunedModels/mine", "/tunedModels/mine"),
        ("../evil?x", "/models/..%2Fevil%3Fx"),
    ],
)
def test_a_models_name_stays_within_its_path(model: str, path: str) -> None:
    assert built(GEMINI, ask(), model, BASE).url == f"{BASE}{path}:streamGenerateContent?alt=sse"


def test_the_profiles_query_and_headers_are_added() -> None:
    request = built(GEMINI, ask(), MODEL, BASE, query={"tenant": "a b"}, headers={"X-Team": "blue"})
    assert request.url.endswith("?alt=sse&tenant=a+b")
    assert request.headers["x-team"] == "blue"


def test_roles_system_images_and_results() -> None:
    history = (
        Message("system", "Be brief."),
        Message("user", "one"),
        Message("user", (TextPart("two"), ImagePart("image/png", "iVBORw0="))),
        Message("assistant", "Looking.", (ToolCall("c1", "a", '{"x": 1}'), ToolCall("c2", "b", "not json"))),
        Message("tool", (TextPart("seen"), ImagePart("image/jpeg", "/9j/")), tool_call_id="c1"),
        Message("tool", "boom", tool_call_id="c2", is_error=True),
        Message("user", "and now?"),
    )
    body = sent(GEMINI, ChatRequest(history), "gemini-2.5-flash")
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    question, calls, results, more = body["contents"]
    picture = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}
    assert question == {"role": "user", "parts": [{"text": "one"}, {"text": "two"}, picture]}
    assert calls == {
        "role": "model",
        "parts": [
            {"text": "Looking."},
            {"functionCall": {"name": "a", "args": {"x": 1}, "id": "c1"}},
            {"functionCall": {"name": "b", "args": {"arguments": "not json"}, "id": "c2"}},
        ],
    }
    assert results["parts"] == [
        {"functionResponse": {"name": "a", "response": {"output": "seen"}, "id": "c1"}},
        {"inlineData": {"mimeType": "image/jpeg", "data": "/9j/"}},
        {"functionResponse": {"name": "b", "response": {"error": "boom"}, "id": "c2"}},
    ]
    assert more == {"role": "user", "parts": [{"text": "and now?"}]}


def test_a_result_that_answers_no_call_is_named() -> None:
    history = (Message("user", "a"), Message("tool", "b", tool_call_id="lost"))
    with pytest.raises(InvalidInput) as wrong:
        sent(GEMINI, ChatRequest(history), MODEL)
    assert wrong.value.field == "messages.1.toolCallId"


def test_a_conversation_without_a_word_to_answer_is_refused() -> None:
    with pytest.raises(InvalidInput) as wrong:
        sent(GEMINI, ChatRequest((Message("system", "Be brief."), Message("user", ""))), MODEL)
    assert wrong.value.field == "messages"


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (ToolChoiceName("get_weather"), {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}),
    ],
    ids=["auto", "none", "required-is-any", "by-name"],
)
def test_tools_and_the_choice_among_them(choice: Any, said: Any) -> None:
    body = sent(GEMINI, ask(tools=(WEATHER, Tool("now", {})), tool_choice=choice), MODEL)
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "get_weather", "description": "Weather at a place", "parametersJsonSchema": SCHEMA},
                {"name": "now"},
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": said}


def test_limits_sampling_and_format_are_the_generation_config() -> None:
    request = ask(
        max_tokens=100,
        temperature=1.5,
        top_p=0.9,
        seed=7,
        stop=("END",),
        response_format={"type": "jsonSchema", "name": "n", "schema": SCHEMA},
    )
    assert sent(GEMINI, request, MODEL)["generationConfig"] == {
        "maxOutputTokens": 100,
        "temperature": 1.5,
        "topP": 0.9,
        "seed": 7,
        "stopSequences": ["END"],
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    plain_json = sent(GEMINI, ask(response_format={"type": "json"}), MODEL)
    assert plain_json["generationConfig"] == {"responseMimeType": "application/json"}
    assert "generationConfig" not in sent(GEMINI, ask(), MODEL)


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        ("gemini-2.0-flash", "high", None),
        ("gemma-3-27b-it", "high", None),
        ("gemini-2.5-flash", "minimal", {"thinkingBudget": 512}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576}),
        ("gemini-3-flash-preview", "minimal", {"thinkingLevel": "minimal"}),
        ("gemini-3-pro-preview", "minimal", {"thinkingLevel": "low"}),
        ("gemini-3-pro-preview", "medium", {"thinkingLevel": "high"}),
        ("gemini-3.1-pro-preview", "medium", {"thinkingLevel": "medium"}),
        ("gemini-flash-latest", "low", {"thinkingLevel": "low"}),
    ],
)
def test_reasoning_effort(model: str, effort: Any, said: dict[str, Any] | None) -> None:
    config = sent(GEMINI, ask(reasoning_effort=effort), model).get("generationConfig")
    assert config == (said and {"thinkingConfig": {"includeThoughts": True, **said}})


def test_the_callers_own_fields_are_laid_over_the_body() -> None:
    options = {"generationConfig": {"topK": 5}, "safetySettings": []}
    body = sent(GEMINI, ask(temperature=0.5, provider_options=options), MODEL)
    assert body["generationConfig"] == {"temperature": 0.5, "topK": 5}
    assert body["safetySettings"] == []


# --- errors

RPC = "type.googleapis.com/google.rpc."
EXCEEDED = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, **({"details": details} if details else {})}}


def violated(*quotas: tuple[str, str]) -> dict[str, Any]:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    return {
        "@type": RPC + "QuotaFailure",
        "violations": [{"quotaMetric": metric, "quotaId": name, "quotaValue": value} for name, value in quotas],
    }


def retry(delay: str) -> dict[str, Any]:
    return {"@type": RPC + "RetryInfo", "retryDelay": delay}


def reason(name: str) -> dict[str, Any]:
    return {"@type": RPC + "ErrorInfo", "reason": name, "domain": "googleapis.com"}


def exhausted(message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return error(429, "RESOURCE_EXHAUSTED", message, *details)


MINUTE = ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10")
TOKENS = ("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000")
DAY = ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20")
ERRORS = [
    pytest.param(
        400,
        error(400, "INVALID_ARGUMENT", "Corrupted thought signature."),
        {"fault": Fault.BAD_ANSWER, "seals_refused": True},
        id="a-corrupted-signature-is-no-fault-of-the-request",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED + "\nPlease retry in 45.837906927s.", violated(MINUTE), retry("45.837906927s")),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "per_model": True, "hint": 45.837906927, "daily": False},
        id="a-minute-quota-rests-as-long-as-retry-info-says",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED, violated(MINUTE), retry("500ms")),
        {"fault": Fault.RATE_LIMIT, "hint": 0.5},
        id="a-delay-in-milliseconds-is-understood",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED + "\nPlease retry in 36.42s."),
        {"fault": Fault.RATE_LIMIT, "hint": 36.42},
        id="a-delay-in-the-sentence-alone-is-understood",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED + "\nPlease retry in 58.821668433s.", violated(DAY), retry("58s")),
        {"fault": Fault.QUOTA, "scope": Scope.DOMAIN, "per_model": True, "daily": True, "hint": 58.0},
        id="a-day-quota-is-daily-and-keeps-its-short-hint",
    ),
    pytest.param(
        429,
        exhausted(
            EXCEEDED,
            {"@type": RPC + "QuotaFailure", "violations": [{"quotaMetric": "generate_requests_per_model_per_day"}]},
        ),
        {"fault": Fault.QUOTA, "daily": True, "hint": None},
        id="a-day-quota-named-by-its-metric-alone",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED, violated(TOKENS, MINUTE, DAY), retry("22s")),
        {"fault": Fault.QUOTA, "daily": True},
        id="of-several-violations-the-day-outlasts-the-minute",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED, violated(MINUTE, ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "0")), retry("36s")),
        {"fault": Fault.PERMISSION, "scope": Scope.DOMAIN, "per_model": True, "hint": None},
        id="a-quota-of-zero-is-not-offered-whatever-delay-is-shown",
    ),
    pytest.param(
        429,
        exhausted(
            EXCEEDED + " \n* Quota exceeded for metric: generativelanguage.googleapis.com/"
            "generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro\nPlease retry in 20.04466179s.",
            violated(DAY),
            retry("20s"),
        ),
        {"fault": Fault.PERMISSION, "scope": Scope.DOMAIN, "per_model": True, "hint": None},
        id="limit-zero-in-the-sentence-is-not-offered",
    ),
    pytest.param(
        429,
        exhausted(EXCEEDED + " \n* Quota exceeded for metric: x, limit: 20, model: gemini-2.5-flash", violated(MINUTE)),
        {"fault": Fault.RATE_LIMIT},
        id="limit-twenty-is-not-limit-zero",
    ),
    pytest.param(
        429,
        exhausted("Resource has been exhausted (e.g. check quota)."),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "per_model": True, "hint": None, "daily": False},
        id="a-bare-exhaustion-is-never-a-day",
    ),
    pytest.param(
        429,
        exhausted("You exceeded your spend-based limit.", violated(("SpendPerTenMinutesPerProject", "10"))),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "per_model": False, "hint": 600.0},
        id="a-spend-window-rests-for-its-ten-minutes",
    ),
    pytest.param(
        429,
        exhausted(
            "You have exhausted your capacity on this model. Your quota will reset after 5h59m59s.",
            reason("QUOTA_EXHAUSTED"),
            retry("21599.960323804s"),
        ),
        {"fault": Fault.QUOTA, "hint": 21599.960323804, "daily": False},
        id="an-exhausted-quota-with-its-reset-is-a-quota",
    ),
    pytest.param(
        429,
        exhausted("No capacity available for model on the server", reason("MODEL_CAPACITY_EXHAUSTED")),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True},
        id="exhausted-capacity-is-an-overload",
    ),
    pytest.param(
        429,
        exhausted(
            "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/x for details."
        ),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT},
        id="shared-capacity-is-an-overload",
    ),
    pytest.param(
        429,
        exhausted("Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing."),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN},
        id="depleted-prepayment-is-billing",
    ),
    pytest.param(
        402,
        error(402, "FAILED_PRECONDITION", "Prepaid credits depleted."),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN},
        id="payment-required-is-billing",
    ),
    pytest.param(
        400,
        error(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            reason("API_KEY_INVALID"),
        ),
        {"fault": Fault.CREDENTIAL, "confirm": True, "scope": Scope.PROFILE},
        id="a-bad-key-is-a-400-and-yet-no-request-fault",
    ),
    pytest.param(
        400,
        error(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."),
        {"fault": Fault.CREDENTIAL, "confirm": True},
        id="an-expired-key-without-its-details",
    ),
    pytest.param(
        403,
        error(
            403,
            "PERMISSION_DENIED",
            "Permission denied: Consumer 'api_key:AIzaSyAbm-_oW12aAAxNc8FEEh-84QT7o-9r1Ak' has been suspended.",
            reason("CONSUMER_SUSPENDED"),
        ),
        {
            "fault": Fault.CREDENTIAL,
            "confirm": False,
            "message": "Permission denied: Consumer 'api_key:***' has been suspended.",
        },
        id="a-suspended-key-is-dead-and-not-shown",
    ),
    pytest.param(
        403,
        error(403, "PERMISSION_DENIED", "Your API key was reported as leaked. Please use another API key."),
        {"fault": Fault.CREDENTIAL, "confirm": False},
        id="a-leaked-key-is-dead",
    ),
    pytest.param(
        403,
        error(
            403,
            "PERMISSION_DENIED",
            "Requests to this API generativelanguage.googleapis.com method are blocked.",
            reason("API_KEY_SERVICE_BLOCKED"),
        ),
        {"fault": Fault.PERMISSION, "scope": Scope.PROFILE, "per_model": False},
        id="a-restricted-key-may-use-no-model",
    ),
    pytest.param(
        403,
        error(403, "PERMISSION_DENIED", "You do not have permission to access tuned model tunedModels/x."),
        {"fault": Fault.PERMISSION, "scope": Scope.PROFILE, "per_model": True},
        id="a-missing-permission-concerns-this-profile-and-model",
    ),
    pytest.param(
        400,
        error(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1202384) exceeds the maximum number of tokens allowed (1048576).",
        ),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 1048576},
        id="too-many-tokens-name-the-window",
    ),
    pytest.param(
        400,
        error(
            400,
            "INVALID_ARGUMENT",
            "The input token count exceeds the maximum number of tokens allowed 1048576.",
        ),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 1048576},
        id="too-many-tokens-without-parentheses",
    ),
    pytest.param(
        400,
        error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        {"fault": Fault.PERMISSION, "scope": Scope.DOMAIN, "per_model": False},
        id="an-unsupported-place-needs-the-user",
    ),
    pytest.param(
        400,
        error(400, "INVALID_ARGUMENT", "Function call is missing a thought_signature in functionCall parts."),
        {"fault": Fault.REQUEST},
        id="any-other-invalid-argument-is-the-callers",
    ),
    pytest.param(
        401,
        error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
        {"fault": Fault.CREDENTIAL, "confirm": True},
        id="unauthenticated-is-confirmed-once",
    ),
    pytest.param(
        404,
        error(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta"),
        {"fault": Fault.MODEL, "scope": Scope.PROFILE, "per_model": True},
        id="an-unknown-model-concerns-this-profile-and-model",
    ),
    pytest.param(
        404,
        error(404, "NOT_FOUND", "This model models/gemini-2.0-flash is no longer available. Please use a newer model."),
        {"fault": Fault.MODEL, "per_model": True, "retired": True},
        id="a-model-that-was-taken-away-is-said-to-be-retired",
    ),
    pytest.param(
        499,
        error(499, "CANCELLED", "The operation was cancelled."),
        {"fault": Fault.CANCELLED},
        id="a-cancellation-is-ours",
    ),
    pytest.param(
        500,
        error(500, "INTERNAL", "An internal error has occurred."),
        {
            "fault": Fault.TRANSIENT,
            "scope": Scope.ENDPOINT,
            "per_model": True,
            "message": "An internal error has occurred. Google answers so to a prompt that is too long, too: if it repeats, "
            "shorten it or choose another model.",
        },
        id="an-internal-error-passes-and-names-its-other-cause",
    ),
    pytest.param(
        409,
        error(409, "ABORTED", "The operation was aborted."),
        {"fault": Fault.TRANSIENT, "message": "The operation was aborted."},
        id="an-abortion-passes",
    ),
    pytest.param(
        503,
        error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True, "hint": None},
        id="an-overload-is-the-endpoints-not-the-keys",
    ),
    pytest.param(
        504,
        error(504, "DEADLINE_EXCEEDED", "The request timed out."),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True},
        id="an-exceeded-deadline-is-an-overload",
    ),
    pytest.param(
        504,
        {"message": "upstream request timeout"},
        {"fault": Fault.OVERLOAD},
        id="a-gateways-504-is-an-overload",
    ),
    pytest.param(
        499,
        {"message": "client closed request"},
        {"fault": Fault.CANCELLED},
        id="a-gateways-499-is-ours-too",
    ),
    pytest.param(
        403,
        error(
            403,
            "PERMISSION_DENIED",
            "This API method requires billing to be enabled. Please enable billing on project #123 then retry.",
            reason("BILLING_DISABLED"),
        ),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN},
        id="disabled-billing-is-billing",
    ),
    pytest.param(
        429,
        [exhausted(EXCEEDED, violated(DAY), retry("22s"))],
        {"fault": Fault.QUOTA, "daily": True, "hint": 22.0},
        id="an-error-in-a-list-is-the-same-error",
    ),
    pytest.param(
        429,
        {
            "error": {
                "message": json.dumps(exhausted(EXCEEDED, violated(MINUTE), retry("46s")), indent=2),
                "code": 429,
                "status": "Too Many Requests",
            }
        },
        {"fault": Fault.RATE_LIMIT, "hint": 46.0, "message": EXCEEDED},
        id="an-error-wrapped-as-text-is-unwrapped",
    ),
]


@pytest.mark.parametrize(("status", "body", "expected"), ERRORS)
def test_errors(status: int, body: Any, expected: dict[str, Any]) -> None:
    failure = GEMINI.classify(ErrorAnswer(status, {}, json.dumps(body).encode()), NOW)
    assert {name: getattr(failure, name) for name in expected} == expected
    assert failure.message


def test_every_row_is_shown_by_a_recorded_error() -> None:
    """A row that no recorded body reaches is a guess."""
    reached: set[int | None] = set()
    for case in ERRORS:
        status, body, _ = case.values
        evidence = evidence_of(ErrorAnswer(status, {}, json.dumps(body).encode()), NOW)  # type: ignore[arg-type]
        reached.add(next((at for at, row in enumerate(ROWS) if row.fits(evidence)), None))
    assert [row for at, row in enumerate(ROWS) if at not in reached] == []
