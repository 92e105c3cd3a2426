"""What a test may need beyond Python and Node, and what happens where it is missing.

    @pytest.mark.requires("gnome-keyring")

skips on a machine without it and says so at the end of the run: "not tested here: gnome-keyring (5 tests): apt-get install …".
With ROOROUTE_CI=1 every skip, whatever its reason, is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

# A property is no timed test: a slow machine proves nothing against it.
settings.register_profile("rooroute", deadline=None)
settings.load_profile("rooroute")

ROOT: Final = Path(__file__).parent.parent
_EVERY_SKIP_FAILS: Final = os.environ.get("ROOROUTE_CI") == "1"
_NOT_HERE: Final = "not tested here: "
_FOREIGN: Final = ROOT / "tests" / "foreign"
_INSTALL: Final = "python -m tests.foreign.install"


@dataclass(frozen=True)
class Component:
    present: Callable[[], bool]
    how_to_get_it: str


def programs(*names: str) -> Callable[[], bool]:
    return lambda: all(shutil.which(name) for name in names)


def module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def installed(*place: str) -> Callable[[], bool]:
    """What tests/foreign/install.py has put there."""
    return lambda: _FOREIGN.joinpath(*place, "installed").is_file()


COMPONENTS: Final = {
    "gnome-keyring": Component(
        programs("gnome-keyring-daemon", "dbus-run-session"), "apt-get install gnome-keyring dbus"
    ),
    "dbus": Component(programs("dbus-daemon", "dbus-run-session"), "apt-get install dbus"),
    "chromium": Component(programs("chromium"), "apt-get install chromium fonts-dejavu-core"),
    "neovim": Component(programs("nvim"), "apt-get install neovim"),
    "node": Component(programs("node", "npm"), "install Node 20 or newer with npm"),
    "editor-client": Component(
        lambda: (ROOT / "editor-client" / "node_modules").is_dir(), "npm --prefix editor-client ci"
    ),
    "openssl": Component(programs("openssl"), "apt-get install openssl"),
    "strace": Component(programs("strace"), "apt-get install strace"),
    "google-auth": Component(module("google"), "pip install '.[vertex]'"),
    "mypy": Component(module("mypy"), "pip install '.[dev]'"),
    "aimock": Component(installed("node_modules"), f"{_INSTALL} aimock"),
    "mocklimit": Component(installed(".venv", "mocklimit"), f"{_INSTALL} mocklimit"),
    "mock-ai-api": Component(installed(".venv", "mock-ai-api"), f"{_INSTALL} mock-ai-api"),
    "vendor-sdks": Component(installed(".venv", "vendor-sdks"), f"{_INSTALL} vendor-sdks"),
    "litellm": Component(installed(".venv", "litellm"), f"{_INSTALL} litellm (740 MB)"),
    "llama-cpp": Component(installed(".venv", "llama-cpp"), f"{_INSTALL} llama-cpp (210 MB)"),
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"requires(*components): needs one of {', '.join(COMPONENTS)}; see tests/conftest.py"
    )
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's "&" has it ignored, and every child inherits that: one that a test sends Ctrl+C to would go on for ever.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("requires"):
        for name in marker.args:
            if not COMPONENTS[name].present():
                pytest.skip(_NOT_HERE + name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _EVERY_SKIP_FAILS and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be (ROOROUTE_CI=1): {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _EVERY_SKIP_FAILS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be (ROOROUTE_CI=1): {_reason(report)}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = Counter(
        reason.partition(_NOT_HERE)[2]
        for report in terminalreporter.stats.get("skipped", ())
        if _NOT_HERE in (reason := _reason(report))
    )
    if missing:
        terminalreporter.section("not tested here")
        for name, count in sorted(missing.items()):
            tests = "test" if count == 1 else "tests"
            terminalreporter.line(f"{_NOT_HERE}{name} ({count} {tests}): {COMPONENTS[name].how_to_get_it}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
