"""A failed profile is never dead for ever: an edit, a top-up, a passed test, another window's news or a reset bring it back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.errors import AllCoolingDown, AllFailed, Unanswered
from rooroute.profiles import Strategy
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail, Step
from rooroute.secret import Secret
from tests.house import House, house
from tests.test_routing_in_public import Json, Public, home, public

__all__ = ["home"]
HOUR = 3600.0


async def unanswered(h: House) -> None:
    with pytest.raises(Unanswered):
        await h.ask()


def edit(h: House, profile_id: str, **changes: object) -> None:
    """As a file that was read anew would have it."""
    edited = replace(h.configuration.profiles[profile_id], **changes)  # type: ignore[arg-type]
    h.configuration = replace(h.configuration, profiles={**h.configuration.profiles, profile_id: edited})


async def test_an_account_that_was_topped_up_is_found_by_the_next_look(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("billing"), Fail("billing"), Answer("Paid.")]}, dialect="openai") as h:
        await unanswered(h)
        assert h.shown("A").state is ShownState.FAILED
        for hours in (4, 4.9):
            h.clock.ahead = hours * HOUR
            await unanswered(h)
        assert h.asked_with() == ["A"], "before its time nobody looks"
        h.clock.ahead = 5.1 * HOUR
        await unanswered(h)
        assert h.asked_with() == ["A", "A"]
        assert h.shown("A").state is ShownState.FAILED
        h.clock.ahead = 14 * HOUR
        await unanswered(h)
        assert h.asked_with() == ["A", "A"], "the second look comes twice as late"
        h.clock.ahead = 15.2 * HOUR
        assert (await h.ask())["message"].content == "Paid."
        assert h.shown("A").state is ShownState.ACTIVE
        assert not h.state.snapshot().marks


async def test_a_look_that_meets_another_trouble_says_nothing_of_the_money(tmp_path: Path) -> None:
    script: list[Step] = [Fail("billing"), Fail("server-error"), Fail("server-error"), Answer("Paid.")]
    async with house(tmp_path, {"A": script}, dialect="openai") as h:
        await unanswered(h)
        h.clock.ahead = 5.1 * HOUR
        await unanswered(h)
        shown = h.shown("A")
        assert shown.state is ShownState.FAILED
        assert shown.until is not None and shown.until - h.clock.now() < HOUR, "the next look is soon"


async def test_a_clock_that_is_set_right_keeps_nobody_away_for_as_long_as_it_was_wrong(tmp_path: Path) -> None:
    scripts: dict[str, list[Step]] = {"A": [Fail(retry_delay=5), Answer("A.")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, pool={"strategy": Strategy.ROUND_ROBIN}) as h:
        h.clock.ahead = 8 * HOUR
        assert [(await h.ask(session=str(n)))["profileId"] for n in range(2)] == ["B", "B"]
        h.clock.ahead = 0.0
        h.state.poll()
        await h.state.attempts()
        until = h.shown("A").until
        assert until is not None and until - h.clock.now() <= 6
        h.clock.ahead = 10
        h.state.poll()
        assert {(await h.ask(session=f"later {n}"))["profileId"] for n in range(2)} == {"A", "B"}


async def test_a_rejected_key_stays_so_however_long_one_waits(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("invalid-key")]}) as h:
        await unanswered(h)
        asked = len(h.asked_with())
        h.clock.ahead = 40 * 24 * HOUR
        with pytest.raises(AllFailed):
            await h.ask()
        assert len(h.asked_with()) == asked


@pytest.mark.parametrize("kind", ["invalid-key", "permission", "billing"])
async def test_a_new_key_leaves_what_the_old_one_did_behind(tmp_path: Path, kind: str) -> None:
    async with house(tmp_path, {"A": [Fail(kind)]}) as h:
        await unanswered(h)
        assert h.shown("A").state is ShownState.FAILED
        h.provider.script("new", Answer("Fresh."))
        h.keys.keys["A"] = Secret("new", h.keys.keys["A"].origin)
        edit(h, "A", key_saved_at="2026-11-21T00:00:00Z")
        assert (await h.ask())["message"].content == "Fresh."
        assert h.shown("A").state is ShownState.ACTIVE


async def test_another_model_of_a_profile_whose_model_is_missing_is_not_failed(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("not-found"), Answer("Here.")]}) as h:
        await unanswered(h)
        assert h.shown("A").state is ShownState.FAILED
        edit(h, "A", model="another")
        assert h.shown("A").state is ShownState.ACTIVE
        assert (await h.ask())["message"].content == "Here."


async def test_a_resting_profile_given_another_key_is_asked_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("rate-limit", retry_delay=900)]}) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask()
        h.provider.script("new", Answer("Fresh."))
        h.keys.keys["A"] = Secret("new", h.keys.keys["A"].origin)
        edit(h, "A", key_saved_at="2026-11-21T00:00:00Z")
        assert (await h.ask())["message"].content == "Fresh."


async def failed(p: Public, name: str) -> Json:
    with pytest.raises(Exception, match="needs you|rejected"):
        await p.ask(profile=name)
    status = await p.status()
    found: Json = next(each for each in status["profiles"] if each["id"] == name)
    assert found["state"] == "failed"
    return found


async def test_a_new_key_saved_through_the_protocol_heals_and_so_do_a_reset_and_a_passed_test(
    home: dict[str, str],
) -> None:
    scripts = {name: [Fail("invalid-key")] for name in ("saved", "reset", "tested")}
    async with public(home, scripts) as p:
        for name in scripts:
            assert "Replace the key" in (await failed(p, name))["remedy"]
        p.provider.script("new", Answer("New."))
        profile = (await p.client.request("rooroute/profiles/get", {"id": "saved"}))["profile"]
        saved = await p.client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "new"})
        assert saved["profile"]["state"] == "active"
        assert (await p.ask(profile="saved"))["profileId"] == "saved"
        for name in ("reset", "tested"):
            p.provider.script(name, Answer("Back."))
        found = await p.client.request("rooroute/profiles/reset", {"id": "reset"})
        assert found["profile"]["state"] == "active"
        assert (await p.ask(profile="reset"))["profileId"] == "reset"
        p.provider.model_ids = ("model-tested",)
        found = await p.client.request("rooroute/profiles/test", {"id": "tested"})
        assert found["ok"], str(found)
        assert (await p.ask(profile="tested"))["profileId"] == "tested"


async def test_a_renamed_profile_rests_and_has_failed_as_before(home: dict[str, str]) -> None:
    resting = Fail("rate-limit", retry_delay=300, lasts=300)
    async with public(home, {"wrong": [Fail("invalid-key")], "limited": [resting], "next": [Answer("Here.")]}) as p:
        await failed(p, "wrong")
        await p.pool(profiles=["limited", "next"])
        assert (await p.ask())["profileId"] == "next"
        for name, state in ("wrong", "failed"), ("limited", "cooldown"):
            found = await p.client.request("rooroute/profiles/rename", {"id": name, "newId": f"{name}-2"})
            assert found["profile"]["state"] == state
        asked = len(p.provider.requests)
        assert (await p.ask())["profileId"] == "next"
        assert len(p.provider.requests) == asked + 1, "nobody is asked again for another name's sake"
        p.provider.script("new", Answer("New."))
        profile = (await p.client.request("rooroute/profiles/get", {"id": "wrong-2"}))["profile"]
        saved = await p.client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "new"})
        assert saved["profile"]["state"] == "active"
