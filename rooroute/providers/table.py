"""The vendors by name, and what a profile comes to by its vendor's row."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from rooroute.errors import InvalidInput, SecretUnavailable
from rooroute.profiles import Problem, Profile
from rooroute.providers import authentication, field_changes, ranges
from rooroute.providers.authentication import TEMPLATE, carried
from rooroute.providers.catalogue import ROWS
from rooroute.providers.dialect import Dialect, HttpRequest, Target
from rooroute.providers.envelope import address, own_headers
from rooroute.providers.field_changes import changes_of
from rooroute.providers.reshaped import Reshaped
from rooroute.providers.vendor import Field, FieldKind, Key, KeyNeed, ModelList, ModelShape, Preset, Variant, Vendor
from rooroute.secret import Secret, origin_of

__all__ = [
    "PROVIDERS", "Field", "FieldKind", "Key", "KeyNeed", "ModelList", "ModelShape", "Preset", "Variant", "Vendor",
    "addressed", "base_url_of", "check", "dialect_for", "models_request", "own_base_url", "request_at", "resolve_model", "target_for", "vendor_of",
]  # fmt: skip

PROVIDERS: Final[Mapping[str, Vendor]] = {row.id: row for row in ROWS}


def vendor_of(profile: Profile) -> Vendor:
    """The profile's row. Raises InvalidInput naming ``profile.provider`` when there is none."""
    row = PROVIDERS.get(profile.provider)
    if row is None:
        raise InvalidInput(
            f"{profile.title} names the unknown provider {profile.provider!r}; choose one of {', '.join(PROVIDERS)}.",
            field="profile.provider",
        )
    return row


def dialect_for(profile: Profile, model: str) -> Dialect:
    """The dialect this profile speaks to ``model`` (the resolved one). Raises InvalidInput as ``vendor_of``."""
    row = vendor_of(profile)
    spoken = next((each.dialect for each in row.variants if each.fits(profile, model)), row.dialect)
    changes = changes_of(profile.options.get("responseFields"))
    return spoken if changes is None else Reshaped(spoken, changes)


def own_base_url(profile: Profile) -> str | None:
    """The vendor's own address for this profile, whatever base URL the profile names; None where the vendor has none."""
    row = PROVIDERS.get(profile.provider)
    if row is None:
        return None
    return (row.base_url(profile) if row.base_url else None) or row.default_base_url


def base_url_of(profile: Profile) -> str | None:
    """The profile's base URL or its vendor's own, without trailing slashes; None where neither names one."""
    url = profile.base_url or own_base_url(profile)
    return url.rstrip("/") if url else None


def addressed(requested: str | None, profile_ids: Container[str]) -> tuple[str | None, str | None]:
    """``alias/model`` taken apart: the one profile it is for and that profile's model. (None, ``requested``) where what stands before
    the slash is no profile, as in ``meta-llama/Llama-3.3-70B``; the model is None where nothing follows the slash."""
    alias, slash, model = (requested or "").partition("/")
    return (alias, model or None) if slash and alias in profile_ids else (None, requested)


def resolve_model(profile: Profile, requested: str | None) -> str | None:
    """The model to ask this profile for; None when it cannot serve ``requested``, or names none and none was requested.

    ``model_map`` comes first; ``models`` (or the vendor's map of deployments), where there are any, are all that may be asked for besides
    the profile's own model. A model that this profile's id stands before (``id/model``) is this profile's.
    """
    row = PROVIDERS.get(profile.provider)
    mapped = profile.options.get(row.served_by) if row and row.served_by else None
    offered = profile.models or (tuple(mapped) if isinstance(mapped, Mapping) else ())
    if requested is None:
        return profile.model or next(iter(offered), None) or (row.default_model if row else None)
    if requested in profile.model_map:
        return profile.model_map[requested]
    if requested in offered or requested == profile.model:
        return requested
    alias, slash, own = requested.partition("/")
    if slash and alias == profile.id:
        return resolve_model(profile, own or None)
    return None if offered else requested


def target_for(profile: Profile, model: str, secrets: Mapping[str, Secret]) -> Target:
    """Whom to ask. ``model`` is the resolved one; ``secrets`` are the profile's own by slot.

    Raises InvalidInput where the profile lacks what its vendor cannot do without, SecretUnavailable where a needed key is missing.
    """
    row, base_url = vendor_of(profile), base_url_of(profile)
    if base_url is None:
        raise InvalidInput(f"{profile.title} has no base URL; add one to the profile.", field="profile.baseUrl")
    for problem in check(profile):
        raise InvalidInput(
            f"{profile.title} cannot be asked: {problem.message} {problem.remedy or ''}".rstrip(),
            field=f"profile.{problem.field}",
        )
    given = dict(secrets)
    if authentication.USUAL_SLOT not in given and not authentication.needs_no_key(profile):
        if row.key.need is KeyNeed.REQUIRED:
            raise SecretUnavailable(
                f"{profile.title} has no API key; add its key to the profile.", profileId=profile.id
            )
        if row.key.dummy is not None:
            given[authentication.USUAL_SLOT] = Secret(row.key.dummy, origin_of(base_url))
    return Target(profile=profile, model=model, base_url=base_url, secrets=given)


def models_request(target: Target) -> HttpRequest | None:
    """The request for the vendor's list of models; None where it has none."""
    row = vendor_of(target.profile)
    models = row.models
    if models is None:
        return None
    options = target.profile.options
    query = {name: str(options[option]) for name, option in models.option_query.items() if options.get(option)}
    headers = {name: str(options[option]) for name, option in models.option_headers.items() if options.get(option)}
    return _get(target, _models_url(target, models, query), {**models.headers, **headers})


def request_at(target: Target, path: str) -> HttpRequest:
    """A GET as the vendor expects one, of ``path``: below the host where it begins with a slash, else below the base URL."""
    models = vendor_of(target.profile).models
    host = "/".join(target.base_url.split("/", 3)[:3])
    below, _, query = path.removeprefix("/").partition("?")
    within = replace(target, base_url=host) if path.startswith("/") else target
    url = address(within, f"/{below}", dict(parse_qsl(query, keep_blank_values=True)))
    return _get(target, url, models.headers if models else {})


def _get(target: Target, url: str, headers: Mapping[str, str]) -> HttpRequest:
    secrets = carried(target, vendor_of(target.profile).key.place)
    return HttpRequest(
        method="GET",
        url=url,
        headers={"accept": "application/json", **headers, **own_headers(target, secrets.headers)},
        secret_headers=secrets.headers,
        secret_query=secrets.query,
        tls=authentication.tls_of(target.profile),
        signer=authentication.signer_of(target.profile),
    )


def _models_url(target: Target, models: ModelList, query: Mapping[str, str]) -> str:
    if models.from_origin:
        parts = urlsplit(target.base_url)
        return address(replace(target, base_url=f"{parts.scheme}://{parts.netloc}"), models.path, query)
    for ending, left in models.after.items():
        if target.base_url.endswith(ending):
            return address(target, left, query)
    version, _, rest = models.path[1:].partition("/")
    path = f"/{rest}" if rest and target.base_url.endswith(f"/{version}") else models.path
    return address(target, path, query)


def check(profile: Profile) -> list[Problem]:
    """What is wrong with a profile by its vendor's rules; what holds for every vendor is in ``profiles.check_profile``.

    Whether a needed key is there is not judged: only the secrets' store knows.
    """
    row = PROVIDERS.get(profile.provider)
    if row is None:
        return [
            Problem(
                f"There is no provider {profile.provider!r}.",
                field="provider",
                remedy=f"Choose one of {', '.join(PROVIDERS)}.",
                profile_id=profile.id,
            )
        ]
    found = [problem for asked in row.fields if (problem := _problem(profile, row, asked))]
    named = {problem.field for problem in found}
    for rule in row.rules:
        wrong = rule(profile)
        if wrong is not None and wrong[0] not in named:
            found.append(Problem(wrong[1], field=wrong[0], remedy=wrong[2], profile_id=profile.id))
    return [*found, *_common_problems(profile), *authentication.check(profile)]


def _common_problems(profile: Profile) -> list[Problem]:
    """What is wrong with the options and templates that every vendor's profiles may have."""
    wrong: list[tuple[str, str, str]] = []
    for name in ("requestFields", "responseFields"):
        declared = profile.options.get(name)
        if declared is not None and (why := field_changes.wrong(declared)):
            wrong.append((f"options.{name}", why, "Use drop (a list), rename and set (mappings of dotted paths)."))
    if profile.options.get(ranges.OPTION) not in (None, *ranges.CHOICES):
        wrong.append((f"options.{ranges.OPTION}", "This is neither clamp nor refuse.", "Choose one of the two."))
    authorities = profile.options.get(authentication.CA_FILE)
    if authorities is not None and not isinstance(authorities, str):
        wrong.append(("options.caFile", "This is no file's path.", "Name a PEM file of certificates."))
    for kind, values in (("headers", profile.headers), ("query", profile.query)):
        wrong += [
            (f"{kind}.{name}", "This holds a template that nothing fills.", "Write ${secret:NAME} at its end.")
            for name, value in values.items()
            if "${" in value and not TEMPLATE.match(value)
        ]
    return [Problem(message, field=name, remedy=remedy, profile_id=profile.id) for name, message, remedy in wrong]


def _problem(profile: Profile, row: Vendor, asked: Field) -> Problem | None:
    if asked.kind is FieldKind.SECRET:
        return None
    value = _value(profile, asked.name)
    if value is None or value == "":
        wrong = f"{row.name} needs {asked.label}." if asked.required else None
    elif asked.kind is FieldKind.CHOICE:
        wrong = None if value in asked.choices else f"{asked.label} is none of {', '.join(asked.choices)}."
    else:
        wrong = None if isinstance(value, _TYPES[asked.kind]) else f"{asked.label} is not {_NAMES[asked.kind]}."
    return Problem(wrong, field=asked.name, remedy=f"Set {asked.name}.", profile_id=profile.id) if wrong else None


def _value(profile: Profile, name: str) -> object:
    """The value at a field's path."""
    own: Mapping[str, object] = {"baseUrl": profile.base_url, "model": profile.model, "region": profile.region}
    return profile.options.get(name.removeprefix("options.")) if name.startswith("options.") else own.get(name)


_TYPES: Final[Mapping[FieldKind, type | tuple[type, ...]]] = {
    FieldKind.TEXT: str,
    FieldKind.SECRET: str,
    FieldKind.URL: str,
    FieldKind.MODEL: str,
    FieldKind.NUMBER: (int, float),
    FieldKind.BOOLEAN: bool,
    FieldKind.FILE: str,
    FieldKind.OBJECT: Mapping,
    FieldKind.CHOICE: str,
}
_NAMES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "text",
    FieldKind.SECRET: "text",
    FieldKind.URL: "a URL",
    FieldKind.MODEL: "a model's name",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "true or false",
    FieldKind.FILE: "a file's path",
    FieldKind.OBJECT: "a mapping",
    FieldKind.CHOICE: "one of its choices",
}
