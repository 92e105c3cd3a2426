"""Every field has a name that can be typed, whatever the names in it, and what stands there comes back as it could be typed."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.commands.fields import Entry, flattened, parted, place, read, shown
from rooroute.commands.typed import with_settings, without
from rooroute.errors import InvalidInput
from rooroute.profiles import Defaults, Pool, Profile


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("cooldown=300", ("cooldown", "300")),
        ("notes=a=b", ("notes", "a=b")),
        ("notes=", ("notes", "")),
        ('headers."a=b"=c', ('headers."a=b"', "c")),
        ("headers.'a=\"b'=c=d", ("headers.'a=\"b'", "c=d")),
        ("notes=one\ntwo", ("notes", "one\ntwo")),
        ("cooldown", None),
        ("=3", None),
        ("", None),
    ],
)
def test_a_setting_is_parted_at_the_first_equals_sign_outside_a_name(setting: str, parts: object) -> None:
    assert parted(setting) == parts


@pytest.mark.parametrize(
    ("kind", "path", "steps"),
    [
        (Profile, "timeouts.firstToken", ("timeouts", "firstToken")),
        (Profile, "headers.X-Team.Name", ("headers", "X-Team.Name")),
        (Profile, "options.deployments.gpt-4o", ("options", "deployments", "gpt-4o")),
        (Profile, 'options.deployments."gpt-4.1"', ("options", "deployments", "gpt-4.1")),
        (Pool, "modelRoutes.gpt-4.1", ("modelRoutes", "gpt-4.1")),
        (Pool, "weights.'my profile'", ("weights", "my profile")),
        (Pool, "rules.v1.2.when.mode", ("rules", Entry("v1.2"), "when", "mode")),
        (Pool, 'rules."a.when.b".only', ("rules", Entry("a.when.b"), "only")),
        (Pool, "rules.code.when.metadata.a.b", ("rules", Entry("code"), "when", "metadata", "a.b")),
        (Defaults, "budgets.team.a.perDay", ("budgets", "team.a", "perDay")),
        (Defaults, "budgets.perDay.perDay", ("budgets", "perDay", "perDay")),
        (Defaults, "budgets.team", ("budgets", "team")),
    ],
)
def test_a_name_leads_to_its_field(kind: type, path: str, steps: object) -> None:
    assert place(kind, path).steps == steps


@pytest.mark.parametrize(
    ("kind", "setting", "sentence"),
    [
        (Pool, "latency.windw=3", "There is no field 'windw' in latency; did you mean window?"),
        (
            Pool,
            "rules.code.wen.mode=x",
            "There is no field 'wen' in rules.code; did you mean when? The fields are name, when, profiles, strategy, only, region.",
        ),
        (
            Profile,
            "secretCommands.team.timeut=3",
            "There is no field 'timeut' in secretCommands.team; did you mean timeout? The fields are command, timeout, lifetime.",
        ),
        (
            Profile,
            "secretCommands.team.x=3",
            "There is no field 'x' in secretCommands.team; the fields are command, timeout, lifetime.",
        ),
        (
            Profile,
            "secretCommands.team=3",
            "secretCommands.team holds command, timeout, lifetime: set one at a time, as secretCommands.team.command=…, or a JSON object.",
        ),
        (Pool, "rules=coding", "rules takes one entry at a time, as rules.NAME.FIELD=…, or a JSON array."),
        (Pool, "tiers=[", "tiers takes a list: a,b,c or a JSON array."),
        (Pool, "failover.retryCodes=400,x", "failover.retryCodes must be a whole number."),
        (Profile, "auth.command.0=x", "auth.command is one value and holds no fields."),
        (Profile, "timeouts..idle=3", "A field's name has an empty part; write it as timeouts.idle."),
        (Profile, "supportsTools=1", "supportsTools must be true or false."),
        (Defaults, "ledgerDays=true", "ledgerDays must be a whole number."),
    ],
)
def test_a_wrong_name_or_value_is_told_with_what_to_type(kind: Any, setting: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        with_settings(kind, {"id": "x"}, [setting])
    assert wrong.value.message == sentence


@pytest.mark.parametrize(
    ("setting", "data"),
    [
        ("tiers=a,b;c", {"tiers": [["a", "b"], ["c"]]}),
        ("tiers=[[], [1]]", {"tiers": [[], [1]]}),
        ("weights.gpt-4.1=2", {"weights": {"gpt-4.1": 2}}),
        ("failover.retryCodes=400, 422", {"failover": {"retryCodes": [400, 422]}}),
        ("enabled=off", {"enabled": False}),
        ("maxPrice.input=1e-1", {"maxPrice": {"input": 0.1}}),
        ('weights={"a": 1}', {"weights": {"a": 1}}),
        ('rules.r={"profiles": ["a"]}', {"rules": [{"name": "r", "profiles": ["a"]}]}),
        ("rules.r.when.needs=tools,images", {"rules": [{"name": "r", "when": {"needs": ["tools", "images"]}}]}),
    ],
)
def test_a_value_is_read_as_its_field_wants_it(setting: str, data: object) -> None:
    assert with_settings(Pool, {}, [setting]) == data


def test_a_rule_is_changed_in_its_place_and_taken_away_by_its_name() -> None:
    rules = {"rules": [{"name": "a", "only": True}, {"name": "b"}, {"name": "c"}]}
    changed = with_settings(Pool, rules, ["rules.b.when.mode=code", "rules.b.name=z"])
    assert [each["name"] for each in changed["rules"]] == ["a", "z", "c"]
    left = without(Pool, changed, ["rules.a", "rules.z.when.mode", "rules.c.strategy"])
    assert left == {"rules": [{"name": "z"}, {"name": "c"}]}


def test_what_is_empty_when_a_field_is_gone_goes_too() -> None:
    data = {"limits": {"burst": 3}, "timeouts": {"idle": 3, "total": 9}}
    assert without(Profile, data, ["limits.burst", "timeouts.idle", "price.input"]) == {"timeouts": {"total": 9}}


@pytest.mark.parametrize("kind", [Profile, Pool])
def test_what_is_shown_can_be_typed_again(kind: Any) -> None:
    data = {
        Profile: {
            "headers": {"X-Team.Name": "a=b", "it's": "1"},
            "options": {"deployments": {"gpt-4.1": "x"}, "flag": True, "list": [1, {"name": "n"}]},
            "auth": {"command": ["print, token", "-q"]},
            "tags": ["a", "b"],
            "notes": "two\nlines",
        },
        Pool: {
            "tiers": [["a"], ["b", "c"]],
            "modelRoutes": {"gpt-4.1*": "a", '"': "b"},
            "rules": [
                {"name": "v1.2 x", "when": {"metadata": {"a.b": "c"}}, "only": True},
                {"name": "b", "profiles": ["a"]},
            ],
        },
    }[kind]
    typed = [f"{name}={shown(value)}" for name, value in flattened(data)]
    assert with_settings(kind, {}, typed) == data
    for name, value in flattened(data):
        assert read(data, place(kind, name)) == value
