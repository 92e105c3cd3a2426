"""What a decoder has to tell, in order. Text that follows text becomes one delta: whatever came in one go is delivered in one go."""

from __future__ import annotations

from rooroute.chat import Event, TextDelta


class Outbox:
    """``text`` takes a piece of the answer's text, ``append`` any other event."""

    __slots__ = ("_events", "_words", "text")

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._words: list[str] = []
        self.text = self._words.append  # on the path of every token

    def append(self, event: Event) -> None:
        """One more event."""
        if self._words:
            self._close_text()
        self._events.append(event)

    def seen(self) -> list[Event]:
        """The events so far; they stay."""
        if self._words:
            self._close_text()
        return self._events

    def take(self) -> list[Event]:
        """The events so far; the next one begins anew."""
        words = self._words
        if len(words) == 1 and not self._events:  # one piece of text: how nearly every chunk comes
            text = words.pop()
            return [TextDelta(text)] if text else []
        events, self._events = self.seen(), []
        return events

    def _close_text(self) -> None:
        text = "".join(self._words)
        self._words.clear()
        if text:
            self._events.append(TextDelta(text))
