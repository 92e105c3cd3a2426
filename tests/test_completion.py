"""The story of one request, with a real store, real sockets and a provider that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rooroute.adapters import machine
from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, ThinkingPart, Tool, ToolCall
from rooroute.errors import (
    AllCoolingDown,
    AllFailed,
    AttemptsExhausted,
    Cancelled,
    ContentFiltered,
    ContextTooLong,
    InvalidInput,
    NoProfiles,
    NotFound,
    Offline,
    RequestRejected,
    StreamInterrupted,
)
from rooroute.profiles import Failover, Limits, OnInterrupt, Pool, Profile, Strategy, Timeouts
from rooroute.routing.figures import FIGURES
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Call, Cut, Fail, Hang, Html, InStreamError, Raw, Step
from rooroute.secret import Secret
from rooroute.story import lessons
from tests.house import HELLO, Heard, House, house, until_noon

Scripts = Mapping[str, Sequence[Step]]
LIMITED = Fail("rate-limit", retry_delay=30)


async def test_a_rate_limited_and_an_overloaded_profile_are_passed_over_and_the_third_answers(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED], "B": [Fail("overloaded")], "C": [Answer("Hi there.")]}) as h:
        heard = Heard()
        answer = await h.ask(heard)
        assert (answer["profileId"], answer["message"].content, answer["finishReason"]) == ("C", "Hi there.", "stop")
        assert heard.words == "Hi there."
        assert [each["verdict"] for each in answer["attempts"]] == ["rateLimit", "overload", "ok"]
        assert heard.kinds[:3] == ["attempt"] * 3
        resting = h.shown("A")
        assert resting.state is ShownState.COOLDOWN
        assert resting.until is not None and 25 < resting.until - h.clock.now() <= 31.5


async def test_a_resting_profile_is_not_asked_and_comes_back_after_its_time(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED, Answer("A again.")], "B": [Answer("B.")]}) as h:
        await h.ask(session="one")
        await h.ask(session="two")
        assert h.asked_with() == ["A", "B", "B"]
        h.clock.ahead = 40
        answer = await h.ask(session="three")
        assert answer["message"].content == "A again."
        assert h.shown("A").state is ShownState.ACTIVE
        assert not h.state.snapshot().leases


async def test_a_session_stays_with_who_answered_it_though_a_better_one_is_back(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED, Answer("A.")], "B": [Answer("B.")]}) as h:
        await h.ask(session="one")
        h.clock.ahead = 40
        assert (await h.ask(session="one"))["profileId"] == "B"
        assert (await h.ask(session="two"))["profileId"] == "A"


async def test_a_rejected_key_is_confirmed_once_then_failed_with_a_remedy(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("invalid-key")], "B": [Answer()]}) as h:
        await h.ask()
        assert h.asked_with() == ["A", "A", "B"]
        shown = h.shown("A")
        assert shown.state is ShownState.FAILED
        assert shown.remedy is not None and "Replace the key" in shown.remedy


async def test_one_unconfirmed_401_kills_no_key(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("invalid-key"), Answer("A.")], "B": [Answer("B.")]}) as h:
        assert (await h.ask())["profileId"] == "A"
        assert h.shown("A").state is ShownState.ACTIVE


async def test_the_callers_own_fault_stops_at_once_and_marks_nobody(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("bad-request")], "B": [Answer()]}) as h:
        with pytest.raises(RequestRejected) as caught:
            await h.ask()
        assert h.asked_with() == ["A"]
        assert not h.state.snapshot().marks
        assert caught.value.data["attempts"][0]["verdict"] == "request"


async def test_too_long_goes_only_to_a_window_known_to_be_larger(tmp_path: Path) -> None:
    profiles = {"A": {"context_window": 1000}, "B": {}, "C": {"context_window": 100_000_000}}
    scripts: Scripts = {"A": [Fail("context")], "B": [Answer("B.")], "C": [Answer("C.")]}
    async with house(tmp_path, scripts, profiles=profiles) as h:
        assert (await h.ask())["profileId"] == "C"
        assert h.asked_with() == ["A", "C"]
        assert not h.state.snapshot().marks


async def test_too_long_ends_a_request_that_may_not_go_on_to_others_with_what_the_provider_said(tmp_path: Path) -> None:
    profiles = {"A": {"context_window": 1000}, "B": {"context_window": 100_000}}
    async with house(tmp_path, {"A": [Fail("context")], "B": [Answer()]}, profiles=profiles) as h:
        with pytest.raises(ContextTooLong, match="A refused the request: prompt is too long"):
            await h.ask(fallback=False)


async def test_too_long_with_no_larger_window_ends_the_request(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("context")], "B": [Answer()]}) as h:
        with pytest.raises(ContextTooLong):
            await h.ask()
        assert h.asked_with() == ["A"]


@pytest.mark.parametrize("how", ["fin", "rst", "quiet"])
async def test_a_cut_after_the_first_word_keeps_the_partial_and_says_so(tmp_path: Path, how: str) -> None:
    async with house(tmp_path, {"A": [Cut(2, how=how)], "B": [Answer("Never.")]}) as h:
        heard = Heard()
        with pytest.raises(StreamInterrupted) as caught:
            await h.ask(heard)
        assert heard.words == "Hello from"
        assert caught.value.data["message"].content == "Hello from"
        assert caught.value.data["nextProfileId"] == "B"
        assert h.asked_with() == ["A"]


async def test_a_client_that_stops_reading_longer_than_any_deadline_loses_nothing(tmp_path: Path) -> None:
    class Resting(Heard):
        rests = 0

        async def room(self) -> None:
            self.rests += 1
            if self.rests == 1:
                await asyncio.sleep(2.5)

    profiles = {"A": {"timeouts": Timeouts(first_token=1.5, idle=1.5, total=1.5)}}
    async with house(tmp_path, {"A": [Answer("word " * 400, chunks=400)]}, profiles=profiles) as h:
        heard = Resting()
        answer = await h.ask(heard)
        assert heard.rests > 0
        assert answer["message"].content == heard.words == "word " * 400
        assert h.shown("A").state is ShownState.ACTIVE


async def test_restart_takes_the_partial_back_before_a_new_word(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Cut(2)], "B": [Answer("All new.")]}) as h:
        heard = Heard()
        answer = await h.ask(heard, on_interrupt=OnInterrupt.RESTART)
        assert heard.words == answer["message"].content == "All new."
        assert heard.kinds.index("reset") < heard.kinds.index("text", heard.kinds.index("reset"))
        assert answer["usage"].output_tokens > 5, "the lost part is counted too"


async def test_continue_goes_on_from_the_delivered_part(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Cut(2)], "B": [Answer(" the other side.")]}) as h:
        heard = Heard()
        answer = await h.ask(heard, on_interrupt=OnInterrupt.CONTINUE)
        assert heard.words == answer["message"].content == "Hello from the other side."
        sent = h.provider.seen("B")[0].json()["contents"]
        assert sent[-1] == {"role": "model", "parts": [{"text": "Hello from"}]}
        assert "reset" not in heard.kinds


async def test_continue_where_the_dialect_cannot_stops(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Cut(2)], "B": [Answer()]}, dialect="openai") as h:
        with pytest.raises(StreamInterrupted):
            await h.ask(on_interrupt=OnInterrupt.CONTINUE)


@pytest.mark.parametrize("fail", [LIMITED, Fail("server-error")], ids=["limited", "server-error"])
async def test_continue_goes_past_whoever_would_begin_anew(tmp_path: Path, fail: Fail) -> None:
    scripts: Scripts = {"A": [Cut(2)], "B": [fail], "C": [Answer("Hello from me.")], "D": [Answer(" the other side.")]}
    async with house(tmp_path, scripts, profiles={"C": {"dialect": "openai"}}) as h:
        heard = Heard()
        answer = await h.ask(heard, on_interrupt=OnInterrupt.CONTINUE)
        assert heard.words == answer["message"].content == "Hello from the other side."
        assert "C" not in h.asked_with()
        (why,) = await h.state.latest_requests()
        told = {each["profileId"]: each.get("excludedBy") for each in why["candidates"]}
        assert told["C"] == "cannot go on from the middle of an answer" and told["D"] is None


@pytest.mark.parametrize("fail", [LIMITED, Fail("server-error")], ids=["limited", "server-error"])
async def test_continue_that_nobody_can_keeps_the_partial_and_names_who_can_begin_anew(
    tmp_path: Path, fail: Fail
) -> None:
    scripts: Scripts = {"A": [Cut(2)], "B": [fail], "C": [Answer("Hello from the start again.")]}
    async with house(tmp_path, scripts, profiles={"C": {"dialect": "openai"}}) as h:
        heard = Heard()
        with pytest.raises(StreamInterrupted, match=r"^A broke off .* Ask again to have C answer\.$") as caught:
            await h.ask(heard, on_interrupt=OnInterrupt.CONTINUE)
        assert heard.words == caught.value.data["message"].content == "Hello from"
        assert caught.value.data["nextProfileId"] == "C"
        assert "retryAt" not in caught.value.data
        assert "C" not in h.asked_with()


@pytest.mark.parametrize("fail", [LIMITED, Fail("server-error")], ids=["limited", "server-error"])
async def test_continue_that_nobody_can_after_all_keeps_the_partial_and_what_it_used(
    tmp_path: Path, fail: Fail
) -> None:
    async with house(tmp_path, {"A": [Cut(2)], "B": [fail]}) as h:
        with pytest.raises(StreamInterrupted) as caught:
            await h.ask(on_interrupt=OnInterrupt.CONTINUE)
        told = caught.value.data
        assert told["message"].content == "Hello from"
        assert told["usage"].output_tokens > 0
        assert {each["profileId"] for each in told["attempts"]} == {"A", "B"}
        assert {each["id"] for each in told["profiles"]} == {"A", "B"}
        assert caught.value.message.startswith("A broke off in the middle of its answer")
        if fail is LIMITED:
            assert "B is back in" in caught.value.message and told["retryAt"]


@pytest.mark.parametrize("wish", [OnInterrupt.RESTART, OnInterrupt.CONTINUE])
async def test_after_a_tool_call_there_is_never_a_second_attempt(tmp_path: Path, wish: OnInterrupt) -> None:
    cut = InStreamError(1, answer=Answer("", tool_calls=(Call("rm", "{}"), Call("rm", "{}", id="call_2"))))
    async with house(tmp_path, {"A": [cut], "B": [Answer()]}) as h:
        tools = ChatRequest(HELLO.messages, (Tool("rm", {"type": "object"}),))
        with pytest.raises(StreamInterrupted) as caught:
            await h.ask(request=tools, on_interrupt=wish)
        assert h.asked_with() == ["A"]
        assert not caught.value.data["message"].tool_calls, "half a call must never be run"


async def test_an_error_inside_the_stream_before_any_word_falls_over_silently(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [InStreamError(0)], "B": [Answer("Fine.")]}) as h:
        heard = Heard()
        await h.ask(heard)
        assert heard.words == "Fine."


async def test_all_cooling_names_the_true_soonest_time(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail(retry_delay=90)], "B": [Fail(retry_delay=20)]}) as h:
        with pytest.raises(AllCoolingDown) as caught:
            await h.ask()
        soonest = h.shown("B")
        assert soonest.until is not None
        states = {each["id"]: each for each in caught.value.data["profiles"]}
        assert caught.value.data["retryAt"] == states["B"]["until"] < states["A"]["until"]
        assert "B is back in" in caught.value.message
        with pytest.raises(AllCoolingDown):
            await h.ask()
        assert h.asked_with() == ["A", "B"], "nobody resting is asked"


async def test_a_short_rest_is_waited_for_in_sight(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail(retry_delay=1), Answer("Back.")]}, pool={"max_wait": 30}) as h:
        heard = Heard()
        answer = await h.ask(heard)
        assert answer["message"].content == "Back."
        assert heard.kinds.count("waiting") >= 1


async def waiting(heard: Heard) -> None:
    async with asyncio.timeout(10):
        while "waiting" not in heard.kinds:
            await asyncio.sleep(0.01)


async def test_retry_now_asks_before_the_time_and_a_failure_adds_no_strike(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [Fail(retry_delay=50), Fail(retry_delay=50), Answer("Now.")]}
    async with house(tmp_path, scripts, pool={"max_wait": 300, "max_attempts": 5}) as h:
        heard = Heard()
        task = asyncio.create_task(h.ask(heard, request_id="w"))
        await waiting(heard)
        before = h.shown("A").marks[0]
        h.completions.retry_now("w")
        async with asyncio.timeout(10):
            while heard.kinds.count("waiting") < 2:
                await asyncio.sleep(0.01)
        assert h.shown("A").marks[0].strike == before.strike
        h.completions.retry_now("w")
        assert (await task)["message"].content == "Now."
        assert h.shown("A").state is ShownState.ACTIVE


async def test_skip_gives_up_on_the_one_waited_for(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail(retry_delay=50)]}, pool={"max_wait": 300}) as h:
        heard = Heard()
        task = asyncio.create_task(h.ask(heard, request_id="w"))
        await waiting(heard)
        h.completions.skip("w")
        with pytest.raises(NoProfiles):
            await task
        with pytest.raises(NotFound):
            h.completions.skip("w")


async def waits(h: House, **options: Any) -> asyncio.Task[dict[str, Any]]:
    heard = Heard()
    task = asyncio.create_task(h.ask(heard, **options))
    await waiting(heard)
    return task


def change(h: House, pool: Mapping[str, Any], *profiles: Profile) -> None:
    """The user's own change, as any window sees it: these profiles, and the default pool with something else about it."""
    known = h.configuration.pools["default"]
    h.configuration = replace(
        h.configuration,
        profiles={each.id: each for each in profiles},
        pools={"default": replace(known, profiles=tuple(each.id for each in profiles), **pool)},
        revision="2",
    )
    h.completions.look_again()


async def rename(h: House, old: str, new: str, pool: Mapping[str, Any] | None = None) -> None:
    h.keys.keys[new] = h.keys.keys[old]
    await h.state.rename_profile(old, new)
    change(h, pool or {}, *(replace(p, id=new) if p.id == old else p for p in h.configuration.profiles.values()))


RESTING: Scripts = {"A": [Fail(retry_delay=50), Answer("Back.")], "B": [Answer("B.")]}


async def test_a_waiting_request_goes_to_whoever_is_added_to_its_pool(tmp_path: Path) -> None:
    async with house(tmp_path, RESTING, pool={"profiles": ("A",), "max_wait": 300}) as h:
        task = await waits(h)
        change(h, {}, *h.configuration.profiles.values())
        async with asyncio.timeout(10):
            assert (await task)["profileId"] == "B"
        (why,) = await h.state.latest_requests()
        assert {"profileId": "B", "rank": 1} in why["candidates"]


@pytest.mark.parametrize(
    ("pool", "options"),
    [
        ({}, {}),
        ({}, {"profile": "A"}),
        ({}, {"profile": "A", "fallback": False}),
        ({"failover": Failover(enabled=False)}, {}),
    ],
    ids=["pool", "profile", "profile-alone", "pool-without-failover"],
)
async def test_a_waiting_request_follows_a_rename(
    tmp_path: Path, pool: Mapping[str, Any], options: Mapping[str, Any]
) -> None:
    scripts: Scripts = {"A": RESTING["A"]}
    async with house(tmp_path, scripts, pool={"max_wait": 300, **pool}) as h:
        task = await waits(h, request_id="w", **options)
        await rename(h, "A", "A2")
        await asyncio.sleep(0.1)
        assert not task.done(), "its rest goes on under the new name"
        h.completions.retry_now("w")
        async with asyncio.timeout(10):
            assert (await task)["profileId"] == "A2"


async def test_a_waiting_request_for_a_profile_that_is_removed_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, RESTING, pool={"max_wait": 300}) as h:
        task = await waits(h, profile="A")
        change(h, {}, h.configuration.profiles["B"])
        async with asyncio.timeout(10):
            with pytest.raises(NoProfiles, match="A was removed or renamed while the request waited; ask again"):
                await task


async def test_a_waiting_request_for_a_model_of_a_profile_that_is_renamed_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, RESTING, pool={"profiles": ("B",), "max_wait": 300}) as h:
        task = await waits(h, model="A/model-A")
        await rename(h, "A", "A2")
        async with asyncio.timeout(10):
            with pytest.raises(NoProfiles, match="A was removed or renamed while the request waited; ask again"):
                await task


async def test_a_waiting_request_sees_that_a_limit_was_raised(tmp_path: Path) -> None:
    pool = {"limits": Limits(requests_per_minute=1), "max_wait": 300}
    async with house(tmp_path, {"A": [Answer("A.")]}, pool=pool) as h:
        h.clock.ahead = until_noon(h.clock.now())
        await h.ask()
        task = await waits(h)
        change(h, {"limits": Limits(requests_per_minute=9)}, h.configuration.profiles["A"])
        async with asyncio.timeout(10):
            assert (await task)["profileId"] == "A"


async def test_a_waiting_request_rests_a_profile_as_its_pool_says_now(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [Fail(retry_delay=50)], "B": [Fail("rate-limit")]}
    async with house(tmp_path, scripts, pool={"profiles": ("A",), "max_wait": 300}) as h:
        task = await waits(h, request_id="w")
        change(h, {"cooldown": 500.0, "max_wait": 0.0}, *h.configuration.profiles.values())
        async with asyncio.timeout(10):
            with pytest.raises(AllCoolingDown):
                await task
        assert (h.shown("B").until or 0.0) - h.clock.now() > 400


async def test_cancelling_a_probe_frees_its_lease_and_tells_the_attempt(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail(retry_delay=20), Hang()], "B": [Fail(retry_delay=500)]}) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask()
        h.clock.ahead = 40
        task = asyncio.create_task(h.ask())
        async with asyncio.timeout(10):
            while len(h.provider.requests) < 3:
                await asyncio.sleep(0.01)
        assert h.state.snapshot().leases
        task.cancel()
        with pytest.raises(Cancelled) as caught:
            await task
        assert [each["verdict"] for each in caught.value.data["attempts"]] == ["cancelled"]
        assert not h.state.snapshot().leases


async def test_cancelling_while_a_lease_is_being_taken_frees_it(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail(retry_delay=20), Answer("Back.")]}) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask()
        h.clock.ahead = 40
        with machine.file_lock(tmp_path / "state.db.lock", 0.0):  # another window is writing
            task = asyncio.create_task(h.ask())
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0.05)
            assert len(h.provider.requests) == 1
        with pytest.raises(Cancelled):
            await task
        assert not h.state.snapshot().leases
        assert (await h.ask())["profileId"] == "A"


async def test_the_lease_of_a_long_probe_is_renewed_while_it_runs_and_given_back_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "FIGURES", replace(FIGURES, lease=0.09))
    scripts: Scripts = {"A": [Fail(retry_delay=20), Answer("Back.", first_delay=0.4)]}
    async with house(tmp_path, scripts) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask()
        h.clock.ahead = 40
        task = asyncio.create_task(h.ask())
        ends: set[float] = set()
        async with asyncio.timeout(30):
            while not task.done():
                ends.update(lease.expires for lease in h.state.snapshot().leases.values())
                await asyncio.sleep(0.005)
        assert (await task)["profileId"] == "A"
        assert len(ends) > 2
        await h.state.save()
        assert not h.state.snapshot().leases


async def test_many_requests_after_one_expiry_make_one_probe_and_the_rest_wait_for_it(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [Fail(retry_delay=20), Answer("Back.", first_delay=0.3)]}
    async with house(tmp_path, scripts, pool={"max_wait": 30}) as h:
        with pytest.raises(AllCoolingDown):
            await without_waiting(h)
        h.clock.ahead = 40
        asked_before = len(h.provider.requests)

        async def look_again() -> None:
            while True:
                await asyncio.sleep(0.05)
                h.completions.look_again()

        poll = asyncio.create_task(look_again())
        answers = await asyncio.gather(*(h.ask() for _ in range(5)))
        poll.cancel()
        assert {each["profileId"] for each in answers} == {"A"}
        first = h.provider.requests[asked_before]
        others = [each for each in h.provider.requests if each.at > first.at]
        assert len(others) == 4 and all(each.at - first.at > 0.25 for each in others)


async def without_waiting(h: House) -> None:
    pools, waiting_pool = cast(dict[str, Pool], h.configuration.pools), h.configuration.pools["default"]
    pools["default"] = replace(waiting_pool, max_wait=0.0)
    try:
        await h.ask()
    finally:
        pools["default"] = waiting_pool


async def test_unrelated_hosts_that_all_fail_mean_offline_and_mark_nobody(tmp_path: Path) -> None:
    dead = {"A": {"base_url": "http://127.0.0.1:9/v1beta"}, "B": {"base_url": "http://[::1]:9/v1beta"}}
    async with house(tmp_path, {"A": [Answer()], "B": [Answer()]}, profiles=dead) as h:
        with pytest.raises(Offline):
            await h.ask()
        assert not h.state.snapshot().marks


async def test_one_dead_host_is_its_own_fault_when_another_answers(tmp_path: Path) -> None:
    dead = {"A": {"base_url": "http://127.0.0.1:9/v1beta"}}
    async with house(tmp_path, {"A": [Answer()], "B": [Answer("B.")]}, profiles=dead) as h:
        assert (await h.ask())["profileId"] == "B"
        assert [mark.fault.value for mark in h.state.snapshot().marks.values()] == ["network"]


async def test_each_dead_host_is_told_beside_its_own_attempt(tmp_path: Path) -> None:
    dead = {"A": {"base_url": "http://127.0.0.1:9/v1beta"}, "B": {"base_url": "http://[::1]:9/v1beta"}}
    async with house(tmp_path, {"A": [Answer()], "B": [Answer()], "C": [Answer("C.")]}, profiles=dead) as h:
        answer = await h.ask()
        told = await h.state.request(answer["requestId"])
    assert told is not None
    taught = [[mark["fault"] for mark in each.get("taught", [])] for each in told["attempts"]]
    assert taught == [["network"], ["network"], []]


async def test_a_named_profile_is_asked_alone_unless_fallback_is_allowed(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer("A.")], "B": [LIMITED]}) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask(profile="B")
        assert h.asked_with() == ["B"]
        assert (await h.ask(profile="B", fallback=True))["profileId"] == "A"
        with pytest.raises(NotFound, match="profile"):
            await h.ask(profile="nobody")


async def test_a_lone_profile_is_tried_once_more_after_a_hiccup(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("server-error"), Answer("Second time.")]}) as h:
        assert (await h.ask())["message"].content == "Second time."


async def test_attempts_never_exceed_the_budget(tmp_path: Path) -> None:
    scripts = {name: [Fail("server-error")] for name in "ABCD"}
    async with house(tmp_path, scripts) as h:
        with pytest.raises(AttemptsExhausted):
            await h.ask()
        assert len(h.provider.requests) <= 5
    async with house(tmp_path / "two", scripts, pool={"max_attempts": 2}) as h:
        with pytest.raises(AttemptsExhausted):
            await h.ask()
        assert len(h.provider.requests) == 2


async def test_all_failed_says_what_each_needs(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("invalid-key")], "B": [Fail("permission")]}) as h:
        for _ in range(2):
            with pytest.raises(AllFailed) as caught:
                await h.ask()
        assert {each["state"] for each in caught.value.data["profiles"]} == {"failed"}
        assert all(each["remedy"] for each in caught.value.data["profiles"])


async def test_an_empty_answer_is_not_an_answer(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer("", chunks=1)], "B": [Answer("Words.")]}) as h:
        answer = await h.ask()
        assert (answer["profileId"], answer["attempts"][0]["verdict"]) == ("B", "badAnswer")
        assert not h.state.snapshot().marks


async def test_a_captive_portal_answers_nobody(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Html()], "B": [Answer("Words.")]}) as h:
        answer = await h.ask()
        assert (answer["profileId"], answer["attempts"][0]["verdict"]) == ("B", "config")


async def test_round_robin_takes_turns_and_keeps_a_tool_loop_together(tmp_path: Path) -> None:
    scripts = {name: [Answer(name)] for name in "ABC"}
    async with house(tmp_path, scripts, pool={"strategy": Strategy.ROUND_ROBIN}) as h:
        turns = [(await h.ask(session="s"))["profileId"] for _ in range(4)]
        assert turns == ["A", "B", "C", "A"]
        call = Message("assistant", "", (ToolCall("call_1", "look", "{}"),))
        loop = ChatRequest((*HELLO.messages, call, Message("tool", "42", tool_call_id="call_1")))
        assert (await h.ask(request=loop, session="s"))["profileId"] == "A"


async def test_a_missing_key_passes_to_the_next_and_alone_it_is_the_error(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer()], "B": [Answer("B.")]}) as h:
        h.keys.keys.clear()
        with pytest.raises(NoProfiles, match="has no key"):
            await h.ask()
        assert h.asked_with() == []


async def test_a_key_is_never_sent_where_it_was_not_saved_for(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer()]}) as h:
        h.keys.keys["A"] = type(h.keys.keys["A"])("A", "https://elsewhere.example:443")
        with pytest.raises(Exception, match=r"was saved for https://elsewhere\.example:443"):
            await h.ask()
        assert h.asked_with() == []


async def test_two_profiles_on_one_key_rest_together(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED], "B": [Answer("B.")]}) as h:
        h.keys.keys["B"] = h.keys.keys["A"]
        profiles = cast(dict[str, Profile], h.configuration.profiles)
        profiles["B"] = replace(profiles["A"], id="B")
        with pytest.raises(AllCoolingDown):
            await h.ask()
        assert h.asked_with() == ["A"], "the second profile draws on the same quota"


async def test_every_attempt_is_in_the_ledger_and_the_record_says_why(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED], "B": [Answer("B.")]}) as h:
        await h.ask(request_id="why-me")
        ledger = await h.state.attempts()
        assert [(each.profile_id, each.verdict, each.n) for each in ledger] == [("A", "rateLimit", 1), ("B", "ok", 2)]
        assert ledger[1].output_tokens == 5 and ledger[1].first_token_s is not None
        record = await h.state.request("why-me")
        assert record is not None
        assert [each.get("rank") for each in record["candidates"]] == [1, 2]
        assert "Hello" not in str(record), "a record never says what was said"


async def test_an_image_goes_along_to_the_next(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [LIMITED], "B": [Answer("A cat.")]}) as h:
        picture = ChatRequest((Message("user", (TextPart("What?"), ImagePart("image/png", "AAAA"))),))
        await h.ask(request=picture)
        first, second = (seen.json()["contents"] for seen in h.provider.requests)
        assert first == second


@pytest.mark.parametrize(
    ("broken", "key", "told"),
    [
        ({"proxy": "socks5://127.0.0.1:1080"}, "A", "of kind 'socks5'"),
        ({"proxy": "http://127.0.0.1:99999"}, "A", "65535"),
        ({"proxy": "http://[::1"}, "A", "IPv6"),
        ({"proxy": "http://999.1.1.1:3128"}, "A", "999.1.1.1 is no IP address"),
        ({"base_url": "http://127.0.0.1/" + "x" * 70_000}, "A", "too long"),
        ({}, "schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel", "no HTTP header can carry"),
    ],
    ids=["a-kind-of-proxy", "a-proxy's-port", "half-a-proxy", "a-proxy's-number", "an-address", "a-key"],
)
async def test_who_cannot_be_sent_to_is_passed_over_and_says_why(
    tmp_path: Path, broken: dict[str, Any], key: str, told: str
) -> None:
    scripts: Scripts = {"A": [Answer()], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, profiles={"A": broken}, pool={"max_attempts": 1}) as h:
        h.keys.keys["A"] = Secret(key, h.keys.keys["A"].origin)
        heard = Heard()
        answer = await h.ask(heard)
        assert (answer["profileId"], heard.words, h.asked_with()) == ("B", "B.", ["B"])
        assert [(each["n"], each["verdict"]) for each in answer["attempts"]] == [(1, "config"), (2, "ok")]
        assert told in answer["attempts"][0]["detail"]
        assert not h.state.snapshot().marks, "another window may have another proxy, or another key in its environment"
        await h.state.save()
        why = await h.state.request("r1")
        assert why is not None
        assert told in why["candidates"][1]["excludedBy"]


async def test_the_only_profile_that_cannot_be_sent_to_names_its_field(tmp_path: Path) -> None:
    profiles = {"A": {"proxy": "socks5://127.0.0.1:1080", "limits": Limits(requests_per_minute=1)}}
    async with house(tmp_path, {"A": [Answer("A.")]}, profiles=profiles) as h:
        for _ in range(2):
            with pytest.raises(InvalidInput, match="socks5") as caught:
                await h.ask()
            assert caught.value.field == "profile.proxy"
            assert ";" in caught.value.message, "and its remedy"
        h.configuration = replace(h.configuration, profiles={"A": replace(h.configuration.profiles["A"], proxy=None)})
        assert (await h.ask())["profileId"] == "A", "the place it had taken was given back"


RESPONSES: Mapping[str, Any] = {"provider": "openai", "options": {"api": "responses"}}
SEAL = {
    "type": "response.output_item.done",
    "output_index": 0,
    "item": {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAABseal"},
}
WORD = {"type": "response.output_text.delta", "output_index": 1, "delta": "Hello."}
RATE_LIMITED = {
    "type": "response.failed",
    "response": {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
}
CUT_AT_ITS_LONGEST = {
    "type": "response.incomplete",
    "response": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
}
DONE = {"type": "response.completed", "response": {"status": "completed"}}


def says(*events: object, delay: float = 0.0) -> Raw:
    return Raw(tuple(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events), delay=delay)


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        (says(SEAL, RATE_LIMITED), "rateLimit"),
        (says(SEAL, WORD, delay=2.0), "timeout"),
        (says(SEAL, DONE), "badAnswer"),
    ],
    ids=["a-failure", "silence", "the-end"],
)
async def test_a_seal_without_a_word_begins_no_answer(tmp_path: Path, step: Raw, verdict: str) -> None:
    profiles = {"A": {**RESPONSES, "timeouts": Timeouts(first_token=0.5)}, "B": RESPONSES}
    async with house(tmp_path, {"A": [step], "B": [Answer("B.")]}, profiles=profiles, dialect="openai") as h:
        heard = Heard()
        answer = await h.ask(heard)
        assert [each["verdict"] for each in answer["attempts"]] == [verdict, "ok"]
        assert (answer["message"].content, heard.kinds) == ("B.", ["attempt", "attempt", "text", "usage"])


async def test_a_seal_comes_before_the_word_that_follows_it(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [says(SEAL, WORD, DONE)]}, profiles={"A": RESPONSES}, dialect="openai") as h:
        heard = Heard()
        answer = await h.ask(heard)
        seal = "openai-responses:gAAAAABseal"
        assert heard.log[1:3] == [("thinking", "", seal), ("text", "Hello.")]
        assert answer["message"].content == (ThinkingPart("", seal), TextPart("Hello."))


async def test_a_seal_stays_where_the_answer_is_cut_off_at_its_longest_before_a_word(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [says(SEAL, CUT_AT_ITS_LONGEST)], "B": [Answer("Never.")]}
    async with house(tmp_path, scripts, profiles={"A": RESPONSES}, dialect="openai") as h:
        answer = await h.ask()
        assert answer["finishReason"] == "length"
        assert answer["message"].content == (ThinkingPart("", "openai-responses:gAAAAABseal"),)


async def test_thinking_without_a_word_is_no_part_of_an_answer(tmp_path: Path) -> None:
    begins = {"choices": [{"index": 0, "delta": {"content": [{"type": "thinking", "thinking": []}]}}]}
    refused = {"error": {"code": "content_filter", "message": "The response was filtered."}}
    async with house(tmp_path, {"A": [says(begins, refused)], "B": [Answer()]}, dialect="openai") as h:
        heard = Heard()
        with pytest.raises(ContentFiltered):
            await h.ask(heard)
        assert heard.kinds == ["attempt"]
