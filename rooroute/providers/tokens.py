"""Short-lived tokens, as far as they go without running anything: the exchange that asks for one, and what came read as one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from rooroute.errors import SecretUnavailable
from rooroute.profile_checks import check_secret
from rooroute.profiles import Auth, TokenEndpointAuthMethod
from rooroute.providers import wire_json
from rooroute.providers.authentication import basic
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from rooroute.providers.redaction import plain
from rooroute.providers.retry_after import instant, number
from rooroute.secret import Secret

_LONGEST_TOKEN: Final = 100_000
_EARLY: Final = 60.0
_NOT_KNOWN: Final = ("invalid_client", "invalid_request")
"""What endpoints say (RFC 6749, section 5.2) when the client's secret does not come where they look for it."""
_ANOTHER_WAY: Final[Mapping[TokenEndpointAuthMethod, str]] = {
    this: f", or whether it wants auth.tokenEndpointAuthMethod {other}"
    for this, other in (tuple(TokenEndpointAuthMethod), tuple(reversed(TokenEndpointAuthMethod)))
}
_TEXTS: Final = ("access_token", "accessToken", "id_token", "token")
_ENDS: Final = ("expires_on", "expires_at", "expiration", "expirationTimestamp", "expiry", "expiresAt", "expiresOn")


@dataclass(frozen=True, slots=True)
class Token:
    """A short-lived token and its end, in UTC epoch seconds."""

    secret: Secret
    expires_at: float

    def fresh(self, now: float) -> bool:
        """Whether it may still be sent: it is renewed a minute before its end."""
        return now < self.expires_at - _EARLY


def token_of(output: bytes, *, origin: str, now: float, lifetime: float) -> Token:
    """The token a command printed or a token endpoint answered: bare text, or JSON as OAuth, Azure's and Google's command lines and
    Kubernetes' ``ExecCredential`` write it. ``lifetime`` (seconds) holds where it does not tell its end.

    Raises SecretUnavailable with a sentence that never quotes the output.
    """
    try:
        text = output.decode().strip()
    except UnicodeDecodeError:
        text = ""
    document: Any = None
    if text[:1] in ("{", '"'):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise SecretUnavailable("The token command printed broken JSON; try it in a terminal.") from None
        text = document if isinstance(document, str) else ""
    found: Mapping[str, Any] = document if isinstance(document, dict) else {}
    status = found.get("status")
    found = status if isinstance(status, dict) else found
    token = next((found[name] for name in _TEXTS if isinstance(found.get(name), str)), text)
    if not token or len(token) > _LONGEST_TOKEN or not token.isascii() or any(c <= " " for c in token):
        raise SecretUnavailable(
            "What came is no token: it is empty or holds white space; try the command in a terminal."
        )
    return Token(Secret(token, origin), _end(found, now, lifetime))


def printed_secret(output: bytes, *, origin: str, now: float, lifetime: float) -> Token:
    """The secret that a command printed: one line as it stands, blanks within and all, or JSON that holds a token as ``token_of`` reads it.

    Raises SecretUnavailable with a sentence that never quotes the output.
    """
    try:
        text = output.decode().strip()
        document = json.loads(text) if text.startswith("{") else None
    except UnicodeDecodeError:
        text, document = "", None
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        return token_of(output, origin=origin, now=now, lifetime=lifetime)
    if check_secret(text) is not None or "\n" in text:
        raise SecretUnavailable(
            "What came is no secret: it is empty, or no single line of ASCII; try the command in a terminal."
        )
    return Token(Secret(text, origin), now + lifetime)


def _end(found: Mapping[str, Any], now: float, lifetime: float) -> float:
    spell = number(found.get("expires_in"))
    if spell is not None and spell > 0:
        return now + spell
    ends = (instant(found.get(name)) for name in _ENDS)
    return next((end for end in ends if end is not None), now + lifetime)


def exchange(auth: Auth, client_secret: Secret) -> HttpRequest:
    """The OAuth client-credentials request. The client's secret travels in the header, or as a field of the form where the endpoint takes it
    in no other way (RFC 6749, section 2.3.1)."""
    form = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
    in_header, in_form = {}, {}
    if auth.token_endpoint_auth_method is TokenEndpointAuthMethod.POST:
        form["client_id"] = auth.client_id
        in_form["client_secret"] = ("", client_secret)
    else:
        password = Secret(quote(client_secret.reveal(client_secret.origin), safe=""), client_secret.origin)
        in_header["authorization"] = ("Basic ", basic(quote(auth.client_id or "", safe=""), password))
    return HttpRequest(
        method="POST",
        url=auth.token_url or "",
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        secret_headers=in_header,
        secret_form=in_form,
        body=urlencode({name: value for name, value in form.items() if value}).encode(),
    )


def exchanged(answer: ErrorAnswer, auth: Auth, *, origin: str, now: float) -> Token:
    """The token of a token endpoint's answer. Raises SecretUnavailable with its error's name."""
    if answer.status == 200:
        try:
            return token_of(answer.body, origin=origin, now=now, lifetime=auth.lifetime)
        except SecretUnavailable:
            raise SecretUnavailable("The token endpoint's answer holds no token; check auth.tokenUrl.") from None
    try:
        document = wire_json.read(answer.body)
    except ValueError:
        document = None
    code = document.get("error") if isinstance(document, dict) else None
    said = plain(code) if isinstance(code, str) else f"HTTP {answer.status}"
    another_way = _ANOTHER_WAY[auth.token_endpoint_auth_method] if code in _NOT_KNOWN else ""
    raise SecretUnavailable(
        f"The token endpoint refused ({said}); check client id, client secret and scope{another_way}."
    )
