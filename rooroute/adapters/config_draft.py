"""What can be done to a configuration, on its plain data: entries that do not parse and fields nobody knows are carried along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from rooroute.adapters.config_patch import member_of
from rooroute.adapters.config_places import places_in, put_back
from rooroute.adapters.config_reading import DEFAULTS, POOL, PROFILE, labels, parsed, plain
from rooroute.errors import InvalidInput, NotFound
from rooroute.profiles import Defaults, Pool, Profile

_NOUNS: Final = {"profiles": "profile", "pools": "pool"}


class Draft:
    """One edit in the making. ``before`` and ``after`` show what it changes, by section and id, in the file's own spelling (None: not
    there); ``renamed`` maps old ids to new ones, ``kept`` is the text of entries that come back, as ``patched`` takes it. ``text_of`` gives
    the text of an entry of a section as it was typed, or of one of the profiles that it lists."""

    def __init__(
        self,
        data: dict[str, Any],
        text_of: Callable[[str, int, int | None], str | None] = lambda section, index, member: None,
    ) -> None:
        self.data = data
        self.kept: dict[str, str] = {}
        self._text_of = text_of
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.renamed: dict[str, str] = {}

    def put_profile(self, profile: Profile, index: int | None = None) -> None:
        """Replace the profile of that id in its place, or add it (at ``index``; None: last)."""
        self._put("profiles", PROFILE, profile, index)

    def put_pool(self, pool: Pool, index: int | None = None) -> None:
        """Replace the pool of that id in its place, or add it (at ``index``; None: last)."""
        self._put("pools", POOL, pool, index)

    def set_defaults(self, defaults: Defaults) -> None:
        """Replace the defaults; a section that says nothing is not begun."""
        old = self.data.get("defaults") or {}
        self.before["defaults"] = dict(old)
        new = self.after["defaults"] = _merged(DEFAULTS, old, defaults)
        if new or "defaults" in self.data:
            self.data["defaults"] = new

    def remove_profile(self, profile_id: str) -> None:
        """Remove the profile (or the unreadable entry of that label), also from every pool. NotFound when there is none."""
        self._remove("profiles", profile_id)
        for pool in self._pools():
            if profile_id in pool["profiles"]:
                pool["profiles"] = [name for name in pool["profiles"] if name != profile_id]
            _call(pool, profile_id, None)

    def restore_profile(
        self,
        entry: Mapping[str, Any],
        index: int,
        places: Mapping[str, int],
        text: str | None = None,
        routing: Mapping[str, Mapping[str, Any]] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        """Put a removed entry back as it was, and its id to these places in these pools and their routing, where those still are and
        nothing else was put there; as ``place`` told it. ``members`` is how it stood in the pools' lists."""
        label = labels([entry], "profiles")[0]
        if label.casefold() in {name.casefold() for name in labels(self._entries("profiles"), "profiles")}:
            raise InvalidInput(f"There is a profile {label} again; delete or rename that one first.", field="id")
        self._entries("profiles").insert(index, dict(entry))
        if text is not None:
            self.kept[label] = text
        self.before[f"profiles.{label}"], self.after[f"profiles.{label}"] = None, dict(entry)
        for pool in self._pools():
            if pool.get("id") in places and label not in pool["profiles"]:
                pool["profiles"].insert(places[pool["id"]], label)
                if (typed := (members or {}).get(pool["id"])) is not None:
                    self.kept[member_of(pool["id"], label)] = typed
            put_back(pool, label, (routing or {}).get(str(pool.get("id")), {}))

    def set_enabled(self, profile_id: str, enabled: bool) -> None:
        """Switch a profile on or off. NotFound when there is none."""
        entry = self._entries("profiles")[self._index("profiles", profile_id)]
        if not isinstance(entry, dict):
            raise InvalidInput(f"{profile_id} needs attention before it can be switched.", field="id")
        self.before[f"profiles.{profile_id}"], self.after[f"profiles.{profile_id}"] = dict(entry), entry
        if not enabled or parsed(PROFILE, entry)[0] is None:  # what is in force of such an entry may be switched off
            entry["enabled"] = enabled
        elif entry.get("enabled") is not True:
            entry.pop("enabled", None)

    def place(self, profile_id: str) -> dict[str, Any]:
        """What ``restore_profile`` needs: a profile's entry as it stands, its index, its place in each pool and in its routing by the pool's
        id, its text, and that of its place in each pool. NotFound when there is none."""
        index = self._index("profiles", profile_id)
        entry = self._entries("profiles")[index]
        places = {
            p["id"]: p["profiles"].index(profile_id) for p in self._pools() if profile_id in p["profiles"] and "id" in p
        }
        every = self.data.get("pools") or []
        typed = {
            p["id"]: self._text_of("pools", at, places[p["id"]])
            for at, p in enumerate(every)
            if isinstance(p, dict) and p.get("id") in places
        }
        return {
            "entry": entry if isinstance(entry, dict) else {},
            "index": index,
            "places": places,
            "text": self._text_of("profiles", index, None),
            "members": {pool_id: text for pool_id, text in typed.items() if text is not None},
            "routing": {p["id"]: named for p in self._pools() if "id" in p and (named := places_in(p, profile_id))},
        }

    def remove_pool(self, pool_id: str) -> None:
        """Remove the pool, and the section with the last. NotFound when there is none."""
        self._remove("pools", pool_id)
        if not self.data["pools"]:
            del self.data["pools"]
        defaults = self.data.get("defaults")
        if isinstance(defaults, dict) and defaults.get("pool") == pool_id:
            del defaults["pool"]

    def rename_profile(self, old: str, new: str) -> None:
        """Give a profile another id, in the pools too. NotFound, or InvalidInput when the new id is taken."""
        self._rename("profiles", old, new)
        for pool in self._pools():
            pool["profiles"] = [new if name == old else name for name in pool["profiles"]]
            _call(pool, old, new)

    def rename_pool(self, old: str, new: str) -> None:
        """Give a pool another id, in the defaults too. NotFound, or InvalidInput when the new id is taken."""
        self._rename("pools", old, new)
        if isinstance(self.data.get("defaults"), dict) and self.data["defaults"].get("pool") == old:
            self.data["defaults"]["pool"] = new

    def reorder(self, profile_ids: Sequence[str]) -> None:
        """Put these profiles first, in this order; the others follow as they were. NotFound for an unknown one."""
        entries = self._entries("profiles")
        names = labels(entries, "profiles")
        chosen = [self._index("profiles", name) for name in profile_ids]
        rest = [index for index in range(len(entries)) if index not in chosen]
        self.before["order"], self.after["order"] = names, [names[index] for index in (*chosen, *rest)]
        self.data["profiles"] = [entries[index] for index in (*chosen, *rest)]

    def _pools(self) -> list[dict[str, Any]]:
        return [p for p in self.data.get("pools") or [] if isinstance(p, dict) and isinstance(p.get("profiles"), list)]

    def _entries(self, section: str) -> list[Any]:
        if not isinstance(self.data.get(section), list):
            self.data[section] = []
        entries: list[Any] = self.data[section]
        return entries

    def _index(self, section: str, label: str) -> int:
        try:
            return labels(self._entries(section), section).index(label)
        except ValueError:
            raise NotFound(f"There is no {_NOUNS[section]} {label}.") from None

    def _put(self, section: str, adapter: TypeAdapter[Any], value: Profile | Pool, index: int | None) -> None:
        entries = self._entries(section)
        try:
            place = self._index(section, value.id)
        except NotFound:
            self.before[f"{section}.{value.id}"] = None
            entry = plain(value)
            entries.insert(len(entries) if index is None else index, entry)
        else:
            self.before[f"{section}.{value.id}"] = entries[place]
            entry = entries[place] = _merged(adapter, entries[place], value)
        self.after[f"{section}.{value.id}"] = entry

    def _remove(self, section: str, label: str) -> None:
        self.before[f"{section}.{label}"] = self._entries(section).pop(self._index(section, label))
        self.after[f"{section}.{label}"] = None

    def _rename(self, section: str, old: str, new: str) -> None:
        index = self._index(section, old)
        taken = {
            name.casefold() for place, name in enumerate(labels(self._entries(section), section)) if place != index
        }
        if new.casefold() in taken:
            raise InvalidInput(f"There is already a {_NOUNS[section]} {new}; choose another id.", field="newId")
        entry = self._entries(section)[index]
        self.before[f"{section}.{old}"], self.after[f"{section}.{old}"] = dict(entry), entry
        entry["id"] = new
        self.renamed[old] = new


def _call(pool: dict[str, Any], old: str, new: str | None) -> None:
    """Call a profile ``new`` wherever the pool's routing names it, or (None) name it no more; what becomes empty goes."""
    for name in ("weights", "split"):
        _put_back(
            pool, name, {new if key == old else key: value for key, value in _mapping(pool, name) if new or key != old}
        )
    routes = {
        key: new if value == old else value for key, value in _mapping(pool, "modelRoutes") if new or value != old
    }
    _put_back(pool, "modelRoutes", routes)
    if pool.get("defaultRoute") == old:
        _put_back(pool, "defaultRoute", new)
    last = pool.get("lastResort")
    if isinstance(last, Mapping) and last.get("profile") == old:
        _put_back(pool, "lastResort", {**last, "profile": new} if new else None)
    if isinstance(tiers := pool.get("tiers"), list):
        _put_back(pool, "tiers", [kept for tier in tiers if (kept := _called(tier, old, new))])
    if isinstance(rules := pool.get("rules"), list):
        for rule in rules:
            if isinstance(rule, dict) and isinstance(rule.get("profiles"), list):
                rule["profiles"] = _called(rule["profiles"], old, new)
        _put_back(pool, "rules", [rule for rule in rules if not isinstance(rule, dict) or rule.get("profiles") != []])


def _called(names: Any, old: str, new: str | None) -> Any:
    if not isinstance(names, list):
        return names
    return [new if name == old else name for name in names if new or name != old]


def _mapping(pool: Mapping[str, Any], name: str) -> list[tuple[Any, Any]]:
    value = pool.get(name)
    return list(value.items()) if isinstance(value, Mapping) else []


def _put_back(pool: dict[str, Any], name: str, value: Any) -> None:
    if name in pool and value != pool[name]:
        if value:
            pool[name] = value
        else:
            del pool[name]


def _merged(adapter: TypeAdapter[Any], raw: Any, value: Profile | Pool | Defaults) -> dict[str, Any]:
    """The entry that says ``value``, spelled as ``raw`` spells it wherever the two agree."""
    wanted = plain(value)
    reading = parsed(adapter, raw)
    if reading[0] is None or not isinstance(raw, Mapping):
        return wanted
    before = plain(reading[0])
    same = {
        name for name in raw if before.get(name) == wanted.get(name)
    }  # both None: both say the default, written out or not
    spelled = {name: raw[name] if name in same else wanted[name] for name in raw if name in same or name in wanted}
    return spelled | {name: wanted[name] for name in wanted if name not in raw}
