"""A LiteLLM proxy's configuration holds what the profiles serve, and no key."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.importers.litellm_export import PREFIXES, snippet
from rooroute.profiles import Configuration, Price, Profile
from rooroute.providers.table import PROVIDERS


def entries(*profiles: Profile) -> list[Any]:
    made = snippet(Configuration(profiles={each.id: each for each in profiles})).data["model_list"]
    params = [{name: each for name, each in entry["litellm_params"].items() if name != "order"} for entry in made]
    return sorted(zip((entry["model_name"] for entry in made), params, strict=True), key=lambda each: each[0])


CASES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "a-key-in-the-environment": (
        {"provider": "anthropic", "model": "claude-sonnet-4-5", "api_key": "${WORK_KEY}"},
        [("claude-sonnet-4-5", {"model": "anthropic/claude-sonnet-4-5", "api_key": "os.environ/WORK_KEY"})],
    ),
    "a-key-in-the-keyring": (
        {"provider": "openai", "models": ("gpt-5", "gpt-5-mini"), "model_map": {"fast": "gpt-5-mini"}, "price": Price(input=3.0, output=15.0)},
        [
            ("fast", {"model": "openai/gpt-5-mini", "api_key": "os.environ/MY_ONE_API_KEY", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05}),
            ("gpt-5", {"model": "openai/gpt-5", "api_key": "os.environ/MY_ONE_API_KEY", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05}),
            ("gpt-5-mini", {"model": "openai/gpt-5-mini", "api_key": "os.environ/MY_ONE_API_KEY", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05}),
        ],
    ),
    "azure-s-deployments": (
        {"provider": "azure-openai", "base_url": "https://r.openai.azure.com", "options": {"apiVersion": "2024-10-21", "deployments": {"gpt-4o": "mine"}}},
        [("gpt-4o", {"model": "azure/mine", "api_base": "https://r.openai.azure.com", "api_key": "os.environ/MY_ONE_API_KEY", "api_version": "2024-10-21"})],
    ),
    "vertex-without-a-key": (
        {"provider": "vertex", "model": "gemini-2.5-pro", "options": {"project": "p", "location": "eu", "credentialsFile": "/sa.json"}},
        [("gemini-2.5-pro", {"model": "vertex_ai/gemini-2.5-pro", "vertex_project": "p", "vertex_location": "eu", "vertex_credentials": "/sa.json"})],
    ),
    "openai-s-project-is-not-vertex-s": (
        {"provider": "openai", "model": "m", "options": {"project": "proj_1", "organization": "org-1"}},
        [("m", {"model": "openai/m", "api_key": "os.environ/MY_ONE_API_KEY", "organization": "org-1"})],
    ),
    "a-local-server-without-a-key": (
        {"provider": "openai-compatible", "base_url": "http://localhost:8000/v1", "model": "m"},
        [("m", {"model": "openai/m", "api_base": "http://localhost:8000/v1", "api_key": "none"})],
    ),
    "another-proxy": (
        {"provider": "litellm", "model": "m"},
        [("m", {"model": "litellm_proxy/m", "api_base": "http://localhost:4000", "api_key": "dummy-key"})],
    ),
    "a-unified-endpoint": (
        {"provider": "xroute", "model": "m"},
        [("m", {"model": "openai/m", "api_base": "https://api.xroute.ai/openai/v1", "api_key": "os.environ/MY_ONE_API_KEY"})],
    ),
    "an-odd-name": (
        {"provider": "mistral", "model": "a: b # \"c\" 'd' ü"},
        [("a: b # \"c\" 'd' ü", {"model": "mistral/a: b # \"c\" 'd' ü", "api_key": "os.environ/MY_ONE_API_KEY"})],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("profile", "expected"), CASES.values(), ids=CASES)
def test_a_profile_becomes_entries(profile: dict[str, Any], expected: list[Any]) -> None:
    assert entries(Profile(id="My one", **profile)) == expected


def test_nobody_and_a_stranger_make_an_empty_list() -> None:
    assert entries() == entries(Profile(id="x", provider="nobody")) == []


def test_every_vendor_has_its_name_there() -> None:
    assert set(PREFIXES) == set(PROVIDERS)
