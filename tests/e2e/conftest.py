from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from rooroute.scripted_provider import ScriptedProvider
from tests.rpc.client import Client

Open = Callable[..., Awaitable[Client]]
SERVE = (sys.executable, "-m", "rooroute", "serve")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own, no keyring and no proxy."""
    kept = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")}
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    return {**kept, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session"}


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "rooroute" / "config.yaml"


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider({}) as scripted:
        yield scripted


@pytest.fixture
async def window(home: dict[str, str]) -> AsyncIterator[Open]:
    """Open a window: a real ``rooroute serve`` over real pipes, in the test's own home."""
    async with AsyncExitStack() as stack:

        async def begin(**environment: str) -> Client:
            client = await stack.enter_async_context(await Client.start(SERVE, env={**home, **environment}))
            await client.initialize({"rooroute": {"protocolVersion": "1.0", "client": "test"}})
            return client

        yield begin
