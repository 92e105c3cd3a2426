"""Where a request is led before anybody's health is asked: by the first rule it meets, by its model, by its share of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from rooroute.profiles import Need, Pool, Price, Profile, Rule, Strategy
from rooroute.routing.candidate import Candidate
from rooroute.routing.rules import NOTHING, Facts, first_rule, model_matches

CHOSEN: Final = -1
LED: Final = 0
BEHIND: Final = 1
CANARY_OF_OTHERS: Final = 2
NEARLY_USED_UP: Final = 4
SPOKEN_AGAINST: Final = 4
"""Groups of candidates, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """``groups`` and ``tiers`` are by profile id, where they are not the usual ones; ``profiles`` is the order. ``rule`` is the name of
    the rule that fired. ``region`` binds the request."""

    profiles: tuple[str, ...]
    strategy: Strategy
    rule: str | None = None
    groups: Mapping[str, int] = field(default_factory=dict)
    tiers: Mapping[str, int] | None = None
    region: str | None = None
    last_resort: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """What of a route depends on the single request: the rule it met and the canary its session falls to."""

    rule: Rule | None = None
    canary: str | None = None
    region: str | None = None


def lead(pool: Pool, facts: Facts = NOTHING, session: str = "") -> Lead:
    """What leads a request with these facts. ``session`` names the conversation, for splits that stay with it."""
    rule = first_rule(pool.rules, facts) if pool.rules and pool.enabled else None
    region = facts.region or (rule.region if rule else None) or pool.region
    return Lead(rule, _canary(pool, session) if pool.split and pool.enabled else None, region)


def route(pool: Pool, model: str | None, given: Lead) -> Route:
    """Where this pool sends requests for this model (None: each profile's own) that are led so."""
    if not pool.enabled:
        return Route(profiles=pool.profiles, strategy=Strategy.PRIORITY, region=given.region)
    rule = given.rule
    extra = (pool.last_resort.profile,) if pool.last_resort else ()
    ids = _members(pool, rule, extra)
    groups = {each: BEHIND for each in ids if each not in rule.profiles} if rule else _routed(pool, ids, model)
    return Route(
        profiles=ids,
        strategy=rule.strategy if rule and rule.strategy else pool.strategy,
        rule=rule.name if rule else None,
        groups={**groups, **_split(pool, ids, groups, given.canary)} if pool.split else groups,
        tiers=_tiers(pool, rule),
        region=given.region,
        last_resort=pool.last_resort.profile if pool.last_resort else None,
    )


def _members(pool: Pool, rule: Rule | None, extra: tuple[str, ...]) -> tuple[str, ...]:
    """The profiles in order, nobody twice."""
    if rule is None:
        return tuple(dict.fromkeys((*pool.profiles, *extra))) if extra else pool.profiles
    behind = () if rule.only else (*pool.profiles, *extra)
    return tuple(dict.fromkeys((*rule.profiles, *behind)))


def _routed(pool: Pool, ids: Iterable[str], model: str | None) -> dict[str, int]:
    """Under the strategy ``model``: everybody but the one this model is routed to stands behind."""
    if pool.strategy is not Strategy.MODEL:
        return {}
    exact = pool.model_routes.get(model or "")
    found = exact or next((to for name, to in pool.model_routes.items() if model_matches(model, (name,))), None)
    target = found or pool.default_route
    return {} if target is None else {each: BEHIND for each in ids if each != target}


def _tiers(pool: Pool, rule: Rule | None) -> dict[str, int] | None:
    """Places in the user's tiers, the rest in one after the last. A rule's own profiles are each their own tier under ``priority``."""
    if not pool.tiers or rule is not None:
        return None
    found = {each: place for place, tier in enumerate(pool.tiers) for each in reversed(tier)}
    return {**dict.fromkeys(pool.profiles, len(pool.tiers)), **found}


def share_of(session: str) -> float:
    """A session's place among all sessions, 0 to 100, always the same."""
    digest = blake2b(session.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100


def _canary(pool: Pool, session: str) -> str | None:
    """Whose share of the sessions this one falls into, if anybody's."""
    place, reached = share_of(session), 0.0
    for profile_id, percent in pool.split.items():
        reached += percent
        if place < reached:
            return profile_id
    return None


def _split(pool: Pool, ids: Iterable[str], groups: Mapping[str, int], canary: str | None) -> dict[str, int]:
    """The canary goes first, the other canaries behind who else was led to."""
    main = _main(pool)
    return {
        each: CHOSEN if each == canary else CANARY_OF_OTHERS
        for each in ids
        if each in pool.split and groups.get(each, LED) == LED and (each == canary or each != main)
    }


def _main(pool: Pool) -> str | None:
    """Where shares are named for everybody, the largest one is no canary: it stands in for the others."""
    return max(pool.split, key=lambda each: pool.split[each]) if set(pool.profiles) <= set(pool.split) else None


def led(candidate: Candidate, way: Route) -> Candidate:
    """The candidate at its place on this route."""
    group = way.groups.get(candidate.profile_id, LED)
    tier = way.tiers.get(candidate.profile_id) if way.tiers is not None else None
    last = candidate.last_resort or candidate.profile_id == way.last_resort
    if (group, tier, last) == (candidate.group, candidate.tier, candidate.last_resort):
        return candidate
    return replace(candidate, group=group, tier=tier, last_resort=last)


def unfit(profile: Profile, pool: Pool, facts: Facts, region: str | None) -> str | None:
    """Why a request must not go to this profile, as the end of a sentence about it: it cannot, may not, or costs too much."""
    if region is not None and (profile.region or "").casefold() != region.casefold():
        where = f"is in the region {profile.region}" if profile.region else "names no region"
        return f"{where}, and the request is bound to {region}"
    for need, wanted, able in (
        (Need.TOOLS, facts.tools, profile.supports_tools),
        (Need.IMAGES, facts.images, profile.supports_images),
    ):
        if wanted and able is False:
            return f"cannot take {need.value}"
    if profile.budget is not None and profile.price is None:
        return "has a budget in money and no price that is known"
    return _too_dear(profile, pool)


def _too_dear(profile: Profile, pool: Pool) -> str | None:
    most_input, most_output = ceiling(pool)
    if most_input is None and most_output is None:
        return None
    if profile.price is None:
        return "has no price, and the pool has a ceiling"
    for kind, most, price in (
        ("input", most_input, profile.price.input),
        ("output", most_output, profile.price.output),
    ):
        if most is not None and price > most:
            return f"costs ${price:g} per million {kind} tokens, more than the ceiling of ${most:g}"
    return None


def under(price: Price, most: tuple[float | None, float | None]) -> bool:
    """Whether a price keeps to what input and output may cost at most."""
    return all(limit is None or each <= limit for each, limit in zip((price.input, price.output), most, strict=True))


def ceiling(pool: Pool) -> tuple[float | None, float | None]:
    """The most that input and output may cost, USD per million tokens."""
    flat = None if pool.max_cost_per_token is None else pool.max_cost_per_token * 1_000_000
    own = (pool.max_price.input, pool.max_price.output) if pool.max_price else (None, None)

    def least(one: float | None) -> float | None:
        known = [each for each in (one, flat) if each is not None]
        return min(known, default=None)

    return least(own[0]), least(own[1])
