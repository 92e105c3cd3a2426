"""What other programs call the providers, and the parts of an entry that they all write alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rooroute.importers.account import Section
from rooroute.importers.gathered import Gathered
from rooroute.importers.values import count, flag, interval, path, positive, reference, text, texts, wait
from rooroute.profile_checks import check_burst
from rooroute.profiles import Limits, Price, Profile
from rooroute.providers.authentication import TEMPLATE
from rooroute.providers.table import PROVIDERS
from rooroute.secret import origin_of

KINDS: Final[Mapping[str, str]] = {
    "azure": "azure-openai",
    "azure_openai": "azure-openai",
    "vertex_ai": "vertex",
    "google_vertex": "vertex",
    "google": "gemini",
    "google_ai": "gemini",
    "openai_compatible": "openai-compatible",
    "local": "openai-compatible",
    "hugging_face": "huggingface",
    "mistral_ai": "mistral",
    "xroute.ai": "xroute",
    **{preset.id: row.id for row in PROVIDERS.values() for preset in row.presets if preset.id not in PROVIDERS},
}
"""Words for providers that are not their names in rooroute."""

_VERSION: Final = re.compile(r"/v\d+(?:beta)?$")
_SECRETIVE: Final = re.compile(r"authorization|cookie|token|secret|password|(?:^|[-_])key$", re.IGNORECASE)
LIMITS: Final = {
    "requests_per_second": positive,
    "requests_per_minute": count,
    "requests_per_hour": count,
    "requests_per_day": count,
    "tokens_per_second": count,
    "tokens_per_minute": count,
    "tokens_per_hour": count,
    "tokens_per_day": count,
    "concurrent_requests": count,
    "burst": count,
}


def provider_of(kind: str) -> str | None:
    """The row of the provider table that another program's word for a provider means."""
    word = kind.strip().casefold().replace(" ", "_").replace("-", "_")
    found = KINDS.get(word) or KINDS.get(kind.strip().casefold()) or word.replace("_", "-")
    return found if found in PROVIDERS else None


def provider(raw: Any) -> str:
    """A word for a provider. ValueError for one that rooroute does not know."""
    found = provider_of(text(raw))
    if found is None:
        raise ValueError(f"rooroute knows no such provider; it knows {', '.join(PROVIDERS)}.")
    return found


def spoken(kind: str | None, url: Any) -> str | None:
    """The provider of an entry: OpenAI's name at somebody else's address means a server that speaks like it."""
    own = PROVIDERS["openai"].default_base_url
    return "openai-compatible" if kind == "openai" and isinstance(url, str) and not _same_origin(url, own) else kind


def place_at(gathered: Gathered, profile_id: str, url: str | None) -> None:
    """Put a profile at its address. The vendor's own is left unsaid, with or without its version."""
    own = PROVIDERS[gathered.profiles[profile_id].provider].default_base_url
    if url is not None and (own is None or _VERSION.sub("", url.rstrip("/")) != _VERSION.sub("", own)):
        gathered.change(profile_id, base_url=url.rstrip("/"))


def begin(entry: Section, gathered: Gathered) -> str | None:
    """Begin the profile of a provider's entry as the guides spell it: name, type, address, key and models. Its id; None if left out."""
    profile_id = entry.take("name", text, "the profile's id")
    if profile_id is None:
        entry.account.leave(entry.place, "It has no name.")
        return None
    kind = entry.take("type", provider, f"profile {profile_id}, provider")
    if kind is None and "type" in entry.data:
        entry.account.leave(entry.place, f"{profile_id} is left out: rooroute knows no such type of provider.")
        return None
    if not gathered.begin(profile_id, entry.place, spoken(kind, entry.data.get("base_url"))):
        return None
    where = f"profile {profile_id}"
    place_at(gathered, profile_id, entry.take("base_url", text, f"{where}, baseUrl"))
    gathered.take_key(entry, "api_key", profile_id)
    gathered.change(profile_id, models=entry.take("models", texts, f"{where}, models"))
    return profile_id


def _same_origin(one: str, other: str | None) -> bool:
    try:
        return other is not None and origin_of(one) == origin_of(other)
    except ValueError:
        return False


def take_limits(gathered: Gathered, entry: Section, profile_id: str, names: Mapping[str, str]) -> None:
    """Limits by the file's names for them; ``names`` gives rooroute's field for each."""
    found: dict[str, Any] = {}
    for theirs, ours in names.items():
        head, *rest = ours.split("_")
        shown = head + "".join(word.capitalize() for word in rest)
        value = entry.take(theirs, LIMITS[ours], f"profile {profile_id}, limits.{shown}")
        if value is not None:
            found[ours] = value
    if found:
        before = gathered.profiles.get(profile_id) or gathered.saved.profiles[profile_id]
        kept = {name: getattr(before.limits, name) for name in LIMITS} if before.limits else {}
        limits = Limits(**{**kept, **found})
        for _, told, _ in check_burst(limits):
            entry.leave_rest({theirs: told for theirs, ours in names.items() if ours == "burst"})
            limits = replace(limits, burst=None)
        gathered.change(profile_id, limits=limits)


def take_health(gathered: Gathered, entry: Section, profile_id: str) -> None:
    """An active health check. It asks for the list of models, or for the path that is named: neither costs tokens."""
    where = f"profile {profile_id}, healthCheck"
    found = {
        "enabled": entry.take("enabled", flag, f"{where}.enabled: asks with a GET, which costs no tokens"),
        "interval": entry.take("interval", interval, f"{where}.interval"),
        "timeout": entry.take("timeout", wait, f"{where}.timeout"),
        "endpoint": entry.take("endpoint", path, f"{where}.endpoint: below the host"),
    }
    told: dict[str, Any] = {name: value for name, value in found.items() if value is not None}
    if told:
        gathered.change(profile_id, health_check=replace(profile_of(gathered, profile_id).health_check, **told))


def price(before: Price | None, input_price: float | None, output_price: float | None) -> Price | None:
    """A price in USD per million tokens; where only one side is told, the other is taken to cost the same."""
    told = input_price if input_price is not None else output_price
    if told is None:
        return before
    return Price(
        input=told if input_price is None else input_price, output=told if output_price is None else output_price
    )


def take_headers(gathered: Gathered, headers: Section, profile_id: str) -> None:
    """Headers. The vendor's own key header is the key; a reference becomes a named secret; a key is not written into the configuration."""
    profile = gathered.profiles.get(profile_id) or gathered.saved.profiles[profile_id]
    own = PROVIDERS[profile.provider].key.place.header if profile.provider in PROVIDERS else "authorization"
    for name, raw in headers.data.items():
        if name.lower() == own and own != "authorization":
            gathered.take_key(headers, name, profile_id)
        else:
            _take_header(gathered, headers, profile_id, name, raw)


def _take_header(gathered: Gathered, headers: Section, profile_id: str, name: str, raw: Any) -> None:
    where = f"profile {profile_id}, headers.{name}"
    prefix, _, referred = str(raw).rpartition(" ")
    found = reference(referred)
    slot = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64]
    if found is not None and slot[:1].isalpha():
        headers.account.took((*headers.place, name), f"{where}, by the reference secrets.{slot}")
        before = f"{prefix} " if prefix else ""
        gathered.add(profile_id, "headers", {name: f"{before}${{secret:{slot}}}"})
        gathered.add(profile_id, "secrets", {slot: found})
    elif _SECRETIVE.search(name):
        headers.leave(name, "A key is not written into the configuration; name its environment variable as ${NAME}.")
    elif "${" in str(raw) and not TEMPLATE.match(str(raw)):
        headers.leave(name, "It holds a reference that stands for a part of it only; write ${NAME} at its end.")
    else:
        value = headers.take(name, text, where)
        gathered.add(profile_id, "headers", {name: value})


def profile_of(gathered: Gathered, profile_id: str) -> Profile:
    """A known profile as it is by now."""
    return gathered.profiles.get(profile_id) or gathered.saved.profiles[profile_id]
