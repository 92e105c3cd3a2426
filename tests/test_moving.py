"""Many profiles in one change, and a whole configuration put back, each with the keys that belong to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rooroute.adapters import config_exchange
from rooroute.adapters.config_file import ConfigFile
from rooroute.adapters.config_history import ConfigHistory
from rooroute.errors import Conflict, InvalidInput, NotFound, SecretUnavailable
from rooroute.moving import Moving, Spelling, Wish
from rooroute.profiles import Defaults, Profile
from rooroute.providers.table import check
from rooroute.rpc.schema import CONFIG_SCHEMA, PACKAGED, files
from rooroute.saved_profiles import SavedProfiles
from tests.test_saved_profiles import House

TWO = """\
model_list:
  - {model_name: a, litellm_params: {model: openai/a, api_key: sk-a}}
  - {model_name: b, litellm_params: {model: anthropic/b, api_key: sk-b, order: 1}}
"""


class Home(House):
    """A window that keeps a history."""

    def restart(self) -> None:
        super().restart()
        history = ConfigHistory(self.path / "history", lambda: self.now)
        self.config = ConfigFile(self.path / "config.yaml", check, history)
        self.config.load()
        self.saved = SavedProfiles(self.config, self.keys, self.state, check=check, now=lambda: self.now)
        spelling = Spelling(
            config_exchange.plain_data,
            lambda text: config_exchange.as_configuration(text, check),
            config_exchange.spelled,
            config_exchange.as_yaml,
        )
        self.moving = Moving(self.saved, self.config, spelling)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    home = Home(tmp_path)
    yield home
    await home.state.close()


async def test_keys_go_to_the_keyring_and_all_is_one_change(home: Home) -> None:
    told = await home.moving.bring_in(TWO, Wish())
    assert [each["key"] for each in told["profiles"]] == ["keyring", "keyring"]
    assert home.keys.texts() == {"a": "sk-a", "b": "sk-b"}
    text = (home.path / "config.yaml").read_text()
    assert "sk-" not in text
    assert len(home.config.history()) == 2  # before and after
    assert await home.state.intents() == {}


async def test_a_dry_run_touches_nothing(home: Home) -> None:
    told = await home.moving.bring_in(TWO, Wish(dry_run=True))
    assert [each["id"] for each in told["profiles"]] == ["a", "b"]
    assert home.keys.items == {}
    assert home.profiles == {}


async def test_a_keyring_that_fails_half_way_leaves_nothing_behind(home: Home) -> None:
    home.keys.fail_at = 4  # get a, set a, get b, set b
    with pytest.raises(SecretUnavailable):
        await home.moving.bring_in(TWO, Wish())
    assert home.keys.items == {}
    assert home.profiles == {}
    assert await home.state.intents() == {}


async def test_undoing_an_import_keeps_its_keys_for_ten_minutes(home: Home) -> None:
    await home.moving.bring_in(TWO.replace("  - {model_name: b", "  #"), Wish())
    await home.moving.bring_in(TWO, Wish())
    told = await home.moving.undo(None)
    assert told["gone"] == ["b"]
    assert home.keys.texts() == {"a": "sk-a", "b": "sk-b"}
    await home.moving.undo(None)
    assert set(home.profiles) == {"a", "b"}
    await home.moving.undo(None)
    home.now += 601
    await home.saved.tidy()
    assert home.keys.texts() == {"a": "sk-a"}


async def back_by_undo(home: Home) -> None:
    await home.saved.delete("b")
    await home.moving.undo(None)


async def back_by_a_former_configuration(home: Home) -> None:
    had = home.config.current.revision
    await home.saved.delete("b")
    await home.moving.undo(had)


async def back_by_a_backup(home: Home) -> None:
    text = (await home.moving.backup())["text"]
    await home.saved.delete("b")
    await home.moving.restore(text)


async def back_by_restore(home: Home) -> None:
    await home.saved.delete("b")
    await home.saved.restore("b")


async def back_by_hand(home: Home) -> None:
    text = (await home.moving.backup())["text"]
    await home.saved.delete("b")
    (home.path / "config.yaml").write_text(text)


async def back_by_hand_with_a_typing_error(home: Home) -> None:
    text = (await home.moving.backup())["text"]
    await home.saved.delete("b")
    (home.path / "config.yaml").write_text(text.replace("id: b\n", "id: b\n    colour: blue\n"))
    assert "b" in home.config.load().unreadable


async def import_undone_and_done_again(home: Home) -> None:
    await home.moving.undo(None)
    await home.moving.undo(None)


async def import_undone_and_a_former_configuration(home: Home) -> None:
    had = home.config.current.revision
    await home.moving.undo(None)
    await home.moving.undo(had)


async def saved_under_another_name(home: Home, b: Profile) -> None:
    await home.saved.save(replace(b, name="Renamed"), {})


async def imported_under_another_name(home: Home, b: Profile) -> None:
    await home.moving.bring_in("profiles: [{id: b, provider: anthropic, model: b, name: Renamed}]", Wish())


@pytest.mark.parametrize("edit", [saved_under_another_name, imported_under_another_name])
@pytest.mark.parametrize(
    "come_back",
    [
        back_by_undo,
        back_by_a_former_configuration,
        back_by_a_backup,
        back_by_restore,
        back_by_hand,
        back_by_hand_with_a_typing_error,
        import_undone_and_done_again,
        import_undone_and_a_former_configuration,
    ],
)
async def test_who_came_back_keeps_the_key_when_edited(
    home: Home, come_back: Callable[[Home], Awaitable[None]], edit: Callable[[Home, Profile], Awaitable[None]]
) -> None:
    await home.moving.bring_in(TWO.replace("  - {model_name: b", "  #"), Wish())
    await home.moving.bring_in(TWO, Wish())
    b = home.profiles["b"]
    await come_back(home)
    assert home.keys.texts() == {"a": "sk-a", "b": "sk-b"}
    await edit(home, b)
    assert home.profiles["b"].name == "Renamed"
    assert home.keys.texts() == {"a": "sk-a", "b": "sk-b"}
    home.now += 601
    await home.saved.tidy()
    assert home.keys.texts() == {"a": "sk-a", "b": "sk-b"}
    assert await home.state.intents() == {}


async def test_who_came_back_by_an_undo_is_there_and_not_to_be_restored(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    await back_by_undo(home)
    assert await home.state.intents() == {}
    with pytest.raises(NotFound):
        await home.saved.restore("b")


async def test_a_rename_that_is_undone_and_done_again_has_its_key_each_time(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    await home.saved.rename("b", "best")
    for name in ("b", "best"):
        home.now += 599
        await home.moving.undo(None)
        await home.saved.tidy()
        assert home.keys.texts()[name] == "sk-b"
    home.now += 601
    await home.saved.tidy()
    assert home.keys.texts() == {"a": "sk-a", "best": "sk-b"}
    assert await home.state.intents() == {}


async def test_a_copy_without_a_key_does_not_get_that_of_a_deleted_namesake(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    await home.saved.save(Profile(id="keyless", provider="anthropic", model="b"), {})
    await home.saved.delete("b")
    await home.saved.duplicate("keyless", "b")
    assert home.keys.texts() == {"a": "sk-a"}


async def test_the_very_first_change_is_undone_and_done_again(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    first = (home.path / "config.yaml").read_text()
    told = await home.moving.undo(None, dry_run=True)
    assert told["gone"] == ["a", "b"]
    told = await home.moving.undo(None)
    assert told["gone"] == ["a", "b"]
    assert home.config.current.profiles == {}
    home.restart()
    assert (home.config.current.profiles, home.config.current.problems) == ({}, ())
    entries = (await home.moving.history())["entries"]
    assert [each["changes"][0] for each in entries] == [
        "profile a removed", "profile a added", "the beginning: nothing was saved yet",
    ]  # fmt: skip
    await home.moving.undo(None)
    assert (home.path / "config.yaml").read_text() == first
    await home.moving.undo(entries[2]["revision"])
    assert home.config.current.profiles == {}


async def test_a_restore_as_the_first_change_is_undone_too(home: Home) -> None:
    await home.moving.restore(OWN_TEXT)
    assert (await home.moving.undo(None))["gone"] == ["a"]
    assert "profiles: []" in (home.path / "config.yaml").read_text()


async def test_a_configuration_written_by_hand_has_no_beginning_but_itself(home: Home) -> None:
    (home.path / "config.yaml").write_text(OWN_TEXT)
    await home.saved.set_enabled("a", False)
    assert len(home.config.history()) == 2
    await home.moving.undo(None)
    assert (home.path / "config.yaml").read_text() == OWN_TEXT


async def test_an_undo_from_a_stale_picture_is_a_conflict(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    seen = home.config.current.revision
    await home.saved.set_enabled("a", False)
    with pytest.raises(Conflict):
        await home.moving.undo(None, expected=seen)


async def test_what_is_no_configuration_of_our_own_is_not_put_back(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    with pytest.raises(InvalidInput, match="bring it in with import"):
        await home.moving.restore(TWO)
    assert set(home.profiles) == {"a", "b"}


async def test_new_profiles_in_no_pool_and_a_new_default_pool_are_told(home: Home) -> None:
    await home.moving.bring_in(TWO.replace(", order: 1", ""), Wish())
    other = "model_list: [{model_name: c, litellm_params: {model: openai/c, order: 1}}]"
    told = await home.moving.bring_in(other, Wish())
    assert told["remarks"] == ["Requests that name no pool go to the new pool litellm from now on."]
    last = "model_list: [{model_name: d, litellm_params: {model: openai/d}}]"
    assert (await home.moving.bring_in(last, Wish()))["remarks"] == ["In no pool yet: d."]


@pytest.mark.parametrize(
    "runs",
    [
        "auth: {kind: token-command, command: [vault, read, canary]}",
        "auth: {kind: signature-command, command: [vault, sign, canary]}",
        "secretCommands: {apiKey: {command: [vault, read, canary]}}",
    ],
    ids=["a token's", "a signature's", "a secret's"],
)
async def test_what_an_import_would_run_is_told_before_it_is_brought_in(home: Home, runs: str) -> None:
    text = f"profiles:\n  - id: theirs\n    provider: openai\n    {runs}\n"
    told = await home.moving.bring_in(text, Wish(dry_run=True))
    assert told["remarks"] == ["theirs runs on this machine, with your rights: vault."]
    assert "canary" not in str(told)


def test_the_schema_that_goes_along_with_the_package_is_fresh() -> None:
    assert PACKAGED.read_text(encoding="utf-8") == files()[CONFIG_SCHEMA], "stale: run python -m rooroute.rpc.schema"


OWN_TEXT = """\
# mine
version: 1
profiles:
  - {id: a, provider: openai, apiKey: "${A_KEY}"}
defaults:
  ledgerDays: 30  # a month
  pool: nowhere
"""


async def test_what_holds_for_all_comes_in_with_a_text_of_ones_own(home: Home) -> None:
    told = await home.moving.bring_in(OWN_TEXT, Wish(dry_run=True))
    assert told["defaults"] == ["ledgerDays"]
    assert home.config.load().defaults.ledger_days == 90
    told = await home.moving.bring_in(OWN_TEXT, Wish(revision=told["configRevision"]))
    assert {"key": "defaults.ledgerDays", "where": "defaults, ledgerDays"} in told["taken"]
    assert {"key": "defaults.pool", "reason": "Nothing defines nowhere."} in told["leftOut"]
    assert home.config.current.defaults.ledger_days == 30
    assert "defaults" not in await home.moving.bring_in(OWN_TEXT, Wish())  # nothing changes any more


async def test_an_import_that_was_looked_at_is_refused_when_the_configuration_is_another(home: Home) -> None:
    seen = (await home.moving.bring_in(TWO, Wish(dry_run=True)))["configRevision"]
    await home.moving.bring_in(OWN_TEXT, Wish())
    with pytest.raises(Conflict):
        await home.moving.bring_in(TWO, Wish(revision=seen or "none"))
    assert set(home.config.load().profiles) == {"a"}


async def test_a_restore_and_an_undo_tell_beforehand_what_they_would_do(home: Home) -> None:
    await home.moving.bring_in(TWO, Wish())
    before = (home.path / "config.yaml").read_text()
    revision = home.config.current.revision
    told = await home.moving.restore(OWN_TEXT, dry_run=True)
    assert told["gone"] == ["b"]
    assert "profile b removed" in told["changes"]
    assert (await home.moving.restore(OWN_TEXT, expected=revision))["changes"] == told["changes"]
    again = await home.moving.undo(None, dry_run=True)
    assert (again["gone"], "profile b added" in again["changes"]) == ([], True)
    assert (home.path / "config.yaml").read_text() == OWN_TEXT
    for put_back in (home.moving.restore(OWN_TEXT, expected=revision), home.moving.undo(None, expected=revision)):
        with pytest.raises(Conflict):
            await put_back
    await home.moving.undo(None)
    assert (home.path / "config.yaml").read_text() == before


async def test_a_backup_is_the_file_itself_and_holds_no_key(home: Home) -> None:
    with pytest.raises(NotFound, match="There is no configuration at"):
        await home.moving.backup()
    await home.moving.restore(OWN_TEXT)
    assert await home.moving.backup() == {"text": OWN_TEXT, "configRevision": home.config.current.revision}
    (home.path / "config.yaml").write_text(OWN_TEXT.replace("${A_KEY}", "sk-canary-1"))
    with pytest.raises(InvalidInput, match="Somebody wrote a key into") as refused:
        await home.moving.backup()
    assert "canary" not in refused.value.message


async def test_a_pool_that_goes_is_no_longer_the_default_one_and_one_that_is_not_there_is_told(home: Home) -> None:
    text = OWN_TEXT.replace("defaults:", "pools:\n  - {id: p, profiles: [a]}\n  - {id: q, profiles: [a]}\ndefaults:")
    await home.moving.restore(text)
    assert [each.message for each in home.config.current.problems] == [
        "defaults.pool names a pool that does not exist: nowhere."
    ]
    await home.saved.save_defaults(Defaults(pool="q"))
    await home.saved.delete_pool("q")
    assert (home.config.current.defaults.pool, home.config.current.problems) == (None, ())


async def test_an_entry_of_our_own_form_that_cannot_be_read_is_told_to_be_left_out_as_a_whole(home: Home) -> None:
    text = """\
profiles:
  - {id: fine, provider: openai, model: m}
  - {id: odd, provider: openai, model: m, regoin: eu}
pools:
  - {id: main, profiles: [fine]}
  - {id: other, profiles: [fine], strategy: fastest}
"""
    told = await home.moving.bring_in(text, Wish())
    assert [each["id"] for each in (*told["profiles"], *told["pools"])] == ["fine", "main"]
    left = {each["key"]: each["reason"] for each in told["leftOut"]}
    assert left["profiles.odd.regoin"].endswith("is not a field that rooroute knows. The whole profile is left out.")
    assert left["pools.other.strategy"].endswith("The whole pool is left out.")


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry-run", "in-earnest"])
async def test_a_pool_that_cannot_work_is_left_out_and_everything_else_comes_in(home: Home, dry_run: bool) -> None:
    text = """\
profiles:
  - {id: fine, provider: openai, model: m}
pools:
  - {id: main, profiles: [fine]}
  - {id: nobody, profiles: [fine], strategy: weighted, weights: {fine: 0}}
defaults: {ledgerDays: -1}
"""
    told = await home.moving.bring_in(text, Wish(dry_run=dry_run))
    assert [each["id"] for each in (*told["profiles"], *told["pools"])] == ["fine", "main"]
    assert [each["key"] for each in told["taken"]] == ["profiles.fine", "pools.main"]
    left = {each["key"]: each["reason"] for each in told["leftOut"]}
    assert "Left out: Pool nobody: its weights sum to nothing" in left["pools.nobody"]
    assert left["defaults.ledgerDays"].startswith("Left out: ")
    assert set(home.config.current.pools) == (set() if dry_run else {"main"})
