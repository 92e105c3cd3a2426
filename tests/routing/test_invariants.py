"""Whatever happens, in whatever order, in however many windows: the promises that routing keeps.

Several simulated windows share one state; a change is applied at once, as the store's transaction does. A window may also go by a picture
that is a step old, as a real one does for a moment, but never takes a lease by it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from rooroute.outcome import Failure, Fault, Scope
from rooroute.profiles import CooldownMode, Revert, Strategy
from rooroute.routing.candidate import Candidate, applies, keys_covering, marks_covering
from rooroute.routing.figures import FIGURES, HAPPENINGS, Happening, Policy
from rooroute.routing.marks import Change, Mark, MarkState, ProbeLease, Snapshot
from rooroute.routing.pool import Ask, Decision, Nobody, NobodyKind, Use, Wait, acquire, ready_at, rotate
from rooroute.routing.settling import Ending, another_ready, ask_again, edited, renew, reset, rest_by_hand, settle
from rooroute.routing.shown import ShownState, shown_state
from rooroute.routing.times import set_back
from tests.routing.scenario import BLAMELESS, NOON, PLAIN, apply

WINDOWS = ("left", "right", "remote")
NAMES = ("Gemini1", "Gemini2", "default", "local")
PLACES = st.sampled_from(range(len(NAMES)))
HINTS = st.one_of(st.none(), st.sampled_from([-1.0, float("nan"), 0.5, 7.0, 60.0, 900.0, 40_000.0, 1e9]))
FAILURES = st.builds(
    Failure,
    fault=st.sampled_from(Fault),
    message=st.just("said the provider"),
    scope=st.sampled_from(Scope),
    per_model=st.booleans(),
    hint=HINTS,
    status=st.sampled_from([None, 429, 500, 503, 529]),
    confirm=st.booleans(),
    daily=st.booleans(),
)
POLICIES = st.builds(
    Policy,
    cooldown=st.sampled_from([None, None, 0.0, 5.0, 1800.0]),
    mode=st.sampled_from(CooldownMode),
    lone=st.booleans(),
    success_threshold=st.sampled_from([1, 1, 3]),
)
NEVER = float("inf")


def pool_of_four() -> tuple[Candidate, ...]:
    """Two keys of one account, two profiles behind one origin, one local model for the last resort."""
    endpoints = ("https://google.example", "https://google.example", "https://other.example", "http://localhost:1")
    domains = ("project", "project", "account", "local")
    return tuple(
        Candidate(name, "m", endpoint, domain, f"key {name}", position=at, last_resort=name == "local")
        for at, (name, endpoint, domain) in enumerate(zip(NAMES, endpoints, domains, strict=True))
    )


@dataclass(frozen=True)
class Call:
    candidate: Candidate
    leases: tuple[ProbeLease, ...]
    started_at: float


def blocked_until(mark: Mark | None) -> float:
    """Until when a mark keeps its profiles away, by itself."""
    if mark is None or mark.state is MarkState.WATCHED:
        return 0.0
    return NEVER if mark.until is None else mark.until


class SharedPool(RuleBasedStateMachine):
    calls = Bundle("calls")

    @initialize(strategy=st.sampled_from(Strategy), revert=st.sampled_from(Revert))
    def open(self, strategy: Strategy, revert: Revert) -> None:
        self.pool = pool_of_four()
        self.strategy, self.revert = strategy, revert
        self.now = NOON
        self.requests = 0
        self.snapshot = self.before = Snapshot()

    # -- what happens

    @rule(seconds=st.sampled_from([0.0, 0.25, 5.0, 31.0, 60.0, 301.0, 3600.0, 40_000.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(
        target=calls, window=st.sampled_from(WINDOWS), wait=st.sampled_from([0.0, 60.0]), sticky=st.sampled_from(NAMES)
    )
    def a_request_comes(self, window: str, wait: float, sticky: str) -> Any:
        ask = self._ask(window, max_wait=wait, sticky=sticky)
        decision = acquire(ask, self.pool, self.snapshot, self.now)
        if not isinstance(decision, Use):
            self._check_refusal(ask, decision)
            return multiple()
        self._check_choice(decision, ask)
        return self._start(decision)

    @rule(target=calls, window=st.sampled_from(WINDOWS), place=PLACES)
    def the_user_retries_now(self, window: str, place: int) -> Any:
        ask = self._ask(window, retry_now=NAMES[place])
        decision = acquire(ask, self.pool, self.snapshot, self.now)
        if not isinstance(decision, Use):
            return multiple()
        self._check_choice(decision, ask)
        return self._start(decision)

    @rule(target=calls, window=st.sampled_from(WINDOWS))
    def a_window_goes_by_an_older_picture(self, window: str) -> Any:
        decision = acquire(self._ask(window), self.pool, self.before, self.now)
        if not isinstance(decision, Use) or decision.probe:
            return multiple()
        return Call(decision.candidate, (), self.now)

    @rule(call=consumes(calls), failure=FAILURES, policy=POLICIES, jitter=st.floats(0, 0.99))
    def a_call_fails(self, call: Call, failure: Failure, policy: Policy, jitter: float) -> None:
        others = another_ready(failure, call.candidate, self.pool, self.snapshot, self.now, policy)
        old = self.snapshot
        self._apply(self._settle(call, failure, policy, jitter=jitter, others_ready=others))
        if failure.fault in BLAMELESS:
            assert self.snapshot.marks == old.marks, "the caller's own fault left a mark"
        for key, mark in old.marks.items():
            after = self.snapshot.marks.get(key)
            if mark.until is not None and mark.until > self.now and self._speaks_of(mark, call.candidate):
                assert blocked_until(after) >= mark.until, "a failure shortened a rest"
            if mark.state is MarkState.FAILED and mark.until is None and self._speaks_of(mark, call.candidate):
                assert after == mark, "a failure healed a failure"

    @rule(call=consumes(calls), policy=POLICIES, cut=st.booleans(), target=calls)
    def a_call_answers(self, call: Call, policy: Policy, cut: bool) -> Any:
        self._succeed(call, Ending.FIRST_TOKEN, policy)
        if cut:
            return replace(call, leases=())
        self._succeed(call, Ending.CLEAN_END, policy)
        covering = list(marks_covering(call.candidate, self.snapshot.marks))
        started_at = min(call.started_at, self.now)  # the clock may have been set back since
        for mark in covering if policy.success_threshold == 1 else ():
            transient = HAPPENINGS[mark.fault] is Happening.FAULTED and not mark.hinted
            assert not (transient and started_at > mark.since), "a success left a transient mark"
        return multiple()

    @rule(call=consumes(calls))
    def a_call_is_cancelled(self, call: Call) -> None:
        old = self.snapshot.marks
        self._apply(self._settle(call, Ending.ABORTED, Policy()))
        assert self.snapshot.marks == old

    @rule(call=consumes(calls))
    def a_window_dies(self, call: Call) -> None:
        """Nobody settles; its leases run out by themselves."""

    @rule(call=calls)
    def a_call_lives_on(self, call: Call) -> None:
        change = renew(call.leases, self.snapshot, self.now)
        assert all(self.snapshot.leases[lease.key].owner == lease.owner for lease in change.put_leases)
        self._apply(change)

    @rule(place=PLACES, number=st.integers(0, 3))
    def the_user_edits_a_key(self, place: int, number: int) -> None:
        self._replace(place, fingerprint=f"key {number}")
        self._apply(edited(NAMES[place], self.snapshot))
        own = [mark for mark in self.snapshot.marks.values() if mark.profile_id == NAMES[place]]
        assert all(mark.key.scope is Scope.ENDPOINT for mark in own)

    @rule(place=PLACES)
    def the_user_resets(self, place: int) -> None:
        self._apply(reset(self.pool[place], self.snapshot))
        shown = shown_state(self.pool[place], self.snapshot, self.now)
        assert shown.state in (ShownState.ACTIVE, ShownState.DISABLED)

    @rule(place=PLACES, enabled=st.booleans())
    def the_user_switches(self, place: int, enabled: bool) -> None:
        self._replace(place, enabled=enabled)

    @rule(place=PLACES, seconds=st.sampled_from([5.0, 300.0]))
    def the_user_rests_one_by_hand(self, place: int, seconds: float) -> None:
        self._apply(rest_by_hand(self.pool[place], seconds, self.snapshot, self.now))
        assert all(blocked_until(mark) >= blocked_until(self.before.marks.get(key)) for key, mark in self._changed())

    @rule(place=PLACES)
    def the_user_rotates(self, place: int) -> None:
        found = rotate(self.pool, self.snapshot, self.now, current=NAMES[place])
        if isinstance(found, Nobody):
            return
        assert found.profile_id != NAMES[place]
        assert not self._resting(found)

    @rule(seconds=st.sampled_from([1.0, 60.0, 7200.0, 28_800.0]))
    def the_clock_is_set_back(self, seconds: float) -> None:
        old = self.snapshot.marks
        self.now -= seconds
        self._apply(Change(put_marks=set_back(old.values(), self.now)))
        for key, mark in self._changed():
            made_for = (old[key].until or 0.0) - old[key].since
            assert mark.until is None or mark.until <= max(self.now, self.now + made_for), "a rest became longer"
            assert replace(mark, since=0, until=0, faults=()) == replace(
                old[key], since=0, until=0, faults=(), generation=mark.generation
            )
        assert not set_back(self.snapshot.marks.values(), self.now), "once is enough"

    # -- what always holds

    @invariant()
    @precondition(lambda self: hasattr(self, "pool"))
    def the_soonest_time_is_the_true_one(self) -> None:
        soonest = ready_at(self.pool, self.snapshot, self.now)
        decision = acquire(self._ask("left"), self.pool, self.snapshot, self.now)
        assert isinstance(decision, Use) == (soonest == self.now)
        if not isinstance(decision, Use) and soonest is not None:
            between = self.now + (soonest - self.now) / 2
            assert not isinstance(acquire(self._ask("left"), self.pool, self.snapshot, between), Use)
            assert isinstance(acquire(self._ask("left"), self.pool, self.snapshot, soonest), Use)

    @invariant()
    @precondition(lambda self: hasattr(self, "pool"))
    def nothing_rests_longer_than_it_may(self) -> None:
        for mark in self.snapshot.marks.values():
            assert mark.until is None or mark.until <= self.now + FIGURES.clock_tolerance + 35 * 86400 + 5
            assert (mark.until is None) != (mark.state is MarkState.COOLDOWN) or mark.state is MarkState.FAILED

    # -- how it is looked at

    def _ask(self, window: str, **changes: Any) -> Ask:
        self.requests += 1
        return Ask(
            owner=f"{window} {self.requests}", pool_id="p", strategy=self.strategy, revert=self.revert, **changes
        )

    def _check_choice(self, decision: Use, ask: Ask) -> None:
        candidate = decision.candidate
        assert candidate.enabled
        early = [mark for mark in self._resting(candidate) if mark.key not in {lease.key for lease in decision.probe}]
        assert not early, "a profile was chosen before its time"
        if candidate.profile_id != ask.retry_now:
            hourly = all(mark.daily and self.now >= mark.since + 3600 for mark in self._resting(candidate))
            assert hourly, "a rest was looked behind that nobody asked to"
        for lease in decision.probe:
            held = self.snapshot.leases.get(lease.key)
            assert held is None or held.expires <= self.now, "two requests probe at once"

    def _check_refusal(self, ask: Ask, decision: Decision) -> None:
        soonest = ready_at(self.pool, self.snapshot, self.now)
        if isinstance(decision, Wait):
            assert soonest is not None and decision.until == min(soonest, self.now + ask.max_wait)
            assert decision.profile_ids
        elif isinstance(decision, Nobody):
            assert decision.soonest == soonest
            assert (decision.kind is NobodyKind.NO_PROFILES) == (not any(each.enabled for each in self.pool))

    def _start(self, decision: Use) -> Call:
        self._apply(decision.change)
        used = {**self.snapshot.last_selected, decision.candidate.profile_id: self.now}
        self.snapshot = replace(self.snapshot, last_selected=used)
        return Call(decision.candidate, decision.probe, self.now)

    def _settle(self, call: Call, outcome: Failure | Ending, policy: Policy, **more: Any) -> Change:
        return settle(
            call.candidate,
            outcome,
            self.snapshot,
            leases=call.leases,
            started_at=call.started_at,
            now=self.now,
            policy=policy,
            **more,
        )

    def _succeed(self, call: Call, ending: Ending, policy: Policy) -> None:
        old = self.snapshot
        held = {lease.key for lease in renew(call.leases, old, self.now).put_leases}
        self._apply(self._settle(call, ending, policy))
        assert not held & set(self.snapshot.leases), "an answered probe kept its lease"
        for key, mark in old.marks.items():
            if self.snapshot.marks.get(key) != mark:
                assert key in keys_covering(call.candidate)
                assert call.started_at > mark.since or key in held, "an old success cleared a newer mark"

    def _resting(self, candidate: Candidate) -> list[Mark]:
        return [mark for mark in marks_covering(candidate, self.snapshot.marks) if blocked_until(mark) > self.now]

    def _speaks_of(self, mark: Mark, candidate: Candidate) -> bool:
        return applies(mark, candidate.profile_id, candidate.fingerprint)

    def _changed(self) -> list[tuple[Any, Mark]]:
        return [(key, mark) for key, mark in self.snapshot.marks.items() if self.before.marks.get(key) != mark]

    def _replace(self, place: int, **changes: Any) -> None:
        self.pool = tuple(replace(each, **changes) if at == place else each for at, each in enumerate(self.pool))

    def _apply(self, change: Change) -> None:
        self.before, self.snapshot = self.snapshot, apply(self.snapshot, change)


SharedPool.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestSharedPool = SharedPool.TestCase


@given(script=st.lists(FAILURES, min_size=1, max_size=20), policy=POLICIES, strategy=st.sampled_from(Strategy))
@settings(max_examples=80, deadline=None)
def test_no_script_of_failures_makes_a_request_ask_more_than_twice_each(
    script: list[Failure], policy: Policy, strategy: Strategy
) -> None:
    pool, snapshot, tried, now = pool_of_four(), Snapshot(), frozenset[tuple[str, str]](), NOON
    asked: dict[str, int] = {}
    for turn in range(100):
        decision = acquire(Ask(owner="me", strategy=strategy, tried=tried), pool, snapshot, now)
        if not isinstance(decision, Use):
            break
        who, failure = decision.candidate, script[turn % len(script)]
        snapshot = apply(snapshot, decision.change)
        asked[who.profile_id] = asked.get(who.profile_id, 0) + 1
        now += 1
        others = another_ready(failure, who, pool, snapshot, now, policy)
        change = settle(
            who,
            failure,
            snapshot,
            leases=decision.probe,
            started_at=now - 1,
            now=now,
            policy=policy,
            others_ready=others,
        )
        snapshot = apply(snapshot, change)
        if ask_again(failure, asked[who.profile_id], others, PLAIN) is None:
            tried |= {(who.profile_id, who.model)}
    assert not isinstance(decision, Use)
    assert max(asked.values()) <= 2
