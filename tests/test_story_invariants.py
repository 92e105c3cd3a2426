"""What must hold whatever the providers do: one attempt's words, no second attempt after a tool call, budgets, honest sums, no key."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rooroute.errors import RoorouteError
from rooroute.profiles import OnInterrupt
from rooroute.rpc.envelope import encode
from rooroute.scripted_provider import Answer, Call, Cut, Fail, Html, InStreamError, Step
from tests.house import Heard, House, house

NAMES = ("canary-A-5e1f", "canary-B-77c0", "canary-C-d1d9")  # each is its profile's key too


def steps(name: str) -> st.SearchStrategy[Step]:
    """What one profile may do; whatever it says, it says with its own name."""
    words = Answer(" ".join(f"{name[7]}{n}" for n in range(6)))
    calls = Answer("", tool_calls=(Call("rm", '{"path":"x"}'),), finish="toolCalls")
    kinds = (
        "rate-limit",
        "overloaded",
        "server-error",
        "invalid-key",
        "permission",
        "billing",
        "bad-request",
        "not-found",
    )
    return st.one_of(
        st.just(words),
        st.just(Answer("")),
        st.just(calls),
        st.sampled_from(kinds).map(lambda kind: Fail(kind, retry_delay=30, message=f"no, {name} may not")),
        st.builds(Cut, st.integers(0, 5), st.sampled_from(["fin", "rst", "quiet"]), st.sampled_from([words, calls])),
        st.builds(InStreamError, st.integers(0, 5), answer=st.sampled_from([words, calls])),
        st.just(Html()),
    )


SCRIPTS = st.fixed_dictionaries({name: st.lists(steps(name), min_size=1, max_size=3) for name in NAMES})
WISHES = st.lists(st.sampled_from(list(OnInterrupt)), min_size=1, max_size=3)


async def one_request(h: House, wish: OnInterrupt) -> None:
    heard, before = Heard(), len(h.provider.requests)
    told: dict[str, Any] = {}
    try:
        answer = await h.ask(heard, on_interrupt=wish, session=str(h.asked))
        told, attempts, text = answer, answer["attempts"], answer["message"].content
        assert heard.words == text
        assert answer["usage"].output_tokens == sum(each.get("usage", {}).get("outputTokens", 0) for each in attempts)
    except RoorouteError as wrong:
        told = {"message": wrong.message, **wrong.data}
        attempts = wrong.data["attempts"]
        if "message" in wrong.data:
            assert heard.words == wrong.data["message"].content
            assert not wrong.data["message"].tool_calls
    asked = len(h.provider.requests) - before
    assert asked == len(attempts) <= len(NAMES) + 1
    if wish is not OnInterrupt.CONTINUE:
        assert len({word[0] for word in heard.words.split()}) <= 1, "words of two attempts were mixed"
    if "toolCall" in heard.kinds:
        assert "attempt" not in heard.kinds[heard.kinds.index("toolCall") :], (
            "a tool call went out; it may have been run"
        )
    shown = encode(told).decode()
    assert not [name for name in NAMES if f"no, {name}" in shown], "a provider quoted the key"


async def scenes(scripts: dict[str, list[Step]], wishes: list[OnInterrupt]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with house(Path(folder), scripts) as h:
            for wish in wishes:
                await one_request(h, wish)
            ledger = await h.state.attempts()
            assert len(ledger) == len(h.provider.requests)
            kept = json.dumps([each.detail for each in ledger])
            assert not [name for name in NAMES if f"no, {name}" in kept]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SCRIPTS, WISHES)
def test_whatever_the_providers_do(scripts: dict[str, list[Step]], wishes: list[OnInterrupt]) -> None:
    asyncio.run(scenes(scripts, wishes))
