"""A profile under another id: a copy, or the same one renamed, its secret along on this side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from rooroute.admission import folded, refuse, refuse_double, secret_slots
from rooroute.credentials import declared_of
from rooroute.errors import InvalidInput, NotFound, SecretUnavailable
from rooroute.profile_checks import check_profile
from rooroute.profile_homes import ConfigPort, SecretsPort, StatePort
from rooroute.profiles import Configuration, Profile
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.unfinished import RENAMING, Unfinished, deletion, deletion_note


class CopiedProfiles:
    """Copies and renames, in the order of ``saved_profiles``; one call at a time.

    ``stamp`` tells when a key is saved, as the configuration spells it; ``now`` gives UTC epoch seconds.
    """

    def __init__(
        self,
        config: ConfigPort,
        secrets: SecretsPort,
        state: StatePort,
        unfinished: Unfinished,
        *,
        stamp: Callable[[], str],
        now: Callable[[], float],
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._state = state
        self._unfinished = unfinished
        self._stamp = stamp
        self._now = now

    async def duplicate(self, profile_id: str, new_id: str | None) -> str:
        """A copy with its secret; the copy's id."""
        configuration = await asyncio.to_thread(self._config.load)
        profile = _known(configuration, profile_id)
        copy = replace(profile, id=new_id or _free(profile_id, configuration), key_saved_at=None)
        copy = replace(copy, name=f"{profile.name} ({copy.id})" if profile.name else None)
        if copy.id in configuration.profiles or copy.id in configuration.unreadable:
            raise InvalidInput(f"There is already a profile {copy.id}; choose another id.", field="newId")
        refuse(check_profile(copy), "newId")
        refuse_double(copy, configuration, field="newId")
        intent = f"duplicate:{copy.id}"
        await self._state.put_intent(
            intent, {"kind": "duplicate", "profiles": {copy.id: secret_slots(copy)}, "at": self._now()}
        )
        try:
            if await self._copy_secrets(profile, copy.id):
                copy = replace(copy, key_saved_at=self._stamp())
            await asyncio.to_thread(
                self._config.save, lambda draft: draft.put_profile(copy, draft.place(profile_id)["index"] + 1)
            )
        finally:
            await self._unfinished.finish_if_possible(intent, {copy.id: secret_slots(copy)})
        return copy.id

    async def rename(self, profile_id: str, new_id: str, revision: str | None = None) -> None:
        """Another id, in the pools and for the secret too. Conflict when ``revision`` is not the file's.

        The former id's secret is kept for a while, as that of a deleted profile is: an undo needs it.
        """
        configuration = await asyncio.to_thread(self._config.load)
        profile = _known(configuration, profile_id)
        if new_id == profile_id:
            return
        renamed = replace(profile, id=new_id)
        refuse(check_profile(renamed), "newId")
        refuse_double(renamed, configuration, field="newId", but=profile_id)
        slots = secret_slots(profile)
        intent = f"{RENAMING}{profile_id}:{new_id}"
        touched = {profile_id: slots, new_id: slots}
        await self._state.put_intent(intent, {"kind": "rename", "profiles": touched, "at": self._now()})
        try:
            await self._copy_secrets(profile, new_id)
            await asyncio.to_thread(self._config.save, lambda draft: draft.rename_profile(profile_id, new_id), revision)
            await self._state.put_intent(deletion(profile_id), deletion_note(profile_id, slots, self._now()))
        finally:
            await self._unfinished.finish_if_possible(intent, touched)

    async def _copy_secrets(self, profile: Profile, new_id: str) -> bool:
        """Whether there was a key to copy. Where there was none, the new id has none either: not that of a deleted namesake."""
        copied = False
        for slot in secret_slots(profile):
            if approved := self._state.approved(profile.id, slot):
                await self._state.approve(new_id, slot, approved)
            absent = slot in declared_of(profile) or (slot == USUAL_SLOT and profile.key_saved_at is None)
            secret = None if absent else await self._secrets.get(profile.id, slot)
            if secret is None:
                with suppress(SecretUnavailable):
                    await self._secrets.delete(new_id, slot)
            else:
                await self._secrets.set(new_id, slot, secret.reveal(secret.origin), secret.origin, self._now())
                copied = True
        return copied


def _known(configuration: Configuration, profile_id: str) -> Profile:
    if profile_id in configuration.unreadable:
        raise InvalidInput(
            f"{profile_id} needs attention first: {configuration.unreadable[profile_id].message}", field="id"
        )
    if profile_id not in configuration.profiles:
        raise NotFound(f"There is no profile {profile_id}.", field="id")
    return configuration.profiles[profile_id]


def _free(profile_id: str, configuration: Configuration) -> str:
    taken = folded(*configuration.profiles, *configuration.unreadable)
    stem = profile_id[:56].rstrip()
    return next(name for n in range(2, len(taken) + 3) if (name := f"{stem} {n}").casefold() not in taken)
