"""What all windows of this machine have learnt: read from memory, changed in short transactions by one writer thread per process.

A healthy request costs no disk write before its first token: reads come from a picture that is renewed when the database's version moved,
and what can wait is written in batches. When the file cannot be used, routing goes on in memory and ``problems`` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from rooroute.adapters import machine
from rooroute.adapters.state_counters import StateCounters
from rooroute.adapters.state_database import Database, Trouble, attempt_records
from rooroute.adapters.state_file import StateFile
from rooroute.adapters.state_picture import Batch, Picture, Unsaved, Window, applied, summed, what_still_holds
from rooroute.adapters.writer_thread import Busy, WriterThread
from rooroute.errors import RoorouteError
from rooroute.ledger import AttemptRecord
from rooroute.profiles import Problem
from rooroute.routing.limits import Count, Counters
from rooroute.routing.marks import Change, ProbeLease, Snapshot
from rooroute.routing.noticed import Notice
from rooroute.routing.times import ahead, set_back

T = TypeVar("T")
_CLOSE_SECONDS: Final = 1.5
_FLUSH_SECONDS: Final = 0.5
_SOON_SECONDS: Final = 0.01
_REOPEN_POLLS: Final = 20
_FLUSHES_PER_SWEEP: Final = 100
_DAY: Final = 86400.0
ATTEMPTS_KEPT: Final = 100_000
REQUESTS_KEPT: Final = 2_000
_ATTEMPT_DAYS: Final = 90
_REQUEST_DAYS: Final = 7
_PENDING_MOST: Final = 10_000


class StateStore:
    """The learnt state, shared through the file ``path``.

    ``identity`` names this process (``machine.identity``) and begins the owner of its leases (``identity`` or ``identity/anything``);
    leases of owners that are not ``alive`` are left out of every picture. ``ledger_days`` is how long attempts are kept. ``clock`` gives
    UTC epoch seconds. All methods but ``open``
    belong to the event loop's thread; call ``open`` in a worker thread before anything else.
    """

    def __init__(
        self,
        path: Path,
        identity: str,
        *,
        clock: Callable[[], float],
        version: str = "",
        alive: Callable[[str], bool] = machine.is_alive,
    ) -> None:
        self._clock = clock
        self._alive = alive
        self._identity = identity
        self._window = Window(identity, version, clock(), clock())
        self._file = StateFile(path, clock, self._adopt)
        self._counters = StateCounters(self._file, identity, clock, alive)
        self._guard = threading.Lock()  # held for moments only; what follows belongs to it
        self._reader: Database | None = None
        self._picture = Picture()
        self._unsaved: list[Unsaved] = []  # replaced, never changed
        self._saving: list[Unsaved] = []  # the writer thread's: those of them that its transaction writes
        self._pending = Batch(window=self._window)
        self._writing = Batch()
        self._selected: dict[str, float] = {}
        self._view = Snapshot(last_selected=self._selected)
        self._key = b""
        self._writer = WriterThread(self._let_go)
        self._flush_due = False
        self._flushes = 0
        self.ledger_days = _ATTEMPT_DAYS
        self._polls = 0
        self._looked = False
        self._told: tuple[Snapshot, frozenset[tuple[str, str, str]]] | None = None
        self._watchers: list[Callable[[], None]] = []

    # --- life ---

    def open(self) -> None:
        """Open or make the file. Never fails: what is wrong stands in ``problems``. Blocks for up to two seconds."""
        self._writer.start()
        self._writer.submit(self._file.open).result()
        self._writer.submit(self._flush).result()
        if self._clock_was_ahead(self.snapshot()):
            self._writer.submit(self._set_back).result()
        self.poll()

    async def close(self) -> None:
        """Write what is pending, take back this window's leases and its entry, and end the writer."""
        if not self._writer.takes_jobs:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(self._writer.submit(self._say_goodbye)), _CLOSE_SECONDS)
        self._writer.end()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the user should know about this file; empty when all is well."""
        return self._file.problems

    def fingerprint(self, text: str) -> str:
        """A keyed hash of a credential: equal for equal keys on this machine, and of no use to anybody else."""
        return hashlib.blake2b(text.encode("utf-8", "replace"), key=self._key, digest_size=12).hexdigest()

    # --- reading ---

    def snapshot(self) -> Snapshot:
        """The current picture. Never waits: while another window writes, the last one. It is looked for once in a turn of the loop, and
        not while this window keeps the others from writing."""
        reader = self._reader
        if reader is not None and not self._looked and not self._file.held:
            self._look_again_next_turn()
            with self._guard, contextlib.suppress(Trouble):
                if reader is self._reader and (fresh := reader.fresh_picture(self._picture)) is not None:
                    self._show(fresh)
        return self._view

    def last_snapshot(self) -> Snapshot:
        """What ``snapshot`` gave last, with what this window changed since."""
        return self._view

    def _look_again_next_turn(self) -> None:
        with contextlib.suppress(RuntimeError):  # outside a loop every look is a new one
            asyncio.get_running_loop().call_soon(self._forget_look)
            self._looked = True

    def _forget_look(self) -> None:
        self._looked = False

    def approved(self, profile_id: str, slot: str) -> str | None:
        """The origin this slot of this profile was approved for, or None."""
        self.snapshot()
        return next((o for p, s, o in self._picture.approvals if (p, s) == (profile_id, slot)), None)

    def poll(self) -> bool:
        """Whether anything shared changed since the last poll; tells the watchers. Call every 250 ms."""
        self._polls += 1
        if self._file.moved() or (self._file.in_memory and self._polls % _REOPEN_POLLS == 0):
            self._writer.submit(self._file.recover)
        if self._unsaved or self._file.stuck:
            self._writer.submit(self._save_late)
        view = self.snapshot()
        if not all(self._owner_lives(lease) for lease in view.leases.values()):
            with self._guard:
                self._show(self._picture)
            view = self._view
        if self._clock_was_ahead(view):
            self._writer.submit(self._set_back)
        seen = (view, self._picture.approvals)
        changed = self._told is not None and self._told != seen
        self._told = seen
        for watcher in self._watchers if changed else ():
            watcher()
        return changed

    def watch(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` from ``poll`` whenever something changed."""
        self._watchers.append(callback)

    # --- changing ---

    async def update(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        """Run ``decide`` on fresh data and write its change in the same transaction; then its second value.

        It runs on the writer thread, perhaps more than once, and must only decide. What it changed is in ``snapshot`` when this returns.
        An empty change writes nothing. Without a usable file it works on this window's own picture. A caller that is cancelled
        meanwhile does not undo it.
        """
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(lambda: self._update(decide))))

    async def update_now(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        """As ``update``, for who has a request to send: where nobody is writing, nobody else may until this is written, 10 ms later.

        So it holds for the whole machine at once, and the disk and two switches of threads are paid while the request is on its way. A
        crash before it is written loses it, and with it the request that it was for.
        """
        with contextlib.suppress(Busy, Trouble):
            return self._writer.here(lambda: self._decide_alone(decide))
        return await self.update(decide)

    def _decide_alone(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        if not self._file.hold() or self._reader is None:
            raise Busy
        asyncio.get_running_loop().call_later(_SOON_SECONDS, self._save_soon)
        with self._guard:
            if (fresh := self._reader.fresh_picture(self._picture)) is not None:
                self._show(fresh)
        view = self._view
        change, value = decide(view)  # without the guard: it may look at the picture itself
        with self._guard:
            self._defer(view, change, self._file.holds)
        return value

    def update_soon(self, decide: Callable[[Snapshot], tuple[Change, object]]) -> bool:
        """Decide on the picture at hand and show the change here at once; it is written, and other windows see it, 10 ms later.

        For what can be learnt again: a crash before it is written loses it, and what another window changed meanwhile stands, unless
        this makes a rest longer. At once, the writer thread would take its time from the request that goes on. Gives whether there was
        anything to change.
        """
        view = self._view
        change, _ = decide(view)  # without the guard: it may look at the picture itself
        with self._guard:
            self._defer(view, change)
        if change:
            asyncio.get_running_loop().call_later(_SOON_SECONDS, self._save_soon)
        return bool(change)

    def _save_soon(self) -> None:
        if self._unsaved or self._file.held:
            self._writer.submit(self._save_late)

    async def save(self) -> None:
        """Return when what ``update_soon`` changed is written, or could not be and waits."""
        if self._unsaved:
            await asyncio.shield(asyncio.wrap_future(self._writer.submit(self._save_late)))

    def note_selected(self, profile_id: str, at: float) -> None:
        """``profile_id`` was chosen at ``at``: visible here at once, in other windows within a second."""
        with self._guard:
            self._pending.selected[profile_id] = max(at, self._pending.selected.get(profile_id, at))
            self._selected[profile_id] = (
                at  # in the view itself: copying ten thousand names costs more than choosing among them
            )
        self._flush_soon()

    def note_working(self, pool_id: str, profile_id: str) -> None:
        """``profile_id`` answered for this pool: visible here at once, in other windows within a second."""
        if self._view.last_working.get(pool_id) == profile_id:
            return
        with self._guard:
            self._pending.working[pool_id] = profile_id
            self._view = replace(self._view, last_working={**self._view.last_working, pool_id: profile_id})
        self._flush_soon()

    def note_notice(self, notice: Notice) -> None:
        """Keep what was noticed: other windows are told within a second."""
        with self._guard:
            self._pending.notices.append(notice)
        self._flush_soon()

    async def notices(self) -> list[Notice]:
        """What all windows have noticed, oldest first; what this one could not write yet comes last."""
        found = await self._read(lambda db: db.notices(self._clock()))
        with self._guard:
            return [*found, *self._writing.notices, *self._pending.notices]

    def record_attempt(self, record: AttemptRecord) -> None:
        """Keep one attempt for the statistics; written within half a second."""
        with self._guard:
            self._pending.attempts.append(record)
            del self._pending.attempts[:-_PENDING_MOST]
        self._flush_soon()

    def record_request(self, request_id: str, at: float, document: Mapping[str, Any]) -> None:
        """Keep how one request was routed, as a JSON document the caller has redacted; written within half a second."""
        with self._guard:
            self._pending.requests[request_id] = (at, document)
        self._flush_soon()

    async def count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        """Run ``decide`` on the fresh counters of ``holders`` and add what it says in the same transaction; then its second value.

        As ``update``; without a usable file it works on this window's own counters.
        """
        return await asyncio.shield(asyncio.wrap_future(self._writer.submit(lambda: self._count(holders, decide))))

    def note_count(self, count: Count) -> None:
        """Add to the counters within a second."""
        with self._guard:
            self._pending.count = summed(self._pending.count, count)
        self._flush_soon()

    async def counters(self) -> Counters:
        """What all windows have taken."""
        return self._counters.of_the_living(await self._read(lambda db: db.counters(())))

    def heartbeat(self) -> None:
        """Say that this window lives; call every ten seconds or so."""
        with self._guard:
            self._pending.window = self._window = replace(self._window, heartbeat=self._clock())
        self._flush_soon()

    async def approve(self, profile_id: str, slot: str, origin: str) -> None:
        """The user agreed that this slot goes to ``origin``; an earlier approval of the slot ends."""
        await self._write(lambda db: db.approve(profile_id, slot, origin, self._clock()))

    async def withdraw(self, profile_id: str, slot: str | None = None) -> None:
        """End the approval of a slot, or of all slots of the profile."""
        await self._write(lambda db: db.withdraw(profile_id, slot))

    async def rename_profile(self, old: str, new: str) -> None:
        """What was learnt of its attempts and what rests or has failed, and what was taken of its limits, is told under the new id from now on."""
        self._writer.submit(self._flush)
        await self._write(lambda db: db.rename_profile(old, new))

    async def put_intent(self, name: str, document: Mapping[str, Any]) -> None:
        """Write down what is about to be done in several steps, so that the next start can finish or undo it."""
        await self._write(lambda db: db.put_intent(name, {**document, "owner": self._identity}))

    async def drop_intent(self, name: str) -> None:
        """It is done."""
        await self._write(lambda db: db.drop_intent(name))

    # --- questions ---

    async def intents(self) -> dict[str, dict[str, Any]]:
        """What was begun and not finished, by name; ``ownerLives`` tells whether the window that began it still runs."""
        found = await self._read(lambda db: db.intents())
        return {
            name: {**document, "ownerLives": self._alive(str(document.get("owner")))}
            for name, document in found.items()
        }

    async def attempts(self, since: float = 0.0, limit: int = ATTEMPTS_KEPT) -> list[AttemptRecord]:
        """Attempts sent at or after ``since``, oldest first, at most the latest ``limit``."""
        rows = await self._read(lambda db: db.attempts(since, limit))
        return await asyncio.to_thread(
            attempt_records, rows
        )  # a hundred thousand take a second, which the writer does not have

    async def request(self, request_id: str) -> dict[str, Any] | None:
        """The routing record of one request, or None."""
        found = await self._read(lambda db: db.requests(request_id, 1))
        return found[0] if found else None

    async def latest_requests(self, limit: int = 1) -> list[dict[str, Any]]:
        """The latest routing records, newest first."""
        return await self._read(lambda db: db.requests(None, limit))

    async def windows(self) -> list[Window]:
        """The servers that wrote here and did not say goodbye; a dead one's entry is removed on the way."""
        found = await self._read(lambda db: db.windows())
        dead = [window.identity for window in found if not self._alive(window.identity)]
        if dead:
            await self._write(lambda db: db.remove_windows(dead))
        return [window for window in found if window.identity not in dead]

    # --- the picture ---

    def _adopt(self, database: Database, reader: Database | None) -> None:
        """Another database came into use: show it, and bring along what only this window knows."""
        if approvals := self._picture.approvals:
            with contextlib.suppress(Trouble), database.transaction():
                database.approve_as_before(approvals, self._clock())
        with database.transaction(write=False):
            key, picture = database.key(), database.picture(Picture())
        with self._guard:
            if self._view.marks:
                self._unsaved = [Unsaved(Snapshot(), Change(put_marks=tuple(self._view.marks.values())))]
            if self._reader is not None:
                self._reader.close()
            self._key, self._reader = key, reader
            self._show(picture)

    def _show(self, picture: Picture) -> None:
        """Make ``picture``, and what is not yet in it, the view. The caller holds the guard."""
        self._picture = picture
        view = picture.snapshot
        for late in self._unsaved:
            view = applied(view, late.change)
        self._view = self._completed(view)
        self._selected = dict(self._view.last_selected)
        self._view = replace(self._view, last_selected=self._selected)

    def _completed(self, snapshot: Snapshot) -> Snapshot:
        """With what this window has not written yet, and without the leases of the dead."""
        selected = {**self._writing.selected, **self._pending.selected}
        working = {**self._writing.working, **self._pending.working}
        return replace(
            snapshot,
            leases={key: lease for key, lease in snapshot.leases.items() if self._owner_lives(lease)},
            last_selected={
                **snapshot.last_selected,
                **{profile: max(at, snapshot.last_selected.get(profile, at)) for profile, at in selected.items()},
            },
            last_working={**snapshot.last_working, **working},
        )

    def _owner_lives(self, lease: ProbeLease) -> bool:
        owner = lease.owner.partition("/")[0]
        return owner == self._identity or self._alive(owner)

    def _clock_was_ahead(self, view: Snapshot) -> bool:
        made = (mark.since for mark in view.marks.values())
        latest = max(max(made, default=0.0), max(view.last_selected.values(), default=0.0))
        return ahead(latest, self._clock())

    # --- the writer thread ---

    def _let_go(self) -> None:
        self._file.close()
        with self._guard:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _update(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        try:
            return self._transact(lambda db: self._decide(db, decide))
        except Trouble:
            base = self._view
            change, value = decide(base)
            with self._guard:
                self._defer(base, change)
            return value

    def _defer(self, base: Snapshot, change: Change, hold: int = 0) -> None:
        """Show now what is written later; ``hold`` numbers the time in which nobody else could write. The caller holds the guard."""
        if change:
            self._unsaved = [*self._unsaved, Unsaved(base, change, hold)]
            self._view = applied(self._view, change)

    def _count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        with self._guard:
            late, self._pending.count = self._pending.count, Count()
        return self._counters.take(holders, late, decide)

    def _decide(self, database: Database, decide: Callable[[Snapshot], tuple[Change, T]]) -> tuple[Picture, T]:
        picture = database.picture(self._picture)
        snapshot = picture.snapshot
        self._saving = self._unsaved
        for late in self._saving:
            sure = self._file.held and late.hold == self._file.holds
            if still_true := late.change if sure else what_still_holds(snapshot, late.base, late.change):
                database.write_change(still_true)
                snapshot = applied(snapshot, still_true)
        change, value = decide(self._completed(snapshot))
        if change:
            database.write_change(change)
            snapshot = applied(snapshot, change)
        return replace(picture, snapshot=snapshot), value

    def _transact(self, work: Callable[[Database], tuple[Picture, T]]) -> T:
        """``work`` in a transaction that also saves what could not be saved earlier; shows the picture that it left."""
        picture, value = self._file.transact(work)
        with self._guard:
            saved = {id(each) for each in self._saving}
            self._unsaved, self._saving = [each for each in self._unsaved if id(each) not in saved], []
            known = self._picture
            newer = picture.snapshot.revision >= known.snapshot.revision and picture.touched >= known.touched
            self._show(picture if newer else known)
        return value

    def _save_late(self) -> None:
        try:
            with contextlib.suppress(Trouble):
                self._transact(lambda db: self._decide(db, lambda _: (Change(), None)))
        finally:
            self._file.let_go()

    def _set_back(self) -> None:
        """Bring what a clock that was ahead wrote to this side of now, once and for all windows."""

        def work(database: Database) -> tuple[Picture, None]:
            now = self._clock()
            database.set_selections_back(now)
            return self._decide(database, lambda known: (Change(put_marks=set_back(known.marks.values(), now)), None))

        with contextlib.suppress(Trouble):
            self._transact(work)

    async def _write(self, work: Callable[[Database], None]) -> None:
        def write(database: Database) -> tuple[Picture, None]:
            work(database)
            return self._decide(database, lambda _: (Change(), None))

        try:
            await asyncio.shield(asyncio.wrap_future(self._writer.submit(lambda: self._transact(write))))
        except Trouble as wrong:
            raise RoorouteError(f"The state file cannot be written now ({wrong}); try again.") from wrong

    async def _read(self, work: Callable[[Database], T]) -> T:
        def read() -> T:
            self._flush()
            return self._file.look(work)

        try:
            return await asyncio.wrap_future(self._writer.submit(read))
        except Trouble as wrong:
            raise RoorouteError(f"The state file cannot be read now ({wrong}); try again.") from wrong

    def _flush_soon(self) -> None:
        if not self._flush_due:
            with contextlib.suppress(RuntimeError):  # outside a loop it waits for the next question or for close
                asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._start_flush)
                self._flush_due = True

    def _start_flush(self) -> None:
        self._flush_due = False
        self._writer.submit(self._flush)

    def _flush(self) -> None:
        with self._guard:
            batch, self._pending = self._pending, Batch()
            self._writing = batch
        if not batch:
            return
        try:
            self._file.transact(lambda db: self._write_batch(db, batch))
        except Trouble:
            with self._guard:
                self._pending = batch.then(self._pending, _PENDING_MOST)
        finally:
            with self._guard:
                self._writing = Batch()

    def _write_batch(self, database: Database, batch: Batch) -> None:
        database.write_batch(batch, self._identity)
        now = self._clock()
        if self._flushes % _FLUSHES_PER_SWEEP == 0:
            database.forget_counters(now)
            database.forget_notices(now)
        # The first batch opens the file, when ``ledger_days`` is not the user's yet.
        if self._flushes % _FLUSHES_PER_SWEEP == 1:
            database.forget_old(now - self.ledger_days * _DAY, ATTEMPTS_KEPT, now - _REQUEST_DAYS * _DAY, REQUESTS_KEPT)
        self._flushes += 1

    def _say_goodbye(self) -> None:
        self._flush()
        mine = tuple(key for key, lease in self._view.leases.items() if lease.owner.partition("/")[0] == self._identity)
        self._update(lambda _: (Change(drop_leases=mine), None))
        with contextlib.suppress(Trouble):
            self._file.transact(self._sign_off)

    def _sign_off(self, database: Database) -> None:
        database.remove_windows([self._identity])
        database.forget_counters(self._clock(), [self._identity])
