"""The scripted provider says what each vendor says, and does exactly what it is told."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from rooroute.scripted_forms import DIALECTS, FAILURES, DialectName, Script
from rooroute.scripted_provider import (
    ANY,
    Answer,
    Call,
    Cut,
    Fail,
    Hang,
    Html,
    InStreamError,
    Raw,
    ScriptedProvider,
    Stall,
    Step,
)

PATHS: dict[str, str] = {
    "openai": "/chat/completions",
    "responses": "/responses",
    "anthropic": "/v1/messages",
    "gemini": "/models/scripted-model:streamGenerateContent?alt=sse",
}
HEADERS = {
    "openai": "authorization",
    "responses": "authorization",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider({}) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as opened:
        yield opened


async def ask(
    client: httpx.AsyncClient, provider: ScriptedProvider, dialect: DialectName, key: str = "k"
) -> httpx.Response:
    prefix = "Bearer " if dialect in ("openai", "responses") else ""
    body = {"model": "scripted-model", "stream": True, "messages": []}
    return await client.post(
        provider.base_url(dialect) + PATHS[dialect], json=body, headers={HEADERS[dialect]: prefix + key}
    )


def events(body: str) -> list[Any]:
    lines = (
        line for line in body.replace("\r\n", "\n").split("\n") if line.startswith("data: ") and line != "data: [DONE]"
    )
    return [json.loads(line[6:]) for line in lines]


def text_of(dialect: DialectName, found: list[Any]) -> str:
    if dialect == "openai":
        return "".join(c["delta"].get("content") or "" for e in found for c in e["choices"])
    if dialect == "responses":
        return "".join(e["delta"] for e in found if e["type"] == "response.output_text.delta")
    if dialect == "anthropic":
        return "".join(
            e["delta"]["text"]
            for e in found
            if e["type"] == "content_block_delta" and e["delta"]["type"] == "text_delta"
        )
    parts = [part for e in found for part in e["candidates"][0]["content"]["parts"]]
    return "".join(part.get("text", "") for part in parts if not part.get("thought"))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_streams_its_text_and_its_terminal_event(
    dialect: DialectName, provider: Any, client: Any
) -> None:
    provider.script("k", Answer("Round and round it goes", thinking="hm hm", tool_calls=(Call("look", '{"at":1}'),)))
    answer = await ask(client, provider, dialect)
    found = events(answer.text)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text_of(dialect, found) == "Round and round it goes"
    ends = {
        "openai": "[DONE]",
        "responses": "response.completed",
        "anthropic": "message_stop",
        "gemini": '"finishReason":"STOP"',
    }
    assert ends[dialect] in answer.text
    assert '"look"' in answer.text
    assert "hm" in answer.text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_burst_has_as_many_pieces_as_asked(dialect: DialectName, provider: Any, client: Any) -> None:
    provider.script("k", Answer(" word", chunks=500))
    assert text_of(dialect, events((await ask(client, provider, dialect)).text)) == " word" * 500


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_failure_has_every_dialects_form(
    dialect: DialectName, kind: str, provider: Any, client: Any
) -> None:
    provider.script("k", Fail(kind))
    answer = await ask(client, provider, dialect)
    assert answer.status_code == getattr(FAILURES[kind], "openai" if dialect == "responses" else dialect)[0]
    assert answer.json()["error"]["message"]


async def test_the_waiting_time_travels_where_each_vendor_puts_it(provider: Any, client: Any) -> None:
    provider.script("k", Fail("rate-limit", retry_delay=3))
    openai = await ask(client, provider, "openai")
    anthropic = await ask(client, provider, "anthropic")
    gemini = await ask(client, provider, "gemini")
    assert openai.headers["retry-after"] == "3"
    assert anthropic.headers["retry-after"] == "3"
    assert "retry-after" not in gemini.headers
    assert [d["retryDelay"] for d in gemini.json()["error"]["details"] if "retryDelay" in d] == ["3s"]


async def test_steps_are_consumed_and_the_last_repeats(provider: Any, client: Any) -> None:
    provider.script("k", Fail("overloaded"), Answer())
    assert [(await ask(client, provider, "openai")).status_code for _ in range(4)] == [503, 200, 200, 200]
    assert [request.key for request in provider.requests] == ["k"] * 4


def test_a_limit_that_lasts_counts_down_and_then_answers() -> None:
    script = Script((Fail("rate-limit", retry_delay=3, lasts=3), Answer()))
    met = [script.take(now) for now in (100.0, 102.0, 103.5, 104.0)]
    assert [step.retry_delay if isinstance(step, Fail) else "answer" for step in met] == [3.0, 1.0, "answer", "answer"]


def test_looking_at_a_script_does_not_move_it() -> None:
    script = Script((Fail("invalid-key"), Answer()))
    assert script.peek(0.0) == script.peek(0.0) == script.take(0.0) == Fail("invalid-key")
    assert script.peek(0.0) == Answer()


BROKEN: dict[str, tuple[Step, type[Exception] | None]] = {
    "a-fin-inside-the-body": (Cut(2), httpx.RemoteProtocolError),
    "a-reset": (Cut(2, "rst"), httpx.ReadError),
    "a-clean-end-without-evidence": (Cut(2, "quiet"), None),
    "silence-after-two-pieces": (Stall(2), httpx.ReadTimeout),
    "silence-from-the-start": (Hang(), httpx.ReadTimeout),
}


@pytest.mark.parametrize(("step", "error"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_breaks_look_like_themselves(
    dialect: DialectName,
    step: Step,
    error: type[Exception] | None,
    provider: ScriptedProvider,
    client: httpx.AsyncClient,
) -> None:
    provider.script("k", step)
    client.timeout = httpx.Timeout(10, read=0.5)
    if error is None:
        answer = await ask(client, provider, dialect)
        assert text_of(dialect, events(answer.text)) == "Hello from"
        assert not any(end in answer.text for end in ("[DONE]", "response.completed", "message_stop", "finishReason"))
    else:
        with pytest.raises(error):
            await ask(client, provider, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_error_inside_the_stream_comes_after_its_pieces(
    dialect: DialectName, provider: Any, client: Any
) -> None:
    provider.script("k", InStreamError(1), InStreamError(0, bare=True))
    found = events((await ask(client, provider, dialect)).text)
    assert "error" in found[-1]
    assert text_of(dialect, [e for e in found if "error" not in e]) == "Hello"
    assert (await ask(client, provider, dialect)).text.rstrip().endswith("}")


async def test_pages_and_raw_bodies_are_sent_as_they_are(provider: Any, client: Any) -> None:
    provider.script("k", Html(), Raw((b"a", b"b"), content_type="text/plain"), Raw((b"slow", b"ly"), delay=0.001))
    page = await ask(client, provider, "openai")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [(await ask(client, provider, "openai")).text for _ in range(2)] == ["ab", "slowly"]


async def test_unknown_keys_are_refused_unless_there_is_a_script_for_any(provider: Any, client: Any) -> None:
    assert (await ask(client, provider, "anthropic", "who")).status_code == 401
    provider.script(ANY, Answer())
    assert (await ask(client, provider, "anthropic", "who")).status_code == 200


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_model_lists_judge_the_key_and_consume_nothing(dialect: DialectName, provider: Any, client: Any) -> None:
    provider.script("k", Answer())
    url, prefix = (
        provider.base_url(dialect) + ("/v1/models" if dialect == "anthropic" else "/models"),
        "Bearer " if dialect in ("openai", "responses") else "",
    )
    listed = await client.get(url, headers={HEADERS[dialect]: prefix + "k"})
    assert "scripted-model" in listed.text
    provider.script("k", Fail("invalid-key"), Answer())
    for _ in range(2):
        refused = await client.get(url, headers={HEADERS[dialect]: prefix + "k"})
        assert refused.status_code in (400, 401)


async def test_paths_that_no_vendor_has_are_not_found(provider: Any, client: Any) -> None:
    provider.script("k", Answer())
    base = provider.base_url("openai")
    assert (await client.get(base + "/nope/models", headers={"authorization": "Bearer k"})).status_code == 404
    assert (await client.post(base + "/nope", json={}, headers={"authorization": "Bearer k"})).status_code == 404


async def test_answers_with_delays_arrive_piece_by_piece(provider: Any, client: Any) -> None:
    provider.script("k", Answer("one two three", first_delay=0.01, delay=0.01))
    seen = []
    url = provider.base_url("openai") + PATHS["openai"]
    async with client.stream("POST", url, json={}, headers={"authorization": "Bearer k"}) as answer:
        seen = [piece async for piece in answer.aiter_raw()]
    assert len(seen) >= 4


async def test_as_a_process_it_is_driven_over_http() -> None:
    command = (sys.executable, "-m", "rooroute.scripted_provider")
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ})
    try:
        assert child.stdout
        urls = json.loads(await asyncio.wait_for(child.stdout.readline(), 30))
        async with httpx.AsyncClient(trust_env=False) as client:
            script = {
                "mine": [{"step": "fail", "kind": "overloaded"}, {"text": "Yes.", "toolCalls": [{"name": "look"}]}]
            }
            changed = await client.post(urls["control"] + "/__script", json=script)
            headers = {"authorization": "Bearer mine"}
            codes = [
                (await client.post(urls["openai"] + "/chat/completions?a=b", json={}, headers=headers)).status_code
                for _ in range(2)
            ]
            asked = (await client.get(urls["control"] + "/__requests")).json()
            wrong = await client.post(urls["control"] + "/__script", json={"mine": [{"step": "fail", "kindness": 1}]})
            await client.delete(urls["control"] + "/__requests")
            forgotten = (await client.get(urls["control"] + "/__requests")).json()
        assert (changed.status_code, codes, [(row["key"], row["query"]) for row in asked], forgotten) == (
            200,
            [503, 200],
            [("mine", "a=b")] * 2,
            [],
        )
        assert (wrong.status_code, "kindness" in wrong.text) == (400, True)
    finally:
        child.terminate()
        await child.wait()
