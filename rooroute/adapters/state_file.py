"""Which database is in use: the file, a fresh one after the old broke, or memory alone. Lives on the state store's writer thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from rooroute.adapters import machine
from rooroute.adapters.state_database import Ailment, Database, Trouble, set_aside
from rooroute.profiles import Problem

T = TypeVar("T")
_LOCK_SECONDS: Final = 1.0
_SENTENCES: Final[dict[Ailment, tuple[str, str]]] = {
    Ailment.LOCKED: (
        "is locked by another process",
        "It is tried again by itself; if this stays, close the window that hangs.",
    ),
    Ailment.UNWRITABLE: ("cannot be written", "Make room on the disk, or make the file and its directory writable."),
    Ailment.CORRUPT: ("is damaged and could not be set aside", "Move it away."),
    Ailment.NEWER: ("was written by a newer rooroute", "Update rooroute in this editor."),
}


class StateFile:
    """The database at ``path`` behind its advisory lock (``path`` + ".lock").

    ``adopted`` is called with a reading connection (None in memory) whenever another database comes into use.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float], adopted: Callable[[Database, Database | None], None]
    ) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._clock = clock
        self._adopted = adopted
        self._database: Database | None = None
        self._key: bytes | None = None  # goes along into the next file, so that marks keep their fingerprints
        self._trouble: Problem | None = None
        self._aside: Problem | None = None
        self._held: int | None = None
        self.holds = 0
        self.stuck = False

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the user should know; empty when all is well."""
        return tuple(problem for problem in (self._trouble, self._aside) if problem)

    @property
    def held(self) -> bool:
        """Whether nobody else can write now."""
        return self._held is not None

    @property
    def in_memory(self) -> bool:
        """Whether nothing reaches the disk."""
        return self._database is not None and self._database.path is None

    def open(self) -> None:
        """Come to a usable database, whatever is wrong with the file."""
        try:
            database, reader = self._connect()
        except (Trouble, OSError) as wrong:
            self._note(wrong)
            if self.in_memory:
                return
            database, reader = Database(None), None
            database.prepare(self._key)
        else:
            self._trouble, self.stuck = None, False
        self.close()
        self._database, self._key = database, database.key()
        self._adopted(database, reader)

    def close(self) -> None:
        self.let_go()
        if self._database is not None:
            self._database.close()
            self._database = None

    def moved(self) -> bool:
        """Whether another process replaced the file that this one has open."""
        database = self._database
        if database is None or database.path is None:
            return False
        try:
            return os.stat(self.path).st_ino != database.inode
        except OSError:
            return True

    def transact(self, work: Callable[[Database], T]) -> T:
        """``work`` in one transaction, alone on this machine. A damaged file is set aside and the work done on a new one.

        Raises Trouble (nothing was written) while the file is locked or cannot be written.
        """
        return self._guarded(self._transact, work)

    def hold(self) -> bool:
        """Keep every other process from writing until ``let_go``; False where somebody is writing, or the file has to be looked after."""
        if self._held is None and not (self.stuck or self.in_memory or self.moved()):
            with contextlib.suppress(OSError):
                self._held = machine.try_file_lock(self._lock_path)
                self.holds += self._held is not None
        return self._held is not None

    def let_go(self) -> None:
        """Let others write again."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def look(self, work: Callable[[Database], T]) -> T:
        """``work``, which only reads, without keeping anybody from writing. Raises as ``transact``."""
        return self._guarded(lambda look: look(self._opened()), work)

    def _guarded(self, run: Callable[[Callable[[Database], T]], T], work: Callable[[Database], T]) -> T:
        try:
            return run(work)
        except Trouble as wrong:
            if wrong.ailment is not Ailment.CORRUPT:
                self._note(wrong)
                raise
        except OSError as wrong:
            raise self._note(wrong) from wrong
        self.open()
        return run(work)

    def recover(self) -> None:
        """Try again what did not work a while ago."""
        if self.in_memory or self.moved():
            self.open()

    def _transact(self, work: Callable[[Database], T]) -> T:
        database = self._opened()
        if database.path is None:
            with database.transaction():
                return work(database)
        with contextlib.ExitStack() as alone:
            if self._held is None:
                alone.enter_context(machine.file_lock(self._lock_path, 0.0 if self.stuck else _LOCK_SECONDS))
            alone.enter_context(database.transaction())
            value = work(database)
        self._trouble, self.stuck = None, False
        return value

    def _opened(self) -> Database:
        if self._database is None or self.moved():
            self.open()
        if self._database is None:
            raise Trouble(Ailment.UNWRITABLE, "it is closed")
        return self._database

    def _connect(self) -> tuple[Database, Database]:
        """Alone if possible: many windows that start at once would else wait for each other by chance. A damaged file is moved away."""
        machine.private_directory(self.path.parent)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(machine.file_lock(self._lock_path, _LOCK_SECONDS))
            except TimeoutError:
                return self._connected()
            try:
                return self._connected()
            except Trouble as wrong:
                if wrong.ailment is not Ailment.CORRUPT:
                    raise
            stamp = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
            away = set_aside(self.path, stamp)
            self._aside = Problem(
                f"The state file was damaged; it now lies at {away}, and cooldowns and statistics began anew.",
                remedy="Delete it when you do not want to look into it.",
            )
            return self._connected()

    def _connected(self) -> tuple[Database, Database]:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        database = Database(self.path)
        try:
            database.prepare(self._key)
            return database, Database(self.path, wait=0.0)
        except Trouble:
            database.close()
            raise

    def _note(self, wrong: Trouble | OSError) -> Trouble:
        if isinstance(wrong, TimeoutError):
            wrong = Trouble(Ailment.LOCKED, str(wrong))
        elif isinstance(wrong, OSError):
            wrong = Trouble(Ailment.UNWRITABLE, wrong.strerror or str(wrong))
        self.stuck = wrong.ailment is Ailment.LOCKED
        what, remedy = _SENTENCES[wrong.ailment]
        self._trouble = Problem(
            f"The state file {self.path} {what} ({wrong}); this window keeps what it learns in memory.", remedy=remedy
        )
        return wrong
