"""What one editor window remembers of its own: where it was rotated to by hand, and who answered each session. Never shared, so that one
window's choice does not move another's; gone when the window closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rooroute.profiles import Strategy

MAX_SESSIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stay:
    """``profile_id`` has answered a session since ``since`` (UTC epoch seconds)."""

    profile_id: str
    since: float


@dataclass(slots=True)
class Window:
    """Pointers by pool id, stays by pool id and session; the least recently answered session is forgotten first."""

    pointers: dict[str, str] = field(default_factory=dict)
    stays: dict[tuple[str, str], Stay] = field(default_factory=dict)

    def rotate(self, pool_id: str, profile_id: str) -> None:
        """Serve the next request of this pool from that profile."""
        self.pointers[pool_id] = profile_id

    def lose_pointer(self, pool_id: str) -> None:
        """The profile rotated to cannot serve any more: back to the pool's own order."""
        self.pointers.pop(pool_id, None)

    def answered(self, pool_id: str, session: str, profile_id: str, now: float, strategy: Strategy) -> None:
        """A profile answered. In a round-robin pool a rotation by hand has thereby had its turn."""
        known = self.stays.pop((pool_id, session), None)
        stay = known if known is not None and known.profile_id == profile_id else Stay(profile_id, now)
        self.stays[pool_id, session] = stay
        if len(self.stays) > MAX_SESSIONS:
            del self.stays[next(iter(self.stays))]
        if strategy is Strategy.ROUND_ROBIN and self.pointers.get(pool_id) == profile_id:
            del self.pointers[pool_id]

    def stay(self, pool_id: str, session: str) -> Stay | None:
        """Who answers this session, if anybody has yet."""
        return self.stays.get((pool_id, session))
