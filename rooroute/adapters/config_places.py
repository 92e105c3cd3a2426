"""Where a pool's routing names a profile, on the file's plain data: told before the profile is removed, and put back when it returns."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

_SHARES: Final = ("weights", "split")
_WHOLE: Final = 100.0


def places_in(pool: Mapping[str, Any], profile_id: str) -> dict[str, Any]:
    """Every place that names the profile, as JSON values; empty where none does."""
    found: dict[str, Any] = {}
    for name in _SHARES:
        if profile_id in (shares := _mapping(pool, name)):
            found[name] = [list(shares).index(profile_id), shares[profile_id]]
    routes = [[at, model] for at, (model, to) in enumerate(_mapping(pool, "modelRoutes").items()) if to == profile_id]
    if routes:
        found["modelRoutes"] = routes
    if pool.get("defaultRoute") == profile_id:
        found["defaultRoute"] = True
    if _mapping(pool, "lastResort").get("profile") == profile_id:
        found["lastResort"] = deepcopy(pool["lastResort"])
    tiers = [
        [at, tier.index(profile_id), [each for each in tier if each != profile_id]]
        for at, tier in enumerate(_list(pool, "tiers"))
        if isinstance(tier, list) and profile_id in tier
    ]
    if tiers:
        found["tiers"] = tiers[0]
    rules = [
        [at, rule["profiles"].index(profile_id), deepcopy(rule)]
        for at, rule in enumerate(_list(pool, "rules"))
        if isinstance(rule, dict) and profile_id in _list(rule, "profiles")
    ]
    if rules:
        found["rules"] = rules
    return found


def put_back(pool: dict[str, Any], profile_id: str, places: Mapping[str, Any]) -> None:
    """Name the profile again wherever ``places_in`` found it, save where the user has put something else there since."""
    for name in _SHARES:
        if name in places:
            _share_back(pool, name, profile_id, *places[name])
    for at, model in places.get("modelRoutes", ()):
        routes = _mapping(pool, "modelRoutes")
        if model not in routes:
            pool["modelRoutes"] = _with(routes, at, model, profile_id)
    if "defaultRoute" in places and pool.get("defaultRoute") is None:
        pool["defaultRoute"] = profile_id
    if "lastResort" in places and pool.get("lastResort") is None:
        pool["lastResort"] = deepcopy(places["lastResort"])
    if "tiers" in places:
        _tier_back(pool, profile_id, *places["tiers"])
    for at, place, rule in places.get("rules", ()):
        _rule_back(pool, profile_id, at, place, rule)


def _share_back(pool: dict[str, Any], name: str, profile_id: str, at: int, share: Any) -> None:
    shares = _mapping(pool, name)
    numbers = [each for each in (*shares.values(), share) if isinstance(each, int | float)]
    if profile_id not in shares and not (name == "split" and sum(numbers) > _WHOLE):
        pool[name] = _with(shares, at, profile_id, share)


def _tier_back(pool: dict[str, Any], profile_id: str, at: int, place: int, others: list[str]) -> None:
    """Into the tier that has one of those it stood with; where it stood alone, into one of its own."""
    tiers = _list(pool, "tiers")
    if any(isinstance(each, list) and profile_id in each for each in tiers):
        return
    if not others:
        pool["tiers"] = [*tiers[:at], [profile_id], *tiers[at:]]
        return
    with_them = next((each for each in tiers if isinstance(each, list) and set(each) & set(others)), None)
    if with_them is not None:
        with_them.insert(place, profile_id)


def _rule_back(pool: dict[str, Any], profile_id: str, at: int, place: int, rule: dict[str, Any]) -> None:
    """Into the rule of that name; a rule that led nowhere without the profile comes back with it."""
    rules = _list(pool, "rules")
    known = next((each for each in rules if isinstance(each, dict) and each.get("name") == rule.get("name")), None)
    alone = rule["profiles"] == [profile_id]
    if known is None and alone:
        pool["rules"] = [*rules[:at], deepcopy(rule), *rules[at:]]
    elif known is not None and not alone and profile_id not in (named := _list(known, "profiles")):
        known["profiles"] = [*named[:place], profile_id, *named[place:]]


def _with(values: Mapping[Any, Any], at: int, key: Any, value: Any) -> dict[Any, Any]:
    """The mapping with one more entry, at its place: which route is met first depends on the order."""
    entries = list(values.items())
    return dict([*entries[:at], (key, value), *entries[at:]])


def _mapping(value: Mapping[str, Any], name: str) -> Mapping[Any, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _list(value: Mapping[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []
