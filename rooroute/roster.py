"""A pool's profiles as candidates for one request: what the configuration and the request's own needs make of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from rooroute.chat import ChatRequest
from rooroute.errors import NotFound, RoorouteError
from rooroute.profiles import Configuration, Knowledge, Pool, Profile, out_of_force
from rooroute.providers.table import PROVIDERS, addressed, base_url_of, resolve_model
from rooroute.routing.candidate import Candidate
from rooroute.routing.crowd import SMALL, Crowd
from rooroute.routing.route import Lead, Route, lead, led, route, unfit
from rooroute.routing.rules import CHARACTERS_A_TOKEN, NOTHING, Facts
from rooroute.secret import origin_of

_IMAGE_TOKENS: Final = 1_000
_LINEUPS_KEPT: Final = 64


DIRECT: Final = "profile:"
"""How the id of the pool begins that a request for one profile goes by."""
_NOT_LED: Final[Mapping[str, Any]] = {
    "rules": (),
    "tiers": (),
    "split": {},
    "model_routes": {},
    "default_route": None,
    "limits": None,
    "budget": None,
}
"""A request that names its profile does not go by its pool's rules, and does not count there."""


class Marks(Protocol):
    """What is known of a profile's credential and quota without reading the secret."""

    def fingerprint(self, profile: Profile) -> str: ...

    def domain(self, profile: Profile) -> str: ...

    def unusable(self, profile: Profile) -> RoorouteError | None:
        """Why the profile cannot be asked: for want of a key or of an approval."""

    @property
    def version(self) -> int:
        """Grows whenever ``domain`` or ``unusable`` may answer differently for some profile."""

    @property
    def judgements(self) -> int:
        """Grows whenever ``unusable`` may answer differently for some profile."""

    def learnt(self, since: int) -> Sequence[str]:
        """Ids of the profiles of which ``domain`` may answer differently than at version ``since``."""


def estimated_tokens(request: ChatRequest) -> int:
    """Input tokens of a request, by its characters, at least one; an image counts as 1,000."""
    characters = sum(len(str(dict(tool.parameters))) + len(tool.name) for tool in request.tools)
    images = 0
    for message in request.messages:
        if isinstance(message.content, str):
            characters += len(message.content)
        else:
            images += sum(part.type == "image" for part in message.content)
            characters += sum(len(part.text) for part in message.content if part.type != "image")
        characters += sum(len(call.arguments) + len(call.name) for call in message.tool_calls)
    return characters // CHARACTERS_A_TOKEN + images * _IMAGE_TOKENS or min(characters, 1)


def addressee(configuration: Configuration, model: str | None) -> str | None:
    """The one profile that ``model`` is addressed to (``id/model``). None where a profile offers a model of that very name: vendors'
    names have slashes too (``openai/gpt-4o``), and a profile may be called like a vendor."""
    found, _ = addressed(model, configuration.profiles)
    if found is None or any(_offers(each, model) for each in configuration.profiles.values()):
        return None
    return found


def _offers(profile: Profile, name: str | None) -> bool:
    return name == profile.model or name in profile.models or name in profile.model_map


def pool_of(
    configuration: Configuration,
    pool_id: str | None,
    profile_id: str | None,
    fallback: bool | None,
    model: str | None = None,
) -> Pool:
    """The pool a request names. A named profile is a pool of one with the default pool's settings, unless ``fallback`` lets
    that pool stand behind it; so is one that ``model`` is addressed to, where no pool is named and the default one lacks it.

    Raises NotFound for a pool or profile that is not there.
    """
    if profile_id is None and pool_id is None and (named := addressee(configuration, model)) is not None:
        usual = configuration.pool(None)
        if usual is None or named not in usual.profiles:
            profile_id, fallback = named, False
    if profile_id is not None:
        if profile_id not in configuration.profiles:
            if (problem := configuration.unreadable.get(profile_id)) is not None:
                told = f"The profile {profile_id} {out_of_force(problem, profile_id)}."
                raise NotFound(told, field="profile", line=problem.line)
            raise NotFound(f"There is no profile {profile_id!r}.", field="profile")
        usual = configuration.pool(None) or Pool(id="default")
        behind = tuple(each for each in usual.profiles if each != profile_id) if fallback else ()
        direct = replace(usual, id=f"{DIRECT}{profile_id}", profiles=(profile_id, *behind), **_NOT_LED)
        if fallback:
            return direct
        return replace(direct, region=None, max_price=None, max_cost_per_token=None, last_resort=None)
    pool = configuration.pool(pool_id)
    if pool is None:
        raise no_pool(configuration, pool_id)
    return pool


def no_pool(configuration: Configuration, pool_id: str | None) -> NotFound:
    """That the pool of that id (None: the default one) is not there, or not in force."""
    if (label := configuration.unreadable_pool(pool_id)) is not None:
        problem = configuration.unreadable_pools[label]
        return NotFound(f"The pool {label} {out_of_force(problem, label)}.", field="pool", line=problem.line)
    known = ", ".join(configuration.pools) or "none yet"
    named = configuration.defaults.pool if pool_id is None else pool_id
    return NotFound(f"There is no pool {named!r}; the pools are: {known}.", field="pool")


def absent(configuration: Configuration, names: Iterable[str]) -> dict[str, str]:
    """Why those of these profiles that are not in force are not, as the end of a sentence about each."""
    if not configuration.problems:
        return {}
    wrong = configuration.unreadable
    return {
        name: out_of_force(wrong[name], name) if name in wrong else "does not exist"
        for name in names
        if name not in configuration.profiles
    }


_AS_TYPED: Final = Knowledge()


def candidate(
    profile: Profile,
    marks: Marks,
    *,
    model: str | None = None,
    tokens: int = 0,
    position: int = 0,
    knowledge: Knowledge = _AS_TYPED,
) -> Candidate:
    """One profile as the router sees it. ``model`` is the requested name, ``tokens`` the request's estimated input."""
    resolved = resolve_model(profile, model)
    base_url = base_url_of(profile)
    return Candidate(
        profile_id=profile.id,
        model=resolved or model or "",
        endpoint=origin_of(base_url) if base_url else "",
        domain=marks.domain(profile),
        fingerprint=marks.fingerprint(profile),
        position=position,
        enabled=profile.enabled,
        excluded=_unsuitable(profile, resolved, model, base_url)
        or barred(profile, marks)
        or (_too_small(knowledge.filled(profile, resolved), tokens) if tokens else None),
        last_resort=profile.last_resort,
    )


def barred(profile: Profile, marks: Marks) -> str | None:
    """What keeps a profile of a known provider from being asked, known without reading its key, as the end of a sentence about it."""
    wrong = marks.unusable(profile)
    return None if wrong is None else as_reason(wrong, profile)


def as_reason(wrong: RoorouteError, profile: Profile) -> str:
    """An error's sentence as the end of a sentence about the profile."""
    told = wrong.message.rstrip(".")
    title = f"{profile.title} "
    return told.removeprefix(title) if told.startswith(title) else f"cannot take it: {told}"


def _unsuitable(profile: Profile, resolved: str | None, asked: str | None, base_url: str | None) -> str | None:
    if profile.provider not in PROVIDERS:
        return f"names the unknown provider {profile.provider!r}"
    if base_url is None:
        return "has no base URL"
    if resolved is None:
        return (
            f"does not serve the model {asked!r}"
            if asked
            else "names no model; choose one in the profile or the request"
        )
    return None


def _too_small(profile: Profile, tokens: int) -> str | None:
    if profile.context_window is not None and tokens > profile.context_window:
        return f"has a window of {profile.context_window:,} tokens, too small for about {tokens:,}"
    return None


def cost_estimate(profile: Profile, facts: Facts, usual_output: int) -> float | None:
    """USD that a request with these facts will cost about; ``usual_output`` tokens where it sets no limit. None without a price."""
    if profile.price is None:
        return None
    output = usual_output if facts.output_tokens is None else min(facts.output_tokens, max(usual_output, 1))
    return (facts.tokens * profile.price.input + output * profile.price.output) / 1_000_000


def most_cost(profile: Profile, facts: Facts, output_tokens: int) -> float | None:
    """USD that a request with these facts costs at most, with so many tokens of output. None without a price."""
    if profile.price is None:
        return None
    dearest = max(profile.price.input, profile.price.cache_write or 0.0)
    return (facts.tokens * dearest + output_tokens * profile.price.output) / 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Lineup:
    """A pool's profiles as candidates for requests of one kind, in order. ``enabled`` counts those not switched off; ``crowd`` is
    their index where they are many; ``absent`` says, as the end of a sentence, why others that the pool names are not there."""

    candidates: list[Candidate]
    way: Route
    pool: Pool
    enabled: int
    crowd: Crowd | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def learn(self, profile: Profile, marks: Marks) -> None:
        """The profile's key has been read, or forgotten: its quota is another."""
        place = self.places.get(profile.id)
        if place is not None:
            known = self.candidates[place]
            found = self.candidates[place] = replace(known, domain=marks.domain(profile))
            if self.crowd is not None:
                self.crowd.renew(known, found)


class Roster:
    """Candidates made once and kept while nothing they are made of changes: the configuration, the keys, and what the request needs."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._known: dict[tuple[Any, ...], Lineup] = {}
        self._configuration: Configuration | None = None
        self._credential = ""
        self._version = self._judgements = 0
        self._windows: dict[str | None, list[int]] = {}

    def lineup(self, configuration: Configuration, pool: Pool, facts: Facts = NOTHING, session: str = "") -> Lineup:
        """The pool's candidates for a request with these facts, led by the pool's rules."""
        given = lead(pool, facts, session)
        first = next(iter(configuration.profiles.values()), None)
        credential = self._marks.fingerprint(first) if first else ""
        same = self._configuration is configuration and self._credential == credential
        if not same or self._judgements != self._marks.judgements:
            self._known.clear()
            self._windows.clear()
            self._configuration, self._credential, self._version = configuration, credential, self._marks.version
            self._judgements = self._marks.judgements
        elif self._version != self._marks.version:
            self._learn(configuration)
        tokens = self._telling(configuration, pool, facts)
        rule = given.rule.name if given.rule else None
        key = (pool.id, facts.model, facts.tools, facts.images, given.region, rule, given.canary, tokens)
        found = self._known.get(key)
        if found is None or (found.pool is not pool and found.pool != pool):
            if len(self._known) >= _LINEUPS_KEPT:
                self._known.clear()
            found = self._known[key] = lineup(configuration, pool, self._marks, replace(facts, tokens=tokens), given)
        return found

    def _learn(self, configuration: Configuration) -> None:
        for name in dict.fromkeys(self._marks.learnt(self._version)):
            for known in self._known.values() if name in configuration.profiles else ():
                known.learn(configuration.profiles[name], self._marks)
        self._version = self._marks.version

    def _telling(self, configuration: Configuration, pool: Pool, facts: Facts) -> int:
        """The request's tokens as far as they keep it from anybody: 0 where every window is large enough. In a large pool all that keep it
        from the same ones are told alike, so that not every long request is looked at anew."""
        windows = self._windows.get(facts.model)
        if windows is None:
            if len(self._windows) >= _LINEUPS_KEPT:
                self._windows.clear()
            asked = configuration.knowledge.asked
            every = {asked(each, facts.model).context_window for each in configuration.profiles.values()}
            windows = self._windows[facts.model] = sorted(each for each in every if each is not None)
        too_small = bisect_left(windows, facts.tokens)
        if not too_small:
            return 0
        return facts.tokens if len(pool.profiles) <= SMALL else windows[too_small - 1] + 1


def lineup(configuration: Configuration, pool: Pool, marks: Marks, facts: Facts, given: Lead) -> Lineup:
    """A pool's candidates for a request with these facts that is led so."""
    way = route(pool, facts.model, given)
    known = (configuration.profiles[each] for each in way.profiles if each in configuration.profiles)
    only = addressee(configuration, facts.model)
    found = []
    knowledge = configuration.knowledge
    for position, profile in enumerate(known):
        made = candidate(profile, marks, model=facts.model, tokens=facts.tokens, position=position, knowledge=knowledge)
        elsewhere = (
            f"is not {only}, which the model {facts.model!r} is addressed to"
            if only not in (None, profile.id)
            else None
        )
        why = elsewhere or made.excluded or unfit(knowledge.filled(profile, made.model), pool, facts, way.region)
        found.append(led(made if why == made.excluded else replace(made, excluded=why), way))
    crowd = (
        Crowd(found, lambda each: knowledge.asked(configuration.profiles[each], facts.model).price)
        if len(found) > SMALL
        else None
    )
    places = {each.profile_id: each.position for each in found}
    enabled = sum(each.enabled for each in found)
    return Lineup(found, way, pool, enabled, crowd, places, absent(configuration, way.profiles))


def candidates(
    configuration: Configuration, pool: Pool, marks: Marks, facts: Facts = NOTHING, session: str = ""
) -> tuple[Candidate, ...]:
    """The pool's profiles as candidates for a request with these facts."""
    return tuple(lineup(configuration, pool, marks, facts, lead(pool, facts, session)).candidates)
