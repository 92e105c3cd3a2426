"""Where a request stands while nobody can answer it: until somebody may be back, the user is impatient, or the picture has changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from rooroute.attempt import Sink
from rooroute.ports import Ports
from rooroute.routing.pool import SKIPPED, Wait
from rooroute.story.errand import Progress


@dataclass(slots=True)
class WaitingLine:
    """One request's; what comes of the waiting is told to its ``progress``."""

    ports: Ports
    sink: Sink
    progress: Progress
    _nudged: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting_for: Wait | None = None

    @property
    def standing(self) -> bool:
        """Whether the request waits now."""
        return self._waiting_for is not None

    async def stand(self, wait: Wait) -> None:
        """Wait until the time is there, or until nudged."""
        began = self.ports.monotonic()
        self._waiting_for = wait
        self._nudged.clear()
        self.sink.waiting(wait.until, self.ports.now(), wait.profile_ids)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait.until - self.ports.now())):
                    await self._nudged.wait()
        finally:
            self._waiting_for = None
            self.progress.waited += self.ports.monotonic() - began

    def nudge(self) -> None:
        """Somebody may have come back: look again."""
        self._nudged.set()

    def retry_now(self) -> None:
        """The user wants the first in line tried before its time."""
        if self._waiting_for is not None:
            self.progress.early = self._waiting_for.profile_ids[0]
        self.nudge()

    def skip(self) -> None:
        """The user does not want to wait for the first in line."""
        if self._waiting_for is not None:
            self.progress.unfit[self._waiting_for.profile_ids[0]] = SKIPPED
        self.nudge()
