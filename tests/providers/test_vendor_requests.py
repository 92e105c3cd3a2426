"""What each vendor's requests say differently from the dialect it speaks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from rooroute.chat import ChatRequest, ImagePart, Message, TextPart, ThinkingPart, ToolCall, ToolChoiceName, UsageSeen
from rooroute.errors import InvalidInput
from rooroute.portable_history import SignatureMemory, for_dialect
from rooroute.profiles import Profile
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.mistral import tool_id
from rooroute.providers.table import (
    PROVIDERS,
    addressed,
    base_url_of,
    check,
    dialect_for,
    models_request,
    resolve_model,
    target_for,
)
from rooroute.secret import Secret, origin_of
from tests.providers import conformance as c
from tests.providers.decoding import as_delivered

AZURE = PROVIDERS["azure-openai"]
RESOURCE = "https://res.openai.azure.com"


def asked(provider: str, model: str, request: ChatRequest | None = None, **profile: Any) -> tuple[str, dict[str, Any]]:
    """URL and body of a request."""
    made = Profile(id="one", provider=provider, **profile)
    base = base_url_of(made) or ""
    target = target_for(made, model, {USUAL_SLOT: Secret(c.CANARY, origin_of(base))})
    built = dialect_for(made, model).build(target, request or c.said("hi"))
    return built.url, c.body_of(built)


# Azure OpenAI


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        pytest.param(RESOURCE, f"{RESOURCE}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", id="a-resource"),
        pytest.param(f"{RESOURCE}/openai/", f"{RESOURCE}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", id="with-its-path"),
        pytest.param(f"{RESOURCE}/openai/v1", f"{RESOURCE}/openai/v1/chat/completions", id="the-newer-address"),
    ],
)  # fmt: skip
def test_azure_asks_the_deployment(base_url: str, url: str) -> None:
    options = {"apiVersion": "2024-10-21", "deployments": {"gpt-4o": "my-gpt"}}
    got, body = asked("azure-openai", "gpt-4o", base_url=base_url, options=options)
    assert got == url
    assert body["model"] == "my-gpt"


def test_azure_takes_a_model_s_name_for_its_deployment_s() -> None:
    url, _ = asked("azure-openai", "gpt-4o/../x", base_url=RESOURCE, options={"apiVersion": "2024-10-21"})
    assert url == f"{RESOURCE}/openai/deployments/gpt-4o%2F..%2Fx/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        pytest.param({"base_url": RESOURCE}, "options.apiVersion", id="no-version"),
        pytest.param(
            {"base_url": RESOURCE, "options": {"apiVersion": "v1"}}, "options.apiVersion", id="an-odd-version"
        ),
        pytest.param(
            {"base_url": RESOURCE, "options": {"apiVersion": "2024-10-21", "deployments": {"a": ""}}},
            "options.deployments",
            id="a-deployment-without-a-name",
        ),
        pytest.param(
            {"base_url": RESOURCE, "model": "b", "options": {"apiVersion": "2024-10-21", "deployments": {"a": "my-a"}}},
            "options.deployments",
            id="a-model-without-a-deployment",
        ),
    ],
)
def test_an_azure_profile_that_cannot_work_is_refused(profile: dict[str, Any], field: str) -> None:
    made = Profile(id="one", provider="azure-openai", **profile)
    assert [problem.field for problem in check(made)] == [field]
    assert check(made)[0].remedy
    with pytest.raises(InvalidInput) as refused:
        target_for(made, "a", {"apiKey": Secret("k", origin_of(RESOURCE))})
    assert refused.value.field == f"profile.{field}"


def test_the_newer_azure_address_needs_no_version() -> None:
    assert not check(Profile(id="one", provider="azure-openai", base_url=f"{RESOURCE}/openai/v1/"))


@pytest.mark.parametrize("path", ["", "/openai", "/openai/v1"])
def test_azure_lists_its_models(path: str) -> None:
    request = models_request(c.target(AZURE, base_url=RESOURCE + path))
    assert request
    assert request.url.split("?")[0] == f"{RESOURCE}/openai{'/v1' if path.endswith('v1') else ''}/models"


# Vertex AI


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_vertex_asks_the_location(location: str | None, host: str) -> None:
    options = {"project": "my-project"} | ({"location": location} if location else {})
    url, body = asked("vertex", "gemini-2.5-pro", options=options)
    place = f"https://{host}/v1/projects/my-project/locations/{location or 'global'}/publishers"
    assert url == f"{place}/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    assert body == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    url, body = asked("vertex", "anthropic/claude-sonnet-4-5@20250929", options=options)
    assert url == f"{place}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
    assert (body["anthropic_version"], body["stream"], "model" in body) == ("vertex-2023-10-16", True, False)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param({}, "options.project", id="no-project"),
        pytest.param({"project": "My Project"}, "options.project", id="a-project-s-name"),
        pytest.param(
            {"project": "p", "location": "evil.example/"}, "options.location", id="a-location-that-leads-elsewhere"
        ),
    ],
)
def test_a_vertex_profile_that_cannot_work_is_refused(options: dict[str, str], field: str) -> None:
    made = Profile(id="one", provider="vertex", options=options)
    assert [problem.field for problem in check(made)] == [field]
    assert (base_url_of(made) or "").endswith("aiplatform.googleapis.com/v1")
    with pytest.raises(InvalidInput) as refused:
        target_for(made, "gemini-2.5-pro", {})
    assert refused.value.field == f"profile.{field}"


def test_vertex_s_gemini_is_told_no_ids_of_calls() -> None:
    request = ChatRequest(
        (
            Message("user", "Draw."),
            Message("assistant", "", (ToolCall("toolu_1", "draw", "{}"), ToolCall("toolu_2", "paint", "{}"))),
            Message("tool", "done", tool_call_id="toolu_2"),
            Message("tool", "done", tool_call_id="toolu_1"),
        )
    )
    _, body = asked("vertex", "gemini-2.5-pro", request, options={"project": "p"})
    assert body["contents"][1]["parts"] == [
        {"functionCall": {"name": "draw", "args": {}}},
        {"functionCall": {"name": "paint", "args": {}}},
    ]
    assert [part["functionResponse"]["name"] for part in body["contents"][2]["parts"]] == ["paint", "draw"]
    assert "toolu" not in json.dumps(body)
    _, body = asked("gemini", "gemini-2.5-pro", request)
    assert body["contents"][1]["parts"][0]["functionCall"]["id"] == "toolu_1"


def test_vertex_wants_a_google_token() -> None:
    row = PROVIDERS["vertex"]
    assert row.key.token == "google"
    request = c.build(row, c.said("hi"))
    assert request.secret_headers["authorization"][0] == "Bearer "
    listed = models_request(c.target(row))
    assert listed and listed.headers["x-goog-user-project"] == "my-project-123456"


# OpenRouter, Mistral, Cohere, LiteLLM


def test_openrouter_is_told_the_preferences_and_asked_for_the_cost() -> None:
    options = {"provider": {"order": ["anthropic"], "zdr": True}, "appTitle": "mine"}
    request = ChatRequest(
        c.said("hi").messages, reasoning_effort="low", provider_options={"provider": {"sort": "price"}}
    )
    _, body = asked("openrouter", "a/b", request, options=options)
    assert body["provider"] == {"order": ["anthropic"], "zdr": True, "sort": "price"}
    assert body["usage"] == {"include": True}
    assert body["reasoning"] == {"effort": "low"}
    assert "reasoning_effort" not in body
    assert options["provider"] == {"order": ["anthropic"], "zdr": True}, "the profile's own stay as they are"
    assert c.build(PROVIDERS["openrouter"], c.said("hi"), options=options).headers["x-title"] == "mine"


REASONED = (
    b'data: {"choices":[{"delta":{"role":"assistant","reasoning":"Let me","reasoning_details":[{"type":"reasoning.text","text":"Let me","format":"anthropic-claude-v1","index":0}]}}]}\n\n'
    b'data: {"choices":[{"delta":{"reasoning":" think.","reasoning_details":[{"type":"reasoning.text","text":" think.","format":"anthropic-claude-v1","index":0}]}}]}\n\n'
    b'data: {"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"sig-1","format":"anthropic-claude-v1","index":0}]}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"","tool_calls":[{"index":0,"id":"toolu_1","function":{"name":"a","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}\n\n'
    b"data: [DONE]\n\n"
)  # fmt: skip


def test_openrouter_gets_its_reasoning_back_and_another_maker_s_model_does_not() -> None:
    dialect = PROVIDERS["openrouter"].dialect
    answer = as_delivered(dialect, c.decoded(dialect.decoder(c.EVENT_STREAM, c.NOW), [REASONED]))
    assert [part.text for part in answer.content if isinstance(part, ThinkingPart)] == ["Let me think."]
    history = ChatRequest((Message("user", "hi"), answer, Message("tool", "done", tool_call_id="toolu_1")))
    request = for_dialect(history, dialect.name, SignatureMemory())
    _, body = asked("openrouter", "anthropic/claude-sonnet-4.5", request)
    assert body["messages"][1]["reasoning_details"] == [
        {
            "type": "reasoning.text",
            "text": "Let me think.",
            "format": "anthropic-claude-v1",
            "index": 0,
            "signature": "sig-1",
        }
    ]
    _, body = asked("openrouter", "google/gemini-3-pro", request)
    assert "reasoning_details" not in body["messages"][1]


def test_openrouter_s_unsigned_thinking_and_a_broken_seal_are_not_sent() -> None:
    dialect = PROVIDERS["openrouter"].dialect
    unsigned = REASONED.replace(b'"signature":"sig-1",', b"")
    answer = as_delivered(dialect, c.decoded(dialect.decoder(c.EVENT_STREAM, c.NOW), [unsigned]))
    broken = Message("assistant", (ThinkingPart("x", "{oops"), ThinkingPart("y", "5"), TextPart("z")))
    request = for_dialect(ChatRequest((Message("user", "hi"), answer)), dialect.name, SignatureMemory())
    _, body = asked("openrouter", "a/b", replace(request, messages=(*request.messages, broken)))
    assert not [message for message in body["messages"] if "reasoning_details" in message]


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.0125}, 0.0125),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.021),
        ({"cost": 0.001, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.001}}, 0.001),
        ({"cost": -1}, None),
        ({"cost": "²"}, None),
        ({}, None),
    ],
)
def test_openrouter_tells_what_it_charged(usage: dict[str, Any], cost: float | None) -> None:
    told = {"prompt_tokens": 3, "completion_tokens": 1, **usage}
    chunk = {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}], "usage": told}
    body = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    for provider, expected in (("openrouter", cost), ("openai-compatible", None)):
        events = c.decoded(PROVIDERS[provider].dialect.decoder(c.EVENT_STREAM, c.NOW), [body])
        assert [event.usage.cost for event in events if isinstance(event, UsageSeen)] == [pytest.approx(expected)]


def test_mistral_gets_short_ids_a_word_in_between_and_no_fields_it_refuses() -> None:
    request = ChatRequest(
        (
            Message("user", "Draw."),
            Message("assistant", "", (ToolCall("toolu_01A", "draw", "{}"), ToolCall("abcDEF123", "draw", "{}"))),
            Message("tool", (TextPart("done"), ImagePart("image/png", "AAAA")), tool_call_id="toolu_01A"),
            Message("tool", "done", tool_call_id="abcDEF123"),
        ),
        seed=7,
        reasoning_effort="high",
    )
    _, body = asked("mistral", "mistral-large-latest", request)
    assert [message["role"] for message in body["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "user",
    ]
    first, second = body["messages"][1]["tool_calls"]
    assert re.fullmatch("[a-zA-Z0-9]{9}", first["id"])
    assert (body["messages"][2]["tool_call_id"], second["id"]) == (first["id"], "abcDEF123")
    assert body["random_seed"] == 7
    assert not {"seed", "reasoning_effort", "stream_options"} & body.keys()


def test_different_ids_stay_different_at_mistral() -> None:
    assert len({tool_id(f"call_{n}") for n in range(2000)}) == 2000


@pytest.mark.parametrize(
    ("choice", "sent", "tools"),
    [("auto", None, 2), ("none", "none", 2), ("required", "required", 2), (ToolChoiceName("b"), "required", 1)],
)
def test_cohere_chooses_tools_its_own_way(choice: Any, sent: str | None, tools: int) -> None:
    request = ChatRequest(
        c.said("hi").messages,
        tools=(replace(c.TOOL, name="a"), replace(c.TOOL, name="b")),
        tool_choice=choice,
        reasoning_effort="low",
    )
    _, body = asked("cohere", "command-a-03-2025", request)
    assert (body.get("tool_choice"), len(body["tools"])) == (sent, tools)
    assert body["reasoning_effort"] == "none"
    assert "stream_options" not in body


@pytest.mark.parametrize(
    ("base_url", "listed"),
    [
        (None, "http://localhost:4000/v1/model/info"),
        ("http://localhost:4000///", "http://localhost:4000/v1/model/info"),
        ("https://host.test/proxy/", "https://host.test/proxy/v1/model/info"),
        ("https://host.test/proxy/v1", "https://host.test/proxy/v1/model/info"),
    ],
)
def test_litellm_is_found_whatever_its_base(base_url: str | None, listed: str) -> None:
    profile = Profile(id="one", provider="litellm", base_url=base_url)
    request = models_request(target_for(profile, "m", {}))
    assert request
    assert request.url == listed
    prefix, secret = request.secret_headers["authorization"]
    assert (prefix, secret.reveal(origin_of(listed))) == ("Bearer ", "dummy-key")
    assert resolve_model(profile, None) == "claude-3-7-sonnet-20250219"


def test_openai_speaks_responses_where_the_profile_says_so() -> None:
    url, body = asked("openai", "gpt-5", options={"api": "responses", "organization": "org-1"})
    assert url == "https://api.openai.com/v1/responses"
    assert body["store"] is False
    assert asked("openai", "gpt-5", options={"api": "chat"})[0].endswith("/chat/completions")


# Which model


@pytest.mark.parametrize(
    ("requested", "found"),
    [
        ("work/gpt-5", ("work", "gpt-5")),
        ("work/", ("work", None)),
        ("meta-llama/Llama-3.3-70B", (None, "meta-llama/Llama-3.3-70B")),
        ("work", (None, "work")),
        (None, (None, None)),
    ],
)
def test_an_address_names_a_profile_only_where_there_is_one(
    requested: str | None, found: tuple[str | None, str | None]
) -> None:
    assert addressed(requested, {"work"}) == found


@pytest.mark.parametrize(
    ("profile", "requested", "model"),
    [
        pytest.param({}, "one/gpt-5", "gpt-5", id="addressed"),
        pytest.param({"model": "m"}, "one/", "m", id="addressed-without-a-model"),
        pytest.param({"models": ("a",)}, "one/a", "a", id="addressed-and-offered"),
        pytest.param({"models": ("a",)}, "one/b", None, id="addressed-and-not-offered"),
        pytest.param({"model_map": {"fast": "a-mini"}}, "one/fast", "a-mini", id="addressed-and-mapped"),
        pytest.param({"models": ("one/a",)}, "one/a", "one/a", id="a-model-whose-name-begins-so")
    ],
)  # fmt: skip
def test_a_profile_s_own_address(profile: dict[str, Any], requested: str, model: str | None) -> None:
    assert resolve_model(Profile(id="one", provider="openai", **profile), requested) == model


def test_nobody_has_no_address_and_no_list_is_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_url_of(Profile(id="one", provider="nobody")) is None
    row = PROVIDERS["xroute"]
    monkeypatch.setitem(PROVIDERS, "xroute", replace(row, models=None))
    assert models_request(c.target(row)) is None


def test_a_deployments_map_is_all_that_azure_serves() -> None:
    profile = Profile(id="one", provider="azure-openai", options={"deployments": {"gpt-4o": "x", "gpt-5": "y"}})
    assert resolve_model(profile, None) == "gpt-4o"
    assert resolve_model(profile, "gpt-5") == "gpt-5"
    assert resolve_model(profile, "claude") is None
