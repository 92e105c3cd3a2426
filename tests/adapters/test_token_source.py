"""Short-lived tokens from real commands and a real token endpoint; only the clock is the test's."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from rooroute.adapters.commands import Commands
from rooroute.adapters.http import Upstream
from rooroute.adapters.token_source import TokenSource
from rooroute.errors import OriginNotApproved, SecretUnavailable
from rooroute.profiles import Auth, AuthKind, Profile, SecretCommand, TokenEndpointAuthMethod
from rooroute.providers.tokens import Token
from rooroute.secret import Secret, origin_of
from tests.adapters.test_http import Call, Server, serving, whole

ORIGIN = "https://models.example.net:443"
CLIENT_SECRET = "canary-client-secret-77aa0"


@dataclass
class Endpoint:
    """A token endpoint: a new token each time, as long as ``status`` is 200."""

    status: int = 200
    expires_in: float = 3600
    body: bytes | None = None
    asked: list[Call] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def answer(self, call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(call)
        if self.hold is not None:
            await self.hold.wait()
        document = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer", "expires_in": self.expires_in}
        body = self.body if self.body is not None else json.dumps(document).encode()
        writer.write(whole(body, f"{self.status} Status".encode()))
        await writer.drain()


@dataclass
class Bench:
    source: TokenSource
    endpoint: Endpoint
    server: Server
    profile: Profile
    now: float = 1_790_000_000.0
    redacted: list[str] = field(default_factory=list)

    async def token(self, profile: Profile | None = None) -> str:
        profile = profile or self.profile
        auth = profile.auth
        secret = Secret(CLIENT_SECRET, origin_of(auth.token_url)) if auth and auth.token_url else None
        return (await self.source.token(profile, ORIGIN, secret)).reveal(ORIGIN)

    async def wrong(self, profile: Profile | None = None) -> str:
        with pytest.raises(SecretUnavailable) as caught:
            await self.token(profile)
        return caught.value.message


async def no_google(path: str | None, origin: str, proxy: str | None) -> Token:
    raise AssertionError


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    endpoint, upstream = Endpoint(), Upstream({})
    async with serving(endpoint.answer) as server:
        auth = Auth(
            kind=AuthKind.OAUTH_CLIENT_CREDENTIALS,
            token_url=f"http://127.0.0.1:{server.port}/token",
            client_id="me",
            scope="read write",
        )
        profile = Profile(id="mine", provider="openai-compatible", base_url="https://models.example.net", auth=auth)
        made = Bench.__new__(Bench)
        source = TokenSource(
            upstream.request, Commands(os.environ), no_google, lambda: made.now, lambda text: made.redacted.append(text)
        )
        Bench.__init__(made, source, endpoint, server, profile)
        yield made
        await source.close()
        await upstream.close()


def printing(source: str, **fields: Any) -> Profile:
    auth = Auth(kind=AuthKind.TOKEN_COMMAND, command=(sys.executable, "-c", source), **{"timeout": 30.0, **fields})
    return Profile(id="vault", provider="openai-compatible", base_url="https://models.example.net", auth=auth)


async def test_a_client_s_secret_is_exchanged_for_a_token(bench: Bench) -> None:
    assert await bench.token() == "token-1"
    call = bench.endpoint.asked[0]
    assert call.target == b"/token"
    assert call.header(b"authorization") == b"Basic " + base64.b64encode(f"me:{CLIENT_SECRET}".encode())
    assert parse_qs(call.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["read write"]}
    assert bench.redacted == ["token-1"]


def in_form(profile: Profile) -> Profile:
    assert profile.auth
    return replace(profile, auth=replace(profile.auth, token_endpoint_auth_method=TokenEndpointAuthMethod.POST))


async def test_a_client_s_secret_goes_in_the_form_where_the_endpoint_wants_it_there(bench: Bench) -> None:
    assert await bench.token(in_form(bench.profile)) == "token-1"
    call = bench.endpoint.asked[0]
    assert call.header(b"authorization") is None
    assert parse_qs(call.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
        "client_id": ["me"],
        "client_secret": [CLIENT_SECRET],
    }
    assert call.header(b"content-length") == str(len(call.body)).encode()


async def test_a_client_s_secret_in_the_form_goes_to_the_address_it_was_saved_for_alone(bench: Bench) -> None:
    with pytest.raises(OriginNotApproved):
        await bench.source.token(in_form(bench.profile), ORIGIN, Secret(CLIENT_SECRET, "https://elsewhere.test:443"))
    assert bench.endpoint.asked == []


async def test_an_endpoint_that_does_not_know_the_client_may_want_the_secret_elsewhere(bench: Bench) -> None:
    bench.endpoint.status, bench.endpoint.body = 401, f'{{"error": "invalid_client {CLIENT_SECRET}"}}'.encode()
    assert CLIENT_SECRET not in await bench.wrong(in_form(bench.profile))
    bench.endpoint.body = b'{"error": "invalid_client"}'
    assert "auth.tokenEndpointAuthMethod client_secret_post" in await bench.wrong()
    assert "auth.tokenEndpointAuthMethod client_secret_basic" in await bench.wrong(in_form(bench.profile))


async def test_a_hundred_requests_that_wait_make_one_exchange(bench: Bench) -> None:
    bench.endpoint.hold = asyncio.Event()
    waiting = [asyncio.create_task(bench.token(replace(bench.profile, id=f"p{n % 3}"))) for n in range(100)]
    async with asyncio.timeout(20):
        while not bench.endpoint.asked:
            await asyncio.sleep(0.01)
    waiting[0].cancel()  # whoever began it may leave
    bench.endpoint.hold.set()
    tokens = await asyncio.gather(*waiting[1:])
    assert set(tokens) == {"token-1"}
    assert len(bench.endpoint.asked) == 1


async def test_a_token_is_kept_until_a_minute_before_its_end(bench: Bench) -> None:
    await bench.token()
    bench.now += 3539
    assert await bench.token() == "token-1"
    bench.now += 2
    assert await bench.token() == "token-2"


async def test_one_that_cannot_be_renewed_is_used_to_its_very_end(bench: Bench) -> None:
    await bench.token()
    bench.now += 3550
    bench.endpoint.status = 503
    assert await bench.token() == "token-1"
    bench.now += 51
    assert "The token endpoint refused (HTTP 503)" in await bench.wrong()


async def test_a_refused_token_is_replaced_once_however_many_say_so(bench: Bench) -> None:
    await bench.token()
    sent_at = bench.now = bench.now + 100
    bench.source.drop("mine", sent_at)
    assert await bench.token() == "token-2"
    bench.source.drop("mine", sent_at - 50)  # this one was refused the first token too
    assert await bench.token() == "token-2"
    bench.source.drop("mine")
    assert await bench.token() == "token-3"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"error": "invalid_client", "error_description": "no"}', "refused (invalid_client)"),
        (500, b"<html>oops</html>", "refused (HTTP 500)"),
        (200, b"<html>sign in first</html>", "holds no token; check auth.tokenUrl"),
        (200, b"{}", "holds no token; check auth.tokenUrl"),
    ],
    ids=["a-named-error", "a-page", "a-captive-portal", "nothing"],
)
async def test_a_token_endpoint_that_refuses_is_named(bench: Bench, status: int, body: bytes, words: str) -> None:
    bench.endpoint.status, bench.endpoint.body = status, body
    told = await bench.wrong()
    assert told.startswith("mine: ") and words in told
    assert CLIENT_SECRET not in told


async def test_a_token_endpoint_that_is_not_there_is_named(bench: Bench) -> None:
    assert bench.profile.auth
    auth = replace(bench.profile.auth, token_url="http://127.0.0.1:9/token")
    assert "refuses connections" in await bench.wrong(replace(bench.profile, auth=auth))


async def test_a_command_s_token_is_kept_for_its_lifetime(bench: Bench, tmp_path: Path) -> None:
    count = tmp_path / "count"
    vault = printing(
        f"p = {str(count)!r}; open(p, 'a').write('x'); print('t' + str(len(open(p).read())))", lifetime=300
    )
    assert await asyncio.gather(*(bench.token(vault) for _ in range(20))) == ["t1"] * 20
    bench.now += 239
    assert await bench.token(vault) == "t1"
    bench.now += 2
    assert await bench.token(vault) == "t2"


async def test_a_command_may_tell_the_end_of_its_token(bench: Bench) -> None:
    vault = printing('import json; print(json.dumps({"accessToken": "entra", "expires_on": 1790007200}))')
    assert await bench.token(vault) == "entra"
    bench.now += 7100
    assert await bench.token(vault) == "entra"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise SystemExit(2)", "failed with status 2"),
        ("pass", "is no token"),
        ("import time; time.sleep(600)", "not done within 2 seconds"),
    ],
)
async def test_a_command_without_a_token_is_named_with_its_profile(bench: Bench, source: str, words: str) -> None:
    told = await bench.wrong(printing(source, timeout=2.0 if "sleep" in source else 30.0))
    assert told.startswith("vault: ") and words in told


async def test_another_declaration_is_another_token(bench: Bench) -> None:
    await bench.token()
    assert bench.profile.auth
    assert await bench.token(replace(bench.profile, auth=replace(bench.profile.auth, scope="other"))) == "token-2"
    assert await bench.token() == "token-1"


async def test_closing_gives_up_what_is_still_coming(bench: Bench) -> None:
    bench.endpoint.hold = asyncio.Event()
    task = asyncio.create_task(bench.token())
    async with asyncio.timeout(20):
        while not bench.endpoint.asked:
            await asyncio.sleep(0.01)
    await bench.source.close()
    with pytest.raises(asyncio.CancelledError):
        await task


# --- secrets that a command prints ---


def printed(source: str, **fields: Any) -> Profile:
    command = SecretCommand(command=(sys.executable, "-c", source), **{"timeout": 30.0, **fields})
    return Profile(id="vault", provider="openai-compatible", secret_commands={"team": command})


async def secret(bench: Bench, profile: Profile, origin: str = ORIGIN) -> str:
    return (await bench.source.printed(profile, "team", origin)).reveal(origin)


async def test_a_printed_secret_is_had_once_and_kept_for_its_lifetime(bench: Bench, tmp_path: Path) -> None:
    count = tmp_path / "count"
    vault = printed(f"p = {str(count)!r}; open(p, 'a').write('x'); print('s ' + str(len(open(p).read())))")
    assert await asyncio.gather(*(secret(bench, vault) for _ in range(100))) == ["s 1"] * 100
    assert bench.redacted == ["s 1"]
    bench.now += 239
    assert await secret(bench, vault) == "s 1"
    bench.now += 2
    assert await secret(bench, vault) == "s 2"
    assert await secret(bench, vault, "https://other.example.net:443") == "s 3", "another origin, another secret"
    bench.source.drop("vault")
    assert await secret(bench, vault, "https://other.example.net:443") == "s 4"


async def test_a_printed_secret_is_kept_no_longer_than_it_says(bench: Bench) -> None:
    told = json.dumps({"token": "short", "expires_in": 90})
    vault = printed(f"import time; print({told!r}.replace('short', str(time.monotonic_ns())))", lifetime=3600)
    first = await secret(bench, vault)
    bench.now += 29
    assert await secret(bench, vault) == first
    bench.now += 2
    assert await secret(bench, vault) != first


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("print('canary-1'); raise SystemExit(3)", "failed with status 3"),
        ("pass", "is no secret: it is empty"),
        ("print('canary-1'); print('canary-2')", "is no secret"),
        ("print('canary-\u00e9')", "is no secret"),
        ('print(\'{"wrong": "canary-1"}\')', "is no token"),
        (
            "import time; time.sleep(600)",
            "within 2 seconds; try it in a terminal, or raise secretCommands.team.timeout",
        ),
    ],
)
async def test_a_command_without_a_secret_is_named_and_not_quoted(bench: Bench, source: str, words: str) -> None:
    with pytest.raises(SecretUnavailable) as caught:
        await secret(bench, printed(source, timeout=2.0 if "sleep" in source else 30.0))
    told = caught.value.message
    assert told.startswith("vault: ") and words in told
    assert "canary" not in told
