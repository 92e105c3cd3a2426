"""What went out is kept for the latest requests only."""

from __future__ import annotations

from rooroute.providers.dialect import HttpRequest
from rooroute.story.sent_requests import SentRequests


def test_the_attempts_of_a_request_are_told_in_order_and_a_stranger_has_none() -> None:
    sent = SentRequests()
    first, second = HttpRequest("POST", "https://a.example/"), HttpRequest("POST", "https://b.example/")
    sent.keep("one", first)
    sent.keep("one", second)
    assert list(sent.of("one")) == [first, second]
    assert list(sent.of("two")) == []


def test_the_oldest_request_is_forgotten_when_the_twenty_first_comes() -> None:
    sent = SentRequests()
    for number in range(21):
        sent.keep(str(number), HttpRequest("POST", f"https://{number}.example/"))
    assert [bool(sent.of(str(number))) for number in (0, 1, 20)] == [False, True, True]
