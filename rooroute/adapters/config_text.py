"""The one room of YAML: text to plain data with line numbers, and plain data to lines."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML, nodes
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

Node: TypeAlias = nodes.Node
MappingNode: TypeAlias = nodes.MappingNode
ScalarNode: TypeAlias = nodes.ScalarNode
SequenceNode: TypeAlias = nodes.SequenceNode
Place: TypeAlias = tuple[str | int, ...]
_NODES_MOST: Final = 500_000
TAG: Final = "tag:yaml.org,2002:"


class Unreadable(ValueError):
    """The text is no configuration. The message is a sentence without values from the text; ``line`` counts from 1."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Unpatchable(ValueError):
    """The text is laid out in a way that cannot be changed without losing what a person wrote."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text and what it says. ``lines`` gives the 1-based line of every value by its place; ``root`` is this module's own."""

    text: str
    data: dict[str, Any]
    lines: Mapping[Place, int]
    root: Node | None


def read(text: str) -> Document:
    """Raises Unreadable for anything that is not one YAML mapping of plain values."""
    reader = _Reader()
    root = _compose(text)
    data = {} if root is None else reader.plain(root, ())
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise Unreadable("The file must hold a mapping with profiles and pools.", 1)
    return Document(text, data, reader.lines, root)


def exact(data: Any) -> str:
    """Equal for equal data, unlike ``==`` also for not-a-number, and not for 1 and true."""
    return json.dumps(data, sort_keys=True)


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as wrong:
        where = wrong.problem_mark or wrong.context_mark
        raise Unreadable(
            f"This is not YAML: {wrong.problem or wrong.context}.", where.line + 1 if where else None
        ) from None
    except YAMLError:
        raise Unreadable("This is not YAML: it holds a character that YAML does not allow.") from None
    except RecursionError:
        raise Unreadable("This is not YAML: it is nested too deeply.") from None
    except Exception:  # noqa: BLE001  # a damaged file must never end the server, whatever the parser makes of it
        raise Unreadable("This is not YAML.") from None
    return root


class _Reader:
    """Nodes to plain data. Dates stay text: ``apiVersion: 2024-10-21`` is no date to anybody here."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self._count = 0

    def plain(self, node: Node, path: Place) -> Any:
        self._count += 1
        if self._count > _NODES_MOST:
            raise Unreadable("The file is too large, or its aliases multiply.")
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.plain(child, (*path, index)) for index, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: MappingNode, path: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == f"{TAG}merge":
                for source in value.value if isinstance(value, SequenceNode) else [value]:
                    offered = self.plain(source, (*path, "<<"))
                    if not isinstance(offered, dict):
                        raise Unreadable("<< takes a mapping or a list of mappings.", line)
                    merged = offered | merged
                continue
            name = key.value if isinstance(key, ScalarNode) else None
            if name is None or name in found:
                raise Unreadable("A key appears twice." if name else "A key must be plain text.", line)
            self.lines[(*path, name)] = line
            found[name] = self.plain(value, (*path, name))
        return merged | found


def _scalar(node: Node) -> Any:
    text, tag = str(node.value), str(node.tag)
    try:
        if tag == f"{TAG}null":
            return None
        if tag == f"{TAG}bool":
            return text.lower() == "true"
        if tag == f"{TAG}int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-").startswith(("0o", "0x", "0b")) else 10)
        if tag == f"{TAG}float":
            return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise Unreadable("This number cannot be read.", node.start_mark.line + 1) from None
    if not tag.startswith(TAG):
        raise Unreadable("Tags (!name) mean nothing here.", node.start_mark.line + 1)
    return text


def dumped(value: Any) -> list[str]:
    """A value as block-style lines without line ends."""
    yaml = YAML()
    yaml.width = 1_000_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    try:
        yaml.dump(_presentable(value), out)
    except YAMLError as wrong:
        raise Unpatchable("it holds values that cannot be written as YAML") from wrong
    return out.getvalue().split("\n")[:-1]


def _presentable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_presentable(key): _presentable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_presentable(inner) for inner in value]
    if isinstance(value, str) and not all(c == "\n" or c.isprintable() for c in value):
        return DoubleQuotedScalarString(
            value
        )  # the only style that escapes; YAML 1.1 readers break lines at U+0085 and its kin
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    return value
