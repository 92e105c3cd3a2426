"""Lists of models: asked once, kept by base and whole key, shown with their age, filled, and never emptied by a failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from rooroute.adapters.http import Upstream
from rooroute.discovery import ASSUMED, FRESH, QUIET, Discovery
from rooroute.errors import InvalidInput, SecretUnavailable
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.profiles import Price, Profile
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from rooroute.providers.model_list import Listing, Model
from rooroute.providers.table import base_url_of
from rooroute.rpc.messages import Models
from rooroute.scripted_provider import Answer, Fail, Hang, Html, Raw, ScriptedProvider
from rooroute.secret import Secret, origin_of

NOW = 1_800_000_000.0
RECORDED = Path(__file__).parent / "providers" / "recorded" / "model_lists"
BASE = "https://models.example/v1"
PROFILE = Profile(id="mine", provider="openai-compatible", base_url=BASE)


def secrets(profile: Profile, key: str = "k") -> dict[str, Secret]:
    return {"apiKey": Secret(key, origin_of(base_url_of(profile) or ""))}


def listed(*names: str) -> ErrorAnswer:
    return ErrorAnswer(200, {}, json.dumps({"data": [{"id": name} for name in names]}).encode())


@dataclass
class Network:
    """Answers by what lies in ``answers``: the first one again and again once the others are used up."""

    answers: list[ErrorAnswer | Failure] = field(default_factory=lambda: [listed("a", "b")])
    asked: list[HttpRequest] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def ask(self, request: HttpRequest, *, seconds: float, proxy: str | None) -> ErrorAnswer:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(answer, Failure):
            raise Unreachable(answer)
        return answer


DOWN = Failure(Fault.NETWORK, "models.example:443 refuses connections; check that it runs there.")


class House:
    """Discovery with everything around it in a test's hand."""

    def __init__(self, **more: Any) -> None:
        self.network = Network()
        self.now = NOW
        self.key = "k"
        self.discovery = Discovery(self.network.ask, self.resolve, lambda: self.now, **more)

    async def resolve(self, profile: Profile) -> Mapping[str, Secret]:
        if not self.key:
            raise SecretUnavailable("mine has no key; add its key to the profile.")
        return secrets(profile, self.key)

    async def models(self, profile: Profile = PROFILE, *, refresh: bool = False) -> dict[str, Any]:
        found = await self.discovery.models(profile, None, refresh=refresh)
        Models.model_validate(found)
        return found

    async def names(self, profile: Profile = PROFILE, *, refresh: bool = False) -> list[str]:
        return [model["id"] for model in (await self.models(profile, refresh=refresh))["models"]]


@pytest.fixture
def house() -> House:
    return House()


# --- keeping ----------------------------------------------------------------------------------------------------------------------


async def test_a_list_is_asked_for_once_and_kept(house: House) -> None:
    assert await house.names() == ["a", "b"]
    found = await house.models()
    assert (found["stale"], found["fetchedAt"]) == (False, "2027-01-15T08:00:00.000Z")
    assert len(house.network.asked) == 1


async def test_a_refresh_asks_again(house: House) -> None:
    await house.models()
    house.network.answers = [listed("c")]
    house.now += 1
    assert await house.names(refresh=True) == ["c"]


async def test_a_list_an_hour_old_is_asked_for_again(house: House) -> None:
    await house.models()
    house.now += FRESH
    await house.models()
    assert len(house.network.asked) == 2


async def test_a_failed_fetch_shows_the_last_list_with_its_age_and_the_reason(house: House) -> None:
    await house.models()
    house.network.answers = [DOWN]
    house.now += FRESH + 60
    found = await house.models()
    assert [model["id"] for model in found["models"]] == ["a", "b"]
    assert (found["stale"], found["fetchedAt"]) == (True, "2027-01-15T08:00:00.000Z")
    assert "refuses connections" in found["problem"]["message"]
    assert found["problem"]["remedy"] == "Check that it runs there."
    assert await house.names() == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        ErrorAnswer(500, {}, b"oops"),
        ErrorAnswer(401, {}, b'{"error":{"message":"no","code":"invalid_api_key"}}'),
        ErrorAnswer(200, {"content-type": "text/html"}, b"<html>"),
        ErrorAnswer(200, {}, b'{"hello":"world"}'),
        ErrorAnswer(302, {"location": "https://portal.example/?k=1"}, b""),
    ],
    ids=["server-error", "rejected-key", "web-page", "other-json", "redirect"],
)
async def test_whatever_comes_in_a_lists_place_does_not_empty_it(house: House, answer: ErrorAnswer) -> None:
    await house.models()
    house.network.answers = [answer]
    found = await house.models(refresh=True)
    assert [model["id"] for model in found["models"]] == ["a", "b"]
    assert found["stale"]
    assert found["problem"]["message"]


async def test_a_failure_is_not_repeated_at_once_unless_asked_to(house: House) -> None:
    house.network.answers = [DOWN]
    assert (await house.models())["problem"]
    house.now += QUIET - 1
    assert (await house.models())["problem"]
    assert len(house.network.asked) == 1
    house.network.answers = [listed("a")]
    assert await house.names(refresh=True) == ["a"]


async def test_a_failure_is_forgotten_after_a_while(house: House) -> None:
    house.network.answers = [DOWN]
    await house.models()
    house.network.answers = [listed("a")]
    house.now += QUIET
    assert await house.names() == ["a"]


async def test_without_any_list_the_profiles_own_names_are_shown(house: House) -> None:
    house.network.answers = [DOWN]
    profile = replace(PROFILE, model="m", models=("m", "n"), model_map={"fast": "o"})
    found = await house.models(profile)
    assert [model["id"] for model in found["models"]] == ["m", "n", "o"]
    assert "fetchedAt" not in found and not found["stale"]


async def test_a_clock_put_back_does_not_keep_a_list_for_ever(house: House) -> None:
    await house.models()
    house.now -= 86_400
    await house.models()
    assert len(house.network.asked) == 2


# --- what a list is kept by -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        (replace(PROFILE, base_url="https://models.example/v2"), "k"),
        (replace(PROFILE, headers={"x-team": "two"}), "k"),
        (replace(PROFILE, query={"team": "two"}), "k"),
        (PROFILE, "k" * 40 + "2"),
    ],
    ids=["another-base", "another-header", "another-query", "another-key-with-the-same-beginning"],
)
async def test_somebody_elses_list_is_not_shown(house: House, profile: Profile, key: str) -> None:
    house.key = "k" * 40 + "1" if len(key) > 1 else "k"
    assert await house.names() == ["a", "b"]
    house.network.answers = [listed("c")]
    house.key = key
    assert await house.names(profile) == ["c"]


async def test_two_profiles_with_one_key_share_a_list(house: House) -> None:
    await house.models()
    await house.models(replace(PROFILE, id="other", name="Other"))
    assert len(house.network.asked) == 1


async def test_a_draft_is_asked_with_its_typed_key(house: House) -> None:
    await house.discovery.models(PROFILE, secrets(PROFILE, "typed"))
    _, secret = house.network.asked[0].secret_headers["authorization"]
    assert secret.reveal(origin_of(BASE)) == "typed"


async def test_a_key_that_cannot_be_had_is_said_as_it_is(house: House) -> None:
    house.key = ""
    with pytest.raises(SecretUnavailable, match="has no key"):
        await house.models()


async def test_a_profile_that_cannot_be_asked_is_refused_with_the_field(house: House) -> None:
    with pytest.raises(InvalidInput) as raised:
        await house.discovery.models(replace(PROFILE, base_url=None), {})
    assert raised.value.field == "profile.baseUrl"


# --- fetching ---------------------------------------------------------------------------------------------------------------------


async def test_a_hundred_who_ask_at_once_are_one_request(house: House) -> None:
    house.network.gate = asyncio.Event()
    asking = [asyncio.create_task(house.names()) for _ in range(100)]
    while not house.network.asked:
        await asyncio.sleep(0)
    asking[0].cancel()
    house.network.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [["a", "b"]] * 99
    assert len(house.network.asked) == 1


async def test_closing_gives_up_what_is_under_way(house: House) -> None:
    house.network.gate = asyncio.Event()
    asking = asyncio.create_task(house.names())
    while not house.network.asked:
        await asyncio.sleep(0)
    await house.discovery.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


def page(provider: str, number: int, more: bool) -> ErrorAnswer:
    if provider == "gemini":
        document: dict[str, Any] = {"models": [{"name": f"models/g{number}"}]}
        document |= {"nextPageToken": f"t{number}"} if more else {}
    else:
        document = {"data": [{"id": f"a{number}"}], "has_more": more, "last_id": f"a{number}"}
    return ErrorAnswer(200, {}, json.dumps(document).encode())


@pytest.mark.parametrize(
    ("provider", "names", "queries"),
    [
        ("anthropic", ["a1", "a2", "a3"], [{}, {"after_id": "a1"}, {"after_id": "a2"}]),
        ("gemini", ["g1", "g2", "g3"], [{}, {"pageToken": "t1"}, {"pageToken": "t2"}]),
    ],
)
async def test_every_page_is_turned(
    house: House, provider: str, names: list[str], queries: list[dict[str, str]]
) -> None:
    house.network.answers = [page(provider, 1, True), page(provider, 2, True), page(provider, 3, False)]
    assert await house.names(Profile(id="mine", provider=provider)) == names
    told = [dict(parse_qsl(urlsplit(request.url).query)) for request in house.network.asked]
    assert [{name: query[name] for name in wanted} for query, wanted in zip(told, queries, strict=True)] == queries


async def test_a_server_that_names_the_same_page_for_ever_is_left(house: House) -> None:
    house.network.answers = [page("anthropic", 1, True)]
    assert await house.names(Profile(id="mine", provider="anthropic")) == ["a1"]
    assert len(house.network.asked) == 2


async def test_a_server_with_endless_pages_is_left_after_twenty(house: House) -> None:
    house.network.answers = [page("anthropic", number, True) for number in range(30)]
    assert len(await house.names(Profile(id="mine", provider="anthropic"))) == 20


async def test_a_page_that_fails_keeps_the_old_list_whole(house: House) -> None:
    profile = Profile(id="mine", provider="anthropic")
    house.network.answers = [page("anthropic", 1, True), page("anthropic", 2, False)]
    await house.models(profile)
    house.network.answers = [page("anthropic", 7, True), DOWN]
    found = await house.models(profile, refresh=True)
    assert [model["id"] for model in found["models"]] == ["a1", "a2"]
    assert found["stale"]


# --- filling ----------------------------------------------------------------------------------------------------------------------


async def test_what_nobody_tells_is_assumed_and_said_to_be(house: House) -> None:
    model = (await house.models())["models"][0]
    assert model == {
        "id": "a",
        "maxTokens": 8192,
        "contextWindow": 200_000,
        "supportsImages": True,
        "supportsPromptCache": True,
        "inputPrice": 3.0,
        "outputPrice": 15.0,
        "assumed": [
            "maxTokens",
            "contextWindow",
            "supportsImages",
            "supportsPromptCache",
            "inputPrice",
            "outputPrice",
        ],
    }
    assert len(ASSUMED) == 6


async def test_a_litellm_proxys_facts_are_mapped_and_its_gaps_assumed(house: House) -> None:
    house.network.answers = [ErrorAnswer(200, {}, (RECORDED / "litellm.json").read_bytes())]
    whole, house_model = (await house.models(Profile(id="mine", provider="litellm", model="house-model")))["models"]
    assert whole == {
        "id": "claude-3-7-sonnet",
        "contextWindow": 200_000,
        "maxTokens": 64_000,
        "supportsImages": True,
        "supportsTools": True,
        "supportsPromptCache": True,
        "supportsComputerUse": True,
        "inputPrice": 3.0,
        "outputPrice": 15.0,
        "cacheReadPrice": 0.3,
        "cacheWritePrice": 3.75,
        "assumed": [],
    }
    assert (house_model["maxTokens"], house_model["supportsImages"]) == (4096, False)
    assert (house_model["contextWindow"], house_model["inputPrice"]) == (200_000, 3.0)
    assert house_model["assumed"] == ["contextWindow", "supportsPromptCache", "inputPrice", "outputPrice"]


class Table:
    """A table of prices that knows one model."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[str, ...], float]] = []

    async def __call__(self, base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]:
        self.asked.append((base_url, tuple(ids), now))
        return {"a": Model(id="a", name="A", context_window=64_000, input_price=1.0, output_price=2.0)}


async def test_a_table_of_prices_fills_what_the_server_leaves_out() -> None:
    table = Table()
    house = House(prices=table)
    house.network.answers = [
        ErrorAnswer(200, {}, b'{"data":[{"id":"a","context_length":32000},{"id":"b"}]}'),
    ]
    first, second = (await house.models())["models"]
    assert (first["name"], first["contextWindow"], first["inputPrice"], first["outputPrice"]) == ("A", 32_000, 1.0, 2.0)
    assert first["assumed"] == ["maxTokens", "supportsImages", "supportsPromptCache"]
    assert "inputPrice" in second["assumed"]
    assert table.asked == [(BASE, ("a", "b"), NOW)]


async def test_a_litellm_proxys_gaps_are_not_looked_up() -> None:
    table = Table()
    house = House(prices=table)
    house.network.answers = [ErrorAnswer(200, {}, (RECORDED / "litellm.json").read_bytes())]
    await house.models(Profile(id="mine", provider="litellm"))
    assert not table.asked


PRICE = Price(input=0.5, output=0.0, cache_read=0.1)


async def test_the_users_own_values_win_for_the_profiles_models(house: House) -> None:
    house.network.answers = [ErrorAnswer(200, {}, b'{"data":[{"id":"a","context_length":32000},{"id":"b"}]}')]
    first, second = (await house.models(replace(PROFILE, model="a", context_window=9000, price=PRICE)))["models"]
    assert (first["contextWindow"], first["inputPrice"], first["outputPrice"]) == (9000, 0.5, 0.0)
    assert first["cacheReadPrice"] == 0.1
    assert first["assumed"] == ["maxTokens", "supportsImages", "supportsPromptCache"]
    assert (second["contextWindow"], second["inputPrice"]) == (200_000, 3.0)


async def test_the_users_own_values_hold_for_all_models_of_a_profile_that_names_none(house: House) -> None:
    found = await house.models(replace(PROFILE, price=PRICE))
    assert {model["inputPrice"] for model in found["models"]} == {0.5}


# --- the profile's own model ------------------------------------------------------------------------------------------------------


async def test_a_model_that_is_not_listed_is_a_warning_with_names_that_are(house: House) -> None:
    found = await house.models(replace(PROFILE, model="aa"))
    assert "does not list the model aa" in found["problem"]["message"]
    assert found["problem"]["remedy"].startswith("Try a")
    assert not found["stale"]


async def test_litellms_default_model_is_warned_of_when_the_proxy_does_not_have_it(house: House) -> None:
    house.network.answers = [ErrorAnswer(200, {}, (RECORDED / "litellm.json").read_bytes())]
    found = await house.models(Profile(id="mine", provider="litellm"))
    assert "claude-3-7-sonnet-20250219" in found["problem"]["message"]
    assert "claude-3-7-sonnet" in found["problem"]["remedy"]


@pytest.mark.parametrize(
    "more", [{"model": "b"}, {}, {"models": ("b", "x")}], ids=["listed", "none", "first-of-several"]
)
async def test_a_model_that_is_listed_is_no_problem(house: House, more: dict[str, Any]) -> None:
    assert "problem" not in await house.models(replace(PROFILE, **more))


# --- the shelf --------------------------------------------------------------------------------------------------------------------


class Shelf:
    def __init__(self, lists: dict[str, Listing] | None = None) -> None:
        self.lists = lists or {}
        self.loads = 0

    async def load(self) -> Mapping[str, Listing]:
        self.loads += 1
        return dict(self.lists)

    async def store(self, key: str, listing: Listing) -> None:
        self.lists[key] = listing


async def test_a_list_outlives_the_process() -> None:
    shelf = Shelf()
    await House(shelf=shelf).models()
    later = House(shelf=shelf)
    later.network.answers = [DOWN]
    later.now += FRESH + 1
    found = await later.models()
    assert [model["id"] for model in found["models"]] == ["a", "b"]
    assert found["stale"]
    await later.models()
    assert shelf.loads == 2  # once each


async def test_nothing_of_a_key_lies_on_the_shelf() -> None:
    shelf = Shelf()
    house = House(shelf=shelf)
    house.key = "canary-8d1f"
    await house.models()
    assert "canary" not in repr(shelf.lists)


# --- over the wire ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider({"k": [Answer()]}) as running:
        yield running


@pytest.fixture
async def wired(house: House) -> AsyncIterator[House]:
    upstream = Upstream({})
    house.discovery = Discovery(upstream.request, house.resolve, lambda: house.now)
    yield house
    await upstream.close()


@pytest.mark.parametrize("provider_id", ["openai", "anthropic", "gemini"])
async def test_each_dialects_server_is_asked_and_read(
    wired: House, provider: ScriptedProvider, provider_id: Any
) -> None:
    profile = Profile(id="mine", provider=provider_id, base_url=provider.base_url(provider_id))
    assert await wired.names(profile) == ["scripted-model", "scripted-large"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Fail("invalid-key"), "answered:"),
        (Html(), "web page"),
        (Raw((b"x" * 9_000_000,), content_type="application/json"), "longer than"),
        (Raw((b"\xff\x00",), content_type="application/json"), "not as"),
    ],
    ids=["rejected-key", "web-page", "too-long", "garbage"],
)
async def test_a_servers_trouble_is_told_in_a_sentence(
    wired: House, provider: ScriptedProvider, step: Any, words: str
) -> None:
    provider.script("k", step)
    profile = Profile(id="mine", provider="openai", base_url=provider.base_url("openai"), model="m")
    found = await wired.models(profile)
    assert words in found["problem"]["message"]
    assert [model["id"] for model in found["models"]] == ["m"]


async def test_a_fetch_that_hangs_holds_up_nobody_else(wired: House, provider: ScriptedProvider) -> None:
    provider.script("slow", Hang())
    profile = Profile(id="mine", provider="openai", base_url=provider.base_url("openai"))
    hanging = asyncio.create_task(wired.discovery.models(profile, secrets(profile, "slow")))
    while not provider.requests:
        await asyncio.sleep(0.01)
    assert await wired.names(profile) == ["scripted-model", "scripted-large"]
    await wired.discovery.close()
    await asyncio.gather(hanging, return_exceptions=True)
