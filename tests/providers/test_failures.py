"""From an error's bytes to its evidence: sentences, codes and nested bodies, and nothing in them that steers or leaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rooroute.outcome import Fault, Scope
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.failures import (
    BY_STATUS,
    Evidence,
    Row,
    evidence_in_stream,
    evidence_of,
    judge,
    pattern,
    statuses,
)
from rooroute.providers.redaction import plain, redacted, struck

NOW = 1_790_000_000.0


def evidence(body: Any, status: int = 400, **headers: str) -> Evidence:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return evidence_of(
        ErrorAnswer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data), NOW
    )


SENTENCES = {
    "openai": ({"error": {"message": "No.", "code": "x"}}, "No."),
    "an error that is text": ({"error": "No."}, "No."),
    "fastapi": ({"detail": "No."}, "No."),
    "fastapi's list": ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
    "google's list": ([{"error": {"code": 429, "message": "No.", "status": "RESOURCE_EXHAUSTED"}}], "No."),
    "a sentence inside a sentence": ({"error": {"message": '{"error": {"message": "Inner."}}'}}, "Inner."),
    "two wrappers": (
        {"message": 'Outer: {"error": {"message": "{\\"error\\": {\\"message\\": \\"Inner.\\"}}"}}'},
        "Inner.",
    ),
    "wrapped with a status line": (b'got status: 429. {"error": {"message": "No."}}', "No."),
    "wrapped in an event": (b'data: {"error": {"message": "No."}}\n\n', "No."),
    "plain text": (b"upstream connect error\nor disconnect", "upstream connect error or disconnect"),
    "a page": (b"<html>No</html>", "HTTP 400"),
    "nothing": (b"", "HTTP 400"),
    "no sentence": ({"error": {"code": "x"}}, "HTTP 400"),
    "a byte order mark": (b"\xef\xbb\xbf" + b'{"error": "No."}', "No."),
    "bytes that are no UTF-8": (b'{"error": "N\xffo."}', "N\ufffdo."),
}


@pytest.mark.parametrize(("body", "message"), SENTENCES.values(), ids=SENTENCES)
def test_the_sentence_is_found(body: Any, message: str) -> None:
    assert evidence(body).message == message


def test_typed_codes_are_gathered_from_every_depth() -> None:
    body = {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "details": [{"reason": "RATE_LIMIT"}, {"violations": [{"quotaId": "PerDay"}]}],
            "message": '{"error": {"type": "inner_type"}}',
        }
    }
    found = evidence(body, 500)
    assert found.codes == {"resource_exhausted", "rate_limit", "perday", "inner_type"}
    assert found.status == 500
    assert found.code == "RATE_LIMIT"


@pytest.mark.parametrize(
    ("document", "status"),
    [({"error": {"code": 429}}, 429), ({"error": {"code": "502"}}, 502), ({"error": {"code": 7}}, None), ({"error": {"code": "²²²"}}, None), ({}, None)],
)  # fmt: skip
def test_inside_a_stream_the_body_names_the_status(document: Any, status: int | None) -> None:
    assert evidence_in_stream(document, NOW).status == status


@pytest.mark.parametrize(
    ("body", "headers", "hint"),
    [
        pytest.param(
            {"error": {"details": [{"retryDelay": "46s"}]}}, {"retry_after": "5"}, 5.0, id="a-header-before-a-detail"
        ),
        pytest.param(
            {"error": {"details": [{"retryDelay": "46s"}], "message": "retry in 9s"}},
            {},
            46.0,
            id="a-detail-before-words",
        ),
        pytest.param({"error": {"message": "Please retry in 9s."}}, {}, 9.0, id="words-last"),
        pytest.param(
            {"error": {"details": [{"retryDelay": "0s"}]}}, {"retry_after": "-1"}, None, id="nothing-sensible"
        ),
    ],
)
def test_the_hint_comes_from_the_best_witness(body: Any, headers: dict[str, str], hint: float | None) -> None:
    assert evidence(body, 429, **headers).hint == hint


def test_every_condition_of_a_row_must_hold() -> None:
    row = Row(
        Fault.QUOTA,
        codes=frozenset({"a"}),
        status=statuses(429),
        header="x-h",
        text=pattern("word"),
        if_=lambda e: not e.html,
    )
    good: dict[str, Any] = {"body": {"code": "A", "message": "The Word."}, "status": 429, "x_h": "1"}
    assert row.fits(evidence(**good))
    for change in (
        {"body": {"code": "B", "message": "word"}},
        {"status": 400},
        {"body": {"code": "a", "message": "w"}},
        {"content_type": "text/html"},
    ):
        assert not row.fits(evidence(**{**good, **change}))
    assert not row.fits(evidence(good["body"], 429))


def test_the_first_fitting_row_decides_and_something_always_fits() -> None:
    rows = (Row(Fault.MODEL, status=statuses(404)), Row(Fault.POLICY, status=statuses(404)))
    assert judge(rows, evidence(b"", 404)).fault is Fault.MODEL
    for status in range(300, 600):
        assert judge((), evidence(b"", status)).fault is not Fault.CANCELLED
    assert judge((), evidence_in_stream({}, NOW)).fault is Fault.TRANSIENT
    assert BY_STATUS[-1].fits(evidence_in_stream({}, NOW))


def test_only_what_passes_by_itself_carries_a_hint() -> None:
    assert judge((), evidence(b"", 401, retry_after="5")).hint is None
    assert judge((), evidence(b"", 503, retry_after="5")).hint == 5.0
    assert judge((), evidence(b"", 503)).scope is Scope.ENDPOINT


KEYS = [
    "sk-proj-abcDEF123456_-abc", "sk-ant-api03-AbCdEf-123456", "AIzaSyA1234567890abcdefghijk", "gsk_abcdefghijkl12345", "hf_abcdefghijklmn",
    "ya29.a0AfH6SMBx-123.456", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_123", "AKIAIOSFODNN7EXAMPLE", "xai-abcdefgh123456789",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_what_looks_like_a_key_is_struck_out(key: str) -> None:
    shown = plain(f"The key {key} is wrong, see https://host/x?key={key}&a=1 and Bearer {key}.")
    assert key not in shown
    assert key[:12] not in shown
    assert shown.startswith("The key *** is wrong")


def test_a_named_value_is_struck_out_whatever_it_looks_like() -> None:
    assert (
        redacted("api_key: 'hunter22'; password=hunter22 and ?key=abcdefgh&b=1")
        == "api_key: '***'; password=*** and ?key=***&b=1"
    )


def test_a_key_is_struck_out_and_a_word_that_stands_for_none_stays() -> None:
    assert struck("no such thing as tok-4242", ["tok-4242", ""]) == "no such thing as ***"
    assert struck("not found, try ollama pull first", ["ollama"]) == "not found, try ollama pull first"


@pytest.mark.parametrize(
    ("key", "text", "shown"),
    [
        ("abc123", 'Incorrect key "abc123": no.', 'Incorrect key "***": no.'),
        ("abc123", "\u201cabc123\u201d 密钥abc123无效", "\u201c***\u201d 密钥***无效"),
        ("abc123", "xabc123 abc1234 abc123_4", "xabc123 abc1234 abc123_4"),
        ("late", "too late, try later; translated", "too ***, try later; translated"),
        ("error", '{"error": {"message": "error error_code"}}', '{"error": {"message": "*** error_code"}}'),
        ("test", "a test of the latest", "a test of the latest"),
        ("x1", "x1", "x1"),
    ],
    ids=["quoted", "in-other-scripts", "part-of-a-word", "a-word", "a-name-of-a-field", "a-placeholder", "too-short"],
)
def test_a_short_key_is_struck_out_as_a_word_of_its_own(key: str, text: str, shown: str) -> None:
    assert struck(text, [key]) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred\x1b[0m", "ared"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\u200bb\u2028c\nd\te\x00", "ab c d e"),
        ("tag\U000e0041\ud800", "tag"),
        ("  many   blanks ", "many blanks"),
    ],
)
def test_nothing_in_a_message_steers_who_shows_it(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_message_has_at_most_two_kilobytes() -> None:
    for text in ("x" * 5000, "ü" * 5000, "👋" * 5000):
        shown = plain(text)
        assert 2000 < len(shown.encode()) <= 2048
        assert shown.endswith("…")
