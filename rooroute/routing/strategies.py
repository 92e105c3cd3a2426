"""In which order the profiles of one tier are tried. One function a strategy; a new one is a function here and its name in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rooroute.profiles import Strategy
from rooroute.routing.candidate import Candidate

Order = Callable[[Sequence[Candidate], Mapping[str, float]], list[Candidate]]


def priority(candidates: Sequence[Candidate], last_selected: Mapping[str, float]) -> list[Candidate]:
    """As the user ordered them."""
    return sorted(candidates, key=lambda candidate: candidate.position)


def round_robin(candidates: Sequence[Candidate], last_selected: Mapping[str, float]) -> list[Candidate]:
    """Least recently selected first, by every window's selections (UTC epoch seconds by profile id). Unlike a running index this stays
    fair while profiles leave for a cooldown and come back."""
    never = float("-inf")
    return sorted(
        candidates, key=lambda candidate: (last_selected.get(candidate.profile_id, never), candidate.position)
    )


STRATEGIES: Final[Mapping[Strategy, Order]] = {
    Strategy.PRIORITY: priority,
    Strategy.ROUND_ROBIN: round_robin,
}
