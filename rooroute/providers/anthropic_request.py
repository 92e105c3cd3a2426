"""What is asked, in the words of Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from rooroute.chat import ChatRequest, ImagePart, Message, Part, TextPart, ThinkingPart, Tool, ToolCall, ToolChoiceName
from rooroute.errors import InvalidInput
from rooroute.providers import arguments

Block: TypeAlias = dict[str, Any]
Version: TypeAlias = tuple[int, int]

REDACTED: Final = "redacted:"
"""Stands before the data of a redacted_thinking block, carried like a signature; those are base64 and hold no colon."""

_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_NEWEST: Final = (99, 0)
# Adaptive thinking arrived with 4.6 and is the only form from 4.7 on; before, thinking took a budget, first in 3.7.
# https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking
_FIRST_ADAPTIVE: Final = (4, 6)
_FIRST_THINKING: Final = (3, 7)
# "`temperature` is deprecated for this model" from 4.7 on (https://github.com/Comfy-Org/ComfyUI/issues/13923);
# "`temperature` and `top_p` cannot both be specified for this model" from 4.1 on (https://github.com/open-webui/functions/pull/9).
_LAST_SAMPLED: Final = (4, 6)
_LAST_TWO_SAMPLERS: Final = (4, 0)
_FIRST_STRUCTURED: Final = (4, 5)

_BUDGETS: Final = {"minimal": 1024, "low": 4096, "medium": 8192, "high": 16384}
_EFFORTS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high"}
_LEAST_BUDGET: Final = 1024
_ROOM_FOR_TEXT: Final = 8192
# max_tokens is required and each generation has its own ceiling: https://platform.claude.com/docs/en/about-claude/models/overview
_MOST_TOKENS: Final = (((4, 0), 32000), ((3, 5), 8192), ((0, 0), 4096))
_MOST_TOKENS_UNKNOWN: Final = 8192

_TOOL_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}
_CACHE_MARK: Final = {"type": "ephemeral"}


def version_of(model: str) -> Version | None:
    """Generation of a Claude model; the newest for one without a number; None for another maker's."""
    found = _VERSION.search(model)
    if found:
        return int(found[1]), int(found[2] or 0)
    return _NEWEST if "claude" in model else None


def body_of(model: str, request: ChatRequest, *, prompt_cache: bool) -> Block:
    """The JSON body. Raises InvalidInput naming the field that cannot be said here."""
    version = version_of(model)
    body: Block = {"model": model, "stream": True, "max_tokens": request.max_tokens or _most_tokens(version)}
    system = [{"type": "text", "text": text} for m in request.messages if m.role == "system" for text in _texts(m)]
    _add_response_format(body, system, request, version)
    body["messages"] = _turns(request.messages)
    if not body["messages"]:
        raise InvalidInput("There is nothing to answer; add a message of the user's.", field="messages")
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        _add_tool_choice(body, request)
    _add_thinking(body, request, version)
    _add_sampling(body, request, version)
    if system:
        body["system"] = system
    if prompt_cache:
        _mark_for_cache(body)
    return body


def _most_tokens(version: Version | None) -> int:
    if version is None:
        return _MOST_TOKENS_UNKNOWN
    return next(most for least, most in _MOST_TOKENS if version >= least)


# --- messages


def _turns(messages: Iterable[Message]) -> list[Block]:
    """Alternating turns: neighbours of one role are merged, results of tools are the user's turn."""
    turns: list[Block] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _tool_result(message) if message.role == "tool" else _blocks(message)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    if turns and turns[-1]["role"] == "assistant":
        _trim_prefill(turns)
    return turns


def _trim_prefill(turns: list[Block]) -> None:
    """A last turn of the assistant's is continued, and is refused when it ends in white space."""
    last = turns[-1]["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()


def _texts(message: Message) -> list[str]:
    """Its non-empty texts: an empty text block is refused."""
    if isinstance(message.content, str):
        return [message.content] if message.content.strip() else []
    return [part.text for part in message.content if isinstance(part, TextPart) and part.text.strip()]


def _blocks(message: Message) -> list[Block]:
    if isinstance(message.content, str):
        blocks: list[Block] = [{"type": "text", "text": text} for text in _texts(message)]
    else:
        blocks = [block for part in message.content if (block := _block(part)) is not None]
    return blocks + [_tool_use(call) for call in message.tool_calls]


def _block(part: Part) -> Block | None:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text} if text.strip() else None
        case ImagePart(mime_type, data):
            return {"type": "image", "source": {"type": "base64", "media_type": mime_type, "data": data}}
        case ThinkingPart(text, signature):
            return _thinking(text, signature)


def _thinking(text: str, signature: str | None) -> Block | None:
    """Thinking goes back as it came, or not at all: the signature is checked."""
    if not signature:
        return None
    if signature.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": signature[len(REDACTED) :]}
    return {"type": "thinking", "thinking": text, "signature": signature}


def _tool_use(call: ToolCall) -> Block:
    return {"type": "tool_use", "id": tool_id(call.id), "name": call.name, "input": arguments.as_object(call.arguments)}


def tool_id(given: str) -> str:
    """An id as ``^[a-zA-Z0-9_-]+$`` demands it; others' ids may hold dots and colons. Different ids stay different."""
    return re.sub(r"[^a-zA-Z0-9_-]", lambda c: f"-{ord(c[0]):x}-", given) or "-"


def _tool_result(message: Message) -> list[Block]:
    result: Block = {"type": "tool_result", "tool_use_id": tool_id(message.tool_call_id or "")}
    blocks = _blocks(message)
    if blocks:
        result["content"] = blocks
    if message.is_error:
        result["is_error"] = True
    return [result]


# --- everything beside the messages


def _tool(tool: Tool) -> Block:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "input_schema": dict(tool.parameters) or {"type": "object"}}


def _add_tool_choice(body: Block, request: ChatRequest) -> None:
    match request.tool_choice:
        case ToolChoiceName(name):
            body["tool_choice"] = {"type": "tool", "name": name}
        case str(choice):
            body["tool_choice"] = {"type": _TOOL_CHOICES[choice]}


def _add_thinking(body: Block, request: ChatRequest, version: Version | None) -> None:
    effort = request.reasoning_effort
    if effort is None or (version is not None and version < _FIRST_THINKING):
        return
    # Thinking goes with the tool choices auto and none only.
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    if version is not None and version >= _FIRST_ADAPTIVE:
        body.setdefault("output_config", {})["effort"] = _EFFORTS[effort]
        if not forced:
            body["thinking"] = {"type": "adaptive", "display": "summarized"}
        return
    budget = _BUDGETS[effort]
    if request.max_tokens is None:
        body["max_tokens"] = max(body["max_tokens"], budget + _ROOM_FOR_TEXT)
    budget = min(budget, body["max_tokens"] * 3 // 4)
    if not forced and budget >= _LEAST_BUDGET and _may_think(body["messages"]):
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _may_think(turns: list[Block]) -> bool:
    """Whether a budget may be given.

    Not in a running tool loop that began without (this vendor's) thinking, and not with a prefill: "a final `assistant`
    message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)".
    """
    if turns[-1]["role"] == "assistant":
        return False
    calling: Block | None = None
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            calling = turn
        elif all(block["type"] != "tool_result" for block in turn["content"]):
            break
    return calling is None or calling["content"][0]["type"] in ("thinking", "redacted_thinking")


def _add_sampling(body: Block, request: ChatRequest, version: Version | None) -> None:
    if request.stop:
        if any(not text.strip() for text in request.stop):
            raise InvalidInput("Anthropic takes no stop sequence of white space alone; leave it out.", field="stop")
        body["stop_sequences"] = list(request.stop)
    # Thinking is refused together with a temperature; models past 4.6 take no sampling parameters at all.
    if "thinking" in body or (version is not None and version > _LAST_SAMPLED):
        return
    if request.temperature is not None:
        body["temperature"] = request.temperature
    both = version is None or version <= _LAST_TWO_SAMPLERS
    if request.top_p is not None and (both or request.temperature is None):
        body["top_p"] = request.top_p


def _add_response_format(body: Block, system: list[Block], request: ChatRequest, version: Version | None) -> None:
    """A schema is enforced where the model can, else asked for.

    https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    """
    wanted = request.response_format
    if not wanted:
        return
    schema: Mapping[str, Any] | None = wanted.get("schema")
    if schema is not None and version is not None and version >= _FIRST_STRUCTURED:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        return
    text = "Answer with one JSON value and nothing else, without a code fence."
    if schema is not None:
        text += " It conforms to this JSON Schema: " + json.dumps(schema, ensure_ascii=False)
    system.append({"type": "text", "text": text})


def _mark_for_cache(body: Block) -> None:
    """Marks at the end of what stays the same: tools and system prompt, and the last two turns of the user's.

    So the next request finds this one's prefix. At most four are allowed.

    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    for steady in ("system", "tools"):
        if body.get(steady):
            body[steady][-1]["cache_control"] = _CACHE_MARK
            break
    turns = [turn for turn in body["messages"] if turn["role"] == "user"]
    for turn in turns[-2:]:
        turn["content"][-1]["cache_control"] = _CACHE_MARK
