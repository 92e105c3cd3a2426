"""The ``providers`` and ``routing_rules`` of "How to Add Another Provider to Roocode: A Simple Guide".

A priority of 100 comes before one of 80. ``max_cost_per_token`` is one number in USD for input and output alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from rooroute.importers.account import Section
from rooroute.importers.conditions import whens
from rooroute.importers.gathered import Gathered
from rooroute.importers.values import flag, interval, number, positive, text, whole
from rooroute.importers.vendors import LIMITS, begin, price, profile_of, take_headers, take_limits
from rooroute.profiles import Rule, Strategy, When

_TOO_SLOW: Final = 10.0
_PER_MILLION: Final = 1_000_000.0
_WHOLE: Final = 100.0
_STRATEGIES: Final = {
    "priority_fallback": Strategy.PRIORITY,
    "latency_aware": Strategy.LATENCY,
    "cost_optimized": Strategy.COST,
    "load_balancing": Strategy.ROUND_ROBIN,
}
_ALGORITHMS: Final = {
    "round_robin": Strategy.ROUND_ROBIN,
    "weighted_round_robin": Strategy.WEIGHTED,
    "weighted": Strategy.WEIGHTED,
    "least_connections": Strategy.LEAST_BUSY,
    "least_busy": Strategy.LEAST_BUSY,
}


def read(root: Section, gathered: Gathered) -> None:
    """``providers`` and ``routing_rules``."""
    ranked: dict[str, float] = {}
    for entry in root.sections("providers"):
        _provider(entry, gathered, ranked)
    gathered.settle_profiles()
    for rule in root.sections("routing_rules"):
        _rule(rule, gathered)
    if ranked:
        everybody = sorted(gathered.profiles, key=lambda each: -ranked.get(each, -1.0))
        gathered.pool.setdefault("profiles", tuple(everybody))
        gathered.pool_places.setdefault("profiles", (*root.place, "providers"))


def _provider(entry: Section, gathered: Gathered, ranked: dict[str, float]) -> None:
    profile_id = begin(entry, gathered)
    if profile_id is None:
        return
    take_headers(gathered, entry.section("headers"), profile_id)
    for fields in (entry, entry.section("config")):
        _details(fields, gathered, profile_id, ranked)


def _details(fields: Section, gathered: Gathered, profile_id: str, ranked: dict[str, float]) -> None:
    where = f"profile {profile_id}"
    profile = profile_of(gathered, profile_id)
    wait = fields.take(
        "timeout_seconds", positive, f"{where}, timeouts.firstToken: how long the answer may take to begin"
    )
    gathered.change(
        profile_id,
        timeouts=None if wait is None else replace(profile.timeouts, first_token=wait),
        max_retries=fields.take("max_retries", whole, f"{where}, maxRetries"),
        region=fields.take("region", text, f"{where}, region"),
    )
    rank = fields.take("priority", number, f"pool {gathered.target}, the order of profiles: the highest is the first")
    if rank is not None:
        ranked[profile_id] = rank
    weight = fields.take("weight", number, f"pool {gathered.target}, weights.{profile_id}")
    if weight is not None:
        gathered.pool["weights"] = {**gathered.pool.get("weights", {}), profile_id: weight}
        gathered.pool_places.setdefault("weights", (*fields.place, "weight"))
    for name in ("rate_limit", "rate_limits"):
        take_limits(gathered, fields.section(name), profile_id, {each: each for each in LIMITS})


def _rule(rule: Section, gathered: Gathered) -> None:
    word = rule.data.get("strategy")
    reader = _READERS.get(word) if isinstance(word, str) else None
    if reader is None:
        return rule.leave("strategy", f"It must be one of {', '.join(_READERS)}.")
    members = gathered.nobody(rule.sections("providers")) or gathered.nobody(rule.sections("splits"), "provider")
    if members is not None:
        return rule.account.leave(rule.place, members)
    reader(rule, gathered)
    return None


def _strategy(rule: Section, gathered: Gathered) -> None:
    def named(raw: Any) -> Strategy:
        return _STRATEGIES[raw]

    gathered.route(rule, "strategy", named, "strategy")


def _members(
    rule: Section, gathered: Gathered, each: Callable[[Section, str], None] = lambda entry, name: None
) -> list[str]:
    """The profiles that take part, those first that the rule puts first."""
    ranked: list[tuple[float, str]] = []
    for entry in rule.sections("providers"):
        profile_id = entry.take("name", text, f"pool {gathered.target}, profiles")
        if profile_id is None or not gathered.named(entry.place, profile_id):
            continue
        each(entry, profile_id)
        rank = entry.take(
            "priority", number, f"pool {gathered.target}, the order of profiles: the highest is the first"
        )
        ranked.append((-1.0 if rank is None else rank, profile_id))
    return list(dict.fromkeys(name for _, name in sorted(ranked, key=lambda each: -each[0])))


def _priority(rule: Section, gathered: Gathered) -> None:
    _strategy(rule, gathered)
    gathered.put((*rule.place, "providers"), "profiles", tuple(_members(rule, gathered)) or None)


def _latency(rule: Section, gathered: Gathered) -> None:
    _strategy(rule, gathered)
    members = _members(rule, gathered)
    _join(rule, gathered, members)
    _monitor(rule, gathered, members)
    told = f"pool {gathered.target}, latency.tooSlow: {_TOO_SLOW:g} seconds, since no limit is told"
    if rule.take("fallback_on_high_latency", flag, told):
        place = (*rule.place, "fallback_on_high_latency")
        gathered.put(place, "latency", replace(gathered.base().latency, too_slow=_TOO_SLOW))


def _monitor(rule: Section, gathered: Gathered, members: list[str]) -> None:
    """A health check of each member. It does not measure the time to first token: that would cost tokens all day long, and real requests
    tell it."""
    told = (
        f"profiles {', '.join(members)}, healthCheck.interval: asks for the list of models so often, which costs no tokens; "
        "healthCheck.sends: completion would measure answers too, at their price"
    )
    every = rule.take("monitor_interval_seconds", interval, told)
    if every is None:
        return
    for profile_id in members:
        check = replace(profile_of(gathered, profile_id).health_check, enabled=True, interval=every)
        gathered.change(profile_id, health_check=check)


def _cost(rule: Section, gathered: Gathered) -> None:
    _strategy(rule, gathered)
    ceilings: list[float] = []

    def ceiling(entry: Section, profile_id: str) -> None:
        priced = profile_of(gathered, profile_id).price is not None
        where = f"pool {gathered.target}, maxCostPerToken (the highest one told holds for all)"
        if not priced:
            where += f"; profile {profile_id}, price, since none is told"
        found = entry.take("max_cost_per_token", positive, where)
        if found is None:
            return
        ceilings.append(found)
        if not priced:
            same = round(found * _PER_MILLION, 9)
            gathered.change(profile_id, price=price(None, same, same))

    _join(rule, gathered, _members(rule, gathered, ceiling))
    gathered.put((*rule.place, "providers"), "max_cost_per_token", max(ceilings, default=None))
    _tasks(rule.section("model_mapping"), gathered)


def _tasks(mapping: Section, gathered: Gathered) -> None:
    """Which profile does which task: a rule for each."""
    for task in mapping.data:
        profile_id = mapping.take(task, text, f"pool {gathered.target}, a rule for requests whose task is {task}")
        if profile_id is not None and gathered.named((*mapping.place, task), profile_id):
            _add_rule(
                gathered, (*mapping.place, task), Rule(name=task, when=When(task=(task,)), profiles=(profile_id,))
            )


def _balance(rule: Section, gathered: Gathered) -> None:
    def algorithm(raw: Any) -> Strategy:
        found = _ALGORITHMS.get(str(raw))
        if found is None:
            raise ValueError(f"It must be one of {', '.join(_ALGORITHMS)}.")
        return found

    if "algorithm" in rule.data:
        gathered.account.took((*rule.place, "strategy"), f"pool {gathered.target}, strategy, together with algorithm")
        gathered.route(rule, "algorithm", algorithm, "strategy")
    else:
        _strategy(rule, gathered)
    weights: dict[str, float] = {}

    def weight(entry: Section, profile_id: str) -> None:
        found = entry.take("weight", number, f"pool {gathered.target}, weights.{profile_id}")
        if found is not None:
            weights[profile_id] = found

    _join(rule, gathered, _members(rule, gathered, weight))
    gathered.put((*rule.place, "providers"), "weights", weights or None)


def _join(rule: Section, gathered: Gathered, members: list[str]) -> None:
    """Who takes part, where no rule before has said in which order."""
    if "profiles" in gathered.pool:
        gathered.pool["profiles"] = tuple(dict.fromkeys((*gathered.pool["profiles"], *members)))
    else:
        gathered.put((*rule.place, "providers"), "profiles", tuple(members) or None)


def _content(rule: Section, gathered: Gathered) -> None:
    gathered.account.took((*rule.place, "strategy"), f"pool {gathered.target}, rules")
    for entry in rule.sections("rules"):
        if "default_route" in entry.data:
            _default(entry, gathered)
            continue
        profile_id = entry.take("route_to", text, f"pool {gathered.target}, rules: the profile it goes to")
        alternatives = entry.take("condition", whens, f"pool {gathered.target}, rules: when it fires")
        if profile_id is None or alternatives is None:
            entry.account.leave(entry.place, "A rule needs a condition that can be read, and route_to.")
        elif gathered.named(entry.place, profile_id):
            for when in alternatives:
                _add_rule(
                    gathered, entry.place, Rule(name=_free(gathered, profile_id), when=when, profiles=(profile_id,))
                )
    _default(rule, gathered)


def _default(entry: Section, gathered: Gathered) -> None:
    profile_id = entry.take(
        "default_route", text, f"pool {gathered.target}, the last of its rules, which is always met"
    )
    if profile_id is not None and gathered.named((*entry.place, "default_route"), profile_id):
        _add_rule(gathered, entry.place, Rule(name=_free(gathered, "default"), profiles=(profile_id,)))


def _free(gathered: Gathered, stem: str) -> str:
    taken = {rule.name for rule in gathered.pool.get("rules", ())}
    return (
        stem
        if stem not in taken
        else next(name for n in range(2, len(taken) + 3) if (name := f"{stem} {n}") not in taken)
    )


def _add_rule(gathered: Gathered, place: tuple[str, ...], rule: Rule) -> None:
    """Put a rule behind the others, but before one that is always met; its profiles join the pool."""
    before = gathered.pool.get("rules", ())
    always = tuple(each for each in before if each.when == When())
    others = tuple(each for each in before if each not in always)
    gathered.pool["rules"] = (*others, rule, *always) if rule.when != When() else (*before, rule)
    gathered.pool_places.setdefault("rules", place)
    members = gathered.pool.get("profiles") or gathered.base().profiles
    gathered.pool["profiles"] = tuple(dict.fromkeys((*members, *rule.profiles)))
    gathered.pool_places.setdefault("profiles", place)


def _split(rule: Section, gathered: Gathered) -> None:
    def percentage(raw: Any) -> float:
        if (value := number(raw)) > _WHOLE:
            raise ValueError("It must be a percentage from 0 to 100.")
        return value

    gathered.account.took((*rule.place, "strategy"), f"pool {gathered.target}, split")
    shares: dict[str, float] = {}
    for entry in rule.sections("splits"):
        profile_id = entry.take("provider", text, f"pool {gathered.target}, split")
        if profile_id is None or not gathered.named(entry.place, profile_id):
            continue
        share = entry.take("percentage", percentage, f"pool {gathered.target}, split.{profile_id}")
        if share is not None:
            shares[profile_id] = share
    _join(rule, gathered, list(shares))
    gathered.put((*rule.place, "splits"), "split", shares or None)


_READERS: Final[Mapping[str, Callable[[Section, Gathered], None]]] = {
    "priority_fallback": _priority,
    "latency_aware": _latency,
    "cost_optimized": _cost,
    "load_balancing": _balance,
    "content_based": _content,
    "traffic_split": _split,
}
