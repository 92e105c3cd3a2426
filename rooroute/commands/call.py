"""One call of the command line: what was typed, by whom, and the house it is about."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from rooroute.commands.terminal import Terminal
from rooroute.compose import Places, make_backend
from rooroute.errors import RoorouteError

if TYPE_CHECKING:
    from rooroute.application import Backend

T = TypeVar("T")
OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
"""What a shell reports for a program that Ctrl-C ended."""


class WrongUse(RoorouteError):
    """The words typed do not make a command; the message says what is missing."""

    kind = "usage"


@dataclass(frozen=True, slots=True)
class Call:
    """``now`` gives UTC epoch seconds."""

    options: argparse.Namespace
    terminal: Terminal
    places: Places
    environment: Mapping[str, str]
    now: Callable[[], float]

    def visit(self, errand: Callable[[Backend], Awaitable[T]]) -> T:
        """Open the house, do ``errand``, close it. Nothing may be asked of the user meanwhile: Ctrl-C belongs to the loop then."""

        async def there_and_back() -> T:
            backend = await make_backend(self.places, self.environment)
            try:
                await backend.know()
                return await errand(backend)
            finally:
                await backend.close()

        return asyncio.run(there_and_back())
