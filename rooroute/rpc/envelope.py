"""Bodies to messages and back: JSON, and the JSON-RPC 2.0 envelope (https://www.jsonrpc.org/specification).

Whatever cannot be served becomes a ``Refused``, with the request's id where it can be told.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final, TypeAlias

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
_HEAD: Final = 4096
_ID: Final = re.compile(rb'"id"\s*:\s*(-?[0-9]{1,15}(?=\s*[,}])|"(?:[^"\\]|\\.){0,256}")')
_SURROGATES: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|u[dD][89a-fA-F]..|.)", re.DOTALL)

RequestId: TypeAlias = str | int


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that arrived and cannot be served. ``fatal`` means that nothing after it can be read either."""

    code: int
    message: str
    id: RequestId | None = None
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or a notification where ``id`` is None."""

    method: str
    params: Any
    id: RequestId | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The client's answer to a request of ours."""

    id: RequestId
    result: Any = None
    error: Mapping[str, Any] | None = None


def id_in(head: bytes) -> RequestId | None:
    """The request's id, read from the beginning of a body that will not be parsed; None where it cannot be told."""
    matched = _ID.search(head.partition(b'"params"')[0])
    if matched is None:
        return None
    try:
        found = json.loads(matched[1])
    except ValueError:
        return None
    return found if isinstance(found, str | int) else None


class _NotFinite(ValueError):
    """A number JSON has no word for, or one too large for a double."""


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise _NotFinite
    return number


def _no_constant(text: str) -> float:
    raise json.JSONDecodeError("not JSON", text, 0)


def parse(body: bytes, each_object: Callable[[dict[str, Any]], dict[str, Any]] | None = None) -> Any:
    """The JSON value of a body, or a ``Refused``. Half of a surrogate pair becomes U+FFFD: no provider and no database takes it.

    ``each_object`` is called with every object: Python code between stretches of C lets other threads run.
    """
    try:
        text = body.decode()
        if "\\ud" in text or "\\uD" in text:
            text = _SURROGATES.sub(_paired, text)
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_hook=each_object)
    except (UnicodeDecodeError, json.JSONDecodeError):
        return Refused(PARSE_ERROR, "The message is not JSON in UTF-8.")
    except RecursionError:
        return Refused(INVALID_REQUEST, "The message is nested too deeply.", id_in(body[:_HEAD]))
    except ValueError:
        return Refused(INVALID_REQUEST, "The message holds a number that is too large.", id_in(body[:_HEAD]))


def _paired(escape: re.Match[str]) -> str:
    text = escape[0]
    return "\\ufffd" if len(text) == 6 and text[1] == "u" else text


def envelope(message: Any) -> Call | Reply | Refused:
    """What a parsed message is. Missing params are an empty object."""
    if isinstance(message, Refused):
        return message
    if isinstance(message, list):
        return Refused(INVALID_REQUEST, "Batches are not served; send one message per frame.")
    if not isinstance(message, dict):
        return Refused(INVALID_REQUEST, "A message is a JSON object.")
    ident = message.get("id")
    if isinstance(ident, bool) or not isinstance(ident, str | int):
        ident = None
    if message.get("jsonrpc") != "2.0":
        return Refused(INVALID_REQUEST, 'A message says "jsonrpc": "2.0".', ident)
    if "id" in message and ident is None and "method" in message:
        return Refused(INVALID_REQUEST, "An id is a string or a whole number.")
    return _call_or_reply(message, ident)


def _call_or_reply(message: dict[str, Any], ident: RequestId | None) -> Call | Reply | Refused:
    if "method" not in message:
        if ident is None or not ("result" in message or "error" in message):
            return Refused(INVALID_REQUEST, "A message names a method, or answers one.", ident)
        error = message.get("error")
        return Reply(ident, message.get("result"), error if isinstance(error, dict) else None)
    method, params = message["method"], message.get("params")
    if not isinstance(method, str):
        return Refused(INVALID_REQUEST, "A method is a string.", ident)
    if not (params is None or isinstance(params, dict | list)):
        return Refused(INVALID_REQUEST, "Params are an object or a list.", ident)
    return Call(method, {} if params is None else params, ident)


def _spell(value: Any) -> Any:
    """JSON for what json does not know: values become camelCase objects without their None fields."""
    if is_dataclass(value) and not isinstance(value, type):
        from rooroute.profiles import camel

        named = ((camel(field.name), getattr(value, field.name)) for field in fields(value))
        return {name: item for name, item in named if item is not None}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no spelling in JSON")


_encode: Final = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":"), default=_spell
).encode


def encode(message: Any) -> bytes:
    """A message as JSON; what is not finite becomes null. ASCII throughout, so that no half surrogate can break it."""
    try:
        return _encode(message).encode()
    except ValueError:
        return _encode(_without_infinities(message)).encode()


def _without_infinities(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _without_infinities(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _without_infinities(_spell(value))
    return value
