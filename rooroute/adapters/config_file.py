"""The configuration file: read, watched, and changed so that no crash, no other window and no typing error loses what a person wrote."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from rooroute.adapters import machine
from rooroute.adapters.config_draft import Draft
from rooroute.adapters.config_history import ConfigHistory, Kept
from rooroute.adapters.config_patch import entry_text, patched
from rooroute.adapters.config_reading import VERSION, Check, configuration, version_of, with_last_good
from rooroute.adapters.config_text import Document, Unpatchable, Unreadable, read
from rooroute.errors import Conflict, InvalidInput, NotFound, RoorouteError
from rooroute.profiles import Configuration, Problem

_LARGEST: Final = 16_000_000
_LOCK_SECONDS: Final = 5.0
_HEADER: Final = """\
# rooroute's profiles, in order of preference, and the pools they serve in.
# Edit this by hand if you like: open editors read it again at once, and your comments stay.
# Keys do not belong here. They lie in the system's keyring; or write apiKey: ${NAME} for an environment variable.

version: 1
"""
_NOTHING: Final = "profiles: []\n"
SCHEMA_NAME: Final = "config.schema.json"
MODELINE: Final = f"# yaml-language-server: $schema={SCHEMA_NAME}"
"""What editors with the YAML language server read: https://github.com/redhat-developer/yaml-language-server#using-inlined-schema."""
_REASONS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "its directory does not allow it",
    errno.EPERM: "it is not allowed",
    errno.EISDIR: "it is a directory",
}


class ConfigFile:
    """The file at ``path``. Every method may block for a while (two hundred profiles take a tenth of a second to read): call them in a
    worker thread, except ``current``, which is always the last good configuration with the problems of what stands in the file now.

    ``check`` says what is wrong with a profile for its vendor; ``history`` keeps what the file said; ``schema`` gives the JSON Schema that
    is laid beside a new file, for editors that complete by it; ``moved`` whether ``check`` may say something else of the same profile now.
    """

    def __init__(
        self,
        path: Path,
        check: Check = lambda profile: (),
        history: ConfigHistory | None = None,
        schema: Callable[[], str] | None = None,
        moved: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = path
        self._check = check
        self._history = history
        self._schema = schema
        self._moved = moved
        self._mutex = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._last_good: Configuration | None = None
        self._document: Document | None = None
        self.current = Configuration()

    @property
    def last_good_path(self) -> Path:
        """Where the copy of the last file that could be read lies."""
        return self.path.with_name(f"{self.path.name}.last-good")

    def load(self) -> Configuration:
        """Read the file anew. What cannot be read leaves the last good configuration in force and says so in ``problems``."""
        with self._mutex:
            return self._load()

    def poll(self) -> bool:
        """Look whether the file changed, and read it if so; whether ``current`` is another now. One ``stat`` when nothing happened."""
        moved = self._moved()
        if self._stat() == self._stamp and not moved:
            return False
        before = self.current
        with self._mutex:
            if moved:
                self._document = None  # the same text is read anew
            return self._load() != before

    def save(self, edit: Callable[[Draft], None], expected: str | None = None) -> Configuration:
        """Apply ``edit`` to what the file says now, and write it in one piece.

        Raises Conflict when ``expected`` is a revision other than the file's (``yours`` and ``current`` in its data are both versions of
        the first entry the edit touches), InvalidInput when the file or the outcome cannot be used, what ``edit`` raises, and
        RoorouteError with the reason when the file cannot be written. Then nothing is changed.
        """
        with self._mutex, self._locked() as target:
            document = self._to_change()
            revision = self.current.revision
            draft = Draft(deepcopy(document.data), partial(entry_text, document))
            if expected is not None and expected != revision:
                raise _conflict(draft, edit, revision)
            edit(draft)
            draft.data.setdefault("version", VERSION)
            new, outcome = self._edited(document, draft)
            if new.text != document.text or not target.exists():
                raw = new.text.encode()
                self._keep_beginning(target)
                self._replace(target, raw)
                self._stamp = self._stat()
                self._adopt(new, outcome, raw)
            return self.current

    def put_back(self, text: str, expected: str | None = None) -> Configuration:
        """Make ``text`` the whole file, whatever stands in it now, also what cannot be read; that is in the history then.

        Raises InvalidInput for a text that is no configuration, else as ``save``.
        """
        raw = text.encode()
        try:
            document = read(_text(raw))
            outcome = configuration(document, _revision(raw), self._check)
        except Unreadable as wrong:
            raise InvalidInput(f"This cannot be put back: {wrong}", field="revision") from None
        with self._mutex, self._locked() as target:
            self._load()
            if expected is not None and expected != self.current.revision:
                raise Conflict("The configuration was changed meanwhile; look at what is there now.")
            self._keep_broken()
            self._keep_beginning(target)
            self._replace(target, raw)
            self._stamp = self._stat()
            self._adopt(document, outcome, raw)
            return self.current

    def text(self) -> str:
        """What the file says now, comments and all. NotFound where there is none; InvalidInput where somebody wrote a key into it."""
        try:
            raw = machine.read_regular(self.path, _LARGEST)
            said = _text(raw)
        except FileNotFoundError:
            raise NotFound(f"There is no configuration at {self.path} yet.") from None
        except (Unreadable, OSError) as wrong:
            reason = str(wrong) if isinstance(wrong, Unreadable) else f"It cannot be read: {_reason(wrong)}."
            raise InvalidInput(f"{self.path}: {reason}") from None
        if _holds_key(self.load()):
            raise InvalidInput(
                f"Somebody wrote a key into {self.path}; save it with its profile, or write it as ${{NAME}}, and try again."
            )
        return said

    def history(self) -> list[Kept]:
        """What the file said, the newest first."""
        return self._history.entries() if self._history is not None else []

    # --- reading ---

    def _load(self) -> Configuration:
        self._stamp = self._stat()
        raw = b""
        try:
            raw = machine.read_regular(self.path, _LARGEST)
            if _revision(raw) == self.current.revision and self._document is not None:
                return self.current
            document = read(_text(raw))
            fresh = configuration(document, _revision(raw), self._check)
            if document.data.get("profiles") is None and (copy := self._copy()) and copy.data.get("profiles"):
                raise Unreadable("It holds no profiles any more; to begin anew, write profiles: [].")
        except FileNotFoundError:
            self._document, self.current = None, self._missing()
        except (Unreadable, OSError) as wrong:
            self._document, self.current = None, self._broken(wrong, _revision(raw))
        else:
            self._adopt(document, fresh, raw)
        return self.current

    def _adopt(self, document: Document, fresh: Configuration, raw: bytes) -> None:
        """The copies first: whoever sees what is new finds them there. A last good entry stays in the copy while it is in force."""
        standing = fresh
        if fresh.unreadable or fresh.unreadable_pools or fresh.unreadable_defaults:
            good = self._last_good or self._copied()
            standing = with_last_good(fresh, document, good, self._check) if good else fresh
        if standing is fresh:
            self._keep_copy(raw)
        if self._history is not None and raw and not _holds_key(fresh):
            self._history.keep(raw, fresh.revision)
        self._document, self._last_good, self.current = document, standing, standing

    def _keep_broken(self) -> None:
        if self._history is not None and self._document is None:
            with contextlib.suppress(OSError):
                raw = machine.read_regular(self.path, _LARGEST)
                self._history.keep(raw, _revision(raw))

    def _keep_beginning(self, target: Path) -> None:
        """Before the first change there ever was: that nothing was there, so that this can be undone as any other."""
        if self._history is None or target.exists() or self.last_good_path.exists() or self._history.entries():
            return
        raw = f"{self._header()}\n{_NOTHING}".encode()
        self._history.keep(raw, _revision(raw))

    def _missing(self) -> Configuration:
        if self._last_good is None and not self.last_good_path.exists():
            return Configuration()
        problem = Problem(
            f"The configuration file {self.path} is gone.",
            remedy=f"Copy {self.last_good_path} back, or delete that too to begin anew.",
        )
        return replace(self._last_good or Configuration(), revision="", problems=(problem,))

    def _broken(self, wrong: Unreadable | OSError, revision: str) -> Configuration:
        good = self._last_good = self._last_good or self._copied()
        held = "The last good configuration stays" if good and good.profiles else "No profile is"
        until = "." if good and good.profiles else " until this is mended."
        copy = f"; the last good copy is {self.last_good_path}" if self.last_good_path.exists() else ""
        line = wrong.line if isinstance(wrong, Unreadable) else None
        reason = str(wrong) if isinstance(wrong, Unreadable) else f"It cannot be read: {_reason(wrong)}."
        where = f", line {line}" if line else ""
        problem = Problem(
            f"{self.path}{where}: {reason} {held} in force{until}",
            remedy=f"Correct it{copy}.",
            line=line,
        )
        return replace(good or Configuration(), revision=revision, problems=(problem,))

    def _copied(self) -> Configuration | None:
        copied = self._copy()
        return configuration(copied, "", self._check) if copied else None

    def _copy(self) -> Document | None:
        try:
            document = read(_text(machine.read_regular(self.last_good_path, _LARGEST)))
            configuration(document, "", self._check)
        except (Unreadable, OSError):
            return None
        return document

    def _keep_copy(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):  # a directory that cannot be written costs the copy, not the configuration
            if not self.last_good_path.exists() or self.last_good_path.read_bytes() != raw:
                machine.replace_file(self.last_good_path, raw)

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            about = self.path.stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size, about.st_ino

    # --- writing ---

    @contextlib.contextmanager
    def _locked(self) -> Iterator[Path]:
        """Where to write, and the lock of everybody who writes there."""
        with self._spoken():
            machine.private_directory(self.path.parent)
            target = machine.resolved_for_writing(self.path)
        with contextlib.ExitStack() as held:
            try:
                with self._spoken():
                    held.enter_context(machine.file_lock(target.with_name(f"{target.name}.lock"), _LOCK_SECONDS))
            except TimeoutError:
                raise RoorouteError(
                    "Another window is saving the configuration and does not finish; try again."
                ) from None
            yield target

    def _to_change(self) -> Document:
        """What the file says now; for a new one, the beginning of a friendly file."""
        self._load()
        if self._document is None and self.path.exists():
            problem = self.current.problems[0]
            raise InvalidInput(
                f"The configuration cannot be changed before it is corrected. {problem.message}", line=problem.line
            )
        document = self._document or (self._copy() if self._last_good else None) or read(self._header())
        if version_of(document.data) != VERSION:
            raise InvalidInput(f"{self.path} was written by another version of rooroute; update rooroute to change it.")
        return document if document.text.strip() else read(self._header())

    def _header(self) -> str:
        """The beginning of a new file. It names the schema only where that could be laid beside it."""
        beside = self.path.with_name(SCHEMA_NAME)
        with contextlib.suppress(OSError):
            if self._schema is not None:
                machine.replace_file(beside, self._schema().encode(), durable=False)
        return f"{MODELINE}\n{_HEADER}" if beside.exists() else _HEADER

    def _edited(self, document: Document, draft: Draft) -> tuple[Document, Configuration]:
        try:
            new = patched(document, draft.data, draft.renamed, draft.kept)
            return new, configuration(new, _revision(new.text.encode()), self._check)
        except (Unpatchable, Unreadable) as wrong:
            raise InvalidInput(
                f"{self.path} cannot be changed by rooroute: {wrong}. Make this change by hand."
            ) from None

    def _replace(self, target: Path, data: bytes) -> None:
        with self._spoken():
            machine.replace_file(target, data)

    @contextlib.contextmanager
    def _spoken(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as wrong:
            raise RoorouteError(
                f"The configuration {self.path} could not be written: {_reason(wrong)}; nothing was changed."
            ) from wrong


def _conflict(draft: Draft, edit: Callable[[Draft], None], revision: str) -> Conflict:
    with contextlib.suppress(RoorouteError):
        edit(draft)
    entry = next(iter(draft.before), None)
    return Conflict(
        "The configuration was changed meanwhile; look at what is there now and save again.",
        yours=draft.after.get(entry) if entry else None,
        current=draft.before.get(entry) if entry else None,
        configRevision=revision,
    )


def _holds_key(read_one: Configuration) -> bool:
    """Whether somebody wrote a key into the file: such a file is not copied any further."""
    return any((problem.field or "").split(".")[0] in {"apiKey", "secrets"} for problem in read_one.problems)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("The file is not UTF-8 text; save it in that encoding.") from None


def _revision(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=12).hexdigest()


def _reason(wrong: OSError) -> str:
    return _REASONS.get(wrong.errno or 0) or wrong.strerror or str(wrong)
