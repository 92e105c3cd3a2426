"""What changed between two texts of the configuration, in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SECRETIVE: Final = ("headers", "query", "proxy", "apiKey", "secrets", "secretCommands", "auth", "options")
_LONGEST: Final = 60


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Each change of a profile, a pool or the defaults as a sentence without its full stop. Values that may hold a secret are not shown."""
    found: list[str] = []
    for section, noun in (("profiles", "profile"), ("pools", "pool")):
        found += _entries(_by_id(before.get(section)), _by_id(after.get(section)), noun)
    found += [
        f"defaults: {told}" for told in _fields(_mapping(before.get("defaults")), _mapping(after.get("defaults")))
    ]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _by_id(entries: Any) -> dict[str, Mapping[str, Any]]:
    every = entries if isinstance(entries, list) else []
    return {
        str(each.get("id") or f"#{number}"): each for number, each in enumerate(every, 1) if isinstance(each, Mapping)
    }


def _entries(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], noun: str) -> list[str]:
    found = [f"{noun} {name} removed" for name in before if name not in after]
    for name, entry in after.items():
        if name not in before:
            found.append(f"{noun} {name} added")
        elif told := list(_fields(before[name], entry)):
            found.append(f"{noun} {name}: {'; '.join(told)}")
    stayed = [name for name in before if name in after]
    if [name for name in after if name in before] != stayed:
        found.append(f"{noun}s in another order")
    return found


def _fields(before: Mapping[str, Any], after: Mapping[str, Any], place: str = "") -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new, path = before.get(name), after.get(name), f"{place}{name}"
        if old == new:
            continue
        if name in _SECRETIVE:
            yield _bluntly(path, name in before, name in after)
        elif name == "rules":
            yield from _rules(old, new)
        elif _holds_fields(old) or _holds_fields(new):
            yield from _fields(_mapping(old), _mapping(new), f"{path}.")
        elif all(_short(value) for value in (old, new)):
            yield f"{path} {_shown(old)} → {_shown(new)}"
        else:
            yield _bluntly(path, name in before, name in after)


def _bluntly(path: str, was: bool, is_now: bool) -> str:
    """That something changed, and not what."""
    return f"{path} {'changed' if was and is_now else 'removed' if was else 'added'}"


def _holds_fields(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _rules(old: Any, new: Any) -> Iterator[str]:
    before, after = _by_name(old), _by_name(new)
    yield from (f"rule {name} removed" for name in before if name not in after)
    for name, rule in after.items():
        if name not in before:
            yield f"rule {name} added"
        else:
            yield from _fields(before[name], rule, f"rule {name}, ")
    if [name for name in after if name in before] != [name for name in before if name in after]:
        yield "rules in another order"


def _by_name(rules: Any) -> dict[str, Mapping[str, Any]]:
    every = rules if isinstance(rules, list) else []
    return {str(each.get("name")): each for each in every if isinstance(each, Mapping)}


def _short(value: Any) -> bool:
    plain = value is None or isinstance(value, str | int | float)
    listed = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return (plain or listed) and len(_shown(value)) <= _LONGEST


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) or "nothing" if isinstance(value, list) else re.sub(r"\s+", " ", str(value))
