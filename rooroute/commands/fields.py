"""A field by its dotted name, as ``timeouts.idle``, ``limits.requestsPerMinute`` or ``rules.coding.when.mode``: found, read, set and taken away.

Where any name is a key, what follows is that name: ``modelRoutes.gpt-4.1`` is the route of gpt-4.1. An entry of a list of rules goes by its
name. A name that could be mistaken stands in quotes: ``rules."a.when.b".only``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from math import isfinite
from types import UnionType
from typing import Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

from rooroute.errors import InvalidInput
from rooroute.profiles import camel

Json: TypeAlias = dict[str, Any]

_PIECE: Final = re.compile(r'"(?P<double>[^"]*)"(?=\.|$)|\'(?P<single>[^\']*)\'(?=\.|$)|(?P<plain>[^.]*)')
_EQUALS: Final = re.compile(r'((?:(?<![^.])"[^"]*"|(?<![^.])\'[^\']*\'|[^=])*?)=(.*)', re.DOTALL)
_FLAGS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Entry:
    """A step into a list: the entry of that name."""

    name: str


Step: TypeAlias = str | Entry


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is: the steps that lead to it from the top, what may stand there, and how it is spelled."""

    steps: tuple[Step, ...]
    kind: Any
    spelled: str


def parted(setting: str) -> tuple[str, str] | None:
    """``FIELD=VALUE`` in two; None without a field and an equals sign."""
    found = _EQUALS.fullmatch(setting)
    return (found[1].strip(), found[2]) if found and found[1].strip() else None


def place(kind: type, path: str) -> Place:
    """Raises InvalidInput for a name that is no field."""
    pieces = _pieces(path)
    steps: list[Step] = []
    meant: Any = kind
    at = 0
    while at < len(pieces):
        meant = _bare(meant)
        taken, step, inner = _step(meant, pieces[at:], path)
        steps.append(step)
        meant, at = inner, at + taken
    return Place(tuple(steps), _bare(meant), path)


def value(target: Place, text: str) -> Any:
    """What the user typed for the field, as plain data. Raises InvalidInput saying what the field takes."""
    kind, name = target.kind, target.spelled
    if kind is str or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return text
    if kind is bool:
        return _flag(name, text)
    if kind in (int, float):
        return _number(name, text, kind)
    if get_origin(kind) is tuple:
        return _list(name, text, _bare(get_args(kind)[0]))
    found = _json(text)
    if kind is Any:
        return text if found is None else found
    if not isinstance(found, dict):
        known = names_of(kind)
        if known and (wrong := _misspelt(target, known)) is not None:
            raise wrong
        held = f"holds {', '.join(known)}" if known else "holds entries by name"
        first = known[0] if known else "NAME"
        raise InvalidInput(f"{name} {held}: set one at a time, as {name}.{first}=…, or a JSON object.", field=name)
    return found


def read(data: Mapping[str, Any], target: Place) -> Any:
    """What stands there; None for nothing."""
    found: Any = data
    for step in target.steps:
        if isinstance(step, Entry):
            found = next((each for each in found or [] if each.get("name") == step.name), None)
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found


def put(data: Json, target: Place, new: Any) -> None:
    """Set it; what it lies in is made where it is missing."""
    holder: Any = data
    for step, following in zip(target.steps, (*target.steps[1:], None), strict=True):
        if following is None:
            _set(holder, step, new)
        else:
            holder = _inner(holder, step, [] if isinstance(following, Entry) else {})


def take_away(data: Json, target: Place) -> None:
    """Take it away, and what it lay in where that is empty now."""
    ways: list[tuple[Any, Step]] = []
    holder: Any = data
    for step in target.steps:
        ways.append((holder, step))
        holder = _inner(holder, step, None)
        if holder is None:
            return
    for holder, step in reversed(ways):
        _drop(holder, step)
        if holder:
            return


def names_of(kind: Any) -> list[str]:
    """The fields of a value, as they are spelled outside."""
    return list(_hints(kind)) if _is_record(kind) else []


def flattened(data: Any, before: str = "") -> list[tuple[str, Any]]:
    """Each field that holds something, by the name that sets it."""
    if isinstance(data, Mapping) and data:
        return [found for name, inner in data.items() for found in flattened(inner, f"{before}{quoted(name)}.")]
    if isinstance(data, list) and before == "rules.":
        entries = [(each["name"], {k: v for k, v in each.items() if k != "name"}) for each in data]
        return [found for name, inner in entries for found in flattened(inner, f"{before}{quoted(name)}.")]
    return [(before.removesuffix("."), data)]


def quoted(name: str) -> str:
    """A name as one step of a path."""
    if re.fullmatch(r"[\w*-]+", name):
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'


def shown(found: Any) -> str:
    """A value as it could be typed."""
    if isinstance(found, str):
        return found
    if (
        isinstance(found, list)
        and found
        and all(isinstance(each, str | int) and "," not in str(each) for each in found)
    ):
        return ",".join(map(str, found))
    return json.dumps(_without_points(found), ensure_ascii=False)


def _without_points(found: Any) -> Any:
    """Whole numbers as people write them."""
    if isinstance(found, Mapping):
        return {name: _without_points(inner) for name, inner in found.items()}
    if isinstance(found, list):
        return [_without_points(inner) for inner in found]
    return int(found) if isinstance(found, float) and found.is_integer() and abs(found) < 1e15 else found


# --- names ---


def _pieces(path: str) -> list[str]:
    found, at = [], 0
    while at <= len(path):
        piece = _PIECE.match(path, at)
        if piece is None:
            break
        found.append(next(text for text in piece.groups() if text is not None))
        at = piece.end() + 1
    if "" in found:
        raise InvalidInput("A field's name has an empty part; write it as timeouts.idle.", field=path[:64])
    return found


def _step(meant: Any, pieces: Sequence[str], path: str) -> tuple[int, Step, Any]:
    """How many pieces the next step takes, the step, and what may stand there."""
    if _is_record(meant):
        if pieces[0] not in _hints(meant):
            raise _unknown(meant, pieces[0], path)
        return 1, pieces[0], _hints(meant)[pieces[0]]
    if isinstance(get_origin(meant), type) and issubclass(get_origin(meant) or object, Mapping):
        inner = _bare(get_args(meant)[1])
        taken = 1 if inner is Any else _name_length(inner, pieces)
        return taken, ".".join(pieces[:taken]), inner
    if get_origin(meant) is tuple and _is_record(inner := _bare(get_args(meant)[0])):
        taken = _name_length(inner, pieces)
        return taken, Entry(".".join(pieces[:taken])), inner
    if meant is Any:
        return 1, pieces[0], Any
    above = path[: path.rfind(pieces[0])].rstrip(".") or path
    raise InvalidInput(f"{above} is one value and holds no fields.", field=path)


def _name_length(inner: Any, pieces: Sequence[str]) -> int:
    """Up to the next piece that is a field of what is named; with none the rest is the name."""
    known = _hints(inner) if _is_record(inner) else {}
    return next((at for at in range(1, len(pieces)) if pieces[at] in known), len(pieces))


def _unknown(meant: Any, name: str, path: str) -> InvalidInput:
    known = names_of(meant)
    near = get_close_matches(name, known, n=1)
    told = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(known)}."
    above = path[: path.rfind(name)].rstrip(".")
    return InvalidInput(f"There is no field {name!r}{f' in {above}' if above else ''}; {told}", field=path)


def _misspelt(target: Place, known: Sequence[str]) -> InvalidInput | None:
    """The field that was meant, where what should have named one was taken for a part of the name before it."""
    last = target.steps[-1]
    name, pieces = last.name if isinstance(last, Entry) else last, _pieces(target.spelled)
    taken = next((at for at in range(1, len(pieces) + 1) if ".".join(pieces[-at:]) == name), 1)
    doubtful = pieces[-taken:][1:]
    if not doubtful:
        return None
    meant = next((each for each in doubtful if get_close_matches(each, known, n=1)), doubtful[-1])
    near = get_close_matches(meant, known, n=1)
    above = target.spelled[: target.spelled.rfind(meant)].rstrip(".")
    guess = f"did you mean {near[0]}? The fields are" if near else "the fields are"
    return InvalidInput(f"There is no field {meant!r} in {above}; {guess} {', '.join(known)}.", field=target.spelled)


def _is_record(kind: Any) -> bool:
    return is_dataclass(kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {camel(each.name): hints[each.name] for each in fields(kind)}


def _bare(kind: Any) -> Any:
    """What stands there if anything does."""
    if get_origin(kind) in (Union, UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


# --- values ---


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return _FLAGS[text.lower()]


def _number(name: str, text: str, kind: type) -> float:
    found = _json(text)
    if isinstance(found, bool) or not isinstance(found, kind if kind is int else int | float) or not isfinite(found):
        raise InvalidInput(f"{name} must be a {'whole number' if kind is int else 'number'}.", field=name)
    return found


def _list(name: str, text: str, inner: Any) -> list[Any]:
    if text.startswith("["):
        found = _json(text)
        if not isinstance(found, list):
            raise InvalidInput(f"{name} takes a list: a,b,c or a JSON array.", field=name)
        return found
    if _is_record(inner):
        raise InvalidInput(f"{name} takes one entry at a time, as {name}.NAME.FIELD=…, or a JSON array.", field=name)
    if get_origin(inner) is tuple:
        return [_list(name, group, _bare(get_args(inner)[0])) for group in text.split(";") if group.strip()]
    words = [word.strip() for word in text.split(",") if word.strip()]
    return [_number(name, word, int) for word in words] if inner is int else words


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(name: str) -> None:
    raise ValueError(name)


# --- plain data ---


def _inner(holder: Any, step: Step, missing: Any) -> Any:
    """What lies behind a step; ``missing`` is put there where there is nothing, unless it is None."""
    if isinstance(step, Entry):
        found = next((each for each in holder if each.get("name") == step.name), None)
        if found is None and missing is not None:
            found = {"name": step.name}
            holder.append(found)
        return found
    if missing is None:
        return holder.get(step) if isinstance(holder, Mapping) else None
    if not isinstance(holder.get(step), dict | list):
        holder[step] = missing
    return holder[step]


def _set(holder: Any, step: Step, new: Any) -> None:
    if not isinstance(step, Entry):
        holder[step] = new
        return
    entry = {"name": step.name, **new}
    for at, each in enumerate(holder):
        if each.get("name") == step.name:
            holder[at] = entry
            return
    holder.append(entry)


def _drop(holder: Any, step: Step) -> None:
    if isinstance(step, Entry):
        holder[:] = [each for each in holder if each.get("name") != step.name]
    else:
        holder.pop(step, None)
