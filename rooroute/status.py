"""What a user sees, as JSON values in protocol spelling: of each profile, of each pool, and what has changed since the last look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from typing import Any, Final, TypeAlias

from rooroute.errors import RoorouteError
from rooroute.health_status import health_json, probe_words
from rooroute.ledger import OK, AttemptRecord, Figures, a_month
from rooroute.ports import Credentials
from rooroute.profile_checks import check_budget
from rooroute.profiles import Configuration, Pool, Problem, Profile, Source
from rooroute.providers.table import PROVIDERS, base_url_of
from rooroute.roster import candidate, candidates
from rooroute.routing.candidate import Candidate
from rooroute.routing.checks import by_cost, check_prices
from rooroute.routing.crowd import SMALL
from rooroute.routing.limits import WARN_AT, Counters, Gauge, Measure, Refused, comes_back, room_at, used
from rooroute.routing.marks import Snapshot
from rooroute.routing.measurements import Told
from rooroute.routing.noticed import Noticed
from rooroute.routing.pool import NO_CONSENT, Decision, Nobody, NobodyKind, Use, Wait
from rooroute.routing.shown import Shown, ShownState, shown_state
from rooroute.unanswered import mark_json, timestamp

Json: TypeAlias = dict[str, Any]

UNCHECKED: Final = "unchecked"
"""Where keys are kept, as long as nobody knows whether this machine's keyring can be used."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything a status is drawn from, at ``now`` (UTC epoch seconds). ``figures``, ``last_errors`` and ``latest`` (attempts) are by profile id;
    ``quotas`` is what providers said is left, ``limits`` how far the user's own limits are used, by holder, and ``limited`` which of a
    profile's has no room for a request; ``homes`` says where each profile's secret lives. ``next`` is what would be decided of a pool's
    next request, when these profiles (by id, each with the end of a sentence) are known not to be able to answer any."""

    now: float
    configuration: Configuration
    snapshot: Snapshot
    credentials: Credentials
    homes: Mapping[str, str]
    figures: Mapping[str, Figures] = field(default_factory=dict)
    last_errors: Mapping[str, str] = field(default_factory=dict)
    latest: Mapping[str, AttemptRecord] = field(default_factory=dict)
    quotas: Callable[[str, float], Sequence[Told]] = lambda profile_id, now: ()
    limits: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    limited: Callable[[Profile], Refused | None] = lambda profile: None
    next: Callable[[Pool, Mapping[str, str]], Decision] = lambda pool, unfit: Nobody(NobodyKind.NO_PROFILES, None, ())


def last_errors(records: Sequence[AttemptRecord]) -> dict[str, str]:
    """The latest failure's sentence of each profile, by id; ``records`` are oldest first."""
    return {each.profile_id: each.detail for each in records if each.verdict != OK and each.detail}


def _present(value: Json) -> Json:
    return {name: each for name, each in value.items() if each is not None}


def figures_json(figures: Figures) -> Json:
    """Figures in protocol spelling, times in milliseconds."""

    def ms(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds * 1000, 1)

    return _present(
        {
            "requests": figures.requests,
            "successRate": figures.success_rate,
            "medianFirstTokenMs": ms(figures.first_token_median_s),
            "p95FirstTokenMs": ms(figures.first_token_p95_s),
            "inputTokens": figures.input_tokens,
            "outputTokens": figures.output_tokens,
            "cost": figures.cost,
        }
    )


def _quota_json(told: Told) -> Json:
    reset = None if told.resets_at is None else timestamp(told.resets_at)
    return _present({"measure": told.measure, "limit": told.limit, "remaining": told.remaining, "resetsAt": reset})


def limit_rows(
    gauges: Sequence[Gauge], counters: Counters, now: float, idle_places: Callable[[Gauge], int] = lambda gauge: 0
) -> dict[str, list[Json]]:
    """``LimitStatus`` of every gauge, by its holder; ``idle_places`` is what this window holds of one and does not use."""
    found: dict[str, list[Json]] = {}
    for gauge in gauges:
        at_once = gauge.measure is Measure.CONCURRENT
        amount = max(0.0, used(gauge, counters, now) - (idle_places(gauge) if at_once else 0.0))
        kind, _, name = gauge.holder.partition(":")
        row: Json = {
            "holder": kind,
            "id": name,
            "measure": gauge.measure.value,
            "span": gauge.span.value,
            "most": gauge.most,
            "used": round(amount, 6),
            "left": round(max(0.0, gauge.most - amount), 6),
            "warning": amount >= WARN_AT * gauge.most,
            **_present({"rate": gauge.rate}),
        }
        full = now if at_once else room_at(gauge, min(1.0, gauge.most / 100), counters, now)
        back = full if full > now else comes_back(gauge, counters, now)
        found.setdefault(gauge.holder, []).append(row | ({} if back is None else {"resetsAt": timestamp(back)}))
    return found


def old_keys(configuration: Configuration, now: float) -> list[Problem]:
    """A problem for each key that is older than the user wants keys to be."""
    most = configuration.defaults.key_days
    ages = {each.id: _key_days(each, now) for each in configuration.profiles.values() if each.enabled and most}
    return [
        Problem(
            f"The key of {configuration.profiles[name].title} was saved {days} days ago; defaults.keyDays is {most}.",
            field="apiKey",
            remedy="Make a new key at the provider and save it with the profile.",
            profile_id=name,
        )
        for name, days in ages.items()
        if most and days is not None and days >= most
    ]


def _key_days(profile: Profile, now: float) -> int | None:
    """How many days ago its key was saved; None where no key was, or nobody can read when."""
    try:
        saved = datetime.fromisoformat(profile.key_saved_at or "")
    except ValueError:
        return None
    return int((now - (saved if saved.tzinfo else saved.replace(tzinfo=UTC)).timestamp()) // _DAY)


_DAY: Final = 86_400.0


def eases_at(gauge: Gauge, counters: Counters, now: float) -> float:
    """When less of a limit that users are warned of will be used, though nothing happens (UTC epoch seconds)."""
    back = comes_back(gauge, counters, now) if gauge.span in _SPAN_WORDS else None
    return inf if back is None else back


def limit_warnings(limits: Mapping[str, Sequence[Json]]) -> list[Problem]:
    """A problem for each limit of which 80 % are used; money and days are told, what is back in a moment is not. It keeps its words until
    all is used, so that who shows each new sentence does not show one with every request."""
    return [
        Problem(
            f"{row['holder'].capitalize()} {row['id']} has used {'80% or more' if row['left'] else 'all'} of its limit of "
            f"{'$' if row['measure'] == 'cost' else ''}{row['most']:g} {'' if row['measure'] == 'cost' else row['measure'] + ' '}"
            f"per {_SPAN_WORDS[row['span']]}.",
            field="budget" if row["measure"] == "cost" else "limits",
            remedy="Raise the limit, or let others answer.",
            profile_id=row["id"] if row["holder"] == "profile" else None,
        )
        for rows in limits.values()
        for row in rows
        if row["warning"] and row["span"] in _SPAN_WORDS
    ]


def unpriced(configuration: Configuration) -> list[Problem]:
    """A problem for each budget and each pool that go by prices which neither the user nor anybody else has told."""
    asked, profiles = configuration.knowledge.asked, configuration.profiles
    found = [
        problem
        for each in profiles.values()
        if each.budget is not None and each.enabled
        for problem in check_budget(asked(each, None))
    ]
    for pool in configuration.pools.values():
        members = (asked(profiles[each], None) for each in pool.profiles if each in profiles)
        found += check_prices(pool, members)
    return found


def price_words(pool: Pool, configuration: Configuration) -> str | None:
    """Whose prices a pool goes by where the user did not type all; None where it goes by none, and of a large pool."""
    if not (by_cost(pool) or pool.budget) or len(pool.profiles) > SMALL:
        return None
    members = [profile for each in pool.profiles if (profile := configuration.profiles.get(each))]
    told: dict[Source | None, list[str]] = {}
    for each in members:
        told.setdefault(configuration.knowledge.sources(each, None).get("price"), []).append(each.title)
    if told.keys() <= {Source.YOURS}:
        return None
    words = [f"{_listed(told[source])} {words}" for source, words in _PRICED_BY.items() if source in told]
    return f"Prices: {'; '.join(words)}."


_PRICED_BY: Final = {
    Source.YOURS: "as you typed them",
    Source.SERVER: "as the server lists them",
    Source.TABLE: "by the offline table",
    None: "not known",
}


def noticed_problems(noticed: Noticed, configuration: Configuration, credentials: Credentials) -> list[Problem]:
    """A problem for each model on its way out, and one for each quota that profiles seem to share though nobody said so."""
    profiles = configuration.profiles

    def as_it_stands(profile_id: str) -> Candidate | None:
        return candidate(profiles[profile_id], credentials) if profile_id in profiles else None

    found = []
    for news, told in noticed.models():
        # Whoever was given another model or address since has done what the remedy says.
        users = [
            profiles[each]
            for each, then in told.items()
            if (seen := as_it_stands(each))
            and (profiles[each].model, seen.endpoint) == (then.configured, then.endpoint)
        ]
        if users:
            whose = _listed([each.title for each in users])
            remedy = f"Choose another model for {whose}{'' if news.gone else ' before it stops'}."
            found.append(Problem(news.words, field="model", remedy=remedy, profile_id=users[0].id))
    for each in noticed.shared(as_it_stands):
        whose = _listed([profiles[one].title for one in each.profiles])
        why = f"belong to the account {each.account}" if each.account else "ran out together more than once"
        found.append(
            Problem(
                f"{whose} {why}: they seem to draw on one quota, so that one does not help when the other is limited.",
                field="domain",
                remedy=f"Give them one quota domain (domain: {each.profiles[0]}), so that they rest together; or dismiss this where they do not, and it is not said again.",
                profile_id=each.profiles[0],
                dismissible=each.profiles,
            )
        )
    return found


def _listed(titles: Sequence[str]) -> str:
    shown = [*titles[:_LISTED], f"{len(titles) - _LISTED} more"] if len(titles) > _LISTED + 1 else [*titles]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


_LISTED: Final = 5
_SPAN_WORDS: Final = {"hour": "hour", "day": "day", "calendarDay": "day", "month": "month"}


def stats_row(figures: Figures, seconds: float = 0.0) -> Json:
    """One row of ``rooroute/stats``; ``seconds`` is the time it covers."""
    row = figures_json(figures)
    for name, wait in (
        ("p90FirstTokenMs", figures.first_token_p90_s),
        ("p99FirstTokenMs", figures.first_token_p99_s),
        ("averageFirstTokenMs", figures.first_token_average_s),
    ):
        if wait is not None:
            row[name] = round(wait * 1000, 1)
    told = {
        "errorRate": None if figures.success_rate is None else 1.0 - figures.success_rate,
        "uptime": figures.uptime,
        "costPerMonth": a_month(figures.cost, seconds),
    }
    return {
        "key": figures.key,
        **row,
        **_present(told),
        "successes": figures.succeeded,
        "attempts": figures.attempts,
        "cachedInputTokens": figures.cached_input_tokens,
        "cacheWriteTokens": figures.cache_write_tokens,
        "reasoningTokens": figures.reasoning_tokens,
        **({"priceSources": list(figures.price_sources)} if figures.price_sources else {}),
        "lastAt": timestamp(figures.last_at),
    }


_ADD_KEY: Final = "Add its key to the profile."


def _needs_attention(
    shown: Shown, home: str, candidate: Candidate, profile: Profile, astray: RoorouteError | None
) -> Shown:
    """A profile that cannot be asked for want of a key, a setting or an approval shows as failed, whatever its marks say."""
    if shown.state in (ShownState.DISABLED, ShownState.FAILED):
        return shown
    if home == "missing":
        lack = (
            f"The environment variable of its key {profile.api_key} is not set."
            if profile.api_key
            else "It has no key."
        )
        remedy = "Set it where rooroute runs, or add its key to the profile." if profile.api_key else _ADD_KEY
        return Shown(profile.id, ShownState.FAILED, lack, None, remedy, marks=shown.marks)
    if astray is not None:
        return Shown(
            profile.id,
            ShownState.FAILED,
            astray.message,
            None,
            _MENDS.get(astray.data["field"], _ANEW),
            marks=shown.marks,
        )
    if candidate.excluded is not None:
        return Shown(
            profile.id, ShownState.FAILED, f"It {candidate.excluded}.", None, "Edit the profile.", marks=shown.marks
        )
    return shown


_ANEW: Final = "Enter it anew, or change the address back."
_MENDS: Final = {
    "apiKey": "Enter its key anew, or change the address back.",
    "profile.baseUrl": "Approve the address in the profile, or change it back.",
}


def _astray(picture: Picture, profile: Profile) -> RoorouteError | None:
    """What keeps the profile's key from going to its address, where it has an address."""
    if profile.provider not in PROVIDERS or base_url_of(profile) is None:
        return None
    return picture.credentials.astray(profile)


def able(picture: Picture, pool: Pool) -> list[Candidate]:
    """The pool's profiles as candidates for a request without needs of its own. A profile whose key was not there answers nobody; a
    request looks for it again after a while."""
    return [_as_found(picture, each) for each in candidates(picture.configuration, pool, picture.credentials)]


def _as_found(picture: Picture, seen: Candidate) -> Candidate:
    if seen.excluded is None and picture.homes.get(seen.profile_id) == "missing":
        return replace(seen, excluded="has no key")
    return seen


def profile_status(picture: Picture, profile: Profile) -> Json:
    """One ``ProfileStatus``."""
    seen = candidate(profile, picture.credentials)
    if (refused := picture.limited(profile)) is not None:
        seen = replace(seen, limited_until=refused.until, limit=refused.words)
    home = picture.homes.get(profile.id, "missing")
    marked = shown_state(seen, picture.snapshot, picture.now)
    shown = _needs_attention(marked, home, seen, profile, _astray(picture, profile))
    used = picture.snapshot.last_selected.get(profile.id)
    figures = picture.figures.get(profile.id)
    known = picture.configuration.knowledge
    effective, sources = known.asked(profile, None), known.sources(profile, None)
    return _present(
        {
            "id": profile.id,
            "name": profile.title,
            "provider": profile.provider,
            "model": profile.model,
            "state": shown.state.value,
            "reason": shown.reason,
            "until": None if shown.until is None else timestamp(shown.until),
            "remedy": shown.remedy,
            "probing": shown.probing or None,
            "secret": home,
            "lastUsed": None if used is None else timestamp(used),
            "lastError": picture.last_errors.get(profile.id),
            "keySavedAt": profile.key_saved_at,
            "notes": profile.notes,
            "contextWindow": effective.context_window,
            "contextWindowSource": sources.get("context_window"),
            "supportsTools": effective.supports_tools,
            "supportsImages": effective.supports_images,
            "price": effective.price,
            "priceSource": sources.get("price"),
            "health": health_json(
                profile, picture.snapshot.checks.get(profile.id), picture.latest.get(profile.id), seen.fingerprint
            ),
            "marks": [mark_json(each) for each in shown.marks],
            "quotas": [_quota_json(each) for each in picture.quotas(profile.id, picture.now)] or None,
            "limits": picture.limits.get(f"profile:{profile.id}"),
            "stats": None if figures is None else figures_json(figures),
        }
    )


def unreadable_status(profile_id: str, problem: Problem, secret_store: str) -> Json:
    """An entry of the file that does not parse: kept, shown, and not asked. Its key is kept; nobody looks whether there is one."""
    return {
        "id": profile_id,
        "name": profile_id,
        "provider": "",
        "state": "failed",
        "reason": problem.message,
        "remedy": problem.remedy or "Mend the entry in the configuration file.",
        "secret": secret_store,
        "marks": [],
    }


def pool_status(picture: Picture, pool: Pool) -> Json:
    """One ``PoolStatus``: who would answer now, else when somebody will."""
    decision = picture.next(pool, {each.profile_id: each.excluded for each in able(picture, pool) if each.excluded})
    status: Json = {
        "id": pool.id,
        "name": pool.title,
        "strategy": pool.strategy.value,
        "profiles": list(pool.profiles),
        **({"saved": pool} if pool.id in picture.configuration.pools else {}),
        **_present(
            {"probes": probe_words(pool, picture.configuration), "prices": price_words(pool, picture.configuration)}
        ),
    }
    match decision:
        case Use(candidate):
            return {**status, "state": "active", "current": candidate.profile_id}
        case Wait(until):
            return {**status, "state": "cooldown", "until": timestamp(until)}
        case Nobody(_, soonest, shown):
            nothing = not shown and not decision.excluded
            state = "empty" if nothing else "cooldown" if soonest is not None else "failed"
            back = None if soonest is None else timestamp(soonest)
            return {**status, "state": state, **_present({"until": back, "reason": _why_nobody(picture, decision)})}


def _why_nobody(picture: Picture, nobody: Nobody) -> str | None:
    """The trouble or the limit of the first that could answer otherwise; or that only the last resort is left, and waits for a yes."""
    if nobody.kind is NobodyKind.CONSENT:
        who = next(each for each, why in nobody.excluded.items() if why == NO_CONSENT)
        return f"{picture.configuration.profiles[who].title} {NO_CONSENT}."
    if not nobody.shown:
        return next((f"{who} {why}." for who, why in nobody.excluded.items()), None)
    limited = nobody.kind is NobodyKind.LIMITED
    return next(
        (each.reason for each in nobody.shown if each.fault is not None or (limited and each.until is not None)), None
    )


def visible_pools(configuration: Configuration) -> Iterable[Pool]:
    """The pools of the file, and the one that stands for all profiles where there is none."""
    if configuration.pools:
        return configuration.pools.values()
    pool = configuration.pool(None)
    return (pool,) if pool is not None else ()


def problem_json(problem: Problem) -> Json:
    """One ``Problem``."""
    return _present(
        {
            "message": problem.message,
            "field": problem.field,
            "remedy": problem.remedy,
            "profileId": problem.profile_id,
            "line": problem.line,
            "dismissible": list(problem.dismissible) or None,
        }
    )


def status(picture: Picture, secret_store: str, problems: Sequence[Problem]) -> Json:
    """The whole of ``rooroute/status``."""
    configuration = picture.configuration
    profiles = [profile_status(picture, each) for each in configuration.profiles.values()]
    profiles += [
        unreadable_status(each, problem, secret_store)
        for each, problem in configuration.unreadable.items()
        if each not in configuration.profiles  # in its last good version
    ]
    return {
        "now": timestamp(picture.now),
        "configRevision": configuration.revision,
        "stateRevision": picture.snapshot.revision,
        "secretStore": secret_store,
        "profiles": profiles,
        "pools": [pool_status(picture, each) for each in visible_pools(configuration)],
        "problems": [problem_json(each) for each in problems],
        **_present(
            {"limits": [row for name, rows in picture.limits.items() if name[:8] != "profile:" for row in rows] or None}
        ),
        **_present({"defaultPool": default.id if (default := configuration.pool(None)) else None}),
    }


_TOLD_WHOLE: Final = ("secretStore", "problems", "limits")


def difference(before: Json, after: Json) -> Json | None:
    """The params of ``rooroute/statusChanged``, or None when nothing that a user sees has changed."""

    def changed(kind: str) -> tuple[list[Json], list[str]]:
        old = {each["id"]: each for each in before[kind]}
        new = {each["id"]: each for each in after[kind]}
        return [each for name, each in new.items() if old.get(name) != each], [each for each in old if each not in new]

    profiles, profiles_gone = changed("profiles")
    pools, pools_gone = changed("pools")
    replaced = {name: after.get(name, []) for name in _TOLD_WHOLE if before.get(name, []) != after.get(name, [])}
    same = before["configRevision"] == after["configRevision"]
    if same and not (profiles or pools or profiles_gone or pools_gone or replaced):
        return None
    return {
        "now": after["now"],
        "configRevision": after["configRevision"],
        "stateRevision": after["stateRevision"],
        "profiles": profiles,
        "pools": pools,
        "removed": {"profiles": profiles_gone, "pools": pools_gone},
        **replaced,
    }
