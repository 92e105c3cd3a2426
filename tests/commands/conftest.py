"""A shell in a home of its own: every command is a real process, every provider a scripted one on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rooroute.demo import child_environment
from rooroute.scripted_provider import Answer, ScriptedProvider, Step

ROOROUTE = (sys.executable, "-m", "rooroute")
PATIENCE = 60.0


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shell:
    home: Path
    provider: ScriptedProvider
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        return sys.executable

    @property
    def config(self) -> Path:
        return self.home / "config" / "rooroute" / "config.yaml"

    async def start(self, *words: str, **environment: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *ROOROUTE, *words, stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment | environment
        )

    async def __call__(self, *words: str, stdin: str = "", **environment: str) -> Said:
        """Run a command to its end. Whatever it comes to, it shows no traceback."""
        process = await self.start(*words, **environment)
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        said = Said(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in said.out + said.err
        return said

    async def well(self, *words: str, stdin: str = "", **environment: str) -> Said:
        """Run a command that has to succeed."""
        said = await self(*words, stdin=stdin, **environment)
        assert said.code == 0, said
        return said

    async def save(self, name: str, *steps: Step, words: tuple[str, ...] = ()) -> None:
        """A saved profile whose key comes from the environment, and what the provider does with that key."""
        variable = f"KEY_OF_{name.upper()}"
        self.environment[variable] = key = f"key-of-{name}"
        self.provider.script(key, *(steps or (Answer(f"{name} speaks."),)))
        where = ("--provider", "openai-compatible", "--base-url", self.provider.base_url("openai"))
        await self.well("profiles", "add", name, *where, "--model", "scripted-model", "--key-env", variable, *words)

    def type(self, words: tuple[str, ...], answers: Mapping[str, str]) -> Said:
        """Run a command at a terminal, typing each answer when its question appears. Blocks: call it in a thread."""
        return typed(words, answers, self.environment)


def typed(words: tuple[str, ...], answers: Mapping[str, str], environment: Mapping[str, str]) -> Said:
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [*ROOROUTE, *words], {**environment, "TERM": "xterm", "COLUMNS": "100"})
    left, seen, shown = dict(answers), "", ""
    while select.select([terminal], [], [], PATIENCE)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that nobody holds the other end any more
            break
        if not piece:
            break
        seen, shown = seen + piece.decode(errors="replace"), shown + piece.decode(errors="replace")
        if (question := next(iter(left), None)) is not None and question in seen:
            os.write(terminal, left.pop(question).encode())
            seen = ""
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert "Traceback" not in shown
    assert not left, f"never asked: {list(left)}; shown was {shown}"
    return Said(os.waitstatus_to_exitcode(status), shown.replace("\r\n", "\n"), "")


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[Shell]:
    async with ScriptedProvider({}) as provider:
        yield Shell(tmp_path, provider, child_environment(tmp_path))
