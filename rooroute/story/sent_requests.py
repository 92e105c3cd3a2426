"""The exact requests that went out for the latest few requests of a window, for whoever asks why: in memory only and not for long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rooroute.providers.dialect import HttpRequest

_REMEMBERED: Final = 20


class SentRequests:
    """One window's, by request id."""

    def __init__(self) -> None:
        self._kept: dict[str, list[HttpRequest]] = {}

    def keep(self, request_id: str, message: HttpRequest) -> None:
        """This one went out; the oldest request's are forgotten."""
        self._kept.setdefault(request_id, []).append(message)
        while len(self._kept) > _REMEMBERED:
            del self._kept[next(iter(self._kept))]

    def of(self, request_id: str) -> Sequence[HttpRequest]:
        """What went out for this request, in order."""
        return self._kept.get(request_id, ())
