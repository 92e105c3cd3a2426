"""What one window notices on the way and its user should know: models on their way out, and profiles that seem to draw on one quota.

Nothing here rests anybody: a quota is shared when the user says so (``Profile.domain``), and what is said here is why to say it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate

_KEPT: Final = 200
_TOGETHER: Final = 10.0  # seconds within which two limits count as met together
_SAME_END: Final = 2.0  # seconds
_EPISODE: Final = 30.0  # seconds after which another meeting of the same two is another one
_ENOUGH: Final = 2  # meetings
OF_THE_USER: Final = "group:"
"""Begins a domain that the user named."""
_OF_A_QUOTA: Final = frozenset({Fault.RATE_LIMIT, Fault.QUOTA, Fault.BILLING})


@dataclass(frozen=True, slots=True)
class Leaving:
    """A model that its provider retires. ``gone``: it is no longer served. ``since`` (deprecated) and ``stops_at`` are UTC epoch seconds,
    ``page`` explains it."""

    model: str
    gone: bool = False
    since: float | None = None
    stops_at: float | None = None
    page: str | None = None

    @property
    def words(self) -> str:
        """What the provider said, as one sentence."""
        if self.gone:
            return f"The provider no longer serves the model {self.model}."
        since = f" deprecated since {_day(self.since)}" if self.since is not None else " deprecated"
        stops = f" and stops on {_day(self.stops_at)}" if self.stops_at is not None else ""
        return (
            f"The provider says that the model {self.model} is{since}{stops}{f' ({self.page})' if self.page else ''}."
        )


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Limited:
    """A profile met the end of a quota for ``model`` at ``at``; ``until`` is when its provider said it is back (None: untold)."""

    profile_id: str
    provider: str
    endpoint: str
    domain: str
    model: str
    at: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """Profiles that seem to draw on one quota. ``account`` is the one all were told to belong to; None: two that ran out together."""

    profiles: tuple[str, ...]
    account: str | None = None


@dataclass(slots=True)
class Noticed:
    """One window's. A model is noted once for all profiles of its endpoint."""

    _leaving: dict[tuple[str, str], tuple[Leaving, dict[str, str | None]]] = field(default_factory=dict)
    _accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    _limited: deque[Limited] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def leaving(self, candidate: Candidate, configured: str | None, news: Leaving) -> None:
        """An answer to ``candidate`` said that its model goes; ``configured`` is the profile's own model."""
        key = candidate.endpoint, candidate.model
        if len(self._leaving) >= _KEPT and key not in self._leaving:
            del self._leaving[next(iter(self._leaving))]
        known = self._leaving.get(key)
        self._leaving[key] = (news, {**(known[1] if known else {}), candidate.profile_id: configured})

    def serves(self, candidate: Candidate) -> None:
        """The model answered and nothing was said of its going: what was said is over."""
        if self._leaving:
            self._leaving.pop((candidate.endpoint, candidate.model), None)

    def models(self) -> Iterator[tuple[Leaving, Mapping[str, str | None]]]:
        """Each model that goes, with the profiles that were told so and the model each was configured with then."""
        yield from self._leaving.values()

    def told_account(self, candidate: Candidate, account: str) -> None:
        """An answer named the account; it holds for the key that was used."""
        self._accounts[candidate.profile_id] = (candidate.fingerprint, account)

    def failed(self, candidate: Candidate, provider: str, failure: Failure, now: float) -> None:
        """Keep what may be the end of a shared quota; anything else says nothing about sharing."""
        if failure.fault not in _OF_A_QUOTA or failure.scope is not Scope.DOMAIN:
            return
        until = None if failure.hint is None else now + failure.hint
        self._limited.append(
            Limited(candidate.profile_id, provider, candidate.endpoint, candidate.domain, candidate.model, now, until)
        )

    def shared(self, now_as: Callable[[str], Candidate | None]) -> list[Shared]:
        """What to suggest. ``now_as`` gives a profile as it stands: None where it is gone. What came of another key or another quota than
        the profile's present one is left out."""
        known: dict[str, Candidate] = {}
        if not self._limited:
            return []
        for profile_id in {each.profile_id for each in self._limited} | set(self._accounts):
            if (seen := now_as(profile_id)) is not None:
                known[profile_id] = seen
        accounts = {
            each: account
            for each, (key, account) in self._accounts.items()
            if each in known and known[each].fingerprint == key
        }
        limits = [
            each for each in self._limited if each.profile_id in known and known[each.profile_id].domain == each.domain
        ]
        return shared_quotas(limits, accounts, {each: seen.domain for each, seen in known.items()})


def shared_quotas(limits: Sequence[Limited], accounts: Mapping[str, str], domains: Mapping[str, str]) -> list[Shared]:
    """The profiles that seem to draw on one quota though their ``domains`` differ.

    An account that all were told to belong to is proof, once one of them has met a limit. Without it two profiles of one provider and
    endpoint must run out for the same model within seconds, more than once, and never be told different times of return: keys of
    different accounts do so by chance, though rarely twice.
    """
    ran_out = {each.profile_id for each in limits}
    members: dict[str, list[str]] = {}
    for profile_id in sorted(accounts):
        members.setdefault(accounts[profile_id], []).append(profile_id)
    found = [
        Shared(tuple(each), account)
        for account, each in members.items()
        if _apart([domains[one] for one in each]) and not ran_out.isdisjoint(each)
    ]
    meetings: dict[tuple[str, str], list[float]] = {}
    for first, second in _near(sorted(limits, key=lambda each: each.at)):
        one, other = sorted((first.profile_id, second.profile_id))
        judged = one in accounts and other in accounts
        if not judged and _apart((domains[one], domains[other])) and _together(first, second):
            times = meetings.setdefault((one, other), [])
            if not times or second.at - times[-1] >= _EPISODE:
                times.append(second.at)
    return found + [Shared(pair) for pair, times in meetings.items() if len(times) >= _ENOUGH]


def _apart(domains: Sequence[str]) -> bool:
    """Whether they are different quotas, and not because the user said so."""
    return len(set(domains)) > 1 and not all(each.startswith(OF_THE_USER) for each in domains)


def _near(limits: Sequence[Limited]) -> Iterator[tuple[Limited, Limited]]:
    """Pairs within seconds of each other; ``limits`` are in order of time."""
    for place, first in enumerate(limits):
        for second in limits[place + 1 :]:
            if second.at - first.at > _TOGETHER:
                break
            yield first, second


def _together(one: Limited, other: Limited) -> bool:
    same = (one.provider, one.endpoint, one.model) == (other.provider, other.endpoint, other.model)
    return same and (one.until is None or other.until is None or abs(one.until - other.until) <= _SAME_END)
