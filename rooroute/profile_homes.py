"""Where a saved profile and its secret are kept, as protocols; the composition root hands in the adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from rooroute.profiles import Configuration, Defaults, Pool, Profile
from rooroute.routing.marks import Change, Snapshot
from rooroute.secret import Secret

T = TypeVar("T")


class Draft(Protocol):
    """One edit of the configuration, on what the file says at that moment."""

    def put_profile(self, profile: Profile, index: int | None = None) -> None: ...
    def remove_profile(self, profile_id: str) -> None: ...
    def rename_profile(self, old: str, new: str) -> None: ...
    def restore_profile(
        self,
        entry: Mapping[str, Any],
        index: int,
        places: Mapping[str, int],
        text: str | None = None,
        routing: Mapping[str, Mapping[str, Any]] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None: ...
    def set_enabled(self, profile_id: str, enabled: bool) -> None: ...
    def place(self, profile_id: str) -> dict[str, Any]: ...
    def put_pool(self, pool: Pool, index: int | None = None) -> None: ...
    def remove_pool(self, pool_id: str) -> None: ...
    def rename_pool(self, old: str, new: str) -> None: ...
    def set_defaults(self, defaults: Defaults) -> None: ...


class ConfigPort(Protocol):
    """The configuration file. ``load`` and ``save`` block: they are called in a worker thread."""

    @property
    def current(self) -> Configuration: ...

    def load(self) -> Configuration: ...

    def save(self, edit: Callable[[Draft], None], expected: str | None = None) -> Configuration:
        """Raises Conflict for a stale ``expected``; on any error nothing was changed."""

    def put_back(self, text: str, expected: str | None = None) -> Configuration:
        """Make ``text`` the whole file; raises as ``save``, and InvalidInput for a text that is no configuration."""


class SecretsPort(Protocol):
    """Where keys live; every method may raise SecretUnavailable."""

    @property
    def store_name(self) -> str: ...

    async def get(self, profile_id: str, slot: str) -> Secret | None: ...

    async def set(self, profile_id: str, slot: str, text: str, origin: str, saved_at: float | None = None) -> None: ...

    async def delete(self, profile_id: str, slot: str) -> None: ...


class StatePort(Protocol):
    """What is remembered beside the configuration: approved origins, and what was begun."""

    def approved(self, profile_id: str, slot: str) -> str | None: ...

    async def approve(self, profile_id: str, slot: str, origin: str) -> None: ...

    async def withdraw(self, profile_id: str, slot: str | None = None) -> None: ...

    async def rename_profile(self, old: str, new: str) -> None:
        """What is remembered of its attempts, marks and limits goes on under the new id."""

    async def put_intent(self, name: str, document: Mapping[str, Any]) -> None: ...

    async def drop_intent(self, name: str) -> None: ...

    async def intents(self) -> dict[str, dict[str, Any]]: ...

    async def update(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T: ...
