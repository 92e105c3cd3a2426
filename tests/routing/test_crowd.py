"""Choosing in a large pool: the same choice as from the whole pool, without looking at the whole pool."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooroute.outcome import Fault, Scope
from rooroute.profiles import Latency, Strategy
from rooroute.routing.candidate import Candidate
from rooroute.routing.crowd import Crowd, choose
from rooroute.routing.marks import Mark, MarkKey, MarkState, Snapshot
from rooroute.routing.measurements import Measurements
from rooroute.routing.pool import Ask, Use, acquire
from rooroute.routing.strategies import Reading
from tests.routing.scenario import NOON, candidate

MANY = [candidate(f"p{n}", position=n, endpoint=f"https://host{n % 7}.example") for n in range(200)]
SAME = [each for each in Strategy if each is not Strategy.LATENCY]


def crowd(candidates: list[Candidate] = MANY) -> Crowd:
    return Crowd(candidates, lambda each: int(each[1:]) % 5)


def reading(**known: object) -> Reading:
    return Reading(cost=lambda each: float(int(each[1:]) % 5 + 1), **known)  # type: ignore[arg-type]


def chosen(ask: Ask, index: Crowd, snapshot: Snapshot, now: float = NOON) -> str:
    found = choose(ask, index.near(ask, snapshot, now), lambda: MANY, snapshot, now)
    assert isinstance(found, Use)
    return found.candidate.profile_id


def mark(scope: Scope, holder: str, until: float | None) -> Mark:
    state = MarkState.FAILED if until is None else MarkState.COOLDOWN
    return Mark(key=MarkKey(scope, holder), state=state, fault=Fault.RATE_LIMIT, since=NOON - 10, until=until)


@given(
    strategy=st.sampled_from(SAME),
    resting=st.sets(st.integers(0, 30)),
    back=st.sets(st.integers(0, 30), max_size=3),
    hosts=st.sets(st.integers(0, 6), max_size=3),
    turns=st.integers(0, 12),
)
@settings(max_examples=60, deadline=None)
def test_the_short_list_has_whom_the_whole_pool_would_choose(
    strategy: Strategy, resting: set[int], back: set[int], hosts: set[int], turns: int
) -> None:
    marks = [mark(Scope.PROFILE, f"p{n}", NOON + 60) for n in resting]
    marks += [mark(Scope.PROFILE, f"p{n}", NOON - 1) for n in back - resting]
    marks += [mark(Scope.ENDPOINT, f"https://host{n}.example", NOON + 60) for n in hosts]
    index, measured, used = crowd(), Measurements(), dict[str, float]()
    known = {each.key: each for each in marks}
    for turn in range(turns + 1):
        snapshot = Snapshot(marks=known, last_selected=used)
        places, place = measured.turns("p")
        ask = Ask(owner="me", strategy=strategy, reading=reading(turns=places, turn=place))
        whole = acquire(ask, MANY, snapshot, NOON)
        assert isinstance(whole, Use)
        assert chosen(ask, index, snapshot) == whole.candidate.profile_id
        used[whole.candidate.profile_id] = NOON + turn
        measured.chosen("p", whole.candidate.profile_id, {})


def test_when_nobody_near_can_answer_the_whole_pool_is_looked_at() -> None:
    tried = frozenset((f"p{n}", "m") for n in range(150))
    assert chosen(Ask(owner="me", tried=tried), crowd(), Snapshot()) == "p150"


def test_a_pinned_or_sticky_profile_is_near_wherever_it_stands() -> None:
    assert chosen(Ask(owner="me", sticky="p199"), crowd(), Snapshot()) == "p199"
    assert chosen(Ask(owner="me", pointer="p123"), crowd(), Snapshot()) == "p123"


def test_in_a_large_pool_the_quickest_known_is_asked_and_now_and_then_another_is_measured() -> None:
    index, measured, how = crowd(), Measurements(), Latency(explore_every=0)

    def ask(*, explore: bool = False) -> str:
        seen = Reading(
            measured_at=measured.asked_at,
            first_token=lambda each: measured.first_token(each, how, NOON),
            explore=explore,
        )
        found = chosen(Ask(owner="me", strategy=Strategy.LATENCY, reading=seen), index, Snapshot())
        measured.observe(found, NOON, 0.1 if found == "p3" else 5.0)
        return found

    beginning = [ask() for _ in range(40)]
    assert 8 <= len(set(beginning)) < 30, "not everybody is measured first"
    assert beginning[-10:] == ["p3"] * 10
    assert ask(explore=True) not in beginning
    assert ask() == "p3"


@pytest.mark.parametrize("strategy", [Strategy.ROUND_ROBIN, Strategy.WEIGHTED, Strategy.LEAST_BUSY])
def test_everybody_has_a_turn(strategy: Strategy) -> None:
    index, measured, used = crowd(), Measurements(), dict[str, float]()
    for turn in range(len(MANY)):
        places, place = measured.turns("p")
        ask = Ask(owner="me", strategy=strategy, reading=Reading(turns=places, turn=place))
        found = chosen(ask, index, Snapshot(last_selected=used))
        used[found] = NOON + turn
        measured.chosen("p", found, {})
    assert len(used) == len(MANY)


def test_a_quota_that_turns_out_to_be_another_is_under_its_marks() -> None:
    index = crowd()
    known = {each.key: each for each in [mark(Scope.DOMAIN, "shared", NOON + 60)]}
    assert chosen(Ask(owner="me"), index, Snapshot(marks=known)) == "p0"
    index.renew(MANY[0], replace(MANY[0], domain="shared"))
    assert chosen(Ask(owner="me"), index, Snapshot(marks=known)) == "p1"
