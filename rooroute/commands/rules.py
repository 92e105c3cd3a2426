"""``rooroute rules``: the rules of a pool, tried in their order."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rooroute.adapters.config_reading import plain
from rooroute.commands import fields
from rooroute.commands.call import OK, Call
from rooroute.commands.setting import saved_pool
from rooroute.commands.terminal import Cell
from rooroute.commands.typed import parsed, settings_of, with_settings, without
from rooroute.errors import InvalidInput, NotFound
from rooroute.profiles import Pool
from rooroute.routing.dead_rules import covers

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]


def list_rules(call: Call) -> int:
    """The rules of a pool, the first to be tried first."""

    async def look(backend: Backend) -> Pool:
        return saved_pool(backend, _pool_id(backend, call.options.pool))

    pool = call.visit(look)
    rules: list[Json] = plain(pool).get("rules", [])
    if call.options.json:
        call.terminal.json({"pool": pool.id, "rules": rules})
        return OK
    if not rules:
        call.terminal.say(
            f"The pool {pool.id} has no rules. Save one: rooroute rules set NAME when.mode=code profiles=NAME"
        )
        return OK
    rows: list[Sequence[Cell]] = [
        (str(place), each["name"], _conditions(each.get("when", {})), _outcome(each))
        for place, each in enumerate(rules, 1)
    ]
    call.terminal.show(call.terminal.table(("", "RULE", "WHEN", "THEN"), rows))
    return OK


def set_rule(call: Call) -> int:
    """Set fields of a rule. One that is new comes last, or before the first that would leave it nothing; ``--at`` says another place."""
    name, at = call.options.id, call.options.at
    settings = [f"rules.{fields.quoted(name)}.{each}" for each in settings_of(call)]

    def changed(data: Json) -> Json:
        after = with_settings(Pool, data, settings)
        if at is not None:
            return _moved(after, name, at)
        is_new = name not in _names(data)
        return _moved(after, name, str(_free_place(after))) if is_new and name in _names(after) else after

    return _save(call, changed, "saved")


def _free_place(data: Json) -> int:
    """Where the rule that stands last may fire: before the first that takes whatever it would, if it leaves that one something."""
    *others, new = parsed(Pool, data).rules
    for place, other in enumerate(others, 1):
        if covers(other.when, new.when):
            return len(others) + 1 if covers(new.when, other.when) else place
    return len(others) + 1


def unset_rule(call: Call) -> int:
    """Take fields of a rule away."""
    name = fields.quoted(call.options.id)
    paths = [f"rules.{name}.{each}" for each in call.options.fields]
    return _save(call, lambda data: without(Pool, _with_rule(data, call.options.id), paths), "saved")


def remove_rule(call: Call) -> int:
    """Remove a rule."""
    name = fields.quoted(call.options.id)
    return _save(call, lambda data: without(Pool, _with_rule(data, call.options.id), [f"rules.{name}"]), "removed")


def move_rule(call: Call) -> int:
    """Try a rule at another place in the order."""
    return _save(call, lambda data: _moved(data, call.options.id, call.options.place), "moved")


def _moved(data: Json, name: str, place: str) -> Json:
    rules = _with_rule(data, name)["rules"]
    chosen = next(each for each in rules if each["name"] == name)
    others = [each for each in rules if each is not chosen]
    at = _place(place, len(rules)) - 1
    return {**data, "rules": [*others[:at], chosen, *others[at:]]}


def _place(text: str, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise InvalidInput(f"A rule's place is a number from 1 to {most}.", field="place")
    return int(text)


def _with_rule(data: Json, name: str) -> Json:
    known = _names(data)
    if name not in known:
        raise NotFound(f"There is no rule {name!r}; the rules are: {', '.join(known) or 'none yet'}.", field="id")
    return data


def _names(data: Json) -> list[str]:
    return [each["name"] for each in data.get("rules", [])]


def _pool_id(backend: Backend, named: str | None) -> str:
    """The pool meant: the default one where none is named."""
    pool = backend.configuration.pool(named)
    return named or (pool.id if pool is not None else "default")


def _save(call: Call, change: Callable[[Json], Json], done: str) -> int:
    async def save(backend: Backend) -> tuple[Pool, Json]:
        pool = saved_pool(backend, _pool_id(backend, call.options.pool))
        changed = parsed(Pool, change(plain(pool)))
        return changed, await backend.save_pool(changed, revision=backend.configuration.revision)

    pool, found = call.visit(save)
    if call.options.json:
        call.terminal.json(found)
        return OK
    name, names = call.options.id, [each.name for each in pool.rules]
    place = f" and tried at place {names.index(name) + 1} of {len(names)}" if name in names else ""
    call.terminal.say(f"The rule {name} of the pool {pool.id} is {done}{place}.")
    call.terminal.remark("Take it back with: rooroute undo")
    return OK


def _conditions(when: Json) -> str:
    told = (
        f"{name} {fields.shown(value) if name != 'metadata' else json.dumps(value)}" for name, value in when.items()
    )
    return "; ".join(told) or "always"


def _outcome(rule: Json) -> str:
    only = "only " if rule.get("only") else ""
    told = (
        f"{only}{', '.join(rule['profiles'])}" if rule.get("profiles") else "",
        f"by {rule['strategy']}" if rule.get("strategy") else "",
        f"in {rule['region']}" if rule.get("region") else "",
    )
    return " ".join(text for text in told if text)
