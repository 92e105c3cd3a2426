from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator

import httpcore
import pytest

from rooroute.adapters.network import CONNECTED, Network

MEGABYTE = 1 << 20


class Peer:
    """The other side: what the server accepted, in this very loop."""

    def __init__(self) -> None:
        self.pairs: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.port = 0

    async def accepted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self.pairs.get()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    found = Peer()

    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await found.pairs.put((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    for writer in writers:
        writer.transport.abort()
    server.close()
    await asyncio.sleep(0)


async def connected(peer: Peer) -> tuple[httpcore.AsyncNetworkStream, asyncio.StreamReader, asyncio.StreamWriter]:
    stream = await Network().connect_tcp("127.0.0.1", peer.port, timeout=5)
    reader, writer = await peer.accepted()
    return stream, reader, writer


def causes(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None:
        found.append(error)
        error = error.__context__
    return found


async def test_bytes_arrive_in_order_and_no_more_at_once_than_asked_for(peer: Peer) -> None:
    stream, reader, writer = await connected(peer)
    await stream.write(b"hello")
    await stream.write(b"")
    assert await reader.readexactly(5) == b"hello"
    writer.write(b"abcdef")
    assert await stream.read(4, timeout=5) == b"abcd"
    assert await stream.read(4, timeout=5) == b"ef"
    await stream.aclose()


async def test_head_and_body_leave_in_one_piece(peer: Peer) -> None:
    """One packet, and one waking of the other side."""
    stream, reader, _ = await connected(peer)
    await stream.write(b"head ")
    await stream.write(b"body")
    await stream.write(b"")
    assert await reader.read(100) == b"head body"
    await stream.aclose()


async def test_what_nothing_followed_leaves_with_the_end_or_with_the_next_read(peer: Peer) -> None:
    stream, reader, writer = await connected(peer)
    await stream.write(b"without a body")
    await stream.write(b"")
    assert await reader.read(100) == b"without a body"
    await stream.write(b"asked")
    reading = asyncio.ensure_future(stream.read(100, timeout=5))
    assert await reader.read(100) == b"asked"
    writer.write(b"answered")
    assert await reading == b"answered"
    await stream.aclose()


async def test_the_other_sides_end_is_read_after_everything_that_came_before_it(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    writer.write(b"last")
    writer.close()
    assert await stream.read(100) == b"last"
    assert await stream.read(100) == b""
    assert stream.get_extra_info("is_readable")


async def test_a_reset_is_a_read_error_that_keeps_its_cause(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    reading = asyncio.ensure_future(stream.read(100))
    await asyncio.sleep(0)
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
    with pytest.raises(httpcore.ReadError) as seen:
        await reading
    assert any(isinstance(each, ConnectionResetError) for each in causes(seen.value))
    with pytest.raises(httpcore.WriteError):
        await stream.write(b"more")


async def test_closing_here_is_no_end_of_the_answer_for_who_reads(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    reading = asyncio.ensure_future(stream.read(100))
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(httpcore.ReadError):
        await reading
    writer.close()


async def test_waiting_longer_than_allowed_is_a_timeout(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    with pytest.raises(httpcore.ReadTimeout):
        await stream.read(100, timeout=0.01)
    writer.write(b"late")
    assert await stream.read(100, timeout=5) == b"late"
    with pytest.raises(httpcore.WriteTimeout):
        for _ in range(64):  # nobody reads them
            await stream.write(bytes(MEGABYTE), timeout=0.05)
    await stream.aclose()


async def test_who_does_not_read_is_not_sent_more_and_misses_nothing(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    sent = bytes(range(256)) * (MEGABYTE // 16)  # 16 MB
    writer.write(sent)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writer.drain(), 0.3)
    assert writer.transport.get_write_buffer_size() > MEGABYTE
    came = bytearray()
    while len(came) < len(sent):
        came += await stream.read(65_536, timeout=5)
    assert came == sent
    await stream.aclose()


async def test_a_long_write_waits_until_the_other_side_has_taken_it(peer: Peer) -> None:
    stream, reader, _ = await connected(peer)
    sent = bytes(16 * MEGABYTE)
    writing = asyncio.ensure_future(stream.write(sent))
    assert len(await reader.readexactly(len(sent))) == len(sent)
    await writing
    await stream.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_refused_connection_keeps_its_kind_also_where_a_name_has_two_addresses(host: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(httpcore.ConnectError) as seen:
            await Network().connect_tcp(host, port, timeout=5)
    assert any(getattr(each, "errno", None) == errno.ECONNREFUSED for each in causes(seen.value))


async def test_a_name_that_nobody_knows_keeps_its_kind() -> None:
    with pytest.raises(httpcore.ConnectError) as seen:
        await Network().connect_tcp("nobody.invalid", 443, timeout=20)
    assert any(isinstance(each, socket.gaierror) for each in causes(seen.value))


async def test_the_task_that_connects_is_told(peer: Peer) -> None:
    CONNECTED.set(False)
    stream, _, writer = await connected(peer)
    assert CONNECTED.get()
    writer.close()
    await stream.aclose()


async def test_no_tls_on_the_other_side_is_a_connect_error_and_closes_the_connection(peer: Peer) -> None:
    stream, reader, writer = await connected(peer)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(httpcore.ConnectError) as seen:
        await stream.start_tls(ssl.create_default_context(), "localhost", timeout=5)
    assert any(isinstance(each, ssl.SSLError) for each in causes(seen.value))
    assert await reader.read() is not None  # the end came
    writer.close()


async def test_silence_on_the_other_side_of_a_handshake_is_a_timeout(peer: Peer) -> None:
    stream, _, writer = await connected(peer)
    with pytest.raises(httpcore.ConnectTimeout):
        await stream.start_tls(ssl.create_default_context(), "localhost", timeout=0.05)
    writer.close()


class Canned(httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """A connection that answers everything alike, at once."""

    def __init__(self) -> None:
        self.written = b""

    async def connect_tcp(self, *args: object, **kwargs: object) -> httpcore.AsyncNetworkStream:
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.written += buffer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    def get_extra_info(self, info: str) -> None:
        return None

    async def aclose(self) -> None:
        pass


async def test_a_kept_connection_is_written_to_in_the_turn_of_the_loop_in_which_the_request_begins() -> None:
    """httpcore's locks are free: none of them lets others go first."""
    canned = Canned()
    async with httpcore.AsyncConnectionPool(network_backend=canned) as pool:
        await pool.request("GET", "http://somewhere.invalid/")
        canned.written = b""
        asking = asyncio.ensure_future(pool.request("GET", "http://somewhere.invalid/"))
        await asyncio.sleep(0)
        assert canned.written.startswith(b"GET / ")
        await asking
