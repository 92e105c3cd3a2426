"""Where a profile's secrets come from: the keyring (or what stands in for it), environment references, commands that print
them, and short-lived tokens that are made.

A secret is asked for when its profile is about to be used, never before: a keyring that hangs holds up only those who need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from rooroute.errors import OriginNotApproved, SecretUnavailable
from rooroute.profiles import AuthKind, Profile, SecretCommand, needs_plain_http_approval, reference_name
from rooroute.providers.authentication import CLIENT_SECRET, USUAL_SLOT, needs_no_key, stored
from rooroute.providers.table import PROVIDERS, KeyNeed, base_url_of, own_base_url, vendor_of
from rooroute.secret import Secret, is_loopback, origin_of

_QUIET: Final = 30.0  # seconds in which a profile whose key could not be read is not asked for again


class SecretStore(Protocol):
    """The keyring's adapter. ``store_name`` is "keyring", "session" or "client"."""

    @property
    def store_name(self) -> str: ...

    async def get(self, profile_id: str, slot: str) -> Secret | None: ...

    def forget(self, profile_id: str) -> None:
        """Read this profile's secrets anew next time."""


class Tokens(Protocol):
    """The maker of short-lived tokens, who runs the commands that print secrets too."""

    async def token(self, profile: Profile, origin: str, client_secret: Secret | None) -> Secret:
        """A token that may be sent now. Raises SecretUnavailable."""

    async def printed(self, profile: Profile, slot: str, origin: str) -> Secret:
        """What the profile's command for this slot prints, and may be sent to ``origin`` now. Raises SecretUnavailable."""

    def drop(self, profile_id: str, used_at: float | None = None) -> None:
        """Make all of the profile's anew next time, but for what came after ``used_at`` (UTC epoch seconds)."""

    async def close(self) -> None:
        """Give up what is still being made."""


def is_made(profile: Profile) -> bool:
    """Whether what proves the profile is a short-lived token that is made when it is needed."""
    kind = profile.auth.kind if profile.auth else None
    if kind in (AuthKind.TOKEN_COMMAND, AuthKind.OAUTH_CLIENT_CREDENTIALS):
        return True
    row = PROVIDERS.get(profile.provider)
    of_vendor = row is not None and row.key.token is not None and USUAL_SLOT not in declared_of(profile)
    return of_vendor and kind in (None, AuthKind.MTLS, AuthKind.SIGNATURE_COMMAND)


def slots_of(profile: Profile) -> dict[str, str | None]:
    """The secrets that a profile keeps, each with the origin it goes to where that is not the base URL's."""
    slots = stored(profile)
    if is_made(profile):
        slots.pop(USUAL_SLOT, None)
    return slots


def references_of(profile: Profile) -> Mapping[str, str]:
    """By slot, the environment references that stand in the configuration."""
    if profile.api_key is None:
        return profile.secrets
    return {**profile.secrets, USUAL_SLOT: profile.api_key}


def declared_of(profile: Profile) -> Mapping[str, str | SecretCommand]:
    """By slot, what stands in the configuration instead of a secret in the keyring: references and commands."""
    return {**references_of(profile), **profile.secret_commands} if profile.secret_commands else references_of(profile)


def is_fetched(profile: Profile) -> bool:
    """Whether something that the profile proves itself with is made, or printed by a command, when it is needed."""
    return bool(profile.secret_commands) or is_made(profile)


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
        tokens: Tokens | None = None,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._environment = environment
        self._approved = approved
        self._digest = digest
        self._monotonic = monotonic
        self._redact = redact
        self._keys: dict[str, str] = {}
        self._missing: set[str] = set()
        self._kept_for: dict[str, dict[str, str]] = {}  # origin by slot
        self._unreadable: dict[str, tuple[float, SecretUnavailable]] = {}
        self._saved_at: dict[str, str | None] = {}
        self._barred: dict[str, tuple[Profile, str]] = {}  # who was said to be unusable, and why
        self._learnt: list[str] = []
        self._judgements = 0

    @property
    def version(self) -> int:
        """Grows whenever ``domain`` or ``unusable`` may answer differently for some profile."""
        return len(self._learnt)

    @property
    def judgements(self) -> int:
        """Grows whenever ``unusable`` may answer differently for some profile."""
        return self._judgements

    def learnt(self, since: int) -> Sequence[str]:
        """Ids of the profiles of which ``domain`` may answer differently than at version ``since``."""
        return self._learnt[since:]

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
            self._judge(profile)
            raise
        except OriginNotApproved:
            self._judge(profile)
            raise
        if is_made(profile) or USUAL_SLOT in profile.secret_commands:
            return secrets
        slot = USUAL_SLOT
        key = self._digest(secrets[slot].reveal(secrets[slot].origin)) if slot in secrets else ""
        if self._keys.get(profile.id) != key:
            self._keys[profile.id] = key
            self._learnt.append(profile.id)
        return secrets

    async def close(self) -> None:
        """Give up tokens that are still being made."""
        if self._tokens is not None:
            await self._tokens.close()

    async def _read(self, profile: Profile) -> dict[str, Secret]:
        secrets: dict[str, Secret] = {}
        await self._read_into(secrets, profile)
        if (astray := self.astray(profile)) is not None:
            raise astray
        return await self._with_token(profile, secrets) if is_made(profile) else secrets

    async def _read_into(self, secrets: dict[str, Secret], profile: Profile) -> None:
        """Add what is not there yet."""
        origin, slots = self._origin(profile), slots_of(profile)
        for name, text in references_of(profile).items():
            if name not in secrets:
                secrets[name] = self._from_environment(profile, name, slots.get(name) or origin, text)
        for name in slots:
            if name not in secrets and name in profile.secret_commands:
                secrets[name] = await self._printed(profile, name, slots[name] or origin)
            elif name not in secrets and (kept := await self._kept(profile, name)) is not None:
                secrets[name] = kept

    async def _printed(self, profile: Profile, slot: str, origin: str) -> Secret:
        """From the slot's command, which is not run before what it prints may go to ``origin``."""
        if not self._may_go(profile, slot, origin):
            raise _unapproved(profile, called(profile.secret_commands[slot]), origin)
        if self._tokens is None:
            raise SecretUnavailable(
                f"{profile.title} takes its {_called(slot)} from a command, and none is run here.",
                profileId=profile.id,
            )
        return await self._tokens.printed(profile, slot, origin)

    async def _kept(self, profile: Profile, slot: str) -> Secret | None:
        need = _need(profile, slot)
        if need is KeyNeed.NONE:
            return None
        kept = await self._store.get(profile.id, slot)
        if kept is None:
            self._missing.add(profile.id)
            if need is KeyNeed.REQUIRED:
                what = _called(slot)
                raise SecretUnavailable(
                    f"{profile.title} has no {what}; add its {what} to the profile.", profileId=profile.id
                )
            return None
        self._missing.discard(profile.id)
        self._kept_for.setdefault(profile.id, {})[slot] = kept.origin
        return kept

    async def _with_token(self, profile: Profile, secrets: dict[str, Secret]) -> dict[str, Secret]:
        """The secrets that travel: what the token is made with stays behind."""
        if self._tokens is None:
            raise SecretUnavailable(f"{profile.title} needs a token, and none is made here.", profileId=profile.id)
        client_secret = secrets.pop(CLIENT_SECRET, None)
        try:
            secrets[USUAL_SLOT] = await self._tokens.token(profile, self._origin(profile), client_secret)
        except SecretUnavailable:
            if CLIENT_SECRET in profile.secret_commands:
                self._tokens.drop(profile.id)  # it may be a former one that was refused
            raise
        return secrets

    async def complete(self, profile: Profile, typed: Mapping[str, Secret]) -> Mapping[str, Secret]:
        """The secrets of a draft: those typed, those it has already beside them, and the token made with them. Raises as ``resolve``."""
        slots = slots_of(profile)
        secrets = {
            name: Secret(each.reveal(each.origin), slots.get(name) or each.origin) for name, each in typed.items()
        }
        await self._read_into(secrets, profile)
        return await self._with_token(profile, secrets) if is_made(profile) else secrets

    def renew(self, profile: Profile, used_at: float) -> bool:
        """After a refusal of a request sent at ``used_at`` (UTC epoch seconds): whether another token will be made, or another secret
        printed, for the next one. False where all of them last."""
        if self._tokens is None or not is_fetched(profile):
            return False
        self._tokens.drop(profile.id, used_at)
        return True

    def _from_environment(self, profile: Profile, slot: str, origin: str, text: str) -> Secret:
        value = self._referred(text)
        if not value:
            raise _unset(profile, text)
        self._redact(value)
        if not self._may_go(profile, slot, origin):
            raise _unapproved(profile, called(text), origin)
        return Secret(value, origin)

    def astray(self, profile: Profile) -> OriginNotApproved | None:
        """Why the profile's secrets may not go where it points, as far as that is known without reading one; ``field`` is what mends it."""
        origin, declared, slots = self._origin(profile), declared_of(profile), slots_of(profile)
        for slot, source in declared.items():
            going_to = slots.get(slot) or origin
            if not self._may_go(profile, slot, going_to):
                return _unapproved(profile, called(source), going_to)
        if is_made(profile) and not self._may_go(profile, USUAL_SLOT, origin):
            return _unapproved(profile, "its token", origin)
        for slot, kept_for in self._kept_for.get(profile.id, {}).items():
            going_to = slots.get(slot) or origin
            if slot in slots and slot not in declared and kept_for != going_to:
                what = _called(slot)
                return OriginNotApproved(
                    f"{profile.title} now points to {going_to}, but its {what} was saved for {kept_for}; enter the {what} again to approve.",
                    profileId=profile.id,
                    origin=going_to,
                    field=slot if slot == USUAL_SLOT else f"secrets.{slot}",
                )
        return None

    def unusable(self, profile: Profile) -> SecretUnavailable | OriginNotApproved | None:
        """Why ``resolve`` would fail for want of a key or an approval, as far as that is known without reading a secret. A key that was
        not there is looked for again after a while."""
        self._notice_new_key(profile)
        why = self._trouble(profile)
        if why is None:
            self._barred.pop(profile.id, None)
        else:
            self._barred[profile.id] = (profile, why.message)
        return why

    def look_again(self) -> None:
        """Notice whose approval has come, and whose key may be looked for again."""
        for profile, _ in list(self._barred.values()):
            self._judge(profile)

    def _judge(self, profile: Profile) -> None:
        _, before = self._barred.get(profile.id, (profile, None))
        why = self.unusable(profile)
        if (why.message if why else None) != before:
            self._judged(profile.id)

    def _judged(self, profile_id: str) -> None:
        self._judgements += 1
        self._learnt.append(profile_id)

    def _trouble(self, profile: Profile) -> SecretUnavailable | OriginNotApproved | None:
        held = self._unreadable.get(profile.id)
        if held is not None and profile.id in self._missing and self._monotonic() < held[0]:
            return held[1]
        unset = next((text for text in references_of(profile).values() if not self._referred(text)), None)
        return self.astray(profile) if unset is None else _unset(profile, unset)

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
        if self._tokens is not None:
            self._tokens.drop(profile_id)
        self._unreadable.pop(profile_id, None)
        self._missing.discard(profile_id)
        self._kept_for.pop(profile_id, None)
        if self._keys.pop(profile_id, None) is not None:
            self._learnt.append(profile_id)
        if self._barred.pop(profile_id, None) is not None:
            self._judged(profile_id)

    def fingerprint(self, profile: Profile) -> str:
        """A keyed hash that changes with the credential or the base URL, told without reading a secret."""
        name = reference_name(profile.api_key) if profile.api_key else None
        version = self._environment.get(name, "") if name else profile.key_saved_at or ""
        made = repr((profile.auth, profile.options.get("credentialsFile"))) if is_made(profile) else ""
        printed = repr(sorted(profile.secret_commands.items())) if profile.secret_commands else ""
        return self._digest(
            "\0".join((base_url_of(profile) or "", name or "", version, *filter(None, (made, printed))))
        )

    def domain(self, profile: Profile) -> str:
        """The quota this profile draws on: the user's group, else its key's, known once the key was read, else its own."""
        if profile.domain:
            return f"group:{profile.domain}"
        owner = "/".join(str(profile.options.get(name) or "") for name in ("organization", "project"))
        printed = profile.secret_commands.get(USUAL_SLOT)
        if printed is not None:
            key: str | None = self._digest("\0".join(printed.command))
        else:
            key = self._maker(profile) if is_made(profile) else self._keys.get(profile.id)
        if key is None and profile.api_key and (value := self._referred(profile.api_key)):
            key = self._digest(value)
        return f"{profile.provider}/{key}/{owner}" if key else f"profile:{profile.id}"

    def _maker(self, profile: Profile) -> str:
        """What tokens are made of: they change, and the quota they draw on stays."""
        auth = profile.auth
        if auth is None or not (auth.command or auth.token_url):
            return "google"
        return self._digest("\0".join((*auth.command, auth.token_url or "", auth.client_id or "", auth.audience or "")))

    def _referred(self, reference: str) -> str:
        """What stands in the environment; empty when nothing does."""
        return self._environment.get(reference_name(reference) or "", "").strip()

    def home(self, profile: Profile) -> str:
        """Where the secret lives, as ``ProfileStatus.secret`` spells it."""
        if profile.api_key is not None:
            name = reference_name(profile.api_key)
            return "environment" if self._environment.get(name or "") else "missing"
        slots = slots_of(profile)
        if any(name in profile.secrets and not self._referred(profile.secrets[name]) for name in slots):
            return "missing"
        needs = [_need(profile, name) for name in slots if name not in declared_of(profile)]
        if KeyNeed.REQUIRED not in needs and (KeyNeed.OPTIONAL not in needs or profile.key_saved_at is None):
            return "environment" if profile.secrets else "command" if profile.secret_commands else "notNeeded"
        return "missing" if profile.id in self._missing else self._store.store_name


def _need(profile: Profile, slot: str) -> KeyNeed:
    """Whether the profile can do without this secret."""
    if slot != USUAL_SLOT:
        return KeyNeed.REQUIRED
    need = vendor_of(profile).key.need
    return KeyNeed.OPTIONAL if need is KeyNeed.REQUIRED and needs_no_key(profile) else need


def _called(slot: str) -> str:
    return "key" if slot == USUAL_SLOT else f"secret {slot}"


def called(source: str | SecretCommand) -> str:
    """What a reference or a command stands for, in a sentence."""
    return f"the key from {reference_name(source)}" if isinstance(source, str) else "what its command prints"


def _unset(profile: Profile, reference: str) -> SecretUnavailable:
    return SecretUnavailable(
        f"{profile.title} takes its key from the environment variable {reference_name(reference)}, which is not set where rooroute runs.",
        profileId=profile.id,
    )


def _unapproved(profile: Profile, what: str, origin: str) -> OriginNotApproved:
    return OriginNotApproved(
        f"{profile.title} would send {what} to {origin}; approve that by saving the profile again.",
        profileId=profile.id,
        origin=origin,
        field="profile.baseUrl",
    )
