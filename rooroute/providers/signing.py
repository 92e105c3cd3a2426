"""What a user's own command signs, and what it answers; running it is an adapter's work."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace

from rooroute.errors import SecretUnavailable
from rooroute.providers import wire_json
from rooroute.providers.authentication import HEADER_NAME
from rooroute.providers.dialect import HttpRequest
from rooroute.secret import Secret


def to_sign(request: HttpRequest) -> bytes:
    """What a signing command reads: one JSON object with method, url, headers, body (base64) and bodySha256 (hex)."""
    return wire_json.write(
        {
            "method": request.method,
            "url": request.url,
            "headers": dict(request.headers),
            "body": base64.b64encode(request.body).decode("ascii"),
            "bodySha256": hashlib.sha256(request.body).hexdigest(),
        }
    )


def signed(request: HttpRequest, output: bytes, origin: str) -> HttpRequest:
    """The request with what the command printed: ``{"headers": {…}, "query": {…}}``, treated as secret. Raises SecretUnavailable."""
    try:
        document = json.loads(output)
        parts = {kind: document.get(kind) or {} for kind in ("headers", "query")}
        fine = all(
            isinstance(n, str) and isinstance(v, str) and v.isascii() for p in parts.values() for n, v in p.items()
        )
        fine = fine and all(HEADER_NAME.fullmatch(n) and v.isprintable() for n, v in parts["headers"].items())
    except (ValueError, AttributeError, RecursionError):
        fine, parts = False, {}
    if not fine or not any(parts.values()):
        raise SecretUnavailable('The signing command printed no {"headers": {"name": "value"}}; try it in a terminal.')
    headers = {name.lower(): ("", Secret(value, origin)) for name, value in parts["headers"].items()}
    query = {name: ("", Secret(value, origin)) for name, value in parts["query"].items()}
    return replace(
        request,
        headers={name: value for name, value in request.headers.items() if name not in headers},
        secret_headers={**request.secret_headers, **headers},
        secret_query={**request.secret_query, **query},
    )
