"""The one module that knows operating systems: locks, durable files, processes, hardening.

Linux is tested; the macOS and Windows branches are written for and untested.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

if sys.platform == "win32":
    import ctypes
    import msvcrt
else:
    import fcntl
    import resource
    import select

_LOCK_STEP: Final = 0.005
_NO_LOCKS_HERE: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_PARENT_STEP: Final = 1.0
_PR_SET_DUMPABLE: Final = 4


@contextlib.contextmanager
def file_lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold the machine-wide advisory lock on ``path``, made on demand and never deleted.

    It belongs to this call alone, also among threads of one process, and the kernel frees it when its holder dies. A file system that
    has no locks (some network homes) is used without. Raises TimeoutError when somebody else holds it for ``timeout`` seconds (0: one
    try), OSError when the file cannot be made.
    """
    descriptor = _opened_to_lock(path)
    try:
        waited = 0.0
        while not _try_lock(descriptor):
            if waited >= timeout:
                raise TimeoutError(f"{path} is locked by another process")
            time.sleep(_LOCK_STEP)
            waited += _LOCK_STEP
        yield
    finally:
        os.close(descriptor)  # closing frees it


def try_file_lock(path: Path) -> int | None:
    """As ``file_lock`` with one try, for who lets go of it elsewhere: the descriptor that holds it until it is closed, or None."""
    descriptor = _opened_to_lock(path)
    try:
        if _try_lock(descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _opened_to_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as refused:
        if refused.errno in _NO_LOCKS_HERE:
            return True
        if refused.errno in {errno.EAGAIN, errno.EACCES, errno.EDEADLK}:
            return False
        raise
    return True


def private_directory(path: Path) -> None:
    """Make ``path`` and what is missing above it, for this user alone. Directories that exist are left as they are."""
    for missing in reversed([p for p in (path, *path.parents) if not p.exists()]):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(0o700)


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of a regular file that belongs to this user or to the system, symbolic links of this user followed.

    Raises FileNotFoundError, and OSError with a reason a person can read for a pipe, a directory, somebody else's file or link, or more
    than ``limit`` bytes.
    """
    resolved_for_writing(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if about.st_size > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit // 1_000_000} MB")
        return file.read(limit + 1)


def resolved_for_writing(path: Path) -> Path:
    """Where a write to ``path`` has to land: links that this user made (dotfile managers do) are followed, others refused with OSError."""
    mine = {0, os.getuid()} if sys.platform != "win32" else None
    if mine is not None and path.is_symlink() and path.lstat().st_uid not in mine:
        raise OSError(errno.EPERM, "it is a link that belongs to another user")
    target = Path(os.path.realpath(path))
    if target.exists():
        about = target.stat()
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if mine is not None and about.st_uid not in mine:
            raise OSError(errno.EPERM, "it belongs to another user")
    return target


def replace_file(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put ``data`` in place of ``path`` so that a crash at any point leaves the old or the new bytes, readable by this user alone.

    On any OSError (a full disk, a read-only one) the old file is untouched and nothing is left beside it. What can be made again need not
    be ``durable``: it is not waited for until a power failure could not take it.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    if durable:
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # the rename has happened; some file systems refuse to sync a directory
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def identity(pid: int | None = None) -> str:
    """A process (None: this one) as ``pid:start:place``, a name that a later process with the same number does not share.

    ``place`` tells machines, boots and containers apart, where equal numbers mean different processes.
    """
    pid = os.getpid() if pid is None else pid
    return f"{pid}:{_started(pid) or 0}:{_place()}"


def is_alive(name: str) -> bool:
    """Whether the process that ``identity`` named still runs. True where that cannot be known (another machine or container)."""
    try:
        pid, start, place = name.split(":")
        number, started = int(pid), int(start)
    except ValueError:
        return True
    if place != _place():
        return True
    now = _started(number)
    return now is not None and (now == started or 0 in (now, started))


@cache
def _place() -> str:
    parts = [sys.platform]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()


def _started(pid: int) -> int | None:
    """When a process started, in the system's own unit; 0 when it lives but the time cannot be read, None when there is no such process."""
    if sys.platform == "win32":
        return _started_windows(pid)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            # Field 22 of proc(5); the name in field 2 may hold spaces and parentheses.
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            return None if fields[0] in {b"Z", b"X"} else int(fields[19])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0


if sys.platform == "win32":

    def _started_windows(pid: int) -> int | None:
        """Creation time in 100 ns. (os.kill would end the process here.)"""
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000 | 0x100000, False, pid)  # query limited information, synchronize
        if not handle:
            return None
        try:
            if kernel.WaitForSingleObject(handle, 0) == 0:
                return None
            times = [ctypes.c_uint64() for _ in range(4)]
            kernel.GetProcessTimes(handle, *(ctypes.byref(t) for t in times))
            return int(times[0].value)
        finally:
            kernel.CloseHandle(handle)


def watch_parent(process_id: int | None, on_death: Callable[[], None]) -> threading.Thread:
    """Call ``on_death`` once, from a daemon thread, when the process that started this one is gone, or the editor that it named.

    ``process_id`` is the number the client gave (None: it gave none). It is believed only if such a process of this user was there before
    this one: a number from another container or host means somebody else here, and must end nobody.
    """
    watched = {pid for pid in (os.getppid(), process_id) if pid is not None and _can_be_parent(pid)}

    def watch() -> None:
        with contextlib.ExitStack() as handles:
            _wait_for_any({pid: _process_handle(pid, handles) for pid in watched})
        on_death()

    thread = threading.Thread(target=watch, name="parent-watch", daemon=True)
    if watched:
        thread.start()
    return thread


def _can_be_parent(pid: int) -> bool:
    if pid <= 1:
        return False
    theirs, ours = _started(pid), _started(os.getpid())
    if theirs is None or (ours and theirs > ours):
        return False
    if sys.platform == "linux":
        if os.getppid() == 0:  # started into this container from outside it: the client counts other processes
            return False
        with contextlib.suppress(OSError):
            return pid == os.getppid() or Path(f"/proc/{pid}").stat().st_uid == os.getuid()
    return True


def _process_handle(pid: int, handles: contextlib.ExitStack) -> int | None:
    """A descriptor that becomes readable when the process ends (pidfd_open(2)); None where there is none and it must be polled."""
    if sys.platform != "linux":
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    handles.callback(os.close, descriptor)
    return descriptor


def _wait_for_any(watched: dict[int, int | None]) -> None:
    """Return when one of the processes is gone."""
    births = {pid: _started(pid) for pid in watched}
    parent = os.getppid()
    descriptors = [descriptor for descriptor in watched.values() if descriptor is not None]
    if sys.platform != "win32" and len(descriptors) == len(watched):
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        if None not in births.values():
            poll.poll()
        return
    while all(birth is not None and _started(pid) == birth for pid, birth in births.items()):
        if parent in watched and os.getppid() != parent:
            return
        time.sleep(_PARENT_STEP)


def child_options() -> dict[str, Any]:
    """How a program is started so that it and all it starts can be ended together, without a console window of its own."""
    if sys.platform == "win32":
        return {"creationflags": 0x08000000 | 0x00000200}  # no window, new process group
    return {"start_new_session": True}


def end_with_children(pid: int) -> None:
    """End a program that was started with ``child_options``, and what it started. One that is gone is no error."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)


def others_may_read(path: Path) -> bool:
    """Whether anybody but this user (and root) can read a file by its mode. Access lists of Windows are not looked at."""
    if sys.platform == "win32":
        return False
    about = path.stat()
    return about.st_uid not in {0, os.getuid()} or bool(about.st_mode & (stat.S_IRGRP | stat.S_IROTH))


def harden() -> None:
    """Leave no key behind in a core file, and let no other process of this user read this one's memory.

    Debuggers that attach (py-spy, gdb) need root afterwards.
    """
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
