"""What each failure on the wire is called and how it is told; part of the one room that knows httpx."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import httpx

from rooroute.outcome import Failure, Fault, Scope

# An alert that comes while reading, as TLS 1.3 sends it for a client's certificate, passes httpx as it is.
ON_THE_WIRE: Final = (httpx.TransportError, ssl.SSLError)

# The deepest cause that is in the table speaks. A sentence holds the host and never the exception's text, which may quote what was sent.
_FAILURES: Final[tuple[tuple[type[BaseException], Fault, str], ...]] = (
    (socket.gaierror, Fault.NETWORK, "The name of {place} cannot be resolved; check the base URL and the network."),
    (
        ssl.SSLCertVerificationError,
        Fault.NETWORK,
        "The TLS certificate of {place} is not trusted ({detail}); nothing was sent.",
    ),
    (ssl.SSLError, Fault.NETWORK, "No TLS connection to {place} could be agreed on; nothing was sent."),
    (ConnectionRefusedError, Fault.NETWORK, "{place} refuses connections; check that it runs there."),
    (httpx.ConnectTimeout, Fault.NETWORK, "No connection to {place} within {seconds:g} seconds."),
    (httpx.ProxyError, Fault.NETWORK, "The proxy did not open a way to {place}."),
    (httpx.ConnectError, Fault.NETWORK, "No connection to {place} could be made."),
    (
        httpx.LocalProtocolError,
        Fault.CONFIG,
        "A header for {place} cannot be sent; check the profile's headers and key.",
    ),
    (httpx.RemoteProtocolError, Fault.BAD_ANSWER, "{place} does not answer in HTTP; check the base URL."),
    (httpx.NetworkError, Fault.TRANSIENT, "The connection to {place} was reset."),
)
# What h11 and httpcore say when the other side simply closed: https://github.com/encode/httpcore/blob/1.0.9/httpcore/_async/http11.py
_CLOSED: Final[Mapping[str, str]] = {
    "Server disconnected": "{place} closed the connection without an answer.",
    "peer closed connection": "{place} closed the connection before its answer was complete.",
}

# What a server says of the client's certificate: https://www.rfc-editor.org/rfc/rfc8446#section-6.2
_ALERTS: Final[Mapping[str, str]] = {
    "CERTIFICATE_REQUIRED": "{place} asks for a client certificate; set auth to kind mtls with its certificate.",
    "UNKNOWN_CA": "{place} does not know who issued the client certificate; check auth.certificate.",
    "BAD_CERTIFICATE": "{place} does not accept the client certificate; check auth.certificate.",
    "CERTIFICATE_EXPIRED": "{place} says that the client certificate has expired; renew auth.certificate.",
    "CERTIFICATE_REVOKED": "{place} says that the client certificate was revoked; renew auth.certificate.",
}


def failure_of(error: Exception, place: str, *, seconds: float = 0.0) -> Failure:
    """The failure that an exception of httpx, or an OSError, stands for. ``seconds``: the connect timeout."""
    if (words := closed(error)) is not None:
        return Failure(Fault.TRANSIENT, words.format(place=place), Scope.ENDPOINT)
    chain = tuple(_causes(error))
    if (words := _alert(chain)) is not None:
        return Failure(Fault.CONFIG, words.format(place=place))
    for kind, fault, sentence in _FAILURES:
        cause = next((each for each in chain if isinstance(each, kind)), None)
        if cause is not None:
            detail = getattr(cause, "verify_message", "") or "not valid"
            return Failure(fault, sentence.format(place=place, detail=detail, seconds=seconds), Scope.ENDPOINT)
    return Failure(Fault.NETWORK, f"The exchange with {place} failed.", Scope.ENDPOINT)


def _alert(chain: Iterable[BaseException]) -> str | None:
    """What the server's alert says of our certificate."""
    reasons = [str(getattr(each, "reason", "")) for each in chain if isinstance(each, ssl.SSLError)]
    return next(
        (words for end, words in _ALERTS.items() for reason in reasons if reason.endswith(f"ALERT_{end}")), None
    )


def closed(error: Exception) -> str | None:
    """What to say where the other side simply closed the connection; None for any other exception."""
    if not isinstance(error, httpx.RemoteProtocolError):
        return None
    return next((words for start, words in _CLOSED.items() if str(error).startswith(start)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was raised from; several addresses that failed come as a group."""
    depth = 0
    while error is not None and depth < 8:
        yield error
        if isinstance(error, BaseExceptionGroup):
            yield from error.exceptions
        error = error.__cause__ or error.__context__
        depth += 1
