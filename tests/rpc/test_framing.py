from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.rpc.envelope import INVALID_REQUEST, PARSE_ERROR, Refused
from rooroute.rpc.framing import MAX_BODY, MAX_HEADER, Frames, frame

BODY = b'{"jsonrpc":"2.0","id":1,"method":"x"}'
GOOD = frame(BODY)


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(GOOD, id="as-the-specification-writes-it"),
        pytest.param(b"content-length: 37\r\n\r\n" + BODY, id="lower-case"),
        pytest.param(b"Content-Length:37\r\n\r\n" + BODY, id="no-space-after-the-colon"),
        pytest.param(b"Content-Length: 37\n\n" + BODY, id="line-feeds-only"),
        pytest.param(b"Content-Length : 37 \r\n\r\n" + BODY, id="white-space-around"),
        pytest.param(b"\r\n\nContent-Length: 37\r\n\r\n" + BODY, id="blank-lines-before"),
        pytest.param(b"X-Other: a: b\r\nContent-Length: 37\r\nX-Empty:\r\n\r\n" + BODY, id="other-headers"),
        pytest.param(
            b"Content-Length: 37\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" + BODY,
            id="content-type",
        ),
        pytest.param(b"Content-Length: 37\r\nContent-Length: 37\r\n\r\n" + BODY, id="the-same-length-twice"),
    ],
)
def test_headers_are_read_generously(wire: bytes) -> None:
    assert Frames().feed(wire) == [BODY]


BAD = [
    pytest.param(b"Content-Length: -5\r\n\r\n" + BODY, id="negative-length"),
    pytest.param(b"Content-Length: +5\r\n\r\n" + BODY, id="signed-length"),
    pytest.param(b"Content-Length: five\r\n\r\n" + BODY, id="length-in-words"),
    pytest.param(b"Content-Length:\r\n\r\n" + BODY, id="empty-length"),
    pytest.param(b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ", id="two-lengths"),
    pytest.param(b"Content-Type: x\r\n\r\n" + BODY, id="no-length"),
    pytest.param(b"X-Big: " + b"a" * 1_000_000 + b"\r\n", id="a-header-of-a-megabyte"),
    pytest.param(BODY + b"\n", id="json-without-a-header"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="http"),
    pytest.param(b"\x00\x01\x02", id="binary"),
]


@pytest.mark.parametrize("wire", BAD)
def test_a_bad_header_is_answered_and_the_next_message_read(wire: bytes) -> None:
    first, *rest = Frames().feed(wire + GOOD)
    assert isinstance(first, Refused)
    assert (first.code, first.id, first.fatal) == (PARSE_ERROR, None, False)
    assert rest == [BODY]


@pytest.mark.parametrize("wire", BAD)
def test_a_bad_header_is_answered_without_waiting_for_more(wire: bytes) -> None:
    assert [type(piece) for piece in Frames().feed(wire)] == [Refused]


def test_a_length_that_is_too_short_costs_one_message() -> None:
    found = Frames().feed(b"Content-Length: 5\r\n\r\n" + BODY + GOOD)
    assert found[0] == BODY[:5]
    assert isinstance(found[1], Refused)
    assert found[2:] == [BODY]


@pytest.mark.parametrize("length", [b"1000000000000", b"9" * 5000], ids=["a-terabyte", "5000-digits"])
def test_a_length_that_cannot_be_true_is_fatal(length: bytes) -> None:
    (refused,) = Frames().feed(b"Content-Length: " + length + b"\r\n\r\n")
    assert isinstance(refused, Refused)
    assert refused.fatal


def test_a_body_that_is_too_long_is_refused_by_its_id_before_it_has_arrived() -> None:
    frames = Frames()
    length = MAX_BODY + 1
    start = b'{"jsonrpc":"2.0","id":"abc","method":"x","params":{"a":"' + b"x" * 5000
    (refused,) = frames.feed(b"Content-Length: %d\r\n\r\n" % length + start)
    assert refused == Refused(
        INVALID_REQUEST, f"The message is longer than {MAX_BODY} bytes; send less at once.", "abc"
    )
    left = length - len(start)
    while left:
        piece = min(left, 1 << 20)
        assert frames.feed(b" " * piece) == []
        left -= piece
    assert frames.feed(GOOD) == [BODY]


@given(
    pieces=st.lists(
        st.sampled_from(
            [GOOD, b"Content-Length: 0\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"junk\r\n", b'{"a":1}', b"\n"]
        ),
        max_size=6,
    ),
    cuts=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=10),
)
def test_a_good_message_survives_whatever_came_before_it(pieces: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(pieces) + b"\r\n" + GOOD + GOOD
    frames, found, at = Frames(), list[bytes | Refused](), 0
    while at < len(wire):
        step = cuts[at % len(cuts)]
        found += frames.feed(wire[at : at + step])
        at += step
    assert found[-1] == BODY


@given(data=st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for piece in Frames().feed(data + b"\n" + data):
        assert isinstance(piece, bytes | Refused)


def test_a_header_is_not_collected_without_end() -> None:
    frames = Frames()
    for _ in range(1000):
        frames.feed(b"a" * 1000)
    assert len(frames._buffer) <= MAX_HEADER
