"""A signature goes back to its maker and to nobody else, whoever carried the history meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, ThinkingPart, ToolCall
from rooroute.portable_history import SignatureMemory, for_dialect, sealed, unsealed

SIGNED = Message(
    "assistant",
    (ThinkingPart("hm", "anthropic:abc"), TextPart("I look it up.")),
    (ToolCall("call-1", "look", "{}", "gemini:xyz"),),
)


def ask(*messages: Message) -> ChatRequest:
    return ChatRequest((Message("user", "hello"), *messages))


def test_a_sealed_signature_opens_for_its_maker_only() -> None:
    outside = sealed("abc", "anthropic")
    assert outside is not None
    assert unsealed(outside, "anthropic") == "abc"
    assert unsealed(outside, "gemini") is None
    assert sealed(None, "anthropic") is None


@pytest.mark.parametrize(
    ("maker", "thinking", "call_signature"),
    [
        pytest.param("anthropic", ("abc",), None, id="anthropic-sees-its-thinking-and-not-geminis-signature"),
        pytest.param("gemini", (), "xyz", id="gemini-sees-its-signature-and-not-anthropics-thinking"),
        pytest.param("openai", (), None, id="openai-sees-neither"),
    ],
)
def test_each_dialect_sees_what_it_made(maker: str, thinking: tuple[str, ...], call_signature: str | None) -> None:
    seen = for_dialect(ask(SIGNED), maker, SignatureMemory()).messages[1]
    assert tuple(p.signature for p in seen.content if isinstance(p, ThinkingPart)) == thinking
    assert seen.tool_calls[0].signature == call_signature
    assert TextPart("I look it up.") in seen.content


def test_what_a_client_dropped_is_put_back_by_the_calls_id() -> None:
    memory = SignatureMemory()
    memory.remember(SIGNED)
    dropped = Message("assistant", "I look it up.", (replace(SIGNED.tool_calls[0], signature=None),))
    seen = for_dialect(ask(dropped), "anthropic", memory).messages[1]
    assert seen.content == (ThinkingPart("hm", "abc"), TextPart("I look it up."))
    assert for_dialect(ask(dropped), "gemini", memory).messages[1].tool_calls[0].signature == "xyz"


def test_thinking_that_the_client_carried_is_not_put_back_twice() -> None:
    memory = SignatureMemory()
    memory.remember(SIGNED)
    seen = for_dialect(ask(SIGNED), "anthropic", memory).messages[1]
    assert sum(isinstance(part, ThinkingPart) for part in seen.content) == 1


def test_memory_forgets_the_oldest_first_and_stays_bounded() -> None:
    memory = SignatureMemory()
    for n in range(4097):
        memory.remember(
            Message("assistant", (ThinkingPart("t", "openai:s"),), (ToolCall(f"c{n}", "f", "{}", "openai:x"),))
        )
    first, last = (Message("assistant", "", (ToolCall(c, "f", "{}"),)) for c in ("c0", "c4096"))
    assert memory.restore(first).tool_calls[0].signature is None
    assert memory.restore(last).tool_calls[0].signature == "openai:x"


def test_users_images_and_plain_answers_pass_untouched() -> None:
    picture = Message("user", (ImagePart("image/png", "AAAA"),))
    plain = Message("assistant", "Fine.")
    assert for_dialect(ask(picture, plain), "gemini", SignatureMemory()).messages[1:] == (picture, plain)
