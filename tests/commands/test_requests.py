"""Requests from the command line, and everything that is told about them: chat, status, rotate, why, stats, doctor."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.scripted_provider import Answer, Fail, Hang, Html, Stall
from tests.adapters.test_keychain import Session, keyring, session  # noqa: F401 - fixtures
from tests.commands.conftest import PATIENCE, Shell

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"
POSIX = pytest.mark.skipif(
    "sys.platform == 'win32'", reason="Windows has neither signals nor pseudo-terminals like these"
)


async def three(shell: Shell) -> None:
    await shell.save("first", Fail("rate-limit", retry_delay=600, lasts=600))
    await shell.save("second", Fail("overloaded"))
    await shell.save("third", Answer("Third speaks.", chunks=3), words=("--set", "model=scripted-large"))


async def test_an_answer_goes_to_standard_output_and_who_gave_it_beside_it(shell: Shell) -> None:
    await three(shell)
    said = await shell.well("chat", "Who", "speaks?")
    assert said.out == "Third speaks.\n"
    told = said.err.splitlines()
    assert told[:2] == ["· first could not answer, asking second", "· second could not answer, asking third"]
    assert told[2].startswith(
        "· third (scripted-large) after first rate limited (HTTP 429), second overloaded (HTTP 503); "
    )
    assert len(told) == 3
    assert shell.provider.requests[-1].json()["messages"] == [{"role": "user", "content": "Who speaks?"}]
    await shell.well("chat", "-", "--system", "Be brief.", "--model", "scripted-other", stdin="And now?\n")
    last = shell.provider.requests[-1].json()
    assert last["model"] == "scripted-other"
    assert [each["content"] for each in last["messages"]] == ["Be brief.", "And now?\n"]


async def test_a_script_gets_the_whole_result_as_json(shell: Shell) -> None:
    await three(shell)
    said = await shell.well("chat", "--json", "hi")
    assert said.err == ""
    result = said.json
    assert (result["profileId"], result["message"]["content"]) == ("third", "Third speaks.")
    assert [each["verdict"] for each in result["attempts"]] == ["rateLimit", "overload", "ok"]


async def test_nobody_could_answer_is_told_with_every_reason_and_the_soonest_time(shell: Shell) -> None:
    await shell.save("lazy", Fail("rate-limit", retry_delay=600, lasts=600))
    await shell.save("broke", Fail("billing"))
    said = await shell("chat", "hi")
    assert (said.code, said.out) == (1, "")
    assert "· lazy rate limited (HTTP 429): " in said.err
    assert "· broke not paid for" in said.err
    assert said.err.splitlines()[-1].startswith("rooroute: Every profile is resting; lazy is back in 10 minutes")
    error = (await shell("chat", "--json", "hi")).json["error"]
    assert (error["kind"], {each["id"] for each in error["profiles"]}) == ("allCoolingDown", {"lazy", "broke"})
    assert "retryAt" in error


async def test_a_short_wait_is_told_once_and_then_answered(shell: Shell) -> None:
    await shell.save("only", Fail("rate-limit", retry_delay=2, lasts=2), Answer("Here I am."))
    said = await shell.well("chat", "hi")
    assert said.out == "Here I am.\n"
    assert len(re.findall("· waiting for only, back in (?:2 seconds|1 second)$", said.err, re.MULTILINE)) == 1


async def test_a_named_profile_is_asked_and_no_other(shell: Shell) -> None:
    await three(shell)
    said = await shell("chat", "--profile", "second", "hi")
    assert said.code == 1
    assert "third" not in said.err


async def test_what_a_model_says_cannot_steer_the_terminal(shell: Shell) -> None:
    await shell.save("evil", Answer(f"red{ESCAPE}[31m title{ESCAPE}]0;gotcha\x07 end"))
    piped = await shell.well("chat", "hi")
    assert f"{ESCAPE}[31m" in piped.out
    shown = await asyncio.to_thread(shell.type, ("chat", "hi"), {})
    assert f"{ESCAPE}]0;" not in shown.out
    assert f"{ESCAPE}[31m" not in shown.out
    assert "red\ufffd[31m title" in shown.out


@POSIX
async def test_a_conversation_goes_on_until_ctrl_d(shell: Shell) -> None:
    await shell.save("one", Answer("Hello you."), Answer("Still here."))
    said = await asyncio.to_thread(
        shell.type, ("chat",), {"you: ": "hi\n", "Hello you.": "more\n", "Still here.": "\x04"}
    )
    assert said.code == 0
    messages = shell.provider.requests[-1].json()["messages"]
    assert [each["content"] for each in messages] == ["hi", "Hello you.", "more"]


@POSIX
async def test_ctrl_c_cancels_cleanly_and_the_attempt_is_in_the_books(shell: Shell) -> None:
    await shell.save("slow", Stall(2))
    process = await shell.start("chat", "hi")
    assert process.stdout
    assert process.stderr
    async with asyncio.timeout(PATIENCE):
        await process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        code = await process.wait()
        err = (await process.stderr.read()).decode()
    assert (code, err.splitlines()[-1]) == (130, "Cancelled.")
    assert "Traceback" not in err
    why = (await shell.well("why", "--json")).json
    assert [each["verdict"] for each in why["attempts"]] == ["cancelled"]


@POSIX
async def test_a_countdown_is_drawn_and_cancelled(shell: Shell) -> None:
    await shell.save("only", Fail("rate-limit", retry_delay=30, lasts=30))
    said = await asyncio.to_thread(shell.type, ("chat", "hi"), {"back in 29 seconds (Ctrl-C cancels)": "\x03"})
    assert said.code == 130
    assert "back in 30 seconds" in said.out


@POSIX
@pytest.mark.parametrize("words", [("chat", "hi"), ("status", "--json"), ("--help",)], ids=" ".join)
async def test_a_reader_who_goes_away_is_no_error(shell: Shell, words: tuple[str, ...]) -> None:
    await shell.save("one", Answer("word " * 200, chunks=100))
    command = await asyncio.create_subprocess_shell(
        "{ " + " ".join(map(repr, (shell.python, "-m", "rooroute", *words))) + "; } 2>complaints | true; cat complaints",
        env=shell.environment, cwd=shell.home, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await command.communicate()
    assert b"Traceback" not in out
    assert b"BrokenPipe" not in out
    assert b"unexpected" not in out


async def test_rotate_rests_the_current_profile_for_everybody(shell: Shell) -> None:
    for name in ("first", "second", "third"):
        await shell.save(name)
    moved = (await shell.well("rotate", "--json")).json
    assert (moved["from"], moved["to"], moved["rest"]) == ("first", "second", 300.0)
    assert (await shell.well("chat", "hi")).out == "second speaks.\n"
    assert (
        await shell.well("rotate", "--to", "third", "--rest", "2h")
    ).out == "second rests for 2 hours; third answers next.\n"
    assert (await shell.well("chat", "hi")).out == "third speaks.\n"
    assert (await shell.well("rotate", "--to", "third")).out == "third answers already.\n"
    resting = await shell("rotate", "--to", "first")
    assert (resting.code, "first cannot be next, its state is cooldown." in resting.err) == (1, True)
    nowhere = await shell("rotate")
    assert nowhere.code == 1
    assert "There is nowhere to rotate to" in nowhere.err
    assert "The first is back in" in nowhere.err


async def test_rotate_rests_for_the_pools_own_cooldown(shell: Shell) -> None:
    for name in ("first", "second"):
        await shell.save(name)
    await shell.well("pools", "add", "work", "first", "second", "--cooldown", "120")
    assert (await shell.well("rotate", "work")).out == "first rests for 2 minutes; second answers next.\n"
    assert (await shell("rotate", "work", "--rest", "0")).code == 1


async def test_status_tells_states_remedies_and_who_answers_next(shell: Shell) -> None:
    await three(shell)
    await shell.well("chat", "hi")
    await shell.well("profiles", "disable", "second")
    shown = (await shell.well("status")).out
    rows = {line.split()[0]: line for line in shown.splitlines() if line and not line.startswith(" ")}
    assert "Cooldown 09:" in rows["first"] or "Cooldown 10:" in rows["first"]
    assert "Disabled" in rows["second"]
    assert "Active" in rows["third"]
    assert "1 request, 100% good" in rows["third"]
    assert "third" in rows["default"]
    assert "    The rate limit is reached" in shown or "    Rate limit" in shown
    found = (await shell.well("status", "--json")).json
    assert [each["state"] for each in found["profiles"]] == ["cooldown", "disabled", "active"]
    assert found["pools"][0]["current"] == "third"
    assert ESCAPE not in shown


async def test_watching_without_a_terminal_tells_every_change_as_a_line(shell: Shell) -> None:
    await shell.save("one")
    watching = await shell.start("status", "--watch", "--json")
    assert watching.stdout
    async with asyncio.timeout(PATIENCE):
        first = json.loads(await watching.stdout.readline())
        await shell.well("profiles", "disable", "one")
        second = json.loads(await watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert await watching.wait() == 0
    assert [each["profiles"][0]["state"] for each in (first, second)] == ["active", "disabled"]


@POSIX
async def test_watching_at_a_terminal_is_drawn_in_place_and_colours_can_be_turned_off(shell: Shell) -> None:
    await shell.save("one")
    moving = await asyncio.to_thread(shell.type, ("status", "--watch"), {f"{ESCAPE}[J": "\x03"})
    assert moving.code == 0
    assert f"{ESCAPE}[32mActive" in moving.out
    plain = replace(shell, environment=shell.environment | {"NO_COLOR": "1"})
    still = await asyncio.to_thread(plain.type, ("status",), {})
    assert ESCAPE not in still.out
    assert "Active" in still.out


async def test_why_and_stats_tell_what_was(shell: Shell) -> None:
    await three(shell)
    await shell.well("chat", "hi")
    why = (await shell.well("why")).out
    assert "pool default (priority)" in why
    assert "rate limited (HTTP 429)" in why
    assert "choice 1" in why
    found = (await shell.well("why", "latest", "--json")).json
    assert (await shell.well("why", found["request"]["id"], "--json")).json == found
    stats = (await shell.well("stats")).out.splitlines()
    assert stats[0].startswith("PROFILE  REQUESTS  GOOD")
    assert [line.split()[:3] for line in stats[1:]] == [
        ["first", "1", "0%"],
        ["second", "1", "0%"],
        ["third", "1", "100%"],
    ]
    rows = list(csv.DictReader(io.StringIO((await shell.well("stats", "--by", "provider", "--csv")).out)))
    told = ("provider", "requests", "attempts", "successes", "errorRate", "cost")
    assert [[row[name] for name in told] for row in rows] == [["openai-compatible", "1", "3", "1", str(1 - 1 / 3), ""]]
    assert rows[0]["lastAt"].endswith("Z")
    assert (await shell("stats", "--csv", "--json")).code == 2
    assert (await shell.well("stats", "--by", "model", "--json")).json["rows"][0]["key"] == "scripted-large"
    assert (await shell.well("stats", "--since", "2000-01-01", "--by", "day")).out.count("\n") == 2
    assert (await shell.well("stats", "--since", "2999-01-01")).out == "Nothing was asked in that time.\n"
    assert (await shell("stats", "--since", "yesterday")).code == 1


async def test_the_doctor_names_cause_and_remedy_and_its_exit_code_says_whether_all_is_well(shell: Shell) -> None:
    await shell.save("good")
    await shell.save("portal", Html(), words=("--set", "proxy="))
    await shell.save("silent", Hang(), words=("--base-url", "http://127.0.0.1:9/v1"))
    said = await shell("doctor")
    assert said.code == 1
    assert "✗ keyring: " in said.out
    assert "✓ address of good: " in said.out
    assert "✗ address of silent: " in said.out
    findings = (await shell("doctor", "--json")).json
    assert findings["ok"] is False
    assert all(each["remedy"] for each in findings["findings"] if not each["ok"])


async def test_a_fresh_machine_is_told_where_to_begin(shell: Shell) -> None:
    assert "rooroute profiles add" in (await shell.well("status")).out
    assert "rooroute profiles add" in (await shell.well("pools", "list")).out
    said = await shell("chat", "hi")
    assert (said.code, said.err) == (
        1,
        "rooroute: The pool has no profiles; add one first. To save one: rooroute profiles add.\n",
    )
    assert "Nobody was considered" in (await shell.well("why")).out
    assert "rooroute profiles add" in (await shell("doctor")).out


async def test_a_fault_of_rooroute_itself_is_one_sentence_and_goes_to_the_log(shell: Shell) -> None:
    await shell.save("one")
    broken = shell.home / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import rooroute.application as a\n"
        "async def status(self): raise ZeroDivisionError('canary')\n"
        "a.Backend.status = status\n"
    )
    said = await shell("status", PYTHONPATH=f"{broken}{os.pathsep}{ROOT}")
    assert said.code == 1
    assert said.err.startswith(
        "rooroute: something unexpected happened inside rooroute (ZeroDivisionError); its log is "
    )
    assert "canary" not in said.err
    log = Path(said.err.rpartition("its log is ")[2].strip().removesuffix("."))
    assert "ZeroDivisionError" in log.read_text()  # noqa: ASYNC240 - nothing else runs


@pytest.mark.requires("gnome-keyring")
async def test_a_key_saved_by_one_command_is_used_by_the_next(shell: Shell, keyring: Session) -> None:  # noqa: F811
    kept = {name: text for name, text in shell.environment.items() if name != "ROOROUTE_SECRET_STORE"}
    here = replace(shell, environment=kept | keyring.environment)
    key = "sk-canary-3b1f77e0"
    shell.provider.script(key, Answer("I know you."))
    where = ("--provider", "openai-compatible", "--base-url", shell.provider.base_url("openai"))
    saved = await here.well(
        "profiles", "add", "mine", *where, "--model", "scripted-model", "--key-stdin", stdin=f" {key}\n"
    )
    assert "its key is in the keyring" in saved.out
    assert (await here.well("chat", "hi")).out == "I know you.\n"
    refused = await here("profiles", "edit", "mine", "--key-stdin", stdin="two\nlines")
    assert "line break" in refused.err
    moved = await here("profiles", "edit", "mine", "--base-url", "https://elsewhere.test/v1")
    assert (moved.code, "--key-stdin" in moved.err) == (1, True)
    assert (await here.well("chat", "hi")).out == "I know you.\n"
    await here.well("profiles", "remove", "mine")
    await here.well("profiles", "restore", "mine")
    assert (await here.well("chat", "hi")).out == "I know you.\n"
    home = Path(keyring.environment["XDG_CONFIG_HOME"])
    files = [
        each
        for folder in (home, Path(keyring.environment["XDG_STATE_HOME"]))
        for each in folder.rglob("*")
        if each.is_file()
    ]
    assert files
    assert not [each for each in files if key.encode() in each.read_bytes()]
