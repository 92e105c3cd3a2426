"""One small question to a provider, asked for its own sake: within the user's limits, and in the ledger like any other attempt."""

from __future__ import annotations

from dataclasses import dataclass

from rooroute.attempt import Attempt, Delivery, Silence
from rooroute.books import cost_and_source
from rooroute.chat import Usage
from rooroute.health_status import INPUT_TOKENS, OUTPUT_TOKENS, most_cost
from rooroute.ledger import OK, AttemptRecord
from rooroute.limiter import Amounts, Limiter
from rooroute.outcome import Failure
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Pool, Timeouts
from rooroute.providers.dialect import Target
from rooroute.providers.table import dialect_for
from rooroute.routing.limits import Refused
from rooroute.routing.measurements import Measurements
from rooroute.trial import SMALL_QUESTION, Upstream


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it: ``failure`` is None where an answer came, its first token after ``seconds`` (None: without one)."""

    failure: Failure | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class SmallQuestion:
    """One window's way to ask it."""

    ports: Ports
    upstream: Upstream
    limiter: Limiter
    measurements: Measurements

    async def ask(self, target: Target, pool: Pool, times: Timeouts, tag: str) -> Reply | Refused:
        """Ask, on the account of ``pool`` and under ``tag``; or the limit that has no room, and nothing is sent.

        Raises InvalidInput for a request that cannot be built; then nothing is held.
        """
        profile, at = target.profile, self.ports.now()
        configuration = self.ports.configuration()
        gauges = self.limiter.gauges(configuration, pool, profile, (tag,))
        most = most_cost(configuration.knowledge.filled(profile, target.model)) or 0.0
        held = await self.limiter.reserve(gauges, Amounts(INPUT_TOKENS + OUTPUT_TOKENS, most))
        if isinstance(held, Refused):
            return held
        run = Attempt(dialect_for(profile, target.model), Delivery(Silence()), self.ports.monotonic, _nothing)
        try:
            request = run.dialect.build(target, SMALL_QUESTION)
            failure = await run.run(self.upstream, request, times, profile.proxy, at)
        except BaseException:
            self.limiter.release(held)
            raise
        record = _record(configuration, target, run, failure, at, pool.id or None, tag)
        self.limiter.settle(held, Amounts(record.input_tokens + record.output_tokens, record.cost or 0.0))
        self.ports.state.record_attempt(record)
        # A model that thinks may have used its few tokens up before it said a word: then that is how quick it was.
        seconds = run.duration if run.first_token is None and failure is None else run.first_token
        self.measurements.observe(profile.id, at, seconds, record.output_tokens)
        return Reply(failure, seconds)


def _record(
    configuration: Configuration,
    target: Target,
    run: Attempt,
    failure: Failure | None,
    at: float,
    pool_id: str | None,
    tag: str,
) -> AttemptRecord:
    profile = target.profile
    usage = run.usage or (Usage(INPUT_TOKENS, OUTPUT_TOKENS, estimated=True) if run.committed else Usage())
    cost, source = cost_and_source(configuration, profile, target.model, usage)
    return AttemptRecord(
        request_id=f"{tag}:{profile.id}:{at:.3f}",
        n=1,
        at=at,
        pool_id=pool_id,
        profile_id=profile.id,
        model=target.model,
        verdict=OK if failure is None else failure.fault.value,
        status=run.status,
        detail=None if failure is None else failure.message,
        first_token_s=run.first_token,
        duration_s=run.duration,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        estimated=usage.estimated,
        cost=cost,
        price_source=source,
        tags=tuple(dict.fromkeys((*profile.tags, tag))),
    )


def _nothing() -> None:
    """An answer that nobody waits for begins."""
