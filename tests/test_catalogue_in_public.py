"""The catalogue helps to choose: what a vendor can do, where it runs, and what it costs where a table of prices is installed."""

from __future__ import annotations

from rooroute.providers.table import PROVIDERS
from tests.rpc.client import Client
from tests.test_routing_in_public import SERVE, home

__all__ = ["home"]


async def test_every_vendor_is_told_with_what_helps_to_choose_it(home: dict[str, str]) -> None:
    async with await Client.start(SERVE, env=home) as client:
        await client.initialize()
        found = {each["id"]: each for each in (await client.request("rooroute/providers"))["providers"]}
    assert found.keys() == PROVIDERS.keys()
    openai = found["openai"]
    assert {"images", "tools", "thinking"} <= set(openai["capabilities"])
    assert openai["regions"] and openai["statusPage"] and openai["keyPage"].startswith("https://")
    api = next(each for each in openai["fields"] if each["name"] == "options.api")
    assert (api["kind"], api["choices"]) == ("choice", ["chat", "responses"])
    assert "price" not in found["litellm"], "what stands behind a proxy is not known"
    assert openai["largestWindow"] > 100_000
    low, high = openai["price"]["input"]
    assert 0 < low < high
    presets = {each["id"]: each for each in found["openai-compatible"]["presets"]}
    assert presets["groq"]["price"]["output"][1] > 0 and presets["groq"]["largestWindow"] > 100_000
    assert "price" not in presets["ollama"], "a server of one's own has no price"
