"""How a secret lies in a vault: its text as one item, or in parts where it is long. Blocking; belongs on ``keychain_thread``."""

from __future__ import annotations

import json
import secrets
from typing import Final

from rooroute.adapters.keychain_vaults import Trouble, Vault, VaultError

_LONGEST_ITEM: Final = 1_200
_PART: Final = 1_000
_MOST_PARTS: Final = 500


def probe(vault: Vault) -> None:
    """Whether what is written can be read: a backend may call itself viable and store nothing."""
    name, text = f"probe/{secrets.token_hex(8)}", secrets.token_hex(8)
    vault.write(name, text)
    found = vault.read(name)
    vault.delete(name)
    if found != text:
        raise VaultError(Trouble.BROKEN)


def write_checked(vault: Vault, name: str, value: str) -> None:
    """Write and read back. A long value goes into parts first, its manifest last: a crash in between leaves the old value whole.

    Windows takes 1,280 characters an item (jaraco/keyring#355); one rule for all platforms is tested on all.
    """
    before = _parts(vault.read(name), name)
    if len(value) <= _LONGEST_ITEM:
        vault.write(name, value)
    else:
        batch, count = secrets.token_hex(4), -(-len(value) // _PART)
        manifest = json.dumps({"v": 1, "parts": count, "batch": batch})
        for i, part in enumerate(_parts(manifest, name)):
            vault.write(part, value[i * _PART : (i + 1) * _PART])
        vault.write(name, manifest)
    if read_whole(vault, name) != value:
        raise VaultError(Trouble.BROKEN)
    for part in before:
        vault.delete(part)


def read_whole(vault: Vault, name: str) -> str | None:
    stored = vault.read(name)
    parts = [vault.read(part) for part in _parts(stored, name)]
    if not parts:
        return stored
    return None if None in parts else "".join(part for part in parts if part)


def delete_whole(vault: Vault, name: str) -> None:
    parts = _parts(vault.read(name), name)
    for item in (name, *parts):
        vault.delete(item)


def _parts(stored: str | None, name: str) -> list[str]:
    """The names of the parts a manifest speaks of; none for anything else."""
    try:
        manifest = json.loads(stored or "null")
        count, batch = int(manifest["parts"]), str(manifest["batch"])
    except (ValueError, TypeError, KeyError):
        return []
    return [f"{name}#{batch}.{i}" for i in range(min(count, _MOST_PARTS))]
