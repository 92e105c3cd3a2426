"""What is asked, in the words of the Gemini API's generateContent (https://ai.google.dev/api/generate-content)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from rooroute.chat import ChatRequest, ImagePart, Message, Part, TextPart, ThinkingPart, Tool, ToolCall, ToolChoiceName
from rooroute.errors import InvalidInput
from rooroute.providers import arguments

Block: TypeAlias = dict[str, Any]

ON_TEXT: Final = "text:"
"""Stands before a signature that sat on a text part, not on a thought; signatures are base64 and hold no colon."""

OWN_ID: Final = "rooroute-"
"""Begins the ids of calls that Gemini gave none; they are never sent back to it."""

# For calls that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures (FAQ)
_NO_SIGNATURE: Final = "skip_thought_signature_validator"

_VERSION: Final = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_NEWEST: Final = (99, 0)
_FIRST_LEVELS: Final = (3, 0)
_FIRST_THINKING: Final = (2, 5)
# Gemini 3 takes a level and 2.5 a budget; both at once are refused. https://ai.google.dev/gemini-api/docs/thinking
_BUDGETS: Final = {"minimal": 512, "low": 2048, "medium": 8192, "high": 24576}
# The "pro" models know fewer levels than the "flash" ones, and 3.0's fewest.
_FEWER_LEVELS: Final = {"minimal": "low"}
_FEWEST_LEVELS: Final = {"minimal": "low", "medium": "high"}

_TOOL_MODES: Final = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


def version_of(model: str) -> tuple[int, int] | None:
    """Generation of a Gemini model; the newest for an alias without a number; None for another model."""
    found = _VERSION.search(model)
    if found:
        return int(found[1]), int(found[2] or 0)
    return _NEWEST if "gemini" in model else None


def body_of(model: str, request: ChatRequest) -> Block:
    """The JSON body. Raises InvalidInput naming the field that cannot be said here."""
    version = version_of(model)
    contents = _contents(request.messages, signed_calls=version is not None and version >= _FIRST_LEVELS)
    if not contents:
        raise InvalidInput("There is nothing to answer; add a message of the user's.", field="messages")
    body: Block = {"contents": contents}
    system = [{"text": text} for m in request.messages if m.role == "system" for text in _texts(m)]
    if system:
        body["systemInstruction"] = {"parts": system}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
        _add_tool_choice(body, request)
    settings = _generation_config(request) | _thinking_config(model, version, request)
    if settings:
        body["generationConfig"] = settings
    return body


# --- contents


def _contents(messages: Iterable[Message], *, signed_calls: bool) -> list[Block]:
    """Turns in order: neighbours of one role are merged. Results of tools stand alone, as many as there were calls."""
    names: dict[str, str] = {}
    contents: list[Block] = []
    last_role = ""
    for at, message in enumerate(messages):
        names |= {call.id: call.name for call in message.tool_calls}
        parts = _parts_of(message, at, names, signed_calls=signed_calls)
        if not parts:
            continue
        if message.role == last_role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
        last_role = message.role
    return contents


def _parts_of(message: Message, at: int, names: dict[str, str], *, signed_calls: bool) -> list[Block]:
    match message.role:
        case "system":
            return []
        case "user":
            return _user_parts(message)
        case "assistant":
            return _model_parts(message, signed_calls=signed_calls)
        case "tool":
            return _function_response(message, at, names)


def _texts(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content] if message.content else []
    return [part.text for part in message.content if isinstance(part, TextPart) and part.text]


def _user_parts(message: Message) -> list[Block]:
    if isinstance(message.content, str):
        return [{"text": text} for text in _texts(message)]
    return [block for part in message.content if (block := _user_part(part)) is not None]


def _user_part(part: Part) -> Block | None:
    match part:
        case TextPart(text):
            return {"text": text} if text else None
        case ImagePart(mime_type, data):
            return {"inlineData": {"mimeType": mime_type, "data": data}}
        case ThinkingPart():
            return None


def _model_parts(message: Message, *, signed_calls: bool) -> list[Block]:
    """An earlier answer: signed thoughts, text, the signature that closed it, calls. Unsigned thoughts mean nothing."""
    parts: list[Block] = []
    closing: list[Block] = []
    for part in (TextPart(message.content),) if isinstance(message.content, str) else message.content:
        if not isinstance(part, ThinkingPart):
            block = _user_part(part)
            parts += [block] if block else []
        elif part.signature and part.signature.startswith(ON_TEXT):
            closing.append({"text": "", "thoughtSignature": part.signature[len(ON_TEXT) :]})
        elif part.signature:
            parts.append({"text": part.text, "thought": True, "thoughtSignature": part.signature})
    return parts + closing + _function_calls(message.tool_calls, signed=signed_calls)


def _function_calls(calls: tuple[ToolCall, ...], *, signed: bool) -> list[Block]:
    """The calls of one answer. The first of parallel ones is signed; where none is, a model that insists is told."""
    parts = [_function_call(call) for call in calls]
    if signed and parts and not any(call.signature for call in calls):
        parts[0]["thoughtSignature"] = _NO_SIGNATURE
    return parts


def _function_call(call: ToolCall) -> Block:
    named: Block = {"name": call.name, "args": arguments.as_object(call.arguments)}
    part: Block = {"functionCall": named | _id_of(call.id)}
    if call.signature:
        part["thoughtSignature"] = call.signature
    return part


def _id_of(call_id: str) -> Block:
    return {} if not call_id or call_id.startswith(OWN_ID) else {"id": call_id}


def _function_response(message: Message, at: int, names: dict[str, str]) -> list[Block]:
    call_id = message.tool_call_id or ""
    if call_id not in names:
        raise InvalidInput(
            "This tool result answers no call of the conversation; Gemini needs the call it belongs to.",
            field=f"messages.{at}.toolCallId",
        )
    outcome = {"error" if message.is_error else "output": "\n".join(_texts(message))}
    response = {"name": names[call_id], "response": outcome} | _id_of(call_id)
    pictures = [part for part in _user_parts(message) if "inlineData" in part]
    return [{"functionResponse": response}, *pictures]


# --- everything beside the contents


def _declaration(tool: Tool) -> Block:
    """``parametersJsonSchema`` takes the schema as it is; ``parameters`` would take a subset of OpenAPI's."""
    described: Block = {"name": tool.name} | ({"description": tool.description} if tool.description else {})
    return described | ({"parametersJsonSchema": dict(tool.parameters)} if tool.parameters else {})


def _add_tool_choice(body: Block, request: ChatRequest) -> None:
    match request.tool_choice:
        case ToolChoiceName(name):
            body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [name]}}
        case str(choice):
            body["toolConfig"] = {"functionCallingConfig": {"mode": _TOOL_MODES[choice]}}


def _generation_config(request: ChatRequest) -> Block:
    said: Block = {
        "maxOutputTokens": request.max_tokens,
        "temperature": request.temperature,
        "topP": request.top_p,
        "seed": request.seed,
        "stopSequences": list(request.stop) or None,
    }
    if request.response_format:
        said["responseMimeType"] = "application/json"
        said["responseJsonSchema"] = request.response_format.get("schema")
    return {name: value for name, value in said.items() if value is not None}


def _thinking_config(model: str, version: tuple[int, int] | None, request: ChatRequest) -> Block:
    effort = request.reasoning_effort
    if effort is None or version is None or version < _FIRST_THINKING:
        return {}
    if version < _FIRST_LEVELS:
        return {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": _BUDGETS[effort]}}
    fewer: dict[str, str] = {}
    if "pro" in model:
        fewer = _FEWEST_LEVELS if version == _FIRST_LEVELS else _FEWER_LEVELS
    return {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": fewer.get(effort, effort)}}
