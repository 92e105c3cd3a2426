"""What is asked, in the words of chat completions: https://platform.openai.com/docs/api-reference/chat/create"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rooroute.chat import ChatRequest, ImagePart, Message, Part, TextPart, Tool, ToolChoiceName
from rooroute.errors import InvalidInput


def messages_of(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the dialect's form. A tool's answer holds text only, so its images follow in a user message after the tools' turn."""
    out: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for message in messages:
        if message.role != "tool" and images:
            out.append({"role": "user", "content": images})
            images = []
        if message.role == "assistant":
            out.append(_assistant(message))
        elif message.role == "tool":
            out.append({"role": "tool", "tool_call_id": message.tool_call_id or "", "content": _text(message.content)})
            images.extend(_image(part) for part in message.content if isinstance(part, ImagePart))
        else:
            out.append({"role": message.role, "content": _content(message.content)})
    if images:
        out.append({"role": "user", "content": images})
    return out


def _assistant(message: Message) -> dict[str, Any]:
    """An earlier answer. Thinking is not sent back: the dialect has no place for it and signatures belong to another vendor."""
    text = _text(message.content)
    told: dict[str, Any] = {"role": "assistant", "content": text or (None if message.tool_calls else "")}
    if message.tool_calls:
        told["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in message.tool_calls
        ]
    return told


def _text(content: str | tuple[Part, ...]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content if isinstance(part, TextPart))


def _content(content: str | tuple[Part, ...]) -> str | list[dict[str, Any]]:
    if isinstance(content, str) or not any(isinstance(part, ImagePart) for part in content):
        return _text(content)
    return [
        _image(part) if isinstance(part, ImagePart) else {"type": "text", "text": part.text}
        for part in content
        if isinstance(part, ImagePart | TextPart)
    ]


def _image(part: ImagePart) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{part.mime_type};base64,{part.data}"}}


def tool_of(tool: Tool) -> dict[str, Any]:
    """A tool; its schema goes as it is."""
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def tool_choice_of(request: ChatRequest) -> str | dict[str, Any] | None:
    """The choice of tools; the neutral words are this dialect's own."""
    if isinstance(request.tool_choice, ToolChoiceName):
        return {"type": "function", "function": {"name": request.tool_choice.name}}
    return request.tool_choice


def response_format_of(wanted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The form of the answer. Raises InvalidInput for one this dialect does not know."""
    if wanted is None:
        return None
    if wanted.get("type") == "json":
        return {"type": "json_object"}
    if wanted.get("type") == "jsonSchema" and isinstance(wanted.get("schema"), Mapping):
        inner = {key: wanted[key] for key in ("schema", "strict", "description") if key in wanted}
        return {"type": "json_schema", "json_schema": {"name": wanted.get("name") or "answer", **inner}}
    raise InvalidInput(
        'The response format is neither {"type": "json"} nor {"type": "jsonSchema", "name": …, "schema": {…}}.',
        field="responseFormat",
    )
