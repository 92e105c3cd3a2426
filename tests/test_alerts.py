"""Notices of what goes badly: one for one trouble, and none for a figure that trembles at its threshold."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rooroute.alerts import Notices
from rooroute.ledger import AttemptRecord
from rooroute.profile_checks import check_defaults
from rooroute.profiles import Alerts, Configuration, Defaults, Problem, Profile
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider, Step
from tests.rpc.client import Client, RpcError

NOW = 1_800_000_000.0
ALERTS = Alerts(window=600, attempts=4, error_rate=0.5, first_token=2.0)


def attempts(*verdicts: str, at: float = NOW - 1, seconds: float | None = None) -> list[AttemptRecord]:
    return [
        AttemptRecord(
            request_id="r", n=1, at=at, pool_id=None, profile_id="A", model="m", verdict=each, first_token_s=seconds
        )
        for each in verdicts
    ]


def configuration(alerts: Alerts = ALERTS, **profile: Any) -> Configuration:
    return Configuration(
        profiles={"A": Profile(id="A", provider="openai", **profile)}, defaults=Defaults(alerts=alerts)
    )


def look(notices: Notices, records: list[AttemptRecord], now: float = NOW, **changes: Any) -> list[str]:
    return [each.message for each in notices.look(records, configuration(**changes), now)]


def test_what_fails_often_is_told_with_its_figures() -> None:
    (problem,) = Notices().look(attempts("ok", "overload", "ok", "timeout"), configuration(name="Work"), NOW)
    assert isinstance(problem, Problem)
    assert problem.message == "Work failed 2 of 4 attempts within 10 minutes."
    assert (problem.field, problem.profile_id) == ("alerts.errorRate", "A")
    assert problem.remedy


@pytest.mark.parametrize(
    "records",
    [
        attempts("overload", "overload", "overload"),
        attempts("ok", "ok", "ok", "overload"),
        attempts("cancelled", "request", "context", "policy", "ok"),
        attempts(*["overload"] * 9, at=NOW - 601),
    ],
    ids=["too-few", "below-the-threshold", "nobodys-fault", "long-ago"],
)
def test_what_says_little_raises_nothing(records: list[AttemptRecord]) -> None:
    assert look(Notices(), records) == []


def test_a_notice_stays_in_its_words_until_things_are_clearly_better() -> None:
    notices = Notices()
    bad = look(notices, attempts("ok", "overload", "ok", "overload"))
    assert look(notices, attempts("ok", "ok", "ok", "overload", "overload", "ok", "overload")) == bad, "43 %"
    assert look(notices, attempts("ok", "ok", "overload", "overload", "overload", "overload")) == bad, "67 %, not anew"
    assert look(notices, attempts("ok", "ok", "ok", "overload")) == [], "25 %"
    assert look(notices, attempts("ok", "ok", "ok", "overload", "overload", "ok", "overload")) == [], "43 %, not again"


def test_a_notice_goes_when_nothing_was_asked_for_the_window() -> None:
    notices, records = Notices(), attempts("overload", "overload", "overload", "overload")
    assert look(notices, records)
    assert look(notices, records, NOW + 601) == []


def test_slow_answers_are_told() -> None:
    notices = Notices()
    assert look(notices, attempts("ok", "ok", "ok", "ok", seconds=2.5)) == [
        "A took 2.5 seconds to its first token, the median within 10 minutes."
    ]
    assert look(notices, attempts("ok", "ok", "ok", "ok", seconds=1.7)), "hardly better"
    assert not look(notices, attempts("ok", "ok", "ok", "ok", seconds=1.5))


def test_what_is_switched_off_tells_nothing() -> None:
    records = attempts(*["overload"] * 20, seconds=90.0)
    off = replace(ALERTS, error_rate=0.0, first_token=None)
    assert look(Notices(), records, alerts=off) == []
    assert look(Notices(), records, enabled=False) == []
    notices = Notices()
    assert look(notices, records)
    assert look(notices, records, alerts=off) == [], "another threshold, another judgement"


@pytest.mark.parametrize(
    ("alerts", "field"),
    [
        (Alerts(window=1), "alerts.window"),
        (Alerts(attempts=0), "alerts.attempts"),
        (Alerts(error_rate=50), "alerts.errorRate"),
        (Alerts(first_token=0), "alerts.firstToken"),
    ],
    ids=["window", "attempts", "error-rate", "first-token"],
)
def test_a_senseless_threshold_is_refused_with_its_field(alerts: Alerts, field: str) -> None:
    (problem,) = check_defaults(Defaults(alerts=alerts))
    assert (problem.field, bool(problem.remedy)) == (field, True)


async def test_a_profile_that_fails_often_is_told_once_by_the_status(tmp_path: Path) -> None:
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    home = {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session"}
    serve = (sys.executable, "-m", "rooroute", "serve")
    failing: list[Step] = [Fail("invalid-key"), Fail("invalid-key"), Answer("A.")]
    async with ScriptedProvider({"A": failing}) as provider, await Client.start(serve, env=home) as client:
        await client.initialize()
        profile = {
            "id": "A",
            "provider": "openai-compatible",
            "baseUrl": provider.base_url("openai"),
            "model": "m",
        }
        await client.request("rooroute/profiles/save", {"profile": profile, "apiKey": "A"})
        await client.request("rooroute/settings/save", {"defaults": {"alerts": {"attempts": 2}}})

        async def told() -> list[str]:
            found = (await client.request("rooroute/status"))["problems"]
            return [each["message"] for each in found if each.get("field") == "alerts.errorRate"]

        assert await told() == []
        with pytest.raises(RpcError):  # a refused key is confirmed by a second attempt
            await client.request("rooroute/complete", {"messages": [{"role": "user", "content": "Hello?"}]})
        await client.request("rooroute/profiles/reset", {"id": "A"})
        (sentence,) = await told()
        assert sentence.startswith("A failed 2 of 2 attempts")
        await client.request("rooroute/complete", {"messages": [{"role": "user", "content": "Hello?"}]})
        assert await told() == [sentence], "two of three: the same notice, in the same words"
