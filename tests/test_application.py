"""The house as its owner sees it: what is honest to say before the keyring has answered, and what a reset forgets."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import pytest

from rooroute import application, compose
from rooroute.adapters.config_file import ConfigFile
from rooroute.adapters.keychain_vaults import Trouble, Vault, VaultError
from rooroute.adapters.state_store import StateStore
from rooroute.application import Backend
from rooroute.chat import ChatRequest, CompletionOptions
from rooroute.compose import Places, make_backend
from rooroute.errors import AllCoolingDown, RoorouteError
from rooroute.overview import Overview
from rooroute.profiles import Defaults, Limits, Profile
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider, Step
from tests.adapters.test_keychain import FakeVault, Session, keyring, session
from tests.house import HELLO, Clock, Heard, until_noon
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


async def save(backend: Backend, provider: ScriptedProvider, name: str, key: str, **more: Any) -> None:
    profile = Profile(id=name, provider="gemini", base_url=provider.base_url("gemini"), model="m", **more)
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


@dataclass(frozen=True)
class Time:
    """The module ``time``, as far as a house needs it."""

    clock: Clock

    def time(self) -> float:
        return self.clock.now()

    def monotonic(self) -> float:
        return self.clock.monotonic()


async def test_a_limit_is_warned_of_once_and_no_more_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(compose, "time", Time(clock))
    monkeypatch.setattr(application, "_TABLE_POLLS", inf)  # what is learnt of models is told, too
    clock.ahead = until_noon(clock.now())
    told: list[Json] = []

    def warned() -> list[str]:
        latest: list[Json] = next((each["problems"] for each in reversed(told) if "problems" in each), [])
        return [each["message"] for each in latest if "its limit" in each["message"]]

    async with (
        ScriptedProvider({"A": [Answer("A.")]}) as provider,
        opened(tmp_path, FakeVault, monkeypatch) as backend,
    ):
        await save(backend, provider, "A", "A", limits=Limits(requests_per_day=10))
        backend.listen(told.append)
        for number in range(1, 11):
            await ask(backend)
            await backend.status()
            assert bool(warned()) is (number >= 8)
        sentences = [each["message"] for change in told for each in change.get("problems", ())]
        assert sentences.count("Profile A has used 80% or more of its limit of 10 requests per day.") == 1
        monkeypatch.setattr(StateStore, "poll", lambda _: False)  # nothing but the time shall tell of it
        async with asyncio.timeout(30):
            while backend._parts.changed.is_set():
                await asyncio.sleep(0.01)
        await backend.status()
        clock.ahead += 86_400 + 7_200
        async with asyncio.timeout(30):
            while warned():
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(("days", "kept"), [(365, 2), (90, 1), (7, 1)], ids=["longer", "usual", "shorter"])
async def test_attempts_are_kept_for_as_long_as_the_user_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, kept: int
) -> None:
    clock = Clock(ahead=-100 * 86_400)
    monkeypatch.setattr(compose, "time", Time(clock))
    async with ScriptedProvider({"A": [Answer("A.")]}) as provider:
        async with opened(tmp_path, FakeVault, monkeypatch) as backend:
            await backend.save_settings(Defaults(ledger_days=days), revision=None)
            await save(backend, provider, "A", "${KEY_B}")
        provider.script("B", Answer("A."))
        for ahead in (-100, 0):
            clock.ahead = ahead * 86_400
            async with opened(tmp_path, FakeVault, monkeypatch) as backend:
                await ask(backend)
        async with opened(tmp_path, FakeVault, monkeypatch) as backend:
            assert len(await backend._parts.state.attempts(0.0, 10)) == kept


@pytest.mark.parametrize("wrong", [RuntimeError("of nobody's making"), RoorouteError("Another process is writing.")])
async def test_a_look_or_a_telling_that_fails_is_not_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: Exception
) -> None:
    noted: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: noted.append(context["exception"]))
    monkeypatch.setattr(application, "_SETBACK_SECONDS", 0.1)
    failing = {"look": 0, "telling": 0}

    def broken(name: str, works: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def turn(of: Any) -> Any:
            if failing[name] < 3:
                failing[name] += 1
                raise wrong
            return works(of)

        return turn

    async with opened(tmp_path, FakeVault, monkeypatch) as backend:
        told: list[Json] = []
        await backend.status()
        backend.listen(told.append)
        monkeypatch.setattr(ConfigFile, "poll", broken("look", ConfigFile.poll))
        monkeypatch.setattr(Overview, "status", broken("telling", Overview.status))
        (tmp_path / "config.yaml").write_text("profiles: [{id: A, provider: gemini, model: m}]\n")
        async with asyncio.timeout(30):
            while not any(each["id"] == "A" for change in told for each in change.get("profiles", ())):
                await asyncio.sleep(0.01)
        assert backend.configuration.profiles.keys() == {"A"}
    assert failing == {"look": 3, "telling": 3}
    assert noted == ([] if isinstance(wrong, RoorouteError) else [wrong, wrong]), "each is told to the log once"
