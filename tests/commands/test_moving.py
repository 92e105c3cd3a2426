"""The configuration as a whole from the command line: brought in, handed out, looked back at, put back."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from rooroute.adapters.config_text import read
from rooroute.scripted_provider import Answer
from tests.commands.conftest import Shell

BLOCKS = Path(__file__).parents[1] / "importers" / "blocks"
GATEWAY = """\
ai_gateway:
  colour: blue
  providers:
    - {name: one, type: openai, base_url: "%s", api_key: "${KEY_OF_ONE}", models: [m]}
    - {name: far, type: openai, base_url: "http://far.example:8000/v1", models: [m]}
  routing:
    strategy: round_robin
    providers: [{name: one, priority: 1}, {name: far, priority: 2}]
"""


def gateway(shell: Shell, name: str = "gateway.yaml") -> str:
    path = shell.home / name
    path.write_text(GATEWAY % shell.provider.base_url("openai"))
    return str(path)


async def test_a_gateway_is_looked_at_brought_in_asked_and_taken_back(shell: Shell) -> None:
    file = gateway(shell)
    shell.provider.script("key-of-one", Answer("One speaks."))
    shell.environment["KEY_OF_ONE"] = "key-of-one"
    seen = await shell.well("import", file, "--dry-run")
    assert "This would bring in Loom's ai_gateway" in seen.out
    assert not shell.config.exists()
    done = (await shell.well("import", file, "--json")).json
    assert [(each["id"], each["change"], each["key"]) for each in done["profiles"]] == [("one", "new", "environment")]
    left = {each["key"]: each["reason"] for each in done["leftOut"]}
    assert left["ai_gateway.colour"] == "rooroute has no such setting."
    assert "without encryption" in left["ai_gateway.providers.far"]
    assert left["ai_gateway.routing.providers.far"] == "Nothing defines far."
    assert (await shell.well("chat", "Hello?", "--model", "m")).out == "One speaks.\n"
    assert "nothing that is not there already" in (await shell.well("import", file)).out
    approved = (await shell.well("import", file, "--approve-origin", "--json")).json
    assert [each["id"] for each in approved["profiles"]] == ["far"]
    await shell.well("undo")
    assert "id: far" not in shell.config.read_text()


async def test_a_malformed_file_is_refused_whole_with_its_line(shell: Shell) -> None:
    path = shell.home / "broken.yaml"
    path.write_text("ai_gateway:\n  providers: [\n")
    said = await shell("import", str(path))
    assert said.code == 1
    assert "This is not YAML" in said.err
    assert "Line " in said.err
    assert not shell.config.exists()


async def test_a_key_that_cannot_be_kept_is_left_out_and_never_shown(shell: Shell) -> None:
    path = shell.home / "litellm.yaml"
    path.write_text("model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: sk-top-secret}}]")
    done = await shell.well("import", str(path), "--json")
    assert done.json["profiles"] == [{"id": "m", "change": "new", "key": "notKept"}]
    assert "sk-top-secret" not in done.out + done.err + shell.config.read_text()


async def test_an_export_has_no_secrets_and_can_be_brought_in_elsewhere(shell: Shell, tmp_path: Path) -> None:
    await shell.save(
        "one", words=("--set", "headers.X-Auth=tell-nobody", "--set", "proxy=http://me:secret@localhost:3128")
    )
    await shell.well("pools", "add", "work", "one")
    said = await shell.well("export")
    assert said.err == "profiles.one.headers.X-Auth is left out: it may be a secret.\n"
    assert "tell-nobody" not in said.out
    assert "me:secret" not in said.out
    assert json.loads((await shell.well("export", "--format", "json")).out)["pools"] == [
        {"id": "work", "profiles": ["one"]}
    ]
    proxy = read((await shell.well("export", "--format", "litellm")).out).data
    assert proxy["model_list"][0]["litellm_params"]["api_key"] == "os.environ/KEY_OF_ONE"
    other = tmp_path / "other" / "config.yaml"
    brought = await shell.well("--config", str(other), "import", "-", stdin=said.out)
    assert "profile one (new)" in brought.out
    assert read(other.read_text()).data["pools"] == [{"id": "work", "profiles": ["one"]}]


async def test_history_tells_who_was_changed_and_undo_goes_there_and_back(shell: Shell) -> None:
    await shell.save("one")
    await shell.well("profiles", "edit", "one", "--set", "cooldown=300")
    shell.config.write_text(shell.config.read_text().replace("cooldown: 300", "cooldown: 60  # by hand"))
    told = (await shell.well("history", "--on", "today", "--json")).json["entries"]
    assert [each["changes"] for each in told] == [
        ["profile one: cooldown 300 → 60"], ["profile one: cooldown unset → 300"], ["profile one added"],
        ["the beginning: nothing was saved yet"],
    ]  # fmt: skip
    assert [each["current"] for each in told] == [True, False, False, False]
    back = await shell.well("undo", told[2]["revision"][:8])
    assert "cooldown 60 → unset" in back.out
    assert "cooldown" not in shell.config.read_text()
    await shell.well("undo")
    assert "cooldown: 60  # by hand" in shell.config.read_text()
    assert (await shell.well("history", "--on", "2020-01-01")).out == "Nothing changed in that time.\n"


async def test_the_first_profile_ever_saved_is_taken_back(shell: Shell) -> None:
    await shell.save("one")
    assert (await shell.well("undo", "--dry-run")).out == (
        "This would change: profile one removed.\nNo longer there would be: one.\n"
    )
    assert "profile one removed" in (await shell.well("undo")).out
    assert (await shell.well("profiles", "list", "--json")).json["profiles"] == []
    assert "profile one added" in (await shell.well("undo")).out
    assert (await shell.well("chat", "Hello?")).out == "one speaks.\n"
    await shell.well("undo")
    await shell.save("two")
    assert [each["id"] for each in read(shell.config.read_text()).data["profiles"]] == ["two"]


async def test_copies_are_readable_by_their_owner_alone(shell: Shell) -> None:
    await shell.save("one")
    folder = next((shell.home / "state" / "rooroute" / "history").iterdir())
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_broken_edit_is_undone_and_kept(shell: Shell) -> None:
    await shell.save("one")
    good = shell.config.read_text()
    shell.config.write_text(good + "profiles: [broken\n")
    await shell.well("undo")
    assert shell.config.read_text() == good
    entries = (await shell.well("history", "--json")).json["entries"]
    assert entries[1]["changes"] == ["this text could not be read"]


async def test_a_key_written_into_the_file_is_not_copied_into_the_history(shell: Shell) -> None:
    await shell.save("one")
    shell.config.write_text(shell.config.read_text().replace("${KEY_OF_ONE}", "sk-by-hand"))
    await shell.well("status", "--json")
    kept = [path.read_text() for path in (shell.home / "state" / "rooroute" / "history").rglob("*.yaml")]
    assert kept
    assert not any("sk-by-hand" in text for text in kept)


async def test_a_backup_brings_everything_back(shell: Shell) -> None:
    await shell.save("one")
    file = str(shell.home / "backup.yaml")
    await shell.well("backup", file)
    assert (await shell("backup", file)).code == 1
    before = shell.config.read_text()
    await shell.well("profiles", "remove", "one")
    without = shell.config.read_text()
    assert (await shell.well("restore", file, "--dry-run")).out.startswith("This would change: profile one added")
    assert "This would change: " in (await shell.well("undo", "--dry-run")).out
    assert shell.config.read_text() == without
    assert "profile one added" in (await shell.well("restore", file)).out
    assert shell.config.read_text() == before
    assert (await shell.well("chat", "Hello?")).out == "one speaks.\n"


async def test_a_key_written_into_the_file_is_not_copied_into_a_backup(shell: Shell) -> None:
    file = shell.home / "backup.yaml"
    said = await shell("backup", str(file))
    assert said.err == f"rooroute: There is no configuration at {shell.config} yet.\n"
    await shell.save("one")
    shell.config.write_text(shell.config.read_text().replace("${KEY_OF_ONE}", "sk-by-hand"))
    said = await shell("backup", str(file))
    assert (said.code, said.err.startswith(f"rooroute: Somebody wrote a key into {shell.config}; save it")) == (1, True)
    assert not file.exists()
    said = await shell("backup", str(shell.home / "nowhere" / "backup.yaml"))
    assert said.code == 1
    shell.config.write_text(shell.config.read_text().replace("sk-by-hand", "${KEY_OF_ONE}"))
    said = await shell("backup", str(shell.home / "nowhere" / "backup.yaml"))
    assert said.err == f"rooroute: There is no folder {shell.home / 'nowhere'}; nothing was copied.\n"
    await shell.well("backup", str(file))
    assert file.read_text() == shell.config.read_text()


async def test_nothing_to_undo_and_an_unknown_revision_are_told(shell: Shell) -> None:
    assert (await shell("undo")).err == "rooroute: There is nothing to undo: no earlier configuration was kept.\n"
    assert (await shell("undo", "abc")).err == "rooroute: There is no revision abc in the history.\n"


async def test_the_schema_is_printed_laid_beside_and_fits_what_is_saved(shell: Shell) -> None:
    schema = json.loads((await shell.well("schema")).out)
    await shell.save("one", words=("--set", "price.input=1", "--set", "price.output=2"))
    assert shell.config.read_text().startswith("# yaml-language-server: $schema=config.schema.json\n")
    assert json.loads(shell.config.with_name("config.schema.json").read_text()) == schema
    jsonschema.validate(read(shell.config.read_text()).data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"profiles": [{"id": "a", "provider": "openai", "colour": "blue"}]}, schema)


async def test_an_env_file_adds_to_the_environment(shell: Shell) -> None:
    await shell.save("one", Answer("From the file."))
    key = shell.environment.pop("KEY_OF_ONE")
    file = shell.home / ".env"
    file.write_text(f"# mine\nexport KEY_OF_ONE='{key}'  # the key\nOTHER=\n")
    assert (await shell("chat", "Hello?")).code == 1
    assert (await shell.well("chat", "Hello?", "--env-file", str(file))).out == "From the file.\n"
    file.write_text("KEY_OF_ONE=a\nsk-this is no line\n")
    wrong = await shell("--env-file", str(file), "chat", "Hello?")
    assert wrong.err == f"rooroute: {file}, line 2: this is not NAME=value.\n"
    assert (await shell("--env-file", str(shell.home / "none"), "serve")).code == 1
