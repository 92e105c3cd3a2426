"""One request over a real connection: built, sent, read and judged by the parts that serve users, without the story around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rooroute.adapters.http import Upstream
from rooroute.chat import ChatRequest, Event, Failed
from rooroute.outcome import Failure, Unreachable
from rooroute.profiles import Profile, Timeouts
from rooroute.providers.authentication import USUAL_SLOT
from rooroute.providers.dialect import Dialect, ErrorAnswer
from rooroute.providers.table import base_url_of, dialect_for, target_for
from rooroute.secret import Secret, origin_of

NOW: Final = 1_790_000_000.0
PATIENT: Final = Timeouts(first_token=30, idle=30, total=60)


async def exchange(
    profile: Profile, request: ChatRequest, key: str = "key-A", timeouts: Timeouts = PATIENT
) -> list[Event]:
    """Everything that came, the end included; an error answer or a broken connection ends it as ``Failed``."""
    base_url = base_url_of(profile)
    assert base_url is not None and profile.model is not None
    target = target_for(profile, profile.model, {USUAL_SLOT: Secret(key, origin_of(base_url))})
    dialect = dialect_for(profile, profile.model)
    upstream = Upstream({})
    events: list[Event] = []
    try:
        async with upstream.open(dialect.build(target, request), timeouts) as answer:
            if not 200 <= answer.status < 300:
                body = await answer.read(65_536)
                return [Failed(dialect.classify(ErrorAnswer(answer.status, answer.headers, body), NOW))]
            decoder = dialect.decoder(answer.headers.get("content-type", ""), NOW)
            async for chunk in answer.chunks:
                events += decoder.feed(chunk)
            return [*events, *decoder.close()]
    except Unreachable as lost:
        return [*events, Failed(lost.failure)]
    finally:
        await upstream.close()


def failure_in(events: Sequence[Event]) -> Failure:
    """What the exchange failed with."""
    end = events[-1]
    assert isinstance(end, Failed), f"it ended well: {end}"
    return end.failure


def profile(vendor: str, base_url: str, model: str, **options: Any) -> Profile:
    return Profile(id="one", provider=vendor, base_url=base_url, model=model, options=options)


def spoken_by(profile: Profile) -> Dialect:
    assert profile.model is not None
    return dialect_for(profile, profile.model)


def saved(profile: Profile, **more: Any) -> Mapping[str, Any]:
    """The profile as a client saves it."""
    options = {"options": dict(profile.options)} if profile.options else {}
    own = {"provider": profile.provider, "baseUrl": profile.base_url, "model": profile.model}
    return {**own, **options, **more}
