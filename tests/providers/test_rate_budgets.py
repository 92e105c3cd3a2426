"""What providers say is left, in the headers of any answer."""

from __future__ import annotations

import pytest

from rooroute.providers.rate_budgets import Quota, quotas

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, ()),
        ({"content-type": "text/event-stream", "retry-after": "3"}, ()),
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            (Quota("requests", 60, 59, NOW + 1), Quota("tokens", 150_000, 149_984, NOW + 360)),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2027-01-15T08:01:00Z",
                "anthropic-ratelimit-input-tokens-limit": "40000",
                "anthropic-ratelimit-input-tokens-remaining": "39000",
                "anthropic-ratelimit-input-tokens-reset": "2027-01-15T08:00:30Z",
            },
            (Quota("requests", 50, 0, NOW + 60), Quota("input tokens", 40_000, 39_000, NOW + 30)),
        ),
        (
            {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "1800000060000"},
            (Quota("requests", 20, 3, NOW + 60),),
        ),
        ({"x-ratelimit-remaining-requests": "7"}, (Quota("requests", None, 7, None),)),
        ({"x-ratelimit-remaining-requests": "-1"}, ()),
        ({"x-ratelimit-remaining-requests": "many"}, ()),
        (
            {"x-ratelimit-remaining-tokens": "5", "x-ratelimit-limit-tokens": "0", "x-ratelimit-reset-tokens": "nan"},
            (Quota("tokens", None, 5, None),),
        ),
    ],
    ids=["none", "others", "openai", "anthropic", "openrouter", "azure", "azure-minus-one", "no-number", "senseless"],
)
def test_what_is_left_is_read(headers: dict[str, str], expected: tuple[Quota, ...]) -> None:
    assert quotas(headers, NOW) == expected


def test_a_reset_is_counted_from_the_servers_own_clock() -> None:
    """Its clock is an hour ahead of ours."""
    headers = {
        "date": "Fri, 15 Jan 2027 09:00:00 GMT",
        "anthropic-ratelimit-requests-remaining": "1",
        "anthropic-ratelimit-requests-reset": "2027-01-15T09:00:20Z",
    }
    assert quotas(headers, NOW)[0].resets_at == NOW + 20
