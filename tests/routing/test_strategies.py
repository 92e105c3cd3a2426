"""The order inside a tier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rooroute.profiles import Strategy
from rooroute.routing.strategies import STRATEGIES, Reading, priority, round_robin
from tests.routing.scenario import candidate

NAMES = ("Gemini1", "Gemini2", "default")
POOL = [candidate(name, position=place) for place, name in enumerate(NAMES)]


def names(order: object) -> list[str]:
    return [each.profile_id for each in order]  # type: ignore[attr-defined]


def test_every_strategy_of_the_configuration_has_its_function() -> None:
    assert set(STRATEGIES) == set(Strategy)


def test_priority_is_the_users_order_whoever_was_used_last() -> None:
    assert names(priority(POOL[::-1], Reading(last_selected={"Gemini1": 9.0}))) == list(NAMES)


def test_round_robin_takes_the_least_recently_used_and_new_ones_first() -> None:
    assert names(round_robin(POOL, Reading(last_selected={"Gemini1": 5.0, "Gemini2": 3.0}))) == [
        "default",
        "Gemini2",
        "Gemini1",
    ]


@given(away=st.lists(st.sampled_from(NAMES), max_size=30))
def test_round_robin_stays_fair_while_members_leave_and_return(away: list[str]) -> None:
    used: dict[str, float] = {}
    for moment, absent in enumerate(away):
        present = [each for each in POOL if each.profile_id != absent]
        first = round_robin(present, Reading(last_selected=used))[0].profile_id
        assert all(used.get(first, -1.0) <= used.get(each.profile_id, -1.0) for each in present)
        used[first] = float(moment)
