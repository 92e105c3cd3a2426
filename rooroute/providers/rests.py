"""How long a refusal rests whom, where several vendors' tables reckon it alike."""

from __future__ import annotations

from collections.abc import Callable

from rooroute.providers import retry_after
from rooroute.providers.failures import Evidence


def until_refilled(*budgets: tuple[str, str]) -> Callable[[Evidence], float | None]:
    """A row's hint: the provider's own time, else when the last budget that is used up is filled again. ``budgets`` are pairs of headers:
    what remains, and when it resets."""
    return lambda evidence: evidence.hint or retry_after.exhausted_budget(evidence.headers, evidence.now, budgets)


def until_next_month(evidence: Evidence) -> float | None:
    """A row's hint: until the next calendar month, in UTC and by the server's clock."""
    now = retry_after.server_now(evidence.headers, evidence.now)
    return retry_after.sensible(retry_after.start_of_next_month(now) - now)
