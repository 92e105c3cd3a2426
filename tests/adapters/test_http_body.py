"""Bodies cut out of their connection's bytes: the same for every split, and nothing taken for what it is not."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.adapters.http_body import Chunked, Counted, Framing, Malformed, UntilClose, framing_of

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
EXTENSION = st.sampled_from([b"", b" ", b";a=b", b' ;a="c"'])
TRAILERS = st.lists(st.sampled_from([b"x: y\r\n", b"checksum: 12\r\n"]), max_size=3)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def fed(framing: Framing, parts: list[bytes]) -> bytes:
    return b"".join(framing.feed(part) for part in parts if not framing.done)


@given(CHUNKS, EXTENSION, TRAILERS, st.lists(st.integers(0, 500), max_size=12))
def test_any_split_of_chunks_gives_the_body(
    chunks: list[bytes], extension: bytes, trailers: list[bytes], cuts: list[int]
) -> None:
    coded = b"".join(b"%X%s\r\n%s\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    framing = Chunked()
    assert fed(framing, pieces(coded + b"0\r\n" + b"".join(trailers) + b"\r\n", cuts)) == b"".join(chunks)
    assert framing.done
    assert not framing.excess


@given(CHUNKS, st.integers(0, 400))
def test_a_body_cut_anywhere_before_its_end_is_not_done(chunks: list[bytes], kept: int) -> None:
    coded = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    framing = Chunked()
    assert b"".join(chunks).startswith(fed(framing, [coded[: min(kept, len(coded) - 1)]]))
    assert not framing.done


@given(
    st.lists(
        st.sampled_from([b"0", b"1", b"a", b"F", b"\r\n", b"\n", b"\r", b";", b" ", b"x", b"-", b"3\r\nabc\r\n"]),
        max_size=14,
    )
)
def test_what_h11_reads_is_read_alike_and_what_it_refuses_gives_no_end(parts: list[bytes]) -> None:
    data = b"".join(parts)
    talk = h11.Connection(h11.CLIENT)
    talk.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    talk.send(h11.EndOfMessage())
    talk.receive_data(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + data)
    body, ended, refused = b"", False, False
    try:
        while (event := talk.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.Data):
                body += event.data
            ended = ended or isinstance(event, h11.EndOfMessage)
            if ended:
                break
    except h11.RemoteProtocolError:
        refused = True
    framing = Chunked()
    try:
        got = framing.feed(data)
    except Malformed:
        assert not ended
        return
    if not refused:
        assert (got, framing.done) == (body, ended)


@pytest.mark.parametrize(
    "data",
    [
        b"g\r\n", b"-1\r\n", b"+5\r\n", b"0x5\r\nabcde\r\n", b"5_0\r\n", b"\r\n", b"5\nabcde\n", b" 5\r\n", b"1" * 17 + b"\r\n",
        b"3\r\nabcX\r\n", b"3\r\nabc\n", b"5" + b" " * 9_000, b"0\r\n" + b"a: b\r\n" * 101, b"0\r\na: b\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        Chunked().feed(data)


def test_bytes_after_the_end_are_told_and_not_given() -> None:
    chunked, counted = Chunked(), Counted(2)
    assert chunked.feed(b"2\r\nok\r\n0\r\n\r\nHTTP/1.1") == b"ok"
    assert counted.feed(b"okHTTP/1.1") == b"ok"
    assert chunked.excess
    assert counted.excess


@pytest.mark.parametrize(
    ("method", "status", "headers", "kind"),
    [
        ("POST", 200, {b"transfer-encoding": b"chunked", b"content-length": b"3"}, Chunked),
        ("POST", 200, {b"content-length": b"3"}, Counted),
        ("POST", 200, {}, UntilClose),
        ("POST", 204, {b"content-length": b"3"}, Counted),
        ("HEAD", 200, {b"transfer-encoding": b"chunked"}, Counted),
    ],
)
def test_the_head_decides_the_framing(
    method: str, status: int, headers: dict[bytes, bytes], kind: type[Framing]
) -> None:
    framing = framing_of(method, status, headers)
    assert isinstance(framing, kind)
    assert framing.done is (method == "HEAD" or status == 204)
