"""A real LiteLLM proxy, https://docs.litellm.ai/docs/simple_proxy, with models of its own and others behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from rooroute.adapters.http import Upstream
from rooroute.chat import FinishReason
from rooroute.discovery import Discovery
from rooroute.outcome import Fault, Scope
from rooroute.profiles import Profile
from rooroute.secret import Secret, origin_of
from tests.e2e.conftest import Open
from tests.e2e.talk import words
from tests.foreign import wire
from tests.foreign.test_aimock import said
from tests.providers.conformance import Answer, assembled

pytestmark = pytest.mark.requires("node", "aimock", "litellm")
KEY: Final = "sk-master"


def at(address: str, model: str) -> Profile:
    return wire.profile("litellm", address, model)


async def listed(profile: Profile, key: str = KEY) -> dict[str, Any]:
    """What discovery shows of the proxy's models."""
    assert profile.base_url is not None
    upstream = Upstream({})
    secrets = {"apiKey": Secret(key, origin_of(profile.base_url))}

    async def resolve(_: Profile) -> Mapping[str, Secret]:
        return secrets

    discovery = Discovery(upstream.request, resolve, lambda: wire.NOW)
    try:
        return await discovery.models(profile, None)
    finally:
        await discovery.close()
        await upstream.close()


@pytest.mark.parametrize("path", ["", "/", "/v1", "//v1//"])
async def test_its_models_are_found_whatever_path_the_base_url_has(path: str, litellm: str) -> None:
    shown = await listed(at(litellm + path, "told"))
    assert "problem" not in shown
    models = {each["id"]: each for each in shown["models"]}
    told, untold, claude = models["told"], models["untold"], models["claude"]
    assert (told["contextWindow"], told["maxTokens"], told["supportsImages"]) == (12345, 678, True)
    assert (told["inputPrice"], told["outputPrice"]) == (1.0, 2.0)
    assert set(told["assumed"]) <= {"supportsPromptCache"}
    assert {"contextWindow", "maxTokens", "inputPrice", "outputPrice"} <= set(untold["assumed"])
    assert (untold["contextWindow"], untold["maxTokens"]) == (200_000, 8192)
    assert (untold["inputPrice"], untold["outputPrice"]) == (3.0, 15.0)
    assert claude["supportsComputerUse"] is True


async def test_a_model_that_it_does_not_list_is_told(litellm: str) -> None:
    assert "nobody" in (await listed(at(litellm, "nobody")))["problem"]["message"]


async def test_a_wrong_key_lists_nothing_and_says_why(litellm: str) -> None:
    shown = await listed(at(litellm, "told"), "sk-wrong")
    assert [each["id"] for each in shown["models"]] == ["told"], "the profile's own"
    assert shown["problem"]["message"]


async def test_its_own_answer_streams_with_usage(litellm: str) -> None:
    answer = assembled(await wire.exchange(at(litellm, "told"), said("Say hello."), KEY))
    assert (answer.text, answer.end) == ("Hello from behind the proxy. Wörld!", FinishReason.STOP)
    assert answer.tokens is not None and min(answer.tokens) > 0


@pytest.mark.parametrize("model", ["behind", "behind-claude"])
async def test_an_answer_from_behind_it_streams_with_its_thinking(model: str, litellm: str) -> None:
    answer = assembled(await wire.exchange(at(litellm, model), said("Think first.", reasoning_effort="low"), KEY))
    assert answer == Answer("It is 42.", "Let me think of six times seven.", tokens=(12, 19), end=FinishReason.STOP)


@pytest.mark.parametrize(
    ("model", "question", "fault"),
    [
        pytest.param("limited", "Hello?", Fault.RATE_LIMIT, id="a-limit-without-a-time"),
        pytest.param("too-long", "Hello?", Fault.CONTEXT, id="a-prompt-too-long"),
        pytest.param("broken", "Hello?", Fault.TRANSIENT, id="an-internal-error"),
        pytest.param("down", "Hello?", Fault.TRANSIENT, id="nobody-behind-it"),
        pytest.param("breaks-inside", "Hello?", Fault.OVERLOAD, id="an-error-inside-the-stream"),
        pytest.param("nobody", "Hello?", Fault.MODEL, id="an-unknown-model"),
        pytest.param("behind", "Rest a while.", Fault.RATE_LIMIT, id="a-limit-behind-it"),
        pytest.param("behind-claude", "Rest a while.", Fault.RATE_LIMIT, id="a-limit-of-anthropics-behind-it"),
        pytest.param("behind", "Be overloaded.", Fault.OVERLOAD, id="an-overload-behind-it"),
        pytest.param("behind-claude", "Be overloaded.", Fault.OVERLOAD, id="an-overload-of-anthropics-behind-it"),
        pytest.param("behind", "Break off.", Fault.TRANSIENT, id="a-cut-behind-it"),
        pytest.param("behind-with-a-bad-key", "Hello?", Fault.PERMISSION, id="the-proxys-own-key-is-bad"),
    ],
)
async def test_its_errors_are_known(model: str, question: str, fault: Fault, litellm: str) -> None:
    failure = wire.failure_in(await wire.exchange(at(litellm, model), said(question), KEY))
    assert failure.fault is fault
    assert failure.hint is None, "the proxy passes no time on"


async def test_a_key_that_is_not_the_proxys_is_rejected_after_a_second_look(litellm: str) -> None:
    failure = wire.failure_in(await wire.exchange(at(litellm, "told"), said("Hello?"), "sk-wrong"))
    assert (failure.fault, failure.confirm, failure.scope) == (Fault.CREDENTIAL, True, Scope.PROFILE)


async def test_the_editor_is_answered_past_what_fails_behind_the_proxy(window: Open, litellm: str) -> None:
    client = await window()
    names = ["limited", "broken", "behind-with-a-bad-key", "breaks-inside", "behind-claude"]
    for name in names:
        described = wire.saved(at(litellm, name), id=name)
        await client.request("rooroute/profiles/save", {"profile": described, "apiKey": KEY})
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": names, "maxAttempts": 20}})
    asked = {"messages": [{"role": "user", "content": "Say hello."}], "partialResultToken": "t"}
    answer = await client.request("rooroute/complete", asked, timeout=60)
    assert answer["profileId"] == "behind-claude"
    assert words(client.progress_so_far("t")) == "Hello, Wörld 👋! Another's server speaks 日本語 here."
    models = await client.request("rooroute/profiles/models", {"id": "limited"})
    assert {"told", "behind-claude"} <= {each["id"] for each in models["models"]}
