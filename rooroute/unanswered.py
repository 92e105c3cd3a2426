"""The error a request ends with when nobody could answer it: every profile, its state, its remedy and the soonest time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from rooroute.errors import (
    AllCoolingDown,
    AllFailed,
    AttemptsExhausted,
    BudgetExceeded,
    ConsentNeeded,
    NoProfiles,
    Offline,
    Unanswered,
)
from rooroute.ledger import AttemptRecord
from rooroute.outcome import Fault
from rooroute.profiles import Profile
from rooroute.routing.marks import Mark
from rooroute.routing.pool import NO_CONSENT, Nobody, NobodyKind
from rooroute.routing.shown import Shown, ShownState

_KINDS: Final[Mapping[NobodyKind, type[Unanswered]]] = {
    NobodyKind.ALL_COOLING_DOWN: AllCoolingDown,
    NobodyKind.ALL_FAILED: AllFailed,
    NobodyKind.NO_PROFILES: NoProfiles,
    NobodyKind.ATTEMPTS_EXHAUSTED: AttemptsExhausted,
    NobodyKind.UNSUITABLE: NoProfiles,
    NobodyKind.LIMITED: BudgetExceeded,
    NobodyKind.CONSENT: ConsentNeeded,
}


_HOLDERS_TOLD: Final = frozenset({"endpoint", "profile"})
_OWN_WORDS: Final = frozenset({NobodyKind.LIMITED, NobodyKind.CONSENT})


def timestamp(at: float) -> str:
    """UTC epoch seconds as RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration_words(seconds: float) -> str:
    """A time a person can plan with: "40 seconds", "12 minutes", "3 hours", "2 days"."""
    for size, name in ((86_400.0, "day"), (3_600.0, "hour"), (60.0, "minute")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {name}s"
    whole = max(1, round(seconds))
    return f"{whole} second{'' if whole == 1 else 's'}"


def attempt_json(record: AttemptRecord) -> dict[str, Any]:
    """One attempt in protocol spelling."""
    found: dict[str, Any] = {
        "n": record.n,
        "profileId": record.profile_id,
        "model": record.model,
        "verdict": record.verdict,
        "httpStatus": record.status,
        "detail": record.detail,
        "firstTokenMs": None if record.first_token_s is None else round(record.first_token_s * 1000, 1),
        "durationMs": round(record.duration_s * 1000, 1),
    }
    if record.input_tokens or record.output_tokens:
        found["usage"] = {
            "inputTokens": record.input_tokens,
            "outputTokens": record.output_tokens,
            "estimated": record.estimated,
        }
    return {name: value for name, value in found.items() if value is not None}


def mark_json(mark: Mark) -> dict[str, Any]:
    """One mark in protocol spelling."""
    found = {
        "scope": mark.key.scope.value,
        "holder": mark.key.holder if mark.key.scope.value in _HOLDERS_TOLD else None,
        "model": mark.key.model,
        "state": mark.state.value,
        "fault": mark.fault.value,
        "reason": mark.reason or None,
        "since": timestamp(mark.since),
        "until": None if mark.until is None else timestamp(mark.until),
        "hinted": mark.hinted or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def profile_line(shown: Shown, excluded: Mapping[str, str]) -> dict[str, Any]:
    """One profile of an error's list."""
    line: dict[str, Any] = {"id": shown.profile_id, "state": str(shown.state)}
    if shown.reason or shown.profile_id in excluded:
        line["reason"] = shown.reason or f"It {excluded[shown.profile_id]}."
    if shown.until is not None:
        line["until"] = timestamp(shown.until)
    if shown.remedy:
        line["remedy"] = shown.remedy
    return line


def unanswered(
    nobody: Nobody,
    *,
    now: float,
    request_id: str,
    titles: Mapping[str, str],
    attempts: Sequence[AttemptRecord],
    faults: Iterable[Fault],
    hosts_lost: int,
    pool_id: str = "",
) -> Unanswered:
    """The error for a request that nobody answered. ``hosts_lost`` is how many unrelated hosts could not be reached by it, ``pool_id``
    the pool whose settings it went by."""
    asked = list(faults)
    data: dict[str, Any] = {
        "requestId": request_id,
        "now": timestamp(now),
        "profiles": [profile_line(each, nobody.excluded) for each in nobody.shown],
        "attempts": [attempt_json(each) for each in attempts],
    }
    if hosts_lost > 1 and asked and all(each is Fault.NETWORK for each in asked):
        return Offline("No provider can be reached; check the network connection, then ask again.", **data)
    if nobody.soonest is not None:
        data["retryAt"] = timestamp(nobody.soonest)
    if nobody.kind is NobodyKind.CONSENT:
        waiting = next(each for each, why in nobody.excluded.items() if why == NO_CONSENT)
        data["consent"] = {"profileId": waiting, "pool": pool_id}
    resting = nobody.soonest is not None and nobody.kind not in _OWN_WORDS
    kind = AllCoolingDown if resting else _KINDS[nobody.kind]
    return kind(_sentence(kind, nobody, now, titles, attempts), **data)


def _sentence(
    kind: type[Unanswered],
    nobody: Nobody,
    now: float,
    titles: Mapping[str, str],
    attempts: Sequence[AttemptRecord],
) -> str:
    def title(shown: Shown) -> str:
        return titles.get(shown.profile_id, shown.profile_id)

    if kind is AllCoolingDown and nobody.soonest is not None:
        first = min(
            (each for each in nobody.shown if each.until is not None), key=lambda s: s.until or 0.0, default=None
        )
        who = title(first) if first else "The first profile"
        return f"Every profile is resting; {who} is back in {duration_words(nobody.soonest - now)}: ask again then, or reset it."
    if kind is BudgetExceeded and nobody.soonest is not None:
        back = duration_words(nobody.soonest - now)
        return f"Every profile is at a limit you set; the first has room in {back}: ask again then, or raise the limit."
    if kind is ConsentNeeded:
        who = next(titles.get(each, each) for each, why in nobody.excluded.items() if why == NO_CONSENT)
        return f"Only the last resort, {who}, could answer, and it wants your consent; ask again with it, or wait."
    if kind is AllFailed:
        needy = next((each for each in nobody.shown if each.state is ShownState.FAILED), None)
        if needy is None:
            return "Every profile has failed; open the settings to see what each needs."
        return f"Every profile needs you; {title(needy)}: {needy.reason} {needy.remedy}"
    if kind is AttemptsExhausted:
        last = attempts[-1] if attempts else None
        told = (
            f" The last one, {titles.get(last.profile_id, last.profile_id)}: {last.detail}"
            if last and last.detail
            else ""
        )
        return f"Every profile was asked and none could answer.{told}"
    reasons = "; ".join(f"{titles.get(each, each)} {why}" for each, why in nobody.excluded.items())
    return (
        f"No profile of the pool can take this request: {reasons}."
        if reasons
        else "The pool has no profiles; add one first."
    )


def titles_of(profiles: Iterable[Profile]) -> dict[str, str]:
    """What a person calls each profile, by id."""
    return {each.id: each.title for each in profiles}
