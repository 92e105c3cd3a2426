"""What went wrong on the wire, as one table: cause, class, sentence. The deepest known cause speaks.

A sentence holds the host and never text of the exception itself, which may quote what was sent.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from rooroute.adapters.http_engine import Cut, NotHttp, ProxyRefused, Unsendable
from rooroute.adapters.wire import ConnectFailed, ConnectionBroken, ConnectTooSlow, StaleConnection, WireError
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
    (ConnectTooSlow, Fault.NETWORK, "No connection to {place} within {seconds:g} seconds."),
    (ProxyRefused, Fault.NETWORK, "The proxy did not open a way to {place}."),
    (ConnectFailed, Fault.NETWORK, "No connection to {place} could be made."),
    (Unsendable, Fault.CONFIG, "A header for {place} cannot be sent; check the profile's headers and key."),
    (NotHttp, Fault.BAD_ANSWER, "{place} does not answer in HTTP; check the base URL."),
    (Cut, Fault.TRANSIENT, "{place} closed the connection before its answer was complete."),
    (StaleConnection, Fault.TRANSIENT, "{place} closed the connection without an answer."),
    (ConnectionBroken, Fault.TRANSIENT, "The connection to {place} was reset."),
)


def failure_of(error: WireError, place: str, *, seconds: float = 0.0) -> Failure:
    """The failure an exception stands for. ``seconds``: the connect timeout."""
    chain = tuple(_causes(error))
    for kind, fault, sentence in _ROWS:
        cause = next(
            (e for e in chain if isinstance(e, kind) or (kind is ConnectionRefusedError and _refused(e))), None
        )
        if cause is not None:
            detail = getattr(cause, "verify_message", "") or "not valid"
            return Failure(fault, sentence.format(place=place, detail=detail, seconds=seconds), Scope.ENDPOINT)
    return Failure(Fault.NETWORK, f"The exchange with {place} failed.", Scope.ENDPOINT)


def _refused(error: BaseException) -> bool:
    """asyncio joins the failures of several addresses into one OSError that keeps only their text."""
    return isinstance(error, OSError) and error.errno is None and f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 8:
        yield error
        error = error.__cause__ or error.__context__
        seen += 1
