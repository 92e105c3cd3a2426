"""What models cost and hold by genai-prices (https://github.com/pydantic/genai-prices), where that extra is installed. Its only room.

Half a second and 25 MB go into loading it, so it is loaded when first wanted, by a process of its own that ends when it has not been asked
for five seconds: ``python -m rooroute.adapters.price_table`` answers a line of JSON with a line of JSON. It is asked for its bundled table
alone and sends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final

from rooroute.providers.model_list import Model
from rooroute.providers.vendor import PriceRange
from rooroute.secret import is_loopback, origin_of

_IDLE_SECONDS: Final = 5.0
_MOST_SECONDS: Final = 20.0
_NICENESS: Final = 10


class _Clerk:
    """Who reads the table for this process; asked from any thread, one question at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._leaving: threading.Timer | None = None

    def ask(self, base_url: str, moment: str, ids: Sequence[str] | None) -> Any:
        """The answer of ``answer``; None where the extra is missing or nobody answers in time. It knows no server of this machine, and is
        not loaded to say so."""
        if find_spec("genai_prices") is None or _is_on_this_machine(base_url):
            return None
        with self._turn:
            if self._leaving is not None:
                self._leaving.cancel()
            try:
                return self._asked([base_url, moment, ids])
            except (OSError, ValueError):  # it has ended, or cannot begin: this Python was moved away
                self._dismiss()
                return None
            finally:
                self._leaving = _timer(_IDLE_SECONDS, self._let_go)

    def _asked(self, question: Sequence[Any]) -> Any:
        process = self._process = self._process or _start()
        late = _timer(_MOST_SECONDS, process.kill)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        finally:
            late.cancel()

    def _let_go(self) -> None:
        with self._turn:
            self._dismiss()

    def _dismiss(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass


def _is_on_this_machine(base_url: str) -> bool:
    try:
        return is_loopback(origin_of(base_url))
    except ValueError:  # no address at all: told where it is saved
        return False


def _start() -> subprocess.Popen[str]:
    # -P: the directory that the editor starts us in is nobody's to put modules into
    command = [sys.executable, "-P", "-m", "rooroute.adapters.price_table"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, encoding="utf-8")  # noqa: S603 - our own program
    if hasattr(os, "setpriority"):  # on a busy core the streams of the first seconds would wait for it
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    return process


def _timer(seconds: float, call: Any) -> threading.Timer:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer


_CLERK: Final = _Clerk()


async def known_prices(base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]:
    """What the table knows of the models ``ids`` at ``base_url``, by id; nothing where the extra is missing or the address is nobody's
    that it knows. ``now`` is UTC epoch seconds: prices have dates."""
    moment = datetime.fromtimestamp(now, UTC).isoformat()
    found = await asyncio.to_thread(_CLERK.ask, base_url, moment, list(ids))
    return {each["id"]: Model(**each) for each in found or ()}


async def known_range(base_url: str, now: float) -> PriceRange | None:
    """What the table's present models at ``base_url`` cost; None where the extra is missing or the address is nobody's that it knows.
    ``now`` as above."""
    return await asyncio.to_thread(_range, base_url, datetime.fromtimestamp(now, UTC).date())


@lru_cache(maxsize=64)
def _range(base_url: str, day: date) -> PriceRange | None:
    found = _CLERK.ask(base_url, datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat(), None)
    if not found:
        return None
    return PriceRange(
        input=tuple(found["input"]), output=tuple(found["output"]), largest_window=found["largest_window"]
    )


# --- in the process that reads the table ---


def answer(base_url: str, moment: datetime, ids: Sequence[str] | None) -> Any:
    """What there is to say of these models, or (None) of all that the address has, as JSON data."""
    if ids is not None:
        return [asdict(each) for each in _look_up(base_url, ids, moment)]
    found = _range_of(base_url, moment)
    return None if found is None else asdict(found)


def _range_of(base_url: str, moment: datetime) -> PriceRange | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        entries = get_snapshot().find_provider(None, None, base_url).models
    except LookupError:
        return None
    known = []
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


def _look_up(base_url: str, ids: Sequence[str], moment: datetime) -> list[Model]:
    from genai_prices.data_snapshot import get_snapshot

    table, found = get_snapshot(), []
    for name in ids:
        with contextlib.suppress(LookupError):
            _, entry = table.find_provider_model(name, None, None, base_url)
            prices = entry.get_prices(moment)
            found.append(
                Model(
                    id=name,
                    name=entry.name,
                    context_window=entry.context_window,
                    input_price=_dollars(prices.input_mtok),
                    output_price=_dollars(prices.output_mtok),
                    cache_read_price=_dollars(prices.cache_read_mtok),
                    cache_write_price=_dollars(prices.cache_write_mtok),
                )
            )
    return found


def _dollars(price: Any) -> float | None:
    """USD per million tokens; of a price in tiers the first."""
    amount = getattr(price, "base", price)
    return None if amount is None else float(amount)


def main() -> None:
    """Answer each line until there are no more."""
    for line in sys.stdin:
        base_url, moment, ids = json.loads(line)
        sys.stdout.write(json.dumps(answer(base_url, datetime.fromisoformat(moment), ids)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
