"""An error event inside an answer with status 200, as a server of others sends it: https://pypi.org/project/mock-ai-api."""

from __future__ import annotations

from typing import Final

import pytest

from rooroute.outcome import Fault
from tests.e2e.conftest import Open
from tests.e2e.talk import HELLO, words
from tests.foreign import wire
from tests.foreign.test_aimock import said
from tests.providers.conformance import assembled

pytestmark = pytest.mark.requires("mock-ai-api")
MODEL: Final = "claude-sonnet-4-20250514:mock-"


async def test_an_error_event_under_status_200_is_an_error(mock_ai_api: str) -> None:
    events = await wire.exchange(wire.profile("anthropic", mock_ai_api, f"{MODEL}stream-error"), said("Hello?"))
    failure = wire.failure_in(events)
    assert (failure.fault, failure.code) == (Fault.TRANSIENT, "api_error")


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [("401", Fault.CREDENTIAL), ("429", Fault.RATE_LIMIT), ("500", Fault.TRANSIENT), ("503", Fault.TRANSIENT)],
)
async def test_its_plain_errors_are_known(scenario: str, fault: Fault, mock_ai_api: str) -> None:
    events = await wire.exchange(wire.profile("anthropic", mock_ai_api, MODEL + scenario), said("Hello?"))
    assert wire.failure_in(events).fault is fault


@pytest.mark.parametrize("scenario", ["text", "anthropic-stream", "tool-use", "tool-stream"])
async def test_its_answers_are_read(scenario: str, mock_ai_api: str) -> None:
    answer = assembled(await wire.exchange(wire.profile("anthropic", mock_ai_api, MODEL + scenario), said("Hello?")))
    assert bool(answer.calls) == scenario.startswith("tool")
    assert answer.end in ("stop", "toolCalls")


async def test_the_next_profile_answers_before_the_editor_notices(window: Open, mock_ai_api: str) -> None:
    client = await window()
    for name, scenario in {"broken": "stream-error", "good": "text"}.items():
        described = wire.saved(wire.profile("anthropic", mock_ai_api, MODEL + scenario), id=name)
        await client.request("rooroute/profiles/save", {"profile": described, "apiKey": "key-A"})
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": ["broken", "good"]}})
    answer = await client.request("rooroute/complete", {"messages": HELLO, "partialResultToken": "t"})
    assert answer["profileId"] == "good"
    verdicts = {each["profileId"]: (each["verdict"], each["httpStatus"]) for each in answer["attempts"]}
    assert verdicts == {"broken": ("transient", 200), "good": ("ok", 200)}
    seen = client.progress_so_far("t")
    assert words(seen) == "Hello. It's nice to meet you."
    assert "reset" not in [each["kind"] for each in seen]
