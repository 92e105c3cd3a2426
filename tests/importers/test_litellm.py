"""LiteLLM's configuration beyond the blocks of the guides: routers, fallbacks, limits, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from rooroute.importers.forms import imported
from rooroute.importers.gathered import Imported
from rooroute.importers.litellm_export import snippet
from rooroute.profiles import CircuitBreaker, Configuration, Limits, Pool, Price, Profile, Rule, Strategy, When
from rooroute.providers.table import resolve_model

NOBODY = Configuration()


def entry(alias: str, model: str, /, **params: Any) -> dict[str, Any]:
    return {"model_name": alias, "litellm_params": {"model": model, **params}}


def read(*entries: dict[str, Any], **sections: Any) -> Imported:
    return imported({"model_list": list(entries), **sections}, NOBODY)


def test_an_entry_serves_its_own_name_and_nothing_else() -> None:
    (one,) = read(entry("smart", "anthropic/claude-sonnet-4-5")).profiles
    assert resolve_model(one.profile, "smart") == "claude-sonnet-4-5"
    assert resolve_model(one.profile, "gpt-4o") is None


def test_entries_of_one_name_share_its_requests_as_litellm_shuffles_them() -> None:
    found = read(
        entry("gpt-4o", "openai/gpt-4o", weight=3),
        entry("gpt-4o", "azure/mine", api_base="https://a.openai.azure.com", api_version="2024-10-21"),
    )
    assert [each.profile.id for each in found.profiles] == ["gpt-4o", "gpt-4o 2"]
    assert found.pools[0].strategy is Strategy.WEIGHTED
    assert found.pools[0].weights == {"gpt-4o": 3}


@pytest.mark.parametrize(
    ("model", "provider", "base_url"),
    [
        ("groq/llama-3.3-70b-versatile", "openai-compatible", "https://api.groq.com/openai/v1"),
        ("ollama_chat/llama3.2", "openai-compatible", "http://localhost:11434/v1"),
        ("openrouter/anthropic/claude-sonnet-4", "openrouter", None),
        ("claude-sonnet-4-5", "anthropic", None),
        ("gemini/gemini-2.5-pro", "gemini", None),
    ],
)
def test_the_prefix_of_a_model_names_its_provider(model: str, provider: str, base_url: str | None) -> None:
    (one,) = read(entry("m", model)).profiles
    assert (one.profile.provider, one.profile.base_url) == (provider, base_url)


def test_a_model_without_a_known_provider_is_left_out() -> None:
    found = read(entry("m", "sagemaker/jumpstart"))
    assert found.profiles == ()
    assert "names no provider" in found.left_out[0].reason


def test_limits_prices_and_windows_are_taken() -> None:
    told = {
        **entry("m", "openai/m", rpm=10, tpm=2000, max_parallel_requests=3),
        "model_info": {
            "max_input_tokens": 128000,
            "input_cost_per_token": 0.000003,
            "output_cost_per_token": 0.000015,
            "supports_vision": True,
        },
    }
    (one,) = read(told).profiles
    assert one.profile.limits == Limits(requests_per_minute=10, tokens_per_minute=2000, concurrent_requests=3)
    assert one.profile.price == Price(input=3.0, output=15.0)
    assert (one.profile.context_window, one.profile.supports_images) == (128000, True)


def test_the_routers_settings_go_to_the_pool() -> None:
    settings = {
        "routing_strategy": "latency-based-routing",
        "num_retries": 2,
        "cooldown_time": 30,
        "allowed_fails": 3,
        "redis_host": "x",
    }
    found = read(entry("m", "openai/m"), router_settings=settings, general_settings={"master_key": "sk-secret"})
    (pool,) = found.pools
    assert (pool.strategy, pool.cooldown, pool.failover.max_retries) == (Strategy.LATENCY, 30, 2)
    assert pool.circuit_breaker == CircuitBreaker(failure_threshold=4)
    assert {each.key for each in found.left_out} == {"router_settings.redis_host", "general_settings"}
    assert "sk-secret" not in repr(found)


def test_fallbacks_become_a_rule_and_the_others_answer_under_their_own_names() -> None:
    found = read(
        entry("a", "openai/gpt-4o"),
        entry("b", "anthropic/claude"),
        litellm_settings={"fallbacks": [{"a": ["b"]}, {"a": ["c"]}]},
    )
    wanted = Rule(
        name="fallbacks of a", when=When(model=("a",)), profiles=("a", "b"), strategy=Strategy.PRIORITY, only=True
    )
    assert found.pools[0].rules == (wanted,)
    assert resolve_model(found.profiles[1].profile, "a") == "claude"
    assert [(each.key, each.reason) for each in found.left_out] == [
        ("litellm_settings.fallbacks.#2.a", "Nothing defines c.")
    ]


def test_a_literal_key_goes_beside_the_profile_and_is_never_shown() -> None:
    found = read(entry("m", "openai/m", api_key="sk-very-secret"))
    assert found.profiles[0].secrets == {"apiKey": "sk-very-secret"}
    assert found.profiles[0].profile.api_key is None
    assert "sk-very-secret" not in repr(found)


def test_what_was_read_can_be_handed_out_and_read_again() -> None:
    first = read(
        entry("smart", "anthropic/claude", api_key="os.environ/KEY", rpm=5, order=1),
        entry("plain", "openai/gpt-4o", api_key="os.environ/OTHER", order=2),
    )
    profiles = {each.profile.id: each.profile for each in first.profiles}
    pools = {each.id: each for each in first.pools}
    made = snippet(Configuration(profiles=profiles, pools=pools))
    assert made.variables == ()
    again = imported(made.data, NOBODY)
    served = {
        each.profile.id: (each.profile.provider, resolve_model(each.profile, each.profile.id))
        for each in again.profiles
    }
    assert served["smart"] == ("anthropic", "claude")
    assert served["plain"] == ("openai", "gpt-4o")


def test_a_key_in_the_keyring_is_handed_out_as_the_name_of_a_variable() -> None:
    saved = Profile(id="My Gemini!", provider="gemini", model="gemini-2.5-pro", key_saved_at="2026-01-01T00:00:00.000Z")
    off = Profile(id="off", provider="openai", model="m", enabled=False)
    made = snippet(
        Configuration(profiles={saved.id: saved, "off": off}, pools={"p": Pool(id="p", profiles=(saved.id,))})
    )
    assert made.variables == ("MY_GEMINI_API_KEY",)
    assert made.data["model_list"][0]["litellm_params"] == {
        "model": "gemini/gemini-2.5-pro",
        "api_key": "os.environ/MY_GEMINI_API_KEY",
        "order": 1,
    }
    assert made.left_out == ("off is left out: it is switched off.",)
