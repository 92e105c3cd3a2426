"""No key leaves the process by any door but the one to its origin: every byte that comes out is searched, in many spellings."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from rooroute.scripted_provider import Answer, Cut, Fail, Html, InStreamError, ScriptedProvider
from tests.e2e.conftest import Open
from tests.e2e.talk import ask, profile
from tests.rpc.client import RpcError

# Random letters and digits, unlike any vendor's key, so that only the exact key can be recognised.
CANARIES = {
    "A": "q7Zp2Lx9Vb4Nc8Kd3Rw6Tf5Hs0Jg1Ma",
    "B": "u3Yk8Pe5Wn1Xd7Qb4Vm9Zr2Cj6Ls0Fh",
    "C": "o9Gt4Bv1Sx6Ei3Un8Ap2Dk7Wy5Qm0Lc",
    "D": "i2Rf7Hz5Jc9Tk1Vq4Nb8Gs3Xl6Md0Pe",
    "E": "y6Wd3Qs8Fm2Lv5Bx9Ck4Tj7Ra1Zh0Nu",
    "F": "e1Xa5Ky9Ps3Cw7Jg2Zt8Dv4Rf6Uq0Bn",
}


def spellings(key: str) -> set[bytes]:
    """The key as it might be written: plain, percent, hex, base64 at each offset, reversed, UTF-16, and any eight letters of it."""
    raw = key.encode()
    found = {raw, quote(key, safe="").encode(), raw.hex().encode(), raw[::-1], key.encode("utf-16-le")}
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * offset + raw).rstrip(b"=")[4 if offset else 0 : -4])
    return found | {raw[n : n + 8] for n in range(len(raw) - 7)}


def hits(data: bytes) -> list[str]:
    return [name for name, key in CANARIES.items() if any(each in data for each in spellings(key))]


@pytest.mark.parametrize(
    "write", [str.encode, lambda key: base64.b64encode(b"x" + key.encode()), lambda key: key[5:15].encode()]
)
def test_the_search_finds_what_is_there(write: object) -> None:
    key = CANARIES["C"]
    assert hits(b"before " + write(key) + b" after") == ["C"]  # type: ignore[operator]


def written(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]


async def test_no_byte_that_comes_out_holds_a_key(window: Open, provider: ScriptedProvider, tmp_path: Path) -> None:
    scripts = {
        "A": (Fail("rate-limit", retry_delay=60, message="key {key} is too fast"),),
        "B": (Fail("invalid-key", message="{key} is not valid"),),
        "C": (InStreamError(0), Cut(2)),
        "D": (Html(),),
        "E": (Fail("bad-request", message="what is {key}?"), Answer("Fine.")),
        "F": (Answer("Last."),),
    }
    client = await window()
    for name, key in CANARIES.items():
        told = [
            Fail(step.kind, retry_delay=step.retry_delay, message=step.message.format(key=key))
            if isinstance(step, Fail) and step.message
            else step
            for step in scripts[name]
        ]
        provider.script(key, *told)
        await client.request("rooroute/profiles/save", {"profile": profile(provider, name), "apiKey": key})
    await client.request("rooroute/pools/save", {"pool": {"id": "default", "profiles": list(CANARIES), "maxWait": 0}})
    for n in range(4):
        with contextlib.suppress(RpcError):
            await ask(client, token=f"t{n}", session=str(n))
    for method, params in (
        ("rooroute/status", {}),
        ("rooroute/stats", {}),
        ("rooroute/why", {"requestId": "latest"}),
        *(("rooroute/profiles/get", {"id": name}) for name in CANARIES),
        *(("rooroute/profiles/models", {"id": name}) for name in CANARIES),
        *(("rooroute/profiles/test", {"id": name, "level": "completion"}) for name in CANARIES),
        (
            "rooroute/profiles/save",
            {"profile": profile(provider, "A"), "apiKey": CANARIES["A"], "surprise": CANARIES["B"]},
        ),
        ("rooroute/profiles/save", {"profile": {**profile(provider, "A"), "apiKey": CANARIES["A"]}}),
        ("rooroute/profiles/duplicate", {"id": "A", "newId": "Z"}),
        ("rooroute/profiles/delete", {"id": "Z"}),
        ("rooroute/complete", {"messages": CANARIES["A"]}),
    ):
        with contextlib.suppress(RpcError):
            await client.request(method, params)
    assert {seen.key for seen in provider.requests} == set(CANARIES.values()), "each key did reach its provider"
    await client.stop()
    assert [json.dumps(frame)[:400] for frame in client.frames if hits(json.dumps(frame).encode())] == []
    assert hits(bytes(client.stdout)) == []
    assert hits(bytes(client.stderr)) == []
    files = written(tmp_path)
    assert any(each.suffix == ".sqlite3" for each in files)
    assert any(each.suffix == ".log" for each in files)
    assert [str(each) for each in files if hits(each.read_bytes())] == []
