"""How the demo looks: plain ANSI where a person watches, plain lines everywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Final, TextIO

_COLOURS: Final = {"green": "32", "yellow": "33", "red": "31", "grey": "90", "bold": "1", "cyan": "36"}
STATE_COLOURS: Final = {"active": "green", "cooldown": "yellow", "failed": "red", "disabled": "grey"}


@dataclass(frozen=True, slots=True)
class Row:
    """One profile as the table shows it. ``left`` is the rest of its cooldown in seconds."""

    name: str
    state: str
    left: float | None = None
    reason: str = ""
    remedy: str = ""

    @property
    def words(self) -> str:
        """The state as a person reads it."""
        if self.state == "cooldown" and self.left is not None:
            seconds = max(0, -int(-self.left // 1))
            return f"Cooldown {seconds // 60:02d}:{seconds % 60:02d}"
        if self.state == "failed":
            return f"Failed: {self.reason}" if self.reason else "Failed"
        return self.state.capitalize()


class Screen:
    """Writes to ``out``. On a terminal tables are redrawn in place; colours obey https://no-color.org."""

    def __init__(self, out: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self.live = out.isatty() and environment.get("TERM", "dumb") != "dumb"
        self._colours = self.live and not environment.get("NO_COLOR")
        self._drawn = 0
        self._column = 0

    def paint(self, text: str, colour: str) -> str:
        """``text`` in a colour, where there are colours."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text

    def title(self, text: str) -> None:
        """A scene begins."""
        self.line()
        self.line(self.paint(f"── {text} ", "bold"))

    def line(self, text: str = "") -> None:
        """One line; a table drawn before it stays."""
        self._drawn = 0
        self._write(("\n" if self._column else "") + text + "\n")
        self._column = 0

    def say(self, piece: str) -> None:
        """A piece of the answer, as it arrives, wrapped at word boundaries."""
        self._drawn = 0
        if self._column == 0:
            self._write("   " + self.paint("│ ", "cyan"))
            self._column, piece = 5, piece.lstrip()
        elif self._column + len(piece) > 76:
            self._write("\n   " + self.paint("│ ", "cyan"))
            self._column, piece = 5, piece.lstrip()
        self._write(piece)
        self._column += len(piece)

    def attempt(self, number: int, name: str, good: bool, words: str) -> None:
        """How one attempt ended."""
        mark = self.paint("✓", "green") if good else self.paint("✗", "red")
        self.line(f"   {mark} attempt {number}  {name:<8}  {words}")

    def table(self, rows: Sequence[Row], last: bool = False) -> None:
        """The pool's states. On a terminal it replaces the table drawn just before; elsewhere only the ``last`` drawing
        is written."""
        lines = [f"   {row.name:<8}  {self._state(row)}" for row in rows]
        lines += [
            f"   {'':<8}  {self.paint(self._clipped(row.remedy, 13), 'grey')}"
            for row in rows
            if row.remedy and row.state == "failed"
        ]
        self.redraw(lines, last)

    def redraw(self, lines: Sequence[str], last: bool = False) -> None:
        """A picture in place of the one drawn just before, where there is a terminal; elsewhere only the ``last`` is
        written. No line may be wider than the terminal."""
        if not self.live and not last:
            return
        if self._drawn:
            self._write(f"\x1b[{self._drawn}F\x1b[J")
        self._write(("\n" if self._column else "") + "\n".join(lines) + "\n")
        self._drawn, self._column = len(lines), 0

    def _state(self, row: Row) -> str:
        colour = STATE_COLOURS.get(row.state, "grey")
        if row.state != "cooldown" or not row.reason:
            return self.paint(self._clipped(row.words, 13), colour)
        return f"{self.paint(f'{row.words:<16}', colour)}  {self.paint(self._clipped(row.reason, 31), 'grey')}"

    def _clipped(self, text: str, before: int) -> str:
        """``text`` cut to the terminal's width, ``before`` columns of which are taken: a line that wraps cannot be
        redrawn."""
        room = get_terminal_size().columns - before - 1 if self.live else len(text)
        return text if len(text) <= room else text[: max(0, room - 1)] + "…"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
