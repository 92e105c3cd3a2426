"""A LiteLLM proxy's ``config.yaml`` for the profiles at hand (https://docs.litellm.ai/docs/proxy/configs), its keys by name only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rooroute.profiles import Configuration, Pool, Profile, Strategy, reference_name
from rooroute.providers.azure import deployment_of
from rooroute.providers.table import KeyNeed, base_url_of, resolve_model, vendor_of

PREFIXES: Final = {
    "openai": "openai",
    "openai-compatible": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "azure-openai": "azure",
    "vertex": "vertex_ai",
    "openrouter": "openrouter",
    "litellm": "litellm_proxy",
    "mistral": "mistral",
    "cohere": "cohere_chat",
    "huggingface": "huggingface",
    "xroute": "openai",
}
"""How LiteLLM calls each vendor: https://docs.litellm.ai/docs/providers."""

_OPTIONS: Final = {
    "organization": "organization",
    "apiVersion": "api_version",
    "project": "vertex_project",
    "location": "vertex_location",
    "credentialsFile": "vertex_credentials",
}
_OF_VERTEX: Final = frozenset(
    {"project", "location", "credentialsFile"}
)  # others' options of these names mean other things
_STRATEGIES: Final = {
    Strategy.WEIGHTED: "simple-shuffle",
    Strategy.ROUND_ROBIN: "simple-shuffle",
    Strategy.COST: "cost-based-routing",
    Strategy.LATENCY: "latency-based-routing",
    Strategy.LEAST_BUSY: "least-busy",
}
_PER_MILLION: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Snippet:
    """The file as plain data, the environment variables it names for keys that are in the keyring here, and what is not in it."""

    data: dict[str, Any]
    variables: tuple[str, ...]
    left_out: tuple[str, ...]


def snippet(configuration: Configuration) -> Snippet:
    """One entry for each model that an enabled profile names."""
    pool = configuration.pool(None)
    entries: list[dict[str, Any]] = []
    variables: list[str] = []
    left: list[str] = []
    for profile in configuration.profiles.values():
        models = _models(profile) if profile.enabled and profile.provider in PREFIXES else {}
        if not models:
            left.append(f"{profile.id} is left out: {_why(profile)}.")
        for alias, model in models.items():
            entries.append({"model_name": alias, "litellm_params": _params(profile, model, pool, variables)})
            entries[-1] |= {"model_info": info} if (info := _info(profile)) else {}
    data: dict[str, Any] = {"model_list": entries}
    if pool is not None and (settings := _settings(pool)):
        data["router_settings"] = settings
    return Snippet(data, tuple(dict.fromkeys(variables)), tuple(left))


def _why(profile: Profile) -> str:
    if not profile.enabled:
        return "it is switched off"
    return "it names no model" if profile.provider in PREFIXES else "LiteLLM's name for its provider is not known"


def _models(profile: Profile) -> dict[str, str]:
    """The provider's own name by the name that is asked for."""
    own = resolve_model(profile, None)
    deployed = profile.options.get("deployments") if profile.provider == "azure-openai" else None
    offered = (*profile.models, *(deployed if isinstance(deployed, Mapping) else ()))
    names: Iterable[str] = (*profile.model_map, *offered, *((own,) if own else ()))
    return {name: model for name in names if (model := resolve_model(profile, name)) is not None}


def _params(profile: Profile, model: str, pool: Pool | None, variables: list[str]) -> dict[str, Any]:
    served = deployment_of(profile, model) if profile.provider == "azure-openai" else model
    found: dict[str, Any] = {"model": f"{PREFIXES[profile.provider]}/{served}"}
    if profile.base_url or profile.provider in ("litellm", "xroute"):
        found["api_base"] = base_url_of(profile)
    if (key := _key(profile, variables)) is not None:
        found["api_key"] = key
    for ours, theirs in _OPTIONS.items():
        if profile.options.get(ours) and (profile.provider == "vertex" or ours not in _OF_VERTEX):
            found[theirs] = profile.options[ours]
    return found | _numbers(profile) | _place(profile, pool)


def _key(profile: Profile, variables: list[str]) -> str | None:
    """A reference to the key; None for a vendor whose credentials LiteLLM finds for itself."""
    key = vendor_of(profile).key
    if profile.api_key is not None:
        return f"os.environ/{reference_name(profile.api_key)}"
    if key.token is not None:
        return None
    if key.need is not KeyNeed.REQUIRED and profile.key_saved_at is None:
        return key.dummy or "none"  # LiteLLM wants one even where the server does not
    variables.append(_variable(profile.id))
    return f"os.environ/{variables[-1]}"


def _numbers(profile: Profile) -> dict[str, Any]:
    limits = profile.limits
    told = {
        "rpm": limits.requests_per_minute if limits else None,
        "tpm": limits.tokens_per_minute if limits else None,
        "max_parallel_requests": limits.concurrent_requests if limits else None,
        "max_retries": profile.max_retries,
        "region_name": profile.region,
        "tags": list(profile.tags) or None,
        "input_cost_per_token": profile.price.input / _PER_MILLION if profile.price else None,
        "output_cost_per_token": profile.price.output / _PER_MILLION if profile.price else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _place(profile: Profile, pool: Pool | None) -> dict[str, Any]:
    """Where the profile stands in the default pool: LiteLLM asks a lower ``order`` first."""
    if pool is None or profile.id not in pool.profiles:
        return {}
    if pool.tiers:
        tier = next((number for number, tier in enumerate(pool.tiers, 1) if profile.id in tier), len(pool.tiers) + 1)
        return {"order": tier}
    if pool.strategy is Strategy.PRIORITY:
        return {"order": pool.profiles.index(profile.id) + 1}
    return {"weight": pool.weights[profile.id]} if profile.id in pool.weights else {}


def _info(profile: Profile) -> dict[str, Any]:
    told = {
        "max_input_tokens": profile.context_window,
        "supports_vision": profile.supports_images,
        "supports_function_calling": profile.supports_tools,
    }
    return {name: value for name, value in told.items() if value is not None}


def _settings(pool: Pool) -> dict[str, Any]:
    told = {
        "routing_strategy": _STRATEGIES.get(pool.strategy),
        "num_retries": pool.failover.max_retries,
        "cooldown_time": pool.cooldown,
        "allowed_fails": pool.circuit_breaker.failure_threshold - 1 if pool.circuit_breaker else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def _variable(profile_id: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", profile_id.upper()).strip("_") or "PROFILE"
    return f"{'_' if name[0].isdigit() else ''}{name}_API_KEY"
