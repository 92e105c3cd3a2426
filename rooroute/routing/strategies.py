"""In which order the profiles of one tier are tried. One function a strategy; a new one is a function here and its name in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rooroute.profiles import Strategy
from rooroute.routing.candidate import Candidate


def unknown(profile_id: str) -> None:
    """Nothing is known of any profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the strategies may know, at one moment and for one request.

    ``last_selected`` are every window's selections (UTC epoch seconds by profile id). ``cost`` is the estimate of this request in USD,
    ``first_token`` the measured seconds to the first token, both None where not known, and ``measured_at`` when a profile was last asked
    (UTC epoch seconds). ``explore`` wants the one not measured for longest. ``busy`` counts the requests under way. ``weights`` are
    relative, and ``turns`` say how far each profile of a weighted pool has come, in units of 1/weight; ``turn`` is where the pool is.
    """

    last_selected: Mapping[str, float] = field(default_factory=dict)
    cost: Callable[[str], float | None] = unknown
    first_token: Callable[[str], float | None] = unknown
    measured_at: Mapping[str, float] = field(default_factory=dict)
    explore: bool = False
    busy: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    turns: Mapping[str, float] = field(default_factory=dict)
    turn: float = 0.0


BLANK: Final = Reading()
Order = Callable[[Sequence[Candidate], Reading], list[Candidate]]
_NEVER: Final = float("-inf")
_UNKNOWN: Final = float("inf")


def priority(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """As the user ordered them."""
    return sorted(candidates, key=lambda candidate: candidate.position)


def round_robin(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """Least recently selected first, by every window's selections. Unlike a running index this stays fair while profiles leave for a
    cooldown and come back."""
    return sorted(
        candidates, key=lambda candidate: (reading.last_selected.get(candidate.profile_id, _NEVER), candidate.position)
    )


def next_turn(profile_id: str, reading: Reading) -> float:
    """Where a profile's next turn lies. Who was away does not catch up on what it missed. A weight of 0 has no turn."""
    weight = reading.weights.get(profile_id, 1.0)
    return max(reading.turns.get(profile_id, 1.0 / weight), reading.turn) if weight > 0 else _UNKNOWN


def weighted(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """By weight, smoothly: stride scheduling (Waldspurger and Weihl, 1995), where each turn moves a profile on by 1/weight. The shares
    of those who can answer are the weights among them; who weighs nothing comes last."""
    return sorted(candidates, key=lambda each: (next_turn(each.profile_id, reading), each.position))


def cost(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """The cheapest for this request first; who has no price comes last."""

    def key(candidate: Candidate) -> tuple[float, int]:
        estimate = reading.cost(candidate.profile_id)
        return (_UNKNOWN if estimate is None else estimate, candidate.position)

    return sorted(candidates, key=key)


def latency(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """The quickest to its first token first. Who was never asked goes before all, once; an exploring request goes to the one not asked
    for longest, so that a slow moment is not for ever."""

    def key(candidate: Candidate) -> tuple[float, float, int]:
        seen_at = reading.measured_at.get(candidate.profile_id, _NEVER)
        if reading.explore or seen_at == _NEVER:
            return (_NEVER, seen_at, candidate.position)
        seconds = reading.first_token(candidate.profile_id)
        return (_UNKNOWN if seconds is None else seconds, seen_at, candidate.position)

    return sorted(candidates, key=key)


def least_busy(candidates: Sequence[Candidate], reading: Reading) -> list[Candidate]:
    """Fewest requests under way first, among equals the least recently selected."""
    return sorted(
        candidates,
        key=lambda each: (
            reading.busy.get(each.profile_id, 0),
            reading.last_selected.get(each.profile_id, _NEVER),
            each.position,
        ),
    )


STRATEGIES: Final[Mapping[Strategy, Order]] = {
    Strategy.PRIORITY: priority,
    Strategy.ROUND_ROBIN: round_robin,
    Strategy.WEIGHTED: weighted,
    Strategy.COST: cost,
    Strategy.LATENCY: latency,
    Strategy.LEAST_BUSY: least_busy,
    Strategy.MODEL: priority,  # who is routed to stands in a group of its own: see route.py
}

ORDER_WORDS: Final[Mapping[Strategy, str]] = {
    Strategy.PRIORITY: "is the first in order that can answer",
    Strategy.ROUND_ROBIN: "was used least recently",
    Strategy.WEIGHTED: "is next by weight",
    Strategy.COST: "is the cheapest for this request",
    Strategy.LATENCY: "was the quickest of late",
    Strategy.LEAST_BUSY: "has the fewest requests under way",
    Strategy.MODEL: "is where this model is routed to",
}

SPREADING: Final = frozenset({Strategy.ROUND_ROBIN, Strategy.WEIGHTED, Strategy.LEAST_BUSY, Strategy.MODEL})
"""Strategies that decide anew for every request; a session stays with one profile only in the middle of a tool loop."""
