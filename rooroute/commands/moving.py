"""``rooroute import``, ``export``, ``backup``, ``restore``, ``history``, ``undo`` and ``schema``: the configuration as a whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.adapters import machine
from rooroute.adapters.config_file import MODELINE, SCHEMA_NAME
from rooroute.commands.call import OK, Call
from rooroute.commands.terminal import Cell
from rooroute.commands.typed import moment
from rooroute.compose import config_schema
from rooroute.errors import InvalidInput, NotFound, RoorouteError

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_LARGEST: Final = 16_000_000
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHOWN: Final = 8
_KEYS: Final = {
    "keyring": "its key goes to the keyring",
    "session": "its key is in memory for this session",
    "client": "its key goes to the editor's own store",
    "environment": "its key comes from the environment",
    "none": "without a key",
    "notKept": "without its key, which cannot be kept here: see rooroute profiles edit, --key-env NAME",
}
_FORMS: Final = {
    "loom": "Loom's ai_gateway",
    "litellm": "LiteLLM's config.yaml",
    "roocode": "providers and routing_rules",
    "rooroute": "rooroute's own form",
}


# --- coming and going ---


def import_file(call: Call) -> int:
    """Bring in another configuration, and account for every key of it."""
    options, text = call.options, _read(call, call.options.file)

    async def bring_in(backend: Backend) -> Json:
        store, problem = await backend.secret_store()
        keeps = problem is None and store == "keyring"
        return await backend.import_text(
            text, pool=options.pool, dry_run=options.dry_run, approve_origin=options.approve_origin, keep_keys=keeps
        )

    found = call.visit(bring_in)
    if options.json:
        call.terminal.json(found)
        return OK
    _tell_import(call, found)
    return OK


def _tell_import(call: Call, found: Json) -> None:
    terminal, would = call.terminal, call.options.dry_run
    terminal.say(f"{'This would bring in' if would else 'Read as'} {_FORMS[found['form']]}:")
    for each in found["profiles"]:
        terminal.say(f"  profile {each['id']} ({each['change']}), {_KEYS[each['key']]}")
    for each in found["pools"]:
        terminal.say(f"  pool {each['id']} ({each['change']})")
    if not found["profiles"] and not found["pools"]:
        terminal.say("  nothing that is not there already")
    if found["taken"]:
        rows: list[Sequence[Cell]] = [(each["key"], each["where"]) for each in found["taken"]]
        terminal.show(terminal.table(("TAKEN", "WHERE IT ACTS"), rows))
    if found["leftOut"]:
        rows = [(each["key"], each["reason"]) for each in found["leftOut"]]
        terminal.show(terminal.table(("NOT TAKEN", "WHY"), rows))
    if any("approve that address" in each["reason"] for each in found["leftOut"]):
        terminal.remark("To approve the addresses, run the command again with --approve-origin.")
    for remark in found["remarks"]:
        terminal.remark(remark)
    if not would and (found["profiles"] or found["pools"]):
        terminal.remark("Take it back with: rooroute undo")


def export(call: Call) -> int:
    """Hand out the configuration without secrets."""
    found = call.visit(lambda backend: backend.export(call.options.format))
    if call.options.json:
        call.terminal.json(found)
        return OK
    call.terminal.out.write(found["text"])
    call.terminal.out.flush()
    for each in found["leftOut"]:
        call.terminal.remark(each)
    return OK


def backup(call: Call) -> int:
    """Copy the configuration file, comments and all."""
    day = datetime.fromtimestamp(call.now()).astimezone().date().isoformat()
    target = Path(call.options.file or f"rooroute-config-{day}.yaml").expanduser().absolute()
    if target.exists() and not call.options.force:
        raise InvalidInput(f"{target} is there already; name another file, or add --force.", field="file")
    text = call.visit(lambda backend: backend.backup())["text"]
    try:
        machine.replace_file(target, text.encode())
    except FileNotFoundError:
        raise NotFound(f"There is no folder {target.parent}; nothing was copied.", field="file") from None
    except OSError as wrong:
        raise RoorouteError(f"The copy could not be made: {wrong.strerror or wrong}.") from None
    if call.options.json:
        call.terminal.json({"file": str(target)})
        return OK
    call.terminal.say(f"The configuration is copied to {target}; keys are not in it.")
    call.terminal.remark(f"Put it back with: rooroute restore {quote(str(target))}")
    return OK


def restore(call: Call) -> int:
    """Make a backup the configuration again."""
    text = _read(call, call.options.file)
    found = call.visit(lambda backend: backend.restore_text(text, dry_run=call.options.dry_run))
    return _put_back(call, found, f"The configuration is what {call.options.file} says")


def _read(call: Call, name: str) -> str:
    if name == "-":
        return call.terminal.stdin.read()
    try:
        return machine.read_regular(Path(name).expanduser(), _LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"There is no file {name}.", field="file") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{name} is not UTF-8 text; save it in that encoding.", field="file") from None
    except OSError as wrong:
        raise InvalidInput(f"{name} cannot be read: {wrong.strerror or wrong}.", field="file") from None


# --- looking back ---


def history(call: Call) -> int:
    """What changed in the configuration, and when."""
    begin, end = _span(call)
    found = call.visit(lambda backend: backend.history(begin, 1000))
    entries = [each for each in found["entries"] if end is None or datetime.fromisoformat(each["at"]).timestamp() < end]
    if call.options.json:
        call.terminal.json({"entries": entries})
        return OK
    for each in entries:
        now = "  (now)" if each["current"] else ""
        call.terminal.say(f"{_local(each['at'])}  {each['revision'][:8]}{now}")
        for told in each["changes"][:_SHOWN]:
            call.terminal.say(f"    {told}")
        if len(each["changes"]) > _SHOWN:
            call.terminal.say(f"    and {len(each['changes']) - _SHOWN} more; --json tells all")
    if not entries:
        call.terminal.say("Nothing changed in that time.")
    elif len(entries) > 1:
        call.terminal.remark("Go back to one of them with: rooroute undo REVISION")
    return OK


def _span(call: Call) -> tuple[float | None, float | None]:
    """From when until when, as UTC epoch seconds."""
    if call.options.on is None:
        return (moment(call.options.since, call.now()) if call.options.since else None), None
    day = _day(call.options.on.lower(), datetime.fromtimestamp(call.now()).astimezone())
    return day.timestamp(), (day + timedelta(days=1)).timestamp()


def _day(word: str, now: datetime) -> datetime:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return today - timedelta(days=word == "yesterday")
    named = [number for number, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)]
    if named:
        return today - timedelta(days=(today.weekday() - named[0]) % 7)
    try:
        return datetime.fromisoformat(word).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    except ValueError:
        raise InvalidInput("--on takes a day: tuesday, yesterday, or 2026-01-31.", field="on") from None


def undo(call: Call) -> int:
    """Put a former configuration back."""
    words = call.options
    found = call.visit(lambda backend: backend.undo(words.revision, expected=None, dry_run=words.dry_run))
    return _put_back(call, found, f"The configuration is that of {_local(found['at'])} again")


def _put_back(call: Call, found: Json, words: str) -> int:
    if call.options.json:
        call.terminal.json(found)
        return OK
    told = "; ".join(found["changes"][:_SHOWN])
    if call.options.dry_run:
        call.terminal.say(f"This would change: {told}.")
        if found["gone"]:
            call.terminal.say(f"No longer there would be: {', '.join(found['gone'])}.")
        return OK
    call.terminal.say(f"{words}: {told}.")
    if found["gone"]:
        call.terminal.remark(f"The keys of {', '.join(found['gone'])} are kept for ten minutes.")
    call.terminal.remark("Take this back with: rooroute undo")
    return OK


def _local(at: str) -> str:
    return datetime.fromisoformat(at).astimezone().strftime("%a %Y-%m-%d %H:%M:%S")


# --- for editors ---


def schema(call: Call) -> int:
    """The JSON Schema of the configuration file."""
    if not call.options.install:
        sys.stdout.write(config_schema())
        return OK
    beside = call.places.config.with_name(SCHEMA_NAME)
    try:
        machine.private_directory(beside.parent)
        machine.replace_file(beside, config_schema().encode())
    except OSError as wrong:
        raise RoorouteError(f"{beside} could not be written: {wrong.strerror or wrong}.") from None
    if call.options.json:
        call.terminal.json({"file": str(beside), "line": MODELINE})
        return OK
    call.terminal.say(f"The schema is at {beside}.")
    call.terminal.remark(f"Editors complete by it where the configuration's first line is: {MODELINE}")
    return OK
