"""What the configuration said before: a copy of the file for every change, by whoever made it, so that any can be looked at and undone."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rooroute.adapters import machine

_NAME: Final = re.compile(r"(\d{13})-([0-9a-f]{24})\.yaml")
_MOST: Final = 500
_MOST_BYTES: Final = 16_000_000
_LARGEST: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One copy. ``at`` is when it became the configuration (UTC epoch seconds), ``revision`` the hash of its bytes."""

    at: float
    revision: str
    path: Path

    def text(self) -> str:
        """What the file said. Raises OSError when the copy is gone."""
        return machine.read_regular(self.path, _LARGEST).decode("utf-8", errors="replace")


def folder_for(config: Path, state: Path) -> Path:
    """Where the copies of this configuration file lie, beside the state file at ``state``."""
    name = hashlib.blake2b(str(config).encode(), digest_size=8).hexdigest()
    return state.parent / "history" / name


class ConfigHistory:
    """The copies in ``folder``, readable by this user alone: the newest ``most``, and 16 MB at most. ``now`` gives UTC epoch seconds."""

    def __init__(self, folder: Path, now: Callable[[], float], most: int = _MOST) -> None:
        self._folder = folder
        self._now = now
        self._most = most

    def keep(self, raw: bytes, revision: str) -> None:
        """Keep a copy of what the configuration says from now on, unless it is the newest already. A full disk costs the copy, nothing else."""
        with contextlib.suppress(OSError):
            newest = max(self._every(), default=None)
            if newest is not None and newest[1] == revision:
                return
            machine.private_directory(self._folder)
            stamp = max(int(self._now() * 1000), newest[0] + 1 if newest else 0)
            machine.replace_file(self._folder / f"{stamp:013d}-{revision}.yaml", raw, durable=False)
            self._forget_oldest()

    def entries(self) -> list[Kept]:
        """The copies, the newest first; two windows that saw one change made one."""
        found: list[Kept] = []
        for stamp, revision, path in sorted(self._every()):
            if not found or found[-1].revision != revision:
                found.append(Kept(stamp / 1000, revision, path))
        return found[::-1]

    def _every(self) -> list[tuple[int, str, Path]]:
        try:
            names = list(self._folder.iterdir())
        except OSError:
            return []
        return [(int(told[1]), told[2], path) for path in names if (told := _NAME.fullmatch(path.name))]

    def _forget_oldest(self) -> None:
        size = 0
        for number, (_, _, path) in enumerate(sorted(self._every(), reverse=True), 1):
            with contextlib.suppress(OSError):
                size += path.stat().st_size
                if number > 1 and (number > self._most or size > _MOST_BYTES):
                    path.unlink()
