"""Every form in which a provider says when to come back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooroute.providers import retry_after

NOW = 1_790_000_000.0  # Mon, 21 Sep 2026 14:13:20 GMT
DAY = 86400.0

VALUES = {
    "2": 2.0,
    " 2.5 ": 2.5,
    ".5": 0.5,
    "1e2": 100.0,
    "999999999": 35 * DAY,
    "17ms": 0.017,
    "1s": 1.0,
    "6m0s": 360.0,
    "23h47m36.648s": 85656.648,
    "45.837906927s": 45.837906927,
    "500ms": 0.5,
    "1d2h": 93600.0,
    "Mon, 21 Sep 2026 14:14:20 GMT": 60.0,
    "Monday, 21-Sep-26 14:14:20 GMT": 60.0,
    "Mon Sep 21 14:14:20 2026": 60.0,
    "2026-09-21T14:14:20Z": 60.0,
    "2026-09-21T16:14:20.5+02:00": 60.5,
    "1790000060": 60.0,
    "1790000060000": 60.0,
}
SENSELESS = [
    "", "0", "-1", "-5", "-0", "nan", "inf", "-inf", "1e400", "²", "٣", "1_000", "0x10", "5 apples", "soon", "s", "1h-5m", "--1", "1..2",
    "Mon, 21 Sep 2026 14:13:20 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", "2015-10-21T07:28:00Z", "1500000000", "Mon, 99 Foo 2026", "9" * 400,
    "2026-13-41T99:99:99Z", "Mon, 21 Sep 99999 14:13:20 GMT", "\x00",
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), VALUES.items())
def test_a_value_says_so_many_seconds(text: str, seconds: float) -> None:
    assert retry_after.wait(text, NOW) == pytest.approx(seconds)
    assert retry_after.from_headers({"retry-after": text}, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("text", SENSELESS)
def test_a_senseless_value_says_nothing(text: str) -> None:
    assert retry_after.wait(text, NOW) is None
    assert retry_after.from_headers({"retry-after": text}, NOW) is None


@given(st.text(max_size=30) | st.from_regex(r"[0-9.eE+\-hms:TZ ]{0,25}", fullmatch=True))
def test_any_text_is_a_time_ahead_or_nothing(text: str) -> None:
    for found in (
        retry_after.wait(text, NOW),
        retry_after.from_text(f"retry in {text}"),
        retry_after.from_headers({"date": text, "retry-after": text}, NOW),
    ):
        assert found is None or 0 < found <= retry_after.LONGEST
        assert found is None or math.isfinite(found)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after-ms": "1500", "retry-after": "9"}, 1.5, id="milliseconds-first"),
        pytest.param({"x-ms-retry-after-ms": "250"}, 0.25, id="azure-milliseconds"),
        pytest.param({"retry-after-ms": "-1", "retry-after": "9"}, 9.0, id="senseless-milliseconds-are-passed-over"),
        pytest.param({"retry-after-ms": "0"}, None, id="zero-is-none"),
        pytest.param({}, None, id="no-header"),
        pytest.param(
            {"date": "Mon, 21 Sep 2026 13:13:20 GMT", "retry-after": "Mon, 21 Sep 2026 13:13:50 GMT"},
            30.0,
            id="the-server-s-own-clock",
        ),
        pytest.param(
            {"date": "yesterday", "retry-after": "Mon, 21 Sep 2026 14:13:50 GMT"}, 30.0, id="an-unreadable-clock"
        ),
        pytest.param({"date": "1790000000", "retry-after": "1790000030"}, 30.0, id="a-date-must-be-a-date"),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after.from_headers(headers, NOW) == seconds


BUDGETS = (("left-requests", "reset-requests"), ("left-tokens", "reset-tokens"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param(
            {"left-requests": "0", "reset-requests": "1s", "left-tokens": "0", "reset-tokens": "6m0s"},
            360.0,
            id="the-later-of-both",
        ),
        pytest.param(
            {"left-requests": "0", "reset-requests": "1s", "left-tokens": "9", "reset-tokens": "6m0s"},
            1.0,
            id="only-the-exhausted-one",
        ),
        pytest.param({"left-requests": "5", "reset-requests": "1s"}, None, id="nothing-is-exhausted"),
        pytest.param({"left-requests": "-1", "reset-requests": "-1"}, None, id="azure-s-minus-one"),
        pytest.param({"reset-requests": "1s"}, None, id="what-remains-is-not-told"),
        pytest.param({"left-tokens": "0", "reset-tokens": "2026-09-21T14:14:20Z"}, 60.0, id="a-moment"),
    ],
)
def test_an_exhausted_budget(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after.exhausted_budget(headers, NOW, BUDGETS) == seconds


SENTENCES = {
    "Rate limit reached for gpt-5 in organization org-x on requests per day (RPD): Limit 200, Used 200. Please try again in 6m0s. Visit …": 360.0,
    "Please try again in 120ms.": 0.12,
    "You exceeded your current quota. Please retry in 36.42s.": 36.42,
    "Please retry in 10h17m3.5s.": 37023.5,
    "Requests have exceeded call rate limit. Please retry after 37 seconds.": 37.0,
    "Try again in 1 minute": 60.0,
    "please wait 2 hours and come back": 7200.0,
    "Resets in: 5m": 300.0,
    "Please retry in 0s, or retry in 5s.": 5.0,
}


@pytest.mark.parametrize(("text", "seconds"), SENTENCES.items())
def test_a_sentence_names_its_wait(text: str, seconds: float) -> None:
    assert retry_after.from_text(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["Limit 200 per 60s", "Please retry.", "retry in a moment", "try again in 0 seconds", "in 5s", "retry in 5 sheep"],
)
def test_a_sentence_without_a_wait(text: str) -> None:
    assert retry_after.from_text(text) is None


def test_the_longest_of_several_details_counts() -> None:
    details: list[dict[str, object]] = [
        {"retryDelay": "22s"},
        {"retryDelay": "35664s"},
        {"retryDelay": "-1s"},
        {"retryDelay": None},
        {"retry_after": 3},
    ]
    assert retry_after.from_details(details, NOW) == 35664.0
    assert retry_after.from_details([{"retryDelay": True}], NOW) is None


@pytest.mark.parametrize(("now", "then"), [(NOW, "2026-10-01T00:00:00Z"), (1_798_761_599.0, "2027-01-01T00:00:00Z")])
def test_the_first_of_the_next_month(now: float, then: str) -> None:
    assert retry_after.start_of_next_month(now) == retry_after.instant(then)
