"""Saving, renaming and deleting a profile together with its secret, in an order that survives a crash at any point.

What is about to happen is written down first; then the secret, bound to the one origin it may be sent to; then the configuration; then
what is no longer needed goes. Whoever starts next finishes what was begun (``tidy``): a secret without its profile is removed, and a
profile without its secret says that its key is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from rooroute.admission import (
    Admission,
    Ready,
    Typed,
    bound_slots,
    refuse,
    refuse_defaults,
    secret_slots,
)
from rooroute.copied_profiles import CopiedProfiles
from rooroute.credentials import declared_of
from rooroute.errors import InvalidInput, NotFound, RoorouteError, SecretUnavailable
from rooroute.pool_admission import refuse_pool, refuse_profile_among_pools, refuse_unread
from rooroute.profile_checks import check_pool
from rooroute.profile_homes import ConfigPort, Draft, SecretsPort, StatePort
from rooroute.profiles import Configuration, Defaults, Knowledge, Pool, Problem, Profile
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.routing.settling import edited
from rooroute.secret import Secret
from rooroute.unfinished import UNDO_SECONDS, Unfinished, deletion, deletion_note

T = TypeVar("T")
_NEW_JUDGEMENT: Final = (
    "provider",
    "base_url",
    "model",
    "models",
    "model_map",
    "api_key",
    "secrets",
    "secret_commands",
    "key_saved_at",
    "options",
    "auth",
    "headers",
    "query",
)


class SavedProfiles:
    """What the user keeps. One change at a time; a caller that is cancelled meanwhile does not stop it half-way.

    ``check`` tells what is wrong with a profile by its vendor's rules; ``now`` gives UTC epoch seconds; ``knowledge`` is what is known of
    models, whose prices count where none is typed.
    """

    def __init__(
        self,
        config: ConfigPort,
        secrets: SecretsPort,
        state: StatePort,
        *,
        check: Callable[[Profile], Sequence[Problem]],
        now: Callable[[], float],
        knowledge: Callable[[], Knowledge] = Knowledge,
    ) -> None:
        self._config = config
        self._knowledge = knowledge
        self._secrets = secrets
        self._state = state
        self._admission = Admission(
            check=check, store_name=lambda: secrets.store_name, approved=state.approved, now=now
        )
        self._now = now
        self._unfinished = Unfinished(config, secrets, state, now)
        self._copies = CopiedProfiles(config, secrets, state, self._unfinished, stamp=self._admission.stamp, now=now)
        self._turn = asyncio.Lock()
        self._tidying: set[asyncio.Task[None]] = set()

    async def _now_saved(self) -> Configuration:
        return replace(await asyncio.to_thread(self._config.load), knowledge=self._knowledge())

    # --- profiles ---

    async def save(
        self,
        profile: Profile,
        secrets: Mapping[str, str],
        *,
        revision: str | None = None,
        approve_origin: bool = False,
        new: bool = False,
    ) -> tuple[str, ...]:
        """Save a profile, and the ``secrets`` typed for its slots (a key, or a reference to an environment variable). Gives warnings.

        ``revision`` is what the edit began from; ``approve_origin`` says that the user agreed to the address; ``new`` refuses an id that
        exists. Raises InvalidInput, Conflict, OriginNotApproved or SecretUnavailable; then nothing is saved.
        """
        return await self._alone(lambda: self._save(profile, secrets, revision, approve_origin, new))

    async def refusals(
        self, drafts: Sequence[tuple[Profile, Mapping[str, str]]], *, approve_origin: bool = False
    ) -> dict[str, str]:
        """By id, why a profile with its typed secrets could not be saved, as a sentence; those that could are not in it."""
        configuration, found = await self._now_saved(), dict[str, str]()
        for profile, secrets in drafts:
            try:
                self._admission.ready(profile, secrets, configuration, approve_origin)
            except RoorouteError as wrong:
                found[profile.id] = wrong.message
            else:
                configuration = replace(configuration, profiles={**configuration.profiles, profile.id: profile})
        return found

    async def refusals_among(
        self, profiles: Sequence[Profile], pools: Sequence[Pool], defaults: Defaults | None
    ) -> dict[str, str]:
        """By ``pool ID`` or ``defaults``, why that could not be saved together with these profiles, as a sentence; what could is not in
        it."""
        configuration, found = await self._now_saved(), dict[str, str]()
        configuration = replace(
            configuration, profiles={**configuration.profiles, **{each.id: each for each in profiles}}
        )
        for pool in pools:
            try:
                refuse_unread(pool.id, configuration)
                refuse_pool(pool, configuration)
            except RoorouteError as wrong:
                found[f"pool {pool.id}"] = wrong.message
            else:
                configuration = replace(configuration, pools={**configuration.pools, pool.id: pool})
        if defaults is not None:
            try:
                refuse_defaults(defaults, configuration)
            except RoorouteError as wrong:
                found["defaults"] = wrong.message
        return found

    async def save_all(
        self,
        drafts: Sequence[tuple[Profile, Mapping[str, str]]],
        pools: Sequence[Pool],
        defaults: Defaults | None = None,
        *,
        revision: str | None = None,
        approve_origin: bool = False,
    ) -> None:
        """Save profiles, with the secrets typed for each, pools and defaults: all of them, in one change of the file, or none. Raises as
        ``save``."""
        await self._alone(lambda: self._save_all(drafts, pools, defaults, revision, approve_origin))

    async def put_back(self, text: str, *, revision: str | None = None) -> tuple[str, ...]:
        """Make the configuration say ``text`` again; the ids of the profiles that are gone by that. Their keys are kept for ten minutes."""
        return await self._alone(lambda: self._put_all_back(text, revision))

    async def duplicate(self, profile_id: str, new_id: str | None = None) -> str:
        """A copy with its secret; the copy's id."""
        return await self._alone(lambda: self._copies.duplicate(profile_id, new_id))

    async def rename(self, profile_id: str, new_id: str, *, revision: str | None = None) -> None:
        """Another id, in the pools and for the secret too."""
        await self._alone(lambda: self._copies.rename(profile_id, new_id, revision))
        asyncio.get_running_loop().call_later(UNDO_SECONDS + 1, self._tidy_soon)

    async def delete(self, profile_id: str, *, revision: str | None = None) -> tuple[str, ...]:
        """Delete a profile; the ids of the pools that used it. ``restore`` brings it back for ten minutes."""
        return await self._alone(lambda: self._delete(profile_id, revision))

    async def restore(self, profile_id: str) -> None:
        """Undo a delete of the last ten minutes. NotFound when there is none."""
        await self._alone(lambda: self._restore(profile_id))

    async def set_enabled(self, profile_id: str, enabled: bool) -> None:
        """The user's switch."""
        await self._alone(lambda: self._edit(lambda draft: draft.set_enabled(profile_id, enabled)))

    # --- pools ---

    async def save_pool(self, pool: Pool, *, revision: str | None = None) -> None:
        """Save a pool whose profiles exist."""
        await self._alone(lambda: self._save_pool(pool, revision))

    async def delete_pool(self, pool_id: str, *, revision: str | None = None) -> None:
        """Delete a pool; its profiles stay."""
        await self._alone(lambda: self._edit(lambda draft: draft.remove_pool(pool_id), revision))

    async def rename_pool(self, pool_id: str, new_id: str, *, revision: str | None = None) -> None:
        """Another id, in the defaults too."""
        refuse(check_pool(Pool(id=new_id, profiles=("any",))), "newId")
        await self._alone(lambda: self._rename_pool(pool_id, new_id, revision))

    # --- what holds for all ---

    async def save_defaults(self, defaults: Defaults, *, revision: str | None = None) -> None:
        """Save what holds where neither profile nor pool says otherwise. Raises InvalidInput or Conflict; then nothing is saved."""
        await self._alone(lambda: self._save_defaults(defaults, revision))

    # --- order after a crash ---

    async def tidy(self) -> None:
        """Finish what was begun and not finished, and forget what was deleted more than ten minutes ago. Call at every start."""
        await self._alone(self._unfinished.tidy)

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        async def turn() -> T:
            async with self._turn:
                return await work()

        task = asyncio.ensure_future(turn())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # a caller that gave up asks no more
        return await asyncio.shield(task)

    async def _edit(self, edit: Callable[[Draft], None], revision: str | None = None) -> None:
        await asyncio.to_thread(self._config.save, edit, revision)

    # --- saving ---

    async def _save(
        self, profile: Profile, secrets: Mapping[str, str], revision: str | None, approve_origin: bool, new: bool
    ) -> tuple[str, ...]:
        configuration = await self._now_saved()
        before = configuration.profiles.get(profile.id)
        if new and (before or profile.id in configuration.unreadable):
            raise InvalidInput(f"There is already a profile {profile.id}; choose another id.", field="profile.id")
        if revision is not None and revision != configuration.revision:
            typed = self._admission.judged(profile, before, secrets, configuration)
            await self._edit(
                lambda draft: draft.put_profile(typed.profile), revision
            )  # tells of the conflict, with both versions
        ready = self._admission.ready(profile, secrets, configuration, approve_origin)
        refuse_profile_among_pools(ready.typed.profile, configuration)
        await self._write([ready], revision=revision)
        return ready.typed.warnings

    async def _save_all(
        self,
        drafts: Sequence[tuple[Profile, Mapping[str, str]]],
        pools: Sequence[Pool],
        defaults: Defaults | None,
        revision: str | None,
        approve_origin: bool,
    ) -> None:
        configuration, ready = await self._now_saved(), list[Ready]()
        for profile, secrets in drafts:
            ready.append(self._admission.ready(profile, secrets, configuration, approve_origin))
            configuration = replace(configuration, profiles={**configuration.profiles, profile.id: profile})
        for pool in pools:
            refuse_unread(pool.id, configuration)
            refuse_pool(pool, configuration)
            configuration = replace(configuration, pools={**configuration.pools, pool.id: pool})
        if defaults is not None:
            refuse_defaults(defaults, configuration)
        await self._write(ready, pools, defaults, revision=revision)

    async def _write(
        self,
        ready: Sequence[Ready],
        pools: Sequence[Pool] = (),
        defaults: Defaults | None = None,
        *,
        revision: str | None,
    ) -> None:
        begun, unread = await self._state.intents(), self._config.current.unreadable
        for each in ready:
            note = {
                "kind": "save",
                "profiles": {each.typed.profile.id: secret_slots(each.typed.profile)},
                "at": self._now(),
            }
            await self._state.put_intent(f"save:{each.typed.profile.id}", note)
        held: dict[str, dict[str, Secret | None]] = {}
        put = _put([each.typed.profile for each in ready], pools, defaults)
        try:
            for each in ready:
                await self._keep_keys(each, held.setdefault(each.typed.profile.id, {}))
            await self._edit(put, revision)
        except BaseException:
            for each in ready:
                await self._put_back(each.typed.profile.id, held.get(each.typed.profile.id, {}))
                await self._state.drop_intent(f"save:{each.typed.profile.id}")
            raise
        for each in ready:
            profile = each.typed.profile
            for slot, approved in each.approvals.items():
                await self._state.approve(profile.id, slot, approved)
            there = each.before is not None or profile.id in unread  # it came back, and the key is its own
            await self._let_go(profile, each.before, each.typed, deleted=not there and deletion(profile.id) in begun)
            await self._state.drop_intent(f"save:{profile.id}")

    async def _keep_keys(self, ready: Ready, held: dict[str, Secret | None]) -> None:
        profile_id = ready.typed.profile.id
        bound = bound_slots(ready.typed.profile)
        for slot, text in ready.typed.keys.items():
            held[slot] = await self._secrets.get(profile_id, slot)
            await self._secrets.set(profile_id, slot, text, bound.get(slot) or ready.origin or "", self._now())

    async def _put_back(self, profile_id: str, held: Mapping[str, Secret | None]) -> None:
        for slot, secret in held.items():
            with suppress(SecretUnavailable):
                if secret is None:
                    await self._secrets.delete(profile_id, slot)
                else:
                    await self._secrets.set(profile_id, slot, secret.reveal(secret.origin), secret.origin, self._now())

    async def _let_go(self, profile: Profile, before: Profile | None, typed: Typed, *, deleted: bool) -> None:
        """What the saved profile no longer needs: a key that a reference replaced, a deleted namesake's key, judgements on what it was."""
        replaced = [
            slot
            for slot in secret_slots(profile)
            if slot in declared_of(profile) and before and slot not in declared_of(before)
        ]
        replaced += [slot for slot in (secret_slots(before) if before else ()) if slot not in secret_slots(profile)]
        if deleted:  # the id is in use again: nothing to restore, and the old key is not for the new profile
            replaced += [slot for slot in secret_slots(profile) if slot not in typed.keys]
            await self._state.drop_intent(deletion(profile.id))
        for slot in dict.fromkeys(replaced):
            with suppress(SecretUnavailable):
                await self._secrets.delete(profile.id, slot)
        if before and _is_another(before, profile):
            await self._judge_afresh(profile.id)

    async def _judge_afresh(self, profile_id: str) -> None:
        await self._state.update(lambda snapshot: (edited(profile_id, snapshot), None))

    async def _save_pool(self, pool: Pool, revision: str | None) -> None:
        configuration = await self._now_saved()
        refuse_unread(pool.id, configuration)
        refuse_pool(pool, configuration)
        await self._edit(lambda draft: draft.put_pool(pool), revision)

    async def _rename_pool(self, pool_id: str, new_id: str, revision: str | None) -> None:
        refuse_unread(pool_id, await self._now_saved())
        await self._edit(lambda draft: draft.rename_pool(pool_id, new_id), revision)

    async def _save_defaults(self, defaults: Defaults, revision: str | None) -> None:
        refuse_defaults(defaults, await asyncio.to_thread(self._config.load))
        await self._edit(lambda draft: draft.set_defaults(defaults), revision)

    # --- deleting and going back ---

    async def _delete(self, profile_id: str, revision: str | None) -> tuple[str, ...]:
        configuration = await asyncio.to_thread(self._config.load)
        if profile_id not in configuration.profiles and profile_id not in configuration.unreadable:
            raise NotFound(f"There is no profile {profile_id}.", field="id")
        found: list[dict[str, Any]] = []

        def remove(draft: Draft) -> None:
            found.append(draft.place(profile_id))
            draft.remove_profile(profile_id)

        profile = configuration.profiles.get(profile_id)
        intent = deletion(profile_id)
        note = deletion_note(profile_id, secret_slots(profile) if profile else [USUAL_SLOT], self._now())
        await self._state.put_intent(intent, note)
        try:
            await self._edit(remove, revision)
        except BaseException:
            await self._state.drop_intent(intent)
            raise
        await self._state.put_intent(intent, {**note, **found[-1]})
        await self._state.update(lambda snapshot: (edited(profile_id, snapshot), None))
        asyncio.get_running_loop().call_later(UNDO_SECONDS + 1, self._tidy_soon)
        return tuple(found[-1]["places"])

    def _tidy_soon(self) -> None:
        task = asyncio.ensure_future(self.tidy())
        self._tidying.add(task)
        task.add_done_callback(self._tidied)

    def _tidied(self, task: asyncio.Task[None]) -> None:
        self._tidying.discard(task)
        wrong = None if task.cancelled() else task.exception()
        if wrong is not None and not isinstance(wrong, RoorouteError):  # the state file is busy: the next start tidies
            raise wrong

    async def _put_all_back(self, text: str, revision: str | None) -> tuple[str, ...]:
        before = await asyncio.to_thread(self._config.load)
        after = await asyncio.to_thread(self._config.put_back, text, revision)
        present = {*after.profiles, *after.unreadable}
        gone = {each.id: secret_slots(each) for each in before.profiles.values() if each.id not in present}
        for profile_id, slots in gone.items():  # as if deleted; but what is undone is brought back by undoing that
            await self._state.put_intent(deletion(profile_id), deletion_note(profile_id, slots, self._now()))
        begun = await self._state.intents()
        for profile_id in present:
            if deletion(profile_id) in begun:  # it is back: nothing to restore, and no key to remove
                await self._state.drop_intent(deletion(profile_id))
        for profile in after.profiles.values():
            was = before.profiles.get(profile.id)
            if was is None or _is_another(was, profile):
                await self._judge_afresh(profile.id)
        if gone:
            asyncio.get_running_loop().call_later(UNDO_SECONDS + 1, self._tidy_soon)
        return tuple(gone)

    async def _restore(self, profile_id: str) -> None:
        note = (await self._state.intents()).get(deletion(profile_id))
        if note is None or not note.get("entry") or note["at"] + UNDO_SECONDS <= self._now():
            raise NotFound(f"There is no profile {profile_id} that was deleted in the last ten minutes.", field="id")
        place = (note["entry"], note["index"], note["places"], *map(note.get, ("text", "routing", "members")))
        await self._edit(lambda draft: draft.restore_profile(*place))
        await self._state.drop_intent(deletion(profile_id))


def _put(profiles: Sequence[Profile], pools: Sequence[Pool], defaults: Defaults | None) -> Callable[[Draft], None]:
    """The edit that says all this."""

    def put(draft: Draft) -> None:
        for profile in profiles:
            draft.put_profile(profile)
        for pool in pools:
            draft.put_pool(pool)
        if defaults is not None:
            draft.set_defaults(defaults)

    return put


def _is_another(before: Profile, after: Profile) -> bool:
    """Whether what was learnt of the profile says nothing of it any more."""
    return any(getattr(before, name) != getattr(after, name) for name in _NEW_JUDGEMENT)
