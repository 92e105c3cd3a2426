"""TLS as this project speaks it: the operating system's trust, a profile's own certificates, and no key log."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import truststore

from rooroute.outcome import Failure, Fault, Unreachable
from rooroute.providers.dialect import Tls

_CA_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """A profile's files as they were at one moment: path, time of change and size of each."""

    wish: Tls
    stamps: tuple[tuple[int, int] | None, ...]

    @classmethod
    def seen(cls, wish: Tls) -> TlsFiles:
        """As they are now."""
        return cls(wish, tuple(_stamp(path) for path in (wish.certificate, wish.certificate_key, wish.ca_file) if path))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        about = Path(path).expanduser().stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


_WHY: Final = {FileNotFoundError: "a file is not there", PermissionError: "it cannot be read"}


def tls_context(wish: Tls | None = None) -> ssl.SSLContext:
    """TLS against the operating system's trust store, and with a profile's own files.

    Raises ``Unreachable``, naming the field and the remedy, for a file that cannot be used.
    """
    context = _trusting_the_system()
    if wish is not None and wish.ca_file:
        _load("options.caFile", wish.ca_file, lambda path: context.load_verify_locations(cafile=path))
    if wish is not None and wish.certificate:
        key = str(Path(wish.certificate_key).expanduser()) if wish.certificate_key else None
        # Without a password OpenSSL asks for one on the terminal, which is the editor's.
        _load("auth.certificate", wish.certificate, lambda path: context.load_cert_chain(path, key, password=""))
    return context


def _load(field: str, path: str, load: Callable[[str], None]) -> None:
    try:
        load(str(Path(path).expanduser()))
    except OSError as wrong:  # ssl.SSLError is one
        why = _WHY.get(type(wrong)) or (wrong.strerror if not isinstance(wrong, ssl.SSLError) else None)
        words = f"{path} cannot be used ({why or 'it holds no such certificate, or its key is another or encrypted'})"
        raise Unreachable(Failure(Fault.CONFIG, f"{words}; correct {field}.")) from None


def _trusting_the_system() -> ssl.SSLContext:
    """TLS 1.2 or later against the operating system's trust store.

    macOS and Windows are asked through truststore. On Linux the same files are read here once: truststore reads them again for every
    handshake, 15 ms on the event loop. ``SSLKEYLOGFILE`` has no effect: only ``ssl.create_default_context`` looks at it.
    """
    if sys.platform in ("darwin", "win32"):
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        found = next((name for name in _CA_FILES if Path(name).is_file()), None)
        if found:
            context.load_verify_locations(cafile=found)
    return context
