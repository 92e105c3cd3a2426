"""What went wrong on the wire, as one table: cause, class, sentence. The deepest known cause speaks.

A sentence holds the host and never text of the exception itself: h11 quotes an illegal header with its value, which may be a key.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpcore

from rooroute.adapters.wire import StaleConnection
from rooroute.outcome import Failure, Fault, Scope

_ROWS: Final[tuple[tuple[type[BaseException], Fault, str], ...]] = (
    (socket.gaierror, Fault.NETWORK, "The name of {place} cannot be resolved; check the base URL and the network."),
    (
        ssl.SSLCertVerificationError,
        Fault.NETWORK,
        "The TLS certificate of {place} is not trusted ({detail}); nothing was sent.",
    ),
    (ssl.SSLError, Fault.NETWORK, "No TLS connection to {place} could be agreed on; nothing was sent."),
    (ConnectionRefusedError, Fault.NETWORK, "{place} refuses connections; check that it runs there."),
    (httpcore.ConnectTimeout, Fault.NETWORK, "No connection to {place} within {seconds:g} seconds."),
    (httpcore.ProxyError, Fault.NETWORK, "The proxy did not open a way to {place}."),
    (httpcore.ConnectError, Fault.NETWORK, "No connection to {place} could be made."),
    (
        httpcore.LocalProtocolError,
        Fault.CONFIG,
        "A header for {place} cannot be sent; check the profile's headers and key.",
    ),
    (StaleConnection, Fault.TRANSIENT, "{place} closed the connection without an answer."),
    (httpcore.NetworkError, Fault.TRANSIENT, "The connection to {place} was reset."),
    (OSError, Fault.NETWORK, "The network does not reach {place}."),
)
ENGINE_ERRORS: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
)
_UNREADABLE: Final = "{place} does not answer in HTTP; check the base URL."
_CUT: Final = ("Server disconnected", "peer closed connection")


def failure_of(error: Exception, place: str, *, seconds: float = 0.0, broken: bool = False) -> Failure:
    """The failure an exception of the engine stands for. ``broken``: headers had come already. ``seconds``: the connect timeout."""
    chain = tuple(_causes(error))
    if isinstance(error, httpcore.RemoteProtocolError):
        return _protocol_failure(error, place, broken=broken)
    for kind, fault, sentence in _ROWS:
        cause = next(
            (e for e in chain if isinstance(e, kind) or (kind is ConnectionRefusedError and _refused(e))), None
        )
        if cause is not None:
            detail = getattr(cause, "verify_message", "") or "not valid"
            return Failure(fault, sentence.format(place=place, detail=detail, seconds=seconds), Scope.ENDPOINT)
    return Failure(Fault.NETWORK, f"The exchange with {place} failed ({type(error).__name__}).", Scope.ENDPOINT)


def _protocol_failure(error: Exception, place: str, *, broken: bool) -> Failure:
    if str(error).startswith(_CUT):
        said = "broke its answer off" if broken else "closed the connection without an answer"
        return Failure(Fault.TRANSIENT, f"{place} {said}.", Scope.ENDPOINT)
    return Failure(Fault.BAD_ANSWER, _UNREADABLE.format(place=place), Scope.ENDPOINT)


def _refused(error: BaseException) -> bool:
    """asyncio joins the failures of several addresses into one OSError that keeps only their text."""
    return isinstance(error, OSError) and error.errno is None and f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 8:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1
