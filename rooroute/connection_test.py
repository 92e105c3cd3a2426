"""Tries profiles stage by stage, each with its time, and cause and remedy of a failure: ``profiles/test`` and its command.

Works on a saved profile and on a draft with typed secrets alike, and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from rooroute.discovery import as_typed
from rooroute.profiles import Profile
from rooroute.providers.table import vendor_of
from rooroute.secret import Secret
from rooroute.trial import Dial, Trial, Upstream

Json: TypeAlias = dict[str, Any]

_AT_ONCE: Final = 32


class ConnectionTest:
    """Tests of profiles, at most 32 under way at once. ``complete`` adds what is made of a draft's typed secrets. ``now`` gives UTC epoch seconds, ``monotonic`` seconds."""

    def __init__(
        self,
        upstream: Upstream,
        dial: Dial,
        resolve: Callable[[Profile], Awaitable[Mapping[str, Secret]]],
        now: Callable[[], float],
        monotonic: Callable[[], float],
        complete: Callable[[Profile, Mapping[str, Secret]], Awaitable[Mapping[str, Secret]]] = as_typed,
    ) -> None:
        self._upstream = upstream
        self._dial = dial
        self._resolve = resolve
        self._complete = complete
        self._now = now
        self._monotonic = monotonic
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def run(
        self,
        profile: Profile,
        secrets: Mapping[str, Secret] | None,
        level: str,
        report: Callable[[Json], None] = lambda stage: None,
    ) -> Json:
        """The result of ``profiles/test``. ``secrets`` are typed ones (None: the profile's own); ``level`` is ``connect``, ``auth`` or
        ``completion``; ``report`` takes each stage as it is done. Cancelled by cancelling the task.

        Raises InvalidInput for a provider that does not exist; whatever else is wrong is told by a stage.
        """
        vendor_of(profile)
        async with self._room:
            trial = Trial(self._upstream, self._dial, self._now, self._monotonic, profile, report)
            own = partial(self._resolve, profile) if secrets is None else partial(self._complete, profile, secrets)
            await trial.run(level, own)
        return trial.result()
