"""A conversation that moves between vendors: what each may see of another's thinking.

A signature is opaque and valid only at the dialect that made it. Outside, it travels with its maker's name in front
(``anthropic:EqQB…``), so that a history held by any client tells for itself where each part came from. On the way to a provider the
parts it made are unwrapped and everybody else's are dropped: a foreign signature is a 400 at Anthropic and at Gemini
(https://docs.claude.com/en/docs/build-with-claude/extended-thinking, https://ai.google.dev/gemini-api/docs/thought-signatures).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Final

from rooroute.chat import ChatRequest, Message, Part, TextPart, ThinkingPart

_KEPT_CALLS: Final = 4096


def sealed(signature: str | None, maker: str) -> str | None:
    """A signature as clients see it; None stays None."""
    return None if signature is None else f"{maker}:{signature}"


def unsealed(signature: str | None, maker: str) -> str | None:
    """The signature as ``maker`` gave it, or None when somebody else made it."""
    prefix = f"{maker}:"
    return signature[len(prefix) :] if signature is not None and signature.startswith(prefix) else None


class SignatureMemory:
    """Keeps, by tool-call id, the signed parts of answers for clients that cannot carry them (VS Code's language-model API cannot).

    Bounded: the oldest of 4,096 calls is forgotten first. Lives in one process; a conversation continued in another one goes on without
    signatures, which both vendors accept for turns that are over.

    It also keeps which signatures a profile refused: two servers may speak one dialect and not know each other's seals.
    """

    def __init__(self) -> None:
        self._thinking: OrderedDict[str, tuple[ThinkingPart, ...]] = OrderedDict()
        self._signatures: dict[str, str] = {}
        self._refused: OrderedDict[bytes, None] = OrderedDict()

    def distrust(self, profile_id: str, request: ChatRequest, maker: str) -> bool:
        """Leave out from now on, for this profile, what ``maker`` signed in this request. Whether anything of it was there."""
        sent = for_dialect(request, maker, self, profile_id)
        refused = [_mark(profile_id, each) for message in sent.messages for each in _signatures_of(message)]
        for each in refused:
            self._refused[each] = None
        while len(self._refused) > _KEPT_CALLS:
            self._refused.popitem(last=False)
        return bool(refused)

    def distrusted(self, profile_id: str, signature: str) -> bool:
        """Whether this profile refused it; ``signature`` is bare."""
        return bool(self._refused) and _mark(profile_id, signature) in self._refused

    def remember(self, message: Message) -> None:
        """Note the signed parts of a delivered answer; its signatures are sealed already."""
        if not message.tool_calls or isinstance(message.content, str):
            thinking: tuple[ThinkingPart, ...] = ()
        else:
            thinking = tuple(p for p in message.content if isinstance(p, ThinkingPart) and p.signature)
        for call in message.tool_calls:
            self._thinking[call.id] = thinking
            if call.signature:
                self._signatures[call.id] = call.signature
        while len(self._thinking) > _KEPT_CALLS:
            forgotten, _ = self._thinking.popitem(last=False)
            self._signatures.pop(forgotten, None)

    def restore(self, message: Message) -> Message:
        """The message with what its client dropped put back."""
        if not message.tool_calls:
            return message
        calls = tuple(
            replace(call, signature=call.signature or self._signatures.get(call.id)) for call in message.tool_calls
        )
        parts = _parts(message)
        if not any(isinstance(part, ThinkingPart) for part in parts):
            parts = (*self._thinking.get(message.tool_calls[0].id, ()), *parts)
        return replace(message, tool_calls=calls, content=parts)


def _parts(message: Message) -> tuple[Part, ...]:
    if isinstance(message.content, str):
        return (TextPart(message.content),) if message.content else ()
    return message.content


def _mark(profile_id: str, signature: str) -> bytes:
    """Signatures may be long; a digest stands for one."""
    return blake2b(f"{profile_id}\0{signature}".encode("utf-8", "replace"), digest_size=16).digest()


def _signatures_of(message: Message) -> Iterator[str]:
    yield from (part.signature for part in _parts(message) if isinstance(part, ThinkingPart) and part.signature)
    yield from (call.signature for call in message.tool_calls if call.signature)


def for_dialect(request: ChatRequest, maker: str, memory: SignatureMemory, profile_id: str = "") -> ChatRequest:
    """The request as the dialect named ``maker`` may see it: its own signatures bare, foreign thinking gone, dropped parts restored.
    What the profile ``profile_id`` refused before counts as foreign."""

    def opened(signature: str | None) -> str | None:
        bare = unsealed(signature, maker)
        return None if bare is None or memory.distrusted(profile_id, bare) else bare

    def fit(message: Message) -> Message:
        if message.role != "assistant":
            return message
        message = memory.restore(message)
        if isinstance(message.content, str):
            return message
        kept = tuple(
            replace(part, signature=bare) if isinstance(part, ThinkingPart) else part
            for part in message.content
            if (bare := opened(part.signature) if isinstance(part, ThinkingPart) else "") is not None
        )
        calls = tuple(replace(call, signature=opened(call.signature)) for call in message.tool_calls)
        return replace(message, content=kept, tool_calls=calls)

    return replace(request, messages=tuple(fit(message) for message in request.messages))
