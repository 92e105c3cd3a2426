"""A provider's text made fit to be shown and kept: without keys, without characters that steer a terminal or an editor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PART_OF_WORDS: Final = 8
"""A key of so many characters is struck out wherever it stands; a shorter one only as a word of its own, since "late" is in "later"."""
_SHORTEST: Final = 4
"""What is shorter hides nothing, and is in every text."""
_PLACEHOLDERS: Final = frozenset({"dummy", "empty", "fake", "local", "none", "null", "ollama", "test"})
"""Words that local servers are given where they want a key and go by none: without them an error could not be read any more."""
STRUCK: Final = "***"

_MESSAGE_BYTES: Final = 2048

# Control, bidirectional, zero-width and tag characters: an error text is shown in terminals and editors and must not steer them.
_UNSEEN: Final = re.compile(
    "\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_BLANKS: Final = re.compile(r"\s+")
_KEYS: Final = re.compile(
    r"AIza[0-9A-Za-z_-]{10,}|AQ\.[0-9A-Za-z_-]{20,}|ya29\.[0-9A-Za-z_.-]+"
    r"|(?:sk|pk|rk|gsk|xai|hf|nvapi|pplx|r8|fw|ghp|gho|github_pat)[-_][0-9A-Za-z_*.-]{6,}[0-9A-Za-z*]"
    r"|(?:AKIA|ASIA)[0-9A-Z]{12,}|eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*)?"
    r"|(?i:\bbearer\s+)[0-9A-Za-z._~+/=-]{8,}"
)
_NAMED_KEYS: Final = re.compile(
    r"(?i)((?:api[-_ ]?key|access[-_]?token|client[-_]?secret|password|[?&]key)(?: provided)?[\"']?\s*[=:]\s*[\"']?)[^\s\"'&,;]{6,}"
)


def key_pattern(keys: Iterable[str]) -> str:
    """A regular expression (for ASCII) of these keys, as they stand in a text; empty where none of them is one."""
    return "|".join(_as_found(key) for key in sorted(set(keys), key=len, reverse=True) if _is_key(key))


def _is_key(key: str) -> bool:
    return len(key) >= _SHORTEST and key.casefold() not in _PLACEHOLDERS


def _as_found(key: str) -> str:
    if len(key) >= _PART_OF_WORDS:
        return re.escape(key)
    # A key like "error" does not take the names of an answer's fields away: it could not be read any more.
    unless_a_name = r"(?!\"\s*:)" if key.isalpha() else ""
    return rf"(?<![A-Za-z0-9_]){re.escape(key)}(?![A-Za-z0-9_]){unless_a_name}"


def struck(text: str, keys: Iterable[str]) -> str:
    """``text`` without these exact keys."""
    pattern = key_pattern(key for key in keys if key in text)
    return re.sub(pattern, STRUCK, text) if pattern else text


def redacted(text: str) -> str:
    """``text`` without anything that looks like a key."""
    return _NAMED_KEYS.sub(rf"\1{STRUCK}", _KEYS.sub(STRUCK, text))


def plain(text: str) -> str:
    """A provider's text as one safe line: no control or direction characters, no keys, at most 2 KB of UTF-8."""
    text = _BLANKS.sub(" ", _UNSEEN.sub("", text[: 8 * _MESSAGE_BYTES])).strip()
    text = redacted(text)
    raw = text.encode()
    return text if len(raw) <= _MESSAGE_BYTES else raw[: _MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"
