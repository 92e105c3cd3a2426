"""What the README and the contributing guide tell a stranger to type is true."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rooroute.commands.grammar import grammar

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("rooroute ")]


def test_nothing_is_left_to_be_filled_in() -> None:
    """A line that is one word in capitals stands for something that was to come."""
    assert re.findall(r"^[^\w\n]*[A-Z][A-Z0-9_]{2,}[^\w\n]*$", README, re.MULTILINE) == []


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("title", "does"), [("Run", "rooroute demo"), ("Test", "pytest")])
def test_run_and_test_are_one_line_each_that_sets_everything_up(title: str, does: str) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)
    (line,) = block.strip().splitlines()
    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith(does)
    assert "--require-hashes -r requirements.lock" in line


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_is_one_that_rooroute_understands(line: str) -> None:
    grammar().parse_args(shlex.split(line)[1:])


def test_the_first_steps_can_be_taken_as_they_are_written(tmp_path: Path) -> None:
    """All of them but ``chat``, which would go to a paid provider; the Gemini keys are typed on standard input."""
    environment = {
        **os.environ,
        **{f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")},
        "HOME": str(tmp_path),
        "ROOROUTE_SECRET_STORE": "session",
        "OPENAI_API_KEY": "a-key-of-openai",
        "GEMINI_API_KEY": "a-key-of-google",
        "NO_COLOR": "1",
    }

    def run(line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)[1:]
        if words[:2] == ["profiles", "add"] and "--key-env" not in words:
            words += ["--key-env", "GEMINI_API_KEY"]  # no keyring here to keep a typed one
        return subprocess.run(
            [sys.executable, "-m", "rooroute", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    adds = [line for line in COMMANDS if " profiles add " in line]
    assert len(adds) == 3
    for line in adds:
        done = run(line)
        assert done.returncode == 0, done.stderr
    status = run("rooroute status")
    assert status.returncode == 0
    assert all(name in status.stdout for name in ("Gemini1", "Gemini2", "default"))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "protocol/README.md", "protocol/providers.md"])
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not ((ROOT / page).parent / link).exists()]
    assert missing == []


def test_the_guides_recipes_name_places_that_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:rooroute|tests|protocol|editor-client)/[^`]*?)`", guide)
    assert named
    assert [each for each in named if not (ROOT / each.split(" ")[0]).exists()] == []
