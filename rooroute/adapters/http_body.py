"""How an answer's body is cut out of the bytes of its connection (RFC 9112, section 6). Pure.

h11 has read and checked the head by then. Its own reader of bodies makes an object for every chunk, five microseconds each; a stream
is thousands of chunks and its dialect reads any split alike, so what has arrived is handed on in one piece.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

_LONGEST_LINE: Final = 8_192
_MOST_TRAILERS: Final = 100
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r")


class Malformed(ValueError):
    """These bytes are not what the head announced."""


class Framing(Protocol):
    """``done`` once the body's end was seen; ``excess`` when bytes followed it; ``at_close`` when only the end of the connection ends it."""

    done: bool
    excess: bool
    at_close: bool

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in ``data``, joined. Raises ``Malformed``."""


class Counted:
    """A body of a known length."""

    at_close = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.excess = False

    def feed(self, data: bytes) -> bytes:
        piece = data[: self._left]
        self._left -= len(piece)
        self.done = self._left == 0
        self.excess = len(piece) < len(data)
        return piece


class UntilClose:
    """A body that lasts as long as its connection."""

    at_close = True
    done = False
    excess = False

    def feed(self, data: bytes) -> bytes:
        return data


class Chunked:
    """Transfer-encoding chunked: a size in hex, that many bytes, and again; a zero, trailers, an empty line."""

    at_close = False

    def __init__(self) -> None:
        self._rest = b""
        self._left = 0
        self._gap = False
        self._trailers: int | None = None
        self.done = False
        self.excess = False

    def feed(self, data: bytes) -> bytes:
        if self._rest:
            data = self._rest + data
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._gap = not self._left
                continue
            line_end = data.find(b"\n", at, at + _LONGEST_LINE)
            if line_end < 0:
                if end - at >= _LONGEST_LINE:
                    raise Malformed
                break
            self._line(data[at:line_end])
            at = line_end + 1
        self._rest = b"" if self.done else data[at:]
        self.excess = self.done and at < end
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _line(self, line: bytes) -> None:
        if self._gap:
            if line != b"\r":
                raise Malformed
            self._gap = False
        elif self._trailers is not None:
            self._trailers += 1
            self.done = line == b"\r"
            if not line.endswith(b"\r") or self._trailers > _MOST_TRAILERS:
                raise Malformed
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise Malformed
            self._left = int(size[1], 16)
            self._trailers = None if self._left else 0


def framing_of(method: str, status: int, headers: dict[bytes, bytes]) -> Framing:
    """The framing that an answer's head announces; ``headers`` as h11 normalises them."""
    if method == "HEAD" or status in (204, 304):
        return Counted(0)
    if b"transfer-encoding" in headers:
        return Chunked()
    if b"content-length" in headers:
        return Counted(int(headers[b"content-length"]))
    return UntilClose()
