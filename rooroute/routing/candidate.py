"""One profile as the router sees it, and the places where a mark would cover it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rooroute.outcome import Scope
from rooroute.routing.marks import Mark, MarkKey


@dataclass(frozen=True, slots=True)
class Candidate:
    """A profile together with the model it would be asked for.

    ``endpoint`` is the origin of its base URL. ``domain`` names the quota it draws on: the user's group, else a string made of provider,
    credential fingerprint and organisation or project. ``fingerprint`` is a keyed hash of credential and base URL, so that editing either
    leaves old marks behind. ``excluded`` is the caller's reason why this request cannot go there (images, window, region), None if it
    can. ``position`` is the place in the pool. ``tier`` groups equals, lowest first; None makes each profile its own tier under
    ``priority`` and all of them equals under every other strategy. ``group`` goes before tiers: where a rule, a route or a split sends
    the request comes first, whom something speaks against last. ``limited_until`` (UTC epoch seconds) is when a limit that the user set
    lets the request through, and ``limit`` what to say of it.
    """

    profile_id: str
    model: str
    endpoint: str
    domain: str
    fingerprint: str
    position: int = 0
    enabled: bool = True
    excluded: str | None = None
    last_resort: bool = False
    tier: int | None = None
    group: int = 0
    limited_until: float | None = None
    limit: str = ""


def keys_covering(candidate: Candidate) -> tuple[MarkKey, ...]:
    """Every key whose mark would keep this profile from answering for this model."""
    holders = (
        (Scope.ENDPOINT, candidate.endpoint),
        (Scope.DOMAIN, candidate.domain),
        (Scope.PROFILE, candidate.profile_id),
    )
    return tuple(MarkKey(scope, holder, model) for scope, holder in holders for model in (None, candidate.model))


def applies(mark: Mark, profile_id: str, fingerprint: str) -> bool:
    """Whether a mark still speaks about this profile. What it did under another credential is over; an origin's trouble, and what a
    sibling learnt about a shared quota, holds whatever the credential."""
    return mark.profile_id != profile_id or mark.fingerprint == fingerprint or mark.key.scope is Scope.ENDPOINT


def marks_covering(candidate: Candidate, marks: Mapping[MarkKey, Mark]) -> Iterator[Mark]:
    """The marks that lie on this profile and model now, expired ones included."""
    if not marks:
        return
    for key in keys_covering(candidate):
        mark = marks.get(key)
        if mark is not None and applies(mark, candidate.profile_id, candidate.fingerprint):
            yield mark
