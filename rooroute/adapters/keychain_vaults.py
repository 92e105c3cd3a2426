"""The operating system's keyring, and what can go wrong with it. The one room that knows the keyring library.

Backends come from an allow-list and are made directly: ``keyring.get_keyring`` would obey PYTHON_KEYRING_BACKEND and keyringrc.cfg,
which load any class, the plaintext and null ones among them. Everything here blocks and belongs on ``keychain_thread``.
"""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from typing import Any, Final, Protocol

SERVICE: Final = "rooroute"
UNLOCK_SECONDS: Final = 60.0


class Trouble(StrEnum):
    """Why a keyring did not do what it was asked."""

    ABSENT = "absent"
    LOCKED = "locked"
    HUNG = "hung"
    BROKEN = "broken"


SENTENCES: Final = {
    Trouble.ABSENT: "This machine offers no keyring; set one up (on Linux: gnome-keyring or KWallet), or refer to the key as ${NAME}.",
    Trouble.LOCKED: "The keyring is locked; unlock it and try again, or refer to the key as ${NAME}.",
    Trouble.HUNG: "The keyring does not answer; restart its service and try again, or refer to the key as ${NAME}.",
    Trouble.BROKEN: "The keyring refused; check it with its own program and try again, or refer to the key as ${NAME}.",
}


class VaultError(Exception):
    """A keyring's failure in this project's words; never the foreign text, which may quote what was stored."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(SENTENCES[trouble])
        self.trouble = trouble


class Vault(Protocol):
    """Texts by name. Every call blocks and may raise anything; ``prompting`` is true while the user is asked to unlock."""

    @property
    def prompting(self) -> bool: ...

    def read(self, name: str) -> str | None: ...

    def write(self, name: str, text: str) -> None: ...

    def delete(self, name: str) -> None: ...


class SystemVault:
    """A keyring backend under this project's service name. A missing item is no error."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    @property
    def prompting(self) -> bool:
        return getattr(self._backend, "prompting", False) is True

    def read(self, name: str) -> str | None:
        found: str | None = self._backend.get_password(SERVICE, name)
        return found

    def write(self, name: str, text: str) -> None:
        self._backend.set_password(SERVICE, name, text)

    def delete(self, name: str) -> None:
        if self._backend.get_password(SERVICE, name) is not None:
            self._backend.delete_password(SERVICE, name)


def open_system_vault() -> Vault:
    """The keyring of this platform; a ``VaultError`` where its library is missing."""
    try:
        if sys.platform == "darwin":
            from keyring.backends.macOS import Keyring as MacKeyring

            return SystemVault(MacKeyring())
        if sys.platform == "win32":
            from keyring.backends.Windows import WinVaultKeyring

            return SystemVault(WinVaultKeyring())
        return SystemVault(_secret_service())
    except ImportError:
        raise VaultError(Trouble.ABSENT) from None


def _secret_service() -> Any:
    import secretstorage
    from keyring.backends import SecretService
    from keyring.errors import KeyringLocked

    def introduce(bus: Any) -> None:
        """gnome-keyring may handle a connection's first request before it has its own record of who asks, and aborts where it needs
        that record (GNOME/gnome-keyring#195). To look up an alias that nobody has needs none, and after its answer there is one."""
        with contextlib.suppress(secretstorage.ItemNotFoundException):
            secretstorage.get_collection_by_alias(bus, SERVICE)

    def default_collection(bus: Any) -> Any:
        """Asked for twice: while another program connects, gnome-keyring may say that there is none, and the user would be asked to make
        one. Seen once in 800 times with two processes that save at once."""
        with contextlib.suppress(secretstorage.ItemNotFoundException):
            return secretstorage.Collection(bus)
        return secretstorage.get_default_collection(bus)

    class BoundedSecretService(SecretService.Keyring):
        """keyring's backend waits for an unlocking prompt without end (jaraco/keyring#735); this one gives the user a minute."""

        prompting = False

        def set_properties_from_env(self) -> None:
            """KEYRING_PROPERTY_* may not bend this backend."""

        def get_preferred_collection(self) -> Any:
            bus = secretstorage.dbus_init()
            try:
                introduce(bus)
                collection = default_collection(bus)
                self.unlock(collection)
            except BaseException:
                bus.close()
                raise
            return collection

        def unlock(self, item: Any) -> None:
            if not item.is_locked():
                return
            self.prompting = True
            try:
                dismissed = item.unlock(timeout=UNLOCK_SECONDS)
            finally:
                self.prompting = False
            if dismissed or item.is_locked():
                raise KeyringLocked("the prompt was dismissed")

    backend: Any = BoundedSecretService
    return backend()


_TROUBLES: Final = {
    "KeyringLocked": Trouble.LOCKED,
    "LockedException": Trouble.LOCKED,
    "PromptDismissedException": Trouble.LOCKED,
    "TimeoutError": Trouble.LOCKED,
    "SecretServiceNotAvailableException": Trouble.ABSENT,
    "NoKeyringError": Trouble.ABSENT,
    "FileNotFoundError": Trouble.ABSENT,
    "ConnectionRefusedError": Trouble.ABSENT,
    "PermissionError": Trouble.ABSENT,
    "ModuleNotFoundError": Trouble.ABSENT,
}


def trouble_of(error: BaseException) -> Trouble:
    """What a foreign exception stands for, by the name of its class or of one it was raised from: the libraries that define these
    classes are not installed everywhere."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, VaultError):
            return seen.trouble
        if type(seen).__name__ in _TROUBLES:
            return _TROUBLES[type(seen).__name__]
        seen = seen.__cause__ or seen.__context__
    return Trouble.BROKEN
