"""Every vendor's row over the wire to a server that others wrote, https://github.com/CopilotKit/aimock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from rooroute.chat import ChatRequest, Finished, FinishReason, ImagePart, Message, TextPart, Tool
from rooroute.outcome import Fault
from rooroute.portable_history import SignatureMemory, for_dialect
from rooroute.profiles import Profile, Timeouts
from rooroute.providers.table import PROVIDERS
from tests.foreign import wire
from tests.providers.conformance import PIXEL, Answer, assembled
from tests.providers.decoding import as_delivered

pytestmark = pytest.mark.requires("node", "aimock")


@dataclass(frozen=True)
class Way:
    """How a vendor's profile reaches the server: the path of its base URL, a model, and options.

    ``counted`` is False where the vendor tells usage unasked and this server only when asked; ``own_ends`` is False where the server
    does not end answers with the vendor's own reasons.
    """

    vendor: str
    path: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    counted: bool = True
    own_ends: bool = True

    def tokens(self, sent: int, got: int) -> tuple[int, int] | None:
        return (sent, got) if self.counted else None

    def profile(self, address: str, **changes: Any) -> Profile:
        made = wire.profile(self.vendor, address + self.path, self.model, **self.options)
        return replace(made, **changes)


WAYS: Final = {
    "openai": Way("openai", "/v1", "gpt-5"),
    "openai speaking responses": Way("openai", "/v1", "gpt-5", {"api": "responses"}, own_ends=False),
    "openai-compatible": Way("openai-compatible", "/v1", "deepseek-reasoner"),
    "anthropic": Way("anthropic", "", "claude-sonnet-4-5"),
    "gemini": Way("gemini", "/v1beta", "gemini-2.5-flash"),
    "azure-openai": Way("azure-openai", "", "gpt-5", {"apiVersion": "2024-10-21"}),
    "azure-openai without a version": Way("azure-openai", "/openai/v1", "gpt-5"),
    "vertex": Way("vertex", "/v1", "gemini-2.5-flash", {"project": "my-project-123456", "location": "global"}),
    "openrouter": Way("openrouter", "/api/v1", "deepseek/deepseek-r1"),
    "litellm": Way("litellm", "", "deepseek-reasoner"),
    "mistral": Way("mistral", "/v1", "magistral-medium-latest", counted=False),
    "cohere": Way("cohere", "/compatibility/v1", "command-a-reasoning-08-2025", counted=False),
    "huggingface": Way("huggingface", "/v1", "deepseek-ai/DeepSeek-R1"),
    "xroute": Way("xroute", "/openai/v1", "deepseek-reasoner"),
}
EACH: Final = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
CUT: Final = "This answer is going to be cut off in the very middle of it, long before its end would have come."
WEATHER: Final = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}}, "Looks outside.")
CLOCK: Final = Tool("get_time", {"type": "object", "properties": {}}, "Looks at the clock.")


def said(text: str, **more: Any) -> ChatRequest:
    return ChatRequest((Message("system", "Be brief."), Message("user", text)), max_tokens=500, **more)


def test_every_vendor_is_asked() -> None:
    assert {way.vendor for way in WAYS.values()} == set(PROVIDERS)


@EACH
async def test_text_arrives_whole_with_its_usage(way: Way, aimock: str) -> None:
    events = await wire.exchange(way.profile(aimock), said("Say hello."))
    text = "Hello, Wörld 👋! Another's server speaks 日本語 here."
    assert assembled(events) == Answer(text, tokens=way.tokens(12, 7), end=FinishReason.STOP)


@EACH
async def test_thinking_is_told_from_the_answer(way: Way, aimock: str) -> None:
    events = await wire.exchange(way.profile(aimock), said("Think first.", reasoning_effort="low"))
    assert assembled(events) == Answer(
        "It is 42.", "Let me think of six times seven.", tokens=way.tokens(12, 19), end=FinishReason.STOP
    )


@EACH
async def test_tools_are_called_and_their_results_understood(way: Way, aimock: str) -> None:
    asked, profile = said("What is the weather?", tools=(WEATHER, CLOCK)), way.profile(aimock)
    events = await wire.exchange(profile, asked)
    calls: tuple[tuple[str, Any], ...] = (("get_weather", {"city": "Zürich"}), ("get_time", {}))
    first = assembled(events)
    assert (first.calls, first.end, first.tokens) == (calls, FinishReason.TOOL_CALLS, way.tokens(82, 34))
    dialect = wire.spoken_by(profile)
    turn = as_delivered(dialect, events)
    results = (
        Message("tool", "noon", tool_call_id=turn.tool_calls[1].id),
        Message("tool", "21 degrees", tool_call_id=turn.tool_calls[0].id),
    )
    again = for_dialect(replace(asked, messages=(*asked.messages, turn, *results)), dialect.name, SignatureMemory())
    second = assembled(await wire.exchange(profile, again))
    assert (second.text, second.end, second.tokens) == (
        "It is 21 degrees in Zürich.",
        FinishReason.STOP,
        way.tokens(90, 9),
    )


@EACH
async def test_an_image_beside_the_question_is_taken(way: Way, aimock: str) -> None:
    request = ChatRequest((Message("user", (TextPart("Say hello."), ImagePart("image/png", PIXEL))),), max_tokens=500)
    assert assembled(await wire.exchange(way.profile(aimock), request)).end is FinishReason.STOP


@pytest.mark.parametrize("way", [pytest.param(way, id=name) for name, way in WAYS.items() if way.own_ends])
async def test_an_answer_that_became_too_long_says_so(way: Way, aimock: str) -> None:
    answer = assembled(await wire.exchange(way.profile(aimock), said("Stop short.")))
    assert (answer.text, answer.end) == ("Only so", FinishReason.LENGTH)


@EACH
async def test_a_limit_is_known_with_its_time(way: Way, aimock: str) -> None:
    failure = wire.failure_in(await wire.exchange(way.profile(aimock), said("Rest a while.")))
    assert (failure.fault, failure.status, failure.hint) == (Fault.RATE_LIMIT, 429, 7)


@EACH
async def test_an_overload_is_no_limit(way: Way, aimock: str) -> None:
    failure = wire.failure_in(await wire.exchange(way.profile(aimock), said("Be overloaded.")))
    assert (failure.fault, failure.status) == (Fault.OVERLOAD, 503)


@EACH
async def test_a_key_that_the_server_does_not_take_is_rejected(way: Way, aimock: str) -> None:
    failure = wire.failure_in(await wire.exchange(way.profile(aimock), said("Say hello."), key="key-Z"))
    assert (failure.fault, failure.status) == (Fault.CREDENTIAL, 401)


@EACH
async def test_a_cut_answer_keeps_its_beginning_and_is_no_success(way: Way, aimock: str) -> None:
    answer = assembled(await wire.exchange(way.profile(aimock), said("Break off.")))
    assert answer.end is Fault.TRANSIENT
    assert CUT.startswith(answer.text)
    assert answer.text


@EACH
@pytest.mark.parametrize("words", ["Hang up.", "Garble it."], ids=["hung-up", "an-object-that-never-ends"])
async def test_what_breaks_off_before_it_began_may_be_tried_elsewhere(way: Way, aimock: str, words: str) -> None:
    assert wire.failure_in(await wire.exchange(way.profile(aimock), said(words))).fault is Fault.TRANSIENT


@EACH
async def test_who_never_begins_is_given_up(way: Way, aimock: str) -> None:
    impatient = Timeouts(first_token=0.3, idle=0.3, total=60)
    events = await wire.exchange(way.profile(aimock), said("Take for ever."), timeouts=impatient)
    assert wire.failure_in(events).fault is Fault.TIMEOUT


@EACH
async def test_a_model_that_nobody_knows_is_no_answer(way: Way, aimock: str) -> None:
    events = await wire.exchange(way.profile(aimock), said("Something nobody foresaw."))
    assert not isinstance(events[-1], Finished)
