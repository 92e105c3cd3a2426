"""What has broken servers of this kind before, each with a real process over real pipes."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest

from rooroute.rpc.framing import MAX_BODY
from tests.rpc.client import Client, RpcError
from tests.rpc.fake_server import CANARY
from tests.rpc.test_life_cycle import TURNS, asking, refused


@pytest.mark.parametrize(
    ("wire", "code", "ident"),
    [
        pytest.param(b"Content-Length: -5\r\n\r\n{}", -32700, None, id="negative-length"),
        pytest.param(b"X: " + b"a" * 100_000, -32700, None, id="endless-header"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"x"}\n', -32700, None, id="no-header"),
        pytest.param(b"Content-Length: 1\r\n\r\n{", -32700, None, id="half-json"),
        pytest.param(b"Content-Length: 1\r\n\r\n\xff", -32700, None, id="not-utf-8"),
        pytest.param(b"Content-Length: 2\r\n\r\n[]", -32600, None, id="batch"),
        pytest.param(b"Content-Length: 200000\r\n\r\n" + b"[" * 200_000, -32600, None, id="deep-nesting"),
        pytest.param(
            b'Content-Length: 55\r\n\r\n{"jsonrpc":"2.0","id":"a","method":"x","params":"text"}',
            -32600,
            "a",
            id="params",
        ),
    ],
)
async def test_a_bad_frame_is_answered_and_the_next_request_served(
    server: Client, wire: bytes, code: int, ident: Any
) -> None:
    server.write(wire)
    assert (await server.request("rooroute/status"))["configRevision"] == "r1"
    answer = server.answers[ident] if ident else server.null_answers[0]
    assert answer["error"]["code"] == code


@pytest.mark.parametrize(
    "header",
    [
        b"content-length:%d\r\n\r\n",
        b"Content-Length:%d\n\n",
        b"X-A: b\r\nCONTENT-LENGTH: %d\r\nContent-Type: c\r\n\r\n",
    ],
    ids=["lower-case-without-space", "line-feeds", "other-headers"],
)
async def test_any_header_the_specification_allows_is_served(server: Client, header: bytes) -> None:
    body = b'{"jsonrpc":"2.0","id":"odd","method":"rooroute/status"}'
    server.write(header % len(body) + body)
    await server.until(lambda: "odd" in server.answers)
    assert "result" in server.answers["odd"]


async def test_a_length_that_cannot_be_true_is_answered_and_ends_the_process(server: Client) -> None:
    server.write(b"Content-Length: 1000000000000\r\n\r\n")
    assert await server.exit_code(5) == 1
    assert server.null_answers[0]["error"]["code"] == -32700


async def test_params_arrive_untouched(server: Client) -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"class": {"type": "string"}, "a b": {"jsonrpc": "2.0", "id": 5, "method": "x"}, "_x": {}},
        "type_name": "Sneaky",
        "content-type": None,
        "$defs": {"def": {"const": 1.0}, "é": {"const": 10**30}},
    }
    params = {
        **asking("echo", jsonrpc={"jsonrpc": "1.0"}),
        "tools": [{"name": "t", "parameters": schema}],
        "providerOptions": {"jsonrpc": "2.0", "id": 7, "class": [{"jsonrpc": None}]},
    }
    result = await server.request("rooroute/complete", params)
    seen = json.loads(result["message"]["content"])
    assert seen["tools"] == [{"name": "t", "parameters": schema}]
    assert list(seen["tools"][0]["parameters"]) == list(schema)
    assert seen["options"] == params["providerOptions"]
    assert seen["metadata"] == params["metadata"]


async def stuck(server: Client) -> int:
    """Wait until the stream has come to a halt; gives how many deltas it had delivered by then.

    It pauses for a moment whenever its queue is full and the pipe is not: only what many looks find where it was stands still.
    """
    before, same = 0, 0
    async with asyncio.timeout(60):
        for n in itertools.count():
            server.notify("rooroute/why", {"requestId": f"look {n}"})
            seen: int = (await server.fact("asked", f"look {n}"))["delivered"]
            same = same + 1 if seen == before > 0 else 0
            if same == 50:
                break
            before = seen
    return before


async def test_a_client_that_stops_reading_freezes_nothing_and_loses_nothing(server: Client) -> None:
    deltas, size = 20_000, 400
    await server.request("rooroute/status")
    server.pause()
    _, answer = server.ask("rooroute/complete", asking("stream", "t", deltas=deltas, size=size))
    halted = await stuck(server)
    assert halted * size < 1024 * 1024
    server.notify("rooroute/why", {"requestId": "alive"})
    assert (await server.fact("asked", "alive"))["delivered"] == halted
    server.resume()
    await asyncio.wait_for(answer, 60)
    text = "".join(v["text"] for v in server.progress_so_far("t") if v["kind"] == "text")
    assert text == "".join(f"{n:0{size}d} " for n in range(deltas))


async def test_many_streams_to_a_client_that_stops_reading_all_arrive(server: Client) -> None:
    await server.request("rooroute/status")
    server.pause()
    params = {f"t{n}": asking("stream", f"t{n}", deltas=300, size=100) for n in range(20)}
    answers = [server.ask("rooroute/complete", p)[1] for p in params.values()]
    await stuck(server)
    server.resume()
    await asyncio.wait_for(asyncio.gather(*answers), 60)
    whole = "".join(f"{n:0100d} " for n in range(300))
    for token in params:
        assert "".join(v["text"] for v in server.progress_so_far(token) if v["kind"] == "text") == whole


async def test_a_client_that_stops_reading_hears_only_the_newest_status(server: Client) -> None:
    await server.request("rooroute/status")
    server.pause()
    _, answer = server.ask("rooroute/complete", asking("stream", "t", deltas=5000, size=400))
    await stuck(server)
    server.notify("rooroute/profiles/delete", {"id": "x", "configRevision": "20000"})
    server.notify("rooroute/why", {"requestId": "after"})
    await server.fact("asked", "after")
    server.resume()
    await asyncio.wait_for(answer, 60)
    told = [m["params"] for m in server.frames if m.get("method") == "rooroute/statusChanged"]
    assert len(told) == 1
    assert {p["id"]: p["reason"] for p in told[0]["profiles"]} == {
        f"p{n % 50}": f"change {n}" for n in range(19950, 20000)
    }


async def test_status_changes_reach_a_client_that_reads(server: Client) -> None:
    await server.request("rooroute/profiles/delete", {"id": "x", "configRevision": "3"})
    told = [m["params"]["stateRevision"] for m in server.frames if m.get("method") == "rooroute/statusChanged"]
    assert told == [0, 1, 2]


async def test_a_stuck_client_does_not_keep_the_process_from_ending(server: Client) -> None:
    await server.request("rooroute/status")
    server.pause()
    server.ask("rooroute/complete", asking("stream", "t", deltas=20_000, size=400))
    await stuck(server)
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert await server.exit_code(10) == 1


async def test_stray_output_never_reaches_the_protocol(server: Client) -> None:
    result = await server.request("rooroute/complete", asking("litter"))
    assert result["message"]["content"] == "clean"
    await server.request("rooroute/status")
    await server.until(lambda: b"a stray puts" in server.stderr)
    for stray in (b"a stray print", b"a stray write", b"a stray puts", b"a stray warning"):
        assert stray in server.stderr
        assert stray not in server.stdout


async def test_no_traceback_and_no_key_leaves_by_an_error(server: Client) -> None:
    for method, params in (
        ("rooroute/complete", asking("fail", "t")),
        ("rooroute/profiles/save", {"profile": {"id": "a", "provider": "openai"}, "apiKey": CANARY}),
        ("rooroute/stats", {"since": CANARY}),
        ("rooroute/complete", {"messages": TURNS, "maxTokens": CANARY}),
        ("rooroute/complete", {"messages": CANARY}),
        ("workspace/executeCommand", {"command": CANARY}),
        ("workspace/executeCommand", {"command": 5, "arguments": CANARY}),
        ("rooroute/status", [CANARY]),
    ):
        wrong = await refused(server, method, params)
        assert wrong.data["kind"] in {"internal", "invalidInput", "invalidMessage"}
    await refused(server, CANARY)
    server.notify(CANARY, {"key": CANARY})
    server.notify("rooroute/profiles/save", {"profile": {"id": "a", "provider": "openai"}, "apiKey": CANARY})
    await server.request("rooroute/complete", asking("litter"))
    await server.stop()
    everything = bytes(server.stdout + server.stderr)
    assert b"Traceback" not in everything
    assert CANARY.encode() not in everything
    assert b"careless" not in everything


async def test_an_internal_error_is_found_in_the_log_by_its_reference(server: Client) -> None:
    wrong = await refused(server, "rooroute/complete", asking("fail"))
    assert wrong.code == -32603
    reference = wrong.data["reference"]
    assert reference in wrong.message
    await server.until(lambda: reference.encode() in server.stderr)
    assert f"{reference}: RuntimeError at ".encode() in server.stderr


async def test_errors_of_the_tree_arrive_as_they_are(server: Client) -> None:
    wrong = await refused(server, "rooroute/rotate", {"pool": "resting"})
    assert (wrong.code, wrong.data["kind"]) == (-32010, "allCoolingDown")
    assert wrong.message == "Nobody can serve before 12:05; wait or add a profile."
    assert wrong.data["profiles"][0]["until"] == "2026-01-31T12:05:00.000Z"


async def test_an_error_whose_data_cannot_be_spelt_is_still_an_answer(server: Client) -> None:
    assert (await refused(server, "rooroute/complete", asking("unspeakable"))).data["kind"] == "internal"


async def test_a_partial_answer_is_in_the_error_only_where_it_was_not_streamed(server: Client) -> None:
    silent = await refused(server, "rooroute/complete", asking("interrupt"))
    assert silent.data["message"]["content"] == "half an ans"
    streamed = await refused(server, "rooroute/complete", asking("interrupt", "t"))
    assert "message" not in streamed.data
    assert [v["text"] for v in server.progress_so_far("t") if v["kind"] == "text"] == ["half an ans"]


async def test_the_text_comes_once_either_as_progress_or_in_the_result(server: Client) -> None:
    silent = await server.request("rooroute/complete", asking("kinds"))
    assert [part["type"] for part in silent["message"]["content"]] == ["thinking", "text"]
    streamed = await server.request("rooroute/complete", asking("kinds", "t"))
    assert [part["type"] for part in streamed["message"]["content"]] == ["thinking"]
    assert streamed["message"]["toolCalls"] == [{"id": "c1", "name": "look", "arguments": '{"a":1}'}]
    kinds = [value["kind"] for value in server.progress_so_far("t")]
    assert kinds == ["attempt", "thinking", "thinking", "text", "toolCall", "waiting", "waiting", "reset", "usage"] or (
        kinds == ["attempt", "thinking", "text", "toolCall", "waiting", "waiting", "reset", "usage"]
    )


async def test_progress_comes_before_the_answer_and_never_after_it(server: Client) -> None:
    for n in range(20):
        await server.request("rooroute/complete", asking("stream", f"t{n}", deltas=5))
        assert "result" in server.frames[-1]
        assert server.progress_so_far(f"t{n}")[-1]["kind"] == "usage"
    await server.request("rooroute/status")
    assert [m for m in server.frames if m.get("method") == "$/progress"][-1]["params"]["token"] == "t19"
    assert "method" not in server.frames[-2]


async def test_the_answer_does_not_overtake_progress_that_had_to_wait(server: Client) -> None:
    await server.request("rooroute/status")
    server.pause()
    _, answer = server.ask("rooroute/complete", asking("stream", "t", deltas=5000, size=400, rude=True))
    server.notify("rooroute/why", {"requestId": "after"})
    await server.fact("asked", "after")
    server.resume()
    await answer
    assert "result" in server.frames[-1]
    text = "".join(v["text"] for v in server.progress_so_far("t") if v["kind"] == "text")
    assert text == "".join(f"{n:0400d} " for n in range(5000))


async def test_what_is_not_finite_is_null(server: Client) -> None:
    result = await server.request("rooroute/stats", {"since": "2026-01-01T00:00:00Z"})
    assert result["rows"][0]["outputTokens"] is None


async def test_a_message_of_64_megabytes_is_refused_without_a_stutter(server: Client) -> None:
    """The least lag of three counts: a host that pauses in one of them is no stutter of the server's."""
    looks = [await look_after_64_megabytes(server, f"big{n}") for n in range(3)]
    assert min(look["lag"] for look in looks) < 0.5
    assert looks[-1]["peakMegabytes"] < 400


async def look_after_64_megabytes(server: Client, name: str) -> dict[str, Any]:
    await server.request("rooroute/why", {"requestId": "warm"})
    start = b'{"jsonrpc":"2.0","id":"%b","method":"rooroute/complete","params":{"messages":"' % name.encode()
    length = MAX_BODY + 1
    server.write(b"Content-Length: %d\r\n\r\n%b" % (length, start))
    server.write(b"x" * (5000))
    await server.until(lambda: name in server.answers)
    assert server.answers[name]["error"]["code"] == -32600
    left = length - len(start) - 5000
    while left:
        piece = min(left, 1 << 20)
        server.write(b"x" * piece)
        await server.drain()
        left -= piece
    look: dict[str, Any] = (await server.request("rooroute/why", {"requestId": "after"}))["request"]
    return look


async def test_a_message_of_ten_megabytes_is_served_without_a_freeze(server: Client) -> None:
    await server.request("rooroute/why", {"requestId": "warm"})
    turn = {"role": "user", "content": [{"type": "text", "text": "word " * 50}]}
    params = {**asking("stream"), "messages": [turn] * 20_000, "providerOptions": {"image": "A" * 4_000_000}}
    await server.request("rooroute/complete", params, timeout=60)
    looked = await server.request("rooroute/why", {"requestId": "after"})
    assert looked["request"]["lag"] < 1.5


async def test_the_editor_keeps_keys_where_it_offers_to(start: Any) -> None:
    client: Client = await start()
    kept: dict[tuple[str, str], str] = {}

    async def put(params: Any) -> None:
        kept[params["profileId"], params["slot"]] = params["value"]

    async def give(params: Any) -> Any:
        return {"value": kept.get((params["profileId"], params["slot"]))}

    client.on("rooroute/secrets/set", put)
    client.on("rooroute/secrets/get", give)
    await client.initialize({"rooroute": {"secrets": True}})
    result = await client.request("rooroute/profiles/get", {"id": "one"})
    assert kept == {("one", "apiKey"): "typed"}
    assert result["profile"]["notes"] == "typed"


async def test_an_editor_that_refuses_to_keep_keys_is_told_so(start: Any) -> None:
    client: Client = await start()
    await client.initialize({"rooroute": {"secrets": True}})
    wrong = await refused(client, "rooroute/profiles/get", {"id": "one"})
    assert (wrong.code, wrong.data["profileId"]) == (-32032, "one")
    assert "not offered" not in wrong.message


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("rooroute.server.rotateNow", [], {"from": "one", "to": "two"}),
        ("rooroute.server.rotateNow", ["main"], {"from": "one", "to": "two"}),
        ("rooroute.server.rotateNow", None, {"from": "one", "to": "two"}),
        ("rooroute.server.test", ["one"], {"ok": True, "stages": [{"name": "connect", "ok": True, "durationMs": 1.0}]}),
    ],
)
async def test_commands_do_what_their_methods_do(server: Client, command: str, arguments: Any, expected: Any) -> None:
    params = {"command": command, **({"arguments": arguments} if arguments is not None else {})}
    assert await server.request("workspace/executeCommand", params) == expected


@pytest.mark.parametrize(("command", "state"), [("enable", "active"), ("disable", "disabled"), ("reset", "active")])
async def test_commands_switch_a_profile(server: Client, command: str, state: str) -> None:
    params = {"command": f"rooroute.server.{command}", "arguments": ["one"]}
    assert (await server.request("workspace/executeCommand", params))["profile"]["state"] == state


async def test_a_command_without_its_argument_says_which(server: Client) -> None:
    with pytest.raises(RpcError) as caught:
        await server.request("workspace/executeCommand", {"command": "rooroute.server.reset", "arguments": []})
    assert (caught.value.code, caught.value.data["field"]) == (-32602, "arguments")


async def test_stages_of_a_test_come_as_progress(server: Client) -> None:
    await server.request("rooroute/profiles/test", {"id": "one", "partialResultToken": "t"})
    assert server.progress_so_far("t") == [{"kind": "stage", "name": "connect", "ok": True, "durationMs": 1.0}]
