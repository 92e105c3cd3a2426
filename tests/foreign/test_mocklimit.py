"""Real windows and a real token bucket, told in the providers' own headers: https://pypi.org/project/mocklimit.

It does not stream, so that every answer is one JSON document where a stream was asked for.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import pytest

from rooroute.outcome import Fault
from tests.e2e.conftest import Open
from tests.e2e.talk import HELLO
from tests.foreign import wire
from tests.foreign.test_aimock import said
from tests.providers.conformance import assembled
from tests.rpc.client import Client

pytestmark = pytest.mark.requires("mocklimit")
MOST_REQUESTS: Final = 60
BEARER: Final = {"kind": "bearer"}  # the server tells keys apart by this header alone


def profiles(address: str) -> list[dict[str, Any]]:
    """Two keys in windows of two requests in three seconds, one whose bucket of two fills again at one in two seconds."""
    chat = {"provider": "openai", "baseUrl": f"{address}/v1", "model": "gpt-5"}
    messages = {"provider": "anthropic", "baseUrl": address, "model": "claude-sonnet-4-5", "auth": BEARER}
    return [{"id": "first", **chat}, {"id": "second", **chat}, {"id": "bucket", **messages}]


async def marked(client: Client) -> set[str]:
    status = await client.request("rooroute/status")
    return {each["id"] for each in status["profiles"] if each["state"] == "cooldown"}


@pytest.mark.parametrize("strategy", ["priority", "round_robin"])
async def test_every_profile_rests_and_returns_and_every_request_is_answered(
    strategy: str, window: Open, mocklimit: str
) -> None:
    client = await window()
    for each in profiles(mocklimit):
        await client.request("rooroute/profiles/save", {"profile": each, "apiKey": f"key-{each['id']}"})
    names = [each["id"] for each in profiles(mocklimit)]
    pool = {"id": "default", "profiles": names, "strategy": strategy, "maxWait": 60}
    await client.request("rooroute/pools/save", {"pool": pool})
    rested: set[str] = set()
    returned: Counter[str] = Counter()
    for n in range(MOST_REQUESTS):
        if all(returned[name] for name in names):
            break
        params = {"messages": HELLO, "session": str(n)}
        answer = await client.request("rooroute/complete", params, timeout=60)
        assert answer["message"]["content"] == "Here I am."
        returned[answer["profileId"]] += answer["profileId"] in rested
        rested |= await marked(client)
    assert rested == set(names), "each came to its limit"
    assert all(returned[name] for name in names), "and each answered again after it"


async def test_the_time_comes_from_the_providers_own_headers(mocklimit: str) -> None:
    chat = wire.profile("openai", f"{mocklimit}/v1", "gpt-5")
    for _ in range(2):
        assert assembled(await wire.exchange(chat, said("Hello?"))).text == "Here I am."
    failure = wire.failure_in(await wire.exchange(chat, said("Hello?")))
    assert failure.fault is Fault.RATE_LIMIT
    assert failure.hint is not None and 0 < failure.hint <= 3
    other_key = await wire.exchange(chat, said("Hello?"), key="key-B")
    assert assembled(other_key).text == "Here I am."
