"""A provider on loopback that answers as it is told: the one ``rooroute demo``, the tests and the benchmarks talk to.

It speaks OpenAI chat completions (Azure's path too) and Responses, Anthropic messages and Gemini
streamGenerateContent, chosen by path, and lists models as these and as a LiteLLM proxy do; what it does is scripted per API key (``scripted_forms.Step``). Standard
library only, bytes precomputed, so that it is never what a measurement measures.

``python -m rooroute.scripted_provider [--port N] [--script FILE.json]`` prints its base URLs as one JSON line when
ready. While it runs, ``POST /__script`` with ``{key: [step, …]}`` changes scripts, ``GET /__requests`` lists what was
asked, ``DELETE /__requests`` forgets it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import struct
import sys
import textwrap
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from rooroute.scripted_forms import (
    STEPS,
    Answer,
    Call,
    Cut,
    DialectName,
    Fail,
    Hang,
    Html,
    InStreamError,
    Raw,
    Refusal,
    Script,
    Stall,
    Step,
    Stream,
    in_stream_error,
    models,
    proxied_models,
    read_step,
    refuse,
    stream,
)

__all__ = [
    "ANY",
    "DEMO_SCRIPTS",
    "Answer",
    "Call",
    "Cut",
    "Fail",
    "Hang",
    "Html",
    "InStreamError",
    "Raw",
    "ScriptedProvider",
    "Seen",
    "Stall",
    "Step",
]

ANY: Final = "*"
"""The script of every key that has none of its own."""

DEMO_SCRIPTS: Final[Mapping[str, Sequence[Step]]] = {
    "key-ok": (Answer(),),
    "key-429": (Fail("rate-limit", retry_delay=3, lasts=3), Answer("Back after the rate limit.")),
    "key-daily": (Fail("daily-quota", retry_delay=36000),),
    "key-503": (Fail("overloaded"),),
    "key-500": (Fail("server-error"),),
    "key-401": (Fail("invalid-key"),),
    "key-403": (Fail("permission"),),
    "key-billing": (Fail("billing"),),
    "key-context": (Fail("context"),),
    "key-404": (Fail("not-found"),),
    "key-slow": (Answer("This answer takes its time to arrive, word by word.", delay=0.2, first_delay=0.5),),
    "key-cut": (Cut(2),),
    "key-stall": (Stall(2),),
    "key-hang": (Hang(),),
    "key-error-inside": (InStreamError(2),),
    "key-html": (Html(),),
    "key-thinking": (Answer("Four.", thinking="Two and two make four."),),
    "key-tool": (Answer("", tool_calls=(Call("read_file", '{"path":"README.md"}'),), finish="toolCalls"),),
}

_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}
_SSE: Final = "text/event-stream; charset=utf-8"
_JSON: Final = "application/json; charset=utf-8"
_END: Final = b"0\r\n\r\n"
_MODELS: Final = ("scripted-model", "scripted-large")
_KEPT_REQUESTS: Final = 10_000
_HTML: Final = b"<!doctype html><title>Sign in to this network</title><p>Please accept the terms of use."
_BAD_REQUEST: Final = Fail("bad-request")
_KEY_FAULTS: Final = frozenset({"invalid-key", "permission", "billing"})
_BASES: Final[Mapping[DialectName, str]] = {
    "openai": "/v1",
    "responses": "/v1",
    "anthropic": "",
    "gemini": "/v1beta",
}
_MODEL_LISTS: Final = frozenset({"/v1/models", "/v1beta/models", "/openai/models"})
_PROXIED_LIST: Final = "/v1/model/info"
_NOT_FOUND: Final = b'{"error":{"message":"No such path.","code":"not_found"}}'
_SUFFIXES: Final[Mapping[str, DialectName]] = {
    "/chat/completions": "openai",
    "/responses": "responses",
    "/messages": "anthropic",
    ":streamGenerateContent": "gemini",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived. Header names are lower case; ``at`` is the event loop's clock in seconds."""

    key: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    query: str = ""

    def json(self) -> Any:
        """The body as JSON; None when there is none."""
        return json.loads(self.body) if self.body else None


def _head(status: int, content_type: str, length: int | None, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Scripted')}",
        f"content-type: {content_type}",
        "x-request-id: req_scripted",
    ]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    return "\r\n".join([*lines, *(f"{name}: {text}" for name, text in headers), "", ""]).encode()


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


@lru_cache(maxsize=64)
def _wire(dialect: DialectName, answer: Answer, model: str) -> tuple[Stream, bytes]:
    """An answer's parts and the whole of it, head included, each event framed as an HTTP chunk of its own."""
    parts = stream(dialect, answer, model)
    framed = Stream(_framed(parts.opening), tuple(map(_framed, parts.pieces)), _framed(parts.closing) + _END)
    return framed, _head(200, _SSE, None) + framed.opening + b"".join(framed.pieces) + framed.closing


def _model_of(seen: Seen, dialect: DialectName) -> str:
    if dialect == "gemini":
        return seen.path.rpartition("/")[2].partition(":")[0]
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(seen.body).get("model") or _MODELS[0])
    return _MODELS[0]


def _key_of(headers: Mapping[str, str]) -> str:
    bearer = headers.get("authorization", "")
    return (
        headers.get("x-api-key")
        or headers.get("x-goog-api-key")
        or headers.get("api-key")
        or bearer.removeprefix("Bearer ").strip()
    )


class _Connection(asyncio.Protocol):
    """One HTTP/1.1 connection: requests one after another, bodies by Content-Length."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self._provider = provider
        self._buffer = b""
        self._busy = False
        self._playing: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._provider.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._provider.connections.discard(self)
        if self._playing:
            self._playing.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._read_request()

    def _read_request(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length") or 0)
        if len(rest) < length:
            return
        self._buffer, self._busy = rest[length:], True
        method, path, *_ = [*first.split(" "), ""]
        now = asyncio.get_running_loop().time()
        place, _, query = path.partition("?")
        self._provider.answer(self, Seen(_key_of(headers), method, place, headers, rest[:length], now, query))

    def finish(self) -> None:
        """The answer is written; the next request may be read."""
        self._busy = False
        if self._buffer:
            self._read_request()

    def send(self, status: int, content_type: str, body: bytes, headers: Sequence[tuple[str, str]] = ()) -> None:
        """A whole answer at once."""
        self.transport.write(_head(status, content_type, len(body), headers) + body)
        self.finish()

    def refuse(self, refusal: Refusal) -> None:
        """An error answer."""
        self.send(refusal.status, _JSON, refusal.body, refusal.headers)

    def play(self, parts: Stream, answer: Answer, after: int | None, ending: bytes | None, how: str = "") -> None:
        """Streams ``parts`` at the answer's pace: ``after`` pieces (None: all), then ``ending`` (None: silence), then
        ``how`` it breaks."""
        self.transport.write(_head(200, _SSE, None) + parts.opening)
        pieces = parts.pieces[:after]
        if answer.delay or answer.first_delay:
            self._playing = asyncio.create_task(self._play_slowly(pieces, answer, ending, how))
            return
        self.transport.write(b"".join(pieces))
        self._end(ending, how)

    async def _play_slowly(self, pieces: Sequence[bytes], answer: Answer, ending: bytes | None, how: str) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + answer.first_delay
        for piece in pieces:
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.transport.write(piece)
            due += answer.delay
        self._end(ending, how)

    def _end(self, ending: bytes | None, how: str) -> None:
        if ending is not None:
            self.transport.write(ending)
        if how == "rst":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        elif how == "fin":
            self.transport.close()
        elif ending is not None:
            self.finish()


@dataclass
class ScriptedProvider:
    """``async with ScriptedProvider({"key-1": [Fail("rate-limit", retry_delay=3), Answer("Hi")]}) as provider:``
    listens on loopback.

    A key without a script gets ``ANY``'s, else "invalid key". Steps are consumed by request, the last one repeats;
    ``script`` replaces a key's steps at run time. ``requests`` holds the latest 10,000 requests; ``model_ids`` is what
    the model lists show. ``port`` 0 takes any free one.
    """

    scripts: Mapping[str, Sequence[Step]] = field(default_factory=lambda: DEMO_SCRIPTS)
    port: int = 0
    model_ids: tuple[str, ...] = _MODELS
    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=_KEPT_REQUESTS))
    connections: set[_Connection] = field(default_factory=set, repr=False)
    _scripts: dict[str, Script] = field(default_factory=dict, repr=False)
    _server: asyncio.Server | None = field(default=None, repr=False)

    async def __aenter__(self) -> Self:
        for key, steps in self.scripts.items():
            self.script(key, *steps)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)
        if self._server:
            await self._server.wait_closed()

    def base_url(self, dialect: DialectName) -> str:
        """What a profile of this dialect writes as its base URL, in the spelling the vendor's own begins with."""
        return f"http://127.0.0.1:{self.port}{_BASES[dialect]}"

    def script(self, key: str, *steps: Step) -> None:
        """Gives ``key`` these steps from its next request on."""
        if not steps:
            raise ValueError("a script needs at least one step")
        self._scripts[key] = Script(tuple(steps))

    def seen(self, key: str) -> list[Seen]:
        """The requests that came with ``key``, oldest first."""
        return [request for request in self.requests if request.key == key]

    def answer(self, connection: _Connection, seen: Seen) -> None:
        """Answers one request, by its path."""
        if seen.path.startswith("/__"):
            self._control(connection, seen)
            return
        self.requests.append(seen)
        script = self._scripts.get(seen.key) or self._scripts.get(ANY)
        if seen.method == "GET":
            self._list_models(connection, seen, script)
            return
        dialect = next((name for suffix, name in _SUFFIXES.items() if seen.path.endswith(suffix)), None)
        if dialect is None:
            connection.send(404, _JSON, _NOT_FOUND)
        elif script is None:
            connection.refuse(refuse(dialect, Fail("invalid-key")))
        else:
            self._perform(connection, seen, dialect, script.take(seen.at))

    def _perform(self, connection: _Connection, seen: Seen, dialect: DialectName, step: Step) -> None:
        model = _model_of(seen, dialect)
        match step:
            case Answer(delay=0.0, first_delay=0.0):
                connection.transport.write(_wire(dialect, step, model)[1])
                connection.finish()
            case Answer():
                parts = _wire(dialect, step, model)[0]
                connection.play(parts, step, None, parts.closing)
            case Fail():
                connection.refuse(refuse(dialect, step))
            case Cut():
                ending = _END if step.how == "quiet" else b""
                connection.play(_wire(dialect, step.answer, model)[0], step.answer, step.after, ending, step.how)
            case Stall():
                connection.play(_wire(dialect, step.answer, model)[0], step.answer, step.after, None)
            case InStreamError():
                ending = _framed(in_stream_error(dialect, step)) + _END
                connection.play(_wire(dialect, step.answer, model)[0], step.answer, step.after, ending)
            case Html():
                connection.send(step.status, "text/html; charset=utf-8", _HTML)
            case Raw():
                self._send_raw(connection, step)
            case Hang():
                pass

    def _send_raw(self, connection: _Connection, step: Raw) -> None:
        if step.status != 200 or not step.delay:
            connection.send(step.status, step.content_type, b"".join(step.pieces), step.headers)
            return
        connection.play(Stream(b"", tuple(map(_framed, step.pieces)), b""), Answer(delay=step.delay), None, _END)

    def _list_models(self, connection: _Connection, seen: Seen, script: Script | None) -> None:
        dialect: DialectName = (
            "gemini" if "x-goog-api-key" in seen.headers else "anthropic" if "x-api-key" in seen.headers else "openai"
        )
        step = script.peek(seen.at) if script else Fail("invalid-key")
        if isinstance(step, Html):
            connection.send(step.status, "text/html; charset=utf-8", _HTML)
        elif seen.path not in _MODEL_LISTS and not seen.path.endswith(_PROXIED_LIST):
            connection.send(404, _JSON, _NOT_FOUND)
        elif isinstance(step, Raw):
            self._send_raw(connection, step)
        elif isinstance(step, Fail) and step.kind in _KEY_FAULTS:
            connection.refuse(refuse(dialect, step))
        elif not isinstance(step, Hang):
            proxied = seen.path.endswith(_PROXIED_LIST)
            connection.send(200, _JSON, proxied_models(self.model_ids) if proxied else models(dialect, self.model_ids))

    def _control(self, connection: _Connection, seen: Seen) -> None:
        try:
            if seen.path == "/__script" and seen.method == "POST":
                for key, steps in json.loads(seen.body).items():
                    self.script(key, *(read_step(step) for step in steps))
            elif seen.path == "/__requests" and seen.method == "DELETE":
                self.requests.clear()
            elif seen.path != "/__requests":
                raise ValueError("POST /__script, GET /__requests and DELETE /__requests are all there is")
        except (ValueError, TypeError, AttributeError) as wrong:
            connection.send(400, _JSON, json.dumps({"error": str(wrong)}).encode())
            return
        rows = [
            {
                "key": r.key,
                "method": r.method,
                "path": r.path,
                "query": r.query,
                "headers": dict(r.headers),
                "body": r.body.decode(errors="replace"),
                "at": r.at,
            }
            for r in (self.requests if seen.method == "GET" else ())
        ]
        connection.send(200, _JSON, json.dumps(rows).encode())


def _read_scripts(path: Path) -> Mapping[str, Sequence[Step]]:
    return {key: [read_step(step) for step in steps] for key, steps in json.loads(path.read_text()).items()}


async def _serve(port: int, script: Path | None) -> None:
    scripts = {**DEMO_SCRIPTS, **(_read_scripts(script) if script else {})}
    async with ScriptedProvider(scripts, port) as provider:
        urls = {name: provider.base_url(name) for name in _SUFFIXES.values()}
        sys.stdout.write(json.dumps(urls | {"control": f"http://127.0.0.1:{provider.port}"}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


_HELP: Final = f"""\
It prints its base URLs, and answers until Ctrl-C by the key it is asked with:
{textwrap.fill(", ".join(DEMO_SCRIPTS), 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)}

A script adds keys. The last step of a key is repeated:
  {{"my-key": [{{"step": "fail", "kind": "rate-limit", "retryDelay": 5}}, {{"step": "answer", "text": "Hello."}}]}}

Steps: {", ".join(STEPS)}.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until interrupted; 2 when the script file cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m rooroute.scripted_provider",
        description="A provider that answers as it is told.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free one)")
    parser.add_argument("--script", type=Path, help="a JSON file: by key, the steps of its answers")
    options = parser.parse_args(arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(options.port, options.script))
    except (OSError, ValueError) as wrong:
        sys.stderr.write(f"The script cannot be used: {wrong}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
