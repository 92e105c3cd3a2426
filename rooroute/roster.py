"""A pool's profiles as candidates for one request: what the configuration and the request's own needs make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, Protocol

from rooroute.chat import ChatRequest
from rooroute.errors import NotFound
from rooroute.profiles import Configuration, Pool, Profile
from rooroute.providers.table import PROVIDERS, base_url_of, resolve_model
from rooroute.routing.candidate import Candidate
from rooroute.secret import origin_of

CHARACTERS_A_TOKEN: Final = 4  # the usual rule of thumb for English: https://platform.openai.com/tokenizer
_IMAGE_TOKENS: Final = 1_000


class Marks(Protocol):
    """What identifies a profile's credential and quota without reading the secret."""

    def fingerprint(self, profile: Profile) -> str: ...

    def domain(self, profile: Profile) -> str: ...


def estimated_tokens(request: ChatRequest) -> int:
    """Input tokens of a request, by its characters; an image counts as 1,000."""
    characters = sum(len(str(dict(tool.parameters))) + len(tool.name) for tool in request.tools)
    images = 0
    for message in request.messages:
        if isinstance(message.content, str):
            characters += len(message.content)
        else:
            images += sum(part.type == "image" for part in message.content)
            characters += sum(len(part.text) for part in message.content if part.type != "image")
        characters += sum(len(call.arguments) + len(call.name) for call in message.tool_calls)
    return characters // CHARACTERS_A_TOKEN + images * _IMAGE_TOKENS


def pool_of(configuration: Configuration, pool_id: str | None, profile_id: str | None, fallback: bool | None) -> Pool:
    """The pool a request names. A named profile is a pool of one with the default pool's settings, unless ``fallback`` lets
    that pool stand behind it.

    Raises NotFound for a pool or profile that is not there.
    """
    if profile_id is not None:
        if profile_id not in configuration.profiles:
            raise NotFound(f"There is no profile {profile_id!r}.", field="profile")
        usual = configuration.pool(None) or Pool(id="default")
        behind = tuple(each for each in usual.profiles if each != profile_id) if fallback else ()
        return replace(usual, id=f"profile:{profile_id}", profiles=(profile_id, *behind))
    pool = configuration.pool(pool_id)
    if pool is None:
        known = ", ".join(configuration.pools) or "none yet"
        raise NotFound(f"There is no pool {pool_id!r}; the pools are: {known}.", field="pool")
    return pool


def members(configuration: Configuration, pool: Pool) -> Iterable[Profile]:
    """The pool's profiles that exist, in order."""
    return (configuration.profiles[each] for each in pool.profiles if each in configuration.profiles)


def candidate(
    profile: Profile, marks: Marks, *, model: str | None = None, tokens: int = 0, position: int = 0
) -> Candidate:
    """One profile as the router sees it. ``model`` is the requested name, ``tokens`` the request's estimated input."""
    resolved = resolve_model(profile, model)
    base_url = base_url_of(profile)
    return Candidate(
        profile_id=profile.id,
        model=resolved or model or "",
        endpoint=origin_of(base_url) if base_url else "",
        domain=marks.domain(profile),
        fingerprint=marks.fingerprint(profile),
        position=position,
        enabled=profile.enabled,
        excluded=_unsuitable(profile, resolved, model, base_url, tokens),
        last_resort=profile.last_resort,
    )


def _unsuitable(
    profile: Profile, resolved: str | None, asked: str | None, base_url: str | None, tokens: int
) -> str | None:
    if profile.provider not in PROVIDERS:
        return f"names the unknown provider {profile.provider!r}"
    if base_url is None:
        return "has no base URL"
    if resolved is None:
        return (
            f"does not serve the model {asked!r}"
            if asked
            else "names no model; choose one in the profile or the request"
        )
    if profile.context_window is not None and tokens > profile.context_window:
        return f"has a window of {profile.context_window:,} tokens, too small for about {tokens:,}"
    return None


def candidates(
    configuration: Configuration, pool: Pool, marks: Marks, request: ChatRequest | None = None, model: str | None = None
) -> tuple[Candidate, ...]:
    """The pool's profiles as candidates for ``request`` asking for ``model`` (None: each profile's own)."""
    tokens = estimated_tokens(request) if request else 0
    return tuple(
        candidate(profile, marks, model=model, tokens=tokens, position=position)
        for position, profile in enumerate(members(configuration, pool))
    )
