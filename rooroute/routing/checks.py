"""What is wrong with a pool's routing, said before it is saved: names that lead nowhere, shares that sum to nothing, rules that cannot fire."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from rooroute.profile_checks import check_amounts
from rooroute.profiles import Need, Pool, Problem, Profile, Rule, Strategy, When
from rooroute.routing.probing import LEAST_SECONDS
from rooroute.routing.rules import conditions

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
        check_amounts("limits", pool.limits),
        check_amounts("budget", pool.budget),
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
        yield "split", "a share is not above 0 and at most 100 percent.", "Choose another share, or remove it."
    if sum(pool.split.values()) > 100 + 1e-9:
        yield "split", "its shares sum to more than 100 percent.", "Lower one of them."


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
            yield field, f"{field} is {least:g} to {most:g}.", "Choose a number in that range."
    if any(not 100 <= code <= 599 for code in pool.failover.retry_codes):
        yield "failover.retryCodes", "a retry code is no HTTP status.", "Use numbers from 100 to 599."


def by_cost(pool: Pool) -> bool:
    """Whether the pool cannot do without prices."""
    return pool.max_price is not None or pool.max_cost_per_token is not None or pool.strategy is Strategy.COST


def check_prices(pool: Pool, profiles: Iterable[Profile]) -> list[Problem]:
    """What is wrong with a pool that goes by cost where its ``profiles`` have no price, typed or known."""
    members = list(profiles) if by_cost(pool) else []
    if not members or any(member.price is not None for member in members):
        return []
    return [
        Problem(
            f"Pool {pool.id}: it goes by cost, and none of its profiles has a price that is known.",
            field="strategy",
            remedy="Add prices in USD per million tokens, or look at the models that its profiles list.",
        )
    ]


def _strategy(pool: Pool) -> Iterator[Finding]:
    if pool.strategy is Strategy.MODEL and not (pool.model_routes or pool.default_route):
        yield "modelRoutes", "the strategy model has no routes to go by.", "Add modelRoutes or a defaultRoute."


def _rules(pool: Pool, profiles: Mapping[str, Profile]) -> Iterator[Finding]:
    names = [rule.name for rule in pool.rules]
    for place, rule in enumerate(pool.rules):
        where = f"rules.{place}"
        if not rule.name.strip() or names.index(rule.name) != place:
            yield f"{where}.name", "a rule has no name, or that of another.", "Give it a name of its own."
        if not rule.profiles and not rule.region:
            yield f"{where}.profiles", f"rule {rule.name} leads nowhere.", "Name the profiles it leads to."
        for field, sentence in _senseless(rule.when):
            yield f"{where}.when.{field}", f"rule {rule.name} can never fire: {sentence}", "Change or remove it."
        for earlier in pool.rules[:place]:
            if covers(earlier.when, rule.when):
                sentence = f"rule {rule.name} can never fire: whatever meets it meets {earlier.name} first."
                yield f"{where}.when", sentence, "Put it before that rule, or remove it."
                break
        if (why := _unanswerable(rule, pool, profiles)) is not None:
            yield f"{where}.profiles", f"rule {rule.name} can never be answered: {why}", "Lead it to others."


def _senseless(when: When) -> Iterator[tuple[str, str]]:
    if when.min_length is not None and when.max_length is not None and when.min_length > when.max_length:
        yield "minLength", "minLength is above maxLength."
    if when.min_tokens is not None and when.max_tokens is not None and when.min_tokens > when.max_tokens:
        yield "minTokens", "minTokens is above maxTokens."
    for field, value in (("maxLength", when.max_length), ("maxTokens", when.max_tokens)):
        if value is not None and value < 0:
            yield field, f"{field} is less than 0."
    if when.pattern is not None:
        try:
            re.compile(when.pattern)
        except re.error as wrong:
            yield "pattern", f"its pattern is no regular expression ({wrong})."
    for field in ("model", "mode", "task", "intent", "contains", "language", "tags", "region"):
        if "" in getattr(when, field) and field != "contains":
            yield field, f"{field} holds an empty text."


_ANY_OF: Final = frozenset({"model", "mode", "task", "intent", "contains", "language", "region"})
_ALL_OF: Final = frozenset({"needs", "tags"})


def covers(earlier: When, later: When) -> bool:
    """Whether every request that meets ``later`` meets ``earlier``, as far as that can be told from the conditions alone: tried after it,
    ``later`` would never fire."""
    wanted, given = conditions(earlier), conditions(later)
    return all(name in given and _implied(name, value, given[name]) for name, value in wanted.items())


def _implied(name: str, earlier: Any, later: Any) -> bool:
    if name in _ANY_OF:
        return _folded(later) <= _folded(earlier)
    if name in _ALL_OF:
        return _folded(later) >= _folded(earlier)
    if name.startswith("min_"):
        return bool(later >= earlier)
    if name.startswith("max_"):
        return bool(later <= earlier)
    return bool(later == earlier)


def _folded(values: Iterable[object]) -> set[str]:
    return {str(each).casefold() for each in values}


def _unanswerable(rule: Rule, pool: Pool, profiles: Mapping[str, Profile]) -> str | None:
    """Why nobody that the rule can reach could take what it leads."""
    names = (*rule.profiles, *(() if rule.only else pool.profiles))
    reached = [profiles[name] for name in names if name in profiles]
    if not reached:
        return None
    regions = {each.casefold() for each in ((rule.region,) if rule.region else rule.when.region)}
    if regions and not any((each.region or "").casefold() in regions for each in reached):
        return "none of its profiles is in the region it is bound to."
    if Need.TOOLS in rule.when.needs and all(each.supports_tools is False for each in reached):
        return "none of its profiles takes tools."
    if Need.IMAGES in rule.when.needs and all(each.supports_images is False for each in reached):
        return "none of its profiles takes images."
    return None
