"""What a target takes: a value out of its range is brought into it, or refused with its name, as ``options.outOfRange`` says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from rooroute.chat import ChatRequest
from rooroute.errors import InvalidInput
from rooroute.providers.dialect import Target

OPTION: Final = "outOfRange"
CHOICES: Final = ("clamp", "refuse")


@dataclass(frozen=True, slots=True)
class Range:
    """From ``low`` to ``high``, both included; for ``stop`` they count sequences. ``model`` narrows it to models whose name it finds."""

    field: Literal["temperature", "top_p", "stop", "seed", "max_tokens"]
    low: float
    high: float
    model: re.Pattern[str] | None = None


_SPOKEN: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "stop": "stop",
    "seed": "seed",
    "max_tokens": "maxTokens",
}


def fitted(ranges: Sequence[Range], target: Target, request: ChatRequest) -> ChatRequest:
    """The request as this target takes it. The first range that speaks of a field and this model decides.

    Raises InvalidInput naming the field where the profile refuses instead of clamping.
    """
    changes: dict[str, Any] = {}
    judged: set[str] = set()
    for each in ranges:
        if each.field in judged or (each.model and not each.model.search(target.model)):
            continue
        judged.add(each.field)
        given = getattr(request, each.field)
        value = len(given) if each.field == "stop" else given
        if value is None or each.low <= value <= each.high:
            continue
        if target.profile.options.get(OPTION) == "refuse":
            raise _refusal(each, target)
        changes[each.field] = _clamped(each, given)
    return replace(request, **changes) if changes else request


def _clamped(each: Range, given: Any) -> Any:
    if each.field == "stop":
        return given[: int(each.high)]
    clamped = min(max(given, each.low), each.high)
    return int(clamped) if isinstance(given, int) else float(clamped)


def _refusal(each: Range, target: Target) -> InvalidInput:
    name = _SPOKEN[each.field]
    if each.field == "stop":
        allowed = f"at most {each.high:g} stop sequences"
    elif each.low == each.high:
        allowed = f"no {name} but {each.high:g}"
    else:
        allowed = f"{name} from {each.low:g} to {each.high:g}"
    return InvalidInput(
        f"{target.profile.title} takes {allowed} for {target.model}; change it, or set options.{OPTION} to clamp.",
        field=name,
    )
