"""The house as its owner sees it: what is honest to say before the keyring has answered, and what a reset forgets."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rooroute import compose
from rooroute.adapters.keychain_vaults import Trouble, Vault, VaultError
from rooroute.application import Backend
from rooroute.chat import ChatRequest, CompletionOptions
from rooroute.compose import Places, make_backend
from rooroute.errors import AllCoolingDown
from rooroute.profiles import Profile
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider, Step
from tests.adapters.test_keychain import FakeVault, Session, keyring, session
from tests.house import HELLO, Heard
from tests.rpc.client import Client
from tests.test_routing_in_public import SERVE

__all__ = ["keyring", "session"]

Json = dict[str, Any]


@asynccontextmanager
async def opened(
    folder: Path, open_vault: Callable[[], Vault], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Backend]:
    """A house over this keyring."""
    monkeypatch.setattr(compose, "_vault_opener", lambda environment: open_vault)
    where = Places(folder / "config.yaml", folder / "state.sqlite3", folder / "log")
    backend = await make_backend(where, {"KEY_B": "B"})
    try:
        yield backend
    finally:
        await backend.close()


async def save(backend: Backend, provider: ScriptedProvider, name: str, key: str) -> None:
    profile = Profile(id=name, provider="gemini", base_url=provider.base_url("gemini"), model="m")
    await backend.save_profile(profile, {"apiKey": key}, revision=None, approve_origin=False)


async def ask(backend: Backend, request: ChatRequest = HELLO) -> Json:
    return await backend.complete(request, CompletionOptions(request_id="r"), Heard())


@pytest.mark.parametrize(
    ("trouble", "store"), [(None, "keyring"), (Trouble.ABSENT, "session"), (Trouble.LOCKED, "keyring")]
)
async def test_until_the_keyring_answers_nothing_is_claimed_of_it_and_who_needs_none_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: Trouble | None, store: str
) -> None:
    answers = threading.Event()

    def slow() -> Vault:
        answers.wait(60)
        if trouble is not None:
            raise VaultError(trouble)
        return FakeVault()

    async with ScriptedProvider({"B": [Answer("B.")]}) as provider:
        async with opened(tmp_path, FakeVault, monkeypatch) as before:
            await save(before, provider, "A", "typed")
            await save(before, provider, "B", "${KEY_B}")
        async with opened(tmp_path, slow, monkeypatch) as backend:
            told: list[Json] = []
            backend.listen(told.append)
            status = await backend.status()
            assert status["secretStore"] == "unchecked"
            assert [each["secret"] for each in status["profiles"]] == ["unchecked", "environment"]
            answer = await backend.complete(HELLO, CompletionOptions(request_id="r", profile="B"), Heard())
            assert answer["message"].content == "B."
            assert (await backend.status())["secretStore"] == "unchecked"
            answers.set()
            async with asyncio.timeout(30):
                while not any(change.get("secretStore") == store for change in told):
                    await asyncio.sleep(0.01)
            assert (await backend.status())["secretStore"] == store


@pytest.mark.requires("gnome-keyring")
async def test_a_window_tells_by_itself_that_the_real_keyring_keeps_the_keys(keyring: Session) -> None:
    environment = {name: text for name, text in os.environ.items() if name != compose.SECRET_STORE}
    async with await Client.start(SERVE, env={**environment, **keyring.environment}) as client:
        await client.initialize()
        status = await client.request("rooroute/status")
        if status["secretStore"] == "unchecked":  # asked before the keyring has answered
            assert (await client.notified("rooroute/statusChanged"))["secretStore"] == "keyring"
        assert (await client.request("rooroute/status"))["secretStore"] == "keyring"


async def test_a_reset_forgets_what_lies_on_the_quota_of_the_key_it_forgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = FakeVault()
    script: list[Step] = [Fail("rate-limit", retry_delay=600), Answer("Back.")]
    async with (
        ScriptedProvider({"A": script}) as provider,
        opened(tmp_path, lambda: vault, monkeypatch) as backend,
    ):
        await save(backend, provider, "A", "A")
        with pytest.raises(AllCoolingDown):
            await ask(backend)
        reads = vault.count("read")
        reset = await backend.reset_profile("A")
        assert reset["profile"]["state"] == "active"
        assert (await ask(backend))["message"].content == "Back."
        assert vault.count("read") > reads, "a key that was repaired in the keyring is read anew"
