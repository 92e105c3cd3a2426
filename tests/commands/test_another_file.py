"""``--config PATH``, wherever it stands: real processes that work on that file and leave the usual one alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rooroute.scripted_provider import Answer
from tests.commands.conftest import ROOROUTE, Shell
from tests.rpc.client import Client

BEFORE, AFTER = "before", "after"
EITHER = pytest.mark.parametrize("where", [BEFORE, AFTER])


def placed(where: str, other: Path, *words: str) -> tuple[str, ...]:
    config = ("--config", str(other))
    return (*config, *words) if where == BEFORE else (*words, *config)


@pytest.fixture
async def other(shell: Shell) -> Path:
    """A file elsewhere with one profile, beside an empty home."""
    file = shell.home / "elsewhere" / "mine.yaml"
    words = ("profiles", "add", "faraway", "--provider", "openai-compatible", "--model", "m", "--key-env", "KEY_OF_A")
    shell.environment["KEY_OF_A"] = "key-of-a"
    await shell.well("--config", str(file), *words, "--base-url", shell.provider.base_url("openai"))
    return file


@EITHER
async def test_serve_works_on_that_file(shell: Shell, other: Path, where: str) -> None:
    words = placed(where, other, "serve")
    async with await Client.start([*ROOROUTE, *words], env=shell.environment) as client:
        await client.initialize()
        status = await client.request("rooroute/status")
        assert status["configPath"] == str(other)
        assert [each["id"] for each in status["profiles"]] == ["faraway"]
        await client.request("rooroute/pools/save", {"pool": {"id": "p", "profiles": ["faraway"]}})
    assert "p" in (await shell.well("--config", str(other), "pools", "list")).out
    assert not shell.config.exists()


@EITHER
async def test_the_demo_touches_neither_that_file_nor_the_usual_one(shell: Shell, other: Path, where: str) -> None:
    before = await shell.well("--config", str(other), "export")
    await shell.well(*placed(where, other, "demo", "--fast"))
    assert await shell.well("--config", str(other), "export") == before
    assert not shell.config.exists()


@EITHER
@pytest.mark.parametrize(
    ("words", "shows"),
    [
        (("status",), "faraway"),
        (("chat", "Hello?"), "faraway speaks."),
        (("doctor",), "faraway"),
        (("export",), "id: faraway"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_command_works_on_that_file(
    shell: Shell, other: Path, where: str, words: tuple[str, ...], shows: str
) -> None:
    shell.provider.script("key-of-a", Answer("faraway speaks."))
    said = await shell(*placed(where, other, *words))
    assert shows in said.out + said.err, said
    assert not shell.config.exists()
