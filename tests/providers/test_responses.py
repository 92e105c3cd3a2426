"""OpenAI's Responses API: what its streams tell beyond what every dialect's do, and how a conversation is told to it."""

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
from rooroute.outcome import Fault
from rooroute.providers.responses import OPENAI_RESPONSES
from tests.providers import conformance as c

VENDOR = c.subjects()["openai speaking openai-responses"]
TOOLS = FinishReason.TOOL_CALLS


def read(name: str) -> list[Event]:
    return c.decode(OPENAI_RESPONSES, name, [c.recorded(OPENAI_RESPONSES, name)])


ANSWERS = {
    "two_summaries_and_tools.sse": c.Answer("", "Two cities.\n\nAsk both.", (("one", {"x": 1}), ("two", {"y": 2})), (30, 40), TOOLS),
    "llama_cpp_without_output_index.sse": c.Answer("", calls=(("get_weather", {"city": "Zürich"}), ("get_time", {})), tokens=(310, 13), end=TOOLS),
    "refusal.sse": c.Answer("I'm sorry, I cannot.", tokens=(9, 6), end=FinishReason.CONTENT_FILTER),
    "failed_by_a_rate_limit.sse": c.Answer(end=Fault.RATE_LIMIT),
    "bare_error.sse": c.Answer(end=Fault.TRANSIENT),
    "unknown_events.sse": c.Answer("Hi", tokens=(5, 1), end=FinishReason.STOP),
    "whole_with_tools.json": c.Answer("", "Hm.", (("one", {"x": 1}), ("two", {})), (12, 7), TOOLS),
    "whole_failed.json": c.Answer(end=Fault.TRANSIENT),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_its_own(name: str) -> None:
    assert c.assembled(read(name)) == ANSWERS[name]


def test_every_recorded_answer_is_expected_somewhere() -> None:
    assert set(c.streams_of(OPENAI_RESPONSES)) == {*ANSWERS, *c.SHARED}


def test_a_seal_follows_what_it_seals_and_comes_before_the_calls() -> None:
    events = read("two_summaries_and_tools.sse")
    sealed = next(at for at, event in enumerate(events) if isinstance(event, ThinkingDelta) and event.signature)
    assert events[sealed] == ThinkingDelta("", "gAAAAABsealed-1")
    assert not any(isinstance(event, ThinkingDelta) for event in events[sealed + 1 :])
    calls = [event for event in events if isinstance(event, ToolCallDelta) and event.id]
    assert [event.id for event in calls] == ["call_a", "call_b"]
    assert [event.usage for event in events if isinstance(event, UsageSeen)] == [
        Usage(30, 40, cached_input_tokens=0, reasoning_tokens=25)
    ]


def test_an_error_s_time_is_found() -> None:
    end = read("failed_by_a_rate_limit.sse")[-1]
    assert isinstance(end, Failed)
    assert (end.failure.hint, end.failure.code) == (11.054, "rate_limit_exceeded")


def events_of(*documents: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in documents)


def test_a_call_that_was_never_finished_is_whole_all_the_same() -> None:
    item = {"type": "function_call", "call_id": "a", "name": "one"}
    body = events_of(
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.function_call_arguments.delta", "output_index": 7, "delta": "lost"},
        {"type": "response.reasoning_summary_text.delta", "delta": ""},
        {"type": "response.refusal.delta", "delta": ""},
        {"type": "response.output_text.delta", "delta": ""},
        {"type": "response.completed", "response": {}},
    )
    answer = c.assembled(c.decoded(OPENAI_RESPONSES.decoder(c.EVENT_STREAM, c.NOW), [body]))
    assert answer == c.Answer(calls=(("one", {}),), end=TOOLS)


def test_a_call_that_comes_whole_and_without_an_id_gets_one() -> None:
    item = {"type": "function_call", "name": "one", "arguments": ' {"x":1} '}
    body = events_of(
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.incomplete", "response": {"incomplete_details": {"reason": "other"}}},
    )
    events = c.decoded(OPENAI_RESPONSES.decoder(c.EVENT_STREAM, c.NOW), [body])
    assert c.assembled(events) == c.Answer(calls=(("one", {"x": 1}),), end=FinishReason.OTHER)
    assert isinstance(events[0], ToolCallDelta) and events[0].id


def body(request: ChatRequest, **changes: Any) -> dict[str, Any]:
    document = c.body_of(c.build(VENDOR, request, **changes))
    assert isinstance(document, dict)
    return document


def test_a_conversation_in_items() -> None:
    request = ChatRequest(
        (
            Message("system", "Be brief."),
            Message("user", (TextPart("What?"), ThinkingPart("mine"), ImagePart("image/png", "AAAA"))),
            Message(
                "assistant",
                (ThinkingPart("Hm.", "seal"), ThinkingPart("unsealed"), TextPart("I look.")),
                (ToolCall("a", "draw", ""),),
            ),
            Message("tool", (TextPart("done"), ImagePart("image/png", "BBBB")), tool_call_id="a"),
            Message("tool", (TextPart("done"), TextPart(" too")), tool_call_id="b"),
        )
    )
    assert body(request)["input"] == [
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            ],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "seal"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "a", "name": "draw", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "a",
            "output": [
                {"type": "input_text", "text": "done"},
                {"type": "input_image", "image_url": "data:image/png;base64,BBBB"},
            ],
        },
        {"type": "function_call_output", "call_id": "b", "output": "done too"},
    ]


def test_every_wish_has_its_field() -> None:
    request = ChatRequest(
        c.said("hi").messages,
        tools=(Tool("t", {"type": "object"}, "Does t."),),
        tool_choice=ToolChoiceName("t"),
        max_tokens=9,
        temperature=0.0,
        top_p=0.5,
        reasoning_effort="low",
        response_format={"type": "jsonSchema", "name": "n", "schema": {"type": "object"}},
    )
    wished = {name: value for name, value in body(request).items() if name not in ("model", "input")}
    assert wished == {
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "tools": [{"type": "function", "name": "t", "description": "Does t.", "parameters": {"type": "object"}, "strict": False}],
        "tool_choice": {"type": "function", "name": "t"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
        "reasoning": {"effort": "low", "summary": "auto"},
    }  # fmt: skip
    plain = ChatRequest(c.said("hi").messages, response_format={"type": "json"}, tool_choice="auto")
    assert body(plain)["text"] == {"format": {"type": "json_object"}}
    assert "tool_choice" not in body(plain)


def test_stop_sequences_are_refused_by_name() -> None:
    with pytest.raises(InvalidInput) as refused:
        body(ChatRequest(c.said("hi").messages, stop=("x",)))
    assert refused.value.field == "stop"


def test_a_pasted_endpoint_is_not_doubled_and_the_organization_travels() -> None:
    request = c.build(VENDOR, c.said("hi"), base_url="https://host/v1/responses", options={"organization": "org-1"})
    assert request.url == "https://host/v1/responses"
    assert request.headers["openai-organization"] == "org-1"
