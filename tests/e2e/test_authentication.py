"""Other ways to prove oneself, through a real window: what is refused, what is shown, and what leaves the process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rooroute.scripted_provider import Answer, Fail, ScriptedProvider
from tests.adapters.test_http import Call, serving, whole
from tests.e2e.conftest import Open
from tests.e2e.talk import ask, shown
from tests.e2e.test_canary import written
from tests.rpc.client import Client, RpcError

CLIENT_SECRET = "m4Vb9Qx2Lt7Rd1Kc6Zn3Wf8"
TOKENS = ("a8Jw3Nz6Yp1Hs5Uc0Xe4Gk7", "b2Rm7Tq4Fv9Do1Li6Ja3Sy8")


@dataclass
class Endpoint:
    url: str = ""
    calls: list[Call] = field(default_factory=list)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Hands out one token after the other."""
    made = Endpoint()

    async def answer(call: Call, reader: object, writer: Any) -> None:
        made.calls.append(call)
        token = TOKENS[min(len(made.calls), len(TOKENS)) - 1]
        writer.write(whole(json.dumps({"access_token": token, "expires_in": 3600}).encode()))

    async with serving(answer) as server:
        made.url = f"http://127.0.0.1:{server.port}/token"
        yield made


def profile(provider: ScriptedProvider, name: str, **more: Any) -> dict[str, Any]:
    base = {"id": name, "provider": "openai-compatible", "baseUrl": provider.base_url("openai"), "model": "m"}
    return {**base, **more}


def put(path: Path, document: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    path.chmod(0o600)


async def refused(client: Client, saved: dict[str, Any], **more: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await client.request("rooroute/profiles/save", {"profile": saved, **more})
    return caught.value


@pytest.mark.parametrize("method", [None, "client_secret_post"], ids=["in-the-header", "in-the-form"])
async def test_a_client_secret_s_tokens_are_made_renewed_and_never_seen(
    method: str | None, window: Open, provider: ScriptedProvider, endpoint: Endpoint, tmp_path: Path
) -> None:
    provider.script(TOKENS[0], Answer("Old."), Answer("Old."), Fail("invalid-key", message=f"no {TOKENS[0]}"))
    provider.script(TOKENS[1], Answer("New."))
    client = await window()
    how = {"tokenEndpointAuthMethod": method} if method else {}
    auth = {"kind": "oauth-client-credentials", "tokenUrl": endpoint.url, "clientId": "me", **how}
    draft = profile(provider, "O", auth=auth)
    secrets = {"clientSecret": CLIENT_SECRET}
    tested = await client.request(
        "rooroute/profiles/test", {"profile": draft, "secrets": secrets, "level": "completion"}
    )
    assert tested["ok"], tested
    await client.request("rooroute/profiles/save", {"profile": draft, "secrets": secrets})
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": ["O"], "maxWait": 0}})
    assert [(await ask(client))["message"]["content"] for _ in range(3)] == ["Old.", "New.", "New."]
    assert (await shown(client, "O"))["state"] == "active"
    assert len(endpoint.calls) == 2
    assert all((CLIENT_SECRET.encode() in call.body) == bool(method) for call in endpoint.calls)
    await client.stop()
    spoken = [CLIENT_SECRET.encode(), *(each.encode() for each in TOKENS)]
    seen = bytes(client.stdout) + bytes(client.stderr)
    seen += b"".join(each.read_bytes() for each in written(tmp_path))
    assert [each for each in spoken if each in seen] == []


async def test_a_refused_client_secret_is_told_in_the_test_and_in_the_answer(
    window: Open, provider: ScriptedProvider
) -> None:
    async def no(call: Call, reader: object, writer: Any) -> None:
        writer.write(whole(b'{"error": "invalid_client"}', b"401 No"))

    async with serving(no) as server:
        auth = {"kind": "oauth-client-credentials", "clientId": "me"}
        saved = profile(provider, "O", auth={**auth, "tokenUrl": f"http://127.0.0.1:{server.port}/token"})
        client = await window()
        await client.request("rooroute/profiles/save", {"profile": saved, "secrets": {"clientSecret": CLIENT_SECRET}})
        tested = await client.request("rooroute/profiles/test", {"id": "O", "level": "auth"})
        assert tested["stages"][-1]["name"] == "auth" and "invalid_client" in tested["stages"][-1]["detail"]
        with pytest.raises(RpcError, match="check client id, client secret and scope"):
            await ask(client, profile="O")


async def test_a_profile_without_its_client_secret_shows_it(
    window: Open, provider: ScriptedProvider, config_path: Path
) -> None:
    auth = {"kind": "oauth-client-credentials", "tokenUrl": "https://login.example.net/token", "clientId": "me"}
    client = await window()
    await client.request("rooroute/profiles/save", {"profile": profile(provider, "O", auth=auth)})
    with pytest.raises(RpcError, match="has no secret clientSecret"):
        await ask(client, profile="O")
    assert (await shown(client, "O"))["state"] == "failed"


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"provider": "vertex", "options": {}}, "options.project", "needs Project id"),
        (
            {"provider": "vertex", "options": {"project": "my-project", "credentialsFile": "/nowhere.json"}},
            "options.credentialsFile",
            "The file /nowhere.json is not there. Correct options.credentialsFile.",
        ),
        (
            {"provider": "azure-openai", "baseUrl": "https://mine.openai.azure.com"},
            "options.apiVersion",
            "Set options.apiVersion",
        ),
        (
            {"auth": {"kind": "mtls", "certificate": "/nowhere.pem"}},
            "auth.certificate",
            "The file /nowhere.pem is not there. Correct auth.certificate.",
        ),
        ({"auth": {"kind": "token-command"}}, "auth.command", "Set auth.command."),
        ({"headers": {"X-Team": "${team}"}}, "headers.X-Team", "Write ${secret:NAME} at its end."),
        ({"options": {"caFile": "ca.pem"}}, "options.caFile", "This is not a whole path."),
    ],
    ids=["project", "credentials-file", "api-version", "certificate", "command", "template", "authorities"],
)
async def test_a_profile_that_cannot_work_is_refused_with_field_and_remedy(
    window: Open, provider: ScriptedProvider, changes: dict[str, Any], field: str, words: str
) -> None:
    saved = {**profile(provider, "P"), **changes}
    if saved["provider"] == "vertex":
        del saved["baseUrl"]
    wrong = await refused(await window(), saved)
    assert wrong.data["field"] == f"profile.{field}"
    assert words in str(wrong)


async def test_what_stands_in_the_file_is_shown_as_needing_attention_until_its_file_is_there(
    window: Open, config_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "account.json"
    options = {"project": "my-project", "credentialsFile": str(path)}
    put(config_path, {"profiles": [{"id": "V", "provider": "vertex", "model": "gemini-2.5-pro", "options": options}]})
    client = await window()
    found = await shown(client, "V")
    assert (found["state"], found["reason"]) == ("failed", f"The file {path} is not there.")
    put(path, {"type": "service_account"})
    async with asyncio.timeout(30):
        while (await shown(client, "V"))["state"] == "failed":
            await asyncio.sleep(0.05)
    assert (await shown(client, "V"))["secret"] == "notNeeded"


async def test_a_command_is_run_when_its_token_is_needed_and_not_before(
    window: Open, provider: ScriptedProvider, tmp_path: Path
) -> None:
    source = "import sys; open(sys.argv[1], 'a').write('x'); print('the-token-of-a-vault')"
    command = [sys.executable, "-c", source, str(tmp_path / "runs")]
    provider.script("the-token-of-a-vault", Answer("Yes."))
    client = await window()
    saved = profile(provider, "C", auth={"kind": "token-command", "command": command, "timeout": 60})
    await client.request("rooroute/profiles/save", {"profile": saved})
    assert (await shown(client, "C"))["secret"] == "notNeeded"
    assert not (tmp_path / "runs").exists()
    assert (await ask(client))["message"]["content"] == "Yes."
    assert (tmp_path / "runs").read_text() == "x"


async def test_a_test_makes_its_token_anew_as_soon_as_the_vault_is_open(
    window: Open, provider: ScriptedProvider, tmp_path: Path
) -> None:
    source = "import sys; print(open(sys.argv[1]).read())"
    command = [sys.executable, "-c", source, str(tmp_path / "vault")]
    provider.script("the-token-of-a-vault", Answer("Yes."))
    client = await window()
    saved = profile(provider, "C", auth={"kind": "token-command", "command": command, "timeout": 60})
    await client.request("rooroute/profiles/save", {"profile": saved})
    tested = await client.request("rooroute/profiles/test", {"id": "C"})
    assert "failed with status 1" in tested["stages"][-1]["detail"]
    put(tmp_path / "vault", "the-token-of-a-vault")
    assert (await client.request("rooroute/profiles/test", {"id": "C", "level": "completion"}))["ok"]
    assert (await ask(client))["message"]["content"] == "Yes."
