"""What the scripted provider can be told to do, and the bytes each dialect says it with. Pure: steps in, bytes out.

Wire forms follow the vendors' public references: https://platform.openai.com/docs/api-reference/chat-streaming and
https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/messages-streaming and
https://docs.anthropic.com/en/api/errors, https://ai.google.dev/api/generate-content and
https://ai.google.dev/gemini-api/docs/troubleshooting.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

DialectName: TypeAlias = Literal["openai", "responses", "anthropic", "gemini"]
DIALECTS: Final[tuple[DialectName, ...]] = ("openai", "responses", "anthropic", "gemini")
GOOGLE_TYPES: Final = "type.googleapis.com/google.rpc."


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; ``arguments`` is a JSON document as text, ``signature`` a Gemini thought signature."""

    name: str
    arguments: str = "{}"
    id: str = "call_1"
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A good stream. ``text`` is cut into ``chunks`` pieces (None: one per word; more pieces than characters: every
    piece carries the whole text). ``first_delay`` and ``delay`` are seconds before the first piece and between two.
    ``finish`` is "stop", "length", "toolCalls" or "contentFilter"."""

    text: str = "Hello from the scripted provider."
    chunks: int | None = None
    delay: float = 0.0
    first_delay: float = 0.0
    thinking: str = ""
    signature: str = "c2lnbmF0dXJl"
    tool_calls: tuple[Call, ...] = ()
    input_tokens: int = 7
    output_tokens: int = 5
    finish: str = "stop"


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error in the dialect's own form. ``kind`` is a row of ``FAILURES``; ``retry_delay`` (seconds) travels
    where the vendor puts it: Gemini's RetryInfo, else the Retry-After header. With ``lasts`` it repeats until so many
    seconds after it was first met, naming what is left of them; then the script goes on. ``status`` and ``message``
    override the row's own."""

    kind: str = "rate-limit"
    retry_delay: float | None = None
    lasts: float | None = None
    status: int | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Breaks off after ``after`` pieces. ``how``: "fin" closes inside the body, "rst" resets, "quiet" ends the body
    cleanly but without the dialect's terminal event."""

    after: int = 2
    how: str = "fin"
    answer: Answer = Answer()


@dataclass(frozen=True, slots=True)
class Stall:
    """Falls silent after ``after`` pieces (0: after the headers) and keeps the connection."""

    after: int = 2
    answer: Answer = Answer()


@dataclass(frozen=True, slots=True)
class Hang:
    """Accepts the request and never answers."""


@dataclass(frozen=True, slots=True)
class InStreamError:
    """Says ``kind`` inside a 200 stream after ``after`` pieces; ``bare`` leaves out the SSE framing (seen from
    Gemini)."""

    after: int = 0
    kind: str = "overloaded"
    bare: bool = False
    answer: Answer = Answer()


@dataclass(frozen=True, slots=True)
class Html:
    """A captive portal or a wrong base URL: a web page."""

    status: int = 200


@dataclass(frozen=True, slots=True)
class Raw:
    """Anything else: these bytes, in these pieces, as the body."""

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0


Step: TypeAlias = Answer | Fail | Cut | Stall | Hang | InStreamError | Html | Raw
STEPS: Final[Mapping[str, type[Any]]] = {
    "answer": Answer,
    "fail": Fail,
    "cut": Cut,
    "stall": Stall,
    "hang": Hang,
    "inStreamError": InStreamError,
    "html": Html,
    "raw": Raw,
}


class Stream(NamedTuple):
    """One streamed answer: what precedes the first piece, the pieces, what follows the last; each element is whole SSE
    events."""

    opening: bytes
    pieces: tuple[bytes, ...]
    closing: bytes


class Refusal(NamedTuple):
    """An HTTP error answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class FailureForm:
    """How each dialect says one failure: OpenAI (status, type, code), Anthropic (status, type), Gemini (status,
    canonical status)."""

    openai: tuple[int, str, str | None]
    anthropic: tuple[int, str]
    gemini: tuple[int, str]
    message: str
    gemini_details: tuple[Mapping[str, Any], ...] = ()


def _quota(quota_id: str, value: str = "15") -> Mapping[str, Any]:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    violation = {"quotaMetric": metric, "quotaId": quota_id, "quotaValue": value}
    return {"@type": GOOGLE_TYPES + "QuotaFailure", "violations": [violation]}


_BAD_KEY: Final = {"@type": GOOGLE_TYPES + "ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
FAILURES: Final[Mapping[str, FailureForm]] = {
    "rate-limit": FailureForm(
        (429, "requests", "rate_limit_exceeded"),
        (429, "rate_limit_error"),
        (429, "RESOURCE_EXHAUSTED"),
        "Rate limit reached for requests per minute.",
        (_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),),
    ),
    "daily-quota": FailureForm(
        (429, "requests", "rate_limit_exceeded"),
        (429, "rate_limit_error"),
        (429, "RESOURCE_EXHAUSTED"),
        "You exceeded your current quota for requests per day.",
        (_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250"),),
    ),
    "overloaded": FailureForm(
        (503, "service_unavailable_error", "server_is_overloaded"),
        (529, "overloaded_error"),
        (503, "UNAVAILABLE"),
        "The model is overloaded. Please try again later.",
    ),
    "server-error": FailureForm(
        (500, "server_error", None), (500, "api_error"), (500, "INTERNAL"), "An internal error has occurred."
    ),
    "invalid-key": FailureForm(
        (401, "invalid_request_error", "invalid_api_key"),
        (401, "authentication_error"),
        (400, "INVALID_ARGUMENT"),
        "API key not valid. Please pass a valid API key.",
        (_BAD_KEY,),
    ),
    "permission": FailureForm(
        (403, "request_forbidden", "unsupported_country_region_territory"),
        (403, "permission_error"),
        (403, "PERMISSION_DENIED"),
        "This key may not use this model.",
    ),
    "billing": FailureForm(
        (429, "insufficient_quota", "insufficient_quota"),
        (402, "billing_error"),
        (402, "FAILED_PRECONDITION"),
        "Your credit balance is too low. Please check your plan and billing details.",
    ),
    "not-found": FailureForm(
        (404, "invalid_request_error", "model_not_found"),
        (404, "not_found_error"),
        (404, "NOT_FOUND"),
        "This model does not exist.",
    ),
    "bad-request": FailureForm(
        (400, "invalid_request_error", None),
        (400, "invalid_request_error"),
        (400, "INVALID_ARGUMENT"),
        "Invalid value for temperature.",
    ),
    "context": FailureForm(
        (400, "invalid_request_error", "context_length_exceeded"),
        (400, "invalid_request_error"),
        (400, "INVALID_ARGUMENT"),
        "prompt is too long: 9001 tokens > 8192 maximum. "
        "The input token count (9001) exceeds the maximum number of tokens allowed (8192).",
    ),
    "policy": FailureForm(
        (400, "invalid_request_error", "content_policy_violation"),
        (400, "invalid_request_error"),
        (400, "INVALID_ARGUMENT"),
        "The request was rejected by the safety system.",
    ),
}


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _openai_error(form: FailureForm, step: Fail) -> Any:
    status, kind, code = form.openai
    return status, {"error": {"message": step.message or form.message, "type": kind, "param": None, "code": code}}


def _anthropic_error(form: FailureForm, step: Fail) -> Any:
    status, kind = form.anthropic
    return status, {
        "type": "error",
        "error": {"type": kind, "message": step.message or form.message},
        "request_id": "req_scripted",
    }


def _gemini_error(form: FailureForm, step: Fail) -> Any:
    status, name = form.gemini
    message, details = step.message or form.message, list(form.gemini_details)
    if step.retry_delay is not None:
        wait = _seconds(step.retry_delay) + "s"
        message += f" Please retry in {wait}."
        details.append({"@type": GOOGLE_TYPES + "RetryInfo", "retryDelay": wait})
    return status, {
        "error": {"code": status, "message": message, "status": name, **({"details": details} if details else {})}
    }


_ERRORS: Final[Mapping[DialectName, Callable[[FailureForm, Fail], Any]]] = {
    "openai": _openai_error,
    "responses": _openai_error,
    "anthropic": _anthropic_error,
    "gemini": _gemini_error,
}


def refuse(dialect: DialectName, step: Fail) -> Refusal:
    """The error answer of one ``Fail``; KeyError for a kind that ``FAILURES`` does not have."""
    status, body = _ERRORS[dialect](FAILURES[step.kind], step)
    headers: tuple[tuple[str, str], ...] = ()
    if step.retry_delay is not None and dialect in ("openai", "responses"):
        headers = (
            ("retry-after", str(math.ceil(step.retry_delay))),
            ("retry-after-ms", _seconds(step.retry_delay * 1000)),
        )
    elif step.retry_delay is not None and dialect == "anthropic":
        headers = (("retry-after", _seconds(step.retry_delay)),)
    return Refusal(step.status or status, headers, json.dumps(body, indent=2).encode())


def in_stream_error(dialect: DialectName, step: InStreamError) -> bytes:
    """The failure as the dialect says it inside a stream that began with 200."""
    _, body = _ERRORS[dialect](FAILURES[step.kind], Fail(step.kind))
    if step.bare:
        return _compact(body).encode()
    prefix = "event: error\n" if dialect == "anthropic" else ""
    return f"{prefix}data: {_compact(body)}\n\n".encode()


def cut_up(text: str, chunks: int | None) -> tuple[str, ...]:
    """The pieces of ``Answer.text``, as its docstring says."""
    if not text:
        return ()
    if chunks is None:
        words = text.split(" ")
        return tuple(word if i == 0 else " " + word for i, word in enumerate(words))
    if chunks > len(text):
        return (text,) * chunks
    return tuple(text[len(text) * i // chunks : len(text) * (i + 1) // chunks] for i in range(chunks))


_OPENAI_FINISH: Final = {
    "stop": "stop",
    "length": "length",
    "toolCalls": "tool_calls",
    "contentFilter": "content_filter",
}


def _openai(answer: Answer, model: str) -> Stream:
    base = {
        "id": "chatcmpl-scripted0000000000000",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": model,
    }
    base |= {"service_tier": "default", "system_fingerprint": "fp_0123456789"}

    def event(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return f"data: {_compact({**base, 'choices': [choice], 'usage': None})}\n\n".encode()

    pieces = [event({"reasoning_content": text}) for text in cut_up(answer.thinking, None)]
    pieces += [event({"content": text}) for text in cut_up(answer.text, answer.chunks)]
    for index, call in enumerate(answer.tool_calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        rest = [
            {"index": index, "function": {"arguments": part}}
            for part in cut_up(call.arguments, min(2, len(call.arguments)))
        ]
        pieces += [event({"tool_calls": [part]}) for part in (head, *rest)]
    usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens}
    usage["total_tokens"] = answer.input_tokens + answer.output_tokens
    last = f"data: {_compact({**base, 'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode()
    opening = event({"role": "assistant", "content": "", "refusal": None})
    return Stream(opening, tuple(pieces), event({}, _OPENAI_FINISH[answer.finish]) + last)


_CUT_SHORT: Final = {"length": "max_output_tokens", "contentFilter": "content_filter"}


def _responses(answer: Answer, model: str) -> Stream:
    """OpenAI's Responses: https://platform.openai.com/docs/api-reference/responses-streaming."""

    def event(kind: str, **body: Any) -> bytes:
        return f"event: {kind}\ndata: {_compact({'type': kind, **body})}\n\n".encode()

    pieces: list[bytes] = []
    for place, (item, kind, parts) in enumerate(_responses_items(answer)):
        deltas = [event(f"response.{kind}.delta", item_id=item["id"], output_index=place, delta=part) for part in parts]
        pieces.append(
            event("response.output_item.added", output_index=place, item=item) + (deltas[0] if deltas else b"")
        )
        pieces += deltas[1:]
        pieces[-1] += event("response.output_item.done", output_index=place, item=item)
    response = {"id": "resp_scripted", "object": "response", "created_at": 1760000000, "model": model, "output": []}
    usage = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    why = _CUT_SHORT.get(answer.finish)
    status = "incomplete" if why else "completed"
    end = {"status": status, "usage": usage, "incomplete_details": {"reason": why} if why else None}
    return Stream(
        event("response.created", response={**response, "status": "in_progress"}),
        tuple(pieces),
        event(f"response.{status}", response={**response, **end}),
    )


def _responses_items(answer: Answer) -> Iterator[tuple[Mapping[str, Any], str, tuple[str, ...]]]:
    """Each output item, what its deltas are called, and their texts."""
    if answer.thinking:
        yield {"id": "rs_1", "type": "reasoning", "summary": []}, "reasoning_text", cut_up(answer.thinking, None)
    if answer.text:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
        yield message, "output_text", cut_up(answer.text, answer.chunks)
    for call in answer.tool_calls:
        item = {"id": f"fc_{call.id}", "type": "function_call", "call_id": call.id, "name": call.name, "arguments": ""}
        yield item, "function_call_arguments", cut_up(call.arguments, min(2, len(call.arguments)))


_ANTHROPIC_FINISH: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "toolCalls": "tool_use",
    "contentFilter": "refusal",
}


def _anthropic_blocks(answer: Answer) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Each content block: how it starts and its deltas."""
    if answer.thinking:
        deltas: list[Mapping[str, Any]] = [
            {"type": "thinking_delta", "thinking": text} for text in cut_up(answer.thinking, None)
        ]
        yield (
            {"type": "thinking", "thinking": "", "signature": ""},
            [*deltas, {"type": "signature_delta", "signature": answer.signature}],
        )
    if answer.text:
        yield (
            {"type": "text", "text": ""},
            [{"type": "text_delta", "text": text} for text in cut_up(answer.text, answer.chunks)],
        )
    for call in answer.tool_calls:
        parts = cut_up(call.arguments, min(2, len(call.arguments)))
        yield (
            {"type": "tool_use", "id": call.id, "name": call.name, "input": {}},
            [{"type": "input_json_delta", "partial_json": part} for part in ("", *parts)],
        )


def _anthropic(answer: Answer, model: str) -> Stream:
    def event(kind: str, **body: Any) -> bytes:
        return f"event: {kind}\ndata: {_compact({'type': kind, **body})}\n\n".encode()

    pieces: list[bytes] = []
    for index, (start, deltas) in enumerate(_anthropic_blocks(answer)):
        block = [event("content_block_delta", index=index, delta=delta) for delta in deltas]
        block[0] = event("content_block_start", index=index, content_block=start) + block[0]
        block[-1] += event("content_block_stop", index=index)
        pieces += block
    message: dict[str, Any] = {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
    }
    message |= {
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": answer.input_tokens, "output_tokens": 1},
    }
    end = {"stop_reason": _ANTHROPIC_FINISH[answer.finish], "stop_sequence": None}
    closing = event("message_delta", delta=end, usage={"output_tokens": answer.output_tokens}) + event("message_stop")
    return Stream(event("message_start", message=message) + event("ping"), tuple(pieces), closing)


_GEMINI_FINISH: Final = {"stop": "STOP", "length": "MAX_TOKENS", "toolCalls": "STOP", "contentFilter": "SAFETY"}


def _gemini(answer: Answer, model: str) -> Stream:
    def event(part: Mapping[str, Any], **more: Any) -> bytes:
        candidate = {"content": {"parts": [part], "role": "model"}, **more.pop("candidate", {}), "index": 0}
        usage = {"promptTokenCount": answer.input_tokens, "totalTokenCount": answer.input_tokens}
        body = {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": model,
            "responseId": "scripted",
            **more,
        }
        return f"data: {_compact(body)}\r\n\r\n".encode()

    pieces = [event({"text": text, "thought": True}) for text in cut_up(answer.thinking, None)]
    pieces += [event({"text": text}) for text in cut_up(answer.text, answer.chunks)]
    for call in answer.tool_calls:
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": json.loads(call.arguments), "id": call.id}}
        pieces.append(event(part | ({"thoughtSignature": call.signature} if call.signature else {})))
    usage = {"promptTokenCount": answer.input_tokens, "candidatesTokenCount": answer.output_tokens}
    usage["totalTokenCount"] = answer.input_tokens + answer.output_tokens
    last: dict[str, Any] = {"text": ""}
    if answer.thinking:
        last["thoughtSignature"] = answer.signature
    closing = event(last, candidate={"finishReason": _GEMINI_FINISH[answer.finish]}, usageMetadata=usage)
    return Stream(b"", tuple(pieces), closing)


_STREAMS: Final[Mapping[DialectName, Callable[[Answer, str], Stream]]] = {
    "openai": _openai,
    "responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}


@lru_cache(maxsize=64)
def stream(dialect: DialectName, answer: Answer, model: str) -> Stream:
    """An ``Answer`` in a dialect's own events."""
    return _STREAMS[dialect](answer, model)


def models(dialect: DialectName, ids: tuple[str, ...]) -> bytes:
    """The list of models as the dialect gives it."""
    if dialect == "gemini":
        rows: list[dict[str, Any]] = [
            {"name": f"models/{name}", "displayName": name, "inputTokenLimit": 32768, "outputTokenLimit": 8192}
            for name in ids
        ]
        return json.dumps(
            {"models": [row | {"supportedGenerationMethods": ["generateContent"]} for row in rows]}
        ).encode()
    if dialect == "anthropic":
        rows = [
            {"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"} for name in ids
        ]
        return json.dumps({"data": rows, "has_more": False, "first_id": None, "last_id": None}).encode()
    rows = [{"id": name, "object": "model", "created": 1760000000, "owned_by": "scripted"} for name in ids]
    return json.dumps({"object": "list", "data": rows}).encode()


def proxied_models(ids: tuple[str, ...]) -> bytes:
    """The list of a LiteLLM proxy (https://docs.litellm.ai/docs/proxy/model_management): everything is told of the first model, of the
    others nothing but what stands behind them."""
    told = {
        "max_tokens": 4096,
        "max_input_tokens": 32768,
        "max_output_tokens": 4096,
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 4e-06,
        "cache_read_input_token_cost": 1e-07,
        "cache_creation_input_token_cost": 1.25e-06,
        "supports_vision": False,
        "supports_prompt_caching": False,
        "supports_function_calling": True,
    }
    rows = [
        {
            "model_name": name,
            "litellm_params": {"model": f"anthropic/{name}"},
            "model_info": {"id": name, **(told if place == 0 else {})},
        }
        for place, name in enumerate(ids)
    ]
    return json.dumps({"data": rows}).encode()


def read_step(value: Any) -> Step:
    """A step from its JSON form: ``{"step": "answer", "text": …}``, fields spelled as here, ``toolCalls`` and the like
    in camelCase too.

    Raises ValueError naming the step or the field that is wrong.
    """
    if not isinstance(value, dict) or value.get("step", "answer") not in STEPS:
        raise ValueError(f"a step is an object whose step is one of {', '.join(STEPS)}")
    kind = STEPS[value.get("step", "answer")]
    known = {_camel(f.name): f.name for f in fields(kind)} | {f.name: f.name for f in fields(kind)}
    given: dict[str, Any] = {}
    for name, content in value.items():
        if name == "step":
            continue
        if name not in known:
            raise ValueError(f"{kind.__name__} has no field {name}")
        given[known[name]] = _READ.get(known[name], _same)(content)
    if given.get("kind", "rate-limit") not in FAILURES:
        raise ValueError(f"kind is one of {', '.join(FAILURES)}")
    step: Step = kind(**given)
    return step


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _same(value: Any) -> Any:
    return value


def _answer(value: Any) -> Answer:
    match read_step(value):
        case Answer() as step:
            return step
    raise ValueError("answer is an answer step")


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tool_calls": lambda calls: tuple(Call(**call) for call in calls),
    "answer": _answer,
    "pieces": lambda pieces: tuple(piece.encode() for piece in pieces),
    "headers": lambda headers: tuple((str(name), str(text)) for name, text in dict(headers).items()),
}


def left_of(step: Fail, seconds: float) -> Fail:
    """The same failure with ``seconds`` of it left, as a server that counts down would say it."""
    return replace(step, retry_delay=max(0.001, seconds)) if step.retry_delay is not None else step


@dataclass(slots=True)
class Script:
    """One key's steps and how far they are consumed; the last one repeats. Times are seconds of any one clock."""

    steps: tuple[Step, ...]
    position: int = 0
    failing_since: float | None = field(default=None)

    def peek(self, now: float) -> Step:
        """What the next request would meet."""
        step = self.steps[self.position]
        if isinstance(step, Fail) and step.lasts is not None and self.failing_since is not None:
            left = self.failing_since + step.lasts - now
            if left > 0 or self.position + 1 == len(self.steps):
                return left_of(step, left)
            return self.steps[self.position + 1]
        return step

    def take(self, now: float) -> Step:
        """What this request meets; the script moves on."""
        step = self.steps[self.position]
        if not isinstance(step, Fail) or step.lasts is None:
            self._advance()
            return step
        if self.failing_since is None:
            self.failing_since = now
        if now < self.failing_since + step.lasts:
            return left_of(step, self.failing_since + step.lasts - now)
        self.failing_since = None
        if self._advance():
            return self.take(now)
        return step

    def _advance(self) -> bool:
        moves = self.position + 1 < len(self.steps)
        self.position += moves
        return moves
