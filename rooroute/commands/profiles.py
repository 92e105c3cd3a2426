"""``rooroute profiles``: everything about saved profiles but saving them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.commands.call import FAILED, OK, Call
from rooroute.commands.status import profile_lines, tell_of_file, with_configuration
from rooroute.commands.terminal import Cell
from rooroute.errors import InvalidInput, RoorouteError
from rooroute.profiles import Profile, reference_name
from rooroute.providers.authentication import USUAL_SLOT

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_TESTED_AT_ONCE: Final = 8


def list_profiles(call: Call) -> int:
    """Every profile with its state and where its key is."""
    found, configuration = call.visit(with_configuration)
    if not call.options.json:
        tell_of_file(configuration, call.terminal)
    if call.options.json:
        call.terminal.json({name: found[name] for name in ("now", "configRevision", "secretStore", "profiles")})
    elif found["profiles"]:
        call.terminal.show(profile_lines(found, call.terminal))
    else:
        call.terminal.say("There is no profile yet. Save one: rooroute profiles add")
    return OK


def remove(call: Call) -> int:
    """Remove one, and say how to get it back."""
    profile_id = call.options.id
    found = call.visit(lambda backend: backend.delete_profile(profile_id, revision=None))
    if call.options.json:
        call.terminal.json(found)
        return OK
    pools = f"; it was in {', '.join(found['pools'])}" if found["pools"] else ""
    call.terminal.say(f"{profile_id} is removed{pools}.")
    call.terminal.remark(f"Undo it within ten minutes: rooroute profiles restore {quote(profile_id)}")
    return OK


def restore(call: Call) -> int:
    """Undo a removal."""
    return _change(call, lambda backend: backend.restore_profile(call.options.id), "is back")


def enable(call: Call) -> int:
    """Switch one on."""
    return _change(call, lambda backend: _switched(backend, call.options.id, True), "is enabled")


def disable(call: Call) -> int:
    """Switch one off."""
    return _change(call, lambda backend: _switched(backend, call.options.id, False), "is disabled: nobody asks it")


def reset(call: Call) -> int:
    """Forget a profile's marks."""
    return _change(call, lambda backend: backend.reset_profile(call.options.id), "is judged afresh")


def dismiss(call: Call) -> int:
    """Hear no more of a quota that profiles seem to share."""
    ids: Sequence[str] = call.options.ids
    call.visit(lambda backend: backend.dismiss(ids))
    if call.options.json:
        call.terminal.json({"ids": list(ids)})
    else:
        call.terminal.say(f"That {' and '.join(ids)} seem to share a quota is not said again.")
    return OK


async def _switched(backend: Backend, profile_id: str, enabled: bool) -> Json:
    return await backend.set_enabled(profile_id, enabled)


def _change(call: Call, errand: Callable[[Backend], Awaitable[Json]], words: str) -> int:
    found = call.visit(errand)
    if call.options.json:
        call.terminal.json(found)
    else:
        call.terminal.say(f"{call.options.id} {words}.")
    return OK


def test(call: Call) -> int:
    """Try profiles, several at once; each stage is told as it is done. Exit code 1 when one cannot be used."""
    found = call.visit(lambda backend: _test_all(backend, call))
    if call.options.json:
        call.terminal.json({"ok": all(each["ok"] for each in found.values()), "profiles": found})
    return OK if all(each["ok"] for each in found.values()) else FAILED


def _help_out(call: Call, profile: Profile, tested: Json, *, briefly: bool) -> None:
    """What helps to mend a profile that failed; ``briefly`` beside others."""
    if tested["ok"]:
        return
    if any(stage["name"] == "auth" and not stage["ok"] for stage in tested["stages"]):
        name = reference_name(profile.api_key) if profile.api_key else None
        held = f"Its key is in the environment variable {name}; set that to another, or save one" if name else ""
        way = f"rooroute profiles edit {quote(profile.id)} --ask-key"
        if USUAL_SLOT not in profile.secret_commands:
            call.terminal.remark(f"{held or 'To change its key'}: {way}")
    if (curl := tested.get("curl")) and not briefly:
        call.terminal.remark(f"The same request without rooroute, the key in $API_KEY: {curl}")


async def _test_all(backend: Backend, call: Call) -> dict[str, Json]:
    saved = backend.configuration.profiles.values()
    ids: Sequence[str] = call.options.ids or [each.id for each in saved if each.enabled]
    if not ids:
        raise InvalidInput("There is no profile to test; save one: rooroute profiles add.", field="id")
    gate, found = asyncio.Semaphore(_TESTED_AT_ONCE), dict[str, Json]()
    many = len(set(ids)) > 1

    async def one(profile_id: str) -> None:
        async with gate:
            stages: list[Json] = []
            told = stages.append if many or call.options.json else lambda stage: _tell(call, stage)
            try:
                found[profile_id] = await backend.test_profile(profile_id, {}, call.options.level, told)
            except RoorouteError as wrong:
                if not many:
                    raise
                found[profile_id] = {"ok": False, "stages": [{"name": "profile", "ok": False, "detail": wrong.message}]}
                stages = found[profile_id]["stages"]
        if many and not call.options.json:
            call.terminal.say(f"{profile_id}: {'works' if found[profile_id]['ok'] else 'cannot be used'}")
            for stage in stages:
                _tell(call, stage, indent=2)
        if not call.options.json and profile_id in backend.configuration.profiles:
            _help_out(call, backend.configuration.profiles[profile_id], found[profile_id], briefly=many)

    if not many:
        await one(ids[0])
        return found
    async with asyncio.TaskGroup() as tests:
        for profile_id in dict.fromkeys(ids):
            tests.create_task(one(profile_id))
    return {profile_id: found[profile_id] for profile_id in dict.fromkeys(ids)}


def _tell(call: Call, stage: Json, indent: int = 0) -> None:
    screen = call.terminal.screen
    mark = screen.paint("✓", "green") if stage["ok"] else screen.paint("✗", "red")
    took = f"{stage['durationMs']:,.0f} ms" if stage.get("durationMs") is not None else ""
    words = " ".join(text for text in (stage.get("detail"), stage.get("remedy")) if text)
    call.terminal.marked(mark, f"{stage['name']:<10} {took:>9}  {words}".rstrip(), indent)


def models(call: Call) -> int:
    """What a profile can be asked for."""
    found = call.visit(lambda backend: backend.models(call.options.id, {}, refresh=call.options.refresh))
    if call.options.json:
        call.terminal.json(found)
        return OK
    rows = [_model_cells(each) for each in found["models"]]
    call.terminal.show(call.terminal.table(("MODEL", "WINDOW", "LONGEST ANSWER", "USD PER MILLION IN, OUT"), rows))
    if found.get("stale"):
        call.terminal.remark(f"The provider could not be asked just now; this is its list of {found['fetchedAt']}.")
    if problem := found.get("problem"):
        call.terminal.remark(" ".join(text for text in (problem["message"], problem.get("remedy")) if text))
    if any(each.get("assumed") for each in found["models"]):
        call.terminal.remark("~ is assumed: the provider does not tell.")
    return OK


def _model_cells(model: Json) -> Sequence[Cell]:
    assumed = set(model.get("assumed") or ())

    def cell(field: str, form: str) -> str:
        value = model.get(field)
        return "" if value is None else f"{'~' if field in assumed else ''}{value:{form}}"

    prices = ", ".join(text for field in ("inputPrice", "outputPrice") if (text := cell(field, "g")))
    return (model["id"], cell("contextWindow", ","), cell("maxTokens", ","), prices)
