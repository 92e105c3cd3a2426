"""What a person is asked for when saving a profile, from the table of providers. Nobody is asked where nobody is there."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.commands.call import Call, WrongUse
from rooroute.commands.typed import with_settings
from rooroute.errors import InvalidInput, RoorouteError
from rooroute.profiles import Profile, reference_name
from rooroute.providers.table import PROVIDERS, Field, FieldKind, Preset, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_SHOWN_MODELS: Final = 30
_PRESETS: Final[dict[str, tuple[Vendor, Preset]]] = {
    preset.id: (vendor, preset)
    for vendor in PROVIDERS.values()
    for preset in vendor.presets
    if preset.id not in PROVIDERS
}


def choose_provider(call: Call, *, wizard: bool) -> tuple[Vendor, str | None]:
    """The provider, and the base URL where a well-known server was chosen."""
    typed = call.options.provider
    if typed is None:
        if not wizard:
            raise WrongUse(f"--provider is missing; choose one of {', '.join(PROVIDERS)}.")
        typed = _from_catalogue(call)
    if typed in PROVIDERS:
        return PROVIDERS[typed], None
    if typed in _PRESETS:
        vendor, preset = _PRESETS[typed]
        return vendor, preset.base_url
    known = ", ".join([*PROVIDERS, *_PRESETS])
    near = get_close_matches(typed, [*PROVIDERS, *_PRESETS], n=1)
    meant = f"did you mean {near[0]}, or one of {known}?" if near else f"choose one of {known}."
    raise InvalidInput(f"There is no provider of that name; {meant}", field="provider")


def _from_catalogue(call: Call) -> str:
    rows = [(vendor.id, _offer(vendor)) for vendor in PROVIDERS.values()]
    rows += [(preset.id, f"{preset.name}, {preset.base_url}") for _, preset in _PRESETS.values()]
    for number, (name, told) in enumerate(rows, 1):
        call.terminal.remark(f"  {number:>2}  {name:<18} {told}")
    answer = call.terminal.ask("Which provider (a number or a name)")
    return rows[int(answer) - 1][0] if answer.isdecimal() and 0 < int(answer) <= len(rows) else answer


def _offer(vendor: Vendor) -> str:
    told = "; ".join(text for text in (", ".join(vendor.offers), vendor.regions) if text)
    return f"{vendor.name} ({told})" if told else vendor.name


def fill_in(call: Call, vendor: Vendor, fields: Json, *, everything: bool) -> Json:
    """Ask for the vendor's fields: all of them, or those it cannot do without. Keys and models are asked for elsewhere."""
    for field in vendor.fields:
        present = _present(fields, field.name)
        wanted = everything or (field.required and not present)
        if field.kind in (FieldKind.SECRET, FieldKind.MODEL if not present else FieldKind.SECRET) or not wanted:
            continue
        fields = with_settings(Profile, fields, [f"{field.name}={_answer(call, field, present)}"])
    return fields


def _answer(call: Call, field: Field, present: str) -> str:
    example = f"For example {field.placeholder}" if field.placeholder else ""
    choices = f"One of: {', '.join(field.choices)}." if field.choices else ""
    if told := " ".join(text for text in (field.help, choices, example) if text):
        call.terminal.remark(f"  {told}")
    answer = call.terminal.ask(
        f"{field.label}{'' if field.required else ' (- for none)' if present else ' (optional)'}", present
    )
    return "" if answer == "-" else answer


def _present(fields: Json, path: str) -> str:
    value: Any = fields
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def choose_model(call: Call, draft: Profile, secrets: Mapping[str, str]) -> str:
    """One of the models the provider lists, or any other; empty for none."""
    names = _models(call, draft, secrets)
    for number, name in enumerate(names[:_SHOWN_MODELS], 1):
        call.terminal.remark(f"  {number:>2}  {name}")
    if len(names) > _SHOWN_MODELS:
        call.terminal.remark(f"  … and {len(names) - _SHOWN_MODELS} more")
    answer = call.terminal.ask(f"Which model ({'a number or ' if names else ''}a name)")
    return names[int(answer) - 1] if answer.isdecimal() and 0 < int(answer) <= len(names) else answer


def _models(call: Call, draft: Profile, secrets: Mapping[str, str]) -> list[str]:
    """What the provider lists; nothing where it cannot be asked, which is no reason not to save."""
    typed = {
        slot: call.environment.get(name, "") if (name := reference_name(text)) else text
        for slot, text in secrets.items()
    }
    if "" in typed.values():
        return []
    call.terminal.remark("Asking for its models …")

    async def look(backend: Backend) -> Json:
        return await backend.models(draft, typed, refresh=True)

    try:
        names = [each["id"] for each in call.visit(look)["models"]]
    except RoorouteError as wrong:
        call.terminal.remark(f"They cannot be listed: {wrong.message}")
        return []
    if not names:
        call.terminal.remark("It lists none.")
    return names
