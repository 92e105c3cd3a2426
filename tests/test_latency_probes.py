"""Latency probes: whom they ask and when, that they are paid for within the user's limits, and that one window of the machine sends them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rooroute.health_status import INPUT_TOKENS, OUTPUT_TOKENS, probe_words
from rooroute.latency_probes import TAG, LatencyProbes
from rooroute.profiles import (
    Budget,
    Configuration,
    Failover,
    LastResort,
    Latency,
    Limits,
    Pool,
    Price,
    Profile,
    Strategy,
)
from rooroute.routing.checks import check_routing
from rooroute.routing.limits import used
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider, Step
from tests.house import House, house, until_noon
from tests.rpc.client import Client

UP = Answer("OK.")
TWO: Mapping[str, Sequence[Step]] = {"A": [UP], "B": [UP]}
EVERY = 60.0
ON: dict[str, Any] = {"strategy": Strategy.LATENCY, "latency": Latency(probe_every=EVERY, explore_every=0)}


@dataclass
class Probing:
    house: House
    probes: LatencyProbes
    configuration: Configuration

    async def round(self, seconds: float = EVERY + 1) -> list[str]:
        """So much later, everything that is due; who was asked."""
        before = len(self.house.provider.requests)
        self.house.clock.ahead += seconds
        self.probes.look()
        async with asyncio.timeout(30):
            while running := list(self.probes._running.values()):
                await asyncio.gather(*running)
                await asyncio.sleep(0)
        return sorted(seen.key for seen in [*self.house.provider.requests][before:])


@asynccontextmanager
async def probing(
    folder: Path,
    scripts: Mapping[str, Sequence[Step]] = TWO,
    pool: Mapping[str, Any] = ON,
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
) -> AsyncIterator[Probing]:
    async with house(folder, scripts, dialect="openai", pool=pool, profiles=profiles) as built:
        limiter, seen = built.completions.limiter, built.window.measurements
        probes = LatencyProbes(built.ports, built.ports.upstream, limiter, seen, built.state.attempts)  # type: ignore[arg-type]
        try:
            yield Probing(built, probes, built.configuration)
        finally:
            await probes.close()


@pytest.mark.parametrize(
    "pool",
    [
        {"strategy": Strategy.LATENCY},
        {"latency": ON["latency"]},
        {**ON, "enabled": False},
        {**ON, "failover": Failover(enabled=False)},
    ],
    ids=["not-asked-for", "another-strategy", "master-switch-off", "failover-off"],
)
async def test_nobody_is_probed_where_the_user_did_not_ask_for_it_or_it_would_be_of_no_use(
    tmp_path: Path, pool: dict[str, Any]
) -> None:
    async with probing(tmp_path, pool=pool) as it:
        assert await it.round() == []


async def test_who_was_not_asked_for_the_interval_is_asked_a_small_question(tmp_path: Path) -> None:
    async with probing(tmp_path) as it:
        assert await it.round() == ["A", "B"], "never measured"
        assert await it.round(EVERY - 2) == []
        assert await it.round(3) == ["A", "B"]
        asked = it.house.provider.requests[-1].json()
        assert asked["max_tokens"] == OUTPUT_TOKENS


async def test_who_is_measured_by_real_requests_is_not_probed(tmp_path: Path) -> None:
    async with probing(tmp_path) as it:
        await it.round()
        it.house.clock.ahead += EVERY - 5
        answered = (await it.house.ask())["profileId"]
        assert await it.round(6) == [each for each in ("A", "B") if each != answered]


async def test_what_another_window_has_asked_counts_too(tmp_path: Path) -> None:
    async with probing(tmp_path) as it:
        await it.round()
        other = LatencyProbes(
            it.house.ports,
            it.house.ports.upstream,  # type: ignore[arg-type]
            it.house.completions.limiter,
            type(it.house.window.measurements)(),
            it.house.state.attempts,
        )
        mine, it.probes = it.probes, other
        assert await it.round(EVERY / 2) == []
        it.probes = mine


async def test_a_probe_is_measured_and_stands_in_the_ledger_with_its_cost(tmp_path: Path) -> None:
    profiles = {"A": {"price": Price(input=1.0, output=2.0), "tags": ("work",)}}
    async with probing(tmp_path, {"A": [UP]}, profiles=profiles) as it:
        await it.round()
        (record,) = await it.house.state.attempts()
        assert (record.profile_id, record.pool_id, record.verdict, record.tags) == ("A", "default", "ok", ("work", TAG))
        assert record.cost is not None and record.cost > 0
        seen, now = it.house.window.measurements, it.house.clock.now()
        assert seen.first_token("A", it.configuration.pools["default"].latency, now) == record.first_token_s


async def test_a_slow_moment_is_over_as_soon_as_a_probe_says_so(tmp_path: Path) -> None:
    async with probing(tmp_path) as it:
        seen, at = it.house.window.measurements, it.house.clock.now()
        seen.observe("A", at - 1_000, 30.0)
        seen.observe("B", at - 1_000, 5.0)
        await it.round()
        seen.observe("B", it.house.clock.now(), 5.0)
        assert (await it.house.ask())["profileId"] == "A"


async def test_who_rests_is_not_probed_and_what_a_probe_meets_is_taken_as_a_requests_end(tmp_path: Path) -> None:
    scripts: Mapping[str, Sequence[Step]] = {"A": [Fail("rate-limit", retry_delay=600), UP], "B": [UP]}
    async with probing(tmp_path, scripts) as it:
        assert await it.round() == ["A", "B"]
        assert it.house.shown("A").state is ShownState.COOLDOWN
        for _ in range(3):
            assert await it.round() == ["B"]
        assert await it.round(600) == ["B"], "who comes back is tried by a request"


async def test_the_last_resort_and_whom_the_pool_cannot_use_are_not_probed(tmp_path: Path) -> None:
    scripts = {"A": [UP], "B": [UP], "C": [UP], "D": [UP]}
    pool = {**ON, "region": "eu", "last_resort": LastResort(profile="B")}
    eu: dict[str, Any] = {"region": "eu"}
    profiles = {"A": eu, "B": eu, "C": {}, "D": {**eu, "enabled": False}}
    async with probing(tmp_path, scripts, pool, profiles) as it:
        assert await it.round() == ["A"]


@pytest.mark.parametrize(
    ("profile", "pool"),
    [
        ({"limits": Limits(requests_per_day=1)}, {}),
        ({"budget": Budget(per_day=0.00003), "price": Price(input=1, output=1)}, {}),
        ({}, {"limits": Limits(requests_per_day=1)}),
    ],
    ids=["limit", "budget", "the-pools-limit"],
)
async def test_probes_keep_within_the_users_limits(
    tmp_path: Path, profile: dict[str, Any], pool: dict[str, Any]
) -> None:
    async with probing(tmp_path, {"A": [UP]}, {**ON, **pool}, {"A": profile}) as it:
        it.house.clock.ahead = until_noon(it.house.clock.now())
        asked = [await it.round() for _ in range(4)]
        assert asked == [["A"], [], [], []]
        gauges = it.house.completions.limiter.gauges(
            it.configuration, it.configuration.pools["default"], it.configuration.profiles["A"], ()
        )
        counters = await it.house.state.counters()
        assert used(gauges[0], counters, it.house.clock.now()) > 0
        assert not it.house.state.snapshot().marks


async def test_without_a_key_nothing_is_sent(tmp_path: Path) -> None:
    async with probing(tmp_path, {"A": [UP]}) as it:
        profiles = {"A": replace(it.house.configuration.profiles["A"], provider="openai")}
        it.house.configuration = replace(it.house.configuration, profiles=profiles)
        it.house.keys.keys.clear()
        assert await it.round() == []


# --- what it costs ----------------------------------------------------------------------------------------------------------------


def words(**profiles: Price | None) -> str | None:
    made = {each: Profile(id=each, provider="openai", price=price) for each, price in profiles.items()}
    pool = Pool(id="p", profiles=tuple(made), strategy=Strategy.LATENCY, latency=Latency(probe_every=60.0))
    return probe_words(pool, Configuration(profiles=made, pools={"p": pool}))


def test_what_probes_cost_is_told_in_tokens_and_money_a_day() -> None:
    price = Price(input=1.0, output=2.0)
    tokens = 2 * 1_440 * (INPUT_TOKENS + OUTPUT_TOKENS)
    money = 2 * 1_440 * (INPUT_TOKENS * 1.0 + OUTPUT_TOKENS * 2.0) / 1_000_000
    told = words(a=price, b=price)
    assert told is not None
    assert f"up to 2,880 times and {tokens:,} tokens a day, ${money:,.2f} a day at most." in told
    assert "at most, and 1 more at a price that is not known." in (words(a=price, b=None) or "")
    assert "at the providers' prices." in (words(a=None) or "")


def test_a_pool_that_wants_probes_and_cannot_have_them_is_told_so() -> None:
    pool = Pool(id="p", latency=Latency(probe_every=60.0))
    assert "Nobody is probed" in (probe_words(pool, Configuration()) or "")
    assert probe_words(replace(pool, latency=Latency()), Configuration()) is None


def test_an_interval_too_short_is_refused_with_its_field() -> None:
    (problem,) = check_routing(Pool(id="p", latency=Latency(probe_every=1.0)), {}, ())
    assert problem.field == "latency.probeEvery"
    assert problem.remedy


# --- through the protocol ---------------------------------------------------------------------------------------------------------

SERVE = (sys.executable, "-m", "rooroute", "serve")


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():
            await asyncio.sleep(0.1)


async def test_one_window_probes_for_all_and_its_cost_is_named_at_save(tmp_path: Path) -> None:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    home = {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session", "KEY_A": "A"}
    async with (
        ScriptedProvider({"A": [UP]}) as provider,
        await Client.start(SERVE, env=home) as first,
        await Client.start(SERVE, env=home) as second,
    ):
        await first.initialize()
        await second.initialize()
        profile = {
            "id": "A",
            "provider": "openai-compatible",
            "baseUrl": provider.base_url("openai"),
            "model": "m",
            "price": {"input": 1, "output": 2},
        }
        await first.request("rooroute/profiles/save", {"profile": profile, "apiKey": "${KEY_A}"})
        pool = {"id": "default", "profiles": ["A"], "strategy": "latency", "latency": {"probeEvery": 10}}
        saved = await first.request("rooroute/pools/save", {"pool": pool})
        assert "8,640 times and 224,640 tokens a day, $0.36 a day at most." in saved["pool"]["probes"]

        async def probed() -> bool:
            return len(provider.requests) >= 2

        await until(probed)
        times = [seen.at for seen in provider.requests]
        assert min(later - sooner for sooner, later in pairwise(times)) >= 9, "by one of them, and as often as was said"
        (row,) = [
            each for each in (await second.request("rooroute/stats", {"groupBy": "tag"}))["rows"] if each["key"] == TAG
        ]
        assert row["attempts"] >= 1 and row["cost"] > 0
        status = await second.request("rooroute/status")
        assert status["pools"][0]["probes"] == saved["pool"]["probes"]
