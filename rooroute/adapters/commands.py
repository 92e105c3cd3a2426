"""A user's own commands: a vault's client, a token's or a signature's maker. Run without a shell, with a time limit, told nothing of ours."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rooroute.adapters import machine
from rooroute.errors import SecretUnavailable
from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.profiles import Auth
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.signing import signed, to_sign
from rooroute.secret import origin_of

_MOST_BYTES: Final = 256 * 1024

# What a command does not get: other providers' keys, what is ours, and what an editor or a virtual environment sets for its own programs
# (https://code.visualstudio.com/docs/supporting/troubleshoot-terminal-launch, https://docs.python.org/3/using/cmdline.html).
_WITHHELD: Final = re.compile(
    r".*API_?KEY.*|ROOROUTE_.*|PYTHON(?!UTF8|IOENCODING).*|VIRTUAL_ENV.*|LD_(?:PRELOAD|AUDIT)|DYLD_INSERT_.*"
    r"|NODE_OPTIONS|ELECTRON_.*|VSCODE_.*|SSLKEYLOGFILE",
    re.IGNORECASE,
)


class Commands:
    """Runs commands in the user's home, where no file of a workspace stands in for a program. ``environment`` is read once."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        kept = {name: value for name, value in environment.items() if not _WITHHELD.fullmatch(name)}
        folders = kept.get("PATH", os.defpath).split(os.pathsep)
        kept["PATH"] = os.pathsep.join(folder for folder in folders if Path(folder).is_absolute())
        self._environment = kept

    async def run(
        self, command: Sequence[str], *, seconds: float, told: bytes = b"", limit: str = "auth.timeout"
    ) -> bytes:
        """What the command printed, at most 256 KiB; ``told`` is its standard input, ``limit`` the field that gives it its ``seconds``.

        Raises SecretUnavailable, naming the program but neither its arguments nor anything that it printed, when it cannot be started,
        fails, is not done in ``seconds`` or prints too much. Then, and when the caller is cancelled, it and all it started are ended.
        """
        program = self._found(command[0]) if command else None
        if program is None:
            name = Path(command[0]).name if command else "it"
            raise SecretUnavailable(f"The command {name} is not there; install it, or write its whole path.")
        name = Path(program).name
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *command[1:],
                stdin=subprocess.PIPE if told else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd=self._home(),
                **machine.child_options(),
            )
        except (OSError, ValueError):
            raise SecretUnavailable(f"The command {name} cannot be started; try it in a terminal.") from None
        try:
            return await _heard(process, name, seconds, told)
        except TimeoutError:
            raise SecretUnavailable(
                f"The command {name} was not done within {seconds:g} seconds; try it in a terminal, or raise {limit}."
            ) from None

    async def sign(self, request: HttpRequest, auth: Auth) -> HttpRequest:
        """``request`` with what the profile's command adds to it. Raises ``Unreachable``: nothing was sent."""
        try:
            printed = await self.run(auth.command, seconds=auth.timeout, told=to_sign(request))
            return signed(request, printed, origin_of(request.url))
        except SecretUnavailable as wrong:
            raise Unreachable(Failure(Fault.CONFIG, wrong.message)) from None

    def _found(self, program: str) -> str | None:
        """A name is looked for on the path, a path has to be whole."""
        whole = Path(program).expanduser()
        if not whole.is_absolute() and whole.name != program:
            return None
        return shutil.which(str(whole), path=self._environment["PATH"])

    def _home(self) -> str:
        home = self._environment.get("HOME") or self._environment.get("USERPROFILE") or ""
        return home if Path(home).is_absolute() and Path(home).is_dir() else str(Path(os.sep).resolve())


async def _heard(process: subprocess.Process, name: str, seconds: float, told: bytes) -> bytes:
    status: int | None = None
    try:
        async with asyncio.timeout(seconds):
            printed, _ = await asyncio.gather(_read(process, name), _tell(process, told))
            status = await process.wait()
    finally:
        if status is None:
            machine.end_with_children(process.pid)
            process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - a child that left the group may hold the pipe
            await asyncio.shield(process.wait())
    if status != 0:
        raise SecretUnavailable(f"The command {name} failed with status {status}; try it in a terminal.")
    return printed


async def _read(process: subprocess.Process, name: str) -> bytes:
    assert process.stdout is not None
    printed = bytearray()
    while piece := await process.stdout.read(_MOST_BYTES):
        printed += piece
        if len(printed) > _MOST_BYTES:
            raise SecretUnavailable(f"The command {name} printed more than 256 KiB; a token or a signature is shorter.")
    return bytes(printed)


async def _tell(process: subprocess.Process, told: bytes) -> None:
    """A command that ends without reading everything is judged by what it printed."""
    if process.stdin is None:
        return
    try:
        process.stdin.write(told)
        await process.stdin.drain()
    except ConnectionError:
        pass
    process.stdin.close()
