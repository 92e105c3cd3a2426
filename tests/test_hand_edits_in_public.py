"""A configuration edited by hand under a running server, and before one starts: what goes on, and what is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rooroute.scripted_provider import Answer, ScriptedProvider
from tests.rpc.client import Client, RpcError
from tests.test_routing_in_public import HELLO, SERVE, home

__all__ = ["home"]

Json = dict[str, Any]
TEXT = """\
profiles:
  - {id: far, provider: openai-compatible, baseUrl: "URL", model: m, apiKey: "${KEY}"}
  - {id: near, provider: openai-compatible, baseUrl: "URL", model: m, region: eu, apiKey: "${KEY}"}
pools:
  - id: main
    profiles: [far, near]
    region: eu
    rules:
      - {name: asks, when: {mode: [ask]}, profiles: [near]}
  - {id: other, profiles: [far]}
"""
REGION = ("    region: eu\n", "    regoin: eu\n")
RULE = ("when: {mode: [ask]}", "wen: {mode: [ask]}")


class Edited:
    """A server, and the file it reads."""

    def __init__(self, home: dict[str, str], provider: ScriptedProvider) -> None:
        self.home = {**home, "KEY": "key"}
        self.path = Path(home["XDG_CONFIG_HOME"]) / "rooroute" / "config.yaml"
        self.text = TEXT.replace("URL", provider.base_url("openai"))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(self.text)

    async def start(self) -> Client:
        client = await Client.start(SERVE, env=self.home)
        await client.initialize()
        return client

    async def problems(self, client: Client) -> list[Json]:
        """What the server tells is wrong with the file."""
        return [each for each in (await client.request("rooroute/status"))["problems"] if "line" in each]

    async def edit(self, client: Client, old: str, new: str) -> Json:
        """Change the text; the problem that the server tells by and by."""
        self.path.write_text(self.text.replace(old, new))
        async with asyncio.timeout(20):
            while not (found := await self.problems(client)):
                await asyncio.sleep(0.05)
        (problem,) = found
        return problem


@pytest.mark.parametrize(("change", "field"), [(REGION, "regoin"), (RULE, "rules.0.wen")], ids=["pool", "rule"])
async def test_a_typing_error_in_a_pool_neither_takes_it_away_nor_lifts_what_it_forbids(
    home: dict[str, str], change: tuple[str, str], field: str
) -> None:
    async with ScriptedProvider({"key": [Answer("Here.")] * 9}) as provider:
        edited = Edited(home, provider)
        async with await edited.start() as client:
            assert (await client.request("rooroute/complete", HELLO))["profileId"] == "near"
            problem = await edited.edit(client, *change)
            assert (problem["field"], "stays in force" in problem["message"], problem["line"] > 5) == (
                field,
                True,
                True,
            )
            assert (await client.request("rooroute/complete", HELLO))["profileId"] == "near"
            pools = (await client.request("rooroute/status"))["pools"]
            assert [(each["id"], each["current"]) for each in pools] == [("main", "near"), ("other", "far")]
        async with await edited.start() as client:  # after a restart
            assert (await client.request("rooroute/complete", HELLO))["profileId"] == "near"
            assert await edited.problems(client) == [problem]
            edited.path.write_text(edited.text.replace("    region: eu\n    rules", "    rules"))
            async with asyncio.timeout(20):
                while await edited.problems(client):
                    await asyncio.sleep(0.05)
            assert (await client.request("rooroute/dryRun", {**HELLO, "session": "new"}))["profileId"] == "far"


@pytest.mark.parametrize(("change", "field"), [(REGION, "regoin"), (RULE, "rules.0.wen")], ids=["pool", "rule"])
async def test_a_pool_that_never_could_be_read_serves_nobody_and_says_why(
    home: dict[str, str], change: tuple[str, str], field: str
) -> None:
    async with ScriptedProvider({"key": [Answer("Here.")] * 9}) as provider:
        edited = Edited(home, provider)
        edited.path.write_text(edited.text.replace(*change))
        async with await edited.start() as client:
            for method, params in (
                ("rooroute/complete", HELLO),
                ("rooroute/complete", {**HELLO, "pool": "main"}),
                ("rooroute/dryRun", HELLO),
                ("rooroute/rotate", {}),
            ):
                with pytest.raises(RpcError) as refused:
                    await client.request(method, params)
                assert refused.value.message.startswith(f"The pool main is not in force: {field} is not a field")
                assert "correct its name or remove it" in refused.value.message
                assert (refused.value.data["kind"], refused.value.data["field"]) == ("notFound", "pool")
                assert refused.value.data["line"] > 5
            assert not provider.requests
            assert (await client.request("rooroute/complete", {**HELLO, "pool": "other"}))["profileId"] == "far"


async def test_a_dry_run_says_in_a_sentence_why_nobody_could_answer(home: dict[str, str]) -> None:
    async with ScriptedProvider({}) as provider:
        edited = Edited(home, provider)
        edited.path.write_text(edited.text.replace("region: eu, ", "regoin: eu, ").replace("[far, near]", "[near]"))
        async with await edited.start() as client:
            found = await client.request("rooroute/dryRun", {**HELLO, "pool": "main"})
            assert "profileId" not in found
            assert found["reason"] == (
                "No profile of the pool can take this request: near is not in force: regoin is not a field that "
                "rooroute knows (line 3 of the configuration); correct its name or remove it."
            )
            pools = (await client.request("rooroute/status"))["pools"]
            assert pools[0]["state"] == "failed"
            assert "near is not in force: regoin" in pools[0]["reason"]


MADE: Json = {
    "id": "made",
    "provider": "openai-compatible",
    "baseUrl": "https://gateway.example/v1",
    "model": "m",
    "auth": {"kind": "oauth-client-credentials", "tokenUrl": "https://", "clientId": "me"},
    "secretCommands": {"clientSecret": {"command": ["secret-tool"]}},
}
HALF_TYPED = ("pools:\n", f"  - {json.dumps(MADE)}\npools:\n")


async def test_an_endpoint_saved_while_it_is_being_typed_is_told_and_what_is_typed_next_is_in_force(
    home: dict[str, str],
) -> None:
    async with ScriptedProvider({"key": [Answer("Here.")] * 9}) as provider:
        edited = Edited(home, provider)
        async with await edited.start() as client:
            problem = await edited.edit(client, *HALF_TYPED)
            assert (problem["profileId"], problem["field"], problem["line"]) == ("made", "auth.tokenUrl", 4)
            assert "https://host/path" in problem["remedy"]
            assert (await client.request("rooroute/complete", HELLO))["profileId"] == "near"
            edited.path.write_text(edited.text.replace(*HALF_TYPED).replace('"https://"', '"https://login.example/"'))
            async with asyncio.timeout(20):
                while await edited.problems(client):
                    await asyncio.sleep(0.05)
            found = (await client.request("rooroute/profiles/get", {"id": "made"}))["profile"]
            assert found["auth"]["tokenUrl"] == "https://login.example/"


async def test_a_server_started_with_a_half_typed_endpoint_serves_and_refuses_that_alone(home: dict[str, str]) -> None:
    async with ScriptedProvider({"key": [Answer("Here.")] * 9}) as provider:
        edited = Edited(home, provider)
        edited.path.write_text(edited.text.replace(*HALF_TYPED))
        async with await edited.start() as client:
            assert (await client.request("rooroute/complete", HELLO))["profileId"] == "near"
            assert [each["field"] for each in await edited.problems(client)] == ["auth.tokenUrl"]
            typed = {**MADE, "secretCommands": {}}
            for method, params in (
                ("rooroute/profiles/save", {"profile": MADE}),
                ("rooroute/profiles/save", {"profile": typed, "secrets": {"clientSecret": "s"}}),
                ("rooroute/profiles/models", {"profile": typed, "secrets": {"clientSecret": "s"}}),
            ):
                with pytest.raises(RpcError) as refused:
                    await client.request(method, params)
                assert (refused.value.code, refused.value.data["field"]) == (-32602, "profile.auth.tokenUrl")


async def test_what_changed_while_another_process_held_the_state_is_told_when_it_lets_go(home: dict[str, str]) -> None:
    async with ScriptedProvider({"key": [Answer("Here.")] * 9}) as provider:
        edited = Edited(home, provider)
        async with await edited.start() as client:
            await client.request("rooroute/status")
            with contextlib.closing(sqlite3.connect(home["XDG_STATE_HOME"] + "/rooroute/state.sqlite3")) as other:
                other.execute("BEGIN EXCLUSIVE")
                before = len(client.frames)
                edited.path.write_text(edited.text.replace("region: eu, ", "regoin: eu, "))
                await asyncio.sleep(3)  # it waits for a second
                assert not told_fields(client, before)
                other.execute("ROLLBACK")
            async with asyncio.timeout(20):
                while "regoin" not in told_fields(client, before):
                    await asyncio.sleep(0.05)
            before = len(client.frames)
            edited.path.write_text(edited.text.replace("model: m, region", "modle: m, region"))
            async with asyncio.timeout(20):
                while "modle" not in told_fields(client, before):
                    await asyncio.sleep(0.05)


def told_fields(client: Client, after: int) -> list[str | None]:
    """Of the problems that the server has told of by itself since then."""
    told = [each["params"] for each in client.frames[after:] if each.get("method") == "rooroute/statusChanged"]
    return [problem.get("field") for change in told for problem in change.get("problems", ())]
