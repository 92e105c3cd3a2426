"""What is asked, in the words of OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses/create"""

from __future__ import annotations

from typing import Any, TypeAlias

from rooroute.chat import ChatRequest, ImagePart, Message, Part, TextPart, ThinkingPart, ToolChoiceName
from rooroute.errors import InvalidInput
from rooroute.providers.openai_request import response_format_of

Item: TypeAlias = dict[str, Any]


def body_of(model: str, request: ChatRequest) -> Item:
    """The JSON body. Nothing is stored at OpenAI; what the model thought comes sealed and goes back so
    (https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items).

    Raises InvalidInput naming the field that cannot be said here.
    """
    if request.stop:
        raise InvalidInput(
            "OpenAI's Responses API knows no stop sequences; leave them out, or set options.api to chat.", field="stop"
        )
    body: Item = {
        "model": model,
        "input": [item for message in request.messages for item in _items(message)],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    wishes = {
        "max_output_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "tools": [_tool(tool.name, tool.description, tool.parameters) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request) if request.tools else None,
        "text": _text_format(request),
        "reasoning": {"effort": request.reasoning_effort, "summary": "auto"} if request.reasoning_effort else None,
    }
    return body | {name: value for name, value in wishes.items() if value is not None}


def _items(message: Message) -> list[Item]:
    match message.role:
        case "assistant":
            return _answer(message)
        case "tool":
            return [
                {
                    "type": "function_call_output",
                    "call_id": message.tool_call_id or "",
                    "output": _output(message.content),
                }
            ]
        case _:
            return [{"type": "message", "role": message.role, "content": _content(message.content)}]


def _answer(message: Message) -> list[Item]:
    """An earlier answer: sealed reasoning, text, calls. Reasoning without its seal means nothing."""
    parts = (TextPart(message.content),) if isinstance(message.content, str) else message.content
    items: list[Item] = []
    for part in parts:
        if isinstance(part, ThinkingPart):
            if part.signature:
                summary = [{"type": "summary_text", "text": part.text}] if part.text else []
                items.append({"type": "reasoning", "summary": summary, "encrypted_content": part.signature})
        elif isinstance(part, TextPart) and part.text:
            text = {"type": "output_text", "text": part.text}
            items.append({"type": "message", "role": "assistant", "content": [text]})
    for call in message.tool_calls:
        arguments = call.arguments or "{}"
        items.append({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
    return items


def _content(content: str | tuple[Part, ...]) -> list[Item]:
    parts = (TextPart(content),) if isinstance(content, str) else content
    return [item for part in parts if (item := _part(part)) is not None]


def _part(part: Part) -> Item | None:
    match part:
        case TextPart(text):
            return {"type": "input_text", "text": text}
        case ImagePart(mime_type, data):
            return {"type": "input_image", "image_url": f"data:{mime_type};base64,{data}"}
        case ThinkingPart():
            return None


def _output(content: str | tuple[Part, ...]) -> str | list[Item]:
    """A tool's result; as parts only where it holds more than text."""
    if isinstance(content, str):
        return content
    if any(isinstance(part, ImagePart) for part in content):
        return _content(content)
    return "".join(part.text for part in content if isinstance(part, TextPart))


def _tool(name: str, description: str | None, parameters: Any) -> Item:
    """A tool; its schema goes as it is, so it cannot be a strict one, which is this API's default."""
    described = {"description": description} if description is not None else {}
    return {"type": "function", "name": name, **described, "parameters": parameters, "strict": False}


def _tool_choice(request: ChatRequest) -> str | Item | None:
    if isinstance(request.tool_choice, ToolChoiceName):
        return {"type": "function", "name": request.tool_choice.name}
    return request.tool_choice


def _text_format(request: ChatRequest) -> Item | None:
    """The form of the answer: chat completions' words, one level flatter."""
    wanted = response_format_of(request.response_format)
    if wanted is None:
        return None
    return {"format": {"type": wanted["type"], **wanted.get("json_schema", {})}}
