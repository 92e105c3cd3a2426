"""What is wrong with a pool's routing, said before it is saved: names that lead nowhere, shares that sum to nothing, rules that cannot fire."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from rooroute.names import wrong_with
from rooroute.profile_checks import TYPE_ANEW, check_amounts, check_burst
from rooroute.profiles import Pool, Problem, Profile, Strategy
from rooroute.routing.dead_rules import dead_rules, model_covers
from rooroute.routing.probing import LEAST_SECONDS
from rooroute.routing.route import ceiling, under

Finding = tuple[str, str, str]
"""Field, sentence, remedy."""
_DAY: Final = 86_400.0


def check_routing(pool: Pool, profiles: Mapping[str, Profile], known: Collection[str]) -> list[Problem]:
    """What is wrong with how a pool chooses. ``profiles`` are those that can be read, ``known`` the names of all there are."""
    every: Iterable[Iterator[Finding]] = (
        _names(pool, known),
        _shares(pool),
        _figures(pool),
        _strategy(pool),
        _rules(pool, profiles),
        _regions(pool, profiles),
        _last_resort(pool),
        check_amounts("limits", pool.limits, "pool"),
        check_burst(pool.limits),
        check_amounts("budget", pool.budget, "pool"),
        check_amounts("maxPrice", pool.max_price),
    )
    return [
        Problem(f"Pool {pool.id}: {sentence}", field=field, remedy=remedy)
        for findings in every
        for field, sentence, remedy in findings
    ]


def _names(pool: Pool, known: Collection[str]) -> Iterator[Finding]:
    """Names that lead nowhere. Rules and the last resort may go outside of the pool, everything else is about its members."""
    members = set(pool.profiles)
    for place, rule in enumerate(pool.rules):
        for name in rule.profiles:
            if name not in known:
                yield f"rules.{place}.profiles", f"rule {rule.name} leads to {name}, which does not exist.", _CORRECT
    if pool.last_resort and pool.last_resort.profile not in known:
        yield "lastResort.profile", f"its last resort {pool.last_resort.profile} does not exist.", _CORRECT
    named = {
        "weights": list(pool.weights),
        "split": list(pool.split),
        "tiers": [each for tier in pool.tiers for each in tier],
        "modelRoutes": list(pool.model_routes.values()),
        "defaultRoute": [pool.default_route] if pool.default_route else [],
    }
    for field, names in named.items():
        for name in names:
            if name not in members:
                yield (
                    field,
                    f"{field} names {name}, which is not in the pool.",
                    "Add it to the pool or remove it there.",
                )
    if len(set(named["tiers"])) < len(named["tiers"]):
        yield "tiers", "a profile stands in two tiers.", "Name it once."
    if not all(pool.tiers):
        yield "tiers", "a tier names nobody.", "Name a profile there, or remove the tier."


_CORRECT: Final = "Correct the name or remove it."


def _shares(pool: Pool) -> Iterator[Finding]:
    if any(weight < 0 for weight in pool.weights.values()):
        yield "weights", "a weight is less than 0.", "Use 0 for never by choice, and larger numbers for more."
    weighs = [pool.weights.get(name, 1.0) for name in pool.profiles]
    if weighs and not any(weight > 0 for weight in weighs):
        yield (
            "weights",
            "its weights sum to nothing, so that nobody could be chosen.",
            "Give one profile a weight above 0.",
        )
    if any(not 0 < percent <= 100 for percent in pool.split.values()):
        yield "split", "a share has to be above 0 and at most 100 percent.", "Choose another share, or remove it."
    if sum(pool.split.values()) > 100 + 1e-9:
        yield "split", "its shares sum to more than 100 percent.", "Lower one of them."


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 else f"{number:g}"


def _figures(pool: Pool) -> Iterator[Finding]:
    ranges: list[tuple[str, float | None, float, float]] = [
        ("latency.window", pool.latency.window, 1, 7 * _DAY),
        ("latency.percentile", pool.latency.percentile, 1, 100),
        ("latency.exploreEvery", pool.latency.explore_every, 0, 1_000_000),
        ("latency.tooSlow", pool.latency.too_slow, 0.001, _DAY),
        ("latency.probeEvery", pool.latency.probe_every, LEAST_SECONDS, 7 * _DAY),
        ("failover.maxRetries", pool.failover.max_retries, 0, 100),
        ("leaveBelow", pool.leave_below, 0, 1),
        ("maxSwitchCost", pool.max_switch_cost, 0, 1_000_000),
        ("maxCostPerToken", pool.max_cost_per_token, 1e-12, 1),
    ]
    breaker = pool.circuit_breaker
    if breaker is not None:
        ranges += [
            ("circuitBreaker.failureThreshold", breaker.failure_threshold, 1, 1_000),
            ("circuitBreaker.successThreshold", breaker.success_threshold, 1, 1_000),
            ("circuitBreaker.timeout", breaker.timeout, 1, 35 * _DAY),
        ]
    for field, value, least, most in ranges:
        if value is not None and not least <= value <= most:
            yield (
                field,
                f"{field} has to be from {_figure(least)} to {_figure(most)}.",
                "Choose a number in that range.",
            )
    if any(not 300 <= code <= 599 for code in pool.failover.retry_codes):
        yield "failover.retryCodes", "a retry code is no HTTP status of a failure.", "Use numbers from 300 to 599."


def by_cost(pool: Pool) -> bool:
    """Whether the pool cannot do without prices."""
    return pool.max_price is not None or pool.max_cost_per_token is not None or pool.strategy is Strategy.COST


def check_prices(pool: Pool, profiles: Iterable[Profile]) -> list[Problem]:
    """What is wrong with a pool that goes by cost where its ``profiles`` have no price, typed or known, or all too high a one."""
    prices = [member.price for member in profiles] if by_cost(pool) else []
    known = [price for price in prices if price is not None]
    if prices and not known:
        return [
            Problem(
                f"Pool {pool.id}: it goes by cost, and none of its profiles has a price that is known.",
                field="strategy",
                remedy="Add prices in USD per million tokens, or look at the models that its profiles list.",
            )
        ]
    most = ceiling(pool)
    if known and not any(under(price, most) for price in known):
        field = "maxCostPerToken" if pool.max_price is None else "maxPrice"
        told = f"Pool {pool.id}: every profile of it whose price is known costs more than its ceiling."
        return [Problem(told, field=field, remedy="Raise the ceiling (USD), or correct the prices.")]
    return []


def _rules(pool: Pool, profiles: Mapping[str, Profile]) -> Iterator[Finding]:
    names = [rule.name for rule in pool.rules]
    for place, rule in enumerate(pool.rules):
        if not rule.name.strip() or names.index(rule.name) != place:
            yield f"rules.{place}.name", "a rule has no name, or that of another.", "Give it a name of its own."
        if (told := wrong_with(rule.name)) is not None:
            yield f"rules.{place}.name", f"the name of a rule {told}.", TYPE_ANEW
        for told in filter(None, map(wrong_with, rule.when.tags)):
            yield f"rules.{place}.when.tags", f"a tag of rule {rule.name} {told}.", TYPE_ANEW
        if not rule.profiles and not rule.region:
            yield f"rules.{place}.profiles", f"rule {rule.name} leads nowhere.", "Name the profiles it leads to."
    yield from dead_rules(pool, profiles)


def _strategy(pool: Pool) -> Iterator[Finding]:
    if pool.strategy is Strategy.MODEL and not (pool.model_routes or pool.default_route):
        yield "modelRoutes", "the strategy model has no routes to go by.", "Add modelRoutes or a defaultRoute."
    routes = list(pool.model_routes)
    for place, name in enumerate(routes):
        earlier = next((each for each in routes[:place] if model_covers(each, name)), None) if "*" in name else None
        if earlier is not None:
            told = f"the route of {name} can never be gone: whatever meets it meets {earlier} first."
            yield "modelRoutes", told, "Put it before that one, or remove it."
    if pool.default_route and any(model_covers(each, "*") for each in routes):
        told = "its defaultRoute can never be gone: a route takes every model first."
        yield "defaultRoute", told, "Remove one of the two."


def _regions(pool: Pool, profiles: Mapping[str, Profile]) -> Iterator[Finding]:
    """Who is not in the region that the pool is bound to."""

    def elsewhere(names: Iterable[str]) -> bool:
        return all(name in profiles and not _is_in(profiles[name], pool.region) for name in names)

    led = [name for rule in pool.rules for name in rule.profiles]
    if pool.region and pool.profiles and elsewhere((*pool.profiles, *led)):
        told = f"none of its profiles is in the region {pool.region} it is bound to."
        yield "region", told, "Set the region of the profiles, or correct this one."
    elif pool.region and pool.last_resort and elsewhere((pool.last_resort.profile,)):
        told = f"its last resort is not in the region {pool.region} the pool is bound to, and could never be asked."
        yield "lastResort.profile", told, "Choose another profile, or none."


def _is_in(profile: Profile, region: str | None) -> bool:
    return (profile.region or "").casefold() == (region or "").casefold()


def _last_resort(pool: Pool) -> Iterator[Finding]:
    last = pool.last_resort
    if last is None:
        return
    if pool.profiles and {*pool.profiles, *(name for rule in pool.rules for name in rule.profiles)} == {last.profile}:
        told = f"its last resort {last.profile} is its only profile, so that nobody stands before it."
        yield "lastResort.profile", told, "Add another profile to the pool, or choose another last resort."
    if not (last.on_error or last.on_rate_limit):
        told = "its last resort is asked neither on errors nor on rate limits: never."
        yield "lastResort", told, "Switch on onError or onRateLimit, or remove the last resort."
