"""TLS as this project speaks it: the operating system's trust, and no key log."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import Final

import truststore

_CA_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def tls_context() -> ssl.SSLContext:
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
