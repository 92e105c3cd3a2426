"""Beginning, ending, and the order of things in between, with a real process over real pipes."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import pytest

from rooroute.version import PROTOCOL_VERSION, VERSION
from tests.rpc.client import Client, RpcError
from tests.rpc.conftest import FAKE_SERVER, ROOT, Start

TURNS = [{"role": "user", "content": "hello"}]


def asking(act: str, token: str | None = None, **metadata: Any) -> dict[str, Any]:
    params: dict[str, Any] = {"messages": TURNS, "metadata": {"act": act, **metadata}}
    return params if token is None else {**params, "partialResultToken": token}


async def refused(client: Client, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await client.request(method, params)
    return caught.value


async def test_initialize_says_who_answers_and_what_it_can_do(start: Start) -> None:
    client = await start()
    result = await client.initialize({"rooroute": {"protocolVersion": PROTOCOL_VERSION, "client": "a test"}})
    assert result["serverInfo"] == {"name": "rooroute", "version": VERSION}
    capabilities = result["capabilities"]
    assert capabilities["experimental"]["rooroute"] == {"protocolVersion": PROTOCOL_VERSION, "compatible": True}
    assert "rooroute.server.rotateNow" in capabilities["executeCommandProvider"]["commands"]
    assert "textDocumentSync" not in capabilities
    assert "workspace" not in capabilities


async def test_another_major_version_is_told_in_the_answer(start: Start) -> None:
    client = await start()
    result = await client.initialize({"rooroute": {"protocolVersion": "99.0"}})
    told = result["capabilities"]["experimental"]["rooroute"]
    assert told["compatible"] is False
    assert "update" in told["message"]


@pytest.mark.parametrize("options", [None, {}, {"rooroute": None}, {"rooroute": {"protocolVersion": 1}}, [1]])
async def test_options_that_say_nothing_are_no_mismatch(start: Start, options: Any) -> None:
    client = await start()
    result = await client.initialize(options)
    assert result["capabilities"]["experimental"]["rooroute"]["compatible"] is True


async def test_initialize_with_bare_params_is_answered(start: Start) -> None:
    client = await start()
    assert "capabilities" in await client.request("initialize")


async def test_initialize_with_senseless_params_is_refused_and_may_be_sent_again(start: Start) -> None:
    client = await start()
    assert (await refused(client, "initialize", {"processId": "x"})).code == -32602
    assert "capabilities" in await client.initialize()


async def test_requests_before_initialize_are_refused_and_notifications_ignored(start: Start) -> None:
    client = await start()
    client.notify("rooroute/status")
    assert (await refused(client, "rooroute/status")).code == -32002
    assert (await refused(client, "shutdown")).code == -32002
    await client.initialize()
    assert (await client.request("rooroute/status"))["configRevision"] == "r1"


async def test_a_request_need_not_wait_for_initialized(start: Start) -> None:
    client = await start()
    await client.request("initialize")
    assert (await client.request("rooroute/status"))["configRevision"] == "r1"


async def test_a_second_initialize_is_refused(server: Client) -> None:
    assert (await refused(server, "initialize")).code == -32600


async def test_shutdown_then_exit_is_a_success(server: Client) -> None:
    await server.request("rooroute/status")
    assert await server.stop() == 0
    await server.fact("closed", True)


async def test_shutdown_while_still_loading_is_a_success(start: Start) -> None:
    client = await start()
    await client.initialize()
    assert await client.stop() == 0


async def test_exit_without_shutdown_is_an_error(server: Client) -> None:
    server.notify("exit")
    assert await server.exit_code() == 1


async def test_exit_before_initialize_is_an_error(start: Start) -> None:
    client = await start()
    client.notify("exit")
    assert await client.exit_code() == 1


async def test_requests_after_shutdown_are_refused(server: Client) -> None:
    await server.request("shutdown")
    assert (await refused(server, "rooroute/status")).code == -32600
    server.notify("exit")
    assert await server.exit_code() == 0


async def test_the_end_of_input_ends_the_process_and_its_streams(server: Client) -> None:
    server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: any(v["kind"] == "text" for v in server.progress_so_far("t")))
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert await server.exit_code(5) == 1
    await server.fact("cancelled")
    await server.fact("closed", True)


async def test_a_truncated_message_at_the_end_of_input_harms_nobody(server: Client) -> None:
    server.write(b"Content-Length: 500\r\n\r\n{")
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert await server.exit_code(5) == 1


async def test_shutdown_cancels_what_runs(server: Client) -> None:
    _, running = server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    await server.request("shutdown")
    with pytest.raises(RpcError) as caught:
        await running
    assert caught.value.code == -32800


async def test_a_handler_that_clings_to_life_does_not_keep_the_process(server: Client) -> None:
    server.ask("rooroute/complete", asking("cling", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    server.notify("exit")
    assert await server.exit_code(10) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
async def test_a_signal_ends_it_in_order(server: Client, name: str) -> None:
    server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    number = signal.Signals[name]
    server.process.send_signal(number)
    assert await server.exit_code(5) == 128 + number
    await server.fact("closed", True)


async def test_it_leaves_when_nobody_listens_any_more(server: Client) -> None:
    await server.request("rooroute/status")
    server.close_stdout()
    assert await server.exit_code(10) == 1


@pytest.mark.parametrize("argv", [FAKE_SERVER, (sys.executable, "-m", "rooroute", "serve")], ids=["roof", "rooroute"])
async def test_it_leaves_when_its_parent_dies_though_somebody_holds_the_pipe(
    argv: tuple[str, ...], home: dict[str, str]
) -> None:
    editor = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)
    async with await Client.start(argv, cwd=ROOT, env=home) as client:
        await client.initialize(processId=editor.pid)
        await client.request("rooroute/status")
        editor.kill()
        await editor.wait()
        assert await client.exit_code(5) == 1


async def test_a_duplicate_id_is_refused_while_its_first_bearer_runs(server: Client) -> None:
    ident, running = server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    server.send({"jsonrpc": "2.0", "id": ident, "method": "rooroute/status"})
    with pytest.raises(RpcError) as caught:
        await running
    assert caught.value.code == -32600
    server.cancel(ident)
    await server.until(lambda: server.answers[ident]["error"]["code"] == -32800)
    server.send({"jsonrpc": "2.0", "id": ident, "method": "rooroute/status"})
    await server.until(lambda: "result" in server.answers[ident])


async def test_cancelling_stops_a_request(server: Client) -> None:
    ident, running = server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    server.cancel(ident)
    with pytest.raises(RpcError) as caught:
        await running
    assert caught.value.code == -32800
    await server.fact("cancelled")


async def test_a_cancelled_request_may_account_for_what_it_did(server: Client) -> None:
    ident, running = server.ask("rooroute/complete", asking("hang", "t", account=True))
    await server.until(lambda: bool(server.progress_so_far("t")))
    server.cancel(ident)
    with pytest.raises(RpcError) as caught:
        await running
    assert caught.value.code == -32800
    assert caught.value.data["attempts"] == []


async def test_cancelling_what_is_over_or_never_was_is_ignored(server: Client) -> None:
    ident, answer = server.ask("rooroute/status")
    await answer
    unknown: Any
    for unknown in (ident, 10**9, "never", None, 1.5, {}, []):
        server.notify("$/cancelRequest", {"id": unknown})
    server.notify("$/cancelRequest", [])
    for _ in range(500):
        server.cancel(ident)
    assert (await server.request("rooroute/status"))["configRevision"] == "r1"
    assert not server.null_answers


async def test_a_reply_that_nobody_asked_for_is_ignored(server: Client) -> None:
    ident, running = server.ask("rooroute/complete", asking("hang", "t"))
    await server.until(lambda: bool(server.progress_so_far("t")))
    server.send({"jsonrpc": "2.0", "id": ident, "result": "mine"})
    server.send({"jsonrpc": "2.0", "id": "nobody", "error": {"code": 1, "message": "x"}})
    await server.request("rooroute/status")
    assert not running.done()
    running.cancel()


async def test_unknown_methods_are_answered_and_unknown_notifications_are_not(server: Client) -> None:
    for method in ("nope", "rooroute/nope", "$/nope", "textDocument/hover", "textDocument/didOpen"):
        assert (await refused(server, method)).code == -32601
        server.notify(method)
    await server.request("rooroute/status")
    assert not server.null_answers
    assert not [m for m in server.frames if m.get("method") == "window/showMessage"]
