"""How a request proves who sends it: where each secret goes, and what is wrong with a declaration. ``tokens`` and ``signing`` say what
commands and endpoints are told and what their answers mean; running them and loading certificates is an adapter's work.

Whatever the kind, the secret that travels is in the target's slot ``apiKey``. What is *stored* may differ: nothing for a command,
``clientSecret`` for an OAuth exchange (RFC 6749, section 4.4); ``stored`` tells.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from rooroute.errors import SecretUnavailable
from rooroute.profile_checks import check_base_url
from rooroute.profiles import Auth, AuthKind, Problem, Profile, SecretCommand, needs_plain_http_approval
from rooroute.providers.dialect import Target, Tls
from rooroute.secret import Secret, origin_of

USUAL_SLOT: Final = "apiKey"
CLIENT_SECRET: Final = "clientSecret"
CA_FILE: Final = "caFile"
"""The option that names a PEM file of authorities trusted besides the system's."""
TEMPLATE: Final = re.compile(r"^([^$]*)\$\{secret:([A-Za-z][A-Za-z0-9_-]{0,63})\}$")
"""A custom header's or query parameter's value that ends in a named secret: ``Token ${secret:team}``."""

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a secret goes: a header with what stands before it."""

    header: str = "authorization"
    prefix: str = "Bearer "

    def headers(self, target: Target) -> dict[str, tuple[str, Secret]]:
        """The secret header of a request for ``target``; none where the profile has no such secret."""
        secret = target.secrets.get(USUAL_SLOT)
        return {} if secret is None else {self.header: (self.prefix, secret)}


BEARER: Final = KeyPlace()


@dataclass(frozen=True, slots=True)
class Carried:
    """The secret parts of a request: prefix and secret by the name of a header (lower case) or a query parameter."""

    headers: Mapping[str, tuple[str, Secret]]
    query: Mapping[str, tuple[str, Secret]]


def carried(target: Target, usual: KeyPlace) -> Carried:
    """Where this target's secrets go. ``usual`` is the vendor's place, which the profile's own ``auth`` replaces.

    Raises SecretUnavailable when a header or query parameter names a secret that is not there.
    """
    headers: dict[str, tuple[str, Secret]] = {}
    query: dict[str, tuple[str, Secret]] = {}
    profile = target.profile
    for values, out in ((profile.headers, headers), (profile.query, query)):
        for name, value in values.items():
            if found := TEMPLATE.match(value):
                out[name.lower() if out is headers else name] = (found[1], _named(target, found[2]))
    auth = profile.auth
    secret = target.secrets.get(USUAL_SLOT)
    if auth is not None and auth.kind is AuthKind.KEY_QUERY:
        if secret is not None:
            query[auth.name or "key"] = (auth.prefix or "", secret)
    elif auth is not None and auth.kind is AuthKind.BASIC:
        if secret is not None:
            headers["authorization"] = ("Basic ", basic(auth.username or "", secret))
    else:
        headers.update(place_of(profile, usual).headers(target))
    return Carried(headers, query)


def place_of(profile: Profile, usual: KeyPlace) -> KeyPlace:
    """The header that carries the profile's key or token; ``usual`` where its ``auth`` says nothing of it."""
    auth = profile.auth
    if auth is None or auth.kind in (AuthKind.MTLS, AuthKind.SIGNATURE_COMMAND, AuthKind.KEY_QUERY, AuthKind.BASIC):
        return usual
    if auth.kind is AuthKind.KEY_HEADER:
        return KeyPlace((auth.name or usual.header).lower(), auth.prefix or "")
    name = (auth.name or BEARER.header).lower()
    return KeyPlace(name, auth.prefix if auth.prefix is not None else BEARER.prefix if auth.name is None else "")


def tls_of(profile: Profile) -> Tls | None:
    """What the profile's connections take besides the system's trust; None where that is enough."""
    auth = profile.auth
    of_own = auth is not None and auth.kind is AuthKind.MTLS
    authorities = profile.options.get(CA_FILE) or None
    if not of_own and authorities is None:
        return None
    certificate, key = (auth.certificate, auth.certificate_key) if auth and of_own else (None, None)
    return Tls(certificate, key, str(authorities) if authorities else None)


def signer_of(profile: Profile) -> Auth | None:
    """Whose command signs the profile's requests."""
    auth = profile.auth
    return auth if auth is not None and auth.kind is AuthKind.SIGNATURE_COMMAND else None


def _named(target: Target, slot: str) -> Secret:
    secret = target.secrets.get(slot)
    if secret is None:
        raise SecretUnavailable(
            f"{target.profile.title} names the secret {slot}, which is not there; add it to the profile's secrets.",
            profileId=target.profile.id,
        )
    return secret


def basic(name: str, password: Secret) -> Secret:
    """User name and password as RFC 7617 wants them, in UTF-8."""
    joined = f"{name}:{password.reveal(password.origin)}".encode()
    return Secret(base64.b64encode(joined).decode("ascii"), password.origin)


# --- what is stored


def stored(profile: Profile) -> dict[str, str | None]:
    """The slots this profile's authentication reads from the keyring or a reference, each with the origin it goes to where that is not the
    base URL's. A key that the vendor makes optional is optional here too."""
    slots: dict[str, str | None] = {}
    for value in (*profile.headers.values(), *profile.query.values()):
        if found := TEMPLATE.match(value):
            slots[found[2]] = None
    kind = profile.auth.kind if profile.auth else AuthKind.BEARER
    if kind is AuthKind.OAUTH_CLIENT_CREDENTIALS and profile.auth and profile.auth.token_url:
        slots[CLIENT_SECRET] = _endpoint_of(profile.auth.token_url)
    elif kind is not AuthKind.TOKEN_COMMAND:
        slots[USUAL_SLOT] = None
    return slots


def _endpoint_of(token_url: str) -> str:
    """The origin that a client's secret goes to. What is asked of a profile before it was checked must not fail for its address: that
    is refused there, with its field, and no origin reads like this one."""
    try:
        return origin_of(token_url)
    except ValueError:
        return "nowhere"


def needs_no_key(profile: Profile) -> bool:
    """Whether the profile proves itself without any key: by a certificate or a signature."""
    return profile.auth is not None and profile.auth.kind in (AuthKind.MTLS, AuthKind.SIGNATURE_COMMAND)


# --- what is wrong with it


_NEEDED: Final[Mapping[AuthKind, tuple[tuple[str, str], ...]]] = {
    AuthKind.KEY_HEADER: (("name", "the header's name"),),
    AuthKind.KEY_QUERY: (("name", "the parameter's name"),),
    AuthKind.BEARER: (),
    AuthKind.BASIC: (("username", "the user name"),),
    AuthKind.TOKEN_COMMAND: (("command", "the program and its arguments as a list"),),
    AuthKind.OAUTH_CLIENT_CREDENTIALS: (("token_url", "the token endpoint"), ("client_id", "the client id")),
    AuthKind.MTLS: (("certificate", "the path of the certificate's PEM file"),),
    AuthKind.SIGNATURE_COMMAND: (("command", "the program and its arguments as a list"),),
}
_OUTSIDE: Final = {"token_url": "tokenUrl", "client_id": "clientId"}


def check(profile: Profile) -> list[Problem]:
    """What is wrong with a profile's declared authentication, and with the commands that its secrets come from."""
    auth, commands = profile.auth, list(_check_commands(profile))
    if auth is None:
        return commands
    wrong: list[tuple[str, str, str]] = [
        (
            _OUTSIDE.get(name, name),
            f"Authentication by {auth.kind} needs {what}.",
            f"Set auth.{_OUTSIDE.get(name, name)}.",
        )
        for name, what in _NEEDED[auth.kind]
        if not getattr(auth, name)
    ]
    if auth.name and auth.kind is not AuthKind.KEY_QUERY and not HEADER_NAME.fullmatch(auth.name):
        wrong.append(("name", "This is no name of a header.", "Use letters, digits and dashes."))
    if auth.prefix and not (auth.prefix.isascii() and auth.prefix.isprintable()):
        wrong.append(("prefix", "This cannot stand in a header.", "Use one line of ASCII."))
    if auth.username and ":" in auth.username:
        wrong.append(("username", "A user name holds no colon.", "Remove it."))
    if auth.token_url and (why := _wrong_token_url(auth.token_url)):
        wrong.append(("tokenUrl", why, "Write it as https://host/path."))
    wrong += _check_seconds(auth, "auth")
    return [*commands, *(Problem(message, f"auth.{name}", remedy, profile.id) for name, message, remedy in wrong)]


def _check_seconds(of: Auth | SecretCommand, where: str) -> Iterator[tuple[str, str, str]]:
    for name, seconds, most in (("timeout", of.timeout, 120), ("lifetime", of.lifetime, 86_400)):
        if not 0 < seconds <= most:
            told = f"{where}.{name} is more than 0 and at most {most:,} seconds."
            yield name, told, "Choose a number of seconds in that range."


def _check_commands(profile: Profile) -> Iterator[Problem]:
    references = {**profile.secrets, **({USUAL_SLOT: profile.api_key} if profile.api_key else {})}
    for slot, each in profile.secret_commands.items():
        field = f"secretCommands.{slot}"
        if slot not in stored(profile):
            known = ", ".join(stored(profile)) or "none: its token is made by a command already"
            told = f"The profile takes no secret named {slot}."
            yield Problem(told, field, f"Name one that it takes ({known}), or remove this.", profile.id)
        if slot in references:
            told = f"The secret {slot} comes from a command and from the environment."
            yield Problem(told, field, "Keep one of the two.", profile.id)
        if not each.command or not each.command[0]:
            told = "A secret that comes from a command needs one."
            yield Problem(told, f"{field}.command", "Write the program and its arguments as a list.", profile.id)
        for name, told, remedy in _check_seconds(each, field):
            yield Problem(told, f"{field}.{name}", remedy, profile.id)


def _wrong_token_url(url: str) -> str | None:
    if why := check_base_url(url):
        return why.replace("base URL", "token endpoint")
    return "The client's secret would travel unencrypted." if needs_plain_http_approval(origin_of(url)) else None
