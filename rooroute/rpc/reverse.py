"""Requests from the server to the client: its secret storage, where it offers one."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

from rooroute.errors import RoorouteError, SecretUnavailable
from rooroute.rpc.envelope import Reply, RequestId

_SECONDS: Final = 20.0


class Questions:
    """Open requests of ours, each with a deadline."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._open: dict[RequestId, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)

    async def ask(self, method: str, params: dict[str, Any], unavailable: RoorouteError, seconds: float) -> Any:
        """The client's result; raises ``unavailable`` when it refuses, or does not answer within ``seconds``."""
        ident = f"rooroute-{next(self._numbers)}"
        future = self._open[ident] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                self._send({"jsonrpc": "2.0", "id": ident, "method": method, "params": params})
                return await future
        except TimeoutError:
            self._send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": ident}})
            raise unavailable from None
        except _RefusedByClient:
            raise unavailable from None
        finally:
            del self._open[ident]

    def settle(self, reply: Reply) -> None:
        """Take an answer; one that nobody waits for any more is ignored."""
        future = self._open.get(reply.id)
        if future is None or future.done():
            return
        if reply.error is not None:
            future.set_exception(_RefusedByClient())
        else:
            future.set_result(reply.result)


class _RefusedByClient(Exception):
    """The client answered with an error; its text is not ours to repeat."""


class ClientSecrets:
    """The editor's own secret storage, by ``rooroute/secrets/*``."""

    def __init__(self, questions: Questions, seconds: float = _SECONDS) -> None:
        self._questions = questions
        self._seconds = seconds

    async def get(self, profile_id: str, slot: str) -> str | None:
        """What the client holds, or None; ``SecretUnavailable`` when it cannot tell."""
        answer = await self._ask("get", profile_id, slot)
        value = answer.get("value") if isinstance(answer, dict) else None
        return value if isinstance(value, str) else None

    async def set(self, profile_id: str, slot: str, value: str) -> None:
        await self._ask("set", profile_id, slot, value=value)

    async def delete(self, profile_id: str, slot: str) -> None:
        await self._ask("delete", profile_id, slot)

    async def _ask(self, verb: str, profile_id: str, slot: str, **more: str) -> Any:
        unavailable = SecretUnavailable(
            f"The editor's secret storage did not serve the key of {profile_id}; unlock it, or save the key again.",
            profileId=profile_id,
        )
        params = {"profileId": profile_id, "slot": slot, **more}
        return await self._questions.ask(f"rooroute/secrets/{verb}", params, unavailable, self._seconds)
