"""Where a secret meets its request: the wire form of an ``HttpRequest``, made at the moment of sending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import httpcore

from rooroute.errors import InvalidInput, OriginNotApproved
from rooroute.profiles import Timeouts
from rooroute.providers.dialect import HttpRequest
from rooroute.secret import origin_of
from rooroute.version import VERSION

_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Message:
    """A request with its secrets in place; never shown to anybody."""

    method: str
    url: httpcore.URL
    headers: list[tuple[bytes, bytes]]
    body: bytes
    place: str

    def __repr__(self) -> str:
        return f"Message({self.method} {self.place})"


def engine_request(message: Message, timeouts: Timeouts) -> httpcore.Request:
    return httpcore.Request(
        message.method,
        message.url,
        headers=message.headers,
        content=message.body,
        extensions={"timeout": {"connect": timeouts.connect}},
    )


def reveal(request: HttpRequest) -> Message:
    try:
        origin = origin_of(request.url)
    except ValueError as wrong:
        raise InvalidInput(f"The base URL cannot be used: {wrong}.", field="profile.baseUrl") from None
    parts = urlsplit(request.url)
    target = quote(
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe="/?:@!$&'()*+,;=-._~%[]{}|^`\"<>"
    )
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() not in _OURS}
    try:
        shown = {
            name.lower(): prefix + secret.reveal(origin) for name, (prefix, secret) in request.secret_headers.items()
        }
        query = {name: prefix + secret.reveal(origin) for name, (prefix, secret) in request.secret_query.items()}
    except PermissionError as refused:
        raise OriginNotApproved(
            f"The key was {refused}; save it again for this address or correct the base URL."
        ) from None
    if query:
        target += ("&" if "?" in target else "?") + urlencode(query, quote_via=quote)
    host, _, port = origin.partition("://")[2].rpartition(":")
    wire = {
        "host": parts.netloc.lower().rstrip("."),
        "user-agent": f"rooroute/{VERSION}",
        "accept": "*/*",
        "accept-encoding": "identity",
        **headers,
        **shown,
    }
    if request.body or request.method not in ("GET", "HEAD"):
        wire["content-length"] = str(len(request.body))
    return Message(
        request.method,
        httpcore.URL(
            scheme=parts.scheme.encode(), host=host.strip("[]").encode(), port=int(port), target=target.encode()
        ),
        [(name.encode(), value.encode("latin-1", "replace")) for name, value in wire.items()],
        request.body,
        f"{host}:{port}",
    )
