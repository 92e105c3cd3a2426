"""What every dialect's decoder shares: bytes to JSON documents, and the honest end of an answer.

A subclass reads one document at a time. However a body comes (events, one JSON document, a bare error object, a login page, nothing),
exactly one ``Finished`` or ``Failed`` ends it, and ``Finished`` only where terminal evidence was seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pydantic_core import from_json

from rooroute.chat import Event, Failed, Finished, FinishReason, TextDelta, ThinkingDelta, ToolCallDelta
from rooroute.outcome import Failure, Fault, Scope
from rooroute.providers import wire_json
from rooroute.providers.failures import Row, evidence_in_stream, judge
from rooroute.providers.field_changes import FieldChanges
from rooroute.providers.outbox import Outbox
from rooroute.providers.sse import SseDecoder, SseEvent

_NOT_AN_API: Final = "The address answered with a web page instead of an API's answer; check the base URL, and whether this network wants a sign-in."
_LARGEST_COUNT: Final = 10**12


class StreamDecoder:
    """Base of the dialects' decoders (the ``Decoder`` contract).

    A subclass implements ``read`` (one document of the stream) and ``read_whole`` (one document instead of a stream), puts events into
    ``self.out``, sets ``self.reason`` when it sees terminal evidence, calls ``finish()`` when nothing can follow it and ``fail()`` for an
    error. ``ROWS`` is the error table, unless a vendor of the dialect brings ``rows`` of its own. ``changes`` are made in every document
    before it is read.
    """

    ROWS: ClassVar[Sequence[Row]] = ()

    def __init__(self, content_type: str, now: float, rows: Sequence[Row] | None = None) -> None:
        self.now = now
        self.rows = self.ROWS if rows is None else rows
        self.changes: FieldChanges | None = None
        self.out = Outbox()
        self.reason: FinishReason | None = None
        self.over = False
        self._html = "html" in content_type.lower()
        self._sse = SseDecoder()
        self._mender: wire_json.SurrogateMender | None = None
        self._documents = 0
        self._broken_off = False

    def read(self, document: dict[str, Any], name: bytes) -> None:
        """One document of the stream; ``name`` is its event's name, empty where it had none."""
        raise NotImplementedError

    def read_whole(self, document: dict[str, Any]) -> None:
        """The whole answer as one document, sent though a stream was asked."""
        raise NotImplementedError

    def read_word(self, data: bytes) -> bool:
        """Data that is no JSON on purpose (``[DONE]``). Returns whether it was such a word."""
        return False

    def feed(self, data: bytes) -> Sequence[Event]:
        """Events that these bytes complete."""
        if self.over:
            return ()
        self._take(self._sse.feed(data), at_end=False)
        if self._sse.too_large and not self.over:
            self._too_large()
        return self._mended()

    def close(self) -> Sequence[Event]:
        """The body ended: the last events, then ``Finished`` with evidence, else ``Failed``."""
        if self.over:
            return ()
        self._take(self._sse.close(), at_end=True)
        if self._sse.too_large and not self.over:
            self._too_large()
        if not self.over:
            self._settle_stray()
        if not self.over:
            self.finish() if self.reason is not None else self._cut()
        return self._mended()

    def finish(self) -> None:
        """Ends the answer well; ``self.reason`` is set."""
        self.over = True
        self.out.append(Finished(self.reason or FinishReason.OTHER))

    def fail(self, failure: Failure) -> None:
        """Ends the answer with ``failure``."""
        self.over = True
        self.out.append(Failed(failure))

    def fail_as(
        self,
        fault: Fault,
        message: str,
        *,
        scope: Scope = Scope.PROFILE,
        per_model: bool = False,
        code: str | None = None,
    ) -> None:
        """Ends the answer with a failure of our own wording."""
        self.fail(Failure(fault, message, scope=scope, per_model=per_model, status=200, code=code))

    def fail_with(self, document: Any, *, status: int | None = None) -> None:
        """Ends the answer with the error that ``document`` describes, judged by the vendor's table."""
        self.fail(judge(self.rows, evidence_in_stream(document, self.now, status=status)))

    def _take(self, events: list[SseEvent], *, at_end: bool) -> None:
        read, changes = self.read, self.changes
        for name, data in events:
            try:
                document = from_json(data)
            except ValueError:
                document = self._forgiven(data, at_end=at_end)
                if document is None:
                    if self.over:
                        return
                    continue
            self._documents += 1
            if changes is not None:
                changes.apply(document)
            try:
                if type(document) is dict:
                    read(document, name)
                else:
                    self._read_other(document)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                # A known field of an unknown shape: whatever a server may send, the caller gets a typed end.
                if not self.over:
                    self._malformed()
            if self.over:
                return

    def _read_other(self, document: Any) -> None:
        """A list holds documents (an error may come so); any other value says nothing we understand."""
        if not isinstance(document, list):
            self._malformed()
            return
        for one in document:
            if isinstance(one, dict) and not self.over:
                self.read(one, b"")

    def _forgiven(self, data: bytes, *, at_end: bool) -> Any | None:
        """Data the strict parser refused: a word, sloppy JSON, or (None) nothing. A last event cut short is left to ``close``."""
        if not data.strip() or self.read_word(data):
            return None
        try:
            document = wire_json.read_leniently(data)
        except ValueError:
            self._broken_off = at_end
            if not at_end:
                self._malformed()
            return None
        self._mender = self._mender or wire_json.SurrogateMender()
        return document

    def _mended(self) -> Sequence[Event]:
        out = self.out.take()
        return self._mender.mend(out) if self._mender else out

    def _settle_stray(self) -> None:
        """What came outside of any event: an error object, a whole answer, a web page."""
        stray = self._sse.stray.strip()
        if self._html or stray[:1] == b"<":
            if self._documents == 0:
                self.fail_as(Fault.CONFIG, _NOT_AN_API, code="html")
            return
        if stray[:1] not in (b"{", b"["):
            return
        try:
            document = wire_json.read(stray)
        except ValueError:
            return
        self._mender = self._mender or wire_json.SurrogateMender()
        if self.changes is not None:
            self.changes.apply(document)
        self._read_stray(document)

    def _read_stray(self, document: Any) -> None:
        documents = document if isinstance(document, list) else [document]
        for one in documents:
            if self.over or not isinstance(one, dict):
                continue
            if self._documents or len(documents) > 1:
                self.read(one, b"")
            else:
                self.read_whole(one)
        self._documents += len(documents)

    def _too_large(self) -> None:
        if self._html or self._sse.stray.lstrip()[:1] == b"<":
            self.fail_as(Fault.CONFIG, _NOT_AN_API, code="html")
        else:
            self.fail_as(
                Fault.BAD_ANSWER,
                "The provider sent an event of more than 1 MiB; the answer was dropped.",
                code="tooLarge",
            )

    def _malformed(self) -> None:
        self.fail_as(
            Fault.BAD_ANSWER, "The provider sent an event that is not JSON; the answer was dropped.", code="malformed"
        )

    def _cut(self) -> None:
        """The end without evidence: nothing at all is a bad answer (nobody is blamed), a broken-off one is the service's fault."""
        stray = self._sse.stray.strip()
        begun = stray[:1] in (b"{", b"[") or any(field.startswith(stray) for field in (b"data", b"event", b"retry"))
        if self._documents or self._broken_off or (stray and begun):
            self.fail_as(
                Fault.TRANSIENT,
                "The answer broke off before its end.",
                scope=Scope.ENDPOINT,
                per_model=True,
                code="cut",
            )
        elif stray:
            self.fail_as(
                Fault.CONFIG,
                "The address answered with something that is not an API's answer; check the base URL.",
                code="notAnApi",
            )
        else:
            self.fail_as(Fault.BAD_ANSWER, "The provider answered with nothing at all.", code="empty")


def count(value: object) -> int | None:
    """A number of tokens: None where there is none; negative, fractional and absurd values are brought into range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return int(min(max(value, 0), _LARGEST_COUNT))


def text_of(value: object) -> str:
    """``value`` if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def holds_content(event: Event) -> bool:
    """Whether an event carries something of the answer itself."""
    return isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta)


def mapping_of(value: object) -> Mapping[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}
