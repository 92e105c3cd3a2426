"""A document as a ``Configuration``: what parses, and a problem with its line for all that does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from rooroute.adapters.config_text import Document, Place, Unreadable
from rooroute.profile_checks import check_defaults, check_pool, check_profile, pointless
from rooroute.profiles import Configuration, Defaults, Pool, Problem, Profile
from rooroute.routing.checks import check_routing

T = TypeVar("T")
VERSION: Final = 1
SECTIONS: Final = ("version", "profiles", "pools", "defaults")
PROFILE: Final = TypeAdapter(Profile)
POOL: Final = TypeAdapter(Pool)
DEFAULTS: Final = TypeAdapter(Defaults)
_ADAPTERS: Final[Mapping[type, TypeAdapter[Any]]] = {Profile: PROFILE, Pool: POOL, Defaults: DEFAULTS}
Check = Callable[[Profile], Sequence[Problem]]

# pydantic's error types, https://docs.pydantic.dev/latest/errors/validation_errors/, where its own words would puzzle.
_WORDS: Final[Mapping[str, tuple[str, str | None]]] = {
    "missing": ("is missing", "Add it."),
    "extra_forbidden": ("is not a field that rooroute knows", "Correct its name or remove it."),
    "unexpected_keyword_argument": ("is not a field that rooroute knows", "Correct its name or remove it."),
    "string_type": ("must be text", "Put it into quotes."),
    "dataclass_type": ("must be a mapping of fields", None),
}


def configuration(document: Document, revision: str, check: Check) -> Configuration:
    """What ``document`` decides. ``check`` adds what is wrong with a profile for its vendor.

    Entries that do not parse are in ``unreadable`` by their label (``labels``). Raises Unreadable when a whole section is not what it
    should be: nothing in it could be told from nothing at all.
    """
    reading = _Reading(document, check)
    for name, kind in (("profiles", list), ("pools", list), ("defaults", dict)):
        if document.data.get(name) is not None and not isinstance(document.data[name], kind):
            shape = "a list" if kind is list else "a mapping"
            raise Unreadable(f"{name} must be {shape}.", document.lines.get((name,)))
    for name in document.data:
        if name not in SECTIONS:
            reading.wrong((name,), f"{name} is no section that rooroute knows.", "Use profiles, pools or defaults.")
    if version_of(document.data) != VERSION:
        reading.wrong(
            ("version",),
            "Another version of rooroute wrote this file; it is read as far as possible.",
            "Update rooroute.",
        )
    profiles = reading.profiles()
    return Configuration(
        profiles=profiles,
        pools=(pools := reading.pools(profiles)),
        defaults=reading.defaults(pools),
        revision=revision,
        problems=tuple(reading.problems),
        unreadable=reading.unreadable,
        unreadable_pools=reading.unreadable_pools,
        unreadable_defaults=reading.unreadable_defaults,
        first_pool=next(iter(labels(document.data.get("pools") or [], "pools")), None),
    )


def with_last_good(fresh: Configuration, document: Document, good: Configuration, check: Check) -> Configuration:
    """``fresh`` with the ``good`` version of each entry that cannot be read now: of a profile where nothing is wrong with that version, of a
    pool with all its rules, and of the defaults.

    One typing error takes nobody out of service and lifts no restriction. A profile's own switch holds as far as it can be read.
    """
    told: dict[Problem, Problem] = {}

    def stays(problem: Problem, what: str) -> None:
        told[problem] = replace(problem, message=f"{problem.message} The last good version of {what} stays in force.")

    profiles = dict[str, Profile]()
    for label, entry in _labelled(document, "profiles"):
        profile = fresh.profiles.get(label)
        kept = good.profiles.get(label) if profile is None and _is_called(entry, label) else None
        if kept is not None and not (*check_profile(kept), *check(kept)):
            stays(fresh.unreadable[label], label)
            switch = entry.get("enabled")
            profile = replace(kept, enabled=switch) if isinstance(switch, bool) else kept
        if profile is not None:
            profiles[label] = profile
    pools = dict[str, Pool]()
    for label, entry in _labelled(document, "pools"):
        pool = fresh.pools.get(label)
        if label in fresh.unreadable_pools and label in good.pools and _is_called(entry, label):
            pool = good.pools[label]
            stays(fresh.unreadable_pools[label], "the pool")
        if pool is not None:
            pools[label] = pool
    defaults = fresh.defaults
    if fresh.unreadable_defaults is not None:
        defaults = good.defaults
        stays(fresh.unreadable_defaults, "the defaults")
    if not told:
        return fresh
    return replace(
        fresh,
        profiles=profiles,
        pools=pools,
        defaults=defaults,
        problems=tuple(told.get(each, each) for each in fresh.problems),
        unreadable={label: told.get(each, each) for label, each in fresh.unreadable.items()},
        unreadable_pools={label: told.get(each, each) for label, each in fresh.unreadable_pools.items()},
    )


def _labelled(document: Document, section: str) -> Iterator[tuple[str, Any]]:
    entries = document.data.get(section) or []
    return zip(labels(entries, section), entries, strict=True)


def _is_called(entry: Any, label: str) -> bool:
    return isinstance(entry, Mapping) and entry.get("id") == label


def version_of(data: Mapping[str, Any]) -> object:
    """The file format's version; a file without one is of the first."""
    return data.get("version", VERSION)


def labels(entries: Sequence[Any], section: str) -> list[str]:
    """A name for every entry: its id, ``profiles[3]`` without one, and ``id (2)`` for an id that an earlier entry has (case aside)."""
    found: list[str] = []
    seen: dict[str, int] = {}
    for index, entry in enumerate(entries):
        name = entry.get("id") if isinstance(entry, Mapping) else None
        label = name if isinstance(name, str) and name else f"{section}[{index}]"
        count = seen[label.casefold()] = seen.get(label.casefold(), 0) + 1
        found.append(label if count == 1 else f"{label} ({count})")
    return found


def plain(value: Profile | Pool | Defaults) -> dict[str, Any]:
    """A value as it stands in the file: camelCase, ``id`` first, defaults left out, whole numbers without a point."""
    dumped = _ADAPTERS[type(value)].dump_python(value, mode="json", by_alias=True, exclude_defaults=True)
    return {name: _short(inner) for name, inner in dumped.items()}


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def parsed(adapter: TypeAdapter[T], raw: Any) -> tuple[T | None, list[tuple[Place, str, str | None]]]:
    """The value, or where and how the raw entry is wrong: place, sentence, remedy. Never what stood there: it may be a key."""
    found: list[tuple[Place, str, str | None]] = [
        (place, f"{_dotted(place)} must be a finite number.", None)
        for place, number in _numbers(raw)
        if not math.isfinite(number)
    ]
    try:
        value = adapter.validate_python(raw)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False, include_input=False, include_context=False):
            place = tuple(part for part in error["loc"])
            words, remedy = _WORDS.get(error["type"], (None, None))
            told = words or error["msg"].replace("Input should", "should").strip()
            found.append((place, f"{_dotted(place) or 'This entry'} {told}.", remedy))
        return None, found
    return (None if found else value), found


def _numbers(raw: Any, place: Place = ()) -> Iterator[tuple[Place, float]]:
    inner = raw.items() if isinstance(raw, Mapping) else enumerate(raw) if isinstance(raw, list) else ()
    for name, value in inner:
        if isinstance(value, float):
            yield (*place, name), value
        yield from _numbers(value, (*place, name))


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)


def _steps(problem: Problem) -> Place:
    """The way to a problem's field within its entry; what stands in a list goes by its number."""
    return tuple(int(step) if step.isdecimal() else step for step in (problem.field or "").split("."))


@dataclass(slots=True)
class _Reading:
    document: Document
    check: Check
    problems: list[Problem] = field(default_factory=list)
    unreadable: dict[str, Problem] = field(default_factory=dict)
    unreadable_pools: dict[str, Problem] = field(default_factory=dict)
    unreadable_defaults: Problem | None = None

    def wrong(self, place: Place, message: str, remedy: str | None = None, *, profile_id: str | None = None) -> Problem:
        """Note a problem; its field is told within the entry it lies in."""
        inner = place[2:] if place[0] in {"profiles", "pools"} else place
        problem = Problem(message, _dotted(inner) or None, remedy, profile_id, self._line(place))
        self.problems.append(problem)
        return problem

    def _line(self, place: Place) -> int | None:
        while place and place not in self.document.lines:
            place = place[:-1]
        return self.document.lines.get(place)

    def profiles(self) -> dict[str, Profile]:
        entries = self.document.data.get("profiles") or []
        found: dict[str, Profile] = {}
        for index, (label, raw) in enumerate(zip(labels(entries, "profiles"), entries, strict=True)):
            reading = parsed(PROFILE, raw)
            profile, wrongs = reading
            noted = [self.wrong(("profiles", index, *p), m, remedy, profile_id=label) for p, m, remedy in wrongs]
            if profile is not None and profile.id != label:
                sentence = f"There is another profile {profile.id} above; this one is not used."
                noted.append(self.wrong(("profiles", index, "id"), sentence, "Give it another id.", profile_id=label))
            elif profile is not None:
                noted += self._checked(profile, index)
            if noted:
                self.unreadable[label] = noted[0]
            elif profile is not None:
                found[label] = profile
        return found

    def _checked(self, profile: Profile, index: int) -> list[Problem]:
        """What keeps the profile out of service; what merely does nothing is told besides."""

        def placed(problem: Problem) -> Problem:
            place: Place = ("profiles", index, *_steps(problem))
            return replace(problem, profile_id=profile.id, line=self._line(place))

        noted = [placed(each) for each in (*check_profile(profile), *self.check(profile))]
        self.problems += [*noted, *(placed(each) for each in pointless(profile))]
        return noted

    def pools(self, profiles: Mapping[str, Profile]) -> dict[str, Pool]:
        entries = self.document.data.get("pools") or []
        found: dict[str, Pool] = {}
        for index, (label, raw) in enumerate(zip(labels(entries, "pools"), entries, strict=True)):
            reading = parsed(POOL, raw)
            pool, wrongs = reading
            for place, message, remedy in wrongs:
                self.wrong(("pools", index, *place), f"Pool {label}: {message}", remedy)
            if pool is None:
                self.unreadable_pools[label] = self.problems[-len(wrongs)]
                continue
            if pool.id != label:
                self.wrong(
                    ("pools", index, "id"),
                    f"There is another pool {pool.id} above; this one is not used.",
                    "Give it another id.",
                )
                continue
            found[label] = pool
            for problem in (*check_pool(pool), *check_routing(pool, profiles, {*profiles, *self.unreadable})):
                place = ("pools", index, *_steps(problem))
                self.problems.append(replace(problem, line=self._line(place)))
            for position, name in enumerate(pool.profiles):
                if name not in profiles and name not in self.unreadable:
                    sentence = f"Pool {label} names a profile that does not exist: {name}."
                    self.wrong(("pools", index, "profiles", position), sentence, "Correct the name or remove it.")
        return found

    def defaults(self, pools: Mapping[str, Pool]) -> Defaults:
        """What can be read of them, where there is no last good version to stand for all: a budget is not lifted by a typing error."""
        raw = self.document.data.get("defaults") or {}
        reading = parsed(DEFAULTS, raw)
        value, wrongs = reading
        for place, message, remedy in wrongs:
            self.wrong(("defaults", *place), f"defaults.{message}", remedy)
        if value is None:
            self.unreadable_defaults = self.problems[-len(wrongs)]
            wrong = {place[0] for place, _, _ in wrongs if place}
            value = parsed(DEFAULTS, {name: inner for name, inner in raw.items() if name not in wrong})[0]
        for problem in check_defaults(value) if value else ():
            place = ("defaults", *_steps(problem))
            self.problems.append(replace(problem, line=self._line(place)))
        if value is not None and value.pool not in {None, "default", *pools, *self.unreadable_pools}:
            sentence = f"defaults.pool names a pool that does not exist: {value.pool}."
            self.wrong(("defaults", "pool"), sentence, "Correct the name or remove it.")
        return value or Defaults()
