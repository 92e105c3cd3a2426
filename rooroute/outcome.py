"""What one attempt at one profile came to, as values.

A dialect turns whatever a provider answered into a ``Failure``; the state machine alone decides how long that rests whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Class of a failure. The comment is what follows from it; ``routing.health`` holds the table."""

    RATE_LIMIT = "rateLimit"  # rests for the hint, else the configured cooldown
    QUOTA = "quota"  # a long limit with a known end: day, month, spend window
    OVERLOAD = "overload"  # the service, not the key: sibling keys do not help
    TRANSIENT = "transient"  # 5xx, cut stream: may be asked once more
    TIMEOUT = "timeout"  # no first token, or a stall
    NETWORK = "network"  # DNS, refused, TLS, connect timeout
    CREDENTIAL = "credential"  # needs the user
    PERMISSION = "permission"  # needs the user
    MODEL = "model"  # this profile cannot serve this model
    BILLING = "billing"  # needs money; rechecked slowly
    CONFIG = "config"  # not an API endpoint, wrong path, missing deployment
    BAD_ANSWER = "badAnswer"  # empty or malformed answer: next, no mark
    CONTEXT = "context"  # the caller's: prompt too long for this model
    POLICY = "policy"  # the caller's: refused by a content filter
    REQUEST = "request"  # the caller's own fault
    CANCELLED = "cancelled"  # ours
    LOCAL_LIMIT = "localLimit"  # a limit the user set; computed, never a mark


class Scope(StrEnum):
    """Who shares the fate: everybody behind one origin, everybody on one quota, or one profile."""

    ENDPOINT = "endpoint"
    DOMAIN = "domain"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True)
class Failure:
    """One classified failure.

    ``message`` is the provider's sentence, redacted and stripped of control characters, at most 2 KB. ``hint`` is the provider's own
    waiting time in seconds from now (None when it gave none or a senseless one). ``per_model`` narrows the scope to the model asked.
    ``status`` is the HTTP status, ``code`` the provider's typed code. ``confirm`` asks for one more try before a key is called dead.
    ``daily`` marks a provider's day quota whose hint may be shorter than the day. ``max_tokens_allowed`` is the window a context
    failure named, in tokens. ``retired`` says that the provider no longer offers the model at all, ``seals_refused`` that the history
    holds signed thinking which this provider does not accept: without it the same request may be answered.
    """

    fault: Fault
    message: str
    scope: Scope = Scope.PROFILE
    per_model: bool = False
    hint: float | None = None
    status: int | None = None
    code: str | None = None
    confirm: bool = False
    daily: bool = False
    max_tokens_allowed: int | None = None
    retired: bool = False
    seals_refused: bool = False


class Unreachable(Exception):
    """No answer came, or it broke off on the wire. The only exception that carries an expected failure: it has to cross a stream."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
