"""The doctor names cause and remedy of each thing that can be wrong; each is really there when it is named."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest

from rooroute.adapters.http import Upstream
from rooroute.checkup import Finding, Network
from rooroute.doctor import Surroundings, examine
from rooroute.errors import SecretUnavailable
from rooroute.profiles import Configuration, Problem, Profile
from rooroute.providers.table import base_url_of
from rooroute.proxies import proxy_for
from rooroute.scripted_provider import Answer, Fail, Html, Raw, ScriptedProvider
from rooroute.secret import Secret, origin_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MODELS = b'{"object":"list","data":[{"id":"scripted-model"},{"id":"scripted-large"}]}'


@dataclass(frozen=True)
class Keyring:
    store_name: str = "keyring"
    problem: str | None = None


@dataclass(frozen=True)
class Window:
    identity: str
    version: str
    heartbeat: float


class Clinic:
    """A healthy patient: one profile at a scripted provider, everything else in order."""

    def __init__(self, provider: ScriptedProvider, upstream: Upstream) -> None:
        self.provider, self.upstream = provider, upstream
        self.environment: dict[str, str] = {}
        self.profile = Profile(
            id="mine", provider="openai-compatible", model="scripted-model", base_url=provider.base_url("openai")
        )
        network = Network(
            self.resolve, lambda request, proxy: self.upstream.request(request, proxy=proxy), self.proxy_of
        )
        self.around = Surroundings(
            configuration=Configuration(),
            keyring=partial(self.given, Keyring()),
            network=network,
            windows=partial(self.given, []),
            now=NOW.timestamp,
            version="1.2.3",
        )

    async def given(self, value: Any) -> Any:
        return value

    async def resolve(self, profile: Profile) -> Mapping[str, Secret]:
        return {"apiKey": Secret("k", origin_of(base_url_of(profile) or ""))}

    def proxy_of(self, url: str, chosen: str | None) -> str | None:
        proxy = proxy_for(url, chosen, self.environment)
        return str(proxy) if proxy else None

    async def examine(self, **changes: Any) -> list[Finding]:
        changes.setdefault("configuration", Configuration(profiles={"mine": self.profile}))
        return await examine(replace(self.around, **changes))

    async def wrong(self, **changes: Any) -> Finding:
        """The one thing that is wrong."""
        found = [finding for finding in await self.examine(**changes) if not finding.ok]
        assert len(found) == 1, found
        assert found[0].remedy
        return found[0]


@pytest.fixture
async def clinic() -> AsyncIterator[Clinic]:
    async with ScriptedProvider({"k": [Answer()]}) as provider:
        upstream = Upstream({})
        yield Clinic(provider, upstream)
        await upstream.close()


async def test_a_healthy_patient_has_no_complaint_and_was_asked_once(clinic: Clinic) -> None:
    findings = await clinic.examine()
    assert [finding for finding in findings if not finding.ok] == []
    assert {finding.name for finding in findings} == {"configuration", "keyring", "server", "address of mine"}
    assert [(request.method, request.path) for request in clinic.provider.requests] == [("GET", "/v1/models")]


@pytest.mark.parametrize(
    ("store", "problem", "cause", "remedy"),
    [
        ("session", "This machine offers no keyring; set one up.", "This machine offers no keyring.", "Set one up."),
        ("keyring", "The keyring is locked; unlock it.", "The keyring is locked.", "Unlock it."),
    ],
    ids=["no-keyring", "a-locked-one"],
)
async def test_the_keyring(clinic: Clinic, store: str, problem: str, cause: str, remedy: str) -> None:
    found = await clinic.wrong(keyring=partial(clinic.given, Keyring(store, problem)))
    assert found == Finding("keyring", False, cause, remedy)


async def test_an_address_where_nobody_listens(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, base_url="http://127.0.0.1:9/v1")
    found = await clinic.wrong()
    assert found.name == "address of mine"
    assert "refuses connections" in found.cause


async def test_an_address_with_a_wrong_path(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, base_url=clinic.provider.base_url("openai").removesuffix("/v1"))
    found = await clinic.wrong()
    assert "HTTP 404" in found.cause
    assert "/v1" in found.remedy


async def test_an_address_that_is_a_web_page(clinic: Clinic) -> None:
    clinic.provider.script("k", Html())
    assert "web page" in (await clinic.wrong()).cause


async def test_an_address_that_answers_in_other_words(clinic: Clinic) -> None:
    clinic.provider.script("k", Raw((b'{"hello": "world"}',), content_type="application/json"))
    assert "not as" in (await clinic.wrong()).cause


async def test_a_profile_without_an_address(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, base_url=None)
    assert (await clinic.wrong()).name == "configuration"


async def test_a_wrong_model_names_those_that_are_near(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, model="scriptd-model")
    found = await clinic.wrong()
    assert found.name == "model of mine"
    assert "scriptd-model" in found.cause
    assert "Try scripted-model" in found.remedy


@pytest.mark.parametrize(("minutes", "words"), [(7, "7 minutes behind"), (-300, "5 hours ahead of")])
async def test_a_skewed_clock(clinic: Clinic, minutes: int, words: str) -> None:
    date = format_datetime(NOW + timedelta(minutes=minutes), usegmt=True)
    clinic.provider.script("k", Raw((MODELS,), content_type="application/json", headers=(("date", date),)))
    found = await clinic.wrong()
    assert found.name == "clock"
    assert words in found.cause


async def test_a_clock_within_a_minute_is_right(clinic: Clinic) -> None:
    date = format_datetime(NOW + timedelta(seconds=20), usegmt=True)
    clinic.provider.script("k", Raw((MODELS,), content_type="application/json", headers=(("date", date),)))
    assert [finding.ok for finding in await clinic.examine() if finding.name == "clock"] == [True]


async def test_a_proxy_that_does_not_let_through(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, proxy="http://127.0.0.1:9")
    found = await clinic.wrong()
    assert found.name == "proxy of mine"
    assert "http://127.0.0.1:9" in found.cause
    assert "NO_PROXY" in found.remedy


async def test_a_proxy_that_answers_with_its_own_page(clinic: Clinic) -> None:
    clinic.provider.script("k", Html(403))
    clinic.profile = replace(clinic.profile, proxy=f"http://127.0.0.1:{clinic.provider.port}")
    found = await clinic.wrong()
    assert (found.name, "in place of" in found.cause) == ("proxy of mine", True)


async def test_a_proxy_of_the_environment_that_is_none(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, base_url="https://models.example/v1")
    clinic.environment = {"https_proxy": "socks5://127.0.0.1:1080"}
    found = await clinic.wrong()
    assert found.name == "proxy of mine"
    assert "socks5" in found.cause


async def test_a_rejected_key_and_where_to_get_another(clinic: Clinic) -> None:
    clinic.provider.script("k", Fail("invalid-key"))
    clinic.profile = replace(clinic.profile, provider="openai")
    found = await clinic.wrong()
    assert found.name == "key of mine"
    assert "https://" in found.remedy


async def test_a_key_that_cannot_be_had(clinic: Clinic) -> None:
    async def resolve(profile: Profile) -> Mapping[str, Secret]:
        raise SecretUnavailable("mine has no key; add its key to the profile.")

    found = await clinic.wrong(network=replace(clinic.around.network, resolve=resolve))
    assert found == Finding("key of mine", False, "mine has no key.", "Add its key to the profile.")


async def test_a_broken_configuration_names_line_and_field(clinic: Clinic) -> None:
    broken = Problem("A colon is missing.", field="profiles.0", remedy="Write id: mine.", line=7, profile_id="mine")
    found = await clinic.wrong(configuration=Configuration(problems=(broken,)))
    assert found == Finding("configuration", False, "A colon is missing (mine, line 7).", "Write id: mine.")


async def test_a_profile_of_an_unknown_provider_is_named_once(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, provider="nobody")
    assert "nobody" in (await clinic.wrong()).cause


async def test_a_stale_server_and_one_that_is_stuck(clinic: Clinic) -> None:
    now = NOW.timestamp()
    windows = [Window("11:1:x", "1.2.3", now), Window("22:1:x", "1.2.2", now), Window("33:1:x", "1.2.3", now - 600)]
    findings = await clinic.examine(windows=partial(clinic.given, windows))
    causes = [finding.cause for finding in findings if finding.name == "server"]
    assert [re.findall(r"process (\d+)", cause) for cause in causes] == [["22"], ["33"]]
    assert "1.2.2, this is 1.2.3" in causes[0]
    assert "10 minutes" in causes[1]
    nobody = await clinic.examine(windows=partial(clinic.given, []))
    assert [each.cause for each in nobody if each.name == "server"] == ["None is running, and none is stuck."]


async def test_a_provider_in_trouble_of_its_own(clinic: Clinic) -> None:
    clinic.provider.script("k", Raw((b"{}",), status=503, content_type="application/json"))
    assert (await clinic.wrong()).name == "service of mine"


async def test_a_model_may_stand_on_a_later_page(clinic: Clinic) -> None:
    page = b'{"data":[{"id":"other"}],"has_more":true,"last_id":"other"}'
    clinic.provider.script("k", Raw((page,), content_type="application/json"))
    base = clinic.provider.base_url("anthropic")
    clinic.profile = replace(clinic.profile, provider="anthropic", base_url=base)
    assert [finding for finding in await clinic.examine() if not finding.ok] == []


async def test_switched_off_profiles_are_not_asked(clinic: Clinic) -> None:
    clinic.profile = replace(clinic.profile, enabled=False)
    await clinic.examine()
    assert not clinic.provider.requests


async def test_the_state_file_has_its_say(clinic: Clinic) -> None:
    problem = Problem("The state file was damaged and set aside.", remedy="Nothing is needed.")
    assert (await clinic.wrong(state_problems=(problem,))).name == "state"
