from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from rooroute.errors import InvalidInput
from rooroute.rpc import messages as m
from rooroute.rpc.validation import validated

TURNS = [{"role": "user", "content": "hello"}]
CANARY = "sk-canary-never-to-be-seen"


@pytest.mark.parametrize(
    ("model", "params", "sentence", "field"),
    [
        (m.Complete, {}, "messages is missing; add it.", "messages"),
        (m.Complete, {"messages": []}, "messages must not be empty.", "messages"),
        (m.Complete, {"messages": CANARY}, "messages must be a list.", "messages"),
        (m.Complete, [], "The params must be an object.", None),
        (m.Complete, {"messages": TURNS, "maxTokens": "5"}, "maxTokens must be a whole number.", "maxTokens"),
        (m.Complete, {"messages": TURNS, "maxTokens": True}, "maxTokens must be a whole number.", "maxTokens"),
        (m.Complete, {"messages": TURNS, "maxTokens": 0}, "maxTokens must be greater than 0.", "maxTokens"),
        (m.Complete, {"messages": TURNS, "topP": 5}, "topP must be at most 1.", "topP"),
        (m.Complete, {"messages": TURNS, "fallback": 1}, "fallback must be true or false.", "fallback"),
        (
            m.Complete,
            {"messages": TURNS, "max_tokens": 5},
            "There is no field max_tokens; write maxTokens or remove it.",
            "max_tokens",
        ),
        (m.Complete, {"messages": TURNS, "zzz": CANARY}, "There is no field zzz; remove it.", "zzz"),
        (
            m.Complete,
            {"messages": [{"role": CANARY, "content": ""}]},
            "messages.0.role must be 'system', 'user', 'assistant' or 'tool'.",
            "messages.0.role",
        ),
        (
            m.Complete,
            {"messages": [{"role": "user", "content": [{"type": "image", "data": CANARY}]}]},
            "messages.0.content.0.mimeType is missing; add it.",
            "messages.0.content.0.mimeType",
        ),
        (
            m.Complete,
            {"messages": [{"role": "user", "content": [{"type": CANARY}]}]},
            "messages.0.content.0 must have one of the types 'text', 'image', 'thinking'.",
            "messages.0.content.0",
        ),
        (m.Complete, {"messages": TURNS, "toolChoice": {}}, "toolChoice.name is missing; add it.", "toolChoice.name"),
        (
            m.Complete,
            {"messages": TURNS, "toolChoice": CANARY},
            "toolChoice must be 'auto', 'none' or 'required'.",
            "toolChoice",
        ),
        (
            m.SaveProfile,
            {"profile": {"id": "x", "provider": "openai", "baseURL": CANARY}},
            "There is no field profile.baseURL; remove it.",
            "profile.baseURL",
        ),
        (m.SaveProfile, {"profile": {"id": "x"}}, "profile.provider is missing; add it.", "profile.provider"),
        (
            m.SaveProfile,
            {"profile": {"id": "x", "provider": "openai", "timeouts": {"idle": CANARY}}},
            "profile.timeouts.idle must be a number.",
            "profile.timeouts.idle",
        ),
        (
            m.Complete,
            {"messages": TURNS, "onInterrupt": CANARY},
            "onInterrupt must be 'stop', 'restart' or 'continue'.",
            "onInterrupt",
        ),
        (m.Rotate, {"rest": -1}, "rest must be greater than 0.", "rest"),
    ],
)
def test_a_wrong_field_is_named_with_its_remedy(
    model: type[BaseModel], params: Any, sentence: str, field: str | None
) -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(model, params)
    assert caught.value.message == sentence
    assert caught.value.field == field
    assert CANARY not in repr(caught.value) + repr(caught.value.data) + repr(caught.value.__cause__)


def test_a_key_in_the_wrong_place_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(m.Rotate, {"k" * 500: 1})
    assert len(caught.value.message) < 120


def test_free_objects_are_left_alone() -> None:
    free = {"$schema": "x", "class": {"jsonrpc": 1, "a b": [None]}}
    params = {
        "messages": TURNS,
        "metadata": free,
        "providerOptions": free,
        "tools": [{"name": "t", "parameters": free}],
    }
    found = validated(m.Complete, params)
    assert (found.metadata, found.provider_options, found.tools[0].parameters) == (free, free, free)
