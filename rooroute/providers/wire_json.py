"""JSON as providers really send it, and as they must get it.

Reading is fast where the text is proper JSON (pydantic_core's parser) and forgiving where it is not: lone surrogates and bytes that are no
UTF-8 are let through for ``SurrogateMender`` to settle. Writing is strict: no NaN, no lone surrogates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from pydantic_core import from_json

from rooroute.chat import Event, Failed, Finished, TextDelta, ThinkingDelta, ToolCallDelta, UsageSeen

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def read(data: bytes) -> Any:
    """The document in ``data``. Raises ValueError when it is none."""
    try:
        return from_json(data)
    except ValueError:
        return read_leniently(data)


def read_leniently(data: bytes) -> Any:
    """As ``read``, for text the strict parser refused: it may hold lone surrogates afterwards. Raises ValueError."""
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write(document: Any) -> bytes:
    """Compact UTF-8 JSON. Lone surrogates become U+FFFD; ValueError or TypeError for what JSON cannot say (NaN, bytes, …)."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return mended(text).encode()


def mended(text: str) -> str:
    """``text`` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    return _SURROGATE.sub(
        "\ufffd", _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)
    )


class SurrogateMender:
    """Joins a surrogate pair that two deltas of one channel split between them; needed only once a stream has used ``read_leniently``."""

    def __init__(self) -> None:
        self._held: dict[object, tuple[str, Event]] = {}

    def mend(self, events: Iterable[Event]) -> list[Event]:
        """The events in order, the text of each fit for UTF-8. A high surrogate at the end of a delta waits for the next one."""
        out: list[Event] = []
        for event in events:
            if isinstance(event, Finished | Failed):
                out.extend(self._released())
                out.append(event)
            elif isinstance(event, UsageSeen):
                out.append(event)
            else:
                out.append(self._one(event))
        return out

    def _one(self, event: TextDelta | ThinkingDelta | ToolCallDelta) -> Event:
        channel: object = event.index if isinstance(event, ToolCallDelta) else type(event)
        text = event.arguments if isinstance(event, ToolCallDelta) else event.text
        held = self._held.pop(channel, None)
        if held:
            text = held[0] + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held[channel] = (text[-1], event)
            text = text[:-1]
        return _with_text(event, mended(text))

    def _released(self) -> list[Event]:
        held, self._held = self._held, {}
        return [_fragment(event, "\ufffd") for _, event in held.values()]


def _with_text(event: TextDelta | ThinkingDelta | ToolCallDelta, text: str) -> Event:
    return replace(event, arguments=text) if isinstance(event, ToolCallDelta) else replace(event, text=text)


def _fragment(event: Event, text: str) -> Event:
    """A delta on the channel of ``event`` that carries nothing but text."""
    if isinstance(event, ToolCallDelta):
        return ToolCallDelta(event.index, arguments=text)
    return ThinkingDelta(text) if isinstance(event, ThinkingDelta) else TextDelta(text)
