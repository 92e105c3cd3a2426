"""Server-sent events from bytes, however they are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.providers.sse import MAX_EVENT, SseDecoder, SseEvent


def events_of(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [*(event for piece in pieces for event in decoder.feed(piece)), *decoder.close()]


CASES = {
    "one line": (b"data: a\n\n", [(b"", b"a")]),
    "no space after the colon": (b"data:a\n\n", [(b"", b"a")]),
    "only the first space is dropped": (b"data:  a\n\n", [(b"", b" a")]),
    "several lines of data": (b"data: a\ndata: b\ndata\n\n", [(b"", b"a\nb\n")]),
    "a name": (b"event: ping\ndata: {}\n\n", [(b"ping", b"{}")]),
    "a name after the data": (b"data: {}\nevent: ping\n\n", [(b"ping", b"{}")]),
    "a name does not outlive its event": (b"event: x\ndata: 1\n\ndata: 2\n\n", [(b"x", b"1"), (b"", b"2")]),
    "a name without data": (b"event: ping\n\ndata: a\n\n", [(b"", b"a")]),
    "comments": (b": OPENROUTER PROCESSING\n\n:\ndata: a\n:b\n\n", [(b"", b"a")]),
    "id and retry": (b"id: 1\nretry: 10\ndata: a\nid\n\n", [(b"", b"a")]),
    "empty data is an event": (b"data:\n\n", [(b"", b"")]),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [(b"", b"a"), (b"", b"b")]),
    "the last blank line is missing": (b"data: a\n\ndata: b\n", [(b"", b"a"), (b"", b"b")]),
    "the last line feed is missing too": (b"data: a\n\nevent: e\ndata: b", [(b"", b"a"), (b"e", b"b")]),
    "carriage returns alone": (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    "crlf": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [(b"", b"a\nb"), (b"", b"c")]),
    "mixed endings": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [(b"", b"a"), (b"", b"b"), (b"", b"c")]),
    "a byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    "a mark later on is no mark": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [(b"", b"a")]),
    "separators of other alphabets": (
        "data: \u2028\u2029\x85\x0b\x0c\x1c\n\n".encode(),
        [(b"", "\u2028\u2029\x85\x0b\x0c\x1c".encode())],
    ),
    "field names are exact": (b"Data: a\ndata : b\n data: c\n\n", []),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_events(body: bytes, expected: list[SseEvent]) -> None:
    assert events_of(body) == expected
    assert events_of(*(bytes([byte]) for byte in body)) == expected
    for at in range(len(body)):
        assert events_of(body[:at], body[at:]) == expected


LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"event: e", b": c", b"id: 1", b"", b"{}", b"\xef\xbb\xbf", b"data: \xe2\x80\xa8"]
)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b""])


@given(st.lists(st.tuples(LINES, ENDS), max_size=12), st.data())
def test_any_split_gives_the_same_events_and_strays(lines: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    body = b"".join(line + end for line, end in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    whole, pieces = SseDecoder(), SseDecoder()
    expected = [*whole.feed(body), *whole.close()]
    given_events: list[SseEvent] = []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        given_events += pieces.feed(body[start:end])
    assert [*given_events, *pieces.close()] == expected
    assert pieces.stray == whole.stray


def test_lines_that_are_no_field_are_kept_apart() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b'{\n  "error": {"code": 429}\n}\n\n') == []
    assert decoder.close() == []
    assert decoder.stray == b'{\n  "error": {"code": 429}\n}'


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_an_event_of_the_largest_size_passes_and_one_byte_more_does_not(size: int) -> None:
    body = b"data: a\n\ndata: " + b"x" * (MAX_EVENT - 6)
    step = len(body) // size
    for extra, too_large in ((b"", False), (b"y", True)):
        decoder = SseDecoder()
        text = body + extra + b"\n\ndata: b\n\n"
        events = [event for at in range(0, len(text), step) for event in decoder.feed(text[at : at + step])]
        assert decoder.too_large is too_large
        assert len(events) == (1 if too_large else 3)
        assert not (too_large and decoder.feed(b"data: c\n\n"))


def test_an_event_that_never_ends_is_given_up() -> None:
    decoder = SseDecoder()
    fed = 0
    while not decoder.too_large:
        decoder.feed(b"data: " + b"x" * 65_536)
        fed += 1
        assert fed < 20
    assert decoder.close() == []
