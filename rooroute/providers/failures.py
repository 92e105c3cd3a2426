"""From an error's bytes to a ``Failure``: one walk over the body, then the first row of the vendor's table that fits.

Rows are tried in order: typed codes, then status, then header, message text last, except that a text row may stand before the status row
it refines. After the vendor's own rows come ``BY_STATUS``, which leave nothing unmatched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rooroute.outcome import Failure, Fault, Scope
from rooroute.providers import retry_after, wire_json
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.redaction import plain

_MOST_OBJECTS: Final = 200
_DEEPEST: Final = 12
_TYPED: Final = ("code", "type", "status", "reason", "error_code", "error_type", "errorCode", "quotaId", "limit_source")
_SENTENCES: Final = ("message", "detail", "error_description", "error", "msg", "title")
_WRAPPERS: Final = frozenset({"provider returned error"})
"""Sentences that only wrap another one: OpenRouter puts the provider's own answer into ``metadata.raw``."""

_WAITING: Final = frozenset({Fault.RATE_LIMIT, Fault.QUOTA, Fault.OVERLOAD, Fault.TRANSIENT, Fault.BILLING})


def objects_in(value: Any) -> list[Mapping[str, Any]]:
    """Every JSON object inside ``value``, outer before inner, also those that a string holds as JSON text; at most 200 of them."""
    found: list[Mapping[str, Any]] = []
    for one in _walk(value, 0):
        found.append(one)
        if len(found) >= _MOST_OBJECTS:
            break
    return found


def _walk(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _walk(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value[:_MOST_OBJECTS]:
            yield from _walk(inner, depth + 1)
    elif isinstance(value, str) and (document := json_within(value)) is not None:
        yield from _walk(document, depth + 1)


def json_within(text: str) -> Any | None:
    """The JSON object or array that begins somewhere in ``text`` (``429 Too Many Requests: {"error": …}``), or None."""
    start = min(
        (at for at in (text.find('{"'), text.find("{\n"), text.find("[{"), text.find("{ ")) if at >= 0), default=-1
    )
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an error answer says, in one place for every row to look at.

    ``codes`` are the typed values of the body, lower case; ``code`` is the one to show; ``said`` is the provider's sentence as it came;
    ``text`` is that sentence or, without one, the body, lower case. ``status`` is None inside a 200 stream that names none.
    """

    status: int | None
    headers: Mapping[str, str]
    objects: Sequence[Mapping[str, Any]]
    codes: frozenset[str]
    code: str | None
    said: str
    text: str
    html: bool
    now: float

    @property
    def message(self) -> str:
        """One safe line; never empty."""
        shown = "" if self.html else plain(self.said)
        return shown or (
            "The provider reported an error without an explanation." if self.status is None else f"HTTP {self.status}"
        )

    @property
    def hint(self) -> float | None:
        """Seconds until the provider wants to be asked again: typed detail, header or sentence, in this order of trust."""
        server_time = retry_after.server_now(self.headers, self.now)
        return (
            retry_after.from_headers(self.headers, self.now)
            or retry_after.from_details(self.objects, server_time)
            or retry_after.from_text(self.said)
        )


def evidence_of(answer: ErrorAnswer, now: float) -> Evidence:
    """The evidence of an HTTP answer. ``now`` is UTC epoch seconds."""
    text = answer.body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    html = text[:1] == "<" or "html" in answer.headers.get("content-type", "")
    try:
        document = wire_json.read(answer.body)
    except ValueError:
        document = None if html else json_within(text)
    return _evidence(document, text, answer.status, answer.headers, html, now)


def evidence_in_stream(document: Any, now: float, *, status: int | None = None) -> Evidence:
    """The evidence of an error that came as a JSON document inside a 200 answer."""
    return _evidence(document, "", status, {}, False, now)


def _evidence(
    document: Any, text: str, status: int | None, headers: Mapping[str, str], html: bool, now: float
) -> Evidence:
    objects = objects_in(document)
    typed = [
        (key, value)
        for found in objects
        for key in _TYPED
        if isinstance(value := found.get(key), str | int) and not isinstance(value, bool)
    ]
    words = [(key, value) for key, value in typed if isinstance(value, str) and value and not value.isdigit()]
    said = _sentence(objects) or ("" if objects else text)
    return Evidence(
        status=status if status is not None else _status_among(typed),
        headers=headers,
        objects=objects,
        codes=frozenset(value.lower() for _, value in words),
        code=_shown_code(words),
        said=said,
        text=said.lower(),
        html=html,
        now=now,
    )


def _status_among(typed: Sequence[tuple[str, str | int]]) -> int | None:
    """The HTTP status that a body names (``"code": 429``, as number or text)."""
    for key, value in typed:
        if (
            key in ("code", "status")
            and str(value).isascii()
            and str(value).isdigit()
            and 400 <= int(str(value)[:4]) <= 599
        ):
            return int(value)
    return None


def _shown_code(words: Sequence[tuple[str, str]]) -> str | None:
    """The most specific typed code: ``code`` before ``type``, a generic wrapper ("error") never."""
    for wanted in ("code", "error_code", "reason", "status", "type", "error_type"):
        for key, value in words:
            if key == wanted and value != "error" and len(value) <= 100:
                return plain(value) or None
    return None


def _sentence(objects: Sequence[Mapping[str, Any]]) -> str:
    """The provider's sentence: of nested messages the innermost, since wrappers put the real answer inside their own."""
    said = ""
    for found in objects:
        for key in _SENTENCES:
            value = found.get(key)
            if isinstance(value, str) and value.strip():
                if not said or said.lower() in _WRAPPERS or json_within(said) is not None:
                    said = value
                break
    return said


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an error table. Every condition that is given must hold; the first row that fits decides.

    ``codes`` are typed codes in lower case, any of which fits; ``text`` is searched in the lower-case sentence; ``header`` is a header that
    must be there. ``hint`` replaces the usual reading of the provider's waiting time. ``window`` finds the number of tokens a context
    failure allows, in the sentence. ``retired`` and ``seals_refused`` are as in ``Failure``. ``if_`` is a condition no other field can say.
    ``advice`` is a sentence of ours that follows the provider's where that one leaves the cause in the dark.
    """

    fault: Fault
    codes: frozenset[str] = frozenset()
    status: frozenset[int] = frozenset()
    header: str | None = None
    text: re.Pattern[str] | None = None
    if_: Callable[[Evidence], bool] | None = None
    scope: Scope = Scope.PROFILE
    per_model: bool = False
    confirm: bool = False
    daily: bool = False
    retired: bool = False
    seals_refused: bool = False
    hint: Callable[[Evidence], float | None] = field(default=lambda evidence: evidence.hint)
    window: re.Pattern[str] | None = None
    advice: str = ""

    def fits(self, evidence: Evidence) -> bool:
        """Whether this row speaks of that answer."""
        return (
            (not self.codes or not self.codes.isdisjoint(evidence.codes))
            and (not self.status or evidence.status in self.status)
            and (self.header is None or self.header in evidence.headers)
            and (self.text is None or self.text.search(evidence.text) is not None)
            and (self.if_ is None or self.if_(evidence))
        )

    def failure(self, evidence: Evidence) -> Failure:
        """The failure this row makes of it."""
        allowed = self.window.search(evidence.text) if self.window else None
        return Failure(
            fault=self.fault,
            message=f"{evidence.message.rstrip('.')}. {self.advice}" if self.advice else evidence.message,
            scope=self.scope,
            per_model=self.per_model,
            hint=self.hint(evidence) if self.fault in _WAITING else None,
            status=evidence.status,
            code=evidence.code,
            confirm=self.confirm,
            daily=self.daily,
            retired=self.retired,
            seals_refused=self.seals_refused,
            max_tokens_allowed=_tokens(allowed.group(1)) if allowed else None,
        )


def _tokens(text: str) -> int | None:
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def statuses(*codes: int) -> frozenset[int]:
    """HTTP statuses as a row wants them."""
    return frozenset(codes)


def pattern(text: str) -> re.Pattern[str]:
    """A row's text condition; sentences are compared in lower case."""
    return re.compile(text)


BY_STATUS: Final = (
    Row(Fault.CREDENTIAL, status=statuses(401), confirm=True),
    Row(Fault.BILLING, status=statuses(402), scope=Scope.DOMAIN),
    Row(Fault.PERMISSION, status=statuses(403), per_model=True),
    Row(Fault.CONFIG, status=statuses(404, 405, 406, 410, 421, 426, *range(300, 400))),
    Row(Fault.NETWORK, status=statuses(407), scope=Scope.ENDPOINT),
    Row(Fault.TRANSIENT, status=statuses(408, 409, 425), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.RATE_LIMIT, status=statuses(429), scope=Scope.DOMAIN, per_model=True),
    Row(Fault.OVERLOAD, status=statuses(503, 529), scope=Scope.ENDPOINT, per_model=True),
    Row(Fault.REQUEST, if_=lambda evidence: evidence.status is not None and 400 <= evidence.status < 500),
    Row(Fault.TRANSIENT, scope=Scope.ENDPOINT, per_model=True),
)
"""What a status means where no vendor's row says otherwise. An unknown 4xx is the request's own fault, anything else transient."""


def judge(rows: Sequence[Row], evidence: Evidence) -> Failure:
    """The failure that the first fitting row makes of ``evidence``."""
    return next(row for row in (*rows, *BY_STATUS) if row.fits(evidence)).failure(evidence)
