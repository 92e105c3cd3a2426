"""What an error looks like on the command line: its sentence, and what the command line itself can do about it."""

from __future__ import annotations

from typing import Final

from rooroute.commands.call import FAILED, INTERRUPTED, USAGE, Call, WrongUse
from rooroute.errors import Cancelled, Conflict, NoProfiles, OriginNotApproved, RoorouteError

_REMEDIES: Final[dict[type[RoorouteError], str]] = {
    OriginNotApproved: "To approve it, run the command again with --approve-origin.",
    Conflict: "Run the command again.",
}


def report(call: Call, wrong: RoorouteError) -> int:
    """Say what went wrong; gives the exit code."""
    if call.options.json:
        call.terminal.json({"error": {"kind": wrong.kind, "message": wrong.message, **wrong.data}})
    if isinstance(wrong, Cancelled):
        call.terminal.remark("Cancelled.")
        return INTERRUPTED
    remedy = next((words for kind, words in _REMEDIES.items() if isinstance(wrong, kind)), "")
    if isinstance(wrong, NoProfiles) and not wrong.data.get("profiles"):
        remedy = "To save one: rooroute profiles add."
    prog = call.options.parser.prog if isinstance(wrong, WrongUse) else "rooroute"
    call.terminal.complain(f"{prog}: {wrong.message}{f' {remedy}' if remedy else ''}")
    return USAGE if isinstance(wrong, WrongUse) else FAILED
