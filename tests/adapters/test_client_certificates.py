"""Client certificates and authorities of a profile's own, against real TLS servers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.adapters.dial import Dialer
from rooroute.adapters.http import Upstream
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.providers.dialect import Tls
from tests.adapters.test_http import QUICK, Call, Server, serving, whole

pytestmark = [pytest.mark.requires("openssl"), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def make(folder: Path, name: str, *more: str) -> Path:
    """A self-signed certificate for ``localhost`` whose subject is ``name``, its key beside it."""
    made = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-days", "2", "-subj", f"/CN={name}",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / f"{name}.key", "-out", made,
         *(more or ("-nodes",))],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "alice", "bob", "mallory"):
        make(folder, name)
    make(folder, "locked", "-passout", "pass:secret")
    return folder


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream({})
    yield upstream
    await upstream.close()


def server_tls(made: Path, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Knows alice and bob, and asks everybody who they are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / "server.pem", made / "server.key")
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    for name in ("alice", "bob"):
        context.load_verify_locations(cafile=made / f"{name}.pem")
    return context


def tls(made: Path, name: str | None) -> Tls:
    if name is None:
        return Tls(ca_file=str(made / "server.pem"))
    return Tls(str(made / f"{name}.pem"), str(made / f"{name}.key"), str(made / "server.pem"))


async def says_who(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    subject = writer.get_extra_info("peercert")["subject"]
    writer.write(whole(subject[0][0][1].encode()))


async def asked(upstream: Upstream, server: Server, wish: Tls | None) -> str:
    async with upstream.open(replace(server.post(), tls=wish), QUICK) as answer:
        return b"".join([chunk async for chunk in answer.chunks]).decode()


async def refused(upstream: Upstream, server: Server, wish: Tls | None) -> Failure:
    with pytest.raises(Unreachable) as caught:
        await asked(upstream, server, wish)
    return caught.value.failure


async def test_each_profile_shows_its_own_certificate(upstream: Upstream, made: Path) -> None:
    async with serving(says_who, server_tls(made)) as server:
        for name in ("alice", "bob", "alice"):
            assert await asked(upstream, server, tls(made, name)) == name
        assert server.connections == 2, "a connection is used again by those who show the same certificate only"


def turn_away(listener: socket.socket, context: ssl.SSLContext) -> None:
    """A handshake as most servers make it, alert and all; asyncio's own closes without a word."""
    with listener.accept()[0] as raw, raw.dup() as pipe:
        secured = context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        with secured, contextlib.suppress(ssl.SSLError):
            secured.do_handshake()
        pipe.shutdown(socket.SHUT_WR)
        while pipe.recv(65_536):
            pass


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls-1.2", "tls-1.3"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mallory", "does not know who issued the client certificate; check auth.certificate"),
        (None, "asks for a client certificate; set auth to kind mtls"),
    ],
    ids=["one-it-does-not-know", "none"],
)
async def test_a_certificate_that_the_server_does_not_take_is_named(
    upstream: Upstream, made: Path, version: ssl.TLSVersion, name: str | None, words: str
) -> None:
    if name is None and version is ssl.TLSVersion.TLSv1_2:
        words = (
            "No TLS connection"  # the older alert says no more: https://www.rfc-editor.org/rfc/rfc5246#section-7.4.6
        )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        turning = asyncio.create_task(asyncio.to_thread(turn_away, listener, server_tls(made, version)))
        server = Server(listener.getsockname()[1], scheme="https", host="localhost")
        failure = await refused(upstream, server, tls(made, name))
        await upstream.close()
        await turning
    assert words in failure.message
    assert failure.fault is (Fault.NETWORK if words.startswith("No TLS") else Fault.CONFIG)


async def test_authorities_are_trusted_for_the_profile_that_names_them_alone(upstream: Upstream, made: Path) -> None:
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    plain.load_cert_chain(made / "server.pem", made / "server.key")

    async def hello(call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"hello"))

    async with serving(hello, plain) as server:
        assert await asked(upstream, server, tls(made, None)) == "hello"
        assert "is not trusted" in (await refused(upstream, server, None)).message
        assert "is not trusted" in (await refused(upstream, server, Tls(ca_file=str(made / "alice.pem")))).message


async def test_a_renewed_certificate_is_shown_without_a_restart(upstream: Upstream, made: Path, tmp_path: Path) -> None:
    def put(name: str) -> None:
        shutil.copyfile(made / f"{name}.pem", tmp_path / "mine.pem")
        shutil.copyfile(made / f"{name}.key", tmp_path / "mine.key")

    wish = Tls(str(tmp_path / "mine.pem"), str(tmp_path / "mine.key"), str(made / "server.pem"))
    async with serving(says_who, server_tls(made)) as server:
        put("alice")
        assert await asked(upstream, server, wish) == "alice"
        put("bob")
        assert await asked(upstream, server, wish) == "bob"


async def test_certificate_and_key_may_share_a_file(upstream: Upstream, made: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes((made / "alice.key").read_bytes() + (made / "alice.pem").read_bytes())
    async with serving(says_who, server_tls(made)) as server:
        assert await asked(upstream, server, Tls(str(both), None, str(made / "server.pem"))) == "alice"


@pytest.mark.parametrize(
    ("certificate", "key", "authorities", "words"),
    [
        (
            "nowhere.pem",
            "alice.key",
            None,
            "nowhere.pem cannot be used (a file is not there); correct auth.certificate",
        ),
        ("alice.pem", "nowhere.key", None, "alice.pem cannot be used (a file is not there); correct auth.certificate"),
        ("alice.pem", "bob.key", None, "or its key is another or encrypted"),
        ("locked.pem", "locked.key", None, "or its key is another or encrypted"),
        ("alice.key", None, None, "holds no such certificate"),
        (None, None, "nowhere.pem", "nowhere.pem cannot be used (a file is not there); correct options.caFile"),
        (None, None, "alice.key", "correct options.caFile"),
    ],
    ids=["no-file", "no-key", "another-s-key", "a-locked-key", "no-certificate", "no-authorities", "not-authorities"],
)
async def test_a_file_that_cannot_be_used_is_named_and_nothing_is_sent(
    upstream: Upstream, made: Path, certificate: str | None, key: str | None, authorities: str | None, words: str
) -> None:
    paths = [str(made / each) if each else None for each in (certificate, key, authorities)]
    async with serving(says_who, server_tls(made)) as server:
        failure = await refused(upstream, server, Tls(*paths))
    assert failure.fault is Fault.CONFIG
    assert words in failure.message
    assert server.connections == 0


async def test_a_connection_test_goes_the_profile_s_own_way(made: Path) -> None:
    async with serving(says_who, server_tls(made)) as server:
        for wish, trusted in ((tls(made, "alice"), True), (None, False)):
            async with aclosing(Dialer({}).steps(server.url, None, seconds=10, tls=wish)) as steps:
                found = [(step.name, step.failure is None) async for step in steps]
            assert found == [("address", True), ("tcp", True), ("tls", trusted)]
        async with aclosing(Dialer({}).steps(server.url, None, seconds=10, tls=Tls("/nowhere.pem"))) as steps:
            assert [(step.name, step.failure and "not there" in step.failure.message) async for step in steps] == [
                ("tls", True)
            ]
