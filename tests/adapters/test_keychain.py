"""Keys in a keyring: a fake one that misbehaves on command, and a real gnome-keyring on a D-Bus of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rooroute.adapters.keychain import ClientStore, Keychain
from rooroute.adapters.keychain_vaults import Trouble, Vault, VaultError, open_system_vault, trouble_of
from rooroute.errors import SecretUnavailable

ORIGIN = "https://api.provider.test:443"
KEY = "canary-91ce40a7d2b84f3f9e55"
LONG = "".join(f"{i:05d}" for i in range(1_000))


@dataclass
class FakeVault:
    """Windows' limit on every item, and a call that fails, hangs or lies when told to."""

    items: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before: Callable[[str, str], None] = lambda verb, name: None
    keeps: bool = True
    prompting: bool = False

    def read(self, name: str) -> str | None:
        self._called("read", name)
        return self.items.get(name)

    def write(self, name: str, text: str) -> None:
        self._called("write", name)
        assert len(text) <= 1_280
        if self.keeps:
            self.items[name] = text

    def delete(self, name: str) -> None:
        self._called("delete", name)
        self.items.pop(name, None)

    def _called(self, verb: str, name: str) -> None:
        self.calls.append((verb, name))
        self.before(verb, name)

    def count(self, verb: str) -> int:
        return sum(1 for done, name in self.calls if done == verb and not name.startswith("probe/"))


def keychain_over(vault: Vault, deadline: float = 5.0) -> Keychain:
    return Keychain(deadline=deadline, open_vault=lambda: vault)


def no_keyring() -> Vault:
    raise VaultError(Trouble.ABSENT)


async def text_of(keychain: Keychain, profile_id: str) -> str | None:
    keychain.forget(profile_id)
    secret = await keychain.get(profile_id, "apiKey")
    return secret.reveal(ORIGIN) if secret else None


async def test_a_saved_key_comes_back_with_its_origin_and_its_date() -> None:
    vault = FakeVault()
    await keychain_over(vault).set("work", "apiKey", KEY, ORIGIN, 1_700_000_000.0)
    again = keychain_over(vault)
    secret = await again.get("work", "apiKey")
    assert secret is not None
    assert (secret.origin, secret.reveal(ORIGIN)) == (ORIGIN, KEY)
    assert await again.saved_at("work", "apiKey") == 1_700_000_000.0
    assert await again.get("work", "other") is None
    assert list(vault.items) == ["work/apiKey"]


async def test_a_key_is_read_from_the_keyring_once() -> None:
    vault = FakeVault()
    await keychain_over(vault).set("work", "apiKey", KEY, ORIGIN)
    keychain, before = keychain_over(vault), vault.count("read")
    for _ in range(100):
        await keychain.get("work", "apiKey")
    assert vault.count("read") - before == 1


async def test_every_key_saved_or_read_is_told_to_the_log_to_leave_out() -> None:
    vault, told = FakeVault(), list[str]()
    await Keychain(open_vault=lambda: vault, redact=told.append).set("work", "apiKey", KEY, ORIGIN)
    await Keychain(open_vault=lambda: vault, redact=told.append).get("work", "apiKey")
    assert told == [KEY, KEY]


async def test_forgetting_a_profile_reads_what_another_window_saved() -> None:
    vault = FakeVault()
    here, there = keychain_over(vault), keychain_over(vault)
    await here.set("work", "apiKey", "old", ORIGIN)
    await there.set("work", "apiKey", "new", ORIGIN)
    assert await text_of(here, "work") == "new"


async def test_a_deleted_key_is_gone_with_every_part() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.set("work", "apiKey", LONG, ORIGIN)
    await keychain.delete("work", "apiKey")
    await keychain.delete("work", "apiKey")
    assert await keychain.get("work", "apiKey") is None
    assert vault.items == {}


async def test_a_long_secret_is_kept_in_parts_and_replaced_without_leftovers() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.set("vertex", "apiKey", LONG, ORIGIN)
    first = set(vault.items)
    assert len(first) > 5
    await keychain.set("vertex", "apiKey", LONG[::-1], ORIGIN)
    assert await text_of(keychain, "vertex") == LONG[::-1]
    assert first & set(vault.items) == {"vertex/apiKey"}
    await keychain.set("vertex", "apiKey", "short", ORIGIN)
    assert await text_of(keychain, "vertex") == "short"
    assert list(vault.items) == ["vertex/apiKey"]


async def test_a_save_that_dies_at_any_call_leaves_the_old_key_or_the_new_one() -> None:
    total = 0
    for dies_at in range(1, 100):
        vault = FakeVault()
        await keychain_over(vault).set("vertex", "apiKey", LONG, ORIGIN)
        calls = 0

        def dying(verb: str, name: str, dies_at: int = dies_at) -> None:
            nonlocal calls
            calls += 1
            if calls >= dies_at:
                raise ConnectionResetError

        keychain = keychain_over(vault)
        await keychain.open()
        vault.before = dying
        try:
            await keychain.set("vertex", "apiKey", LONG[::-1], ORIGIN)
        except SecretUnavailable:
            total += 1
        vault.before = lambda verb, name: None
        assert await text_of(keychain, "vertex") in (LONG, LONG[::-1])
        if calls < dies_at:
            break
    assert total > 15


async def test_a_keyring_that_loses_what_it_is_given_is_not_used() -> None:
    keychain = keychain_over(FakeVault(keeps=False))
    status = await keychain.open()
    assert not status.usable
    with pytest.raises(SecretUnavailable):
        await keychain.set("work", "apiKey", KEY, ORIGIN)


async def test_a_keyring_that_loses_a_key_after_its_probe_is_noticed_at_the_save() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.open()
    vault.keeps = False
    with pytest.raises(SecretUnavailable) as caught:
        await keychain.set("work", "apiKey", KEY, ORIGIN)
    assert KEY not in str(caught.value)


async def test_without_a_keyring_keys_last_for_the_session_and_status_says_so() -> None:
    keychain = Keychain(open_vault=no_keyring)
    status = await keychain.open()
    assert (status.usable, status.store_name) == (True, "session")
    assert status.problem is not None
    assert "until this session ends" in status.problem
    await keychain.set("work", "apiKey", KEY, ORIGIN)
    assert await text_of(keychain, "work") == KEY
    await keychain.delete("work", "apiKey")
    assert await text_of(keychain, "work") is None


async def test_without_a_keyring_a_client_that_offers_keeps_the_keys() -> None:
    held: dict[tuple[str, str], str] = {}

    async def get(profile_id: str, slot: str) -> str | None:
        return held.get((profile_id, slot))

    async def put(profile_id: str, slot: str, value: str) -> None:
        held[profile_id, slot] = value

    async def delete(profile_id: str, slot: str) -> None:
        held.pop((profile_id, slot), None)

    keychain = Keychain(open_vault=no_keyring)
    await keychain.open()
    keychain.use_client(ClientStore(get, put, delete))
    await keychain.set("work", "apiKey", KEY, ORIGIN)
    assert keychain.store_name == "client"
    assert await text_of(keychain, "work") == KEY
    await keychain.delete("work", "apiKey")
    assert held == {}


async def test_a_client_that_does_not_answer_is_a_named_error() -> None:
    async def never(*args: str) -> None:
        await asyncio.Event().wait()

    keychain = Keychain(open_vault=no_keyring, client=ClientStore(never, never, never), deadline=0.1)
    with pytest.raises(SecretUnavailable, match="editor did not answer"):
        await keychain.get("work", "apiKey")


async def test_a_hung_keyring_ends_at_the_deadline_and_works_again_when_it_comes_back() -> None:
    stuck, vault = threading.Event(), FakeVault()
    await keychain_over(vault).set("work", "apiKey", KEY, ORIGIN)
    keychain, others = keychain_over(vault, deadline=0.2), set(threading.enumerate())

    def hangs(verb: str, name: str) -> None:
        if name == "work/apiKey":
            stuck.wait(30)

    vault.before = hangs
    for _ in range(5):
        keychain.forget("work")
        with pytest.raises(SecretUnavailable, match="does not answer"):
            await keychain.get("work", "apiKey")
    stuck.set()
    vault.before = lambda verb, name: None
    async with asyncio.timeout(20):
        while True:
            try:
                assert await text_of(keychain, "work") == KEY
                break
            except SecretUnavailable:
                await asyncio.sleep(0.02)
        while len(set(threading.enumerate()) - others) > 1:
            await asyncio.sleep(0.02)
    keychain.close()


async def test_one_call_that_never_returns_does_not_stop_the_next() -> None:
    released, vault = threading.Event(), FakeVault()
    keychain = keychain_over(vault, deadline=2.0)
    await keychain.set("work", "apiKey", KEY, ORIGIN)
    keychain.forget("work")

    def hangs(verb: str, name: str) -> None:
        if name == "lost/apiKey":
            released.wait(30)

    vault.before = hangs
    with pytest.raises(SecretUnavailable, match="does not answer"):
        await keychain.get("lost", "apiKey")
    assert await text_of(keychain, "work") == KEY
    released.set()
    keychain.close()


async def test_nothing_is_asked_of_a_keyring_that_is_asking_the_user() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.open()
    vault.prompting, vault.calls = True, []
    with pytest.raises(SecretUnavailable, match="locked"):
        await keychain.get("work", "apiKey")
    assert vault.calls == []


async def test_while_the_user_is_asked_to_unlock_nobody_opens_a_second_prompt() -> None:
    answered, vault = threading.Event(), FakeVault()

    def asks(verb: str, name: str) -> None:
        vault.prompting = True
        answered.wait(30)
        vault.prompting = False

    vault.before = asks
    keychain = keychain_over(vault, deadline=1.0)
    for _ in range(5):
        with pytest.raises(SecretUnavailable, match="locked"):
            await keychain.get("work", "apiKey")
    assert len(vault.calls) == 1
    vault.before = lambda verb, name: None
    answered.set()


async def test_a_keyring_that_breaks_for_one_key_serves_the_next() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.set("a", "apiKey", KEY, ORIGIN)

    def refuses(verb: str, name: str) -> None:
        if name.startswith("b/"):
            raise RuntimeError(f"failed on {KEY}")

    vault.before = refuses
    with pytest.raises(SecretUnavailable) as caught:
        await keychain.get("b", "apiKey")
    assert KEY not in str(caught.value)
    assert caught.value.data == {"profileId": "b"}
    assert await text_of(keychain, "a") == KEY


@pytest.mark.parametrize("stored", ["not json", "[]", '{"v":1}', '{"secret": 5, "origin": "x"}', "null", ""])
async def test_an_item_somebody_else_wrote_asks_for_the_key_again(stored: str) -> None:
    keychain = keychain_over(FakeVault({"work/apiKey": stored}))
    with pytest.raises(SecretUnavailable, match="enter it again"):
        await keychain.get("work", "apiKey")


async def test_a_manifest_whose_part_is_lost_reads_as_no_key() -> None:
    vault = FakeVault()
    keychain = keychain_over(vault)
    await keychain.set("vertex", "apiKey", LONG, ORIGIN)
    vault.items.pop(next(name for name in vault.items if name.endswith(".3")))
    assert await text_of(keychain, "vertex") is None


def test_foreign_exceptions_are_known_by_what_they_were_raised_from() -> None:
    class KeyringLocked(Exception):
        pass

    try:
        try:
            raise KeyringLocked
        except KeyringLocked as cause:
            raise ValueError from cause
    except ValueError as seen:
        assert trouble_of(seen) is Trouble.LOCKED
    assert trouble_of(FileNotFoundError()) is Trouble.ABSENT
    assert trouble_of(ZeroDivisionError()) is Trouble.BROKEN


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
async def test_the_environment_cannot_choose_the_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/elsewhere")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    vault = open_system_vault()
    assert "SecretService" in type(vault._backend).__name__  # type: ignore[attr-defined]
    assert not hasattr(vault._backend, "preferred_collection")  # type: ignore[attr-defined]
    assert (await Keychain().open()).store_name == "session"


# --- a real Secret Service ----------------------------------------------------------------------------------------------------------


@dataclass
class Session:
    """A D-Bus session of its own in a throw-away home."""

    environment: dict[str, str]
    daemon: subprocess.Popen[bytes] | None = None

    def run(self, code: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    folders = ("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
    environment = {name: str(tmp_path / name.lower()) for name in folders}
    for folder in environment.values():
        Path(folder).mkdir(mode=0o700)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdout
    environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", environment["DBUS_SESSION_BUS_ADDRESS"])
    yield Session(environment)
    bus.kill()
    bus.communicate()


@pytest.fixture
def keyring(session: Session) -> Iterator[Session]:
    """An unlocked gnome-keyring. The unlocking text needs a byte: with none, no collection is made and every call fails."""
    daemon = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        env={**os.environ, **session.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert daemon.stdin
    assert daemon.stdout
    daemon.stdin.write(b"\n")
    daemon.stdin.close()
    daemon.stdout.readline()
    session.daemon = daemon
    yield session
    sys.stderr.write(f"gnome-keyring-daemon before its kill: {daemon.poll()}\n")  # shown where the test failed
    daemon.kill()
    daemon.stdout.close()
    daemon.wait()


SAVE = f"""
import asyncio, sys
from rooroute.adapters.keychain import Keychain
async def main():
    keychain = Keychain(deadline=30)
    for profile_id in sys.argv[2:]:
        await keychain.set(profile_id, "apiKey", sys.argv[1] + profile_id, {ORIGIN!r}, 5.0)
    print(keychain.store_name)
asyncio.run(main())
"""

HANG = """
import asyncio
from rooroute.adapters.keychain import Keychain
print(asyncio.run(Keychain(deadline=0.3).open()))
"""


def finished(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said.strip()


@pytest.mark.requires("gnome-keyring")
async def test_a_key_saved_by_one_process_is_read_by_the_next(keyring: Session) -> None:
    assert finished(keyring.run(SAVE, LONG, "long")) == "keyring"
    assert finished(keyring.run(SAVE, KEY, "short")) == "keyring"
    keychain = Keychain(deadline=30)
    assert await text_of(keychain, "long") == LONG + "long"
    assert await text_of(keychain, "short") == KEY + "short"
    assert await keychain.saved_at("short", "apiKey") == 5.0
    keychain.close()


@pytest.mark.requires("gnome-keyring")
async def test_two_processes_saving_at_once_lose_nothing(keyring: Session) -> None:
    names = [[f"{who}{i}" for i in range(6)] for who in "ab"]
    saving = [keyring.run(SAVE, KEY, *some, "shared") for some in names]
    assert [finished(process) for process in saving] == ["keyring", "keyring"]
    keychain = Keychain(deadline=30)
    for name in (*names[0], *names[1], "shared"):
        assert await text_of(keychain, name) == KEY + name
    keychain.close()


def lock_collection() -> None:
    import secretstorage

    bus = secretstorage.dbus_init()
    secretstorage.get_default_collection(bus).lock()
    bus.close()


@pytest.mark.requires("gnome-keyring")
async def test_a_locked_keyring_is_named_and_what_was_read_still_serves(keyring: Session) -> None:
    keychain = Keychain(deadline=30)
    await keychain.set("known", "apiKey", KEY, ORIGIN)
    await keychain.set("unknown", "apiKey", KEY, ORIGIN)
    keychain.forget("unknown")
    lock_collection()
    with pytest.raises(SecretUnavailable, match="locked"):
        await keychain.get("unknown", "apiKey")
    assert await keychain.get("known", "apiKey") is not None
    status = await keychain.open()
    assert (status.usable, status.store_name) == (False, "keyring")
    keychain.close()


@pytest.mark.requires("gnome-keyring")
async def test_a_keyring_killed_in_between_is_an_error_and_never_a_hang(keyring: Session) -> None:
    keychain = Keychain(deadline=30)
    await keychain.set("work", "apiKey", KEY, ORIGIN)
    assert keyring.daemon
    keyring.daemon.send_signal(signal.SIGKILL)
    keyring.daemon.wait()
    keychain.forget("work")
    with pytest.raises(SecretUnavailable, match="work cannot be reached"):
        await keychain.get("work", "apiKey")
    keychain.close()


@pytest.fixture
def deaf_service(session: Session) -> Iterator[Session]:
    """Somebody owns org.freedesktop.secrets and answers nothing."""
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import open_dbus_connection

    connection = open_dbus_connection(session.environment["DBUS_SESSION_BUS_ADDRESS"])
    connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
    yield session
    connection.close()


@pytest.mark.requires("dbus")
async def test_a_service_that_never_answers_ends_at_the_deadline(deaf_service: Session) -> None:
    keychain = Keychain(deadline=0.5)
    status = await keychain.open()
    assert not status.usable
    assert "does not answer" in (status.problem or "")
    with pytest.raises(SecretUnavailable, match="does not answer"):
        await keychain.get("work", "apiKey")


@pytest.mark.requires("dbus")
async def test_the_first_request_of_a_connection_needs_no_record_of_who_asks(session: Session) -> None:
    """gnome-keyring aborts where it has none yet."""
    from jeepney import HeaderFields, MessageType
    from jeepney.bus_messages import message_bus
    from jeepney.io.blocking import open_dbus_connection

    with open_dbus_connection(session.environment["DBUS_SESSION_BUS_ADDRESS"]) as service:
        service.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"))
        await Keychain(deadline=1.0).open()
        while (heard := service.receive(timeout=20).header).message_type is not MessageType.method_call:
            pass
    assert heard.fields[HeaderFields.member] == "ReadAlias"


FORGETFUL = """
import secretstorage
real, asked = secretstorage.Collection, []
def forgetful(bus, *more):
    asked.append(bus)
    if len(asked) == 1:
        raise secretstorage.ItemNotFoundException("there is none for a moment")
    return real(bus, *more)
secretstorage.Collection = secretstorage.collection.Collection = forgetful
"""


@pytest.mark.requires("gnome-keyring")
async def test_a_collection_that_is_not_there_for_a_moment_is_asked_for_again(keyring: Session) -> None:
    """The library would have the user make one."""
    assert finished(keyring.run(FORGETFUL + SAVE, KEY, "one")) == "keyring"
    assert await text_of(Keychain(), "one") == f"{KEY}one"


@pytest.mark.requires("dbus")
def test_a_service_that_never_answers_does_not_hold_up_the_exit(deaf_service: Session) -> None:
    assert "usable=False" in finished(deaf_service.run(HANG))
