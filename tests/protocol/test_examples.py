"""The example conversations of the contract, replayed against a real ``rooroute serve`` with scripted providers behind it.

Whatever is sent and received, in the examples and on the wire, is also held against the generated schemas.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from rooroute.rpc.schema import openrpc
from rooroute.scripted_forms import DialectName, read_step
from rooroute.scripted_provider import ScriptedProvider
from tests.rpc.client import Client

FOLDER = Path(__file__).parents[2] / "protocol" / "examples"
EXAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
SERVE = (sys.executable, "-m", "rooroute", "serve")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
DOCUMENT = openrpc()
METHODS = {method["name"]: method for method in DOCUMENT["methods"]}
NOTIFICATIONS = {each["name"]: each for each in DOCUMENT["x-notifications"]}


def meets(expected: Any, found: Any) -> bool:
    """Whether a message is what an example expects, placeholders considered."""
    if isinstance(expected, str) and expected.startswith("<"):
        return {
            "<any>": True,
            "<string>": isinstance(found, str),
            "<number>": isinstance(found, int | float) and not isinstance(found, bool),
            "<time>": isinstance(found, str) and TIME.fullmatch(found) is not None,
        }[expected]
    if isinstance(expected, dict):
        wanted = {key: value for key, value in expected.items() if key != "<more>"}
        return (
            isinstance(found, dict)
            and (wanted.keys() == found.keys() or (len(wanted) < len(expected) and wanted.keys() <= found.keys()))
            and all(meets(value, found[key]) for key, value in wanted.items())
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(expected) == len(found) and all(map(meets, expected, found))
    return type(expected) is type(found) and bool(expected == found)


@pytest.mark.parametrize(
    ("expected", "found", "verdict"),
    [
        ("<string>", "x", True),
        ("<string>", 1, False),
        ("<number>", True, False),
        ("<time>", "2026-01-31T12:00:00.000Z", True),
        ("<time>", "soon", False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "<more>": True}, {"a": 1, "b": 2}, True),
        ({"a": 1, "<more>": True}, {"b": 2}, False),
        ([1], [1, 1], False),
        (False, 0, False),
    ],
)
def test_the_replay_notices_what_differs(expected: Any, found: Any, verdict: bool) -> None:
    assert meets(expected, found) is verdict


def filled(value: Any, addresses: dict[str, str]) -> Any:
    if isinstance(value, str):
        return addresses.get(value, value)
    if isinstance(value, dict):
        return {key: filled(item, addresses) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, addresses) for item in value]
    return value


@asynccontextmanager
async def scripted(scripts: dict[str, list[Any]]) -> AsyncIterator[dict[str, str]]:
    """One provider for each dialect, each behind an origin of its own; gives their addresses by placeholder."""
    steps = {key: [read_step(step) for step in script] for key, script in scripts.items()}
    dialects: tuple[DialectName, ...] = ("openai", "anthropic", "gemini")
    async with AsyncExitStack() as stack:
        yield {
            f"<provider:{dialect}>": (await stack.enter_async_context(ScriptedProvider(steps))).base_url(dialect)
            for dialect in dialects
        }


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, and no keyring."""
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    return {**os.environ, **homes, "HOME": str(tmp_path), "ROOROUTE_SECRET_STORE": "session"}


STATUS_CHANGED = "rooroute/statusChanged"


class Replay:
    """One example's steps against one server. A message is used up by the step that expected it.

    Answers and progress are expected in their order. ``statusChanged`` tells of the same change as an answer does and may come just
    before it or after, so it may be anywhere since the last message that was sent before it was expected.
    """

    def __init__(self, client: Client, addresses: dict[str, str]) -> None:
        self.client = client
        self.addresses = addresses
        self.used = 0
        self.sent_at = 0
        self.told: set[int] = set()

    async def run(self, steps: list[dict[str, Any]]) -> None:
        for step in steps:
            if "send" in step:
                self.sent_at = len(self.client.frames)
                self.client.send(filled(step["send"], self.addresses))
            else:
                await self.expect(step["expect"])

    async def expect(self, expected: dict[str, Any]) -> None:
        def arrived() -> bool:
            frames = self.client.frames
            if expected.get("method") == STATUS_CHANGED:
                fresh = (at for at in range(self.sent_at, len(frames)) if at not in self.told)
                found = next((at for at in fresh if meets(expected, frames[at])), None)
                self.told |= {found} if found is not None else set()
                return found is not None
            for at in range(self.used, len(frames)):
                if meets(expected, frames[at]):
                    self.used = at + 1
                    return True
                assert "id" not in frames[at], f"expected {json.dumps(expected)}, got {json.dumps(frames[at])}"
            return False

        try:
            await self.client.until(arrived, timeout=30)
        except TimeoutError:
            came = json.dumps(self.client.frames[min(self.used, self.sent_at) :])
            pytest.fail(f"expected {json.dumps(expected)}, came only {came}")


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_is_what_happens(name: str, environment: dict[str, str]) -> None:
    example = EXAMPLES[name]
    async with (
        scripted(example.get("providers", {})) as addresses,
        await Client.start(SERVE, env=environment) as client,
    ):
        await Replay(client, addresses).run(example["steps"])
        assert await client.exit_code() == 0
        sent = [step["send"] for step in example["steps"] if "send" in step]
        assert list(complaints(filled(sent, addresses), client.frames)) == []


def complaints(sent: list[Any], received: list[dict[str, Any]]) -> Iterator[str]:
    """What on the wire is not what the schemas say; a request that was refused for its params need not be."""
    asked = {message["id"]: message for message in sent if isinstance(message, dict) and "id" in message}
    for message in received:
        row = METHODS.get(asked.get(message.get("id"), {}).get("method"))
        if message.get("method") in NOTIFICATIONS:
            yield from _wrong(NOTIFICATIONS[message["method"]]["x-params"], message["params"])
        elif row is not None and "result" in message:
            yield from _wrong(row["result"]["schema"], message["result"])
            yield from _wrong(row["x-params"], asked[message["id"]].get("params", {}))
        elif "error" in message:
            yield from _wrong({"$ref": "#/components/schemas/ErrorData"}, message["error"]["data"])


def _wrong(schema: dict[str, Any], value: Any) -> Iterator[str]:
    validator = jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    for error in validator.iter_errors(value):
        yield f"{schema['$ref']}: {error.json_path}: {error.message}"


async def test_a_replay_that_misses_a_message_fails(environment: dict[str, str]) -> None:
    async with await Client.start(SERVE, env=environment) as client:
        replay = Replay(client, {})
        client.send({"jsonrpc": "2.0", "id": 1, "method": "initialize"})
        with pytest.raises(AssertionError):
            await asyncio.wait_for(replay.expect({"jsonrpc": "2.0", "id": 1, "result": None}), 20)
