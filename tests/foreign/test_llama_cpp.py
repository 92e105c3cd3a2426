"""A real llama.cpp server, https://github.com/ggml-org/llama.cpp/tree/master/tools/server, with a model that says what it is asked to."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from rooroute.adapters.http import Upstream
from rooroute.chat import ChatRequest, FinishReason, ImagePart, Message, TextPart
from rooroute.errors import Cancelled, ContextTooLong
from rooroute.outcome import Fault, Scope
from rooroute.profiles import Profile
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.table import PROVIDERS
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer as Scripted
from rooroute.scripted_provider import Fail, Step
from rooroute.secret import Secret, origin_of
from tests.e2e.conftest import Open
from tests.foreign import wire
from tests.foreign.conftest import llama_serving
from tests.foreign.llama_server import NAME, SAID, TRAINED_FOR, WINDOW
from tests.foreign.test_aimock import CLOCK, WEATHER
from tests.house import Heard, House, house
from tests.providers.conformance import PIXEL, Answer, assembled
from tests.providers.decoding import as_delivered

pytestmark = pytest.mark.requires("llama-cpp")
KEY: Final = "key-A"
PRESET: Final = next(each for each in PROVIDERS["openai-compatible"].presets if each.id == "llama.cpp")
# Its server speaks three dialects; whoever moves a profile over keeps the one that is spoken.
_NEVER: Final = (Fail("bad-request"),)
WAYS: Final = {
    "chat completions": wire.profile("openai-compatible", urlsplit(PRESET.base_url).path, NAME),
    "responses": wire.profile("openai", "/v1", NAME, api="responses"),
    "anthropic's messages": wire.profile("anthropic", "", NAME),
}
EACH: Final = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def at(address: str, way: Profile = WAYS["chat completions"]) -> Profile:
    return replace(way, base_url=address + (way.base_url or ""))


def said(text: str, **more: Any) -> ChatRequest:
    return ChatRequest((Message("user", text),), **{"max_tokens": 500, **more})


@EACH
async def test_text_arrives_whole_with_its_usage(way: Profile, llama: str) -> None:
    answer = assembled(await wire.exchange(at(llama, way), said("Say hello.")))
    assert answer == Answer(SAID, tokens=(12, 13), end=FinishReason.STOP)


@EACH
async def test_tools_are_called_side_by_side_and_their_results_go_back(way: Profile, llama: str) -> None:
    asked = said("How is it outside?", tools=(WEATHER, CLOCK))
    events = await wire.exchange(at(llama, way), asked)
    answer = assembled(events)
    assert answer.calls == (("get_weather", {"city": "Zürich"}), ("get_time", {}))
    assert answer.end is FinishReason.TOOL_CALLS
    message = as_delivered(wire.spoken_by(way), events)
    results = tuple(Message("tool", "cold", tool_call_id=call.id) for call in message.tool_calls)
    after = replace(asked, messages=(*asked.messages, message, *results))
    assert assembled(await wire.exchange(at(llama, way), after)).text == SAID


@EACH
async def test_the_answer_ends_where_its_limit_is(way: Profile, llama: str) -> None:
    answer = assembled(await wire.exchange(at(llama, way), said("Go on!", max_tokens=5)))
    assert answer.text == " on and on and on"
    knows = way.options.get("api") != "responses"  # there the server says "completed" all the same
    assert answer.end is (FinishReason.LENGTH if knows else FinishReason.STOP)


@EACH
async def test_a_prompt_too_long_is_told_with_the_window(way: Profile, llama: str) -> None:
    failure = wire.failure_in(await wire.exchange(at(llama, way), said("x" * WINDOW)))
    assert (failure.fault, failure.max_tokens_allowed) == (Fault.CONTEXT, WINDOW)


@EACH
async def test_a_key_that_is_not_the_servers_is_rejected_after_a_second_look(way: Profile, llama: str) -> None:
    failure = wire.failure_in(await wire.exchange(at(llama, way), said("Say hello."), "key-Z"))
    assert (failure.fault, failure.confirm, failure.scope) == (Fault.CREDENTIAL, True, Scope.PROFILE)


async def test_a_stop_sequence_ends_the_answer_before_it(llama: str) -> None:
    answer = assembled(await wire.exchange(at(llama), said("Say hello.", stop=("real",))))
    assert (answer.text, answer.end) == (SAID.partition("real")[0], FinishReason.STOP)


async def test_an_answer_in_json_has_the_form_asked_for(llama: str) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    form = {"type": "jsonSchema", "name": "colour", "schema": schema}
    answer = assembled(await wire.exchange(at(llama), said("Say hello.", response_format=form)))
    assert json.loads(answer.text)["colour"] in ("red", "blue")


async def test_an_image_that_the_model_cannot_see_is_nobodys_outage(llama: str) -> None:
    image = ChatRequest((Message("user", (TextPart("What is this?"), ImagePart("image/png", PIXEL))),))
    failure = wire.failure_in(await wire.exchange(at(llama), image))
    assert "image input is not supported" in failure.message
    assert failure.fault is Fault.BAD_ANSWER, "another profile may see it, and this one is well"


async def test_its_model_is_listed_with_the_window_it_was_started_with(window: Open, llama: str) -> None:
    client = await window()
    await client.request("rooroute/profiles/save", {"profile": wire.saved(at(llama), id="local"), "apiKey": KEY})
    shown = await client.request("rooroute/profiles/models", {"id": "local"})
    (model,) = shown["models"]
    assert (model["id"], model["contextWindow"], model["supportsImages"]) == (NAME, WINDOW, False)
    assert WINDOW < TRAINED_FOR, "what the model was made for says nothing of this server"
    assert not {"contextWindow", "supportsImages"} & set(model.get("assumed", ()))


async def test_a_test_goes_through_every_stage_and_names_what_is_wrong(window: Open, llama: str) -> None:
    client = await window()

    async def tested(key: str = KEY, **changes: Any) -> list[dict[str, Any]]:
        draft = {**wire.saved(at(llama), id="local"), **changes}
        params = {"profile": draft, "apiKey": key, "level": "completion"}
        stages: list[dict[str, Any]] = (await client.request("rooroute/profiles/test", params))["stages"]
        return stages

    well = await tested()
    assert [(stage["name"], stage["ok"]) for stage in well] == [
        (name, True) for name in ("address", "tcp", "auth", "listing", "completion")
    ]
    rejected = (await tested("key-Z"))[-1]
    assert (rejected["name"], rejected["ok"]) == ("auth", False) and "Invalid API Key" in rejected["detail"]
    nowhere = (await tested(baseUrl=f"{llama}/v2"))[-1]
    assert not nowhere["ok"] and nowhere["remedy"]


async def test_an_image_that_it_cannot_see_goes_on_to_who_can(tmp_path: Path, llama: str) -> None:
    async with local_first(tmp_path, llama, Scripted("A pixel.")) as h:
        image = ChatRequest((Message("user", (TextPart("What is this?"), ImagePart("image/png", PIXEL))),))
        assert (await h.ask(request=image))["profileId"] == "cloud"
        assert h.shown(KEY).state is ShownState.ACTIVE
        assert (await h.ask(request=said("Say hello.")))["message"].content == SAID


async def test_a_limited_profile_is_answered_for_by_the_local_one(tmp_path: Path, llama: str) -> None:
    async with local_first(tmp_path, llama, Fail("rate-limit", retry_delay=600.0), pool=("cloud", KEY)) as h:
        heard = Heard()
        answer = await h.ask(heard, said("Say hello."))
        assert (answer["profileId"], heard.words) == (KEY, SAID)
        assert h.shown("cloud").state is ShownState.COOLDOWN
        assert (await h.ask(request=said("Say hello.")))["profileId"] == KEY
        assert h.asked_with() == ["cloud"], "while it rests nobody asks it"


async def test_a_prompt_too_long_for_it_goes_to_a_larger_window_alone(tmp_path: Path, llama: str) -> None:
    too_long = said("x" * WINDOW)
    async with local_first(tmp_path, llama, Scripted("Read."), cloud={"context_window": TRAINED_FOR}) as h:
        assert (await h.ask(request=too_long))["profileId"] == "cloud"
    (tmp_path / "alone").mkdir()
    async with local_first(tmp_path / "alone", llama, pool=(KEY,)) as h:
        with pytest.raises(ContextTooLong, match="exceeds the available context size"):
            await h.ask(request=too_long)
        assert h.shown(KEY).state is ShownState.ACTIVE


async def test_called_off_in_the_middle_it_stops_to_compute(tmp_path: Path, llama: str) -> None:
    class Listener(Heard):
        def text(self, text: str) -> None:
            super().text(text)
            begun.set()

    begun = asyncio.Event()
    async with local_first(tmp_path, llama, pool=(KEY,)) as h:
        asking = asyncio.create_task(h.ask(Listener(), said("Go on!", max_tokens=None)))
        await begun.wait()
        asking.cancel()
        with pytest.raises((Cancelled, asyncio.CancelledError)):
            await asking
        async with asyncio.timeout(60):
            while any(slot["is_processing"] for slot in await slots(llama)):
                await asyncio.sleep(0.05)
        computed = max(slot.get("n_prompt_tokens", 0) for slot in await slots(llama))  # those it answered with, too
        assert len(" on and") < computed < WINDOW - 100, "it did not go on to the end of its window"
        assert h.shown(KEY).state is ShownState.ACTIVE
        assert (await h.ask(request=said("Say hello.")))["message"].content == SAID


async def test_while_it_loads_its_model_others_answer_and_then_it_does(tmp_path: Path, llama_model: Path) -> None:
    model = shutil.copy(llama_model, tmp_path)
    with held_back(model) as let_go, llama_serving(model, tmp_path, loaded=False) as address:
        failure = wire.failure_in(await wire.exchange(at(address), said("Say hello.")))
        assert (failure.fault, failure.scope, failure.message) == (Fault.OVERLOAD, Scope.ENDPOINT, "Loading model")
        async with local_first(tmp_path, address, Scripted("From afar.")) as h:
            assert (await h.ask())["message"].content == "From afar."
            resting = h.shown(KEY)
            assert resting.state is ShownState.COOLDOWN and "Loading model" in (resting.reason or "")
            let_go()
            async with asyncio.timeout(60):
                while (await status(address)) == 503:
                    await asyncio.sleep(0.05)
            assert resting.until is not None
            h.clock.ahead += resting.until - h.clock.now() + 1
            assert (await h.ask(request=said("Say hello.")))["message"].content == SAID


# --- what the tests stand on


@asynccontextmanager
async def local_first(
    folder: Path,
    address: str,
    *script: Step,
    pool: tuple[str, ...] = (KEY, "cloud"),
    cloud: dict[str, Any] | None = None,
) -> AsyncIterator[House]:
    """A window whose pool is the real server's profile (its id is its key) and a scripted one, in the order of ``pool``."""
    local = {"dialect": "openai", "base_url": at(address).base_url, "model": NAME}
    profiles = {KEY: local, "cloud": cloud or {}}
    scripts = {KEY: _NEVER, "cloud": script or _NEVER}
    async with house(folder, scripts, pool={"profiles": pool}, profiles=profiles) as h:
        yield h


@contextmanager
def held_back(path: str | Path) -> Iterator[Any]:
    """Whoever opens the file waits until the given function is called: https://man7.org/linux/man-pages/man2/F_SETLEASE.2const.html."""
    told_of_it = signal.signal(signal.SIGIO, signal.SIG_IGN)
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield lambda: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(file)
        signal.signal(signal.SIGIO, told_of_it)


async def got(address: str, path: str) -> tuple[int, bytes]:
    upstream = Upstream({})
    key = {"authorization": ("Bearer ", Secret(KEY, origin_of(address)))}
    try:
        answer = await upstream.request(
            HttpRequest("GET", address + path, secret_headers=key), seconds=30, limit=1 << 20, proxy=None
        )
    finally:
        await upstream.close()
    return answer.status, answer.body


async def status(address: str) -> int:
    return (await got(address, "/health"))[0]


async def slots(address: str) -> list[dict[str, Any]]:
    """What the server computes at the moment."""
    found: list[dict[str, Any]] = json.loads((await got(address, "/slots"))[1])
    return found
