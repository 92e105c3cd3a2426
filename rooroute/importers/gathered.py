"""What a file comes to while it is read: profiles and one pool in the making, on top of what is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from rooroute.importers.account import Account, LeftOut, Place, Section, Taken, dotted
from rooroute.importers.values import key, reference
from rooroute.names import wrong_with_id
from rooroute.profile_checks import check_pool, check_profile
from rooroute.profiles import Configuration, Defaults, Pool, Profile, camel
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.table import check

_POOL_FIELDS: Final = {camel(each.name): each.name for each in fields(Pool)}


@dataclass(frozen=True, slots=True)
class Brought:
    """A profile as it is to be saved, with the keys found in the file by slot; they belong into the keyring."""

    profile: Profile
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file comes to. ``form`` says whose it was; ``defaults`` None that it changes none of them."""

    form: str
    profiles: tuple[Brought, ...]
    pools: tuple[Pool, ...]
    taken: tuple[Taken, ...]
    left_out: tuple[LeftOut, ...]
    defaults: Defaults | None = None


@dataclass(slots=True)
class Gathered:
    """``saved`` is what the user has; ``pool_id`` the pool that routing goes to (None: see ``target``); ``refused`` says of profiles, by id,
    why they could not be saved. ``defined`` are the profiles that the file describes, besides those that it only changes."""

    saved: Configuration
    form: str
    pool_id: str | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    profiles: dict[str, Profile] = field(default_factory=dict)
    defined: list[str] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    pool: dict[str, Any] = field(default_factory=dict)
    pool_places: dict[str, Place] = field(default_factory=dict)

    # --- profiles ---

    def begin(self, profile_id: str, place: Place, provider: str | None) -> bool:
        """Begin with the profile that an entry of the file is about: a new one, or the saved one of that name. Whether it is either; if
        not, the entry is listed."""
        saved = self.saved.profiles.get(profile_id)
        if why := self._unfit(profile_id, provider, saved):
            self.account.leave(place, why)
            return False
        self.profiles[profile_id] = saved or Profile(id=profile_id, provider=provider or "")
        self.places[profile_id] = place
        if provider is not None:
            self.defined.append(profile_id)
        return True

    def _unfit(self, profile_id: str, provider: str | None, saved: Profile | None) -> str | None:
        if profile_id in self.profiles:
            return f"There is another {profile_id} above."
        if (why := wrong_with_id(profile_id)) is not None:
            return f"Its name {why}."
        if provider is None and saved is None:
            return f"Nothing defines {profile_id}: it has no type here, and there is no saved profile of that name."
        if saved is not None and provider is not None and saved.provider != provider:
            return f"There is a saved profile {profile_id} of another provider; rename one of them."
        return None

    def change(self, profile_id: str, **changes: Any) -> None:
        """Change a known profile; None changes nothing."""
        meant = {name: value for name, value in changes.items() if value is not None}
        before = self.profiles.get(profile_id) or self.saved.profiles[profile_id]
        self.profiles[profile_id] = replace(before, **meant)

    def add(self, profile_id: str, name: str, entries: Mapping[str, Any]) -> None:
        """Put entries into one of a known profile's mappings (``options``, ``model_map``, …)."""
        before = self.profiles.get(profile_id) or self.saved.profiles[profile_id]
        meant = {each: value for each, value in entries.items() if value is not None}
        if meant:
            self.change(profile_id, **{name: {**getattr(before, name), **meant}})

    def take_key(self, entry: Section, name: str, profile_id: str, slot: str = USUAL_SLOT) -> None:
        """A key, or a reference to one."""
        found = entry.take(name, key, f"profile {profile_id}, {slot}")
        if found is None:
            return
        if (referred := reference(found)) is None:
            self.secrets.setdefault(profile_id, {})[slot] = found
            entry.account.took((*entry.place, name), "the keyring")
        elif slot == USUAL_SLOT:
            self.change(profile_id, api_key=referred)
        else:
            self.add(profile_id, "secrets", {slot: referred})

    def settle_profiles(self) -> None:
        """Leave out, and list, every profile that could not be saved; routing is read after that."""
        for profile_id, profile in list(self.profiles.items()):
            problems = [*check_profile(profile), *check(profile)]
            told = (
                f"{problems[0].message} {problems[0].remedy or ''}".strip()
                if problems
                else self.refused.get(profile_id)
            )
            if told is not None:
                del self.profiles[profile_id]
                self.secrets.pop(profile_id, None)
                self.defined = [each for each in self.defined if each != profile_id]
                self.account.leave(self.places[profile_id], f"{profile_id} is left out: {told}")

    def known(self, profile_id: str) -> bool:
        """Whether the file or what is saved defines a profile of that name."""
        return profile_id in self.profiles or profile_id in self.saved.profiles

    def named(self, place: Place, profile_id: str) -> bool:
        """Whether a name is known; one that is not is listed."""
        if not self.known(profile_id):
            self.account.leave(place, f"Nothing defines {profile_id}.")
        return self.known(profile_id)

    def nobody(self, sections: Iterable[Section], name: str = "name") -> str | None:
        """The sentence to tell where entries name profiles, and none of them is known."""
        names = [str(each.data.get(name)) for each in sections]
        return f"Nothing defines {', '.join(names)}." if names and not any(map(self.known, names)) else None

    # --- the pool ---

    def route(self, section: Section, name: str, read: Callable[[Any], Any], pool_field: str) -> None:
        """Take a key that is a field of the pool."""
        value = section.take(name, read, f"pool {self.target}, {camel(pool_field)}")
        self.put((*section.place, name), pool_field, value)

    def put(self, place: Place, pool_field: str, value: Any) -> None:
        """Set a field of the pool (None: nothing to set). What was set before stays in force, and this is listed."""
        if value is None:
            return
        if self.pool.get(pool_field, value) != value:
            self.account.leave(place, f"{dotted(self.pool_places[pool_field])} says otherwise, and came first.")
            return
        self.pool[pool_field] = value
        self.pool_places.setdefault(pool_field, place)

    @property
    def target(self) -> str:
        """The pool that routing goes to: the one that was asked for; one of its own for profiles that join others; else the default one."""
        if self.pool_id is not None:
            return self.pool_id
        if self.defined and self.saved.profiles.keys() - self.defined:
            return self.form
        usual = self.saved.pool(None)
        return usual.id if usual is not None else "default"

    def base(self) -> Pool:
        """The target as it is by now, or as it would be made."""
        saved = self.saved.pools.get(self.target)
        if saved is None and self.target == "default" and self.saved.profiles:
            saved = self.saved.pool("default")
        return saved or Pool(id=self.target)

    def _pool(self) -> Pool | None:
        """The pool, without the fields that could not be saved; None when nothing is said of one."""
        base = self.base()
        if not self.pool:
            return None
        wanted = {"profiles": tuple(dict.fromkeys((*base.profiles, *self.defined)))} | self.pool
        while True:
            pool = replace(base, **wanted)
            problems = [each for each in check_pool(pool) if self._field(each.field) in wanted]
            if not problems or not pool.profiles:
                return pool if pool.profiles else None
            name = self._field(problems[0].field)
            del wanted[name]
            told = f"{problems[0].message} {problems[0].remedy or ''}".strip()
            self.account.leave(self.pool_places.get(name, ("pool",)), told)
            if name == "profiles":
                return None

    @staticmethod
    def _field(path: str | None) -> str:
        return _POOL_FIELDS.get((path or "").split(".")[0], "")

    # --- the outcome ---

    def finish(self, data: Mapping[str, Any]) -> Imported:
        """Everything, and the account of the whole file."""
        pool = self._pool()
        if pool is None:
            self.account.leave_what_went_to(f"pool {self.target}", "No profile is left that this could be about.")
        taken, left = self.account.close(data)
        new = pool is not None and pool != self.saved.pools.get(pool.id)
        return Imported(self.form, tuple(self._brought()), (pool,) if pool is not None and new else (), taken, left)

    def _brought(self) -> Iterable[Brought]:
        for profile_id, profile in self.profiles.items():
            if profile != self.saved.profiles.get(profile_id) or profile_id in self.secrets:
                yield Brought(profile, self.secrets.get(profile_id, {}))
