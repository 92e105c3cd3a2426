"""JSON as providers send it, and as they get it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.chat import Event, Finished, FinishReason, TextDelta, ThinkingDelta, ToolCallDelta, Usage, UsageSeen
from rooroute.providers import wire_json

HIGH, LOW, WHOLE = "\ud83d", "\ude00", "\U0001f600"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, "\xc3\xbc"]}', {"a": [1, "ü"]}),
        (b'"\\ud83d\\ude00"', WHOLE),
        (b'"\\ud83d"', HIGH),
        (b'"a\xffb"', "a\ufffdb"),
    ],
)
def test_reading(data: bytes, value: object) -> None:
    assert wire_json.read(data) == value


@pytest.mark.parametrize("data", [b"", b"{", b"{'a': 1}", b"[" * 100_000, b"9" * 10_000 + b"x"])
def test_what_is_no_document_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        wire_json.read(data)


def test_writing_is_strict_and_fit_for_utf_8() -> None:
    assert wire_json.write({"a": f"{HIGH}{LOW} {LOW}ü"}) == f'{{"a":"{WHOLE} \ufffdü"}}'.encode()
    for bad in (float("nan"), float("inf"), b"x", {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            wire_json.write({"a": bad})


def test_a_pair_is_joined_across_deltas_of_its_own_channel() -> None:
    mender = wire_json.SurrogateMender()
    events: list[Event] = [
        TextDelta("a" + HIGH),
        ThinkingDelta("t" + HIGH),
        ToolCallDelta(0, "id", "name", HIGH),
        ToolCallDelta(1, "id2", "name2", LOW),
        ToolCallDelta(0, arguments=LOW),
        ThinkingDelta("x"),
        TextDelta(LOW + "b"),
    ]
    assert mender.mend(events) == [
        TextDelta("a"),
        ThinkingDelta("t"),
        ToolCallDelta(0, "id", "name", ""),
        ToolCallDelta(1, "id2", "name2", "\ufffd"),
        ToolCallDelta(0, arguments=WHOLE),
        ThinkingDelta("\ufffdx"),
        TextDelta(WHOLE + "b"),
    ]


def test_a_half_pair_left_over_comes_before_the_end() -> None:
    mender = wire_json.SurrogateMender()
    assert mender.mend([TextDelta(HIGH), UsageSeen(Usage())]) == [TextDelta(""), UsageSeen(Usage())]
    assert mender.mend([Finished(FinishReason.STOP)]) == [TextDelta("\ufffd"), Finished(FinishReason.STOP)]


@given(st.lists(st.text(st.sampled_from([HIGH, LOW, "a"]), max_size=4), max_size=8))
def test_deltas_say_what_the_whole_text_says(pieces: list[str]) -> None:
    out = wire_json.SurrogateMender().mend([*map(TextDelta, pieces), Finished(FinishReason.STOP)])
    text = "".join(event.text for event in out if isinstance(event, TextDelta))
    assert text == wire_json.mended("".join(pieces))
    text.encode()
