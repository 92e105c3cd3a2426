"""What an error looks like on the command line: its sentence, and what the command line itself can do about it."""

from __future__ import annotations

import re
from shlex import quote
from typing import Final

from rooroute.commands.call import FAILED, INTERRUPTED, USAGE, Call, WrongUse
from rooroute.errors import Cancelled, Conflict, NoProfiles, NotFound, OriginNotApproved, RoorouteError

_MENDING: Final = {"apiKey": "--ask-key", "profile.baseUrl": "--approve-origin"}
"""By the field that mends it, the option that lets a key go to another address."""


_UNKNOWN: Final = re.compile(r"There is no (profile|pool) [^;]*\.")


def report(call: Call, wrong: RoorouteError) -> int:
    """Say what went wrong; gives the exit code."""
    if call.options.json:
        call.terminal.json({"error": {"kind": wrong.kind, "message": wrong.message, **wrong.data}})
    if isinstance(wrong, Cancelled):
        call.terminal.remark("Cancelled.")
        return INTERRUPTED
    remedy = _remedy(call, wrong)
    prog = call.options.parser.prog if isinstance(wrong, WrongUse) else "rooroute"
    call.terminal.complain(f"{prog}: {wrong.message}{f' {remedy}' if remedy else ''}")
    return USAGE if isinstance(wrong, WrongUse) else FAILED


def _remedy(call: Call, wrong: RoorouteError) -> str:
    if isinstance(wrong, Conflict):
        return "Run the command again."
    if isinstance(wrong, NoProfiles) and not wrong.data.get("profiles") and "rooroute " not in wrong.message:
        return "To save one: rooroute profiles add."
    if isinstance(wrong, NoProfiles) and "is switched off" in wrong.message:
        return "To switch one on: rooroute profiles enable PROFILE."
    if isinstance(wrong, NotFound) and (kind := _UNKNOWN.fullmatch(wrong.message)):
        return f"To see those there are: rooroute {kind[1]}s list."
    if isinstance(wrong, OriginNotApproved):
        option = _MENDING.get(str(wrong.data.get("field")), "--approve-origin")
        if hasattr(call.options, "approve_origin"):
            return f"To approve it, run the command again with {option}."
        return f"To approve it: rooroute profiles edit {quote(str(wrong.data.get('profileId', 'NAME')))} {option}."
    return ""
