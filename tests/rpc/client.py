"""A small client for a real server process over real pipes: Content-Length framing, requests, notifications, progress.

It knows nothing about rooroute, so that what it sees is what any editor would see.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

Json = dict[str, Any]


class RpcError(Exception):
    """An error answer, as it came."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class Client:
    """One child process. ``frames`` holds every message it sent, ``stderr`` what it wrote there."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.frames: list[Json] = []
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.answers: dict[Any, Json] = {}
        self.null_answers: list[Json] = []
        self.handlers: dict[str, Callable[[Any], Awaitable[Any]]] = {}
        self._waiting: dict[Any, asyncio.Future[Any]] = {}
        self._progress: dict[Any, asyncio.Queue[Json]] = defaultdict(asyncio.Queue)
        self._ids = itertools.count(1)
        self._reading = asyncio.Event()
        self._reading.set()
        self._news = asyncio.Condition()
        self._tasks = {asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())}

    @classmethod
    async def start(cls, argv: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Start ``argv`` with pipes for its three standard streams."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(env) if env is not None else None, **options
        )
        return cls(process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the process, by force if it does not go on its own."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self._reading.set()
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def write(self, data: bytes) -> None:
        """Bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    async def drain(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.drain()

    def send(self, message: Any) -> None:
        """One message, framed."""
        body = json.dumps(message, separators=(",", ":")).encode()
        self.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def ask(self, method: str, params: Any = None) -> tuple[int, asyncio.Future[Any]]:
        """Send a request; its id and the future of its result (``RpcError`` for an error answer)."""
        request_id = next(self._ids)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        self.send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": {} if params is None else params})
        return request_id, future

    async def request(self, method: str, params: Any = None, *, timeout: float = 20) -> Any:
        """Send a request and give its result; ``RpcError`` for an error answer. ``timeout`` in seconds."""
        return await asyncio.wait_for(self.ask(method, params)[1], timeout)

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": {} if params is None else params})

    def cancel(self, request_id: int) -> None:
        self.notify("$/cancelRequest", {"id": request_id})

    async def initialize(self, options: Json | None = None, *, timeout: float = 20, **params: Any) -> Json:
        """``initialize`` and ``initialized``; gives the initialize result."""
        params = {"processId": None, "rootUri": None, "capabilities": {}, **params}
        if options is not None:
            params["initializationOptions"] = options
        result: Json = await self.request("initialize", params, timeout=timeout)
        self.notify("initialized")
        return result

    async def stop(self, *, timeout: float = 10) -> int:
        """``shutdown`` and ``exit``; gives the exit code."""
        await self.request("shutdown", timeout=timeout)
        self.notify("exit")
        return await self.exit_code(timeout)

    async def exit_code(self, timeout: float = 10) -> int:
        """Polled, since asyncio's own ``wait`` also waits for output that nobody may be reading."""
        async with asyncio.timeout(timeout):
            while self.process.returncode is None:
                await asyncio.sleep(0.01)
        return self.process.returncode

    def on(self, method: str, handler: Callable[[Any], Awaitable[Any]]) -> None:
        """Answer the server's own requests of that method with what ``handler(params)`` gives."""
        self.handlers[method] = handler

    def progress(self, token: Any) -> asyncio.Queue[Json]:
        """The ``$/progress`` values of one token, in order of arrival."""
        return self._progress[token]

    def progress_so_far(self, token: Any) -> list[Json]:
        """Every ``$/progress`` value of one token that has come until now."""
        found = (m["params"] for m in self.frames if m.get("method") == "$/progress")
        return [p["value"] for p in found if p["token"] == token]

    def facts(self) -> list[Json]:
        """Whole lines of JSON objects on stderr, as far as they have come."""
        lines = bytes(self.stderr).split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith(b"{")]

    async def fact(self, name: str, value: Any = None, *, timeout: float = 20) -> Json:
        """The first fact that has ``name`` (and that value, if one is given), waited for if need be."""
        found: list[Json] = []

        def seen() -> bool:
            found[:] = [f for f in self.facts() if name in f and (value is None or f[name] == value)]
            return bool(found)

        await self.until(seen, timeout=timeout)
        return found[0]

    def close_stdout(self) -> None:
        """Hang up on the server's output while its input stays open."""
        transport = self.process._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
        transport.close()

    def pause(self) -> None:
        """Stop reading the server's output, as a frozen editor would."""
        self._reading.clear()

    def resume(self) -> None:
        self._reading.set()

    async def until(self, seen: Callable[[], bool], *, timeout: float = 20) -> None:
        """Wait until ``seen()``, judged again after every message."""
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(seen)

    async def notified(self, method: str, *, timeout: float = 20, after: int = 0) -> Json:
        """The params of the first notification of that method among ``frames[after:]``, waited for if need be."""
        found: list[Json] = []

        def seen() -> bool:
            found[:] = [m for m in self.frames[after:] if m.get("method") == method]
            return bool(found)

        await self.until(seen, timeout=timeout)
        params: Json = found[0].get("params") or {}
        return params

    async def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        async for message in self._messages(self.process.stdout):
            self.frames.append(message)
            self._take(message)
            async with self._news:
                self._news.notify_all()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the server closed its output"))
                future.exception()

    async def _messages(self, stdout: asyncio.StreamReader) -> AsyncIterator[Json]:
        buffer, at = b"", 0
        while True:
            await self._reading.wait()
            end = buffer.find(b"\r\n\r\n", at)
            if end >= 0:
                length = int(buffer[at:end].lower().split(b"content-length:")[1].split(b"\r\n")[0])
                if len(buffer) >= end + 4 + length:
                    at = end + 4 + length
                    yield json.loads(buffer[end + 4 : at])
                    continue
            chunk = await stdout.read(1 << 18)
            if not chunk:
                return
            self.stdout += chunk
            buffer, at = buffer[at:] + chunk, 0

    def _take(self, message: Json) -> None:
        if "method" not in message:
            self._take_answer(message)
        elif "id" in message:
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
        elif message["method"] == "$/progress":
            self._progress[message["params"]["token"]].put_nowait(message["params"]["value"])

    def _take_answer(self, message: Json) -> None:
        if message["id"] is None:
            self.null_answers.append(message)
            return
        self.answers[message["id"]] = message
        future = self._waiting.pop(message["id"], None)
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(RpcError(message["error"]))
        else:
            future.set_result(message["result"])

    async def _answer(self, message: Json) -> None:
        handler = self.handlers.get(message["method"])
        answer: Json = {"jsonrpc": "2.0", "id": message["id"]}
        if handler is None:
            self.send({**answer, "error": {"code": -32601, "message": "not offered"}})
            return
        try:
            self.send({**answer, "result": await handler(message["params"])})
        except RpcError as wrong:
            self.send({**answer, "error": {"code": wrong.code, "message": wrong.message}})

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        with contextlib.suppress(asyncio.CancelledError):
            while chunk := await self.process.stderr.read(1 << 16):
                self.stderr += chunk
                async with self._news:
                    self._news.notify_all()
