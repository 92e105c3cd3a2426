"""Durations, conditions and keys as other programs write them, and what stands beside them that cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.errors import InvalidInput
from rooroute.importers import flattened, values
from rooroute.importers.conditions import whens
from rooroute.importers.differences import changes
from rooroute.importers.forms import imported
from rooroute.profiles import Configuration, Profile, When


@pytest.mark.parametrize(
    ("written", "seconds"), [("30s", 30), ("5m", 300), ("1m30s", 90), ("500ms", 0.5), (60, 60), ("2h", 7200)]
)
def test_times_are_read(written: Any, seconds: float) -> None:
    assert values.seconds(written) == seconds


@pytest.mark.parametrize("written", ["soon", "30", "0s", 0, -1, True, "5 m", None, float("nan")])
def test_what_is_no_time_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="It must be"):
        values.seconds(written)


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("prompt contains 'a' OR prompt contains 'b'", (When(contains=("a", "b")),)),
        ("length >= 10", (When(min_length=10),)),
        ("prompt contains 'a' AND length < 10", (When(contains=("a",), max_length=9),)),
        ("prompt contains 'a' or length > 5", (When(contains=("a",)), When(min_length=6))),
        ("prompt contains 'x AND y'", (When(contains=("x AND y",)),)),
        ("prompt contains 'a' AND prompt contains '.'", (When(pattern=r"(?is)\A(?=.*a)(?=.*\.)"),)),
    ],
)
def test_conditions_become_a_rules(condition: str, wanted: tuple[When, ...]) -> None:
    assert whens(condition) == wanted


@pytest.mark.parametrize(
    "condition",
    ["", "prompt", "prompt contains", "user is 'me'", "AND length > 1", "length > x", "prompt contains 'a", 5, None],
)
def test_a_condition_that_cannot_be_told_is_refused(condition: Any) -> None:
    with pytest.raises(ValueError, match="."):
        whens(condition)


def test_a_rule_with_such_a_condition_is_left_out_and_the_others_stay() -> None:
    saved = Configuration(profiles={"a": Profile(id="a", provider="openai")})
    rules = [{"condition": "mood is 'good'", "route_to": "a"}, {"condition": "length > 3", "route_to": "a"}]
    found = imported({"routing_rules": [{"strategy": "content_based", "rules": rules}]}, saved)
    assert [rule.when for rule in found.pools[0].rules] == [When(min_length=4)]
    assert [each.key for each in found.left_out] == ["routing_rules.#1.rules.#1"]


def test_layered_strategies_come_to_one_pool() -> None:
    saved = Configuration(profiles={name: Profile(id=name, provider="openai") for name in "ab"})
    data = {
        "routing_rules": [
            {"strategy": "content_based", "rules": [{"condition": "length > 3", "route_to": "a"}]},
            {"strategy": "latency_aware", "providers": [{"name": "b"}, {"name": "a"}]},
            {
                "strategy": "priority_fallback",
                "providers": [{"name": "a", "priority": 100}, {"name": "b", "priority": 1}],
            },
        ]
    }
    found = imported(data, saved)
    assert found.pools[0].strategy == "latency"
    assert {each.key: each.reason for each in found.left_out}["routing_rules.#3.strategy"].endswith("came first.")


@pytest.mark.parametrize("data", [{}, {"foo": 1}, {"version": 1}], ids=["empty", "unknown", "only-a-version"])
def test_a_file_in_which_nothing_is_known_is_refused_whole(data: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="Nothing in it is known"):
        imported(data, Configuration())


@pytest.mark.parametrize("odd", [1, "x", [], [1, None], {"a": 1}, None], ids=repr)
@pytest.mark.parametrize("form", ["ai_gateway", "model_list", "router_settings", "providers", "routing_rules"])
def test_what_has_the_wrong_shape_is_listed(form: str, odd: Any) -> None:
    found = imported({form: odd}, Configuration())
    assert (found.profiles, found.pools, found.taken) == ((), (), ())


def test_lost_line_ends_that_cannot_be_put_right_are_told() -> None:
    with pytest.raises(ValueError, match="No rule"):
        flattened.read("routing_rules:\n • something else")


def test_differences_are_told_and_secrets_are_not() -> None:
    before = {"profiles": [{"id": "a", "cooldown": 5, "headers": {"x": "old-secret"}}, {"id": "b"}]}
    after = {
        "profiles": [{"id": "c"}, {"id": "a", "cooldown": 9, "headers": {"x": "new-secret"}}],
        "defaults": {"pool": "p"},
    }
    told = changes(before, after)
    assert told == [
        "profile b removed",
        "profile c added",
        "profile a: cooldown 5 → 9; headers changed",
        "defaults: pool unset → p",
    ]


def test_differences_deep_in_an_entry_are_told_by_their_place() -> None:
    rules = [{"name": "a", "only": True}, {"name": "b", "when": {"mode": ["code"]}}, {"name": "c"}]
    before = {"pools": [{"id": "p", "latency": {"window": 300}, "rules": rules}], "profiles": [{"id": "x"}]}
    after = {
        "pools": [{"id": "p", "rules": [rules[2], {"name": "b", "when": {"mode": ["ask"]}}, {"name": "d"}]}],
        "profiles": [{"id": "x", "timeouts": {"idle": 20}, "auth": {"kind": "bearer"}}],
    }
    assert changes(before, after) == [
        "profile x: timeouts.idle unset → 20; auth added",
        "pool p: latency.window 300 → unset; rule a removed; rule b, when.mode code → ask; rule d added; rules in another order",
    ]
