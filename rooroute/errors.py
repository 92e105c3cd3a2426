"""Exceptions for the caller, and nothing else.

Expected failures of one attempt are values (``outcome.Failure``); an exception from this tree means that the caller's request ends.

RoorouteError
├── InvalidInput          a field is wrong; names the field and the remedy
├── Unanswered            nobody in the pool could answer; lists every profile
│   ├── AllCoolingDown    somebody has a time of return
│   ├── AllFailed         everybody needs the user
│   ├── NoProfiles        the pool is empty or everything in it is switched off
│   ├── Offline           the network is down; nobody is blamed
│   ├── BudgetExceeded    a limit the user set is spent
│   ├── ConsentNeeded     only the last resort could, and the user has not said yes to it
│   └── AttemptsExhausted the request's budget of attempts is spent and nobody has a time of return
├── RequestRejected       the provider says the request itself is wrong
│   ├── ContextTooLong
│   └── ContentFiltered
├── StreamInterrupted     the answer broke off after its first delta
├── NotFound              no such profile, pool or request
├── Conflict              somebody else changed the configuration meanwhile
├── SecretUnavailable     the key cannot be read or stored
├── OriginNotApproved     a secret was about to go to an origin it was not saved for
├── Overloaded            more requests than this process takes at once
└── Cancelled             the caller took the request back
"""

from __future__ import annotations

from typing import Any, ClassVar


class RoorouteError(Exception):
    """Base of the tree.

    ``code`` is the JSON-RPC error code, ``kind`` its name in ``data.kind``. ``message`` is one sentence a person can act on and never
    holds a secret. ``data`` holds further JSON values in protocol spelling (camelCase).
    """

    code: ClassVar[int] = -32603
    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data: dict[str, Any] = data


class InvalidInput(RoorouteError):
    """``field`` is the dotted path of the wrong value in protocol spelling, for example ``profile.baseUrl``."""

    code = -32602
    kind = "invalidInput"

    def __init__(self, message: str, /, *, field: str | None = None, **data: Any) -> None:
        super().__init__(message, **({"field": field} if field else {}), **data)
        self.field = field


class Unanswered(RoorouteError):
    """``data``: ``profiles`` (id, state, reason, until?, remedy?), ``attempts``, ``retryAt`` when somebody has a time of return."""


class AllCoolingDown(Unanswered):
    code = -32010
    kind = "allCoolingDown"


class AllFailed(Unanswered):
    code = -32011
    kind = "allFailed"


class NoProfiles(Unanswered):
    code = -32012
    kind = "noProfiles"


class Offline(Unanswered):
    code = -32013
    kind = "offline"


class BudgetExceeded(Unanswered):
    code = -32014
    kind = "budgetExceeded"


class ConsentNeeded(Unanswered):
    """``data.consent`` holds ``profileId`` and ``pool``; ask again with ``consent``."""

    code = -32016
    kind = "consentNeeded"


class AttemptsExhausted(Unanswered):
    code = -32015
    kind = "attemptsExhausted"


class RequestRejected(RoorouteError):
    code = -32020
    kind = "requestRejected"


class ContextTooLong(RequestRejected):
    code = -32021
    kind = "contextTooLong"


class ContentFiltered(RequestRejected):
    code = -32022
    kind = "contentFiltered"


class StreamInterrupted(RoorouteError):
    """``data.message`` is the partial answer where the client gave no progress token."""

    code = -32023
    kind = "streamInterrupted"


class NotFound(RoorouteError):
    code = -32030
    kind = "notFound"


class Conflict(RoorouteError):
    code = -32031
    kind = "conflict"


class SecretUnavailable(RoorouteError):
    code = -32032
    kind = "secretUnavailable"


class OriginNotApproved(RoorouteError):
    code = -32033
    kind = "originNotApproved"


class Overloaded(RoorouteError):
    code = -32040
    kind = "overloaded"


class Cancelled(RoorouteError):
    code = -32800
    kind = "cancelled"
