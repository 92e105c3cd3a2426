"""A changed configuration back into the text a person wrote.

A change is made line by line, never by writing the document anew: what did not change stays as it was typed, and an entry that moves or
goes takes the comment block right above it along. (ruamel.yaml's round trip keeps comments with the node *before* them, so that
deleting an entry takes the next one's comment: https://yaml.dev/doc/ruamel-yaml/detail/.) Every result is read back and compared before
anybody gets it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from rooroute.adapters.config_text import (
    TAG,
    Document,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    Unpatchable,
    Unreadable,
    dumped,
    exact,
    read,
)

_LAYOUT: Final = "its layout (flow style, aliases or merge keys around the change) holds comments that would be lost"
_DASH: Final = re.compile(r"^( *)-(?=\s|$)")


def patched(
    document: Document,
    data: Mapping[str, Any],
    renamed: Mapping[str, str] | None = None,
    kept: Mapping[str, str] | None = None,
) -> Document:
    """The document, its text changed so that it says ``data``.

    List entries are told by their ``id`` or, where they have none, by their value; ``renamed`` maps old ids to new ones so that an entry
    keeps its lines. ``kept`` is the text of entries that come back (``entry_text``): by id, and of a member of a list by its way there
    (``member_of``). Raises Unpatchable when comments would be lost.
    """
    if exact(document.data) == exact(data):
        return document
    root, text = document.root, document.text
    if isinstance(root, MappingNode) and not root.flow_style:
        changed = _says(_Patch(text, dict(renamed or {}), kept or {}).document(root, document.data, data), data)
        if changed is not None:
            return changed
    if "#" in text and root is not None:
        raise Unpatchable(_LAYOUT)
    above = "" if root is not None else text if text.endswith("\n") or not text else f"{text}\n"
    changed = _says(above + "".join(f"{line}\n" for line in dumped(data)), data)
    if changed is None:
        raise Unpatchable("it holds values that cannot be written as YAML")
    return changed


def member_of(pool_id: str, profile_id: str) -> str:
    """The way to a profile in the list of a pool. No id has a slash."""
    return f"pools/{pool_id}/profiles/{profile_id}"


def entry_text(document: Document, section: str, index: int, member: int | None = None) -> str | None:
    """An entry of a list as it was typed, its comments with it, beginning at its dash; None where it does not stand on lines of its own.

    ``member`` is one of the ``profiles`` in that entry, in its place.
    """
    found = _list_in(document.root, section, 0)
    if found is None:
        return None
    node, first, end = found
    with contextlib.suppress(_NoWay):
        if member is None:
            return _Patch(document.text, {}).entry(node, first, end, index)
        if (inner := _list_in(node.value[index], "profiles", node.end_mark.line)) is not None:
            return _Patch(document.text, {}).entry(*inner, member)
    return None


def _list_in(node: Node | None, name: str, end: int) -> tuple[SequenceNode, int, int | None] | None:
    """The list of that name in a mapping, with the first line that may be its own and the first that is not (None: the text's end)."""
    if not isinstance(node, MappingNode) or node.flow_style:
        return None
    starts = [key.start_mark.line for key, _ in node.value]
    for place, (key, value) in enumerate(node.value):
        if key.value == name and isinstance(value, SequenceNode) and not value.flow_style:
            after = starts[place + 1] if place + 1 < len(starts) else (min(end, node.end_mark.line) or None)
            return value, starts[place] + 1, after
    return None


def _says(text: str, data: Mapping[str, Any]) -> Document | None:
    try:
        document = read(text)
    except Unreadable:
        return None
    return document if exact(document.data) == exact(data) else None


@dataclass(frozen=True, slots=True)
class _Child:
    """One entry of a block collection, as lines: the gap before it stays where it is, ``lead`` (its comment block) and ``body`` move."""

    gap: list[str]
    lead: list[str]
    body: list[str]
    node: Node
    start: int


@dataclass(frozen=True, slots=True)
class _Block:
    children: list[_Child]
    tail: list[str]
    column: int


class _NoWay(Exception):
    """This collection is not laid out line by line; it is written anew as a whole."""


class _Patch:
    """One pass over the lines of a text."""

    def __init__(self, text: str, renamed: dict[str, str], kept: Mapping[str, str] | None = None) -> None:
        self._lines = text.splitlines(keepends=True)
        self._end = "\r\n" if self._lines and self._lines[0].endswith("\r\n") else "\n"
        if self._lines and not self._lines[-1].endswith(("\n", "\r")):
            self._lines[-1] += self._end
        self._renamed = renamed
        self._kept = kept or {}
        self._way: list[str] = []

    def document(self, root: MappingNode, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
        try:
            return "".join(self._mapping(root, 0, len(self._lines), old, new, spaced=True))
        except _NoWay:
            return ""

    def entry(self, node: SequenceNode, first: int, end: int | None, index: int) -> str:
        """The lines of one entry, moved to the left."""
        starts, column = self._dashes(node, first)
        child = self._block(starts, node.value, first, len(self._lines) if end is None else end, column).children[index]
        return "".join(line[min(column, len(line) - len(line.lstrip(" "))) :] for line in (*child.lead, *child.body))

    # --- collections ---

    def _mapping(
        self,
        node: MappingNode,
        first: int,
        end: int,
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        *,
        spaced: bool = False,
    ) -> list[str]:
        keys = [key for key, _ in node.value]
        column = keys[0].start_mark.column if keys else 0
        if any(key.start_mark.column != column for key in keys):
            raise _NoWay
        block = self._block([key.start_mark.line for key in keys], keys, first, end, column)
        values = {key.value: value for key, value in node.value}
        kept: list[tuple[_Child, list[str]]] = []
        for child in block.children:
            name = child.node.value
            if child.node.tag == f"{TAG}merge" or (name in new and exact(old.get(name)) == exact(new[name])):
                kept.append((child, child.body))
            elif name in new:
                kept.append((child, self._value(child, name, values[name], old.get(name), new[name], column)))
        staying = {child.node.value: None for child, _ in kept}
        in_order = [name for name in new if name in values] == list(staying)
        added = [
            (
                sum(each in staying for each in islice(new, at)) if in_order else len(kept),
                self._named(name, new[name], column),
            )
            for at, name in enumerate(new)
            if name not in values and old.get(name, self) != new[name]
        ]
        return self._joined(block, kept, added, blank_between=spaced)

    def _sequence(self, node: SequenceNode, first: int, end: int, old: list[Any], new: list[Any]) -> list[str]:
        starts, column = self._dashes(node, first)
        block = self._block(starts, node.value, first, end, column)
        known: dict[str, deque[tuple[_Child, Any]]] = defaultdict(deque)
        for child, item in zip(block.children, old, strict=True):
            known[_name(item, self._renamed)].append((child, item))
        entries: list[tuple[_Child | None, list[str]]] = []
        for item in new:
            matches = known[_name(item, {})]
            if not matches:
                entries.append((None, self._entry(item, column)))
                continue
            child, before = matches.popleft()
            entries.append(
                (child, child.body if exact(before) == exact(item) else self._item(child, before, item, column))
            )
        return self._ordered(block, entries)

    def _dashes(self, node: SequenceNode, first: int) -> tuple[list[int], int]:
        """The line of every entry's dash, and the dashes' common column."""
        starts: list[int] = []
        columns: set[int] = set()
        for child in node.value:
            line = child.start_mark.line
            while line >= first and not (dash := _DASH.match(self._lines[line])):
                line -= 1
            if line < first or not dash or len(dash[1]) >= child.start_mark.column + (line != child.start_mark.line):
                raise _NoWay
            starts.append(line)
            columns.add(len(dash[1]))
        if len(columns) != 1:
            raise _NoWay
        return starts, columns.pop()

    def _block(self, starts: Sequence[int], nodes: Sequence[Node], first: int, end: int, column: int) -> _Block:
        if not starts or list(starts) != sorted(set(starts)) or starts[0] < first or starts[-1] >= end:
            raise _NoWay  # an alias's lines are elsewhere; two entries on one line are flow style
        children: list[_Child] = []
        done = first
        for index, (start, node) in enumerate(zip(starts, nodes, strict=True)):
            lead = start
            while lead > done and self._is_comment(lead - 1, None if index == 0 else column):
                lead -= 1
            upper = starts[index + 1] if index + 1 < len(starts) else end
            body = upper
            while body > start + 1 and (not self._lines[body - 1].strip() or self._is_comment(body - 1, column)):
                body -= 1
            children.append(
                _Child(self._lines[done:lead], self._lines[lead:start], self._lines[start:body], node, start)
            )
            done = body
        return _Block(children, self._lines[done:end], column)

    def _is_comment(self, line: int, column: int | None) -> bool:
        text = self._lines[line]
        stripped = text.lstrip(" ")
        return stripped.startswith("#") and (column is None or len(text) - len(stripped) <= column)

    # --- entries ---

    def _value(self, child: _Child, name: str, node: Node, old: Any, new: Any, column: int) -> list[str]:
        self._way.append(name)
        try:
            return self._changed(child, name, node, old, new, column)
        finally:
            self._way.pop()

    def _changed(self, child: _Child, name: str, node: Node, old: Any, new: Any, column: int) -> list[str]:
        first, end = child.start + 1, child.start + len(child.body)
        if node.start_mark.line >= first:
            with contextlib.suppress(_NoWay):
                return [*child.body[:1], *self._collection(node, first, end, old, new)]
        return self._with_comment(self._named(name, new, column), child, node, new)

    def _item(self, child: _Child, old: Any, new: Any, column: int) -> list[str]:
        """A list entry; a mapping that begins beside the dash is worked on as if the dash were a space."""
        self._way.append(_id_of(new) or "")
        try:
            return self._changed_item(child, old, new, column)
        finally:
            self._way.pop()

    def _changed_item(self, child: _Child, old: Any, new: Any, column: int) -> list[str]:
        node, start = child.node, child.start
        if isinstance(node, MappingNode) and node.start_mark.line == start and isinstance(new, Mapping) and new:
            before, width = self._lines[start], node.start_mark.column
            self._lines[start] = " " * width + before[width:]
            try:
                lines = self._mapping(node, start, start + len(child.body), old, new)
                return [before[:width] + lines[0].lstrip(" "), *lines[1:]]
            except _NoWay:
                pass
            finally:
                self._lines[start] = before
        if node.start_mark.line > start:
            with contextlib.suppress(_NoWay):
                return [*child.body[:1], *self._collection(node, start + 1, start + len(child.body), old, new)]
        return self._with_comment(self._written([new], column), child, node, new)

    def _collection(self, node: Node, first: int, end: int, old: Any, new: Any) -> list[str]:
        if (
            isinstance(node, MappingNode)
            and not node.flow_style
            and isinstance(old, Mapping)
            and isinstance(new, Mapping)
            and new
        ):
            return self._mapping(node, first, end, old, new)
        if (
            isinstance(node, SequenceNode)
            and not node.flow_style
            and isinstance(old, list)
            and isinstance(new, list)
            and new
        ):
            return self._sequence(node, first, end, old, new)
        raise _NoWay

    def _with_comment(self, lines: list[str], child: _Child, node: Node, new: Any) -> list[str]:
        """Keep the comment that stands behind a value on its line; refuse to lose others."""
        if node.end_mark.line == child.start:
            rest = self._lines[child.start][node.end_mark.column :].rstrip("\r\n")
            return [lines[0].rstrip("\r\n") + rest + self._end, *lines[1:]] if rest.lstrip().startswith("#") else lines
        if new and not isinstance(node, ScalarNode) and any("#" in line for line in child.body):
            raise Unpatchable(_LAYOUT)
        return lines

    def _named(self, name: str, value: Any, column: int) -> list[str]:
        if not isinstance(value, list) or not any(self._kept_text(item) is not None for item in value):
            return self._written({name: value}, column)
        inner = column + 2
        return [f"{' ' * column}{name}:{self._end}", *(line for item in value for line in self._entry(item, inner))]

    def _entry(self, item: Any, column: int) -> list[str]:
        """A new list entry; one that comes back as it was typed."""
        text = self._kept_text(item)
        if text is None or _says(f"_:\n{text}", {"_": [item]}) is None:
            return self._written([item], column)
        return [(" " * column + line if line else line) + self._end for line in text.splitlines()]

    def _kept_text(self, item: Any) -> str | None:
        known = "/".join((*self._way, item)) if isinstance(item, str) else _id_of(item)
        return self._kept.get(known or "")

    def _written(self, value: Any, column: int) -> list[str]:
        lines = dumped(value)
        if isinstance(value, list):
            lines = [line[2:] for line in lines]  # the offset of a list's dashes
        return [(" " * column + line if line else line) + self._end for line in lines]

    # --- putting together ---

    def _joined(
        self,
        block: _Block,
        kept: list[tuple[_Child, list[str]]],
        added: list[tuple[int, list[str]]],
        *,
        blank_between: bool,
    ) -> list[str]:
        """``added`` go each before the entry of that number; what a mapping's keys mean may depend on their order."""
        gaps = _gaps(block, [child for child, _ in kept])
        lines: list[str] = []
        for place, (gap, (child, body)) in enumerate(zip(gaps, kept, strict=True)):
            fresh = [line for at, new in added if at == place for line in new]
            lines += [*fresh, *gap] if lines else [*gap, *fresh]
            lines += [*child.lead, *body]
        for at, body in added:
            if at == len(kept):
                lines += [self._end, *body] if blank_between and lines else body
        return lines + block.tail

    def _ordered(self, block: _Block, entries: list[tuple[_Child | None, list[str]]]) -> list[str]:
        kept = [child for child, _ in entries if child is not None]
        stayed = kept == sorted(kept, key=lambda child: child.start)
        gaps = _gaps(block, sorted(kept, key=lambda child: child.start))
        spaced = (
            [self._end]
            if len(block.children) > 1 and all(c.gap and not c.gap[0].strip() for c in block.children[1:])
            else []
        )
        lines: list[str] = []
        queue = deque(gaps)
        for child, body in entries:
            takes = (child is not None if stayed else bool(queue)) and queue
            gap = queue.popleft() if takes else spaced if lines else []
            lines += [*(gap if lines else _without_blank_start(gap)), *(child.lead if child else ()), *body]
        return lines + block.tail


def _gaps(block: _Block, kept: Sequence[_Child]) -> list[list[str]]:
    """For each entry that stays, in the old order, what stands before it and belongs to nobody; comments of entries that went stay."""
    gaps: list[list[str]] = []
    carried: list[str] = []
    staying = {child.start for child in kept}
    for child in block.children:
        if child.start in staying:
            blank_twice = carried and child.gap and not carried[-1].strip() and not child.gap[0].strip()
            gaps.append(carried + child.gap[bool(blank_twice) :])
            carried = []
        elif any(line.strip() for line in child.gap):
            carried += child.gap
    if carried:
        block.tail[:0] = carried
    return gaps


def _without_blank_start(gap: list[str]) -> list[str]:
    return gap if any(line.strip() for line in gap) else []


def _id_of(item: Any) -> str | None:
    return item["id"] if isinstance(item, Mapping) and isinstance(item.get("id"), str) else None


def _name(item: Any, renamed: Mapping[str, str]) -> str:
    """What tells a list entry from its neighbours."""
    if isinstance(item, Mapping) and isinstance(item.get("id"), str):
        return "id:" + renamed.get(item["id"], item["id"])
    if isinstance(item, str):
        return "text:" + renamed.get(item, item)
    return "json:" + json.dumps(item, sort_keys=True, default=str)
