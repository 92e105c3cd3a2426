"""A provider's text made fit to be shown and kept: without keys, without characters that steer a terminal or an editor."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

SHORTEST_KEY: Final = 8
"""What is shorter is no key: without "none" or "ollama", which local servers are given, an error could not be read any more."""

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


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without anything that looks like a key, and without the exact ``secrets``."""
    for secret in secrets:
        if len(secret) >= SHORTEST_KEY:
            text = text.replace(secret, "***")
    return _NAMED_KEYS.sub(r"\1***", _KEYS.sub("***", text))


def plain(text: str) -> str:
    """A provider's text as one safe line: no control or direction characters, no keys, at most 2 KB of UTF-8."""
    text = _BLANKS.sub(" ", _UNSEEN.sub("", text[: 8 * _MESSAGE_BYTES])).strip()
    text = redacted(text)
    raw = text.encode()
    return text if len(raw) <= _MESSAGE_BYTES else raw[: _MESSAGE_BYTES - 3].decode("utf-8", "ignore") + "…"
