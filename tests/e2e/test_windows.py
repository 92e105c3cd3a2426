"""Several windows on one machine: real processes that share what they learn and fight over nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from rooroute.scripted_provider import Answer, Fail, ScriptedProvider
from tests.e2e.conftest import Open
from tests.e2e.talk import HELLO, ask, profile, save, shown
from tests.rpc.client import Client, Json, RpcError

LIMITED = Fail("rate-limit", retry_delay=60)


async def keyed(window: Open, provider: ScriptedProvider, *names: str) -> Client:
    """A window whose profiles take their keys from its environment: without a keyring a typed key is one window's alone."""
    client = await window(**{f"KEY_{name}": f"key-{name}" for name in names})
    for name in names:
        params = {"profile": profile(provider, name), "apiKey": f"${{KEY_{name}}}"}
        await client.request("rooroute/profiles/save", params)
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": list(names), "maxWait": 0}})
    return client


def edit(file: Path, old: str, new: str) -> None:
    """As a person would, in an editor of their own."""
    before = file.read_text()
    assert old in before
    edited = file.with_suffix(".edited")
    edited.write_text(before.replace(old, new))
    edited.replace(file)


async def pushed(client: Client, after: int, meant: Callable[[Json], bool]) -> None:
    """Wait until the ``statusChanged`` that is meant has come among ``frames[after:]``; others may come before it."""

    def seen() -> bool:
        changes = [frame for frame in client.frames[after:] if frame.get("method") == "rooroute/statusChanged"]
        return any(meant(frame["params"]) for frame in changes)

    await client.until(seen)


async def test_a_cooldown_learnt_in_one_window_is_respected_by_another(
    window: Open, provider: ScriptedProvider
) -> None:
    provider.script("key-A", LIMITED)
    provider.script("key-B", Answer("B."))
    first = await keyed(window, provider, "A", "B")
    second = await window(KEY_A="key-A", KEY_B="key-B")
    await second.request("rooroute/status")
    await ask(first)
    answer = await ask(second, session="other")
    assert answer["profileId"] == "B"
    assert len(provider.seen("key-A")) == 1, "the second window never asked the one that rests"
    assert (await shown(second, "A"))["state"] == "cooldown"


async def test_another_window_is_told_of_a_cooldown_without_asking(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", LIMITED)
    provider.script("key-B", Answer("B."))
    first = await keyed(window, provider, "A", "B")
    second = await window(KEY_A="key-A", KEY_B="key-B")
    await second.request("rooroute/status")
    before = len(second.frames)
    await ask(first)
    await pushed(
        second,
        before,
        lambda change: any((each["id"], each["state"]) == ("A", "cooldown") for each in change["profiles"]),
    )


async def test_state_survives_kill_9_and_a_restart(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", LIMITED)
    provider.script("key-B", Answer("B."))
    first = await keyed(window, provider, "A", "B")
    await ask(first)
    before = await shown(first, "A")
    first.process.send_signal(signal.SIGKILL)
    await first.exit_code()
    second = await window(KEY_A="key-A", KEY_B="key-B")
    after = await shown(second, "A")
    assert (after["state"], after["until"]) == ("cooldown", before["until"])


async def test_rotating_one_window_leaves_the_other_where_it_is(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Answer("A."))
    provider.script("key-B", Answer("B."))
    first = await keyed(window, provider, "A", "B")
    second = await window(KEY_A="key-A", KEY_B="key-B")
    assert await first.request("rooroute/rotate", {}) == {"from": "A", "to": "B"}
    assert (await ask(first))["profileId"] == "B"
    assert (await ask(second))["profileId"] == "A"


async def test_rotating_skips_who_cannot_serve_for_want_of_a_key(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Answer("A."))
    provider.script("key-C", Answer("C."))
    await keyed(window, provider, "A", "B", "C")
    client = await window(KEY_A="key-A", KEY_C="key-C")
    assert (await shown(client, "B"))["state"] == "failed"
    assert await client.request("rooroute/rotate", {}) == {"from": "A", "to": "C"}
    with pytest.raises(
        RpcError, match="Cannot rotate to B: B takes its key from the environment variable KEY_B, which is not set"
    ):
        await client.request("rooroute/rotate", {"to": "B"})
    with pytest.raises(RpcError) as caught:
        await client.request("rooroute/rotate", {"to": "nobody"})
    assert caught.value.data["field"] == "to"


async def test_after_one_expiry_all_windows_together_make_one_probe(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Fail("rate-limit", retry_delay=2), Answer("Back.", first_delay=1.0))
    first = await keyed(window, provider, "A")
    with pytest.raises(RpcError):
        await ask(first)
    await first.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": ["A"], "maxWait": 60}})
    others = [await window(KEY_A="key-A") for _ in range(2)]
    answers = await asyncio.gather(*(ask(each, session=str(n)) for n, each in enumerate([first, *others])))
    assert {each["profileId"] for each in answers} == {"A"}
    probe, *rest = provider.seen("key-A")[1:]
    assert all(each.at - probe.at > 0.9 for each in rest), "who else needs that profile waits on the probe"


async def test_an_edit_by_hand_is_picked_up_by_every_window(
    window: Open, provider: ScriptedProvider, config_path: Path
) -> None:
    provider.script("key-A", Answer("A."))
    first = await keyed(window, provider, "A")
    second = await window(KEY_A="key-A")
    await second.request("rooroute/status")
    before = len(second.frames)
    edit(config_path, "model-A", "another-model")
    await pushed(second, before, lambda change: any(each["model"] == "another-model" for each in change["profiles"]))
    assert (await ask(first))["model"] == "another-model"


async def test_an_address_changed_by_hand_is_shown_to_need_attention_until_it_is_approved(
    window: Open, provider: ScriptedProvider, config_path: Path
) -> None:
    client = await keyed(window, provider, "A", "B")
    edit(
        config_path,
        f"model-A\n    baseUrl: {provider.base_url('gemini')}",
        "model-A\n    baseUrl: https://elsewhere.test/v1",
    )
    async with asyncio.timeout(30):
        while (seen := await shown(client, "A"))["state"] != "failed":
            await asyncio.sleep(0.05)
    assert "https://elsewhere.test:443" in seen["reason"]
    assert "Approve" in seen["remedy"]
    assert (await client.request("rooroute/status"))["pools"][0]["current"] == "B"
    moved = profile(provider, "A") | {"baseUrl": "https://elsewhere.test/v1", "apiKey": "${KEY_A}"}
    await client.request("rooroute/profiles/save", {"profile": moved, "approveOrigin": True})
    assert (await shown(client, "A"))["state"] == "active"
    assert (await client.request("rooroute/status"))["pools"][0]["current"] == "A"


async def test_a_broken_edit_says_where_and_the_last_good_one_serves_on(
    window: Open, provider: ScriptedProvider, config_path: Path
) -> None:
    provider.script("key-A", Answer("A."))
    client = await keyed(window, provider, "A")
    await client.request("rooroute/status")
    before = len(client.frames)
    edit(config_path, "version: 1", "version: 1\npools: [")
    await pushed(client, before, lambda change: any(each.get("line") for each in change.get("problems", ())))
    status = await client.request("rooroute/status")
    assert any(each.get("line") for each in status["problems"])
    assert (await ask(client))["profileId"] == "A"


async def test_a_stale_revision_is_a_conflict_with_both_versions(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Answer("A."))
    first = await keyed(window, provider, "A")
    second = await window(KEY_A="key-A")
    read = await second.request("rooroute/profiles/get", {"id": "A"})
    await first.request("rooroute/profiles/save", {"profile": {**read["profile"], "notes": "first"}})
    with pytest.raises(RpcError) as caught:
        late = {"profile": {**read["profile"], "notes": "second"}, "configRevision": read["configRevision"]}
        await second.request("rooroute/profiles/save", late)
    assert (caught.value.code, caught.value.data["kind"]) == (-32031, "conflict")
    assert (caught.value.data["yours"]["notes"], caught.value.data["current"]["notes"]) == ("second", "first")


async def test_the_error_when_all_cool_names_the_true_soonest_time(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Fail("rate-limit", retry_delay=90))
    provider.script("key-B", Fail("rate-limit", retry_delay=30))
    client = await window()
    await save(client, provider, "A", "B")
    with pytest.raises(RpcError) as caught:
        await ask(client)
    data = caught.value.data
    assert (caught.value.code, data["kind"]) == (-32010, "allCoolingDown")
    left = datetime.fromisoformat(data["retryAt"]) - datetime.fromisoformat(data["now"])
    assert 25 < left.total_seconds() < 33
    with pytest.raises(RpcError, match="nowhere to rotate"):
        await client.request("rooroute/rotate", {})


async def test_end_of_input_closes_the_upstream_and_ends_the_process(window: Open, provider: ScriptedProvider) -> None:
    provider.script("key-A", Answer("word " * 1000, delay=0.05))
    client = await window()
    await save(client, provider, "A")
    client.ask("rooroute/complete", {"messages": HELLO, "partialResultToken": "t"})
    await client.progress("t").get()
    await client.progress("t").get()
    assert provider.connections
    assert client.process.stdin is not None
    client.process.stdin.close()
    await client.exit_code(10)
    async with asyncio.timeout(10):
        while provider.connections:
            await asyncio.sleep(0.02)
