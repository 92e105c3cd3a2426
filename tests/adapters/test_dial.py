"""The way to an address, step by step, against real sockets, certificates and proxies."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from rooroute.adapters.dial import Dialer
from rooroute.outcome import Fault
from rooroute.trial import Step

CREDENTIALS = "user:canary-77"


async def steps(url: str, proxy: str | None = None, seconds: float = 10, **environment: str) -> list[Step]:
    async with aclosing(Dialer(environment).steps(url, proxy, seconds=seconds)) as taken:
        return [step async for step in taken]


def outcome(found: list[Step]) -> list[tuple[str, bool]]:
    return [(step.name, step.failure is None) for step in found]


@asynccontextmanager
async def listening(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server on loopback that says nothing, or what ``answer`` does."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            if answer is not None:
                await answer(reader, writer)  # type: ignore[misc]
            await reader.read()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            serving.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in tuple(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0)


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


async def test_plain_http_is_two_steps_and_nothing_is_sent() -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read())

    async with listening(listen) as port:
        found = await steps(f"http://127.0.0.1:{port}/v1")
        assert await asyncio.wait_for(heard.get(), 10) == b""
    assert outcome(found) == [("address", True), ("tcp", True)]
    assert found[0].detail == "127.0.0.1 is at 127.0.0.1."
    assert found[1].detail == f"127.0.0.1:{port} accepts connections."


@pytest.mark.requires("openssl")
async def test_a_trusted_certificate_is_the_third_step(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with listening(tls=server_tls(certificate)) as port:
        found = await steps(f"https://localhost:{port}/v1")
    assert outcome(found) == [("address", True), ("tcp", True), ("tls", True)]
    assert found[2].detail.startswith("TLSv1.")


@pytest.mark.requires("openssl")
async def test_a_certificate_that_is_not_trusted_fails_the_third_step(certificate: Path) -> None:
    async with listening(tls=server_tls(certificate)) as port:
        found = await steps(f"https://localhost:{port}/v1")
    assert outcome(found) == [("address", True), ("tcp", True), ("tls", False)]
    assert found[2].failure is not None and "self-signed certificate" in found[2].failure.message


async def test_a_server_that_hangs_up_at_the_handshake() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with listening(hang_up) as port:
        found = await steps(f"https://127.0.0.1:{port}/v1")
    assert found[-1].failure is not None and "No TLS connection" in found[-1].failure.message


async def test_a_server_that_never_shakes_hands_has_its_time() -> None:
    async with listening() as port:
        found = await steps(f"https://127.0.0.1:{port}/v1", seconds=0.3)
    assert found[-1].failure is not None and "No TLS connection" in found[-1].failure.message


async def test_a_refused_connection_and_an_unknown_name() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        refused = await steps(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
    assert outcome(refused) == [("address", True), ("tcp", False)]
    assert refused[-1].failure is not None and "refuses connections" in refused[-1].failure.message
    unknown = await steps("http://no-such-host.invalid/v1")
    assert outcome(unknown) == [("address", False)]
    assert unknown[-1].failure is not None and unknown[-1].failure.fault is Fault.NETWORK


async def test_localhost_refused_in_both_families_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = await steps(f"http://localhost:{taken.getsockname()[1]}/v1")
    assert found[-1].failure is not None and "refuses connections" in found[-1].failure.message


def tunnel(port: int, seen: list[bytes], status: bytes = b"200 OK") -> Callable[..., object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
        if not status.startswith(b"2"):
            return
        there, onward = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)

        back = asyncio.create_task(pump(there, writer))
        try:
            await pump(reader, onward)
        finally:
            back.cancel()
            onward.transport.abort()

    return serve


@pytest.mark.requires("openssl")
async def test_tls_goes_through_a_proxys_tunnel(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    seen: list[bytes] = []
    async with listening(tls=server_tls(certificate)) as port, listening(tunnel(port, seen)) as proxy:
        found = await steps(f"https://localhost:{port}/v1", f"http://{CREDENTIALS}@127.0.0.1:{proxy}")
    assert outcome(found) == [("address", True), ("tcp", True), ("tls", True)]
    assert f"http://127.0.0.1:{proxy} accepts connections." == found[1].detail
    assert seen[0].startswith(b"CONNECT localhost:%d HTTP/1.1\r\n" % port)
    assert base64.b64encode(CREDENTIALS.encode()) in seen[0]
    assert "canary" not in repr(found)


@pytest.mark.parametrize("status", [b"407 Proxy Authentication Required", b"502 Bad Gateway"])
async def test_a_proxy_that_opens_no_tunnel_says_why(status: bytes) -> None:
    async with listening(tunnel(1, [], status)) as proxy:
        found = await steps("https://models.example/v1", f"http://127.0.0.1:{proxy}")
    assert found[-1].name == "tls"
    assert found[-1].failure is not None and f"(HTTP {status[:3].decode()})" in found[-1].failure.message


@pytest.mark.requires("openssl")
async def test_a_proxy_spoken_to_in_tls_opens_a_tunnel_for_tls(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    seen: list[bytes] = []
    tls = server_tls(certificate)
    async with listening(tls=tls) as port, listening(tunnel(port, seen), tls) as proxy:
        found = await steps(f"https://localhost:{port}/v1", f"https://localhost:{proxy}")
        assert outcome(found) == [("address", True), ("tcp", True), ("tls", True)]
        found = await steps(f"http://models.example:{port}/v1", f"https://localhost:{proxy}")
    assert outcome(found) == [("address", True), ("tcp", True), ("tls", True)]
    assert len(seen) == 1


async def test_a_proxy_that_is_none_says_nothing_of_use() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")

    async with listening(garbage) as proxy:
        found = await steps("https://models.example/v1", f"http://127.0.0.1:{proxy}")
    assert found[-1].failure is not None and "did not open a way" in found[-1].failure.message


def test_the_proxy_is_named_without_its_credentials() -> None:
    dialer = Dialer({"HTTPS_PROXY": f"http://{CREDENTIALS}@proxy.example:3128", "NO_PROXY": "inside.example"})
    assert dialer.proxy_of("https://models.example/v1", None) == "http://proxy.example:3128"
    assert dialer.proxy_of("https://inside.example/v1", None) is None
    assert dialer.proxy_of("http://localhost:1/v1", None) is None
    assert dialer.proxy_of("https://models.example/v1", "other.example") == "http://other.example:80"
    with pytest.raises(ValueError, match="socks5"):
        dialer.proxy_of("https://models.example/v1", "socks5://x")


async def test_the_way_can_be_left_in_the_middle() -> None:
    gone = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            gone.set()

    async with listening(listen) as port:
        async with aclosing(Dialer({}).steps(f"https://127.0.0.1:{port}/", None, seconds=10)) as taken:
            assert [(await anext(taken)).name for _ in range(2)] == ["address", "tcp"]
        await asyncio.wait_for(gone.wait(), 10)
