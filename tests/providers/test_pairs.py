"""A conversation that begins at one vendor goes on at another: for every ordered pair of dialects, with thinking, parallel tools and an image.

What a dialect made is decoded, held as a client holds it, and sent on. The one thing refused is a wish, not a history: OpenAI's Responses
API knows no stop sequences and says so by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest

from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, ThinkingPart
from rooroute.portable_history import SignatureMemory, for_dialect
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.dialect import Dialect
from rooroute.providers.table import target_for
from rooroute.secret import Secret, origin_of
from tests.providers import conformance as c
from tests.providers.decoding import as_delivered

SUBJECTS = c.subjects()
FOLDERS = {
    "openai": ("shared-thinking.sse", "shared-parallel-tools.sse"),
    "openai-responses": ("two_summaries_and_tools.sse",),
    "anthropic": ("thinking_tool.sse", "parallel_tools.sse"),
    "gemini": ("thinking.sse", "parallel_tools.sse"),
}
MODELS = {"anthropic": "claude-sonnet-4-5", "gemini": "gemini-3-pro-preview", "vertex-gemini": "gemini-2.5-pro"}
PICTURE = ImagePart("image/png", c.PIXEL)


def answers(dialect: Dialect) -> list[Message]:
    """Recorded answers of this dialect as a client holds them: thinking, then parallel calls."""
    names = FOLDERS[c.form_of(dialect)]
    return [as_delivered(dialect, c.decode(dialect, name, [c.recorded(dialect, name)])) for name in names]


def conversation(dialect: Dialect) -> list[Message]:
    """Each answer with what its tools said, one of them with a picture and one failing."""
    messages = [Message("system", "Be brief."), Message("user", (TextPart("What is this?"), PICTURE))]
    for answer in answers(dialect):
        messages.append(answer)
        for n, call in enumerate(answer.tool_calls):
            content = (TextPart(f"result {n}"), PICTURE) if n == 0 else f"result {n}"
            messages.append(Message("tool", content, tool_call_id=call.id, is_error=n == 1))
        if not answer.tool_calls:
            messages.append(Message("user", "Go on."))
    return messages


@dataclass(frozen=True)
class Seen:
    """What a request's body holds of tools: (id, name, arguments) of calls, (id, text) of results."""

    calls: list[tuple[str, str, Any]]
    results: list[tuple[str, str]]


def seen_in(form: str, body: dict[str, Any]) -> Seen:
    return {"openai": chat, "openai-responses": items, "anthropic": blocks, "gemini": parts}[form](body)


def chat(body: dict[str, Any]) -> Seen:
    calls = [call for m in body["messages"] for call in m.get("tool_calls", ())]
    return Seen(
        [(x["id"], x["function"]["name"], json.loads(x["function"]["arguments"])) for x in calls],
        [(m["tool_call_id"], m["content"]) for m in body["messages"] if m["role"] == "tool"],
    )


def items(body: dict[str, Any]) -> Seen:
    told = body["input"]
    return Seen(
        [(x["call_id"], x["name"], json.loads(x["arguments"])) for x in told if x["type"] == "function_call"],
        [(x["call_id"], json.dumps(x["output"])) for x in told if x["type"] == "function_call_output"],
    )


def blocks(body: dict[str, Any]) -> Seen:
    told = [block for m in body["messages"] for block in m["content"]]
    return Seen(
        [(x["id"], x["name"], x["input"]) for x in told if x["type"] == "tool_use"],
        [(x["tool_use_id"], json.dumps(x["content"])) for x in told if x["type"] == "tool_result"],
    )


def parts(body: dict[str, Any]) -> Seen:
    """Calls without ids are matched by their order; each result names its tool."""
    told = [part for m in body["contents"] for part in m["parts"]]
    calls = [part["functionCall"] for part in told if "functionCall" in part]
    results = [part["functionResponse"] for part in told if "functionResponse" in part]
    assert [call["name"] for call in calls] == [result["name"] for result in results]
    return Seen(
        [(call.get("id", str(n)), call["name"], call["args"]) for n, call in enumerate(calls)],
        [(result.get("id", str(n)), json.dumps(result["response"])) for n, result in enumerate(results)],
    )


IDS = {
    "anthropic": re.compile(r"[a-zA-Z0-9_-]+"),
    "mistral": re.compile(r"[a-zA-Z0-9]{9}"),
}


def signatures_of(messages: list[Message]) -> Iterator[str]:
    """Signatures without their maker's name."""
    for message in messages:
        for part in message.content if isinstance(message.content, tuple) else ():
            if isinstance(part, ThinkingPart) and part.signature:
                yield part.signature.partition(":")[2]
        for call in message.tool_calls:
            if call.signature:
                yield call.signature.partition(":")[2]


@pytest.mark.parametrize("ends_with", ["a tool's result", "the user's word"])
@pytest.mark.parametrize(("first", "then"), list(product(SUBJECTS, SUBJECTS)), ids=lambda each: each)
def test_a_conversation_goes_on(first: str, then: str, ends_with: str) -> None:
    origin, vendor = SUBJECTS[first].dialect, SUBJECTS[then]
    messages = conversation(origin)
    if ends_with == "the user's word":
        messages.append(Message("user", "And now?"))
    request = for_dialect(
        ChatRequest(tuple(messages), tools=(c.TOOL,), reasoning_effort="medium"), vendor.dialect.name, SignatureMemory()
    )
    model = MODELS.get(vendor.dialect.name, "model-x")
    profile = c.profile_of(vendor)
    key = Secret(c.CANARY, origin_of(profile.base_url or c.FALLBACK_BASE))
    text = vendor.dialect.build(target_for(profile, model, {USUAL_SLOT: key}), request).body.decode()
    seen = seen_in(c.form_of(vendor.dialect), json.loads(text))

    calls = [call for message in messages for call in message.tool_calls]
    assert [(name, arguments) for _, name, arguments in seen.calls] == [
        (call.name, json.loads(call.arguments)) for call in calls
    ]
    ids = [call_id for call_id, _, _ in seen.calls]
    assert len(set(ids)) == len(ids) == len(calls), "every call keeps an id of its own"
    assert [call_id for call_id, _ in seen.results] == ids, "every result belongs to its call"
    allowed = IDS.get(vendor.id) or IDS.get(vendor.dialect.name)
    assert allowed is None or all(allowed.fullmatch(each) for each in ids)
    for n, (_, said) in enumerate(seen.results):
        assert "result" in said, n
    assert text.count(c.PIXEL) == 1 + sum(bool(message.tool_calls) for message in messages)

    thoughts = [
        p.text for m in messages if isinstance(m.content, tuple) for p in m.content if isinstance(p, ThinkingPart)
    ]
    if origin.name != vendor.dialect.name:
        assert not [each for each in thoughts if each and each in text], "nobody is shown another's thinking"
        assert not [each for each in signatures_of(messages) if each in text], "nobody is shown another's seal"
    else:
        assert all(each in text for each in signatures_of(messages) if ":" not in each)


def test_the_recorded_answers_hold_what_this_is_about() -> None:
    for dialect in (vendor.dialect for vendor in SUBJECTS.values()):
        told = answers(dialect)
        assert any(len(answer.tool_calls) > 1 for answer in told)
        assert any(isinstance(part, ThinkingPart) for answer in told for part in answer.content)
        if c.form_of(dialect) != "openai":
            assert list(signatures_of(told))
