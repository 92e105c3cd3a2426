"""One daemon thread that does one job after the other: a job that hangs holds up no exit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from rooroute.errors import RoorouteError

T = TypeVar("T")


class Busy(Exception):
    """Somebody else is at it."""


class WriterThread:
    """Jobs in the order of ``submit``. ``last`` runs on the thread when everything submitted before ``end`` is done."""

    def __init__(self, last: Callable[[], None]) -> None:
        self._last = last
        self._ended = False
        self._at_work = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="state-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def takes_jobs(self) -> bool:
        """Whether it was started and not ended."""
        return self._thread.is_alive() and not self._ended

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """The job's result to come; RoorouteError after ``end``."""
        future: Future[T] = Future()
        if self._ended:
            future.set_exception(RoorouteError("This window is closing; nothing is written any more."))
        else:
            self._jobs.put((future, job))
        return future

    def here(self, job: Callable[[], T]) -> T:
        """Do the job in the calling thread, in turn with all others. Busy when that would mean to wait."""
        if self._ended or not self._jobs.empty() or not self._at_work.acquire(blocking=False):
            raise Busy
        try:
            return job()
        finally:
            self._at_work.release()

    def end(self) -> None:
        """Take no more jobs. Waits for nothing."""
        self._ended = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            future, job = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                with self._at_work:
                    done = job()
                future.set_result(done)
            except BaseException as wrong:  # noqa: BLE001  # raised again where the result is awaited
                future.set_exception(wrong)
        self._last()
