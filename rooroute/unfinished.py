"""What was begun with a profile and its secret and not finished: every change is written down before its first step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from rooroute.credentials import declared_of
from rooroute.errors import SecretUnavailable
from rooroute.profile_homes import ConfigPort, SecretsPort, StatePort

UNDO_SECONDS: Final = 600.0
RENAMING: Final = "rename:"
"""How the name of a note begins that tells of a rename."""


def deletion(profile_id: str) -> str:
    """The name of the note that keeps a profile's secrets for an undo."""
    return f"delete:{profile_id}"


def deletion_note(profile_id: str, slots: Sequence[str], now: float) -> dict[str, Any]:
    """What that note says; ``now`` in UTC epoch seconds."""
    return {"kind": "delete", "profiles": {profile_id: slots}, "at": now}


class Unfinished:
    """Finishes it. ``now`` gives UTC epoch seconds. One call at a time."""

    def __init__(self, config: ConfigPort, secrets: SecretsPort, state: StatePort, now: Callable[[], float]) -> None:
        self._config = config
        self._secrets = secrets
        self._state = state
        self._now = now

    async def tidy(self) -> None:
        """Finish what was begun and not finished, and forget what was deleted more than ten minutes ago."""
        for name, intent in (await self._state.intents()).items():
            undoable = intent.get("kind") == "delete" and intent.get("at", 0.0) + UNDO_SECONDS > self._now()
            busy = intent.get("kind") != "delete" and intent.get("ownerLives")
            if not undoable and not busy:
                await self.finish_if_possible(name, intent.get("profiles", {}))

    async def finish_if_possible(self, name: str, profiles: Mapping[str, Sequence[str]]) -> None:
        """As ``finish``; what the keyring does not allow now waits."""
        with suppress(SecretUnavailable):  # a keyring that is locked now is asked again at the next start
            await self.finish(name, profiles)

    async def finish(self, name: str, profiles: Mapping[str, Sequence[str]]) -> None:
        """Remove the secrets that nobody in the configuration uses nor an undo needs, let the statistics follow a rename, then drop the note
        of what was begun. The ``profiles`` of a rename are the former id and the new one."""
        current, noted = await asyncio.to_thread(self._config.load), await self._state.intents()
        for profile_id, slots in profiles.items():
            deleted = deletion(profile_id)
            if profile_id in current.unreadable or (deleted in noted and deleted != name):
                continue
            profile = current.profiles.get(profile_id)
            for slot in slots:
                if profile is None or slot in declared_of(profile):
                    await self._secrets.delete(profile_id, slot)
            if profile is None:
                await self._state.withdraw(profile_id)
        if name.startswith(RENAMING):
            old, new = profiles
            if new in current.profiles and old not in current.profiles:
                await self._state.rename_profile(old, new)
        await self._state.drop_intent(name)
