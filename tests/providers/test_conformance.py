"""The one suite that every row of the provider table passes; a new row is covered as soon as it is there."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rooroute.chat import ChatRequest, Failed, Finished, ToolChoiceName
from rooroute.errors import InvalidInput, RoorouteError, SecretUnavailable
from rooroute.outcome import Fault, Scope
from rooroute.profile_checks import check_base_url
from rooroute.profiles import Profile
from rooroute.providers.dialect import ErrorAnswer
from rooroute.providers.sse import MAX_EVENT
from rooroute.providers.table import (
    PROVIDERS,
    FieldKind,
    KeyNeed,
    Vendor,
    base_url_of,
    check,
    models_request,
    resolve_model,
    target_for,
)
from rooroute.secret import Secret, origin_of
from tests.providers import conformance as c

SUBJECTS = c.subjects()
VENDORS = pytest.mark.parametrize("vendor", SUBJECTS.values(), ids=SUBJECTS)
ROWS = pytest.mark.parametrize("vendor", PROVIDERS.values(), ids=PROVIDERS)
ANSWERS = pytest.mark.parametrize("name", c.SHARED)
DIALECTS = {row.dialect.name: row for row in reversed(SUBJECTS.values())}
EACH_DIALECT = pytest.mark.parametrize("vendor", DIALECTS.values(), ids=DIALECTS)
RECORDED = pytest.mark.parametrize(
    ("vendor", "name"),
    [
        pytest.param(row, name, id=f"{dialect}-{name}")
        for dialect, row in DIALECTS.items()
        for name in c.streams_of(row.dialect)
    ],
)


# What comes back


@VENDORS
@ANSWERS
def test_a_recorded_answer_says_what_it_should(vendor: Vendor, name: str) -> None:
    body = c.recorded(vendor.dialect, name)
    answer, expected = c.assembled(c.decode(vendor.dialect, name, [body])), c.SHARED[name]
    assert answer == replace(expected, tokens=expected.tokens or answer.tokens)


@RECORDED
def test_any_split_of_the_bytes_gives_the_same_events(vendor: Vendor, name: str) -> None:
    body = c.recorded(vendor.dialect, name)
    whole = c.decode(vendor.dialect, name, [body])
    c.assembled(whole)
    assert c.decode(vendor.dialect, name, (bytes([byte]) for byte in body)) == whole
    for pair in c.halves(body):
        assert c.decode(vendor.dialect, name, pair) == whole


@EACH_DIALECT
@ANSWERS
@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"], ids=["lf", "cr", "crlf"])
def test_line_endings_comments_and_a_byte_order_mark_change_nothing(vendor: Vendor, name: str, ending: bytes) -> None:
    body = c.recorded(vendor.dialect, name).replace(b"\r\n", b"\n")
    changed = b"\xef\xbb\xbf: keep-alive\n\n" + body if name.endswith(".sse") else b"\xef\xbb\xbf" + body
    changed = changed.replace(b"\n", ending)
    expected = c.decode(vendor.dialect, name, [body])
    assert c.decode(vendor.dialect, name, [changed]) == expected
    assert c.decode(vendor.dialect, name, (bytes([byte]) for byte in changed)) == expected


@EACH_DIALECT
@ANSWERS
def test_a_cut_answer_is_finished_only_where_its_end_was_proved(vendor: Vendor, name: str) -> None:
    body = c.recorded(vendor.dialect, name)
    proved_at = c.evidence_end(vendor.dialect, name, body)
    full = c.assembled(c.decode(vendor.dialect, name, [body]))
    for at in range(len(body)):
        events = c.decode(vendor.dialect, name, [body[:at]])
        answer = c.assembled(events)
        proved = proved_at is not None and at >= proved_at
        assert isinstance(events[-1], Finished) == proved, f"cut after {at} bytes"
        assert full.text.startswith(answer.text)
        if proved:
            assert (answer.text, answer.calls, answer.end) == (full.text, full.calls, full.end)
        else:
            assert answer.end in (Fault.TRANSIENT, Fault.BAD_ANSWER, full.end)


@VENDORS
@ANSWERS
def test_nothing_follows_the_end(vendor: Vendor, name: str) -> None:
    body = c.recorded(vendor.dialect, name)
    decoder = vendor.dialect.decoder(c.content_type_of(name), c.NOW)
    c.assembled([*decoder.feed(body), *decoder.close()])
    assert not decoder.feed(body)
    assert not decoder.close()


@VENDORS
def test_a_stream_labelled_as_something_else_is_still_read(vendor: Vendor) -> None:
    body = c.recorded(vendor.dialect, "shared-text.sse")
    for label in ("application/json", "text/plain", "", "TEXT/EVENT-STREAM"):
        assert c.assembled(c.decoded(vendor.dialect.decoder(label, c.NOW), [body])) == c.SHARED["shared-text.sse"]


NOT_ANSWERS = {
    "a login page": ("text/html", b"<!DOCTYPE html><html><body>Sign in to Hotel WiFi</body></html>", Fault.CONFIG),
    "a login page with a stream's label": (c.EVENT_STREAM, b"\n<html>\n<p>data: none</p>\n</html>", Fault.CONFIG),
    "a login page of two megabytes": ("text/html", b"<html>" + b"x" * (2 * MAX_EVENT), Fault.CONFIG),
    "plain words": ("text/plain", b"It works!\n", Fault.CONFIG),
    "nothing": (c.EVENT_STREAM, b"", Fault.BAD_ANSWER),
    "blank lines": (c.EVENT_STREAM, b"\n\n\r\n\n", Fault.BAD_ANSWER),
    "comments only": (c.EVENT_STREAM, b": PROCESSING\n\n: PROCESSING\n\n", Fault.BAD_ANSWER),
    "an event that is not JSON": (c.EVENT_STREAM, b"data: {oops}\n\ndata: {}\n\n", Fault.BAD_ANSWER),
    "a number": (c.EVENT_STREAM, b"data: 17\n\n", Fault.BAD_ANSWER),
    "an event of two megabytes": (c.EVENT_STREAM, b"data: " + b"x" * (2 * MAX_EVENT) + b"\n\n", Fault.BAD_ANSWER),
    "an event without end": (c.EVENT_STREAM, b"data: " + b"x" * (2 * MAX_EVENT), Fault.BAD_ANSWER),
    "a nest of brackets": (c.EVENT_STREAM, b"data: " + b"[" * 100_000 + b"\n\n", Fault.BAD_ANSWER),
    "a number of ten thousand digits": (c.EVENT_STREAM, b'data: {"a":' + b"9" * 10_000 + b"}\n\n", None),
    "an empty object": ("application/json", b"{}", None),
}


@VENDORS
@pytest.mark.parametrize(("label", "body", "fault"), NOT_ANSWERS.values(), ids=NOT_ANSWERS)
def test_what_is_no_answer_gets_a_name(vendor: Vendor, label: str, body: bytes, fault: Fault | None) -> None:
    whole = c.decoded(vendor.dialect.decoder(label, c.NOW), [body])
    assert isinstance(whole[-1], Failed)
    assert len(whole) == 1
    assert fault is None or whole[-1].failure.fault is fault
    pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]
    assert c.decoded(vendor.dialect.decoder(label, c.NOW), pieces) == whole


@VENDORS
def test_a_surrogate_pair_split_between_two_deltas_arrives_whole(vendor: Vendor) -> None:
    body = (
        c.recorded(vendor.dialect, "shared-text.sse")
        .replace(b"Hello", rb"Hi\ud83d")
        .replace(", Wörld".encode(), rb"\ude00\ud800")
    )
    answer = c.assembled(c.decode(vendor.dialect, "shared-text.sse", [body]))
    assert answer.text == "Hi\U0001f600\ufffd\u2028\U0001f44b!"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def replaced(document: Any, at: int, value: Any) -> Any:
    """``document`` with its ``at``-th value (counted depth first) replaced."""
    left = at

    def walk(node: Any) -> Any:
        nonlocal left
        left -= 1
        if left == -1:
            return value
        if isinstance(node, dict):
            return {key: walk(inner) for key, inner in node.items()}
        return [walk(inner) for inner in node] if isinstance(node, list) else node

    return walk(document)


@pytest.mark.parametrize("vendor", DIALECTS.values(), ids=DIALECTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_field_of_an_unknown_shape_never_raises(vendor: Vendor, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in c.SHARED if name.endswith(".sse")]))
    lines = re.split(rb"\r?\n", c.recorded(vendor.dialect, name))
    places = [at for at, line in enumerate(lines) if line.startswith(b"data: {")]
    place = data.draw(st.sampled_from(places))
    document = json.loads(lines[place][6:])
    at = data.draw(st.integers(0, sum(1 for _ in c.values_in(document)) - 1))
    lines[place] = b"data: " + json.dumps(replaced(document, at, data.draw(JSON))).encode()
    ends = [
        event for event in c.decode(vendor.dialect, name, [b"\n".join(lines)]) if isinstance(event, Finished | Failed)
    ]
    assert len(ends) == 1


@pytest.mark.parametrize("vendor", DIALECTS.values(), ids=DIALECTS)
@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=400))
def test_any_bytes_at_all_come_to_a_failure(vendor: Vendor, body: bytes) -> None:
    events = c.decode(vendor.dialect, "any.sse", [body])
    assert isinstance(events[-1], Failed)


# What is asked


@VENDORS
def test_the_key_travels_in_its_header_alone(vendor: Vendor) -> None:
    request = c.build(vendor, c.sayable(vendor, c.CONVERSATION))
    place = vendor.key.place
    assert {name: prefix for name, (prefix, _) in request.secret_headers.items()} == {place.header: place.prefix}
    assert request.secret_headers[place.header][1].reveal(origin_of(request.url)) == c.CANARY
    assert c.CANARY not in request.url + repr(request) + repr(dict(request.headers)) + request.body.decode()


@VENDORS
def test_a_custom_header_cannot_take_the_key_s_place(vendor: Vendor) -> None:
    header = vendor.key.place.header
    request = c.build(vendor, c.said("hi"), headers={header.title(): "mine", "X-Team": "blue"})
    assert request.headers.get("x-team") == "blue"
    assert header not in request.headers


@VENDORS
def test_the_address_is_below_the_base_and_carries_the_profile_s_query(vendor: Vendor) -> None:
    request = c.build(vendor, c.said("hi"), query={"tenant": "a b&c"})
    base = base_url_of(Profile(id="x", provider=vendor.id)) or c.FALLBACK_BASE
    assert request.url.startswith(base + "/")
    assert "tenant=a+b%26c" in request.url
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"


@VENDORS
def test_a_stream_is_asked_for_whatever_the_options_say(vendor: Vendor) -> None:
    request = c.build(vendor, ChatRequest(c.said("hi").messages, provider_options={"x_extra": {"deep": [1]}}))
    body = c.body_of(request)
    assert body.get("stream") is True or "stream" in request.url.lower()
    assert body["x_extra"] == {"deep": [1]}


@VENDORS
def test_a_whole_conversation_arrives(vendor: Vendor) -> None:
    request = c.sayable(vendor, c.CONVERSATION)
    body = c.body_of(c.build(vendor, request))
    values = list(c.values_in(body))
    everything = "\n".join(value for value in values if isinstance(value, str))
    for text in ("brief-1", "kind-2", "this-3", "up-4", "found-5", "missing-6", "so-7"):
        assert text in everything
    assert c.PIXEL in everything
    assert "image/png" in everything
    assert c.SCHEMA in values, "the tool's schema is equal as JSON"
    assert 777 in values
    assert (["three"] in values) == bool(request.stop)
    assert "A word, surely." not in everything, "unsigned thinking is nobody's to send"


@VENDORS
def test_sampling_and_a_named_tool_arrive(vendor: Vendor) -> None:
    request = ChatRequest(
        c.said("hi").messages, tools=(c.TOOL,), tool_choice=ToolChoiceName("look_up"), temperature=0.25, max_tokens=55
    )
    values = list(c.values_in(c.body_of(c.build(vendor, request))))
    assert 0.25 in values
    assert values.count("look_up") == 2 or (values.count("look_up") == 1 and "required" in values)


@VENDORS
def test_json_output_is_asked_for_or_refused_by_name(vendor: Vendor) -> None:
    wanted = {"type": "jsonSchema", "name": "word", "schema": c.SCHEMA}
    try:
        body = c.body_of(c.build(vendor, ChatRequest(c.said("hi").messages, response_format=wanted)))
    except InvalidInput as refused:
        assert refused.field == "responseFormat"
        return
    values = list(c.values_in(body))
    spoken = json.dumps(c.SCHEMA)
    assert c.SCHEMA in values or any(isinstance(value, str) and spoken in value for value in values)


@VENDORS
def test_any_text_can_be_said(vendor: Vendor) -> None:
    body = c.build(vendor, c.said('tab\t quote" \u2028 \x00 \U0001f44b lone \ud83d end')).body
    assert "lone \ufffd end" in json.dumps(json.loads(body), ensure_ascii=False)


@VENDORS
def test_a_value_json_cannot_express_is_refused_by_name(vendor: Vendor) -> None:
    with pytest.raises(InvalidInput) as refused:
        c.build(vendor, ChatRequest(c.said("hi").messages, provider_options={"temperature": float("nan")}))
    assert refused.value.field


# What an error means


STATUSES = {
    401: Fault.CREDENTIAL,
    402: Fault.BILLING,
    403: Fault.PERMISSION,
    408: Fault.TRANSIENT,
    418: Fault.REQUEST,
    429: Fault.RATE_LIMIT,
    500: Fault.TRANSIENT,
    502: Fault.TRANSIENT,
    503: Fault.OVERLOAD,
    520: Fault.TRANSIENT,
    599: Fault.TRANSIENT,
    307: Fault.CONFIG,
}
BODIES = {
    "nothing": b"",
    "a page": b"<html><body><h1>Oops</h1></body></html>",
    "noise": bytes(range(256)) * 250,
    "a cut document": b'{"error": {"message": "Something went wro',
    "a list": b"[1, 2, null]",
    "a nest": b"[" * 60_000,
}


@VENDORS
@pytest.mark.parametrize(("status", "fault"), STATUSES.items())
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_status_alone_is_understood(vendor: Vendor, status: int, fault: Fault, body: bytes) -> None:
    failure = vendor.dialect.classify(ErrorAnswer(status, {}, body), c.NOW)
    assert failure.fault is fault
    assert failure.status == status
    assert failure.message
    assert failure.confirm == (status == 401)


@VENDORS
def test_a_rate_limit_brings_its_time_and_its_circle(vendor: Vendor) -> None:
    failure = vendor.dialect.classify(ErrorAnswer(429, {"retry-after": "7"}, b""), c.NOW)
    assert (failure.fault, failure.hint, failure.scope, failure.per_model) == (
        Fault.RATE_LIMIT,
        7.0,
        Scope.DOMAIN,
        True,
    )


@VENDORS
@pytest.mark.parametrize("hint", ["-5", "²", "1e400", "nan", "0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "99" * 3000])
def test_a_senseless_hint_is_no_hint(vendor: Vendor, hint: str) -> None:
    usual = 10.0 if vendor.id == "azure-openai" else None
    assert vendor.dialect.classify(ErrorAnswer(429, {"retry-after": hint}, b""), c.NOW).hint == usual


@VENDORS
def test_a_provider_that_echoes_the_key_is_not_quoted(vendor: Vendor) -> None:
    said = f"Incorrect API key provided: {c.CANARY}. \x1b[31mred\x1b[0m \u202eevil\u202c " + "long " * 2000
    body = json.dumps({"error": {"message": said, "code": "invalid_api_key", "type": "x"}}).encode()
    message = vendor.dialect.classify(ErrorAnswer(401, {}, body), c.NOW).message
    assert c.CANARY not in message
    assert "canary-0123" not in message
    assert "Incorrect API key provided" in message
    assert len(message.encode()) <= 2048
    assert message.replace("…", "").isascii()
    assert message.isprintable()


@VENDORS
@settings(max_examples=100, deadline=None)
@given(document=JSON, status=st.integers(300, 599))
def test_any_error_document_gets_a_class(vendor: Vendor, document: Any, status: int) -> None:
    for wrapped in (document, {"error": document}, [{"error": {"message": document, "details": [document]}}]):
        failure = vendor.dialect.classify(ErrorAnswer(status, {}, json.dumps(wrapped).encode()), c.NOW)
        assert failure.message
        assert not any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in failure.message)


# The row itself


@ROWS
def test_the_row_is_complete(vendor: Vendor) -> None:
    assert PROVIDERS[vendor.id] is vendor
    for page in (
        vendor.documentation,
        vendor.status_page,
        vendor.key.page or None,
        *(p.documentation or None for p in vendor.presets),
    ):
        assert page is None or page.startswith("https://")
    for url in (vendor.default_base_url, *(preset.base_url for preset in vendor.presets)):
        assert url is None or check_base_url(url) is None
        assert url is None or not url.endswith("/")
    assert vendor.default_base_url or any(f.name == "baseUrl" and f.required for f in vendor.fields)
    asks_for_key = any(f.kind is FieldKind.SECRET for f in vendor.fields)
    assert asks_for_key == (vendor.key.need is not KeyNeed.NONE)
    assert len({f.name for f in vendor.fields}) == len(vendor.fields)
    assert len({p.id for p in vendor.presets}) == len(vendor.presets)


@VENDORS
def test_the_models_are_listed_with_the_key_in_its_header(vendor: Vendor) -> None:
    request = models_request(c.target(vendor))
    if vendor.models is None:
        assert request is None
        return
    assert request is not None
    assert request.method == "GET"
    base = base_url_of(Profile(id="x", provider=vendor.id)) or c.FALLBACK_BASE
    assert request.url.startswith("/".join(base.split("/")[:3]) if vendor.models.from_origin else base)
    assert vendor.key.place.header in request.secret_headers
    assert c.CANARY not in request.url


@VENDORS
def test_a_profile_without_its_key_is_told_so_or_goes_without(vendor: Vendor) -> None:
    profile = c.profile_of(vendor, name="First", base_url=c.FALLBACK_BASE)
    if vendor.key.need is KeyNeed.REQUIRED:
        with pytest.raises(SecretUnavailable, match="First has no API key"):
            target_for(profile, "m", {})
    else:
        request = vendor.dialect.build(target_for(profile, "m", {}), c.said("hi"))
        assert bool(request.secret_headers) == (vendor.key.dummy is not None)


@ROWS
def test_a_missing_base_url_is_named(vendor: Vendor) -> None:
    profile = Profile(id="one", provider=vendor.id)
    problems = [problem.field for problem in check(profile)]
    assert ("baseUrl" in problems) == (vendor.default_base_url is None)
    if vendor.default_base_url is None:
        with pytest.raises(InvalidInput) as refused:
            target_for(profile, "m", {})
        assert refused.value.field == "profile.baseUrl"


@ROWS
def test_an_option_of_the_wrong_type_is_named(vendor: Vendor) -> None:
    for asked in vendor.fields:
        if asked.name.startswith("options."):
            key = asked.name.removeprefix("options.")
            profile = c.profile_of(vendor, options={key: [1]})
            assert [problem.field for problem in check(profile)] == [asked.name]


def test_an_unknown_provider_is_named() -> None:
    profile = Profile(id="one", provider="opnai")
    assert [problem.field for problem in check(profile)] == ["provider"]
    with pytest.raises(RoorouteError, match="'opnai'.*openai"):
        target_for(profile, "m", {"apiKey": Secret("x", "https://a:443")})


@pytest.mark.parametrize(
    ("profile", "requested", "model"),
    [
        pytest.param({}, "gpt-5", "gpt-5", id="anything-may-be-asked"),
        pytest.param({}, None, None, id="nobody-named-a-model"),
        pytest.param({"model": "m"}, None, "m", id="the-profiles-own-model"),
        pytest.param({"models": ("a", "b")}, None, "a", id="the-first-of-its-models"),
        pytest.param({"models": ("a", "b")}, "b", "b", id="one-of-its-models"),
        pytest.param({"models": ("a", "b")}, "c", None, id="not-one-of-its-models"),
        pytest.param({"model": "m", "models": ("a",)}, "m", "m", id="its-own-besides-the-list"),
        pytest.param({"models": ("a",), "model_map": {"fast": "a-mini"}}, "fast", "a-mini", id="a-mapped-name"),
    ],
)
def test_the_model_asked_for(profile: dict[str, Any], requested: str | None, model: str | None) -> None:
    assert resolve_model(Profile(id="one", provider="openai", **profile), requested) == model
