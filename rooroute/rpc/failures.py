"""Exceptions to error answers; what is unforeseen goes to the log by place, and nowhere by its text, which may quote a key."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final, TypeAlias

from rooroute.errors import RoorouteError

Json: TypeAlias = dict[str, Any]

METHOD_NOT_FOUND: Final = -32601
INTERNAL: Final = -32603
CANCELLED: Final = -32800

log = logging.getLogger(__name__)


class UnknownMethod(Exception):
    """No row of the methods' table."""


def told(code: int) -> str:
    """The sentence for a failure that pygls found; its own quotes what the client sent."""
    if code == METHOD_NOT_FOUND:
        return "There is no such method; protocol/README.md lists them."
    return "The request could not be served."


def error_message(msg_id: str | int | None, code: int, message: str, kind: str, data: Json | None = None) -> Json:
    """An error answer."""
    return {
        "jsonrpc": "2.0",
        "id": msg_id,
        "error": {"code": code, "message": message, "data": {**(data or {}), "kind": kind}},
    }


def error_for(msg_id: str | int, wrong: BaseException) -> Json:
    """The error answer for an exception: the tree of ``errors`` as it is, anything else without a word of its own."""
    if isinstance(wrong, RoorouteError):
        return error_message(msg_id, wrong.code, wrong.message, wrong.kind, wrong.data)
    if isinstance(wrong, UnknownMethod):
        return error_message(msg_id, METHOD_NOT_FOUND, told(METHOD_NOT_FOUND), "protocol")
    reference = note(wrong)
    message = f"Something went wrong inside rooroute; its log says more under {reference}."
    return error_message(msg_id, INTERNAL, message, "internal", {"reference": reference})


def note(wrong: BaseException) -> str:
    """Log where an unforeseen exception came from, without its text (which may quote a key); gives the reference it is found under."""
    reference = secrets.token_hex(4)
    places = []
    step = wrong.__traceback__
    while step is not None:
        places.append(f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}")
        step = step.tb_next
    what = f"{type(wrong).__name__} ({wrong.name})" if isinstance(wrong, ImportError) else type(wrong).__name__
    log.error("%s: %s at %s", reference, what, " < ".join(reversed(places)) or "an unknown place")
    return reference
