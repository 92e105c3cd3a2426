"""Fields that one server names differently, as a profile declares it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from rooroute.chat import ChatRequest
from rooroute.profiles import Profile
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.field_changes import changes_of, wrong
from rooroute.providers.reshaped import Reshaped
from rooroute.providers.table import PROVIDERS, check, dialect_for
from tests.providers import conformance as c

DOCUMENT = {"a": {"b": 1}, "list": [{"x": 1}, {"x": 2}, 3], "top": True}

CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a-field-is-left-out": ({"drop": ["top", "nowhere.at.all"]}, {"a": {"b": 1}, "list": [{"x": 1}, {"x": 2}, 3]}),
    "a-field-gets-another-name": ({"rename": {"a.b": "c"}}, DOCUMENT | {"a": {"c": 1}}),
    "a-field-of-every-element": ({"rename": {"list.*.x": "y"}}, DOCUMENT | {"list": [{"y": 1}, {"y": 2}, 3]}),
    "a-field-is-set": ({"set": {"a.b": [None]}}, DOCUMENT | {"a": {"b": [None]}}),
    "objects-on-the-way-are-made": ({"set": {"new.deep.er": 1}}, DOCUMENT | {"new": {"deep": {"er": 1}}}),
    "a-value-on-the-way-is-left-alone": ({"set": {"top.x": 1}}, DOCUMENT),
    "dropped-renamed-and-set-in-this-order": (
        {"set": {"top": 2}, "rename": {"top": "bottom"}, "drop": ["a", "list"]},
        {"bottom": True, "top": 2},
    ),
}


@pytest.mark.parametrize(("declared", "expected"), CHANGES.values(), ids=CHANGES)
def test_the_changes(declared: dict[str, Any], expected: dict[str, Any]) -> None:
    changes, document = changes_of(declared), deepcopy(DOCUMENT)
    assert changes is not None
    changes.apply(document)
    assert document == expected


@pytest.mark.parametrize(
    "declared",
    [[], "x", 5, {"move": {}}, {"drop": "a"}, {"drop": [1]}, {"drop": [""]}, {"drop": ["a..b"]}, {"drop": ["a.*"]}, {"rename": ["a"]}, {"rename": {"a": ""}}, {"rename": {"a": 1}}, {"set": 1}, {"set": {".": 1}}, {"drop": ["a" + ".a" * 20]}],
    ids=repr,
)  # fmt: skip
def test_what_declares_nothing_sensible_is_named(declared: Any) -> None:
    assert wrong(declared)
    assert changes_of(declared) is None
    for option in ("requestFields", "responseFields"):
        profile = Profile(id="one", provider="openai", options={option: declared})
        assert [problem.field for problem in check(profile)] == [f"options.{option}"]


@pytest.mark.parametrize("document", [None, 5, "x", [1, [2]], {"list": 5, "a": None}])
def test_any_document_survives(document: Any) -> None:
    changes = changes_of({"drop": ["a.b"], "rename": {"list.*.x": "y"}, "set": {"list.*.z": 1}})
    assert changes is not None
    changes.apply(document)


@pytest.mark.parametrize("vendor", c.subjects().values(), ids=c.subjects())
def test_a_request_is_changed_and_its_sender_is_not(vendor: Any) -> None:
    options = {"requestFields": {"set": {"tools.*.extra": True, "made.here": 1}, "drop": ["stream_options"]}}
    request = ChatRequest(c.said("hi").messages, tools=(c.TOOL,))
    body = c.body_of(c.build(vendor, request, options=options))
    assert body["made"] == {"here": 1}
    assert all(tool["extra"] for tool in body["tools"])
    assert "stream_options" not in body
    assert "extra" not in c.TOOL.parameters


def test_an_answer_is_put_right_before_it_is_read() -> None:
    options = {"responseFields": {"rename": {"choices.*.delta.said": "content", "choices.*.ended": "finish_reason"}}}
    profile = Profile(id="one", provider="openai-compatible", base_url=c.FALLBACK_BASE, options=options)
    dialect, usual = dialect_for(profile, "m"), PROVIDERS["openai-compatible"].dialect
    assert isinstance(dialect, Reshaped)
    assert (dialect.name, dialect.continues) == (usual.name, usual.continues)
    body = b'data: {"choices":[{"delta":{"said":"Hi"}}]}\n\ndata: {"choices":[{"delta":{},"ended":"stop"}]}\n\n'
    answer = c.assembled(c.decoded(dialect.decoder(c.EVENT_STREAM, c.NOW), [body]))
    assert (answer.text, answer.end) == ("Hi", "stop")
    target = c.target(PROVIDERS["openai-compatible"], options=options)
    assert dialect.build(target, c.said("hi")) == usual.build(target, c.said("hi"))
    busy = ErrorAnswer(429, {"retry-after": "3"}, b"")
    assert dialect.classify(busy, c.NOW) == usual.classify(busy, c.NOW)
    whole = b'{"choices":[{"delta":{"said":"Hi"},"ended":"stop"}]}'
    assert c.assembled(c.decoded(dialect.decoder("application/json", c.NOW), [whole])).text == "Hi"
