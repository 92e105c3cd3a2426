"""Routing through the public protocol: a real server, a configuration file, scripted providers behind real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rooroute.scripted_provider import Answer, Fail, Raw, ScriptedProvider, Step
from tests.rpc.client import Client, RpcError

Json = dict[str, Any]
Scripts = Mapping[str, Sequence[Step]]
SERVE = (sys.executable, "-m", "rooroute", "serve")
HELLO: Json = {"messages": [{"role": "user", "content": "Hello?"}]}


class Public:
    """A server with its profiles saved, and the provider they all point to."""

    def __init__(self, client: Client, provider: ScriptedProvider) -> None:
        self.client, self.provider = client, provider

    async def ask(self, **params: Any) -> Json:
        found: Json = await self.client.request("rooroute/complete", {**HELLO, **params})
        return found

    async def pool(self, **settings: Any) -> Json:
        found: Json = await self.client.request("rooroute/pools/save", {"pool": {"id": "default", **settings}})
        return found

    async def status(self) -> Json:
        found: Json = await self.client.request("rooroute/status")
        return found


@asynccontextmanager
async def public(
    home: Mapping[str, str], scripts: Scripts, profiles: Mapping[str, Json] | None = None
) -> AsyncIterator[Public]:
    async with ScriptedProvider(scripts) as provider, await Client.start(SERVE, env=home) as client:
        await client.initialize()
        for name in scripts:
            profile = {
                "id": name,
                "provider": "openai-compatible",
                "baseUrl": provider.base_url("openai"),
                "model": f"model-{name}",
                **(profiles or {}).get(name, {}),
            }
            await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": name})
        yield Public(client, provider)


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    return {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session"}


TWO = {"A": [Answer("A.")], "B": [Answer("B.")]}


async def test_a_dry_run_shows_the_rule_that_would_fire_and_sends_nothing(home: dict[str, str]) -> None:
    rules = [
        {"name": "long", "when": {"minLength": 1000}, "profiles": ["A"]},
        {"name": "code", "when": {"contains": ["write code"], "mode": ["code"]}, "profiles": ["B"]},
    ]
    async with public(home, TWO, {"B": {"price": {"input": 1, "output": 2}}}) as server:
        await server.pool(profiles=["A", "B"], rules=rules)
        asked = {"messages": [{"role": "user", "content": "Please write code."}], "mode": "code"}
        found = await server.client.request("rooroute/dryRun", asked)
        assert (found["profileId"], found["rule"]) == ("B", "code")
        assert found["rules"] == [
            {"name": "long", "fires": False, "unmet": "minLength"},
            {"name": "code", "fires": True},
        ]
        assert found["estimatedCost"] > 0
        assert not server.provider.requests


async def test_why_tells_rule_candidates_attempts_and_what_they_taught(home: dict[str, str]) -> None:
    scripts: Scripts = {"A": [Fail("rate-limit", retry_delay=30)], "B": [Answer("B.")], "C": [Answer("C.")]}
    async with public(home, scripts, {"C": {"region": "eu"}}) as server:
        rules = [{"name": "any", "when": {"tags": ["work"]}, "profiles": ["A", "B"]}]
        await server.pool(profiles=["A", "B", "C"], rules=rules)
        answer = await server.ask(tags=["work"])
        why = await server.client.request("rooroute/why", {"requestId": answer["requestId"]})
        assert (why["rule"], why["strategy"]) == ("any", "priority")
        assert why["because"] == "is the first in order that can answer"
        assert [(each["profileId"], each.get("rank")) for each in why["candidates"]] == [("A", 1), ("B", 2), ("C", 3)]
        first, second = why["attempts"]
        assert first["taught"][0]["state"] == "cooldown" and first["rawError"]
        assert first["curl"].startswith("curl") and "Hello?" in first["curl"]
        assert second["verdict"] == "ok"
        assert "Bearer A" not in json.dumps(why)
        bound = await server.client.request("rooroute/dryRun", {**HELLO, "region": "eu"})
        assert bound["profileId"] == "C"
        excluded = {each["profileId"]: each.get("excludedBy") for each in bound["candidates"]}
        assert excluded["A"] == "names no region, and the request is bound to eu"


async def test_routing_that_cannot_work_is_refused_at_save_with_field_and_remedy(home: dict[str, str]) -> None:
    async with public(home, TWO) as server:
        wrong: list[tuple[Json, str]] = [
            ({"weights": {"A": 0, "B": 0}}, "pool.weights"),
            ({"strategy": "model", "modelRoutes": {"x": "nobody"}}, "pool.modelRoutes"),
            ({"rules": [{"name": "r", "when": {"pattern": "("}, "profiles": ["A"]}]}, "pool.rules.0.when.pattern"),
            ({"limits": {"requestsPerMinute": 0}}, "pool.limits.requestsPerMinute"),
            ({"strategy": "fastest"}, "pool.strategy"),
        ]
        for settings, field in wrong:
            with pytest.raises(RpcError) as caught:
                await server.pool(profiles=["A", "B"], **settings)
            assert caught.value.data["field"] == field
            assert len(caught.value.message.split()) > 5


async def test_limits_stand_in_the_status_with_what_is_left_and_warn_at_80_percent(home: dict[str, str]) -> None:
    profiles = {"A": {"limits": {"requestsPerDay": 5}}}
    async with public(home, TWO, profiles) as server:
        await server.pool(profiles=["A", "B"], budget={"perMonth": 3}, limits={"requestsPerHour": 100})
        for _ in range(4):
            await server.ask()
        found = await server.status()
        (day,) = next(each for each in found["profiles"] if each["id"] == "A")["limits"]
        assert (day["most"], day["used"], day["left"], day["warning"]) == (5, 4, 1, True)
        assert any("80%" in each["message"] and each.get("profileId") == "A" for each in found["problems"])
        assert {(each["holder"], each["measure"]) for each in found["limits"]} == {
            ("pool", "requests"),
            ("pool", "cost"),
        }
        used = [await server.ask(session=f"s{n}") for n in range(2)]
        assert [each["profileId"] for each in used] == ["A", "B"]
        assert any("has used all of" in each["message"] for each in (await server.status())["problems"])
        assert next(each for each in (await server.status())["profiles"] if each["id"] == "A")["state"] == "active"


async def test_what_one_request_used_is_told_exactly_and_when_it_comes_back(home: dict[str, str]) -> None:
    profiles = {"A": {"limits": {"requestsPerDay": 50}, "price": {"input": 1, "output": 1}, "budget": {"perMonth": 10}}}
    async with public(home, TWO, profiles) as server:
        await server.pool(profiles=["A", "B"])
        assert "resetsAt" not in json.dumps(await server.status()), "no window has begun"
        await server.ask()
        status = await server.status()
        limits = next(each for each in status["profiles"] if each["id"] == "A")["limits"]
        day, month = sorted(limits, key=lambda each: each["most"], reverse=True)
        assert (day["used"], day["left"]) == (1, 49)
        assert 0 < month["used"] < 0.001, "what the answer cost, not what was reserved or leased ahead"
        now = datetime.fromisoformat(status["now"])
        assert timedelta(hours=23) < datetime.fromisoformat(day["resetsAt"]) - now < timedelta(hours=26, minutes=1)
        assert datetime.fromisoformat(month["resetsAt"]).day == 1


async def test_who_is_at_a_limit_is_told_by_why_dry_run_and_status_with_what_is_left(home: dict[str, str]) -> None:
    async with public(home, TWO, {"A": {"limits": {"requestsPerDay": 1}}}) as server:
        await server.pool(profiles=["A", "B"])
        assert (await server.ask())["profileId"] == "A"
        (pool,) = (await server.status())["pools"]
        assert pool["current"] == "B", "who would really answer"
        rehearsed = await server.client.request("rooroute/dryRun", HELLO)
        assert rehearsed["profileId"] == "B"
        answer = await server.ask(session="another")
        why = await server.client.request("rooroute/why", {"requestId": answer["requestId"]})
        assert (answer["profileId"], why["because"]) == ("B", "is the first in order that can answer")
        for told in (rehearsed, why):
            reasons = {each["profileId"]: each.get("excludedBy") for each in told["candidates"]}
            assert reasons["B"] is None
            assert reasons["A"].startswith("is at the limit of 1 requests per day (nothing left, room at 20")
        shown = next(each for each in (await server.status())["profiles"] if each["id"] == "A")
        assert shown["state"] == "active" and "nothing left" in shown["reason"] and shown["until"]
        await server.pool(profiles=["A"])
        (alone,) = (await server.status())["pools"]
        assert alone.get("current") is None and alone["until"] and "nothing left" in alone["reason"]


async def test_the_pools_current_is_who_its_strategy_would_choose(home: dict[str, str]) -> None:
    profiles = {"A": {"price": {"input": 9, "output": 9}}, "B": {"price": {"input": 1, "output": 1}}}
    async with public(home, TWO, profiles) as server:
        await server.pool(profiles=["A", "B"], strategy="cost")
        (pool,) = (await server.status())["pools"]
        assert pool["current"] == (await server.ask())["profileId"] == "B"


async def test_a_key_is_left_before_it_errs_and_its_quota_is_shown(home: dict[str, str]) -> None:
    """The provider says on a good answer that 1 of 100 requests is left."""
    headers = (
        ("x-ratelimit-limit-requests", "100"),
        ("x-ratelimit-remaining-requests", "1"),
        ("x-ratelimit-reset-requests", "1h"),
    )
    body = (
        b'data: {"choices":[{"index":0,"delta":{"content":"A."},"finish_reason":null}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    )
    scripts: Scripts = {"A": [Raw(body, headers=headers)], "B": [Answer("B.")]}
    async with public(home, scripts) as server:
        await server.pool(profiles=["A", "B"], leaveBelow=0.05)
        assert [(await server.ask(session=f"s{n}"))["profileId"] for n in range(3)] == ["A", "B", "B"]
        (quota,) = next(each for each in (await server.status())["profiles"] if each["id"] == "A")["quotas"]
        assert (quota["measure"], quota["limit"], quota["remaining"]) == ("requests", 100, 1)
        assert quota["resetsAt"]


def telling(reset: str) -> Raw:
    """A good answer which says that half of the requests are left, and when they are counted anew."""
    headers = (
        ("x-ratelimit-limit-requests", "100"),
        ("x-ratelimit-remaining-requests", "50"),
        ("x-ratelimit-reset-requests", reset),
    )
    return Raw(
        (b'data: {"choices":[{"index":0,"delta":{"content":"Yes."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',),
        headers=headers,
    )


async def test_what_resets_first_is_used_first_and_stands_in_the_calendar(home: dict[str, str]) -> None:
    async with public(home, {"A": [telling("2h")], "B": [telling("20m")], "C": [Answer("C.")]}) as server:
        await server.pool(profiles=["C", "A", "B"], resetFirst=True)
        for name in ("A", "B"):
            await server.ask(profile=name)
        assert (await server.ask())["profileId"] == "B"
        calendar = {each["id"]: each.get("quotas") for each in (await server.status())["profiles"]}
        assert calendar["B"][0]["resetsAt"] < calendar["A"][0]["resetsAt"] and not calendar["C"]


async def test_a_chain_of_a_mode_spills_over_when_its_budget_is_spent(home: dict[str, str]) -> None:
    """An answer costs 7 of input and 5 of output at $1 per million = $0.000012."""
    paid = {"price": {"input": 1, "output": 1}, "budget": {"perMonth": 0.000025}}
    scripts = {"usual": [Answer("Usual.")], "plan": [Answer("Plan.")], "key": [Answer("Key.")]}
    async with public(home, scripts, {"plan": paid}) as server:
        chain = {"name": "planning", "when": {"mode": ["architect"]}, "profiles": ["plan", "key"], "only": True}
        await server.pool(profiles=["usual"], rules=[chain])
        asked = {"mode": "architect", "maxTokens": 5}
        answered = [(await server.ask(session=f"s{number}", **asked))["profileId"] for number in range(3)]
        assert answered == ["plan", "plan", "key"]
        assert (await server.ask())["profileId"] == "usual"


async def test_the_last_resort_asks_for_consent_through_the_protocol(home: dict[str, str]) -> None:
    scripts: Scripts = {"A": [Fail("rate-limit", retry_delay=300)], "paid": [Answer("Paid.")]}
    async with public(home, scripts) as server:
        await server.pool(profiles=["A"], maxWait=0, lastResort={"profile": "paid", "consent": "ask"})
        with pytest.raises(RpcError) as caught:
            await server.ask()
        assert (caught.value.code, caught.value.data["kind"]) == (-32016, "consentNeeded")
        assert caught.value.data["consent"] == {"profileId": "paid", "pool": "default"}
        with pytest.raises(RpcError) as again:
            await server.ask(profile="A", fallback=True)
        assert again.value.data["consent"]["pool"] == "default", "the pool whose last resort it is"
        (pool,) = (await server.status())["pools"]
        assert pool.get("current") is None and "wants your consent" in pool["reason"], "nobody is asked without a yes"
        assert (await server.ask(consent="once"))["profileId"] == "paid"
        await server.ask(consent="session")
        assert (await server.status())["pools"][0]["current"] == "paid"


async def test_a_yes_for_the_session_holds_for_that_last_resort_in_that_window_until_it_closes(
    home: dict[str, str],
) -> None:
    home |= {"A_KEY": "A", "PAID_KEY": "paid", "DEAR_KEY": "dear"}
    scripts: Scripts = {
        "A": [Fail("rate-limit", retry_delay=300, lasts=300)],
        "paid": [Answer("Paid.")],
        "dear": [Answer("Dear.")],
    }
    pool: Json = {"profiles": ["A"], "maxWait": 0}
    async with ScriptedProvider(scripts) as provider:
        async with await Client.start(SERVE, env=home) as client, await Client.start(SERVE, env=home) as elsewhere:
            server = Public(client, provider)
            for each in client, elsewhere:
                await each.initialize()
            for name in scripts:
                profile = {
                    "id": name,
                    "provider": "openai-compatible",
                    "baseUrl": provider.base_url("openai"),
                    "model": "m",
                }
                await client.request(
                    "rooroute/profiles/save", {"profile": profile, "apiKey": f"${{{name.upper()}_KEY}}"}
                )
            await server.pool(**pool, lastResort={"profile": "paid", "consent": "ask"})
            assert (await server.ask(session="one", profile="A", fallback=True, consent="session"))[
                "profileId"
            ] == "paid"
            assert (await server.ask(session="another"))["profileId"] == "paid", (
                "the window's session, not the request's"
            )
            async with asyncio.timeout(30):
                while "lastResort" not in (await elsewhere.request("rooroute/status"))["pools"][0].get("saved", {}):
                    await asyncio.sleep(0.05)  # it reads what the other window has saved, a change at a time
            await refused(elsewhere)
            await server.pool(**pool, lastResort={"profile": "dear", "consent": "ask"})
            await refused(client)
            await server.pool(**pool, lastResort={"profile": "paid", "consent": "ask"})
            assert (await server.ask())["profileId"] == "paid"
        async with await Client.start(SERVE, env=home) as reopened:
            await reopened.initialize()
            await refused(reopened)


async def refused(window: Client) -> None:
    with pytest.raises(RpcError) as caught:
        await window.request("rooroute/complete", HELLO)
    assert caught.value.data["kind"] == "consentNeeded"


async def test_a_short_key_that_a_provider_quotes_is_nowhere_to_be_seen(home: dict[str, str]) -> None:
    key, told = "abc123", {"error": {"message": 'Incorrect API key "abc123" or abc123.', "code": "invalid_api_key"}}
    steps = [Raw((json.dumps(told).encode(),), status=401)] * 3
    async with ScriptedProvider({key: steps}) as provider, await Client.start(SERVE, env=home) as client:
        await client.initialize()
        profile = {"id": "A", "provider": "openai-compatible", "baseUrl": provider.base_url("openai"), "model": "m"}
        await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": key})
        with pytest.raises(RpcError) as caught:
            await client.request("rooroute/complete", HELLO)
        assert provider.requests, "it was asked with the key"
        shown = [caught.value.args, caught.value.data, await client.request("rooroute/why", {"requestId": "latest"})]
        shown += [await client.request("rooroute/status"), await client.request("rooroute/stats")]
        assert "Incorrect API key" in str(shown)
        assert key not in str(shown)
    places = (Path(home[f"XDG_{kind}_HOME"]) for kind in ("CONFIG", "STATE", "DATA", "CACHE"))
    files = [each for place in places for each in place.rglob("*") if each.is_file()]
    assert [each for each in files if key.encode() in each.read_bytes()] == [] and files


async def test_both_sides_of_a_split_stand_side_by_side_in_the_statistics(home: dict[str, str]) -> None:
    price = {"price": {"input": 1, "output": 1}}
    scripts: Scripts = {"old": [Answer("Old.")], "new": [Answer("New."), Fail("server-error"), Answer("New.")]}
    async with public(home, scripts, {"old": price, "new": price}) as server:
        await server.pool(profiles=["old", "new"], split={"new": 40})
        answered = [(await server.ask(session=f"s{number}"))["profileId"] for number in range(12)]
        assert set(answered) == {"old", "new"}
        rows = {each["key"]: each for each in (await server.client.request("rooroute/stats"))["rows"]}
        assert (rows["old"]["errorRate"], rows["old"]["attempts"]) == (0, answered.count("old"))
        assert rows["new"]["errorRate"] > 0
        for side in rows.values():
            assert side["medianFirstTokenMs"] > 0 and side["cost"] > 0


async def test_statistics_are_kept_by_tag_and_pool(home: dict[str, str]) -> None:
    async with public(home, TWO, {"A": {"tags": ["free"]}}) as server:
        await server.pool(profiles=["A", "B"])
        await server.ask(tags=["work"])
        rows = (await server.client.request("rooroute/stats", {"groupBy": "tag"}))["rows"]
        assert {row["key"]: row["requests"] for row in rows} == {"free": 1, "work": 1}
        (pool,) = (await server.client.request("rooroute/stats", {"groupBy": "pool"}))["rows"]
        assert (pool["key"], pool["uptime"]) == ("default", 1.0)
        assert pool["averageFirstTokenMs"] > 0


async def test_a_file_with_every_routing_setting_is_read_without_complaint(home: dict[str, str]) -> None:
    """The example of protocol/routing.md, as it stands there."""
    text = (Path(__file__).parents[1] / "protocol" / "routing.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    file = Path(home["XDG_CONFIG_HOME"]) / "rooroute" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(example)
    async with await Client.start(SERVE, env=home) as client:
        await client.initialize()
        status = await client.request("rooroute/status")
        assert [each for each in status["problems"] if each.get("field")] == []
        assert {each["id"] for each in status["pools"]} >= {"main"}
