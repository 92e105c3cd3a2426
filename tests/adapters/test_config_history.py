"""Copies of the configuration: bounded, in order, and never in the way."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rooroute.adapters.config_history import ConfigHistory
from rooroute.adapters.env_file import parsed
from rooroute.errors import InvalidInput


def revision(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def keep(history: ConfigHistory, *texts: str) -> None:
    for text in texts:
        history.keep(text.encode(), revision(text))


def test_the_newest_comes_first_and_a_repeated_one_is_kept_once(tmp_path: Path) -> None:
    history = ConfigHistory(tmp_path / "history", lambda: 1_800_000_000.0)
    keep(history, "a", "a", "b", "a")
    assert [each.text() for each in history.entries()] == ["a", "b", "a"]


def test_two_windows_that_see_one_change_make_one_entry(tmp_path: Path) -> None:
    name = f"-{revision('a')}.yaml"
    for stamp in ("1800000000000", "1800000000001"):
        (tmp_path / f"{stamp}{name}").write_text("a")
    (tmp_path / "notes.txt").write_text("not a copy")
    assert len(ConfigHistory(tmp_path, lambda: 0.0).entries()) == 1


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    history = ConfigHistory(tmp_path / "history", lambda: 1_800_000_000.0, most=3)
    keep(history, *"abcde")
    assert [each.text() for each in history.entries()] == ["e", "d", "c"]


def test_a_folder_that_cannot_be_written_costs_the_copy_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    history = ConfigHistory(tmp_path / "file" / "history", lambda: 0.0)
    keep(history, "a")
    assert history.entries() == []


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A = b # told", "b"),
        ("A='b # c'", "b # c"),
        (r'A="b\n\"c"', 'b\n"c'),
        ("A=", ""),
        ("A=b c", "b c"),
        ("A=b#c", "b#c"),
        ("A=sk-1=2", "sk-1=2"),
    ],
)
def test_a_line_of_an_env_file_is_read(line: str, value: str) -> None:
    assert parsed(line) == {"A": value}


@pytest.mark.parametrize("line", ["A", "1A=b", "A='b", 'A="b', "= b"])
def test_a_line_that_is_none_is_told_by_its_number_alone(line: str) -> None:
    with pytest.raises(InvalidInput, match=r"^The file, line 2: this is not NAME=value\.$"):
        parsed(f"# first\n{line}")
