"""What is wrong with a profile, a pool, a key or the defaults, told by field and with a remedy before anything is saved."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.profile_checks import check_base_url, check_defaults, check_pool, check_profile, check_secret
from rooroute.profiles import Defaults, Pool, Profile, Timeouts

NAN = float("nan")


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        pytest.param("id", {"id": "a/b"}, id="an-id-with-a-slash"),
        pytest.param("id", {"id": ""}, id="an-empty-id"),
        pytest.param("id", {"id": "a\nb"}, id="an-id-of-two-lines"),
        pytest.param("id", {"id": "ab\n"}, id="an-id-that-ends-in-a-line-break"),
        pytest.param("apiKey", {"api_key": "${NAME}\n"}, id="a-reference-that-ends-in-a-line-break"),
        pytest.param("headers.X\n", {"headers": {"X\n": "a"}}, id="a-header-whose-name-ends-in-a-line-break"),
        pytest.param("name", {"name": "two\nlines"}, id="a-name-of-two-lines"),
        pytest.param("model", {"model": "gpt\x1b[2J"}, id="a-model-that-steers-a-terminal"),
        pytest.param("model", {"model": "gpt\n"}, id="a-model-with-a-line-break"),
        pytest.param("baseUrl", {"base_url": "https://me:secret@host/v1"}, id="a-url-with-credentials"),
        pytest.param("baseUrl", {"base_url": "https://host:99999/v1"}, id="a-url-with-an-impossible-port"),
        pytest.param("baseUrl", {"base_url": "http://192.168.1.256:8000/v1"}, id="a-url-with-an-impossible-number"),
        pytest.param("baseUrl", {"base_url": "http://[::12345]/v1"}, id="a-url-with-an-impossible-ipv6"),
        pytest.param("proxy", {"proxy": "socks5://127.0.0.1:1080"}, id="a-kind-of-proxy-that-is-not-known"),
        pytest.param("proxy", {"proxy": "http://127.0.0.1:99999"}, id="a-proxy-with-an-impossible-port"),
        pytest.param("proxy", {"proxy": "http://999.1.1.1:3128"}, id="a-proxy-with-an-impossible-number"),
        pytest.param("proxy", {"proxy": "http://[::1"}, id="half-a-proxy"),
        pytest.param("proxy", {"proxy": "http://me:secret/1@host"}, id="a-proxy-whose-password-looks-like-a-port"),
        pytest.param("baseUrl", {"base_url": "https://host/v1?key=1"}, id="a-url-with-a-query"),
        pytest.param("apiKey", {"api_key": "sk-written-down"}, id="a-key-in-the-configuration"),
        pytest.param("headers.X", {"headers": {"X": "a\r\nY: b"}}, id="a-header-that-smuggles-another"),
        pytest.param("cooldown", {"cooldown": -1.0}, id="a-negative-cooldown"),
        pytest.param("cooldown", {"cooldown": NAN}, id="a-cooldown-that-is-no-number"),
        pytest.param("timeouts.total", {"timeouts": Timeouts(total=0)}, id="no-time-at-all"),
        pytest.param("timeouts.firstToken", {"timeouts": Timeouts(first_token=-1)}, id="less-than-no-time"),
        pytest.param("timeouts.idle", {"timeouts": Timeouts(idle=NAN)}, id="a-time-that-is-no-number"),
        pytest.param("contextWindow", {"context_window": 0}, id="a-window-for-nothing"),
    ],
)
def test_a_profile_that_cannot_work_is_told_by_its_field(field: str, settings: dict[str, Any]) -> None:
    (found,) = check_profile(Profile(**{"id": "A", "provider": "openai", **settings}))
    assert found.field == field
    assert found.remedy
    assert "secret" not in found.message


def test_a_plain_profile_is_right() -> None:
    assert not check_profile(Profile(id="Gemini 1 (ünï)", provider="gemini", name="Mein Schlüssel", cooldown=0))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("sk-one\nsk-two", "line break"),
        ("sk-\x00", "control character"),
        ("sk-\x1b[0m", "control character"),
        ("sk-ключ", "no HTTP header"),
        ("k" * 100_001, "longer"),
    ],
    ids=["nothing", "two-lines", "a-zero", "a-colour", "letters-that-are-not-ascii", "a-whole-file"],
)
def test_a_text_that_cannot_be_a_key_is_refused_without_repeating_it(text: str, why: str) -> None:
    told = check_secret(text)
    assert told is not None
    assert why in told
    assert not text or text not in told


@pytest.mark.parametrize("text", ["sk-abc", '{\n\t"type": "service_account"\n}', "-----BEGIN KEY-----\nabc\n"])
def test_a_key_may_be_a_document(text: str) -> None:
    assert check_secret(text) is None


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("profiles", {"profiles": ()}),
        ("profiles", {"profiles": ("A", "A")}),
        ("maxWait", {"max_wait": NAN}),
        ("maxElapsed", {"max_elapsed": -1.0}),
        ("maxAttempts", {"max_attempts": 0}),
    ],
)
def test_a_pool_that_cannot_work_is_told_by_its_field(field: str, settings: dict[str, Any]) -> None:
    (found,) = check_pool(Pool(**{"id": "p", "profiles": ("A",), **settings}))
    assert found.field == field
    assert found.remedy


@pytest.mark.parametrize(
    ("field", "defaults"),
    [
        ("cooldown", Defaults(cooldown=-1.0)),
        ("maxWait", Defaults(max_wait=NAN)),
        ("retriesPerMinute", Defaults(retries_per_minute=-1)),
        ("ledgerDays", Defaults(ledger_days=0)),
    ],
)
def test_defaults_that_cannot_hold_are_told_by_their_field(field: str, defaults: Defaults) -> None:
    (found,) = check_defaults(defaults)
    assert found.field == field
    assert found.remedy


def test_a_base_url_needs_a_scheme() -> None:
    assert check_base_url("host/v1") == "The base URL cannot be used: it must begin with https:// or http://."
