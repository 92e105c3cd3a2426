"""Lists of models that outlive a process: one JSON file in the state directory, shared by all windows. No key is in it, only hashes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

from rooroute.adapters import machine
from rooroute.providers.model_list import Listing, Model

_KEPT: Final = 100
_LARGEST: Final = 16_000_000
_LOCK_SECONDS: Final = 2.0
_TYPES: Final = {field.name: field.type for field in fields(Model)}
_READS: Final[Mapping[Any, tuple[type, ...]]] = {
    "str": (str,),
    "str | None": (str,),
    "int | None": (int,),
    "bool | None": (bool,),
    "float | None": (int, float),
}


class ModelCache:
    """``known_models.Shelf`` on the file ``path``. What cannot be read counts as empty, what cannot be written is left unwritten: the lists
    can be had again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> Mapping[str, Listing]:
        """Every list by its key."""
        return await asyncio.to_thread(self._read)

    async def store(self, key: str, listing: Listing) -> None:
        """Put one list among those of the other windows; the oldest beyond a hundred are dropped."""
        await asyncio.to_thread(self._write, key, listing)

    def _read(self) -> dict[str, Listing]:
        try:
            document = json.loads(machine.read_regular(self._path, _LARGEST))
            lists = document["lists"].items()
        except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return {}
        return {str(key): listing for key, value in lists if (listing := _listing(value)) is not None}

    def _write(self, key: str, listing: Listing) -> None:
        with suppress(OSError, TimeoutError):
            machine.private_directory(self._path.parent)
            with machine.file_lock(self._path.with_name(f"{self._path.name}.lock"), _LOCK_SECONDS):
                lists = {**self._read(), key: listing}
                newest = sorted(lists, key=lambda each: lists[each].fetched_at)[-_KEPT:]
                document = {"version": 1, "lists": {each: _document(lists[each]) for each in newest}}
                data = json.dumps(document, separators=(",", ":")).encode()
                if len(data) <= _LARGEST:
                    machine.replace_file(self._path, data)


def _document(listing: Listing) -> dict[str, Any]:
    models = [{name: value for name, value in asdict(model).items() if value is not None} for model in listing.models]
    return {"fetchedAt": listing.fetched_at, "place": listing.place, "models": models}


def _listing(value: Any) -> Listing | None:
    try:
        models = tuple(Model(**{name: _checked(name, each) for name, each in row.items()}) for row in value["models"])
        return Listing(models, float(value["fetchedAt"]), str(value.get("place") or ""))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _checked(name: str, value: Any) -> Any:
    kinds = _READS[_TYPES[name]]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(name)
    return value
