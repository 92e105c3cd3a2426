"""THE STORY of one request: pick, ask, stream, judge, remember; again if it may.

What may happen in which state is decided by ``routing``; what an answer means by ``providers``; this module tells them what happened
and does what they say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, assert_never

from rooroute.attempt import Attempt, Delivery, Sink
from rooroute.books import Books, reasons, unreachable
from rooroute.chat import ChatRequest, CompletionOptions
from rooroute.errand import Means, Progress, errand_of, wanted
from rooroute.errors import (
    Cancelled,
    ContentFiltered,
    ContextTooLong,
    InvalidInput,
    NotFound,
    Overloaded,
    RequestRejected,
    RoorouteError,
    StreamInterrupted,
)
from rooroute.ledger import AttemptRecord
from rooroute.lessons import Lessons
from rooroute.limiter import Amounts, Limiter
from rooroute.outcome import Failure, Fault
from rooroute.picking import Picking
from rooroute.portable_history import SignatureMemory
from rooroute.ports import Ports
from rooroute.preparation import Preparation
from rooroute.profiles import OnInterrupt, Profile, Strategy
from rooroute.providers.curl import curl_command
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.redaction import redacted
from rooroute.providers.table import dialect_for
from rooroute.roster import Roster, cost_estimate
from rooroute.routing.candidate import Candidate
from rooroute.routing.pool import Decision, Nobody, Use, Wait
from rooroute.routing.rules import told as rules_told
from rooroute.routing.settling import Ending, another_ready, ask_again
from rooroute.routing.shown import sentence
from rooroute.routing.window import Window
from rooroute.sent_requests import SentRequests
from rooroute.unanswered import titles_of, unanswered
from rooroute.waiting_line import WaitingLine

MAX_REQUESTS: Final = 1_000
_REJECTED: Final[Mapping[Fault, type[RequestRejected]]] = {
    Fault.REQUEST: RequestRejected,
    Fault.CONTEXT: ContextTooLong,
    Fault.POLICY: ContentFiltered,
}
_CANCELLED: Final = Failure(Fault.CANCELLED, "The request was cancelled.")


class Completions:
    """Every request of this window. ``complete`` is one coroutine per request; nothing here outlives it but the window's memory."""

    def __init__(self, ports: Ports, window: Window) -> None:
        self.limiter = Limiter(ports.state, ports.now)
        self._means = Means(
            ports=ports,
            window=window,
            memory=SignatureMemory(),
            roster=Roster(ports.credentials),
            limiter=self.limiter,
            sent=SentRequests(),
        )
        self._live: dict[str, _Story] = {}

    async def complete(self, request: ChatRequest, options: CompletionOptions, sink: Sink) -> dict[str, Any]:
        """Get ``request`` answered. The result is in protocol spelling, its ``message`` a ``chat.Message``.

        Raises the errors of the tree: ``Unanswered`` when nobody could, ``RequestRejected`` when the request itself is wrong,
        ``StreamInterrupted`` when the answer broke off after its first delta, ``Cancelled`` when the task was cancelled.
        """
        if len(self._live) >= MAX_REQUESTS:
            raise Overloaded(f"More than {MAX_REQUESTS:,} requests are under way; ask again when some have ended.")
        story = _Story(self._means, request, options, sink)
        self._live[options.request_id] = story
        try:
            return await story.tell()
        finally:
            del self._live[options.request_id]

    def dry_run(self, request: ChatRequest, options: CompletionOptions, sink: Sink) -> dict[str, Any]:
        """Who would answer ``request`` now, in protocol spelling; nothing is sent, nothing is kept, ``sink`` hears nothing."""
        return _Story(self._means, request, options, sink).rehearse()

    def curl(self, request_id: str) -> list[str]:
        """The exact requests that were sent for one of the latest requests of this window, as commands without keys."""
        return [curl_command(each) for each in self._means.sent.of(request_id)]

    def retry_now(self, request_id: str) -> None:
        """Try now what the waiting request waits for. Raises NotFound when it does not wait."""
        self._waiting(request_id).retry_now()

    def skip(self, request_id: str) -> None:
        """Stop waiting for the profile being waited for. Raises NotFound when the request does not wait."""
        self._waiting(request_id).skip()

    def look_again(self) -> None:
        """Tell waiting requests that somebody may have come back."""
        for story in self._live.values():
            story.line.nudge()

    def _waiting(self, request_id: str) -> WaitingLine:
        story = self._live.get(request_id)
        if story is None or not story.line.standing:
            raise NotFound(f"No request {request_id!r} is waiting now.", field="requestId")
        return story.line


class _Story:
    """One request from its first candidate to its answer or its error."""

    def __init__(self, means: Means, request: ChatRequest, options: CompletionOptions, sink: Sink) -> None:
        ports, window = means.ports, means.window
        configuration = ports.configuration()
        errand = errand_of(ports, configuration, request, options)
        self._means, self._errand, self._sink = means, errand, sink
        self._progress = Progress()
        self._delivery = Delivery(sink)
        self._picking = Picking(means, errand, self._progress, configuration)
        self._books = Books(ports, request, options, errand.pool, errand.session, window.noticed)
        self._lessons = Lessons(ports, self._books, self._picking)
        self._preparation = Preparation(means, errand, self._progress, self._picking, self._lessons)
        self.line = WaitingLine(ports, sink, self._progress)
        self._refused_by_policy = False
        self._renewed: set[str] = set()
        self._faults: list[Fault] = []

    async def tell(self) -> dict[str, Any]:
        if self._errand.options.consent == "session":
            self._means.window.consents.add(self._errand.pool.id)
        try:
            while True:
                decision = await self._pick()
                match decision:
                    case Use():
                        if (answer := await self._ask(decision)) is not None:
                            return answer
                    case Wait():
                        await self.line.stand(decision)
                        self._picking.start_over()
                    case Nobody():
                        raise self._give_up(decision)
                    case _:
                        assert_never(decision)
        except asyncio.CancelledError:
            raise Cancelled(_CANCELLED.message, **self._so_far()) from None
        finally:
            await asyncio.shield(self._close_books())

    def rehearse(self) -> dict[str, Any]:
        """The first decision, told instead of done."""
        decision = self._picking.choose()
        way = self._picking.lineup().way
        told = reasons(decision, way)
        told.pop("moreCandidates", None)
        found = {
            **told,
            "rules": rules_told(self._errand.pool.rules, self._errand.facts),
            "estimatedTokens": self._errand.facts.tokens,
        }
        if isinstance(decision, Use):
            profile = self._picking.configuration.profiles[decision.candidate.profile_id]
            found["profileId"] = profile.id
            price = cost_estimate(profile, self._errand.facts, self._means.window.measurements.output_tokens())
            found |= {} if price is None else {"estimatedCost": price}
        return found

    async def _close_books(self) -> None:
        await self._lessons.told()
        await self._books.blame_unreachable()
        await self._books.written()
        self._books.record_why(
            self._picking.first, self._progress.waited, self._picking.lineup().way, self._picking.switched_for
        )

    async def _pick(self) -> Decision:
        decision = await self._picking.pick()
        if isinstance(decision, Use) and self._picking.exhausted:
            await self._lessons.let_go(decision)
            return self._picking.spent()
        return decision

    # --- ask ---

    async def _ask(self, use: Use) -> dict[str, Any] | None:
        """One attempt at ``use.candidate``; the result, or None when another one may be made."""
        profile = self._picking.configuration.profiles[use.candidate.profile_id]
        ready = await self._preparation.ready(use, profile)
        if ready is None:
            return None
        dialect, sent_at = dialect_for(profile, use.candidate.model), self._means.ports.now()
        attempt = Attempt(
            dialect, self._delivery, self._means.ports.monotonic, self._lessons.at_first_token(use, sent_at)
        )
        self._sink.attempt(len(self._books.attempts) + 1, profile.id, use.candidate.model, use.why)
        self._means.ports.state.note_selected(profile.id, sent_at)
        self._means.sent.keep(self._errand.options.request_id, ready.message)
        self._progress.asked[profile.id] = self._progress.asked.get(profile.id, 0) + 1
        self._means.window.measurements.chosen(
            self._errand.pool.id,
            profile.id,
            self._errand.pool.weights if self._picking.strategy is Strategy.WEIGHTED else None,
        )
        self._means.window.measurements.begun(profile.id)
        keeper = asyncio.ensure_future(self._lessons.keep_leases(use)) if use.probe else None
        failure: Failure | None = _CANCELLED
        try:
            failure = _without_keys(
                await attempt.run(self._means.ports.upstream, ready.message, profile.timeouts, profile.proxy, sent_at),
                ready.message,
            )
        finally:
            self._means.window.measurements.ended(profile.id)
            if keeper is not None:
                keeper.cancel()
            record = self._books.note(profile, use.candidate, attempt, failure, sent_at)
            self._measure(record)
            self._means.limiter.settle(
                ready.held, Amounts(record.input_tokens + record.output_tokens, record.cost or 0.0)
            )
            if failure is _CANCELLED:
                await asyncio.shield(self._lessons.let_go(use))
        self._progress.early = None
        if failure is not None:
            await self._after(use, failure, attempt, sent_at)
            return None
        await self._lessons.settle(use, Ending.CLEAN_END, sent_at)
        return self._answer(profile, use.candidate, attempt)

    def _measure(self, record: AttemptRecord) -> None:
        """How quick the profile was; a timeout counts as at least as long as was waited."""
        late = record.duration_s if record.verdict == Fault.TIMEOUT else None
        seconds = late if record.first_token_s is None else record.first_token_s
        self._means.window.measurements.observe(record.profile_id, record.at, seconds, record.output_tokens)
        self._means.window.measurements.told(record.profile_id, record.at, record.quotas)

    # --- judge ---

    async def _after(self, use: Use, failure: Failure, attempt: Attempt, sent_at: float) -> None:
        """What a failure means for the request: the next profile, or the end (raised)."""
        if failure.fault is Fault.CREDENTIAL:
            if use.candidate.profile_id in self._renewed:
                failure = replace(failure, confirm=False)
            elif self._renews(use, attempt, sent_at):
                await self._lessons.let_go(use)
                return
        if failure.seals_refused and self._goes_without_seals(use, attempt):
            await self._lessons.let_go(use)
            return
        self._progress.tried.add((use.candidate.profile_id, use.candidate.model))
        self._faults.append(failure.fault)
        if unreachable(failure):
            self._books.keep_back(use.candidate, failure, sent_at, self._lessons.policy(use.candidate))
            await self._lessons.let_go(use)
        else:
            await self._lessons.settle(use, failure, sent_at)
        if failure.fault in _REJECTED and failure.status not in self._errand.pool.failover.retry_codes:
            self._rejected(use, failure)
        elif attempt.committed:
            self._go_on_or_stop(use, failure)
        else:
            await self._once_more(use.candidate, failure)

    def _rejected(self, use: Use, failure: Failure) -> None:
        """The caller's own fault ends the request; only "too long" may try a profile known to have a larger window."""
        if not self._delivery.empty:
            raise self._broken_off(use, failure)
        if failure.fault is Fault.CONTEXT and self._only_larger(use.candidate, failure):
            return
        if failure.fault is Fault.POLICY and self._errand.pool.policy_fallback and not self._refused_by_policy:
            self._refused_by_policy = True
            if self._picking.next() is not None:
                return
        title = self._picking.configuration.profiles[use.candidate.profile_id].title
        raise _REJECTED[failure.fault](f"{title} refused the request: {failure.message}", **self._so_far())

    def _renews(self, use: Use, attempt: Attempt, sent_at: float) -> bool:
        """A short-lived token that is refused is nobody's fault yet: once per request another is made, and the profile asked again."""
        profile = self._picking.configuration.profiles[use.candidate.profile_id]
        if attempt.committed or not self._means.ports.credentials.renew(profile, sent_at):
            return False
        self._renewed.add(profile.id)
        return self._picking.room_to_ask_again()

    def _goes_without_seals(self, use: Use, attempt: Attempt) -> bool:
        """Thinking that another server signed: the same profile is asked again, without what it refused."""
        refused = self._means.memory.distrust(
            use.candidate.profile_id, wanted(self._errand, self._progress), attempt.dialect.name
        )
        return refused and not attempt.committed and self._picking.room_to_ask_again()

    async def _once_more(self, candidate: Candidate, failure: Failure) -> None:
        """Clear the way for a second call to the same profile where that may help and costs no untried one its attempt."""
        others = another_ready(
            failure,
            candidate,
            [each for each in self._picking.candidates() if each.profile_id not in self._progress.asked],
            self._means.ports.state.snapshot(),
            self._means.ports.now(),
            self._lessons.policy(candidate),
        )
        pause = ask_again(failure, self._progress.asked[candidate.profile_id], others, self._lessons.policy(candidate))
        if pause is None or self._picking.late or not self._picking.room_to_ask_again():
            return
        if not await self._means.limiter.retry(self._picking.configuration):
            return
        if failure.fault is Fault.CREDENTIAL:
            self._means.ports.credentials.forget(candidate.profile_id)
        self._progress.tried.discard((candidate.profile_id, candidate.model))
        if pause:
            await asyncio.sleep(pause * (0.5 + self._means.ports.jitter()))

    def _only_larger(self, candidate: Candidate, failure: Failure) -> bool:
        """Leave out whoever is not known to have a larger window. Whether anybody is left."""
        profiles = self._picking.configuration.profiles
        refused = profiles[candidate.profile_id].context_window or failure.max_tokens_allowed or 0
        needed = max(self._errand.facts.tokens, refused)
        for each in self._picking.candidates():
            window = profiles[each.profile_id].context_window
            if window is None or window <= needed:
                self._progress.unfit.setdefault(each.profile_id, "is not known to have a window large enough")
        return any(each.excluded is None and each.enabled for each in self._picking.candidates())

    def _go_on_or_stop(self, use: Use, failure: Failure) -> None:
        """The answer broke off in the middle. Never a second attempt once a tool call went out: it may have been run."""
        wish = self._errand.options.on_interrupt or self._errand.pool.on_interrupt
        if self._delivery.has_calls or (following := self._picking.next()) is None:
            raise self._broken_off(use, failure)
        if wish is OnInterrupt.RESTART:
            self._progress.continued = ""
            self._delivery.reset(len(self._books.attempts) + 1)
        elif wish is OnInterrupt.CONTINUE and self._may_continue(following):
            self._progress.continued = self._delivery.text_so_far()
        else:
            raise self._broken_off(use, failure)

    def _may_continue(self, profile_id: str) -> bool:
        """Whether that profile can go on from the delivered text: prose alone, of which nothing would be trimmed on the way."""
        text = self._delivery.text_so_far()
        if self._delivery.has_thinking or text != text.rstrip():
            return False
        profile = self._picking.configuration.profiles[profile_id]
        model = next((each.model for each in self._picking.candidates() if each.profile_id == profile_id), "")
        return dialect_for(profile, model).continues

    # --- end ---

    def _answer(self, profile: Profile, candidate: Candidate, attempt: Attempt) -> dict[str, Any]:
        message = self._delivery.message(complete=True)
        self._means.memory.remember(message)
        last = self._books.attempts[-1]
        warm = last.cached_input_tokens + last.cache_write_tokens
        self._means.window.answered(
            self._errand.pool.id,
            self._errand.session,
            profile.id,
            self._means.ports.now(),
            self._picking.strategy,
            warm,
        )
        if self._errand.options.pin:
            self._means.window.pin(self._errand.pool.id, self._errand.session, profile.id)
        self._means.ports.state.note_working(self._errand.pool.id, profile.id)
        usage, cost = self._books.total_usage(), self._books.total_cost()
        self._sink.usage(usage)
        return {
            "requestId": self._errand.options.request_id,
            "profileId": profile.id,
            "model": candidate.model,
            "finishReason": attempt.finish,
            "message": message,
            "usage": usage,
            **({} if cost is None else {"cost": cost}),
            "attempts": self._books.attempts_json(),
        }

    def _give_up(self, nobody: Nobody) -> RoorouteError:
        if (
            self._progress.wrong
            and not self._books.attempts
            and len(self._progress.wrong) == len(self._picking.candidates())
        ):
            nobody_could_say_it = all(isinstance(each, InvalidInput) for each in self._progress.wrong)
            if nobody_could_say_it or len(self._progress.wrong) == 1:
                return self._progress.wrong[0]
        return unanswered(
            nobody,
            now=self._means.ports.now(),
            request_id=self._errand.options.request_id,
            titles=titles_of(self._picking.configuration.profiles.values()),
            attempts=self._books.attempts,
            faults=self._faults,
            hosts_lost=self._books.hosts_lost(),
        )

    def _broken_off(self, use: Use, failure: Failure) -> StreamInterrupted:
        profiles = self._picking.configuration.profiles
        following = self._picking.next()
        hint = f" Ask again to have {profiles[following].title} answer." if following else ""
        why = sentence(failure.fault, failure.message).rstrip(".")
        return StreamInterrupted(
            f"{profiles[use.candidate.profile_id].title} broke off in the middle of its answer ({why}); what came is kept.{hint}",
            **self._so_far(),
            fault=failure.fault.value,
            **({"nextProfileId": following} if following else {}),
        )

    def _so_far(self) -> dict[str, Any]:
        """What an error owes the caller: the attempts, what they used, and the part of the answer that was delivered."""
        data: dict[str, Any] = {
            "requestId": self._errand.options.request_id,
            "attempts": self._books.attempts_json(),
            "usage": self._books.total_usage(),
        }
        if not self._delivery.empty:
            data["message"] = self._delivery.message(complete=False)
        return data


def _without_keys(failure: Failure | None, sent: HttpRequest) -> Failure | None:
    """A provider may quote the very key it refuses; what looks like a key was struck out before, here goes the exact one."""
    if failure is None:
        return None
    secrets = [secret for _, secret in (*sent.secret_headers.values(), *sent.secret_query.values())]
    return replace(failure, message=redacted(failure.message, [each.reveal(each.origin) for each in secrets]))
