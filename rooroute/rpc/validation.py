"""Params to values; a wrong one becomes one sentence that names the field and the remedy, and never shows what was typed there."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rooroute.errors import InvalidInput

P = TypeVar("P", bound=BaseModel)

_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_TEXT: Final = "must be a string"
_WHOLE: Final = "must be a whole number"
_NUMBER: Final = "must be a number"
_FLAG: Final = "must be true or false"
_LIST: Final = "must be a list"
_OBJECT: Final = "must be an object"
_REMEDIES: Final[Mapping[str, str]] = {
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "union_tag_invalid": "must have one of the types {expected_tags}",
    "union_tag_not_found": "must have a type",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def validated(model: type[P], params: Any) -> P:
    """``params`` as a ``model``; ``InvalidInput`` for the first thing that is wrong with them."""
    try:
        return model.model_validate(params)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_context=True, include_input=False)
        raise _invalid(model, min(errors, key=_weight)) from None


def _weight(error: ErrorDetails) -> int:
    """A misspelt field is told before the one that is then missing."""
    return 0 if error["type"] in _UNKNOWN else 1


def _invalid(model: type[BaseModel], error: ErrorDetails) -> InvalidInput:
    path = [part for part in error["loc"] if not (isinstance(part, str) and part.startswith("<"))]
    field = ".".join(str(part)[:64] for part in path)
    kind = error["type"]
    if not field:
        return InvalidInput("The params must be an object.")
    if kind in _UNKNOWN:
        return InvalidInput(f"There is no field {field}; {_suggestion(model, path)}.", field=field)
    if kind in _MISSING:
        return InvalidInput(f"{field} is missing; add it.", field=field)
    context = {name: _shown(value) for name, value in (error.get("ctx") or {}).items()}
    remedy = _REMEDIES.get(kind, "has a value that cannot be used").format_map(context)
    return InvalidInput(f"{field} {remedy}.", field=field)


def _shown(limit: Any) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit).replace("<", "").replace(">", "")


def _suggestion(model: type[BaseModel], path: list[int | str]) -> str:
    """Fields of the params themselves can be guessed at; deeper ones are left to the documentation."""
    names = [info.alias or name for name, info in model.model_fields.items()]
    close = get_close_matches(str(path[0]), names, n=1) if len(path) == 1 else []
    return f"write {close[0]} or remove it" if close else "remove it"
