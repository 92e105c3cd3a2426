"""Google's tokens from real credentials files, through google-auth and our own network, against a token endpoint of the test's."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from rooroute.adapters.google_auth import GoogleTokens
from rooroute.adapters.http import Upstream
from rooroute.errors import SecretUnavailable
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from tests.adapters.test_http import Call, Script, Server, serving, whole

ORIGIN = "https://aiplatform.googleapis.com:443"
USERS = "https://oauth2.googleapis.com"
NOW = 1_790_000_000.0

pytestmark = pytest.mark.requires("google-auth")


@cache
def private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def put(path: str, content: bytes | None) -> None:
    Path(path).unlink() if content is None else Path(path).write_bytes(content)


@dataclass
class Bench:
    server: Server
    tokens: GoogleTokens
    folder: Path
    answer: bytes = b'{"access_token": "ya29.fresh", "expires_in": 3600, "token_type": "Bearer"}'
    status: bytes = b"200 OK"
    forms: list[dict[str, list[str]]] = field(default_factory=list)

    def file(self, mode: int = 0o600, **changes: Any) -> str:
        account = {
            "type": "service_account",
            "project_id": "p",
            "private_key_id": "k1",
            "private_key": private_key(),
            "client_email": "me@p.iam.gserviceaccount.com",
            "token_uri": f"http://127.0.0.1:{self.server.port}/token",
            **changes,
        }
        path = self.folder / "credentials.json"
        path.write_text(json.dumps(account))
        path.chmod(mode)
        return str(path)

    async def token(self, path: str | None) -> tuple[str, float]:
        token = await self.tokens(path, ORIGIN, None)
        return token.secret.reveal(ORIGIN), token.expires_at

    async def wrong(self, path: str | None) -> str:
        with pytest.raises(SecretUnavailable) as caught:
            await self.token(path)
        return caught.value.message


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody asks this machine whether it is one of Google's

    def script() -> Script:
        async def answer(call: Call, reader: object, writer: Any) -> None:
            made.forms.append(parse_qs(call.body.decode()))
            writer.write(whole(made.answer, made.status, b"content-type: application/json\r\n"))

        return answer

    upstream = Upstream({})

    async def ask(request: HttpRequest, **more: Any) -> ErrorAnswer:
        here = request.url.replace(USERS, f"http://127.0.0.1:{server.port}")
        return await upstream.request(replace(request, url=here), **more)

    async with serving(script()) as server:
        made = Bench(server, GoogleTokens(ask, lambda: NOW), tmp_path)
        yield made
    await upstream.close()


async def test_a_service_account_signs_for_its_token(bench: Bench) -> None:
    token, end = await bench.token(bench.file())
    assert token == "ya29.fresh"
    assert end > 1_700_000_000
    claims = bench.forms[0]["assertion"][0].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told["iss"] == "me@p.iam.gserviceaccount.com"
    assert told["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_a_user_s_credentials_are_refreshed(bench: Bench) -> None:
    path = bench.file(type="authorized_user", client_id="c", client_secret="s", refresh_token="r1")
    assert (await bench.token(path))[0] == "ya29.fresh"
    assert bench.forms[0]["refresh_token"] == ["r1"]


async def test_application_default_credentials_are_found_where_google_looks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", bench.file())
    assert (await bench.token(None))[0] == "ya29.fresh"


async def test_without_default_credentials_the_remedy_is_told(bench: Bench) -> None:
    assert "run gcloud auth application-default login, or set options.credentialsFile" in await bench.wrong(None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644], ids=oct)
async def test_a_file_that_others_can_read_is_refused(bench: Bench, mode: int) -> None:
    path = bench.file(mode)
    assert await bench.wrong(path) == f"The credentials file {path} can be read by others; run: chmod 600 {path}"
    assert bench.forms == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is not there; correct options.credentialsFile"),
        (b"not json", "holds no credentials in JSON"),
        (b"[]", "holds no credentials in JSON"),
        (b"{}", "neither a service account nor a user's credentials"),
        (b'{"type": "service_account", "private_key": "canary-7711"}', "is not whole; download the credentials anew"),
    ],
    ids=["missing", "broken", "a-list", "without-a-type", "incomplete"],
)
async def test_a_file_that_cannot_be_used_is_named(bench: Bench, content: bytes | None, words: str) -> None:
    path = bench.file()
    put(path, content)
    told = await bench.wrong(path)
    assert words in told and "canary" not in told


async def test_a_key_that_signs_nothing_is_not_quoted(bench: Bench) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\\nY2FuYXJ5\\n-----END PRIVATE KEY-----"
    told = await bench.wrong(bench.file(private_key=pem))
    assert "is not whole" in told and "Y2Fu" not in told


async def test_google_s_refusal_is_told_by_its_code_alone(bench: Bench) -> None:
    bench.status, bench.answer = b"400 Bad", b'{"error": "invalid_grant", "error_description": "canary-9120 is wrong"}'
    path = bench.file()
    told = await bench.wrong(path)
    assert told == f"Google gave no token (invalid_grant); check {path} and this machine's clock."


async def test_a_token_endpoint_out_of_reach_is_told(bench: Bench) -> None:
    told = await bench.wrong(bench.file(token_uri="http://127.0.0.1:9/token"))
    assert "No Google token could be made: 127.0.0.1:9 refuses connections" in told


async def test_without_the_extra_the_remedy_is_how_to_get_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    assert "python -m pip install 'rooroute[vertex]'" in await bench.wrong(bench.file())


def test_the_library_is_imported_when_a_token_is_wanted_and_not_before() -> None:
    code = "import sys, rooroute.adapters.google_auth, rooroute.compose; sys.exit('google.auth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
