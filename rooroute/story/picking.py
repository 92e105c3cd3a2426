"""Who is asked next: the request's wish, the candidates as it and its window know them, and what ``routing`` decides of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rooroute.profiles import Configuration, Pool, Strategy
from rooroute.providers.table import dialect_for
from rooroute.roster import Lineup, cost_estimate
from rooroute.routing.candidate import Candidate
from rooroute.routing.costs import switch_cost
from rooroute.routing.crowd import choose
from rooroute.routing.marks import Change, Snapshot
from rooroute.routing.pool import HOLDS_CACHE, Ask, Decision, Nobody, NobodyKind, Use, ready_at
from rooroute.routing.route import NEARLY_USED_UP, SPOKEN_AGAINST
from rooroute.routing.shown import shown_state
from rooroute.routing.strategies import BLANK, Reading, unknown
from rooroute.story.errand import EVERYBODY, Errand, Means, Progress, pool_now, renamed
from rooroute.story.session import consent_for, in_tool_loop, revert_for

_FIRST_FEW: Final = 64
"""In a larger pool there are attempts enough."""
_GONE: Final = "was removed or renamed while the request waited; ask again for another"
_BEGINS_ANEW: Final = "cannot go on from the middle of an answer"
_BLIND: Final = frozenset({Strategy.PRIORITY, Strategy.ROUND_ROBIN, Strategy.MODEL})


class Picking:
    """One request's choices. ``configuration`` is the one it goes by until it has waited, as is the errand's pool, ``strategy`` the one it
    keeps; ``first`` is its first decision by that configuration, and ``switched_for`` what that one cost of the session's warm cache, in
    USD, or would have where it stays for that."""

    def __init__(self, means: Means, errand: Errand, progress: Progress, configuration: Configuration) -> None:
        self._ports, self._window, self._roster = means.ports, means.window, means.roster
        self._errand, self._progress = errand, progress
        self.configuration = configuration
        self._made: tuple[Configuration, int, Lineup] | None = None
        self._only: str | None = None
        self._gone: Mapping[str, str] = {}
        self.strategy = self.lineup().way.strategy
        self.first: Decision | None = None
        self.switched_for: float | None = None

    def lineup(self) -> Lineup:
        """The pool's profiles for this request, by the configuration and the keys that are known now."""
        known = (self.configuration, self._ports.credentials.version)
        if self._made is None or self._made[0] is not known[0] or self._made[1] != known[1]:
            found = self._roster.lineup(self.configuration, self._errand.pool, self._errand.facts, self._errand.session)
            self._made = (*known, found)
        return self._made[2]

    def candidates(self) -> Sequence[Candidate]:
        """The lineup with what this request and this window have learnt of it."""
        found = self.lineup().candidates
        progress = self._progress
        if not (progress.unfit or progress.limited or progress.continued or self._measured):
            return found
        return tuple(self._seen(each) for each in found)

    @property
    def _measured(self) -> bool:
        """Whether the pool puts profiles behind the others by what was measured."""
        return self._errand.pool.latency.too_slow is not None or self._errand.pool.leave_below is not None

    def _seen(self, candidate: Candidate) -> Candidate:
        """The candidate with what this request and this window have learnt of it."""
        progress, measurements, now = self._progress, self._window.measurements, self._ports.now()
        if candidate.profile_id in progress.unfit:
            return replace(candidate, excluded=progress.unfit[candidate.profile_id])
        if progress.continued and candidate.excluded is None and not self._goes_on(candidate):
            return replace(candidate, excluded=_BEGINS_ANEW)
        limited = progress.limited.get(candidate.profile_id) or progress.limited.get(EVERYBODY)
        if limited is not None and limited.until > now:
            candidate = replace(candidate, limited_until=limited.until, limit=limited.words)
        if measurements.too_slow(candidate.profile_id, self._errand.pool.latency, now):
            return replace(candidate, group=candidate.group + SPOKEN_AGAINST)
        least = self._errand.pool.leave_below
        if least is not None and measurements.share_left(candidate.profile_id, now) <= least:
            return replace(candidate, group=candidate.group + NEARLY_USED_UP)
        return candidate

    def _goes_on(self, candidate: Candidate) -> bool:
        """Whether it takes delivered text as the beginning of its answer. Who does not would say it all again."""
        return dialect_for(self.configuration.profiles[candidate.profile_id], candidate.model).continues

    def go_on_from(self, text: str) -> None:
        """The next answer goes on from this delivered text; whom that leaves out is said of the first decision too, which had them."""
        self._progress.continued = text
        if self.first is not None:
            out = (each.profile_id for each in self.candidates() if each.excluded == _BEGINS_ANEW)
            away = {each: _BEGINS_ANEW for each in out if each not in self._progress.asked}
            self.first = replace(self.first, excluded={**self.first.excluded, **away})

    async def pick(self) -> Decision:
        """Decide on the picture at hand; where a lease has to be taken, decide again inside one short update.

        What will be looked up there is not looked up before: where a rest is over, the picture of the last look says so well enough.
        """
        ask, state, now = self._wish(), self._ports.state, self._ports.now()
        short = self._short_list(ask)

        def decided(on: Snapshot) -> Decision:
            return choose(ask, short, self.candidates, on, self._ports.now())

        picture = state.last_snapshot()
        if not _somebody_returns(picture, now):
            picture = state.snapshot()
        known = decided(picture)
        if not _probes(known) and (fresh := state.snapshot()) is not picture:
            picture, known = fresh, decided(fresh)

        def take(snapshot: Snapshot) -> tuple[Change, Decision]:
            sure = known if snapshot is picture else decided(snapshot)
            return (sure.change if isinstance(sure, Use) else Change()), sure

        decision = self._told(await self._taken(take) if _probes(known) else known)
        self._remember(decision)
        return decision

    async def _taken(self, take: Callable[[Snapshot], tuple[Change, Decision]]) -> Decision:
        """The decision with its leases. Whoever is cancelled meanwhile gets them all the same, and has to give them back."""
        try:
            return await self._ports.state.update_now(take)
        except asyncio.CancelledError:
            await asyncio.shield(self._ports.state.update(lambda snapshot: (self._nothing_held(snapshot), None)))
            raise

    def _nothing_held(self, snapshot: Snapshot) -> Change:
        return Change(
            drop_leases=tuple(key for key, each in snapshot.leases.items() if each.owner == self._errand.owner)
        )

    def _told(self, decision: Decision) -> Decision:
        """The decision with those who are named and not there."""
        absent = {**self._gone, **self.lineup().absent}
        return replace(decision, excluded={**decision.excluded, **absent}) if absent else decision

    def _remember(self, decision: Decision) -> None:
        if self.first is None or (isinstance(self.first, Use) and not self._progress.attempts):
            self.first = (
                decision  # whoever was chosen before was not asked: a limit stood in the way, or its key is missing
            )
        if not isinstance(decision, Use):
            return
        if self.first is decision:
            stays = decision.why.startswith(HOLDS_CACHE)  # for what the next best would have cost
            self.switched_for = self._switch_cost(decision.ranked[1] if stays else decision.candidate.profile_id)
        self._only = decision.candidate.profile_id if self._errand.alone else None
        if decision.pointer_lost:
            self._window.lose_pointer(self._errand.pool.id, self._errand.session)

    def choose(self, *, max_wait: float | None = None) -> Decision:
        """What would be decided now, by a request that waits for ``max_wait`` seconds (None: as this one does); nothing is done."""
        ask = self._wish() if max_wait is None else replace(self._wish(), max_wait=max_wait)
        short = self._short_list(ask)
        return self._told(choose(ask, short, self.candidates, self._ports.state.snapshot(), self._ports.now()))

    def next(self) -> str | None:
        """The id of the profile that would be asked next."""
        if self.exhausted:
            return None
        decision = self.choose()
        return decision.candidate.profile_id if isinstance(decision, Use) else None

    def start_over(self) -> None:
        """After a wait: by the configuration and the pool as they are now, with nobody counted as tried."""
        self._progress.tried.clear()
        before, self.configuration = self.configuration, self._ports.configuration()
        if self.configuration is not before:
            self._follow(before, self.configuration)

    def _follow(self, before: Configuration, now: Configuration) -> None:
        """The user has changed something: who was added is a candidate, who was renamed goes on, and a raised limit is looked at again."""
        errand = self._errand
        errand.pool = pool_now(errand, before, now)
        self._only = renamed(self._only, before, now) if self._only is not None and errand.alone else None
        self._gone = {each: _GONE for each in errand.pool.profiles if each not in now.profiles}
        self._progress.limited.clear()
        self.first = None

    @property
    def pool(self) -> Pool:
        """The one it goes by."""
        return self._errand.pool

    def _short_list(self, ask: Ask) -> list[Candidate] | None:
        """In a large pool, those among whom the choice lies unless none of them can answer."""
        crowd = self.lineup().crowd
        if crowd is None:
            return None
        return [self._seen(each) for each in crowd.near(ask, self._ports.state.snapshot(), self._ports.now())]

    def _wish(self) -> Ask:
        pool, session = self._errand.pool, self._errand.session
        options, progress = self._errand.options, self._progress
        stay = self._window.stay(pool.id, session)
        most = pool.max_wait if pool.max_wait is not None else self.configuration.defaults.max_wait
        late = self.late and progress.attempts > 0
        return Ask(
            owner=self._errand.owner,
            pool_id=pool.id,
            strategy=self.strategy,
            revert=revert_for(pool, self._errand.request),
            max_wait=0.0 if late else max(0.0, most - progress.waited),
            tried=frozenset(progress.tried),
            pinned=self._only,
            pointer=pool.profiles[0] if options.profile else self._window.pointer(pool.id, session),
            sticky=stay.profile_id if stay else None,
            sticky_since=stay.since if stay else 0.0,
            in_tool_loop=in_tool_loop(self._errand.request),
            retry_now=progress.early,
            reading=self._reading(),
            last_resort=pool.last_resort,
            consented=options.consent is not None
            or bool(self._window.consents and consent_for(pool, self.configuration) in self._window.consents),
            switch_cost=self._switch_cost,
            max_switch_cost=pool.max_switch_cost,
            safety_net=pool.safety_net,
            resets_at=self._resets_at if pool.reset_first else unknown,
        )

    def _resets_at(self, profile_id: str) -> float | None:
        return self._window.measurements.resets_at(profile_id, self._ports.now())

    def _reading(self) -> Reading:
        """What the strategy may know of the profiles; nothing where it goes by order and turns alone."""
        if self.strategy in _BLIND:
            return BLANK
        pool, seen, now = self._errand.pool, self._window.measurements, self._ports.now()
        turns, turn = seen.turns(pool.id)
        profiles, facts, output = self.configuration.profiles, self._errand.facts, seen.output_tokens()
        asked = self.configuration.knowledge.asked
        return Reading(
            cost=lambda each: cost_estimate(asked(profiles[each], facts.model), facts, output),
            first_token=lambda each: seen.first_token(each, pool.latency, now),
            measured_at=seen.asked_at,
            explore=seen.explores(pool.id, pool.latency),
            busy=seen.busy,
            weights=pool.weights,
            turns=turns,
            turn=turn,
        )

    def _switch_cost(self, profile_id: str) -> float | None:
        """USD that leaving the session's warm prompt cache for this profile costs; None where nobody knows."""
        stay = self._window.stay(self._errand.pool.id, self._errand.session)
        if stay is None or stay.profile_id == profile_id or not stay.warm_tokens:
            return None
        profiles = self.configuration.profiles
        here, there = profiles.get(stay.profile_id), profiles.get(profile_id)
        if here is None or there is None:
            return None
        asked, model = self.configuration.knowledge.asked, self._errand.facts.model
        return switch_cost(stay.warm_tokens, asked(here, model).price, asked(there, model).price)

    # --- what is left of the request's patience ---

    @property
    def late(self) -> bool:
        """Whether so much time has passed that nothing but a profile never asked yet is worth another attempt."""
        elapsed = self._ports.monotonic() - self._errand.began - self._progress.waited
        return elapsed > self._errand.pool.max_elapsed

    @property
    def exhausted(self) -> bool:
        """Whether the budget of attempts is spent."""
        attempts, pool = self._progress.attempts, self._errand.pool
        if attempts < (pool.max_attempts or len(self.lineup().candidates)):
            return False
        return attempts >= self._most_attempts()

    def _most_attempts(self) -> int:
        """What the pool says; else one for each candidate, and as many more as the user lets one of them be asked again, at least one."""
        pool, candidates = self._errand.pool, self.lineup().candidates
        if pool.max_attempts:
            return pool.max_attempts
        said = [self.configuration.profiles[each.profile_id].max_retries for each in candidates[:_FIRST_FEW]]
        return len(candidates) + max(1, *(each or 0 for each in (pool.failover.max_retries, *said)))

    def room_to_ask_again(self) -> bool:
        """Whether a second attempt at one profile would cost no untried one its first."""
        asked = self._progress.asked
        untried = sum(
            each.enabled and each.excluded is None and each.profile_id not in asked for each in self.candidates()
        )
        return self._progress.attempts + untried < self._most_attempts()

    def spent(self) -> Nobody:
        """The budget of attempts is spent; somebody resting may still have a time of return."""
        everybody, snapshot, now = self.candidates(), self._ports.state.snapshot(), self._ports.now()
        soonest = ready_at([each for each in everybody if each.profile_id in self._progress.asked], snapshot, now)
        shown = tuple(shown_state(each, snapshot, now) for each in everybody)
        returning = soonest if soonest is not None and soonest > now else None
        return Nobody(NobodyKind.ATTEMPTS_EXHAUSTED, returning, shown)


def _probes(decision: Decision) -> bool:
    return isinstance(decision, Use) and bool(decision.probe)


def _somebody_returns(snapshot: Snapshot, now: float) -> bool:
    """Whether a rest is over, among few marks."""
    few = len(snapshot.marks) <= _FIRST_FEW
    return few and any(mark.until is not None and mark.until <= now for mark in snapshot.marks.values())
