"""Standard streams that are not pipes, and what becomes of descriptors 0 and 1."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from rooroute.rpc.framing import Frames, frame
from rooroute.rpc.stdio import PipeOutgoing, open_input, open_output
from tests.rpc.conftest import FAKE_SERVER, ROOT

MESSAGES: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize"},
    {"jsonrpc": "2.0", "id": 2, "method": "rooroute/status"},
    {"jsonrpc": "2.0", "id": 3, "method": "shutdown"},
    {"jsonrpc": "2.0", "method": "exit"},
]


def answers(output: bytes) -> dict[int, Any]:
    found = [json.loads(body) for body in Frames().feed(output) if isinstance(body, bytes)]
    return {message["id"]: message for message in found}


def test_files_serve_as_standard_streams(tmp_path: Path) -> None:
    asked, told = tmp_path / "in", tmp_path / "out"
    asked.write_bytes(b"".join(frame(json.dumps(message).encode()) for message in MESSAGES))
    with asked.open("rb") as stdin, told.open("wb") as stdout:
        done = subprocess.run(
            FAKE_SERVER, cwd=ROOT, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 0, done.stderr
    assert answers(told.read_bytes()).keys() == {1, 2, 3}


@pytest.mark.skipif(sys.platform == "win32", reason="no socket pairs as standard streams there")
def test_a_socket_pair_serves_as_standard_streams_as_node_makes_them() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            end = theirs.fileno()
            process = subprocess.Popen(FAKE_SERVER, cwd=ROOT, stdin=end, stdout=end, stderr=subprocess.DEVNULL)
        ours.sendall(b"".join(frame(json.dumps(message).encode()) for message in MESSAGES))
        ours.settimeout(30)
        output = b""
        while chunk := ours.recv(1 << 16):
            output += chunk
    assert process.wait(30) == 0
    assert answers(output).keys() == {1, 2, 3}


@pytest.mark.skipif(sys.platform == "win32", reason="no socket pairs there")
async def test_a_socket_whose_peer_only_stops_sending_is_not_lost() -> None:
    ours, theirs = socket.socketpair()
    lost = asyncio.Event()
    out = PipeOutgoing(ours.fileno(), lost.set)
    theirs.shutdown(socket.SHUT_WR)
    for _ in range(5):
        await asyncio.sleep(0)
    out.write(b"still here")
    assert theirs.recv(100) == b"still here"
    assert not lost.is_set()
    theirs.close()
    out.write(b"anybody?")
    assert lost.is_set()
    out.close()
    ours.close()


@pytest.mark.parametrize("blocking", [False, True], ids=["pipe", "file"])
async def test_a_megabyte_in_small_frames_leaves_in_order(tmp_path: Path, blocking: bool) -> None:
    frames = [b"%08d" % n for n in range(131_072)]
    if blocking:
        path = tmp_path / "out"
        writing = os.open(path, os.O_WRONLY | os.O_CREAT)
    else:
        reading, writing = os.pipe()
    out = open_output(writing, lambda: None)
    for data in frames:
        out.write(data)
    assert out.blocked
    if blocking:
        await asyncio.wait_for(out.room(), 30)
        out.close()
        found = path.read_bytes()
    else:
        taken = bytearray()
        all_here = asyncio.Event()

        def take(data: bytes) -> None:
            taken.extend(data)
            if len(taken) == 8 * len(frames):
                all_here.set()

        await open_input(reading, take)
        await asyncio.wait_for(all_here.wait(), 30)
        found = bytes(taken)
        await out.room()
        out.close()
    os.close(writing)
    assert found == b"".join(frames)
    assert out.waiting == 0 or blocking


async def test_whoever_waits_for_room_is_woken_when_the_reader_goes_away() -> None:
    reading, writing = os.pipe()
    lost = asyncio.Event()
    out = open_output(writing, lost.set)
    out.write(b"x" * 1_000_000)
    assert out.blocked
    waiting = asyncio.create_task(out.room())
    await asyncio.sleep(0)
    os.close(reading)
    await asyncio.wait_for(waiting, 30)
    assert lost.is_set()
    out.write(b"to nobody")
    assert out.waiting == 0
    os.close(writing)


@pytest.mark.parametrize("kind", ["pipe", "file"])
async def test_input_is_read_to_its_end(tmp_path: Path, kind: str) -> None:
    descriptor = filled(tmp_path, kind, b"abc")
    taken: list[bytes] = []
    ended = asyncio.Event()

    def take(data: bytes) -> None:
        taken.append(data)
        if not data:
            ended.set()

    await open_input(descriptor, take)
    await asyncio.wait_for(ended.wait(), 30)
    assert b"".join(taken) == b"abc"


@pytest.mark.parametrize("kind", ["pipe", "file"])
async def test_no_more_is_read_while_something_is_waited_for(tmp_path: Path, kind: str) -> None:
    descriptor = filled(tmp_path, kind, b"x" * 60_000 if kind == "pipe" else b"x" * 600_000)
    most, came = 0, asyncio.Event()
    go_on = asyncio.Event()
    under_way = 0
    ended = asyncio.Event()

    async def chew() -> None:
        nonlocal under_way
        await go_on.wait()
        under_way -= 1

    def take(data: bytes) -> Awaitable[None] | None:
        nonlocal under_way, most
        if not data:
            ended.set()
            return None
        under_way += 1
        most = max(most, under_way)
        came.set()
        return chew()

    await open_input(descriptor, take)
    await asyncio.wait_for(came.wait(), 30)
    for _ in range(20):  # turns enough for the end, or for more, to come
        await asyncio.sleep(0.001)
    assert not ended.is_set()
    assert most == 1
    go_on.set()
    await asyncio.wait_for(ended.wait(), 30)
    assert most == 1


def filled(tmp_path: Path, kind: str, data: bytes) -> int:
    """A descriptor from which ``data`` can be read, and then the end."""
    if kind == "pipe":
        reading, writing = os.pipe()
        assert os.write(writing, data) == len(data)
        os.close(writing)
        return reading
    path = tmp_path / "in"
    path.write_bytes(data)
    return os.open(path, os.O_RDONLY)
