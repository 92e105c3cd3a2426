"""A LiteLLM proxy's ``config.yaml`` for the profiles at hand: https://docs.litellm.ai/docs/proxy/configs.

Keys are named, never written: a profile's own reference where it has one, else a variable to be set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rooroute.profiles import Profile, reference_name
from rooroute.providers.azure import deployment_of
from rooroute.providers.table import PROVIDERS, KeyNeed, base_url_of, own_base_url, resolve_model
from rooroute.providers.wire_json import write

PREFIXES: Final[Mapping[str, str]] = {
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
    "apiVersion": "api_version",
    "organization": "organization",
    "project": "vertex_project",
    "location": "vertex_location",
    "credentialsFile": "vertex_credentials",
}
_FOR: Final = {"vertex_project": "vertex", "vertex_location": "vertex", "vertex_credentials": "vertex"}
_PER_TOKEN: Final = 1_000_000


def config_yaml(profiles: Iterable[Profile]) -> str:
    """The file's text: one entry of ``model_list`` for each model a profile serves by name, its names of ``modelMap`` included.

    A profile that names no model serves whatever is asked for, by ``PROFILE/*``. Every value is JSON, which YAML is made to hold.
    """
    entries = [entry for profile in profiles if profile.provider in PREFIXES for entry in _entries(profile)]
    if not entries:
        return "model_list: []\n"
    lines = ["model_list:"]
    for name, params in entries:
        lines += [f"  - model_name: {_json(name)}", "    litellm_params:"]
        lines += [f"      {field}: {_json(value)}" for field, value in params.items()]
    return "\n".join(lines) + "\n"


def _entries(profile: Profile) -> list[tuple[str, dict[str, Any]]]:
    named = dict(profile.model_map)
    default = resolve_model(profile, None)
    offered = tuple(profile.options.get("deployments") or ()) if profile.provider == "azure-openai" else profile.models
    for model in (*((default,) if default else ()), *offered):
        named.setdefault(model, model)
    if not named:
        return [(f"{profile.id}/*", _params(profile, "*"))]
    return [(name, _params(profile, model)) for name, model in named.items()]


def _params(profile: Profile, model: str) -> dict[str, Any]:
    served = deployment_of(profile, model) if profile.provider == "azure-openai" else model
    params: dict[str, Any] = {"model": f"{PREFIXES[profile.provider]}/{served}"}
    base = base_url_of(profile)
    if profile.base_url or (PREFIXES[profile.provider] == "openai" and base != "https://api.openai.com/v1"):
        params["api_base"] = base
    elif profile.provider == "litellm":
        params["api_base"] = own_base_url(profile)
    if (key := _key(profile)) is not None:
        params["api_key"] = key
    for option, field in _OPTIONS.items():
        value = profile.options.get(option)
        if isinstance(value, str) and value and _FOR.get(field, profile.provider) == profile.provider:
            params[field] = value
    if profile.price is not None:
        params["input_cost_per_token"] = profile.price.input / _PER_TOKEN
        params["output_cost_per_token"] = profile.price.output / _PER_TOKEN
    return params


def _key(profile: Profile) -> str | None:
    """A reference to the key; None for a vendor whose credentials LiteLLM finds for itself, and where none is needed."""
    row = PROVIDERS[profile.provider]
    if row.key.token is not None:
        return None
    name = reference_name(profile.api_key) if profile.api_key else None
    if name is None and row.key.need is not KeyNeed.REQUIRED and profile.key_saved_at is None:
        return row.key.dummy or "none"  # LiteLLM wants one even where the server does not
    return f"os.environ/{name or variable_for(profile)}"


def variable_for(profile: Profile) -> str:
    """The environment variable that a profile's key is expected in where it lies in the keyring."""
    return re.sub(r"[^A-Z0-9]+", "_", profile.id.upper()).strip("_") + "_API_KEY"


def _json(value: Any) -> str:
    return write(value).decode()
