"""A LiteLLM proxy's models through the protocol and the command line, from a real server asking real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.scripted_provider import ANY, Answer, Fail, ScriptedProvider
from tests.commands.conftest import Shell, shell
from tests.rpc.client import Client
from tests.test_routing_in_public import SERVE, home

__all__ = ["home", "shell"]

PROXIED = ("claude-3-7-sonnet-20250219", "house-model")
TOLD = {
    "id": "claude-3-7-sonnet-20250219",
    "contextWindow": 32_768,
    "maxTokens": 4096,
    "supportsImages": False,
    "supportsTools": True,
    "supportsPromptCache": False,
    "supportsComputerUse": True,
    "inputPrice": 1.0,
    "outputPrice": 4.0,
    "cacheReadPrice": 0.1,
    "cacheWritePrice": 1.25,
    "assumed": [],
}
ASSUMED = {
    "contextWindow": 200_000,
    "maxTokens": 8192,
    "supportsImages": True,
    "supportsPromptCache": True,
    "inputPrice": 3.0,
    "outputPrice": 15.0,
}


async def listed(client: Client, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = await client.request("rooroute/profiles/models", params)
    return found


@pytest.mark.parametrize("path", ["", "/", "/team//litellm/", "/v1"])
async def test_a_draft_of_a_proxy_shows_its_models_whatever_its_base_looks_like(
    home: dict[str, str], path: str
) -> None:
    scripts = {"dummy-key": [Answer()]}
    async with ScriptedProvider(scripts, model_ids=PROXIED) as proxy, await Client.start(SERVE, env=home) as client:
        await client.initialize()
        draft = {"id": "proxy", "provider": "litellm", "baseUrl": f"http://127.0.0.1:{proxy.port}{path}"}
        told, house = (await listed(client, profile=draft))["models"]
        assert told == TOLD
        assert house["id"] == "house-model" and {name: house[name] for name in ASSUMED} == ASSUMED
        assert set(house["assumed"]) == ASSUMED.keys()
        (asked,) = proxy.requests
        assert asked.path.endswith("/v1/model/info") and "//" not in asked.path
        assert asked.headers["authorization"] == "Bearer dummy-key"


async def test_a_refresh_asks_anew_and_a_proxy_that_fails_leaves_the_list(home: dict[str, str]) -> None:
    async with (
        ScriptedProvider({"key": [Answer()]}, model_ids=PROXIED) as proxy,
        await Client.start(SERVE, env=home) as client,
    ):
        await client.initialize()
        profile = {
            "id": "proxy",
            "provider": "litellm",
            "baseUrl": f"http://127.0.0.1:{proxy.port}",
            "model": "gone-model",
        }
        await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "key"})
        first = await listed(client, id="proxy")
        assert "gone-model" in first["problem"]["message"], "a default model the server does not list is warned of"
        await listed(client, id="proxy")
        assert len(proxy.requests) == 1
        proxy.model_ids = (*PROXIED, "new-model")
        refreshed = await listed(client, id="proxy", refresh=True)
        assert [each["id"] for each in refreshed["models"]] == [*PROXIED, "new-model"]
        proxy.script("key", Fail("invalid-key"))
        kept = await listed(client, id="proxy", refresh=True)
        assert [each["id"] for each in kept["models"]] == [*PROXIED, "new-model"]
        assert kept["stale"] and kept["problem"]


async def test_the_command_line_lists_a_proxys_models_and_marks_what_is_assumed(shell: Shell) -> None:
    shell.provider.model_ids = PROXIED
    shell.provider.script(ANY, Answer())
    where = ("--base-url", f"http://127.0.0.1:{shell.provider.port}")
    await shell.well("profiles", "add", "proxy", "--provider", "litellm", "--model", PROXIED[0], *where)
    shown = await shell.well("profiles", "models", "proxy")
    assert [line.split() for line in shown.out.splitlines()[1:]] == [
        [PROXIED[0], "32,768", "4,096", "1,", "4"],
        ["house-model", "~200,000", "~8,192", "~3,", "~15"],
    ]
    assert "~ is assumed" in shown.err
    assert (await shell.well("profiles", "models", "proxy", "--json")).json["models"][0] == TOLD
