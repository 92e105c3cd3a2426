"""The user's limits: at one the request goes to the next profile, nothing is marked, and no number of processes passes more."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooroute.adapters.state_picture import counted
from rooroute.adapters.state_store import StateStore
from rooroute.chat import ChatRequest
from rooroute.errors import AttemptsExhausted, BudgetExceeded, Cancelled
from rooroute.limiter import Amounts, Limiter, Reservation
from rooroute.profiles import Budget, Defaults, Limits, Price
from rooroute.routing.limits import (
    Count,
    Counters,
    Gauge,
    Measure,
    Refused,
    Span,
    Want,
    comes_back,
    gauges_of,
    take,
    taken,
    used,
)
from rooroute.scripted_provider import Answer, Fail, Hang, Step
from rooroute.unanswered import duration_words
from tests.house import HELLO, Clock, Heard, house, until_noon

T = TypeVar("T")
TWO = {"A": [Answer("A.")], "B": [Answer("B.")]}
AT = 1_800_000_000.0


@pytest.mark.parametrize(
    "limits",
    [
        Limits(requests_per_minute=2),
        Limits(requests_per_hour=2),
        Limits(requests_per_day=2),
        Limits(requests_per_second=0.01, burst=2),
        Limits(tokens_per_minute=1_020),
        Limits(tokens_per_hour=1_020),
        Limits(tokens_per_day=1_020),
    ],
    ids=["rpm", "rph", "rpd", "rps-with-burst", "tpm", "tph", "tpd"],
)
async def test_at_a_limit_the_next_profile_answers_and_nothing_is_marked(tmp_path: Path, limits: Limits) -> None:
    async with house(tmp_path, TWO, profiles={"A": {"limits": limits}}) as h:
        h.clock.ahead = until_noon(h.clock.now())
        order = [
            (await h.ask(request=ChatRequest(HELLO.messages, max_tokens=500), session=f"s{n}"))["profileId"]
            for n in range(86 if limits.tokens_per_minute or limits.tokens_per_hour or limits.tokens_per_day else 3)
        ]
        assert order[:2] == ["A", "A"] and order[-1] == "B"
        assert not h.state.snapshot().marks
        assert h.asked_with() == order, "who is at a limit is not even asked"


async def test_a_limit_opens_again_when_its_window_has_passed(tmp_path: Path) -> None:
    async with house(tmp_path, TWO, profiles={"A": {"limits": Limits(requests_per_minute=1)}}) as h:
        order = []
        for ahead in (0, 30, 66):
            h.clock.ahead = ahead
            order.append((await h.ask(session=str(ahead)))["profileId"])
        assert order == ["A", "B", "A"]


async def test_concurrent_requests_are_counted_and_let_go(tmp_path: Path) -> None:
    scripts = {"A": [Answer("A.", first_delay=2.0), Answer("A.")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, profiles={"A": {"limits": Limits(concurrent_requests=1)}}) as h:
        first = asyncio.create_task(h.ask(session="one"))
        async with asyncio.timeout(10):
            while not h.asked_with():
                await asyncio.sleep(0.01)
        assert (await h.ask(session="two"))["profileId"] == "B"
        assert (await first)["profileId"] == "A"
        assert (await h.ask(session="three"))["profileId"] == "A"


async def test_a_profile_at_its_limit_is_free_to_be_tried_by_the_next_after_its_rest(tmp_path: Path) -> None:
    scripts: dict[str, Sequence[Step]] = {"A": [Fail("rate-limit", retry_delay=10), Answer("A.")], "B": [Answer("B.")]}
    async with house(tmp_path, scripts, profiles={"A": {"limits": Limits(requests_per_minute=1)}}) as h:
        order = []
        for ahead in (0, 20, 70):
            h.clock.ahead = ahead
            order.append((await h.ask(session=str(ahead)))["profileId"])
            assert not h.state.snapshot().leases, "nobody is being tried when the request is over"
        assert order == ["B", "B", "A"]
        assert h.asked_with() == ["A", "B", "B", "A"]


async def test_a_cancelled_request_gives_its_place_back(tmp_path: Path) -> None:
    async with house(
        tmp_path, {"A": [Hang(), Answer("A.")]}, profiles={"A": {"limits": Limits(concurrent_requests=1)}}
    ) as h:
        task = asyncio.create_task(h.ask(session="one"))
        async with asyncio.timeout(10):
            while not h.asked_with():
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(Cancelled):
            await task
        assert (await h.ask(session="two"))["profileId"] == "A"


async def test_what_never_reached_its_provider_took_nothing_of_a_limit(tmp_path: Path) -> None:
    limits = Limits(requests_per_day=1, tokens_per_day=10_000)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/v1beta"
        async with house(tmp_path, TWO, profiles={"A": {"base_url": nowhere, "limits": limits}}) as h:
            assert (await h.ask())["profileId"] == "B"
            assert h.asked_with() == ["B"]
            h.completions.limiter.tidy()
            counters = await h.state.counters()
            gauges = gauges_of("profile:A", limits, None)
            assert [used(each, counters, h.clock.now()) for each in gauges] == [0, 0]


@pytest.mark.parametrize("where", ["profile", "pool", "tag", "tag-of-the-request"])
async def test_a_budget_in_money_is_kept(tmp_path: Path, where: str) -> None:
    """An answer costs 7 of input at $1 and 5 of output at $100 per million = $0.000507; the budget has room for two such."""
    budget = Budget(per_day=0.0012)
    price: dict[str, Any] = {"price": Price(input=1, output=100), "tags": ("paid",) if where == "tag" else ()}
    profiles = {"A": {**price, **({"budget": budget} if where == "profile" else {})}, "B": {}}
    pool = {"budget": budget} if where == "pool" else {}
    options: dict[str, Any] = {"tags": ("team",)} if where == "tag-of-the-request" else {}
    request = ChatRequest(HELLO.messages, max_tokens=5)
    tags = {"tag": {"paid": budget}, "tag-of-the-request": {"team": budget}}
    defaults = Defaults(budgets=tags.get(where, {}))
    async with house(tmp_path, TWO, profiles=profiles, pool=pool, defaults=defaults) as h:
        h.clock.ahead = until_noon(h.clock.now())
        outcomes = []
        for number in range(3):
            try:
                outcomes.append((await h.ask(request=request, session=f"s{number}", **options))["profileId"])
            except BudgetExceeded as spent:
                outcomes.append(spent.kind)
        assert outcomes == ["A", "A", "B"], "who costs nothing is still asked"


async def test_a_request_that_is_too_large_for_what_is_left_says_both_sums(tmp_path: Path) -> None:
    """As above; the third is estimated at $0.000507 where $0.000186 is left."""
    profiles = {"A": {"price": Price(input=1, output=100), "budget": Budget(per_day=0.0012)}}
    request = ChatRequest(HELLO.messages, max_tokens=5)
    async with house(tmp_path, TWO, profiles=profiles) as h:
        h.clock.ahead = until_noon(h.clock.now())
        for name in ("one", "two", "three"):
            await h.ask(request=request, session=name, request_id=name)
        (why, *_) = await h.state.latest_requests()
        told = {each["profileId"]: each.get("excludedBy", "") for each in why["candidates"]}
    assert re.fullmatch(
        r"is too near the budget of \$0\.0012 per day \(about \$0\.0005\d wanted, \$0\.00019 left, room at \S+Z\)",
        told["A"],
    )


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(requests_per_second=0.2, burst=2), "0.2 requests per second (12 a minute), in bursts of 2"),
        (Limits(requests_per_second=0.3), "0.3 requests per second (18 a minute)"),
        (Limits(requests_per_second=2.5), "2.5 requests per second"),
        (Limits(requests_per_second=3, burst=1), "3 requests per second, in bursts of 1"),
        (Limits(requests_per_minute=2), "2 requests per minute"),
    ],
    ids=["slow-in-bursts", "slow", "no-whole-number", "evenly", "minute"],
)
def test_a_limit_is_told_as_it_was_set(limits: Limits, told: str) -> None:
    (gauge,) = gauges_of("profile:A", limits, None)
    assert gauge.words == f"is at the limit of {told}"


@pytest.mark.parametrize(
    ("left", "wanted", "told"),
    [
        (0.0, 0.5, "is at the budget of $5 per day (nothing left, "),
        (1e-16, 0.5, "is at the budget of $5 per day (nothing left, "),
        (0.00002, 0.5, "is too near the budget of $5 per day (about $0.5000 wanted, $0.000020 left, "),
        (1.25, 4, "is too near the budget of $5 per day (about $4.0000 wanted, $1.2500 left, "),
    ],
    ids=["nothing", "what-fractions-leave", "next-to-nothing", "too-little"],
)
def test_what_is_left_is_never_told_as_nothing_nor_nothing_as_left(left: float, wanted: float, told: str) -> None:
    (gauge,) = gauges_of("profile:A", None, Budget(per_day=5))
    assert Refused(gauge, AT + 60, left, wanted).words.startswith(told)


async def test_when_everybody_is_at_a_limit_the_error_says_so_and_when_there_is_room(tmp_path: Path) -> None:
    pool = {"limits": Limits(requests_per_hour=1)}
    async with house(tmp_path, TWO, pool=pool) as h:
        await h.ask()
        with pytest.raises(BudgetExceeded) as caught:
            await h.ask()
        assert "retryAt" in caught.value.data
        assert "limit of its pool of 1 requests per hour" in str(caught.value.data["profiles"])


async def test_a_short_limit_is_waited_for(tmp_path: Path) -> None:
    profiles = {"A": {"limits": Limits(requests_per_second=2, burst=1)}}
    async with house(tmp_path, {"A": [Answer()]}, profiles=profiles, pool={"max_wait": 30}) as h:
        await h.ask()
        assert (await h.ask())["profileId"] == "A"


async def test_the_machines_retry_budget_ends_asking_the_same_one_again(tmp_path: Path) -> None:
    scripts: Mapping[str, Sequence[Step]] = {"A": [Fail("server-error"), Answer(), Fail("server-error"), Answer()]}
    async with house(tmp_path, scripts, defaults=Defaults(retries_per_minute=1)) as h:
        await h.ask()
        assert h.asked_with() == ["A", "A"]
        with pytest.raises(AttemptsExhausted):
            await h.ask()
        assert h.asked_with() == ["A", "A", "A"]


# --- blocks ---


async def open_store(folder: Path) -> StateStore:
    store = StateStore(folder / "state.db", f"pid:{folder}", clock=Clock().now, alive=lambda _: True)
    await asyncio.to_thread(store.open)
    return store


async def test_the_healthy_path_does_not_write_per_request(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    writes = 0
    inner = store.count

    async def counted(*args: Any) -> Any:
        nonlocal writes
        writes += 1
        return await inner(*args)

    store.count = counted  # type: ignore[method-assign,assignment]
    limiter = Limiter(store, lambda: AT)
    gauges = gauges_of("profile:A", Limits(requests_per_minute=10_000, concurrent_requests=5), Budget(per_day=100.0))
    for _ in range(300):
        held = await limiter.reserve(gauges, Amounts(cost=0.01))
        assert isinstance(held, Reservation)
        limiter.settle(held, Amounts(cost=0.005))
    assert writes < 30
    await store.close()


async def test_what_was_not_used_is_given_back_and_what_was_overrun_is_charged(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    limiter, other = Limiter(store, lambda: AT), Limiter(store, lambda: AT)
    (gauge,) = gauges_of("profile:A", Limits(tokens_per_minute=1_000), None)
    held = await limiter.reserve((gauge,), Amounts(tokens=900))
    assert isinstance(held, Reservation)
    limiter.settle(held, Amounts(tokens=100))
    assert isinstance(await limiter.reserve((gauge,), Amounts(tokens=800)), Reservation), (
        "the rest is this window's still"
    )
    assert isinstance(await other.reserve((gauge,), Amounts(tokens=200)), Refused)
    (wide,) = gauges_of("profile:B", Limits(tokens_per_minute=1_000), None)
    held = await limiter.reserve((wide,), Amounts(tokens=100))
    assert isinstance(held, Reservation)
    limiter.settle(held, Amounts(tokens=950))
    refused = await other.reserve((wide,), Amounts(tokens=100))
    assert isinstance(refused, Refused) and refused.until > AT
    await store.close()


async def test_a_request_refused_by_one_limit_takes_nothing_of_the_others(tmp_path: Path) -> None:
    store = await open_store(tmp_path)
    limiter = Limiter(store, lambda: AT)
    gauges = gauges_of("profile:A", Limits(requests_per_minute=2, tokens_per_minute=100), None)
    assert isinstance(await limiter.reserve(gauges, Amounts(tokens=90)), Reservation)
    assert isinstance(await limiter.reserve(gauges, Amounts(tokens=90)), Refused)
    assert isinstance(await limiter.reserve(gauges, Amounts(tokens=10)), Reservation), (
        "the second request is still there"
    )
    await store.close()


async def test_the_places_of_a_dead_process_are_free(tmp_path: Path) -> None:
    living = {"one", "two"}

    def store_of(name: str) -> StateStore:
        return StateStore(tmp_path / "state.db", name, clock=Clock().now, alive=lambda each: each in living)

    one, two = store_of("one"), store_of("two")
    await asyncio.gather(asyncio.to_thread(one.open), asyncio.to_thread(two.open))
    gauges = gauges_of("profile:A", Limits(concurrent_requests=1), None)
    assert isinstance(await Limiter(one, Clock().now).reserve(gauges, Amounts()), Reservation)
    assert isinstance(await Limiter(two, Clock().now).reserve(gauges, Amounts()), Refused)
    living.discard("one")
    assert isinstance(await Limiter(two, Clock().now).reserve(gauges, Amounts()), Reservation)
    await one.close()
    await two.close()


class Shared:
    """Counters of several windows, in memory, and a clock that they go by."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.at = AT

    def now(self) -> float:
        return self.at

    async def count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        count, value = decide(self.counters)
        self.note_count(count)
        return value

    def note_count(self, count: Count) -> None:
        self.counters = counted(self.counters, count, "window")


async def test_what_lies_unused_with_a_window_is_not_told_as_used() -> None:
    shared = Shared()
    windows = [Limiter(shared, shared.now) for _ in range(3)]
    (gauge,) = gauges_of("profile:A", Limits(requests_per_minute=50), None)
    for number, window in enumerate(windows * 4, start=1):
        held = await window.reserve((gauge,), Amounts())
        assert isinstance(held, Reservation)
        for each in windows:
            each.tidy()
        assert used(gauge, shared.counters, shared.at) == number
    assert taken(gauge, shared.counters, shared.at) > 12, "and so much is leased"
    shared.at += 30
    for window in windows:
        window.tidy()
    assert taken(gauge, shared.counters, shared.at) == 12, "what lapsed is everybody's again"


async def test_a_window_that_closes_gives_back_what_it_leased() -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", None, Budget(per_month=10.0))
    window = Limiter(shared, shared.now)
    for _ in range(5):
        held = await window.reserve((gauge,), Amounts(cost=0.1))
        assert isinstance(held, Reservation)
        window.settle(held, Amounts(cost=0.05))
    assert taken(gauge, shared.counters, shared.at) > 0.26
    window.close()
    assert taken(gauge, shared.counters, shared.at) == pytest.approx(0.25)
    assert used(gauge, shared.counters, shared.at) == pytest.approx(0.25)


async def test_what_a_request_reserved_and_did_not_need_is_everybodys_again_at_once() -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", None, Budget(per_day=1.0))
    window, other = Limiter(shared, shared.now), Limiter(shared, shared.now)
    held = await window.reserve((gauge,), Amounts(cost=0.8))
    assert isinstance(held, Reservation)
    window.settle(held, Amounts(cost=0.01))
    window.tidy()
    shared.at += 1
    assert isinstance(await other.reserve((gauge,), Amounts(cost=0.9)), Reservation)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(requests_per_minute=1), "65 seconds"),
        (Limits(requests_per_hour=1), "61 minutes"),
        (Limits(requests_per_day=1), "24 hours"),
    ],
    ids=["minute", "hour", "day"],
)
async def test_nobody_is_told_to_wait_for_much_longer_than_a_limits_time(limits: Limits, words: str) -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", limits, None)
    shared.at = gauge.leaves(gauge.bucket(AT))  # where a bucket begins, which is the worst case
    window = Limiter(shared, shared.now)
    assert isinstance(await window.reserve((gauge,), Amounts()), Reservation)
    refused = await window.reserve((gauge,), Amounts())
    assert isinstance(refused, Refused)
    assert duration_words(refused.until - shared.at) == words
    shared.at = refused.until
    assert isinstance(await window.reserve((gauge,), Amounts()), Reservation), "and then there is room"


async def test_what_was_not_sent_is_free_again_though_the_time_of_its_bucket_is_over() -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", Limits(requests_per_day=1), None)
    window = Limiter(shared, shared.now)
    shared.at = gauge.ends(gauge.bucket(AT)) - 1
    held = await window.reserve((gauge,), Amounts())
    assert isinstance(held, Reservation)
    window.release(held)
    shared.at += 2
    assert isinstance(await window.reserve((gauge,), Amounts()), Reservation)
    assert isinstance(await window.reserve((gauge,), Amounts()), Refused), "one is one"


async def test_a_window_that_is_only_open_keeps_nothing_of_a_budget() -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", Limits(requests_per_day=100), None)
    window = Limiter(shared, shared.now)
    for _ in range(12):
        assert isinstance(await window.reserve((gauge,), Amounts()), Reservation)
    window.tidy()
    assert taken(gauge, shared.counters, shared.at) > 12, "some is leased ahead for the next request"
    shared.at += 61
    window.tidy()
    assert taken(gauge, shared.counters, shared.at) == used(gauge, shared.counters, shared.at) == 12


async def test_what_a_long_answer_did_not_need_is_given_back_though_its_block_has_lapsed() -> None:
    shared = Shared()
    (gauge,) = gauges_of("profile:A", Limits(tokens_per_minute=1_000), None)
    window, other = Limiter(shared, shared.now), Limiter(shared, shared.now)
    held = await window.reserve((gauge,), Amounts(tokens=900))
    assert isinstance(held, Reservation)
    shared.at += 20
    assert isinstance(await other.reserve((gauge,), Amounts(tokens=800)), Refused)
    window.settle(held, Amounts(tokens=100))
    window.tidy()
    shared.at += 1
    assert used(gauge, shared.counters, shared.at) == 100
    assert isinstance(await other.reserve((gauge,), Amounts(tokens=800)), Reservation)


@pytest.mark.parametrize("most", [1, 100])
async def test_after_a_clock_was_ahead_as_much_passes_as_the_limit_allows(most: int) -> None:
    shared = Shared()
    window = Limiter(shared, shared.now)
    (gauge,) = gauges_of("profile:A", Limits(requests_per_minute=most), None)
    shared.at += 8 * 3600
    while isinstance(await window.reserve((gauge,), Amounts()), Reservation):
        pass
    shared.at = AT
    for _ in range(most):
        assert isinstance(await window.reserve((gauge,), Amounts()), Reservation)
    assert isinstance(await window.reserve((gauge,), Amounts()), Refused)
    assert taken(gauge, shared.counters, shared.at) == most


async def test_after_a_clock_was_ahead_what_lies_idle_is_everybodys() -> None:
    shared = Shared()
    here, there = Limiter(shared, shared.now), Limiter(shared, shared.now)
    gauges = gauges_of("profile:A", Limits(concurrent_requests=1, requests_per_hour=20), None)
    shared.at += 8 * 3600
    held = await here.reserve(gauges, Amounts())
    assert isinstance(held, Reservation)
    here.settle(held, Amounts())
    shared.at = AT
    here.tidy()
    assert isinstance(await there.reserve(gauges, Amounts()), Reservation)
    shared.at += 8 * 3600
    assert taken(gauges[0], shared.counters, shared.at) == 1, "nothing is leased ahead there any more"


class Slow(Shared):
    """Others run while the counters are asked."""

    async def count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        await asyncio.sleep(0)
        value = await super().count(holders, decide)
        await asyncio.sleep(0)
        return value


@pytest.mark.parametrize("windows", [1, 2])
@pytest.mark.parametrize("most", [10, 40, 100])
async def test_of_many_requests_at_once_exactly_as_many_pass_as_the_limit_allows(most: int, windows: int) -> None:
    shared = Slow()
    gauges = gauges_of("profile:A", Limits(requests_per_minute=most), None)
    limiters = [Limiter(shared, shared.now) for _ in range(windows)]
    found = await asyncio.gather(*(each.reserve(gauges, Amounts()) for _ in range(120) for each in limiters))
    assert sum(isinstance(each, Reservation) for each in found) == most
    assert taken(gauges[0], shared.counters, shared.at) == most


async def test_a_refusal_does_not_outweigh_what_the_window_has_itself() -> None:
    shared = Shared()
    gauges = gauges_of("profile:A", Limits(requests_per_minute=1), None)
    window = Limiter(shared, shared.now)
    held = await window.reserve(gauges, Amounts())
    assert isinstance(held, Reservation)
    assert isinstance(await window.reserve(gauges, Amounts()), Refused)
    window.release(held)
    assert isinstance(await window.reserve(gauges, Amounts()), Reservation), "it is there again"


async def test_what_is_given_back_while_the_counters_are_asked_is_found() -> None:
    shared = Slow()
    gauges = gauges_of("profile:A", Limits(requests_per_minute=1), None)
    window = Limiter(shared, shared.now)
    held = await window.reserve(gauges, Amounts())
    assert isinstance(held, Reservation)
    asked = asyncio.create_task(window.reserve(gauges, Amounts()))
    await asyncio.sleep(0)
    window.release(held)
    assert isinstance(await asked, Reservation)


@pytest.mark.parametrize(
    "limits",
    [Limits(concurrent_requests=1), Limits(requests_per_day=1), Limits(tokens_per_minute=100)],
    ids=["at-once", "requests", "tokens"],
)
async def test_who_is_cancelled_while_the_counters_are_asked_takes_nothing(tmp_path: Path, limits: Limits) -> None:
    store = await open_store(tmp_path)
    here, there = Limiter(store, lambda: AT), Limiter(store, lambda: AT)
    gauges = gauges_of("profile:A", limits, None)
    asked = asyncio.create_task(here.reserve(gauges, Amounts(tokens=100)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(here.reserve(gauges, Amounts(tokens=100)))
    await asyncio.sleep(0)
    asked.cancel()
    waiting.cancel()
    found = await asyncio.gather(asked, waiting, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in found)
    held = await here.reserve(gauges, Amounts(tokens=100))
    assert isinstance(held, Reservation)
    assert isinstance(await there.reserve(gauges, Amounts(tokens=100)), Refused)
    here.release(held)
    here.close()
    third = Limiter(store, lambda: AT)
    assert isinstance(await third.reserve(gauges, Amounts(tokens=100)), Reservation), "and other windows may have it"
    await store.close()


@settings(max_examples=12, deadline=None)
@given(chance=st.randoms(use_true_random=True))
async def test_however_windows_take_settle_and_give_back_no_more_passes_than_the_limit(chance: Any) -> None:
    """What was really used within any minute, by windows that come and go, at estimates of which less is used."""
    shared = Shared()
    (gauge,) = gauges_of("profile:A", Limits(tokens_per_minute=1_000), None)
    windows = [Limiter(shared, shared.now) for _ in range(4)]
    passed: list[tuple[float, float]] = []
    running: list[tuple[Limiter, Reservation, float]] = []
    for _ in range(1_500):
        shared.at += chance.expovariate(4.0)
        window = chance.choice(windows)
        match chance.randrange(4):
            case 0 | 1:
                held = await window.reserve((gauge,), Amounts(tokens=chance.randrange(10, 200)))
                if isinstance(held, Reservation):
                    running.append((window, held, shared.at))
            case 2 if running:
                window, held, began = running.pop(chance.randrange(len(running)))
                really = float(chance.randrange(int(held.held[0].amount) + 1))
                window.settle(held, Amounts(tokens=really))
                passed.append((began, really))
            case _:
                window.tidy()
                if chance.random() < 0.1:
                    window.close()
    within = [sum(amount for at, amount in passed if start - 60 < at <= start) for start, _ in passed]
    assert max(within) <= 1_000, "never more than the limit"
    assert max(within) > 500, "and it can be used"
    assert min(shared.counters.used.values()) >= 0


def test_the_next_part_comes_back_when_the_oldest_use_leaves_the_window() -> None:
    (minute,) = gauges_of("profile:A", Limits(requests_per_minute=10), None)
    (day,) = gauges_of("profile:A", None, Budget(per_day=1.0))
    assert comes_back(minute, Counters(), AT) is None, "no window has begun"
    early, late = minute.bucket(AT), minute.bucket(AT + 30)
    counters = Counters({(*minute.key, early): 2.0, (*minute.unused_key, early): 2.0, (*minute.key, late): 1.0})
    assert comes_back(minute, counters, AT + 31) == minute.leaves(late), "what lay unused was no use"
    assert comes_back(day, Counters({(*day.key, day.bucket(AT)): 0.01}), AT) == (AT // 86_400 + 1) * 86_400


_PROCESS = """
import asyncio, sys, time
from collections.abc import Mapping, Sequence
from pathlib import Path
from rooroute.adapters import machine
from rooroute.adapters.state_store import StateStore
from rooroute.limiter import Amounts, Limiter, Reservation
from rooroute.profiles import Budget, Limits
from rooroute.routing.limits import gauges_of

async def main():
    store = StateStore(Path(sys.argv[1]), machine.identity(), clock=time.time)
    store.open()
    limiter = Limiter(store, time.time)
    gauges = gauges_of("profile:A", Limits(requests_per_hour=200, tokens_per_hour=9_000, concurrent_requests=6), Budget(per_month=10.0))
    passed = tokens = 0
    most = now = 0
    end = time.monotonic() + 20
    refused = 0
    while refused < 40 and time.monotonic() < end:
        held = await limiter.reserve(gauges, Amounts(tokens=50, cost=0.05))
        if not isinstance(held, Reservation):
            refused += 1
            await asyncio.sleep(0.01)
            continue
        passed += 1
        tokens += 50
        await asyncio.sleep(0.001)
        limiter.settle(held, Amounts(tokens=50, cost=0.05))
        limiter.tidy(everything=True)
    await store.close()
    print(passed, tokens)

asyncio.run(main())
"""


def test_eight_processes_pass_no_more_than_one_would(tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(tmp_path / "state.db")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    found = [process.communicate(timeout=100)[0].split() for process in running]
    assert all(process.returncode == 0 for process in running)
    passed, tokens = sum(int(each[0]) for each in found), sum(int(each[1]) for each in found)
    assert passed <= 200 and tokens <= 9_000, "nobody passes more"
    assert passed > 90, "and the limit can be used"


# --- gauges ---


def test_within_no_span_can_more_pass_than_the_limit(tmp_path: Path) -> None:
    """Whenever requests come, any window of a minute holds at most the limit."""
    (gauge,) = gauges_of("profile:A", Limits(requests_per_minute=10), None)
    counted_so_far: dict[tuple[str, str, str, int], float] = {}
    passed: list[float] = []
    for step in range(2_000):
        now = AT + step * 0.37
        count, leased = take([Want(gauge, 1.0)], Counters(counted_so_far), now)
        if isinstance(leased, Refused):
            assert leased.until > now
            continue
        passed.append(now)
        for key, (amount, _) in count.add.items():
            counted_so_far[key] = counted_so_far.get(key, 0.0) + amount
    assert max(sum(at - 60 < each <= at for each in passed) for at in passed) <= 10
    assert len(passed) > 2_000 * 0.37 / 60 * 10 * 0.8


def test_a_refusal_names_the_time_at_which_there_is_room() -> None:
    (gauge,) = gauges_of("profile:A", Limits(requests_per_minute=1), None)
    key = (*gauge.key, gauge.bucket(AT))
    _, refused = take([Want(gauge, 1.0)], Counters({key: 1.0}), AT + 1)
    assert isinstance(refused, Refused)
    assert isinstance(take([Want(gauge, 1.0)], Counters({key: 1.0}), refused.until - 0.01)[1], Refused)
    assert not isinstance(take([Want(gauge, 1.0)], Counters({key: 1.0}), refused.until)[1], Refused)


def test_money_goes_by_day_and_month() -> None:
    day, month = gauges_of("profile:A", None, Budget(per_day=1.0, per_month=2.0))
    assert (day.span, month.span) == (Span.CALENDAR_DAY, Span.MONTH)
    new_year = 1_798_761_600.0  # 2027-01-01T00:00:00Z
    assert month.leaves(month.bucket(new_year - 1)) == day.leaves(day.bucket(new_year - 1)) == new_year


def test_a_request_larger_than_the_whole_limit_passes_when_nothing_else_does() -> None:
    gauge = Gauge("profile:A", Measure.TOKENS, Span.MINUTE, 100, 60.0)
    assert Amounts(tokens=5_000).of(gauge) == 100


async def test_a_healthy_request_without_a_limit_writes_nothing_before_its_first_token(tmp_path: Path) -> None:
    """Nor does it read: neither the file nor the writer's queue is touched while nobody waits for them."""
    async with house(tmp_path, {"A": [Answer("one two three")]}) as h:
        await h.ask(session="warm")
        await h.state.attempts()
        written: list[str] = []

        def forbidden(name: str) -> Any:
            def called(*_: Any, **__: Any) -> None:
                written.append(name)
                raise AssertionError(f"{name} was called")

            return called

        before = (tmp_path / "state.db").stat()

        class Watching(Heard):
            def text(self, text: str) -> None:
                after = (tmp_path / "state.db").stat()
                assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
                super().text(text)

        with pytest.MonkeyPatch.context() as patch:
            for name in ("update", "update_soon", "count"):
                patch.setattr(h.state, name, forbidden(name))
            assert (await h.ask(Watching(), session="healthy"))["profileId"] == "A"
        assert not written
