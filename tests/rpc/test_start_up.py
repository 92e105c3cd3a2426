"""``initialize`` is answered before anything heavy is imported."""

from __future__ import annotations

import sys

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
