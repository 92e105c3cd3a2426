"""``rooroute profiles add`` and ``edit``: what was typed, what is asked for besides, and what is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from shlex import quote, split
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.adapters.config_reading import plain
from rooroute.commands.asking import choose_model, choose_provider, fill_in
from rooroute.commands.call import OK, Call, WrongUse
from rooroute.commands.setting import sent_unasked
from rooroute.commands.typed import key, parsed, refuse_forgetful_store, variable, with_settings
from rooroute.errors import InvalidInput, NotFound
from rooroute.profile_checks import check_profile
from rooroute.profiles import Configuration, Pool, Profile, SecretCommand, needs_plain_http_approval, reference_name
from rooroute.providers.authentication import USUAL_SLOT, needs_no_key, stored
from rooroute.providers.table import PROVIDERS, KeyNeed, Vendor, base_url_of, check, resolve_model
from rooroute.secret import origin_of

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_OPTIONS: Final = {"name": "name", "model": "model", "base_url": "baseUrl"}
_GIVEN_BY: Final = {"baseUrl": "--base-url URL", "model": "--model MODEL"}
_HOMES: Final = {
    "command": "comes from a command",
    "keyring": "is in the keyring",
    "environment": "comes from the environment",
    "missing": "is missing",
}


@dataclass(frozen=True, slots=True)
class _House:
    """What has to be known before anything is asked. ``store`` and ``trouble`` are unknown where no key will be typed."""

    configuration: Configuration
    store: str = "keyring"
    trouble: str | None = None


def add(call: Call) -> int:
    """Save a new profile."""
    house = _look(call)
    wizard = call.terminal.interactive and not (call.options.id and call.options.provider)
    fields: Json = {"id": call.options.id or _asked_name(call)}
    _refuse_known(house.configuration, fields["id"])
    vendor, base_url = choose_provider(call, wizard=wizard)
    fields |= {"provider": vendor.id} | ({"baseUrl": base_url} if base_url else {})
    fields = _with_options(call, fields)
    if call.terminal.interactive:
        fields = fill_in(call, vendor, fields, everything=wizard)
    draft = _checked(_with_command(call, parsed(Profile, fields)))
    approved = _approved(call, draft)
    secrets = _secrets(call, house, vendor, draft)
    if not draft.model and call.terminal.interactive and (model := choose_model(call, draft, secrets)):
        draft = replace(draft, model=model)
    return _save(call, house, draft, secrets, approved=approved)


def edit(call: Call) -> int:
    """Change a saved profile."""
    house, profile_id = _look(call), call.options.id
    profile = house.configuration.profiles.get(profile_id)
    if profile is None or profile_id in house.configuration.unreadable:
        raise _unknown(house.configuration, profile_id)
    if not _says_something(call):
        if not call.terminal.interactive:
            raise WrongUse(f"nothing to change was named; see {call.options.parser.prog} --help.")
        return _edit_by_asking(call, house, profile)
    draft = _checked(_with_command(call, parsed(Profile, _with_options(call, plain(profile)))))
    if draft.id != profile_id:
        raise InvalidInput("A profile keeps its id; give it another name with --name.", field="id")
    approved = _approved(call, draft)
    return _save(call, house, draft, _typed_key(call, house, draft, needed=False), approved=approved)


def _edit_by_asking(call: Call, house: _House, profile: Profile) -> int:
    vendor = PROVIDERS.get(profile.provider)
    if vendor is None:
        raise InvalidInput(
            f"There is no provider {profile.provider!r}; mend it with --set provider=NAME.", field="provider"
        )
    draft = _checked(parsed(Profile, fill_in(call, vendor, plain(profile), everything=True)))
    approved = _approved(call, draft)
    secrets: Json = {}
    if vendor.key.need is not KeyNeed.NONE and USUAL_SLOT not in draft.secret_commands:
        if house.store == "session":
            text = variable(call, "keep it")
        else:
            text = key(call, "Another API key (empty: keep it)", needed=True)
        if text:
            secrets = {_slot(call, draft): text}
        if text and reference_name(text) is None:
            refuse_forgetful_store(house.store, house.trouble)
    return _save(call, house, draft, secrets, approved=approved)


# --- what is known and what is typed ---


def _look(call: Call) -> _House:
    async def look(backend: Backend) -> _House:
        if call.options.key_env is not None or call.options.key_command is not None:
            return _House(backend.configuration)
        return _House(backend.configuration, *await backend.secret_store())

    return call.visit(look)


def _asked_name(call: Call) -> str:
    if not call.terminal.interactive:
        raise WrongUse(f"NAME is missing; see {call.options.parser.prog} --help.")
    return call.terminal.ask("What shall it be called")


def _refuse_known(configuration: Configuration, profile_id: str) -> None:
    for known in (*configuration.profiles, *configuration.unreadable):
        if known.casefold() == profile_id.casefold():
            raise InvalidInput(
                f"There is already a profile {known}; choose another name, or change it: rooroute profiles edit {quote(known)}.",
                field="id",
            )


def _unknown(configuration: Configuration, profile_id: str) -> Exception:
    if (problem := configuration.unreadable.get(profile_id)) is not None:
        return InvalidInput(
            f"{profile_id} has to be mended in the configuration file first: {problem.message}", field="id"
        )
    known = ", ".join(configuration.profiles) or "none yet"
    return NotFound(f"There is no profile {profile_id!r}; the profiles are: {known}.", field="id")


def _says_something(call: Call) -> bool:
    options = call.options
    given = (options.name, options.model, options.base_url, options.pool, options.key_env, options.key_command)
    return any(each is not None for each in given) or bool(
        options.set or options.ask_key or options.key_stdin or options.approve_origin
    )


def _with_options(call: Call, fields: Json) -> Json:
    named = {field: text for option, field in _OPTIONS.items() if (text := getattr(call.options, option)) is not None}
    return with_settings(Profile, fields | named, call.options.set)


def _with_command(call: Call, draft: Profile) -> Profile:
    """The profile with the command that prints its secret, in place of a reference."""
    if call.options.key_command is None:
        return draft
    try:
        command = tuple(split(call.options.key_command))
    except ValueError:
        command = ()
    if not command:
        raise WrongUse(
            "--key-command takes a program and its arguments, quoted as one word: --key-command 'op read …'."
        )
    slot = _slot(call, draft)
    before = draft.secret_commands.get(slot, SecretCommand(command=command))
    commands = {**draft.secret_commands, slot: replace(before, command=command)}
    others = {name: text for name, text in draft.secrets.items() if name != slot}
    return replace(
        draft,
        secret_commands=commands,
        secrets=others,
        api_key=None if slot == USUAL_SLOT else draft.api_key,
    )


def _checked(draft: Profile) -> Profile:
    """Raises InvalidInput before a key is asked for in vain."""
    for problem in (*check_profile(draft), *check(draft)):
        remedy = problem.remedy or ""
        if remedy == f"Set {problem.field}.":
            remedy = f"Use {_GIVEN_BY.get(problem.field or '', f'--set {problem.field}=VALUE')}."
        raise InvalidInput(f"{problem.message} {remedy}".strip(), field=problem.field)
    return draft


def _approved(call: Call, draft: Profile) -> bool:
    """Whether the user has agreed to the address; where nobody can be asked, saving decides whether that is needed."""
    url = base_url_of(draft)
    if call.options.approve_origin or url is None or not call.terminal.interactive:
        return bool(call.options.approve_origin)
    origin = origin_of(url)
    if not needs_plain_http_approval(origin):
        return False
    return call.terminal.agrees(
        f"Everything sent to {origin} can be read on the way, the key too. Use it all the same?"
    )


def _secrets(call: Call, house: _House, vendor: Vendor, draft: Profile) -> dict[str, str]:
    proves_itself = needs_no_key(draft) or stored(draft).keys() <= draft.secret_commands.keys()
    secrets = _typed_key(call, house, draft, needed=vendor.key.need is not KeyNeed.NONE and not proves_itself)
    referred = draft.api_key is not None
    if not (secrets or referred or proves_itself) and vendor.key.need is KeyNeed.REQUIRED:
        piped = ", or pipe it in with --key-stdin" if house.store != "session" else ""
        page = f" Keys are made at {vendor.key.page}." if vendor.key.page else ""
        raise InvalidInput(
            f"{vendor.name} needs a key: name its environment variable with --key-env NAME{piped}.{page}",
            field="apiKey",
        )
    return secrets


def _typed_key(call: Call, house: _House, draft: Profile, *, needed: bool) -> dict[str, str]:
    vendor = PROVIDERS[draft.provider]
    needed, optional = needed and draft.api_key is None, vendor.key.need is KeyNeed.OPTIONAL
    asks = call.options.ask_key or (needed and call.terminal.interactive and not call.options.key_stdin)
    if asks and call.options.key_env is None:
        if house.store == "session" and call.terminal.interactive and not call.options.ask_key:
            referred = variable(call, "none" if optional else None)
            return {_slot(call, draft): referred} if referred else {}
        if vendor.key.need is KeyNeed.REQUIRED or not needed:
            refuse_forgetful_store(house.store, house.trouble)
    text = key(call, f"API key of {draft.title}{' (empty: none)' if optional else ''}", needed=needed)
    if text is None:
        return {}
    if reference_name(text) is None:
        refuse_forgetful_store(house.store, house.trouble)
    return {_slot(call, draft): text}


def _slot(call: Call, draft: Profile) -> str:
    """Which of the profile's secrets the typed one is."""
    slots = stored(draft)
    chosen: str = call.options.key_slot or (USUAL_SLOT if USUAL_SLOT in slots else next(iter(slots), USUAL_SLOT))
    return chosen


# --- saving ---


def _save(call: Call, house: _House, draft: Profile, secrets: Mapping[str, str], *, approved: bool) -> int:
    revision = house.configuration.revision if house.configuration.profiles else None

    async def save(backend: Backend) -> tuple[Json, str]:
        saved = await backend.save_profile(draft, secrets, revision=revision, approve_origin=approved)
        return saved, await _put_into_pool(backend, draft.id, call.options.pool)

    try:
        saved, remark = call.visit(save)
    except InvalidInput as wrong:
        if wrong.field == "apiKey" and not secrets:
            raise InvalidInput(
                f"{wrong.message} Use --ask-key, --key-stdin or --key-env NAME.", field="apiKey"
            ) from None
        raise
    if call.options.json:
        call.terminal.json(saved)
        return OK
    home = _HOMES.get(saved["profile"]["secret"])
    call.terminal.say(
        f"{draft.id} is saved{f'; its key {home}' if home else ''}. Try it: rooroute profiles test {quote(draft.id)}"
    )
    if told := sent_unasked(saved):
        call.terminal.say(told)
    if remark:
        call.terminal.remark(remark)
    if resolve_model(draft, None) is None:
        way = f"rooroute profiles edit {quote(draft.id)} --model MODEL"
        call.terminal.remark(f"It names no model, so only requests that name one reach it; to choose one: {way}")
    return OK


async def _put_into_pool(backend: Backend, profile_id: str, pool_id: str | None) -> str:
    """Put the profile at the end of the pool; what there is to know about where it stands now."""
    configuration = backend.configuration
    if pool_id is None:
        lonely = configuration.pools and not any(profile_id in each.profiles for each in configuration.pools.values())
        return f"It is in no pool yet: rooroute profiles edit {quote(profile_id)} --pool POOL" if lonely else ""
    pool = configuration.pool(pool_id)
    if pool is not None and profile_id in pool.profiles:
        return ""
    usual = configuration.pool(None)
    if pool is not None:
        await backend.save_pool(replace(pool, profiles=(*pool.profiles, profile_id)), revision=None)
        return ""
    await backend.save_pool(Pool(id=pool_id, profiles=(profile_id,)), revision=None)
    now = backend.configuration.pool(None)
    if now is not None and usual is not None and now.id != usual.id:
        return f"Requests that name no pool go to the new pool {now.id} from now on, which holds {profile_id} alone."
    return f"The pool {pool_id} is new."
