"""The demo shows what happened, and fails when something it shows did not."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from rooroute import demo
from rooroute.demo_screen import Row, Screen
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider, Step


class Terminal(io.StringIO):
    """A screen that says it is one."""

    def isatty(self) -> bool:
        return True


async def test_the_fast_demo_passes_all_its_checks_against_the_real_process() -> None:
    out = io.StringIO()
    code = await demo.run(fast=True, json=True, out=out)
    report = json.loads(out.getvalue())
    assert [check for check in report["checks"] if not check["ok"]] == []
    assert (code, report["ok"]) == (0, True)


async def test_the_show_itself_is_plain_lines_where_nobody_watches() -> None:
    out = io.StringIO()
    assert await demo.run(fast=True, json=False, out=out) == 0
    shown = out.getvalue()
    assert "\x1b" not in shown
    for words in (
        "rate limited (HTTP 429)",
        "overloaded (HTTP 503)",
        "Cooldown 00:",
        "Failed",
        "word by word",
        "checked and happened",
    ):
        assert words in re.sub(r"\n +│ ", " ", shown)


LIES: dict[str, tuple[str, Step]] = {
    "Gemini2 is not overloaded at all": ("demo-key-gemini-2", Answer("Me!")),
    "Gemini1's limit never ends": ("demo-key-gemini-1", Fail("daily-quota", retry_delay=36000)),
    "default's key is never rejected": ("demo-key-default", Answer("Me!")),
}


@pytest.mark.parametrize(("key", "step"), LIES.values(), ids=LIES)
async def test_the_demo_fails_when(key: str, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ScriptedProvider.script

    def lie(self: ScriptedProvider, name: str, *steps: Step) -> None:
        told(self, name, *((step,) if name == key else steps))

    monkeypatch.setattr(ScriptedProvider, "script", lie)
    out = io.StringIO()
    assert await demo.run(fast=True, json=True, out=out) == 1
    checks = {check["name"]: check["ok"] for check in json.loads(out.getvalue())["checks"]}
    assert checks["rooroute serve introduces itself"]
    assert not all(checks.values())


async def test_a_backend_that_dies_is_a_failed_check_not_a_traceback() -> None:
    out = io.StringIO()
    command = (sys.executable, "-c", "import sys; sys.stderr.write('no such luck'); sys.exit(3)")
    assert await demo.run(fast=True, json=False, out=out, command=command) == 1
    assert "stayed alive: no such luck" in out.getvalue()
    assert "Traceback" not in out.getvalue()


LIAR = """
import json, sys
while head := sys.stdin.buffer.readline():
    length = int(head.split(b":")[1]); sys.stdin.buffer.readline()
    message = json.loads(sys.stdin.buffer.read(length))
    if "id" in message:
        result = {"serverInfo": {"name": "rooroute"}}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        sys.stdout.buffer.write(b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body); sys.stdout.buffer.flush()
"""


async def test_a_backend_that_only_says_yes_does_not_pass() -> None:
    assert await demo.run(fast=True, json=True, out=io.StringIO(), command=(sys.executable, "-c", LIAR)) == 1


def test_the_child_gets_nothing_of_the_users(tmp_path: Path) -> None:
    users = {
        "HOME": "/home/me",
        "XDG_CONFIG_HOME": "/home/me/.config",
        "DBUS_SESSION_BUS_ADDRESS": "unix:x",
        "HTTPS_PROXY": "p",
    }
    given = demo.child_environment(tmp_path, users | {"PATH": os.environ["PATH"], "ROOROUTE_CI": "1"})
    assert not {"DBUS_SESSION_BUS_ADDRESS", "HTTPS_PROXY", "ROOROUTE_CI"} & set(given)
    assert all(str(tmp_path) in given[name] for name in given if name.startswith("XDG_") or name == "HOME")


def drawn(out: io.StringIO, **environment: str) -> str:
    screen = Screen(out, environment)
    rows = [
        Row("one", "cooldown", 63.2, "rate limited"),
        Row("two", "failed", None, "key rejected", "Enter a new key."),
    ]
    screen.table(rows)
    screen.table(rows, last=True)
    return out.getvalue()


def test_on_a_terminal_the_table_is_redrawn_in_place_and_in_colour() -> None:
    shown = drawn(Terminal(), TERM="xterm")
    assert "\x1b[3F\x1b[J" in shown
    assert "\x1b[33mCooldown 01:04" in shown


def test_on_a_terminal_no_line_of_a_table_is_wider_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    out = Terminal()
    Screen(out, {"TERM": "xterm", "NO_COLOR": "1"}).table(
        [Row("one", "cooldown", 3.0, "a reason " * 20), Row("two", "failed", None, "another " * 20, "a remedy " * 20)]
    )
    assert max(map(len, out.getvalue().splitlines())) < 50


def test_no_color_leaves_out_the_colours_only() -> None:
    shown = drawn(Terminal(), TERM="xterm", NO_COLOR="1")
    assert "\x1b[3F" in shown
    assert not re.search(r"\x1b\[\d+m", shown)


@pytest.mark.parametrize("environment", [{}, {"TERM": "dumb"}], ids=["without TERM", "on a dumb terminal"])
def test_plain_lines(environment: dict[str, Any]) -> None:
    shown = drawn(Terminal(), **environment)
    assert "\x1b" not in shown
    assert shown.count("one") == 1
    assert "Enter a new key." in shown
