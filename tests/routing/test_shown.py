"""What a person sees of a profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rooroute.outcome import Fault, Scope
from rooroute.routing.marks import ProbeLease, Snapshot
from rooroute.routing.shown import WORDS, Shown, ShownState, shown_state
from tests.routing.scenario import NOON, Stage, failure


def seen(stage: Stage) -> Shown:
    return shown_state(stage.who, stage.snapshot, stage.now)


def test_every_fault_has_a_name_and_a_remedy() -> None:
    assert set(WORDS) == set(Fault)
    assert all(words.name and words.remedy.endswith(".") for words in WORDS.values())


def test_a_healthy_profile_is_active() -> None:
    assert seen(Stage()) == Shown("Gemini1", ShownState.ACTIVE)


def test_a_counted_fault_does_not_show() -> None:
    stage = Stage()
    stage.hear(failure(Fault.TRANSIENT))
    assert seen(stage).state is ShownState.ACTIVE


def test_a_rest_shows_reason_end_and_remedy() -> None:
    stage = Stage()
    stage.hear(failure(Fault.RATE_LIMIT))
    shown = seen(stage)
    assert (shown.state, shown.until) == (ShownState.COOLDOWN, NOON + 60)
    assert shown.reason == "Rate limit reached: said the provider"
    assert shown.remedy and not shown.probing


def test_a_reason_without_the_providers_words_is_still_a_sentence() -> None:
    stage = Stage()
    stage.hear(failure(Fault.RATE_LIMIT, message=""))
    assert seen(stage).reason == "Rate limit reached."


def test_a_rest_that_is_over_shows_active_and_probing_while_it_is_tried() -> None:
    stage = Stage()
    stage.hear(failure(Fault.RATE_LIMIT))
    stage.now += 60
    assert (seen(stage).state, seen(stage).probing) == (ShownState.ACTIVE, False)
    stage.lease()
    assert (seen(stage).state, seen(stage).probing) == (ShownState.ACTIVE, True)
    stage.now += 91
    assert not seen(stage).probing


@pytest.mark.parametrize("fault", [Fault.CREDENTIAL, Fault.PERMISSION, Fault.MODEL])
def test_a_failure_shows_its_remedy_and_no_time(fault: Fault) -> None:
    stage = Stage()
    stage.hear(failure(fault))
    shown = seen(stage)
    assert (shown.state, shown.until, shown.remedy) == (ShownState.FAILED, None, WORDS[fault].remedy)


def test_an_unpaid_account_shows_when_it_is_looked_at_again() -> None:
    stage = Stage()
    stage.hear(failure(Fault.BILLING))
    assert (seen(stage).state, seen(stage).until) == (ShownState.FAILED, NOON + 5 * 3600)


def test_an_unpaid_account_shows_failed_until_a_look_succeeds() -> None:
    stage = Stage()
    stage.hear(failure(Fault.BILLING))
    stage.now += 6 * 3600
    assert seen(stage).state is ShownState.FAILED


def test_the_worst_of_several_marks_shows() -> None:
    stage = Stage()
    stage.hear(failure(Fault.QUOTA, scope=Scope.DOMAIN, hint=900.0))
    stage.hear(failure(Fault.RATE_LIMIT))
    assert seen(stage).until == NOON + 900
    stage.hear(failure(Fault.PERMISSION, per_model=True))
    assert seen(stage).fault is Fault.PERMISSION
    assert len(seen(stage).marks) == 3


def test_the_users_switch_goes_before_everything_and_keeps_what_is_known() -> None:
    stage = Stage()
    stage.hear(failure(Fault.CREDENTIAL))
    off = replace(stage.who, enabled=False)
    assert shown_state(off, stage.snapshot, NOON).state is ShownState.DISABLED
    assert shown_state(stage.who, stage.snapshot, NOON).state is ShownState.FAILED


def test_a_lease_with_no_mark_under_it_shows_nothing() -> None:
    stage = Stage()
    stage.snapshot = Snapshot(leases={stage.key: ProbeLease(stage.key, "me", NOON + 9, 1)})
    assert not seen(stage).probing
