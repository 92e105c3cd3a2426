"""A user's own commands: real programs, started and ended for real."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path

import pytest

from rooroute.adapters import machine
from rooroute.adapters.commands import Commands
from rooroute.errors import SecretUnavailable
from rooroute.outcome import Fault, Unreachable
from rooroute.profiles import Auth, AuthKind
from rooroute.providers.dialect import HttpRequest

TOKEN = "canary-token-51f0c2aa93"


def python(source: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", source, *arguments)


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands({"HOME": str(tmp_path), "PATH": os.environ["PATH"]})


async def wrong(commands: Commands, command: tuple[str, ...], seconds: float = 20) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        await commands.run(command, seconds=seconds)
    return caught.value.message


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while machine.is_alive(machine.identity(pid)):
            await asyncio.sleep(0.01)


async def test_what_a_command_prints_is_what_comes(commands: Commands) -> None:
    assert await commands.run(python(f"print('{TOKEN}')"), seconds=20) == f"{TOKEN}\n".encode()


async def test_no_shell_reads_the_arguments(commands: Commands, tmp_path: Path) -> None:
    words = f"$HOME `id` ; touch {tmp_path / 'made'}"
    printed = await commands.run(python("import sys; print(sys.argv[1], end='')", words), seconds=20)
    assert printed.decode() == words
    assert not (tmp_path / "made").exists()


async def test_a_command_gets_no_key_of_anybody_else_and_nothing_that_steers_programs() -> None:
    given = {"HOME": "/", "PATH": f".:bin:{os.environ['PATH']}", "VAULT_TOKEN": "v", "AWS_SECRET_ACCESS_KEY": "a"}
    withheld = {"OPENAI_API_KEY": "1", "my_apikey": "2", "PYTHONPATH": "3", "NODE_OPTIONS": "4", "VSCODE_PID": "5"}
    commands = Commands({**given, **withheld, "ROOROUTE_CI": "6", "LD_PRELOAD": "7"})
    seen = json.loads(await commands.run(python("import json, os; print(json.dumps(dict(os.environ)))"), seconds=20))
    seen.pop("LC_CTYPE", None)  # Python's own
    assert seen == {**given, "PATH": os.environ["PATH"]}


async def test_it_runs_at_home_where_no_file_of_a_workspace_stands_in(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "vault").write_text("#!/bin/sh\necho planted\n")
    (workspace / "vault").chmod(0o755)
    monkeypatch.chdir(workspace)
    assert await commands.run(python("import os; print(os.getcwd(), end='')"), seconds=20) == str(tmp_path).encode()
    for name in ("vault", "./vault", "workspace/vault"):
        assert "is not there" in await wrong(commands, (name,))


async def test_a_tilde_stands_for_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "vault").write_text("#!/bin/sh\necho mine\n")
    (tmp_path / "vault").chmod(0o755)
    assert await Commands(os.environ).run(("~/vault",), seconds=20) == b"mine\n"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (f"import sys; print('{TOKEN}', file=sys.stderr); sys.exit(3)", "failed with status 3"),
        ("print('x' * 300_000)", "more than 256 KiB"),
        ("import os; os.kill(os.getpid(), 9)", "failed with status -9"),
    ],
    ids=["it-fails", "it-prints-too-much", "it-is-killed"],
)
async def test_a_command_that_fails_is_named_without_what_it_said(commands: Commands, source: str, words: str) -> None:
    told = await wrong(commands, python(source, "secret-argument"))
    assert words in told and Path(sys.executable).name in told
    assert TOKEN not in told and "secret-argument" not in told


@pytest.mark.parametrize("command", [(), ("no-such-program",), ("/no/such/program",)])
async def test_a_command_that_is_not_there_says_so(commands: Commands, command: tuple[str, ...]) -> None:
    assert "is not there; install it" in await wrong(commands, command)


async def test_a_command_that_cannot_be_started_says_so(commands: Commands, tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    assert "cannot be started" in await wrong(commands, (str(program),))


HANGS = """
import subprocess, sys, pathlib, os
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(f"{os.getpid()} {child.pid}")
child.wait()
"""


async def test_one_that_hangs_is_ended_with_all_it_started(commands: Commands, tmp_path: Path) -> None:
    assert "not done within 8 seconds" in await wrong(commands, python(HANGS, str(tmp_path / "pids")), seconds=8)
    for pid in (tmp_path / "pids").read_text().split():
        await gone(int(pid))


async def test_a_caller_that_gives_up_leaves_no_process_behind(commands: Commands, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    task = asyncio.create_task(commands.run(python(HANGS, str(pids)), seconds=100))
    async with asyncio.timeout(30):
        while not (pids.exists() and len(pids.read_text().split()) == 2):
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for pid in pids.read_text().split():
        await gone(int(pid))


async def test_a_child_that_keeps_the_pipe_open_holds_nobody_up(commands: Commands, tmp_path: Path) -> None:
    source = (
        "import subprocess, sys, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))"
    )
    try:
        assert "not done within" in await wrong(commands, python(source, str(tmp_path / "pid")), seconds=8)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


SIGN = """
import base64, hashlib, json, sys
told = json.load(sys.stdin)
body = base64.b64decode(told["body"])
assert hashlib.sha256(body).hexdigest() == told["bodySha256"]
print(json.dumps({"headers": {"x-signature": told["method"] + " " + told["url"] + " " + body.decode()[:2]}}))
"""


async def test_a_signature_is_made_of_the_whole_request(commands: Commands) -> None:
    request = HttpRequest("POST", "https://models.example.net/v1/chat", body=b"ab" * 300_000)
    signed = await commands.sign(request, Auth(kind=AuthKind.SIGNATURE_COMMAND, command=python(SIGN)))
    prefix, secret = signed.secret_headers["x-signature"]
    assert prefix + secret.reveal("https://models.example.net:443") == f"POST {request.url} ab"


@pytest.mark.parametrize(
    ("source", "words"),
    [("print('{}')", "printed no"), ("raise SystemExit(1)", "failed with status 1")],
    ids=["it-prints-none", "it-fails-without-reading"],
)
async def test_without_a_signature_nothing_is_sent(commands: Commands, source: str, words: str) -> None:
    request = HttpRequest("POST", "https://models.example.net/v1/chat", body=base64.b64encode(b"x" * 1_000_000))
    with pytest.raises(Unreachable, match=words) as caught:
        await commands.sign(request, Auth(kind=AuthKind.SIGNATURE_COMMAND, command=python(source), timeout=20))
    assert caught.value.failure.fault is Fault.CONFIG
