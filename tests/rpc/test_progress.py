from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from rooroute.chat import ToolCallDelta, Usage
from rooroute.rpc.framing import Frames
from rooroute.rpc.progress import ProgressSink, StatusFeed


class Pipe:
    """An ``Outgoing`` whose reader can stop; every write is kept as the messages it held."""

    def __init__(self) -> None:
        self.blocked = False
        self.waiting = 0
        self.writes: list[list[Any]] = []
        self._calls: list[Callable[[], None]] = []

    def write(self, frame: bytes) -> None:
        self.writes.append([json.loads(body) for body in Frames().feed(frame) if isinstance(body, bytes)])

    def when_free(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    async def room(self) -> None: ...

    def close(self) -> None: ...

    def free(self) -> None:
        self.blocked = False
        calls, self._calls = self._calls, []
        for call in calls:
            call()

    @property
    def values(self) -> list[Any]:
        return [message["params"]["value"] for write in self.writes for message in write]


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
async def sink(pipe: Pipe) -> ProgressSink:
    return ProgressSink("t", "r1", pipe)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_the_first_delta_leaves_at_once(sink: ProgressSink, pipe: Pipe) -> None:
    sink.text("a")
    assert pipe.writes == [
        [{"jsonrpc": "2.0", "method": "$/progress", "params": {"token": "t", "value": {"kind": "text", "text": "a"}}}]
    ]


async def test_deltas_that_follow_each_other_quickly_are_joined(sink: ProgressSink, pipe: Pipe) -> None:
    for letter in "abcd":
        sink.text(letter)
        await turn()
    async with asyncio.timeout(10):
        while len(pipe.values) < 2:
            await asyncio.sleep(0.001)
    assert "".join(value["text"] for value in pipe.values) == "abcd"
    assert len(pipe.writes) == 2


async def test_a_producer_that_never_yields_is_still_heard(sink: ProgressSink, pipe: Pipe) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    count = 0
    while len(pipe.writes) < 3:
        sink.text("x")
        count += 1
        assert loop.time() - began < 10
    sink.finish()
    assert sum(len(value["text"]) for value in pipe.values) == count


async def test_kinds_keep_their_order_and_like_is_joined_with_like(sink: ProgressSink, pipe: Pipe) -> None:
    pipe.blocked = True
    sink.attempt(1, "one", "gpt", "first choice")
    sink.thinking("h", None)
    sink.thinking("m", "sig")
    sink.thinking("another", None)
    sink.text("a")
    sink.text("b")
    sink.tool_call(ToolCallDelta(0, "c0", "look", "{"))
    sink.tool_call(ToolCallDelta(0, arguments="}"))
    sink.tool_call(ToolCallDelta(1, "c1", "see", "{}"))
    sink.text("c")
    sink.usage(Usage(1, 2))
    sink.usage(Usage(1, 3))
    sink.reset(2)
    assert pipe.writes == []
    pipe.free()
    assert pipe.values == [
        {"kind": "attempt", "requestId": "r1", "n": 1, "profileId": "one", "model": "gpt", "why": "first choice"},
        {"kind": "thinking", "text": "hm", "signature": "sig"},
        {"kind": "thinking", "text": "another"},
        {"kind": "text", "text": "ab"},
        {"kind": "toolCall", "index": 0, "id": "c0", "name": "look", "argumentsDelta": "{}"},
        {"kind": "toolCall", "index": 1, "id": "c1", "name": "see", "argumentsDelta": "{}"},
        {"kind": "text", "text": "c"},
        {"kind": "usage", "inputTokens": 1, "outputTokens": 3, "estimated": False},
        {"kind": "reset", "n": 2},
    ]


async def test_of_many_waits_a_stuck_client_hears_the_last(sink: ProgressSink, pipe: Pipe) -> None:
    pipe.blocked = True
    for second in range(600):
        sink.waiting(600.0, float(second), ("one",))
    pipe.free()
    assert pipe.values == [
        {
            "kind": "waiting",
            "requestId": "r1",
            "until": "1970-01-01T00:10:00.000Z",
            "now": "1970-01-01T00:09:59.000Z",
            "profileIds": ["one"],
        }
    ]


async def test_nothing_follows_the_last_word(sink: ProgressSink, pipe: Pipe) -> None:
    pipe.blocked = True
    sink.text("a")
    sink.finish()
    assert pipe.values == [{"kind": "text", "text": "a"}]
    pipe.free()
    await turn()
    assert len(pipe.writes) == 1


async def test_text_is_sent_as_json_whatever_it_holds(sink: ProgressSink, pipe: Pipe) -> None:
    text = '"\\\n\u2028\u0085\x00 ä \U0001f600 \ud83d'
    sink.text(text)
    assert pipe.values == [{"kind": "text", "text": text}]


def entry(profile_id: str, state: str) -> dict[str, Any]:
    return {"id": profile_id, "state": state}


def news(n: int, profiles: list[dict[str, Any]], removed: list[str]) -> dict[str, Any]:
    return {"stateRevision": n, "profiles": profiles, "pools": [], "removed": {"profiles": removed, "pools": []}}


async def test_status_is_told_at_once_to_who_reads(pipe: Pipe) -> None:
    told: list[Any] = []
    StatusFeed(pipe, told.append).changed(news(1, [entry("a", "active")], []))
    assert told == [news(1, [entry("a", "active")], [])]


async def test_a_stuck_client_hears_of_each_profile_once(pipe: Pipe) -> None:
    told: list[Any] = []
    feed = StatusFeed(pipe, told.append)
    pipe.blocked = True
    feed.changed(news(1, [entry("a", "active"), entry("b", "active"), entry("c", "active")], ["d"]))
    feed.changed(news(2, [entry("a", "cooldown"), entry("d", "active")], ["b"]))
    assert told == []
    pipe.free()
    assert told == [news(2, [entry("a", "cooldown"), entry("c", "active"), entry("d", "active")], ["b"])]


async def test_what_is_told_whole_is_not_lost_to_later_news(pipe: Pipe) -> None:
    told: list[Any] = []
    feed = StatusFeed(pipe, told.append)
    pipe.blocked = True
    feed.changed({**news(1, [], []), "problems": [{"message": "broken"}], "secretStore": "session"})
    feed.changed({**news(2, [entry("a", "active")], []), "problems": []})
    pipe.free()
    assert told == [{**news(2, [entry("a", "active")], []), "problems": [], "secretStore": "session"}]
