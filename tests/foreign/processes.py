"""Somebody else's server as a child process on loopback, in a process group of its own, ended with all it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_LOOKS_EVERY: Final = 0.1
_START_SECONDS: Final = 90
_END_SECONDS: Final = 10
_LAST_WORDS: Final = 2000
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environment(home: Path, **more: str) -> Mapping[str, str]:
    """What such a server may see: no proxy, and none of the user's own files or keys."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "NO_PROXY": "*", **more}


@contextmanager
def running(
    command: Sequence[str | Path], ready: str, folder: Path, env: Mapping[str, str], *, well: bool = False
) -> Iterator[None]:
    """Run ``command`` until the end of the block; it has begun when the URL ``ready`` gives any answer (``well``: no error's)."""
    said = folder / "said.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=env, start_new_session=True
        )
    try:
        _wait_for(process, ready, said, well)
        yield
    finally:
        _end(process)


def _wait_for(process: subprocess.Popen[bytes], ready: str, said: Path, well: bool) -> None:
    for _ in range(int(_START_SECONDS / _LOOKS_EVERY)):
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(_LOOKS_EVERY)
            raise AssertionError(f"it ended with {code}: {said.read_text(errors='replace')[-_LAST_WORDS:]}")
        if _answers(ready, well):
            return
    raise AssertionError(f"it did not begin: {said.read_text(errors='replace')[-_LAST_WORDS:]}")


def _answers(url: str, well: bool) -> bool:
    try:
        with _DIRECT.open(url, timeout=5):
            return True
    except urllib.error.HTTPError as answer:
        answer.close()
        return not well
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
