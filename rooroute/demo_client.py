"""The demo's own small editor: starts ``rooroute serve`` and speaks JSON-RPC with it over its pipes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeAlias

Json: TypeAlias = dict[str, Any]
_HEAD_END = b"\r\n\r\n"


class RemoteError(Exception):
    """An error answer, as the server sent it."""

    def __init__(self, error: Json) -> None:
        super().__init__(str(error.get("message")))
        self.code: int = error.get("code", 0)
        self.data: Json = error.get("data") or {}


class BackendGone(Exception):
    """The server closed its output while an answer was awaited."""


class Backend:
    """One running ``rooroute serve``. ``frames`` counts the messages it sent, ``changes`` its statusChanged
    notifications."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.frames = 0
        self.changes: list[Json] = []
        self.stderr = bytearray()
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._listeners: dict[str, Callable[[Json], None]] = {}
        self._tasks = (asyncio.create_task(self._read()), asyncio.create_task(self._read_stderr()))

    @classmethod
    async def start(cls, command: Sequence[str], environment: Mapping[str, str]) -> Self:
        """Starts ``command`` with pipes for its three standard streams."""
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environment), limit=1 << 24
            )
        )

    async def request(self, method: str, params: Json | None = None, seconds: float = 20.0) -> Any:
        """The result; RemoteError for an error answer, TimeoutError after ``seconds``, BackendGone when the process
        ended."""
        number = next(self._ids)
        self._waiting[number] = future = asyncio.get_running_loop().create_future()
        self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
        return await asyncio.wait_for(future, seconds)

    def notify(self, method: str) -> None:
        """A notification without params."""
        self._send({"jsonrpc": "2.0", "method": method, "params": {}})

    async def complete(self, params: Json, listener: Callable[[Json], None]) -> Any:
        """``rooroute/complete`` with a progress token; ``listener`` gets every ``$/progress`` value as it arrives."""
        token = f"demo-{next(self._ids)}"
        self._listeners[token] = listener
        return await self.request("rooroute/complete", {**params, "partialResultToken": token})

    async def stop(self) -> int:
        """``shutdown`` and ``exit``; the process's exit code."""
        await self.request("shutdown", seconds=5)
        self.notify("exit")
        return await asyncio.wait_for(self.process.wait(), 5)

    async def close(self) -> None:
        """Ends the process, by force if it does not go when its input ends."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 3)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _send(self, message: Json) -> None:
        if self.process.stdin is None or self.process.stdin.is_closing():
            raise BackendGone
        body = json.dumps(message).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        stream = self.process.stdout
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while stream:
                head = await stream.readuntil(_HEAD_END)
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                self._take(json.loads(await stream.readexactly(length)))
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BackendGone("rooroute serve ended before it answered."))

    async def _read_stderr(self) -> None:
        while self.process.stderr and (piece := await self.process.stderr.read(1 << 16)):
            self.stderr += piece

    def _take(self, message: Json) -> None:
        self.frames += 1
        match message:
            case {"method": "$/progress", "params": {"token": token, "value": value}}:
                if listener := self._listeners.get(token):
                    listener(value)
            case {"method": "rooroute/statusChanged", "params": params}:
                self.changes.append(params)
            case {"method": _, "id": number}:
                self._send(
                    {"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "The demo offers nothing."}}
                )
            case {"id": int(number), **rest} if future := self._waiting.pop(number, None):
                if future.done():
                    return
                if "error" in rest:
                    future.set_exception(RemoteError(rest["error"]))
                else:
                    future.set_result(rest.get("result"))
            case _:
                pass
