"""What an attempt teaches the shared state while it goes and when it ends, and the leases it holds meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from rooroute.books import Books
from rooroute.outcome import Failure
from rooroute.ports import Ports
from rooroute.routing.candidate import Candidate
from rooroute.routing.figures import FIGURES, Policy, policy_for
from rooroute.routing.pool import Use
from rooroute.routing.settling import Ending, renew
from rooroute.story.picking import Picking


@dataclass(frozen=True, slots=True)
class Lessons:
    """One request's."""

    ports: Ports
    books: Books
    picking: Picking
    _under_way: set[asyncio.Future[None]] = field(default_factory=set)

    async def settle(self, use: Use, outcome: Failure | Ending, sent_at: float) -> None:
        """Tell how the attempt at ``use`` went."""
        await self.books.settle(
            use.candidate,
            outcome,
            sent_at=sent_at,
            policy=self.policy(use.candidate),
            everybody=self.picking.candidates() if isinstance(outcome, Failure) else (),
            leases=use.probe,
        )

    async def let_go(self, use: Use) -> None:
        """Nothing came of it: whoever waits for its leases may have them."""
        if use.probe:
            await self.settle(use, Ending.ABORTED, self.ports.now())

    def at_first_token(self, use: Use, sent_at: float) -> Callable[[], None]:
        """What to call at the first token: whoever waits for this probe may go ahead. A task of its own, off the delivery's path."""

        def committed() -> None:
            if use.probe:
                task = asyncio.ensure_future(self.settle(use, Ending.FIRST_TOKEN, sent_at))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)

        return committed

    async def told(self) -> None:
        """Wait until every first token has been told of."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    def keep_leases(self, use: Use) -> Callable[[], None]:
        """Renew the leases while their attempt lives, until what this gives is called. A timer: a task would take its first turn just
        while the request is being sent."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle

        def stop() -> None:
            timer.cancel()

        def renew_them() -> None:
            nonlocal timer
            timer = loop.call_later(FIGURES.lease / 3, renew_them)
            renewing = self.ports.state.update(lambda snapshot: (renew(use.probe, snapshot, self.ports.now()), None))
            task = asyncio.ensure_future(renewing)
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

        timer = loop.call_later(FIGURES.lease / 3, renew_them)
        return stop

    def policy(self, candidate: Candidate) -> Policy:
        """How this candidate's failure is to be punished."""
        configuration, lone = self.picking.configuration, self.picking.lineup().enabled == 1
        profile = configuration.profiles[candidate.profile_id]
        return policy_for(profile, self.picking.pool, configuration.defaults, lone=lone)
