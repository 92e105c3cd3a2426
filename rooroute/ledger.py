"""The ledger: one line per attempt, and the figures that follow from the lines. Pure: the store keeps them, this adds them up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import ceil
from typing import Any, Final

from rooroute.outcome import Fault

OK: Final = "ok"
_NOBODY: Final[Mapping[str, str]] = {}
_DAY: Final = 86_400.0
_MONTH: Final = 30 * _DAY
BLAMELESS: Final = frozenset({Fault.CANCELLED, Fault.REQUEST, Fault.CONTEXT, Fault.POLICY, Fault.LOCAL_LIMIT})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt of one request at one profile, failed partials included.

    ``n`` counts from 1 within the request, ``at`` is when it was sent (UTC epoch seconds), ``verdict`` is "ok" or a ``Fault`` value,
    ``status`` the HTTP status, ``detail`` the redacted sentence of a failure. Durations are seconds from sending; ``first_token_s`` is
    None when nothing arrived. Token figures are what the provider reported, or an estimate where ``estimated``; ``cost`` is USD,
    ``price_source`` who said so (a ``Source`` value).
    ``quotas`` is what the provider said is left: measure, limit, remaining, reset (UTC epoch seconds).
    """

    request_id: str
    n: int
    at: float
    pool_id: str | None
    profile_id: str
    model: str
    verdict: str
    status: int | None = None
    detail: str | None = None
    first_token_s: float | None = None
    duration_s: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: bool = False
    cost: float | None = None
    price_source: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    quotas: tuple[Sequence[Any], ...] = ()


class GroupBy(StrEnum):
    PROFILE = "profile"
    PROVIDER = "provider"
    MODEL = "model"
    DAY = "day"
    TAG = "tag"
    POOL = "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a group of attempts came to.

    ``success_rate`` is None without an attempt that could count: what the caller did wrong, took back or was refused by policy says
    nothing about a profile and is left out of it. Times to first token are seconds over the attempts that delivered one; ``cost`` is
    None when no attempt had a price. ``uptime`` is the share of the minutes with an attempt in which somebody was answered, None as
    for the success rate.
    """

    key: str
    attempts: int
    requests: int
    succeeded: int
    success_rate: float | None
    uptime: float | None
    first_token_average_s: float | None
    first_token_median_s: float | None
    first_token_p90_s: float | None
    first_token_p95_s: float | None
    first_token_p99_s: float | None
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost: float | None
    price_sources: tuple[str, ...] = ()
    last_at: float


def _day(record: AttemptRecord) -> str:
    return datetime.fromtimestamp(record.at, UTC).date().isoformat()


UNKNOWN: Final = "unknown"
"""The provider of profiles that are no longer there."""

_KEYS: Final[dict[GroupBy, Callable[[AttemptRecord, Mapping[str, str]], Iterable[str]]]] = {
    GroupBy.PROFILE: lambda record, _: (record.profile_id,),
    GroupBy.PROVIDER: lambda record, providers: (providers.get(record.profile_id, UNKNOWN),),
    GroupBy.MODEL: lambda record, _: (record.model,),
    GroupBy.DAY: lambda record, _: (_day(record),),
    GroupBy.TAG: lambda record, _: record.tags,
    GroupBy.POOL: lambda record, _: (record.pool_id or "",),
}


def figures(
    records: Iterable[AttemptRecord], group_by: GroupBy = GroupBy.PROFILE, providers: Mapping[str, str] = _NOBODY
) -> list[Figures]:
    """One row per profile, provider, model, UTC day, tag or pool, in the keys' order; an attempt with two tags counts for both.
    ``providers`` names each profile's provider by its id."""
    groups: dict[str, list[AttemptRecord]] = defaultdict(list)
    for record in records:
        for key in _KEYS[group_by](record, providers):
            groups[key].append(record)
    return [_summed(key, groups[key]) for key in sorted(groups)]


def a_month(cost: float | None, seconds: float) -> float | None:
    """USD for 30 days at the rate of ``cost`` in so many seconds; None without a cost, and of less than a day, which says little."""
    return None if cost is None or seconds < _DAY else cost * _MONTH / seconds


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile (a value that occurred) of sorted values; None of none."""
    return values[max(0, ceil(share * len(values)) - 1)] if values else None


def _uptime(records: Sequence[AttemptRecord]) -> float | None:
    asked = {int(record.at // 60) for record in records if record.verdict not in BLAMELESS}
    answered = {int(record.at // 60) for record in records if record.verdict == OK}
    return len(answered) / len(asked) if asked else None


def _summed(key: str, records: Sequence[AttemptRecord]) -> Figures:
    succeeded = sum(record.verdict == OK for record in records)
    counted = sum(record.verdict not in BLAMELESS for record in records)
    waits = sorted(record.first_token_s for record in records if record.first_token_s is not None)
    costs = [record.cost for record in records if record.cost is not None]
    return Figures(
        key=key,
        attempts=len(records),
        requests=len({record.request_id for record in records}),
        succeeded=succeeded,
        success_rate=succeeded / counted if counted else None,
        uptime=_uptime(records),
        first_token_average_s=sum(waits) / len(waits) if waits else None,
        first_token_median_s=percentile(waits, 0.5),
        first_token_p90_s=percentile(waits, 0.9),
        first_token_p95_s=percentile(waits, 0.95),
        first_token_p99_s=percentile(waits, 0.99),
        input_tokens=sum(record.input_tokens for record in records),
        output_tokens=sum(record.output_tokens for record in records),
        cached_input_tokens=sum(record.cached_input_tokens for record in records),
        cache_write_tokens=sum(record.cache_write_tokens for record in records),
        reasoning_tokens=sum(record.reasoning_tokens for record in records),
        cost=sum(costs) if costs else None,
        price_sources=tuple(sorted({each.price_source for each in records if each.price_source is not None})),
        last_at=max(record.at for record in records),
    )
