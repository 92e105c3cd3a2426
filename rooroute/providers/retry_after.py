"""One parser for every way a provider says when to come back; each answer is seconds from now, or None for none or a senseless one.

Forms: RFC 9110 Retry-After (seconds or HTTP date), milliseconds (Azure), Go durations and reset headers (OpenAI), RFC 3339 resets
(Anthropic), epochs (OpenRouter), Google's RetryInfo, and sentences ("Please retry in 36.42s"). Dates are compared with the answer's own
Date header where it has one, so that a wrong local clock does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

LONGEST: Final = 35 * 86400.0
"""Seconds. A longer hint is clamped to this."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h|d))+")
_TERM: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")
_SPOKEN: Final = {
    "millisecond": 1e-3,
    "second": 1.0,
    "sec": 1.0,
    "minute": 60.0,
    "min": 60.0,
    "hour": 3600.0,
    "day": 86400.0,
}
_SENTENCE: Final = re.compile(
    r"(?:retry|try again|available|resets?|wait)(?: again)?\s*(?:in|after|for)?:?\s+(?:about |approximately )?"
    r"(?:((?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h|d))+)(?![a-z])|([0-9]+(?:\.[0-9]+)?)\s*(millisecond|second|sec|minute|min|hour|day)s?\b)",
    re.IGNORECASE | re.ASCII,
)
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
_EPOCH_FROM: Final = 1e9
_EPOCH_MS_FROM: Final = 1e12


def sensible(seconds: float | None) -> float | None:
    """``seconds`` clamped to ``LONGEST``; None when it is not a time ahead (zero, negative, NaN, infinite)."""
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        return None
    return min(seconds, LONGEST)


def number(text: object) -> float | None:
    """A finite number written in ASCII, or None (``²``, ``1e400``, ``nan`` and words are none)."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        text = repr(text)
    if not isinstance(text, str) or len(text) > 40 or not _NUMBER.fullmatch(text := text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def duration(text: object) -> float | None:
    """Seconds of a Go or protobuf duration: ``17ms``, ``6m0s``, ``23h47m36.648s``, ``45.837906927s``. None when it is none."""
    if not isinstance(text, str) or len(text) > 60 or not _DURATION.fullmatch(text := text.strip()):
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in _TERM.findall(text))


def instant(text: object) -> float | None:
    """Epoch seconds of an HTTP date, an RFC 3339 time, or an epoch in seconds or milliseconds; None when it is none."""
    if (value := number(text)) is not None:
        if value >= _EPOCH_MS_FROM:
            return value / 1000
        return value if value >= _EPOCH_FROM else None
    if not isinstance(text, str) or len(text) > 60:
        return None
    try:
        if _RFC3339.fullmatch(text.strip()):
            return datetime.fromisoformat(text.strip().upper()).timestamp()
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def server_now(headers: Mapping[str, str], now: float) -> float:
    """The answering server's clock, epoch seconds; ``now`` where it did not tell."""
    told = headers.get("date")
    when = instant(told) if told and number(told) is None else None
    return now if when is None else when


def wait(text: object, server_time: float) -> float | None:
    """Seconds from now for any single value: number of seconds, duration, or a moment in any form ``instant`` knows."""
    value = number(text)
    if value is not None and value < _EPOCH_FROM:
        return sensible(value)
    spell = duration(text)
    if spell is not None:
        return sensible(spell)
    when = instant(text)
    return None if when is None else sensible(when - server_time)


def from_headers(headers: Mapping[str, str], now: float) -> float | None:
    """The hint of the Retry-After family (names lower case): milliseconds first, as the vendors' own SDKs do."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        value = number(headers.get(name))
        if value is not None and (seconds := sensible(value / 1000)) is not None:
            return seconds
    return wait(headers.get("retry-after"), server_now(headers, now))


def exhausted_budget(headers: Mapping[str, str], now: float, budgets: Iterable[tuple[str, str]]) -> float | None:
    """The latest reset among the budgets that are used up; a budget with something left does not hold anybody back.

    ``budgets`` are pairs of header names: what remains, and when it resets (a duration, seconds or a moment).
    """
    server_time = server_now(headers, now)
    waits = [
        found
        for remaining, reset in budgets
        if (left := number(headers.get(remaining))) is not None
        and left <= 0
        and (found := wait(headers.get(reset), server_time)) is not None
    ]
    return max(waits, default=None)


def from_text(message: str) -> float | None:
    """The wait that a sentence names: ``Please retry in 36.42s``, ``retry after 37 seconds``, ``try again in 6m0s``."""
    for found in _SENTENCE.finditer(message[:4096]):
        spell, amount, unit = found.groups()
        seconds = duration(spell.lower()) if spell else float(amount) * _SPOKEN[unit.lower()]
        if (clean := sensible(seconds)) is not None:
            return clean
    return None


def from_details(objects: Sequence[Mapping[str, Any]], server_time: float) -> float | None:
    """The longest wait that typed fields of a body name: Google's ``RetryInfo.retryDelay`` and the likes."""
    waits = (wait(found[key], server_time) for found in objects for key in _FIELDS if key in found)
    return max((seconds for seconds in waits if seconds is not None), default=None)


_FIELDS: Final = ("retryDelay", "retry_after", "retryAfter", "retry_after_seconds", "resets_at", "resetsAt")


def start_of_next_month(now: float) -> float:
    """Epoch seconds of 00:00 UTC on the first of the month after ``now``."""
    today = datetime.fromtimestamp(now, UTC)
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return datetime(year, month, 1, tzinfo=UTC).timestamp()
