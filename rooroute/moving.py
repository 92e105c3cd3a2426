"""Configurations that come and go: brought in from another program, handed out without secrets, looked back at and put back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol, TypeAlias

from rooroute.errors import Conflict, InvalidInput, NotFound
from rooroute.importers import flattened
from rooroute.importers.account import LeftOut, Taken
from rooroute.importers.differences import changes
from rooroute.importers.forms import OWN, form_of, imported
from rooroute.importers.gathered import Brought, Imported
from rooroute.importers.litellm_export import snippet
from rooroute.profiles import Configuration, Defaults, Pool, Profile, camel
from rooroute.saved_profiles import SavedProfiles
from rooroute.unanswered import timestamp

Json: TypeAlias = dict[str, Any]
FORMATS: Final = ("yaml", "json", "litellm")
_SECRETIVE: Final = re.compile(
    r"auth|cookie|token|secret|password|passwd|credential|(?:^|[-_.])key$|apikey", re.IGNORECASE
)
_REFERRED: Final = re.compile(r"\$\{(?:secret:)?[A-Za-z_][\w-]*\}$")
_HARMLESS: Final = frozenset({"certificateKey", "tokenUrl", "credentialsFile"})
"""Fields of rooroute's own whose names only sound like a secret's."""
_KEYLIKE: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w\-.~+/=]{20,}")
_USER_INFO: Final = re.compile(r"(?<=//)[^/@]*@")


class Kept(Protocol):
    """One copy of the file, as it was from ``at`` (UTC epoch seconds) on."""

    @property
    def at(self) -> float: ...

    @property
    def revision(self) -> str: ...

    def text(self) -> str: ...


class ConfigStore(Protocol):
    """The configuration file and what it said before. All methods block."""

    @property
    def current(self) -> Configuration: ...

    def load(self) -> Configuration: ...

    def text(self) -> str:
        """What the file says. NotFound where there is none, InvalidInput where it holds a key."""

    def history(self) -> Sequence[Kept]: ...


@dataclass(frozen=True, slots=True)
class Spelling:
    """Text and values, both ways. ``plain_data`` and ``as_configuration`` raise InvalidInput for what cannot be read."""

    plain_data: Callable[[str], Json]
    as_configuration: Callable[[str], Configuration]
    spelled: Callable[[Configuration], Json]
    as_yaml: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Wish:
    """How to bring something in. ``keep_keys`` False leaves keys out where they could not be kept; ``revision`` is the configuration that a
    dry run told of."""

    pool: str | None = None
    dry_run: bool = False
    approve_origin: bool = False
    keep_keys: bool = True
    revision: str | None = None


class Moving:
    """One window's comings and goings."""

    def __init__(self, saved: SavedProfiles, config: ConfigStore, spelling: Spelling) -> None:
        self._saved = saved
        self._config = config
        self._spelling = spelling

    # --- coming ---

    async def bring_in(self, text: str, wish: Wish) -> Json:
        """Import a text; what became of every key of it. Raises InvalidInput only for a text that is malformed or of no known form."""
        saved = await asyncio.to_thread(self._config.load)
        _refuse_stale(wish.revision, saved)
        read = await asyncio.to_thread(self._reader, text, saved, wish)
        found = read({})
        drafts = [(each.profile, each.secrets) for each in found.profiles]
        refused = await self._saved.refusals(drafts, approve_origin=wish.approve_origin)
        if refused:
            found = read(refused)
        profiles = [each.profile for each in found.profiles]
        found = _without(found, await self._saved.refusals_among(profiles, found.pools, found.defaults))
        lost = [each.profile.id for each in found.profiles if each.secrets] if not wish.keep_keys else []
        kept = [(each.profile, {} if each.profile.id in lost else each.secrets) for each in found.profiles]
        if not wish.dry_run and (kept or found.pools or found.defaults):
            await self._saved.save_all(
                kept, found.pools, found.defaults, revision=saved.revision, approve_origin=wish.approve_origin
            )
        return _told(found, saved, self._config.current, lost)

    def _reader(self, text: str, saved: Configuration, wish: Wish) -> Callable[[Mapping[str, str]], Imported]:
        data = self._data(text)
        if form_of(data) is None and OWN & data.keys():
            theirs = self._spelling.as_configuration(text)
            return lambda refused: _own(theirs, saved, refused)
        return lambda refused: imported(data, saved, wish.pool, refused)

    def _data(self, text: str) -> Json:
        if not flattened.is_flattened(text):
            return self._spelling.plain_data(text)
        try:
            return flattened.read(text)
        except ValueError as wrong:
            raise InvalidInput(f"{wrong} Nothing was changed.", field="text") from None

    # --- going ---

    def export(self, form: str) -> Json:
        """The configuration as text, without secrets."""
        configuration = self._config.current
        if form == "litellm":
            made = snippet(configuration)
            above = "".join(f"# Set {name} where the proxy runs.\n" for name in made.variables)
            return {"text": above + self._spelling.as_yaml(made.data), "leftOut": list(made.left_out)}
        unreadable = configuration.unreadable.keys() - configuration.profiles.keys()
        left = [f"{label} is left out: it cannot be read." for label in configuration.unreadable if label in unreadable]
        unread_pools = [label for label in configuration.unreadable_pools if label not in configuration.pools]
        left += [f"The pool {label} is left out: it cannot be read." for label in unread_pools]
        data = _bare(self._spelling.spelled(configuration), left)
        text = self._spelling.as_yaml(data) if form == "yaml" else f"{json.dumps(data, indent=2, ensure_ascii=False)}\n"
        return {"text": text, "leftOut": left}

    # --- looking back ---

    async def history(self, since: float | None = None, limit: int = 100) -> Json:
        """What changed, the newest first: since then, and at most so many."""
        return {"entries": await asyncio.to_thread(self._entries, since, limit)}

    def _entries(self, since: float | None, limit: int) -> list[Json]:
        kept = self._config.history()
        wanted = [each for each in kept if since is None or each.at >= since][:limit]
        texts = [self._parsed(each) for each in kept[: len(wanted) + 1]]
        found = []
        for number, each in enumerate(wanted):
            now = texts[number]
            first = number + 1 == len(texts)
            before = {} if first else texts[number + 1]
            told = ["this text could not be read"] if now is None else changes(before or {}, now)
            if first and now is not None and not any(now.get(section) for section in OWN):
                told = ["the beginning: nothing was saved yet"]
            current = number == 0 and each is kept[0] and each.revision == self._config.current.revision
            found.append(
                {
                    "revision": each.revision,
                    "at": timestamp(each.at),
                    "changes": told or ["nothing but comments or layout"],
                    "current": current,
                }
            )
        return found

    def _parsed(self, kept: Kept) -> Json | None:
        try:
            return self._spelling.plain_data(kept.text())
        except (OSError, InvalidInput):
            return None

    async def undo(self, revision: str | None, *, expected: str | None = None, dry_run: bool = False) -> Json:
        """Put a former text back: the one of that revision (its beginning will do), or the one before the last change."""
        now = await asyncio.to_thread(self._config.load)
        _refuse_stale(expected, now)
        kept = await asyncio.to_thread(self._config.history)
        chosen = _chosen(kept, revision, now)
        before = next((each for each in kept if each.revision == now.revision), None)
        try:
            text = await asyncio.to_thread(chosen.text)
        except OSError:
            raise NotFound("That copy of the configuration is gone.", field="revision") from None
        told = await self._put_back(before, self._parsed(chosen) or {}, text, expected, dry_run=dry_run)
        return {"revision": chosen.revision, "at": timestamp(chosen.at), **told}

    async def restore(self, text: str, *, expected: str | None = None, dry_run: bool = False) -> Json:
        """Make a text of rooroute's own the whole configuration."""
        now, data = await asyncio.to_thread(self._config.load), await asyncio.to_thread(self._spelling.plain_data, text)
        _refuse_stale(expected, now)
        if not OWN & data.keys() and data.keys() != {"version"}:
            raise InvalidInput("This is no configuration of rooroute's own; bring it in with import.", field="text")
        before = next(
            (each for each in await asyncio.to_thread(self._config.history) if each.revision == now.revision), None
        )
        return await self._put_back(before, data, text, expected, dry_run=dry_run)

    async def _put_back(
        self, before: Kept | None, data: Json, text: str, expected: str | None, *, dry_run: bool
    ) -> Json:
        was = (self._parsed(before) if before else None) or {}
        if dry_run:
            present = self._spelling.as_configuration(text)
            gone = self._config.current.profiles.keys() - {*present.profiles, *present.unreadable}
        else:
            gone = set(await self._saved.put_back(text, revision=expected))
        return {
            "changes": changes(was, data) or ["nothing but comments or layout"],
            "gone": sorted(gone),
            "configRevision": self._config.current.revision,
        }

    async def backup(self) -> Json:
        """The configuration file as it stands, comments and all."""
        text = await asyncio.to_thread(self._config.text)
        return {"text": text, "configRevision": self._config.current.revision}


def _refuse_stale(expected: str | None, now: Configuration) -> None:
    if expected is not None and expected != now.revision:
        raise Conflict(
            "The configuration was changed meanwhile; look at what is there now.", configRevision=now.revision
        )


def _chosen(kept: Sequence[Kept], revision: str | None, now: Configuration) -> Kept:
    if revision is None:
        found = next((each for each in kept if each.revision != now.revision), None)
        if found is None:
            raise NotFound("There is nothing to undo: no earlier configuration was kept.")
        return found
    matching = {each.revision: each for each in reversed(kept) if revision and each.revision.startswith(revision)}
    if len(matching) > 1:
        raise InvalidInput(f"Several revisions begin with {revision}; write more of it.", field="revision")
    if not matching:
        raise NotFound(f"There is no revision {revision} in the history.", field="revision")
    return next(iter(matching.values()))


def _own(theirs: Configuration, saved: Configuration, refused: Mapping[str, str]) -> Imported:
    """A configuration of rooroute's own, such as an export: whole profiles and pools."""
    taken: list[Taken] = []
    left = _unread(theirs)
    profiles: list[Profile] = []
    for profile in theirs.profiles.values():
        key = f"profiles.{profile.id}"
        if (why := refused.get(profile.id)) is not None:
            left.append(LeftOut(key, why))
            continue
        before = saved.profiles.get(profile.id)
        taken.append(Taken(key, f"profile {profile.id}"))
        profiles.append(replace(profile, key_saved_at=before.key_saved_at if before else None))
    known = {*saved.profiles, *(each.id for each in profiles)}
    pools: list[Pool] = []
    for pool in theirs.pools.values():
        unknown = [name for name in pool.profiles if name not in known]
        left += [LeftOut(f"pools.{pool.id}.profiles", f"Nothing defines {name}.") for name in unknown]
        members = tuple(name for name in pool.profiles if name in known)
        if members:
            taken.append(Taken(f"pools.{pool.id}", f"pool {pool.id}"))
            pools.append(replace(pool, profiles=members))
    defaults = _own_defaults(theirs.defaults, saved, {*saved.pools, *(each.id for each in pools)}, taken, left)
    changed = tuple(Brought(each) for each in profiles if each != saved.profiles.get(each.id))
    new_pools = tuple(each for each in pools if each != saved.pools.get(each.id))
    return Imported("rooroute", changed, new_pools, tuple(taken), tuple(left), defaults=defaults)


def _without(found: Imported, refused: Mapping[str, str]) -> Imported:
    """What is left of an import where some pools, or what holds for all, could not be saved; ``refused`` says why, by what it is."""
    if not refused:
        return found

    def part(taken: Taken) -> str | None:
        return next((each for each in refused if taken.where == each or taken.where.startswith(f"{each},")), None)

    left = [LeftOut(each.key, f"Left out: {refused[of]}") for each in found.taken if (of := part(each))]
    return replace(
        found,
        pools=tuple(each for each in found.pools if f"pool {each.id}" not in refused),
        defaults=None if "defaults" in refused else found.defaults,
        taken=tuple(each for each in found.taken if part(each) is None),
        left_out=(*found.left_out, *left),
    )


def _unread(theirs: Configuration) -> list[LeftOut]:
    """What is wrong with a text of rooroute's own. Who writes that form means every key of it: a misspelt region or ceiling is not taken
    for none, so an entry that cannot be read is left out as a whole."""
    pools = {problem: label for label, problem in theirs.unreadable_pools.items()}
    found = []
    for each in theirs.problems:
        key, why = _label(each.profile_id, each.field), each.message
        if each.profile_id in theirs.unreadable:
            why = f"{why} The whole profile is left out."
        elif each in pools:
            key, why = f"pools.{pools[each]}.{each.field}", f"{why} The whole pool is left out."
        found.append(LeftOut(key, why))
    return found


def _own_defaults(
    theirs: Defaults, saved: Configuration, pools: AbstractSet[str], taken: list[Taken], left: list[LeftOut]
) -> Defaults | None:
    """What is saved, with what they say otherwise than by default; None where that changes nothing."""
    said = {each.name: getattr(theirs, each.name) for each in fields(Defaults)}
    told = {name: value for name, value in said.items() if value != getattr(Defaults(), name)}
    if theirs.pool is not None and theirs.pool != "default" and theirs.pool not in pools:
        del told["pool"]
        left.append(LeftOut("defaults.pool", f"Nothing defines {theirs.pool}."))
    taken += [Taken(f"defaults.{camel(name)}", f"defaults, {camel(name)}") for name in told]
    found = replace(saved.defaults, **told)
    return found if found != saved.defaults else None


def _label(profile_id: str | None, field: str | None) -> str:
    return ".".join(part for part in ("profiles" if profile_id else None, profile_id, field) if part) or "text"


def _told(found: Imported, before: Configuration, after: Configuration, lost: Sequence[str]) -> Json:
    def entry(item: Profile | Pool, known: Mapping[str, Any]) -> Json:
        return {"id": item.id, "change": "changed" if item.id in known else "new"}

    profiles = []
    for each in found.profiles:
        home = "keyring" if each.secrets else "environment" if each.profile.api_key or each.profile.secrets else "none"
        profiles.append({**entry(each.profile, before.profiles), "key": "notKept" if each.profile.id in lost else home})
    return {
        "form": found.form,
        "profiles": profiles,
        "pools": [entry(each, before.pools) for each in found.pools],
        "taken": [{"key": each.key, "where": each.where} for each in found.taken],
        "leftOut": [{"key": each.key, "reason": each.reason} for each in found.left_out],
        "remarks": _remarks(found, before),
        "configRevision": after.revision,
        **({"defaults": _changed(before.defaults, found.defaults)} if found.defaults else {}),
    }


def _changed(before: Defaults, after: Defaults) -> list[str]:
    return [camel(each.name) for each in fields(Defaults) if getattr(before, each.name) != getattr(after, each.name)]


def _remarks(found: Imported, before: Configuration) -> list[str]:
    remarks = []
    usual, pools = before.pool(None), {**before.pools, **{each.id: each for each in found.pools}}
    profiles = {**before.profiles, **{each.profile.id: each.profile for each in found.profiles}}
    now = replace(before, profiles=profiles, pools=pools).pool(None)
    if before.profiles and usual is not None and now is not None and now.id != usual.id:
        remarks.append(f"Requests that name no pool go to the new pool {now.id} from now on.")
    lonely = [
        each.profile.id
        for each in found.profiles
        if not any(each.profile.id in pool.profiles for pool in pools.values())
    ]
    if pools and lonely:
        remarks.append(f"In no pool yet: {', '.join(lonely)}.")
    runs = {each.profile.id: _programs(each.profile) for each in found.profiles}
    told = [f"{name} runs on this machine, with your rights: {', '.join(each)}." for name, each in runs.items() if each]
    return remarks + told


def _programs(profile: Profile) -> list[str]:
    """What a profile's requests start; arguments are not told, a secret may be among them."""
    commands = [profile.auth.command] if profile.auth else []
    commands += [each.command for each in profile.secret_commands.values()]
    return list(dict.fromkeys(command[0] for command in commands if command))


def _bare(value: Any, left: list[str], place: str = "") -> Any:
    """Without what is, or may be, a secret: keys are told by name only."""
    if isinstance(value, Mapping):
        found = {}
        for name, inner in value.items():
            path = f"{place}.{name}".lstrip(".")
            if name == "keySavedAt":
                continue
            if isinstance(inner, str) and _may_be_secret(name, path, inner):
                left.append(f"{path} is left out: it may be a secret.")
                continue
            found[name] = _bare(inner, left, path)
        return found
    if isinstance(value, list):
        return [
            _bare(each, left, f"{place}.{each['id'] if isinstance(each, Mapping) and 'id' in each else number}")
            for number, each in enumerate(value)
        ]
    return (
        _USER_INFO.sub("", value)
        if isinstance(value, str) and place.endswith(("proxy", "baseUrl", "tokenUrl"))
        else value
    )


def _may_be_secret(name: str, path: str, value: str) -> bool:
    """By its name, or for a header or a query parameter by its look; a reference is none."""
    if _REFERRED.search(value) or ".modelRoutes." in path or ".modelMap." in path or name in _HARMLESS:
        return False
    travels = ".headers." in path or ".query." in path
    return _SECRETIVE.search(name) is not None or (travels and _KEYLIKE.fullmatch(value) is not None)
