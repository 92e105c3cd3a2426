"""What may be saved: a profile with what was typed beside it, looked at before anything is written.

Everything that can be refused is refused here; what comes out only has to be written, in the order of ``saved_profiles``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rooroute.credentials import called, declared_of, is_made, slots_of
from rooroute.errors import InvalidInput, OriginNotApproved
from rooroute.profile_checks import check_budget, check_defaults, check_profile, check_secret, pointless
from rooroute.profiles import (
    Configuration,
    Defaults,
    Problem,
    Profile,
    SecretCommand,
    needs_plain_http_approval,
    reference_name,
)
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.table import PROVIDERS, FieldKind, base_url_of, own_base_url
from rooroute.secret import is_loopback, origin_of


@dataclass(frozen=True, slots=True)
class Typed:
    """A profile to be saved with what was typed beside it: ``keys`` go into the keyring, references are in the profile by now."""

    profile: Profile
    keys: Mapping[str, str]
    fresh: frozenset[str]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """A profile that may be saved: all that can be refused has been looked at."""

    typed: Typed
    before: Profile | None
    origin: str | None
    approvals: Mapping[str, str]


class Admission:
    """Looks at what is about to be saved. Raises InvalidInput or OriginNotApproved; changes nothing.

    ``check`` tells what is wrong with a profile by its vendor's rules, ``store_name`` where a key would be kept, ``approved`` the origin
    that the user approved for a slot of a profile; ``now`` gives UTC epoch seconds.
    """

    def __init__(
        self,
        *,
        check: Callable[[Profile], Sequence[Problem]],
        store_name: Callable[[], str],
        approved: Callable[[str, str], str | None],
        now: Callable[[], float],
    ) -> None:
        self._check = check
        self._store_name = store_name
        self._approved = approved
        self._now = now

    def judged(
        self, profile: Profile, before: Profile | None, secrets: Mapping[str, str], configuration: Configuration
    ) -> Typed:
        """The profile with what was typed for it, right by itself, by its vendor and among the others."""
        typed = self._typed(profile, before, secrets, known=profile.id in configuration.unreadable)
        known = configuration.knowledge.asked(typed.profile, None)
        own = (*check_profile(typed.profile), *pointless(typed.profile), *self._check(typed.profile))
        refuse([*own, *check_budget(known)], "profile")
        refuse_double(typed.profile, configuration)
        return typed

    def ready(
        self, profile: Profile, secrets: Mapping[str, str], configuration: Configuration, approve_origin: bool
    ) -> Ready:
        """As ``judged``, and its secrets may go where it points."""
        before = configuration.profiles.get(profile.id)
        typed = self.judged(profile, before, secrets, configuration)
        origin = address_of(typed.profile)
        if typed.keys and origin is None:
            raise InvalidInput(
                f"{profile.title} has no base URL that its key could be bound to; add one.", field="profile.baseUrl"
            )
        return Ready(typed, before, origin, self._approvals(typed, before, origin, approve_origin))

    def _typed(self, profile: Profile, before: Profile | None, secrets: Mapping[str, str], *, known: bool) -> Typed:
        """Sort what was typed into references, which go into the profile, and keys, which go into the keyring."""
        keys: dict[str, str] = {}
        warnings: list[str] = []
        kept_at = before.key_saved_at if before else profile.key_saved_at if known else None
        profile = replace(profile, key_saved_at=kept_at if profile.api_key is None else None)
        for slot, text in secrets.items():
            field = slot if slot == USUAL_SLOT else f"secrets.{slot}"
            if profile.provider in PROVIDERS and slot not in secret_slots(profile):
                raise InvalidInput(f"{profile.title} takes no secret named {slot}; leave it out.", field=field)
            if slot in profile.secret_commands:
                raise InvalidInput(
                    f"{profile.title} takes its {slot} from a command; take secretCommands.{slot} out to give it another.",
                    field=field,
                )
            stripped = text.strip()
            if why := check_secret(stripped):
                raise InvalidInput(why, field=field)
            if stripped != text:
                warnings.append("White space around the key was removed.")
            reference = stripped if reference_name(stripped) else None
            if slot == USUAL_SLOT:
                profile = replace(profile, api_key=reference, key_saved_at=None if reference else self.stamp())
            else:
                others = {name: value for name, value in profile.secrets.items() if name != slot}
                saved_at = profile.key_saved_at if reference else self.stamp()
                secrets_left = {**others, **({slot: reference} if reference else {})}
                profile = replace(profile, secrets=secrets_left, key_saved_at=saved_at)
            if reference is None:
                keys[slot] = stripped
        if keys and self._store_name() == "session":
            warnings.append("There is no usable keyring: the key is kept in memory for this session only.")
        return Typed(profile, keys, frozenset(secrets), tuple(warnings))

    def stamp(self) -> str:
        """When a key is saved, as the configuration spells it."""
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _approvals(self, typed: Typed, before: Profile | None, origin: str | None, approve: bool) -> dict[str, str]:
        """The slots whose origin is approved by this save. Raises when the address calls for a key or an approval that did not come."""
        profile = typed.profile
        if origin is None:
            return {}
        if before and profile.key_saved_at:
            _refuse_moved(typed, before)
        sources, bound, own = _sources(profile), bound_slots(profile), own_base_url(profile)
        if needs_plain_http_approval(origin):
            if not approve and self._approved(profile.id, USUAL_SLOT) != origin:
                raise OriginNotApproved(
                    f"{profile.title} would talk to {origin} without encryption; approve that address, or use https.",
                    profileId=profile.id, origin=origin, field="profile.baseUrl",
                )  # fmt: skip
            return {USUAL_SLOT: origin, **{slot: bound.get(slot) or origin for slot in sources}}
        found: dict[str, str] = {}
        for slot, source in sources.items():
            going_to = bound.get(slot) or origin
            if is_loopback(going_to) or (own and origin_of(own) == going_to):
                continue
            same = before is not None and _sources(before).get(slot) == source and slot not in typed.fresh
            if same and not approve and self._approved(profile.id, slot) != going_to:
                raise OriginNotApproved(
                    f"{profile.title} would send {_told(source)} to {going_to}; approve that address.",
                    profileId=profile.id, origin=going_to, field="profile.baseUrl",
                )  # fmt: skip
            found[slot] = going_to
        return found


def address_of(profile: Profile) -> str | None:
    """The origin of the profile's base URL; None without one."""
    url = base_url_of(profile) if profile.provider in PROVIDERS else profile.base_url
    return origin_of(url) if url else None


def secret_slots(profile: Profile) -> list[str]:
    """The slots a profile's vendor knows, and those it refers to."""
    row = PROVIDERS.get(profile.provider)
    asked = (
        [field.name.removeprefix("secrets.") for field in row.fields if field.kind is FieldKind.SECRET] if row else []
    )
    return list(dict.fromkeys([USUAL_SLOT, *asked, *bound_slots(profile), *declared_of(profile)]))


def bound_slots(profile: Profile) -> dict[str, str | None]:
    """The slots of the profile's authentication, each with the origin it goes to where that is not the base URL's."""
    return slots_of(profile) if profile.provider in PROVIDERS else {}


def _sources(profile: Profile) -> dict[str, object]:
    """What does not come from the keyring, by slot: references, commands, and what a short-lived token is made of."""
    if profile.provider not in PROVIDERS or not is_made(profile):
        return dict(declared_of(profile))
    return {**declared_of(profile), USUAL_SLOT: (profile.auth, profile.options.get("credentialsFile"))}


def _told(source: object) -> str:
    return called(source) if isinstance(source, str | SecretCommand) else "its token"


def _refuse_moved(typed: Typed, before: Profile) -> None:
    """Raise where a kept key would go to another address than it was saved for."""
    profile = typed.profile
    for slot, now_to in bound_slots(profile).items():
        if slot in typed.keys or slot in declared_of(profile) or slot not in bound_slots(before):
            continue
        was, goes = bound_slots(before)[slot] or address_of(before), now_to or address_of(profile)
        if was not in {goes, None}:
            what = "key" if slot == USUAL_SLOT else f"secret {slot}"
            raise InvalidInput(
                f"{profile.title} moves from {was} to {goes}, and its {what} was saved for the former: enter the {what} for the new address.",
                field=slot if slot == USUAL_SLOT else f"secrets.{slot}",
                origin=goes,
            )


def folded(*names: str) -> set[str]:
    """Names as they are told apart: without regard to case."""
    return {name.casefold() for name in names}


def refuse(problems: Sequence[Problem], where: str) -> None:
    """Raise the first problem; its field is told from the request's point of view."""
    for problem in problems:
        field = f"{where}.{problem.field}" if problem.field and where in {"profile", "pool", "defaults"} else where
        raise InvalidInput(f"{problem.message} {problem.remedy or ''}".strip(), field=field)


def refuse_defaults(defaults: Defaults, configuration: Configuration) -> None:
    """Raise what is wrong with the defaults among the pools."""
    refuse(check_defaults(defaults), "defaults")
    if configuration.pool(defaults.pool or "default") is None:
        known = f"the pools are {', '.join(configuration.pools)}" if configuration.pools else "no pool is saved yet"
        raise InvalidInput(
            f"There is no pool {defaults.pool}; {known}. Name one that is, or none.", field="defaults.pool"
        )


def refuse_double(
    profile: Profile, configuration: Configuration, *, field: str | None = None, but: str | None = None
) -> None:
    """Raise where another profile has the id or the name; ``but`` is the one that is being renamed."""
    mine = folded(profile.id, profile.title)
    for other in configuration.profiles.values():
        if other.id not in {profile.id, but} and folded(other.id, other.title) & mine:
            wrong = "profile.id" if profile.id.casefold() in folded(other.id, other.title) else "profile.name"
            raise InvalidInput(
                f"There is already a profile called {other.title}; choose another name.", field=field or wrong
            )
