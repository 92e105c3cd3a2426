"""A dialect whose answers name some fields differently: the profile's ``options.responseFields`` put them right before they are read."""

from __future__ import annotations

from dataclasses import dataclass

from rooroute.chat import ChatRequest
from rooroute.outcome import Failure
from rooroute.providers.dialect import Decoder, Dialect, ErrorAnswer, HttpRequest, Target
from rooroute.providers.field_changes import FieldChanges
from rooroute.providers.stream import StreamDecoder


@dataclass(frozen=True, slots=True)
class Reshaped:
    """``dialect`` with ``changes`` made in every document of an answer."""

    dialect: Dialect
    changes: FieldChanges

    @property
    def name(self) -> str:
        """See ``Dialect``."""
        return self.dialect.name

    @property
    def continues(self) -> bool:
        """See ``Dialect``."""
        return self.dialect.continues

    def build(self, target: Target, request: ChatRequest) -> HttpRequest:
        """See ``Dialect``."""
        return self.dialect.build(target, request)

    def decoder(self, content_type: str, now: float) -> Decoder:
        """See ``Dialect``."""
        decoder = self.dialect.decoder(content_type, now)
        if isinstance(decoder, StreamDecoder):
            decoder.changes = self.changes
        return decoder

    def classify(self, answer: ErrorAnswer, now: float) -> Failure:
        """See ``Dialect``."""
        return self.dialect.classify(answer, now)
