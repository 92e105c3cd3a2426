"""Where a secret meets its request: the wire form of an ``HttpRequest``, made at the moment of sending; and where it is struck out again of
what an answer says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from rooroute.errors import InvalidInput, OriginNotApproved
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.redaction import STRUCK, key_pattern
from rooroute.secret import Secret, origin_of
from rooroute.version import VERSION

_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """A request with its secrets in place; never shown to anybody. ``place`` is host and port, for sentences;
    ``url_is_secret`` tells that the URL holds one of the secrets."""

    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    place: str
    url_is_secret: bool = False
    spoken: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Message({self.method} {self.place})"

    def struck(self, body: bytes) -> bytes:
        """An answer's body without the keys that were sent, in the spellings a server may quote them in."""
        pattern = self._pattern()
        return re.sub(pattern.encode(), STRUCK.encode(), body) if pattern else body

    def struck_headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The same for an answer's headers: a redirect repeats a query."""
        pattern = self._pattern()
        if not (pattern and any(re.search(pattern, value) for value in headers.values())):
            return headers
        return {name: re.sub(pattern, STRUCK, value) for name, value in headers.items()}

    def _pattern(self) -> str:
        return key_pattern(each for key in self.spoken for each in (key, quote(key, safe=""), json.dumps(key)[1:-1]))


def reveal(request: HttpRequest) -> Message:
    """The request as it goes on the wire.

    Raises ``OriginNotApproved`` when a secret was saved for another origin than the URL's, ``InvalidInput`` for a URL or a header that
    cannot be sent.
    """
    try:
        origin = origin_of(request.url)
    except ValueError as wrong:
        raise InvalidInput(f"The base URL cannot be used: {wrong}.", field="profile.baseUrl") from None
    hidden = {name.lower(): value for name, value in _shown(request.secret_headers, origin).items()}
    headers = {
        "user-agent": f"rooroute/{VERSION}",
        "accept": "*/*",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in request.headers.items() if name.lower() not in _OURS},
        **hidden,
    }
    query = urlencode(_shown(request.secret_query, origin), quote_via=quote)
    url = request.url + (("&" if urlsplit(request.url).query else "?") + query if query else "")
    body = _filled_in(request, origin) if request.secret_form else request.body
    place = origin.partition("://")[2]
    lines = [_line(name, value, secret=name in hidden) for name, value in headers.items()]
    secrets = (*request.secret_headers.values(), *request.secret_query.values(), *request.secret_form.values())
    spoken = tuple(secret.reveal(origin) for _, secret in secrets)
    return Message(request.method, url, lines, body, place, bool(query), spoken)


def _filled_in(request: HttpRequest, origin: str) -> bytes:
    """A form's body with its secret fields."""
    return b"&".join(filter(None, (request.body, urlencode(_shown(request.secret_form, origin)).encode())))


def _shown(values: Mapping[str, tuple[str, Secret]], origin: str) -> dict[str, str]:
    try:
        return {name: prefix + secret.reveal(origin) for name, (prefix, secret) in values.items()}
    except PermissionError as refused:
        reason = f"The key was {refused}; save it again for this address or correct the base URL."
        raise OriginNotApproved(reason) from None


def _line(name: str, value: str, *, secret: bool) -> tuple[bytes, bytes]:
    if not (name.isascii() and value.isascii()):
        shown = name.encode("ascii", "replace").decode()
        remedy, field = ("save its key again", "apiKey") if secret else ("write it in ASCII", "headers")
        told = f"The header {shown} holds a character that no HTTP header can carry; {remedy}."
        raise InvalidInput(told, field=f"profile.{field}")
    return name.encode(), value.encode()
