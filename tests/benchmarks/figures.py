"""What is measured, and how two measurements become a ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Measured:
    """One side of one round, in seconds. ``first`` and ``total`` are per request; ``cpu`` is the process's own, all
    threads."""

    first: list[float]
    total: list[float]
    wall: float
    cpu: float
    characters: int


@dataclass(frozen=True, slots=True)
class Round:
    """Both sides of one round, in the same ``unit``, and how many cores strangers used meanwhile (None: not looked at)."""

    bare: float
    ours: float
    foreign: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the report. Ratios are taken within a round; the median of rounds is shown. ``goal`` is the most it
    may be."""

    name: str
    unit: str
    rounds: Sequence[Round]
    goal: float
    absolute: bool = False

    @property
    def value(self) -> float:
        """The ratio, or our own figure where there is nothing to compare it with."""
        return median(r.ours if self.absolute else r.ours / r.bare for r in self.rounds)

    @property
    def reached(self) -> bool:
        return self.value <= self.goal

    def cells(self) -> list[str]:
        """Name, bare, ours, ratio, goal, reached, foreign."""
        bare = "" if self.absolute else f"{median(r.bare for r in self.rounds):.2f} {self.unit}"
        ratio = "" if self.absolute else f"{self.value:.2f}"
        goal = f"{self.goal:g}{' ' + self.unit if self.absolute else ''}"
        ours = f"{median(r.ours for r in self.rounds):.2f} {self.unit}"
        known = [r.foreign for r in self.rounds if r.foreign is not None]
        foreign = f"{median(known):.2f}" if known else ""
        return [self.name, bare, ours, ratio, goal, "yes" if self.reached else "NO", foreign]


HEADINGS = ["", "bare httpx", "rooroute", "ratio", "at most", "reached", "cores used by others"]


def table(figures: Sequence[Figure]) -> str:
    """The report as Markdown."""
    rows = [HEADINGS, ["--"] * len(HEADINGS), *(figure.cells() for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
