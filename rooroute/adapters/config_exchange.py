"""Configurations that come from elsewhere or go there, as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rooroute.adapters.config_reading import Check, configuration, plain
from rooroute.adapters.config_text import Document, Unreadable, dumped, read
from rooroute.errors import InvalidInput
from rooroute.profiles import Configuration, Defaults

_FENCE: Final = re.compile(r"\A\s*```\w*[ \t]*\n(.*?)\n[ \t]*```\s*\Z", re.DOTALL)
_LARGEST: Final = 16_000_000


def plain_data(text: str) -> dict[str, Any]:
    """YAML or JSON as plain data; the fence of a page's code block is no part of it. Raises InvalidInput with the line."""
    return _document(text).data


def as_configuration(text: str, check: Check) -> Configuration:
    """A text in rooroute's own form. Raises InvalidInput when it cannot be read as a whole."""
    try:
        return configuration(_document(text), "", check)
    except Unreadable as wrong:
        raise _refused(wrong) from None


def spelled(configuration: Configuration) -> dict[str, Any]:
    """A configuration in the file's own spelling, defaults left out."""
    sections: Mapping[str, Sequence[Any]] = {
        "profiles": [plain(each) for each in configuration.profiles.values()],
        "pools": [plain(each) for each in configuration.pools.values()],
    }
    found: dict[str, Any] = {"version": 1, **{name: entries for name, entries in sections.items() if entries}}
    return found | ({"defaults": plain(configuration.defaults)} if configuration.defaults != Defaults() else {})


def as_yaml(data: Mapping[str, Any]) -> str:
    """Plain data as YAML."""
    return "".join(f"{line}\n" for line in dumped(data))


def _document(text: str) -> Document:
    if len(text) > _LARGEST:
        raise InvalidInput("The file is larger than 16 MB; that is no configuration.", field="text")
    fenced = _FENCE.match(text)
    try:
        return read((fenced[1] if fenced else text).removeprefix("\ufeff"))
    except Unreadable as wrong:
        raise _refused(wrong) from None


def _refused(wrong: Unreadable) -> InvalidInput:
    where = f"Line {wrong.line}: " if wrong.line else ""
    return InvalidInput(
        f"{where}{wrong} Nothing was changed.", field="text", **({"line": wrong.line} if wrong.line else {})
    )
