"""``rooroute pools`` and ``rooroute rotate``."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, TypeAlias

from rooroute.adapters.config_reading import plain
from rooroute.commands.call import OK, Call, WrongUse
from rooroute.commands.status import pool_lines, tell_of_file, with_configuration
from rooroute.commands.typed import parsed, seconds, with_settings
from rooroute.errors import InvalidInput, NotFound
from rooroute.pool_admission import refuse_unread
from rooroute.profiles import Pool
from rooroute.roster import no_pool
from rooroute.routing.figures import FIGURES
from rooroute.unanswered import duration_words

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]


def list_pools(call: Call) -> int:
    """Every pool and who answers in it."""
    found, configuration = call.visit(with_configuration)
    if not call.options.json:
        tell_of_file(configuration, call.terminal)
    if call.options.json:
        call.terminal.json(
            {name: found[name] for name in ("now", "configRevision", "pools", "defaultPool") if name in found}
        )
    elif found["profiles"]:
        call.terminal.show(pool_lines(found, call.terminal))
    else:
        call.terminal.say("There is no pool: there is no profile yet. Save one: rooroute profiles add")
    return OK


def add(call: Call) -> int:
    """Save a new pool."""

    async def save(backend: Backend) -> Json:
        refuse_unread(call.options.id, backend.configuration)
        if call.options.id.casefold() in {each.casefold() for each in backend.configuration.pools}:
            raise InvalidInput(
                f"There is already a pool {call.options.id}; choose another name, or change it: rooroute pools edit {shlex.quote(call.options.id)}.",
                field="id",
            )
        return await _save(backend, call, {"id": call.options.id})

    return _saved(call, call.visit(save))


def edit(call: Call) -> int:
    """Change a pool; what is not named stays."""
    options = call.options
    if not (options.profiles or options.set or any((options.name, options.strategy, options.cooldown))):
        raise WrongUse(f"nothing to change was named; see {options.parser.prog} --help.")

    async def save(backend: Backend) -> Json:
        return await _save(backend, call, plain(_known(backend, options.id)))

    return _saved(call, call.visit(save))


def remove(call: Call) -> int:
    """Remove a pool; the words to make it again are the way back."""

    pool_id = call.options.id

    async def take_away(backend: Backend) -> tuple[Json, Pool | None]:
        pool = None if pool_id in backend.configuration.unreadable_pools else _known(backend, pool_id)
        return await backend.delete_pool(pool_id, revision=None), pool

    found, pool = call.visit(take_away)
    if call.options.json:
        call.terminal.json(found)
        return OK
    call.terminal.say(f"The pool {pool_id} is removed; its profiles stay.")
    again = "rooroute undo" if pool is None else f"rooroute {shlex.join(_words_for(pool))}"
    call.terminal.remark(f"Make it again with: {again}")
    return OK


def _words_for(pool: Pool) -> list[str]:
    """The command that saves this pool."""
    rest = {name: value for name, value in plain(pool).items() if name not in ("id", "profiles")}
    settings = (f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in rest.items())
    return ["pools", "add", pool.id, *pool.profiles, *(word for setting in settings for word in ("--set", setting))]


def _known(backend: Backend, pool_id: str) -> Pool:
    refuse_unread(pool_id, backend.configuration)
    pool = backend.configuration.pools.get(pool_id)
    if pool is None:
        known = ", ".join(backend.configuration.pools) or "none saved yet"
        raise NotFound(f"There is no saved pool {pool_id!r}; the pools are: {known}.", field="id")
    return pool


async def _save(backend: Backend, call: Call, fields: Json) -> Json:
    options = call.options
    named = {name: value for name in ("name", "strategy", "cooldown") if (value := getattr(options, name)) is not None}
    if options.profiles:
        named["profiles"] = list(options.profiles)
    pool = parsed(Pool, with_settings(Pool, fields | named, options.set))
    if pool.id != options.id:
        raise InvalidInput("A pool keeps its id; give it another name with --name.", field="id")
    return await backend.save_pool(pool, revision=None)


def _saved(call: Call, saved: Json) -> int:
    if call.options.json:
        call.terminal.json(saved)
    else:
        call.terminal.say(f"The pool {saved['pool']['id']} is saved: {', '.join(saved['pool']['profiles'])}.")
        if saved["pool"].get("probes"):
            call.terminal.say(saved["pool"]["probes"])
    return OK


def rotate(call: Call) -> int:
    """Rest the pool's current profile for everybody and say who answers next."""
    rest = None if call.options.rest is None else seconds(call.options.rest, "--rest")
    found = call.visit(lambda backend: _rotate(backend, call.options.pool, call.options.to, rest))
    if call.options.json:
        call.terminal.json(found)
    elif found["rested"]:
        call.terminal.say(
            f"{' and '.join(found['rested'])} rests for {duration_words(found['rest'])}; {found['to']} answers next."
        )
    else:
        call.terminal.say(f"{found['to']} answers already.")
    return OK


async def _rotate(backend: Backend, pool_id: str | None, to: str | None, rest: float | None) -> Json:
    pool = backend.configuration.pool(pool_id)
    if pool is None:
        raise no_pool(backend.configuration, pool_id)
    chosen = (rest, pool.cooldown, backend.configuration.defaults.cooldown, FIGURES.fixed_cooldown)
    seconds_long = next(each for each in chosen if each)
    rested: list[str] = []
    status = await backend.status()
    current = _shown(status, "pools", pool.id).get("current")
    if to is not None:
        _may_be_next(status, pool, to)
    while to is None or current != to:
        moved = await backend.rotate(pool.id, to=None, rest=seconds_long)
        rested += [moved["from"]] if moved["from"] else []
        current = moved["to"]
        if to is None or len(rested) >= len(pool.profiles):
            break
    return {
        "pool": pool.id,
        "from": rested[0] if rested else None,
        "to": current,
        "rest": seconds_long,
        "rested": rested,
    }


def _may_be_next(status: Json, pool: Pool, to: str) -> None:
    if to not in pool.profiles:
        raise NotFound(
            f"{to} is not in the pool {pool.id}; it holds {', '.join(pool.profiles) or 'nobody'}.", field="to"
        )
    shown = _shown(status, "profiles", to)
    if shown["state"] != "active":
        why = " ".join(text for text in (shown.get("reason"), shown.get("remedy")) if text)
        raise InvalidInput(f"{to} cannot be next, its state is {shown['state']}. {why}".strip(), field="to")


def _shown(status: Json, kind: str, name: str) -> Json:
    return next(each for each in status[kind] if each["id"] == name)
