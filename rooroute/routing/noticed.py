"""What is noticed on the way and the user should know: models on their way out, and profiles that seem to draw on one quota.

All windows of the machine notice together, and a restart forgets nothing of it. Nothing here rests anybody: a quota is shared when the
user says so (``Profile.domain``), and what is said here is why to say it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from rooroute.outcome import Failure, Fault, Scope
from rooroute.routing.candidate import Candidate

NOTICE_SECONDS: Final = 30 * 86_400.0
"""After so long without being told again it is forgotten."""
NOTICES_KEPT: Final = 500
"""Of each kind."""
_AGAIN: Final = 86_400.0  # seconds after which what is told again is kept again
_TOGETHER: Final = 10.0  # seconds within which two limits count as met together
_SAME_END: Final = 2.0  # seconds
_EPISODE: Final = 30.0  # seconds after which another meeting of the same two is another one
_ENOUGH: Final = 2  # meetings
OF_THE_USER: Final = "group:"
"""Begins a domain that the user named."""
_OF_NO_KEY: Final = "profile:"
"""Begins the domain of a profile whose key was not read, or that has none."""
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
class Farewell:
    """A profile was told that a model of its endpoint goes; ``configured`` was its own model then."""

    endpoint: str
    configured: str | None
    news: Leaving


@dataclass(frozen=True, slots=True)
class Account:
    """An answer named the account of a key; ``fingerprint`` and ``domain`` were the profile's then."""

    name: str
    fingerprint: str
    domain: str


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
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The user wants no suggestion about these profiles, nor about some of them."""

    profiles: tuple[str, ...]


Said: TypeAlias = Farewell | Account | Limited | Dismissed


class NoticeKind(StrEnum):
    LEAVING = "leaving"
    ACCOUNT = "account"
    LIMIT = "limit"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing noticed, as the windows keep it for each other: what about, by which profile, and when (UTC epoch seconds). ``said`` None
    takes back whatever any profile was told about it."""

    kind: NoticeKind
    about: str
    profile_id: str
    at: float
    said: Said | None


def kept_since(kind: NoticeKind, now: float) -> float:
    """What was told before (UTC epoch seconds) is forgotten; what the user decided is not."""
    return 0.0 if kind is NoticeKind.DISMISSED else now - NOTICE_SECONDS


def said(kind: NoticeKind, values: Mapping[str, Any]) -> Said:
    """What was kept, of its fields. Raises TypeError or KeyError for what is no such thing."""
    if kind is NoticeKind.LEAVING:
        return Farewell(**{**values, "news": Leaving(**values["news"])})
    if kind is NoticeKind.DISMISSED:
        return Dismissed(tuple(values["profiles"]))
    return Account(**values) if kind is NoticeKind.ACCOUNT else Limited(**values)


@dataclass(frozen=True, slots=True)
class Shared:
    """Profiles that seem to draw on one quota. ``account`` is the one all were told to belong to; None: two that ran out together."""

    profiles: tuple[str, ...]
    account: str | None = None


def _nowhere(notice: Notice) -> None:
    """A window alone."""


@dataclass(slots=True)
class Noticed:
    """What one window knows of what all have noticed. What it notices itself goes to ``keep``, from where the others have it."""

    keep: Callable[[Notice], None] = _nowhere
    _known: dict[NoticeKind, dict[tuple[str, str], Notice]] = field(
        default_factory=lambda: {each: {} for each in NoticeKind}
    )

    def show(self, notices: Iterable[Notice]) -> None:
        """What all windows have noticed, oldest first, takes the place of what was known here."""
        self._known = {each: {} for each in NoticeKind}
        for each in notices:
            if each.said is None:
                self._drop(each.kind, each.about)
            else:
                self._known[each.kind][each.about, each.profile_id] = each

    def _note(self, notice: Notice) -> None:
        known, key = self._known[notice.kind], (notice.about, notice.profile_id)
        before = known.get(key)
        if before is not None and before.said == notice.said and notice.at - before.at < _AGAIN:
            return
        known[key] = notice
        if len(known) > NOTICES_KEPT:
            del known[next(iter(known))]
        self.keep(notice)

    def leaving(self, candidate: Candidate, configured: str | None, news: Leaving, now: float) -> None:
        """An answer to ``candidate`` said that its model goes; ``configured`` is the profile's own model."""
        told = Farewell(candidate.endpoint, configured, news)
        self._note(Notice(NoticeKind.LEAVING, _target(candidate), candidate.profile_id, now, told))

    def serves(self, candidate: Candidate, now: float) -> None:
        """The model answered and nothing was said of its going: what was said is over."""
        if self._known[NoticeKind.LEAVING] and self._drop(NoticeKind.LEAVING, about := _target(candidate)):
            self.keep(Notice(NoticeKind.LEAVING, about, candidate.profile_id, now, None))

    def _drop(self, kind: NoticeKind, about: str) -> bool:
        """Whether there was anything about it."""
        known = self._known[kind]
        over = [each for each in known if each[0] == about]
        for each in over:
            del known[each]
        return bool(over)

    def models(self) -> list[tuple[Leaving, Mapping[str, Farewell]]]:
        """Each model that goes, in the words told last, with what each profile was told."""
        found: dict[str, dict[str, Farewell]] = {}
        for (about, profile_id), notice in sorted(self._known[NoticeKind.LEAVING].items(), key=lambda each: each[1].at):
            if isinstance(notice.said, Farewell):
                found.setdefault(about, {})[profile_id] = notice.said
        return [(next(reversed(told.values())).news, told) for told in found.values()]

    def told_account(self, candidate: Candidate, account: str, now: float) -> None:
        """An answer named the account; it holds for the key that was used."""
        told = Account(account, candidate.fingerprint, candidate.domain)
        self._note(Notice(NoticeKind.ACCOUNT, "", candidate.profile_id, now, told))

    def failed(self, candidate: Candidate, provider: str, failure: Failure, now: float) -> None:
        """Keep what may be the end of a shared quota; anything else says nothing about sharing."""
        if failure.fault not in _OF_A_QUOTA or failure.scope is not Scope.DOMAIN:
            return
        until = None if failure.hint is None else now + failure.hint
        who, key = candidate.profile_id, candidate.fingerprint
        met = Limited(who, provider, candidate.endpoint, candidate.domain, candidate.model, now, until, key)
        self._note(Notice(NoticeKind.LIMIT, f"{_target(candidate)} {now:.3f}", who, now, met))

    def shared(self, now_as: Callable[[str], Candidate | None]) -> list[Shared]:
        """What to suggest. ``now_as`` gives a profile as it stands: None where it is gone. What came of another key or another quota than
        the profile's present one is left out."""
        if not self._known[NoticeKind.LIMIT]:
            return []
        known = [each.said for each in self._known[NoticeKind.DISMISSED].values()]
        dismissed = [set(each.profiles) for each in known if isinstance(each, Dismissed)]
        return [each for each in self._seem_shared(now_as) if not any(set(each.profiles) <= some for some in dismissed)]

    def dismiss(self, profile_ids: Iterable[str], now: float) -> None:
        """The user wants no suggestion about these any more."""
        them = tuple(sorted(set(profile_ids)))
        self._note(Notice(NoticeKind.DISMISSED, "\n".join(them), them[0], now, Dismissed(them)))

    def _seem_shared(self, now_as: Callable[[str], Candidate | None]) -> list[Shared]:
        domains: dict[str, str] = {}
        accounts: dict[str, str] = {}
        limits: list[Limited] = []
        for notice in (*self._known[NoticeKind.ACCOUNT].values(), *self._known[NoticeKind.LIMIT].values()):
            found, seen = notice.said, now_as(notice.profile_id)
            if seen is None or not isinstance(found, Account | Limited) or found.fingerprint != seen.fingerprint:
                continue
            unread = seen.domain.startswith(_OF_NO_KEY)
            domains[seen.profile_id] = found.domain if unread else seen.domain
            if isinstance(found, Account):
                accounts[seen.profile_id] = found.name
            elif found.domain == domains[seen.profile_id]:
                limits.append(found)
        return shared_quotas(limits, accounts, domains)


def _target(candidate: Candidate) -> str:
    return f"{candidate.endpoint} {candidate.model}"


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
