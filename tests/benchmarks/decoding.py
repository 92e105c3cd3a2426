"""What decoding one chunk costs in each dialect, beside ``json.loads`` of the same payloads. In this process, no
network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from rooroute.profiles import Profile
from rooroute.providers.dialect import Dialect
from rooroute.providers.table import dialect_for
from rooroute.scripted_forms import Answer, DialectName, stream
from tests.benchmarks.figures import Figure, Round

SPEAKERS: dict[DialectName, Profile] = {
    "openai": Profile(id="chat completions", provider="openai-compatible"),
    "responses": Profile(id="responses", provider="openai", options={"api": "responses"}),
    "anthropic": Profile(id="anthropic", provider="anthropic"),
    "gemini": Profile(id="gemini", provider="gemini"),
}


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def decoding(chunks: int, rounds: int) -> Iterator[Figure]:
    """One figure per dialect, in microseconds per chunk, fed event by event as httpx hands over a chunked body."""
    per = 1e6 / chunks
    for name, speaker in SPEAKERS.items():
        parts = stream(name, Answer(" word", chunks=chunks), "scripted-model")
        pieces = [parts.opening, *parts.pieces, parts.closing]
        payloads = [line[6:] for line in b"".join(pieces).splitlines() if line.startswith(b"data: {")]
        dialect = dialect_for(speaker, "scripted-model")

        def decode(pieces: list[bytes] = pieces, dialect: Dialect = dialect) -> None:
            decoder = dialect.decoder("text/event-stream", 0.0)
            seen = sum(len(decoder.feed(piece)) for piece in pieces)
            assert seen >= chunks

        def load(payloads: list[bytes] = payloads) -> None:
            for payload in payloads:
                json.loads(payload)

        seen = [Round(_seconds(load) * per, _seconds(decode) * per) for _ in range(rounds)]
        yield Figure(f"decoding, {name} dialect (against json.loads), processor time per chunk", "µs", seen, 1.5)
