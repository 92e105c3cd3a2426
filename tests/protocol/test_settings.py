"""Every key of the configuration can be set by the protocol and by a command, and is then in the file and in what is read back."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from rooroute.adapters.config_exchange import plain_data
from rooroute.commands.call import Call
from rooroute.commands.fields import quoted
from rooroute.commands.grammar import grammar
from rooroute.commands.terminal import Terminal
from rooroute.compose import places
from rooroute.errors import InvalidInput
from rooroute.rpc.settings_table import BY, TOLD, WITH, keys
from tests.rpc.client import Client, RpcError

PROTOCOL = Path(__file__).parents[2] / "protocol"
SCHEMA = json.loads((PROTOCOL / "schemas" / "config.json").read_text(encoding="utf-8"))
ROWS = json.loads((PROTOCOL / "settings.json").read_text(encoding="utf-8"))["keys"]
SET = [row for row in ROWS if "by" not in row]
BEGINNING = """\
# A comment that stays.
version: 1
profiles:
  - id: main  # the first
    provider: openai
    apiKey: ${BASE_KEY}
  - {id: spare, provider: openai, apiKey: "${BASE_KEY}", region: eu, price: {input: 1, output: 2}}
  - {id: paid, provider: openai, apiKey: "${BASE_KEY}"}
pools:
  - id: default
    profiles: [main, spare, paid]
"""
OF = {"profiles[]": ["main"], "pools[]": ["default"], "defaults": []}
NOW = 1_780_000_000.0


# --- the table is whole ---


def leaves(node: dict[str, Any], path: str) -> Iterator[str]:
    """Written apart from the code's own walk."""
    if "$ref" in node:
        yield from leaves(SCHEMA["$defs"][node["$ref"].split("/")[-1]], path)
    elif "anyOf" in node:
        for each in node["anyOf"]:
            yield from leaves(each, path) if each != {"type": "null"} else ()
    elif "properties" in node:
        for name, inner in node["properties"].items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif node.get("type") == "object":
        inner = node.get("additionalProperties")
        yield from leaves(inner if isinstance(inner, dict) else {}, f"{path}.*")
    elif node.get("type") == "array" and any(found != f"{path}[]" for found in leaves(node["items"], f"{path}[]")):
        yield from leaves(node["items"], f"{path}[]")
    else:
        yield path


def test_every_key_of_the_schema_is_in_the_table() -> None:
    assert [row["path"] for row in ROWS] == [path for path in leaves(SCHEMA, "") if path != "version"]


def test_nothing_is_told_of_a_key_that_is_gone() -> None:
    fields = {f"{name}.{field}" for name, each in SCHEMA["$defs"].items() for field in each.get("properties", {})}
    assert TOLD.keys() <= fields
    paths = {row["path"] for row in ROWS}
    assert BY.keys() <= paths
    assert [path for each in WITH.values() for path in each if path not in paths] == []


def test_a_new_key_without_an_example_is_noticed() -> None:
    grown = json.loads(json.dumps(SCHEMA))
    grown["$defs"]["Timeouts"]["properties"]["handshake"] = {"type": "number"}
    with pytest.raises(LookupError, match=r"Timeouts\.handshake"):
        keys(grown)


def test_an_example_is_not_what_holds_anyway() -> None:
    assert [row["path"] for row in ROWS if row["example"] == row.get("default")] == []


def test_an_editor_is_told_what_each_key_is_for() -> None:
    for name, each in SCHEMA["$defs"].items():
        for field, shape in each.get("properties", {}).items():
            assert f"{name}.{field}" not in TOLD or shape["description"] == TOLD[f"{name}.{field}"].tells


# --- by the protocol ---


def steps(path: str, entry: str | None) -> list[str | int]:
    """The way to a key within its profile, its pool or the defaults; the first entry of a list."""
    found: list[str | int] = []
    for name in path.split(".")[1:]:
        found.append(str(entry) if name == "*" else name.removesuffix("[]"))
        found += [0] if name.endswith("[]") else []
    return found


def put(data: Any, way: list[str | int], value: Any) -> None:
    for step, following in zip(way, [*way[1:], None], strict=True):
        if following is None:
            data[step] = value
        elif isinstance(step, int):
            data += [] if data else [{}]
            data = data[step]
        else:
            data[step] = data.get(step) or ([] if isinstance(following, int) else {})
            data = data[step]


def at(data: Any, way: list[str | int]) -> Any:
    for step in way:
        data = data[step]
    return data


def in_file(path: Path, row: dict[str, Any]) -> Any:
    """What the file says of the key; the comment of whoever wrote it is there all the while."""
    text = path.read_text(encoding="utf-8")
    assert "# A comment that stays." in text
    data = plain_data(text)
    section = row["path"].partition(".")[0]
    found = data["defaults"] if section == "defaults" else data[section.removesuffix("[]")][0]
    return at(found, steps(row["path"], row.get("entry")))


class Panel:
    """What a client does for one key: read the entry, set the field and what it needs, save, read it again."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get(self, section: str) -> dict[str, Any]:
        found: dict[str, Any]
        if section == "profiles[]":
            found = (await self.client.request("rooroute/profiles/get", {"id": "main"}))["profile"]
        elif section == "pools[]":
            pools = (await self.client.request("rooroute/status"))["pools"]
            found = next(each["saved"] for each in pools if each["id"] == "default")
        else:
            found = (await self.client.request("rooroute/settings/get"))["defaults"]
        return found

    async def set(self, row: dict[str, Any]) -> Any:
        section = row["path"].partition(".")[0]
        data = await self.get(section)
        for path, value in {**row.get("with", {}), row["path"]: row["example"]}.items():
            put(data, steps(path, row.get("entry")), value)
        method, name = {
            "profiles[]": ("rooroute/profiles/save", "profile"),
            "pools[]": ("rooroute/pools/save", "pool"),
            "defaults": ("rooroute/settings/save", "defaults"),
        }[section]
        await self.client.request(method, {name: data})
        return at(await self.get(section), steps(row["path"], row.get("entry")))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a home of its own."""
    for kind in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ROOROUTE_SECRET_STORE", "session")
    for name in ("client.pem", "client.key"):
        (tmp_path / name).touch(0o600)
    config = tmp_path / "config" / "rooroute" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(BEGINNING, encoding="utf-8")
    return config


async def test_every_key_is_set_by_the_protocol(home: Path) -> None:
    wrong: dict[str, str] = {}
    async with await Client.start((sys.executable, "-m", "rooroute", "serve"), env=dict(os.environ)) as client:
        await client.initialize()
        for row in SET:
            await client.request("rooroute/restore", {"text": BEGINNING})
            try:
                told = await Panel(client).set(row)
                assert told == row["example"], f"told: {told}"
                assert in_file(home, row) == row["example"]
            except (Exception, AssertionError) as failed:  # noqa: BLE001 - every key that fails is wanted, not the first
                wrong[row["path"]] = f"{type(failed).__name__}: {failed}"
        await client.stop()
    assert wrong == {}


async def test_the_keys_that_are_not_saved_are_renamed_or_left_alone_by_the_protocol(home: Path) -> None:
    async with await Client.start((sys.executable, "-m", "rooroute", "serve"), env=dict(os.environ)) as client:
        await client.initialize()
        for path, method in ((path, by[0]) for path, by in BY.items() if by):
            (name,) = OF[path.partition(".")[0]]
            with pytest.raises(RpcError) as stale:
                await client.request(method, {"id": name, "newId": "renamed", "configRevision": "stale"})
            assert stale.value.data["kind"] == "conflict"
            await client.request(method, {"id": name, "newId": "renamed"})
            assert in_file(home, {"path": path}) == "renamed"
            await client.request("rooroute/restore", {"text": BEGINNING})
        profile = await Panel(client).get("profiles[]")
        await client.request(
            "rooroute/profiles/save", {"profile": {**profile, "keySavedAt": "2026-01-31T12:00:00.000Z"}}
        )
        assert await Panel(client).get("profiles[]") == profile
        await client.stop()


# --- by the command ---


def run(words: list[str]) -> str:
    """A command as its door runs it, within this process."""
    chosen = grammar().parse_args(words)
    out = io.StringIO()
    call = Call(chosen, Terminal(io.StringIO(), out, io.StringIO(), {}), places(None), os.environ, lambda: NOW)
    module, _, name = chosen.handler.partition(":")
    assert getattr(import_module(module), name)(call) == 0
    return out.getvalue()


def typed(path: str, entry: str | None) -> str:
    """A key as it is typed: an entry of a list by its name."""
    named = path.partition(".")[2].replace("rules[]", "rules.coding")
    return ".".join(quoted(str(entry)) if name == "*" else name for name in named.split("."))


def spelled(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, list) for each in value):
        return ";".join(",".join(each) for each in value)
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def command(row: dict[str, Any], word: str) -> list[str]:
    section = row["path"].partition(".")[0]
    group = {"profiles[]": "profiles", "pools[]": "pools", "defaults": "settings"}[section]
    return [group, word, *OF[section]]


@pytest.mark.parametrize("row", SET, ids=[row["path"] for row in SET])
def test_every_key_is_set_by_a_command(row: dict[str, Any], home: Path) -> None:
    wanted = {**row.get("with", {}), row["path"]: row["example"]}
    settings = [f"{typed(path, row.get('entry'))}={spelled(value)}" for path, value in wanted.items()]
    run([*command(row, "set"), *settings])
    assert in_file(home, row) == row["example"]
    field = typed(row["path"], row.get("entry"))
    told = json.loads(run([*command(row, "get"), field, "--json"]))
    assert (told["value"], told["saved"]) == (row["example"], True)
    if not isinstance(row["example"], list):
        assert run([*command(row, "get"), field]) == f"{spelled(row['example'])}\n"


@pytest.mark.parametrize("row", [row for row in ROWS if "by" in row], ids=lambda row: row["path"])
def test_a_key_that_is_not_set_by_saving_says_what_sets_it(row: dict[str, Any], home: Path) -> None:
    field = typed(row["path"], None)
    with pytest.raises(InvalidInput) as wrong:
        run([*command(row, "set"), f"{field}=2026-01-31T12:00:00.000Z"])
    assert all(word in wrong.value.message for each in row["by"] if " " in each for word in each.split())
    for words in (each.split()[1:] for each in row["by"] if " " in each):
        run([*words, *OF[row["path"].partition(".")[0]], "renamed"])
        assert in_file(home, row) == "renamed"
