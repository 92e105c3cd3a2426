"""A signature goes back to its maker and to nobody else, whoever carried the history meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, ThinkingPart, ToolCall
from rooroute.portable_history import SignatureMemory, for_dialect, sealed, unsealed
from rooroute.scripted_provider import Answer, Fail, Raw, Step
from tests.house import House, house

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


def test_what_a_profile_refused_is_left_out_for_it_and_for_nobody_else() -> None:
    memory = SignatureMemory()
    assert memory.distrust("B", ask(SIGNED), "anthropic")
    newer = replace(SIGNED, content=(ThinkingPart("new", "anthropic:new"),))
    seen = for_dialect(ask(SIGNED, newer), "anthropic", memory, "B").messages
    assert seen[1].content == (TextPart("I look it up."),)
    assert seen[2].content == (ThinkingPart("new", "new"),), "what came after the refusal is its own"
    assert for_dialect(ask(SIGNED), "anthropic", memory, "A").messages[1].content == (
        ThinkingPart("hm", "abc"),
        TextPart("I look it up."),
    )


def test_a_refused_seal_of_a_call_goes_and_the_call_stays() -> None:
    memory = SignatureMemory()
    assert memory.distrust("B", ask(SIGNED), "gemini")
    (call,) = for_dialect(ask(SIGNED), "gemini", memory, "B").messages[1].tool_calls
    assert (call.id, call.signature) == ("call-1", None)


def test_nothing_is_left_to_distrust_when_everything_was_refused_or_nothing_was_signed() -> None:
    memory = SignatureMemory()
    assert memory.distrust("B", ask(SIGNED), "anthropic")
    assert not memory.distrust("B", ask(SIGNED), "anthropic")
    assert not memory.distrust("B", ask(Message("assistant", "Fine.")), "anthropic")


def test_refusals_are_forgotten_oldest_first() -> None:
    memory = SignatureMemory()
    for number in range(4097):
        signed = Message("assistant", (ThinkingPart("t", f"anthropic:{number}"),))
        memory.distrust("B", ask(signed), "anthropic")
    assert not memory.distrusted("B", "0")
    assert memory.distrusted("B", "1")


REFUSAL = b"""{"type":"error","error":{"type":"invalid_request_error",
"message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}"""
BROKEN_SEAL = Raw(
    (REFUSAL,),
    status=400,
    content_type="application/json",
)


def thinking_sent(h: House, key: str) -> list[int]:
    """How many blocks of thinking each request with that key held."""
    bodies = [seen.json()["messages"] for seen in h.provider.seen(key)]
    blocks = [
        [block for turn in turns if isinstance(turn["content"], list) for block in turn["content"]] for turns in bodies
    ]
    return [sum(block["type"] == "thinking" for block in each) for each in blocks]


async def test_a_conversation_goes_on_where_another_server_s_seal_is_refused(tmp_path: Path) -> None:
    scripts: dict[str, list[Step]] = {
        "A": [Fail("rate-limit", retry_delay=60)],
        "B": [BROKEN_SEAL, Answer("I go on."), Answer("Still.")],
    }
    history = ChatRequest(
        (
            Message("user", "Hello?"),
            Message("assistant", (ThinkingPart("hm", "anthropic:of-A"), TextPart("Yes?"))),
            Message("user", "Go on."),
        )
    )
    async with house(tmp_path, scripts, dialect="anthropic") as h:
        answer = await h.ask(request=history)
        assert (answer["profileId"], answer["message"].content) == ("B", "I go on.")
        assert thinking_sent(h, "B") == [1, 0]
        assert h.shown("B").marks == (), "nobody is blamed"
        await h.ask(request=history)
        assert thinking_sent(h, "B") == [1, 0, 0], "the next request does not fail first"


async def test_a_server_that_refuses_seals_that_are_not_there_is_asked_no_third_time(tmp_path: Path) -> None:
    async with house(tmp_path, {"A": [BROKEN_SEAL], "B": [Answer("B.")]}, dialect="anthropic") as h:
        assert (await h.ask())["profileId"] == "B"
        assert h.asked_with() == ["A", "B"]
