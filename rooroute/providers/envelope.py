"""The parts of a request that no dialect differs in: address, headers, the key's place, the JSON body."""

from __future__ import annotations

from collections.abc import Container, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote, urlencode

from rooroute.errors import InvalidInput
from rooroute.providers import wire_json
from rooroute.providers.authentication import TEMPLATE, KeyPlace, carried, signer_of, tls_of
from rooroute.providers.dialect import HttpRequest, Target
from rooroute.providers.field_changes import changes_of


def address(target: Target, path: str, query: Mapping[str, str] | None = None) -> str:
    """The URL of ``path`` (with its leading slash) below the target's base, with ``query`` and then the profile's own parameters."""
    own = {name: value for name, value in target.profile.query.items() if not TEMPLATE.match(value)}
    parameters = {**(query or {}), **own}
    return target.base_url + path + (f"?{urlencode(parameters)}" if parameters else "")


def segment(name: str) -> str:
    """``name`` (a model, say) as part of a path: slashes and the like cannot lead elsewhere."""
    return quote(name, safe=":@-._~")


def own_headers(target: Target, taken: Container[str]) -> dict[str, str]:
    """The profile's own headers, names lower case, save those in a secret's place."""
    return {
        name.lower(): value
        for name, value in target.profile.headers.items()
        if name.lower() not in taken and not TEMPLATE.match(value)
    }


def post(
    url: str, target: Target, key: KeyPlace, document: dict[str, Any], headers: Mapping[str, str] | None = None
) -> HttpRequest:
    """A streaming POST of ``document``. The profile's own headers come last, but never replace the key's; so do its changes of fields.

    Raises InvalidInput when the document holds what JSON cannot say, SecretUnavailable when a secret that a header names is missing.
    """
    changes = changes_of(target.profile.options.get("requestFields"))
    if changes is not None:
        document = deepcopy(document)  # parts of it are the caller's own: schemas, options
        changes.apply(document)
    try:
        body = wire_json.write(document)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(
            "The request holds a value that JSON cannot express (NaN or infinity, say); remove it from providerOptions or tools.",
            field="providerOptions",
        ) from None
    secrets = carried(target, key)
    return HttpRequest(
        method="POST",
        url=url,
        headers={
            "content-type": "application/json",
            "accept": "text/event-stream",
            **(headers or {}),
            **own_headers(target, secrets.headers),
        },
        secret_headers=secrets.headers,
        secret_query=secrets.query,
        body=body,
        tls=tls_of(target.profile),
        signer=signer_of(target.profile),
    )


def merged(document: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` with ``options`` laid over it: objects are merged, everything else is replaced, null removes the field."""
    for name, value in options.items():
        present = document.get(name)
        if value is None:
            document.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(present, dict):
            document[name] = merged(dict(present), value)  # what was there may be the profile's or the caller's
        else:
            document[name] = value
    return document
