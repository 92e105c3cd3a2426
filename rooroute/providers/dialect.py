"""The contract between a dialect and everybody else: build a request, decode its stream, classify its failure.

A dialect is code for one wire format; a vendor is a row of ``providers.table`` that points at a dialect. Everything is pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rooroute.chat import ChatRequest, Event
from rooroute.outcome import Failure
from rooroute.profiles import Auth, Profile
from rooroute.secret import Secret


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask: a profile with its model chosen, its base URL settled (vendor's default applied, no trailing slash) and its secrets
    by slot (``apiKey`` is the usual one; absent where none is needed)."""

    profile: Profile
    model: str
    base_url: str
    secrets: Mapping[str, Secret] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tls:
    """What a profile's connections take besides the system's trust: paths of PEM files. Without ``certificate_key`` the key is in the
    certificate's file."""

    certificate: str | None = None
    certificate_key: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What goes on the wire. ``secret_headers``, ``secret_query`` and ``secret_form`` values are prefix and secret: they are joined at the
    moment of sending, in the adapter, which checks each secret's origin against the URL's. ``secret_form`` adds fields to a body that is
    a form. Then too ``signer``'s command signs it (None: nobody); ``tls`` is for its connection."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, tuple[str, Secret]] = field(default_factory=dict)
    secret_query: Mapping[str, tuple[str, Secret]] = field(default_factory=dict)
    secret_form: Mapping[str, tuple[str, Secret]] = field(default_factory=dict)
    body: bytes = b""
    tls: Tls | None = None
    signer: Auth | None = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An HTTP answer that is not a stream of content: status, headers (names lower case), and at most 64 KiB of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Decoder(Protocol):
    """Reads one streamed answer. Any split of the same bytes gives the same events."""

    def feed(self, data: bytes) -> Sequence[Event]:
        """Events that these bytes complete, in order. Nothing follows a ``Finished`` or ``Failed``."""

    def close(self) -> Sequence[Event]:
        """The body ended. Gives ``Finished`` if terminal evidence was seen and not yet reported, else ``Failed``; empty if over already."""


class Dialect(Protocol):
    """One wire format."""

    @property
    def name(self) -> str:
        """Marks the signatures this dialect made, so that they go back to nobody else."""

    @property
    def continues(self) -> bool:
        """Whether a last message of the assistant is taken as the beginning of the answer, to be continued from there."""

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """The streaming request. Raises ``errors.InvalidInput`` naming the field when this dialect cannot say what was asked."""

    def decoder(self, content_type: str, now: float) -> Decoder:
        """A fresh decoder for a 2xx answer. ``content_type`` is the header's value; a JSON or HTML body where a stream was asked is
        handled (one-shot answer, error object, captive portal). ``now`` is UTC epoch seconds, for dated hints."""

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """What a non-2xx answer means. Typed code first, then status, then header, message text last."""
