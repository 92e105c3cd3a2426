"""The log: one file per process that only its user may read, of bounded size, with every key taken out, and never in anybody's way.

Records are made text and scrubbed where they are logged, then written by a daemon thread; when that cannot keep up (a full disk, a
client that does not read stderr) records are dropped, not waited for.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import re
import sys
import threading
from contextlib import suppress
from logging.handlers import QueueHandler, RotatingFileHandler
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import quote

import platformdirs

from rooroute.providers.redaction import key_pattern

_FILE_BYTES: Final = 2_000_000
_FILES_KEPT: Final = 10
_WAITING_RECORDS: Final = 1_000
_FLUSH_SECONDS: Final = 0.5
_REMOVED: Final = "[removed]"
_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_SHAPES: Final = (
    (
        re.compile(
            r"AIza[\w-]{8,}|\b(?:sk|pk|rk|gsk|xai|pplx|hf|ghp|gho)[-_][\w-]{8,}|\bAKIA[0-9A-Z]{12,}|\bya29\.[\w.-]+"
        ),
        _REMOVED,
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {_REMOVED}"),
    (
        re.compile(r"(?i)([?&](?:key|api[-_]?key|(?:access[-_]?)?token|sig|signature|code)=)[^&\s\"'<>]+"),
        rf"\1{_REMOVED}",
    ),
    (
        re.compile(
            r"(?i)((?:x-goog-)?api[-_]?key|x-api-key|client[-_]secret|password|refresh[-_]token)(\W{1,6}?)([\w.~+/-]{6,})"
        ),
        rf"\1\2{_REMOVED}",
    ),
)


class Redactor:
    """Takes keys out of text: those it was told of, in the spellings they travel in, and whatever has the shape of one."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def register(self, secret: str) -> None:
        """Never show ``secret`` from now on. Short ones are struck out as words of their own, and the shortest are let be: they would
        black out half the log."""
        if secret in self._known or not key_pattern((secret,)):
            return
        self._known |= _spellings(secret)
        self._pattern = re.compile(key_pattern(self._known))

    def scrub(self, text: str) -> str:
        """``text`` without any key."""
        if self._pattern is not None:
            text = self._pattern.sub(_REMOVED, text)
        for shape, instead in _SHAPES:
            text = shape.sub(instead, text)
        return text


def _spellings(secret: str) -> frozenset[str]:
    raw = secret.encode()
    plain = base64.b64encode(raw).decode().rstrip("=")
    safe = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return frozenset({secret, quote(secret, safe=""), json.dumps(secret)[1:-1], plain, safe, raw.hex()})


class _Scrubbing(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__(_LINE)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.scrub(super().format(record))


class _PrivateFile(RotatingFileHandler):
    """A rotating file with mode 0600 from its first byte; a symbolic link in its place is refused."""

    def _open(self) -> Any:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        return os.fdopen(
            os.open(self.baseFilename, flags, 0o600), self.mode, encoding="utf-8", errors="backslashreplace"
        )


class _Dropping(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


class Logs:
    """A started log. ``path`` is None where no file could be made; ``redactor`` is told of every key that is read or typed."""

    def __init__(self, path: Path | None, redactor: Redactor, handlers: list[logging.Handler]) -> None:
        self.path = path
        self.redactor = redactor
        self._handlers = handlers
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING_RECORDS)
        self._entrance = _Dropping(self._records)
        self._entrance.setFormatter(_Scrubbing(redactor))
        self._closing = False
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)

    def start(self, level: int) -> None:
        """Take over the root logger."""
        logging.raiseExceptions = False
        root = logging.getLogger()
        root.handlers[:] = [self._entrance]
        root.setLevel(level)
        self._writer.start()

    def close(self) -> None:
        """Write what is waiting, for half a second at most."""
        logging.getLogger().removeHandler(self._entrance)
        self._closing = True
        with suppress(queue.Full):
            self._records.put_nowait(None)
        self._writer.join(_FLUSH_SECONDS)

    def _write(self) -> None:
        while (record := self._records.get()) is not None:
            for handler in self._handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
            if self._closing and self._records.empty():
                break
        for handler in self._handlers:
            handler.close()


def start(*, folder: Path | None = None, level: int = logging.INFO, stderr: TextIO | None = None) -> Logs:
    """Log to ``folder`` (the user's log folder when None) from ``level`` up and to ``stderr`` from WARNING up."""
    redactor = Redactor()
    handlers: list[logging.Handler] = [logging.StreamHandler(stderr or sys.stderr)]
    handlers[0].setLevel(logging.WARNING)
    path: Path | None = None
    try:
        folder = folder or platformdirs.user_log_path("rooroute", appauthor=False)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"rooroute-{os.getpid()}.log"
        handlers.append(_PrivateFile(path, maxBytes=_FILE_BYTES, backupCount=1, encoding="utf-8"))
        _sweep(folder)
    except OSError:
        path = None
    logs = Logs(path, redactor, handlers)
    logs.start(level)
    return logs


def _sweep(folder: Path) -> None:
    """Keep the newest files: every process has its own, since two that rotate one file lose each other's lines."""
    found = sorted(folder.glob("rooroute-*.log*"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in found[_FILES_KEPT:]:
        with suppress(OSError):
            old.unlink()
