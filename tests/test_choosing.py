"""Choosing among profiles, as the story of a request does it: strategies, rules, splits, failover; real sockets and a real store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, Tool
from rooroute.errors import AllCoolingDown, ConsentNeeded, ContentFiltered, NoProfiles, RequestRejected, Unanswered
from rooroute.profiles import (
    Ceiling,
    CircuitBreaker,
    Consent,
    Failover,
    LastResort,
    Latency,
    Limits,
    Need,
    Price,
    Revert,
    Rule,
    Strategy,
    When,
)
from rooroute.routing.route import share_of
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail, Step
from tests.house import HELLO, Heard, House, house

Scripts = Mapping[str, Sequence[Step]]
LIMITED = Fail("rate-limit", retry_delay=30)
THREE: Scripts = {"A": [Answer("A.")], "B": [Answer("B.")], "C": [Answer("C.")]}


def saying(text: str) -> ChatRequest:
    return ChatRequest((Message("user", text),))


async def asked(h: House, times: int, **options: Any) -> list[str]:
    return [(await h.ask(session=f"s{n}", **options))["profileId"] for n in range(times)]


# --- strategies ---


async def test_weights_are_kept_smoothly(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.WEIGHTED, "weights": {"A": 60.0, "B": 30.0, "C": 10.0}}
    async with house(tmp_path, THREE, pool=pool) as h:
        order = await asked(h, 20)
        assert Counter(order) == {"A": 12, "B": 6, "C": 2}
        assert Counter(order[:10]) == {"A": 6, "B": 3, "C": 1}, "in every ten, not only in the long run"


async def test_a_weight_of_nothing_is_never_chosen_but_falls_back(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.WEIGHTED, "weights": {"A": 1.0, "B": 0.0}}
    scripts: Scripts = {"A": [Answer(), Answer(), LIMITED], "B": [Answer()]}
    async with house(tmp_path, scripts, pool=pool) as h:
        assert await asked(h, 3) == ["A", "A", "B"]


async def test_the_rest_shares_by_weight_while_one_is_away(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.WEIGHTED, "weights": {"A": 60.0, "B": 30.0, "C": 10.0}}
    async with house(tmp_path, {**THREE, "A": [LIMITED]}, pool=pool) as h:
        assert Counter((await asked(h, 13))[1:]) == {"B": 9, "C": 3}


async def test_the_cheapest_for_this_request_is_asked(tmp_path: Path) -> None:
    """A reads cheaply and writes dearly, B the other way about: which is cheaper depends on the request."""
    profiles = {"A": {"price": Price(input=1, output=100)}, "B": {"price": Price(input=10, output=1)}, "C": {}}
    async with house(tmp_path, THREE, profiles=profiles, pool={"strategy": Strategy.COST}) as h:
        assert (await h.ask(session="short"))["profileId"] == "B"
        long = saying("word " * 50_000)
        assert (await h.ask(request=ChatRequest(long.messages, max_tokens=10), session="long"))["profileId"] == "A"


@pytest.mark.parametrize(
    "ceiling",
    [{"max_cost_per_token": 0.000_005}, {"max_price": Ceiling(input=5.0)}, {"max_price": Ceiling(output=20.0)}],
    ids=["per-token", "input", "output"],
)
async def test_above_the_ceiling_nobody_is_asked(tmp_path: Path, ceiling: dict[str, Any]) -> None:
    profiles = {"A": {"price": Price(input=6, output=30)}, "B": {"price": Price(input=1, output=4)}}
    async with house(tmp_path, {"A": [Answer()], "B": [LIMITED]}, profiles=profiles, pool=ceiling) as h:
        with pytest.raises(AllCoolingDown) as caught:
            await h.ask()
        assert h.asked_with() == ["B"]
        assert "ceiling" in str(caught.value.data["profiles"])


async def test_the_quickest_is_asked_once_everybody_was_measured(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.LATENCY, "latency": Latency(explore_every=0)}
    async with house(tmp_path, THREE, pool=pool) as h:
        now = h.clock.now()
        for profile_id, seconds in (("A", 2.0), ("B", 0.2), ("C", 1.0)):
            h.window.measurements.observe(profile_id, now, seconds)
        assert await asked(h, 3) == ["B", "B", "B"]


async def test_a_slow_moment_is_not_for_ever(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.LATENCY, "latency": Latency(explore_every=5)}
    async with house(tmp_path, {"A": [Answer()], "B": [Answer()]}, pool=pool) as h:
        h.window.measurements.observe("A", h.clock.now() - 60, 30.0)
        h.window.measurements.observe("B", h.clock.now(), 5.0)
        assert await asked(h, 5) == ["B", "B", "B", "B", "A"]


async def test_a_profile_that_became_too_slow_goes_behind_the_others(tmp_path: Path) -> None:
    async with house(tmp_path, THREE, pool={"latency": Latency(too_slow=2.0)}) as h:
        h.window.measurements.observe("A", h.clock.now(), 9.0)
        assert (await h.ask())["profileId"] == "B"


async def test_who_was_too_slow_is_asked_again_when_that_is_longer_ago_than_the_window(tmp_path: Path) -> None:
    pool = {"latency": Latency(too_slow=2.0, window=120.0)}
    async with house(tmp_path, THREE, pool=pool) as h:
        h.window.measurements.observe("A", h.clock.now(), 9.0)
        assert await asked(h, 2) == ["B", "B"]
        h.clock.ahead = 121
        later = [(await h.ask(session=f"later{n}"))["profileId"] for n in range(2)]
        assert later == ["A", "A"], "and it has been quick since"


async def test_the_least_busy_is_asked(tmp_path: Path) -> None:
    async with house(tmp_path, THREE, pool={"strategy": Strategy.LEAST_BUSY}) as h:
        h.window.measurements.begun("A")
        h.window.measurements.begun("C")
        assert (await h.ask())["profileId"] == "B"
        assert h.window.measurements.busy == {"A": 1, "C": 1}, "an ended request is under way no more"


async def test_a_model_goes_where_it_is_routed_and_falls_back(tmp_path: Path) -> None:
    pool = {
        "strategy": Strategy.MODEL,
        "model_routes": {"gpt-4": "B", "claude-*": "C"},
        "default_route": "A",
    }
    async with house(tmp_path, {**THREE, "C": [Answer(), LIMITED]}, pool=pool) as h:
        answers = [await h.ask(model=model) for model in ("gpt-4", "claude-3-opus", "other", "claude-3-haiku")]
        assert [each["profileId"] for each in answers] == ["B", "C", "A", "A"]
        assert answers[1]["model"] == "claude-3-opus"


async def test_tiers_go_before_the_strategy(tmp_path: Path) -> None:
    pool = {"strategy": Strategy.ROUND_ROBIN, "tiers": (("B", "C"), ("A",))}
    scripts: Scripts = {"A": [Answer()], "B": [Answer(), LIMITED], "C": [Answer(), LIMITED]}
    async with house(tmp_path, scripts, pool=pool) as h:
        assert await asked(h, 4) == ["B", "C", "A", "A"]


# --- rules ---

RULES: list[tuple[str, When, ChatRequest, dict[str, Any], bool]] = [
    ("model", When(model=("gpt-*",)), HELLO, {"model": "gpt-4"}, True),
    ("another-model", When(model=("gpt-*",)), HELLO, {"model": "claude"}, False),
    ("mode", When(mode=("code",)), HELLO, {"mode": "code"}, True),
    ("mode-in-metadata", When(mode=("code",)), HELLO, {"metadata": {"mode": "Code"}}, True),
    ("task", When(task=("summarize",)), HELLO, {"task": "summarize"}, True),
    ("intent", When(intent=("creative",)), HELLO, {"metadata": {"intent": "creative"}}, True),
    ("needs-tools", When(needs=(Need.TOOLS,)), ChatRequest(HELLO.messages, (Tool("t", {}),)), {}, True),
    ("needs-no-tools", When(needs=(Need.TOOLS,)), HELLO, {}, False),
    (
        "needs-images",
        When(needs=(Need.IMAGES,)),
        ChatRequest((Message("user", (TextPart("see"), ImagePart("image/png", "aGk="))),)),
        {},
        True,
    ),
    ("contains", When(contains=("write CODE", "debug")), saying("Please write code for me"), {}, True),
    ("contains-nothing", When(contains=("poem",)), saying("Please write code for me"), {}, False),
    ("pattern", When(pattern=r"\bpython\s*3"), saying("in python 3 please"), {}, True),
    ("length", When(min_length=1000), saying("x" * 1000), {}, True),
    ("too-short", When(min_length=1000), saying("x" * 999), {}, False),
    ("short", When(max_length=5), saying("hello"), {}, True),
    ("tokens", When(min_tokens=100), saying("x" * 400), {}, True),
    ("language", When(language=("python",)), HELLO, {"language": "Python"}, True),
    ("tags", When(tags=("work", "cheap")), HELLO, {"tags": ("cheap", "work", "x")}, True),
    ("not-all-tags", When(tags=("work", "cheap")), HELLO, {"tags": ("work",)}, False),
    ("metadata", When(metadata={"team": "red"}), HELLO, {"metadata": {"team": "red"}}, True),
    ("all-conditions", When(mode=("code",), contains=("hello",)), HELLO, {"mode": "code"}, True),
    ("one-unmet", When(mode=("code",), contains=("bye",)), HELLO, {"mode": "code"}, False),
]


@pytest.mark.parametrize(
    ("when", "request_", "options", "fires"), [each[1:] for each in RULES], ids=[r[0] for r in RULES]
)
async def test_a_rule_leads_what_meets_all_its_conditions(
    tmp_path: Path, when: When, request_: ChatRequest, options: dict[str, Any], fires: bool
) -> None:
    pool = {"rules": (Rule(name="r", when=when, profiles=("B",)),)}
    async with house(tmp_path, THREE, pool=pool) as h:
        assert (await h.ask(request=request_, **options))["profileId"] == ("B" if fires else "A")


async def test_the_first_rule_wins_and_the_pool_stands_behind_it(tmp_path: Path) -> None:
    rules = (
        Rule(name="python", when=When(language=("python",)), profiles=("C", "B")),
        Rule(name="any", when=When(contains=("hello",)), profiles=("B",)),
    )
    async with house(tmp_path, {**THREE, "C": [LIMITED], "B": [LIMITED]}, pool={"rules": rules}) as h:
        answer = await h.ask(language="python")
        assert [each["profileId"] for each in answer["attempts"]] == ["C", "B", "A"]


async def test_a_rule_may_keep_a_request_to_its_own_profiles(tmp_path: Path) -> None:
    rules = (Rule(name="r", when=When(mode=("secret",)), profiles=("B",), only=True),)
    async with house(tmp_path, {**THREE, "B": [LIMITED]}, pool={"rules": rules}) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask(mode="secret")
        assert h.asked_with() == ["B"]


async def test_a_session_does_not_stay_where_a_rule_leads_away(tmp_path: Path) -> None:
    rules = (Rule(name="r", when=When(mode=("code",)), profiles=("B",)),)
    async with house(tmp_path, THREE, pool={"rules": rules}) as h:
        assert (await h.ask(session="one"))["profileId"] == "A"
        assert (await h.ask(session="one", mode="code"))["profileId"] == "B"


async def test_a_request_bound_to_a_region_never_leaves_it(tmp_path: Path) -> None:
    """Not when everybody there rests, not for the last resort, not for a session that was elsewhere."""
    profiles = {"A": {"region": "us"}, "B": {"region": "EU"}, "C": {}}
    pool = {"last_resort": LastResort(profile="C"), "safety_net": False}
    async with house(tmp_path, {**THREE, "B": [Answer("B."), LIMITED]}, profiles=profiles, pool=pool) as h:
        assert (await h.ask(session="s"))["profileId"] != "B"
        assert (await h.ask(session="s", region="eu"))["profileId"] == "B"
        with pytest.raises(AllCoolingDown) as caught:
            await h.ask(session="s", region="eu")
        assert set(h.asked_with()[1:]) == {"B"}
        assert "bound to eu" in str(caught.value.data["profiles"])


async def test_a_rule_and_a_pool_bind_to_a_region_too(tmp_path: Path) -> None:
    rules = (Rule(name="private", when=When(tags=("private",)), profiles=("A", "B"), region="eu"),)
    profiles = {"A": {"region": "us"}, "B": {"region": "eu"}, "C": {"region": "us"}}
    async with house(tmp_path, THREE, profiles=profiles, pool={"rules": rules}) as h:
        assert (await h.ask(tags=("private",)))["profileId"] == "B"
    async with house(tmp_path, THREE, profiles=profiles, pool={"region": "eu"}) as h:
        assert (await h.ask())["profileId"] == "B"


@pytest.mark.parametrize("need", ["tools", "images"])
async def test_what_a_profile_cannot_take_it_is_not_asked_for(tmp_path: Path, need: str) -> None:
    requests = {
        "tools": ChatRequest(HELLO.messages, (Tool("t", {"type": "object"}),)),
        "images": ChatRequest((Message("user", (ImagePart("image/png", "aGk="),)),)),
    }
    async with house(tmp_path, THREE, profiles={"A": {f"supports_{need}": False}}) as h:
        assert (await h.ask(request=requests[need]))["profileId"] == "B"
        assert (await h.ask(session="other"))["profileId"] == "A"


# --- splits, pins, caches ---


async def test_a_canary_gets_its_share_of_sessions_and_keeps_them(tmp_path: Path) -> None:
    async with house(tmp_path, {"old": [Answer()], "new": [Answer()]}, pool={"split": {"new": 20.0}}) as h:
        first = {f"s{n}": (await h.ask(session=f"s{n}"))["profileId"] for n in range(60)}
        again = {f"s{n}": (await h.ask(session=f"s{n}"))["profileId"] for n in range(20)}
        assert first == {name: "new" if share_of(name) < 20 else "old" for name in first}
        assert 0 < list(first.values()).count("new") < 30
        assert again.items() <= first.items()


async def test_whoever_falls_not_to_the_canary_may_still_fall_back_to_it(tmp_path: Path) -> None:
    pool = {"split": {"new": 0.000_001}}
    async with house(tmp_path, {"new": [Answer()], "old": [LIMITED]}, pool=pool) as h:
        answer = await h.ask()
        assert [each["profileId"] for each in answer["attempts"]] == ["old", "new"]


async def test_shares_that_name_everybody_are_weights_of_sessions(tmp_path: Path) -> None:
    pool = {"split": {"A": 95.0, "B": 5.0}}
    async with house(tmp_path, {"A": [Answer()], "B": [Answer()]}, pool=pool) as h:
        found = {f"s{n}": (await h.ask(session=f"s{n}"))["profileId"] for n in range(40)}
        assert found == {name: "A" if share_of(name) < 95 else "B" for name in found}


async def test_a_session_can_be_pinned(tmp_path: Path) -> None:
    async with house(tmp_path, {**THREE, "A": [LIMITED, Answer()]}) as h:
        assert (await h.ask(session="one", pin=True))["profileId"] == "B"
        h.clock.ahead = 120
        assert (await h.ask(session="two"))["profileId"] == "A"
        assert (await h.ask(session="one"))["profileId"] == "B"


async def test_a_warm_cache_is_kept_while_leaving_it_costs_more_than_the_user_accepts(tmp_path: Path) -> None:
    prices = {
        "A": {"price": Price(input=10, output=1)},
        "B": {"price": Price(input=10, output=1, cache_read=1)},
    }
    for accepted, expected in ((0.001, "B"), (1.0, "A")):
        pool = {"revert": Revert.IMMEDIATE, "max_switch_cost": accepted}
        async with house(tmp_path / expected, {"A": [Answer()], "B": [Answer()]}, profiles=prices, pool=pool) as h:
            h.window.answered("default", "s", "B", h.clock.now() - 3600, Strategy.PRIORITY, warm_tokens=10_000)
            assert (await h.ask(session="s"))["profileId"] == expected, "leaving costs 10,000 times $9/M = $0.09"
            (why,) = await h.state.latest_requests()
            assert why["switchCost"] == 0.09, "what it cost, or would have"
            assert ("would cost $0.0900" in why["because"]) == (expected == "B")


# --- failover ---


async def test_without_failover_the_first_choice_is_asked_and_nobody_else(tmp_path: Path) -> None:
    ways: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"failover": Failover(enabled=False)}, {}),
        ({}, {"fallback": False}),
        ({"enabled": False}, {}),
    ]
    for number, (pool, options) in enumerate(ways):
        async with house(tmp_path / str(number), {**THREE, "A": [Fail("server-error")]}, pool=pool) as h:
            with pytest.raises(Unanswered):
                await h.ask(**options)
            assert set(h.asked_with()) == {"A"}


async def test_the_master_switch_turns_rules_and_strategies_off(tmp_path: Path) -> None:
    pool = {"enabled": False, "strategy": Strategy.ROUND_ROBIN, "rules": (Rule(name="r", profiles=("C",)),)}
    async with house(tmp_path, THREE, pool=pool) as h:
        assert await asked(h, 3) == ["A", "A", "A"]


async def test_a_status_among_the_retry_codes_sends_the_request_on(tmp_path: Path) -> None:
    pool = {"failover": Failover(retry_codes=(400,))}
    async with house(tmp_path, {"A": [Fail("bad-request")], "B": [Answer()]}, pool=pool) as h:
        assert (await h.ask())["profileId"] == "B"
        assert not h.state.snapshot().marks
    async with house(tmp_path / "without", {"A": [Fail("bad-request")], "B": [Answer()]}) as h:
        with pytest.raises(RequestRejected):
            await h.ask()


async def test_a_refused_prompt_is_shown_to_one_other_profile_where_the_user_wants_that(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [Fail("policy")], "B": [Fail("policy")], "C": [Answer()]}
    async with house(tmp_path, scripts, pool={"policy_fallback": True}, dialect="openai") as h:
        with pytest.raises(ContentFiltered):
            await h.ask()
        assert h.asked_with() == ["A", "B"], "once, not along the whole pool"


@pytest.mark.parametrize(
    ("dialect", "settings"),
    [
        ("openai", {}),
        ("openai", {"provider": "openai", "options": {"api": "responses"}}),
        ("anthropic", {}),
        ("gemini", {}),
    ],
    ids=["openai", "responses", "anthropic", "gemini"],
)
async def test_an_answer_filtered_before_its_first_word_is_a_refusal(
    tmp_path: Path, dialect: str, settings: Mapping[str, Any]
) -> None:
    profiles = {"A": settings, "B": settings}
    scripts: Scripts = {"A": [Answer("", finish="contentFilter")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, pool={"policy_fallback": True}, dialect=dialect, profiles=profiles) as h:
        answer = await h.ask()
        assert answer["message"].content == "B."
        assert [each["verdict"] for each in answer["attempts"]] == ["policy", "ok"]
        assert answer["usage"].input_tokens == 14, "the provider charges for what it filtered too"
        assert not h.state.snapshot().marks
    async with house(tmp_path / "without", scripts, dialect=dialect, profiles=profiles) as h:
        with pytest.raises(ContentFiltered, match="A refused the request: The answer was refused by a content filter"):
            await h.ask()
        assert h.asked_with() == ["A"]


async def test_an_answer_filtered_after_its_first_word_is_kept_as_it_came(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [Answer("So far", finish="contentFilter")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, pool={"policy_fallback": True}) as h:
        answer = await h.ask()
        assert (answer["message"].content, answer["finishReason"]) == ("So far", "contentFilter")


@pytest.mark.parametrize("most", [10, None], ids=["with-a-budget", "with-the-usual-budget"])
@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (1, 2), (2, 3)])
async def test_a_profile_is_asked_again_as_often_as_its_user_says(
    tmp_path: Path, retries: int, calls: int, most: int | None
) -> None:
    profiles = {"A": {"max_retries": retries}}
    scripts: Scripts = {"A": [Fail("server-error")]}
    pool = {"max_attempts": most, "failover": Failover(max_retries=7)}
    async with house(tmp_path, scripts, profiles=profiles, pool=pool) as h:
        with pytest.raises(Unanswered):
            await h.ask()
        assert h.asked_with() == ["A"] * calls


async def test_the_circuit_breaker_opens_at_its_threshold_for_its_time_and_closes_after_successes(
    tmp_path: Path,
) -> None:
    breaker = CircuitBreaker(failure_threshold=3, success_threshold=2, timeout=60.0)
    scripts: Scripts = {"A": [Fail("server-error")] * 3 + [Answer("A.")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, pool={"circuit_breaker": breaker}) as h:
        assert await asked(h, 4) == ["B"] * 4
        assert h.asked_with().count("A") == 3
        shown = h.shown("A")
        assert shown.state is ShownState.COOLDOWN and 55 < (shown.until or 0) - h.clock.now() <= 60
        h.clock.ahead = 61
        assert (await h.ask(session="x"))["profileId"] == "A"
        assert h.state.snapshot().marks, "one success is not enough"
        assert (await h.ask(session="y"))["profileId"] == "A"
        assert not h.state.snapshot().marks


async def test_a_fault_before_there_are_successes_enough_opens_the_circuit_breaker_again(tmp_path: Path) -> None:
    breaker = CircuitBreaker(failure_threshold=2, success_threshold=3, timeout=60.0)
    bad = Fail("server-error")
    scripts: Scripts = {"A": [bad, bad, Answer("A."), Answer("A."), bad], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, pool={"circuit_breaker": breaker}) as h:
        assert await asked(h, 2) == ["B", "B"]
        h.clock.ahead = 61
        answers = [(await h.ask(session=each))["profileId"] for each in "xyz"]
        assert answers == ["A", "A", "B"]
        shown = h.shown("A")
        assert shown.state is ShownState.COOLDOWN and 55 < (shown.until or 0) - h.clock.now() <= 60


async def test_the_last_resort_is_asked_when_nobody_else_can(tmp_path: Path) -> None:
    pool = {"profiles": ("A", "B"), "last_resort": LastResort(profile="C")}
    async with house(tmp_path, {"A": [LIMITED], "B": [LIMITED], "C": [Answer("C.")]}, pool=pool) as h:
        heard = Heard()
        assert (await h.ask(heard))["profileId"] == "C"


TROUBLES = [
    pytest.param(LIMITED, {"on_rate_limit": False}, False, id="limit-not-wanted"),
    pytest.param(LIMITED, {"on_error": False}, True, id="limit-wanted"),
    pytest.param(Fail("server-error"), {"on_rate_limit": False}, True, id="error-wanted"),
    pytest.param(Fail("server-error"), {"on_error": False}, False, id="error-not-wanted"),
]


@pytest.mark.parametrize(("fail", "rule", "used"), TROUBLES)
async def test_the_last_resort_is_for_the_trouble_it_is_meant_for(
    tmp_path: Path, fail: Fail, rule: dict[str, Any], used: bool
) -> None:
    pool = {"profiles": ("A",), "last_resort": LastResort(profile="C", **rule)}
    async with house(tmp_path, {"A": [fail], "C": [Answer("C.")]}, pool=pool) as h:
        if used:
            assert (await h.ask())["profileId"] == "C"
        else:
            with pytest.raises(Unanswered):
                await h.ask()
            assert "C" not in h.asked_with()


@pytest.mark.parametrize(
    "idle",
    [{"enabled": False}, {"supports_images": False}, {"api_key": "${NOT_SET_ANYWHERE}"}],
    ids=["switched-off", "unsuitable", "without-its-key"],
)
@pytest.mark.parametrize(
    ("fail", "rule", "used"),
    [
        *TROUBLES,
        pytest.param(None, {"on_rate_limit": False}, True, id="nobody-error"),
        pytest.param(None, {"on_error": False}, False, id="nobody-limit"),
    ],
)
async def test_whoever_could_not_have_answered_anyway_is_no_trouble_for_the_last_resort(
    tmp_path: Path, fail: Fail | None, rule: dict[str, Any], used: bool, idle: dict[str, Any]
) -> None:
    scripts: Scripts = {**({"A": [fail]} if fail else {}), "D": [Answer("D.")], "C": [Answer("C.")]}
    pool = {"profiles": tuple(scripts)[:-1], "last_resort": LastResort(profile="C", **rule)}
    image = ChatRequest((Message("user", (TextPart("What is this?"), ImagePart("image/png", "aGk="))),))
    async with house(tmp_path, scripts, profiles={"D": idle}, pool=pool) as h:
        with nullcontext() if used else pytest.raises(Unanswered):
            assert (await h.ask(request=image))["profileId"] == "C"
        assert ("C" in h.asked_with()) == used


async def test_a_profile_whose_rest_for_a_limit_was_skipped_by_hand_is_still_at_its_limit(tmp_path: Path) -> None:
    pool = {"profiles": ("A",), "max_wait": 300.0, "last_resort": LastResort(profile="C", on_rate_limit=False)}
    async with house(tmp_path, {"A": [LIMITED], "C": [Answer("C.")]}, pool=pool) as h:
        heard = Heard()
        task = asyncio.create_task(h.ask(heard, request_id="w"))
        async with asyncio.timeout(10):
            while "waiting" not in heard.kinds:
                await asyncio.sleep(0.01)
        h.completions.skip("w")
        with pytest.raises(NoProfiles):
            await task
        assert "C" not in h.asked_with()


async def test_the_last_resort_waits_for_consent(tmp_path: Path) -> None:
    pool = {"profiles": ("A",), "last_resort": LastResort(profile="C", consent=Consent.ASK)}
    async with house(tmp_path, {"A": [LIMITED], "C": [Answer("C.")]}, pool=pool) as h:
        with pytest.raises(ConsentNeeded) as caught:
            await h.ask()
        assert caught.value.data["consent"]["profileId"] == "C"
        assert (await h.ask(consent="once"))["profileId"] == "C"
        with pytest.raises(ConsentNeeded):
            await h.ask()
        assert (await h.ask(consent="session"))["profileId"] == "C"
        assert (await h.ask())["profileId"] == "C"


async def test_a_last_resort_that_may_never_be_used_is_not(tmp_path: Path) -> None:
    pool = {"profiles": ("A",), "last_resort": LastResort(profile="C", consent=Consent.NEVER)}
    async with house(tmp_path, {"A": [LIMITED], "C": [Answer("C.")]}, pool=pool) as h:
        with pytest.raises(AllCoolingDown):
            await h.ask(consent="session")


async def test_the_safety_net_asks_everybody_once_more_before_giving_up_and_says_so(tmp_path: Path) -> None:
    scripts: Scripts = {"A": [LIMITED], "B": [Fail("invalid-key"), Fail("invalid-key"), Answer("B after all.")]}
    async with house(tmp_path, scripts, pool={"safety_net": True, "max_attempts": 9}) as h:
        with pytest.raises(Unanswered):
            await h.ask()
        before = len(h.asked_with())
        answer = await h.ask(request_id="net")
        assert answer["message"].content == "B after all."
        assert h.asked_with()[before:] == ["A", "B"]
        assert h.shown("B").state is ShownState.ACTIVE, "its success clears its record"


async def test_nobody_suitable_says_what_each_lacks(tmp_path: Path) -> None:
    async with house(tmp_path, THREE, pool={"max_cost_per_token": 0.001}) as h:
        with pytest.raises(NoProfiles) as caught:
            await h.ask()
        assert caught.value.message.count("has no price") == 3


async def test_why_names_the_limit_that_a_profile_was_at_when_its_turn_came(tmp_path: Path) -> None:
    profiles = {"B": {"limits": Limits(requests_per_day=1)}}
    scripts: Scripts = {"A": [Fail("server-error")], "B": [Answer("B.")], "C": [Answer("C.")]}
    async with house(tmp_path, scripts, profiles=profiles, pool={"failover": Failover(max_retries=0)}) as h:
        assert [(await h.ask())["profileId"] for _ in range(2)] == ["B", "C"]
        (why,) = await h.state.latest_requests()
        told = {each["profileId"]: each for each in why["candidates"]}
        assert told["B"]["excludedBy"].startswith("is at the limit of 1 requests per day (nothing left, room at ")
        assert told["C"]["rank"] == 2
