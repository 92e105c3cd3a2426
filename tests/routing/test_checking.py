"""Who may check a profile, and what the end of a check changes: decisions without a clock or a network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate
from rooroute.routing.checking import check_key, claim, due, give_up, learn
from rooroute.routing.figures import Policy
from rooroute.routing.marks import Change, Checked, Mark, MarkKey, MarkState, ProbeLease, Snapshot

NOW = 1_800_000_000.0
A = Candidate("A", "m", "https://a.example", "domain-a", "key-a")
LEASE = ProbeLease(check_key("A"), "window-1", NOW + 35, 1)
HELD = Snapshot(leases={LEASE.key: LEASE})
DOWN = Failure(Fault.TRANSIENT, "Down.", Scope.ENDPOINT, status=500)


def checked(at: float, failures: int = 0, **more: object) -> Checked:
    return Checked(profile_id="A", at=at, endpoint=A.endpoint, fingerprint="key-a", failures=failures, **more)  # type: ignore[arg-type]


def learnt(
    failure: Failure | None, snapshot: Snapshot, *, policy: Policy | None = None, enough: int = 2, proves: bool = False
) -> Change:
    return learn(
        A,
        failure,
        snapshot,
        lease=LEASE,
        started_at=NOW - 1,
        now=NOW,
        policy=policy or Policy(),
        interval=60.0,
        enough=enough,
        proves=proves,
    )


def resting(fault: Fault, *, until: float | None = NOW + 100, hinted: bool = False) -> Mark:
    key = MarkKey(Scope.PROFILE, "A")
    return Mark(key, MarkState.COOLDOWN, fault, NOW - 50, until, hinted, profile_id="A", fingerprint="key-a")


def with_mark(mark: Mark) -> Snapshot:
    return replace(HELD, marks={mark.key: mark})


def test_one_window_gets_the_check_and_the_others_nothing_until_it_is_over() -> None:
    change = claim("A", "window-1", 60, 5, Snapshot(), NOW)
    (lease,) = change.put_leases
    assert (lease.owner, lease.expires) == ("window-1", NOW + 35)
    held = Snapshot(leases={lease.key: lease})
    assert not claim("A", "window-2", 60, 5, held, NOW + 1)
    later = claim("A", "window-2", 60, 5, held, NOW + 36).put_leases[0]
    assert later.generation == 2


@pytest.mark.parametrize(("at", "is_due"), [(NOW - 61, True), (NOW - 60, True), (NOW - 59, False), (NOW + 1000, True)])
def test_a_check_is_due_an_interval_after_the_last_one_and_when_the_clock_was_set_back(at: float, is_due: bool) -> None:
    assert due("A", 60, Snapshot(checks={"A": checked(at)}), NOW) is is_due


def test_whoever_lost_the_lease_changes_nothing() -> None:
    taken_over = Snapshot(leases={LEASE.key: replace(LEASE, owner="window-2", generation=2)})
    assert not learnt(DOWN, taken_over)
    assert not give_up(LEASE, taken_over)
    assert give_up(LEASE, HELD).drop_leases == (LEASE.key,)


def test_failures_are_counted_in_a_row_and_forgotten_with_another_key() -> None:
    before = replace(HELD, checks={"A": checked(NOW - 60, failures=1)})
    assert learnt(DOWN, before, enough=3).put_checks[0].failures == 2
    assert learnt(None, before).put_checks[0].failures == 0
    other = replace(HELD, checks={"A": replace(checked(NOW - 60, failures=1), fingerprint="another")})
    assert learnt(DOWN, other).put_checks[0].failures == 1
    ours = learnt(Failure(Fault.LOCAL_LIMIT, "At the limit."), before)
    assert ours.put_checks[0].failures == 1
    assert not ours.put_marks


def test_enough_failures_rest_until_the_next_check_and_fewer_rest_nobody() -> None:
    assert not learnt(DOWN, HELD).put_marks
    (mark,) = learnt(DOWN, replace(HELD, checks={"A": checked(NOW - 60, failures=1)})).put_marks
    assert (mark.state, mark.until, mark.hinted) == (MarkState.COOLDOWN, NOW + 60, False)
    assert learnt(DOWN, HELD, enough=1).drop_leases == (LEASE.key,)


@pytest.mark.parametrize(
    ("policy", "seconds"),
    [(Policy(cooldown=300.0), 300.0), (Policy(breaker_rest=20.0), 20.0), (Policy(lone=True), 30.0)],
)
def test_the_users_own_times_stand(policy: Policy, seconds: float) -> None:
    (mark,) = learnt(DOWN, HELD, policy=policy, enough=1).put_marks
    assert mark.until == NOW + seconds


HEALED = [Fault.TRANSIENT, Fault.OVERLOAD, Fault.TIMEOUT, Fault.NETWORK]


@pytest.mark.parametrize("fault", list(Fault))
def test_a_list_heals_faults_and_nothing_else(fault: Fault) -> None:
    mark = resting(fault)
    assert learnt(None, with_mark(mark)).drop_marks == ((mark.key,) if fault in HEALED else ())


@pytest.mark.parametrize("proves", [False, True])
@pytest.mark.parametrize("fault", [Fault.QUOTA, Fault.RATE_LIMIT, Fault.OVERLOAD])
def test_a_time_the_provider_told_stands(fault: Fault, *, proves: bool) -> None:
    assert not learnt(None, with_mark(resting(fault, hinted=True)), proves=proves).drop_marks


def test_an_answer_heals_a_guess_about_a_rate_limit() -> None:
    mark = resting(Fault.RATE_LIMIT)
    assert learnt(None, with_mark(mark), proves=True).drop_marks == (mark.key,)


def test_nobody_is_blamed_while_no_other_host_can_be_reached_either() -> None:
    lost = Failure(Fault.NETWORK, "No route.", Scope.ENDPOINT)
    other = replace(checked(NOW - 30, failures=3, lost=True), profile_id="B", endpoint="https://b.example")
    alone = replace(HELD, checks={"B": other})
    assert not learnt(lost, alone, enough=1).put_marks
    reached = replace(HELD, checks={"B": replace(other, lost=False)})
    assert learnt(lost, reached, enough=1).put_marks
    long_ago = replace(HELD, checks={"B": replace(other, at=NOW - 500)})
    assert learnt(lost, long_ago, enough=1).put_marks
