"""What a user sees of a profile's health: its last check, else its last request; and what checks send and cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rooroute.books import cost_of
from rooroute.chat import Usage
from rooroute.ledger import BLAMELESS, OK, AttemptRecord
from rooroute.profiles import CheckKind, Configuration, Pool, Problem, Profile
from rooroute.routing.marks import Checked
from rooroute.routing.probing import members, probes
from rooroute.unanswered import timestamp

Json: TypeAlias = dict[str, Any]

INPUT_TOKENS: Final = 10
OUTPUT_TOKENS: Final = 16
"""What a check that gets an answer takes about, and at most."""

_DAY: Final = 86_400.0


def latest(records: Sequence[AttemptRecord]) -> dict[str, AttemptRecord]:
    """The latest attempt of each profile that says something about it, by id; ``records`` are oldest first."""
    return {each.profile_id: each for each in records if each.verdict not in BLAMELESS}


def health_json(
    profile: Profile, checked: Checked | None, request: AttemptRecord | None, fingerprint: str
) -> Json | None:
    """``ProfileHealth``: of the last check where the user wants checks, else of the last request; None where neither tells anything.

    A check made with another key or address counts for nothing.
    """
    if profile.health_check.enabled:
        known = checked if checked is not None and checked.fingerprint == fingerprint else None
        return {"source": "check", **_of_check(profile, known), "sends": cost_words(profile)}
    return None if request is None else {"source": "request", **_of_request(request)}


def _of_check(profile: Profile, checked: Checked | None) -> Json:
    if checked is None:
        return {"status": "unknown", "error": None}
    status = "healthy" if not checked.failures else "degraded"
    return {
        "status": "unhealthy" if checked.failures >= profile.health_check.failures else status,
        "lastCheck": timestamp(checked.at),
        "error": checked.error,
        "failures": checked.failures,
        **_latency(checked.seconds),
    }


def _of_request(record: AttemptRecord) -> Json:
    ok = record.verdict == OK
    return {
        "status": "healthy" if ok else "unhealthy",
        "lastCheck": timestamp(record.at),
        "error": None if ok else record.detail or record.verdict,
        **_latency(record.first_token_s),
    }


def _latency(seconds: float | None) -> Json:
    return {} if seconds is None else {"latencyMs": round(seconds * 1000, 1)}


def unwell(configuration: Configuration, checks: Mapping[str, Checked]) -> Iterable[Problem]:
    """A problem for each profile whose checks have failed as often as its user says is too often."""
    for checked in checks.values():
        profile = configuration.profiles.get(checked.profile_id)
        if profile is None or not (profile.enabled and profile.health_check.enabled):
            continue
        if checked.failures >= profile.health_check.failures:
            yield Problem(
                f"{profile.title} has failed {checked.failures} health checks in a row: {checked.error}",
                field="healthCheck",
                remedy="Others answer meanwhile; test the profile to see what is wrong.",
                profile_id=profile.id,
            )


def cost_words(profile: Profile) -> str:
    """What the profile's health check sends, how often, and what that costs."""
    check = profile.health_check
    every = "second" if check.interval == 1 else f"{check.interval:g} seconds"
    if check.sends is CheckKind.LIST:
        what = "Asks for its list of models" if check.endpoint is None else f"Sends GET {check.endpoint}"
        return f"{what} every {every}, which costs no tokens."
    most, often = most_cost(profile), _DAY / check.interval
    money = "at the provider's price" if most is None else f"${most * often:,.2f} a day at most"
    return (
        f"Asks a question every {every} and pays for the answer: up to {often:,.0f} times a day about {INPUT_TOKENS} tokens in and "
        f"at most {OUTPUT_TOKENS} out, {money}."
    )


def probe_words(pool: Pool, configuration: Configuration) -> str | None:
    """What the pool's latency probes send, how often at most, and what that costs; None where nobody is probed. A pool that wants them
    and cannot have them is told why."""
    every = pool.latency.probe_every
    if every is None:
        return None
    if not probes(pool):
        return "Nobody is probed: the pool goes by another strategy than latency, or may not go on to others."
    asked = [profile for each in members(pool) if (profile := configuration.profiles.get(each)) and profile.enabled]
    often = _DAY / every
    costs = [most_cost(configuration.knowledge.asked(each, None)) for each in asked]
    known = [each * often for each in costs if each is not None]
    money = f"${sum(known):,.2f} a day at most" if known else "at the providers' prices"
    rest = len(costs) - len(known)
    unknown = f", and {rest} more at a price that is not known" if known and rest else ""
    tokens = (INPUT_TOKENS + OUTPUT_TOKENS) * often * len(asked)
    return (
        f"Asks each of {len(asked)} profiles a question when nobody has for {every:g} seconds, and pays for the answer: up to "
        f"{often * len(asked):,.0f} times and {tokens:,.0f} tokens a day, {money}{unknown}."
    )


def most_cost(profile: Profile) -> float | None:
    """USD that a check which gets an answer costs at most; None without a price."""
    return None if profile.price is None else cost_of(profile, Usage(INPUT_TOKENS, OUTPUT_TOKENS))
