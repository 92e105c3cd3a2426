"""What an attempt needs before anything is sent: room in the user's limits, the profile's secrets, and the request for the wire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from rooroute.errors import InvalidInput, OriginNotApproved, RoorouteError, SecretUnavailable
from rooroute.limiter import NOTHING_RESERVED, Reservation
from rooroute.portable_history import for_dialect
from rooroute.profiles import Profile
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.table import dialect_for, target_for
from rooroute.roster import as_reason
from rooroute.routing.pool import Use
from rooroute.story.errand import Errand, Means, Progress, wanted
from rooroute.story.lessons import Lessons
from rooroute.story.picking import Picking
from rooroute.story.toll import toll, turn_away

UNFIT: Final = (SecretUnavailable, OriginNotApproved, InvalidInput)
"""What says that this profile cannot be asked: the next one is."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An attempt may start: ``message`` is to be sent, ``held`` is what it takes of the limits."""

    message: HttpRequest
    held: Reservation


@dataclass(frozen=True, slots=True)
class Preparation:
    """One request's."""

    means: Means
    errand: Errand
    progress: Progress
    picking: Picking
    lessons: Lessons

    async def ready(self, use: Use, profile: Profile) -> Ready | None:
        """None when this profile cannot be asked after all, or has to be looked at again; why is in the progress, and nothing is held."""
        held = await self._reserve(use, profile)
        message = await self._message(use, profile, held) if held is not None else None
        return None if message is None or held is None else Ready(message, held)

    async def _reserve(self, use: Use, profile: Profile) -> Reservation | None:
        """What the attempt takes of the user's limits; None when one of them has no room: the request goes on, and nothing is marked."""
        gauges, amounts = toll(self.means, self.errand, self.picking.configuration, profile)
        if not gauges:
            return NOTHING_RESERVED
        try:
            held = await self.means.limiter.reserve(gauges, amounts)
        except BaseException:
            await asyncio.shield(self.lessons.let_go(use))
            raise
        if isinstance(held, Reservation):
            return held
        turn_away(self.errand, self.progress, profile, held)
        await self.lessons.let_go(use)
        return None

    async def _message(self, use: Use, profile: Profile, held: Reservation) -> HttpRequest | None:
        """The request for the wire; None when this profile cannot be asked after all, or has to be looked at again."""
        credentials, limiter = self.means.ports.credentials, self.means.limiter
        try:
            secrets = await credentials.resolve(profile)
            if credentials.domain(profile) != use.candidate.domain:  # learnt just now: marks may lie there
                limiter.release(held)
                await self.lessons.let_go(use)
                return None
            dialect = dialect_for(profile, use.candidate.model)
            target = target_for(profile, use.candidate.model, secrets)
            request = wanted(self.errand, self.progress)
            return dialect.build(target, for_dialect(request, dialect.name, self.means.memory, profile.id))
        except UNFIT as wrong:
            await self.pass_over(use, profile, held, wrong)
            return None
        except BaseException:
            limiter.release(held)
            await asyncio.shield(self.lessons.let_go(use))
            raise

    async def pass_over(self, use: Use, profile: Profile, held: Reservation, wrong: RoorouteError) -> None:
        """This profile cannot be asked after all: keep why, hold nothing."""
        self.progress.unfit[profile.id] = as_reason(wrong, profile)
        self.progress.wrong.append(wrong)
        self.means.limiter.release(held)
        await self.lessons.let_go(use)
