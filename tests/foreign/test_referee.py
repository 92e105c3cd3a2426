"""The vendors' own SDKs as the referee: the same recorded answer, served on loopback, is read by the SDK and by us alike.

Where an SDK raises, ours must end in a fault. Where the two may differ is written down, with the reason, and must differ.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from rooroute.chat import FinishReason
from rooroute.outcome import Fault
from tests.foreign import install, wire
from tests.foreign.processes import environment
from tests.foreign.test_aimock import WAYS, said
from tests.providers.conformance import RECORDED, Answer, assembled, content_type_of

pytestmark = pytest.mark.requires("vendor-sdks")

PROFILES: Final = {
    "openai": WAYS["openai"],
    "openai-responses": WAYS["openai speaking responses"],
    "anthropic": WAYS["anthropic"],
    "gemini": WAYS["gemini"],
}
ENDS: Final = {
    "stop": FinishReason.STOP,
    "completed": FinishReason.STOP,
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "max_output_tokens": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "tool_use": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
}
OTHERS_FORM: Final = "a form of other servers, which this vendor's SDK was not made for"
APART: Final = {
    "openai/mistral_content_parts.sse": OTHERS_FORM,
    "openai/parallel_tools_all_index_0.sse": OTHERS_FORM,
    "openai/reasoning_field.sse": OTHERS_FORM,
    "openai/tools_with_index_jumps.sse": OTHERS_FORM,
    "openai/tools_with_repeated_id.sse": OTHERS_FORM,
    "openai/tools_without_index_or_id.sse": OTHERS_FORM,
    "openai/usage_in_x_groq.sse": OTHERS_FORM,
    "openai/xai_reasoning_outside_of_completion_tokens.sse": OTHERS_FORM,
    "openai/senseless_usage.sse": "tokens below zero and beyond all measure are not passed on",
    "openai/done_without_a_finish_reason.sse": "[DONE] proves the end too",
    "gemini/chunks.json": "the chunks as one array, as a server sends them that was not asked for events",
}
STRICTER: Final = {
    "openai/bare_json_error_after_text.sse": "the SDK reads over an error that is not in an event",
    "openai/finish_reason_error.sse": "the SDK passes on a finish reason that means failure",
    "openai/llama_cpp_error_field.sse": "the SDK reads over a field named error",
    "gemini/bare_error.json": "the SDK reads over an error under status 200",
    "gemini/bare_error_list.json": "the SDK reads over an error under status 200",
    "gemini/no_candidates.sse": "the SDK leaves it to its caller that nothing came",
    "gemini/malformed_call.sse": "the SDK passes on a finish reason that means failure",
}
"""Where we see a fault and the SDK none; what came before it is the same."""

CASES: Final = [
    pytest.param(dialect, path.name, id=f"{dialect}-{path.name}")
    for dialect in PROFILES
    for path in sorted((RECORDED / dialect).iterdir())
    if path.suffix in (".sse", ".json")
]


class Recorded(BaseHTTPRequestHandler):
    """Answers /DIALECT/NAME/… with that recorded answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        _, dialect, name, *_ = self.path.split("/")
        body = (RECORDED / dialect / name).read_bytes()
        self.send_response(200)
        self.send_header("content-type", content_type_of(name))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def recordings() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Recorded) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@cache
def verdicts(dialect: str, address: str, home: Path) -> dict[str, Any]:
    """What the SDK says of every answer of a dialect."""
    names = [path.name for path in (RECORDED / dialect).iterdir() if path.suffix in (".sse", ".json")]
    command: list[str | Path] = [
        install.python("vendor-sdks"),
        Path(__file__).with_name("referee.py"),
        dialect,
        f"{address}/{dialect}",
    ]
    done = subprocess.run(
        [*command, *names], env=environment(home), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def as_answer(verdict: dict[str, Any]) -> Answer:
    """The SDK's reading in our terms: where there are calls, they are why the answer ended."""
    calls = tuple((name, _parsed(arguments)) for name, arguments in verdict["calls"])
    end = ENDS.get((verdict["end"] or "").lower(), FinishReason.OTHER)
    if calls and end is FinishReason.STOP:
        end = FinishReason.TOOL_CALLS
    tokens = (verdict["tokens"][0], verdict["tokens"][1]) if verdict["tokens"] else None
    return Answer(verdict["text"], verdict["thinking"], calls, tokens, end)


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def agree(verdict: dict[str, Any], ours: Answer) -> bool:
    return isinstance(ours.end, Fault) if "error" in verdict else as_answer(verdict) == ours


@pytest.mark.parametrize(("dialect", "name"), CASES)
async def test_the_vendors_sdk_reads_the_same(
    dialect: str, name: str, recordings: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    verdict = verdicts(dialect, recordings, tmp_path_factory.getbasetemp())[name]
    way = PROFILES[dialect]
    served = wire.profile(way.vendor, f"{recordings}/{dialect}/{name}", way.model, **way.options)
    ours = assembled(await wire.exchange(served, said("Hello?")))
    place = f"{dialect}/{name}"
    if place in STRICTER:
        theirs = as_answer(verdict)
        assert isinstance(ours.end, Fault)
        assert (ours.text, ours.thinking, ours.calls) == (theirs.text, theirs.thinking, theirs.calls)
    elif place in APART:
        assert not agree(verdict, ours), "they read it alike now: take it out of the table"
    elif "error" in verdict:
        assert isinstance(ours.end, Fault), verdict["error"]
    else:
        assert as_answer(verdict) == ours


def test_the_tables_of_differences_name_what_is_there() -> None:
    assert all((RECORDED / place).is_file() for place in (*APART, *STRICTER))
