"""Money: how a sum is told, and what leaving a warm prompt cache costs."""

from __future__ import annotations

from math import floor, log10
from typing import Final

from rooroute.profiles import Price

_NOTHING: Final = 1e-9  # USD; what binary fractions leave behind


def usd(amount: float, places: int = 4) -> str:
    """A sum without its sign: so many decimals, more where it would look like nothing."""
    if amount < _NOTHING:
        return "0"
    return f"{amount:.{max(places, 1 - floor(log10(amount)))}f}"


def switch_cost(warm_tokens: int, here: Price | None, there: Price | None) -> float | None:
    """USD more for ``warm_tokens`` of prompt that are read afresh ``there`` instead of from the cache ``here``; None without both prices.

    A new cache is written where its price is known; what a cheaper profile saves on everything else is not counted against it.
    """
    if here is None or there is None:
        return None
    cached = here.input if here.cache_read is None else here.cache_read
    fresh = there.input if there.cache_write is None else there.cache_write
    return max(0.0, warm_tokens * (fresh - cached) / 1_000_000)
