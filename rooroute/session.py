"""Which conversation a request belongs to, and where in it the request stands."""

from __future__ import annotations

from hashlib import blake2b

from rooroute.chat import ChatRequest, Message
from rooroute.profiles import Pool, Revert


def session_of(request: ChatRequest, given: str | None) -> str:
    """What the client calls the conversation, else a hash of its system prompt and first user message."""
    if given is not None:
        return given
    opening = [_text(each) for each in request.messages if each.role == "system"]
    opening.append(next((_text(each) for each in request.messages if each.role == "user"), ""))
    return blake2b("\0".join(opening).encode("utf-8", "replace"), digest_size=8).hexdigest()


def in_tool_loop(request: ChatRequest) -> bool:
    """Whether the model is in the middle of using tools: the last message is a tool's result."""
    return request.messages[-1].role == "tool"


def revert_for(pool: Pool, request: ChatRequest) -> Revert:
    """The pool's return policy for this request: under ``turn`` a session stays where it is until the user speaks again."""
    if pool.revert is Revert.TURN and request.messages[-1].role != "user":
        return Revert.SESSION
    return pool.revert


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "".join(part.text for part in message.content if part.type == "text")
