"""Locks, files and processes of the machine this runs on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rooroute.adapters import machine


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    process = python(
        """
        import sys
        from pathlib import Path
        from rooroute.adapters.machine import file_lock
        with file_lock(Path(sys.argv[1]), 5):
            print("held", flush=True)
            sys.stdin.read()
        """,
        tmp_path / "lock",
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


# --- locks ---


def test_a_lock_keeps_another_process_out_until_it_lets_go(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(TimeoutError), machine.file_lock(tmp_path / "lock", 0.02):
        pytest.fail("held twice")
    holder.communicate(timeout=20)
    with machine.file_lock(tmp_path / "lock", 0):
        pass


def test_a_holder_that_is_killed_frees_its_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait(20)
    with machine.file_lock(tmp_path / "lock", 5):
        pass


def test_a_holder_that_is_stopped_keeps_its_lock_and_blocks_nobody_for_ever(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError), machine.file_lock(tmp_path / "lock", 0.02):
        pytest.fail("held twice")
    holder.send_signal(signal.SIGCONT)
    holder.communicate(timeout=20)
    with machine.file_lock(tmp_path / "lock", 0):
        pass


def test_threads_of_one_process_exclude_each_other_too(tmp_path: Path) -> None:
    with (
        machine.file_lock(tmp_path / "lock", 0),
        pytest.raises(TimeoutError),
        machine.file_lock(tmp_path / "lock", 0),
    ):
        pytest.fail("held twice")


def test_a_waiting_process_gets_the_lock_when_it_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    got = threading.Event()

    def wait() -> None:
        with machine.file_lock(tmp_path / "lock", 20):
            got.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not got.is_set()
    holder.communicate(timeout=20)
    thread.join(20)
    assert got.is_set()


def test_a_file_system_without_locks_is_used_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with machine.file_lock(tmp_path / "lock", 0):
        pass


def test_a_link_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic"), machine.file_lock(tmp_path / "lock", 0):
        pytest.fail("followed a link")


# --- files ---


def test_directories_are_made_private_and_old_ones_left_alone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(0o755)
    machine.private_directory(tmp_path / "old" / "a" / "b")
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("old", "old/a", "old/a/b")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_replaced_file_is_private_and_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    machine.replace_file(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_is_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    assert machine.read_regular(tmp_path / "file", 11) == b"x" * 11
    with pytest.raises(OSError, match="larger"):
        machine.read_regular(tmp_path / "file", 10)


# --- processes ---


def test_this_process_is_alive_and_named_the_same_twice() -> None:
    assert machine.identity() == machine.identity()
    assert machine.is_alive(machine.identity())


def test_a_process_is_alive_until_it_ends() -> None:
    process = python("import sys; sys.stdin.read()")
    name = machine.identity(process.pid)
    assert machine.is_alive(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not machine.is_alive(name), "a zombie is dead"
    process.communicate()
    assert not machine.is_alive(name)


def test_a_later_process_of_the_same_number_is_another() -> None:
    pid, start, place = machine.identity().split(":")
    assert not machine.is_alive(f"{pid}:{int(start) - 1}:{place}")


@pytest.mark.parametrize("name", ["1:1:elsewhere", "nonsense", "a:b:c", ""])
def test_who_cannot_be_seen_from_here_counts_as_alive(name: str) -> None:
    assert machine.is_alive(name)


WATCHER = """
import os, sys, threading
from rooroute.adapters.machine import watch_parent
over = threading.Event()
process_id = int(sys.argv[1]) if len(sys.argv) > 1 else None
watching = watch_parent(process_id, over.set).ident is not None
print(os.getpid(), watching, flush=True)
over.wait(60)
print("over" if over.is_set() else "still here", flush=True)
"""

STARTER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
sys.stdin.read()
"""


def ends_with_its_parent(*process_id: int, without_pidfd: bool = False) -> None:
    watcher = ("import os; del os.pidfd_open\n" if without_pidfd else "") + WATCHER
    if without_pidfd:
        watcher = watcher.replace("del os.pidfd_open", "os.pidfd_open = lambda pid: (_ for _ in ()).throw(OSError())")
    parent = python(STARTER, watcher, *process_id)
    assert parent.stdout
    assert parent.stdout.readline().split()[1] == "True"
    parent.kill()
    assert parent.stdout.readline() == "over\n"  # the pipe is still open: the watcher holds it
    parent.communicate()


def test_the_parents_death_is_noticed_while_somebody_holds_the_pipe() -> None:
    ends_with_its_parent()


def test_the_parents_death_is_noticed_without_pidfd_too() -> None:
    ends_with_its_parent(without_pidfd=True)


def test_a_dead_or_unknown_process_id_ends_nobody_and_the_parent_is_watched_still() -> None:
    gone = python("")
    gone.communicate()
    ends_with_its_parent(gone.pid)


def test_the_editors_death_is_noticed_while_the_parent_lives() -> None:
    editor = python("import sys; sys.stdin.read()")
    starter = python(STARTER, WATCHER, editor.pid)
    assert starter.stdout and starter.stdout.readline()
    editor.kill()
    assert starter.stdout.readline() == "over\n"
    editor.communicate()
    starter.communicate(timeout=20)


def test_a_process_that_is_younger_than_this_one_cannot_have_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    younger = python("import sys; sys.stdin.read()")
    thread = machine.watch_parent(younger.pid, lambda: pytest.fail("ended"))
    assert thread.ident is None
    younger.communicate()


def test_a_hardened_process_leaves_no_core_and_its_memory_is_its_own() -> None:
    process = python(
        """
        import ctypes, resource
        from rooroute.adapters.machine import harden, identity, is_alive
        harden()
        print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3), is_alive(identity()))
        """
    )
    assert process.communicate(timeout=20)[0] == "(0, 0) 0 True\n"
