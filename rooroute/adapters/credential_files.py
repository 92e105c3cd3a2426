"""The files that a profile names for its authentication: there, readable, and by nobody else where they hold a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rooroute.adapters import machine
from rooroute.adapters.google_auth import read_credentials
from rooroute.errors import SecretUnavailable
from rooroute.profiles import AuthKind, Problem, Profile

_CREDENTIALS: Final = "options.credentialsFile"

Stamp = tuple[int, int, int] | None


class CredentialFiles:
    """``check`` looks at a profile's files, ``changed`` whether one of those that were looked at is another now: a file that was missing may
    have come. Both block for a moment."""

    def __init__(self) -> None:
        self._seen: dict[str, Stamp] = {}

    def check(self, profile: Profile) -> list[Problem]:
        """What is wrong with a profile's files, with field and remedy."""
        found = []
        for field, path, private in _files(profile):
            self._seen[path] = _stamp(path)
            if (wrong := _wrong(field, path, private=private)) is not None:
                found.append(Problem(wrong[0], field=field, remedy=wrong[1], profile_id=profile.id))
        return found

    def changed(self) -> bool:
        """Whether a file came, went or was changed since it was looked at."""
        return any(_stamp(path) != seen for path, seen in list(self._seen.items()))


def _files(profile: Profile) -> Iterator[tuple[str, str, bool]]:
    """Field, path, and whether the file holds a secret."""
    options, auth = profile.options, profile.auth
    if profile.provider == "vertex" and isinstance(path := options.get("credentialsFile"), str) and path:
        yield _CREDENTIALS, path, True
    if isinstance(path := options.get("caFile"), str) and path:
        yield "options.caFile", path, False
    if auth is not None and auth.kind is AuthKind.MTLS:
        if auth.certificate:
            yield "auth.certificate", auth.certificate, auth.certificate_key is None
        if auth.certificate_key:
            yield "auth.certificateKey", auth.certificate_key, True


def _wrong(field: str, path: str, *, private: bool) -> tuple[str, str] | None:
    """A sentence and its remedy; None where all is well."""
    whole = Path(path).expanduser()
    if not whole.is_absolute():
        return "This is not a whole path.", "Write it from the root, or from ~."
    try:
        if private and machine.others_may_read(whole):
            return f"The file {path} can be read by others.", f"Run: chmod 600 {path}"
        with whole.open("rb"):
            pass
        if field == _CREDENTIALS:
            read_credentials(path)
    except FileNotFoundError:
        return f"The file {path} is not there.", f"Correct {field}."
    except OSError as refused:
        return f"The file {path} cannot be read: {refused.strerror or refused}.", f"Correct {field}."
    except SecretUnavailable as wrong:
        sentence, _, remedy = wrong.message.partition("; ")
        return f"{sentence.rstrip('.')}.", f"{remedy[:1].upper()}{remedy[1:]}"
    return None


def _stamp(path: str) -> Stamp:
    try:
        about = Path(path).expanduser().stat()
    except (OSError, RuntimeError):
        return None
    return about.st_mtime_ns, about.st_size, about.st_mode
