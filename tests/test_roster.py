"""Who is considered for a request, by the model it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rooroute.chat import CompletionOptions
from rooroute.errors import AllFailed, NoProfiles, RoorouteError, SecretUnavailable
from rooroute.profiles import Configuration, Pool, Profile
from rooroute.roster import Roster, addressee, pool_of
from rooroute.routing.limits import Counters
from rooroute.routing.rules import Facts
from rooroute.routing.shown import ShownState
from rooroute.scripted_provider import Answer, Fail, Step
from rooroute.secret import Secret
from tests.house import HELLO, Heard, house

TWO: Mapping[str, Sequence[Step]] = {"A": [Answer("A.")], "B": [Answer("B.")]}


async def test_a_model_addressed_to_the_second_profile_is_asked_there_under_its_own_name(tmp_path: Path) -> None:
    async with house(tmp_path, TWO) as h:
        heard = Heard()
        answer = await h.ask(heard, model="B/gemini-large")
        assert (answer["profileId"], answer["model"]) == ("B", "gemini-large")
        assert h.asked_with() == ["B"]


async def test_a_profile_that_is_addressed_and_cannot_answer_has_nobody_behind_it(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer()], "B": [Fail("permission")]}) as h:
        with pytest.raises(AllFailed):
            await h.ask(model="B/gemini-large", fallback=True)
        assert h.asked_with() == ["B"]


async def test_an_addressed_profile_outside_the_named_pool_is_not_asked_and_the_reason_names_it(tmp_path: Path) -> None:
    async with house(tmp_path, TWO, pool={"profiles": ("A",)}) as h:
        with pytest.raises(NoProfiles, match="is not B, which the model 'B/m' is addressed to"):
            await h.ask(model="B/m", pool="default")
        assert h.asked_with() == []


async def test_an_addressed_profile_outside_the_default_pool_is_asked_where_no_pool_is_named(tmp_path: Path) -> None:
    async with house(tmp_path, TWO, pool={"profiles": ("A",)}) as h:
        assert (await h.ask(model="B/m"))["profileId"] == "B"


def configuration(**profiles: Mapping[str, Any]) -> Configuration:
    made = {name: Profile(id=name, provider="openai", **given) for name, given in profiles.items()}
    return Configuration(profiles=made, pools={"default": Pool(id="default", profiles=tuple(made))})


@pytest.mark.parametrize(
    ("profiles", "model", "found"),
    [
        pytest.param({"openai": {}, "router": {}}, "openai/gpt-4o", "openai", id="a-profile-called-like-a-vendor"),
        pytest.param(
            {"openai": {}, "router": {"models": ("openai/gpt-4o",)}},
            "openai/gpt-4o",
            None,
            id="a-model-that-another-profile-offers-by-that-very-name",
        ),
        pytest.param({"a": {}}, "meta-llama/Llama-3.3-70B", None, id="a-vendor-that-is-no-profile"),
        pytest.param({"a": {}}, "a", None, id="no-slash"),
        pytest.param({"a": {}}, None, None, id="no-model"),
    ],
)
def test_an_address_is_one_where_no_model_has_that_name(
    profiles: Mapping[str, Mapping[str, Any]], model: str | None, found: str | None
) -> None:
    assert addressee(configuration(**profiles), model) == found


def test_an_address_within_the_default_pool_keeps_that_pool_s_settings_and_limits() -> None:
    assert pool_of(configuration(a={}, b={}), None, None, None, "b/m").id == "default"


async def test_two_models_behind_one_key_are_targets_of_their_own(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Fail("rate-limit", retry_delay=60), Answer("B.")]}) as h:
        profiles = cast(dict[str, Profile], h.configuration.profiles)
        profiles["B"] = replace(profiles["A"], id="B", model="another")
        h.keys.keys["B"] = h.keys.keys["A"]
        pools = cast(dict[str, Pool], h.configuration.pools)
        pools["default"] = replace(pools["default"], profiles=("A", "B"))
        assert (await h.ask())["profileId"] == "B"
        assert (h.shown("A").state, h.shown("B").state) == (ShownState.COOLDOWN, ShownState.ACTIVE)


async def test_a_profile_whose_variable_is_not_set_is_left_out_beforehand_and_the_record_says_why(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, TWO, profiles={"A": {"api_key": "${NOT_SET}"}}) as h:
        told = h.completions.foresight.rehearse(HELLO, CompletionOptions(request_id=""), Counters())
        assert told["profileId"] == "B"
        answer = await h.ask(request_id="r")
        assert answer["profileId"] == "B"
        await h.state.save()
        record = await h.state.request("r")
        assert record is not None
        assert record["candidates"] == [
            {"profileId": "B", "rank": 1},
            {
                "profileId": "A",
                "excludedBy": "takes its key from the environment variable NOT_SET, which is not set where rooroute runs",
            },
        ]


async def test_a_key_that_is_not_there_is_looked_for_once_and_later_again(tmp_path: Path) -> None:
    async with house(tmp_path, TWO) as h:
        h.keys.keys.pop("A")
        for _ in range(3):
            assert (await h.ask(request_id="r"))["profileId"] == "B"
        assert h.keys.reads.count("A") == 1
        record = await h.state.request("r")
        assert record is not None
        assert "has no key" in {each["profileId"]: each.get("excludedBy") for each in record["candidates"]}["A"]
        h.clock.ahead = 31.0
        h.credentials.look_again()
        assert (await h.ask(session="another"))["profileId"] == "B"
        assert h.keys.reads.count("A") == 2


async def test_a_key_bound_to_another_address_is_left_out_once_that_is_known(tmp_path: Path) -> None:
    async with house(tmp_path, TWO) as h:
        h.keys.keys["A"] = Secret("A", "https://elsewhere.example:443")
        assert (await h.ask())["profileId"] == "B"
        assert (await h.ask(request_id="r"))["profileId"] == "B"
        assert h.keys.reads.count("A") == 1
        record = await h.state.request("r")
        assert record is not None
        assert (
            "was saved for https://elsewhere"
            in {each["profileId"]: each.get("excludedBy") for each in record["candidates"]}["A"]
        )


async def test_alone_what_is_known_beforehand_is_the_error(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer()]}, profiles={"A": {"api_key": "${NOT_SET}"}}) as h:
        for _ in range(2):
            with pytest.raises(SecretUnavailable, match="NOT_SET"):
                await h.ask()


async def test_who_is_switched_off_is_not_said_to_lack_a_key(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [Answer()]}, profiles={"A": {"api_key": "${NOT_SET}", "enabled": False}}) as h:
        with pytest.raises(RoorouteError) as caught:
            await h.ask()
        assert not isinstance(caught.value, SecretUnavailable)


class Open:
    """Marks of profiles that are all there."""

    version = judgements = 0

    def fingerprint(self, profile: Profile) -> str:
        return "f"

    def domain(self, profile: Profile) -> str:
        return profile.id

    def unusable(self, profile: Profile) -> None:
        return None

    def learnt(self, since: int) -> Sequence[str]:
        return ()


@pytest.mark.parametrize("many", [3, 100], ids=["a small pool", "a large pool"])
def test_who_is_too_small_for_a_request_is_left_out_and_long_requests_share_what_was_looked_at(many: int) -> None:
    profiles = {
        f"p{each}": Profile(
            id=f"p{each}", provider="openai", base_url="https://a.example", model="m", context_window=each * 1_000
        )
        for each in range(1, many + 1)
    }
    pool = Pool(id="pool", profiles=tuple(profiles))
    configuration, roster = Configuration(profiles, {"pool": pool}), Roster(Open())

    def left_out(tokens: int) -> list[str]:
        made = roster.lineup(configuration, pool, Facts(tokens=tokens)).candidates
        return [each.profile_id for each in made if each.excluded]

    assert [left_out(tokens) for tokens in (999, 1_000, 1_001, 2_000, 2_001)] == [
        [], [], ["p1"], ["p1"], ["p1", "p2"],
    ]  # fmt: skip
    one, other = (roster.lineup(configuration, pool, Facts(tokens=tokens)) for tokens in (1_001, 1_500))
    assert (one is other) == (many > 64)
    if many <= 64:
        assert other.candidates[0].excluded == "has a window of 1,000 tokens, too small for about 1,500"
