"""The other side of every ratio: bare httpx in a process of its own, ``aiter_lines`` and ``json.loads``, as anybody
would write it.

Reads one JSON command per line from standard input and answers with one JSON line.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import asdict
from typing import Any

import httpx

from tests.benchmarks.figures import Measured

BODY = {"model": "scripted-model", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
BODY["stream_options"] = {"include_usage": True}


class Bare:
    """One client; ``resting`` is the hand-written loop's memory of rate-limited keys."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        self._client = httpx.AsyncClient(timeout=60, limits=limits, trust_env=False)
        self._url = url + "/chat/completions"
        self._resting: dict[str, float] = {}

    async def ask(self, key: str) -> tuple[int, float, int]:
        """Status, when the first delta came, and how many characters came in all."""
        first, characters = 0.0, 0
        async with self._client.stream(
            "POST", self._url, json=BODY, headers={"authorization": f"Bearer {key}"}
        ) as answer:
            if answer.status_code != 200:
                await answer.aread()
                self._resting[key] = time.perf_counter() + float(answer.headers.get("retry-after", 0))
                return answer.status_code, 0.0, 0
            async for line in answer.aiter_lines():
                if not line.startswith("data: ") or line == "data: [DONE]":
                    continue
                choices = json.loads(line[6:])["choices"]
                if choices and (text := choices[0]["delta"].get("content")):
                    first = first or time.perf_counter()
                    characters += len(text)
        return 200, first, characters

    async def answered(self, keys: list[str]) -> tuple[float, float, int]:
        """Past keys that rest or fail: seconds to the first delta, seconds in all, characters."""
        began = time.perf_counter()
        for key in keys:
            if self._resting.get(key, 0.0) > began:
                continue
            status, first, characters = await self.ask(key)
            if status == 200:
                return first - began, time.perf_counter() - began, characters
        raise RuntimeError("no key answered")

    async def run(self, keys: list[str], count: int, together: bool, fresh: bool) -> Measured:
        """``count`` requests, one after another or all at once; ``fresh``: no key is remembered to rest."""
        if count > 1:
            gc.collect()
        if fresh:
            self._resting.clear()
        cpu, began = time.process_time(), time.perf_counter()
        if together:
            seen = await asyncio.gather(*(self.answered(keys) for _ in range(count)))
        else:
            seen = [await self.answered(keys) for _ in range(count)]
        wall, used = time.perf_counter() - began, time.process_time() - cpu
        return Measured([s[0] for s in seen], [s[1] for s in seen], wall, used, sum(s[2] for s in seen))


async def main(url: str) -> None:
    bare, loop = Bare(url), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command: dict[str, Any] = json.loads(line)
        measured = await bare.run(command["keys"], command["count"], command["together"], command["fresh"])
        sys.stdout.write(json.dumps(asdict(measured)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
