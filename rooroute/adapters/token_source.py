"""What is made when it is needed and kept in memory until shortly before its end: tokens from a command, from a token endpoint, from
Google, and secrets that a command prints.

However many requests wait for the same token, it is asked for once; one of them leaving takes it from nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from rooroute.adapters.commands import Commands
from rooroute.errors import SecretUnavailable
from rooroute.outcome import Unreachable
from rooroute.profiles import Auth, AuthKind, Profile, SecretCommand
from rooroute.providers.authentication import USUAL_SLOT, tls_of
from rooroute.providers.dialect import ErrorAnswer, HttpRequest, Tls
from rooroute.providers.tokens import Token, exchange, exchanged, printed_secret, token_of
from rooroute.secret import Secret

_LONGEST_ANSWER: Final = 256 * 1024


class Ask(Protocol):
    """One short exchange through a profile's proxy. Raises Unreachable."""

    async def __call__(self, request: HttpRequest, *, seconds: float, limit: int, proxy: str | None) -> ErrorAnswer: ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """All that decides which token comes; profiles that want the same share it."""

    auth: Auth | None
    origin: str
    client_secret: Secret | None
    proxy: str | None
    tls: Tls | None
    credentials_file: str | None
    printed: SecretCommand | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token
    since: float


Google = Callable[[str | None, str, str | None], Awaitable[Token]]
"""Credentials file (None: application default credentials), origin that the token goes to, proxy: a Google token."""


class TokenSource:
    """Tokens by profile. ``now`` gives UTC epoch seconds; ``redact`` is told of a token's text before anything is done with it."""

    def __init__(
        self,
        ask: Ask,
        commands: Commands,
        google: Google,
        now: Callable[[], float],
        redact: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._ask = ask
        self._commands = commands
        self._google = google
        self._now = now
        self._redact = redact
        self._kept: dict[_Wanted, _Kept] = {}
        self._coming: dict[_Wanted, asyncio.Task[Token]] = {}
        self._wanted_by: dict[str, dict[str, _Wanted]] = {}  # by profile and slot

    async def token(self, profile: Profile, origin: str, client_secret: Secret | None) -> Secret:
        """The profile's token for ``origin``. One that cannot be renewed is used to its very end. Raises SecretUnavailable."""
        return await self._current(profile, USUAL_SLOT, _wanted(profile, origin, client_secret))

    async def printed(self, profile: Profile, slot: str, origin: str) -> Secret:
        """What the command for this slot of the profile printed, for ``origin``; kept and renewed like a token. Raises SecretUnavailable."""
        command = profile.secret_commands[slot]
        return await self._current(profile, slot, _Wanted(None, origin, None, None, None, None, command))

    async def _current(self, profile: Profile, slot: str, wanted: _Wanted) -> Secret:
        self._wanted_by.setdefault(profile.id, {})[slot] = wanted
        kept = self._kept.get(wanted)
        if kept is not None and kept.token.fresh(self._now()):
            return kept.token.secret
        try:
            return (await self._renewed(slot, wanted)).secret
        except SecretUnavailable as wrong:
            if kept is not None and self._kept.get(wanted) is kept and self._now() < kept.token.expires_at:
                return kept.token.secret
            raise SecretUnavailable(f"{profile.title}: {wrong.message}", profileId=profile.id) from None

    def drop(self, profile_id: str, used_at: float | None = None) -> None:
        """Get another token next time: this one was refused to a request sent at ``used_at`` (UTC epoch seconds; None: whenever). One that
        came after that is kept."""
        for wanted in self._wanted_by.get(profile_id, {}).values():
            kept = self._kept.get(wanted)
            if kept is not None and (used_at is None or kept.since <= used_at):
                del self._kept[wanted]

    async def close(self) -> None:
        """Give up what is still coming, and forget the rest."""
        tasks = list(self._coming.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    async def _renewed(self, slot: str, wanted: _Wanted) -> Token:
        task = self._coming.get(wanted)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(slot, wanted))
            self._coming[wanted] = task
            task.add_done_callback(partial(self._came, wanted))
        return await asyncio.shield(task)

    def _came(self, wanted: _Wanted, task: asyncio.Task[Token]) -> None:
        self._coming.pop(wanted, None)
        if not task.cancelled():
            task.exception()  # read, in case everybody who wanted it has left

    async def _fetch(self, slot: str, wanted: _Wanted) -> Token:
        auth, command = wanted.auth, wanted.printed
        if command is not None:
            limit = f"secretCommands.{slot}.timeout"
            printed = await self._commands.run(command.command, seconds=command.timeout, limit=limit)
            token = printed_secret(printed, origin=wanted.origin, now=self._now(), lifetime=command.lifetime)
        elif auth is not None and auth.kind is AuthKind.TOKEN_COMMAND:
            printed = await self._commands.run(auth.command, seconds=auth.timeout)
            token = token_of(printed, origin=wanted.origin, now=self._now(), lifetime=auth.lifetime)
        elif auth is not None and auth.kind is AuthKind.OAUTH_CLIENT_CREDENTIALS:
            token = await self._exchange(auth, wanted)
        else:
            token = await self._google(wanted.credentials_file, wanted.origin, wanted.proxy)
        self._redact(token.secret.reveal(wanted.origin))
        others = {other: kept for other, kept in self._kept.items() if self._now() < kept.token.expires_at}
        self._kept = {**others, wanted: _Kept(token, self._now())}
        return token

    async def _exchange(self, auth: Auth, wanted: _Wanted) -> Token:
        if wanted.client_secret is None:
            raise SecretUnavailable("The client secret is missing; add clientSecret to the profile.")
        request = replace(exchange(auth, wanted.client_secret), tls=wanted.tls)
        try:
            answer = await self._ask(request, seconds=auth.timeout, limit=_LONGEST_ANSWER, proxy=wanted.proxy)
        except Unreachable as lost:
            raise SecretUnavailable(f"No token came from the token endpoint. {lost.failure.message}") from None
        return exchanged(answer, auth, origin=wanted.origin, now=self._now())


def _wanted(profile: Profile, origin: str, client_secret: Secret | None) -> _Wanted:
    auth = profile.auth
    if auth is not None and auth.kind is AuthKind.TOKEN_COMMAND:
        return _Wanted(auth, origin, None, None, None, None)
    if auth is not None and auth.kind is AuthKind.OAUTH_CLIENT_CREDENTIALS:
        return _Wanted(auth, origin, client_secret, profile.proxy, tls_of(profile), None)
    file = profile.options.get("credentialsFile")
    return _Wanted(None, origin, None, profile.proxy, None, str(file) if file else None)
