"""The network against a real socket server that answers byte for byte what a test tells it to."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from rooroute.adapters.http import Lanes, Upstream
from rooroute.errors import InvalidInput, OriginNotApproved
from rooroute.outcome import Fault, Scope, Unreachable
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import HttpRequest
from rooroute.secret import Secret, origin_of

KEY = "canary-3f9c2a7be1d04586b7e1"
QUICK = Timeouts(connect=5, first_token=5, idle=5, total=10)
SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@dataclass
class Call:
    head: bytes
    body: bytes

    @property
    def target(self) -> bytes:
        return self.head.split(b" ")[1]

    def header(self, name: bytes) -> bytes | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip()
        return None


Script = Callable[[Call, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    received: int = 0
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    scheme: str = "http"
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/v1/chat"

    def post(self, body: bytes = b"{}", key: str | None = KEY) -> HttpRequest:
        secret = {"Authorization": ("Bearer ", Secret(key, origin_of(self.url)))} if key else {}
        return HttpRequest("POST", self.url, {"content-type": "application/json"}, secret, body=body)


async def read_call(reader: asyncio.StreamReader) -> Call | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    call = Call(head, b"")
    call.body = await reader.readexactly(int(call.header(b"content-length") or 0))
    return call


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """One script call per request; a script that closes its writer ends the connection."""
    server = Server(scheme="https" if tls else "http", host="localhost" if tls else "127.0.0.1")
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        server.connections += 1
        try:
            while not writer.is_closing() and (call := await read_call(reader)):
                server.calls.append(call)
                await script(call, reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            server.gone.set()
            writer.transport.abort()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, backlog=2_000)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(*pieces: bytes, close: bool = False) -> Script:
    async def script(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            writer.close()

    return script


def resets(*pieces: bytes) -> Script:
    async def script(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return script


def silent_after(*pieces: bytes) -> Script:
    async def script(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        await reader.read()

    return script


def whole(body: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + extra + b"content-length: " + str(len(body)).encode() + b"\r\n\r\n" + body


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    made = Upstream({})
    yield made
    await made.close()


async def body_of(upstream: Upstream, request: HttpRequest, timeouts: Timeouts = QUICK) -> bytes:
    async with upstream.open(request, timeouts) as answer:
        return b"".join([chunk async for chunk in answer.chunks])


async def failure_of(upstream: Upstream, request: HttpRequest, timeouts: Timeouts = QUICK) -> Unreachable:
    with pytest.raises(Unreachable) as caught:
        await body_of(upstream, request, timeouts)
    assert KEY not in str(caught.value)
    return caught.value


async def test_a_stream_arrives_as_it_is_sent_and_the_request_carries_its_key(upstream: Upstream) -> None:
    async with (
        serving(
            says(SSE + b"transfer-encoding: chunked\r\n\r\n", b"6\r\ndata: \r\n", b"2\r\n\n\n\r\n", b"0\r\n\r\n")
        ) as server,
        upstream.open(server.post(b'{"a":1}'), QUICK) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert b"".join([c async for c in answer.chunks]) == b"data: \n\n"
    (call,) = server.calls
    assert call.body == b'{"a":1}'
    assert call.header(b"authorization") == f"Bearer {KEY}".encode()
    assert call.header(b"accept-encoding") == b"identity"
    assert call.header(b"host") == f"127.0.0.1:{server.port}".encode()


async def test_connections_are_kept_and_used_again(upstream: Upstream) -> None:
    async with serving(says(whole(b"ok"))) as server:
        for _ in range(3):
            assert await body_of(upstream, server.post()) == b"ok"
    assert server.connections == 1


async def test_leaving_at_the_terminal_event_still_keeps_the_connection(upstream: Upstream) -> None:
    async with serving(says(SSE + b"transfer-encoding: chunked\r\n\r\n4\r\ndone\r\n", b"0\r\n\r\n")) as server:
        for _ in range(2):
            async with upstream.open(server.post(), QUICK) as answer:
                async for chunk in answer.chunks:
                    assert chunk == b"done"
                    break
            for _ in range(100):
                if not upstream._draining:
                    break
                await asyncio.sleep(0.01)
    assert server.connections == 1


async def test_an_error_in_the_callers_code_closes_the_connection_at_once(upstream: Upstream) -> None:
    async with serving(silent_after(SSE + b"\r\ndata: 1\n\n")) as server:
        with pytest.raises(asyncio.CancelledError):
            async with upstream.open(server.post(), QUICK) as answer:
                async for _ in answer.chunks:
                    raise asyncio.CancelledError
        await asyncio.wait_for(server.gone.wait(), 5)


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Temporary", b"308 Permanent"])
async def test_no_redirect_is_followed(upstream: Upstream, status: bytes) -> None:
    async with serving(says(whole(b""))) as sink:
        location = b"location: " + sink.url.encode() + b"\r\n"
        async with (
            serving(says(whole(b"", status, location))) as server,
            upstream.open(server.post(), QUICK) as answer,
        ):
            assert answer.status == int(status[:3])
            assert answer.headers["location"] == sink.url
    assert sink.connections == 0


async def test_a_cookie_given_to_one_key_is_not_sent_with_another(upstream: Upstream) -> None:
    async with serving(says(whole(b"", extra=b"set-cookie: who=keyA; Path=/\r\n"))) as server:
        await body_of(upstream, server.post(key="keyA"))
        await body_of(upstream, server.post(key="keyB"))
    assert [call.header(b"cookie") for call in server.calls] == [None, None]


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        pytest.param(says(close=True), Fault.TRANSIENT, id="closed-before-headers"),
        pytest.param(resets(), Fault.TRANSIENT, id="reset-before-headers"),
        pytest.param(says(b"HTTP/1.1 200 OK\r\ncont", close=True), Fault.TRANSIENT, id="closed-inside-headers"),
        pytest.param(resets(SSE + b"\r\n"), Fault.TRANSIENT, id="reset-after-headers"),
        pytest.param(resets(SSE + b"\r\n", b"data: 1\n\n"), Fault.TRANSIENT, id="reset-inside-body"),
        pytest.param(
            says(SSE + b"transfer-encoding: chunked\r\n\r\n5\r\nda", close=True), Fault.TRANSIENT, id="cut-chunked-body"
        ),
        pytest.param(says(SSE + b"content-length: 9\r\n\r\nda", close=True), Fault.TRANSIENT, id="cut-counted-body"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", close=True), Fault.BAD_ANSWER, id="not-http"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n", close=True),
            Fault.BAD_ANSWER,
            id="huge-header",
        ),
    ],
)
async def test_a_broken_exchange_is_a_named_failure(upstream: Upstream, script: Script, fault: Fault) -> None:
    async with serving(script) as server:
        failure = (await failure_of(upstream, server.post())).failure
    assert failure.fault is fault
    assert f"127.0.0.1:{server.port}" in failure.message
    assert len(server.calls) == 1, "a fresh connection that breaks is not tried again"


async def test_a_close_delimited_body_that_ends_is_left_to_the_dialect(upstream: Upstream) -> None:
    async with serving(says(SSE + b"\r\ndata: 1\n\n", close=True)) as server:
        assert await body_of(upstream, server.post()) == b"data: 1\n\n"


async def test_a_refused_connection_is_named(upstream: Upstream) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        failure = (await failure_of(upstream, Server(reserved.getsockname()[1]).post())).failure
    assert (failure.fault, failure.scope) == (Fault.NETWORK, Scope.ENDPOINT)
    assert "refuses connections" in failure.message


async def test_a_name_that_does_not_resolve_is_named(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **more: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    failure = (await failure_of(upstream, Server(443, scheme="https", host="provider.test").post())).failure
    assert failure.fault is Fault.NETWORK
    assert "provider.test:443 cannot be resolved" in failure.message


async def test_a_connection_that_never_comes_ends_after_the_connect_timeout(upstream: Upstream) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        blockers = []
        for _ in range(4):
            blocker = socket.socket()
            blocker.setblocking(False)
            blocker.connect_ex(full.getsockname())
            blockers.append(blocker)
        failure = (
            await failure_of(upstream, Server(full.getsockname()[1]).post(), Timeouts(connect=0.3, first_token=20))
        ).failure
        for blocker in blockers:
            blocker.close()
    assert failure.fault is Fault.NETWORK
    assert "within 0.3 seconds" in failure.message


@pytest.mark.parametrize(
    ("script", "timeouts", "says_so"),
    [
        pytest.param(silent_after(), Timeouts(first_token=0.3), "did not answer within 0.3", id="no-headers"),
        pytest.param(silent_after(SSE + b"\r\n"), Timeouts(first_token=1.5), "sent nothing for", id="no-first-byte"),
        pytest.param(silent_after(SSE + b"\r\ndata"), Timeouts(idle=0.3), "sent nothing for 0.3", id="falls-silent"),
        pytest.param(silent_after(SSE + b"\r\ndata"), Timeouts(total=0.3), "did not finish", id="total"),
    ],
)
async def test_silence_ends_at_its_deadline(
    upstream: Upstream, script: Script, timeouts: Timeouts, says_so: str
) -> None:
    async with serving(script) as server:
        failure = (await failure_of(upstream, server.post(), timeouts)).failure
        await asyncio.wait_for(server.gone.wait(), 5)
    assert failure.fault is Fault.TIMEOUT
    assert says_so in failure.message


async def test_a_slow_drip_never_idle_still_ends_at_the_total(upstream: Upstream) -> None:
    async def drip(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"\r\n")
        while not writer.is_closing():
            writer.write(b":")
            await asyncio.sleep(0.02)

    async with serving(drip) as server:
        failure = (await failure_of(upstream, server.post(), Timeouts(idle=5, total=0.5))).failure
    assert failure.fault is Fault.TIMEOUT
    assert "did not finish" in failure.message


async def test_a_slow_reader_is_not_the_providers_fault(upstream: Upstream) -> None:
    rested = asyncio.Event()

    async def two_pieces(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n")
        await rested.wait()
        writer.write(b"1\r\nb\r\n0\r\n\r\n")

    times = Timeouts(first_token=1.0, idle=1.0, total=1.0)
    async with serving(two_pieces) as server, upstream.open(server.post(), times) as answer:
        got = b""
        async for chunk in answer.chunks:
            got += chunk
            if not rested.is_set():
                await asyncio.sleep(3.0)
            rested.set()
    assert got == b"ab"


async def test_joined_chunks_are_whole_in_order_and_end(upstream: Upstream) -> None:
    pieces = [b"%d;" % n for n in range(20_000)]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    script = says(SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked, b"0\r\n\r\n")
    async with serving(script) as server, upstream.open(server.post(), QUICK) as answer:
        got = []
        async for chunk in answer.chunks:
            got.append(chunk)
            answer.join_chunks()
    assert got[0] == pieces[0], "the first comes by itself"
    assert b"".join(got) == b"".join(pieces)
    assert len(got) < len(pieces) / 10


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        pytest.param(says(SSE + b"content-length: 9\r\n\r\nda", close=True), Fault.TRANSIENT, id="cut"),
        pytest.param(silent_after(SSE + b"\r\nda"), Fault.TIMEOUT, id="silent"),
    ],
)
async def test_what_came_before_a_failure_is_given_first_when_joined(
    upstream: Upstream, script: Script, fault: Fault
) -> None:
    got = b""
    async with serving(script) as server:
        with pytest.raises(Unreachable) as caught:
            async with upstream.open(server.post(), Timeouts(idle=0.3)) as answer:
                answer.join_chunks()
                async for chunk in answer.chunks:
                    got += chunk
        await asyncio.wait_for(server.gone.wait(), 5)
    assert (got, caught.value.failure.fault) == (b"da", fault)


async def test_a_reader_that_stops_loses_nothing_and_holds_the_provider_back(upstream: Upstream) -> None:
    sent, size = 0, 16 * 1024 * 1024

    async def flood(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(SSE + b"content-length: %d\r\n\r\n" % size)
        while sent < size:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    async with serving(flood) as server, upstream.open(server.post(), Timeouts(idle=0.3, total=20)) as answer:
        got = 0
        async for chunk in answer.chunks:
            answer.join_chunks()
            got += len(chunk)
            if got > 1_000_000 and sent < size:
                before = -1
                while before != sent:  # as much as the sockets hold, and no more
                    before = sent
                    await asyncio.sleep(0.4)
                assert sent < size
                break
        async for chunk in answer.chunks:
            got += len(chunk)
    assert got == size


async def test_the_deadline_ends_the_task_that_reads_not_the_one_that_opened(upstream: Upstream) -> None:
    async with (
        serving(silent_after(SSE + b"\r\ndata: 1\n\n")) as server,
        upstream.open(server.post(), Timeouts(idle=0.2)) as answer,
    ):

        async def read() -> None:
            async for _ in answer.chunks:
                pass

        with pytest.raises(Unreachable, match="sent nothing"):
            await asyncio.create_task(read())


async def test_what_comes_on_an_idle_connection_is_not_the_next_answer(upstream: Upstream) -> None:
    async def and_one_too_many(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"ok"))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(whole(b"", b"408 Request Timeout"))

    async with serving(and_one_too_many) as server:
        for _ in range(2):
            async with upstream.open(server.post(), QUICK) as answer:
                assert answer.status == 200
                assert [chunk async for chunk in answer.chunks] == [b"ok"]
            await asyncio.sleep(0.3)
    assert server.connections == 2


async def test_a_compressed_answer_is_refused_unread(upstream: Upstream) -> None:
    bomb = gzip.compress(b"a" * 50_000_000)
    async with serving(says(whole(bomb, extra=b"content-encoding: gzip\r\n"))) as server:
        failure = (await failure_of(upstream, server.post())).failure
    assert failure.fault is Fault.BAD_ANSWER


async def test_an_error_body_is_read_to_its_limit(upstream: Upstream) -> None:
    async with (
        serving(says(whole(b"x" * 300_000, b"500 Oops"))) as server,
        upstream.open(server.post(), QUICK) as answer,
    ):
        assert answer.status == 500
        assert await answer.read(65_536) == b"x" * 65_536


async def test_a_cut_error_body_gives_what_came(upstream: Upstream) -> None:
    async with (
        serving(says(b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 99\r\n\r\nslow", close=True)) as server,
        upstream.open(server.post(), QUICK) as answer,
    ):
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert await answer.read(65_536) == b"slow"


async def test_a_kept_connection_found_dead_is_replaced_once_and_unseen(upstream: Upstream) -> None:
    served = 0

    async def second_time_dead(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        if served == 2:
            writer.close()
        else:
            writer.write(whole(b"ok"))

    async with serving(second_time_dead) as server:
        assert await body_of(upstream, server.post()) == b"ok"
        assert await body_of(upstream, server.post()) == b"ok"
    assert (server.connections, len(server.calls)) == (2, 3)


async def test_a_fresh_connection_that_breaks_is_not_tried_again_though_others_are_kept(upstream: Upstream) -> None:
    busy, release = asyncio.Event(), asyncio.Event()

    async def third_time_dead(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if call.body == b"slow":
            busy.set()
            await release.wait()
        if call.body == b"dead":
            writer.close()
        else:
            writer.write(whole(b"ok"))

    async with serving(third_time_dead) as server:
        assert await body_of(upstream, server.post()) == b"ok"
        slow = asyncio.ensure_future(body_of(upstream, server.post(b"slow")))
        await busy.wait()  # the kept connection is in use: the next request opens one
        assert (await failure_of(upstream, server.post(b"dead"))).failure.fault is Fault.TRANSIENT
        release.set()
        assert await slow == b"ok"
    assert [call.body for call in server.calls] == [b"{}", b"slow", b"dead"]


async def test_a_kept_connection_that_breaks_inside_its_answer_is_not_asked_again(upstream: Upstream) -> None:
    async def second_time_cut(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if call.body == b"cut":
            writer.write(SSE + b"content-length: 9\r\n\r\nda")
            writer.close()
        else:
            writer.write(whole(b"ok"))

    async with serving(second_time_cut) as server:
        assert await body_of(upstream, server.post()) == b"ok"
        assert (await failure_of(upstream, server.post(b"cut"))).failure.fault is Fault.TRANSIENT
    assert (server.connections, len(server.calls)) == (1, 2)


async def test_a_kept_connection_closed_while_idle_is_noticed_before_sending(upstream: Upstream) -> None:
    async with serving(says(whole(b"ok"), close=True)) as server:
        for _ in range(3):
            assert await body_of(upstream, server.post()) == b"ok"
            await asyncio.wait_for(server.gone.wait(), 5)
            server.gone.clear()
            await asyncio.sleep(0.02)
    assert (server.connections, len(server.calls)) == (3, 3)


async def test_a_secret_saved_elsewhere_never_leaves(upstream: Upstream) -> None:
    async with serving(says(whole(b""))) as server:
        foreign = Secret(KEY, "https://api.openai.com:443")
        for request in (
            HttpRequest("POST", server.url, secret_headers={"x-api-key": ("", foreign)}),
            HttpRequest("POST", server.url, secret_query={"key": ("", foreign)}),
        ):
            with pytest.raises(OriginNotApproved) as caught:
                await body_of(upstream, request)
            assert "api.openai.com" in caught.value.message
            assert KEY not in caught.value.message
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://a@evil.test/",
        "ftp://x/",
        "https://ex\tample.test",
        "https://ex\\ample.test",
        "file:///etc/passwd",
        "https://[::1]x:80/",
        "https://192.168.1.256/",
    ],
)
async def test_a_url_that_parsers_read_differently_is_refused(upstream: Upstream, url: str) -> None:
    with pytest.raises(InvalidInput):
        await body_of(upstream, HttpRequest("GET", url))


async def test_a_secret_in_the_query_is_sent_escaped_and_shown_nowhere(upstream: Upstream) -> None:
    async with serving(says(close=True)) as server:
        secret = Secret(KEY + "&=", origin_of(server.url))
        request = HttpRequest("GET", server.url + "?alt=sse", secret_query={"key": ("", secret)})
        failure = (await failure_of(upstream, request)).failure
    assert server.calls[0].target == f"/v1/chat?alt=sse&key={KEY}%26%3D".encode()
    assert KEY not in failure.message


async def test_a_header_that_cannot_be_sent_is_refused_without_quoting_it(upstream: Upstream) -> None:
    async with serving(says(whole(b""))) as server:
        failure = (await failure_of(upstream, server.post(key=KEY + "\nx: y"))).failure
    assert failure.fault is Fault.CONFIG
    assert server.calls == []


async def test_a_header_that_is_not_ascii_is_refused_without_quoting_it(upstream: Upstream) -> None:
    with pytest.raises(InvalidInput) as caught:
        await body_of(upstream, HttpRequest("GET", "https://provider.test/", {"x-team": f"\N{SNOWMAN}{KEY}"}))
    assert "x-team" in caught.value.message
    assert KEY not in caught.value.message


async def test_a_key_that_is_not_ascii_is_refused_by_its_own_field_without_quoting_it(upstream: Upstream) -> None:
    secret = Secret(f"\N{SNOWMAN}{KEY}", "https://provider.test:443")
    request = HttpRequest("GET", "https://provider.test/", secret_headers={"X-Key": ("", secret)})
    with pytest.raises(InvalidInput) as caught:
        await body_of(upstream, request)
    assert (caught.value.field, KEY in caught.value.message) == ("profile.apiKey", False)


async def test_nothing_is_logged_about_a_request(upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(says(whole(b"ok"))) as server:
        await body_of(upstream, server.post())
    assert [record for record in caplog.records if record.name != "asyncio"] == []


async def test_request_gives_a_small_answer_whole_and_refuses_a_long_one(upstream: Upstream) -> None:
    async with serving(says(whole(b'{"data":[]}'))) as server:
        got = await upstream.request(HttpRequest("GET", server.url))
        assert (got.status, got.body) == (200, b'{"data":[]}')
        with pytest.raises(Unreachable) as caught:
            await upstream.request(HttpRequest("GET", server.url), limit=5)
    assert caught.value.failure.fault is Fault.BAD_ANSWER
    assert server.calls[0].header(b"content-length") is None


QUOTING = 'key "with" a/slash-3f9c2a7be1d0'


@pytest.mark.parametrize(
    "quoted", [QUOTING, json.dumps(QUOTING), quote(QUOTING, safe="")], ids=["plain", "in-json", "in-a-url"]
)
async def test_an_error_that_quotes_the_key_is_read_without_it(upstream: Upstream, quoted: str) -> None:
    says_key = whole(f"no {quoted}!".encode(), b"401 No", f"location: /?key={quoted}\r\n".encode())
    async with serving(says(says_key)) as server:
        request = replace(server.post(key=None), secret_query={"key": ("", Secret(QUOTING, origin_of(server.url)))})
        async with upstream.open(request, QUICK) as answer:
            headers, body = str(answer.headers), await answer.read(1_000)
        short = await upstream.request(request)
    assert body == short.body
    assert re.fullmatch(rb'no "?\*\*\*"?!', body)
    assert "3f9c" not in headers + str(short.headers)


async def test_what_was_asked_for_comes_as_it_is_though_a_key_stands_in_it(upstream: Upstream) -> None:
    listed = b'{"data":[{"id":"model-abc123"}],"refresh_token":"%b"}' % QUOTING.encode()
    async with serving(says(whole(listed))) as server:
        for key in "abc123", QUOTING:
            assert (await upstream.request(server.post(key=key))).body == listed


async def test_what_is_too_short_for_a_key_is_left_in_an_error(upstream: Upstream) -> None:
    async with serving(says(whole(b"no local model", b"404 No"))) as server:
        assert (await upstream.request(server.post(key="local"))).body == b"no local model"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    made = folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_self_signed_server_sees_not_one_byte_of_the_request(upstream: Upstream, certificate: Path) -> None:
    async with serving(says(whole(b"")), server_tls(certificate)) as server:
        failure = (await failure_of(upstream, server.post())).failure
    assert failure.fault is Fault.NETWORK
    assert "self-signed certificate" in failure.message
    assert server.calls == []


async def test_a_trusted_server_is_reached_over_tls_and_no_key_log_is_written(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    upstream = Upstream({})
    await upstream.warm()
    async with serving(says(whole(b"ok")), server_tls(certificate)) as server:
        assert [await body_of(upstream, server.post()) for _ in range(2)] == [b"ok", b"ok"]
    await upstream.close()
    assert server.connections == 1
    assert not (tmp_path / "keys").exists()


async def test_a_proxy_of_the_environment_gets_the_request_and_its_own_credentials(certificate: Path) -> None:
    async with serving(says(whole(b"via"))) as proxy:
        upstream = Upstream({"http_proxy": f"http://me:pw@127.0.0.1:{proxy.port}"})
        request = HttpRequest("POST", "http://provider.test/v1/chat", body=b"{}")
        assert await body_of(upstream, request) == b"via"
        await upstream.close()
    assert proxy.calls[0].target == b"http://provider.test/v1/chat"
    assert proxy.calls[0].header(b"proxy-authorization") == b"Basic bWU6cHc="


async def test_https_goes_through_a_tunnel_whose_proxy_sees_no_key(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def tunnel(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                assert KEY.encode() not in data
                sink.write(data)
            sink.close()

        try:
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        finally:
            inner_writer.transport.abort()

    async with serving(says(whole(b"inside")), server_tls(certificate)) as server, serving(tunnel) as proxy:
        upstream = Upstream({})
        async with upstream.open(server.post(), QUICK, f"http://127.0.0.1:{proxy.port}") as answer:
            assert b"".join([c async for c in answer.chunks]) == b"inside"
        await upstream.close()
    assert proxy.calls[0].head.startswith(f"CONNECT localhost:{server.port} ".encode())
    assert server.calls[0].header(b"authorization") == f"Bearer {KEY}".encode()


async def test_a_proxy_that_cannot_be_used_says_why() -> None:
    upstream = Upstream({"all_proxy": "socks5://127.0.0.1:1080"})
    with pytest.raises(InvalidInput, match="socks5.*; correct the environment's"):
        await body_of(upstream, HttpRequest("GET", "https://provider.test/"))


async def test_a_thousand_streams_at_once_all_end(upstream: Upstream) -> None:
    together = asyncio.Barrier(1_000)

    async def script(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await together.wait()
        writer.write(b"0\r\n\r\n")

    async with serving(script) as server:
        timeouts = Timeouts(connect=60, first_token=60, idle=60, total=90)
        bodies = await asyncio.gather(*(body_of(upstream, server.post(), timeouts) for _ in range(1_000)))
    assert set(bodies) == {b"abc"}


async def test_close_ends_answers_that_are_still_open() -> None:
    upstream = Upstream({})
    async with serving(silent_after(SSE + b"\r\ndata: 1\n\n")) as server:
        with pytest.raises(Unreachable):
            async with upstream.open(server.post(), QUICK) as answer:
                async for _ in answer.chunks:
                    await upstream.close()


class Way(httpx.AsyncBaseTransport):
    """A transport that answers and remembers whether it was closed."""

    def __init__(self) -> None:
        self.asked = 0
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(200, stream=httpx.ByteStream(b""))

    async def aclose(self) -> None:
        self.closed = True


async def test_each_request_under_way_has_a_transport_and_what_nobody_needs_any_more_is_dropped() -> None:
    ways: list[Way] = []
    now = 0.0

    def another() -> Way:
        ways.append(Way())
        return ways[-1]

    lanes = Lanes(another, lambda: now)
    request = httpx.Request("GET", "http://somewhere.invalid/")

    async def ask(times: int) -> None:
        for response in [await lanes.handle_async_request(request) for _ in range(times)]:
            await response.aclose()

    await ask(3)
    await ask(3)
    assert [way.asked for way in ways] == [2, 2, 2]
    now = 119.0
    await ask(1)
    assert not any(way.closed for way in ways)
    now = 121.0
    await ask(1)
    assert [way.closed for way in ways] == [False, False, True]
    await ask(2)
    assert [way.closed for way in ways] == [False, False, True]
    assert [way.asked for way in ways] == [5, 3, 2]
    await lanes.aclose()
    assert all(way.closed for way in ways)
