"""The parts of a request that no dialect differs in: address, headers, the key's place, the JSON body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from rooroute.errors import InvalidInput
from rooroute.providers import wire_json
from rooroute.providers.dialect import HttpRequest, Target
from rooroute.secret import Secret

USUAL_SLOT: Final = "apiKey"


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a secret goes: a header with what stands before it. ``slot`` is the profile's name for the secret."""

    header: str = "authorization"
    prefix: str = "Bearer "
    slot: str = USUAL_SLOT

    def headers(self, target: Target) -> dict[str, tuple[str, Secret]]:
        """The secret header of a request for ``target``; none where the profile has no such secret."""
        secret = target.secrets.get(self.slot)
        return {} if secret is None else {self.header: (self.prefix, secret)}


BEARER: Final = KeyPlace()


def address(target: Target, path: str, query: Mapping[str, str] | None = None) -> str:
    """The URL of ``path`` (with its leading slash) below the target's base, with ``query`` and then the profile's own parameters."""
    parameters = {**(query or {}), **target.profile.query}
    return target.base_url + path + (f"?{urlencode(parameters)}" if parameters else "")


def segment(name: str) -> str:
    """``name`` (a model, say) as part of a path: slashes and the like cannot lead elsewhere."""
    return quote(name, safe=":@-._~")


def own_headers(target: Target, key: KeyPlace) -> dict[str, str]:
    """The profile's own headers, names lower case, save one in the key's place."""
    return {name.lower(): value for name, value in target.profile.headers.items() if name.lower() != key.header}


def post(
    url: str, target: Target, key: KeyPlace, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> HttpRequest:
    """A streaming POST of ``document``. The profile's own headers come last, but never replace the key's.

    Raises InvalidInput when the document holds what JSON cannot say.
    """
    try:
        body = wire_json.write(document)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(
            "The request holds a value that JSON cannot express (NaN or infinity, say); remove it from providerOptions or tools.",
            field="providerOptions",
        ) from None
    return HttpRequest(
        method="POST",
        url=url,
        headers={
            "content-type": "application/json",
            "accept": "text/event-stream",
            **(headers or {}),
            **own_headers(target, key),
        },
        secret_headers=key.headers(target),
        body=body,
    )


def merged(document: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` with ``options`` laid over it: objects are merged, everything else is replaced, null removes the field."""
    for name, value in options.items():
        present = document.get(name)
        if value is None:
            document.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(present, dict):
            merged(present, value)
        else:
            document[name] = value
    return document
