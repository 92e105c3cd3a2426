"""The real process in front of a server that others wrote: an editor's request, sent past everything that fails to who answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.e2e.conftest import Open
from tests.e2e.talk import shown, words
from tests.foreign import wire
from tests.foreign.test_aimock import CLOCK, CUT, WAYS, WEATHER
from tests.rpc.client import Client, RpcError

pytestmark = pytest.mark.requires("node", "aimock")
SPOKEN: Final = ("openai", "anthropic", "gemini")
EACH: Final = pytest.mark.parametrize("name", SPOKEN)
GREETING: Final = "Hello, Wörld 👋! Another's server speaks 日本語 here."
TOOLS: Final = [{"name": each.name, "parameters": dict(each.parameters)} for each in (WEATHER, CLOCK)]
Json = dict[str, Any]


async def save(client: Client, name: str, address: str, models: Mapping[str, str], **pool: Any) -> None:
    """Save one profile per model, and a pool of them in that order."""
    for profile_id, model in models.items():
        one = WAYS[name].profile(address, model=model)
        described = wire.saved(one, id=profile_id, timeouts={"firstToken": 0.5 if profile_id == "slow" else 30})
        key = "key-Z" if profile_id == "rejected" else "key-A"
        await client.request("rooroute/profiles/save", {"profile": described, "apiKey": key})
    saved = {"id": "default", "profiles": list(models), "maxWait": 0, "maxAttempts": 20, **pool}
    await client.request("rooroute/pools/save", {"pool": saved})


def question(text: str, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": text}], "maxTokens": 500, **more}


@EACH
async def test_a_request_passes_everybody_who_fails(name: str, window: Open, aimock: str) -> None:
    failing = {"limited": "rests", "busy": "overloaded", "mute": "hangs-up", "mad": "garbled", "slow": "too-slow"}
    model = WAYS[name].model
    client = await window()
    await save(client, name, aimock, {**failing, "rejected": model, "good": model})
    answer = await client.request("rooroute/complete", question("Say hello.", partialResultToken="t"), timeout=60)
    assert answer["profileId"] == "good"
    assert (answer["usage"]["inputTokens"], answer["usage"]["outputTokens"]) == (12, 7)
    assert words(client.progress_so_far("t")) == GREETING
    limited = await shown(client, "limited")
    assert limited["state"] == "cooldown"
    failed = {each["profileId"]: each["verdict"] for each in answer["attempts"] if each["profileId"] != "good"}
    assert failed == {
        "limited": "rateLimit",
        "busy": "overload",
        "mute": "transient",
        "mad": "transient",
        "slow": "timeout",
        "rejected": "credential",
    }


@EACH
async def test_thinking_and_tools_reach_the_editor_and_their_results_the_model(
    name: str, window: Open, aimock: str
) -> None:
    client = await window()
    await save(client, name, aimock, {"good": WAYS[name].model})
    asked = question("What is the weather?", tools=TOOLS)
    first = await client.request("rooroute/complete", {**asked, "partialResultToken": "t"})
    assert first["finishReason"] == "toolCalls"
    calls = first["message"]["toolCalls"]
    assert [call["name"] for call in calls] == ["get_weather", "get_time"]
    thought = "".join(each["text"] for each in client.progress_so_far("t") if each["kind"] == "thinking")
    assert thought == "I have to look."
    results = [
        {"role": "tool", "toolCallId": call["id"], "content": content}
        for call, content in zip(reversed(calls), ("noon", "21 degrees"), strict=True)
    ]
    history = [*asked["messages"], first["message"], *results]
    second = await client.request("rooroute/complete", {**asked, "messages": history})
    assert (second["message"]["content"], second["finishReason"]) == ("It is 21 degrees in Zürich.", "stop")


@EACH
async def test_a_broken_answer_is_kept_and_called_broken_or_begins_anew_as_asked(
    name: str, window: Open, aimock: str
) -> None:
    client = await window()
    await save(client, name, aimock, {"broken": "breaks-off", "good": WAYS[name].model})
    with pytest.raises(RpcError) as caught:
        await client.request("rooroute/complete", question("Say hello.", partialResultToken="kept"))
    assert caught.value.data["kind"] == "streamInterrupted"
    partial = words(client.progress_so_far("kept"))
    assert partial
    assert CUT.startswith(partial)
    again = question("Say hello.", partialResultToken="anew", onInterrupt="restart")
    answer = await client.request("rooroute/complete", again)
    assert answer["profileId"] == "good"
    seen = client.progress_so_far("anew")
    assert "reset" in [each["kind"] for each in seen]
    assert words(seen) == GREETING


async def test_a_conversation_moves_between_vendors_in_its_middle(window: Open, aimock: str) -> None:
    client = await window()
    for name in SPOKEN:
        described = wire.saved(WAYS[name].profile(aimock), id=name)
        await client.request("rooroute/profiles/save", {"profile": described, "apiKey": "key-B"})
    asked = question("What is the weather?", tools=TOOLS)
    for here in SPOKEN:
        first = await client.request("rooroute/complete", {**asked, "profile": here})
        calls = first["message"]["toolCalls"]
        results = [{"role": "tool", "toolCallId": call["id"], "content": "21 degrees"} for call in calls]
        for there in SPOKEN:
            history = [*asked["messages"], first["message"], *results]
            second = await client.request("rooroute/complete", {**asked, "messages": history, "profile": there})
            assert second["message"]["content"] == "It is 21 degrees in Zürich.", f"{here} to {there}"
