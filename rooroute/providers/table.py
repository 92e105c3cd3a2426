"""The vendors: one row each. A vendor on a known dialect is a row here and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rooroute.errors import InvalidInput, SecretUnavailable
from rooroute.profiles import Problem, Profile
from rooroute.providers.anthropic import ANTHROPIC
from rooroute.providers.dialect import Dialect, HttpRequest, Target
from rooroute.providers.envelope import BEARER, KeyPlace, address, own_headers
from rooroute.providers.gemini import GEMINI
from rooroute.providers.openai import OPENAI, OPENAI_COMPATIBLE
from rooroute.secret import Secret, origin_of


class FieldKind(StrEnum):
    """How a wizard asks for a field."""

    TEXT = "text"
    SECRET = "secret"
    URL = "url"
    MODEL = "model"
    NUMBER = "number"
    BOOLEAN = "boolean"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a wizard asks. ``name`` is the dotted path in the profile's outside spelling (``baseUrl``, ``options.organization``)."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    help: str = ""
    placeholder: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """A well-known server of a vendor's dialect: what a wizard fills in. ``needs_key`` is false for local servers."""

    id: str
    name: str
    base_url: str
    needs_key: bool = True
    documentation: str = ""


class KeyNeed(StrEnum):
    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Key:
    """Whether a vendor wants a key and where it travels. ``dummy`` is sent where the user gave none; ``page`` is where one gets a key."""

    need: KeyNeed = KeyNeed.REQUIRED
    place: KeyPlace = BEARER
    dummy: str | None = None
    page: str = ""


class ModelShape(StrEnum):
    """How a list of models is written: ``data[].id``; ``data[].id`` with ``display_name``; ``models[].name`` as ``models/NAME``;
    ``data[].model_name`` with ``litellm_params`` and ``model_info``. ``model_list`` reads each."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    LITELLM = "litellm"


@dataclass(frozen=True, slots=True)
class ModelList:
    """Where the models are listed: a GET of ``path`` below the base URL, with ``headers`` besides the key.

    ``proves_key`` is false where anybody gets the list: having it then says nothing about the key.
    """

    path: str = "/models"
    shape: ModelShape = ModelShape.OPENAI
    headers: Mapping[str, str] = field(default_factory=dict)
    proves_key: bool = True


@dataclass(frozen=True, slots=True)
class Vendor:
    """One row. ``default_base_url`` None means that the profile must name one; ``models`` None that the vendor lists none."""

    id: str
    name: str
    dialect: Dialect
    default_base_url: str | None
    documentation: str
    key: Key = Key()
    fields: tuple[Field, ...] = ()
    presets: tuple[Preset, ...] = ()
    models: ModelList | None = ModelList()
    status_page: str | None = None


_KEY: Final = Field("apiKey", "API key", FieldKind.SECRET, required=True)
_KEY_IF_ANY: Final = Field("apiKey", "API key", FieldKind.SECRET, help="Leave empty where the server asks for none.")
_MODEL: Final = Field("model", "Model", FieldKind.MODEL, help="Used where a request names no model.")
_BASE_URL: Final = Field(
    "baseUrl", "Base URL", FieldKind.URL, help="Only for a proxy or a mirror; empty means the vendor's own."
)

_ROWS: Final = (
    Vendor(
        id="openai",
        name="OpenAI",
        dialect=OPENAI,
        default_base_url="https://api.openai.com/v1",
        documentation="https://platform.openai.com/docs/api-reference/chat",
        key=Key(page="https://platform.openai.com/api-keys"),
        fields=(
            _KEY,
            _MODEL,
            Field(
                "options.organization",
                "Organization",
                help="Only if your account belongs to several.",
                placeholder="org-…",
            ),
            Field("options.project", "Project", help="Only for keys that are not bound to one.", placeholder="proj_…"),
            _BASE_URL,
        ),
        status_page="https://status.openai.com",
    ),
    Vendor(
        id="openai-compatible",
        name="OpenAI-compatible server",
        dialect=OPENAI_COMPATIBLE,
        default_base_url=None,
        documentation="https://platform.openai.com/docs/api-reference/chat",
        key=Key(KeyNeed.OPTIONAL),
        fields=(
            Field(
                "baseUrl",
                "Base URL",
                FieldKind.URL,
                required=True,
                help="Up to the version: what stands before /chat/completions.",
                placeholder="http://localhost:8000/v1",
            ),
            _KEY_IF_ANY,
            _MODEL,
        ),
        presets=(
            Preset(
                "vllm",
                "vLLM",
                "http://localhost:8000/v1",
                False,
                "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
            ),
            Preset(
                "llama.cpp",
                "llama.cpp server",
                "http://localhost:8080/v1",
                False,
                "https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
            ),
            Preset(
                "ollama",
                "Ollama",
                "http://localhost:11434/v1",
                False,
                "https://docs.ollama.com/api/openai-compatibility",
            ),
            Preset(
                "lm-studio",
                "LM Studio",
                "http://localhost:1234/v1",
                False,
                "https://lmstudio.ai/docs/developer/openai-compat",
            ),
            Preset("xroute", "XRoute.AI", "https://api.xroute.ai/openai/v1", True, "https://xroute.ai"),
            Preset("deepseek", "DeepSeek", "https://api.deepseek.com/v1", True, "https://api-docs.deepseek.com"),
            Preset("groq", "Groq", "https://api.groq.com/openai/v1", True, "https://console.groq.com/docs/openai"),
            Preset(
                "together",
                "Together AI",
                "https://api.together.xyz/v1",
                True,
                "https://docs.together.ai/docs/openai-api-compatibility",
            ),
            Preset("xai", "xAI", "https://api.x.ai/v1", True, "https://docs.x.ai/docs/api-reference"),
        ),
    ),
    Vendor(
        id="anthropic",
        name="Anthropic",
        dialect=ANTHROPIC,
        default_base_url="https://api.anthropic.com",
        documentation="https://platform.claude.com/docs/en/api/messages",
        key=Key(place=KeyPlace("x-api-key", ""), page="https://platform.claude.com/settings/keys"),
        fields=(
            _KEY,
            _MODEL,
            Field(
                "options.promptCache",
                "Prompt cache",
                FieldKind.BOOLEAN,
                help="Marks system prompt, tools and history as cacheable.",
            ),
            _BASE_URL,
        ),
        models=ModelList("/v1/models", ModelShape.ANTHROPIC, {"anthropic-version": "2023-06-01"}),
        status_page="https://status.claude.com",
    ),
    Vendor(
        id="gemini",
        name="Google Gemini",
        dialect=GEMINI,
        default_base_url="https://generativelanguage.googleapis.com/v1beta",
        documentation="https://ai.google.dev/api/generate-content",
        key=Key(place=KeyPlace("x-goog-api-key", ""), page="https://aistudio.google.com/apikey"),
        fields=(_KEY, _MODEL, _BASE_URL),
        models=ModelList("/models", ModelShape.GEMINI),
        status_page="https://aistudio.google.com/status",
    ),
)

PROVIDERS: Final[Mapping[str, Vendor]] = {row.id: row for row in _ROWS}


def vendor_of(profile: Profile) -> Vendor:
    """The profile's row. Raises InvalidInput naming ``profile.provider`` when there is none."""
    row = PROVIDERS.get(profile.provider)
    if row is None:
        raise InvalidInput(
            f"{profile.title} names the unknown provider {profile.provider!r}; choose one of {', '.join(PROVIDERS)}.",
            field="profile.provider",
        )
    return row


def base_url_of(profile: Profile) -> str | None:
    """The profile's base URL or its vendor's default, without trailing slashes; None where neither names one."""
    row = PROVIDERS.get(profile.provider)
    url = profile.base_url or (row.default_base_url if row else None)
    return url.rstrip("/") if url else None


def resolve_model(profile: Profile, requested: str | None) -> str | None:
    """The model to ask this profile for; None when it cannot serve ``requested``, or names none and none was requested.

    ``model_map`` comes first; ``models``, where there are any, are all that may be asked for besides the profile's own model.
    """
    if requested is None:
        return profile.model or (profile.models[0] if profile.models else None)
    if requested in profile.model_map:
        return profile.model_map[requested]
    return requested if not profile.models or requested in profile.models or requested == profile.model else None


def target_for(profile: Profile, model: str, secrets: Mapping[str, Secret]) -> Target:
    """Whom to ask. ``model`` is the resolved one; ``secrets`` are the profile's own by slot.

    Raises InvalidInput where the profile lacks what its vendor cannot do without, SecretUnavailable where a needed key is missing.
    """
    row, base_url = vendor_of(profile), base_url_of(profile)
    if base_url is None:
        raise InvalidInput(f"{profile.title} has no base URL; add one to the profile.", field="profile.baseUrl")
    given = dict(secrets)
    slot = row.key.place.slot
    if slot not in given:
        if row.key.need is KeyNeed.REQUIRED:
            raise SecretUnavailable(
                f"{profile.title} has no API key; add its key to the profile.", profileId=profile.id
            )
        if row.key.dummy is not None:
            given[slot] = Secret(row.key.dummy, origin_of(base_url))
    return Target(profile=profile, model=model, base_url=base_url, secrets=given)


def models_request(target: Target) -> HttpRequest | None:
    """The request for the vendor's list of models; None where it has none."""
    row = vendor_of(target.profile)
    if row.models is None:
        return None
    version, _, rest = row.models.path[1:].partition("/")
    path = f"/{rest}" if rest and target.base_url.endswith(f"/{version}") else row.models.path
    return HttpRequest(
        method="GET",
        url=address(target, path),
        headers={"accept": "application/json", **row.models.headers, **own_headers(target, row.key.place)},
        secret_headers=row.key.place.headers(target),
    )


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
    return [problem for asked in row.fields if (problem := _problem(profile, row, asked))]


def _problem(profile: Profile, row: Vendor, asked: Field) -> Problem | None:
    if asked.kind is FieldKind.SECRET:
        return None
    value = _value(profile, asked.name)
    if value is None or value == "":
        wrong = f"{row.name} needs {asked.label}." if asked.required else None
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
}
_NAMES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "text",
    FieldKind.SECRET: "text",
    FieldKind.URL: "a URL",
    FieldKind.MODEL: "a model's name",
    FieldKind.NUMBER: "a number",
    FieldKind.BOOLEAN: "true or false",
    FieldKind.FILE: "a file's path",
}
