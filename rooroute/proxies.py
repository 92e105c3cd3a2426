"""Which proxy, if any, a request goes through. Pure: the environment arrives as an argument, its names in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from rooroute.secret import LOOPBACK, host_and_port


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy. Its credentials are not part of its text."""

    host: str
    port: int
    secure: bool = False
    auth: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"


def proxy_for(url: str, chosen: str | None, environment: Mapping[str, str]) -> Proxy | None:
    """The profile's own proxy, else the environment's; none for this machine itself and for what NO_PROXY names.

    Raises ValueError, saying why, for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if chosen:
        return parse_proxy(chosen)
    if host in LOOPBACK or host.startswith("127.") or _excluded(host, parts.port, environment.get("no_proxy", "")):
        return None
    found = environment.get(f"{parts.scheme}_proxy") or environment.get("all_proxy")
    return parse_proxy(found) if found else None


def parse_proxy(text: str) -> Proxy:
    """``[scheme://][user:password@]host[:port]``; the scheme is http when left out. Raises ValueError, saying why, for anything else."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"it is of kind {parts.scheme!r}, only http:// and https:// proxies are known")
    host, port = host_and_port(parts)
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Proxy(host, port or (443 if parts.scheme == "https" else 80), parts.scheme == "https", auth)


def _excluded(host: str, port: int | None, no_proxy: str) -> bool:
    """curl's rule: a name stands for itself and everything below it, a leading dot changes nothing, ``*`` is everybody."""
    for entry in no_proxy.lower().split(","):
        name, _, only_port = entry.strip().partition(":")
        name = name.lstrip(".")
        if only_port and only_port != str(port):
            continue
        if name == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False
