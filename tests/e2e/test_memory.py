"""What a client that does not read costs: nothing but its own time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import Open
from tests.e2e.talk import HELLO

MEGABYTE = 1024 * 1024
_DELTA = json.dumps({"choices": [{"delta": {"content": "x" * 8000}}]})
_EVENT = f"data: {_DELTA}\n\n".encode()
_SENT_AT_MOST = 160 * MEGABYTE


@dataclass
class Flood:
    """A provider that sends as fast as it is read; ``sent`` is in bytes."""

    port: int = 0
    sent: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            while self.sent < _SENT_AT_MOST:
                writer.write(_EVENT)
                await writer.drain()
                self.sent += len(_EVENT)
        writer.close()

    async def stands_still(self) -> None:
        """Return when nothing more is taken of it after the first bytes, or everything was."""
        before = -1
        async with asyncio.timeout(120):
            while not self.sent or before != self.sent < _SENT_AT_MOST:
                before = self.sent
                await asyncio.sleep(1.0)


@pytest.fixture
async def flood() -> AsyncIterator[Flood]:
    found = Flood()
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


def memory(process_id: int, measure: str) -> int:
    """``VmRSS``: resident now; ``VmHWM``: the most it ever was. In bytes."""
    told = Path(f"/proc/{process_id}/status").read_text()
    return int(re.findall(rf"{measure}:\s+(\d+) kB", told)[0]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
async def test_memory_stays_bounded_while_the_client_does_not_read(window: Open, flood: Flood) -> None:
    client = await window()
    profile = {
        "id": "A",
        "provider": "openai-compatible",
        "baseUrl": f"http://127.0.0.1:{flood.port}/v1",
        "model": "m",
    }
    await client.request("rooroute/profiles/save", {"profile": profile})
    await client.request("rooroute/status")
    before = memory(client.process.pid, "VmRSS")
    client.pause()
    number, answer = client.ask("rooroute/complete", {"messages": HELLO, "partialResultToken": "t"})
    await flood.stands_still()
    assert 0 < flood.sent < 32 * MEGABYTE, "the provider waits for whoever reads"
    assert memory(client.process.pid, "VmHWM") - before < 48 * MEGABYTE
    client.cancel(number)
    client.resume()
    with contextlib.suppress(Exception):
        await answer
