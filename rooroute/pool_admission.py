"""What may be saved of pools, and of profiles for the pools' sake: each pool has to be right among the profiles that are there."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rooroute.admission import folded, refuse
from rooroute.errors import InvalidInput
from rooroute.known_models import names_of
from rooroute.profile_checks import check_pool
from rooroute.profiles import Configuration, Knowledge, Pool, Problem, Profile, camel, out_of_force
from rooroute.routing.checks import check_prices, check_routing

_BEARS_ON_POOLS: Final = (
    "supports_images",
    "supports_tools",
    "context_window",
    "region",
    "model",
    "models",
    "model_map",
)
"""Fields of a profile with which a pool that was right may be wrong."""


def refuse_pool(pool: Pool, configuration: Configuration) -> None:
    """Raise what is wrong with a pool among the others."""
    refuse(check_pool(pool), "pool")
    for name in pool.profiles:
        if name not in configuration.profiles and name not in configuration.unreadable:
            raise InvalidInput(f"Pool {pool.id} names a profile that does not exist: {name}.", field="pool.profiles")
    for other in configuration.pools.values():
        if other.id != pool.id and folded(other.id, other.title) & folded(pool.id, pool.title):
            raise InvalidInput(f"There is already a pool {other.title}; choose another name.", field="pool.id")
    members = [configuration.profiles[name] for name in pool.profiles if name in configuration.profiles]
    priced = check_prices(pool, [configuration.knowledge.asked(each, None) for each in members])
    refuse([*_wrong(pool, configuration), *priced], "pool")


def refuse_unread(pool_id: str, configuration: Configuration) -> None:
    """Raise where the file's entry of that pool cannot be read: what it should restrict would be gone with it."""
    if (problem := configuration.unreadable_pools.get(pool_id)) is not None:
        told = out_of_force(problem, pool_id).removeprefix("is not in force: ")
        raise InvalidInput(
            f"The pool {pool_id} has to be mended in the configuration file first: {told}.",
            field="pool.id",
            line=problem.line,
        )


def refuse_profile_among_pools(profile: Profile, configuration: Configuration) -> None:
    """Raise where a pool that is right would be wrong with the profile as it is to be saved: a rule could choose nobody then."""
    before = configuration.profiles.get(profile.id)
    changed = [name for name in _BEARS_ON_POOLS if before and getattr(before, name) != getattr(profile, name)]
    if not changed:
        return
    after = replace(configuration, profiles={**configuration.profiles, profile.id: profile})
    for pool in configuration.pools.values():
        if not _asks_of(pool, profile.id):
            continue
        known = {each.message for each in _wrong(pool, configuration)}
        for problem in _wrong(pool, after):
            if problem.message not in known:
                told = f"{profile.title} cannot be saved so: {problem.message} Change that pool first."
                raise InvalidInput(told, field=f"profile.{camel(changed[0])}")


def _asks_of(pool: Pool, profile_id: str) -> bool:
    """Whether a pool asks of this profile what not everybody has."""
    last = pool.last_resort.profile if pool.last_resort else None
    named = {last, *pool.profiles, *(name for rule in pool.rules for name in rule.profiles)}
    return bool(pool.rules or pool.region) and profile_id in named


def _wrong(pool: Pool, configuration: Configuration) -> list[Problem]:
    names = {*pool.profiles, *(name for rule in pool.rules for name in rule.profiles)} if pool.rules else set()
    at_best = {
        name: _at_best(configuration.profiles[name], configuration.knowledge)
        for name in names
        if name in configuration.profiles
    }
    profiles = {**configuration.profiles, **at_best}
    return check_routing(pool, profiles, {*profiles, *configuration.unreadable})


def _at_best(profile: Profile, knowledge: Knowledge) -> Profile:
    """The profile with what all models that it names lack: what one of them can do, or may, is not lacking."""
    models = [knowledge.filled(profile, name) for name in names_of(profile)]
    if not models:
        return profile
    windows = [each.context_window for each in models if each.context_window is not None]
    return replace(
        profile,
        context_window=max(windows) if len(windows) == len(models) else None,
        supports_tools=_unless_never([each.supports_tools for each in models]),
        supports_images=_unless_never([each.supports_images for each in models]),
    )


def _unless_never(known: list[bool | None]) -> bool | None:
    return False if all(each is False for each in known) else None
