"""What a person sees of a profile: one of four states, the reason, the time of return and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rooroute.outcome import Fault
from rooroute.routing.candidate import Candidate, marks_covering
from rooroute.routing.marks import Mark, MarkState, Snapshot
from rooroute.routing.readiness import live_lease


class ShownState(StrEnum):
    ACTIVE = "active"
    COOLDOWN = "cooldown"
    FAILED = "failed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Shown:
    """``until`` is UTC epoch seconds: the end of a cooldown, or when a failed profile is looked at again. ``reason`` and ``remedy`` are
    sentences. ``probing`` says that a request is trying it right now. ``marks`` are those that cover it, for the curious."""

    profile_id: str
    state: ShownState
    reason: str | None = None
    until: float | None = None
    remedy: str | None = None
    probing: bool = False
    fault: Fault | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What a class of failure is called, and what a person can do about it."""

    name: str
    remedy: str


_WAIT: Final = "It comes back by itself; retry now if you know better."

WORDS: Final[Mapping[Fault, Words]] = {
    Fault.RATE_LIMIT: Words("Rate limit reached", _WAIT),
    Fault.QUOTA: Words(
        "Quota used up", "It comes back when the quota does; raise the limit at the provider to have it sooner."
    ),
    Fault.OVERLOAD: Words("The service is overloaded", _WAIT),
    Fault.TRANSIENT: Words("The service failed", _WAIT),
    Fault.TIMEOUT: Words(
        "The service did not answer in time", "It comes back by itself; raise its timeouts if it is slow by nature."
    ),
    Fault.NETWORK: Words("The service cannot be reached", "Check the network, the proxy and the base URL."),
    Fault.CREDENTIAL: Words("The key was rejected", "Replace the key, then test the connection."),
    Fault.PERMISSION: Words("The key may not do this", "Grant the key access at the provider, then reset the profile."),
    Fault.MODEL: Words(
        "The model is not available here", "Choose another model, or reset the profile once it is available."
    ),
    Fault.BILLING: Words(
        "The account needs money", "Top up at the provider; it is tried again by itself, or reset it now."
    ),
    Fault.CONFIG: Words(
        "This address does not answer like the provider's API", "Check the base URL and the provider's type."
    ),
    Fault.BAD_ANSWER: Words("The answer was empty or unreadable", "Try again, or choose another model."),
    Fault.CONTEXT: Words("The prompt is too long", "Shorten the conversation or choose a model with a larger window."),
    Fault.POLICY: Words("Refused by the provider's content filter", "Change the prompt."),
    Fault.REQUEST: Words("The provider rejected the request", "Change what the message complains about."),
    Fault.CANCELLED: Words("Cancelled", "Ask again."),
    Fault.LOCAL_LIMIT: Words("Resting by your own choice", "It comes back by itself; reset it to have it now."),
}

_RANK: Final = {MarkState.FAILED: 2, MarkState.COOLDOWN: 1, MarkState.WATCHED: 0}


def sentence(fault: Fault, message: str) -> str:
    """The reason in words, with the provider's own where it gave any."""
    name = WORDS[fault].name
    return f"{name}: {message}" if message else f"{name}."


def shown_state(candidate: Candidate, snapshot: Snapshot, now: float) -> Shown:
    """The worst of what lies on a profile for its model at ``now``. A rest that is over shows as active, and as probing while a request
    tries it; the user's own switch goes before everything."""
    marks = tuple(marks_covering(candidate, snapshot.marks))
    probing = any(live_lease(snapshot, mark, now) for mark in marks)
    worst = max(marks, key=lambda mark: (_RANK[mark.state], mark.until or float("inf")), default=None)
    if not candidate.enabled:
        return Shown(candidate.profile_id, ShownState.DISABLED, "Switched off.", None, "Enable it.", marks=marks)
    over = worst is None or worst.state is MarkState.WATCHED
    if worst is None or over or (worst.state is MarkState.COOLDOWN and (worst.until or 0.0) <= now):
        if candidate.limited_until is not None and candidate.limited_until > now:
            reason = f"It {candidate.limit}."
            return Shown(candidate.profile_id, ShownState.ACTIVE, reason, candidate.limited_until, marks=marks)
        return Shown(candidate.profile_id, ShownState.ACTIVE, probing=probing, marks=marks)
    return Shown(
        candidate.profile_id,
        ShownState.FAILED if worst.state is MarkState.FAILED else ShownState.COOLDOWN,
        reason=sentence(worst.fault, worst.reason),
        until=worst.until,
        remedy=WORDS[worst.fault].remedy,
        probing=probing,
        fault=worst.fault,
        marks=marks,
    )
