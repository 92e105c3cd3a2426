"""What became of every key of a file: nothing is lost in silence.

A reader takes what it knows by name; what nobody asked for is listed at the end. The account names keys and never shows what stood there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

T = TypeVar("T")
Place: TypeAlias = tuple[str, ...]
NO_SETTING: Final = "rooroute has no such setting."
_NAMES: Final = ("name", "model_name", "provider")


@dataclass(frozen=True, slots=True)
class Taken:
    """A key that acts: ``where`` is the profile or pool and the field it went to."""

    key: str
    where: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A key that does not act, and the reason as a sentence."""

    key: str
    reason: str


@dataclass(slots=True)
class Account:
    """Fills while a file is read."""

    _taken: dict[Place, str] = field(default_factory=dict)
    _left: dict[Place, str] = field(default_factory=dict)

    def took(self, place: Place, where: str) -> None:
        """This key, and all below it, acts there. A key may act in several places."""
        self._left.pop(place, None)
        before = self._taken.get(place)
        self._taken[place] = where if before in (None, where) else f"{before}; {where}"

    def leave(self, place: Place, reason: str) -> None:
        """This key, and all below it, does not act."""
        for known in [each for each in self._taken if each[: len(place)] == place]:
            del self._taken[known]
        self._left[place] = reason

    def leave_what_went_to(self, target: str, reason: str) -> None:
        """List every key that acts in nothing but ``target`` (``pool default``), which will not be."""
        for place, where in list(self._taken.items()):
            if where.startswith(f"{target}, ") and ";" not in where:
                self.leave(place, reason)

    def close(self, data: Mapping[str, Any]) -> tuple[tuple[Taken, ...], tuple[LeftOut, ...]]:
        """The account of the whole file, in its order, with every key that nobody asked for."""
        taken: dict[str, Taken] = {}
        left: dict[str, LeftOut] = {}
        for place in leaves(data):
            above = [place[:length] for length in range(1, len(place) + 1)]
            if refused := next((each for each in above if each in self._left), None):
                left[dotted(refused)] = LeftOut(dotted(refused), self._left[refused])
            elif accepted := next((each for each in reversed(above) if each in self._taken), None):
                taken[dotted(accepted)] = Taken(dotted(accepted), self._taken[accepted])
            else:
                left[dotted(place)] = LeftOut(dotted(place), NO_SETTING)
        return tuple(taken.values()), tuple(left.values())


def dotted(place: Place) -> str:
    """A place as it is shown."""
    return ".".join(place)


def leaves(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of everything that has nothing below it; a list of plain values is one."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*place, str(name)))
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for label, inner in zip(labels(value), value, strict=True):
            yield from leaves(inner, (*place, label))
    else:
        yield place


def labels(entries: list[Any]) -> list[str]:
    """What to call each entry of a list: its name, or its number; a name that came before is numbered too."""
    found: list[str] = []
    for number, entry in enumerate(entries, 1):
        named = (entry.get(each) for each in _NAMES) if isinstance(entry, Mapping) else ()
        label = next((each for each in named if isinstance(each, str) and each), f"#{number}")
        found.append(label if label not in found else f"{label} (#{number})")
    return found


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of the file, at its place."""

    data: Mapping[str, Any]
    place: Place
    account: Account

    def take(self, name: str, read: Callable[[Any], T], where: str) -> T | None:
        """The value of that key, which goes to ``where``; None when it is absent or of no use, which is then listed with the ValueError
        of ``read``."""
        if name not in self.data:
            return None
        if self.data[name] is None:
            self.leave(name, "It is empty.")
            return None
        try:
            value = read(self.data[name])
        except ValueError as wrong:
            self.leave(name, str(wrong))
            return None
        self.account.took((*self.place, name), where)
        return value

    def leave(self, name: str, reason: str) -> None:
        """List a key that is there."""
        if name in self.data:
            self.account.leave((*self.place, name), reason)

    def leave_rest(self, reasons: Mapping[str, str]) -> None:
        """List the keys of which more can be said than that there is no such setting."""
        for name, reason in reasons.items():
            self.leave(name, reason)

    def section(self, name: str) -> Section:
        """The mapping below that key; an empty one where there is none."""
        inner = self.data.get(name)
        if inner is not None and not isinstance(inner, Mapping):
            self.leave(name, "It must be a mapping of fields.")
        return Section(inner if isinstance(inner, Mapping) else {}, (*self.place, name), self.account)

    def sections(self, name: str) -> list[Section]:
        """The mappings of the list below that key."""
        inner = self.data.get(name)
        if inner is None:
            return []
        if not isinstance(inner, list):
            self.leave(name, "It must be a list.")
            return []
        found = []
        for label, entry in zip(labels(inner), inner, strict=True):
            if isinstance(entry, Mapping):
                found.append(Section(entry, (*self.place, name, label), self.account))
            else:
                self.account.leave((*self.place, name, label), "It must be a mapping of fields.")
        return found
