"""Lists of models lie in one file that any window may write, that holds no key and that may be broken without harm."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from rooroute.adapters.model_cache import ModelCache
from rooroute.providers.model_list import Listing, Model

WHOLE = Model(
    id="m",
    name="M",
    context_window=1,
    max_tokens=2,
    supports_images=True,
    supports_tools=False,
    supports_prompt_cache=True,
    supports_computer_use=False,
    input_price=0.5,
    output_price=2,
    cache_read_price=0.0,
    cache_write_price=3.25,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "models.json"


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_what_was_stored_is_loaded_by_another_window(path: Path) -> None:
    listing = Listing((WHOLE, Model(id="bare")), 1_800_000_000.5)
    await ModelCache(path).store("one", listing)
    await ModelCache(path).store("two", Listing((), 7.0))
    assert await ModelCache(path).load() == {"one": listing, "two": Listing((), 7.0)}
    assert mode(path) == 0o600


async def test_two_windows_lose_nothing_of_each_other(path: Path) -> None:
    windows = [ModelCache(path), ModelCache(path)]
    await asyncio.gather(
        *(window.store(f"{n}-{k}", Listing((), k)) for n, window in enumerate(windows) for k in range(10))
    )
    assert len(await ModelCache(path).load()) == 20


async def test_the_oldest_beyond_a_hundred_are_dropped(path: Path) -> None:
    document = {"lists": {f"k{n}": {"fetchedAt": n, "models": []} for n in range(100)}}
    write(path, json.dumps(document).encode())
    await ModelCache(path).store("new", Listing((), 1000.0))
    found = await ModelCache(path).load()
    assert len(found) == 100 and "new" in found and "k0" not in found


async def test_no_file_is_no_list(path: Path) -> None:
    assert await ModelCache(path).load() == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"lists":7}', b'{"lists":[]}', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "array", "number", "rows", "no-utf8", "deep"],
)
async def test_a_broken_file_is_no_list_and_is_replaced(path: Path, content: bytes) -> None:
    write(path, content)
    assert await ModelCache(path).load() == {}
    await ModelCache(path).store("one", Listing((WHOLE,), 7.0))
    assert await ModelCache(path).load() == {"one": Listing((WHOLE,), 7.0)}


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"fetchedAt": "soon", "models": []},
        {"fetchedAt": 1, "models": 3},
        {"fetchedAt": 1, "models": [7]},
        {"fetchedAt": 1, "models": [{"id": 7}]},
        {"fetchedAt": 1, "models": [{}]},
        {"fetchedAt": 1, "models": [{"id": "m", "context_window": True}]},
        {"fetchedAt": 1, "models": [{"id": "m", "unknown": 1}]},
    ],
)
async def test_one_broken_list_does_not_spoil_the_others(path: Path, value: Any) -> None:
    lists = {"bad": value, "good": {"fetchedAt": 1, "models": [{"id": "m"}]}}
    write(path, json.dumps({"lists": lists}).encode())
    assert await ModelCache(path).load() == {"good": Listing((Model(id="m"),), 1.0)}


async def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory should be")
    cache = ModelCache(tmp_path / "state" / "models.json")
    await cache.store("one", Listing((), 1.0))
    assert await cache.load() == {}
