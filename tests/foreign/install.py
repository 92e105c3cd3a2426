"""Install what others wrote beside the tests, in folders that git ignores: ``python -m tests.foreign.install [NAME …]``.

The test run installs by itself what its tests need, except what is too large to come unasked; continuous integration gets all of it.
Every version and hash is locked. Nothing here is a dependency of the project.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
_SECONDS: Final = 900
_LAST_WORDS: Final = 400


class NotInstalled(Exception):
    """It could not be had; the sentence says why."""


@dataclass(frozen=True)
class Package:
    """One thing to install: from which lock, where to, how; ``large`` ones come only when asked for."""

    lock: Path
    folder: Path
    fill: Callable[[Path, Path], None]
    large: bool = False

    @property
    def stamp(self) -> Path:
        return self.folder / "installed"


def _run(command: Sequence[str | Path], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise NotInstalled(str(wrong)) from None
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line and "complete log" not in line]
        raise NotInstalled(said[-1][:_LAST_WORDS] if said else f"it ended with {done.returncode}")


def _with_npm(lock: Path, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("there is no npm")
    quiet = ["--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"]
    _run([npm, "ci", *quiet, "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"], lock.parent)


def _with_pip(lock: Path, folder: Path) -> None:
    venv.create(folder, with_pip=True, clear=True)
    quiet = ["-q", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    _run([python(folder.name), "-m", "pip", "install", *quiet, "--require-hashes", "-r", lock], folder)


def python(name: str) -> Path:
    """The interpreter of an installed Python package's own environment."""
    return HERE / ".venv" / name / "bin" / "python"


def _python_package(name: str, *, large: bool = False) -> Package:
    return Package(HERE / "locks" / f"{name}.txt", HERE / ".venv" / name, _with_pip, large)


PACKAGES: Final = {
    "aimock": Package(HERE / "package-lock.json", HERE / "node_modules", _with_npm),
    "mocklimit": _python_package("mocklimit"),
    "mock-ai-api": _python_package("mock-ai-api"),
    "vendor-sdks": _python_package("vendor-sdks"),
    "litellm": _python_package("litellm", large=True),
    "llama-cpp": _python_package("llama-cpp", large=True),
}


def _fingerprint(package: Package) -> str:
    return hashlib.sha256(package.lock.read_bytes()).hexdigest() + f" {sys.version_info[:2]}"


def is_current(name: str) -> bool:
    """Whether this is installed as its lock says."""
    stamp = PACKAGES[name].stamp
    return stamp.is_file() and stamp.read_text() == _fingerprint(PACKAGES[name])


def install(name: str) -> None:
    """Install it anew. Raises NotInstalled."""
    package = PACKAGES[name]
    package.stamp.unlink(missing_ok=True)
    package.fill(package.lock, package.folder)
    package.stamp.write_text(_fingerprint(package))


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PACKAGES:
        if not is_current(chosen):
            sys.stderr.write(f"installing {chosen}\n")
            install(chosen)
