"""What decoding one chunk costs in each dialect, beside ``json.loads`` of the same payloads. In this process, no
network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from rooroute.profiles import Profile
from rooroute.providers.dialect import Dialect
from rooroute.providers.table import dialect_for
from rooroute.scripted_forms import Answer, Call, DialectName, stream
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


def _answers(chunks: int) -> Iterator[tuple[str, DialectName, list[bytes]]]:
    """Streams of so many chunks of one kind: text, thinking, and fragments of a tool call where the dialect has any."""
    call = Call("write", '{"text": "a word"}')
    for name in SPEAKERS:
        yield "", name, _pieces(name, Answer(" word", chunks=chunks))
        yield ", thinking", name, _pieces(name, Answer("", thinking=" word" * chunks))
        whole = _pieces(name, Answer("", tool_calls=(call,), finish="toolCalls"))
        events = [event + b"\n\n" for event in b"".join(whole).split(b"\n\n") if event]
        if mark := _FRAGMENT.get(name):
            at = next(at for at, event in enumerate(events) if mark in event)
            yield ", a tool's arguments", name, [*events[:at], *events[at : at + 1] * chunks, *events[at + 1 :]]


_FRAGMENT: dict[DialectName, bytes] = {
    "openai": b'{"arguments"',
    "responses": b"event: response.function_call_arguments.delta",
    "anthropic": b'"input_json_delta","partial_json":"{',
}


def _pieces(name: DialectName, answer: Answer) -> list[bytes]:
    parts = stream(name, answer, "scripted-model")
    return [parts.opening, *parts.pieces, parts.closing]


def decoding(chunks: int, rounds: int) -> Iterator[Figure]:
    """One figure per dialect and kind of chunk, in microseconds per chunk, fed event by event as httpx hands over a
    chunked body."""
    per = 1e6 / chunks
    for kind, name, pieces in _answers(chunks):
        payloads = [line[6:] for line in b"".join(pieces).splitlines() if line.startswith(b"data: {")]
        dialect = dialect_for(SPEAKERS[name], "scripted-model")

        def decode(pieces: list[bytes] = pieces, dialect: Dialect = dialect) -> None:
            decoder = dialect.decoder("text/event-stream", 0.0)
            seen = sum(len(decoder.feed(piece)) for piece in pieces)
            assert seen >= chunks

        def load(payloads: list[bytes] = payloads) -> None:
            for payload in payloads:
                json.loads(payload)

        seen = [Round(_seconds(load) * per, _seconds(decode) * per) for _ in range(rounds)]
        yield Figure(f"decoding, {name} dialect{kind} (against json.loads), processor time per chunk", "µs", seen, 1.5)
