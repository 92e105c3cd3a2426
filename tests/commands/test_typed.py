"""Text becomes values by the one schema; what is wrong is told by its field and never repeated."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rooroute.commands.call import WrongUse
from rooroute.commands.typed import moment, parsed, refuse_forgetful_store, seconds, with_settings
from rooroute.errors import InvalidInput, SecretUnavailable
from rooroute.profiles import Pool, Profile

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
MINIMAL: dict[str, Any] = {"id": "work", "provider": "openai"}


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("cooldown=300", "cooldown", 300.0),
        ("name=42", "name", "42"),
        ("model=true", "model", "true"),
        ("enabled=false", "enabled", False),
        ("models=a,b, c", "models", ("a", "b", "c")),
        ('models=["a,b"]', "models", ("a,b",)),
        ("headers.X-Team=7", "headers", {"X-Team": "7"}),
        ("options.project=p1", "options", {"project": "p1"}),
        ("options.promptCache=true", "options", {"promptCache": True}),
        ("modelMap.fast=gpt-4.1-mini", "model_map", {"fast": "gpt-4.1-mini"}),
        ("baseUrl=https://h/v1?x=1", "base_url", "https://h/v1?x=1"),
        ("apiKey=${NAME}", "api_key", "${NAME}"),
    ],
)
def test_a_setting_is_read_as_its_field_wants_it(setting: str, field: str, value: object) -> None:
    assert getattr(parsed(Profile, with_settings(Profile, MINIMAL, [setting])), field) == value


def test_deeper_fields_are_reached_and_an_empty_value_takes_one_away() -> None:
    fields = with_settings(Profile, MINIMAL | {"notes": "old"}, ["timeouts.firstToken=20", "notes=", "cooldown="])
    profile = parsed(Profile, fields)
    assert (profile.timeouts.first_token, profile.timeouts.idle, profile.notes) == (20.0, 60.0, None)
    assert MINIMAL == {"id": "work", "provider": "openai"}


@pytest.mark.parametrize(
    ("kind", "setting", "sentence"),
    [
        (Profile, "cooldwn=3", "There is no field 'cooldwn'; did you mean cooldown?"),
        (Profile, "cooldown=soon", "cooldown must be a number."),
        (Profile, "timeouts.first=3", "There is no field 'first' in timeouts; did you mean firstToken?"),
        (
            Profile,
            "timeouts=3",
            "timeouts holds connect, firstToken, idle, total: set one at a time, as timeouts.connect=…, or a JSON object.",
        ),
        (Profile, "enabled=perhaps", "enabled must be true or false."),
        (Profile, "id.x=3", "id is one value and holds no fields."),
        (Pool, "maxWait=never", "maxWait must be a number."),
        (Pool, "maxWait=NaN", "maxWait must be a number."),
        (Pool, "maxWait=1e999", "maxWait must be a number."),
        (Pool, "maxAttempts=1.5", "maxAttempts must be a whole number."),
    ],
)
def test_a_wrong_setting_is_told_by_its_field(kind: type[Any], setting: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as wrong:
        parsed(kind, with_settings(kind, MINIMAL if kind is Profile else {"id": "p"}, [setting]))
    assert wrong.value.message == sentence


@pytest.mark.parametrize("setting", ["apiKey=sk-canary", "secrets.clientSecret=sk-canary"])
def test_a_key_does_not_slip_in_as_a_setting(setting: str) -> None:
    with pytest.raises(WrongUse, match="never taken from the command line") as wrong:
        with_settings(Profile, MINIMAL, [setting])
    assert "canary" not in wrong.value.message


@pytest.mark.parametrize("setting", ["cooldown", "=3", ""])
def test_a_setting_without_field_or_value_is_shown_how(setting: str) -> None:
    with pytest.raises(WrongUse, match="FIELD=VALUE, for example cooldown=300"):
        with_settings(Profile, MINIMAL, [setting])


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90.0), ("5m", 300.0), ("2h", 7200.0), ("0.5s", 0.5), ("35d", 3_024_000.0)]
)
def test_a_rest_is_a_number_or_has_a_unit(text: str, value: float) -> None:
    assert seconds(text, "--rest") == value


@pytest.mark.parametrize("text", ["0", "-5", "x", "", "36d", "5y", "inf", "nan"])
def test_an_impossible_rest_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--rest takes a time"):
        seconds(text, "--rest")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("7d", "2026-11-13T12:00:00+00:00"),
        ("90m", "2026-11-20T10:30:00+00:00"),
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00+00:00"),
    ],
)
def test_a_beginning_is_a_span_or_a_date(text: str, told: str) -> None:
    assert moment(text, NOW) == datetime.fromisoformat(told).timestamp()


def test_a_beginning_that_is_neither_is_refused() -> None:
    with pytest.raises(InvalidInput, match="7d, or a date"):
        moment("yesterday", NOW)


@pytest.mark.parametrize(
    ("store", "problem", "words"),
    [
        ("session", "No keyring.", "lost when this command ends.*--key-env NAME"),
        ("keyring", "The keyring is locked; unlock it.", "locked.*--key-env NAME"),
    ],
)
def test_a_key_that_would_not_be_kept_is_refused(store: str, problem: str, words: str) -> None:
    with pytest.raises(SecretUnavailable, match=words):
        refuse_forgetful_store(store, problem)
    refuse_forgetful_store("keyring", None)
