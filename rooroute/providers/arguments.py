"""A tool call's arguments on wires that take an object where the conversation holds text."""

from __future__ import annotations

import json
from typing import Any


def as_object(text: str) -> dict[str, Any]:
    """The arguments as an object.

    A call that was never whole JSON (cut off by a limit) stays sayable, so that its conversation can go on.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return {"arguments": text}
    return value if isinstance(value, dict) else {"arguments": value}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
