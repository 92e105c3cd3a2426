"""``rooroute status``: pools and profiles as a person reads them, once or for as long as somebody watches."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.commands.call import OK, Call
from rooroute.commands.terminal import Cell, Painted, Terminal
from rooroute.demo_screen import STATE_COLOURS, Row
from rooroute.profiles import Configuration
from rooroute.status import problem_json

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_TICK_SECONDS: Final = 0.5
_HOMES: Final = {
    "keyring": "keyring",
    "environment": "environment",
    "session": "this session",
    "client": "editor",
    "command": "a command",
    "missing": "missing",
    "notNeeded": "none needed",
}
_PASSING: Final = frozenset({"now", "stateRevision"})


def status(call: Call) -> int:
    """Once, or with ``--watch`` until Ctrl-C, which is how watching ends and no failure."""
    if call.options.watch:
        try:
            call.visit(lambda backend: _watch(backend, call))
        except KeyboardInterrupt:
            call.terminal.say()
        return OK
    found = call.visit(settled_status)
    if call.options.json:
        call.terminal.json(found)
    else:
        call.terminal.show(picture(found, call.terminal))
    return OK


async def settled_status(backend: Backend) -> Json:
    """The status once it is known where keys are kept."""
    await backend.secret_store()
    return await backend.status()


async def with_configuration(backend: Backend) -> tuple[Json, Configuration]:
    """The settled status, and what the file says."""
    return await settled_status(backend), backend.configuration


def tell_of_file(configuration: Configuration, terminal: Terminal) -> None:
    """Beside what is in force, that the file says something else: who has just edited it would look for it in vain."""
    if not configuration.problems:
        return
    first, *others = configuration.problems
    more = f" There is more ({len(others)}):" if others else " To look again:"
    terminal.remark(f"! {problem_sentence(problem_json(first))}{more} rooroute doctor")


async def _watch(backend: Backend, call: Call) -> None:
    """A terminal sees the time run down; whatever else reads gets a status for every change."""
    show, last = _viewer(call), None
    while True:
        found = await settled_status(backend)
        lasting = {name: value for name, value in found.items() if name not in _PASSING}
        if call.terminal.screen.live or lasting != last:
            show(found)
        last = lasting
        await asyncio.sleep(_TICK_SECONDS)


def _viewer(call: Call) -> Callable[[Json], None]:
    terminal = call.terminal
    if call.options.json:
        return terminal.json_line
    if not terminal.screen.live:
        return lambda found: terminal.show([found["now"], *picture(found, terminal), ""])

    def redraw(found: Json) -> None:
        terminal.screen.redraw(picture(found, terminal)[: shutil.get_terminal_size().lines - 1])

    return redraw


def picture(found: Json, terminal: Terminal) -> list[str]:
    """The whole status as lines."""
    if not found["profiles"]:
        lines = ["There is no profile yet. Save one: rooroute profiles add"]
    else:
        lines = [*profile_lines(found, terminal), "", *pool_lines(found, terminal)]
    return lines + [
        line for each in found["problems"] for line in terminal.wrapped(f"! {problem_sentence(each)}{_dismissal(each)}")
    ]


def _dismissal(problem: Json) -> str:
    ids = problem.get("dismissible", ())
    return f" To dismiss it: rooroute profiles dismiss {' '.join(map(quote, ids))}" if ids else ""


def profile_lines(found: Json, terminal: Terminal) -> list[str]:
    """The profiles as a table, each with the remedy it needs below it."""
    rows = [_profile_cells(each, found["now"]) for each in found["profiles"]]
    lines = terminal.table(("PROFILE", "STATE", "PROVIDER", "MODEL", "KEY", "LAST 7 DAYS"), rows)
    told = lines[:1]
    for line, profile in zip(lines[1:], found["profiles"], strict=True):
        told.append(line)
        if words := _below(profile):
            told += terminal.wrapped(words, "    ", "grey")
    return told


def _profile_cells(profile: Json, now: str) -> Sequence[Cell]:
    state = profile["state"]
    words = Row("", state, seconds_left(profile, now)).words
    return (
        profile["id"],
        Painted(f"{words}{' (being tried)' if profile.get('probing') else ''}", STATE_COLOURS.get(state, "grey")),
        profile["provider"],
        str(profile.get("model") or ""),
        _HOMES[profile["secret"]],
        _figures(profile.get("stats")),
    )


def _below(profile: Json) -> str:
    told = (profile.get("reason"), profile.get("remedy")) if profile["state"] != "disabled" else ()
    return " ".join(text for text in (*told, _health(profile.get("health"))) if text)


def _health(health: Json | None) -> str:
    """What its checks say, where it is checked; ``sends`` names their cost."""
    if health is None or health["source"] != "check":
        return ""
    words = {"unknown": "not checked yet"}.get(health["status"], health["status"])
    wait = f" after {health['latencyMs']:.0f} ms" if health.get("latencyMs") is not None else ""
    error = f": {health['error'].rstrip('.')}" if health["error"] else ""
    return f"Health check: {words}{wait if not error else ''}{error}. {health['sends']}"


def _figures(stats: Json | None) -> str:
    if not stats:
        return ""
    parts = [f"{stats['requests']:,} request{'' if stats['requests'] == 1 else 's'}"]
    if (rate := stats.get("successRate")) is not None:
        parts.append(f"{rate:.0%} good")
    if (wait := stats.get("medianFirstTokenMs")) is not None:
        parts.append(f"{wait / 1000:.2f} s to first token")
    return ", ".join(parts)


def pool_lines(found: Json, terminal: Terminal) -> list[str]:
    """The pools as a table: who answers next, else when somebody will."""
    rows: list[Sequence[Cell]] = [
        (
            f"{pool['id']}{' *' if pool['id'] == found.get('defaultPool') and len(found['pools']) > 1 else ''}",
            _answering(pool, found["now"]),
            pool["strategy"],
            ", ".join(pool["profiles"]),
        )
        for pool in found["pools"]
    ]
    return terminal.table(("POOL", "ANSWERS NEXT", "STRATEGY", "PROFILES"), rows)


def _answering(pool: Json, now: str) -> Cell:
    if pool.get("current"):
        return Painted(pool["current"], "green")
    if pool["state"] == "empty":
        return Painted("nobody: it is empty", "red")
    return Painted(Row("", pool["state"], seconds_left(pool, now)).words, STATE_COLOURS.get(pool["state"], "grey"))


def problem_sentence(problem: Json) -> str:
    """A problem with its place and its remedy."""
    line = f"line {problem['line']}" if problem.get("line") else ""
    place = ", ".join(part for part in (problem.get("profileId"), line) if part and part not in problem["message"])
    return " ".join(part for part in (f"{place}:" if place else "", problem["message"], problem.get("remedy")) if part)


def seconds_left(value: Json, now: str) -> float | None:
    """Seconds from ``now`` until a profile or pool is back; None where no time is known."""
    if not value.get("until"):
        return None
    return (datetime.fromisoformat(value["until"]) - datetime.fromisoformat(now)).total_seconds()
