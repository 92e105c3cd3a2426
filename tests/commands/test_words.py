"""What is typed is understood, or refused in one sentence that helps."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest

from rooroute.cli import run
from rooroute.commands.grammar import grammar
from rooroute.commands.words import Words

KEY = "sk-canary-5f0c2a"


def leaves(parser: Words) -> Iterator[Words]:
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not groups:
        yield parser
    for group in groups:
        for inner in group.choices.values():
            yield from leaves(inner)


@pytest.mark.parametrize("parser", list(leaves(grammar())), ids=lambda parser: parser.prog)
def test_every_command_has_a_function_a_help_and_config(parser: Words, capsys: pytest.CaptureFixture[str]) -> None:
    module, _, name = parser.get_default("handler").partition(":")
    assert callable(getattr(import_module(module), name))
    assert run([*parser.prog.split()[1:], "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--config PATH" in shown
    assert (parser.description or "").split("\n", maxsplit=1)[0] in shown
    assert all(action.help for action in parser._actions if action.dest not in {"id", "profiles"})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["stauts"], "rooroute: there is no command 'stauts'; did you mean stats or status?"),
        (["profiles", "lsit"], "rooroute profiles: there is no command 'lsit'; did you mean list?"),
        (["xyzzy"], "rooroute: there is no command 'xyzzy'; see rooroute --help."),
        (["status", "--wach"], "rooroute: there is no option --wach; did you mean --watch?"),
        (
            ["profiles"],
            "rooroute profiles: say what to do: list, add, edit, get, set, unset, rename, remove, restore, enable, disable, reset, dismiss, test, models.",
        ),
        (["profiles", "remove"], "rooroute profiles remove: PROFILE is missing; see rooroute profiles remove --help."),
        (["status", "now"], "rooroute: there is a word too many; see rooroute --help."),
        (["stats", "--by", "week"], "rooroute stats: --by is one of profile, provider, model, day, tag, pool."),
        (["chat", "--pool"], "rooroute chat: --pool needs a value; see rooroute chat --help."),
        (["pools", "add", "work"], "rooroute pools add: PROFILE is missing; see rooroute pools add --help."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_misspelling_is_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{sentence}\n")


@pytest.mark.parametrize(
    "option", ["--key", "--api-key", f"--api-key={KEY}", "--apikey", "--token", "--secret", "-key"]
)
def test_a_key_is_never_taken_from_the_command_line_nor_repeated(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profiles", "add", "work", "--provider", "openai", option, KEY]) == 2
    said = capsys.readouterr().err
    assert "--key-stdin or --key-env NAME" in said
    assert KEY not in said


def test_a_key_in_a_strange_place_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profiles", "add", "work", KEY]) == 2
    assert KEY not in capsys.readouterr().err


def what_it_needs(parser: Words) -> Iterator[str]:
    """Words that make the command whole."""
    for action in parser._actions:
        word = str(next(iter(action.choices))) if action.choices else "a=b"
        if action.option_strings:
            yield from (action.option_strings[0], word) if action.required else ()
        elif action.nargs not in ("?", "*"):
            yield word


@pytest.mark.parametrize("parser", list(leaves(grammar())), ids=lambda parser: parser.prog)
def test_config_is_understood_before_and_after_every_command(parser: Words) -> None:
    command, needed = parser.prog.split()[1:], list(what_it_needs(parser))
    for words in (
        ["--config", "a", *command, *needed],
        [*command, "--config", "a", *needed],
        [*command, *needed, "--config", "a"],
        [*command[:1], "--config", "a", *command[1:], *needed],
        ["--config", "b", *command, *needed, "--config=a"],
    ):
        assert grammar(serve_alone=words[:1] == ["serve"]).parse_args(words).config == "a", words
    assert grammar().parse_args([*command, *needed]).config is None


def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "chat"]) == 0
    assert "Ctrl-D" in capsys.readouterr().out
    assert run(["help"]) == 0
    assert "rooroute demo" in capsys.readouterr().out


def test_the_door_is_light_since_serve_comes_through_it() -> None:
    code = "import sys; before = set(sys.modules); import rooroute.cli; from rooroute.commands.grammar import grammar as g; g().parse_args(['serve']); print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.split())
    strangers = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert strangers == {"rooroute"}
    ours = {name for name in loaded if name.startswith("rooroute.")}
    allowed = ("cli", "errors", "version", "commands", "commands.grammar", "commands.words")
    assert ours == {f"rooroute.{name}" for name in allowed}
    assert "asyncio" not in loaded


def test_serve_takes_the_flag_that_many_editors_send() -> None:
    assert grammar().parse_args(["serve", "--stdio"]).stdio
