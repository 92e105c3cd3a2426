"""Every path, page and test that the table of features names is there."""

from __future__ import annotations

import ast
import re
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from rooroute.commands.grammar import grammar
from rooroute.profiles import Defaults, Pool, Profile, camel
from rooroute.rpc.methods import METHODS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "protocol" / "features.md"
SECTIONS = {"profiles": Profile, "pools": Pool, "defaults": Defaults}
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").partition("## Not there")[0].splitlines()
    if re.match(r"\| [0-9EM]", line)
]


def inner(kind: Any) -> type | None:
    """The dataclass in ``X | None`` or ``tuple[X, ...]``."""
    if is_dataclass(kind) and isinstance(kind, type):
        return kind
    return next((found for each in get_args(kind) if (found := inner(each)) is not None), None)


def is_field(path: str) -> bool:
    section, *names = path.split(".")
    kind: type | None = SECTIONS.get(section)
    for name in names:
        if kind is None:
            return False
        by_name = {camel(each.name): each.name for each in fields(kind)}
        if name not in by_name:
            return False
        kind = inner(get_type_hints(kind)[by_name[name]])
    return section in SECTIONS


@cache
def panel_words() -> str:
    """Everything that the settings panel says, and the code around it."""
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "editor-client/webview").glob("*.ts")))


def is_in_panel(path: str) -> bool:
    """``panel: Pools > Rules > New rule``: what is opened or pressed, by what stands on it."""
    return all(words in panel_words() for words in path.removeprefix("panel: ").split(" > "))


def is_command(words: str) -> bool:
    parser: Any = grammar()
    for name in words.split()[1:]:
        if name not in parser.words:
            return False
        parser = parser.words[name]
    return True


@cache
def names_in(path: Path) -> set[str]:
    if path.suffix == ".mjs":
        return set(re.findall(r'await test\(\s*"([^"]+)"', path.read_text(encoding="utf-8")))
    if path.suffix == ".ts":
        return set(re.findall(r'^\s*test\(\s*"([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@cache
def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_table_is_read() -> None:
    assert len(ROWS) > 50
    assert all(len(row) == 5 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    _, _, paths, page, test = row
    for path in re.findall(r"`([^`]+)`", paths):
        if path.startswith("panel: "):
            assert is_in_panel(path), path
        else:
            assert path in METHODS or (path.startswith("rooroute ") and is_command(path)) or is_field(path), path
    target, _, anchor = re.findall(r"\]\(([^)]+)\)", page)[0].partition("#")
    assert (ROOT / "protocol" / target).is_file()
    assert not anchor or anchor in anchors(ROOT / "protocol" / target), anchor
    for each in re.findall(r"`([^`]+)`", test):
        file, _, name = each.partition("::")
        assert (ROOT / file).is_file(), file
        assert not name or name in names_in(ROOT / file), name


@pytest.mark.parametrize(
    "path", ["pools.nothing", "pools.latency.nothing", "profiles.price.input.deeper", "nowhere.id"]
)
def test_a_field_that_is_not_there_is_noticed(path: str) -> None:
    assert not is_field(path)


def test_what_the_panel_does_not_say_is_noticed() -> None:
    assert is_in_panel("panel: Pools > Rules > New rule")
    assert not is_in_panel("panel: Pools > Rules > No such button")


def test_each_setting_of_a_pool_or_profile_names_its_place_in_the_panel() -> None:
    lacking = [row[0] for row in ROWS if re.search(r"`(pools|defaults)\.", row[2]) and "`panel: " not in row[2]]
    assert lacking == []
