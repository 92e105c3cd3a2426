"""Fields of a request or an answer that one server wants named, set or left out differently, as a profile's options declare it:

    options.requestFields: {rename: {max_tokens: max_output_tokens}, set: {user: me}, drop: [stream_options]}
    options.responseFields: {rename: {"choices.*.delta.thought": reasoning_content}}

A path is dotted, from the document's root; ``*`` stands for every element of a list. A rename gives the last name of the path another one.
Dropping comes first, then renaming, then setting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str, ...]

_KINDS: Final = ("drop", "rename", "set")
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """Changes of a JSON document, made in place."""

    drops: tuple[Path, ...] = ()
    renames: tuple[tuple[Path, str], ...] = ()
    sets: tuple[tuple[Path, Any], ...] = ()

    def apply(self, document: Any) -> None:
        """Make the changes; a path that is not there changes nothing, save that setting a field makes the objects on its way."""
        for path in self.drops:
            for parent in _parents(document, path):
                parent.pop(path[-1], None)
        for path, name in self.renames:
            for parent in _parents(document, path):
                if path[-1] in parent:
                    parent[name] = parent.pop(path[-1])
        for path, value in self.sets:
            for parent in _parents(document, path, make=True):
                parent[path[-1]] = value


def _parents(node: Any, path: Path, *, make: bool = False) -> Iterator[dict[str, Any]]:
    if len(path) == 1:
        if isinstance(node, dict):
            yield node
    elif path[0] == "*":
        for each in node if isinstance(node, list) else ():
            yield from _parents(each, path[1:], make=make)
    elif isinstance(node, dict):
        if make:
            node.setdefault(path[0], {})
        if path[0] in node:
            yield from _parents(node[path[0]], path[1:], make=make)


def changes_of(declared: object) -> FieldChanges | None:
    """The changes an option declares; None where it declares none, or nothing sensible (``wrong`` tells why)."""
    if not isinstance(declared, Mapping) or not declared or wrong(declared):
        return None
    return FieldChanges(
        drops=tuple(_path(text) for text in declared.get("drop") or ()),
        renames=tuple((_path(text), name) for text, name in (declared.get("rename") or {}).items()),
        sets=tuple((_path(text), value) for text, value in (declared.get("set") or {}).items()),
    )


def _path(text: str) -> Path:
    return tuple(text.split("."))


def wrong(declared: object) -> str | None:
    """Why an option declares no changes (a sentence), or None."""
    if not isinstance(declared, Mapping) or any(kind not in _KINDS for kind in declared):
        return "This is no mapping of drop, rename and set."
    for kind, sound in _SOUND.items():
        if declared.get(kind) is not None and not sound(declared[kind]):
            return f"{kind} does not hold what it should: {_FORMS[kind]}."
    return None


def _is_path(text: object) -> bool:
    return isinstance(text, str) and all(text.split(".")) and text.count(".") < _DEEPEST and not text.endswith("*")


_SOUND: Final[Mapping[str, Callable[[Any], bool]]] = {
    "drop": lambda value: isinstance(value, list | tuple) and all(map(_is_path, value)),
    "rename": lambda value: (
        isinstance(value, Mapping)
        and all(_is_path(path) and isinstance(name, str) and name != "" for path, name in value.items())
    ),
    "set": lambda value: isinstance(value, Mapping) and all(map(_is_path, value)),
}
_FORMS: Final = {"drop": "a list of paths", "rename": "a new name by path", "set": "a value by path"}
