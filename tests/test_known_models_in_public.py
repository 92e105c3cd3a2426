"""A proxy that tells prices and windows: after its models were listed, routing and the books go by them, through the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rooroute.scripted_provider import Answer, Raw, ScriptedProvider
from tests.rpc.client import Client, RpcError
from tests.test_routing_in_public import HELLO, SERVE, home

__all__ = ["home"]

Json = dict[str, Any]
MODELS: dict[str, Json] = {
    "dear": {"input_cost_per_token": 1e-5, "output_cost_per_token": 1e-5, "max_input_tokens": 100_000},
    "cheap": {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "max_input_tokens": 100},
    "bare": {},
}
LONG: Json = {"messages": [{"role": "user", "content": "long " * 200}]}


def listed() -> Raw:
    rows = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}"}, "model_info": told}
        for name, told in MODELS.items()
    ]
    return Raw((json.dumps({"data": rows}).encode(),), content_type="application/json")


@asynccontextmanager
async def served(home: dict[str, str], proxy: ScriptedProvider) -> AsyncIterator[Client]:
    async with await Client.start(SERVE, env=home) as client:
        await client.initialize()
        yield client


async def save(client: Client, proxy: ScriptedProvider, name: str, **more: Any) -> Json:
    profile = {"id": name, "provider": "litellm", "baseUrl": f"http://127.0.0.1:{proxy.port}", "model": name, **more}
    found: Json = await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "key"})
    return found


async def learn(client: Client, proxy: ScriptedProvider, name: str) -> None:
    """List the models, as whoever chooses one does."""
    proxy.script("key", listed())
    await client.request("rooroute/profiles/models", {"id": name, "refresh": True})
    proxy.script("key", Answer("Hello.", input_tokens=1_000, output_tokens=100))


async def ask(client: Client, **params: Any) -> str:
    found = await client.request("rooroute/complete", {**HELLO, **params})
    return str(found["profileId"])


async def profiles(client: Client) -> dict[str, Json]:
    return {each["id"]: each for each in (await client.request("rooroute/status"))["profiles"]}


COST: Json = {"pool": {"id": "default", "profiles": ["dear", "cheap"], "strategy": "cost"}}


async def test_the_strategy_cost_the_ledger_and_the_windows_go_by_what_a_proxy_told(home: dict[str, str]) -> None:
    async with ScriptedProvider({"key": [Answer()]}) as proxy, served(home, proxy) as client:
        await save(client, proxy, "dear")
        await save(client, proxy, "cheap")
        with pytest.raises(RpcError, match="none of its profiles has a price that is known"):
            await client.request("rooroute/pools/save", COST)
        await learn(client, proxy, "dear")
        pool = (await client.request("rooroute/pools/save", COST))["pool"]
        assert pool["prices"] == "Prices: dear and cheap as the server lists them."
        assert await ask(client) == "cheap"
        assert await ask(client, **LONG) == "dear", "too long for the other's window"
        seen = await profiles(client)
        assert (seen["cheap"]["price"]["output"], seen["cheap"]["priceSource"]) == (2.0, "server")
        assert (seen["cheap"]["contextWindow"], seen["cheap"]["contextWindowSource"]) == (100, "server")
        rows = {each["key"]: each for each in (await client.request("rooroute/stats", {"groupBy": "profile"}))["rows"]}
        assert rows["cheap"]["cost"] == pytest.approx(1_000 * 1e-6 + 100 * 2e-6)
        assert rows["dear"]["cost"] == pytest.approx(1_100 * 1e-5)
        assert rows["dear"]["priceSources"] == ["server"]
        why = await client.request("rooroute/why", {"requestId": "latest"})
        assert why["attempts"][0]["priceSource"] == "server" and why["attempts"][0]["cost"] > 0
        assert any("window of 100 tokens" in each.get("excludedBy", "") for each in why["candidates"])
        dry = await client.request("rooroute/dryRun", HELLO)
        assert (dry["profileId"], dry["priceSource"]) == ("cheap", "server") and dry["estimatedCost"] > 0
        saved = (await client.request("rooroute/profiles/get", {"id": "cheap"}))["profile"]
        assert saved.get("price") is None and saved.get("contextWindow") is None, "only what was typed is saved"
    async with ScriptedProvider({"key": [Answer()]}, port=proxy.port) as proxy, served(home, proxy) as client:
        written = await asyncio.to_thread(Path((await client.request("rooroute/status"))["configPath"]).read_text)
        assert "model: cheap" in written and "price" not in written
        for name in ("dear", "cheap"):  # keys live as long as the session in this test
            await save(client, proxy, name)
        assert await ask(client) == "cheap", "a restart keeps what is known"
        assert (await profiles(client))["dear"]["priceSource"] == "server"


async def test_the_users_own_price_wins_and_what_is_assumed_never_counts(home: dict[str, str]) -> None:
    async with ScriptedProvider({"key": [Answer()]}) as proxy, served(home, proxy) as client:
        await save(client, proxy, "dear", price={"input": 0.1, "output": 0.1})
        await save(client, proxy, "cheap")
        await save(client, proxy, "bare")
        await learn(client, proxy, "dear")
        await client.request("rooroute/pools/save", {"pool": {**COST["pool"], "profiles": ["bare", "cheap", "dear"]}})
        assert await ask(client) == "dear"
        assert await ask(client, profile="bare") == "bare"
        seen = await profiles(client)
        assert seen["dear"]["priceSource"] == "yours" and seen["dear"]["contextWindowSource"] == "server"
        assert not {"price", "priceSource", "contextWindow"} & {name for name, value in seen["bare"].items() if value}
        rows = {each["key"]: each for each in (await client.request("rooroute/stats", {"groupBy": "profile"}))["rows"]}
        assert rows["dear"]["priceSources"] == ["yours"] and rows["bare"].get("cost") is None
        assert await ask(client, profile="bare", model="cheap") == "bare"
        why = await client.request("rooroute/why", {"requestId": "latest"})
        assert why["attempts"][0]["cost"] == pytest.approx(1_000 * 1e-6 + 100 * 2e-6), "as the model asked for"
        assert await ask(client, profile="cheap", model="unheard-of") == "cheap"
        why = await client.request("rooroute/why", {"requestId": "latest"})
        assert "cost" not in why["attempts"][0] or why["attempts"][0]["cost"] is None


async def test_a_budget_counts_by_a_known_price_and_is_refused_without_one(home: dict[str, str]) -> None:
    async with ScriptedProvider({"key": [Answer()]}) as proxy, served(home, proxy) as client:
        budget = {"budget": {"perMonth": 0.001}}
        await save(client, proxy, "bare")
        with pytest.raises(RpcError, match="needs its price, and none is known"):
            await save(client, proxy, "cheap", **budget)
        await learn(client, proxy, "bare")
        await save(client, proxy, "cheap", **budget)
        with pytest.raises(RpcError, match="needs its price"):
            await save(client, proxy, "bare", **budget)
        assert await ask(client, profile="cheap") == "cheap"
        limit = (await profiles(client))["cheap"]["limits"][0]
        assert limit["measure"] == "cost" and limit["used"] >= 0.001
        with pytest.raises(RpcError):
            await ask(client, profile="cheap", maxWait=0)


async def test_a_budget_in_a_file_that_nobody_knows_a_price_for_is_told_and_the_profile_not_asked(
    home: dict[str, str],
) -> None:
    async with ScriptedProvider({"key": [Answer()]}) as proxy, served(home, proxy) as client:
        await save(client, proxy, "bare")
        path = Path((await client.request("rooroute/status"))["configPath"])
        text = await asyncio.to_thread(path.read_text)
        await asyncio.to_thread(path.write_text, text.replace("model: bare", "model: bare\n    budget: {perDay: 1}"))
        async with asyncio.timeout(20):
            while not (
                found := [
                    each
                    for each in (await client.request("rooroute/status"))["problems"]
                    if each.get("profileId") == "bare"
                ]
            ):
                await asyncio.sleep(0.05)
        assert found[0]["field"] == "budget" and found[0]["remedy"]
        with pytest.raises(RpcError, match="no price that is known"):
            await ask(client, profile="bare")


async def test_the_offline_table_fills_in_for_a_vendor_that_tells_no_prices(home: dict[str, str]) -> None:
    async with await Client.start(SERVE, env=home) as client:
        await client.initialize()
        profile = {"id": "mine", "provider": "openai", "model": "gpt-4o"}
        await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "key"})
        await client.request("rooroute/status")
        async with asyncio.timeout(40):
            while (seen := (await profiles(client))["mine"]).get("priceSource") is None:
                await asyncio.sleep(0.1)
        assert (seen["priceSource"], seen["contextWindowSource"]) == ("table", "table")
        assert seen["price"]["input"] > 0 and seen["contextWindow"] > 100_000
