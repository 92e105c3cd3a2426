"""What the log shows, to whom, and whom it holds up."""

from __future__ import annotations

import base64
import io
import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from rooroute.adapters import logs
from rooroute.adapters.logs import Redactor

KEY = 'canary/57+ab"c29d11'


@pytest.fixture(autouse=True)
def untouched_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.raiseExceptions = raising


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(KEY, id="as-it-is"),
        pytest.param(quote(KEY, safe=""), id="percent-encoded"),
        pytest.param(base64.b64encode(KEY.encode()).decode(), id="base64"),
        pytest.param(base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="), id="base64url"),
        pytest.param(KEY.replace('"', '\\"'), id="json-escaped"),
        pytest.param(KEY.encode().hex(), id="hex"),
    ],
)
def test_a_registered_key_is_taken_out_in_every_spelling(spelling: str) -> None:
    redactor = Redactor()
    redactor.register(KEY)
    assert spelling.rstrip("=") not in redactor.scrub(f"before {spelling} after")
    assert redactor.scrub(f"before {spelling} after").startswith("before [removed]")


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("AIzaSyD-1234567890abcdefgh failed", "[removed] failed"),
        ("key sk-proj-abcdef123456 is wrong", "key [removed] is wrong"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [removed]"),
        ("GET /v1?alt=sse&key=abcdef HTTP/1.1", "GET /v1?alt=sse&key=[removed] HTTP/1.1"),
        ("{'x-api-key': 'abcdef123456'}", "{'x-api-key': '[removed]'}"),
        ("the monkey task=12 was asked", "the monkey task=12 was asked"),
        ("profile work rests until 12:00", "profile work rests until 12:00"),
    ],
)
def test_what_has_the_shape_of_a_key_is_taken_out(text: str, scrubbed: str) -> None:
    assert Redactor().scrub(text) == scrubbed


def test_a_short_text_is_not_taken_for_a_key() -> None:
    redactor = Redactor()
    redactor.register("abc")
    assert redactor.scrub("abc") == "abc"


def test_a_short_key_is_taken_out_as_a_word_of_its_own() -> None:
    redactor = Redactor()
    for key in ("abc123", "late"):
        redactor.register(key)
    assert redactor.scrub("abc123 was too late for the latest") == "[removed] was too [removed] for the latest"


def test_the_file_is_private_and_holds_no_key_even_in_a_traceback(tmp_path: Path) -> None:
    stderr = io.StringIO()
    started = logs.start(folder=tmp_path / "log", stderr=stderr)
    started.redactor.register(KEY)
    logging.getLogger("rooroute").info("saved %s", KEY)
    try:
        raise ValueError(KEY)
    except ValueError:
        logging.getLogger("rooroute").exception("failed")
    started.close()
    assert started.path is not None
    assert stat.S_IMODE(started.path.stat().st_mode) == 0o600
    said = started.path.read_text()
    assert "saved [removed]" in said
    assert "ValueError: [removed]" in said
    assert "saved" not in stderr.getvalue()
    assert "failed" in stderr.getvalue()


def test_the_files_stay_within_their_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 10_000)
    for old in range(20):
        (tmp_path / f"rooroute-{old}.log").write_text("old")
    started = logs.start(folder=tmp_path, stderr=io.StringIO())
    for i in range(900):
        logging.getLogger("rooroute").info("line %d %s", i, "x" * 80)
    started.close()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 22_000
    assert len(list(tmp_path.iterdir())) <= 12


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    (tmp_path / f"rooroute-{os.getpid()}.log").symlink_to(target)
    started = logs.start(folder=tmp_path, stderr=io.StringIO())
    logging.getLogger("rooroute").warning("hello")
    started.close()
    assert started.path is None
    assert target.read_text() == "mine"


def test_a_folder_that_cannot_be_made_leaves_stderr(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    stderr = io.StringIO()
    started = logs.start(folder=tmp_path / "file" / "log", stderr=stderr)
    logging.getLogger("rooroute").warning("hello")
    started.close()
    assert started.path is None
    assert "hello" in stderr.getvalue()


def test_a_reader_that_stopped_reading_holds_nobody_up(tmp_path: Path) -> None:
    released = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            released.wait(30)
            return len(text)

    started = logs.start(folder=tmp_path, stderr=Stuck())
    done = threading.Event()

    def log_much() -> None:
        for i in range(3_000):
            logging.getLogger("rooroute").warning("line %d", i)
        started.close()
        done.set()

    threading.Thread(target=log_much, daemon=True).start()
    assert done.wait(20)
    released.set()
    started._writer.join(20)
