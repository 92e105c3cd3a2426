"""Requests whose profiles prove themselves by a token or a signature, with real commands and a provider that answers as it is told."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from rooroute.errors import AllFailed, SecretUnavailable
from rooroute.profiles import Auth, AuthKind, SecretCommand, TokenEndpointAuthMethod
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail
from tests.adapters.test_http import Call, serving, whole
from tests.house import House, house

REFUSED = Fail("invalid-key")


def command(kind: AuthKind, source: str, *arguments: object) -> Auth:
    return Auth(kind=kind, command=(sys.executable, "-c", source, *map(str, arguments)), timeout=60.0)


def vault(folder: Path, token: str) -> Auth:
    """Prints what is in a file, and leaves a mark for each time it ran."""
    (folder / "token").write_text(token)
    source = "import sys; open(sys.argv[2], 'a').write('x'); print(open(sys.argv[1]).read())"
    return command(AuthKind.TOKEN_COMMAND, source, folder / "token", folder / "runs")


def times_run(folder: Path) -> int:
    return len((folder / "runs").read_text())


def build(folder: Path, auth: Auth, **more: Any) -> Any:
    return house(
        folder,
        {"A": [Answer("Unused.")], "B": [Answer("B.")]},
        dialect="openai",
        profiles={"A": {"auth": auth}},
        **more,
    )


def untouched(h: House) -> bool:
    return not h.state.snapshot().marks and h.shown("A").state is ShownState.ACTIVE


async def test_a_token_is_sent_in_the_key_s_place_and_made_once(tmp_path: Path) -> None:
    async with build(tmp_path, vault(tmp_path, "short-lived")) as h:
        h.provider.script("short-lived", Answer("A."))
        for _ in range(3):
            assert (await h.ask())["profileId"] == "A"
        assert h.asked_with() == ["short-lived"] * 3
        assert h.keys.reads == [], "nothing of it is in the keyring"
    assert times_run(tmp_path) == 1


async def test_an_expired_token_is_replaced_once_and_nobody_is_blamed(tmp_path: Path) -> None:
    async with build(tmp_path, vault(tmp_path, "old-token")) as h:
        h.provider.script("old-token", Answer("1."), REFUSED)
        h.provider.script("new-token", Answer("2."))
        await h.ask()
        (tmp_path / "token").write_text("new-token")
        assert (await h.ask())["message"].content == "2."
        assert h.asked_with() == ["old-token", "old-token", "new-token"]
        assert untouched(h)
    assert times_run(tmp_path) == 2


async def test_a_fresh_token_that_is_refused_too_has_failed(tmp_path: Path) -> None:
    async with build(tmp_path, vault(tmp_path, "bad-token")) as h:
        h.provider.script("bad-token", REFUSED)
        assert (await h.ask())["profileId"] == "B"
        assert h.asked_with() == ["bad-token", "bad-token", "B"]
        assert h.shown("A").state is ShownState.FAILED
        await h.ask()
        assert h.asked_with()[3:] == ["B"]
    assert times_run(tmp_path) == 2


async def test_a_lone_profile_s_refused_token_is_replaced_too(tmp_path: Path) -> None:
    async with build(tmp_path, vault(tmp_path, "bad-token"), pool={"profiles": ("A",)}) as h:
        h.provider.script("bad-token", REFUSED)
        with pytest.raises(AllFailed):
            await h.ask()
        assert h.asked_with() == ["bad-token"] * 2


async def test_a_hundred_requests_with_an_expired_token_make_one_new_one(tmp_path: Path) -> None:
    async with build(tmp_path, vault(tmp_path, "old-token")) as h:
        h.provider.script("old-token", Answer("1."), REFUSED)
        h.provider.script("new-token", Answer("2."))
        await h.ask()
        (tmp_path / "token").write_text("new-token")
        answers = await asyncio.gather(*(h.ask(session=str(n)) for n in range(100)))
        assert {each["message"].content for each in answers} == {"2."}
        assert untouched(h)
    assert times_run(tmp_path) == 2


async def test_a_token_that_is_awaited_holds_nobody_else_up(tmp_path: Path) -> None:
    source = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\nprint('late-token')"
    async with build(tmp_path, command(AuthKind.TOKEN_COMMAND, source, tmp_path / "go")) as h:
        h.provider.script("late-token", Answer("A."))
        waiting = asyncio.create_task(h.ask())
        for _ in range(20):
            assert (await h.ask(profile="B"))["message"].content == "B."
        assert not waiting.done()
        (tmp_path / "go").touch()
        assert (await waiting)["message"].content == "A."


async def test_a_command_that_fails_sends_the_request_on_and_is_not_run_again_at_once(tmp_path: Path) -> None:
    source = "import sys; open(sys.argv[1], 'a').write('x'); sys.exit(1)"
    async with build(tmp_path, command(AuthKind.TOKEN_COMMAND, source, tmp_path / "runs")) as h:
        for _ in range(3):
            assert (await h.ask())["profileId"] == "B"
        assert times_run(tmp_path) == 1
        h.credentials.forget("A")
        with pytest.raises(SecretUnavailable, match="failed with status 1; try it in a terminal"):
            await h.ask(profile="A", fallback=False)
    assert times_run(tmp_path) == 2


SIGN = (
    "import json, sys; told = json.load(sys.stdin); print(json.dumps({'headers': {'X-Signature': told['bodySha256']}}))"
)


async def test_a_signature_goes_along(tmp_path: Path) -> None:
    async with build(tmp_path, command(AuthKind.SIGNATURE_COMMAND, SIGN)) as h:
        h.provider.script("A", Answer("A."))
        assert (await h.ask())["message"].content == "A."
        assert len(h.provider.seen("A")[0].headers["x-signature"]) == 64


async def test_without_its_signature_a_request_goes_on_to_the_next(tmp_path: Path) -> None:
    async with build(tmp_path, command(AuthKind.SIGNATURE_COMMAND, "raise SystemExit(9)")) as h:
        answer = await h.ask()
        assert answer["profileId"] == "B"
        assert "failed with status 9" in answer["attempts"][0]["detail"]
        assert h.asked_with() == ["B"]


def kept_in_vault(folder: Path, secret: str) -> SecretCommand:
    declared = vault(folder, secret)
    return SecretCommand(command=declared.command, timeout=60.0)


async def test_a_key_from_a_command_is_printed_once_for_many_and_anew_after_a_refusal(tmp_path: Path) -> None:
    built = house(
        tmp_path,
        {"A": [Answer("Unused.")], "B": [Answer("B.")]},
        dialect="openai",
        profiles={"A": {"secret_commands": {"apiKey": kept_in_vault(tmp_path, "old-key")}}},
    )
    async with built as h:
        h.provider.script("old-key", Answer("1."), REFUSED)
        h.provider.script("new-key", Answer("2."))
        await h.ask()
        (tmp_path / "token").write_text("new-key")
        answers = await asyncio.gather(*(h.ask(session=str(n)) for n in range(30)))
        assert {each["message"].content for each in answers} == {"2."}
        assert untouched(h)
        assert "A" not in h.keys.reads, "nothing of it is in the keyring"
        assert h.credentials.home(h.configuration.profiles["A"]) == "command"
    assert times_run(tmp_path) == 2


async def test_a_basic_password_comes_from_a_command(tmp_path: Path) -> None:
    declared = {
        "auth": Auth(kind=AuthKind.BASIC, username="me"),
        "secret_commands": {"apiKey": kept_in_vault(tmp_path, "correct horse")},
    }
    async with house(tmp_path, {"A": [Answer("A.")]}, dialect="openai", profiles={"A": declared}) as h:
        with pytest.raises(AllFailed):
            await h.ask()
        sent = h.provider.requests[0].headers["authorization"]
        assert b64decode(sent.removeprefix("Basic ")) == b"me:correct horse"


@pytest.mark.parametrize("place", ["headers", "query"])
async def test_a_named_secret_comes_from_a_command_beside_the_key(place: str, tmp_path: Path) -> None:
    declared = {
        place: {"x-team": "Team ${secret:team}"},
        "secret_commands": {"team": kept_in_vault(tmp_path, "t-1")},
    }
    async with house(tmp_path, {"A": [Answer("A.")]}, dialect="openai", profiles={"A": declared}) as h:
        assert (await h.ask())["message"].content == "A."
        seen = h.provider.seen("A")[0]
        assert "Team t-1" in (seen.headers.get("x-team", ""), *parse_qs(seen.query).get("x-team", ()))


async def test_a_client_s_secret_comes_from_a_command(tmp_path: Path) -> None:
    asked: list[Call] = []

    async def answer(call: Call, reader: object, writer: Any) -> None:
        asked.append(call)
        good = b"client_secret=s-2" in call.body
        body = b'{"access_token": "made", "expires_in": 3600}' if good else b'{"error": "invalid_client"}'
        writer.write(whole(body, b"200 OK" if good else b"401 Unauthorized"))

    async with serving(answer) as server:
        auth = Auth(
            kind=AuthKind.OAUTH_CLIENT_CREDENTIALS,
            token_url=f"http://127.0.0.1:{server.port}/token",
            client_id="me",
            token_endpoint_auth_method=TokenEndpointAuthMethod.POST,
        )
        declared = {"auth": auth, "secret_commands": {"clientSecret": kept_in_vault(tmp_path, "s-1")}}
        scripts = {"A": [Answer("Unused.")], "B": [Answer("B.")]}
        async with house(tmp_path, scripts, dialect="openai", profiles={"A": declared}) as h:
            h.provider.script("made", Answer("A."))
            assert (await h.ask())["profileId"] == "B"
            (tmp_path / "token").write_text("s-2")
            h.clock.ahead = 31.0
            assert (await h.ask(profile="A"))["message"].content == "A.", "a refused client's secret is printed anew"
            assert h.asked_with() == ["B", "made"]
    assert len(asked) == 2
