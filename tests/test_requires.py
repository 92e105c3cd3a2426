"""The rule about missing components, tried on a small suite of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
import pytest

@pytest.mark.requires("gnome-keyring")
def test_keyring(): pass

@pytest.mark.skip(reason="no wish to")
def test_unwilling(): pass

def test_plain(): pass
"""


def run_suite(folder: Path, ci: str) -> str:
    (folder / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (folder / "test_small.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", folder, folder],
        check=False,
        env={"PATH": str(folder), "ROOROUTE_CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def test_a_missing_component_is_reported_with_the_way_to_get_it(tmp_path: Path) -> None:
    said = run_suite(tmp_path, "")
    assert "not tested here: gnome-keyring (1 test): apt-get install gnome-keyring dbus" in said
    assert "1 passed, 2 skipped" in said


def test_in_ci_every_skip_is_a_failure(tmp_path: Path) -> None:
    said = run_suite(tmp_path, "1")
    assert "1 passed, 2 errors" in said
