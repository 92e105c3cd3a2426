"""What one editor window remembers of its own: where it was rotated to by hand, and who answered each session. Never shared, so that one
window's choice does not move another's; gone when the window closes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rooroute.profiles import Strategy
from rooroute.routing.measurements import Measurements
from rooroute.routing.noticed import Noticed

MAX_SESSIONS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stay:
    """``profile_id`` has answered a session since ``since`` (UTC epoch seconds); its last prompt left ``warm_tokens`` in a cache there."""

    profile_id: str
    since: float
    warm_tokens: int = 0


@dataclass(slots=True)
class Window:
    """Pointers by pool id, stays and pins by pool id and session; the least recently answered session is forgotten first. ``consents``
    are the last resorts that the user has allowed here, by pool and profile."""

    pointers: dict[str, str] = field(default_factory=dict)
    stays: dict[tuple[str, str], Stay] = field(default_factory=dict)
    pins: dict[tuple[str, str], str] = field(default_factory=dict)
    consents: set[tuple[str, str]] = field(default_factory=set)
    measurements: Measurements = field(default_factory=Measurements)
    noticed: Noticed = field(default_factory=Noticed)

    def rotate(self, pool_id: str, profile_id: str) -> None:
        """Serve the next request of this pool from that profile."""
        self.pointers[pool_id] = profile_id

    def pin(self, pool_id: str, session: str, profile_id: str) -> None:
        """Serve that session of this pool from that profile, as long as it can."""
        self.pins[pool_id, session] = profile_id
        if len(self.pins) > MAX_SESSIONS:
            del self.pins[next(iter(self.pins))]

    def pointer(self, pool_id: str, session: str) -> str | None:
        """Where a request was sent by hand: the session's pin, else the pool's."""
        return self.pins.get((pool_id, session)) or self.pointers.get(pool_id)

    def lose_pointer(self, pool_id: str, session: str = "") -> None:
        """The profile rotated to cannot serve any more: back to the pool's own order."""
        if self.pins.pop((pool_id, session), None) is None:
            self.pointers.pop(pool_id, None)

    def answered(
        self, pool_id: str, session: str, profile_id: str, now: float, strategy: Strategy, warm_tokens: int = 0
    ) -> None:
        """A profile answered. In a round-robin pool a rotation by hand has thereby had its turn."""
        known = self.stays.pop((pool_id, session), None)
        since = known.since if known is not None and known.profile_id == profile_id else now
        self.stays[pool_id, session] = Stay(profile_id, since, warm_tokens)
        if len(self.stays) > MAX_SESSIONS:
            del self.stays[next(iter(self.stays))]
        if strategy is Strategy.ROUND_ROBIN and self.pointers.get(pool_id) == profile_id:
            del self.pointers[pool_id]

    def stay(self, pool_id: str, session: str) -> Stay | None:
        """Who answers this session, if anybody has yet."""
        return self.stays.get((pool_id, session))
