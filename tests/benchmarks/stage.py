"""The processes of one run: the scripted provider, bare httpx and ``rooroute serve``, each where it does not disturb
the others."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rooroute.demo import child_environment
from tests.benchmarks.figures import Measured

Json = dict[str, Any]
HELLO = [{"role": "user", "content": "hello"}]


def cores() -> tuple[int | None, int | None]:
    """A core for whoever is measured and one for the provider and the client; (None, None) where pinning is
    impossible."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def pin(pid: int, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(pid, {core})


def cpu_of(pid: int) -> float:
    """Seconds of processor time of a process with all its threads. Linux names every process's clock after its pid
    (https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html)."""
    return time.clock_gettime((~pid << 3) | 2)


def keep_awake(core: int | None) -> list[subprocess.Popen[Any]]:
    """Let ``core`` not fall asleep: whoever has work there interrupts what this starts.

    A sleeping core takes 20 to 100 µs to come back, in a virtual machine more, and never the same twice
    (https://docs.kernel.org/admin-guide/pm/cpuidle.html). Between request and first delta bare httpx waits for one other process, an editor's
    request for two: without this, the same code measures 1.3 in one run and 1.7 in the next.
    """
    if core is None or sys.platform != "linux":
        return []
    while_we_live = f"import os\nwhile os.getppid() == {os.getpid()}:\n    for _ in range(1_000_000): pass"
    process = subprocess.Popen([sys.executable, "-c", while_we_live])
    pin(process.pid, core)
    os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    return [process]


def machine_busy() -> float:
    """Seconds of processor time the whole machine has used."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """Resident megabytes."""
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmRSS:")) / 1024


def end(process: subprocess.Popen[Any]) -> None:
    """Ends a process and closes its pipes."""
    process.kill()
    with process:
        pass


class Serve:
    """A blocking client of ``rooroute serve``: reads frames in the calling thread, since a loop's hops would be
    measured too."""

    def __init__(self, home: Path, core: int | None) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "rooroute", "serve"]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=child_environment(home), bufsize=0
        )
        pin(self.process.pid, core)
        self._buffer = b""
        self._number = 0
        self.request("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}})
        self.ready_after = time.perf_counter() - self.began
        self.send({"jsonrpc": "2.0", "method": "initialized", "params": {}})

    def send(self, message: Json) -> None:
        body = json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def receive(self) -> Json:
        """The next message."""
        assert self.process.stdout is not None
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if found:
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                if len(rest) >= length:
                    self._buffer = rest[length:]
                    message: Json = json.loads(rest[:length])
                    return message
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError("rooroute serve has ended")
            self._buffer += data

    def ask(self, method: str, params: Json) -> int:
        self._number += 1
        self.send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        return self._number

    def request(self, method: str, params: Json) -> Any:
        number = self.ask(method, params)
        while (message := self.receive()).get("id") != number:
            pass
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return message["result"]

    def run(self, pool: str, count: int, together: bool, session: str | None = None) -> Measured:
        """``count`` requests to a pool, one after another or all at once, as ``bare.Bare.run`` does them."""
        cpu, began = cpu_of(self.process.pid), time.perf_counter()
        size = count if together else 1
        asked = {"pool": pool, "messages": HELLO, **({"session": session} if session else {})}
        first: list[float] = []
        total: list[float] = []
        characters = 0
        for _ in range(1 if together else count):
            seen = self._batch(asked, size)
            first += seen[0]
            total += seen[1]
            characters += seen[2]
        wall = time.perf_counter() - began
        return Measured(first, total, wall, cpu_of(self.process.pid) - cpu, characters)

    def _batch(self, asked: Json, size: int) -> tuple[list[float], list[float], int]:
        began: dict[int, float] = {}
        firsts: dict[int, float] = {}
        totals: list[float] = []
        characters = 0
        for _ in range(size):
            token = self._number + 1
            began[token] = time.perf_counter()
            self.ask("rooroute/complete", {**asked, "partialResultToken": token})
        while len(totals) < size:
            match self.receive():
                case {"method": "$/progress", "params": {"token": token, "value": {"kind": "text", "text": text}}}:
                    firsts.setdefault(token, time.perf_counter() - began[token])
                    characters += len(text)
                case {"id": number, "result": _}:
                    totals.append(time.perf_counter() - began[number])
                case {"id": _, "error": error}:
                    raise RuntimeError(error["message"])
                case _:
                    pass
        return list(firsts.values()), totals, characters

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        end(self.process)


class Stage:
    """Everything running. ``pools`` maps a pool's id to its keys, in order; each key becomes a profile."""

    def __init__(self, home: Path, scripts: Mapping[str, Sequence[Json]], pools: Mapping[str, Sequence[str]]) -> None:
        self.home, self.pools = home, pools
        self.measured_core, other = cores()
        pin(0, other)
        self._waking = [*keep_awake(self.measured_core), *keep_awake(other)]
        (home / "scripts.json").write_text(json.dumps(scripts))
        self.provider = subprocess.Popen(
            [sys.executable, "-m", "rooroute.scripted_provider", "--script", str(home / "scripts.json")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.provider.stdout is not None
        self.urls: dict[str, str] = json.loads(self.provider.stdout.readline())
        self._bare = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.bare", self.urls["openai"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self._bare.pid, self.measured_core)
        self.serve = self.start_serve("serve")
        for key in scripts:
            profile = {
                "id": key,
                "provider": "openai-compatible",
                "model": "scripted-model",
                "baseUrl": self.urls["openai"],
            }
            self.serve.request("rooroute/profiles/save", {"profile": profile, "apiKey": key})
        for pool, keys in pools.items():
            self.serve.request("rooroute/pools/save", {"pool": {"id": pool, "profiles": list(keys)}})

    def start_serve(self, name: str) -> Serve:
        """A fresh process with a home of its own."""
        home = self.home / name
        home.mkdir(exist_ok=True)
        return Serve(home, self.measured_core)

    def bare(self, pool: str, count: int, together: bool, fresh: bool = False) -> Measured:
        """The same with bare httpx; ``fresh``: with no key that rests."""
        assert self._bare.stdin is not None
        assert self._bare.stdout is not None
        self._bare.stdin.write(
            json.dumps({"keys": list(self.pools[pool]), "count": count, "together": together, "fresh": fresh}) + "\n"
        )
        self._bare.stdin.flush()
        line = self._bare.stdout.readline()
        if not line:
            raise RuntimeError("bare httpx has ended")
        return Measured(**json.loads(line))

    def ours(self) -> float:
        """Seconds of processor time of everything this run started."""
        waking = [each.pid for each in self._waking]
        return sum(map(cpu_of, (os.getpid(), self.provider.pid, self._bare.pid, self.serve.process.pid, *waking)))

    def close(self) -> None:
        self.serve.close()
        for process in (self._bare, self.provider, *self._waking):
            end(process)


@contextlib.contextmanager
def stage(scripts: Mapping[str, Sequence[Json]], pools: Mapping[str, Sequence[str]]) -> Iterator[Stage]:
    """A stage in a temporary directory."""
    allowed = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="rooroute-benchmarks-") as home:
        try:
            opened = Stage(Path(home), scripts, pools)
            try:
                yield opened
            finally:
                opened.close()
        finally:
            os.sched_setaffinity(0, allowed)
