"""THE STORY of one request: pick, ask, stream, judge, remember; again if it may.

Who is asked next is said by ``picking``, what has to be there before by ``preparation``; ``attempt`` sends and delivers; ``lessons`` tells
the shared state how it went, ``books`` keep what it was; ``verdicts`` say whether it may go on, and ``waiting_line`` is where it stands while
nobody can answer. What may happen in which state is decided by ``routing``; what an answer means by ``providers``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final, assert_never

from rooroute.attempt import Attempt, Delivery, Sink
from rooroute.books import Books, unreachable
from rooroute.chat import ChatRequest, CompletionOptions
from rooroute.errors import NotFound, Overloaded
from rooroute.ledger import AttemptRecord
from rooroute.limiter import Amounts, Limiter
from rooroute.outcome import Failure, Fault
from rooroute.portable_history import SignatureMemory
from rooroute.ports import Ports
from rooroute.profiles import Profile, Strategy
from rooroute.providers.curl import curl_command
from rooroute.providers.dialect import HttpRequest
from rooroute.providers.redaction import struck
from rooroute.providers.table import dialect_for
from rooroute.roster import Roster
from rooroute.routing.candidate import Candidate
from rooroute.routing.pool import Decision, Nobody, Use, Wait
from rooroute.routing.settling import Ending
from rooroute.routing.window import Window
from rooroute.story.errand import Means, Progress, errand_of
from rooroute.story.foresight import Foresight
from rooroute.story.lessons import Lessons
from rooroute.story.picking import Picking
from rooroute.story.preparation import UNFIT, Preparation, Ready
from rooroute.story.sent_requests import SentRequests
from rooroute.story.session import consent_for
from rooroute.story.verdicts import CANCELLED, Verdicts
from rooroute.story.waiting_line import WaitingLine

MAX_REQUESTS: Final = 1_000


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
        self.foresight = Foresight(self._means)
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
        self._ports, self._window = means.ports, means.window
        configuration = means.ports.configuration()
        errand, progress = errand_of(means.ports, configuration, request, options), Progress()
        self._means, self._errand, self._progress, self._sink = means, errand, progress, sink
        self._delivery = Delivery(sink)
        self._picking = Picking(means, errand, progress, configuration)
        self._books = Books(means.ports, request, options, errand.pool, errand.session, means.window.noticed)
        self._lessons = Lessons(means.ports, self._books, self._picking)
        self._preparation = Preparation(means, errand, progress, self._picking, self._lessons)
        self._verdicts = Verdicts(means, errand, progress, self._picking, self._books, self._lessons, self._delivery)
        self.line = WaitingLine(means.ports, sink, progress)

    async def tell(self) -> dict[str, Any]:
        """The result, or raise the error that the request ends with."""
        if self._errand.options.consent == "session":
            self._window.consents.add(consent_for(self._errand.pool, self._picking.configuration))
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
                        raise self._verdicts.give_up(decision)
                    case _:
                        assert_never(decision)
        except asyncio.CancelledError:
            raise self._verdicts.cancelled() from None
        finally:
            await asyncio.shield(self._close_books())

    async def _pick(self) -> Decision:
        """Whom to ask, as far as the budget of attempts goes."""
        decision = await self._picking.pick()
        if isinstance(decision, Use) and self._picking.exhausted:
            await self._lessons.let_go(decision)
            return self._picking.spent()
        return decision

    async def _ask(self, use: Use) -> dict[str, Any] | None:
        """One attempt at ``use.candidate``; the result, or None when another one may be made."""
        profile = self._picking.configuration.profiles[use.candidate.profile_id]
        ready = await self._preparation.ready(use, profile)
        if ready is None:
            return None
        dialect, sent_at = dialect_for(profile, use.candidate.model), self._ports.now()
        attempt = Attempt(dialect, self._delivery, self._ports.monotonic, self._lessons.at_first_token(use, sent_at))
        self._announce(use, ready.message, sent_at)
        failure = await self._stream(use, profile, ready, attempt, sent_at)
        if profile.id in self._progress.unfit:  # that was found only where it was to be sent
            return None
        self._progress.asked[profile.id] = self._progress.asked.get(profile.id, 0) + 1
        self._progress.early = None
        if failure is not None:
            await self._verdicts.judge(use, failure, attempt, sent_at)
            return None
        await self._lessons.settle(use, Ending.CLEAN_END, sent_at)
        return self._remember(use.candidate, attempt)

    def _announce(self, use: Use, message: HttpRequest, sent_at: float) -> None:
        """Tell whoever goes by it that this profile is being asked."""
        pool, profile_id = self._errand.pool, use.candidate.profile_id
        self._sink.attempt(len(self._books.attempts) + 1, profile_id, use.candidate.model, use.why)
        self._ports.state.note_selected(profile_id, sent_at)
        self._means.sent.keep(self._errand.options.request_id, message)
        weights = pool.weights if self._picking.strategy is Strategy.WEIGHTED else None
        self._window.measurements.chosen(pool.id, profile_id, weights)

    async def _stream(
        self, use: Use, profile: Profile, ready: Ready, attempt: Attempt, sent_at: float
    ) -> Failure | None:
        """Send, deliver what comes, and write down what it was, whatever it was. What went wrong, if something did."""
        self._window.measurements.begun(profile.id)
        stop_renewing = self._lessons.keep_leases(use) if use.probe else None
        failure: Failure | None = CANCELLED
        try:
            ended = await attempt.run(self._ports.upstream, ready.message, profile.timeouts, profile.proxy, sent_at)
            failure = _without_keys(ended, ready.message)
        except UNFIT as wrong:
            failure = Failure(Fault.CONFIG, wrong.message)
            await self._preparation.pass_over(use, profile, ready.held, wrong)
        finally:
            self._window.measurements.ended(profile.id)
            if stop_renewing is not None:
                stop_renewing()
            record = self._books.note(profile, use.candidate, attempt, failure, sent_at)
            self._measure(record)
            actual = Amounts(record.input_tokens + record.output_tokens, record.cost or 0.0)
            if failure is not None and unreachable(failure):
                self._means.limiter.release(ready.held)  # it was never sent
            self._means.limiter.settle(ready.held, actual)
            if failure is CANCELLED:
                await asyncio.shield(self._lessons.let_go(use))
        return failure

    def _measure(self, record: AttemptRecord) -> None:
        """How quick the profile was; a timeout counts as at least as long as was waited."""
        late = record.duration_s if record.verdict == Fault.TIMEOUT else None
        seconds = late if record.first_token_s is None else record.first_token_s
        self._window.measurements.observe(record.profile_id, record.at, seconds, record.output_tokens)
        self._window.measurements.told(record.profile_id, record.at, record.quotas)

    def _remember(self, candidate: Candidate, attempt: Attempt) -> dict[str, Any]:
        """Keep what the next request goes by, and hand over the answer."""
        pool, session, profile_id = self._errand.pool, self._errand.session, candidate.profile_id
        message = self._delivery.message(complete=True)
        self._means.memory.remember(message)
        last = self._books.attempts[-1]
        warm = last.cached_input_tokens + last.cache_write_tokens
        self._window.answered(pool.id, session, profile_id, self._ports.now(), self._picking.strategy, warm)
        if self._errand.options.pin:
            self._window.pin(pool.id, session, profile_id)
        self._ports.state.note_working(pool.id, profile_id)
        usage, cost = self._books.total_usage(), self._books.total_cost()
        self._sink.usage(usage)
        return {
            "requestId": self._errand.options.request_id,
            "profileId": profile_id,
            "model": candidate.model,
            "finishReason": attempt.finish,
            "message": message,
            "usage": usage,
            **({} if cost is None else {"cost": cost}),
            "attempts": self._books.attempts_json(),
        }

    async def _close_books(self) -> None:
        await self._lessons.told()
        await self._books.blame_unreachable()
        await self._books.written()
        self._books.take_notice()
        picking, progress = self._picking, self._progress
        self._books.record_why(
            picking.first, progress.waited, picking.lineup().way, picking.switched_for, progress.limited
        )


def _without_keys(failure: Failure | None, sent: HttpRequest) -> Failure | None:
    """A provider may quote the very key it refuses; what looks like a key was struck out before, here goes the exact one."""
    if failure is None:
        return None
    secrets = [secret for _, secret in (*sent.secret_headers.values(), *sent.secret_query.values())]
    return replace(failure, message=struck(failure.message, [each.reveal(each.origin) for each in secrets]))
