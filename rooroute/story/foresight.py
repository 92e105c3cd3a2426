"""What would be decided of a request that is not sent: for the dry run, and for whoever wants to know who answers next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rooroute.books import reasons
from rooroute.chat import ChatRequest, CompletionOptions, Message
from rooroute.profiles import Pool, Profile
from rooroute.roster import cost_estimate
from rooroute.routing.crowd import SMALL
from rooroute.routing.limits import Counters, Refused
from rooroute.routing.pool import Decision, Nobody, Use
from rooroute.routing.rules import told as rules_told
from rooroute.story.errand import Errand, Means, Progress, errand_of
from rooroute.story.picking import Picking
from rooroute.story.toll import toll, turn_away
from rooroute.unanswered import titles_of, unanswered

_ANY: Final = ChatRequest((Message("user", ""),))


@dataclass(frozen=True, slots=True)
class Foresight:
    """One window's. Nothing is sent, held or kept; ``counters`` are what all windows have taken of the user's limits."""

    means: Means

    def rehearse(self, request: ChatRequest, options: CompletionOptions, counters: Counters) -> dict[str, Any]:
        """Who would answer ``request`` now, and why, in protocol spelling."""
        errand, picking, decision = self._decided(request, options, counters)
        told = reasons(decision, picking.lineup().way)
        told.pop("moreCandidates", None)
        facts = errand.facts
        found = {**told, "rules": rules_told(errand.pool.rules, facts), "estimatedTokens": facts.tokens}
        if isinstance(decision, Nobody):
            found["reason"] = self._refusal(errand, picking, decision)
        if isinstance(decision, Use):
            profile = picking.configuration.profiles[decision.candidate.profile_id]
            found["profileId"] = profile.id
            known = picking.configuration.knowledge
            asked = known.asked(profile, facts.model)
            price = cost_estimate(asked, facts, self.means.window.measurements.output_tokens())
            if price is not None:
                source = known.sources(profile, decision.candidate.model)["price"]
                found |= {"estimatedCost": price, "priceSource": source.value}
        return found

    def _refusal(self, errand: Errand, picking: Picking, nobody: Nobody) -> str:
        """The sentence that the request would end with."""
        titles, now = titles_of(picking.configuration.profiles.values()), self.means.ports.now()
        wrong = unanswered(
            nobody,
            pool_id=errand.pool.id,
            now=now,
            request_id="",
            titles=titles,
            attempts=(),
            faults=(),
            hosts_lost=0,
        )
        return wrong.message

    def next(self, pool_id: str, counters: Counters, unfit: Mapping[str, str]) -> Decision:
        """Who would answer a request of this pool that has no needs of its own. ``unfit`` says, as the end of a sentence, what is known to
        keep profiles from any request."""
        options = CompletionOptions(request_id="", pool=pool_id, session="")
        return self._decided(_ANY, options, counters, unfit)[2]

    def limit_on(self, profile: Profile, counters: Counters) -> Refused | None:
        """Which of the profile's own limits, or of its tags', has no room for a request now."""
        configuration = self.means.ports.configuration()
        if not (profile.limits or profile.budget or configuration.defaults.budgets):
            return None
        errand = errand_of(self.means.ports, configuration, _ANY, CompletionOptions(request_id=""), Pool(id=""))
        return self.means.limiter.foresee(*toll(self.means, errand, configuration, profile), counters)

    def _decided(
        self,
        request: ChatRequest,
        options: CompletionOptions,
        counters: Counters,
        unfit: Mapping[str, str] | None = None,
    ) -> tuple[Errand, Picking, Decision]:
        configuration = self.means.ports.configuration()
        errand, progress = errand_of(self.means.ports, configuration, request, options), Progress()
        progress.unfit.update(unfit or {})
        picking = Picking(self.means, errand, progress, configuration)
        seen = picking.lineup().candidates
        for each in seen if len(seen) <= SMALL else ():
            self._look(errand, progress, picking, each.profile_id, counters)
        decision = picking.choose(max_wait=0.0)
        for _ in range(SMALL):  # of a large pool only those are looked at who would be asked
            if not isinstance(decision, Use):
                break
            if not self._look(errand, progress, picking, decision.candidate.profile_id, counters):
                break
            decision = picking.choose(max_wait=0.0)
        return errand, picking, decision

    def _look(self, errand: Errand, progress: Progress, picking: Picking, profile_id: str, counters: Counters) -> bool:
        """Whether a limit keeps the request from this profile."""
        profile = picking.configuration.profiles[profile_id]
        refused = self.means.limiter.foresee(*toll(self.means, errand, picking.configuration, profile), counters)
        if refused is not None:
            turn_away(errand, progress, profile, refused)
        return refused is not None
