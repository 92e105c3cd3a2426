"""A secret is a type: it shows itself to nobody and knows the one origin it may be sent to."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FOUR_NUMBERS: Final = re.compile(r"\d+(\.\d+){3}")
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@lru_cache(maxsize=256)
def origin_of(url: str) -> str:
    """The origin of an http or https URL as ``scheme://host:port``, lower case, the port always written.

    Raises ValueError for any other scheme, for a missing or impossible host or port and for a URL that parsers are known to read
    differently (user info, backslashes, white space, control characters): an origin that two parsers disagree on is how a key reaches a
    stranger (CVE-2024-6587 and its kin).
    """
    if any(c <= " " or c == "\\" or c == "\x7f" for c in url):
        raise ValueError("it holds white space, a control character or a backslash")
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("it must begin with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it holds credentials; a key belongs into the key field")
    host, port = host_and_port(parts)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port or _DEFAULT_PORTS[parts.scheme]}"


def host_and_port(parts: SplitResult) -> tuple[str, int | None]:
    """Whom a URL names, lower case. Raises ValueError, saying why, for nobody and for what no connection can be made to; what else stands
    there is not quoted: a password may be."""
    host = (parts.hostname or "").rstrip(".")
    if not host or "%" in host:
        raise ValueError("it names no host")
    if not host.isascii():
        raise ValueError("its host is not ASCII; write it in its xn-- form")
    try:
        if ":" in host or _FOUR_NUMBERS.fullmatch(host):
            ip_address(host)
    except ValueError:
        raise ValueError(f"{host} is no IP address") from None
    try:
        return host, parts.port
    except ValueError:
        raise ValueError("its port is no number up to 65535") from None


def is_loopback(origin: str) -> bool:
    """Whether an origin as ``origin_of`` returns it is this machine."""
    return (urlsplit(origin).hostname or "") in LOOPBACK


class Secret:
    """A credential together with the origin it was saved for. Only ``reveal`` gives the text, and only for that origin."""

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self.origin = origin

    def reveal(self, origin: str) -> str:
        """The text, for a request to ``origin``; PermissionError when it was saved for another one."""
        if origin != self.origin:
            raise PermissionError(f"saved for {self.origin}, not for {origin}")
        return self._text

    def __repr__(self) -> str:
        return f"Secret(***, origin={self.origin!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._text, self.origin) == (other._text, other.origin)

    def __hash__(self) -> int:
        return hash((Secret, self.origin))

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
