"""What a failure means for the request: the same profile once more, the next one, or the end with an error that says why."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rooroute.attempt import Attempt, Delivery
from rooroute.books import Books, unreachable
from rooroute.errors import (
    Cancelled,
    ContentFiltered,
    ContextTooLong,
    InvalidInput,
    RequestRejected,
    RoorouteError,
    StreamInterrupted,
)
from rooroute.outcome import Failure, Fault
from rooroute.profiles import OnInterrupt
from rooroute.routing.candidate import Candidate
from rooroute.routing.pool import Nobody, Use
from rooroute.routing.settling import another_ready, ask_again
from rooroute.routing.shown import sentence
from rooroute.story.errand import Errand, Means, Progress, wanted
from rooroute.story.lessons import Lessons
from rooroute.story.picking import Picking
from rooroute.unanswered import titles_of, unanswered

_REJECTED: Final[Mapping[Fault, type[RequestRejected]]] = {
    Fault.REQUEST: RequestRejected,
    Fault.CONTEXT: ContextTooLong,
    Fault.POLICY: ContentFiltered,
}
CANCELLED: Final = Failure(Fault.CANCELLED, "The request was cancelled.")


@dataclass(slots=True)
class Verdicts:
    """One request's. It keeps in mind whose token was made anew, by what faults attempts failed, whether a policy has refused it, and whose
    answer broke off that others are to go on with."""

    means: Means
    errand: Errand
    progress: Progress
    picking: Picking
    books: Books
    lessons: Lessons
    delivery: Delivery
    _renewed: set[str] = field(default_factory=set)
    _faults: list[Fault] = field(default_factory=list)
    _refused_by_policy: bool = False
    _broken: tuple[Use, Failure] | None = None

    async def judge(self, use: Use, failure: Failure, attempt: Attempt, sent_at: float) -> None:
        """Teach what the failure teaches, and clear the way for the next attempt; where there may be none, raise the end."""
        if failure.fault is Fault.CREDENTIAL:
            if use.candidate.profile_id in self._renewed:
                failure = replace(failure, confirm=False)
            elif self._renews(use, attempt, sent_at):
                await self.lessons.let_go(use)
                return
        if failure.seals_refused and self._goes_without_seals(use, attempt):
            await self.lessons.let_go(use)
            return
        self.progress.tried.add((use.candidate.profile_id, use.candidate.model))
        self._faults.append(failure.fault)
        if unreachable(failure):
            self.books.keep_back(use.candidate, failure, sent_at, self.lessons.policy(use.candidate))
            await self.lessons.let_go(use)
        else:
            await self.lessons.settle(use, failure, sent_at)
        if failure.fault in _REJECTED and failure.status not in self.errand.pool.failover.retry_codes:
            self._rejected(use, failure)
        elif attempt.committed:
            self._go_on_or_stop(use, failure)
        else:
            await self._once_more(use.candidate, failure)

    def _rejected(self, use: Use, failure: Failure) -> None:
        """The caller's own fault ends the request; only "too long" may try a profile known to have a larger window."""
        if not self.delivery.empty:
            raise self._broken_off(use, failure)
        if failure.fault is Fault.CONTEXT and self._only_larger(use.candidate, failure):
            return
        if failure.fault is Fault.POLICY and self.errand.pool.policy_fallback and not self._refused_by_policy:
            self._refused_by_policy = True
            if self.picking.next() is not None:
                return
        title = self.picking.configuration.profiles[use.candidate.profile_id].title
        raise _REJECTED[failure.fault](f"{title} refused the request: {failure.message}", **self._so_far())

    def _renews(self, use: Use, attempt: Attempt, sent_at: float) -> bool:
        """A short-lived token that is refused is nobody's fault yet: once per request another is made, and the profile asked again."""
        profile = self.picking.configuration.profiles[use.candidate.profile_id]
        if attempt.committed or not self.means.ports.credentials.renew(profile, sent_at):
            return False
        self._renewed.add(profile.id)
        return self.picking.room_to_ask_again()

    def _goes_without_seals(self, use: Use, attempt: Attempt) -> bool:
        """Thinking that another server signed: the same profile is asked again, without what it refused."""
        refused = self.means.memory.distrust(
            use.candidate.profile_id, wanted(self.errand, self.progress), attempt.dialect.name
        )
        return refused and not attempt.committed and self.picking.room_to_ask_again()

    async def _once_more(self, candidate: Candidate, failure: Failure) -> None:
        """Clear the way for a second call to the same profile where that may help and costs no untried one its attempt."""
        others = another_ready(
            failure,
            candidate,
            [each for each in self.picking.candidates() if each.profile_id not in self.progress.asked],
            self.means.ports.state.snapshot(),
            self.means.ports.now(),
            self.lessons.policy(candidate),
        )
        pause = ask_again(failure, self.progress.asked[candidate.profile_id], others, self.lessons.policy(candidate))
        if pause is None or self.picking.late or not self.picking.room_to_ask_again():
            return
        if not await self.means.limiter.retry(self.picking.configuration):
            return
        if failure.fault is Fault.CREDENTIAL:
            self.means.ports.credentials.forget(candidate.profile_id)
        self.progress.tried.discard((candidate.profile_id, candidate.model))
        if pause:
            await asyncio.sleep(pause * (0.5 + self.means.ports.jitter()))

    def _only_larger(self, candidate: Candidate, failure: Failure) -> bool:
        """Leave out whoever is not known to have a larger window. Whether anybody is left."""
        profiles, filled = self.picking.configuration.profiles, self.picking.configuration.knowledge.filled

        def window_of(each: Candidate) -> int | None:
            return filled(profiles[each.profile_id], each.model).context_window

        refused = window_of(candidate) or failure.max_tokens_allowed or 0
        needed = max(self.errand.facts.tokens, refused)
        for each in self.picking.candidates():
            window = window_of(each)
            if window is None or window <= needed:
                self.progress.unfit.setdefault(each.profile_id, "is not known to have a window large enough")
        others = not self.errand.alone
        return others and any(each.excluded is None and each.enabled for each in self.picking.candidates())

    def _go_on_or_stop(self, use: Use, failure: Failure) -> None:
        """The answer broke off in the middle. Never a second attempt once a tool call went out: it may have been run."""
        wish = self.errand.options.on_interrupt or self.errand.pool.on_interrupt
        if self.delivery.has_calls:
            raise self._broken_off(use, failure)
        self.progress.continued = ""
        if wish is OnInterrupt.RESTART and self.picking.next() is not None:
            self.delivery.reset(len(self.books.attempts) + 1)
        elif wish is OnInterrupt.CONTINUE and self._leaves_prose():
            self._broken = use, failure
            self.picking.go_on_from(self.delivery.text_so_far())
            if self.picking.next() is None:
                raise self._broken_off(use, failure)
        else:
            raise self._broken_off(use, failure)

    def _leaves_prose(self) -> bool:
        """Whether what was delivered can be gone on from: prose alone, of which nothing would be trimmed on the way."""
        text = self.delivery.text_so_far()
        return not self.delivery.has_thinking and text == text.rstrip()

    def give_up(self, nobody: Nobody) -> RoorouteError:
        """The end of a request that nobody answered, or whose answer nobody could go on with."""
        wrong = self._unanswered(nobody)
        return wrong if self._broken is None or self.delivery.empty else self._broken_off(*self._broken, wrong)

    def _unanswered(self, nobody: Nobody) -> RoorouteError:
        wrong = self.progress.wrong or self._known_before()
        if wrong and not self.progress.attempts and len(wrong) == len(self.picking.candidates()):
            nobody_could_say_it = all(isinstance(each, InvalidInput) for each in wrong)
            if nobody_could_say_it or len(wrong) == 1:
                return wrong[0]
        usual = self.picking.configuration.pool(None)
        named = self.errand.pool.id in self.picking.configuration.pools
        return unanswered(
            nobody,
            pool_id=self.errand.pool.id if named or usual is None else usual.id,
            now=self.means.ports.now(),
            request_id=self.errand.options.request_id,
            titles=titles_of(self.picking.configuration.profiles.values()),
            attempts=self.books.attempts,
            faults=self._faults,
            hosts_lost=self.books.hosts_lost(),
        )

    def _known_before(self) -> list[RoorouteError]:
        """What was wrong with the only profile before anything was tried."""
        only = [self.picking.configuration.profiles[each.profile_id] for each in self.picking.candidates()[:2]]
        found = self.means.ports.credentials.unusable(only[0]) if len(only) == 1 and only[0].enabled else None
        return [found] if found is not None else []

    def cancelled(self) -> Cancelled:
        """The end of a request that the caller has called off."""
        return Cancelled(CANCELLED.message, **self._so_far())

    def _broken_off(self, use: Use, failure: Failure, wrong: RoorouteError | None = None) -> StreamInterrupted:
        """``wrong`` says why nobody could go on, which is worth knowing where nobody could begin anew either."""
        profiles = self.picking.configuration.profiles
        self.progress.continued = ""  # asked again, it begins anew
        following = self.picking.next()
        hint = f" Ask again to have {profiles[following].title} answer." if following else ""
        if wrong is not None and not following:
            hint = f" {wrong.message}"
        who = titles_of(profiles.values()).get(use.candidate.profile_id, use.candidate.profile_id)
        why = sentence(failure.fault, failure.message).rstrip(".")
        return StreamInterrupted(
            f"{who} broke off in the middle of its answer ({why}); what came is kept.{hint}",
            **{**(wrong.data if wrong is not None and not following else {}), **self._so_far()},
            fault=failure.fault.value,
            **({"nextProfileId": following} if following else {}),
        )

    def _so_far(self) -> dict[str, Any]:
        """What an error owes the caller: the attempts, what they used, and the part of the answer that was delivered."""
        data: dict[str, Any] = {
            "requestId": self.errand.options.request_id,
            "attempts": self.books.attempts_json(),
            "usage": self.books.total_usage(),
        }
        if not self.delivery.empty:
            data["message"] = self.delivery.message(complete=False)
        return data
