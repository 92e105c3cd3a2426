"""LiteLLM's ``config.yaml``: its list of models and its router's settings (https://docs.litellm.ai/docs/proxy/configs).

Each entry of ``model_list`` becomes a profile that serves the entry's ``model_name`` and nothing else. An ``order`` of 1 is the first.
Prices are told per token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rooroute.importers.account import Section
from rooroute.importers.gathered import Gathered
from rooroute.importers.values import count, number, positive, seconds, text, texts, whole
from rooroute.importers.vendors import place_at, price, profile_of, spoken, take_headers, take_limits
from rooroute.profiles import CircuitBreaker, Rule, Strategy, When
from rooroute.providers.table import PROVIDERS, resolve_model

_PREFIXES: Final = {
    "openai": "openai",
    "text-completion-openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure-openai",
    "gemini": "gemini",
    "vertex_ai": "vertex",
    "openrouter": "openrouter",
    "mistral": "mistral",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "huggingface": "huggingface",
    "litellm_proxy": "litellm",
    "hosted_vllm": "vllm",
    "ollama_chat": "ollama",
    "lm_studio": "lm-studio",
    "together_ai": "together",
}
"""https://docs.litellm.ai/docs/providers"""
_PRESETS: Final = {preset.id: preset for preset in PROVIDERS["openai-compatible"].presets}
_BARE: Final = {
    "gpt-": "openai",
    "chatgpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
}
_PER_MILLION: Final = 1_000_000.0
_LIMITS: Final = {
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "max_parallel_requests": "concurrent_requests",
}
_OPTIONS: Final = {
    "organization": "organization",
    "api_version": "apiVersion",
    "vertex_project": "project",
    "vertex_location": "location",
    "vertex_credentials": "credentialsFile",
}
_STRATEGIES: Final = {
    "simple-shuffle": Strategy.WEIGHTED,
    "latency-based-routing": Strategy.LATENCY,
    "least-busy": Strategy.LEAST_BUSY,
    "cost-based-routing": Strategy.COST,
}
_PROXY: Final = "It is a setting of the proxy itself, which rooroute does without."


def read(root: Section, gathered: Gathered) -> None:
    """``model_list``, ``router_settings`` and ``litellm_settings``."""
    groups: dict[str, list[str]] = {}
    ranks: dict[str, int] = {}
    often = Counter(str(each.data.get("model_name")) for each in root.sections("model_list"))
    for entry in root.sections("model_list"):
        _deployment(entry, gathered, groups, ranks)
    gathered.settle_profiles()
    groups = {name: [each for each in members if gathered.known(each)] for name, members in groups.items()}
    _tiers(root, gathered, ranks)
    shuffled = any(number > 1 for number in often.values())
    for settings in (root.section("router_settings"), root.section("litellm_settings")):
        _settings(settings, gathered, groups)
    if shuffled and "strategy" not in gathered.pool:  # LiteLLM's default
        gathered.put((*root.place, "model_list"), "strategy", Strategy.WEIGHTED)
    root.leave_rest(
        {
            "general_settings": _PROXY,
            "environment_variables": "Set them where rooroute runs, or give them with --env-file.",
        }
    )


def _deployment(entry: Section, gathered: Gathered, groups: dict[str, list[str]], ranks: dict[str, int]) -> None:
    alias = entry.take("model_name", text, "the profile's id, and the model that it serves")
    params = entry.section("litellm_params")
    if alias is None or not isinstance(params.data.get("model"), str):
        return entry.account.leave(entry.place, "It needs model_name and litellm_params.model.")
    kind, base_url, model = _vendor(params)
    provider = spoken(kind, params.data.get("api_base", params.data.get("base_url")))
    if provider is None:
        return entry.account.leave(
            entry.place, f"{alias} is left out: its model names no provider that rooroute knows."
        )
    profile_id = _free(gathered, alias.replace("/", "-"), {each for members in groups.values() for each in members})
    saved = gathered.saved.profiles.get(profile_id)
    if saved is not None and saved.provider != provider:
        profile_id = _free(gathered, profile_id, set(gathered.saved.profiles))
    if not gathered.begin(profile_id, entry.place, provider):
        return None
    where = f"profile {profile_id}"
    params.account.took((*params.place, "model"), f"{where}, provider and model")
    if base_url is not None and "api_base" not in params.data and "base_url" not in params.data:
        gathered.change(profile_id, base_url=base_url)
    if model != "*":
        gathered.change(profile_id, model=model, models=(model,))
        gathered.add(profile_id, "model_map", {alias: model} if alias != model else {})
    groups.setdefault(alias, []).append(profile_id)
    _params(params, gathered, profile_id, ranks)
    _model_info(entry.section("model_info"), gathered, profile_id)
    return None


def _vendor(params: Section) -> tuple[str | None, str | None, str]:
    """Provider, a well-known server's address, and the provider's own name of the model."""
    told: str = params.data["model"].strip()
    prefix, slash, rest = told.partition("/")
    named = params.data.get("custom_llm_provider")
    word = (
        named
        if isinstance(named, str)
        else prefix
        if slash
        else next((v for k, v in _BARE.items() if told.startswith(k)), "")
    )
    if isinstance(named, str):
        params.account.took((*params.place, "custom_llm_provider"), "the profile's provider")
    model = rest if slash and prefix == word else told
    word = _PREFIXES.get(word, word)
    if word in _PRESETS:
        return "openai-compatible", _PRESETS[word].base_url, model
    return (word if word in PROVIDERS else None), None, model


def _free(gathered: Gathered, stem: str, taken: set[str]) -> str:
    if stem not in taken and stem not in gathered.profiles:
        return stem
    names = (f"{stem} {number}" for number in range(2, len(taken) + len(gathered.profiles) + 3))
    return next(name for name in names if name not in taken and name not in gathered.profiles)


def _params(params: Section, gathered: Gathered, profile_id: str, ranks: dict[str, int]) -> None:
    where = f"profile {profile_id}"
    for name in ("api_base", "base_url"):
        place_at(gathered, profile_id, params.take(name, text, f"{where}, baseUrl"))
    gathered.take_key(params, "api_key", profile_id)
    options = {ours: params.take(theirs, text, f"{where}, options.{ours}") for theirs, ours in _OPTIONS.items()}
    gathered.add(profile_id, "options", options)
    take_limits(gathered, params, profile_id, _LIMITS)
    take_headers(gathered, params.section("extra_headers"), profile_id)
    total = params.take("timeout", seconds, f"{where}, timeouts.total (seconds)")
    first = params.take("stream_timeout", seconds, f"{where}, timeouts.firstToken (seconds)")
    waits = {name: value for name, value in (("total", total), ("first_token", first)) if value is not None}
    gathered.change(
        profile_id,
        timeouts=replace(profile_of(gathered, profile_id).timeouts, **waits) if waits else None,
        max_retries=params.take("max_retries", whole, f"{where}, maxRetries"),
        region=params.take("region_name", text, f"{where}, region"),
        tags=params.take("tags", texts, f"{where}, tags"),
    )
    _cost(params, gathered, profile_id)
    rank = params.take("order", count, f"pool {gathered.target}, tiers: 1 is the first")
    if rank is not None:
        ranks[profile_id] = rank
    weight = params.take("weight", number, f"pool {gathered.target}, weights.{profile_id}")
    if weight is not None:
        gathered.pool["weights"] = {**gathered.pool.get("weights", {}), profile_id: weight}
        gathered.pool_places.setdefault("weights", (*params.place, "weight"))


def _cost(section: Section, gathered: Gathered, profile_id: str) -> None:
    where = f"profile {profile_id}, price"
    told = [
        section.take(f"{side}_cost_per_token", number, f"{where}.{side} (per million tokens)")
        for side in ("input", "output")
    ]
    per_million = [None if each is None else round(each * _PER_MILLION, 9) for each in told]
    gathered.change(profile_id, price=price(profile_of(gathered, profile_id).price, per_million[0], per_million[1]))


def _model_info(info: Section, gathered: Gathered, profile_id: str) -> None:
    def known(raw: Any) -> bool:
        if not isinstance(raw, bool):
            raise ValueError("It must be true or false.")  # noqa: TRY004 - the reader lists a ValueError's sentence
        return raw

    where = f"profile {profile_id}"
    gathered.change(
        profile_id,
        context_window=info.take("max_input_tokens", count, f"{where}, contextWindow"),
        supports_images=info.take("supports_vision", known, f"{where}, supportsImages"),
        supports_tools=info.take("supports_function_calling", known, f"{where}, supportsTools"),
    )
    _cost(info, gathered, profile_id)


def _tiers(root: Section, gathered: Gathered, ranks: Mapping[str, int]) -> None:
    by_rank: dict[int, list[str]] = {}
    for profile_id, rank in ranks.items():
        if gathered.known(profile_id):
            by_rank.setdefault(rank, []).append(profile_id)
    tiers = tuple(tuple(by_rank[rank]) for rank in sorted(by_rank))
    gathered.put((*root.place, "model_list"), "tiers", tiers or None)


def _settings(settings: Section, gathered: Gathered, groups: Mapping[str, list[str]]) -> None:
    def strategy(raw: Any) -> Strategy:
        found = _STRATEGIES.get(str(raw))
        if found is None:
            raise ValueError(f"rooroute has no such strategy; it takes {', '.join(_STRATEGIES)}.")
        return found

    where = f"pool {gathered.target}"
    gathered.route(settings, "routing_strategy", strategy, "strategy")
    gathered.route(settings, "cooldown_time", seconds, "cooldown")
    retries = settings.take("num_retries", whole, f"{where}, failover.maxRetries")
    if retries is not None:
        gathered.put(
            (*settings.place, "num_retries"), "failover", replace(gathered.base().failover, max_retries=retries)
        )
    fails = settings.take("allowed_fails", whole, f"{where}, circuitBreaker.failureThreshold: one more than is allowed")
    if fails is not None:
        before = gathered.base().circuit_breaker or CircuitBreaker()
        gathered.put(
            (*settings.place, "allowed_fails"), "circuit_breaker", replace(before, failure_threshold=fails + 1)
        )
    for name in ("timeout", "request_timeout"):
        _timeout(settings, name, gathered)
    _fallbacks(settings, gathered, groups)
    if settings.data.get("content_policy_fallbacks"):
        told = f"{where}, policyFallback: one other profile of the pool is asked once"
        settings.account.took((*settings.place, "content_policy_fallbacks"), told)
        gathered.put((*settings.place, "content_policy_fallbacks"), "policy_fallback", True)


def _timeout(settings: Section, name: str, gathered: Gathered) -> None:
    found = settings.take(
        name, positive, "every new profile, timeouts.total (seconds), where its own entry says nothing"
    )
    usual = type(next(iter(gathered.profiles.values())).timeouts)() if gathered.profiles else None
    for profile in list(gathered.profiles.values()):
        if found is not None and usual is not None and profile.timeouts.total == usual.total:
            gathered.change(profile.id, timeouts=replace(profile.timeouts, total=found))


def _fallbacks(settings: Section, gathered: Gathered, groups: Mapping[str, list[str]]) -> None:
    """``fallbacks: [{model: [others]}]``: a rule that asks the model's own profiles first, then the others' under their own names."""
    for entry in settings.sections("fallbacks"):
        for model in entry.data:
            others = entry.take(model, texts, f"pool {gathered.target}, a rule for the model {model}")
            if others is None:
                continue
            place = (*entry.place, model)
            unknown = [each for each in (model, *others) if not groups.get(each)]
            if unknown:
                entry.account.leave(place, f"Nothing defines {', '.join(unknown)}.")
                continue
            spare = [profile_id for each in others for profile_id in groups[each]]
            for profile_id in spare:
                own = resolve_model(profile_of(gathered, profile_id), None)
                gathered.add(profile_id, "model_map", {model: own})
            rule = Rule(
                name=f"fallbacks of {model}",
                when=When(model=(model,)),
                profiles=tuple(dict.fromkeys((*groups[model], *spare))),
                strategy=Strategy.PRIORITY,
                only=True,
            )
            gathered.pool["rules"] = (*gathered.pool.get("rules", ()), rule)
            gathered.pool_places.setdefault("rules", place)
