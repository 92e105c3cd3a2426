"""A byte stream cut into message bodies, without any input or output.

Whatever arrives gets an answer: a frame that cannot be read becomes a ``Refused``, and reading goes on at the next header that can be
trusted. Headers are read as HTTP's are (any case, optional white space, LF accepted, unknown ones ignored), which is what
https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#headerPart asks for.
"""

from __future__ import annotations

import re
from typing import Final

from rooroute.rpc.envelope import INVALID_REQUEST, PARSE_ERROR, Refused, id_in

MAX_HEADER: Final = 16 * 1024
MAX_BODY: Final = 64 * 1024 * 1024
MAX_SKIPPED: Final = 1024 * 1024 * 1024
_HEAD: Final = 4096

_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*?)[ \t]*\r?$")
# A raw line break never stands inside JSON text that is a string, so this is a header wherever it stands.
_NEXT_FRAME: Final = re.compile(rb"content-length[ \t]*:[ \t]*[0-9]{1,10}[ \t]*\r?\n", re.IGNORECASE)
_TAIL: Final = 64


class Frames:
    """Cuts a byte stream into bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None
        self._skip = 0
        self._lost = False

    def feed(self, data: bytes) -> list[bytes | Refused]:
        """The bodies these bytes complete, in order, and what had to be refused between them."""
        self._buffer += data
        found: list[bytes | Refused] = []
        while self._advance(found):
            pass
        return found

    def _advance(self, found: list[bytes | Refused]) -> bool:
        """One step; False when more bytes are needed."""
        buffer = self._buffer
        if self._skip:
            dropped = min(self._skip, len(buffer))
            del buffer[:dropped]
            self._skip -= dropped
            return dropped > 0
        if self._lost:
            return self._resume()
        if self._length is None:
            return self._read_header(found)
        if self._length > MAX_BODY:
            return self._refuse_body(found, self._length)
        if len(buffer) < self._length:
            return False
        found.append(bytes(memoryview(buffer)[: self._length]))
        del buffer[: self._length]
        self._length = None
        return True

    def _read_header(self, found: list[bytes | Refused]) -> bool:
        buffer = self._buffer
        while buffer.startswith((b"\r", b"\n")):
            del buffer[:1]
        if not buffer:
            return False
        end = _BLANK_LINE.search(buffer, 0, MAX_HEADER)
        complete = end.start() if end else max(buffer.rfind(b"\n", 0, MAX_HEADER), 0)
        lines = bytes(buffer[:complete]).split(b"\n") if complete else []
        if not buffer[:1].isalpha() or not all(map(_FIELD.match, lines)):
            return self._lose(found, 1, "A message begins with a Content-Length header.")
        if end is None:
            too_long = len(buffer) >= MAX_HEADER
            return too_long and self._lose(found, 1, f"The header is longer than {MAX_HEADER} bytes.")
        length = _content_length(lines)
        if isinstance(length, str):
            return self._lose(found, end.end(), length)
        del buffer[: end.end()]
        if length > MAX_SKIPPED:
            found.append(Refused(PARSE_ERROR, "The length in the header cannot be true.", fatal=True))
            self._lost = True
            return False
        self._length = length
        return True

    def _lose(self, found: list[bytes | Refused], dropped: int, message: str) -> bool:
        """Nothing can be trusted before the next frame's header."""
        del self._buffer[:dropped]
        self._lost = True
        found.append(Refused(PARSE_ERROR, message))
        return True

    def _refuse_body(self, found: list[bytes | Refused], length: int) -> bool:
        if len(self._buffer) < _HEAD:
            return False
        message = f"The message is longer than {MAX_BODY} bytes; send less at once."
        found.append(Refused(INVALID_REQUEST, message, id_in(bytes(self._buffer[:_HEAD]))))
        self._skip, self._length = length, None
        return True

    def _resume(self) -> bool:
        following = _NEXT_FRAME.search(self._buffer)
        if following is None:
            del self._buffer[:-_TAIL]
            return False
        del self._buffer[: following.start()]
        self._lost = False
        return True


def _content_length(lines: list[bytes]) -> int | str:
    """The length that these header fields name, or a sentence about what is wrong."""
    fields = [field for line in lines if (field := _FIELD.match(line))]
    lengths = {field[2] for field in fields if field[1].lower() == b"content-length"}
    if len(lengths) != 1:
        return "The header names two lengths." if lengths else "The header names no Content-Length."
    (text,) = lengths
    if not text.isdigit():
        return "The Content-Length is not a number of bytes."
    return int(text) if len(text) < 20 else MAX_SKIPPED + 1


def frame(body: bytes) -> bytes:
    """A body with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
