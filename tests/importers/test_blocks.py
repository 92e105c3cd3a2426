"""Every block of the public documents, word for word: each of its keys acts, in a field named here, or is listed with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rooroute.adapters.config_reading import POOL, PROFILE
from rooroute.adapters.config_text import read
from rooroute.importers import flattened
from rooroute.importers.account import NO_SETTING, dotted, leaves
from rooroute.importers.forms import imported
from rooroute.importers.gathered import Imported
from rooroute.profiles import Configuration, Profile

BLOCKS = Path(__file__).parent / "blocks"
NOBODY = Configuration()
NAMED = {
    "openai": "openai", "anthropic": "anthropic", "local": "openai-compatible", "openai_gpt4": "openai", "anthropic_claude": "anthropic",
    "google_gemini": "gemini", "google_gemini_pro": "gemini", "openai_gpt35": "openai", "mistral_small": "mistral", "openai_gpt4o_new": "openai",
}  # fmt: skip
AZURE = Profile(
    id="azure",
    provider="azure-openai",
    base_url="https://your-resource.openai.azure.com",
    options={"apiVersion": "2024-10-21"},
)
SAVED = Configuration(
    profiles={
        **{
            name: Profile(id=name, provider=kind, base_url="http://localhost:8000/v1" if name == "local" else None)
            for name, kind in NAMED.items()
        },
        "azure": AZURE,
    }
)
"""Profiles of the names that the blocks about routing speak of and do not define."""


@dataclass(frozen=True)
class Block:
    """``acts`` tells by key where in the outcome it is seen, and what stands there. ``left`` are the keys that are listed, with a piece
    of the reason."""

    name: str
    acts: dict[str, tuple[str, Any]]
    left: dict[str, str] = field(default_factory=dict)
    saved: Configuration = NOBODY


def under(prefix: str, rows: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    return {f"{prefix}.{key}": value for key, value in rows.items()}


LOOM, ROUTING, RULE = "ai_gateway.providers", "ai_gateway.routing", "routing_rules.#1"
GPT = ["gpt-4", "gpt-3.5-turbo"]


def member(name: str, place: int, *, of: str = ROUTING) -> dict[str, tuple[str, Any]]:
    return {f"{of}.providers.{name}.name": (f"pool.profiles.{place}", name)}


def priority(name: str, place: int, *, of: str = ROUTING) -> dict[str, tuple[str, Any]]:
    return {**member(name, place, of=of), f"{of}.providers.{name}.priority": (f"pool.profiles.{place}", name)}


def weight(name: str, place: int, value: int, *, of: str = ROUTING) -> dict[str, tuple[str, Any]]:
    return {**member(name, place, of=of), f"{of}.providers.{name}.weight": (f"pool.weights.{name}", value)}


def cost(name: str, given: float, taken: float, *, of: str) -> dict[str, tuple[str, Any]]:
    return {
        f"{of}.{name}.cost.input_per_1k": (f"{name}.price.input", given),
        f"{of}.{name}.cost.output_per_1k": (f"{name}.price.output", taken),
    }


def health(name: str, *, of: str, **more: Any) -> dict[str, tuple[str, Any]]:
    rows = {"enabled": True, "interval": 30, **more}
    return {f"{of}.{name}.health_check.{key}": (f"{name}.healthCheck.{key}", value) for key, value in rows.items()}


def loom(name: str, rows: dict[str, tuple[str, Any]], provider: str | None = None) -> dict[str, tuple[str, Any]]:
    every = {"name": (f"{name}.id", name), **({"type": (f"{name}.provider", provider)} if provider else {}), **rows}
    return under(f"{LOOM}.{name}", every)


def guide(
    name: str, provider: str, place: int, models: list[str], wait: int, retries: int
) -> dict[str, tuple[str, Any]]:
    key = {"openai": "${OPENAI_API_KEY}", "anthropic": "${ANTHROPIC_API_KEY}", "gemini": "${GOOGLE_API_KEY}"}[provider]
    rows = {
        "name": (f"{name}.id", name),
        "type": (f"{name}.provider", provider),
        "api_key": (f"{name}.apiKey", key),
        "base_url": (f"{name}.baseUrl", None),  # the vendor's own: left unsaid
        "models": (f"{name}.models", models),
        "config.timeout_seconds": (f"{name}.timeouts.firstToken", wait),
        "config.max_retries": (f"{name}.maxRetries", retries),
        "config.priority": (f"pool.profiles.{place}", name),
    }
    return under(f"providers.{name}", rows)


def litellm(name: str, rows: dict[str, tuple[str, Any]]) -> dict[str, tuple[str, Any]]:
    inner = {f"litellm_params.{key}": value for key, value in rows.items()}
    return under(f"model_list.{name}", {"model_name": (f"{name}.id", name), **inner})


EVERY = [
    Block(
        "loom-openai.yaml",
        loom(
            "openai",
            {
                "api_key": ("openai.apiKey", "${OPENAI_API_KEY}"),
                "base_url": ("openai.baseUrl", None),
                "organization": ("openai.options.organization", "org-xxx"),
                "models": ("openai.models", ["gpt-4", "gpt-4-turbo", "gpt-3.5-turbo"]),
                "rate_limit.requests_per_minute": ("openai.limits.requestsPerMinute", 500),
                "rate_limit.tokens_per_minute": ("openai.limits.tokensPerMinute", 90000),
            },
            "openai",
        ),
    ),
    Block(
        "loom-anthropic.yaml",
        loom(
            "anthropic",
            {
                "api_key": ("anthropic.apiKey", "${ANTHROPIC_API_KEY}"),
                "base_url": ("anthropic.baseUrl", None),
                "models": (
                    "anthropic.models",
                    ["claude-3-opus-20240229", "claude-3-sonnet-20240229", "claude-3-haiku-20240307"],
                ),
            },
            "anthropic",
        ),
    ),
    Block(
        "loom-azure-openai.yaml",
        loom(
            "azure",
            {
                "api_key": ("azure.apiKey", "${AZURE_API_KEY}"),
                "base_url": ("azure.baseUrl", "https://your-resource.openai.azure.com"),
                "api_version": ("azure.options.apiVersion", "2024-02-15-preview"),
                "deployments": (
                    "azure.options.deployments",
                    {"gpt-4": "my-gpt4-deployment", "gpt-35-turbo": "my-gpt35-deployment"},
                ),
            },
            "azure-openai",
        ),
    ),
    Block(
        "loom-google-vertex-ai.yaml",
        loom(
            "vertex",
            {
                "project_id": ("vertex.options.project", "your-project"),
                "location": ("vertex.options.location", "us-central1"),
                "credentials_file": ("vertex.options.credentialsFile", "/path/to/credentials.json"),
                "models": ("vertex.models", ["gemini-pro", "gemini-pro-vision"]),
            },
            "vertex",
        ),
    ),
    Block(
        "loom-local-self-hosted.yaml",
        loom(
            "local",
            {
                "base_url": ("local.baseUrl", "http://localhost:8000/v1"),
                "api_key": ("secret.local", "dummy"),
                "models": ("local.models", ["llama-2-70b", "mistral-7b"]),
            },
            "openai-compatible",
        ),
    ),
    Block(
        "loom-priority-based-routing.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "priority"),
            **priority("openai", 0),
            **priority("anthropic", 1),
            **priority("local", 2),
            **health("openai", of=f"{ROUTING}.providers"),
        },
        saved=SAVED,
    ),
    Block(
        "loom-round-robin.yaml",
        {f"{ROUTING}.strategy": ("pool.strategy", "round_robin"), **member("openai", 0), **member("anthropic", 1)},
        saved=SAVED,
    ),
    Block(
        "loom-weighted-distribution.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "weighted"),
            **weight("openai", 0, 60),
            **weight("anthropic", 1, 30),
            **weight("local", 2, 10),
        },
        saved=SAVED,
    ),
    Block(
        "loom-cost-optimized.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "cost"),
            **member("openai", 0),
            **member("anthropic", 1),
            **member("local", 2),
            **cost("openai", 10, 30, of=f"{ROUTING}.providers"),
            **cost("anthropic", 8, 24, of=f"{ROUTING}.providers"),
            **cost("local", 0, 0, of=f"{ROUTING}.providers"),
        },
        saved=SAVED,
    ),
    Block(
        "loom-latency-optimized.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "latency"),
            f"{ROUTING}.latency.window": ("pool.latency.window", 300),
            f"{ROUTING}.latency.percentile": ("pool.latency.percentile", 95),
            **member("openai", 0),
            **member("anthropic", 1),
        },
        saved=SAVED,
    ),
    Block(
        "loom-model-based-routing.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "model"),
            f"{ROUTING}.model_routes.gpt-4": ("pool.modelRoutes.gpt-4", "openai"),
            f"{ROUTING}.model_routes.gpt-3.5-turbo": ("pool.modelRoutes.gpt-3.5-turbo", "openai"),
            f"{ROUTING}.model_routes.claude-3-opus": ("pool.modelRoutes.claude-3-opus", "anthropic"),
            f"{ROUTING}.model_routes.claude-3-sonnet": ("pool.modelRoutes.claude-3-sonnet", "anthropic"),
            f"{ROUTING}.model_routes.default": ("pool.defaultRoute", "openai"),
        },
        saved=SAVED,
    ),
    Block(
        "loom-basic-failover.yaml",
        {
            f"{ROUTING}.failover.enabled": ("pool.failover.enabled", True),
            f"{ROUTING}.failover.max_retries": ("pool.failover.maxRetries", 2),
            f"{ROUTING}.failover.retry_codes": ("pool.failover.retryCodes", [429, 500, 502, 503]),
        },
        saved=SAVED,
    ),
    Block(
        "loom-circuit-breaker.yaml",
        {
            f"{ROUTING}.failover.enabled": ("pool.failover.enabled", True),
            f"{ROUTING}.failover.circuit_breaker.failure_threshold": ("pool.circuitBreaker.failureThreshold", 5),
            f"{ROUTING}.failover.circuit_breaker.success_threshold": ("pool.circuitBreaker.successThreshold", 3),
            f"{ROUTING}.failover.circuit_breaker.timeout": ("pool.circuitBreaker.timeout", 60),
        },
        saved=SAVED,
    ),
    Block(
        "loom-fallback-provider.yaml",
        {
            f"{ROUTING}.strategy": ("pool.strategy", "priority"),
            f"{ROUTING}.fallback.provider": ("pool.lastResort.profile", "local"),
            f"{ROUTING}.fallback.on_error": ("pool.lastResort.onError", True),
            f"{ROUTING}.fallback.on_rate_limit": ("pool.lastResort.onRateLimit", True),
        },
        saved=SAVED,
    ),
    Block(
        "loom-active-health-checks.yaml",
        loom("openai", {"api_key": ("openai.apiKey", "${OPENAI_API_KEY}")}, "openai")
        | health("openai", of=LOOM, timeout=5, endpoint="/v1/models"),
    ),
    Block(
        "loom-rate-limiting-per-provider.yaml",
        loom(
            "openai",
            {
                "rate_limit.requests_per_minute": ("openai.limits.requestsPerMinute", 500),
                "rate_limit.tokens_per_minute": ("openai.limits.tokensPerMinute", 90000),
                "rate_limit.concurrent_requests": ("openai.limits.concurrentRequests", 50),
            },
        )
        | loom(
            "anthropic",
            {
                "rate_limit.requests_per_minute": ("anthropic.limits.requestsPerMinute", 1000),
                "rate_limit.tokens_per_minute": ("anthropic.limits.tokensPerMinute", 100000),
            },
        ),
        saved=SAVED,
    ),
    Block(
        "loom-header-modification.yaml",
        loom("openai", {"headers.X-Custom-Header": ("openai.headers.X-Custom-Header", "value")})
        | loom("azure", {"headers.api-key": ("azure.apiKey", "${AZURE_API_KEY}")}),
        saved=SAVED,
    ),
    Block(
        "loom-model-mapping.yaml",
        under(
            "ai_gateway.model_mapping",
            {
                "gpt-4.openai": ("openai.modelMap.gpt-4", "gpt-4-turbo-preview"),
                "gpt-4.azure": ("azure.modelMap.gpt-4", "gpt-4"),
                "gpt-4.anthropic": ("anthropic.modelMap.gpt-4", "claude-3-opus-20240229"),
                "fast.openai": ("openai.modelMap.fast", "gpt-3.5-turbo"),
                "fast.anthropic": ("anthropic.modelMap.fast", "claude-3-haiku-20240307"),
            },
        ),
        saved=SAVED,
    ),
    Block(
        "loom-complete-example.yaml",
        {
            "ai_gateway.enabled": ("pool.enabled", True),
            **loom(
                "openai",
                {
                    "api_key": ("openai.apiKey", "${OPENAI_API_KEY}"),
                    "models": ("openai.models", GPT),
                    "rate_limit.requests_per_minute": ("openai.limits.requestsPerMinute", 500),
                    "rate_limit.tokens_per_minute": ("openai.limits.tokensPerMinute", 90000),
                },
                "openai",
            ),
            **loom(
                "anthropic",
                {
                    "api_key": ("anthropic.apiKey", "${ANTHROPIC_API_KEY}"),
                    "models": ("anthropic.models", ["claude-3-opus", "claude-3-sonnet"]),
                    "rate_limit.requests_per_minute": ("anthropic.limits.requestsPerMinute", 1000),
                },
                "anthropic",
            ),
            **loom(
                "local",
                {
                    "base_url": ("local.baseUrl", "http://llm-server:8000/v1"),
                    "api_key": ("secret.local", "dummy"),
                    "models": ("local.models", ["llama-2-70b"]),
                },
                "openai-compatible",
            ),
            **cost("openai", 10, 30, of=LOOM),
            **cost("anthropic", 15, 75, of=LOOM),
            **cost("local", 0, 0, of=LOOM),
            f"{ROUTING}.strategy": ("pool.strategy", "priority"),
            **priority("openai", 0),
            **priority("anthropic", 1),
            **priority("local", 2),
            f"{ROUTING}.failover.enabled": ("pool.failover.enabled", True),
            f"{ROUTING}.failover.max_retries": ("pool.failover.maxRetries", 2),
            f"{ROUTING}.failover.retry_codes": ("pool.failover.retryCodes", [429, 500, 502, 503]),
            f"{ROUTING}.failover.circuit_breaker.failure_threshold": ("pool.circuitBreaker.failureThreshold", 5),
            f"{ROUTING}.failover.circuit_breaker.timeout": ("pool.circuitBreaker.timeout", 60),
            "ai_gateway.model_mapping.gpt-4.openai": ("openai.modelMap.gpt-4", "gpt-4-turbo-preview"),
            "ai_gateway.model_mapping.gpt-4.anthropic": ("anthropic.modelMap.gpt-4", "claude-3-opus-20240229"),
            "ai_gateway.model_mapping.gpt-4.local": ("local.modelMap.gpt-4", "llama-2-70b"),
            **health("openai", of=LOOM),
        },
    ),
    Block(
        "litellm-config.yaml",
        {
            **litellm(
                "claude-3-7-sonnet",
                {
                    "model": ("claude-3-7-sonnet.modelMap.claude-3-7-sonnet", "claude-3-7-sonnet-20250219"),
                    "api_key": ("claude-3-7-sonnet.apiKey", "${ANTHROPIC_API_KEY}"),
                },
            ),
            **litellm(
                "gpt-4o", {"model": ("gpt-4o.model", "gpt-4o"), "api_key": ("gpt-4o.apiKey", "${OPENAI_API_KEY}")}
            ),
            **litellm(
                "azure-gpt-4",
                {
                    "model": ("azure-gpt-4.model", "my-deployment-name"),
                    "api_base": ("azure-gpt-4.baseUrl", "https://your-resource.openai.azure.com"),
                    "api_version": ("azure-gpt-4.options.apiVersion", "2023-05-15"),
                    "api_key": ("azure-gpt-4.apiKey", "${AZURE_API_KEY}"),
                },
            ),
        },
    ),
    Block(
        "simple-guide-providers.yaml",
        {
            **guide("openai_gpt4", "openai", 0, ["gpt-4-turbo", "gpt-4o"], 60, 3),
            **guide("anthropic_claude", "anthropic", 1, ["claude-3-opus-20240229", "claude-3-sonnet-20240229"], 75, 2),
            **guide("google_gemini_pro", "gemini", 2, ["gemini-pro", "gemini-1.5-pro-latest"], 90, 2),
            "providers.google_gemini_pro.config.region": ("google_gemini_pro.region", "us-central1"),
        },
    ),
    Block(
        "simple-guide-priority-fallback.txt",
        {
            f"{RULE}.strategy": ("pool.strategy", "priority"),
            **priority("openai_gpt4", 0, of=RULE),
            **priority("anthropic_claude", 1, of=RULE),
            **priority("google_gemini", 2, of=RULE),
        },
        saved=SAVED,
    ),
    Block(
        "simple-guide-latency.txt",
        {
            f"{RULE}.strategy": ("pool.strategy", "latency"),
            **member("openai_gpt4", 0, of=RULE),
            **member("anthropic_claude", 1, of=RULE),
            **member("google_gemini", 2, of=RULE),
            f"{RULE}.fallback_on_high_latency": ("pool.latency.tooSlow", 10),
            f"{RULE}.monitor_interval_seconds": ("anthropic_claude.healthCheck.interval", 10),
        },
        saved=SAVED,
    ),
    Block(
        "simple-guide-cost.txt",
        {
            f"{RULE}.strategy": ("pool.strategy", "cost"),
            **member("openai_gpt35", 0, of=RULE),
            **member("mistral_small", 1, of=RULE),
            **member("google_gemini_pro", 2, of=RULE),
            f"{RULE}.providers.openai_gpt35.max_cost_per_token": ("pool.maxCostPerToken", 0.000002),
            f"{RULE}.providers.mistral_small.max_cost_per_token": ("mistral_small.price.output", 1),
            f"{RULE}.providers.google_gemini_pro.max_cost_per_token": ("google_gemini_pro.price.input", 1.5),
            f"{RULE}.model_mapping.summarization": ("pool.rules.0.profiles.0", "mistral_small"),
            f"{RULE}.model_mapping.creative_writing": ("pool.rules.1.when.task.0", "creative_writing"),
        },
        saved=SAVED,
    ),
    Block(
        "simple-guide-load-balancing.txt",
        {
            f"{RULE}.strategy": ("pool.strategy", "weighted"),
            f"{RULE}.algorithm": ("pool.strategy", "weighted"),
            **weight("openai_gpt4", 0, 3, of=RULE),
            **weight("anthropic_claude", 1, 2, of=RULE),
            **weight("google_gemini", 2, 1, of=RULE),
        },
        saved=SAVED,
    ),
    Block(
        "simple-guide-content.txt",
        {
            f"{RULE}.strategy": ("pool.rules.0.name", "google_gemini_pro"),
            f"{RULE}.rules.#1.condition": ("pool.rules.0.when.contains", ["write code", "debug this python"]),
            f"{RULE}.rules.#1.route_to": ("pool.rules.0.profiles", ["google_gemini_pro"]),
            f"{RULE}.rules.#2.condition": ("pool.rules.1.when.contains", ["creative story", "poem"]),
            f"{RULE}.rules.#2.route_to": ("pool.rules.1.profiles", ["openai_gpt4"]),
            f"{RULE}.rules.#3.condition": ("pool.rules.2.when.minLength", 1001),
            f"{RULE}.rules.#3.route_to": ("pool.rules.2.profiles", ["anthropic_claude"]),
            f"{RULE}.rules.#4.default_route": ("pool.rules.3.profiles", ["openai_gpt35"]),
        },
        saved=SAVED,
    ),
    Block(
        "simple-guide-traffic-split.txt",
        {
            f"{RULE}.strategy": ("pool.split.openai_gpt4", 95),
            f"{RULE}.splits.openai_gpt4.provider": ("pool.profiles.0", "openai_gpt4"),
            f"{RULE}.splits.openai_gpt4.percentage": ("pool.split.openai_gpt4", 95),
            f"{RULE}.splits.openai_gpt4o_new.provider": ("pool.profiles.1", "openai_gpt4o_new"),
            f"{RULE}.splits.openai_gpt4o_new.percentage": ("pool.split.openai_gpt4o_new", 5),
        },
        saved=SAVED,
    ),
]


def data_of(name: str) -> dict[str, Any]:
    text = (BLOCKS / name).read_text(encoding="utf-8")
    return flattened.read(text) if flattened.is_flattened(text) else read(text).data


def outcome(found: Imported) -> dict[str, Any]:
    """Profiles by id, the pool and the keys, in the file's spelling."""
    made = {each.profile.id: PROFILE.dump_python(each.profile, mode="json", by_alias=True) for each in found.profiles}
    pools = [POOL.dump_python(each, mode="json", by_alias=True) for each in found.pools]
    secrets = {each.profile.id: text for each in found.profiles for text in each.secrets.values()}
    return {**made, "pool": pools[0] if pools else {}, "secret": secrets}


def seen(value: Any, path: str) -> Any:
    """What stands at a dotted path; names may hold dots."""
    if not path:
        return value
    if isinstance(value, list):
        place, _, rest = path.partition(".")
        return seen(value[int(place)], rest)
    name = next(
        (each for each in sorted(value, key=len, reverse=True) if path == each or path.startswith(f"{each}.")), None
    )
    return None if name is None else seen(value[name], path[len(name) + 1 :])


def test_every_block_is_here() -> None:
    assert {each.name for each in EVERY} == {path.name for path in BLOCKS.iterdir()} - {"README.md"}


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.name)
def test_every_key_acts_or_is_listed_with_the_reason(block: Block) -> None:
    data = data_of(block.name)
    found = imported(data, block.saved)
    assert {each.key for each in found.taken} == block.acts.keys()
    assert {each.key for each in found.left_out} == block.left.keys()
    for left in found.left_out:
        assert block.left[left.key] in left.reason
    made = outcome(found)
    assert {key: (path, seen(made, path)) for key, (path, _) in block.acts.items()} == block.acts
    accounted = (*block.acts, *block.left)
    for leaf in map(dotted, leaves(data)):
        assert any(leaf == key or leaf.startswith(f"{key}.") for key in accounted), leaf


@pytest.mark.parametrize("block", [each for each in EVERY if each.saved is SAVED], ids=lambda block: block.name)
def test_names_that_nothing_defines_are_listed_and_left_out(block: Block) -> None:
    found = imported(data_of(block.name), NOBODY)
    assert found.profiles == ()
    assert found.pools == ()
    assert found.taken == ()
    undefined = [each for each in found.left_out if "Nothing defines" in each.reason]
    assert undefined or all("No profile is left" in each.reason for each in found.left_out)


@pytest.mark.parametrize("block", EVERY, ids=lambda block: block.name)
def test_an_import_that_is_done_twice_changes_nothing_more(block: Block) -> None:
    data = data_of(block.name)
    first = imported(data, block.saved)
    profiles = {**block.saved.profiles, **{each.profile.id: each.profile for each in first.profiles}}
    pools = {each.id: each for each in first.pools}
    again = imported(data, Configuration(profiles=profiles, pools=pools))
    assert [each.profile.id for each in again.profiles] == [each.profile.id for each in first.profiles if each.secrets]
    assert again.pools == ()


def test_a_setting_that_rooroute_lacks_is_told_as_such() -> None:
    found = imported({"ai_gateway": {"enabled": True, "colour": "blue"}}, SAVED)
    assert [(each.key, each.reason) for each in found.left_out] == [("ai_gateway.colour", NO_SETTING)]
