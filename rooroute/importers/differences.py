"""What changed between two texts of the configuration, in a person's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SECRETIVE: Final = ("headers", "query", "proxy", "apiKey", "secrets", "auth", "options")
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


def _fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if name in _SECRETIVE or not all(_short(value) for value in (old, new)):
            yield f"{name} {'added' if name not in before else 'removed' if name not in after else 'changed'}"
        else:
            yield f"{name} {_shown(old)} → {_shown(new)}"


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
