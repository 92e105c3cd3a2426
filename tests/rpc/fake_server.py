"""A real process with the real roof and a house of cardboard: what it does is told by each request's ``metadata``.

Run as ``python -m tests.rpc.fake_server``; facts that a test wants to know from inside are written to stderr as JSON lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rooroute import errors
from rooroute.rpc.server import serve

if TYPE_CHECKING:
    from rooroute.attempt import Sink
    from rooroute.chat import ChatRequest, CompletionOptions
    from rooroute.rpc.reverse import ClientSecrets

CANARY = "sk-canary-7d41c0ffee5b2e9a"
NOW = "2026-01-31T12:00:00.000Z"


def tell(**facts: Any) -> None:
    sys.stderr.write(json.dumps(facts) + "\n")
    sys.stderr.flush()


def peak_megabytes() -> int:
    """This process's own peak. ``ru_maxrss`` would be at least its parent's at the fork, which is the whole test run's
    (https://man7.org/linux/man-pages/man2/getrusage.2.html)."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM:")) // 1024


class Cardboard:
    """An ``Application``."""

    def __init__(self, secrets: ClientSecrets | None) -> None:
        self.secrets = secrets
        self.changed: Callable[[dict[str, Any]], None] = lambda _: None
        self.delivered = 0
        self.longest_lag = 0.0
        self.heart = asyncio.create_task(self.beat())

    async def beat(self) -> None:
        """Measure how long the loop is ever kept from turning."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            self.longest_lag = max(self.longest_lag, time.perf_counter() - began - 0.005)

    def listen(self, changed: Callable[[dict[str, Any]], None]) -> None:
        self.changed = changed

    async def close(self) -> None:
        tell(closed=True)
        self.heart.cancel()

    async def status(self) -> dict[str, Any]:
        return {
            "now": NOW,
            "configRevision": "r1",
            "stateRevision": 1,
            "secretStore": "session",
            "profiles": [self.profile_status("one")],
            "pools": [],
            "problems": [],
        }

    def profile_status(self, profile_id: str, **more: Any) -> dict[str, Any]:
        return {
            "id": profile_id,
            "name": profile_id,
            "provider": "openai",
            "state": "active",
            "secret": "missing",
            "marks": [],
            **more,
        }

    async def why(self, request_id: str) -> dict[str, Any]:
        """Not why: a look inside, for tests."""
        lag, self.longest_lag = self.longest_lag, 0.0
        tell(asked=request_id, delivered=self.delivered, lag=lag)
        return {
            "request": {
                "id": request_id,
                "delivered": self.delivered,
                "lag": lag,
                "peakMegabytes": peak_megabytes(),
                "modules": sorted(sys.modules),
            },
            "candidates": [],
            "strategy": "priority",
            "attempts": [],
        }

    async def stats(self, since: float | None, group_by: str) -> dict[str, Any]:
        return {
            "rows": [
                {"key": f"{group_by} since {since}", "requests": 0, "inputTokens": 0, "outputTokens": float("nan")}
            ]
        }

    async def rotate(self, pool_id: str | None, *, to: str | None, rest: float | None) -> dict[str, Any]:
        if pool_id == "resting":
            raise errors.AllCoolingDown(
                "Nobody can serve before 12:05; wait or add a profile.",
                retryAt="2026-01-31T12:05:00.000Z",
                now=NOW,
                profiles=[
                    {"id": "one", "state": "cooldown", "reason": "rateLimit", "until": "2026-01-31T12:05:00.000Z"}
                ],
            )
        return {"from": "one", "to": to or "two"}

    async def profile(self, profile_id: str) -> dict[str, Any]:
        if self.secrets is None:
            raise errors.SecretUnavailable("No store.")
        await self.secrets.set(profile_id, "apiKey", "typed")
        value = await self.secrets.get(profile_id, "apiKey")
        return {"profile": {"id": profile_id, "provider": "openai", "notes": value}, "configRevision": "r1"}

    async def save_profile(self, profile: Any, secrets: Any, *, revision: str | None, approve_origin: bool) -> Any:
        raise KeyError(f"a careless exception that quotes {secrets.get('apiKey')}")

    async def delete_profile(self, profile_id: str, *, revision: str | None) -> Any:
        """Not a deletion: many changes of status at once."""
        for n in range(int(revision or 1)):
            self.changed(
                {
                    "now": NOW,
                    "configRevision": "r1",
                    "stateRevision": n,
                    "profiles": [self.profile_status(f"p{n % 50}", reason=f"change {n}")],
                    "pools": [],
                    "removed": {"profiles": [], "pools": []},
                }
            )
        return {"pools": [], "configRevision": "r1"}

    async def set_enabled(self, profile_id: str, enabled: bool) -> dict[str, Any]:
        return {"profile": self.profile_status(profile_id, state="active" if enabled else "disabled")}

    async def reset_profile(self, profile_id: str) -> dict[str, Any]:
        return {"profile": self.profile_status(profile_id)}

    async def test_profile(
        self, target: Any, secrets: Any, level: str, report: Callable[[Any], None]
    ) -> dict[str, Any]:
        stage = {"name": "connect", "ok": True, "durationMs": 1.0}
        report(stage)
        return {"ok": True, "stages": [stage]}

    async def complete(self, request: ChatRequest, options: CompletionOptions, sink: Sink) -> dict[str, Any]:
        act = getattr(self, "_" + options.metadata.get("act", "stream"))
        sink.attempt(1, "one", "model", "first choice")
        try:
            message = await act(request, dict(options.metadata), sink)
        except asyncio.CancelledError:
            tell(cancelled=options.request_id)
            if options.metadata.get("account"):
                raise errors.Cancelled(
                    "The request was cancelled.", requestId=options.request_id, attempts=[]
                ) from None
            raise
        from rooroute.chat import Usage

        return {
            "requestId": options.request_id,
            "profileId": "one",
            "model": "model",
            "finishReason": "stop",
            "message": message,
            "usage": Usage(1, 2),
            "attempts": [],
        }

    async def _stream(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        from rooroute.chat import Message, Usage

        size = wishes.get("size", 8)
        burst = wishes.get("burst", 1)
        for n in range(wishes.get("deltas", 3)):
            sink.text(f"{n:0{size}d} ")
            self.delivered = n
            if n % burst == 0:
                if not wishes.get("rude"):
                    await sink.room()
                await asyncio.sleep(0)
        sink.usage(Usage(1, 2))
        return Message("assistant", "the whole text")

    async def _echo(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        from rooroute.chat import Message

        seen = {
            "tools": [{"name": t.name, "parameters": t.parameters} for t in request.tools],
            "options": dict(request.provider_options),
            "metadata": wishes,
        }
        return Message("assistant", json.dumps(seen))

    async def _hang(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        sink.text("begun")
        await asyncio.Event().wait()

    async def _cling(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        """Ignore every cancellation, and keep a thread busy that nobody can stop."""
        threading.Thread(target=time.sleep, args=(60,)).start()
        sink.text("begun")
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def _fail(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        raise RuntimeError(f"careless: {CANARY}") from ValueError(CANARY)

    async def _interrupt(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        from rooroute.chat import Message

        sink.text("half an ans")
        interrupted = errors.StreamInterrupted("The answer broke off; ask again.", requestId="x")
        interrupted.data["message"] = Message("assistant", "half an ans")
        raise interrupted

    async def _unspeakable(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        raise errors.RequestRejected("Not so.", odd=object())

    async def _litter(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        """Write to standard output in every way there is."""
        from rooroute.chat import Message

        print("a stray print")
        os.write(1, b"a stray write\n")
        ctypes.CDLL(None).puts(b"a stray puts")
        ctypes.CDLL(None).fflush(None)
        warnings.warn("a stray warning", stacklevel=1)
        asyncio.get_running_loop().create_task(self._lost())
        return Message("assistant", "clean")

    async def _lost(self) -> None:
        raise RuntimeError(f"nobody awaits this: {CANARY}")

    async def _kinds(self, request: ChatRequest, wishes: dict[str, Any], sink: Sink) -> Any:
        from rooroute.chat import Message, TextPart, ThinkingPart, ToolCall, ToolCallDelta, Usage

        sink.thinking("hm", None)
        sink.thinking("m", "sig")
        sink.text('\ud83d lone, \u2028 and "quoted" \U0001f600')
        sink.tool_call(ToolCallDelta(0, "c1", "look", '{"a"'))
        sink.tool_call(ToolCallDelta(0, arguments=":1}"))
        sink.waiting(1769860800.0, 1769860795.5, ("one",))
        sink.waiting(None, 1769860796.5, ("one",))
        sink.reset(2)
        sink.usage(Usage(1, 2, reasoning_tokens=1))
        content = (ThinkingPart("hmm", "sig"), TextPart("text"))
        return Message("assistant", content, (ToolCall("c1", "look", '{"a":1}'),))


async def build(secrets: ClientSecrets | None) -> Any:
    return Cardboard(secrets)


def watch(pid: int, gone: Callable[[], None]) -> None:
    """A parent watch as simple as can be."""

    def look() -> None:
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.1)
        gone()

    threading.Thread(target=look, daemon=True).start()


if __name__ == "__main__":
    if "--modules" in sys.argv:
        import atexit

        loaded = sorted(sys.modules)
        atexit.register(lambda: tell(modules=sorted(sys.modules), before=loaded))
    sys.exit(serve(build, watch_parent=watch))
