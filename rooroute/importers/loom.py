"""Loom's ``ai_gateway`` block: its providers, and how requests are routed among them ("Multi-Provider Routing" in Loom's documentation).

A priority of 1 is the first. Prices are told per thousand tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rooroute.importers.account import Section
from rooroute.importers.gathered import Gathered
from rooroute.importers.values import count, flag, names, number, seconds, statuses, text, whole
from rooroute.importers.vendors import (
    begin,
    price,
    profile_of,
    take_headers,
    take_health,
    take_limits,
)
from rooroute.profiles import CircuitBreaker, LastResort, Strategy, camel

_PER_MILLION: Final = 1_000.0
_LIMITS: Final = {
    name: name
    for name in (
        "requests_per_second", "requests_per_minute", "requests_per_hour", "requests_per_day",
        "tokens_per_second", "tokens_per_minute", "tokens_per_hour", "tokens_per_day", "concurrent_requests", "burst",
    )
}  # fmt: skip
_OPTIONS: Final = {
    "organization": "organization",
    "project": "project",
    "project_id": "project",
    "location": "location",
    "credentials_file": "credentialsFile",
    "api_version": "apiVersion",
}


def read(gateway: Section, gathered: Gathered) -> None:
    """Everything below ``ai_gateway``."""
    for entry in gateway.sections("providers"):
        _provider(entry, gathered)
    gathered.settle_profiles()
    gathered.route(gateway, "enabled", flag, "enabled")
    for entry in gateway.sections("providers"):
        _cost(entry, gathered)
    _model_mapping(gateway.section("model_mapping"), gathered)
    _routing(gateway.section("routing"), gathered)


def _provider(entry: Section, gathered: Gathered) -> None:
    profile_id = begin(entry, gathered)
    if profile_id is None:
        return
    where = f"profile {profile_id}"
    found: dict[str, Any] = {
        ours: entry.take(theirs, text, f"{where}, options.{ours}")
        for theirs, ours in _OPTIONS.items()
        if theirs in entry.data
    }
    found["deployments"] = entry.take("deployments", names, f"{where}, options.deployments")
    gathered.add(profile_id, "options", found)
    take_limits(gathered, entry.section("rate_limit"), profile_id, _LIMITS)
    take_headers(gathered, entry.section("headers"), profile_id)
    take_health(gathered, entry.section("health_check"), profile_id)


def _cost(entry: Section, gathered: Gathered) -> None:
    profile_id = str(entry.data.get("name"))
    if "cost" not in entry.data or not gathered.known(profile_id):
        return
    cost, where = entry.section("cost"), f"profile {profile_id}, price"
    found = [
        cost.take(f"{side}_per_1k", number, f"{where}.{side} (per million tokens)") for side in ("input", "output")
    ]
    told = [None if each is None else round(each * _PER_MILLION, 9) for each in found]
    gathered.change(profile_id, price=price(profile_of(gathered, profile_id).price, told[0], told[1]))


def _model_mapping(mapping: Section, gathered: Gathered) -> None:
    for generic in mapping.data:
        targets = mapping.section(generic)
        for profile_id in targets.data:
            if gathered.named((*targets.place, profile_id), profile_id):
                own = targets.take(profile_id, text, f"profile {profile_id}, modelMap.{generic}")
                gathered.add(profile_id, "model_map", {generic: own})


def _routing(routing: Section, gathered: Gathered) -> None:
    def strategy(raw: Any) -> Strategy:
        try:
            return Strategy(text(raw))
        except ValueError:
            raise ValueError(f"It must be one of {', '.join(Strategy)}.") from None

    if (why := gathered.nobody(routing.sections("providers"))) is not None:
        routing.leave("strategy", why)
    else:
        gathered.route(routing, "strategy", strategy, "strategy")
    _members(routing, gathered)
    _latency(routing.section("latency"), gathered)
    _model_routes(routing.section("model_routes"), gathered)
    _failover(routing.section("failover"), gathered)
    _fallback(routing.section("fallback"), gathered)


def _members(routing: Section, gathered: Gathered) -> None:
    """Who takes part, in which order and with what weight."""
    ranked: list[tuple[int, str]] = []
    weights: dict[str, float] = {}
    for entry in routing.sections("providers"):
        profile_id = entry.take("name", text, f"pool {gathered.target}, profiles")
        if profile_id is None or not gathered.named(entry.place, profile_id):
            continue
        rank = entry.take("priority", whole, f"pool {gathered.target}, the order of profiles: 1 is the first")
        ranked.append((rank if rank is not None else len(routing.data["providers"]) + 1, profile_id))
        weight = entry.take("weight", number, f"pool {gathered.target}, weights.{profile_id}")
        if weight is not None:
            weights[profile_id] = weight
        _cost(entry, gathered)
        take_health(gathered, entry.section("health_check"), profile_id)
    order = tuple(dict.fromkeys(name for _, name in sorted(ranked, key=lambda each: each[0])))
    gathered.put((*routing.place, "providers"), "profiles", order or None)
    gathered.put((*routing.place, "providers"), "weights", weights or None)


def _latency(latency: Section, gathered: Gathered) -> None:
    def percentile(raw: Any) -> float:
        if (value := number(raw)) > 100:
            raise ValueError("It must be a number from 0 to 100.")
        return value

    where, before = f"pool {gathered.target}, latency", gathered.base().latency
    window = latency.take("window", seconds, f"{where}.window (seconds)")
    share = latency.take("percentile", percentile, f"{where}.percentile")
    if window is not None or share is not None:
        changed = replace(
            before, window=window or before.window, percentile=before.percentile if share is None else share
        )
        gathered.put(latency.place, "latency", changed)


def _model_routes(routes: Section, gathered: Gathered) -> None:
    found: dict[str, str] = {}
    for model in routes.data:
        where = f"pool {gathered.target}, {'defaultRoute' if model == 'default' else f'modelRoutes.{model}'}"
        profile_id = routes.take(model, text, where)
        if profile_id is None or not gathered.named((*routes.place, model), profile_id):
            continue
        if model == "default":
            gathered.put((*routes.place, model), "default_route", profile_id)
        else:
            found[model] = profile_id
    gathered.put(routes.place, "model_routes", found or None)


def _failover(failover: Section, gathered: Gathered) -> None:
    where = f"pool {gathered.target}, failover"
    found: Mapping[str, Any] = {
        "enabled": failover.take("enabled", flag, f"{where}.enabled"),
        "max_retries": failover.take("max_retries", whole, f"{where}.maxRetries"),
        "retry_codes": failover.take("retry_codes", statuses, f"{where}.retryCodes"),
    }
    told = {name: value for name, value in found.items() if value is not None}
    gathered.put(failover.place, "failover", replace(gathered.base().failover, **told) if told else None)
    breaker, where = failover.section("circuit_breaker"), f"pool {gathered.target}, circuitBreaker"
    found = {
        "failure_threshold": breaker.take("failure_threshold", count, f"{where}.failureThreshold"),
        "success_threshold": breaker.take("success_threshold", count, f"{where}.successThreshold"),
        "timeout": breaker.take("timeout", seconds, f"{where}.timeout (seconds)"),
    }
    told = {name: value for name, value in found.items() if value is not None}
    before = gathered.base().circuit_breaker or CircuitBreaker()
    gathered.put(breaker.place, "circuit_breaker", replace(before, **told) if told else None)


def _fallback(fallback: Section, gathered: Gathered) -> None:
    if not fallback.data:
        return
    where = f"pool {gathered.target}, lastResort"
    profile_id = fallback.take("provider", text, f"{where}.profile")
    if profile_id is None or not gathered.named(fallback.place, profile_id):
        return
    found: dict[str, Any] = {
        name: fallback.take(name, flag, f"{where}.{camel(name)}") for name in ("on_error", "on_rate_limit")
    }
    told = {name: value for name, value in found.items() if value is not None}
    gathered.put(fallback.place, "last_resort", LastResort(profile=profile_id, **told))
