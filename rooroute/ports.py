"""What the story of a request needs from outside, as protocols; the composition root hands in the adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from rooroute.attempt import Upstream
from rooroute.errors import OriginNotApproved, SecretUnavailable
from rooroute.ledger import AttemptRecord
from rooroute.profiles import Configuration, Profile
from rooroute.routing.limits import Count, Counters
from rooroute.routing.marks import Change, Snapshot
from rooroute.secret import Secret

T = TypeVar("T")


class State(Protocol):
    """What all windows share."""

    def snapshot(self) -> Snapshot:
        """The picture at hand; never waits."""

    def last_snapshot(self) -> Snapshot:
        """What ``snapshot`` gave last, without a look at what other windows did."""

    async def update(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        """Run ``decide`` on fresh data, in one short transaction with the writing of its change; it may run more than once."""

    async def update_now(self, decide: Callable[[Snapshot], tuple[Change, T]]) -> T:
        """As ``update``, for who has a request to send: it holds at once for the whole machine, and may be written a moment later."""

    def update_soon(self, decide: Callable[[Snapshot], tuple[Change, object]]) -> bool:
        """Decide on the picture at hand and show the change here at once; all windows see it a moment later. Whether there was one."""

    async def save(self) -> None:
        """Return when every window sees what ``update_soon`` changed."""

    def note_selected(self, profile_id: str, at: float) -> None: ...

    def note_working(self, pool_id: str, profile_id: str) -> None: ...

    async def count(self, holders: Sequence[str], decide: Callable[[Counters], tuple[Count, T]]) -> T:
        """Run ``decide`` on the fresh counters of these holders, in one short transaction with the writing of what it says."""

    def note_count(self, count: Count) -> None: ...

    def record_attempt(self, record: AttemptRecord) -> None: ...

    def record_request(self, request_id: str, at: float, document: Mapping[str, Any]) -> None: ...


class Credentials(Protocol):
    """Secrets, and what can be said of them without reading them."""

    async def resolve(self, profile: Profile) -> Mapping[str, Secret]:
        """Raises SecretUnavailable or OriginNotApproved."""

    def astray(self, profile: Profile) -> OriginNotApproved | None:
        """Why its secrets may not go where the profile points, as far as that is known without reading one; ``field`` is what mends it."""

    def unusable(self, profile: Profile) -> SecretUnavailable | OriginNotApproved | None:
        """Why ``resolve`` would fail for want of a key or an approval, as far as that is known without reading a secret."""

    def forget(self, profile_id: str) -> None: ...

    def renew(self, profile: Profile, used_at: float) -> bool:
        """After a refusal of what was sent at ``used_at`` (UTC epoch seconds): whether another token will be made. False where the key is
        one that lasts."""

    def fingerprint(self, profile: Profile) -> str: ...

    def domain(self, profile: Profile) -> str: ...

    @property
    def version(self) -> int:
        """Grows whenever ``domain`` or ``unusable`` may answer differently for some profile."""

    @property
    def judgements(self) -> int:
        """Grows whenever ``unusable`` may answer differently for some profile."""

    def learnt(self, since: int) -> Sequence[str]:
        """Ids of the profiles of which ``domain`` may answer differently than at version ``since``."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside. ``configuration`` gives the user's, which knows what is known of its models. ``now`` is UTC epoch seconds, ``monotonic`` seconds, ``jitter`` a random number in [0, 1); ``owner`` names this
    process towards other windows; ``changed`` is called when this window changed something that a user sees."""

    now: Callable[[], float]
    monotonic: Callable[[], float]
    jitter: Callable[[], float]
    configuration: Callable[[], Configuration]
    state: State
    credentials: Credentials
    upstream: Upstream
    owner: str
    changed: Callable[[], None]
