"""What an attempt takes of the user's limits, and what becomes of the request where one of them has no room."""

from __future__ import annotations

from collections.abc import Sequence

from rooroute.limiter import Amounts
from rooroute.profiles import Configuration, Profile
from rooroute.roster import most_cost
from rooroute.routing.limits import Gauge, Measure, Refused
from rooroute.story.errand import EVERYBODY, Errand, Means, Progress


def toll(
    means: Means, errand: Errand, configuration: Configuration, profile: Profile
) -> tuple[Sequence[Gauge], Amounts]:
    """The limits that an attempt at this profile counts on, and how much it is estimated to take of them."""
    gauges = means.limiter.gauges(configuration, errand.pool, profile, errand.options.tags)
    if not gauges:
        return gauges, Amounts()
    facts, usual = errand.facts, means.window.measurements.output_tokens()
    output = usual if facts.output_tokens is None else facts.output_tokens
    asked = configuration.knowledge.asked(profile, facts.model)
    return gauges, Amounts(facts.tokens + output, most_cost(asked, facts, output) or 0.0)


def turn_away(errand: Errand, progress: Progress, profile: Profile, refused: Refused) -> None:
    """The request cannot go to this profile for now; nothing is marked."""
    progress.limited[EVERYBODY if _for_everybody(errand, profile, refused) else profile.id] = refused


def _for_everybody(errand: Errand, profile: Profile, refused: Refused) -> bool:
    """Whether no other profile would be let through either. Where money is short, a cheaper one may be."""
    gauge, tags = refused.gauge, {f"tag:{each}" for each in errand.options.tags if each not in profile.tags}
    return gauge.measure is not Measure.COST and gauge.holder in {f"pool:{errand.pool.id}", *tags}
