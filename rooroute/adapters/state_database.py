"""The one room of SQLite: the tables of what the machine has learnt, and what can go wrong with them as one exception.

Rollback journal, not WAL: before SQLite 3.51.3 several processes could corrupt a WAL file (https://www.sqlite.org/wal.html#walresetbug),
and Python ships older ones. ``synchronous=OFF`` survives kill -9; after a power cut a broken file is set aside and learnt again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from rooroute.adapters.state_picture import Batch, Picture, Window
from rooroute.ledger import AttemptRecord
from rooroute.outcome import Fault, Scope
from rooroute.routing.limits import Count, Counters
from rooroute.routing.marks import Change, Checked, Mark, MarkKey, MarkState, ProbeLease, Snapshot
from rooroute.routing.noticed import NOTICES_KEPT, Notice, NoticeKind, kept_since, said

VERSION: Final = 1
_BUSY_SECONDS: Final = 1.0
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE marks (scope TEXT, holder TEXT, model TEXT, body TEXT, PRIMARY KEY (scope, holder, model)) WITHOUT ROWID;
CREATE TABLE leases (scope TEXT, holder TEXT, model TEXT, owner TEXT, expires REAL, generation INTEGER,
                     PRIMARY KEY (scope, holder, model)) WITHOUT ROWID;
CREATE TABLE selected (profile_id TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;
CREATE TABLE working (pool_id TEXT PRIMARY KEY, profile_id TEXT) WITHOUT ROWID;
CREATE TABLE approvals (profile_id TEXT, slot TEXT, origin TEXT, at REAL, PRIMARY KEY (profile_id, slot, origin)) WITHOUT ROWID;
CREATE TABLE windows (identity TEXT PRIMARY KEY, version TEXT, started REAL, heartbeat REAL) WITHOUT ROWID;
CREATE TABLE intents (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
CREATE TABLE attempts (id INTEGER PRIMARY KEY, at REAL, request_id TEXT, body TEXT);
CREATE INDEX attempts_by_time ON attempts (at);
CREATE TABLE requests (request_id TEXT PRIMARY KEY, at REAL, body TEXT);
CREATE INDEX requests_by_time ON requests (at);
"""
_USED: Final = """
SELECT holder, measure, span, bucket, used FROM counters WHERE ?1 = '[]' OR holder IN (SELECT value FROM json_each(?1))
"""
_PLACES: Final = "SELECT holder, owner, held FROM places WHERE ?1 = '[]' OR holder IN (SELECT value FROM json_each(?1))"
_ADDED: Final = """
CREATE TABLE IF NOT EXISTS counters (holder TEXT, measure TEXT, span TEXT, bucket INTEGER, used REAL, expires REAL,
                                     PRIMARY KEY (holder, measure, span, bucket)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places (holder TEXT, owner TEXT, held INTEGER, PRIMARY KEY (holder, owner)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS checks (profile_id TEXT PRIMARY KEY, at REAL, body TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS notices (kind TEXT, about TEXT, profile_id TEXT, at REAL, body TEXT,
                                    PRIMARY KEY (kind, about, profile_id)) WITHOUT ROWID;
"""
_RENAMED_ATTEMPTS: Final = """
UPDATE attempts SET body = json_set(body, '$.profile_id', ?2) WHERE json_extract(body, '$.profile_id') = ?1
"""
_RENAMED_MARKS: Final = """
UPDATE marks SET body = json_set(body, '$.profile_id', ?2) WHERE json_extract(body, '$.profile_id') = ?1
"""
_RENAMED_HOLDERS: Final = "UPDATE OR REPLACE marks SET holder = ? WHERE scope = ? AND holder = ?"
_RENAMED_COUNTERS: Final = """
INSERT INTO counters SELECT ?2, measure, span, bucket, used, expires FROM counters WHERE holder = ?1
ON CONFLICT DO UPDATE SET used = used + excluded.used, expires = max(expires, excluded.expires)
"""
_NOTICES: Final = """
SELECT kind, about, profile_id, at, body FROM notices WHERE kind=? AND at >= ? ORDER BY at DESC LIMIT ?
"""
_CROWDED_OUT: Final = """
DELETE FROM notices WHERE kind=?1 AND at < (SELECT at FROM notices WHERE kind=?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)
"""
_CHECK_SECONDS: Final = 7 * 86400.0  # for which the result of a health check is kept after the last one


class Ailment(StrEnum):
    LOCKED = "locked"
    UNWRITABLE = "unwritable"
    CORRUPT = "corrupt"
    NEWER = "newer"


class Trouble(Exception):
    """The database cannot do what was asked. ``ailment`` says which of the four things that call for different answers it is."""

    def __init__(self, ailment: Ailment, detail: str) -> None:
        super().__init__(detail)
        self.ailment = ailment


# Primary result codes, https://www.sqlite.org/rescode.html; whatever is not listed counts as unwritable.
_AILMENTS: Final[Mapping[int, Ailment]] = {
    sqlite3.SQLITE_BUSY: Ailment.LOCKED,
    sqlite3.SQLITE_LOCKED: Ailment.LOCKED,
    sqlite3.SQLITE_CORRUPT: Ailment.CORRUPT,
    sqlite3.SQLITE_NOTADB: Ailment.CORRUPT,
}


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as wrong:
        code = getattr(wrong, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        raise Trouble(_AILMENTS.get(code, Ailment.UNWRITABLE), str(wrong)) from wrong


class Database:
    """One connection. Not shared between threads without a lock; ``path`` None keeps everything in memory."""

    def __init__(self, path: Path | None, *, wait: float = _BUSY_SECONDS) -> None:
        self.path = path
        self._seen = -1
        with _translated():
            self._sql = sqlite3.connect(
                path or ":memory:", timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._sql.execute("PRAGMA synchronous=OFF")
            self._sql.execute(
                f"PRAGMA busy_timeout={int(wait * 1000)}"
            )  # only now: the line above already reads the file
        self.inode = path.stat().st_ino if path else 0

    def prepare(self, key: bytes | None = None) -> None:
        """Check the file and make the tables that a new one lacks, with ``key`` for its fingerprints (None: a random one).

        Trouble NEWER for a later version's file, which is left alone.
        """
        with _translated():
            verdict = self._sql.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise Trouble(Ailment.CORRUPT, str(verdict))
        if self._version() == 0:
            with self.transaction():
                if self._version() == 0:
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        self._sql.execute(statement)
                    first = [("key", key or secrets.token_bytes(32)), ("revision", 0), ("touched", 0)]
                    self._sql.executemany("INSERT INTO meta VALUES (?, ?)", first)
                    self._sql.execute(f"PRAGMA user_version={VERSION}")
        if self._version() > VERSION:
            raise Trouble(Ailment.NEWER, "a newer rooroute wrote it")
        with _translated():
            complete = self._sql.execute("SELECT count(*) FROM sqlite_master WHERE name='notices'").fetchone()[0]
        if not complete:
            with self.transaction():
                for statement in filter(str.strip, _ADDED.split(";")):
                    self._sql.execute(statement)

    def _version(self) -> int:
        with _translated():
            return int(self._sql.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        with contextlib.suppress(Trouble), _translated():
            self._sql.close()

    @contextlib.contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[None]:
        """All or nothing; a write waits for others at its beginning, never in its middle."""
        with _translated():
            self._sql.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield
                self._sql.execute("COMMIT")
            finally:
                if self._sql.in_transaction:
                    self._sql.execute("ROLLBACK")

    def key(self) -> bytes:
        """The random key of this file's fingerprints."""
        with _translated():
            return bytes(self._meta("key"))

    def _meta(self, name: str) -> Any:
        row = self._sql.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        if row is None:
            raise Trouble(Ailment.CORRUPT, f"meta lacks {name}")
        return row[0]

    def fresh_picture(self, known: Picture) -> Picture | None:
        """What changed since the last look of this connection; None when another connection wrote nothing meanwhile."""
        with _translated():
            version = self._sql.execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen:
            return None
        with self.transaction(write=False):
            picture = self.picture(known)
        self._seen = version
        return picture

    def picture(self, known: Picture) -> Picture:
        """The shared tables, inside a transaction; ``known`` itself when its counters still hold. Rows nobody can read are left out."""
        with _translated():
            revision, touched = int(self._meta("revision")), int(self._meta("touched"))
            if (revision, touched) == (known.snapshot.revision, known.touched) and revision:
                return known
            marks = [_mark(*row) for row in self._sql.execute("SELECT scope, holder, model, body FROM marks")]
            leases = [
                _lease(*row)
                for row in self._sql.execute("SELECT scope, holder, model, owner, expires, generation FROM leases")
            ]
            snapshot = Snapshot(
                marks={mark.key: mark for mark in marks if mark is not None},
                leases={lease.key: lease for lease in leases if lease is not None},
                last_selected=dict(self._sql.execute("SELECT profile_id, at FROM selected")),
                last_working=dict(self._sql.execute("SELECT pool_id, profile_id FROM working")),
                revision=revision,
                checks={
                    each.profile_id: each
                    for (body,) in self._sql.execute("SELECT body FROM checks")
                    if (each := _checked(body)) is not None
                },
            )
            approvals = frozenset(self._sql.execute("SELECT profile_id, slot, origin FROM approvals"))
        return Picture(snapshot, approvals, touched)

    def write_change(self, change: Change) -> None:
        with _translated():
            self._sql.executemany(
                "DELETE FROM marks WHERE scope=? AND holder=? AND model=?", [_row(key) for key in change.drop_marks]
            )
            self._sql.executemany(
                "DELETE FROM leases WHERE scope=? AND holder=? AND model=?", [_row(key) for key in change.drop_leases]
            )
            self._sql.executemany(
                "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
                [
                    (*_row(mark.key), _json({k: v for k, v in asdict(mark).items() if k != "key"}))
                    for mark in change.put_marks
                ],
            )
            self._sql.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)",
                [(*_row(put.key), _clean(put.owner), put.expires, put.generation) for put in change.put_leases],
            )
            self._sql.executemany(
                "INSERT OR REPLACE INTO checks VALUES (?, ?, ?)",
                [(_clean(put.profile_id), put.at, _json(asdict(put))) for put in change.put_checks],
            )
            self.count("revision")

    def count(self, counter: str) -> None:
        """Tell the other windows that there is something to read."""
        with _translated():
            self._sql.execute("UPDATE meta SET value=value+1 WHERE name=?", (counter,))

    def write_batch(self, batch: Batch, owner: str = "") -> None:
        """``owner`` is the process whose batch it is."""
        if batch.count:
            self.write_count(batch.count, owner)
        with _translated():
            selected = [(_clean(profile), at) for profile, at in batch.selected.items()]
            self._sql.executemany(
                "INSERT INTO selected VALUES (?, ?) ON CONFLICT DO UPDATE SET at=max(at, excluded.at)", selected
            )
            working = [(_clean(pool), _clean(profile)) for pool, profile in batch.working.items()]
            self._sql.executemany("INSERT OR REPLACE INTO working VALUES (?, ?)", working)
            if selected or working:
                self.count("touched")
            attempts = [(a.at, _clean(a.request_id), _json(asdict(a))) for a in batch.attempts]
            self._sql.executemany("INSERT INTO attempts (at, request_id, body) VALUES (?, ?, ?)", attempts)
            requests = [(_clean(name), at, _json(document)) for name, (at, document) in batch.requests.items()]
            self._sql.executemany("INSERT OR REPLACE INTO requests VALUES (?, ?, ?)", requests)
            for notice in batch.notices:
                self._write_notice(notice)
            if batch.window:
                w = batch.window
                self._sql.execute(
                    "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?)",
                    (w.identity, w.version, w.started, w.heartbeat),
                )

    def set_selections_back(self, now: float) -> None:
        """Who was chosen by a clock that was ahead was chosen now."""
        with _translated():
            if self._sql.execute("UPDATE selected SET at=?1 WHERE at>?1", (now,)).rowcount:
                self.count("touched")

    def _write_notice(self, notice: Notice) -> None:
        about = _clean(notice.about)
        if notice.said is None:
            self._sql.execute("DELETE FROM notices WHERE kind=? AND about=?", (notice.kind, about))
        else:
            row = (notice.kind, about, _clean(notice.profile_id), notice.at, _json(asdict(notice.said)))
            self._sql.execute("INSERT OR REPLACE INTO notices VALUES (?, ?, ?, ?, ?)", row)
        self.count("revision")

    def notices(self, now: float) -> list[Notice]:
        """What was noticed and is not forgotten, oldest first."""
        with _translated():
            rows = [
                row
                for kind in NoticeKind
                for row in self._sql.execute(_NOTICES, (kind, kept_since(kind, now), NOTICES_KEPT)).fetchall()[::-1]
            ]
        return [notice for row in rows if (notice := _notice(*row)) is not None]

    def forget_notices(self, now: float) -> None:
        """Drop what was not told again for long, and the oldest of each kind where they are many."""
        with _translated():
            over = [(kind, kept_since(kind, now)) for kind in NoticeKind]
            self._sql.executemany("DELETE FROM notices WHERE kind=? AND at < ?", over)
            self._sql.executemany(_CROWDED_OUT, [(kind, NOTICES_KEPT - 1) for kind in NoticeKind])

    def counters(self, holders: Sequence[str]) -> Counters:
        """What was taken on behalf of these holders; of all of them where none is named."""
        some = json.dumps([_clean(holder) for holder in holders])
        with _translated():
            used = self._sql.execute(_USED, (some,))
            taken = {(row[0], row[1], row[2], row[3]): row[4] for row in used}
            places = self._sql.execute(_PLACES, (some,))
            return Counters(taken, {(row[0], row[1]): row[2] for row in places})

    def write_count(self, count: Count, owner: str) -> None:
        """Add to the counters, and to the places that ``owner`` holds."""
        with _translated():
            self._sql.executemany(
                "INSERT INTO counters VALUES (?1, ?2, ?3, ?4, max(0, ?5), ?6) ON CONFLICT DO UPDATE SET used=max(0, used+?5)",
                [(_clean(key[0]), *key[1:], amount, expires) for key, (amount, expires) in count.add.items()],
            )
            self._sql.executemany(
                "INSERT INTO places VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET held=max(0, held+excluded.held)",
                [(_clean(holder), owner, more) for holder, more in count.slots.items()],
            )
            self._sql.execute("DELETE FROM places WHERE held <= 0")

    def forget_counters(self, now: float, owners: Iterable[str] = ()) -> None:
        """Drop what counts no more, the results of checks that are no longer made, and the places of these processes."""
        with _translated():
            self._sql.execute("DELETE FROM counters WHERE expires < ?", (now,))
            self._sql.execute("DELETE FROM checks WHERE at < ?", (now - _CHECK_SECONDS,))
            self._sql.executemany("DELETE FROM places WHERE owner=?", [(owner,) for owner in owners])

    def forget_old(
        self, attempts_before: float, attempts_kept: int, requests_before: float, requests_kept: int
    ) -> None:
        """Drop attempts and request records from before these times, and the oldest beyond these numbers."""
        with _translated():
            self._sql.execute("DELETE FROM attempts WHERE at < ?", (attempts_before,))
            self._sql.execute("DELETE FROM attempts WHERE id <= (SELECT max(id) FROM attempts) - ?", (attempts_kept,))
            self._sql.execute("DELETE FROM requests WHERE at < ?", (requests_before,))
            self._sql.execute(
                "DELETE FROM requests WHERE at < (SELECT at FROM requests ORDER BY at DESC LIMIT 1 OFFSET ?)",
                (requests_kept - 1,),
            )

    def attempts(self, since: float, limit: int) -> list[str]:
        """The latest ``limit`` attempts from ``since`` on, oldest first, for ``attempt_records``."""
        with _translated():
            rows = self._sql.execute(
                "SELECT body FROM (SELECT at, id, body FROM attempts WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?) ORDER BY at, id",
                (since, limit),
            ).fetchall()
        return [body for (body,) in rows]

    def requests(self, request_id: str | None, limit: int) -> list[dict[str, Any]]:
        """That request's record, or the latest ones."""
        with _translated():
            rows = self._sql.execute(
                "SELECT body FROM requests WHERE ?1 IS NULL OR request_id=?1 ORDER BY at DESC LIMIT ?2",
                (request_id, limit),
            ).fetchall()
        return [_read(body) for (body,) in rows]

    def windows(self) -> list[Window]:
        with _translated():
            return [
                Window(*row) for row in self._sql.execute("SELECT identity, version, started, heartbeat FROM windows")
            ]

    def remove_windows(self, identities: Iterable[str]) -> None:
        with _translated():
            self._sql.executemany("DELETE FROM windows WHERE identity=?", [(name,) for name in identities])

    def approve(self, profile_id: str, slot: str, origin: str, at: float) -> None:
        """From now on this slot of this profile may go to ``origin``, and nowhere else."""
        with _translated():
            self._sql.execute("DELETE FROM approvals WHERE profile_id=? AND slot=?", (profile_id, slot))
            self._sql.execute(
                "INSERT INTO approvals VALUES (?, ?, ?, ?)", (_clean(profile_id), _clean(slot), origin, at)
            )
            self.count("revision")

    def approve_as_before(self, approvals: Iterable[tuple[str, str, str]], at: float) -> None:
        """What the user approved in another file, except for slots of which this one knows already."""
        with _translated():
            self._sql.executemany(
                "INSERT INTO approvals SELECT ?1, ?2, ?3, ?4"
                " WHERE NOT EXISTS (SELECT 1 FROM approvals WHERE profile_id=?1 AND slot=?2)",
                [(*approval, at) for approval in approvals],
            )
            self.count("revision")

    def withdraw(self, profile_id: str, slot: str | None) -> None:
        with _translated():
            self._sql.execute(
                "DELETE FROM approvals WHERE profile_id=?1 AND (?2 IS NULL OR slot=?2)", (profile_id, slot)
            )
            self.count("revision")

    def rename_profile(self, old: str, new: str) -> None:
        """The attempts, what rests or has failed, and what was taken of the profile's own limits go on under its new id."""
        names = (_clean(old), _clean(new))
        quotas = (_clean(f"profile:{old}"), _clean(f"profile:{new}"))
        with _translated():
            self._sql.execute(_RENAMED_ATTEMPTS, names)
            self._sql.execute(_RENAMED_MARKS, names)
            for scope, (was, now) in (Scope.PROFILE, names), (Scope.DOMAIN, quotas):
                self._sql.execute(_RENAMED_HOLDERS, (now, scope, was))
            self._sql.execute(_RENAMED_COUNTERS, quotas)
            self._sql.execute("DELETE FROM counters WHERE holder = ?", quotas[:1])
            self.count("revision")

    def put_intent(self, name: str, document: Mapping[str, Any]) -> None:
        with _translated():
            self._sql.execute("INSERT OR REPLACE INTO intents VALUES (?, ?)", (_clean(name), _json(document)))

    def drop_intent(self, name: str) -> None:
        with _translated():
            self._sql.execute("DELETE FROM intents WHERE id=?", (_clean(name),))

    def intents(self) -> dict[str, dict[str, Any]]:
        with _translated():
            return {name: _read(body) for name, body in self._sql.execute("SELECT id, body FROM intents ORDER BY id")}


def set_aside(path: Path, stamp: str) -> Path:
    """Move a broken database away, its journal too, which would else be played into the next one."""
    away = path.with_name(f"{path.name}.corrupt-{stamp}")
    os.replace(path, away)
    with contextlib.suppress(FileNotFoundError):
        os.replace(path.with_name(path.name + "-journal"), away.with_name(away.name + "-journal"))
    return away


def attempt_records(bodies: Iterable[str]) -> list[AttemptRecord]:
    """Stored attempts as values; what nobody can read is left out."""
    return [record for body in bodies if (record := _attempt(body)) is not None]


def _clean(text: str) -> str:
    """SQLite takes no lone surrogates, and a provider may send half an emoji."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _json(document: Mapping[str, Any]) -> str:
    return _clean(json.dumps(document, ensure_ascii=False, separators=(",", ":")))


def _read(body: str) -> Any:
    return json.loads(body, parse_constant=lambda _: None)  # NaN and Infinity are no JSON for anybody else


def _row(key: MarkKey) -> tuple[str, str, str]:
    return key.scope.value, _clean(key.holder), _clean(key.model or "")


def _mark(scope: str, holder: str, model: str, body: str) -> Mark | None:
    try:
        values = {name: value for name, value in _read(body).items() if name in _MARK_FIELDS}
        values |= {
            "state": MarkState(values["state"]),
            "fault": Fault(values["fault"]),
            "faults": tuple(values.get("faults", ())),
        }
        return Mark(key=MarkKey(Scope(scope), holder, model or None), **values)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _lease(scope: str, holder: str, model: str, owner: str, expires: float, generation: int) -> ProbeLease | None:
    try:
        return ProbeLease(MarkKey(Scope(scope), holder, model or None), owner, expires, generation)
    except ValueError:
        return None


def _checked(body: str) -> Checked | None:
    try:
        return Checked(**{name: value for name, value in _read(body).items() if name in _CHECKED_FIELDS})
    except (ValueError, TypeError, AttributeError):
        return None


def _notice(kind: str, about: str, profile_id: str, at: float, body: str) -> Notice | None:
    try:
        what = NoticeKind(kind)
        return Notice(what, about, profile_id, at, said(what, _read(body)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _attempt(body: str) -> AttemptRecord | None:
    try:
        values = {name: value for name, value in _read(body).items() if name in _ATTEMPT_FIELDS}
        return AttemptRecord(
            **values | {"tags": tuple(values.get("tags", ())), "quotas": tuple(values.get("quotas", ()))}
        )
    except (ValueError, TypeError, AttributeError):
        return None


_MARK_FIELDS: Final = {f.name for f in fields(Mark)} - {"key"}
_CHECKED_FIELDS: Final = {f.name for f in fields(Checked)}
_ATTEMPT_FIELDS: Final = {f.name for f in fields(AttemptRecord)}
