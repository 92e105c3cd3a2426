"""Lists of models: how to ask for one page after another, and what each vendor's spelling of a model comes to.

Every reader is a table of paths into a row; the first path that holds something sensible speaks. What a row leaves out stays None, so
that whoever fills the gap can say that it was filled.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit, urlunsplit

from rooroute.providers.dialect import HttpRequest, Target
from rooroute.providers.table import models_request, vendor_of
from rooroute.providers.vendor import ModelShape

LONGEST_LIST: Final = 10_000
"""Models of one page that are read."""

_LONGEST_NAME: Final = 256
_MILLION: Final = 1_000_000
_MOST_TOKENS: Final = 1_000_000_000
_HIGHEST_PRICE: Final = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model as far as it is known; None is unknown. Sizes in tokens, prices in USD per million tokens."""

    id: str
    name: str | None = None
    context_window: int | None = None
    max_tokens: int | None = None
    supports_images: bool | None = None
    supports_tools: bool | None = None
    supports_prompt_cache: bool | None = None
    supports_computer_use: bool | None = None
    input_price: float | None = None
    output_price: float | None = None
    cache_read_price: float | None = None
    cache_write_price: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list as it was at ``fetched_at`` (UTC epoch seconds). ``place`` says, as a hash, at which vendor's address."""

    models: tuple[Model, ...]
    fetched_at: float
    place: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` is what the query of the following page adds to the first one's; empty after the last page."""

    models: tuple[Model, ...]
    next: Mapping[str, str]


def first_page(target: Target) -> HttpRequest | None:
    """The request for the first, longest page; None where the vendor has no list. Doubled slashes of the base URL are undone, since a
    path with an empty segment is another path."""
    request = models_request(target)
    models = vendor_of(target.profile).models
    if request is None or models is None:
        return None
    parts = urlsplit(request.url)
    single = urlunsplit(parts._replace(path=re.sub("/{2,}", "/", parts.path)))
    return turned(replace(request, url=single), _SHAPES[models.shape].longest_page)


def turned(request: HttpRequest, query: Mapping[str, str]) -> HttpRequest:
    """``request`` with ``query`` added to its URL."""
    joint = "&" if "?" in request.url else "?"
    return replace(request, url=f"{request.url}{joint}{urlencode(query)}") if query else request


def read_page(shape: ModelShape, body: bytes) -> Page | None:
    """The models of one answer, each name once; None when it is no list of this shape."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    form = _SHAPES[shape]
    rows = document if isinstance(document, list) else _at(document, form.rows)
    if not isinstance(rows, list):
        return None
    found: dict[str, Model] = {}
    for row in rows[:LONGEST_LIST]:
        model = form.read(row) if isinstance(row, dict) else None
        if model is not None:
            found.setdefault(model.id, model)
    return Page(tuple(found.values()), form.next_page(document) if isinstance(document, dict) else {})


# --- values -----------------------------------------------------------------------------------------------------------------------


def _at(value: Any, path: str) -> Any:
    """What lies at a dotted path; None where it leads nowhere."""
    for step in path.split("."):
        if isinstance(value, list):
            value = value[int(step)] if step.isdecimal() and int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str | None:
    sensible = isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
    return value if sensible else None


def _tokens(value: Any) -> int | None:
    sensible = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= _MOST_TOKENS
    return int(value) if sensible else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _price(value: Any) -> float | None:
    """A price per million tokens as number or text; a negative one (OpenRouter's "it depends") is none."""
    try:
        price = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else -1.0
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and 0 <= price <= _HIGHEST_PRICE else None


def _token_price(value: Any) -> float | None:
    """A price per token, as one per million."""
    price = _price(value)
    return None if price is None else _price(round(price * _MILLION, 6))


def _has(*words: str) -> Callable[[Any], bool | None]:
    """Whether a list names one of ``words``."""

    def read(value: Any) -> bool | None:
        return any(word in value for word in words) if isinstance(value, list) else None

    return read


Read: TypeAlias = Callable[[Any], Any]
Sources: TypeAlias = Mapping[str, tuple[tuple[str, Read], ...]]


def _read_row(row: Mapping[str, Any], name: str | None, sources: Sources) -> Model | None:
    if name is None:
        return None
    values = {field: _first(row, choices) for field, choices in sources.items()}
    return Model(id=name, **values)


def _first(row: Mapping[str, Any], choices: Iterable[tuple[str, Read]]) -> Any:
    for path, read in choices:
        value = read(_at(row, path))
        if value is not None:
            return value
    return None


# --- shapes -----------------------------------------------------------------------------------------------------------------------

_NO_CHAT: Final = frozenset(
    {"embedding", "embeddings", "image", "audio", "video", "rerank", "moderation", "transcribe"}
)

_OPENAI: Final[Sources] = {
    "name": (("name", _text), ("display_name", _text)),
    "context_window": (
        ("context_length", _tokens),  # OpenRouter, Together, Fireworks
        ("max_context_length", _tokens),  # Mistral, LM Studio
        ("context_window", _tokens),  # Groq
        ("max_model_len", _tokens),  # vLLM
        ("meta.n_ctx", _tokens),  # llama.cpp: what it was started with
        ("meta.n_ctx_train", _tokens),  # llama.cpp without a model loaded, and older ones
        ("providers.0.context_length", _tokens),  # Hugging Face's router
    ),
    "max_tokens": (("top_provider.max_completion_tokens", _tokens), ("max_completion_tokens", _tokens)),
    "supports_images": (
        ("architecture.input_modalities", _has("image")),
        ("capabilities.vision", _flag),
        ("supports_image_input", _flag),
    ),
    "supports_tools": (
        ("supported_parameters", _has("tools")),
        ("capabilities.function_calling", _flag),
        ("supports_tools", _flag),
        ("providers.0.supports_tools", _flag),
    ),
    "input_price": (
        ("pricing.prompt", _token_price),
        ("pricing.input", _price),
        ("providers.0.pricing.input", _price),
    ),
    "output_price": (
        ("pricing.completion", _token_price),
        ("pricing.output", _price),
        ("providers.0.pricing.output", _price),
    ),
    "cache_read_price": (("pricing.input_cache_read", _token_price),),
    "cache_write_price": (("pricing.input_cache_write", _token_price),),
}


def _openai(row: Mapping[str, Any]) -> Model | None:
    """https://platform.openai.com/docs/api-reference/models, and what compatible servers add to a row."""
    if row.get("type") in _NO_CHAT or _at(row, "capabilities.completion_chat") is False:
        return None
    return _read_row(row, _text(row.get("id")), _OPENAI)


_ANTHROPIC: Final[Sources] = {
    "name": (("display_name", _text),),
    "context_window": (("max_input_tokens", _tokens),),
    "max_tokens": (("max_tokens", _tokens),),
    "supports_images": (("capabilities.image_input.supported", _flag),),
}


def _anthropic(row: Mapping[str, Any]) -> Model | None:
    """https://platform.claude.com/docs/en/api/models/list"""
    return _read_row(row, _text(row.get("id")), _ANTHROPIC)


def _anthropic_next(document: Mapping[str, Any]) -> Mapping[str, str]:
    last = _text(document.get("last_id"))
    return {"after_id": last} if document.get("has_more") is True and last else {}


_GEMINI: Final[Sources] = {
    "name": (("displayName", _text),),
    "context_window": (("inputTokenLimit", _tokens),),
    "max_tokens": (("outputTokenLimit", _tokens),),
    "supports_prompt_cache": (("supportedGenerationMethods", _has("createCachedContent")),),
}


def _gemini(row: Mapping[str, Any]) -> Model | None:
    """https://ai.google.dev/api/models; models for embeddings and the like are left out."""
    if _has("generateContent", "streamGenerateContent")(row.get("supportedGenerationMethods")) is False:
        return None
    name = _text(row.get("name"))
    return _read_row(row, _text(name.removeprefix("models/")) if name else None, _GEMINI)


def _google_next(document: Mapping[str, Any]) -> Mapping[str, str]:
    token = document.get("nextPageToken")
    return {"pageToken": token} if isinstance(token, str) and token else {}


def _vertex(row: Mapping[str, Any]) -> Model | None:
    """https://cloud.google.com/vertex-ai/docs/reference/rest/v1beta1/publishers.models/list; of Google's own only Gemini chats."""
    name = (_text(row.get("name")) or "").rpartition("/")[2]
    return Model(id=name) if name.startswith("gemini-") and "embedding" not in name else None


_COHERE: Final[Sources] = {
    "context_window": (("context_length", _tokens),),
    "supports_images": (("supports_vision", _flag), ("features", _has("vision"))),
    "supports_tools": (("features", _has("tools", "tool_choice", "strict_tools")),),
}


def _cohere(row: Mapping[str, Any]) -> Model | None:
    """https://docs.cohere.com/reference/list-models; models for embeddings and reranking are left out."""
    if _has("chat")(row.get("endpoints")) is False or row.get("is_deprecated") is True:
        return None
    return _read_row(row, _text(row.get("name")), _COHERE)


def _cohere_next(document: Mapping[str, Any]) -> Mapping[str, str]:
    token = document.get("next_page_token")
    return {"page_token": token} if isinstance(token, str) and token else {}


_LITELLM: Final[Sources] = {
    "context_window": (("model_info.max_input_tokens", _tokens),),
    "max_tokens": (("model_info.max_output_tokens", _tokens), ("model_info.max_tokens", _tokens)),
    "supports_images": (("model_info.supports_vision", _flag),),
    "supports_tools": (("model_info.supports_function_calling", _flag),),
    "supports_prompt_cache": (("model_info.supports_prompt_caching", _flag),),
    "supports_computer_use": (("model_info.supports_computer_use", _flag),),
    "input_price": (("model_info.input_cost_per_token", _token_price),),
    "output_price": (("model_info.output_cost_per_token", _token_price),),
    "cache_read_price": (("model_info.cache_read_input_token_cost", _token_price),),
    "cache_write_price": (("model_info.cache_creation_input_token_cost", _token_price),),
}
_COMPUTER_USE: Final = re.compile(
    r"claude-(?:3[.-]5-sonnet(?!-20240620)|3[.-]7-sonnet|(?:sonnet|opus|haiku)-[4-9](?!\d))(?![a-z0-9])", re.IGNORECASE
)


def uses_computers(underlying: str) -> bool:
    """Whether the model behind a proxy, by its own name with whatever its provider puts before it, can use a computer.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/computer-use-tool names the families.
    """
    own = underlying.rpartition("/")[2].lower()
    return _COMPUTER_USE.match(own.rpartition("anthropic.")[2]) is not None


def _litellm(row: Mapping[str, Any]) -> Model | None:
    """https://docs.litellm.ai/docs/proxy/model_management; a row without name, facts or underlying model is no model."""
    underlying = _text(_at(row, "litellm_params.model"))
    if underlying is None or not isinstance(row.get("model_info"), dict):
        return None
    model = _read_row(row, _text(row.get("model_name")), _LITELLM)
    if model is None or model.supports_computer_use is not None:
        return model
    return replace(model, supports_computer_use=uses_computers(underlying))


def _only_page(document: Mapping[str, Any]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class _Form:
    """How one shape is asked for and read; ``longest_page`` is the query for as many rows as the vendor gives at once."""

    rows: str
    read: Callable[[Mapping[str, Any]], Model | None]
    longest_page: Mapping[str, str]
    next_page: Callable[[Mapping[str, Any]], Mapping[str, str]] = _only_page


_SHAPES: Final[Mapping[ModelShape, _Form]] = {
    ModelShape.OPENAI: _Form("data", _openai, {}),
    ModelShape.ANTHROPIC: _Form("data", _anthropic, {"limit": "1000"}, _anthropic_next),
    ModelShape.GEMINI: _Form("models", _gemini, {"pageSize": "1000"}, _google_next),
    ModelShape.LITELLM: _Form("data", _litellm, {}),
    ModelShape.COHERE: _Form("models", _cohere, {"page_size": "1000", "endpoint": "chat"}, _cohere_next),
    ModelShape.VERTEX: _Form("publisherModels", _vertex, {"pageSize": "300"}, _google_next),
}
