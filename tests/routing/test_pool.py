"""Who answers: the order of choice, the exclusions, the wait and the refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rooroute.outcome import Fault, Scope
from rooroute.profiles import LastResort, Revert, Strategy
from rooroute.routing.candidate import Candidate
from rooroute.routing.marks import Mark, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.pool import Ask, Decision, Nobody, NobodyKind, Use, Wait, acquire, ready_at, rotate
from rooroute.routing.shown import ShownState
from tests.routing.scenario import NOON, apply, candidate

ONE, TWO, DEFAULT = POOL = tuple(
    candidate(name, position=at) for at, name in enumerate(("Gemini1", "Gemini2", "default"))
)
ROUND_ROBIN = Strategy.ROUND_ROBIN


def cooling(who: Candidate, seconds: float, **changes: Any) -> Mark:
    plain = Mark(
        key=MarkKey(Scope.PROFILE, who.profile_id),
        state=MarkState.COOLDOWN,
        fault=Fault.RATE_LIMIT,
        since=NOON - 3600,
        until=NOON + seconds,
        profile_id=who.profile_id,
        fingerprint=who.fingerprint,
        generation=3,
    )
    return replace(plain, **changes)


def failed(who: Candidate, **changes: Any) -> Mark:
    return cooling(who, 0, **{"state": MarkState.FAILED, "fault": Fault.CREDENTIAL, "until": None, **changes})


def locked_for_the_day(who: Candidate, *, since: float) -> Mark:
    return cooling(who, 8 * 3600, fault=Fault.QUOTA, daily=True, strike=2, since=since)


def knowing(*marks: Mark, leases: tuple[ProbeLease, ...] = (), **changes: Any) -> Snapshot:
    return Snapshot({mark.key: mark for mark in marks}, {lease.key: lease for lease in leases}, **changes)


def leased(mark: Mark, owner: str = "another", seconds: float = 40) -> ProbeLease:
    return ProbeLease(mark.key, owner, NOON + seconds, mark.generation)


def decide(snapshot: Snapshot | None = None, pool: tuple[Candidate, ...] = POOL, **ask: Any) -> Decision:
    return acquire(Ask(owner="me", pool_id="pool", **ask), pool, snapshot or Snapshot(), NOON)


def chosen(snapshot: Snapshot | None = None, pool: tuple[Candidate, ...] = POOL, **ask: Any) -> str:
    decision = decide(snapshot, pool, **ask)
    assert isinstance(decision, Use), decision
    return decision.candidate.profile_id


def refused(snapshot: Snapshot | None = None, pool: tuple[Candidate, ...] = POOL, **ask: Any) -> Nobody:
    decision = decide(snapshot, pool, **ask)
    assert isinstance(decision, Nobody), decision
    return decision


class TestOrder:
    def test_a_healthy_pool_starts_at_its_primary_and_needs_no_lease(self) -> None:
        decision = decide()
        assert isinstance(decision, Use)
        assert (decision.candidate, decision.probe) == (ONE, ())
        assert decision.ranked == ("Gemini1", "Gemini2", "default")
        assert not decision.change

    def test_resting_and_failed_profiles_are_passed_over_with_the_reason(self) -> None:
        decision = decide(knowing(cooling(ONE, 30), failed(TWO)))
        assert isinstance(decision, Use) and decision.candidate is DEFAULT
        assert decision.excluded == {"Gemini1": "is cooling down", "Gemini2": "has failed and needs the user"}

    def test_switched_off_unsuitable_and_asked_profiles_are_passed_over_with_the_reason(self) -> None:
        pool = (
            replace(ONE, enabled=False),
            replace(TWO, excluded="takes no images"),
            DEFAULT,
            candidate("more", position=3),
        )
        decision = decide(pool=pool, tried=frozenset({("default", "m")}))
        assert isinstance(decision, Use) and decision.candidate.profile_id == "more"
        assert decision.excluded == {
            "Gemini1": "is switched off",
            "Gemini2": "takes no images",
            "default": "was asked already",
        }

    def test_a_profile_asked_for_another_model_can_be_asked_for_this_one(self) -> None:
        assert chosen(tried=frozenset({("Gemini1", "another")})) == "Gemini1"

    def test_a_pin_allows_that_profile_only(self) -> None:
        assert chosen(pinned="default", pointer="Gemini2", sticky="Gemini1") == "default"
        nobody = refused(knowing(cooling(DEFAULT, 30)), pinned="default")
        assert nobody.kind is NobodyKind.ALL_COOLING_DOWN
        assert [each.profile_id for each in nobody.shown] == ["default"]
        assert nobody.excluded["Gemini1"] == "is not the profile the request names"

    def test_a_rotation_by_hand_goes_before_the_session_and_the_order(self) -> None:
        assert chosen(pointer="default", sticky="Gemini2", in_tool_loop=True) == "default"

    def test_the_session_goes_before_the_order(self) -> None:
        assert chosen(sticky="Gemini2") == "Gemini2"

    def test_a_session_whose_profile_rests_goes_on_with_the_order(self) -> None:
        assert chosen(knowing(cooling(TWO, 30)), sticky="Gemini2") == "Gemini1"

    def test_round_robin_takes_the_least_recently_used_by_any_window(self) -> None:
        used = knowing(last_selected={"Gemini1": 5.0, "Gemini2": 3.0, "default": 4.0})
        assert chosen(used, strategy=ROUND_ROBIN) == "Gemini2"

    def test_round_robin_stays_only_within_a_tool_loop(self) -> None:
        used = knowing(last_selected={"Gemini1": 5.0, "Gemini2": 3.0, "default": 4.0}, last_working={"pool": "Gemini1"})
        assert chosen(used, strategy=ROUND_ROBIN, sticky="Gemini1", sticky_since=NOON) == "Gemini2"
        assert chosen(used, strategy=ROUND_ROBIN, sticky="Gemini1", in_tool_loop=True) == "Gemini1"

    def test_a_higher_tier_goes_first_and_equals_take_turns(self) -> None:
        pool = (replace(ONE, tier=1), replace(TWO, tier=0), replace(DEFAULT, tier=0))
        used = knowing(last_selected={"Gemini2": 5.0})
        assert chosen(used, pool, strategy=ROUND_ROBIN) == "default"
        assert chosen(used, pool) == "Gemini2"

    def test_the_last_known_working_one_is_the_first_guess_among_equals(self) -> None:
        pool = tuple(replace(each, tier=0) for each in POOL)
        assert chosen(knowing(last_working={"pool": "Gemini2"}), pool) == "Gemini2"

    def test_the_last_known_working_one_does_not_go_before_a_better_one(self) -> None:
        assert chosen(knowing(last_working={"pool": "Gemini2"})) == "Gemini1"

    def test_a_pool_that_never_goes_back_starts_at_the_last_known_working_one(self) -> None:
        assert chosen(knowing(last_working={"pool": "Gemini2"}), revert=Revert.NEVER) == "Gemini2"

    def test_a_last_resort_answers_only_when_nobody_else_can(self) -> None:
        pool = (replace(ONE, last_resort=True), TWO)
        assert chosen(pool=pool) == "Gemini2"
        assert chosen(pool=pool, pointer="Gemini1") == "Gemini1"
        decision = decide(knowing(cooling(TWO, 1)), pool, max_wait=60)
        assert isinstance(decision, Use) and decision.why == "is the last resort"

    @pytest.mark.parametrize("idle", [{"enabled": False}, {"excluded": "cannot take images"}])
    def test_an_old_limit_of_who_could_not_answer_anyway_is_no_limit_for_the_last_resort(
        self, idle: dict[str, Any]
    ) -> None:
        last = replace(DEFAULT, last_resort=True)
        marks = knowing(cooling(ONE, 30), cooling(TWO, 30, fault=Fault.TRANSIENT))
        for_limits = LastResort(profile="default", on_error=False)
        assert chosen(marks, (ONE, TWO, last), last_resort=for_limits) == "default"
        refused(marks, (replace(ONE, **idle), TWO, last), last_resort=for_limits)

    def test_two_profiles_of_one_quota_rest_together(self) -> None:
        pool = tuple(replace(each, domain="project") for each in (ONE, TWO)) + (DEFAULT,)
        mark = cooling(ONE, 30, key=MarkKey(Scope.DOMAIN, "project", "m"))
        assert chosen(knowing(mark), pool) == "default"
        assert chosen(knowing(replace(mark, key=MarkKey(Scope.DOMAIN, "project", "another"))), pool) == "Gemini1"

    def test_everybody_behind_a_dead_origin_rests_whatever_the_key(self) -> None:
        pool = (ONE, replace(TWO, endpoint=ONE.endpoint), DEFAULT)
        mark = cooling(ONE, 30, key=MarkKey(Scope.ENDPOINT, ONE.endpoint), fingerprint="an older key")
        assert chosen(knowing(mark), pool) == "default"

    def test_a_mark_of_an_older_key_is_not_held_against_the_new_one(self) -> None:
        assert chosen(knowing(failed(ONE, fingerprint="an older key"))) == "Gemini1"

    @pytest.mark.parametrize(
        ("ask", "why"),
        [
            ({}, "is the first in order that can answer"),
            ({"strategy": ROUND_ROBIN}, "was used least recently"),
            ({"pointer": "Gemini1"}, "was chosen by hand"),
            ({"sticky": "Gemini1"}, "answered this session before"),
            ({"retry_now": "Gemini1"}, "is tried now as the user asked"),
        ],
    )
    def test_the_choice_says_why(self, ask: dict[str, Any], why: str) -> None:
        decision = decide(**ask)
        assert isinstance(decision, Use) and decision.why == why


class TestReturnToTheBetterProfile:
    """The session was served by ``default`` while Gemini1 rested; Gemini1 is back."""

    @pytest.mark.parametrize(
        ("revert", "since", "in_tool_loop", "who"),
        [
            pytest.param(Revert.SESSION, 3600, False, "default", id="session-stays-until-a-new-one"),
            pytest.param(Revert.NEVER, 3600, False, "default", id="never-stays"),
            pytest.param(Revert.TURN, 3600, False, "Gemini1", id="turn-goes-back-with-the-next-turn"),
            pytest.param(Revert.TURN, 3600, True, "default", id="turn-stays-within-a-tool-loop"),
            pytest.param(Revert.TURN, 59, False, "default", id="turn-stays-at-least-a-minute"),
            pytest.param(Revert.IMMEDIATE, 60, False, "Gemini1", id="immediate-goes-back-after-a-minute"),
            pytest.param(Revert.IMMEDIATE, 59, False, "default", id="immediate-stays-at-least-a-minute"),
            pytest.param(Revert.IMMEDIATE, 3600, True, "default", id="immediate-stays-within-a-tool-loop"),
        ],
    )
    def test_policy(self, revert: Revert, since: float, in_tool_loop: bool, who: str) -> None:
        found = chosen(revert=revert, sticky="default", sticky_since=NOON - since, in_tool_loop=in_tool_loop)
        assert found == who

    def test_a_new_session_starts_at_the_better_profile(self) -> None:
        assert chosen(knowing(last_working={"pool": "default"})) == "Gemini1"

    def test_a_tool_loop_goes_on_elsewhere_when_its_profile_fails(self) -> None:
        assert chosen(knowing(failed(DEFAULT)), sticky="default", in_tool_loop=True) == "Gemini1"


class TestPointer:
    @pytest.mark.parametrize(
        ("mark", "lost"),
        [
            pytest.param(cooling(TWO, 30), True, id="resting-loses-it"),
            pytest.param(failed(TWO), True, id="failed-loses-it"),
            pytest.param(cooling(ONE, 30), False, id="another-resting-keeps-it"),
        ],
    )
    def test_a_pointer_is_lost_when_its_profile_cannot_serve(self, mark: Mark, lost: bool) -> None:
        decision = decide(knowing(mark), pointer="Gemini2")
        assert isinstance(decision, Use) and decision.pointer_lost is lost

    def test_a_request_it_does_not_suit_or_that_asked_it_already_keeps_it(self) -> None:
        decision = decide(pool=(ONE, replace(TWO, excluded="takes no images")), pointer="Gemini2")
        assert isinstance(decision, Use) and not decision.pointer_lost
        decision = decide(tried=frozenset({("Gemini2", "m")}), pointer="Gemini2")
        assert isinstance(decision, Use) and not decision.pointer_lost

    def test_a_removed_profile_loses_it_and_a_pinned_request_leaves_it_alone(self) -> None:
        decision = decide(pointer="gone")
        assert isinstance(decision, Use) and decision.pointer_lost
        decision = decide(pinned="Gemini1", pointer="gone")
        assert isinstance(decision, Use) and not decision.pointer_lost


class TestProbe:
    def test_after_the_rest_the_first_request_takes_a_lease_of_90_seconds(self) -> None:
        mark = cooling(ONE, 0)
        decision = decide(knowing(mark))
        assert isinstance(decision, Use) and decision.candidate is ONE
        assert decision.probe == (ProbeLease(mark.key, "me", NOON + 90, 3),)
        assert decision.change.put_leases == decision.probe

    def test_others_pass_it_over_while_the_lease_lives(self) -> None:
        mark = cooling(ONE, 0)
        decision = decide(knowing(mark, leases=(leased(mark),)))
        assert isinstance(decision, Use) and decision.candidate is TWO
        assert decision.excluded["Gemini1"] == "is being tried by another request"

    def test_the_owner_may_ask_again_under_its_lease(self) -> None:
        mark = cooling(ONE, 0)
        assert chosen(knowing(mark, leases=(leased(mark, "me"),))) == "Gemini1"

    def test_a_dead_owners_lease_expires(self) -> None:
        mark = cooling(ONE, 0)
        assert chosen(knowing(mark, leases=(leased(mark, seconds=0),))) == "Gemini1"

    def test_every_mark_that_is_over_wants_its_lease(self) -> None:
        marks = (cooling(ONE, 0), cooling(ONE, -5, key=MarkKey(Scope.ENDPOINT, ONE.endpoint)))
        decision = decide(knowing(*marks))
        assert isinstance(decision, Use) and {lease.key for lease in decision.probe} == {mark.key for mark in marks}

    def test_a_counted_fault_wants_no_lease(self) -> None:
        decision = decide(knowing(cooling(ONE, 0, state=MarkState.WATCHED, until=None)))
        assert isinstance(decision, Use) and (decision.candidate, decision.probe) == (ONE, ())

    def test_an_unpaid_account_is_looked_at_again_when_its_time_has_come(self) -> None:
        assert chosen(knowing(failed(ONE, until=NOON + 1))) == "Gemini2"
        decision = decide(knowing(failed(ONE, until=NOON)))
        assert isinstance(decision, Use) and decision.candidate is ONE and decision.probe

    def test_retry_now_looks_behind_a_rest_under_a_lease(self) -> None:
        mark = cooling(TWO, 30)
        decision = decide(knowing(mark), retry_now="Gemini2", tried=frozenset({("Gemini2", "m")}))
        assert isinstance(decision, Use) and decision.candidate is TWO
        assert [lease.key for lease in decision.probe] == [mark.key]

    def test_retry_now_does_not_look_behind_another_windows_probe_or_a_dead_key(self) -> None:
        mark = cooling(TWO, 30)
        assert chosen(knowing(mark, leases=(leased(mark),)), retry_now="Gemini2") == "Gemini1"
        assert chosen(knowing(failed(TWO)), retry_now="Gemini2") == "Gemini1"

    def test_a_lost_day_is_looked_at_hourly_and_only_when_nobody_else_can_answer(self) -> None:
        pool, mark = (ONE, TWO), locked_for_the_day(ONE, since=NOON - 3600)
        assert chosen(knowing(mark), pool) == "Gemini2"
        decision = decide(knowing(mark, cooling(TWO, 30)), pool)
        assert isinstance(decision, Use) and decision.candidate is ONE and decision.probe
        assert refused(knowing(replace(mark, since=NOON - 60), cooling(TWO, 9000)), pool).soonest == NOON + 3540


class TestNobody:
    def test_a_near_return_is_waited_for(self) -> None:
        marks = (cooling(ONE, 50), cooling(TWO, 20), failed(DEFAULT))
        decision = decide(knowing(*marks), max_wait=60)
        assert isinstance(decision, Wait)
        assert (decision.until, decision.on_lease) == (NOON + 20, False)
        assert decision.profile_ids == ("Gemini2", "Gemini1")
        assert [each.state for each in decision.shown] == [ShownState.COOLDOWN, ShownState.COOLDOWN, ShownState.FAILED]

    def test_a_far_return_is_an_error_that_names_it(self) -> None:
        nobody = refused(knowing(cooling(ONE, 500), cooling(TWO, 61), cooling(DEFAULT, 900)), max_wait=60)
        assert (nobody.kind, nobody.soonest) == (NobodyKind.ALL_COOLING_DOWN, NOON + 61)

    def test_the_return_of_a_profile_is_the_latest_end_of_what_lies_on_it(self) -> None:
        marks = (cooling(ONE, 10), cooling(ONE, 40, key=MarkKey(Scope.DOMAIN, ONE.domain)))
        assert refused(knowing(*marks), (ONE,)).soonest == NOON + 40

    def test_profiles_asked_just_now_that_rest_count_as_cooling(self) -> None:
        nobody = refused(knowing(cooling(ONE, 500)), (ONE,), tried=frozenset({("Gemini1", "m")}))
        assert nobody.kind is NobodyKind.ALL_COOLING_DOWN

    def test_one_who_rests_goes_before_those_who_failed(self) -> None:
        nobody = refused(knowing(failed(ONE), failed(TWO), cooling(DEFAULT, 500)))
        assert nobody.kind is NobodyKind.ALL_COOLING_DOWN

    def test_all_failed_is_never_waited_for(self) -> None:
        nobody = refused(knowing(failed(ONE), failed(TWO, until=NOON + 5), failed(DEFAULT)), max_wait=60)
        assert (nobody.kind, nobody.soonest) == (NobodyKind.ALL_FAILED, NOON + 5)
        assert all(each.remedy for each in nobody.shown)

    @pytest.mark.parametrize("pool", [(), (replace(ONE, enabled=False),)], ids=["empty", "switched-off"])
    def test_no_profiles(self, pool: tuple[Candidate, ...]) -> None:
        nobody = refused(pool=pool)
        assert (nobody.kind, nobody.soonest) == (NobodyKind.NO_PROFILES, None)

    def test_profiles_asked_that_do_not_rest_leave_the_attempts_exhausted(self) -> None:
        nobody = refused(knowing(failed(TWO)), (ONE, TWO), tried=frozenset({("Gemini1", "m")}))
        assert nobody.kind is NobodyKind.ATTEMPTS_EXHAUSTED

    def test_profiles_that_the_request_cannot_go_to_are_told_from_none(self) -> None:
        nobody = refused(pool=(replace(ONE, excluded="takes no images"), replace(TWO, enabled=False)))
        assert nobody.kind is NobodyKind.UNSUITABLE
        assert nobody.excluded == {"Gemini1": "takes no images", "Gemini2": "is switched off"}

    def test_a_probe_of_the_only_profile_is_waited_for_however_long_the_lease(self) -> None:
        mark = cooling(ONE, 0)
        snapshot = knowing(mark, leases=(leased(mark, seconds=80),))
        decision = decide(snapshot, (ONE,), max_wait=60)
        assert isinstance(decision, Wait)
        assert (decision.until, decision.on_lease, decision.profile_ids) == (NOON + 60, True, ("Gemini1",))
        assert refused(snapshot, (ONE,)).kind is NobodyKind.ALL_COOLING_DOWN

    def test_a_probe_under_way_does_not_hide_an_earlier_return(self) -> None:
        mark = cooling(ONE, 0)
        decision = decide(knowing(mark, cooling(TWO, 5), leases=(leased(mark),)), (ONE, TWO), max_wait=60)
        assert isinstance(decision, Wait) and (decision.until, decision.on_lease) == (NOON + 5, True)


class TestReadyAt:
    def test_now_if_anybody_can_answer(self) -> None:
        assert ready_at(POOL, knowing(cooling(ONE, 30)), NOON) == NOON

    def test_the_soonest_return_otherwise(self) -> None:
        snapshot = knowing(cooling(ONE, 30), failed(TWO), cooling(DEFAULT, 20))
        assert ready_at(POOL, snapshot, NOON) == NOON + 20

    def test_never_when_it_takes_the_user(self) -> None:
        assert ready_at((ONE,), knowing(failed(ONE)), NOON) is None
        assert ready_at((), Snapshot(), NOON) is None


class TestRotate:
    @pytest.mark.parametrize(
        ("current", "marks", "to"),
        [
            pytest.param("Gemini1", (), "Gemini2", id="goes-to-the-next"),
            pytest.param("default", (), "Gemini1", id="goes-round-at-the-end"),
            pytest.param("Gemini1", (cooling(TWO, 30),), "default", id="skips-who-cannot-serve"),
            pytest.param("Gemini1", (cooling(TWO, 0),), "Gemini2", id="takes-one-whose-rest-is-over"),
            pytest.param(None, (), "Gemini1", id="starts-at-the-first"),
        ],
    )
    def test_next(self, current: str | None, marks: tuple[Mark, ...], to: str) -> None:
        found = rotate(POOL, knowing(*marks), NOON, current=current)
        assert isinstance(found, Candidate) and found.profile_id == to

    def test_a_last_resort_is_rotated_to_last(self) -> None:
        pool = (ONE, replace(TWO, last_resort=True), DEFAULT)
        found = rotate(pool, Snapshot(), NOON, current="Gemini1")
        assert found == DEFAULT
        assert rotate(pool, knowing(cooling(DEFAULT, 9)), NOON, current="Gemini1") == pool[1]

    def test_a_named_target_is_taken_or_refused(self) -> None:
        assert rotate(POOL, Snapshot(), NOON, current="Gemini1", to="default") == DEFAULT
        found = rotate(POOL, knowing(failed(DEFAULT)), NOON, current="Gemini1", to="default")
        assert isinstance(found, Nobody) and found.kind is NobodyKind.ALL_FAILED

    def test_with_nowhere_to_go_it_says_until_when(self) -> None:
        found = rotate(POOL, knowing(cooling(TWO, 30), cooling(DEFAULT, 20)), NOON, current="Gemini1")
        assert isinstance(found, Nobody)
        assert (found.kind, found.soonest) == (NobodyKind.ALL_COOLING_DOWN, NOON + 20)

    def test_a_pool_of_one_has_nowhere_to_go(self) -> None:
        found = rotate((ONE,), Snapshot(), NOON, current="Gemini1")
        assert isinstance(found, Nobody) and found.kind is NobodyKind.NO_PROFILES


def test_eight_windows_at_one_expiry_make_one_probe() -> None:
    snapshot = knowing(cooling(ONE, 0))
    probing = 0
    for window in range(8):
        decision = acquire(Ask(owner=f"window {window}", max_wait=60), (ONE,), snapshot, NOON)
        if isinstance(decision, Use):
            probing += 1
            snapshot = apply(snapshot, decision.change)
        else:
            assert isinstance(decision, Wait) and decision.on_lease
    assert probing == 1
