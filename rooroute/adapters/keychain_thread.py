"""Blocking calls to the keyring on a thread that nobody waits for: a keyring that hangs must hold up neither a request nor the exit."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from rooroute.adapters.keychain_vaults import Trouble, VaultError, trouble_of

_MOST_STUCK: Final = 3
Result = TypeVar("Result")


class _Job:
    __slots__ = ("call", "future", "loop")

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.call = call
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()

    def run(self) -> None:
        value: Any = None
        failed: VaultError | None = None
        try:
            value = self.call()
        except Exception as error:  # noqa: BLE001 - whatever a keyring backend raises becomes one of four troubles at this door
            failed = VaultError(trouble_of(error))
        try:
            self.loop.call_soon_threadsafe(self._settle, value, failed)
        except RuntimeError:
            return  # the loop is closed: nobody is waiting any more

    def _settle(self, value: Any, failed: VaultError | None) -> None:
        if self.future.done():
            return
        if failed is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(failed)


class KeychainThread:
    """One daemon thread with a queue. A thread stuck in a call is left behind and the next call gets a new one, three times at most;
    a stuck thread that comes free again is no longer counted. While ``prompting`` says that the user is being asked to unlock, nobody
    queues up behind that and no second prompt is opened."""

    def __init__(self, deadline: float, prompting: Callable[[], bool]) -> None:
        self._deadline = deadline
        self._prompting = prompting
        self._jobs: queue.SimpleQueue[_Job | None] | None = None
        self._stuck: set[queue.SimpleQueue[_Job | None]] = set()

    async def run(self, call: Callable[[], Result]) -> Result:
        """What ``call`` returns, or a ``VaultError``; ``Trouble.HUNG`` when it takes longer than the deadline."""
        if self._prompting():
            raise VaultError(Trouble.LOCKED)
        if len(self._stuck) >= _MOST_STUCK:
            raise VaultError(Trouble.HUNG)
        job = _Job(call, asyncio.get_running_loop())
        jobs = self._jobs
        if jobs is None:
            jobs = self._jobs = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(jobs,), name="keychain", daemon=True).start()
        jobs.put(job)
        try:
            async with asyncio.timeout(self._deadline):
                result: Result = await job.future
                return result
        except TimeoutError:
            if self._prompting():
                raise VaultError(Trouble.LOCKED) from None
            self._leave(jobs)
            raise VaultError(Trouble.HUNG) from None

    def close(self) -> None:
        """Let an idle thread end; a stuck one is never waited for."""
        if self._jobs is not None:
            self._jobs.put(None)
            self._jobs = None

    def _leave(self, jobs: queue.SimpleQueue[_Job | None]) -> None:
        if self._jobs is jobs:
            self._stuck.add(jobs)
            self._jobs = None
            jobs.put(None)

    def _work(self, jobs: queue.SimpleQueue[_Job | None]) -> None:
        while (job := jobs.get()) is not None:
            if not job.future.done():
                job.run()
        self._stuck.discard(jobs)
