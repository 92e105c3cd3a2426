"""What a row of the provider table is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from rooroute.profiles import Profile
from rooroute.providers.authentication import BEARER, KeyPlace
from rooroute.providers.dialect import Dialect


class FieldKind(StrEnum):
    """How a wizard asks for a field. ``OBJECT`` is a mapping (in the configuration file, or as JSON), ``CHOICE`` one of ``choices``,
    whose first holds where none is chosen."""

    TEXT = "text"
    SECRET = "secret"
    URL = "url"
    MODEL = "model"
    NUMBER = "number"
    BOOLEAN = "boolean"
    FILE = "file"
    OBJECT = "object"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a wizard asks. ``name`` is the dotted path in the profile's outside spelling (``baseUrl``, ``options.organization``)."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = False
    help: str = ""
    placeholder: str = ""
    choices: tuple[str, ...] = ()


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
    """Whether a vendor wants a key and where it travels.

    ``dummy`` is sent where the user gave none; ``page`` is where one gets a key. ``token`` names the kind of short-lived token that
    stands in the key's place and is made by a token source (``google``: a service account, or application default credentials); None
    for a key that lasts.
    """

    need: KeyNeed = KeyNeed.REQUIRED
    place: KeyPlace = BEARER
    dummy: str | None = None
    page: str = ""
    token: str | None = None


class ModelShape(StrEnum):
    """How a list of models is written: ``data[].id``; ``data[].id`` with ``display_name``; ``models[].name`` as ``models/NAME``;
    ``data[].model_name`` with ``litellm_params`` and ``model_info``; ``models[].name`` with ``endpoints``;
    ``publisherModels[].name`` as ``publishers/PUBLISHER/models/NAME``. ``model_list`` reads each."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GEMINI = "gemini"
    LITELLM = "litellm"
    COHERE = "cohere"
    VERTEX = "vertex"


@dataclass(frozen=True, slots=True)
class ModelList:
    """Where the models are listed: a GET of ``path`` below the base URL (``from_origin``: below the host), with ``headers`` besides the key.

    ``option_query`` and ``option_headers`` name the profile's options that go along, by parameter and by header.
    ``after`` is what is left of the path for a base URL that ends so.
    ``proves_key`` is false where anybody gets the list: having it then says nothing about the key. ``complete`` is false where a model
    that is not listed may be asked all the same.
    """

    path: str = "/models"
    shape: ModelShape = ModelShape.OPENAI
    headers: Mapping[str, str] = field(default_factory=dict)
    proves_key: bool = True
    from_origin: bool = False
    after: Mapping[str, str] = field(default_factory=dict)
    option_query: Mapping[str, str] = field(default_factory=dict)
    option_headers: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """Another dialect of the same vendor, spoken where an option has a value, or where a model's name matches."""

    dialect: Dialect
    option: tuple[str, str] | None = None
    model: re.Pattern[str] | None = None

    def fits(self, profile: Profile, model: str) -> bool:
        """Whether this profile speaks it to that model."""
        return (self.option is None or profile.options.get(self.option[0]) == self.option[1]) and (
            self.model is None or self.model.search(model) is not None
        )


Rule: TypeAlias = Callable[[Profile], tuple[str, str, str] | None]
"""What no single field can say: the wrong field's name, a sentence, the remedy; None where all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """What a vendor's models cost, from the cheapest to the dearest, in USD per million tokens; ``largest_window`` is in tokens."""

    input: tuple[float, float]
    output: tuple[float, float]
    largest_window: int


@dataclass(frozen=True, slots=True)
class Vendor:
    """One row.

    ``offers`` are what its better models can do, in words, and ``regions`` says where they run; both help to choose and decide nothing.

    ``default_base_url`` None means that the profile must name one; ``base_url`` computes it from the profile's options instead.
    ``models`` None means that the vendor lists none. ``variants`` come before ``dialect``; the first that fits is spoken.
    ``default_model`` is asked where nobody names one. ``served_by`` names an option whose keys are all the models that may be asked.
    """

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
    variants: tuple[Variant, ...] = ()
    base_url: Callable[[Profile], str | None] | None = None
    rules: tuple[Rule, ...] = ()
    default_model: str | None = None
    served_by: str | None = None
    offers: tuple[str, ...] = ()
    regions: str = ""
