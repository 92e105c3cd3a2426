"""A profile and its secret, kept together through crashes, second thoughts and other windows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from rooroute.adapters.config_file import ConfigFile
from rooroute.adapters.state_store import StateStore
from rooroute.errors import Conflict, InvalidInput, NotFound, OriginNotApproved, RoorouteError, SecretUnavailable
from rooroute.ledger import AttemptRecord
from rooroute.outcome import Fault, Scope
from rooroute.profiles import (
    Auth,
    AuthKind,
    Defaults,
    Knowledge,
    Limits,
    Need,
    Pool,
    Profile,
    Rule,
    SecretCommand,
    When,
)
from rooroute.providers.table import check
from rooroute.routing.limits import Count
from rooroute.routing.marks import Change, Mark, MarkKey, MarkState
from rooroute.saved_profiles import SavedProfiles
from rooroute.secret import Secret

GOOGLE = "https://generativelanguage.googleapis.com:443"
GEMINI = Profile(id="Gemini1", provider="gemini", name="My Gemini", model="gemini-2.5-pro")
LOCAL = Profile(id="local", provider="openai-compatible", base_url="http://127.0.0.1:8080/v1", model="m")


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Keys:
    """A keyring. ``fail_at`` counts down the calls until one does what ``failure`` says; ``steps`` tells what was called."""

    store_name: str = "keyring"
    items: dict[tuple[str, str], Secret] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    fail_at: int = -1
    failure: BaseException = field(default_factory=lambda: SecretUnavailable("The keyring is locked."))

    def _step(self, name: str) -> None:
        self.steps.append(name)
        self.fail_at -= 1
        if self.fail_at == 0:
            raise self.failure

    async def get(self, profile_id: str, slot: str) -> Secret | None:
        self._step("get")
        return self.items.get((profile_id, slot))

    async def set(self, profile_id: str, slot: str, text: str, origin: str, saved_at: float | None = None) -> None:
        self._step("set")
        self.items[profile_id, slot] = Secret(text, origin)

    async def delete(self, profile_id: str, slot: str) -> None:
        self._step("delete")
        self.items.pop((profile_id, slot), None)

    def texts(self) -> dict[str, str]:
        return {profile: secret.reveal(secret.origin) for (profile, _), secret in self.items.items()}


class House:
    """One window with its own file, state and keyring, and a clock of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1_800_000_000.0
        self.keys = Keys()
        self.alive = True
        self.restart()

    def restart(self) -> None:
        self.config = ConfigFile(self.path / "config.yaml", check)
        self.config.load()
        name = "first" if not hasattr(self, "state") else "second"
        self.state = StateStore(
            self.path / "state.sqlite3", name, clock=lambda: self.now, alive=lambda one: one != "first" or self.alive
        )
        self.state.open()
        self.saved = SavedProfiles(self.config, self.keys, self.state, check=check, now=lambda: self.now)

    @property
    def profiles(self) -> dict[str, Profile]:
        return dict(self.config.load().profiles)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    await house.state.close()


async def with_gemini(house: House) -> None:
    await house.saved.save(GEMINI, {"apiKey": "AIza-1"})


# --- saving ---


async def test_a_profile_and_its_key_are_saved_apart(house: House) -> None:
    assert await house.saved.save(GEMINI, {"apiKey": "AIza-1"}) == ()
    assert house.profiles == {"Gemini1": replace(GEMINI, key_saved_at="2027-01-15T08:00:00.000Z")}
    assert house.keys.items == {("Gemini1", "apiKey"): Secret("AIza-1", GOOGLE)}
    assert "AIza" not in (house.path / "config.yaml").read_text()
    assert await house.state.intents() == {}


async def test_a_key_with_space_around_is_trimmed_and_said_so(house: House) -> None:
    assert "White space" in (await house.saved.save(GEMINI, {"apiKey": "  AIza-1\n"}))[0]
    assert house.keys.texts() == {"Gemini1": "AIza-1"}


async def test_without_a_keyring_the_user_is_told_that_the_key_is_of_this_session(house: House) -> None:
    house.keys.store_name = "session"
    assert "this session only" in (await house.saved.save(GEMINI, {"apiKey": "AIza-1"}))[0]


@pytest.mark.parametrize(
    ("profile", "secrets", "field", "words"),
    [
        pytest.param(GEMINI, {"apiKey": "AIza\nX"}, "apiKey", "line break", id="key-with-a-newline"),
        pytest.param(GEMINI, {"apiKey": "  "}, "apiKey", "empty", id="empty-key"),
        pytest.param(GEMINI, {"apiKey": "sk-ключ"}, "apiKey", "character", id="non-ascii-key"),
        pytest.param(GEMINI, {"password": "x"}, "secrets.password", "no secret named", id="unknown-slot"),
        pytest.param(replace(GEMINI, provider="nobody"), {}, "profile.provider", "nobody", id="unknown-provider"),
        pytest.param(replace(GEMINI, id="a/b"), {}, "profile.id", "slashes", id="bad-id"),
        pytest.param(replace(GEMINI, base_url="https://me:pw@host/"), {}, "profile.baseUrl", "credentials", id="url-with-credentials"),
        pytest.param(replace(GEMINI, api_key="AIza-1"), {}, "profile.apiKey", "configuration", id="key-in-the-profile"),
        pytest.param(replace(GEMINI, cooldown=-1.0), {}, "profile.cooldown", "cooldown", id="negative-cooldown"),
        pytest.param(replace(LOCAL, base_url=None), {"apiKey": "k"}, "profile.baseUrl", "URL", id="no-address"),
        pytest.param(replace(GEMINI, id="gemini1"), {}, "profile.id", "already", id="id-twice-but-for-case"),
        pytest.param(replace(GEMINI, id="other"), {}, "profile.name", "already", id="name-twice"),
        pytest.param(replace(GEMINI, id="other", name="gemini1"), {}, "profile.name", "already", id="name-that-is-an-id"),
    ],
)  # fmt: skip
async def test_bad_input_names_field_and_remedy_and_saves_nothing(
    house: House, profile: Profile, secrets: dict[str, str], field: str, words: str
) -> None:
    await with_gemini(house)
    text = (house.path / "config.yaml").read_text()
    with pytest.raises(InvalidInput, match=words) as wrong:
        await house.saved.save(profile, secrets)
    assert wrong.value.field == field
    assert not any(
        secret and secret in wrong.value.message for secret in secrets.values() if secret.strip() and len(secret) > 1
    )
    assert (house.path / "config.yaml").read_text() == text
    assert house.keys.texts() == {"Gemini1": "AIza-1"}
    assert await house.state.intents() == {}


async def test_a_new_profile_cannot_take_an_old_ones_id(house: House) -> None:
    await with_gemini(house)
    with pytest.raises(InvalidInput, match="already"):
        await house.saved.save(GEMINI, {}, new=True)


async def test_saving_again_without_a_key_keeps_the_key(house: House) -> None:
    await with_gemini(house)
    await house.saved.save(replace(GEMINI, cooldown=60.0), {})
    assert house.profiles["Gemini1"].key_saved_at
    assert house.profiles["Gemini1"].cooldown == 60
    assert house.keys.texts() == {"Gemini1": "AIza-1"}


async def test_another_address_asks_for_the_key_again(house: House) -> None:
    await with_gemini(house)
    elsewhere = replace(GEMINI, base_url="https://proxy.example/v1beta")
    with pytest.raises(InvalidInput, match=r"enter the key") as wrong:
        await house.saved.save(elsewhere, {}, approve_origin=True)
    assert wrong.value.field == "apiKey"
    assert house.profiles["Gemini1"].base_url is None
    await house.saved.save(elsewhere, {"apiKey": "AIza-2"})
    assert house.keys.items == {("Gemini1", "apiKey"): Secret("AIza-2", "https://proxy.example:443")}
    await house.saved.save(replace(elsewhere, base_url="https://proxy.example/v2"), {})


@pytest.mark.parametrize("key", [{}, {"apiKey": "k"}], ids=["without-a-key", "with-a-key"])
async def test_plain_http_beyond_this_machine_needs_an_approval_once(house: House, key: dict[str, str]) -> None:
    lan = replace(LOCAL, base_url="http://192.168.1.5:8080/v1")
    with pytest.raises(OriginNotApproved, match="without encryption") as refused:
        await house.saved.save(lan, key)
    assert refused.value.data["origin"] == "http://192.168.1.5:8080"
    assert house.profiles == {}
    assert house.keys.items == {}
    await house.saved.save(lan, key, approve_origin=True)
    await house.saved.save(replace(lan, model="other"), {})
    assert house.state.approved("local", "apiKey") == "http://192.168.1.5:8080"
    with pytest.raises(RoorouteError):
        await house.saved.save(replace(lan, base_url="http://192.168.1.6:8080/v1"), {})


async def test_this_machine_needs_no_approval(house: House) -> None:
    await house.saved.save(LOCAL, {})
    assert house.profiles["local"].key_saved_at is None


async def test_a_reference_goes_into_the_profile_and_its_key_out_of_the_keyring(house: House) -> None:
    await with_gemini(house)
    await house.saved.save(GEMINI, {"apiKey": "${GEMINI_KEY}"})
    assert house.profiles["Gemini1"].api_key == "${GEMINI_KEY}"
    assert house.profiles["Gemini1"].key_saved_at is None
    assert house.keys.items == {}
    await house.saved.save(house.profiles["Gemini1"], {"apiKey": "AIza-3"})
    assert house.profiles["Gemini1"].api_key is None
    assert house.keys.texts() == {"Gemini1": "AIza-3"}


async def test_a_references_address_is_approved_by_giving_it_and_not_by_moving_it(house: House) -> None:
    away = replace(LOCAL, base_url="https://llm.example/v1", api_key="os.environ/KEY")
    await house.saved.save(away, {})
    assert house.state.approved("local", "apiKey") == "https://llm.example:443"
    moved = replace(away, base_url="https://elsewhere.example/v1")
    with pytest.raises(OriginNotApproved, match="approve"):
        await house.saved.save(moved, {})
    assert house.profiles["local"].base_url == "https://llm.example/v1"
    await house.saved.save(moved, {}, approve_origin=True)
    await house.saved.save(away, {"apiKey": "os.environ/KEY"})
    assert house.state.approved("local", "apiKey") == "https://llm.example:443"


async def test_an_entry_that_needed_attention_is_mended_without_its_key(house: House) -> None:
    await with_gemini(house)
    path = house.path / "config.yaml"
    path.write_text(path.read_text().replace("    model:", "    colour: blue\n    model:"))
    assert "Gemini1" in house.config.load().unreadable
    await house.saved.save(replace(GEMINI, key_saved_at="2027-01-15T08:00:00.000Z"), {})
    assert house.profiles["Gemini1"].key_saved_at
    assert house.keys.texts() == {"Gemini1": "AIza-1"}


@pytest.mark.parametrize(
    ("change", "kept"),
    [({"cooldown": 9.0}, True), ({"model": "other"}, False), ({"base_url": "https://x.example"}, False)],
    ids=["a-cooldown-changes-no-judgement", "another-model-is-judged-anew", "another-address-is-judged-anew"],
)
async def test_judgements_end_with_what_they_judged(house: House, change: dict[str, object], kept: bool) -> None:
    await with_gemini(house)
    mark = Mark(MarkKey(Scope.PROFILE, "Gemini1"), MarkState.FAILED, Fault.CREDENTIAL, house.now, profile_id="Gemini1")
    await house.state.update(lambda _: (Change(put_marks=(mark,)), None))
    await house.saved.save(replace(GEMINI, **change), {"apiKey": "AIza-1"} if "base_url" in change else {})  # type: ignore[arg-type]
    assert bool(house.state.snapshot().marks) == kept


async def test_a_stale_revision_is_a_conflict_and_the_key_stays(house: House) -> None:
    await with_gemini(house)
    revision = house.config.current.revision
    ConfigFile(house.path / "config.yaml").save(lambda draft: draft.set_enabled("Gemini1", False))
    with pytest.raises(Conflict) as conflict:
        await house.saved.save(replace(GEMINI, cooldown=5.0), {"apiKey": "AIza-2"}, revision=revision)
    assert conflict.value.data["yours"]["cooldown"] == 5
    assert conflict.value.data["current"]["enabled"] is False
    assert house.keys.texts() == {"Gemini1": "AIza-1"}
    assert house.profiles["Gemini1"].cooldown is None


async def test_a_keyring_that_fails_saves_nothing(house: House) -> None:
    house.keys.fail_at = 2
    with pytest.raises(SecretUnavailable):
        await with_gemini(house)
    assert house.profiles == {}
    assert await house.state.intents() == {}


async def test_a_disk_that_fails_puts_the_old_key_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_gemini(house)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rooroute.adapters.machine.replace_file", full)
    with pytest.raises(RoorouteError, match="disk is full"):
        await house.saved.save(replace(GEMINI, cooldown=5.0), {"apiKey": "AIza-2"})
    with pytest.raises(RoorouteError, match="disk is full"):
        await house.saved.save(replace(LOCAL, id="new"), {"apiKey": "k"})
    assert house.keys.texts() == {"Gemini1": "AIza-1"}
    assert set(house.profiles) == {"Gemini1"}


async def test_a_caller_who_gives_up_leaves_nothing_half_saved(house: House) -> None:
    task = asyncio.ensure_future(house.saved.save(GEMINI, {"apiKey": "AIza-1"}))
    while "get" not in house.keys.steps:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await house.saved.save_pool(Pool(id="p", profiles=("Gemini1",)))
    assert house.keys.texts() == {"Gemini1": "AIza-1"}
    assert set(house.profiles) == {"Gemini1"}
    assert await house.state.intents() == {}


# --- crashes ---

Act = Callable[[House], object]
ACTS: dict[str, Act] = {
    "save": lambda house: house.saved.save(LOCAL, {"apiKey": "k"}),
    "save-a-reference": lambda house: house.saved.save(GEMINI, {"apiKey": "${X}"}),
    "duplicate": lambda house: house.saved.duplicate("Gemini1", "copy"),
    "rename": lambda house: house.saved.rename("Gemini1", "renamed"),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("step", range(1, 6))
async def test_killed_between_any_two_steps_no_secret_is_left_alone_and_no_profile_silently_without_one(
    house: House, act: str, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_gemini(house)
    kept: set[str] = set()

    async def dead(*_: object) -> None:
        raise Killed

    def killed_here(*_: object) -> None:
        raise Killed

    # The process dies in the step-th call of the keyring: nothing that would run afterwards runs.
    house.keys.fail_at, house.keys.failure = step, Killed()
    monkeypatch.setattr(house.saved, "_put_back", dead)
    monkeypatch.setattr(house.saved._unfinished, "finish_if_possible", dead)
    monkeypatch.setattr(house.state, "drop_intent", dead)
    with pytest.raises(Killed):
        await ACTS[act](house)  # type: ignore[misc]
    house.keys.fail_at = -1
    house.alive = False
    await house.state.close()
    house.restart()
    house.now += 601  # until then an undo needs the key under its former name
    await house.saved.tidy()
    kept = {profile for profile, _ in house.keys.items}
    holders = {p.id for p in house.profiles.values() if p.key_saved_at}
    assert kept == holders
    assert await house.state.intents() == {}


async def test_what_another_living_window_is_doing_is_left_alone(house: House, tmp_path: Path) -> None:
    await house.keys.set("new", "apiKey", "k", GOOGLE)
    await house.state.put_intent("save:new", {"kind": "save", "profiles": {"new": ["apiKey"]}, "at": house.now})
    other = SavedProfiles(house.config, house.keys, house.state, check=check, now=lambda: house.now)
    await other.tidy()
    assert ("new", "apiKey") in house.keys.items


async def test_a_locked_keyring_is_tidied_at_a_later_start(house: House) -> None:
    await house.keys.set("gone", "apiKey", "k", GOOGLE)
    await house.state.put_intent("delete:gone", {"kind": "delete", "profiles": {"gone": ["apiKey"]}, "at": 0})
    house.keys.fail_at = 1
    await house.saved.tidy()
    assert "delete:gone" in await house.state.intents()
    await house.saved.tidy()
    assert house.keys.items == {}
    assert await house.state.intents() == {}


# --- delete and restore ---


async def with_pool(house: House) -> None:
    await with_gemini(house)
    await house.saved.save(LOCAL, {})
    await house.saved.save_pool(Pool(id="default", profiles=("local", "Gemini1")))


async def test_a_deleted_profile_comes_back_with_key_and_places_for_ten_minutes(house: House) -> None:
    await with_pool(house)
    before = house.config.load()
    assert await house.saved.delete("Gemini1") == ("default",)
    assert set(house.profiles) == {"local"}
    assert house.config.current.pools["default"].profiles == ("local",)
    house.now += 599
    await house.saved.tidy()
    await house.saved.restore("Gemini1")
    assert house.profiles == before.profiles
    assert list(house.profiles) == ["Gemini1", "local"]
    assert house.config.current.pools == before.pools
    assert house.keys.texts() == {"Gemini1": "AIza-1"}
    with pytest.raises(NotFound):
        await house.saved.restore("Gemini1")


async def test_a_restored_profile_has_its_places_in_rules_weights_and_routes_again(house: House) -> None:
    await with_gemini(house)
    await house.saved.save(LOCAL, {})
    pool = Pool(
        id="default",
        profiles=("local", "Gemini1"),
        weights={"Gemini1": 2.0},
        default_route="Gemini1",
        model_routes={"gemini-*": "Gemini1"},
        rules=(
            Rule(name="plans", when=When(mode=("architect",)), profiles=("Gemini1", "local")),
            Rule(name="images", when=When(needs=(Need.IMAGES,)), profiles=("Gemini1",)),
        ),
    )
    await house.saved.save_pool(pool)
    await house.saved.delete("Gemini1")
    await house.state.close()
    house.restart()
    await house.saved.restore("Gemini1")
    assert house.config.current.pools["default"] == pool


async def test_after_ten_minutes_a_deleted_profile_is_gone_with_its_key(house: House) -> None:
    await with_pool(house)
    await house.saved.delete("Gemini1")
    house.now += 601
    with pytest.raises(NotFound, match="ten minutes"):
        await house.saved.restore("Gemini1")
    await house.state.close()
    house.restart()
    await house.saved.tidy()
    assert house.keys.items == {}
    assert await house.state.intents() == {}


async def test_a_new_profile_of_a_deleted_ones_name_does_not_inherit_its_key(house: House) -> None:
    await with_pool(house)
    await house.saved.delete("Gemini1")
    await house.saved.save(GEMINI, {})
    assert house.keys.items == {}
    with pytest.raises(NotFound):
        await house.saved.restore("Gemini1")
    await house.saved.delete("Gemini1")
    await house.saved.save(GEMINI, {"apiKey": "AIza-9"})
    house.now += 601
    await house.saved.tidy()
    assert house.keys.texts() == {"Gemini1": "AIza-9"}


async def test_deleting_what_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NotFound, match="ghost"):
        await house.saved.delete("ghost")
    with pytest.raises(NotFound, match="ghost"):
        await house.saved.set_enabled("ghost", False)
    with pytest.raises(NotFound, match="ghost"):
        await house.saved.rename("ghost", "x")
    with pytest.raises(NotFound, match="ghost"):
        await house.saved.delete_pool("ghost")


async def test_an_entry_that_does_not_parse_can_be_deleted_and_restored(house: House) -> None:
    path = house.path / "config.yaml"
    path.write_text("profiles:\n  - id: odd\n    colour: blue\n")
    await house.saved.delete("odd")
    assert "odd" not in path.read_text()
    await house.saved.restore("odd")
    assert "  - id: odd\n    colour: blue\n" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        """\
version: 1  # of the file
profiles:
  - id: first  # the usual one
    provider: ollama
    model: m

  # Mine, paid by myself.
  # Until March.
  - id: odd  # do not lend
    provider: ollama  # on my own machine
    model: "m"

    # quick enough
    timeouts:
      idle: 10  # seconds
  - id: last
    provider: ollama
    model: m

# The pools come last.
pools:
  - id: p
    profiles: [first]
""",
        """\
version: 1
profiles:
- id: odd  # at the margin
  provider: ollama
  model: m
- {id: last, provider: ollama, model: m}
""",
        """\
version: 1
profiles:
  # Alone.
  - id: odd  # the only one
    provider: ollama
    model: m
pools:
  - id: p
    profiles: []
""",
        """\
version: 1
profiles:
  - id: first
    provider: ollama
    model: m
  -
    # inside
    id: odd
    provider: ollama
    model: m  # at the very end""",
        "profiles:\n  - id: first\n    model: m\n  # over there\n  - id: odd  # Windows\nversion: 1\n".replace(
            "\n", "\r\n"
        ),
    ],
    ids=["among-others", "at-the-margin", "the-only-one", "below-its-dash-at-the-end", "with-carriage-returns"],
)
async def test_a_restored_entry_has_every_comment_it_had(house: House, text: str) -> None:
    path = house.path / "config.yaml"
    path.write_bytes(text.encode())
    await house.saved.delete("odd")
    assert b"id: odd" not in path.read_bytes()
    await house.saved.restore("odd")
    assert [line.rstrip() for line in path.read_text().splitlines() if line.strip()] == [
        line.rstrip() for line in text.splitlines() if line.strip()
    ]
    assert path.read_bytes().count(b"\r\n") in (0, path.read_bytes().count(b"\n"))


async def test_an_entry_that_leans_on_another_is_restored_without_it(house: House) -> None:
    path = house.path / "config.yaml"
    path.write_text(
        "version: 1\nprofiles:\n  - &mine\n    id: first\n    provider: gemini\n    model: m\n"
        "  - <<: *mine\n    id: odd  # like the first\n"
    )
    before = house.config.load().profiles["odd"]
    await house.saved.delete("odd")
    await house.saved.restore("odd")
    assert house.config.load().profiles["odd"] == before


async def test_a_delete_with_a_stale_revision_deletes_nothing(house: House) -> None:
    await with_pool(house)
    with pytest.raises(Conflict):
        await house.saved.delete("Gemini1", revision="stale")
    assert "Gemini1" in house.profiles
    assert await house.state.intents() == {}


# --- copies, names, switches ---


async def test_a_copy_stands_beside_its_original_with_the_same_key(house: House) -> None:
    await with_pool(house)
    assert await house.saved.duplicate("Gemini1") == "Gemini1 2"
    assert await house.saved.duplicate("Gemini1") == "Gemini1 3"
    assert list(house.profiles) == ["Gemini1", "Gemini1 3", "Gemini1 2", "local"]
    assert house.keys.texts() == {"Gemini1": "AIza-1", "Gemini1 2": "AIza-1", "Gemini1 3": "AIza-1"}
    assert house.profiles["Gemini1 2"].key_saved_at
    with pytest.raises(InvalidInput, match="already"):
        await house.saved.duplicate("Gemini1", "LOCAL")


async def test_a_renamed_profile_takes_key_places_and_approval_along(house: House) -> None:
    await with_pool(house)
    await house.saved.rename("Gemini1", "Main")
    assert list(house.profiles) == ["Main", "local"]
    assert house.config.current.pools["default"].profiles == ("local", "Main")
    assert house.keys.texts()["Main"] == "AIza-1"
    await house.saved.rename("Main", "main")
    with pytest.raises(InvalidInput, match="already"):
        await house.saved.rename("main", "Local")
    house.now += 601  # until then an undo needs the key under its former name
    await house.saved.tidy()
    assert house.keys.texts() == {"main": "AIza-1"}


def asked(house: House, profile_id: str, n: int = 1) -> None:
    record = AttemptRecord(
        request_id="r", n=n, at=house.now, pool_id="p", profile_id=profile_id, model="m", verdict="ok"
    )
    house.state.record_attempt(record)


async def counted(house: House) -> dict[str, float]:
    return {key[0]: used for key, used in (await house.state.counters()).used.items()}


async def test_a_renamed_profile_takes_its_attempts_and_what_it_spent_along(house: House) -> None:
    await with_pool(house)
    for place, name in enumerate(("Gemini1", "local", "Gemini1"), 1):
        asked(house, name, place)
    house.state.note_count(
        Count({(f"profile:{name}", "cost", "day", 7): (2.0, house.now + 60) for name in ("Gemini1", "local")})
    )
    await house.saved.rename("Gemini1", "Main")
    assert [each.profile_id for each in await house.state.attempts()] == ["Main", "local", "Main"]
    assert await counted(house) == {"profile:Main": 2.0, "profile:local": 2.0}
    await house.saved.rename("Main", "main")
    assert [each.profile_id for each in await house.state.attempts()] == ["main", "local", "main"]


async def test_a_rename_that_was_cut_short_is_followed_by_its_attempts_at_the_next_start(house: House) -> None:
    await with_gemini(house)
    asked(house, "Gemini1")
    note = {"kind": "rename", "profiles": {"Gemini1": ["apiKey"], "Main": ["apiKey"]}, "at": house.now}
    await house.state.put_intent("rename:Gemini1:Main", note)
    house.config.save(lambda draft: draft.rename_profile("Gemini1", "Main"))
    await house.state.close()
    house.alive = False
    house.restart()
    await house.saved.tidy()
    assert [each.profile_id for each in await house.state.attempts()] == ["Main"]
    assert await house.state.intents() == {}


async def test_a_rename_that_came_to_nothing_leaves_the_attempts_where_they_are(house: House) -> None:
    await with_pool(house)
    asked(house, "Gemini1")
    with pytest.raises(Conflict):
        await house.saved.rename("Gemini1", "Main", revision="another")
    assert [each.profile_id for each in await house.state.attempts()] == ["Gemini1"]


async def test_switching_off_and_on_writes_no_more_than_that(house: House) -> None:
    await with_gemini(house)
    text = (house.path / "config.yaml").read_text()
    await house.saved.set_enabled("Gemini1", False)
    assert house.profiles["Gemini1"].enabled is False
    assert (house.path / "config.yaml").read_text() == text + "    enabled: false\n"
    await house.saved.set_enabled("Gemini1", True)
    assert house.profiles["Gemini1"].enabled is True


# --- pools ---


@pytest.mark.parametrize(
    ("pool", "field"),
    [
        pytest.param(Pool(id="p"), "pool.profiles", id="empty-pool"),
        pytest.param(Pool(id="p", profiles=("ghost",)), "pool.profiles", id="unknown-profile"),
        pytest.param(Pool(id="p", profiles=("local", "local")), "pool.profiles", id="profile-twice"),
        pytest.param(Pool(id="Default", profiles=("local",)), "pool.id", id="id-twice-but-for-case"),
        pytest.param(Pool(id="p", profiles=("local",), max_wait=-1), "pool.maxWait", id="negative-wait"),
        pytest.param(Pool(id="p/q", profiles=("local",)), "pool.id", id="bad-id"),
    ],
)
async def test_a_bad_pool_names_its_field_and_saves_nothing(house: House, pool: Pool, field: str) -> None:
    await with_pool(house)
    with pytest.raises(InvalidInput) as wrong:
        await house.saved.save_pool(pool)
    assert wrong.value.field == field
    assert list(house.config.load().pools) == ["default"]


IMAGES = Pool(
    id="default",
    profiles=("local", "Gemini1"),
    rules=(Rule(name="pictures", when=When(needs=(Need.IMAGES,)), profiles=("local",)),),
)


async def test_a_profile_is_not_saved_so_that_a_rule_could_choose_nobody(house: House) -> None:
    await with_pool(house)
    await house.saved.save_pool(IMAGES)
    await house.saved.save(replace(LOCAL, cooldown=30), {})
    with pytest.raises(
        InvalidInput, match=r"rule pictures can never choose its profiles: none of them takes images"
    ) as wrong:
        await house.saved.save(replace(LOCAL, supports_images=False), {})
    assert wrong.value.field == "profile.supportsImages"
    assert house.profiles["local"].supports_images is None
    await house.saved.save(replace(GEMINI, supports_images=False), {})  # no rule leads there


async def test_a_profile_may_be_changed_beside_a_rule_that_was_dead_before(house: House) -> None:
    await with_pool(house)
    house.config.save(lambda draft: draft.put_profile(replace(LOCAL, supports_images=False)))
    house.config.save(lambda draft: draft.put_pool(IMAGES))
    await house.saved.save(replace(LOCAL, supports_images=False, context_window=9_000), {})
    assert house.profiles["local"].context_window == 9_000
    assert [each.field for each in house.config.load().problems] == ["rules.0.profiles"]


async def test_a_profile_does_not_leave_the_region_its_pool_is_bound_to_alone(house: House) -> None:
    await with_pool(house)
    await house.saved.save(replace(LOCAL, region="eu"), {})
    await house.saved.save_pool(Pool(id="default", profiles=("local", "Gemini1"), region="eu"))
    with pytest.raises(InvalidInput, match="none of its profiles is in the region eu") as wrong:
        await house.saved.save(replace(LOCAL, region="us"), {})
    assert wrong.value.field == "profile.region"


class Small(Knowledge):
    """Knows the window of one model."""

    def filled(self, profile: Profile, model: str | None) -> Profile:
        known = model == "m" and profile.context_window is None
        return replace(profile, context_window=8_000) if known else profile


@pytest.mark.parametrize(
    ("profile", "refused"),
    [(LOCAL, True), (replace(LOCAL, models=("m", "n")), False), (replace(LOCAL, context_window=64_000), False)],
    ids=["its-only-model-is-known", "another-model-is-not", "the-user-knows-better"],
)
async def test_a_rule_for_more_than_any_model_is_known_to_hold_is_refused(
    house: House, profile: Profile, refused: bool
) -> None:
    await house.saved.save(profile, {})
    check_with = SavedProfiles(
        house.config, house.keys, house.state, check=check, now=lambda: house.now, knowledge=Small
    )
    rule = Rule(name="long", when=When(min_tokens=20_000), profiles=("local",))
    saving = check_with.save_pool(Pool(id="p", profiles=("local",), rules=(rule,)))
    if refused:
        with pytest.raises(InvalidInput, match="has a window of 20,000 tokens"):
            await saving
    else:
        await saving


async def test_a_burst_without_a_rate_is_refused_with_the_field_it_needs(house: House) -> None:
    with pytest.raises(InvalidInput, match=r"Set limits\.requestsPerSecond") as wrong:
        await house.saved.save(replace(LOCAL, limits=Limits(burst=5)), {})
    assert wrong.value.field == "profile.limits.burst"
    await house.saved.save(replace(LOCAL, limits=Limits(burst=5, requests_per_second=1)), {})


async def test_pools_are_saved_renamed_and_deleted(house: House) -> None:
    await with_pool(house)
    house.config.save(lambda draft: draft.set_defaults(Defaults(pool="default")))
    await house.saved.rename_pool("default", "main")
    assert house.config.load().defaults.pool == "main"
    with pytest.raises(InvalidInput):
        await house.saved.rename_pool("main", "a/b")
    with pytest.raises(Conflict):
        await house.saved.delete_pool("main", revision="stale")
    await house.saved.delete_pool("main")
    assert house.config.load().pools == {}


# --- other ways to prove oneself ---

OAUTH = Profile(
    id="oauth",
    provider="openai-compatible",
    base_url="https://models.example.net/v1",
    model="m",
    auth=Auth(
        kind=AuthKind.OAUTH_CLIENT_CREDENTIALS,
        token_url="https://login.example.net/token",
        client_id="me",
    ),
)
VAULT = replace(OAUTH, id="vault", auth=Auth(kind=AuthKind.TOKEN_COMMAND, command=("vault", "read")))


def elsewhere(profile: Profile) -> Profile:
    assert profile.auth
    return replace(profile, auth=replace(profile.auth, token_url="https://evil.example.net/token"))


async def test_a_client_secret_is_bound_to_the_token_endpoint_and_dated(house: House) -> None:
    await house.saved.save(OAUTH, {"clientSecret": "s3cret"})
    assert house.keys.items == {("oauth", "clientSecret"): Secret("s3cret", "https://login.example.net:443")}
    assert house.profiles["oauth"].key_saved_at is not None
    assert house.state.approved("oauth", "apiKey") == "https://models.example.net:443", "where the token goes"


async def test_a_client_secret_goes_to_no_other_token_endpoint(house: House) -> None:
    await house.saved.save(OAUTH, {"clientSecret": "s3cret"})
    with pytest.raises(InvalidInput, match="secret clientSecret for the new address") as caught:
        await house.saved.save(elsewhere(OAUTH), {})
    assert caught.value.field == "secrets.clientSecret"
    await house.saved.save(elsewhere(OAUTH), {"clientSecret": "s3cret"})
    assert house.keys.items["oauth", "clientSecret"].origin == "https://evil.example.net:443"


async def test_a_referred_client_secret_is_approved_for_the_token_endpoint(house: House) -> None:
    await house.saved.save(OAUTH, {"clientSecret": "${MINE}"})
    assert not house.keys.items
    assert house.state.approved("oauth", "clientSecret") == "https://login.example.net:443"
    with pytest.raises(OriginNotApproved, match="evil"):
        await house.saved.save(elsewhere(house.profiles["oauth"]), {})


async def test_a_token_goes_to_another_address_only_when_that_is_approved(house: House) -> None:
    await house.saved.save(VAULT, {})
    moved = replace(VAULT, base_url="https://other.example.net/v1")
    with pytest.raises(OriginNotApproved, match="its token to https://other"):
        await house.saved.save(moved, {})
    await house.saved.save(moved, {}, approve_origin=True)
    assert house.state.approved("vault", "apiKey") == "https://other.example.net:443"


async def test_a_secret_that_nothing_declares_is_refused_and_one_no_longer_declared_goes(house: House) -> None:
    with pytest.raises(InvalidInput, match="takes no secret named clientSecret"):
        await house.saved.save(VAULT, {"clientSecret": "s3cret"})
    await house.saved.save(OAUTH, {"clientSecret": "s3cret"})
    await house.saved.save(replace(VAULT, id="oauth"), {})
    assert not house.keys.items


async def test_a_header_s_named_secret_is_kept_with_the_profile(house: House) -> None:
    await house.saved.save(replace(LOCAL, headers={"X-Team": "Team ${secret:team}"}), {"team": "t-1"})
    assert house.keys.items == {("local", "team"): Secret("t-1", "http://127.0.0.1:8080")}
    copy = await house.saved.duplicate("local")
    assert house.keys.texts() == {"local": "t-1", copy: "t-1"}


PRINTED = replace(OAUTH, id="printed", secret_commands={"clientSecret": SecretCommand(command=("vault", "read"))})


async def test_a_secret_from_a_command_is_approved_for_where_it_goes(house: House) -> None:
    await house.saved.save(PRINTED, {})
    assert not house.keys.items
    assert house.state.approved("printed", "clientSecret") == "https://login.example.net:443"
    with pytest.raises(OriginNotApproved, match="what its command prints to https://evil"):
        await house.saved.save(elsewhere(PRINTED), {})
    copy = await house.saved.duplicate("printed")
    assert house.state.approved(copy, "clientSecret") == "https://login.example.net:443"


async def test_a_kept_secret_goes_when_a_command_takes_its_place(house: House) -> None:
    await house.saved.save(replace(PRINTED, secret_commands={}), {"clientSecret": "s3cret"})
    assert house.keys.items
    await house.saved.save(PRINTED, {})
    assert not house.keys.items


async def test_a_typed_secret_does_not_stand_beside_a_command(house: House) -> None:
    with pytest.raises(InvalidInput, match="take secretCommands.clientSecret out") as caught:
        await house.saved.save(PRINTED, {"clientSecret": "s3cret"})
    assert caught.value.field == "secrets.clientSecret"
    assert not house.keys.items
