"""Anthropic's dialect: requests, streams, and a recorded example for every row of its error table."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
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
from rooroute.providers.anthropic import ANTHROPIC
from rooroute.providers.anthropic_errors import ROWS
from rooroute.providers.anthropic_request import version_of
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.failures import evidence_of
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

MODEL = "claude-sonnet-4-5-20250929"
GOOD_STREAMS = [
    path for path in sorted((RECORDED / "anthropic").glob("*.sse")) if b'"message_stop"' in path.read_bytes()
]
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"
WEATHER = Tool("get_weather", {"type": "object", "properties": {"location": {"type": "string"}}}, "Weather at a place")


def recorded(name: str) -> bytes:
    return (RECORDED / "anthropic" / name).read_bytes()


def events_of(name: str) -> list[Any]:
    return decoded(ANTHROPIC, [recorded(name)])


# --- streams


@pytest.mark.parametrize("path", GOOD_STREAMS, ids=lambda path: path.stem)
def test_a_cut_at_any_byte_is_never_taken_for_the_end(path: Any) -> None:
    data = path.read_bytes()
    proof = re.search(rb'[^\n]*"type": ?"message_stop"[^\n]*', data)
    assert proof
    assert_any_cut_is_noticed(ANTHROPIC, data, proof.end())


def test_text_comes_as_it_was_sent() -> None:
    events = events_of("text.sse")
    assert text_in(events) == "Hello! Grüße\u2028🙂"
    assert events[-1] == Finished(FinishReason.STOP)
    assert events[-2] == UsageSeen(Usage(input_tokens=25, output_tokens=15))


def test_thinking_its_signature_and_a_call_in_fragments() -> None:
    assert content(events_of("thinking_tool.sse")) == [
        ThinkingDelta("I need the weather"),
        ThinkingDelta(" in San Francisco."),
        ThinkingDelta("", SIGNATURE),
        TextDelta("Okay, let's check the weather."),
        ToolCallDelta(0, "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather"),
        ToolCallDelta(0, arguments='{"location":'),
        ToolCallDelta(0, arguments=' "San'),
        ToolCallDelta(0, arguments=' Francisco, CA"}'),
    ]
    assert events_of("thinking_tool.sse")[-1] == Finished(FinishReason.TOOL_CALLS)


def test_a_call_without_arguments_is_an_empty_object_and_calls_are_numbered_in_order() -> None:
    assert content(events_of("parallel_tools.sse")) == [
        ToolCallDelta(0, "toolu_01A", "get_time"),
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, "toolu_01B", "get_weather"),
        ToolCallDelta(1, arguments='{"city": "Bern"'),
        ToolCallDelta(1, arguments="}"),
    ]


def test_cached_tokens_count_as_input_and_the_last_value_wins() -> None:
    seen = [event.usage for event in events_of("cached.sse") if isinstance(event, UsageSeen)]
    assert seen[0].output_tokens == 2
    assert seen[-1] == Usage(21 + 188086 + 1000, 393, cached_input_tokens=1000, cache_write_tokens=188086)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("cached.sse", FinishReason.LENGTH, id="max-tokens-is-length"),
        pytest.param("stop_sequence.sse", FinishReason.STOP, id="a-stop-sequence-is-stop"),
        pytest.param("refusal.sse", FinishReason.CONTENT_FILTER, id="a-refusal-is-content-filter"),
        pytest.param("pause_turn.sse", FinishReason.OTHER, id="a-paused-turn-is-other"),
    ],
)
def test_stop_reasons(name: str, reason: FinishReason) -> None:
    assert events_of(name)[-1] == Finished(reason)


def test_what_a_server_tool_does_is_nobodys_call() -> None:
    assert not any(isinstance(event, ToolCallDelta) for event in events_of("pause_turn.sse"))


def test_unknown_events_blocks_and_deltas_are_passed_over() -> None:
    events = events_of("unknown_events.sse")
    assert text_in(events) == "Hi"
    assert events[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize(
    ("name", "fault", "delivered"),
    [
        pytest.param("error_first.sse", Fault.OVERLOAD, "", id="an-error-before-the-first-token"),
        pytest.param("error_after_text.sse", Fault.TRANSIENT, "Hello", id="an-error-after-text"),
    ],
)
def test_errors_inside_a_good_answer(name: str, fault: Fault, delivered: str) -> None:
    events = events_of(name)
    assert text_in(events) == delivered
    assert isinstance(events[-1], Failed)
    assert events[-1].failure.fault is fault


def test_a_whole_message_instead_of_a_stream() -> None:
    events = decoded(ANTHROPIC, [recorded("message.json")], "application/json")
    assert content(events) == [
        ThinkingDelta("Simple."),
        ThinkingDelta("", "EqQBCgIYAg=="),
        TextDelta("Hi!"),
        ToolCallDelta(0, "toolu_9", "look"),
        ToolCallDelta(0, arguments='{"q":1}'),
    ]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS)
    assert UsageSeen(Usage(10, 20)) in events


def test_an_error_document_instead_of_a_stream() -> None:
    body = b'{"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}}'
    (event,) = decoded(ANTHROPIC, [body], "application/json")
    assert isinstance(event, Failed)
    assert event.failure.fault is Fault.CREDENTIAL


# --- the second turn


def second_turn(name: str, **more: Any) -> Any:
    answer = as_delivered(ANTHROPIC, events_of(name))
    result = Message("tool", "18 °C", tool_call_id=answer.tool_calls[0].id) if answer.tool_calls else None
    history = (Message("user", "Weather?"), answer, *([result] if result else [Message("user", "Sure?")]))
    return sent_next(ANTHROPIC, ChatRequest(history, tools=(WEATHER,), **more), MODEL)


def test_signed_thinking_survives_a_second_turn_before_its_tool_use() -> None:
    body = second_turn("thinking_tool.sse", reasoning_effort="medium")
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 8192}
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "I need the weather in San Francisco.", "signature": SIGNATURE},
        {"type": "text", "text": "Okay, let's check the weather."},
        {
            "type": "tool_use",
            "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
            "name": "get_weather",
            "input": {"location": "San Francisco, CA"},
        },
    ]
    assert body["messages"][2]["content"][0]["tool_use_id"] == "toolu_01T1x1fJ34qAmk2tNTrN7Up6"


def test_redacted_and_unspoken_thinking_goes_back_as_it_came() -> None:
    blocks = second_turn("redacted_thinking.sse")["messages"][1]["content"]
    assert [block["type"] for block in blocks] == ["redacted_thinking", "thinking", "text"]
    assert blocks[0]["data"].startswith("EmwKAhgBEgy3va3pzix/LafPsn4a")
    assert blocks[1] == {"type": "thinking", "thinking": "", "signature": "EpMBCkYIBxgCKkDQ"}


def test_a_tool_loop_that_began_without_thinking_goes_on_without() -> None:
    assert "thinking" not in second_turn("parallel_tools.sse", reasoning_effort="high")


def test_thinking_that_nobody_signed_is_left_out() -> None:
    history = (Message("user", "a"), Message("assistant", (ThinkingPart("hm"), TextPart("b"))), Message("user", "c"))
    assert sent(ANTHROPIC, ChatRequest(history), MODEL)["messages"][1]["content"] == [{"type": "text", "text": "b"}]


# --- requests


def test_the_request_goes_to_messages_with_the_key_in_its_header() -> None:
    request = built(ANTHROPIC, ask(), MODEL)
    assert (request.method, request.url) == ("POST", "https://api.test/v1/messages")
    assert request.headers["anthropic-version"] == "2023-06-01"
    prefix, secret = request.secret_headers["x-api-key"]
    assert prefix + secret.reveal("https://api.test:443") == "sk-very-secret"
    assert "sk-very-secret" not in repr(request)


@pytest.mark.parametrize("base_url", ["https://api.test", "https://api.test/v1", "https://api.test/v1/messages"])
def test_a_base_url_may_hold_a_part_of_the_path(base_url: str) -> None:
    assert built(ANTHROPIC, ask(), MODEL, base_url).url == "https://api.test/v1/messages"


def test_systems_are_gathered_and_neighbours_of_one_role_merged() -> None:
    history = (
        Message("system", "Be brief."),
        Message("user", "one"),
        Message("user", (TextPart("two"), ImagePart("image/png", "iVBORw0="))),
        Message("system", "Be kind."),
        Message("assistant", ""),
    )
    body = sent(ANTHROPIC, ChatRequest(history), MODEL)
    assert body["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}, picture]}
    ]
    assert body["stream"] is True
    assert body["max_tokens"] == 32000


def test_results_of_parallel_tools_are_one_user_turn_with_the_next_question() -> None:
    history = (
        Message("user", "both?"),
        Message("assistant", "", (ToolCall("call.1:0", "a", ""), ToolCall("call_2", "b", '{"cut'))),
        Message("tool", (TextPart("seen"), ImagePart("image/jpeg", "/9j/")), tool_call_id="call.1:0"),
        Message("tool", "boom", tool_call_id="call_2", is_error=True),
        Message("user", "and now?"),
    )
    turns = sent(ANTHROPIC, ChatRequest(history), MODEL)["messages"]
    assert turns[1]["content"] == [
        {"type": "tool_use", "id": "call-2e-1-3a-0", "name": "a", "input": {}},
        {"type": "tool_use", "id": "call_2", "name": "b", "input": {"arguments": '{"cut'}},
    ]
    first, second, question = turns[2]["content"]
    assert first["tool_use_id"] == "call-2e-1-3a-0"
    assert [block["type"] for block in first["content"]] == ["text", "image"]
    assert (second["is_error"], second["content"]) == (True, [{"type": "text", "text": "boom"}])
    assert question == {"type": "text", "text": "and now?"}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (ToolChoiceName("get_weather"), {"type": "tool", "name": "get_weather"}),
    ],
    ids=["auto", "none", "required-is-any", "by-name"],
)
def test_tools_and_the_choice_among_them(choice: Any, said: Any) -> None:
    body = sent(ANTHROPIC, ask(tools=(WEATHER,), tool_choice=choice), MODEL)
    assert body["tools"] == [
        {"name": "get_weather", "description": "Weather at a place", "input_schema": WEATHER.parameters}
    ]
    assert body["tool_choice"] == said


@pytest.mark.parametrize(
    ("model", "version"),
    [
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-3-7-sonnet-20250219", (3, 7)),
        ("claude-opus-4-20250514", (4, 0)),
        ("anthropic.claude-opus-4-6-v1", (4, 6)),
        ("claude-4.7-opus", (4, 7)),
        ("claude-mythos-preview", (99, 0)),
        ("kimi-k2", None),
    ],
)
def test_a_models_generation_is_read_from_its_name(model: str, version: Any) -> None:
    assert version_of(model) == version


@pytest.mark.parametrize(
    ("model", "request_", "thinking", "max_tokens"),
    [
        pytest.param("claude-3-5-haiku", ask(reasoning_effort="high"), None, 8192, id="before-3.7-nobody-thinks"),
        pytest.param(
            "claude-3-7-sonnet-20250219",
            ask(reasoning_effort="high"),
            {"type": "enabled", "budget_tokens": 16384},
            24576,
            id="a-budget-leaves-room-for-the-answer",
        ),
        pytest.param(
            MODEL,
            ask(reasoning_effort="high", max_tokens=4000),
            {"type": "enabled", "budget_tokens": 3000},
            4000,
            id="a-budget-stays-below-the-callers-limit",
        ),
        pytest.param(
            MODEL, ask(reasoning_effort="low", max_tokens=1000), None, 1000, id="a-limit-too-small-to-think-at-all"
        ),
        pytest.param(
            MODEL,
            ask(reasoning_effort="low", tools=(WEATHER,), tool_choice="required"),
            None,
            32000,
            id="a-forced-call-cannot-think",
        ),
        pytest.param(
            "claude-opus-4-8",
            ask(reasoning_effort="minimal"),
            {"type": "adaptive", "display": "summarized"},
            32000,
            id="newer-models-adapt",
        ),
        pytest.param(
            "claude-opus-4-8",
            ask(reasoning_effort="low", tools=(WEATHER,), tool_choice=ToolChoiceName("get_weather")),
            None,
            32000,
            id="a-forced-call-cannot-adapt-either",
        ),
    ],
)
def test_reasoning_effort(model: str, request_: ChatRequest, thinking: Any, max_tokens: int) -> None:
    body = sent(ANTHROPIC, request_, model)
    assert body.get("thinking") == thinking
    assert body["max_tokens"] == max_tokens
    if thinking and thinking["type"] == "adaptive":
        assert body["output_config"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("model", "request_", "said"),
    [
        pytest.param(
            "claude-3-5-haiku",
            ask(temperature=1.7, top_p=0.5),
            {"temperature": 1.0, "top_p": 0.5},
            id="clamped-to-one",
        ),
        pytest.param(MODEL, ask(temperature=0.2, top_p=0.5), {"temperature": 0.2}, id="one-sampler-from-4.1-on"),
        pytest.param("claude-opus-4-7", ask(temperature=0.2, top_p=0.5), {}, id="none-from-4.7-on"),
        pytest.param(MODEL, ask(temperature=0.2, reasoning_effort="low"), {}, id="none-while-thinking"),
    ],
)
def test_sampling(model: str, request_: ChatRequest, said: Any) -> None:
    body = sent(ANTHROPIC, request_, model)
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == said


def test_stop_sequences_are_sent_and_one_of_white_space_is_named() -> None:
    assert sent(ANTHROPIC, ask(stop=("END",)), MODEL)["stop_sequences"] == ["END"]
    with pytest.raises(InvalidInput) as wrong:
        sent(ANTHROPIC, ask(stop=("\n",)), MODEL)
    assert wrong.value.field == "stop"


def test_a_conversation_without_a_word_to_answer_is_refused() -> None:
    with pytest.raises(InvalidInput) as wrong:
        sent(ANTHROPIC, ChatRequest((Message("system", "Be brief."), Message("user", " "))), MODEL)
    assert wrong.value.field == "messages"


def test_a_schema_is_enforced_where_the_model_can_and_asked_for_elsewhere() -> None:
    wanted = ask(response_format={"type": "jsonSchema", "name": "n", "schema": {"type": "object"}})
    assert sent(ANTHROPIC, wanted, MODEL)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {"type": "object"},
    }
    assert '{"type": "object"}' in sent(ANTHROPIC, wanted, "claude-3-opus-20240229")["system"][0]["text"]
    assert "JSON" in sent(ANTHROPIC, replace(wanted, response_format={"type": "json"}), MODEL)["system"][0]["text"]


def test_cache_marks_are_set_only_where_the_profile_wants_them() -> None:
    history = tuple(Message(role, f"{role} {n}") for n in range(3) for role in ("user", "assistant"))
    request = ChatRequest((Message("system", "Be brief."), *history, Message("user", "last")), tools=(WEATHER,))
    assert b"cache_control" not in built(ANTHROPIC, request, MODEL).body
    body = sent(ANTHROPIC, request, MODEL, options={"promptCache": True})
    marked = [block["text"] for turn in body["messages"] for block in turn["content"] if "cache_control" in block]
    assert marked == ["user 2", "last"]
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in body["tools"][-1]


def test_a_prefill_does_not_end_in_white_space() -> None:
    body = sent(ANTHROPIC, ChatRequest((Message("user", "go on"), Message("assistant", "Once \n"))), MODEL)
    assert body["messages"][-1]["content"] == [{"type": "text", "text": "Once"}]


def test_the_callers_own_fields_are_laid_over_the_body_but_it_stays_a_stream() -> None:
    options = {"metadata": {"user_id": "u"}, "output_config": {"effort": "max"}, "stream": False}
    body = sent(ANTHROPIC, ask(reasoning_effort="low", provider_options=options), "claude-opus-4-8")
    assert body["metadata"] == {"user_id": "u"}
    assert body["output_config"] == {"effort": "max"}
    assert body["stream"] is True


# --- errors


def error(kind: str, message: str, **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "req_011CZLrUfBVkVHn5"}


def seconds_until(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() - NOW


LIMITS = "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC."
ERRORS = [
    pytest.param(
        400,
        {},
        error("invalid_request_error", "messages.1.content.0: Invalid `signature` in `thinking` block"),
        {"fault": Fault.BAD_ANSWER, "seals_refused": True},
        id="a-refused-signature-is-no-fault-of-the-request",
    ),
    pytest.param(
        429,
        {"retry-after": "12"},
        error("rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "per_model": True, "hint": 12.0},
        id="a-rate-limit-rests-as-long-as-retry-after-says",
    ),
    pytest.param(
        429,
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-03-24T00:00:20Z",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-03-24T00:00:45Z",
            "anthropic-ratelimit-output-tokens-remaining": "4000",
            "anthropic-ratelimit-output-tokens-reset": "2026-03-24T00:05:00Z",
        },
        error("rate_limit_error", "Number of request tokens has exceeded your per-minute rate limit"),
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "hint": 45.0},
        id="a-rate-limit-without-retry-after-rests-until-the-later-exhausted-budget-resets",
    ),
    pytest.param(
        429,
        {},
        error("rate_limit_error", "Rate limited"),
        {"fault": Fault.RATE_LIMIT, "hint": None},
        id="a-rate-limit-without-any-hint-leaves-the-time-to-the-configuration",
    ),
    pytest.param(
        429,
        {},
        error("rate_limit_error", "Spend limit reached.", details={"error_code": "enforced_spend_limit_reached"}),
        {"fault": Fault.QUOTA, "scope": Scope.DOMAIN, "per_model": False, "hint": seconds_until("2026-04-01")},
        id="an-enforced-spend-limit-rests-until-the-first-of-next-month",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", LIMITS),
        {"fault": Fault.QUOTA, "scope": Scope.DOMAIN, "hint": seconds_until("2026-04-01")},
        id="a-self-set-limit-rests-until-the-date-it-names",
    ),
    pytest.param(
        400,
        {},
        error(
            "invalid_request_error",
            "You have reached your specified workspace API usage limits. You will regain access on 2026-03-25.",
        ),
        {"fault": Fault.QUOTA, "scope": Scope.DOMAIN, "hint": 86400.0},
        id="a-workspace-limit-with-a-day-alone-rests-until-its-midnight",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", "You have reached your specified API usage limits."),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN, "hint": None},
        id="a-self-set-limit-without-a-date-is-billing",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", LIMITS.replace("2026-04-01", "2026-13-41")),
        {"fault": Fault.BILLING, "hint": None},
        id="a-self-set-limit-with-an-impossible-date-is-billing",
    ),
    pytest.param(
        400,
        {},
        error(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN},
        id="a-low-credit-balance-is-billing",
    ),
    pytest.param(
        402,
        {},
        error("billing_error", "There's an issue with your billing or payment information."),
        {"fault": Fault.BILLING, "scope": Scope.DOMAIN},
        id="a-billing-error-is-billing",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", "This organization has been disabled."),
        {"fault": Fault.PERMISSION, "scope": Scope.DOMAIN, "per_model": False},
        id="a-disabled-organisation-needs-the-user",
    ),
    pytest.param(
        401,
        {},
        error("authentication_error", "invalid x-api-key"),
        {"fault": Fault.CREDENTIAL, "confirm": True, "scope": Scope.PROFILE},
        id="an-invalid-key-is-confirmed-once",
    ),
    pytest.param(
        403,
        {},
        error("permission_error", "Your API key does not have permission to use the specified resource."),
        {"fault": Fault.PERMISSION, "scope": Scope.PROFILE, "per_model": True},
        id="a-missing-permission-concerns-this-profile-and-model",
    ),
    pytest.param(
        404,
        {},
        error("not_found_error", "model: claude-9"),
        {"fault": Fault.MODEL, "scope": Scope.PROFILE, "per_model": True},
        id="an-unknown-model-concerns-this-profile-and-model",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 200000},
        id="a-prompt-too-long-names-the-window",
    ),
    pytest.param(
        400,
        {},
        {
            "error": {
                "code": 400,
                "message": "request (1503 tokens) exceeds the available context size (256 tokens), try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 1503,
                "n_ctx": 256,
            }
        },
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 256},
        id="a-prompt-too-long-for-llama-cpp",
    ),
    pytest.param(
        400,
        {},
        error(
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, "
            "decrease input length or `max_tokens` and try again",
        ),
        {"fault": Fault.CONTEXT, "max_tokens_allowed": 200000},
        id="prompt-and-answer-together-too-long-names-the-window",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", "Output blocked by content filtering policy"),
        {"fault": Fault.POLICY},
        id="a-blocked-output-is-policy",
    ),
    pytest.param(
        413,
        {},
        error("request_too_large", "Request exceeds the maximum allowed number of bytes."),
        {"fault": Fault.REQUEST},
        id="a-request-too-large-is-the-callers",
    ),
    pytest.param(
        400,
        {},
        error("invalid_request_error", "messages: roles must alternate"),
        {"fault": Fault.REQUEST},
        id="any-other-invalid-request-is-the-callers",
    ),
    pytest.param(
        409,
        {},
        error("conflict_error", "Another request is in progress."),
        {"fault": Fault.TRANSIENT, "scope": Scope.ENDPOINT},
        id="a-conflict-passes",
    ),
    pytest.param(
        500,
        {},
        error("api_error", "Internal server error"),
        {"fault": Fault.TRANSIENT, "scope": Scope.ENDPOINT},
        id="an-internal-error-passes",
    ),
    pytest.param(
        504,
        {},
        error("timeout_error", "Request timed out"),
        {"fault": Fault.TRANSIENT, "scope": Scope.ENDPOINT},
        id="their-timeout-passes",
    ),
    pytest.param(
        529,
        {},
        error("overloaded_error", "Overloaded"),
        {"fault": Fault.OVERLOAD, "scope": Scope.ENDPOINT, "per_model": True, "hint": None},
        id="an-overload-is-the-endpoints-not-the-keys",
    ),
    pytest.param(
        529,
        {"retry-after": "7"},
        error("overloaded_error", "Overloaded"),
        {"fault": Fault.OVERLOAD, "hint": 7.0},
        id="an-overload-with-retry-after-rests-so-long",
    ),
    pytest.param(
        400,
        {},
        error("rate_limit_error", "Rate limited"),
        {"fault": Fault.RATE_LIMIT},
        id="the-typed-code-outranks-the-status",
    ),
    pytest.param(
        429,
        {"retry-after": "3"},
        {"message": "Too many requests"},
        {"fault": Fault.RATE_LIMIT, "scope": Scope.DOMAIN, "hint": 3.0},
        id="a-gateways-429-without-a-type-is-a-rate-limit",
    ),
    pytest.param(
        500,
        {},
        {"error": {"message": json.dumps(error("rate_limit_error", "Rate limited")), "code": 500}},
        {"fault": Fault.RATE_LIMIT, "message": "Rate limited"},
        id="an-error-wrapped-as-text-by-a-proxy-is-unwrapped",
    ),
]


@pytest.mark.parametrize(("status", "headers", "body", "expected"), ERRORS)
def test_errors(status: int, headers: dict[str, str], body: Any, expected: dict[str, Any]) -> None:
    failure = ANTHROPIC.classify(ErrorAnswer(status, headers, json.dumps(body).encode()), NOW)
    assert {name: getattr(failure, name) for name in expected} == expected
    assert failure.message


def test_the_servers_clock_decides_how_long_a_date_is_away() -> None:
    headers = {"date": "Tue, 31 Mar 2026 23:59:00 GMT"}
    answer = ErrorAnswer(400, headers, json.dumps(error("invalid_request_error", LIMITS)).encode())
    assert ANTHROPIC.classify(answer, NOW).hint == 60.0


def test_every_row_is_shown_by_a_recorded_error() -> None:
    """A row that no recorded body reaches is a guess."""
    reached: set[int | None] = set()
    for case in ERRORS:
        status, headers, body, _ = case.values
        evidence = evidence_of(ErrorAnswer(status, headers, json.dumps(body).encode()), NOW)  # type: ignore[arg-type]
        reached.add(next((at for at, row in enumerate(ROWS) if row.fits(evidence)), None))
    assert [row for at, row in enumerate(ROWS) if at not in reached] == []
