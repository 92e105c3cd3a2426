"""Server-sent events from bytes, as https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream has them.

Two things are added on purpose, both met in the wild: an event whose final blank line is missing is still given at the end of the body,
and lines that are no field at all (a bare JSON error object, an HTML page) are kept in ``stray`` instead of being dropped. Only LF, CR and
CRLF end a line: U+2028 and its kin are ordinary text inside JSON.
"""

from __future__ import annotations

from typing import Final, TypeAlias

MAX_EVENT: Final = 1 << 20
SseEvent: TypeAlias = tuple[bytes, bytes]
"""Name (empty when none was given) and data, lines of data joined with LF."""

_BOM: Final = b"\xef\xbb\xbf"
_IGNORED: Final = frozenset({b"id", b"retry"})


class SseDecoder:
    """Incremental: any split of the same bytes gives the same events.

    ``too_large`` turns true once an event passes ``MAX_EVENT`` bytes; nothing is decoded from then on. ``stray`` holds the lines that are
    no field.
    """

    __slots__ = ("_after_cr", "_parts", "_size", "_start", "_stray", "_stray_size", "too_large")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._start = True
        self._stray: list[bytes] = []
        self._stray_size = 0
        self.too_large = False

    @property
    def stray(self) -> bytes:
        """The lines so far that were no field, at most about ``MAX_EVENT`` bytes of them."""
        return b"\n".join(self._stray)

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete."""
        if self.too_large or not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._only_line_feeds(data)
        if data.endswith(b"\n\n") and not (self._size or self._start) and len(data) <= MAX_EVENT:
            return self._events(data[:-2].split(b"\n\n"))  # whole events: how nearly every chunk comes
        self._parts.append(data)
        self._size += len(data)
        if b"\n" not in data and self._size <= MAX_EVENT:
            return []
        text = self._joined()
        if text is None:
            return []
        pieces = text.split(b"\n\n")
        rest = pieces.pop()
        self._parts, self._size = [rest], len(rest)
        if len(text) > MAX_EVENT:
            pieces = self._within_limit(pieces, rest)
        return self._events(pieces)

    def close(self) -> list[SseEvent]:
        """The body ended: the event that still lacked its blank line, if any."""
        if self.too_large:
            return []
        self._start = False
        rest = b"".join(self._parts)
        self._parts, self._size = [], 0
        return self._events(self._within_limit([rest], b""))

    def _joined(self) -> bytes | None:
        """All undecoded bytes without a byte order mark; None while they may still be the beginning of one."""
        text = b"".join(self._parts) if len(self._parts) > 1 else self._parts[0]
        if self._start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._parts = [text]
                return None
            self._start = False
            text = text.removeprefix(_BOM)
        return text

    def _only_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _within_limit(self, pieces: list[bytes], rest: bytes) -> list[bytes]:
        """The pieces before the first one that is too large. ``rest`` may yet end in the first byte of its blank line."""
        for at, piece in enumerate(pieces):
            if len(piece) > MAX_EVENT:
                self.too_large = True
                return pieces[:at]
        self.too_large = len(rest) > MAX_EVENT + 1
        return pieces

    def _events(self, pieces: list[bytes]) -> list[SseEvent]:
        events: list[SseEvent] = []
        append = events.append
        for piece in pieces:
            if piece.startswith(b"data: ") and b"\n" not in piece:
                append((b"", piece[6:]))
                continue
            name, both, data = piece.partition(b"\ndata: ")
            if both and name.startswith(b"event: ") and b"\n" not in name and b"\n" not in data:
                append((name[7:], data))
            elif piece:
                self._read_block(piece, events)
        return events

    def _read_block(self, block: bytes, events: list[SseEvent]) -> None:
        """One block between blank lines; a leading or trailing LF is the other half of a blank line and means nothing more."""
        name = b""
        data: list[bytes] = []
        for line in block.split(b"\n"):
            field, colon, value = line.partition(b":")
            if field == b"data":
                data.append(value[1:] if value.startswith(b" ") else value)
            elif field == b"event":
                name = value[1:] if value.startswith(b" ") else value
            elif line and (field or not colon) and field not in _IGNORED:
                self._keep(line)
        if data:
            events.append((name, b"\n".join(data)))

    def _keep(self, line: bytes) -> None:
        if self._stray_size < MAX_EVENT:
            self._stray.append(line)
            self._stray_size += len(line) + 1
