"""What was noticed on the way reaches the user: in the status, and in the explanation of the request."""

from __future__ import annotations

import json

import pytest

from rooroute.scripted_provider import Answer, Raw, ScriptedProvider
from tests.rpc.client import Client, RpcError
from tests.test_routing_in_public import HELLO, SERVE, Json, Scripts, home, public

__all__ = ["home"]

PAGE = "https://provider.example/deprecations"
GOING = (
    ("deprecation", "@1790000000"),
    ("sunset", "Fri, 15 Jan 2027 08:00:00 GMT"),
    ("link", f'<{PAGE}>; rel="sunset"'),
)
WORDS = f"The provider says that the model old is deprecated since 2026-09-21 and stops on 2027-01-15 ({PAGE})."
ANSWER = b'data: {"choices":[{"delta":{"content":"Hi."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
GONE = json.dumps({"error": {"message": "The model `old` has been deprecated.", "code": "model_not_found"}}).encode()
SPENT = json.dumps(
    {"error": {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}}
).encode()


def of_model(status: Json) -> list[Json]:
    return [each for each in status["problems"] if each.get("field") == "model"]


async def test_a_model_that_is_to_be_retired_is_said_once_and_no_more_when_another_is_chosen(
    home: dict[str, str],
) -> None:
    leaving = Raw((ANSWER,), headers=GOING)
    scripts = {"A": [leaving], "B": [leaving]}
    async with public(home, scripts, {"A": {"model": "old"}, "B": {"model": "old"}}) as p:
        for name in ("A", "B", "A"):
            answer = await p.ask(profile=name)
        (told,) = of_model(await p.status())
        assert told["message"] == WORDS
        assert told["remedy"] == "Choose another model for A and B before it stops."
        why = await p.client.request("rooroute/why", {"requestId": answer["requestId"]})
        assert why["attempts"][0]["notice"] == WORDS
        for name in ("A", "B"):
            profile = (await p.client.request("rooroute/profiles/get", {"id": name}))["profile"]
            await p.client.request("rooroute/profiles/save", {"profile": {**profile, "model": "new"}})
        assert of_model(await p.status()) == []


async def test_a_model_that_is_gone_is_said_though_another_profile_answered(home: dict[str, str]) -> None:
    refused = Raw((GONE,), status=404, content_type="application/json")
    async with public(home, {"A": [refused], "B": [Answer("Fine.")]}, {"A": {"model": "old"}}) as p:
        answer = await p.ask()
        assert answer["profileId"] == "B"
        (told,) = of_model(await p.status())
        assert (told["message"], told["profileId"]) == ("The provider no longer serves the model old.", "A")
        why = await p.client.request("rooroute/why", {"requestId": answer["requestId"]})
        assert [each.get("notice") for each in why["attempts"]] == [
            "The provider no longer serves the model old.",
            None,
        ]


async def test_two_keys_of_one_account_are_suggested_to_share_a_domain_until_they_do(home: dict[str, str]) -> None:
    named = (("openai-organization", "org-one"), ("retry-after", "600"))
    spent = Raw((SPENT,), status=429, content_type="application/json", headers=named)
    scripts: Scripts = {"A": [spent], "B": [spent], "C": [Answer("C.")]}
    async with public(home, scripts, {"A": {"model": "m"}, "B": {"model": "m"}}) as p:
        assert (await p.ask())["profileId"] == "C"
        (told,) = [each for each in (await p.status())["problems"] if each.get("field") == "domain"]
        assert told["message"].startswith("A and B belong to the account org-one")
        assert "(domain: A)" in told["remedy"]
        for name in ("A", "B"):
            profile = (await p.client.request("rooroute/profiles/get", {"id": name}))["profile"]
            await p.client.request("rooroute/profiles/save", {"profile": {**profile, "domain": "A"}})
        assert [each for each in (await p.status())["problems"] if each.get("field") == "domain"] == []
        await p.client.request("rooroute/profiles/reset", {"id": "A"})
        await p.client.request("rooroute/profiles/reset", {"id": "B"})
        p.provider.requests.clear()
        assert (await p.ask(session="another"))["profileId"] == "C"
        assert [seen.key for seen in p.provider.requests] == ["A", "C"], "the second key of the account is spared"


async def window(home: dict[str, str], *names: str) -> Client:
    """Another window on the same machine; without a keyring each takes its keys from its environment."""
    client = await Client.start(SERVE, env={**home, **{f"KEY_{name}": name for name in names}})
    await client.initialize()
    await client.request("rooroute/status")
    return client


def told(field: str, client: Client) -> list[Json] | None:
    """The problems of this field as the client was told them last, without asking; None: it was told of no problems yet."""
    changes = [frame["params"] for frame in client.frames if frame.get("method") == "rooroute/statusChanged"]
    latest = next((each["problems"] for each in reversed(changes) if "problems" in each), None)
    return None if latest is None else [each for each in latest if each.get("field") == field]


async def keyed(client: Client, provider: ScriptedProvider, *names: str) -> None:
    for name in names:
        profile = {
            "id": name,
            "provider": "openai-compatible",
            "baseUrl": provider.base_url("openai"),
            "model": "old",
        }
        await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": f"${{KEY_{name}}}"})
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": list(names), "maxWait": 0}})


async def test_a_retirement_noticed_in_one_window_is_said_in_every_other_and_after_a_restart_until_the_model_answers(
    home: dict[str, str],
) -> None:
    scripts: Scripts = {"A": [Raw((ANSWER,), headers=GOING), Answer("Still here.")]}
    async with ScriptedProvider(scripts) as provider:
        async with await window(home, "A") as first, await window(home, "A") as second:
            await keyed(first, provider, "A")
            await first.request("rooroute/complete", {**HELLO})
            await second.until(lambda: [each["message"] for each in told("model", second) or []] == [WORDS])
            first.process.kill()
            await first.exit_code()
        async with await window(home, "A") as third, await window(home, "A") as fourth:
            assert [each["message"] for each in of_model(await third.request("rooroute/status"))] == [WORDS]
            await fourth.request("rooroute/complete", {**HELLO})
            assert of_model(await fourth.request("rooroute/status")) == []
            await third.until(lambda: told("model", third) == [])
            assert of_model(await third.request("rooroute/status")) == []


async def test_a_dismissed_suggestion_is_gone_in_every_window_and_after_a_restart(home: dict[str, str]) -> None:
    named = (("openai-organization", "org-one"), ("retry-after", "600"))
    spent = Raw((SPENT,), status=429, content_type="application/json", headers=named)
    scripts: Scripts = {"A": [spent], "B": [spent], "C": [Answer("C.")]}
    async with ScriptedProvider(scripts) as provider:
        async with await window(home, "A", "B", "C") as first, await window(home, "A", "B", "C") as second:
            await keyed(first, provider, "A", "B", "C")
            await first.request("rooroute/complete", {**HELLO})
            await second.until(lambda: "org-one" in str(told("domain", second)))
            (problem,) = [
                each for each in (await second.request("rooroute/status"))["problems"] if "dismissible" in each
            ]
            assert problem["dismissible"] == ["A", "B"]
            for wrong in (["A"], ["A", "A"], ["A", "nobody"]):
                with pytest.raises(RpcError):
                    await second.request("rooroute/profiles/dismiss", {"ids": wrong})
            await second.request("rooroute/profiles/dismiss", {"ids": ["B", "A"]})
            problems = (await second.request("rooroute/status"))["problems"]
            assert [each for each in problems if each.get("field") == "domain"] == []
            await first.until(lambda: told("domain", first) == [])
        async with await window(home, "A", "B", "C") as third:
            problems = (await third.request("rooroute/status"))["problems"]
            assert [each for each in problems if each.get("field") == "domain"] == []


async def test_a_shared_quota_noticed_in_one_window_is_suggested_in_every_other_until_its_key_changes(
    home: dict[str, str],
) -> None:
    named = (("openai-organization", "org-one"), ("retry-after", "600"))
    spent = Raw((SPENT,), status=429, content_type="application/json", headers=named)
    scripts: Scripts = {"A": [spent], "B": [spent], "C": [Answer("C.")]}
    async with ScriptedProvider(scripts) as provider:
        async with await window(home, "A", "B", "C") as first, await window(home, "A", "B", "C") as second:
            await keyed(first, provider, "A", "B", "C")
            await first.request("rooroute/complete", {**HELLO})
            await second.until(lambda: "org-one" in str(told("domain", second)))
        async with await window(home, "A", "B", "C") as third:
            status = await third.request("rooroute/status")
            assert [each["profileId"] for each in status["problems"] if each.get("field") == "domain"] == ["A"]
        async with await Client.start(SERVE, env={**home, "KEY_A": "A", "KEY_B": "of another account"}) as fourth:
            await fourth.initialize()
            status = await fourth.request("rooroute/status")
            assert [each for each in status["problems"] if each.get("field") == "domain"] == []
