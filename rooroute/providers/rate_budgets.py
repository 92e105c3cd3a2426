"""What a provider says is left of its limits, in the headers of any answer, good ones too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from rooroute.providers.retry_after import number, server_now, wait


class Quota(NamedTuple):
    """``measure`` is "requests", "tokens", "input tokens" or "output tokens"; ``resets_at`` is UTC epoch seconds. None where not told."""

    measure: str
    limit: float | None
    remaining: float
    resets_at: float | None = None


# Measure, then the headers of limit, remaining and reset. In this order, so that the more precise name wins:
# https://platform.openai.com/docs/guides/rate-limits (also Azure, Groq, Together, xAI, Cerebras),
# https://docs.anthropic.com/en/api/rate-limits, https://openrouter.ai/docs/api-reference/limits,
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
_NAMES: Final = (
    ("requests", "x-ratelimit-{}-requests-day"),
    ("requests", "x-ratelimit-{}-requests"),
    ("tokens", "x-ratelimit-{}-tokens-day"),
    ("tokens", "x-ratelimit-{}-tokens"),
    ("tokens", "x-ratelimit-{}-tokens-minute"),
    ("requests", "anthropic-ratelimit-requests-{}"),
    ("tokens", "anthropic-ratelimit-tokens-{}"),
    ("input tokens", "anthropic-ratelimit-input-tokens-{}"),
    ("output tokens", "anthropic-ratelimit-output-tokens-{}"),
    ("requests", "x-ratelimit-{}"),
    ("requests", "ratelimit-{}"),
)
_HINT: Final = "ratelimit"


def quotas(headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
    """What is left, by the headers of one answer (names lower case); ``now`` is UTC epoch seconds. What makes no sense is left out."""
    if not any(_HINT in name for name in headers):
        return ()
    server_time = server_now(headers, now)
    found = []
    for measure, pattern in _NAMES:
        left = number(headers.get(pattern.format("remaining")))
        if left is None or left < 0:
            continue
        most = number(headers.get(pattern.format("limit")))
        seconds = wait(headers.get(pattern.format("reset")), server_time)
        found.append(
            Quota(measure, most if most and most > 0 else None, left, None if seconds is None else now + seconds)
        )
    return tuple(found)
