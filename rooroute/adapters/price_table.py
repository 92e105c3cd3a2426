"""What models cost and hold by genai-prices (https://github.com/pydantic/genai-prices), where that extra is installed. Its only room.

Half a second goes into loading it, so it is loaded when first wanted and off the loop. It is asked for its bundled table alone and sends
nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from rooroute.providers.model_list import Model
from rooroute.providers.vendor import PriceRange


async def known_prices(base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]:
    """What the table knows of the models ``ids`` at ``base_url``, by id; nothing where the extra is missing or the address is nobody's
    that it knows. ``now`` is UTC epoch seconds: prices have dates."""
    return await asyncio.to_thread(_look_up, base_url, ids, datetime.fromtimestamp(now, UTC))


async def known_range(base_url: str, now: float) -> PriceRange | None:
    """What the table's present models at ``base_url`` cost; None where the extra is missing or the address is nobody's that it knows.
    ``now`` as above."""
    return await asyncio.to_thread(_range, base_url, datetime.fromtimestamp(now, UTC).date())


@lru_cache(maxsize=64)
def _range(base_url: str, day: date) -> PriceRange | None:
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    try:
        entries = get_snapshot().find_provider(None, None, base_url).models
    except LookupError:
        return None
    known, moment = [], datetime(day.year, day.month, day.day, tzinfo=UTC)
    for entry in entries:
        prices = entry.get_prices(moment)
        asked, answered = _dollars(prices.input_mtok), _dollars(prices.output_mtok)
        if (
            asked and answered and entry.context_window and not entry.deprecated
        ):  # others are free, speak, embed or are gone
            known.append((asked, answered, entry.context_window))
    if not known:
        return None
    inputs, outputs, windows = zip(*known, strict=True)
    return PriceRange(
        input=(min(inputs), max(inputs)), output=(min(outputs), max(outputs)), largest_window=max(windows)
    )


def _look_up(base_url: str, ids: Sequence[str], moment: datetime) -> Mapping[str, Model]:
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return {}
    table = get_snapshot()
    found: dict[str, Model] = {}
    for name in ids:
        try:
            _, entry = table.find_provider_model(name, None, None, base_url)
        except LookupError:
            continue
        prices = entry.get_prices(moment)
        found[name] = Model(
            id=name,
            name=entry.name,
            context_window=entry.context_window,
            input_price=_dollars(prices.input_mtok),
            output_price=_dollars(prices.output_mtok),
            cache_read_price=_dollars(prices.cache_read_mtok),
            cache_write_price=_dollars(prices.cache_write_mtok),
        )
    return found


def _dollars(price: Any) -> float | None:
    """USD per million tokens; of a price in tiers the first."""
    amount = getattr(price, "base", price)
    return None if amount is None else float(amount)
