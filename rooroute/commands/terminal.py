"""The user's terminal: what is said, drawn and asked there. What is not a terminal gets plain lines and is never asked anything."""

from __future__ import annotations

import getpass
import json
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO, TypeAlias

from rooroute.demo_screen import Screen
from rooroute.rpc.envelope import encode

_UNSHOWN: Final = {code: "\ufffd" for code in (*range(32), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_ANSI: Final = re.compile(r"(\x1b\[[0-9;]*m)")


@dataclass(frozen=True, slots=True)
class Painted:
    """A piece of text in one of the screen's colours."""

    text: str
    colour: str


Cell: TypeAlias = str | Painted


def harmless(text: str) -> str:
    """``text`` without control characters: a model's answer or a server's error must not steer the terminal."""
    return text.translate(_UNSHOWN)


class Terminal:
    """Answers go to ``out``, remarks to ``err``; questions are asked only where both ends of the conversation are a person."""

    def __init__(self, stdin: TextIO, out: TextIO, err: TextIO, environment: Mapping[str, str]) -> None:
        self.stdin, self.out, self.err = stdin, out, err
        self.screen = Screen(out, environment)
        self._margin = Screen(err, environment)

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to be asked."""
        return self.stdin.isatty() and self.err.isatty()

    @property
    def live_remarks(self) -> bool:
        """Whether a remark can be drawn over the one before it."""
        return self._margin.live

    def say(self, text: str = "") -> None:
        """One line of the answer."""
        self.screen.line(harmless(text))

    def marked(self, mark: str, text: str, indent: int = 0) -> None:
        """One line of the answer behind a mark."""
        self.screen.line(f"{' ' * indent}{mark} {harmless(text)}")

    def remark(self, text: str) -> None:
        """One discreet line beside the answer."""
        self.err.write(self._margin.paint(harmless(text), "grey") + "\n")
        self.err.flush()

    def complain(self, sentence: str) -> None:
        """What went wrong."""
        self.err.write(harmless(sentence) + "\n")
        self.err.flush()

    def redraw_remark(self, text: str) -> None:
        """A remark in place of the last one, without ending its line; empty takes it away. Only where ``live_remarks``."""
        self.err.write("\r\x1b[K" + self._margin.paint(self.fitting(harmless(text)), "grey"))
        self.err.flush()

    def piece(self, text: str) -> None:
        """A piece of an answer as it arrives: harmless to a terminal, untouched to everything else."""
        self.out.write(harmless(text) if self.out.isatty() else text)
        self.out.flush()

    def json(self, value: Any) -> None:
        """A value in protocol spelling."""
        self.out.write(json.dumps(json.loads(encode(value)), indent=2, ensure_ascii=False) + "\n")
        self.out.flush()

    def json_line(self, value: Any) -> None:
        """A value in protocol spelling, as one line of a stream of them."""
        self.out.write(encode(value).decode() + "\n")
        self.out.flush()

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[str]:
        """The lines of a table, columns aligned; on a terminal none is wider than it."""
        plain = [[harmless(_text(cell)).replace("\n", " ") for cell in row] for row in (headings, *rows)]
        widths = [max(map(len, column)) for column in zip(*plain, strict=True)]
        lines = []
        for shown, cells in zip(plain, (headings, *rows), strict=True):
            padded = [text.ljust(width) for text, width in zip(shown, widths, strict=True)]
            painted = [self._paint(text, cell) for text, cell in zip(padded, cells, strict=True)]
            lines.append(self.fitting("  ".join(painted).rstrip()))
        lines[0] = self.screen.paint(lines[0], "grey")
        return lines

    def show(self, lines: Sequence[str]) -> None:
        """Lines that are drawn already."""
        for line in lines:
            self.screen.line(line)

    def ask(self, question: str, default: str = "") -> str:
        """What the user types; ``default`` for an empty line. EOFError when there is nobody any more."""
        self.err.write(f"{question}{f' [{default}]' if default else ''}: ")
        self.err.flush()
        line = self.stdin.readline()
        if not line:
            self.err.write("\n")
            raise EOFError
        return line.strip() or default

    def agrees(self, question: str) -> bool:
        """Whether the user types y or yes; anything else is no."""
        return self.ask(f"{question} (y/N)").lower() in {"y", "yes"}

    def ask_secret(self, question: str) -> str:
        """What the user types, without showing it."""
        return getpass.getpass(f"{question}: ", stream=self.err)

    def wrapped(self, text: str, indent: str = "", colour: str | None = None) -> list[str]:
        """A sentence as lines that fit the terminal; one line elsewhere."""
        plain = indent + harmless(text).replace("\n", " ")
        width = shutil.get_terminal_size().columns - 1
        lines = textwrap.wrap(plain, width, subsequent_indent=indent) if self.screen.live else [plain]
        return [self.screen.paint(line, colour) if colour else line for line in lines]

    def _paint(self, text: str, cell: Cell) -> str:
        return self.screen.paint(text, cell.colour) if isinstance(cell, Painted) else text

    def fitting(self, line: str) -> str:
        """The line cut to the terminal's width; colours take no room."""
        if not self.screen.live:
            return line
        room, kept = shutil.get_terminal_size().columns - 1, []
        for part in _ANSI.split(line):
            if _ANSI.match(part):
                kept.append(part)
            elif len(part) <= room:
                kept.append(part)
                room -= len(part)
            else:
                kept.append(part[: max(0, room - 1)] + "…" if room > 0 else "")
                room = 0
        return "".join(kept)


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Painted) else cell
