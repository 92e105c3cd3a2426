"""What stands behind a key, as a value. Each function raises ValueError with a sentence that never repeats what stood there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from rooroute.profiles import CHECKED_PATH, reference_name

_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def text(raw: Any) -> str:
    """Text that is not empty; a number counts as text."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float) or not str(raw).strip():
        raise ValueError("It must be text.")
    return str(raw).strip()


def texts(raw: Any) -> tuple[str, ...]:
    """A list of text, each once."""
    if not isinstance(raw, list) or not raw:
        raise ValueError("It must be a list of names.")
    return tuple(dict.fromkeys(text(each) for each in raw))


def flag(raw: Any) -> bool:
    """true or false."""
    if not isinstance(raw, bool):
        raise ValueError("It must be true or false.")  # noqa: TRY004 - the reader lists a ValueError's sentence
    return raw


def number(raw: Any) -> float:
    """A number that is not negative."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not math.isfinite(raw) or raw < 0:
        raise ValueError("It must be a number that is not negative.")
    return float(raw)


def positive(raw: Any) -> float:
    """A number above 0."""
    if (value := number(raw)) == 0:
        raise ValueError("It must be above 0.")
    return value


def whole(raw: Any) -> int:
    """A whole number that is not negative."""
    value = number(raw)
    if not value.is_integer():
        raise ValueError("It must be a whole number.")
    return int(value)


def count(raw: Any) -> int:
    """A whole number of at least 1."""
    if (value := whole(raw)) == 0:
        raise ValueError("It must be at least 1: 0 would let nothing through.")
    return value


def seconds(raw: Any) -> float:
    """A time: ``30s``, ``5m``, ``500ms``, ``1m30s``, or a number of seconds."""
    if isinstance(raw, str):
        parts = _SPAN.findall(raw)
        if not parts or "".join(f"{amount}{unit}" for amount, unit in parts) != raw.strip():
            raise ValueError("It must be a time such as 30s or 5m.")
        return positive(sum(float(amount) * _UNITS[unit] for amount, unit in parts))
    return positive(raw)


def interval(raw: Any) -> float:
    """A time of at least a second and at most a day."""
    if not 1 <= (value := seconds(raw)) <= _UNITS["d"]:
        raise ValueError("It must be a time from 1s to 24h.")
    return value


def wait(raw: Any) -> float:
    """A time of at least 100 ms and at most ten minutes."""
    if not 0.1 <= (value := seconds(raw)) <= 600:
        raise ValueError("It must be a time from 100ms to 10m.")
    return value


def path(raw: Any) -> str:
    """A path on the provider's own host."""
    if not CHECKED_PATH.fullmatch(value := text(raw)):
        raise ValueError("It must be a path on the provider's own host, such as /v1/models.")
    return value


def statuses(raw: Any) -> tuple[int, ...]:
    """A list of HTTP statuses."""
    if not isinstance(raw, list) or not all(type(each) is int and 100 <= each <= 599 for each in raw):
        raise ValueError("It must be a list of HTTP statuses.")
    return tuple(dict.fromkeys(raw))


def names(raw: Any) -> dict[str, str]:
    """A mapping of text to text."""
    if not isinstance(raw, Mapping) or not raw:
        raise ValueError("It must be a mapping of names.")
    return {text(name): text(each) for name, each in raw.items()}


def reference(raw: str) -> str | None:
    """A key that is a reference to an environment variable, in rooroute's spelling; None for a key itself."""
    name = reference_name(raw)
    return None if name is None else f"${{{name}}}"


def key(raw: Any) -> str:
    """A key or a reference to one."""
    found = text(raw)
    if reference(found) is None and ("${" in found or found.startswith("os.environ/")):
        raise ValueError("It is neither a key nor the name of one environment variable; write ${NAME}.")
    return found
