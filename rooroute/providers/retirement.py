"""A good answer may say that its model will go: the headers Deprecation (RFC 9745) and Sunset (RFC 8594), and what links with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rooroute.providers.redaction import plain
from rooroute.providers.retry_after import instant

_LINK: Final = re.compile(
    r'<(https://[^<>"\s]{1,500})>\s*;[^,]*\brel="?[^",]*\b(?:deprecation|sunset|successor-version)\b'
)

_YEAR_10000: Final = 253_402_300_800.0  # UTC epoch seconds; no calendar goes further


@dataclass(frozen=True, slots=True)
class Retirement:
    """A model or endpoint on its way out. Times are UTC epoch seconds: since when it is deprecated, when it stops; None where untold.
    ``page`` explains it."""

    deprecated_at: float | None = None
    stops_at: float | None = None
    page: str | None = None


def announced(headers: Mapping[str, str]) -> Retirement | None:
    """What the headers (names lower case) of an answer announce, or None."""
    deprecation, sunset = headers.get("deprecation", "").strip(), headers.get("sunset", "").strip()
    if not sunset and deprecation.lower() in ("", "false"):
        return None
    link = _LINK.search(headers.get("link", "")[:4096])
    return Retirement(
        deprecated_at=_moment(deprecation.removeprefix("@")),
        stops_at=_moment(sunset),
        page=plain(link[1]) if link else None,
    )


def _moment(text: str) -> float | None:
    at = instant(text) if text else None
    return at if at is not None and at < _YEAR_10000 else None
