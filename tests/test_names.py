"""Names that can be told apart at sight are taken everywhere, all others nowhere."""

from __future__ import annotations

import pytest

from rooroute.errors import InvalidInput
from rooroute.names import checked_tags, wrong_with, wrong_with_id
from rooroute.profile_checks import check_defaults, check_pool, check_profile
from rooroute.profiles import Budget, Defaults, Pool, Problem, Profile, Rule, When
from rooroute.routing.checks import check_routing

SEEN = {
    "latin": "Gemini 1",
    "dots and quotes": 'v1.2\'s "best"',
    "accents": "Zoë",
    "cyrillic": "работа",
    "kana": "日本語 プロ",
    "hebrew": "שלום",
    "arabic": "عربي",
    "persian with its joiner": "می\u200cرویم",
    "hindi with a joiner behind a virama": "क्\u200dष",
    "emoji": "🚀",
    "emoji of several pictures": "👩🏽\u200d⚕\ufe0f",
    "a family": "👨\u200d👩\u200d👧",
    "a head that shakes": "🙂\u200d↔\ufe0f",
    "a heart drawn": "❤\ufe0f",
    "a keycap": "1\ufe0f⃣",
    "England's flag": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "a flag": "🇩🇪",
}
UNSEEN = {
    "a zero-width space": "wo\u200brk",
    "a zero-width space in front": "\u200bwork",
    "a joiner between letters": "wo\u200drk",
    "a joiner at the end": "👩\u200d",
    "a non-joiner between letters": "wo\u200crk",
    "a soft hyphen": "wo\u00adrk",
    "a word joiner": "wo\u2060rk",
    "a byte order mark": "work\ufeff",
    "a mark of direction": "work\u200f",
    "an Arabic mark of direction": "work\u061c",
    "an override of direction": "wo\u202erk",
    "a no-break space": "wo\u00a0rk",
    "a wide space": "wo\u3000rk",
    "a selector behind a letter": "work\ufe0f",
    "a digit's selector without its cap": "1\ufe0f",
    "a filler": "work\u3164",
    "an empty pattern of Braille": "work\u2800",
    "a tag character": "work\U000e0061",
    "a private character": "work\ue000",
    "a line break": "wo\nrk",
    "a line break among other letters": "wö\nrk",
    "a separator of lines": "wo\u2028rk",
}


def places(name: str) -> dict[str, list[Problem]]:
    """What is wrong with the name wherever one is made."""
    profile, pool = Profile(id="a", provider="openai"), Pool(id="p", profiles=("a",))
    fields = {"name": name, "domain": name, "tags": (name,)}
    found = {
        field: check_profile(Profile(id="a", provider="openai", **{field: value}))  # type: ignore[arg-type]
        for field, value in fields.items()
    }
    rules = {
        "rule": Rule(name=name, when=When(mode=("x",)), profiles=("a",)),
        "tag asked for": Rule(name="r", when=When(tags=(name,)), profiles=("a",)),
    }
    for what, rule in rules.items():
        found[what] = check_routing(Pool(id="p", profiles=("a",), rules=(rule,)), {"a": profile}, {"a"})
    return found | {
        "profile": check_profile(Profile(id=name, provider="openai")),
        "pool": check_pool(Pool(id=name, profiles=("a",))),
        "pool's name": check_pool(Pool(id=pool.id, name=name, profiles=("a",))),
        "budget": check_defaults(Defaults(budgets={name: Budget(per_day=1)})),
    }


@pytest.mark.parametrize("name", SEEN.values(), ids=SEEN)
def test_a_name_that_can_be_seen_is_taken_everywhere(name: str) -> None:
    assert {what: found for what, found in places(name).items() if found} == {}
    assert checked_tags([name], "tags") == (name,)


@pytest.mark.parametrize("name", UNSEEN.values(), ids=UNSEEN)
def test_a_name_that_could_be_mistaken_for_another_is_refused_everywhere(name: str) -> None:
    assert {what for what, found in places(name).items() if not found} == set()
    assert wrong_with(name) is not None
    with pytest.raises(InvalidInput, match="A tag of the request") as refused:
        checked_tags(["fine", name], "tags")
    assert refused.value.field == "tags.1"


def test_the_reason_names_the_character() -> None:
    (problem,) = check_profile(Profile(id="wo\u200brk", provider="openai"))
    assert problem.message == (
        "The profile's id holds an invisible character (U+200B), so that it could be mistaken for another name."
    )


def test_a_slash_is_refused_where_it_parts_a_profile_from_its_model_and_only_there() -> None:
    assert wrong_with_id("team/work") is not None
    assert {what for what, found in places("team/work").items() if found} == {"profile", "pool"}


@pytest.mark.parametrize("name", ["", " work", "work ", "a\\b", "a" * 65])
def test_an_id_has_a_length_and_no_space_at_its_ends(name: str) -> None:
    assert wrong_with_id(name) == "is not 1 to 64 characters without slashes and without a space at either end"
