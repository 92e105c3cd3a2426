"""What all windows of this machine have taken of their limits and budgets: decided on and written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from rooroute.adapters.state_database import Database, Trouble
from rooroute.adapters.state_file import StateFile
from rooroute.adapters.state_picture import counted, summed
from rooroute.routing.limits import Count, Counters

T = TypeVar("T")


class StateCounters:
    """The counters in ``file``, for the window ``identity``; what dead windows hold at once does not count. ``clock`` gives UTC epoch
    seconds. ``take`` belongs to the writer's thread."""

    def __init__(
        self, file: StateFile, identity: str, clock: Callable[[], float], alive: Callable[[str], bool]
    ) -> None:
        self._file = file
        self._identity = identity
        self._clock = clock
        self._alive = alive
        self._own = Counters()  # where the file cannot be used

    def take(self, holders: Sequence[str], late: Count, decide: Callable[[Counters], tuple[Count, T]]) -> T:
        """Write ``late``, decide on the fresh counters of ``holders``, and write that too; without a usable file, in memory."""

        def work(database: Database) -> T:
            database.write_count(late, self._identity)
            known = database.counters(holders)
            living = self.of_the_living(known)
            if len(living.slots) < len(known.slots):
                dead = {owner for _, owner in known.slots.keys() - living.slots.keys()}
                database.forget_counters(self._clock(), dead)
            count, value = decide(living)
            database.write_count(count, self._identity)
            return value

        try:
            return self._file.transact(work)
        except Trouble:
            count, value = decide(counted(self._own, late, self._identity))
            self._own = counted(self._own, summed(late, count), self._identity)
            return value

    def of_the_living(self, counters: Counters) -> Counters:
        """Without the slots that dead windows held."""
        slots = {
            (holder, owner): held
            for (holder, owner), held in counters.slots.items()
            if owner == self._identity or self._alive(owner)
        }
        return Counters(counters.used, slots)
