"""Where a profile's secrets come from: the keyring (or what stands in for it) and environment references.

A secret is asked for when its profile is about to be used, never before: a keyring that hangs holds up only those who need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from rooroute.errors import OriginNotApproved, SecretUnavailable
from rooroute.profiles import Profile, needs_plain_http_approval, reference_name
from rooroute.providers.table import KeyNeed, base_url_of, own_base_url, vendor_of
from rooroute.secret import Secret, is_loopback, origin_of

_QUIET: Final = 30.0  # seconds in which a profile whose key could not be read is not asked for again


class SecretStore(Protocol):
    """The keyring's adapter. ``store_name`` is "keyring", "session" or "client"."""

    @property
    def store_name(self) -> str: ...

    async def get(self, profile_id: str, slot: str) -> Secret | None: ...

    def forget(self, profile_id: str) -> None:
        """Read this profile's secrets anew next time."""


class Credentials:
    """Secrets by profile, with their origin checked, and what can be said of them without reading them.

    ``approved`` tells the origin that the user approved for a slot of a profile; ``digest`` is a keyed hash; ``monotonic`` is in seconds;
    ``redact`` is told of a secret's text before anything is done with it.
    """

    def __init__(
        self,
        store: SecretStore,
        environment: Mapping[str, str],
        approved: Callable[[str, str], str | None],
        digest: Callable[[str], str],
        monotonic: Callable[[], float],
        redact: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._store = store
        self._environment = environment
        self._approved = approved
        self._digest = digest
        self._monotonic = monotonic
        self._redact = redact
        self._keys: dict[str, str] = {}
        self._missing: set[str] = set()
        self._kept_for: dict[str, str] = {}
        self._unreadable: dict[str, tuple[float, SecretUnavailable]] = {}
        self._saved_at: dict[str, str | None] = {}
        self.version = 0
        """Grows whenever ``domain`` may answer differently for the same profile."""

    async def resolve(self, profile: Profile) -> Mapping[str, Secret]:
        """The profile's secrets by slot; empty where it has none and needs none.

        Raises SecretUnavailable when one is missing or cannot be read, OriginNotApproved when the profile now points somewhere its
        secret was not saved for.
        """
        self._notice_new_key(profile)
        held = self._unreadable.get(profile.id)
        if held is not None and self._monotonic() < held[0]:
            raise held[1]
        try:
            secrets = await self._read(profile)
        except SecretUnavailable as wrong:
            self._unreadable[profile.id] = (self._monotonic() + _QUIET, wrong)
            raise
        slot = vendor_of(profile).key.place.slot
        key = self._digest(secrets[slot].reveal(secrets[slot].origin)) if slot in secrets else ""
        if self._keys.get(profile.id) != key:
            self._keys[profile.id] = key
            self.version += 1
        return secrets

    async def _read(self, profile: Profile) -> dict[str, Secret]:
        origin = self._origin(profile)
        row = vendor_of(profile)
        slot = row.key.place.slot
        secrets = {
            name: self._from_environment(profile, name, origin, text)
            for name, text in self._references(profile).items()
        }
        if slot not in secrets and row.key.need is not KeyNeed.NONE:
            kept = await self._store.get(profile.id, slot)
            if kept is None:
                self._missing.add(profile.id)
                if row.key.need is KeyNeed.REQUIRED:
                    raise SecretUnavailable(
                        f"{profile.title} has no key; add its key to the profile.", profileId=profile.id
                    )
                return secrets
            self._missing.discard(profile.id)
            self._kept_for[profile.id] = kept.origin
            if (astray := self.astray(profile)) is not None:
                raise astray
            secrets[slot] = kept
        return secrets

    def _from_environment(self, profile: Profile, slot: str, origin: str, text: str) -> Secret:
        name, value = reference_name(text), self._referred(text)
        if not value:
            raise SecretUnavailable(
                f"{profile.title} takes its key from the environment variable {name}, which is not set where rooroute runs.",
                profileId=profile.id,
            )
        self._redact(value)
        if not self._may_go(profile, slot, origin):
            raise _unapproved(profile, text, origin)
        return Secret(value, origin)

    def astray(self, profile: Profile) -> OriginNotApproved | None:
        """Why the profile's secrets may not go where it points, as far as that is known without reading one; ``field`` is what mends it."""
        origin, references = self._origin(profile), self._references(profile)
        for slot, text in references.items():
            if not self._may_go(profile, slot, origin):
                return _unapproved(profile, text, origin)
        kept_for = self._kept_for.get(profile.id)
        if kept_for in (None, origin) or vendor_of(profile).key.place.slot in references:
            return None
        return OriginNotApproved(
            f"{profile.title} now points to {origin}, but its key was saved for {kept_for}; enter the key again to approve.",
            profileId=profile.id,
            origin=origin,
            field="apiKey",
        )

    def _references(self, profile: Profile) -> Mapping[str, str]:
        """By slot, the references that stand in the configuration."""
        if profile.api_key is None:
            return profile.secrets
        return {**profile.secrets, vendor_of(profile).key.place.slot: profile.api_key}

    def _may_go(self, profile: Profile, slot: str, origin: str) -> bool:
        """A vendor's own address and this machine need no approval; any other origin was approved when the profile was saved."""
        own = own_base_url(profile)
        if not needs_plain_http_approval(origin) and (is_loopback(origin) or (own and origin_of(own) == origin)):
            return True
        return self._approved(profile.id, slot) == origin

    def _origin(self, profile: Profile) -> str:
        url = base_url_of(profile)
        return origin_of(url) if url else ""

    def _notice_new_key(self, profile: Profile) -> None:
        """A key saved by another window leaves its date in the profile: read it anew."""
        if self._saved_at.get(profile.id, profile.key_saved_at) != profile.key_saved_at:
            self.forget(profile.id)
        self._saved_at[profile.id] = profile.key_saved_at

    def forget(self, profile_id: str) -> None:
        """Read this profile's secrets from their home next time."""
        self._store.forget(profile_id)
        self._unreadable.pop(profile_id, None)
        self._missing.discard(profile_id)
        self._kept_for.pop(profile_id, None)
        if self._keys.pop(profile_id, None) is not None:
            self.version += 1

    def fingerprint(self, profile: Profile) -> str:
        """A keyed hash that changes with the credential or the base URL, told without reading a secret."""
        name = reference_name(profile.api_key) if profile.api_key else None
        version = self._environment.get(name, "") if name else profile.key_saved_at or ""
        return self._digest("\0".join((base_url_of(profile) or "", name or "", version)))

    def domain(self, profile: Profile) -> str:
        """The quota this profile draws on: the user's group, else its key's, known once the key was read, else its own."""
        if profile.domain:
            return f"group:{profile.domain}"
        owner = "/".join(str(profile.options.get(name) or "") for name in ("organization", "project"))
        key = self._keys.get(profile.id)
        if key is None and profile.api_key and (value := self._referred(profile.api_key)):
            key = self._digest(value)
        return f"{profile.provider}/{key}/{owner}" if key else f"profile:{profile.id}"

    def _referred(self, reference: str) -> str:
        """What stands in the environment; empty when nothing does."""
        return self._environment.get(reference_name(reference) or "", "").strip()

    def home(self, profile: Profile) -> str:
        """Where the secret lives, as ``ProfileStatus.secret`` spells it."""
        if profile.api_key is not None:
            name = reference_name(profile.api_key)
            return "environment" if self._environment.get(name or "") else "missing"
        need = vendor_of(profile).key.need
        if need is KeyNeed.NONE or (need is KeyNeed.OPTIONAL and profile.key_saved_at is None):
            return "notNeeded"
        return "missing" if profile.id in self._missing else self._store.store_name


def _unapproved(profile: Profile, reference: str, origin: str) -> OriginNotApproved:
    return OriginNotApproved(
        f"{profile.title} would send the key from {reference_name(reference)} to {origin}; approve that by saving the profile again.",
        profileId=profile.id,
        origin=origin,
        field="profile.baseUrl",
    )
