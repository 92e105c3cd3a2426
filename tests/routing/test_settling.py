"""What the end of a call changes beside the mark itself: leases, resets, rests by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rooroute.outcome import Fault, Scope
from rooroute.profiles import CooldownMode
from rooroute.routing.figures import Policy
from rooroute.routing.marks import Change, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.settling import Ending, another_ready, ask_again, edited, renew, reset, rest_by_hand, settle
from tests.routing.scenario import NOON, PLAIN, Stage, apply, candidate, failure

ONE, TWO = candidate("Gemini1"), candidate("Gemini2", position=1)


def test_an_account_wide_limit_marks_the_account_once_for_its_siblings() -> None:
    one, two = replace(ONE, domain="project"), replace(TWO, domain="project")
    limited = failure(Fault.RATE_LIMIT, scope=Scope.DOMAIN, per_model=True, hint=30.0)
    snapshot = apply(Snapshot(), settle(one, limited, Snapshot(), started_at=NOON - 1, now=NOON, policy=PLAIN))
    assert list(snapshot.marks) == [MarkKey(Scope.DOMAIN, "project", "m")]
    assert not settle(two, limited, snapshot, started_at=NOON - 1, now=NOON, policy=PLAIN)


def test_fixed_mode_rests_the_profile_that_failed_and_nobody_else() -> None:
    fixed = Policy(mode=CooldownMode.FIXED)
    for fault in (Fault.OVERLOAD, Fault.NETWORK, Fault.RATE_LIMIT):
        overloaded = failure(fault, scope=Scope.ENDPOINT, per_model=True)
        change = settle(ONE, overloaded, Snapshot(), started_at=NOON, now=NOON, policy=fixed)
        assert [mark.key for mark in change.put_marks] == [MarkKey(Scope.PROFILE, "Gemini1")]


def test_a_success_clears_everything_that_covered_it() -> None:
    stage = Stage()
    stage.hear(failure(Fault.NETWORK))
    stage.hear(failure(Fault.TRANSIENT))
    stage.now += 5
    change = stage.hear(Ending.CLEAN_END)
    assert len(change.drop_marks) == 2
    assert not stage.snapshot.marks


def test_a_failure_elsewhere_releases_the_lease_and_leaves_the_probed_mark() -> None:
    stage = Stage()
    stage.hear(failure(Fault.RATE_LIMIT))
    stage.now += 60
    rested = stage.mark
    change = stage.hear(failure(Fault.PERMISSION, per_model=True), leases=stage.lease())
    assert change.drop_leases == (stage.key,)
    assert stage.mark == rested


def test_a_call_that_began_before_the_clock_was_set_back_shortens_no_rest() -> None:
    stage = Stage()
    stage.hear(failure(Fault.RATE_LIMIT, hint=900.0))
    assert not stage.hear(failure(Fault.RATE_LIMIT, hint=5.0), began=NOON + 28_800)
    assert stage.cooling_for == 900


class TestLeases:
    def lease(self, **changes: object) -> ProbeLease:
        return replace(ProbeLease(MarkKey(Scope.PROFILE, "Gemini1"), "me", NOON + 90, 3), **changes)  # type: ignore[arg-type]

    def test_a_living_request_renews_its_lease(self) -> None:
        snapshot = Snapshot(leases={self.lease().key: self.lease()})
        assert renew([self.lease()], snapshot, NOON + 30).put_leases == (self.lease(expires=NOON + 120),)

    @pytest.mark.parametrize("stored", [{"owner": "another"}, {"generation": 4}], ids=["taken-over", "taken-anew"])
    def test_a_lease_that_was_lost_is_not_renewed(self, stored: dict[str, object]) -> None:
        snapshot = Snapshot(leases={self.lease().key: self.lease(**stored)})
        assert not renew([self.lease()], snapshot, NOON)

    def test_a_lease_that_is_gone_is_not_renewed(self) -> None:
        assert not renew([self.lease()], Snapshot(), NOON)


class TestAnotherReady:
    overload = failure(Fault.OVERLOAD, scope=Scope.ENDPOINT, per_model=True)

    def ready(self, other: object, snapshot: Snapshot | None = None) -> bool:
        return another_ready(self.overload, ONE, [ONE, other], snapshot or Snapshot(), NOON, PLAIN)  # type: ignore[list-item]

    def test_another_origin_is_another(self) -> None:
        assert self.ready(TWO)

    def test_the_profile_itself_and_a_sibling_at_the_same_origin_are_not(self) -> None:
        assert not self.ready(replace(TWO, endpoint=ONE.endpoint))

    def test_a_sibling_with_another_model_is(self) -> None:
        assert self.ready(replace(TWO, endpoint=ONE.endpoint, model="another"))

    def test_one_that_rests_is_not(self) -> None:
        stage = Stage(who=TWO)
        stage.hear(failure(Fault.RATE_LIMIT))
        assert not self.ready(TWO, stage.snapshot)


@pytest.mark.parametrize(
    ("fault", "confirm", "asked", "others", "wait"),
    [
        pytest.param(Fault.CREDENTIAL, True, 1, True, 0.0, id="a-key-that-seems-dead-is-confirmed-at-once"),
        pytest.param(Fault.CREDENTIAL, False, 1, True, None, id="a-key-known-dead-is-not"),
        pytest.param(Fault.CREDENTIAL, True, 2, True, None, id="a-key-is-confirmed-only-once"),
        pytest.param(Fault.TRANSIENT, False, 1, False, 1.0, id="a-passing-trouble-is-tried-again-when-alone"),
        pytest.param(Fault.TRANSIENT, False, 1, True, None, id="but-not-when-another-is-ready"),
        pytest.param(Fault.TRANSIENT, False, 2, False, None, id="and-not-twice"),
        pytest.param(Fault.BAD_ANSWER, False, 1, False, 1.0, id="so-is-an-empty-answer"),
        pytest.param(Fault.RATE_LIMIT, False, 1, False, None, id="a-limit-is-never-tried-again-at-once"),
        pytest.param(Fault.REQUEST, False, 1, False, None, id="nor-is-the-callers-own-fault"),
    ],
)
def test_asking_the_same_profile_again(
    fault: Fault, confirm: bool, asked: int, others: bool, wait: float | None
) -> None:
    assert ask_again(failure(fault, confirm=confirm), asked, others, PLAIN) == wait


class TestForgetting:
    def marked(self) -> Snapshot:
        stage = Stage(who=replace(ONE, domain="project"))
        stage.hear(failure(Fault.OVERLOAD, scope=Scope.ENDPOINT, hint=30.0))
        stage.hear(failure(Fault.QUOTA, scope=Scope.DOMAIN, hint=30.0))
        stage.hear(failure(Fault.CREDENTIAL))
        stage.hear(failure(Fault.MODEL))
        stage.lease()
        stage.who = TWO
        stage.hear(failure(Fault.CREDENTIAL))
        return stage.snapshot

    def test_a_reset_forgets_everything_that_lies_on_the_profile(self) -> None:
        change = reset(replace(ONE, domain="project", model="whichever"), self.marked())
        left = apply(self.marked(), change)
        assert list(left.marks) == [MarkKey(Scope.PROFILE, "Gemini2")]
        assert not left.leases

    def test_an_edit_forgets_what_the_profile_did_but_not_its_origins_trouble(self) -> None:
        left = apply(self.marked(), edited("Gemini1", self.marked()))
        assert set(left.marks) == {MarkKey(Scope.ENDPOINT, ONE.endpoint), MarkKey(Scope.PROFILE, "Gemini2")}

    def test_with_nothing_known_there_is_nothing_to_write(self) -> None:
        assert not reset(ONE, Snapshot())
        assert not edited("Gemini1", Snapshot())


class TestRestByHand:
    def test_it_rests_for_exactly_that_long(self) -> None:
        snapshot = apply(Snapshot(), rest_by_hand(ONE, 300, Snapshot(), NOON))
        (mark,) = snapshot.marks.values()
        assert (mark.until, mark.fault, mark.generation) == (NOON + 300, Fault.LOCAL_LIMIT, 1)

    def test_it_is_not_ended_by_a_call_that_was_under_way(self) -> None:
        snapshot = apply(Snapshot(), rest_by_hand(ONE, 300, Snapshot(), NOON))
        assert not settle(ONE, Ending.CLEAN_END, snapshot, started_at=NOON + 1, now=NOON + 5, policy=PLAIN)

    def test_it_never_shortens_a_rest_or_hides_a_failure(self) -> None:
        for stronger in (failure(Fault.RATE_LIMIT, hint=900.0), failure(Fault.CREDENTIAL)):
            stage = Stage(who=ONE)
            stage.hear(stronger)
            assert rest_by_hand(ONE, 300, stage.snapshot, NOON) == Change()

    def test_it_lengthens_a_shorter_rest(self) -> None:
        stage = Stage(who=ONE)
        stage.hear(failure(Fault.RATE_LIMIT))
        (mark,) = rest_by_hand(ONE, 300, stage.snapshot, NOON).put_marks
        assert (mark.until, mark.generation, mark.state) == (NOON + 300, 2, MarkState.COOLDOWN)
