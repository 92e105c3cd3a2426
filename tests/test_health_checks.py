"""Health checks: what they send, what their end teaches, and that one window of the machine makes them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rooroute.health_checks import TAG, HealthChecks
from rooroute.health_status import INPUT_TOKENS, OUTPUT_TOKENS, cost_words, health_json, latest, unwell
from rooroute.ledger import AttemptRecord
from rooroute.profiles import Budget, CheckKind, Configuration, HealthCheck, Limits, Price, Profile
from rooroute.routing.marks import Checked
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail, Hang, Html, Raw, ScriptedProvider, Seen, Step
from rooroute.trial import SMALL_QUESTION
from tests.house import House, house, until_noon
from tests.rpc.client import Client

ON = HealthCheck(enabled=True, interval=30.0, failures=2)
DOWN = Raw((b'{"error":{"message":"Down for maintenance."}}',), status=500)
UP = Answer("Up.")


@dataclass
class Checking:
    house: House
    checks: HealthChecks
    configuration: Configuration

    async def round(self, seconds: float = 31.0) -> None:
        """So much later, everything that is due."""
        self.house.clock.ahead += seconds
        self.checks.look()
        await self.done()

    async def done(self) -> None:
        async with asyncio.timeout(30):
            while running := list(self.checks._running.values()):
                await asyncio.gather(*running)
                await asyncio.sleep(0)

    def change(self, **changes: Any) -> None:
        """Change profile A, as the user does."""
        profiles = {**self.configuration.profiles}
        profiles["A"] = replace(profiles["A"], **changes)
        self.configuration = replace(self.configuration, profiles=profiles)

    def state(self) -> ShownState:
        return self.house.shown("A").state

    @property
    def checked(self) -> Checked | None:
        return self.house.state.snapshot().checks.get("A")

    @property
    def sent(self) -> list[Seen]:
        return [each for each in self.house.provider.requests if each.method == "GET"]

    def health(self) -> dict[str, Any]:
        profile = self.configuration.profiles["A"]
        found = health_json(profile, self.checked, None, self.house.credentials.fingerprint(profile))
        assert found is not None
        return found


@asynccontextmanager
async def checking(
    folder: Path, *steps: Step, check: HealthCheck = ON, others: dict[str, Sequence[Step]] | None = None, **profile: Any
) -> AsyncIterator[Checking]:
    profiles = {"A": {"health_check": check, **profile}}
    async with house(folder, {"A": steps, **(others or {})}, dialect="openai", profiles=profiles) as built:
        found: Checking
        ports = replace(built.ports, configuration=lambda: found.configuration)
        checks = HealthChecks(ports, ports.upstream, built.completions.limiter, built.window.measurements)  # type: ignore[arg-type]
        found = Checking(built, checks, built.configuration)
        try:
            yield found
        finally:
            await checks.close()


async def test_nothing_is_sent_where_the_user_did_not_ask_for_it(tmp_path: Path) -> None:
    async with checking(tmp_path, UP, check=HealthCheck()) as it:
        await it.round()
        assert not it.house.provider.requests


async def test_a_healthy_provider_is_asked_for_its_list_once_per_interval(tmp_path: Path) -> None:
    async with checking(tmp_path, UP) as it:
        await it.round()
        await it.round(10)
        assert [seen.path for seen in it.sent] == ["/v1/models"]
        assert it.sent[0].key == "A"
        await it.round(21)
        assert len(it.sent) == 2
        found = it.health()
        assert (found["source"], found["status"], found["error"], found["failures"]) == ("check", "healthy", None, 0)
        assert found["latencyMs"] > 0
        assert found["lastCheck"]
        assert found["sends"] == "Asks for its list of models every 30 seconds, which costs no tokens."
        assert await it.house.state.attempts() == []


async def test_failures_in_a_row_rest_the_profile_until_the_next_check_and_a_success_heals_it(tmp_path: Path) -> None:
    async with checking(tmp_path, DOWN, others={"B": [UP]}) as it:
        await it.round()
        assert it.state() is ShownState.ACTIVE
        assert it.health()["status"] == "degraded"
        await it.round()
        assert it.state() is ShownState.COOLDOWN
        assert it.health()["status"] == "unhealthy"
        assert it.health()["error"] == "HTTP 500: Down for maintenance."
        until = it.house.shown("A").until
        assert until is not None
        assert 25 <= until - it.house.clock.now() <= 30
        answer = await it.house.ask()
        assert answer["profileId"] == "B"
        await it.round()
        assert it.state() is ShownState.COOLDOWN
        it.house.provider.script("A", UP)
        await it.round()
        assert it.state() is ShownState.ACTIVE
        assert it.health()["status"] == "healthy"


async def test_a_success_heals_what_a_request_met_but_never_a_time_the_provider_told(tmp_path: Path) -> None:
    told = Fail("rate-limit", retry_delay=600)
    async with checking(tmp_path, Fail("overloaded"), others={"B": [UP]}) as it:
        await it.house.ask()
        assert it.state() is ShownState.COOLDOWN
        it.house.provider.script("A", told)
        await it.round(1)
        assert it.state() is ShownState.ACTIVE
        assert (await it.house.ask(session="another"))["profileId"] == "B"
        assert it.state() is ShownState.COOLDOWN
        until = it.house.shown("A").until
        await it.round()
        assert len(it.sent) == 2
        assert it.health()["status"] == "healthy"
        assert (it.state(), it.house.shown("A").until) == (ShownState.COOLDOWN, until)


async def test_an_unhinted_rate_limit_is_not_healed_by_a_list(tmp_path: Path) -> None:
    async with checking(tmp_path, Fail("rate-limit"), others={"B": [UP]}) as it:
        await it.house.ask()
        await it.round(1)
        assert it.health()["status"] == "healthy"
        assert it.state() is ShownState.COOLDOWN


async def test_a_profile_that_is_switched_off_is_never_checked(tmp_path: Path) -> None:
    async with checking(tmp_path, UP) as it:
        it.change(enabled=False)
        await it.round()
        assert not it.house.provider.requests


async def test_what_is_heard_after_the_switch_went_off_teaches_nothing(tmp_path: Path) -> None:
    async with checking(tmp_path, Hang()) as it:
        it.checks.look()
        async with asyncio.timeout(10):
            while not it.sent:
                await asyncio.sleep(0.01)
        it.change(enabled=False)
        await it.done()
        assert it.checked is None
        assert not it.house.state.snapshot().leases


async def test_a_hanging_provider_fails_its_check_in_time(tmp_path: Path) -> None:
    check = replace(ON, timeout=0.2, failures=1)
    async with checking(tmp_path, Hang(), check=check, others={"B": [UP]}) as it:
        await it.round()
        assert it.state() is ShownState.COOLDOWN
        assert it.checked is not None
        assert it.checked.seconds is None


EXPECTED: list[tuple[str, HealthCheck, Step, str | None]] = [
    ("another-status-is-a-failure", replace(ON, endpoint="/health", expect_status=(204,)), UP, "204 was expected"),
    ("an-error-is-named-by-its-status", replace(ON, expect_status=(200,)), Raw((b"ok",), status=500), "HTTP 500: ok"),
    ("another-success-is-a-failure", replace(ON, expect_status=(200,)), Raw((), status=204), "200 was expected"),
    ("a-lacking-body-is-a-failure", replace(ON, expect_body="other-model"), UP, "lacks 'other-model'"),
    ("the-expected-body-is-healthy", replace(ON, expect_body="scripted"), UP, None),
    ("the-expected-status-is-healthy", replace(ON, expect_status=(500,)), DOWN, None),
]


@pytest.mark.parametrize(
    ("check", "step", "error"), [each[1:] for each in EXPECTED], ids=[each[0] for each in EXPECTED]
)
async def test_the_user_says_what_is_healthy(tmp_path: Path, check: HealthCheck, step: Step, error: str | None) -> None:
    async with checking(tmp_path, step, check=replace(check, failures=1), others={"B": [UP]}) as it:
        await it.round()
        assert it.checked is not None
        if error is None:
            assert it.checked.error is None
        else:
            assert error in (it.checked.error or "")
        assert it.state() is (ShownState.ACTIVE if error is None else ShownState.COOLDOWN)


NO_EVIDENCE: list[tuple[str, HealthCheck, Step]] = [
    ("a-path-that-is-not-there", replace(ON, endpoint="health"), UP),
    ("a-limit-of-the-lists-own", ON, Raw((b'{"error":{"message":"Too many lists."}}',), status=429)),
    ("a-list-this-key-may-not-see", ON, Raw((b'{"error":{"message":"Missing scope."}}',), status=403)),
    ("a-page-that-wants-a-sign-in", ON, Html(status=200)),
]


@pytest.mark.parametrize(("check", "step"), [each[1:] for each in NO_EVIDENCE], ids=[each[0] for each in NO_EVIDENCE])
async def test_what_says_nothing_of_requests_is_shown_and_rests_nobody(
    tmp_path: Path, check: HealthCheck, step: Step
) -> None:
    async with checking(tmp_path, step, check=replace(check, failures=1), others={"B": [UP]}) as it:
        await it.round()
        await it.round()
        assert it.health()["status"] == "unhealthy"
        assert it.health()["error"]
        assert it.state() is ShownState.ACTIVE


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [("/health", "/health"), ("models", "/v1/models"), ("/", "/"), ("/v1/models?x=1", "/v1/models")],
)
async def test_a_path_is_below_the_host_or_below_the_base_url(tmp_path: Path, endpoint: str, path: str) -> None:
    async with checking(tmp_path, UP, check=replace(ON, endpoint=endpoint)) as it:
        await it.round()
        assert [seen.path for seen in it.sent] == [path]


async def test_a_rejected_key_fails_the_profile_and_is_not_sent_again(tmp_path: Path) -> None:
    check = replace(ON, failures=1)
    async with checking(tmp_path, Fail("invalid-key"), check=check, others={"B": [UP]}) as it:
        for _ in range(4):
            await it.round()
        assert it.state() is ShownState.FAILED
        assert len(it.sent) == 2


async def test_without_a_network_nobody_is_blamed(tmp_path: Path) -> None:
    """Neither host can be reached: the second check of each knows of the other."""
    lost = {"health_check": ON, "base_url": "http://127.0.0.1:9/v1"}
    async with checking(tmp_path, UP, others={"B": [UP]}) as it:
        it.change(**lost)
        profiles = {**it.configuration.profiles}
        profiles["B"] = replace(profiles["B"], health_check=ON, base_url="http://127.0.0.2:9/v1")
        it.configuration = replace(it.configuration, profiles=profiles)
        for _ in range(3):
            await it.round()
        checks = it.house.state.snapshot().checks
        assert {each.failures for each in checks.values()} <= {0, 3}
        assert not it.house.state.snapshot().marks


async def test_an_answer_costs_tokens_counts_in_the_ledger_and_tells_how_quick_it_was(tmp_path: Path) -> None:
    check = replace(ON, sends=CheckKind.COMPLETION)
    price = Price(input=1.0, output=2.0)
    async with checking(tmp_path, UP, check=check, price=price, tags=("work",)) as it:
        await it.round()
        (record,) = await it.house.state.attempts()
        assert (record.profile_id, record.verdict, record.tags) == ("A", "ok", ("work", TAG))
        assert record.cost
        assert record.first_token_s is not None
        assert it.house.window.measurements.asked_at["A"] == record.at
        assert it.health()["status"] == "healthy"
        told = it.health()["sends"]
        assert "up to 2,880 times a day" in told
        assert f"at most {OUTPUT_TOKENS} out, $0.12 a day at most." in told


async def test_an_answer_is_not_asked_of_who_rests_for_a_quota(tmp_path: Path) -> None:
    check = replace(ON, sends=CheckKind.COMPLETION)
    async with checking(tmp_path, Fail("rate-limit", retry_delay=600), check=check, others={"B": [UP]}) as it:
        await it.house.ask()
        before = len(it.house.provider.requests)
        await it.round()
        assert len(it.house.provider.requests) == before


@pytest.mark.parametrize(
    "bound",
    [{"limits": Limits(requests_per_day=1)}, {"budget": Budget(per_day=0.00001), "price": Price(input=1, output=1)}],
)
async def test_an_answer_keeps_within_the_users_limits(tmp_path: Path, bound: dict[str, Any]) -> None:
    check = replace(ON, sends=CheckKind.COMPLETION)
    async with checking(tmp_path, UP, check=check, **bound) as it:
        it.house.clock.ahead = until_noon(it.house.clock.now())
        await it.round()
        await it.round()
        assert len(it.house.provider.requests) <= 1
        assert it.checked is not None
        assert it.checked.failures == 0
        assert it.checked.error is not None
        assert it.checked.error.startswith("Not checked: A is at the")


async def test_a_check_without_a_key_says_so_and_sends_nothing(tmp_path: Path) -> None:
    async with checking(tmp_path, UP) as it:
        it.change(provider="openai")
        it.house.keys.keys.clear()
        await it.round()
        assert not it.house.provider.requests
        assert "has no key" in it.health()["error"]
        assert it.checked is not None
        assert it.checked.failures == 0


def test_the_cost_told_is_that_of_the_question() -> None:
    assert SMALL_QUESTION.max_tokens == OUTPUT_TOKENS
    assert sum(len(str(each.content)) for each in SMALL_QUESTION.messages) / 4 < INPUT_TOKENS
    profile = Profile(id="x", provider="openai", health_check=HealthCheck(sends=CheckKind.COMPLETION, interval=1))
    assert "every second" in cost_words(profile)
    assert "at the provider's price" in cost_words(profile)
    own = replace(profile, health_check=HealthCheck(endpoint="/health"))
    assert cost_words(own) == "Sends GET /health every 60 seconds, which costs no tokens."


def test_without_checks_health_is_what_the_last_request_met() -> None:
    def attempt(at: float, verdict: str, **more: Any) -> AttemptRecord:
        return AttemptRecord(
            request_id="r", n=1, at=at, pool_id=None, profile_id="A", model="m", verdict=verdict, **more
        )

    profile = Profile(id="A", provider="openai")
    good = attempt(0.0, "ok", first_token_s=0.1451)
    bad = attempt(60.0, "overload", detail="Try later.")
    told = {"source": "request", "status": "healthy", "lastCheck": "1970-01-01T00:00:00.000Z", "error": None}
    assert health_json(profile, None, latest([bad, good])["A"], "") == {**told, "latencyMs": 145.1}
    found = health_json(profile, None, latest([good, bad, attempt(90.0, "cancelled")])["A"], "")
    assert found == {
        "source": "request",
        "status": "unhealthy",
        "lastCheck": "1970-01-01T00:01:00.000Z",
        "error": "Try later.",
    }
    assert health_json(profile, None, None, "") is None


def test_only_who_is_checked_and_failed_often_enough_is_a_problem() -> None:
    profile = Profile(id="A", provider="openai", health_check=ON)
    checked = Checked(profile_id="A", at=0.0, endpoint="", fingerprint="key", failures=2, error="Down.")
    configuration = Configuration(profiles={"A": profile})
    (problem,) = unwell(configuration, {"A": checked})
    assert problem.message == "A has failed 2 health checks in a row: Down."
    assert not list(unwell(configuration, {"A": replace(checked, failures=1)}))
    for changed in (replace(profile, enabled=False), replace(profile, health_check=HealthCheck())):
        assert not list(unwell(Configuration(profiles={"A": changed}), {"A": checked}))
    assert not list(unwell(Configuration(), {"A": checked}))
    unknown = health_json(profile, checked, None, "another key")
    assert unknown is not None
    assert unknown["status"] == "unknown"


async def test_a_request_that_cannot_be_built_gives_back_what_it_held(tmp_path: Path) -> None:
    check = replace(ON, sends=CheckKind.COMPLETION)
    async with checking(tmp_path, UP, check=check, limits=Limits(requests_per_day=1)) as it:
        # The two rounds lie on both sides of an hour at which the limit begins to count anew.
        it.house.clock.ahead = until_noon(it.house.clock.now()) - 10 - 1.5 * 31
        it.change(options={"requestFields": {"set": {"x": float("nan")}}})
        await it.round()
        assert it.checked is not None
        assert it.checked.error
        assert it.checked.failures == 0
        it.change(options={})
        await it.round()
        assert it.checked is not None
        assert it.checked.error is None
        assert len(it.house.provider.requests) == 1


# --- through the protocol ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    return {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session", "KEY_A": "A"}


SERVE = (sys.executable, "-m", "rooroute", "serve")


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():
            await asyncio.sleep(0.05)


async def test_one_window_checks_for_all_and_another_goes_on_when_it_is_gone(home: dict[str, str]) -> None:
    async with ScriptedProvider({"A": [UP]}) as provider, await Client.start(SERVE, env=home) as second:
        await second.initialize()
        async with await Client.start(SERVE, env=home) as first:
            await first.initialize()
            check = {"enabled": True, "interval": 1, "timeout": 1, "failures": 1}
            profile = {
                "id": "A",
                "provider": "openai-compatible",
                "baseUrl": provider.base_url("openai"),
                "model": "m",
                "healthCheck": check,
            }
            await first.request("rooroute/profiles/save", {"profile": profile, "apiKey": "${KEY_A}"})

            async def checked_often() -> bool:
                return len(provider.requests) >= 5

            await until(checked_often)
            times = [seen.at for seen in provider.requests]
            assert min(later - sooner for sooner, later in pairwise(times)) >= 0.9
            for client in (first, second):
                (status,) = (await client.request("rooroute/status"))["profiles"]
                assert (status["health"]["status"], status["health"]["source"]) == ("healthy", "check")
        made = len(provider.requests)

        async def goes_on() -> bool:
            return len(provider.requests) > made + 1

        await until(goes_on)
        provider.script("A", DOWN)

        async def told() -> bool:
            found = await second.request("rooroute/status")
            words = [each["message"] for each in found["problems"] if each.get("profileId") == "A"]
            return any("health checks in a row" in each for each in words) and (
                found["profiles"][0]["health"]["status"] == "unhealthy"
            )

        await until(told)


@pytest.mark.parametrize(
    ("check", "field"),
    [
        ({"interval": 0}, "interval"),
        ({"timeout": 0}, "timeout"),
        ({"failures": 0}, "failures"),
        ({"endpoint": "https://elsewhere/health"}, "endpoint"),
        ({"endpoint": "//elsewhere"}, "endpoint"),
        ({"endpoint": "/../x"}, "endpoint"),
        ({"expectStatus": [99]}, "expectStatus"),
        ({"sends": "completion", "endpoint": "/health"}, "sends"),
    ],
)
def test_a_senseless_check_is_refused_with_its_field(check: dict[str, Any], field: str) -> None:
    from rooroute.adapters.config_reading import PROFILE
    from rooroute.profile_checks import check_profile

    profile = PROFILE.validate_python({"id": "a", "provider": "openai", "healthCheck": check})
    (problem,) = check_profile(profile)
    assert problem.field == f"healthCheck.{field}"
    assert problem.remedy
