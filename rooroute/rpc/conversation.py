"""A client's conversation as values, refused where no provider could make sense of it."""

from __future__ import annotations

import binascii
from typing import Any, TypeAlias

from rooroute import chat
from rooroute.errors import InvalidInput
from rooroute.rpc import messages as m

Json: TypeAlias = dict[str, Any]


def chat_request(params: m.Complete) -> chat.ChatRequest:
    """What a client asks, as a value. Raises InvalidInput, which names the field, for what no provider could take."""
    for index, tool in enumerate(params.tools):
        if not tool.name.strip():
            raise InvalidInput(f"tools.{index}.name is empty; give the tool a name.", field=f"tools.{index}.name")
    return chat.ChatRequest(
        messages=tuple(_message(i, message) for i, message in enumerate(params.messages)),
        tools=tuple(params.tools),
        tool_choice=params.tool_choice,
        max_tokens=params.max_tokens,
        temperature=params.temperature,
        top_p=params.top_p,
        stop=tuple(params.stop),
        seed=params.seed,
        reasoning_effort=params.reasoning_effort,
        response_format=_response_format(params.response_format),
        provider_options=params.provider_options,
    )


def _response_format(wanted: m.ResponseFormat | None) -> Json | None:
    if wanted is None:
        return None
    if wanted.type == "json":
        return {"type": "json"}
    if wanted.json_schema is None:
        raise InvalidInput(
            "responseFormat.schema is missing; add the JSON Schema the answer must meet.", field="responseFormat.schema"
        )
    return {"type": "jsonSchema", "name": wanted.name or "answer", "schema": wanted.json_schema}


def _message(index: int, message: m.Message) -> chat.Message:
    if message.role == "tool" and message.tool_call_id is None:
        raise InvalidInput(
            f"messages.{index}.toolCallId is missing; name the tool call this message answers.",
            field=f"messages.{index}.toolCallId",
        )
    content = message.content
    for place, part in enumerate(content if isinstance(content, list) else ()):
        if isinstance(part, chat.ImagePart):
            _refuse_no_image(part, f"messages.{index}.content.{place}.data")
    return chat.Message(
        role=message.role,
        content=content if isinstance(content, str) else tuple(content),
        tool_calls=tuple(message.tool_calls),
        tool_call_id=message.tool_call_id,
        is_error=message.is_error,
    )


def _refuse_no_image(part: chat.ImagePart, field: str) -> None:
    try:
        image = binascii.a2b_base64(part.data, strict_mode=True)
    except ValueError:  # also what is not ASCII
        image = b""
    if not image:
        raise InvalidInput(
            f"{field} is no image in base64; send its bytes as base64, padded, without line breaks or a data: prefix.",
            field=field,
        )
