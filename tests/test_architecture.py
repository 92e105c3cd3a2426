"""The floors of the house hold: imports go down, every library stays in its room, every package says its law."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted((ROOT / "rooroute").rglob("__init__.py"))


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


def test_every_import_goes_the_way_that_pyproject_allows() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        pytest.param("unplanned.py", "", "unplanned", id="a-module-without-a-place"),
        pytest.param("routing/clock.py", "import time", "rooroute.routing.clock -> time", id="a-clock-in-a-pure-floor"),
        pytest.param(
            "completion.py",
            "import rooroute.adapters.http",
            "rooroute.completion -> rooroute.adapters.http",
            id="the-story-reaches-outside",
        ),
        pytest.param(
            "status.py",
            "import rooroute.story.picking",
            "rooroute.status -> rooroute.story.picking",
            id="a-step-of-the-story-taken-by-another",
        ),
        pytest.param(
            "rpc/tables.py", "import sqlite3", "rooroute.rpc.tables -> sqlite3", id="a-library-outside-of-its-room"
        ),
    ],
)
def test_a_breach_is_noticed(tmp_path: Path, module: str, line: str, broken: str) -> None:
    for source in (ROOT / "rooroute").rglob("*.py"):
        copy = tmp_path / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(source.read_bytes())
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    with (tmp_path / "rooroute" / module).open("a") as breach:
        breach.write(f"\n{line}\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert broken in done.stdout


@pytest.mark.parametrize("package", PACKAGES, ids=[str(package.parent.relative_to(ROOT)) for package in PACKAGES])
def test_a_package_file_holds_its_law_and_nothing_else(package: Path) -> None:
    body = ast.parse(package.read_text()).body
    assert [type(node) for node in body] == [ast.Expr]
    assert ast.get_docstring(ast.parse(package.read_text()))
