"""What a user typed as values: fields by their dotted names, keys, times; each fault a sentence that never repeats what was typed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import BaseModel, create_model

from rooroute.commands import fields
from rooroute.commands.call import Call, WrongUse
from rooroute.errors import InvalidInput, SecretUnavailable
from rooroute.profile_checks import check_secret
from rooroute.profiles import Defaults, Pool, Profile, reference_name
from rooroute.rpc.validation import validated

Json: TypeAlias = dict[str, Any]
T = TypeVar("T", Profile, Pool, Defaults)

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_LONGEST_REST: Final = 35 * 86_400.0
_KEY_FIELDS: Final = ("apiKey", "secrets")
_SHELLS: Final[Mapping[type, type[BaseModel]]] = {
    kind: create_model(kind.__name__, value=(kind, ...), __config__={"extra": "forbid", "hide_input_in_errors": True})
    for kind in (Profile, Pool, Defaults)
}


def parsed(kind: type[T], data: Json) -> T:
    """Fields in outside spelling as a value. Raises InvalidInput naming the field and the remedy."""
    try:
        value: T = validated(_SHELLS[kind], {"value": data}).value  # type: ignore[attr-defined]
    except InvalidInput as wrong:
        field = (wrong.field or "").removeprefix("value.")
        raise InvalidInput(wrong.message.replace("value.", "", 1), field=field) from None
    return value


def with_settings(kind: type[T], data: Json, settings: Sequence[str]) -> Json:
    """``data`` with each ``FIELD=VALUE`` put in; an empty value takes the field away."""
    changed: Json = json.loads(json.dumps(data))
    for setting in settings:
        parts = fields.parted(setting)
        if parts is None:
            raise WrongUse("a setting is written FIELD=VALUE, for example cooldown=300.")
        path, text = parts
        target = fields.place(kind, path)
        if target.steps[0] in _KEY_FIELDS and text and reference_name(text) is None:
            raise WrongUse("A key is never taken from the command line; use --ask-key, --key-stdin or --key-env NAME.")
        if text:
            fields.put(changed, target, fields.value(target, text))
        else:
            fields.take_away(changed, target)
    return changed


def settings_of(call: Call) -> list[str]:
    """``FIELD=VALUE`` as often as it was typed, or once as two words."""
    words: list[str] = call.options.settings
    if len(words) == 2 and fields.parted(words[0]) is None and words[0]:
        return [f"{words[0]}={words[1]}"]
    return words


def without(kind: type[T], data: Json, paths: Sequence[str]) -> Json:
    """``data`` with these fields taken away: each has its default again."""
    changed: Json = json.loads(json.dumps(data))
    for path in paths:
        fields.take_away(changed, fields.place(kind, path))
    return changed


def key(call: Call, question: str, *, needed: bool) -> str | None:
    """The key as the user gives it (a reference for ``--key-env``); None when none is given. Nothing of it is ever shown.

    ``needed`` asks for one where somebody is there to be asked.
    """
    options, terminal = call.options, call.terminal
    if options.key_env is not None:
        return _reference(call, options.key_env)
    if options.key_stdin:
        return _checked(terminal.stdin.read())
    if options.ask_key and not terminal.interactive:
        raise WrongUse("--ask-key needs a terminal; pipe the key in with --key-stdin, or name it with --key-env NAME.")
    if not (options.ask_key or (needed and terminal.interactive)):
        return None
    typed = terminal.ask_secret(question)
    return _checked(typed) if typed.strip() else None


def variable(call: Call, empty: str | None = None) -> str | None:
    """Where no key can be kept: the environment variable that holds it, asked for and given as a reference. ``empty`` says what none means,
    where that is an answer."""
    call.terminal.remark("There is no usable keyring here; a key can come from an environment variable.")
    meant = f" (empty: {empty})" if empty else ""
    name = call.terminal.ask(f"Name of the environment variable that holds the key{meant}")
    return _reference(call, name) if name or not empty else None


def _reference(call: Call, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise WrongUse("--key-env takes the name of an environment variable, such as OPENAI_API_KEY, never a key.")
    if not call.environment.get(name):
        call.terminal.remark(f"The environment variable {name} is not set here; set it where rooroute runs.")
    return f"${{{name}}}"


def _checked(text: str) -> str:
    if why := check_secret(text.strip()):
        raise InvalidInput(why, field="apiKey")
    return text.strip()


def refuse_forgetful_store(store: str, problem: str | None) -> None:
    """Raises SecretUnavailable where a typed key could not be kept, or would be gone when this command ends."""
    if problem is None and store == "keyring":
        return
    if store == "session":
        raise SecretUnavailable(
            "There is no usable keyring here, so the key would be lost when this command ends; "
            "put it into an environment variable and name that with --key-env NAME."
        )
    raise SecretUnavailable(f"{problem} On the command line that is --key-env NAME.")


def seconds(text: str, option: str) -> float:
    """A rest in seconds, as a number or with a unit (90, 5m, 2h)."""
    found = _SPAN.fullmatch(text if text[-1:].isalpha() else f"{text}s")
    value = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < value <= _LONGEST_REST:
        raise InvalidInput(f"{option} takes a time above 0 and up to 35 days, such as 90, 5m or 2h.", field="rest")
    return value


def moment(text: str, now: float) -> float:
    """A time in the past, UTC epoch seconds: a span before ``now`` (30m, 12h, 7d), or a date or time (2026-01-31, UTC if it says nothing)."""
    if found := _SPAN.fullmatch(text):
        return now - float(found[1]) * _UNITS[found[2]]
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            "--since takes a span such as 30m, 12h or 7d, or a date such as 2026-01-31.", field="since"
        ) from None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
