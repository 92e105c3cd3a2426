"""Every row of the state machine, told as what happens to one profile."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from rooroute.outcome import Fault, Scope
from rooroute.profiles import CooldownMode
from rooroute.routing.figures import HAPPENINGS, Happening, Policy
from rooroute.routing.health import RULES
from rooroute.routing.marks import MarkKey, MarkState
from rooroute.routing.report import Condition, Report
from rooroute.routing.settling import Ending
from tests.routing.scenario import BLAMELESS, NOON, Stage, candidate, failure

HOUR = 3600.0


def rested(**changes: object) -> Stage:
    """A profile one unhinted rate limit into a rest of 60 seconds."""
    stage = Stage(**changes)  # type: ignore[arg-type]
    stage.hear(failure(Fault.RATE_LIMIT), began=NOON - 1)
    return stage


def test_the_table_has_a_rule_for_every_condition_and_happening() -> None:
    assert set(RULES) == set(product(Condition, Happening))


@pytest.mark.parametrize("condition", Condition)
def test_forgiveness_wipes_the_slate_in_every_condition(condition: Condition) -> None:
    stage = rested()
    forgiven = Report(
        key=stage.key,
        happening=Happening.FORGIVEN,
        profile_id="Gemini1",
        fingerprint="key-of-Gemini1",
        started_at=NOON,
        now=NOON,
        policy=Policy(),
    )
    assert RULES[condition, Happening.FORGIVEN](stage.mark, forgiven) is None


def test_every_fault_has_a_happening() -> None:
    assert set(HAPPENINGS) == set(Fault)


class TestActive:
    def test_a_rate_limit_with_a_time_rests_for_that_time(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.RATE_LIMIT, hint=30.0))
        assert stage.cooling_for == 30.0
        assert stage.mark is not None and stage.mark.hinted and stage.mark.strike == 0

    def test_the_mark_remembers_who_made_it_and_what_the_provider_said(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, hint=30.0))
        mark = stage.mark
        assert mark is not None
        assert (mark.profile_id, mark.fingerprint, mark.reason) == ("Gemini1", "key-of-Gemini1", "said the provider")
        assert (mark.fault, mark.since, mark.generation) == (Fault.QUOTA, NOON, 1)

    @pytest.mark.parametrize("fault", [Fault.TRANSIENT, Fault.TIMEOUT, Fault.OVERLOAD])
    def test_two_faults_are_watched_and_the_third_within_a_minute_rests_15_s(self, fault: Fault) -> None:
        stage = Stage()
        states = []
        for _ in range(3):
            stage.now += 20
            stage.hear(failure(fault))
            states.append(stage.state)
        assert states == ["watched", "watched", "cooldown"]
        assert stage.cooling_for == 15.0

    def test_faults_further_apart_than_a_minute_never_add_up(self) -> None:
        stage = Stage()
        for _ in range(6):
            stage.now += 31
            stage.hear(failure(Fault.TRANSIENT))
        assert stage.state == "watched"

    @pytest.mark.parametrize(
        ("fault", "status"),
        [(Fault.OVERLOAD, 529), (Fault.TRANSIENT, 503), (Fault.OVERLOAD, 429), (Fault.OVERLOAD, None)],
    )
    def test_one_overload_rests_when_somebody_else_is_ready(self, fault: Fault, status: int | None) -> None:
        stage = Stage()
        stage.hear(failure(fault, status=status), others_ready=True)
        assert stage.cooling_for == 15.0

    def test_one_overload_is_only_watched_when_nobody_else_is_ready(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.OVERLOAD, status=529))
        assert stage.state == "watched"

    def test_one_500_is_only_watched_even_when_somebody_else_is_ready(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.TRANSIENT, status=500), others_ready=True)
        assert stage.state == "watched"

    def test_a_fault_with_a_time_rests_at_once(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.TRANSIENT, hint=8.0))
        assert stage.cooling_for == 8.0

    def test_an_invalid_key_fails_at_once_when_it_needs_no_confirming(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL))
        assert stage.state == "failed"
        assert stage.mark is not None and stage.mark.until is None

    @pytest.mark.parametrize("rejected", [failure(Fault.CREDENTIAL, confirm=True), failure(Fault.CONFIG)])
    def test_what_may_be_a_hiccup_fails_when_said_twice(self, rejected: object) -> None:
        stage = Stage()
        stage.hear(rejected)  # type: ignore[arg-type]
        assert stage.state == "watched"
        stage.now += 1
        stage.hear(rejected)  # type: ignore[arg-type]
        assert stage.state == "failed"

    def test_a_parallel_401_does_not_confirm_the_first(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL, confirm=True), began=NOON - 2)
        stage.hear(failure(Fault.CREDENTIAL, confirm=True), began=NOON - 1)
        assert stage.state == "watched"

    def test_a_success_between_two_401_clears_the_suspicion(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL, confirm=True))
        stage.now += 1
        stage.hear(Ending.CLEAN_END)
        assert stage.state == "active"

    @pytest.mark.parametrize("fault", [Fault.PERMISSION, Fault.MODEL])
    def test_403_and_404_fail_the_profile_for_that_model_only(self, fault: Fault) -> None:
        stage = Stage()
        stage.hear(failure(fault, per_model=True))
        assert [mark.key for mark in stage.snapshot.marks.values()] == [MarkKey(Scope.PROFILE, "Gemini1", "m")]

    def test_a_missing_model_is_never_held_against_the_others(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.MODEL, per_model=False))
        assert MarkKey(Scope.PROFILE, "Gemini1", "m") in stage.snapshot.marks

    def test_billing_fails_and_is_looked_at_again_after_5_10_24_and_24_hours(self) -> None:
        stage = Stage()
        waits = []
        for _ in range(4):
            stage.hear(failure(Fault.BILLING))
            assert stage.mark is not None and stage.mark.state is MarkState.FAILED and stage.mark.until is not None
            waits.append((stage.mark.until - stage.now) / HOUR)
            stage.now = stage.mark.until
        assert waits == [5, 10, 24, 24]

    def test_billing_with_a_date_is_looked_at_again_on_that_date(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.BILLING, hint=9 * 86400.0))
        assert stage.mark is not None and stage.mark.until == NOON + 9 * 86400

    @pytest.mark.parametrize("fault", sorted(BLAMELESS))
    def test_the_callers_own_fault_writes_nothing(self, fault: Fault) -> None:
        assert not Stage().hear(failure(fault, hint=60.0, status=503), others_ready=True)

    def test_a_first_token_and_a_clean_end_write_nothing(self) -> None:
        stage = Stage()
        assert not stage.hear(Ending.FIRST_TOKEN)
        assert not stage.hear(Ending.CLEAN_END)

    def test_an_abort_writes_nothing(self) -> None:
        assert not Stage().hear(Ending.ABORTED)

    def test_a_network_fault_while_offline_blames_nobody(self) -> None:
        stage = Stage()
        assert not stage.hear(failure(Fault.NETWORK), offline=True)
        assert stage.hear(failure(Fault.TRANSIENT), offline=True)

    def test_a_network_fault_is_the_origins(self) -> None:
        stage = Stage()
        for _ in range(3):
            stage.hear(failure(Fault.NETWORK, per_model=True))
        mark = stage.snapshot.marks[MarkKey(Scope.ENDPOINT, "https://gemini1.example")]
        assert mark.state is MarkState.COOLDOWN


class TestWatched:
    def test_a_success_begun_after_the_fault_clears_the_count(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.TRANSIENT))
        stage.now += 5
        stage.hear(Ending.CLEAN_END)
        assert stage.state == "active"

    def test_a_success_begun_before_the_fault_says_nothing(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.TRANSIENT))
        stage.now += 5
        assert not stage.hear(Ending.CLEAN_END, began=NOON - 5)

    def test_a_rate_limit_rests_at_once(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.TRANSIENT))
        stage.hear(failure(Fault.RATE_LIMIT))
        assert stage.cooling_for == 60.0

    def test_a_count_of_faults_starts_anew_after_a_suspected_key(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL, confirm=True))
        stage.hear(failure(Fault.TRANSIENT))
        assert stage.mark is not None and stage.mark.faults == (NOON,)

    def test_a_suspicion_of_one_kind_does_not_confirm_another(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CONFIG))
        stage.hear(failure(Fault.CREDENTIAL, confirm=True))
        assert stage.state == "watched"


class TestResting:
    def test_a_call_from_before_the_mark_neither_extends_nor_strikes(self) -> None:
        stage = rested()
        stage.now += 10
        assert not stage.hear(failure(Fault.RATE_LIMIT), began=NOON - 5)
        assert not stage.hear(failure(Fault.TRANSIENT), began=NOON - 5)

    def test_a_later_hint_from_such_a_call_extends_without_a_strike(self) -> None:
        stage = rested()
        stage.now += 10
        stage.hear(failure(Fault.QUOTA, hint=3600.0), began=NOON - 5)
        assert stage.cooling_for == 3600.0
        assert stage.mark is not None and (stage.mark.strike, stage.mark.since) == (1, NOON)
        assert stage.mark.fault is Fault.QUOTA

    def test_an_earlier_hint_from_such_a_call_shortens_nothing(self) -> None:
        stage = rested()
        assert not stage.hear(failure(Fault.RATE_LIMIT, hint=5.0), began=NOON - 5)

    def test_a_dead_key_learnt_from_such_a_call_stands_above_the_rest(self) -> None:
        stage = rested()
        stage.hear(failure(Fault.CREDENTIAL), began=NOON - 5)
        assert stage.state == "failed"

    @pytest.mark.parametrize("unsure", [failure(Fault.CREDENTIAL, confirm=True), failure(Fault.CONFIG)])
    def test_an_unconfirmed_one_leaves_the_rest_alone(self, unsure: object) -> None:
        assert not rested().hear(unsure, began=NOON - 5)  # type: ignore[arg-type]

    def test_a_billing_failure_never_brings_the_next_look_before_the_rests_end(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, hint=9 * HOUR))
        stage.hear(failure(Fault.BILLING), began=NOON - 5)
        assert stage.mark is not None and stage.mark.until == NOON + 9 * HOUR

    def test_a_success_begun_before_the_mark_says_nothing(self) -> None:
        assert not rested().hear(Ending.CLEAN_END, began=NOON - 5)

    def test_a_success_begun_after_the_mark_clears_an_unhinted_rest(self) -> None:
        stage = rested()
        stage.now += 10
        stage.hear(Ending.CLEAN_END, began=NOON + 1)
        assert stage.state == "active"

    def test_a_success_begun_after_the_mark_leaves_a_hinted_rest(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, hint=3600.0))
        stage.now += 10
        assert not stage.hear(Ending.CLEAN_END, began=NOON + 1)

    def test_a_success_for_one_model_leaves_the_quota_of_another(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, hint=3600.0, per_model=True))
        stage.who = replace(stage.who, model="another")
        stage.now += 4000
        assert not stage.hear(Ending.CLEAN_END)

    def test_a_first_token_without_a_lease_changes_nothing(self) -> None:
        assert not rested().hear(Ending.FIRST_TOKEN, began=NOON + 1)

    def test_longer_hints_are_not_heard_in_fixed_mode(self) -> None:
        stage = Stage(policy=Policy(cooldown=300, mode=CooldownMode.FIXED))
        stage.hear(failure(Fault.RATE_LIMIT))
        assert not stage.hear(failure(Fault.RATE_LIMIT, hint=900.0), began=NOON - 5)

    def test_longer_hints_are_not_heard_where_a_cooldown_of_nothing_is_set(self) -> None:
        stage = rested()
        stage.policy = Policy(cooldown=0)
        assert not stage.hear(failure(Fault.RATE_LIMIT, hint=900.0), began=NOON - 5)


class TestProbing:
    def test_the_first_token_opens_the_profile_and_keeps_its_strikes(self) -> None:
        stage = rested()
        stage.now += 60
        change = stage.hear(Ending.FIRST_TOKEN, leases=stage.lease())
        assert stage.state == "watched"
        assert stage.mark is not None and (stage.mark.strike, stage.mark.until) == (1, None)
        assert change.drop_leases == (stage.key,)

    def test_the_clean_end_clears_the_strikes(self) -> None:
        stage = rested()
        stage.now += 60
        began = stage.now
        stage.hear(Ending.FIRST_TOKEN, leases=stage.lease())
        stage.now += 3
        stage.hear(Ending.CLEAN_END, began=began)
        assert stage.state == "active"

    def test_with_a_success_threshold_of_three_the_third_good_end_clears(self) -> None:
        stage = rested(policy=Policy(success_threshold=3))
        stage.now += 60
        states = []
        for _ in range(3):
            stage.hear(Ending.CLEAN_END)
            states.append(stage.state)
        assert states == ["watched", "watched", "active"]

    def test_unhinted_rate_limits_climb_1_2_4_4_times(self) -> None:
        stage = Stage()
        rests = []
        for _ in range(4):
            stage.hear(failure(Fault.RATE_LIMIT))
            rests.append(stage.cooling_for)
            stage.now += stage.cooling_for
        assert rests == [60, 120, 240, 240]

    def test_faults_climb_from_15_s_to_5_minutes_without_needing_three(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.OVERLOAD), others_ready=True)
        rests = [stage.cooling_for]
        for _ in range(5):
            stage.now += stage.cooling_for
            stage.hear(failure(Fault.TRANSIENT))
            rests.append(stage.cooling_for)
        assert rests == [15, 30, 60, 120, 240, 300]

    def test_another_kind_of_trouble_starts_its_own_ladder(self) -> None:
        stage = rested()
        stage.now += 60
        stage.hear(failure(Fault.TRANSIENT))
        assert stage.cooling_for == 15.0

    def test_a_hint_does_not_climb_the_ladder(self) -> None:
        stage = rested()
        stage.now += 60
        stage.hear(failure(Fault.RATE_LIMIT, hint=7.0))
        assert stage.cooling_for == 7.0
        assert stage.mark is not None and stage.mark.strike == 1

    @pytest.mark.parametrize("outcome", [Ending.ABORTED, failure(Fault.REQUEST), failure(Fault.CANCELLED)])
    def test_the_requests_own_fault_and_an_abort_only_release_the_lease(self, outcome: object) -> None:
        stage = rested()
        stage.now += 60
        change = stage.hear(outcome, leases=stage.lease())  # type: ignore[arg-type]
        assert change.drop_leases == (stage.key,)
        assert not change.put_marks and not change.drop_marks

    def test_a_clean_day_forgets_the_strikes(self) -> None:
        stage = rested()
        stage.now += 60 + 24 * HOUR
        stage.hear(failure(Fault.RATE_LIMIT))
        assert stage.cooling_for == 60.0

    def test_a_lease_that_another_request_holds_by_now_counts_for_nothing(self) -> None:
        stage = rested()
        mine = stage.lease("me")
        stage.lease("another")
        change = stage.hear(Ending.CLEAN_END, began=NOON, leases=mine)
        assert not change

    def test_a_cooldown_of_nothing_ends_a_rest_from_before_it_was_set(self) -> None:
        stage = rested()
        stage.now += 60
        stage.policy = Policy(cooldown=0)
        stage.hear(failure(Fault.RATE_LIMIT))
        assert stage.state == "active"


class TestRetriedBeforeTheTime:
    def test_a_failure_adds_no_strike_and_no_time(self) -> None:
        stage = rested()
        stage.now += 10
        stage.hear(failure(Fault.RATE_LIMIT), leases=stage.lease())
        assert stage.cooling_for == 50.0
        assert stage.mark is not None and stage.mark.strike == 1

    def test_a_later_hint_is_taken(self) -> None:
        stage = rested()
        stage.now += 10
        stage.hear(failure(Fault.RATE_LIMIT, hint=100.0), leases=stage.lease())
        assert stage.cooling_for == 100.0

    def test_a_first_token_opens_even_a_hinted_rest(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, hint=3600.0))
        stage.now += 10
        stage.hear(Ending.FIRST_TOKEN, leases=stage.lease())
        stage.hear(Ending.CLEAN_END)
        assert stage.state == "active"

    def test_a_dead_key_is_a_dead_key(self) -> None:
        stage = rested()
        stage.now += 10
        stage.hear(failure(Fault.CREDENTIAL), leases=stage.lease())
        assert stage.state == "failed"

    def test_no_money_still_keeps_the_time_of_the_next_look(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.BILLING))
        stage.now += HOUR
        stage.hear(failure(Fault.BILLING), leases=stage.lease())
        assert stage.mark is not None and (stage.mark.until, stage.mark.strike) == (NOON + 5 * HOUR, 1)
        stage.hear(failure(Fault.BILLING, hint=9 * HOUR), leases=stage.lease())
        assert stage.mark.until == NOON + 10 * HOUR

    def test_a_rate_limit_does_not_heal_an_unpaid_account(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.BILLING))
        stage.now += HOUR
        stage.hear(failure(Fault.RATE_LIMIT, hint=9 * HOUR), leases=stage.lease())
        assert stage.mark is not None and (stage.mark.until, stage.state) == (NOON + 5 * HOUR, "failed")


class TestFailed:
    @pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.TRANSIENT, Fault.BILLING, Fault.PERMISSION])
    def test_nothing_said_by_other_calls_changes_it(self, fault: Fault) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL))
        stage.now += 5
        assert not stage.hear(failure(fault, hint=900.0))

    def test_a_success_begun_after_it_heals(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL))
        stage.now += 5
        stage.hear(Ending.CLEAN_END)
        assert stage.state == "active"

    def test_an_unpaid_account_ignores_calls_that_were_under_way(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.BILLING))
        assert not stage.hear(failure(Fault.BILLING), began=NOON - 1)


class TestRecheckedForMoney:
    def unpaid(self) -> Stage:
        stage = Stage()
        stage.hear(failure(Fault.BILLING))
        stage.now += 5 * HOUR
        return stage

    def test_a_success_heals(self) -> None:
        stage = self.unpaid()
        stage.hear(Ending.FIRST_TOKEN, leases=stage.lease())
        assert stage.state == "watched"
        stage.hear(Ending.CLEAN_END)
        assert stage.state == "active"

    def test_an_outage_postpones_the_look(self) -> None:
        stage = self.unpaid()
        stage.hear(failure(Fault.TRANSIENT), leases=stage.lease())
        assert stage.mark is not None and (stage.state, stage.mark.until) == ("failed", stage.now + 300)

    def test_a_rate_limit_shows_that_money_is_back(self) -> None:
        stage = self.unpaid()
        stage.hear(failure(Fault.RATE_LIMIT), leases=stage.lease())
        assert stage.cooling_for == 60.0


class TestCredentialEdited:
    def test_a_new_key_is_not_bound_by_the_old_ones_failure(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL))
        stage.who = replace(stage.who, fingerprint="new")
        stage.now += 5
        stage.hear(failure(Fault.RATE_LIMIT))
        assert stage.cooling_for == 60.0
        assert stage.mark is not None and (stage.mark.fingerprint, stage.mark.generation) == ("new", 2)

    def test_a_late_answer_to_the_old_key_does_not_touch_what_the_new_one_learnt(self) -> None:
        stage = Stage(who=candidate(fingerprint="new"))
        stage.hear(failure(Fault.RATE_LIMIT))
        stage.who = replace(stage.who, fingerprint="old")
        stage.now += 5
        assert not stage.hear(failure(Fault.CREDENTIAL), began=NOON - 9)

    def test_a_success_of_the_new_key_has_nothing_to_clear(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.CREDENTIAL))
        stage.who = replace(stage.who, fingerprint="new")
        stage.now += 5
        assert not stage.hear(Ending.CLEAN_END)
