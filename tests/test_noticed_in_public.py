"""What was noticed on the way reaches the user: in the status, and in the explanation of the request."""

from __future__ import annotations

import json

from rooroute.scripted_provider import Answer, Raw
from tests.test_routing_in_public import Json, Scripts, home, public

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
