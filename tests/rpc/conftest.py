from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.rpc.client import Client

ROOT = Path(__file__).parents[2]
FAKE_SERVER = (sys.executable, "-m", "tests.rpc.fake_server")

Start = Callable[..., Awaitable[Client]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start the real roof over a house of cardboard, in a process of its own; ``initialize`` is left to the test."""
    async with AsyncExitStack() as stack:

        async def begin(*arguments: str) -> Client:
            return await stack.enter_async_context(await Client.start((*FAKE_SERVER, *arguments), cwd=ROOT))

        yield begin


@pytest.fixture
async def server(start: Start) -> Client:
    """An initialized one."""
    client = await start()
    await client.initialize()
    return client


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own, and no keyring."""
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    return {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session"}
