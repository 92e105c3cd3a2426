"""``initialize`` is answered before anything heavy is imported."""

from __future__ import annotations

import sys

from tests.rpc.client import Client
from tests.rpc.conftest import Start

MAY_BE_LOADED = {"attr", "attrs", "cattr", "cattrs", "lsprotocol", "pygls", "rooroute", "tests", "typing_extensions"}
OURS = {
    "rooroute",
    "rooroute.errors",
    "rooroute.rpc",
    "rooroute.rpc.commands",
    "rooroute.rpc.envelope",
    "rooroute.rpc.failures",
    "rooroute.rpc.framing",
    "rooroute.rpc.progress",
    "rooroute.rpc.reverse",
    "rooroute.rpc.server",
    "rooroute.rpc.session",
    "rooroute.rpc.stdio",
    "rooroute.version",
}


async def test_initialize_is_answered_before_anything_heavy_is_imported(start: Start) -> None:
    client = await start("--modules")
    await client.request("initialize")
    client.notify("exit")
    await client.exit_code()
    fact = await client.fact("modules")
    loaded = set(fact["modules"])
    here = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names - {"__main__", "_virtualenv"}
    strangers = {name for name in here if not name.startswith(("_", "sitecustomize"))} - MAY_BE_LOADED
    assert strangers == set()
    assert {name for name in loaded if name.partition(".")[0] == "rooroute"} == OURS


async def test_what_methods_need_is_loaded_without_being_asked_for(start: Start) -> None:
    client = await start("--modules")
    await client.initialize()
    looked = await client.request("rooroute/why", {"requestId": "x"})
    assert {"pydantic", "rooroute.rpc.methods"} <= set(looked["request"]["modules"])


async def test_the_command_itself_imports_nothing_heavier(home: dict[str, str]) -> None:
    environment = {**home, "PYTHONPROFILEIMPORTTIME": "1"}
    async with await Client.start((sys.executable, "-m", "rooroute", "serve"), env=environment) as client:
        await client.request("initialize")
        client.notify("exit")
        assert await client.exit_code() == 1
        imported = {line.rpartition(b"|")[2].strip().decode() for line in bytes(client.stderr).splitlines()}
    assert "rooroute.rpc.server" in imported
    heavy = {"pydantic", "pydantic_core", "httpx", "keyring", "ruamel", "ruamel.yaml", "sqlite3", "truststore"}
    assert imported & (heavy | {"rooroute.rpc.messages", "rooroute.rpc.methods", "rooroute.application"}) == set()
