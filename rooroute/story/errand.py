"""One request: what was given, which stays but for its pool, and how far it has come, which grows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from rooroute.chat import ChatRequest, CompletionOptions, Message
from rooroute.errors import RoorouteError
from rooroute.limiter import Limiter
from rooroute.portable_history import SignatureMemory
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Pool
from rooroute.roster import DIRECT, Roster, addressee, pool_of
from rooroute.routing.limits import Refused
from rooroute.routing.rules import Facts
from rooroute.routing.window import Window
from rooroute.story.sent_requests import SentRequests
from rooroute.story.session import facts_of, session_of

EVERYBODY: Final = ""
"""Instead of a profile's id: a limit that holds for the whole request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all requests of a window are answered with: the outside, and what the window remembers from one to the next."""

    ports: Ports
    window: Window
    memory: SignatureMemory
    roster: Roster
    limiter: Limiter
    sent: SentRequests


@dataclass(slots=True, kw_only=True)
class Errand:
    """What is known of a request before anything is done for it. ``pool`` may become another while the request waits; ``owner`` names it
    on this machine; ``began`` is in seconds of the monotonic clock."""

    request: ChatRequest
    options: CompletionOptions
    pool: Pool
    session: str
    facts: Facts
    owner: str
    began: float

    @property
    def alone(self) -> bool:
        """Whether it stays with the first profile it comes to."""
        return not (self.pool.enabled and self.pool.failover.enabled) or self.options.fallback is False


@dataclass(slots=True)
class Progress:
    """What a request has met so far.

    ``tried`` are the (profile id, model) pairs not to be asked again, ``asked`` says how often each profile was. ``unfit`` ends a sentence
    about each profile that cannot take it after all, ``wrong`` are the errors that said so; ``limited`` are the limits it found without
    room, by profile id or ``EVERYBODY``. ``early`` is the profile the user wants tried before its time, ``waited`` how many seconds it has
    stood in line, ``continued`` the delivered text that the next answer goes on from.
    """

    tried: set[tuple[str, str]] = field(default_factory=set)
    asked: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    wrong: list[RoorouteError] = field(default_factory=list)
    limited: dict[str, Refused] = field(default_factory=dict)
    early: str | None = None
    waited: float = 0.0
    continued: str = ""

    @property
    def attempts(self) -> int:
        """How often anybody was asked."""
        return sum(self.asked.values())


def errand_of(
    ports: Ports,
    configuration: Configuration,
    request: ChatRequest,
    options: CompletionOptions,
    pool: Pool | None = None,
) -> Errand:
    """The errand of this request, by ``pool`` or by the one it names. Raises NotFound for a pool or profile that is not there."""
    pool = pool or pool_of(configuration, options.pool, options.profile, options.fallback, options.model)
    return Errand(
        request=request,
        options=options,
        pool=pool,
        session=session_of(request, options.session),
        facts=facts_of(request, options),
        owner=f"{ports.owner}/{options.request_id}",
        began=ports.monotonic(),
    )


def pool_now(errand: Errand, before: Configuration, now: Configuration) -> Pool:
    """The errand's pool as it is in another configuration; as it was, where it is not there any more."""
    pool, options = errand.pool, errand.options
    if not pool.id.startswith(DIRECT) or pool.id in now.pools:
        return now.pool(pool.id) or pool
    by_model = addressee(before, options.model) is not None  # the model is asked for by the former name
    named = pool.profiles[0] if by_model else renamed(pool.profiles[0], before, now)
    fallback = options.fallback if options.profile is not None else False
    return pool_of(now, None, named, fallback) if named in now.profiles else pool


def renamed(profile_id: str, before: Configuration, now: Configuration) -> str:
    """What a profile is called now: who is gone while exactly one came that is the same in everything else was renamed."""
    known = before.profiles.get(profile_id)
    if known is None or profile_id in now.profiles:
        return profile_id
    came = (each for name, each in now.profiles.items() if name not in before.profiles)
    same = [each.id for each in came if replace(each, id=profile_id) == known]
    return same[0] if len(same) == 1 else profile_id


def wanted(errand: Errand, progress: Progress) -> ChatRequest:
    """What to send: the request and, in the middle of a continued answer, what was delivered of it."""
    if not progress.continued:
        return errand.request
    return replace(errand.request, messages=(*errand.request.messages, Message("assistant", progress.continued)))
