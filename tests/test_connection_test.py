"""A test of a profile goes stage by stage, and each thing that can be wrong is really there when it is named with its remedy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

import pytest

from rooroute.adapters.dial import Dialer
from rooroute.adapters.http import Upstream
from rooroute.connection_test import ConnectionTest
from rooroute.errors import InvalidInput, OriginNotApproved, SecretUnavailable
from rooroute.profiles import Profile, Timeouts
from rooroute.providers.table import base_url_of
from rooroute.rpc import messages
from rooroute.scripted_provider import Answer, Cut, Fail, Hang, Html, Raw, ScriptedProvider
from rooroute.secret import Secret, origin_of

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY: Final = "canary-51c3f0a9"
CONNECT: Final = ["address", "tcp"]
AUTH: Final = [*CONNECT, "auth", "listing"]
WHOLE: Final = [*AUTH, "completion"]
MODELS: Final = b'{"object":"list","data":[{"id":"scripted-model"},{"id":"scripted-large"}]}'


class Bench:
    """One profile at a scripted provider, over the real network code."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.environment: dict[str, str] = {}
        self.upstream = Upstream({})
        self.profile = Profile(
            id="mine", provider="openai-compatible", model="scripted-model", base_url=provider.base_url("openai")
        )
        self.reported: list[dict[str, Any]] = []

    async def resolve(self, profile: Profile) -> Mapping[str, Secret]:
        return {"apiKey": Secret(KEY, origin_of(base_url_of(profile) or ""))}

    @property
    def test(self) -> ConnectionTest:
        return ConnectionTest(
            self.upstream, Dialer(self.environment), self.resolve, NOW.timestamp, asyncio.get_running_loop().time
        )

    async def run(self, level: str = "auth", **more: Any) -> dict[str, Any]:
        self.reported = []
        found = await self.test.run(self.profile, more.get("secrets"), level, self.reported.append)
        messages.Tested.model_validate(found)
        assert self.reported == found["stages"]
        assert KEY not in repr(found)
        return found

    async def failure(self, level: str = "auth") -> dict[str, Any]:
        """The stage that failed: the last one, alone, with cause and remedy."""
        found = await self.run(level)
        assert not found["ok"]
        assert [stage["ok"] for stage in found["stages"]] == [True] * (len(found["stages"]) - 1) + [False]
        stage: dict[str, Any] = found["stages"][-1]
        assert stage["detail"] and stage["remedy"]
        return stage


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with ScriptedProvider({KEY: [Answer("OK")]}) as provider:
        made = Bench(provider)
        yield made
        await made.upstream.close()


def names(found: Mapping[str, Any]) -> list[str]:
    return [stage["name"] for stage in found["stages"]]


# --- all is well ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "stages", "requests"),
    [("connect", CONNECT, []), ("auth", AUTH, ["GET"]), ("completion", WHOLE, ["GET", "POST"])],
)
async def test_each_level_goes_as_far_as_it_says(
    bench: Bench, level: str, stages: list[str], requests: list[str]
) -> None:
    found = await bench.run(level)
    assert (found["ok"], names(found)) == (True, stages)
    assert [request.method for request in bench.provider.requests] == requests
    assert all(stage["durationMs"] >= 0 and stage["detail"] for stage in found["stages"])


@pytest.mark.parametrize("provider_id", ["openai", "anthropic", "gemini"])
async def test_each_dialect_answers_with_a_token(bench: Bench, provider_id: Any) -> None:
    bench.profile = replace(bench.profile, provider=provider_id, base_url=bench.provider.base_url(provider_id))
    found = await bench.run("completion")
    assert (found["ok"], names(found)) == (True, WHOLE)
    assert "answered after" in found["stages"][-1]["detail"]


async def test_a_stage_is_told_as_soon_as_it_is_done(bench: Bench) -> None:
    bench.provider.script(KEY, Hang())
    bench.profile = replace(bench.profile, timeouts=Timeouts(connect=30))
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    running = asyncio.create_task(bench.test.run(bench.profile, None, "auth", told.put_nowait))
    seen = [(await asyncio.wait_for(told.get(), 10))["name"] for _ in CONNECT]
    assert seen == CONNECT and not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_draft_is_tested_with_its_typed_key(bench: Bench) -> None:
    bench.provider.script("typed", Answer("OK"))
    given = {"apiKey": Secret("typed", origin_of(bench.profile.base_url or ""))}
    assert (await bench.run("completion", secrets=given))["ok"]
    assert {request.key for request in bench.provider.requests} == {"typed"}


async def test_the_request_can_be_had_as_a_curl_command(bench: Bench) -> None:
    curl = (await bench.run("auth"))["curl"]
    assert f"{bench.profile.base_url}/models" in curl and "$API_KEY" in curl
    curl = (await bench.run("completion"))["curl"]
    assert f"{bench.profile.base_url}/chat/completions" in curl and "scripted-model" in curl
    assert "curl" not in await bench.run("connect")


async def test_the_vendors_status_page_goes_along(bench: Bench) -> None:
    bench.profile = replace(bench.profile, provider="openai")
    assert (await bench.run())["statusPage"] == "https://status.openai.com"


async def test_a_model_that_is_not_listed_but_answers_is_well(bench: Bench) -> None:
    bench.profile = replace(bench.profile, model="unlisted-alias")
    found = await bench.run("completion")
    assert found["ok"]
    assert "does not list" in found["stages"][3]["detail"]


async def test_a_server_without_a_list_is_well_when_it_answers(bench: Bench) -> None:
    bench.provider.script(KEY, Answer("OK"))
    bench.profile = replace(bench.profile, base_url=(bench.profile.base_url or "").replace("/v1", "/other/v1"))
    found = await bench.run("completion")
    assert (found["ok"], names(found)) == (True, [*CONNECT, "auth", "completion"])


async def test_a_vendor_without_a_list_says_what_proves_the_key(bench: Bench, monkeypatch: Any) -> None:
    from rooroute.providers import table

    row = replace(table.PROVIDERS["openai-compatible"], models=None)
    monkeypatch.setattr(table, "PROVIDERS", {**table.PROVIDERS, "openai-compatible": row})
    found = await bench.run("auth")
    assert "one real token" in found["stages"][2]["detail"]
    assert (await bench.run("completion"))["ok"]


async def test_a_public_list_is_not_taken_for_a_proof_of_the_key(bench: Bench) -> None:
    bench.profile = replace(bench.profile, provider="openrouter")
    assert "not proved" in (await bench.run())["stages"][2]["detail"]


async def test_a_profile_without_a_model_is_told_what_there_is(bench: Bench) -> None:
    bench.profile = replace(bench.profile, model=None)
    found = await bench.run("auth")
    assert found["ok"] and "scripted-model" in found["stages"][-1]["remedy"]
    assert (await bench.failure("completion"))["name"] == "completion"


# --- the way there ----------------------------------------------------------------------------------------------------------------


async def test_nobody_listens_there(bench: Bench) -> None:
    bench.profile = replace(bench.profile, base_url="http://127.0.0.1:9/v1")
    stage = await bench.failure()
    assert stage["name"] == "tcp" and "refuses connections" in stage["detail"]


async def test_a_name_that_does_not_exist(bench: Bench) -> None:
    bench.profile = replace(bench.profile, base_url="http://no-such-host.invalid/v1")
    stage = await bench.failure()
    assert stage["name"] == "address" and "cannot be resolved" in stage["detail"]


async def test_a_server_that_speaks_no_tls(bench: Bench) -> None:
    base_url = (bench.profile.base_url or "").replace("http:", "https:")
    bench.profile = replace(bench.profile, base_url=base_url, timeouts=Timeouts(connect=1))
    stage = await bench.failure()
    assert stage["name"] == "tls" and "http://" in stage["remedy"]


async def test_a_proxy_where_nobody_listens(bench: Bench) -> None:
    bench.profile = replace(bench.profile, proxy="http://user:canary@127.0.0.1:9")
    stage = await bench.failure()
    assert stage["name"] == "tcp" and "proxy http://127.0.0.1:9" in stage["detail"] and "NO_PROXY" in stage["remedy"]
    assert "canary" not in repr(stage)


async def test_a_proxy_that_answers_with_its_own_page(bench: Bench) -> None:
    bench.provider.script(KEY, Html(403))
    bench.profile = replace(bench.profile, proxy=f"http://127.0.0.1:{bench.provider.port}")
    stage = await bench.failure()
    assert stage["name"] == "auth" and "in place of" in stage["detail"]


async def test_a_proxy_of_a_kind_that_is_not_known(bench: Bench) -> None:
    bench.profile = replace(bench.profile, proxy="socks5://127.0.0.1:1080")
    stage = await bench.failure()
    assert stage["name"] == "settings" and "socks5" in stage["detail"]


# --- what answers -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("", "/v1"), ("/v1/chat/completions", "/v1"), ("/v1/models", "/v1"), ("/v2", "/v1"), ("/api", "/v1")],
)
async def test_a_wrong_path_is_answered_with_the_right_one(bench: Bench, wrong: str, right: str) -> None:
    origin = f"http://127.0.0.1:{bench.provider.port}"
    bench.profile = replace(bench.profile, base_url=f"{origin}{wrong}")
    stage = await bench.failure()
    assert stage["name"] == "auth" and "HTTP 404" in stage["detail"]
    assert f"Set baseUrl to {origin}{right}:" in stage["remedy"]


async def test_a_wrong_version_of_gemini_is_answered_with_the_right_one(bench: Bench) -> None:
    origin = f"http://127.0.0.1:{bench.provider.port}"
    bench.profile = replace(bench.profile, provider="gemini", base_url=f"{origin}/v1alpha")
    assert f"Set baseUrl to {origin}/v1beta:" in (await bench.failure())["remedy"]


async def test_a_captive_portal(bench: Bench) -> None:
    bench.provider.script(KEY, Html())
    stage = await bench.failure()
    assert "sign-in page" in stage["detail"] and "browser" in stage["remedy"]


async def test_a_network_that_says_it_wants_a_sign_in(bench: Bench) -> None:
    bench.provider.script(KEY, Raw((b"",), status=511, content_type="text/html"))
    assert "HTTP 511" in (await bench.failure())["detail"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://portal.example/login?session=canary", "browser"),
        ("/v2/models", "Make that address the baseUrl"),
        ("http://[bad", "baseUrl"),
    ],
)
async def test_a_redirect_is_told_and_not_followed(bench: Bench, location: str, words: str) -> None:
    bench.provider.script(KEY, Raw((b"",), status=307, content_type="text/plain", headers=(("location", location),)))
    stage = await bench.failure()
    assert words in stage["remedy"]
    assert "canary" not in repr(stage)
    assert {request.method for request in bench.provider.requests} == {"GET"}


async def test_a_server_that_answers_in_other_words(bench: Bench) -> None:
    bench.provider.script(KEY, Raw((b'{"hello":"world"}',), content_type="application/json"))
    assert "not as" in (await bench.failure())["detail"]


async def test_a_silent_server(bench: Bench) -> None:
    bench.provider.script(KEY, Hang())
    bench.profile = replace(bench.profile, timeouts=Timeouts(connect=0.5))
    assert "did not answer within" in (await bench.failure())["detail"]


# --- the key ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sk-one two", "space"),
        ("AIzaA1b2C3d4E5f6G7h8", "Google"),
        ("a1b2c3d4e5f6g7h8i9", "does not begin with sk-"),
        ("sk-test-a1b2c3d4e5f6", "sandbox"),
    ],
    ids=["stray-space", "another-vendors", "missing-prefix", "sandbox"],
)
async def test_a_rejected_keys_form_names_the_cause(
    bench: Bench, key: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rooroute import diagnosis

    monkeypatch.setattr(diagnosis, "own_base_url", lambda profile: profile.base_url)
    bench.provider.script(key, Fail("invalid-key"))
    bench.profile = replace(bench.profile, provider="openai")
    given = {"apiKey": Secret(key, origin_of(bench.profile.base_url or ""))}
    found = await bench.run("auth", secrets=given)
    stage = found["stages"][-1]
    assert stage["name"] == "auth" and not stage["ok"]
    assert words in stage["detail"] and key not in repr(found)
    assert "https://platform.openai.com/api-keys" in stage["remedy"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("invalid-key", "Enter a valid key"),
        ("permission", "right to do that"),
        ("billing", "Add credit"),
    ],
)
@pytest.mark.parametrize("provider_id", ["openai", "anthropic", "gemini"])
async def test_a_refused_key_has_its_remedy(bench: Bench, kind: str, words: str, provider_id: Any) -> None:
    bench.profile = replace(bench.profile, provider=provider_id, base_url=bench.provider.base_url(provider_id))
    bench.provider.script(KEY, Fail(kind))
    stage = await bench.failure()
    assert (stage["name"], words in stage["remedy"]) == ("auth", True), stage


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (SecretUnavailable("mine has no key; add its key to the profile."), "mine has no key."),
        (OriginNotApproved("mine now points elsewhere; enter the key again to approve."), "points elsewhere"),
    ],
)
async def test_a_key_that_cannot_be_had(bench: Bench, wrong: Exception, words: str) -> None:
    async def resolve(profile: Profile) -> Mapping[str, Secret]:
        raise wrong

    bench.resolve = resolve  # type: ignore[method-assign]
    stage = await bench.failure()
    assert stage["name"] == "auth" and words in stage["detail"]
    assert not bench.provider.requests


async def test_a_typed_key_for_another_origin_is_never_sent(bench: Bench) -> None:
    given = {"apiKey": Secret(KEY, "https://elsewhere.example:443")}
    found = await bench.run("auth", secrets=given)
    assert not found["ok"] and not bench.provider.requests


async def test_a_skewed_clock_is_told_though_the_key_is_taken(bench: Bench) -> None:
    date = format_datetime(NOW + timedelta(minutes=7), usegmt=True)
    bench.provider.script(KEY, Raw((MODELS,), content_type="application/json", headers=(("date", date),)))
    stage = (await bench.run())["stages"][2]
    assert stage["ok"] and "7 minutes behind" in stage["detail"] and "NTP" in stage["remedy"]


async def test_a_skewed_clock_is_named_beside_a_rejected_key(bench: Bench) -> None:
    date = format_datetime(NOW - timedelta(hours=5), usegmt=True)
    body = b'{"error":{"message":"Signature expired","code":"invalid_api_key"}}'
    bench.provider.script(KEY, Raw((body,), status=401, content_type="application/json", headers=(("date", date),)))
    stage = await bench.failure()
    assert "5 hours ahead" in stage["detail"] and stage["remedy"].startswith("Let the system set its clock")


async def test_a_limited_key_is_not_called_wrong(bench: Bench) -> None:
    body = b'{"error":{"message":"Slow down","type":"rate_limit_error","code":"rate_limit_exceeded"}}'
    headers = (("retry-after", "40"),)
    bench.provider.script(KEY, Raw((body,), status=429, content_type="application/json", headers=headers))
    stage = await bench.failure()
    assert stage["remedy"].startswith("Wait 40 seconds. The key is known there")


async def test_a_providers_own_trouble_points_to_its_status_page(bench: Bench) -> None:
    bench.profile = replace(bench.profile, provider="openai")
    bench.provider.script(KEY, Raw((b"{}",), status=503, content_type="application/json"))
    assert "https://status.openai.com" in (await bench.failure())["remedy"]


# --- the model --------------------------------------------------------------------------------------------------------------------


async def test_a_wrong_model_names_those_that_are_near(bench: Bench) -> None:
    bench.profile = replace(bench.profile, model="scriptd-model")
    stage = await bench.failure()
    assert stage["name"] == "listing" and stage["remedy"].startswith("Try scripted-model")


async def test_a_model_that_is_not_deployed(bench: Bench) -> None:
    bench.provider.script(KEY, Fail("not-found"))
    bench.profile = replace(bench.profile, model="scriptd-model")
    found = await bench.run("completion")
    stage = found["stages"][-1]
    assert (stage["name"], stage["ok"]) == ("completion", False)
    assert "deploy it first" in stage["remedy"] and "Try scripted-model" in stage["remedy"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Cut(0), "broke|closed|reset|ended"),
        (Fail("overloaded"), "answered"),
        (Fail("rate-limit", retry_delay=3), "answered"),
        (Answer(""), "empty"),
    ],
    ids=["cut", "overloaded", "limited", "empty"],
)
async def test_a_token_that_does_not_come(bench: Bench, step: Any, words: str) -> None:
    bench.provider.script(KEY, step)
    stage = await bench.failure("completion")
    assert stage["name"] == "completion"
    assert any(word in stage["detail"] for word in words.split("|")), stage


async def test_a_test_waits_no_longer_for_a_token_than_the_profile_would(bench: Bench) -> None:
    bench.provider.script(KEY, Answer("late", first_delay=30))
    bench.profile = replace(bench.profile, timeouts=Timeouts(first_token=0.3))
    assert "No token came" in (await bench.failure("completion"))["detail"]


# --- settings ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"base_url": "ftp://x"}, "baseUrl"),
        ({"base_url": "http://user:pass@x/"}, "baseUrl"),
        ({"headers": {"x": "a\nb"}}, "headers.x"),
        ({"base_url": None}, "baseUrl"),
        ({"proxy": "socks5://127.0.0.1:1080"}, "proxy"),
    ],
    ids=["scheme", "credentials", "header", "no-address", "proxy"],
)
async def test_a_profile_that_cannot_work_is_told_before_anything_is_sent(
    bench: Bench, change: Any, field: str
) -> None:
    bench.profile = replace(bench.profile, **change)
    stage = await bench.failure()
    assert (stage["name"], stage["field"]) == ("settings", field)


async def test_an_unknown_provider_is_refused(bench: Bench) -> None:
    bench.profile = replace(bench.profile, provider="nobody")
    with pytest.raises(InvalidInput):
        await bench.run()


# --- side by side -----------------------------------------------------------------------------------------------------------------


async def test_a_hundred_profiles_side_by_side_with_progress(bench: Bench) -> None:
    told: list[tuple[int, str]] = []
    profiles = [replace(bench.profile, id=f"p{n}", headers={"x-n": str(n)}) for n in range(100)]
    test = bench.test
    found = await asyncio.gather(
        *(
            test.run(profile, None, "completion", lambda stage, n=n: told.append((n, stage["name"])))  # type: ignore[misc]
            for n, profile in enumerate(profiles)
        )
    )
    assert all(each["ok"] for each in found)
    assert len(told) == 100 * len(WHOLE)
    assert [name for n, name in told if n == 57] == WHOLE


async def test_a_hundred_profiles_are_given_up_together(bench: Bench) -> None:
    bench.provider.script(KEY, Hang())
    test = bench.test
    running = [asyncio.create_task(test.run(replace(bench.profile, id=f"p{n}"), None, "auth")) for n in range(100)]
    while not bench.provider.requests:
        await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    found = await asyncio.gather(*running, return_exceptions=True)
    assert {type(each) for each in found} == {asyncio.CancelledError}
    bench.provider.script(KEY, Answer("OK"))
    assert (await test.run(bench.profile, None, "completion"))["ok"]


def test_a_stage_is_what_the_protocol_says() -> None:
    assert set(messages.Stage.model_fields) == {"name", "ok", "duration_ms", "detail", "remedy", "field"}
