"""What leaving a warm prompt cache costs."""

from __future__ import annotations

from rooroute.profiles import Price


def switch_cost(warm_tokens: int, here: Price | None, there: Price | None) -> float | None:
    """USD more for ``warm_tokens`` of prompt that are read afresh ``there`` instead of from the cache ``here``; None without both prices.

    A new cache is written where its price is known; what a cheaper profile saves on everything else is not counted against it.
    """
    if here is None or there is None:
        return None
    cached = here.input if here.cache_read is None else here.cache_read
    fresh = there.input if there.cache_write is None else there.cache_write
    return max(0.0, warm_tokens * (fresh - cached) / 1_000_000)
