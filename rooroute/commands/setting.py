"""``get``, ``set``, ``unset`` and ``rename`` of profiles and pools, and ``rooroute settings``: every key of the configuration by its name."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from pydantic import TypeAdapter

from rooroute.adapters.config_reading import plain
from rooroute.commands import fields
from rooroute.commands.call import OK, Call, WrongUse
from rooroute.commands.terminal import Cell
from rooroute.commands.typed import parsed, settings_of, with_settings, without
from rooroute.compose import config_schema
from rooroute.errors import InvalidInput, NotFound
from rooroute.pool_admission import refuse_unread
from rooroute.profiles import Defaults, Pool, Profile

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]
T = TypeVar("T", Profile, Pool, Defaults)

_SECTION: Final = "defaults."
_HEADINGS: Final = ("FIELD", "WHAT IT IS FOR", "FOR EXAMPLE")


# --- profiles ---


def get_profile(call: Call) -> int:
    """Show a profile's fields, or one of them."""

    async def look(backend: Backend) -> Profile:
        return _profile(backend, call.options.id)

    return _show(call, Profile, call.visit(look), call.options.field)


def set_profile(call: Call) -> int:
    """Set fields of a profile."""
    return _save_profile(call, lambda data: with_settings(Profile, data, settings_of(call)))


def unset_profile(call: Call) -> int:
    """Take fields of a profile away."""
    return _save_profile(call, lambda data: without(Profile, data, call.options.fields))


def rename_profile(call: Call) -> int:
    """Give a profile another id."""
    words = call.options
    return _renamed(call, lambda backend: backend.rename_profile(words.id, words.new_id), "profile")


def _save_profile(call: Call, change: Callable[[Json], Json]) -> int:
    async def save(backend: Backend) -> Json:
        before = _profile(backend, call.options.id)
        draft = parsed(Profile, change(plain(before)))
        _refuse_written(before.id, before.key_saved_at, draft.id, draft.key_saved_at, "profiles")
        revision, approved = backend.configuration.revision, call.options.approve_origin
        return await backend.save_profile(draft, {}, revision=revision, approve_origin=approved)

    try:
        return _saved(call, call.visit(save), call.options.id)
    except InvalidInput as wrong:
        if not str(wrong.data.get("origin", "")):
            raise
        way = f"rooroute profiles edit {quote(call.options.id)} --set FIELD=VALUE --ask-key"
        raise InvalidInput(f"{wrong.message} Both at once: {way}", field=wrong.field) from None


def _profile(backend: Backend, profile_id: str) -> Profile:
    configuration = backend.configuration
    if (problem := configuration.unreadable.get(profile_id)) is not None:
        raise InvalidInput(
            f"{profile_id} has to be mended in the configuration file first: {problem.message}", field="id"
        )
    if profile_id not in configuration.profiles:
        known = ", ".join(configuration.profiles) or "none yet"
        raise NotFound(f"There is no profile {profile_id!r}; the profiles are: {known}.", field="id")
    return configuration.profiles[profile_id]


# --- pools ---


def get_pool(call: Call) -> int:
    """Show a pool's fields, or one of them."""

    async def look(backend: Backend) -> Pool:
        return saved_pool(backend, call.options.id)

    return _show(call, Pool, call.visit(look), call.options.field)


def set_pool(call: Call) -> int:
    """Set fields of a pool."""
    return _save_pool(call, lambda data: with_settings(Pool, data, settings_of(call)))


def unset_pool(call: Call) -> int:
    """Take fields of a pool away."""
    return _save_pool(call, lambda data: without(Pool, data, call.options.fields))


def rename_pool(call: Call) -> int:
    """Give a pool another id."""
    words = call.options
    return _renamed(call, lambda backend: backend.rename_pool(words.id, words.new_id), "pool")


def _save_pool(call: Call, change: Callable[[Json], Json]) -> int:
    async def save(backend: Backend) -> Json:
        before = saved_pool(backend, call.options.id)
        draft = parsed(Pool, change(plain(before)))
        _refuse_written(before.id, None, draft.id, None, "pools")
        return await backend.save_pool(draft, revision=backend.configuration.revision)

    return _saved(call, call.visit(save), f"The pool {call.options.id}")


def saved_pool(backend: Backend, pool_id: str) -> Pool:
    """The pool of that id. Raises NotFound, also for the one that is there because none was saved; InvalidInput where the file's entry
    cannot be read."""
    refuse_unread(pool_id, backend.configuration)
    pool = backend.configuration.pools.get(pool_id)
    if pool is None:
        known = ", ".join(backend.configuration.pools)
        told = f"the pools are: {known}." if known else f"save it first: rooroute pools add {quote(pool_id)} PROFILE …"
        raise NotFound(f"There is no saved pool {pool_id!r}; {told}", field="id")
    return pool


# --- what holds for all ---


def get_settings(call: Call) -> int:
    """Show what holds for all, or one field of it."""

    async def look(backend: Backend) -> Defaults:
        return backend.configuration.defaults

    field = None if call.options.field is None else _default(call.options.field)
    return _show(call, Defaults, call.visit(look), field, before=_SECTION)


def set_settings(call: Call) -> int:
    """Set what holds for all."""
    settings = [_default(each) for each in settings_of(call)]
    return _save_settings(call, lambda data: with_settings(Defaults, data, settings))


def unset_settings(call: Call) -> int:
    """Let fields have their defaults again."""
    paths = [_default(each) for each in call.options.fields]
    return _save_settings(call, lambda data: without(Defaults, data, paths))


def _save_settings(call: Call, change: Callable[[Json], Json]) -> int:
    async def save(backend: Backend) -> Json:
        draft = parsed(Defaults, change(plain(backend.configuration.defaults)))
        return await backend.save_settings(draft, revision=backend.configuration.revision)

    return _saved(call, call.visit(save), "The configuration")


def _default(path: str) -> str:
    """A field's name with or without its section before it."""
    for section in ("profiles", "pools"):
        if path.startswith(f"{section}.") or path == section:
            raise WrongUse(f"{section} are set by name: rooroute {section} set NAME FIELD=VALUE.")
    return path.removeprefix(_SECTION)


def keys(call: Call) -> int:
    """Every key of the configuration: what it is for and an example."""
    from rooroute.rpc.settings_table import keys as every_key

    part = call.options.section
    found = [each for each in every_key(json.loads(config_schema())) if part is None or _typed(each.path)[0] == part]
    if call.options.json:
        call.terminal.json({"keys": [each.row() for each in found]})
        return OK
    for section in dict.fromkeys(_typed(each.path)[0] for each in found):
        mine = [each for each in found if _typed(each.path)[0] == section]
        call.terminal.say(_HEADS[section])
        rows: list[Sequence[Cell]] = [
            (_typed(each.path)[1], each.told.tells, fields.shown(each.told.example)) for each in mine
        ]
        call.terminal.show(call.terminal.table(_HEADINGS, rows))
        call.terminal.say()
    return OK


_HEADS: Final = {
    "profiles": "Of a profile: rooroute profiles set NAME FIELD=VALUE",
    "pools": "Of a pool: rooroute pools set NAME FIELD=VALUE",
    "defaults": "For all: rooroute settings set FIELD=VALUE",
}


def _typed(path: str) -> tuple[str, str]:
    """A key's section, and the field as it is typed."""
    section, _, field = path.partition(".")
    return section.removesuffix("[]"), field.replace("rules[]", "rules.NAME").replace(".*", ".NAME")


# --- shared ---


def _refuse_written(id_before: str, stamp_before: str | None, new_id: str, stamp: str | None, section: str) -> None:
    if new_id != id_before:
        raise InvalidInput(f"The id is changed with: rooroute {section} rename {id_before} {new_id}", field="id")
    if stamp != stamp_before:
        raise InvalidInput("keySavedAt is written by rooroute when a key is saved.", field="keySavedAt")


def _show(call: Call, kind: type[T], found: T, field: str | None, *, before: str = "") -> int:
    every: Json = TypeAdapter(kind).dump_python(found, mode="json", by_alias=True, exclude_none=True)
    saved = plain(found)
    if field is not None:
        target = fields.place(kind, field)
        value = fields.read(every, target)
        if call.options.json:
            call.terminal.json(
                {"field": before + field, "value": value, "saved": fields.read(saved, target) is not None}
            )
        elif value is not None:
            call.terminal.say(fields.shown(value))
        return OK
    if call.options.json:
        call.terminal.json(every if call.options.all else saved)
        return OK
    told = fields.flattened(every if call.options.all else saved) if saved or call.options.all else []
    for name, value in told:
        call.terminal.say(f"{before}{name}={fields.shown(value)}")
    if not told:
        call.terminal.remark("Everything is as it is by default; --all shows it.")
    return OK


def _saved(call: Call, saved: Json, subject: str) -> int:
    if call.options.json:
        call.terminal.json(saved)
    else:
        call.terminal.say(f"{subject} is saved.")
        if told := sent_unasked(saved):
            call.terminal.say(told)
        call.terminal.remark("Take it back with: rooroute undo")
    return OK


def sent_unasked(saved: Json) -> str | None:
    """What a saved profile or pool has sent without a request, and what that costs; None where nothing is sent."""
    check: str | None = saved.get("profile", {}).get("health", {}).get("sends")
    probes: str | None = saved.get("pool", {}).get("probes")
    return f"Health check: {check}" if check else probes


def _renamed(call: Call, errand: Callable[[Backend], Awaitable[Json]], noun: str) -> int:
    found = call.visit(errand)
    if call.options.json:
        call.terminal.json(found)
    else:
        call.terminal.say(f"The {noun} {call.options.id} is called {call.options.new_id} now.")
    return OK
