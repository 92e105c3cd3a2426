"""A window as the story of a request sees it, with everything real but the clock, the secrets' home and the paid provider."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rooroute.adapters import machine
from rooroute.adapters.commands import Commands
from rooroute.adapters.http import Upstream
from rooroute.adapters.state_store import StateStore
from rooroute.adapters.token_source import TokenSource
from rooroute.chat import ChatRequest, CompletionOptions, Message, ToolCallDelta, Usage
from rooroute.completion import Completions
from rooroute.credentials import Credentials
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Defaults, Pool, Profile
from rooroute.providers.table import base_url_of
from rooroute.providers.tokens import Token
from rooroute.roster import candidate
from rooroute.routing.noticed import Noticed
from rooroute.routing.shown import Shown, shown_state
from rooroute.routing.window import Window
from rooroute.scripted_provider import ScriptedProvider, Step
from rooroute.secret import Secret, origin_of

HELLO: Final = ChatRequest((Message("user", "Hello?"),))


@dataclass
class Clock:
    """Wall clock and monotonic clock that a test can push ahead."""

    ahead: float = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def until_noon(now: float) -> float:
    """Seconds until a moment that is far from the border of every window: ten seconds past noon of tomorrow."""
    return (now // 86_400 + 1) * 86_400 + 43_210 - now


class Keys:
    """A secret store in memory."""

    store_name = "session"

    def __init__(self, keys: Mapping[str, Secret]) -> None:
        self.keys = dict(keys)
        self.reads: list[str] = []

    async def get(self, profile_id: str, slot: str) -> Secret | None:
        self.reads.append(profile_id)
        return self.keys.get(profile_id)

    def forget(self, profile_id: str) -> None:
        pass


@dataclass
class Heard:
    """A sink that remembers what it was told, in order."""

    log: list[tuple[Any, ...]] = field(default_factory=list)

    def attempt(self, n: int, profile_id: str, model: str, why: str) -> None:
        self.log.append(("attempt", n, profile_id))

    def text(self, text: str) -> None:
        self.log.append(("text", text))

    def thinking(self, text: str, signature: str | None) -> None:
        self.log.append(("thinking", text, signature))

    def tool_call(self, delta: ToolCallDelta) -> None:
        self.log.append(("toolCall", delta))

    def waiting(self, until: float | None, now: float, profile_ids: tuple[str, ...]) -> None:
        self.log.append(("waiting", until, profile_ids))

    def reset(self, n: int) -> None:
        self.log.append(("reset", n))

    def usage(self, usage: Usage) -> None:
        self.log.append(("usage", usage))

    async def room(self) -> None:
        pass

    @property
    def words(self) -> str:
        """The text a client would show: what came since the last reset."""
        shown = ""
        for kind, *rest in self.log:
            shown = "" if kind == "reset" else shown + rest[0] if kind == "text" else shown
        return shown

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, *_ in self.log]


@dataclass
class House:
    """One window with its pool."""

    provider: ScriptedProvider
    clock: Clock
    state: StateStore
    configuration: Configuration
    credentials: Credentials
    keys: Keys
    completions: Completions
    window: Window
    ports: Ports
    asked: int = 0

    async def ask(self, sink: Heard | None = None, request: ChatRequest = HELLO, **options: Any) -> dict[str, Any]:
        self.asked += 1
        name = options.pop("request_id", f"r{self.asked}")
        return await self.completions.complete(request, CompletionOptions(request_id=name, **options), sink or Heard())

    def shown(self, profile_id: str) -> Shown:
        profile = self.configuration.profiles[profile_id]
        return shown_state(candidate(profile, self.credentials), self.state.snapshot(), self.clock.now())

    def asked_with(self) -> list[str]:
        """The keys the provider was asked with, in order."""
        return [seen.key for seen in self.provider.requests]


def profile(provider: ScriptedProvider, profile_id: str, /, dialect: str = "gemini", **changes: Any) -> Profile:
    vendor = {"openai": "openai-compatible"}.get(dialect, dialect)
    base = provider.base_url(dialect)  # type: ignore[arg-type]
    return Profile(
        **{"id": profile_id, "provider": vendor, "base_url": base, "model": f"model-{profile_id}", **changes}
    )


async def no_google(path: str | None, origin: str, proxy: str | None) -> Token:
    """Nobody asks Google here."""
    raise AssertionError


@asynccontextmanager
async def house(
    folder: Path,
    scripts: Mapping[str, Sequence[Step]],
    *,
    dialect: str = "gemini",
    pool: Mapping[str, Any] | None = None,
    profiles: Mapping[str, Mapping[str, Any]] | None = None,
    defaults: Defaults | None = None,
) -> AsyncIterator[House]:
    """A pool "default" with one profile per script, in their order; a profile's key is its id."""
    async with ScriptedProvider(scripts) as provider:
        made = {
            each: profile(provider, each, **{"dialect": dialect, **(profiles or {}).get(each, {})}) for each in scripts
        }
        configuration = Configuration(
            profiles=made,
            pools={"default": Pool(**{"id": "default", "profiles": tuple(made), "max_wait": 0.0, **(pool or {})})},
            defaults=defaults or Defaults(),
            revision="1",
        )
        clock = Clock()
        state = StateStore(folder / "state.db", machine.identity(), clock=clock.now)
        state.open()
        keys = Keys({each: Secret(each, origin_of(base_url_of(made[each]) or "")) for each in made})
        upstream, window = Upstream({}), Window(noticed=Noticed(state.note_notice))
        tokens = TokenSource(upstream.request, Commands(os.environ), no_google, clock.now)
        credentials = Credentials(keys, {}, state.approved, state.fingerprint, clock.monotonic, tokens=tokens)
        ports = Ports(
            now=clock.now,
            monotonic=clock.monotonic,
            jitter=lambda: 0.0,
            configuration=lambda: built.configuration,
            state=state,
            credentials=credentials,
            upstream=upstream,
            owner=machine.identity(),
            changed=lambda: None,
        )
        built = House(
            provider, clock, state, configuration, credentials, keys, Completions(ports, window), window, ports
        )
        try:
            yield built
        finally:
            await credentials.close()
            await upstream.close()
            await state.close()
