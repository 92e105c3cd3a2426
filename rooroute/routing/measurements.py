"""What this window has seen of its profiles: times to first token, requests under way, turns taken. Told, never asking; times in seconds."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final, NamedTuple

from rooroute.profiles import Latency
from rooroute.routing.strategies import Reading, next_turn

_SAMPLES: Final = 256
_OUTPUT_SAMPLES: Final = 64
_BELIEVED: Final = 60.0  # seconds
_LATEST_NEWS: Final = 60.0  # seconds after which nothing more is expected of what other windows did
USUAL_OUTPUT: Final = 500
"""Tokens taken as an answer's length where neither the request nor the past says."""


class Told(NamedTuple):
    """What a provider said is left of one quota; ``resets_at`` is UTC epoch seconds. None where it did not say."""

    measure: str
    limit: float | None
    remaining: float
    resets_at: float | None = None


@dataclass(slots=True)
class _Seen:
    """Of one profile: (UTC epoch seconds, seconds to first token), oldest first; and the last answer to ``first_token``."""

    times: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    known: tuple[Latency, float, float] | None = None  # for which settings, when, and what


@dataclass(slots=True)
class Measurements:
    """One window's. ``asked_at`` is when each profile was last asked (UTC epoch seconds), ``busy`` how many requests it has under way."""

    asked_at: dict[str, float] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, _Seen] = field(default_factory=lambda: defaultdict(_Seen))
    _outputs: deque[int] = field(default_factory=lambda: deque(maxlen=_OUTPUT_SAMPLES))
    _turns: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    _turn: dict[str, float] = field(default_factory=dict)
    _asks: dict[str, int] = field(default_factory=dict)
    _learnt_until: float = 0.0
    _quotas: dict[str, tuple[float, tuple[Told, ...]]] = field(default_factory=dict)

    def begun(self, profile_id: str) -> None:
        """A request is under way to this profile."""
        self.busy[profile_id] = self.busy.get(profile_id, 0) + 1

    def ended(self, profile_id: str) -> None:
        """It has ended, however."""
        left = self.busy.get(profile_id, 0) - 1
        if left > 0:
            self.busy[profile_id] = left
        else:
            self.busy.pop(profile_id, None)

    def observe(self, profile_id: str, at: float, first_token: float | None, output_tokens: int = 0) -> None:
        """An attempt sent at ``at`` (UTC epoch seconds); ``first_token`` None: nothing came."""
        self.asked_at[profile_id] = max(at, self.asked_at.get(profile_id, at))
        if first_token is not None:
            seen = self._seen[profile_id]
            if seen.times and seen.times[-1][0] > at:
                seen.times = deque(sorted([*seen.times, (at, first_token)]), maxlen=_SAMPLES)
            else:
                seen.times.append((at, first_token))
            seen.known = None
        if output_tokens > 0:
            self._outputs.append(output_tokens)

    def learn(self, profile_id: str, at: float, first_token: float | None, output_tokens: int = 0) -> None:
        """As ``observe``, of an attempt out of the shared ledger, oldest first, which this window may have made itself."""
        if at < self._learnt_until - _LATEST_NEWS:
            return
        self._learnt_until = max(at, self._learnt_until)
        known = self._seen[profile_id].times if profile_id in self._seen else ()
        if self.asked_at.get(profile_id) != at and not any(seen_at == at for seen_at, _ in known):
            self.observe(profile_id, at, first_token, output_tokens)

    def told(self, profile_id: str, at: float, quotas: Iterable[Sequence[Any]]) -> None:
        """What the provider said is left, in an answer to an attempt sent at ``at`` (UTC epoch seconds)."""
        values = tuple(Told(*each) for each in quotas)
        if values and at >= self._quotas.get(profile_id, (at, ()))[0]:
            self._quotas[profile_id] = (at, values)

    def quotas(self, profile_id: str, now: float) -> tuple[Told, ...]:
        """What is left as far as is known: a quota that has been reset since says nothing, nor one of unknown reset after a minute."""
        at, values = self._quotas.get(profile_id, (0.0, ()))
        return tuple(each for each in values if now < (at + _BELIEVED if each.resets_at is None else each.resets_at))

    def share_left(self, profile_id: str, now: float) -> float:
        """The smallest share left of any quota, 0 to 1; 1 where nothing is known."""
        known = self.quotas(profile_id, now)
        shares = [each.remaining / each.limit for each in known if each.limit]
        shares += [0.0 for each in known if not each.remaining]
        return min(shares, default=1.0)

    def resets_at(self, profile_id: str, now: float) -> float | None:
        """When the longest quota that still has something left is reset (UTC epoch seconds); None where nobody told."""
        times = [
            each.resets_at for each in self.quotas(profile_id, now) if each.resets_at is not None and each.remaining > 0
        ]
        return max(times, default=None)

    def output_tokens(self) -> int:
        """How long an answer is of late."""
        return sum(self._outputs) // len(self._outputs) if self._outputs else USUAL_OUTPUT

    def first_token(self, profile_id: str, how: Latency, now: float) -> float | None:
        """Seconds to first token of late; of a profile not measured within the window what was last known; None: never measured."""
        seen = self._seen.get(profile_id)
        if seen is None or not seen.times:
            return None
        if seen.known is not None and seen.known[0] is how and now - seen.known[1] < 1.0:
            return seen.known[2]
        recent = sorted(seconds for at, seconds in seen.times if now - at <= how.window)
        values = recent or [seen.times[-1][1]]
        found = values[max(0, ceil(how.percentile / 100 * len(values)) - 1)]
        seen.known = (how, now, found)
        return found

    def too_slow(self, profile_id: str, how: Latency, now: float) -> bool:
        """Whether it took too long within the window; what was longer ago is not held against who may be quick again."""
        seen = self._seen.get(profile_id)
        if how.too_slow is None or seen is None or not seen.times or now - seen.times[-1][0] > how.window:
            return False
        return (self.first_token(profile_id, how, now) or 0.0) > how.too_slow

    def chosen(self, pool_id: str, profile_id: str, weights: Mapping[str, float] | None) -> None:
        """This pool's request goes to that profile; ``weights`` where turns are taken by weight."""
        self._asks[pool_id] = self._asks.get(pool_id, 0) + 1
        if weights is not None and weights.get(profile_id, 1.0) > 0:
            turns = self._turns[pool_id]
            at = next_turn(profile_id, Reading(weights=weights, turns=turns, turn=self._turn.get(pool_id, 0.0)))
            turns[profile_id] = at + 1.0 / weights.get(profile_id, 1.0)
            self._turn[pool_id] = at

    def turns(self, pool_id: str) -> tuple[Mapping[str, float], float]:
        """How far each profile of a weighted pool has come, and where the pool is."""
        return self._turns[pool_id], self._turn.get(pool_id, 0.0)

    def explores(self, pool_id: str, how: Latency) -> bool:
        """Whether the pool's next request is one that looks at who was not measured for longest."""
        return how.explore_every > 0 and (self._asks.get(pool_id, 0) + 1) % how.explore_every == 0
