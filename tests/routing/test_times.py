"""How long a rest lasts, and what is left of it when the clock is corrected."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rooroute.outcome import Fault
from rooroute.profiles import CooldownMode, Defaults, Pool, Profile
from rooroute.routing.figures import Policy, policy_for
from rooroute.routing.marks import Mark, MarkState
from rooroute.routing.times import next_day, set_back
from tests.routing.scenario import NOON, Stage, failure

DAY = 86400.0


def rest_of(fault: Fault, policy: Policy, hint: float | None = None, jitter: float = 0.0) -> float:
    stage = Stage(policy=policy)
    stage.hear(failure(fault, hint=hint), jitter=jitter)
    return stage.cooling_for


def mode(name: CooldownMode, cooldown: float | None = None) -> Policy:
    return Policy(cooldown=cooldown, mode=name)


FIRST, LONGEST, FIXED = CooldownMode.HINT_FIRST, CooldownMode.MAX, CooldownMode.FIXED


@pytest.mark.parametrize(
    ("policy", "hint", "seconds"),
    [
        pytest.param(Policy(), None, 60, id="first-429-rests-60s"),
        pytest.param(Policy(cooldown=300), None, 300, id="users-300s-goes-before-the-class-default"),
        pytest.param(Policy(cooldown=300), 20.0, 20, id="hint-goes-before-the-users-value"),
        pytest.param(mode(LONGEST, 300), 20.0, 300, id="max-mode-is-never-shorter-than-configured"),
        pytest.param(mode(LONGEST, 300), 900.0, 900, id="max-mode-takes-a-longer-hint"),
        pytest.param(mode(LONGEST), 20.0, 20, id="max-mode-with-nothing-configured-takes-the-hint"),
        pytest.param(mode(FIXED, 120), 20.0, 120, id="fixed-mode-does-not-hear-hints"),
        pytest.param(mode(FIXED), 20.0, 300, id="fixed-mode-with-nothing-configured-rests-5-minutes"),
        pytest.param(Policy(lone=True), None, 30, id="lone-profile-rests-at-most-30s-by-our-guess"),
        pytest.param(Policy(lone=True), 900.0, 900, id="lone-profile-believes-the-provider"),
        pytest.param(replace(mode(FIXED, 120), lone=True), None, 120, id="fixed-mode-knows-no-lone-profile"),
        pytest.param(Policy(), -5.0, 60, id="negative-hint-is-none"),
        pytest.param(Policy(), 0.0, 60, id="hint-of-nothing-is-none"),
        pytest.param(Policy(), float("nan"), 60, id="hint-that-is-not-a-number-is-none"),
        pytest.param(Policy(), 400 * DAY, 35 * DAY, id="hint-is-clamped-to-35-days"),
        pytest.param(Policy(), float("inf"), 35 * DAY, id="endless-hint-is-clamped-to-35-days"),
    ],
)
def test_a_rate_limits_rest(policy: Policy, hint: float | None, seconds: float) -> None:
    assert rest_of(Fault.RATE_LIMIT, policy, hint) == seconds


@pytest.mark.parametrize(
    ("hint", "added"), [(20.0, 0.5), (1000.0, 2.5)], ids=["half-of-5-percent", "half-of-5-seconds-at-most"]
)
def test_a_hint_gets_its_jitter(hint: float, added: float) -> None:
    assert rest_of(Fault.RATE_LIMIT, Policy(), hint, jitter=0.5) == hint + added


def test_a_quota_without_a_time_rests_5_minutes() -> None:
    assert rest_of(Fault.QUOTA, Policy()) == 300


def test_fixed_mode_marks_the_first_5xx_at_once_and_never_climbs() -> None:
    stage = Stage(policy=mode(FIXED, 120))
    for _ in range(3):
        stage.hear(failure(Fault.TRANSIENT, status=500))
        assert stage.cooling_for == 120
        stage.now += 120


def test_a_users_own_cooldown_holds_for_faults_too() -> None:
    stage = Stage(policy=Policy(cooldown=40))
    stage.hear(failure(Fault.OVERLOAD), others_ready=True)
    assert stage.cooling_for == 40


def test_the_ladder_ends_at_an_hour_but_never_below_what_the_user_set() -> None:
    for cooldown, rests in ((1800.0, [1800, 3600, 3600]), (7200.0, [7200, 7200, 7200])):
        stage = Stage(policy=Policy(cooldown=cooldown))
        found = []
        for _ in range(3):
            stage.hear(failure(Fault.RATE_LIMIT))
            found.append(stage.cooling_for)
            stage.now += stage.cooling_for
        assert found == rests


@pytest.mark.parametrize("fault", [Fault.RATE_LIMIT, Fault.TRANSIENT, Fault.OVERLOAD])
def test_a_cooldown_of_nothing_marks_nothing(fault: Fault) -> None:
    stage = Stage(policy=Policy(cooldown=0))
    assert not stage.hear(failure(fault, hint=60.0, status=503), others_ready=True)


class TestDayQuota:
    """Gemini's PerDay quotas, whose delays have been seen to be 22 s, 36 s and 9 h 54 min."""

    def test_a_long_delay_is_believed(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, daily=True, hint=9.9 * 3600))
        assert stage.cooling_for == 9.9 * 3600
        assert stage.mark is not None and not stage.mark.daily

    def test_a_short_delay_is_believed_once_and_then_the_day_is_over(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, daily=True, hint=22.0))
        assert stage.cooling_for == 22.0
        stage.now += 22
        stage.hear(failure(Fault.QUOTA, daily=True, hint=22.0))
        assert stage.mark is not None and stage.mark.until == next_day(stage.now)

    def test_without_a_delay_the_first_rest_is_short_too(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.QUOTA, daily=True))
        assert stage.cooling_for == 300.0

    def test_a_minute_limit_before_it_does_not_lock_the_day(self) -> None:
        stage = Stage()
        stage.hear(failure(Fault.RATE_LIMIT))
        stage.now += 60
        stage.hear(failure(Fault.QUOTA, daily=True, hint=22.0))
        assert stage.cooling_for == 22.0

    def test_a_lone_profile_is_not_locked_by_our_own_guess(self) -> None:
        stage = Stage(policy=Policy(lone=True))
        for _ in range(3):
            stage.hear(failure(Fault.QUOTA, daily=True))
            assert stage.cooling_for == 30.0
            stage.now += 30

    def test_fixed_mode_knows_no_days(self) -> None:
        stage = Stage(policy=mode(FIXED, 120))
        stage.hear(failure(Fault.QUOTA, daily=True, hint=9 * 3600.0))
        assert stage.cooling_for == 120

    @pytest.mark.parametrize(
        ("moment", "midnight"),
        [
            ("2026-07-10T23:59:59", "2026-07-11T00:00:00"),
            ("2026-07-11T00:00:00", "2026-07-12T00:00:00"),
            ("2026-03-07T12:00:00", "2026-03-08T00:00:00"),
            ("2026-03-08T12:00:00", "2026-03-09T00:00:00"),  # clocks go forward
            ("2026-11-01T00:30:00", "2026-11-02T00:00:00"),  # clocks go back: a day of 25 hours
        ],
    )
    def test_the_day_ends_at_midnight_pacific_time(self, moment: str, midnight: str) -> None:
        zone = ZoneInfo("America/Los_Angeles")
        at = datetime.fromisoformat(moment).replace(tzinfo=zone).timestamp()
        assert next_day(at) == datetime.fromisoformat(midnight).replace(tzinfo=zone).timestamp()


class TestSetBack:
    def mark(self, **changes: object) -> Mark:
        stage = Stage()
        stage.hear(failure(Fault.RATE_LIMIT))
        assert stage.mark is not None
        return replace(stage.mark, **changes)  # type: ignore[arg-type]

    def test_what_a_right_clock_made_is_left_alone(self) -> None:
        assert set_back([self.mark()], NOON) == set_back([self.mark()], NOON + 400 * DAY) == ()

    def test_a_clock_that_is_corrected_by_a_little_changes_nothing(self) -> None:
        assert set_back([self.mark()], NOON - 5) == ()

    def test_a_clock_set_back_two_hours_leaves_the_rest_as_long_as_it_was_made(self) -> None:
        (mark,) = set_back([self.mark()], NOON - 7200)
        assert (mark.since, mark.until) == (NOON - 7200, NOON - 7200 + 60)
        assert mark.generation == self.mark().generation + 1

    def test_what_was_set_back_stays_so(self) -> None:
        assert set_back(set_back([self.mark()], NOON - 7200), NOON - 7190) == ()

    def test_a_time_from_a_broken_clock_is_cut_to_the_longest_rest(self) -> None:
        (mark,) = set_back([self.mark(until=NOON + 4000 * DAY)], NOON - 7200)
        assert mark.until == NOON - 7200 + 35 * DAY + 5

    def test_a_rest_that_ended_before_it_began_is_over(self) -> None:
        (mark,) = set_back([self.mark(until=NOON - 9000)], NOON - 7200)
        assert mark.until == NOON - 9000

    def test_what_needs_the_user_still_does(self) -> None:
        (failed,) = set_back([self.mark(state=MarkState.FAILED, until=None)], NOON - 7200)
        assert (failed.state, failed.until) == (MarkState.FAILED, None)

    def test_no_counted_fault_lies_in_the_future(self) -> None:
        watched = self.mark(state=MarkState.WATCHED, until=None, faults=(NOON - 7201, NOON))
        (kept,) = set_back([watched], NOON - 7200)
        assert kept.faults == (NOON - 7201,)


class TestPolicy:
    @pytest.mark.parametrize(
        ("profile", "pool", "default", "wanted"),
        [
            (1.0, 2.0, 3.0, 1.0),
            (None, 2.0, 3.0, 2.0),
            (None, None, 3.0, 3.0),
            (None, None, None, None),
            (0.0, 2.0, 3.0, 0.0),
        ],
    )
    def test_the_nearest_cooldown_wins(
        self, profile: float | None, pool: float | None, default: float | None, wanted: float | None
    ) -> None:
        policy = policy_for(
            Profile(id="a", provider="openai", cooldown=profile),
            Pool(id="p", cooldown=pool),
            Defaults(cooldown=default),
            lone=True,
        )
        assert (policy.cooldown, policy.lone, policy.mode) == (wanted, True, FIRST)

    def test_the_pools_mode_goes_before_the_default(self) -> None:
        profile, defaults = Profile(id="a", provider="openai"), Defaults(cooldown_mode=LONGEST)
        assert policy_for(profile, Pool(id="p"), defaults).mode is LONGEST
        assert policy_for(profile, Pool(id="p", cooldown_mode=FIXED), defaults).mode is FIXED
