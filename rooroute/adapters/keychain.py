"""Where keys are kept: the OS keyring, the editor's own store, or memory for this session. Never a file.

An item's text is JSON: the secret together with the one origin it may be sent to, so that neither can be changed without the other.
Names (service "rooroute", user "<profile>/<slot>") are readable while a keyring is locked and hold nothing secret.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from rooroute.adapters.keychain_items import delete_whole, probe, read_whole, write_checked
from rooroute.adapters.keychain_thread import KeychainThread
from rooroute.adapters.keychain_vaults import SENTENCES, Trouble, Vault, VaultError, open_system_vault
from rooroute.errors import SecretUnavailable
from rooroute.secret import Secret

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """``store_name``: "keyring", "client" or "session". ``problem``: a sentence with its remedy; None when all is well."""

    usable: bool
    store_name: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ClientStore:
    """The editor's own store of secrets, by request to the client: ``(profile_id, slot)`` and the text."""

    get: Callable[[str, str], Awaitable[str | None]]
    set: Callable[[str, str, str], Awaitable[None]]
    delete: Callable[[str, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Item:
    secret: Secret
    saved_at: float | None


class Keychain:
    """Secrets by profile and slot. Reads are remembered in memory until the next save, delete or ``forget``.

    ``deadline`` bounds every call in seconds. ``client`` is used where this machine has no keyring. ``redact`` is told
    of every secret's text before anything is done with it, for the log to leave it out. Every method raises
    ``errors.SecretUnavailable`` with a remedy when the store is locked, hangs or refuses.
    """

    def __init__(
        self,
        *,
        deadline: float = 5.0,
        open_vault: Callable[[], Vault] = open_system_vault,
        client: ClientStore | None = None,
        redact: Callable[[str], None] | None = None,
    ) -> None:
        self._deadline = deadline
        self._open_vault = open_vault
        self._client = client
        self._redact = redact or (lambda text: None)
        self._vault: Vault | None = None
        self._thread = KeychainThread(deadline, lambda: self._vault is not None and self._vault.prompting)
        self._opened: StoreStatus | None = None
        self._opening = asyncio.Lock()
        self._session: dict[str, str] = {}
        self._known: dict[str, _Item] = {}

    @property
    def store_name(self) -> str:
        """The store in use: "keyring", "client" or "session"; "keyring" until it is known better."""
        return self._opened.store_name if self._opened else "keyring"

    async def open(self) -> StoreStatus:
        """Try the keyring with a write, a read and a delete, and settle on a store. May be called again to try anew."""
        async with self._opening:
            return await self._settle()

    async def get(self, profile_id: str, slot: str) -> Secret | None:
        """The secret with its origin; None when nothing is saved."""
        item = await self._item(profile_id, slot)
        return item.secret if item else None

    async def saved_at(self, profile_id: str, slot: str) -> float | None:
        """When it was saved, UTC epoch seconds; None when nothing is saved or the time was not given."""
        item = await self._item(profile_id, slot)
        return item.saved_at if item else None

    async def set(self, profile_id: str, slot: str, text: str, origin: str, saved_at: float | None = None) -> None:
        """Save ``text`` for requests to ``origin``, read it back and compare."""
        self._redact(text)
        name = _name(profile_id, slot)
        value = json.dumps({"v": 1, "secret": text, "origin": origin, "savedAt": saved_at})
        self._known.pop(name, None)
        match await self._store(profile_id):
            case "session":
                self._session[name] = value
            case "client":
                await self._ask_client(profile_id, lambda client: client.set(profile_id, slot, value))
            case _:
                await self._ask_vault(profile_id, lambda vault: write_checked(vault, name, value))
        self._known[name] = _Item(Secret(text, origin), saved_at)

    async def delete(self, profile_id: str, slot: str) -> None:
        """Remove it; nothing saved is no error."""
        name = _name(profile_id, slot)
        self._known.pop(name, None)
        match await self._store(profile_id):
            case "session":
                self._session.pop(name, None)
            case "client":
                await self._ask_client(profile_id, lambda client: client.delete(profile_id, slot))
            case _:
                await self._ask_vault(profile_id, lambda vault: delete_whole(vault, name))

    def use_client(self, client: ClientStore | None) -> None:
        """Keep secrets with the editor from now on where this machine has no keyring; None takes that back."""
        self._client = client
        self._opened = None
        self._known.clear()

    def forget(self, profile_id: str) -> None:
        """Read this profile's secrets anew next time: another window has saved them."""
        for name in [name for name in self._known if name.startswith(f"{profile_id}/")]:
            del self._known[name]

    def close(self) -> None:
        """Drop what was read. Waits for nothing."""
        self._known.clear()
        self._thread.close()

    async def _item(self, profile_id: str, slot: str) -> _Item | None:
        name = _name(profile_id, slot)
        if name in self._known:
            return self._known[name]
        match await self._store(profile_id):
            case "session":
                value = self._session.get(name)
            case "client":
                value = await self._ask_client(profile_id, lambda client: client.get(profile_id, slot))
            case _:
                value = await self._ask_vault(profile_id, lambda vault: read_whole(vault, name))
        if value is None:
            return None
        text, origin, saved_at = _parsed(value, profile_id)
        self._redact(text)
        self._known[name] = item = _Item(Secret(text, origin), saved_at)
        return item

    async def _store(self, profile_id: str) -> str:
        if self._opened is None or not self._opened.usable:
            status = await self.open()
            if not status.usable:
                raise SecretUnavailable(
                    f"The key of {profile_id} cannot be reached. {status.problem}", profileId=profile_id
                )
        return self.store_name

    async def _settle(self) -> StoreStatus:
        try:
            vault = self._vault if self._vault is not None else await self._thread.run(self._open_vault)
            self._vault = vault
            await self._thread.run(lambda: probe(vault))
            self._opened = StoreStatus(True, "keyring")
        except VaultError as failed:
            self._opened = self._without_keyring(failed.trouble)
        return self._opened

    def _without_keyring(self, trouble: Trouble) -> StoreStatus:
        """Only a machine without a keyring gets another store: behind a locked one lie keys that would seem lost."""
        if trouble is not Trouble.ABSENT:
            return StoreStatus(False, "keyring", SENTENCES[trouble])
        if self._client is not None:
            return StoreStatus(True, "client")
        return StoreStatus(True, "session", f"Keys are kept until this session ends. {SENTENCES[trouble]}")

    async def _ask_vault(self, profile_id: str, ask: Callable[[Vault], Result]) -> Result:
        vault = self._vault
        if vault is None:
            raise SecretUnavailable(f"The key of {profile_id} cannot be reached. {SENTENCES[Trouble.ABSENT]}")
        try:
            return await self._thread.run(lambda: ask(vault))
        except VaultError as failed:
            raise SecretUnavailable(
                f"The key of {profile_id} cannot be reached. {failed}", profileId=profile_id
            ) from None

    async def _ask_client(self, profile_id: str, ask: Callable[[ClientStore], Awaitable[Result]]) -> Result:
        lost = f"The editor did not answer for the key of {profile_id}; try again, or refer to the key as ${{NAME}}."
        if self._client is None:
            raise SecretUnavailable(lost, profileId=profile_id)
        try:
            async with asyncio.timeout(self._deadline):
                return await ask(self._client)
        except Exception:  # noqa: BLE001 - the client's failure may be anything and may quote the key
            raise SecretUnavailable(lost, profileId=profile_id) from None


def _name(profile_id: str, slot: str) -> str:
    return f"{profile_id}/{slot}"


def _parsed(value: str, profile_id: str) -> tuple[str, str, float | None]:
    try:
        item = json.loads(value)
        text, origin, saved_at = item["secret"], item["origin"], item.get("savedAt")
    except (ValueError, TypeError, KeyError, AttributeError):
        text = origin = saved_at = None
    if not isinstance(text, str) or not isinstance(origin, str):
        raise SecretUnavailable(f"The stored key of {profile_id} cannot be read; enter it again.", profileId=profile_id)
    return text, origin, float(saved_at) if isinstance(saved_at, int | float) else None
