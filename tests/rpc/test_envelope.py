from __future__ import annotations

import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.chat import FinishReason, Usage
from rooroute.rpc.envelope import INVALID_REQUEST, PARSE_ERROR, Call, Refused, Reply, encode, envelope, parse


def read(body: bytes) -> Call | Reply | Refused:
    return envelope(parse(body))


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":2}}', Call("a", {"b": 2}, 1), id="request"),
        pytest.param(b'{"jsonrpc":"2.0","id":"x","method":"a"}', Call("a", {}, "x"), id="request-without-params"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","params":null}', Call("a", {}, 1), id="null-params"),
        pytest.param(b'{"jsonrpc":"2.0","method":"a","params":[1]}', Call("a", [1]), id="notification"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":null}', Reply(1), id="reply"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"error":{"code":1}}', Reply(1, None, {"code": 1}), id="error-reply"),
        pytest.param(
            b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":{"jsonrpc":"1.0","id":9,"$schema":1,"class":2}}}',
            Call("a", {"x": {"jsonrpc": "1.0", "id": 9, "$schema": 1, "class": 2}}, 1),
            id="params-are-nobodys-envelope",
        ),
    ],
)
def test_messages_are_understood(body: bytes, meaning: Call | Reply) -> None:
    assert read(body) == meaning


NESTED = b'{"a":' * 200_000 + b"1" + b"}" * 200_000


@pytest.mark.parametrize(
    ("body", "code", "ident"),
    [
        pytest.param(b"", PARSE_ERROR, None, id="nothing"),
        pytest.param(b"{", PARSE_ERROR, None, id="half"),
        pytest.param(b"\xef\xbb\xbf{}", PARSE_ERROR, None, id="byte-order-mark"),
        pytest.param(b'{"a":"\xff"}', PARSE_ERROR, None, id="not-utf-8"),
        pytest.param('{"a":1}'.encode("utf-16"), PARSE_ERROR, None, id="utf-16"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":NaN}}', PARSE_ERROR, None, id="nan"),
        pytest.param(
            b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":1e999}}', INVALID_REQUEST, 1, id="infinite-number"
        ),
        pytest.param(
            b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"b":' + b"9" * 5000 + b"}}",
            INVALID_REQUEST,
            1,
            id="5000-digits",
        ),
        pytest.param(
            b'{"jsonrpc":"2.0","id":1,"method":"a","params":' + NESTED + b"}",
            INVALID_REQUEST,
            1,
            id="nested-200000-deep",
        ),
        pytest.param(b"[" * 200_000, INVALID_REQUEST, None, id="brackets-without-end"),
        pytest.param(b"[]", INVALID_REQUEST, None, id="empty-batch"),
        pytest.param(b'[{"jsonrpc":"2.0","id":1,"method":"a"}]', INVALID_REQUEST, None, id="batch"),
        pytest.param(b"3", INVALID_REQUEST, None, id="a-number"),
        pytest.param(b"{}", INVALID_REQUEST, None, id="empty"),
        pytest.param(b'{"id":1,"method":"a"}', INVALID_REQUEST, 1, id="no-version"),
        pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"a"}', INVALID_REQUEST, 1, id="another-version"),
        pytest.param(b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST, 1, id="neither-call-nor-reply"),
        pytest.param(b'{"jsonrpc":"2.0","id":null,"method":"a"}', INVALID_REQUEST, None, id="null-id"),
        pytest.param(b'{"jsonrpc":"2.0","id":1.5,"method":"a"}', INVALID_REQUEST, None, id="broken-id"),
        pytest.param(b'{"jsonrpc":"2.0","id":true,"method":"a"}', INVALID_REQUEST, None, id="boolean-id"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":5}', INVALID_REQUEST, 1, id="method-is-no-string"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"a","params":"b"}', INVALID_REQUEST, 1, id="params-are-text"),
    ],
)
def test_what_cannot_be_served_is_refused(body: bytes, code: int, ident: int | None) -> None:
    refused = read(body)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.id) == (code, ident)


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [
        ("\\ud83d\\ude00", "\U0001f600"),
        ("\\ud83d", "\ufffd"),
        ("\\ude00\\ud83d", "\ufffd\ufffd"),
        ("\\uD83D\\ud83d\\uDE00", "\ufffd\U0001f600"),
        ("\\\\ud83d", "\\ud83d"),
        ("\\n\\u00e4\\ud800x", "\nä\ufffdx"),
    ],
)
def test_half_a_surrogate_pair_becomes_a_replacement_character(escaped: str, meant: str) -> None:
    assert parse(f'{{"a":"{escaped}"}}'.encode()) == {"a": meant}


@dataclass(frozen=True, slots=True)
class Sample:
    first_name: str
    last_name: str | None = None
    inner: Usage | None = None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(
            Sample("a", inner=Usage(1, 2)),
            '{"firstName":"a","inner":{"inputTokens":1,"outputTokens":2,"estimated":false}}',
            id="values-in-camel-case-without-none",
        ),
        pytest.param(
            {"a": float("nan"), "b": [float("inf"), 1.5]}, '{"a":null,"b":[null,1.5]}', id="not-finite-is-null"
        ),
        pytest.param(FinishReason.TOOL_CALLS, '"toolCalls"', id="enums"),
        pytest.param((1, MappingProxyType({"a": 1}), frozenset("ba")), '[1,{"a":1},["a","b"]]', id="collections"),
        pytest.param("\ud83d\u2028ä", '"\\ud83d\\u2028\\u00e4"', id="ascii-throughout"),
    ],
)
def test_values_are_spelt_in_json(value: Any, text: str) -> None:
    assert encode(value).decode() == text


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    params=st.dictionaries(st.sampled_from(["jsonrpc", "$schema", "class", "a b", "id", "method", "é"]), json_values)
)
def test_params_arrive_as_they_were_sent(params: dict[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "a", "params": params}, ensure_ascii=False).encode()
    assert read(body) == Call("a", params, 1)


@given(value=json_values)
def test_what_is_encoded_is_read_back_equal(value: Any) -> None:
    assert json.loads(encode(value)) == value
