"""The books of one request: what each attempt taught goes into the shared state, what it was into the ledger, and why into the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any, Final

from rooroute.attempt import Attempt
from rooroute.chat import ChatRequest, CompletionOptions, Usage
from rooroute.ledger import OK, AttemptRecord
from rooroute.outcome import Failure, Fault
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Pool, Profile, Source
from rooroute.providers.account import account_of
from rooroute.providers.rate_budgets import quotas
from rooroute.providers.redaction import plain
from rooroute.providers.retirement import announced
from rooroute.roster import estimated_tokens
from rooroute.routing.candidate import Candidate
from rooroute.routing.crowd import SMALL
from rooroute.routing.figures import Policy
from rooroute.routing.limits import Refused
from rooroute.routing.marks import Change, Mark, ProbeLease, Snapshot
from rooroute.routing.noticed import Leaving, Noticed
from rooroute.routing.pool import Decision, Use
from rooroute.routing.route import Route
from rooroute.routing.rules import CHARACTERS_A_TOKEN
from rooroute.routing.settling import Ending, another_ready, settle
from rooroute.unanswered import attempt_json, mark_json, timestamp

_CANDIDATES_TOLD: Final = 50
"""Of a larger pool only so many candidates stand in a record."""


class Books:
    """One request's. ``attempts`` are its attempts so far, in order; the unreachable ones are kept back until it is known whether the
    network itself is down."""

    def __init__(
        self,
        ports: Ports,
        request: ChatRequest,
        options: CompletionOptions,
        pool: Pool,
        session: str,
        noticed: Noticed | None = None,
    ) -> None:
        self._noticed = Noticed() if noticed is None else noticed
        self._ports, self._request, self._options = ports, request, options
        self._pool, self._session = pool, session
        self._began_at = ports.now()
        self._unreachable: list[tuple[int, Candidate, Failure, float, Policy]] = []
        self._behind = False
        self.attempts: list[AttemptRecord] = []
        self._notices: dict[int, str] = {}
        self._heard: list[tuple[Profile, Candidate, Attempt, Failure | None, float]] = []
        self._taught: dict[int, Sequence[Mark]] = {}

    async def settle(
        self,
        candidate: Candidate,
        outcome: Failure | Ending,
        *,
        sent_at: float,
        policy: Policy,
        everybody: Sequence[Candidate] = (),
        leases: tuple[ProbeLease, ...] = (),
        offline: bool = False,
        number: int | None = None,
    ) -> None:
        """Write what the attempt (``number``: counted from 1; None: the latest) taught, if it taught anything; most teach nothing, and
        nothing is written.

        A failure's mark is shown here at once and written while the next profile is asked.
        """
        jitter = self._ports.jitter()
        number = len(self.attempts) if number is None else number
        failure = outcome if isinstance(outcome, Failure) else None

        def decide(snapshot: Snapshot) -> tuple[Change, None]:
            now = self._ports.now()
            ready = failure is not None and another_ready(failure, candidate, everybody, snapshot, now, policy)
            change = settle(
                candidate,
                outcome,
                snapshot,
                leases=leases,
                started_at=sent_at,
                now=now,
                policy=policy,
                jitter=jitter,
                others_ready=ready,
                offline=offline,
            )
            if failure is not None:
                self._taught[number] = change.put_marks
            return change, None

        if failure is not None:
            if self._ports.state.update_soon(decide):
                self._behind = True
                self._ports.changed()
        elif leases or decide(self._ports.state.snapshot())[0]:
            await self._ports.state.update(decide)
            self._ports.changed()

    async def written(self) -> None:
        """Wait until every mark is where all windows see it."""
        if self._behind:
            await self._ports.state.save()

    def keep_back(self, candidate: Candidate, failure: Failure, sent_at: float, policy: Policy) -> None:
        """A host could not be reached. Whether that is its fault is known when others were tried."""
        self._unreachable.append((len(self.attempts), candidate, failure, sent_at, policy))

    def hosts_lost(self) -> int:
        """How many unrelated hosts could not be reached, if nobody at all was."""
        reached = any(record.status is not None for record in self.attempts)
        return 0 if reached else len({candidate.endpoint for _, candidate, *_ in self._unreachable})

    async def blame_unreachable(self) -> None:
        """Mark the hosts that could not be reached, unless unrelated ones failed alike: then the network is down and nobody is blamed."""
        offline = self.hosts_lost() > 1
        for number, candidate, failure, sent_at, policy in self._unreachable:
            await self.settle(candidate, failure, sent_at=sent_at, policy=policy, offline=offline, number=number)

    def note(
        self, profile: Profile, candidate: Candidate, attempt: Attempt, failure: Failure | None, sent_at: float
    ) -> AttemptRecord:
        """Put one attempt into the ledger."""
        usage = self._usage(attempt, failure)
        cost, source = cost_and_source(self._ports.configuration(), profile, candidate.model, usage)
        record = AttemptRecord(
            request_id=self._options.request_id,
            n=len(self.attempts) + 1,
            at=sent_at,
            pool_id=self._pool.id,
            profile_id=profile.id,
            model=candidate.model,
            verdict=OK if failure is None else failure.fault.value,
            status=attempt.status,
            detail=None if failure is None else failure.message,
            first_token_s=attempt.first_token,
            duration_s=attempt.duration,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_input_tokens=usage.cached_input_tokens or 0,
            cache_write_tokens=usage.cache_write_tokens or 0,
            reasoning_tokens=usage.reasoning_tokens or 0,
            estimated=usage.estimated,
            cost=cost,
            price_source=source,
            session=self._session,
            quotas=quotas(attempt.headers, self._ports.now()),
            tags=tuple(dict.fromkeys((*profile.tags, *self._options.tags))),
        )
        self.attempts.append(record)
        self._heard.append((profile, candidate, attempt, failure, self._ports.now()))
        self._ports.state.record_attempt(record)
        return record

    def take_notice(self) -> None:
        """Of what the answers said beside the answer: of their models' future, and of whose quota they were taken from. Called when the
        request has ended: while it goes on, the next attempt waits."""
        for number, heard in enumerate(self._heard, start=1):
            self._notice(number, *heard)

    def _notice(
        self,
        number: int,
        profile: Profile,
        candidate: Candidate,
        attempt: Attempt,
        failure: Failure | None,
        now: float,
    ) -> None:
        if (account := account_of(attempt.headers, attempt.error_body)) is not None:
            self._noticed.told_account(candidate, account, now)
        if failure is not None:
            self._noticed.failed(candidate, profile.provider, failure, now)
        if (news := _leaving(candidate.model, attempt, failure)) is not None:
            self._noticed.leaving(candidate, profile.model, news, now)
            self._notices[number] = news.words
        elif failure is None:
            self._noticed.serves(candidate, now)

    def _usage(self, attempt: Attempt, failure: Failure | None) -> Usage:
        """What the provider told; of a broken-off answer at least what was delivered, since the count comes last. An attempt that
        delivered nothing and told nothing is taken to have cost nothing."""
        told, output = attempt.usage, -(-attempt.output_characters // CHARACTERS_A_TOKEN)
        if told is None:
            return Usage(estimated_tokens(self._request), output, estimated=True) if attempt.committed else Usage()
        if failure is not None and output > told.output_tokens:
            return replace(told, output_tokens=output, estimated=True)
        return told

    def total_usage(self) -> Usage:
        """What all attempts used together, failed partials included."""

        def total(field: str) -> int:
            return sum(getattr(each, field) for each in self.attempts)

        return Usage(
            input_tokens=total("input_tokens"),
            output_tokens=total("output_tokens"),
            cached_input_tokens=total("cached_input_tokens") or None,
            cache_write_tokens=total("cache_write_tokens") or None,
            reasoning_tokens=total("reasoning_tokens") or None,
            estimated=any(each.estimated for each in self.attempts),
        )

    def total_cost(self) -> float | None:
        """USD of all attempts whose profile has a price; None where none has."""
        costs = [each.cost for each in self.attempts if each.cost is not None]
        return sum(costs) if costs else None

    def attempts_json(self) -> list[dict[str, Any]]:
        """The attempts in protocol spelling."""
        return [attempt_json(each) for each in self.attempts]

    def record_why(
        self,
        first: Decision | None,
        waited: float,
        way: Route,
        switch_cost: float | None,
        limited: Mapping[str, Refused],
    ) -> None:
        """Leave behind why this request went where it went; never what it said. ``limited`` are the limits that profiles were at when
        their turn came."""
        if first is None:
            return
        asked = {each.profile_id for each in self.attempts}
        kept_away = {each: refused.words for each, refused in limited.items() if each not in asked}
        document = {
            "request": {
                "id": self._options.request_id,
                "at": timestamp(self._began_at),
                "pool": self._pool.id,
                "session": self._session,
                "model": self._options.model,
                "waitedSeconds": round(waited, 3),
            },
            **reasons(first, way, kept_away),
            **({} if switch_cost is None else {"switchCost": round(switch_cost, 6)}),
            "attempts": [
                {**told, **_cost_json(record), **self._learnt(number)}
                for number, (told, record) in enumerate(zip(self.attempts_json(), self.attempts, strict=True), start=1)
            ],
        }
        self._ports.state.record_request(self._options.request_id, self._began_at, document)

    def _learnt(self, number: int) -> dict[str, Any]:
        """What came of one attempt, spelt out only now: while it went on, the next one was waiting."""
        found: dict[str, Any] = {}
        if raw := self._heard[number - 1][2].error_body:
            found["rawError"] = plain(raw.decode("utf-8", "replace"))
        if number in self._notices:
            found["notice"] = self._notices[number]
        if number in self._taught:
            found["taught"] = [mark_json(mark) for mark in self._taught[number]]
        return found


def reasons(decision: Decision, way: Route, kept_away: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Why a decision fell as it did: the rule, the strategy, and of each candidate its rank or what excluded it, be it (``kept_away``)
    only when its turn came."""
    excluded = {**decision.excluded, **(kept_away or {})}
    ranked = tuple(each for each in decision.ranked if each not in excluded) if isinstance(decision, Use) else ()
    places = {each: place for place, each in enumerate(ranked, start=1)}
    others = (each for each in (*excluded, *way.profiles) if each not in places)
    shown = list(dict.fromkeys(islice(chain(ranked, others), _CANDIDATES_TOLD)))
    unseen = "is not in the configuration" if len(way.profiles) <= SMALL else "was not needed: another could answer"
    found: dict[str, Any] = {
        "candidates": [
            {"profileId": each, "rank": places[each]}
            if each in places
            else {"profileId": each, "excludedBy": excluded.get(each, unseen)}
            for each in shown
        ],
        "strategy": way.strategy.value,
    }
    optional = {
        "moreCandidates": max(0, len(way.profiles) - len(shown)) or None,
        "rule": way.rule,
        "region": way.region,
        "because": decision.why if isinstance(decision, Use) else None,
    }
    return found | {name: value for name, value in optional.items() if value is not None}


def _cost_json(record: AttemptRecord) -> dict[str, Any]:
    told = {"cost": record.cost, "priceSource": record.price_source}
    return {} if record.cost is None else {name: value for name, value in told.items() if value is not None}


def _leaving(model: str, attempt: Attempt, failure: Failure | None) -> Leaving | None:
    """What an answer says of its model's going, if it does."""
    if failure is not None and failure.retired:
        return Leaving(model, gone=True)
    news = announced(attempt.headers)
    return None if news is None else Leaving(model, False, news.deprecated_at, news.stops_at, news.page)


def cost_of(profile: Profile, usage: Usage) -> float | None:
    """USD by the profile's own prices, else as the provider told; None where neither is known. Cached input without a price of its own
    costs like any other."""
    price = profile.price
    if price is None:
        return usage.cost
    cached, written = usage.cached_input_tokens or 0, usage.cache_write_tokens or 0
    plain = max(0, usage.input_tokens - cached - written)
    per_million = (
        plain * price.input
        + cached * (price.input if price.cache_read is None else price.cache_read)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + usage.output_tokens * price.output
    )
    return per_million / 1_000_000


def cost_and_source(
    configuration: Configuration, profile: Profile, model: str, usage: Usage
) -> tuple[float | None, str | None]:
    """USD by the profile's own prices, else as the provider told with its answer, else by what is known of the model; and who says so."""
    cost = cost_of(profile, usage)
    if cost is not None:
        return cost, (Source.SERVER if profile.price is None else Source.YOURS).value
    known = configuration.knowledge
    cost = cost_of(known.filled(profile, model), usage)
    return cost, None if cost is None else known.sources(profile, model)["price"].value


def unreachable(failure: Failure) -> bool:
    """Whether a failure may be the network's."""
    return failure.fault is Fault.NETWORK
