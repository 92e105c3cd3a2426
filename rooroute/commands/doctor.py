"""``rooroute doctor``: the examination of ``rooroute.doctor`` with this machine's own parts, and how it is told."""

from __future__ import annotations

import asyncio

from rooroute.checkup import Finding
from rooroute.commands.call import FAILED, OK, Call
from rooroute.compose import make_surroundings
from rooroute.doctor import examine


def doctor(call: Call) -> int:
    """Exit code 1 when something is wrong."""
    call.terminal.remark("Looking at configuration, keyring, state, windows, clock and each profile …")
    findings = asyncio.run(_examine(call))
    well = all(each.ok for each in findings)
    if call.options.json:
        rows = [
            {"name": each.name, "ok": each.ok, "cause": each.cause, "remedy": each.remedy or None} for each in findings
        ]
        call.terminal.json({"ok": well, "findings": rows})
        return OK if well else FAILED
    screen = call.terminal.screen
    for each in findings:
        call.terminal.marked(
            screen.paint("✓", "green") if each.ok else screen.paint("✗", "red"), f"{each.name}: {each.cause}"
        )
        if each.remedy:
            call.terminal.marked("→", each.remedy, indent=2)
    return OK if well else FAILED


async def _examine(call: Call) -> list[Finding]:
    async with make_surroundings(call.places, call.environment) as around:
        return await examine(around)
