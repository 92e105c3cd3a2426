"""Where each kind of secret goes, what a command is told, and what its answer means."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from rooroute.adapters.http_message import reveal
from rooroute.errors import SecretUnavailable
from rooroute.profiles import Auth, AuthKind, Profile, SecretCommand, TokenEndpointAuthMethod
from rooroute.providers import authentication, signing, tokens
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Target, Tls
from rooroute.providers.table import PROVIDERS, check, models_request, target_for
from rooroute.secret import Secret
from tests.providers import conformance as c

ORIGIN = "https://models.example.net:443"
VENDOR = PROVIDERS["openai-compatible"]
NOW = 1_790_000_000.0
TOKEN_URL = "https://login.example.net/oauth/token"


def auth(kind: str, **fields: Any) -> Auth:
    return Auth(kind=AuthKind(kind), **fields)


def shown(values: Any) -> dict[str, str]:
    return {name: prefix + secret.reveal(ORIGIN) for name, (prefix, secret) in values.items()}


KINDS: dict[str, tuple[Auth, dict[str, str], dict[str, str]]] = {
    "a-header-of-its-own": (auth("key-header", name="X-Token"), {"x-token": c.CANARY}, {}),
    "a-header-with-a-prefix": (auth("key-header", name="X-Token", prefix="Key "), {"x-token": f"Key {c.CANARY}"}, {}),
    "a-query-parameter": (auth("key-query", name="api_key"), {}, {"api_key": c.CANARY}),
    "a-query-parameter-with-a-prefix": (auth("key-query", name="sig", prefix="v1:"), {}, {"sig": f"v1:{c.CANARY}"}),
    "bearer": (auth("bearer"), {"authorization": f"Bearer {c.CANARY}"}, {}),
    "bearer-with-another-word": (auth("bearer", prefix="Token "), {"authorization": f"Token {c.CANARY}"}, {}),
    "basic": (
        auth("basic", username="jörg"),
        {"authorization": "Basic " + base64.b64encode(f"jörg:{c.CANARY}".encode()).decode()},
        {},
    ),
    "a-command-s-token": (auth("token-command", command=("get",)), {"authorization": f"Bearer {c.CANARY}"}, {}),
    "a-vault-s-key": (auth("token-command", command=("get",), name="api-key"), {"api-key": c.CANARY}, {}),
    "an-exchanged-token": (
        auth("oauth-client-credentials", token_url=TOKEN_URL, client_id="me"),
        {"authorization": f"Bearer {c.CANARY}"},
        {},
    ),
    "a-certificate-besides-the-key": (auth("mtls", certificate="/c.pem"), {"authorization": f"Bearer {c.CANARY}"}, {}),
    "a-signature-besides-the-key": (auth("signature-command", command=("sign",)), {"authorization": f"Bearer {c.CANARY}"}, {}),
}  # fmt: skip


@pytest.mark.parametrize(("declared", "headers", "query"), KINDS.values(), ids=KINDS)
def test_the_secret_goes_to_its_place_and_nowhere_else(
    declared: Auth, headers: dict[str, str], query: dict[str, str]
) -> None:
    target = c.target(VENDOR, auth=declared, base_url=c.FALLBACK_BASE)
    for request in (VENDOR.dialect.build(target, c.said("hi")), models_request(target)):
        assert request is not None
        assert shown(request.secret_headers) == headers
        assert shown(request.secret_query) == query
        assert c.CANARY not in repr(request) + request.url + request.body.decode()
        assert not set(request.headers) & set(headers)


def test_every_kind_is_shown() -> None:
    assert {declared.kind for declared, _, _ in KINDS.values()} == set(AuthKind)


@pytest.mark.parametrize("kind", ["mtls", "signature-command"])
def test_who_proves_itself_otherwise_needs_no_key(kind: str) -> None:
    profile = Profile(id="one", provider="openai", auth=auth(kind, certificate="/c.pem", command=("sign",)))
    request = PROVIDERS["openai"].dialect.build(target_for(profile, "m", {}), c.said("hi"))
    assert not request.secret_headers


@pytest.mark.parametrize("declared", [auth("key-query", name="k"), auth("basic", username="u"), auth("bearer")])
def test_where_no_key_is_none_is_sent(declared: Auth) -> None:
    profile = Profile(id="one", provider="openai-compatible", base_url=c.FALLBACK_BASE, auth=declared)
    request = VENDOR.dialect.build(target_for(profile, "m", {}), c.said("hi"))
    assert not request.secret_headers
    assert not request.secret_query


def test_a_named_secret_fills_a_header_and_a_parameter() -> None:
    profile = Profile(
        id="one",
        name="First",
        provider="openai-compatible",
        base_url=c.FALLBACK_BASE,
        headers={"X-Team-Key": "Team ${secret:team}", "X-Note": "plain"},
        query={"code": "${secret:code}", "v": "1"},
    )
    secrets = {"team": Secret("t-1", ORIGIN), "code": Secret("c-1", ORIGIN)}
    request = VENDOR.dialect.build(Target(profile, "m", c.FALLBACK_BASE, secrets), c.said("hi"))
    assert shown(request.secret_headers) == {"x-team-key": "Team t-1"}
    assert shown(request.secret_query) == {"code": "c-1"}
    assert request.url.endswith("?v=1")
    assert request.headers["x-note"] == "plain"
    assert "x-team-key" not in request.headers
    assert authentication.stored(profile) == {"team": None, "code": None, "apiKey": None}
    with pytest.raises(SecretUnavailable, match="First names the secret team"):
        VENDOR.dialect.build(Target(profile, "m", c.FALLBACK_BASE, {}), c.said("hi"))


@pytest.mark.parametrize(
    ("declared", "slots"),
    [
        (None, {"apiKey": None}),
        (auth("basic", username="u"), {"apiKey": None}),
        (auth("token-command", command=("x",)), {}),
        (
            auth("oauth-client-credentials", token_url=TOKEN_URL, client_id="me"),
            {"clientSecret": "https://login.example.net:443"},
        ),
    ],
    ids=["the-key", "the-password", "a-command-stores-nothing", "the-client-s-secret-goes-elsewhere"],
)
def test_what_is_stored(declared: Auth | None, slots: dict[str, str | None]) -> None:
    assert authentication.stored(Profile(id="one", provider="openai", auth=declared)) == slots


PRINTED = {
    "bare text": (b"ya29.token\n", "ya29.token", NOW + 300),
    "a JSON string": (b'"tok"', "tok", NOW + 300),
    "an OAuth answer": (b'{"access_token":"tok","token_type":"Bearer","expires_in":3599}', "tok", NOW + 3599),
    "Azure's command line": (b'{"accessToken":"tok","expiresOn":"2026-09-21 16:00:00.000000","expires_on":1790003600}', "tok", 1_790_003_600.0),
    "gcloud's": (b'{"token":"tok","expiry":"2026-09-21T15:13:20Z"}', "tok", NOW + 3600),
    "an ExecCredential": (
        b'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"tok","expirationTimestamp":"2026-09-21T15:13:20Z"}}',
        "tok",
        NOW + 3600,
    ),
    "a senseless lifetime": (b'{"access_token":"tok","expires_in":-1}', "tok", NOW + 300),
}  # fmt: skip


@pytest.mark.parametrize(("output", "text", "end"), PRINTED.values(), ids=PRINTED)
def test_a_token_is_read(output: bytes, text: str, end: float) -> None:
    token = tokens.token_of(output, origin=ORIGIN, now=NOW, lifetime=300.0)
    assert token.secret.reveal(ORIGIN) == text
    assert token.expires_at == pytest.approx(end)
    assert text not in repr(token)
    assert token.fresh(end - 61) and not token.fresh(end - 59)


@pytest.mark.parametrize(
    "output",
    [b"", b"  \n", b"two words", b"{oops", b'{"access_token":5}', b"\xff\xfe", b"x" * 100_001, "tök".encode(), b"[" * 99_999],
    ids=["nothing", "blanks", "a-sentence", "broken-json", "a-number", "bytes", "too-much", "not-ascii", "a-nest"],
)  # fmt: skip
def test_what_is_no_token_is_refused_without_being_quoted(output: bytes) -> None:
    if output.startswith(b"["):
        output = b'{"a":' * 50_000
    with pytest.raises(SecretUnavailable) as refused:
        tokens.token_of(output, origin=ORIGIN, now=NOW, lifetime=300.0)
    assert "two words" not in refused.value.message


def test_an_exchange_may_say_the_client_s_secret_in_its_form() -> None:
    declared = auth(
        "oauth-client-credentials",
        token_url=TOKEN_URL,
        client_id="a b",
        scope="x",
        token_endpoint_auth_method=TokenEndpointAuthMethod.POST,
    )
    request = tokens.exchange(declared, Secret("s&cret", "https://login.example.net:443"))
    assert request.secret_headers == {}
    assert request.body == b"grant_type=client_credentials&scope=x&client_id=a+b"
    assert reveal(request).body == request.body + b"&client_secret=s%26cret"
    assert "s&cret" not in repr(request) and "s%26cret" not in repr(request)


def test_an_exchange_keeps_the_client_s_secret_out_of_the_body() -> None:
    declared = auth(
        "oauth-client-credentials", token_url=TOKEN_URL, client_id="a b", scope="api:read x", audience="aud"
    )
    request = tokens.exchange(declared, Secret("s&cret", "https://login.example.net:443"))
    prefix, secret = request.secret_headers["authorization"]
    told = base64.b64decode(secret.reveal("https://login.example.net:443")).decode()
    assert (prefix, told) == ("Basic ", "a%20b:s%26cret")
    assert request.body == b"grant_type=client_credentials&scope=api%3Aread+x&audience=aud"
    assert "s&cret" not in repr(request) and "s%26cret" not in repr(request)


def test_an_exchange_ends_in_a_token_or_a_name() -> None:
    declared = auth("oauth-client-credentials", token_url=TOKEN_URL, client_id="me", lifetime=60.0)
    good = ErrorAnswer(200, {}, b'{"access_token":"tok"}')
    assert tokens.exchanged(good, declared, origin=ORIGIN, now=NOW).expires_at == NOW + 60
    for body, name in (
        (b'{"error":"invalid_client"}', "invalid_client"),
        (b"<html>", "HTTP 401"),
        (b"[1]", "HTTP 401"),
    ):
        with pytest.raises(SecretUnavailable, match=name):
            tokens.exchanged(ErrorAnswer(401, {}, body), declared, origin=ORIGIN, now=NOW)


def test_a_signing_command_sees_the_request_and_adds_to_it() -> None:
    request = HttpRequest("POST", "https://models.example.net/v1", {"x-a": "1", "x-date": "old"}, body=b"{}")
    told = json.loads(signing.to_sign(request))
    assert (told["method"], told["url"], told["headers"]) == ("POST", request.url, {"x-a": "1", "x-date": "old"})
    assert base64.b64decode(told["body"]) == b"{}"
    assert told["bodySha256"] == hashlib.sha256(b"{}").hexdigest()
    signed = signing.signed(
        request, b'{"headers":{"Authorization":"HMAC abc","X-Date":"new"},"query":{"sig":"d"}}', ORIGIN
    )
    assert shown(signed.secret_headers) == {"authorization": "HMAC abc", "x-date": "new"}
    assert shown(signed.secret_query) == {"sig": "d"}
    assert signed.headers == {"x-a": "1"}
    assert "abc" not in repr(signed)


@pytest.mark.parametrize(
    "output",
    [b"", b"abc", b"[]", b"{}", b'{"headers":[]}', b'{"headers":{"x":1}}', b'{"headers":{"a b":"c"}}', b'{"headers":{"a":"c\\r\\nx: y"}}'],
)  # fmt: skip
def test_what_is_no_signature_is_refused(output: bytes) -> None:
    with pytest.raises(SecretUnavailable):
        signing.signed(HttpRequest("GET", "https://a/"), output, ORIGIN)


WRONG: dict[str, tuple[Auth, list[str]]] = {
    "a-header-without-a-name": (auth("key-header"), ["auth.name"]),
    "a-parameter-without-a-name": (auth("key-query"), ["auth.name"]),
    "basic-without-a-user": (auth("basic"), ["auth.username"]),
    "a-user-with-a-colon": (auth("basic", username="a:b"), ["auth.username"]),
    "no-command": (auth("token-command"), ["auth.command"]),
    "no-endpoint-and-no-client": (auth("oauth-client-credentials"), ["auth.tokenUrl", "auth.clientId"]),
    "an-endpoint-in-the-clear": (
        auth("oauth-client-credentials", token_url="http://login.example.net/", client_id="x"),
        ["auth.tokenUrl"],
    ),
    "an-endpoint-without-a-host": (
        auth("oauth-client-credentials", token_url="https://", client_id="x"),
        ["auth.tokenUrl"],
    ),
    "an-endpoint-that-is-none": (auth("oauth-client-credentials", token_url="login", client_id="x"), ["auth.tokenUrl"]),
    "no-certificate": (auth("mtls"), ["auth.certificate"]),
    "nothing-to-sign-with": (auth("signature-command"), ["auth.command"]),
    "an-impossible-header": (auth("key-header", name="a b"), ["auth.name"]),
    "an-impossible-prefix": (auth("bearer", prefix="x\r\ny: "), ["auth.prefix"]),
    "a-command-that-may-take-for-ever": (auth("token-command", command=("x",), timeout=0), ["auth.timeout"]),
    "a-token-that-lasts-for-ever": (auth("token-command", command=("x",), lifetime=1e9), ["auth.lifetime"]),
}


@pytest.mark.parametrize(("declared", "fields"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_named(declared: Auth, fields: list[str]) -> None:
    problems = check(Profile(id="one", provider="openai", auth=declared))
    assert [problem.field for problem in problems] == fields
    assert all(problem.remedy for problem in problems)


def test_a_template_that_nothing_fills_is_named() -> None:
    profile = Profile(
        id="one", provider="openai", headers={"X-A": "${HOME}", "X-B": "${secret:ok}"}, query={"q": "${secret:a}x"}
    )
    assert [problem.field for problem in check(profile)] == ["headers.X-A", "query.q"]


SIGNER = auth("signature-command", command=("sign",))


@pytest.mark.parametrize(
    ("declared", "options", "tls", "signer"),
    [
        (None, {}, None, None),
        (auth("bearer"), {"caFile": "/ca.pem"}, Tls(ca_file="/ca.pem"), None),
        (auth("mtls", certificate="/c.pem"), {}, Tls("/c.pem"), None),
        (
            auth("mtls", certificate="/c.pem", certificate_key="/k.pem"),
            {"caFile": "/ca.pem"},
            Tls("/c.pem", "/k.pem", "/ca.pem"),
            None,
        ),
        (auth("bearer", certificate="/c.pem"), {}, None, None),
        (SIGNER, {}, None, SIGNER),
    ],
    ids=["nothing", "authorities", "a-certificate", "all-three", "a-certificate-of-no-use", "a-signature"],
)
def test_every_request_tells_its_connection_and_its_signer(
    declared: Auth | None, options: dict[str, Any], tls: Tls | None, signer: Auth | None
) -> None:
    target = c.target(VENDOR, auth=declared, base_url=c.FALLBACK_BASE, options=options)
    for request in (VENDOR.dialect.build(target, c.said("hi")), models_request(target)):
        assert request is not None
        assert (request.tls, request.signer) == (tls, signer)


def test_authorities_are_named_by_a_path() -> None:
    profile = Profile(id="one", provider="openai", options={"caFile": ["/ca.pem"]})
    assert [problem.field for problem in check(profile)] == ["options.caFile"]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"secret_commands": {"clientsecret": SecretCommand(command=("a",))}}, ["secretCommands.clientsecret"]),
        ({"secret_commands": {"apiKey": SecretCommand(command=("a",))}, "api_key": "${K}"}, ["secretCommands.apiKey"]),
        ({"secret_commands": {"apiKey": SecretCommand(command=())}}, ["secretCommands.apiKey.command"]),
        (
            {"secret_commands": {"apiKey": SecretCommand(command=("a",), timeout=121, lifetime=0)}},
            ["secretCommands.apiKey.timeout", "secretCommands.apiKey.lifetime"],
        ),
        (
            {
                "auth": Auth(kind=AuthKind.TOKEN_COMMAND, command=("a",)),
                "secret_commands": {"apiKey": SecretCommand(command=("a",))},
            },
            ["secretCommands.apiKey"],
        ),
        *(
            (
                {
                    "auth": auth("oauth-client-credentials", token_url=url, client_id="me"),
                    "secret_commands": {"clientSecret": SecretCommand(command=("a",))},
                },
                ["auth.tokenUrl"],
            )
            for url in ("https://", "https://[", "login", "https://a b/")
        ),
    ],
    ids=[
        "a slot that is not taken",
        "a reference too",
        "no program",
        "out of range",
        "a token's command too",
        *("beside no endpoint",) * 4,
    ],
)
def test_a_secret_s_command_that_cannot_work_is_named(wrong: dict[str, Any], fields: list[str]) -> None:
    problems = check(Profile(id="one", provider="openai", **wrong))
    assert [problem.field for problem in problems] == fields
    assert all(problem.remedy for problem in problems)
