"""A value out of a target's range is brought into it, or refused with its name."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.chat import ChatRequest
from rooroute.errors import InvalidInput
from rooroute.profiles import Profile
from rooroute.providers.table import PROVIDERS, check
from tests.providers import conformance as c

SUBJECTS = c.subjects()

CASES: dict[str, tuple[str, str, dict[str, Any], str, Any, str]] = {
    "a-hot-head-at-anthropic": ("anthropic", "claude-3-5-sonnet", {"temperature": 1.5}, "temperature", 1.0, "temperature"),
    "a-hot-head-at-mistral": ("mistral", "m", {"temperature": 1.9}, "temperature", 1.5, "temperature"),
    "a-hot-head-at-cohere": ("cohere", "m", {"temperature": 1.1}, "temperature", 1.0, "temperature"),
    "below-zero": ("openai-compatible", "m", {"temperature": -1}, "temperature", 0, "temperature"),
    "no-nucleus-at-cohere": ("cohere", "m", {"top_p": 1.0}, "top_p", 0.99, "topP"),
    "a-thinker-s-temperature": ("openai", "o3-mini", {"temperature": 0.2}, "temperature", 1.0, "temperature"),
    "gpt-5-s-temperature": ("azure-openai", "gpt-5.2", {"temperature": 0}, "temperature", 1, "temperature"),
    "five-stops-at-openai": ("openai", "gpt-4o", {"stop": ("a", "b", "c", "d", "e")}, "stop", ["a", "b", "c", "d"], "stop"),
    "a-hot-head-by-responses": ("openai speaking openai-responses", "gpt-4o", {"temperature": 3.0}, "temperature", 2.0, "temperature"),
}  # fmt: skip


def build(subject: str, model: str, wish: dict[str, Any], **options: Any) -> Any:
    vendor = SUBJECTS[subject]
    target = c.target(vendor, options=options)
    request = ChatRequest(c.said("hi").messages, **wish)
    return c.body_of(
        vendor.dialect.build(type(target)(target.profile, model, target.base_url, target.secrets), request)
    )


@pytest.mark.parametrize(("subject", "model", "wish", "name", "sent", "field"), CASES.values(), ids=CASES)
def test_a_value_is_brought_into_its_range_or_refused(
    subject: str, model: str, wish: dict[str, Any], name: str, sent: Any, field: str
) -> None:
    assert build(subject, model, wish)[name] == sent
    assert build(subject, model, wish, outOfRange="clamp")[name] == sent
    with pytest.raises(InvalidInput, match=r"one takes .*outOfRange to clamp") as refused:
        build(subject, model, wish, outOfRange="refuse")
    assert refused.value.field == field


def test_what_is_in_its_range_is_sent_as_it_is() -> None:
    for model in ("gpt-4o", "gpt-5-chat-latest"):
        assert build("openai", model, {"temperature": 0.2}, outOfRange="refuse")["temperature"] == 0.2
    assert "temperature" not in build("openai", "o3", {}, outOfRange="refuse")


def test_gemini_s_seed_has_thirty_two_bits() -> None:
    assert build("gemini", "gemini-2.5-pro", {"seed": 2**40})["generationConfig"]["seed"] == 2**31 - 1


def test_a_word_that_is_neither_is_named() -> None:
    profile = Profile(id="one", provider="openai", options={"outOfRange": "maybe"})
    assert [problem.field for problem in check(profile)] == ["options.outOfRange"]


@pytest.mark.parametrize("vendor", PROVIDERS.values(), ids=PROVIDERS)
def test_every_vendor_says_what_it_takes(vendor: Any) -> None:
    assert {"temperature", "top_p"} <= {each.field for each in vendor.dialect.ranges}
