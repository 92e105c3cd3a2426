"""What is known of models, as the router and the books go by it: told by a server's list, else by the offline table of prices.

What the user typed wins over it, and what is merely assumed of a model where nobody knows better never gets here. Nothing of it is
written into the configuration. Files and the table are read beside the requests: one that comes first goes by what is known by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from rooroute.profiles import KNOWABLE, Configuration, Knowledge, Price, Profile, Source
from rooroute.providers.table import PROVIDERS, base_url_of, resolve_model
from rooroute.providers.vendor import ModelShape

if TYPE_CHECKING:
    from rooroute.providers.model_list import Listing, Model

TABLE: Final = "table:"
"""Before the place of a listing that the table of prices told."""
LASTING: Final = 86_400.0
"""Seconds for which the table's answer is used without asking it again: prices have dates."""
_MOST_LOOKED_UP: Final = 2_000
_MOST_FILLED: Final = 50_000
_NOTHING: Final[Mapping[str, tuple[Any, Source]]] = {}


class Shelf(Protocol):
    """Where lists outlive the process; neither raises."""

    async def load(self) -> Mapping[str, Listing]: ...

    async def store(self, key: str, listing: Listing) -> None: ...


class Prices(Protocol):
    """A table of what models cost and hold: what it knows of ``ids`` at a base URL, by id."""

    async def __call__(self, base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]: ...


def place_of(profile: Profile, digest: Callable[[str], str]) -> str:
    """Where a model's facts hold: at one vendor's address, whatever the key. ``digest`` is a keyed hash."""
    return digest(f"{profile.provider}\0{base_url_of(profile) or ''}")


def names_of(profile: Profile) -> tuple[str, ...]:
    """The models that the profile itself names, each once."""
    own = (profile.model, *profile.models, *profile.model_map.values())
    return tuple(dict.fromkeys(name for name in own if name))


class Told(Knowledge):
    """What was told, by place and model. ``server`` and ``table`` do not change any more."""

    def __init__(
        self,
        digest: Callable[[str], str],
        server: Mapping[str, Mapping[str, Model]],
        table: Mapping[str, Mapping[str, Model]],
    ) -> None:
        self._digest, self._server, self._table = digest, server, table
        self._places: dict[tuple[str, str | None], str] = {}
        self._facts: dict[tuple[str, str], Mapping[str, tuple[Any, Source]]] = {}
        self._filled: dict[tuple[str, str | None, bool], tuple[Profile, Profile]] = {}

    def filled(self, profile: Profile, model: str | None) -> Profile:
        return self._made(profile, model, model is not None)

    def asked(self, profile: Profile, requested: str | None) -> Profile:
        return self._made(profile, requested, False)

    def _made(self, profile: Profile, name: str | None, resolved: bool) -> Profile:
        key = (profile.id, name, resolved)
        known = self._filled.get(key)
        if known is None or known[0] is not profile:
            known = (profile, self._fill(profile, name) if resolved else self._resolved(profile, name))
            if len(self._filled) >= _MOST_FILLED:
                self._filled.clear()
            self._filled[key] = known
        return known[1]

    def _resolved(self, profile: Profile, requested: str | None) -> Profile:
        model = resolve_model(profile, requested)
        return profile if model is None else self._made(profile, model, True)

    def _fill(self, profile: Profile, model: str | None) -> Profile:
        gaps = {name: value for name, (value, _) in self._gaps(profile, model).items()}
        return replace(profile, **gaps) if gaps else profile

    def sources(self, profile: Profile, model: str | None) -> Mapping[str, Source]:
        model = model or resolve_model(profile, None)
        told = {name: source for name, (_, source) in self._gaps(profile, model).items()}
        return {**told, **super().sources(profile, model)}

    def _gaps(self, profile: Profile, model: str | None) -> Mapping[str, tuple[Any, Source]]:
        """What the profile leaves open and the model fills."""
        if not model or all(getattr(profile, name) is not None for name in KNOWABLE):
            return _NOTHING
        facts = self._of(self._place(profile), model, profile.provider)
        return {name: told for name, told in facts.items() if getattr(profile, name) is None}

    def _place(self, profile: Profile) -> str:
        key = (profile.provider, base_url_of(profile))
        if key not in self._places:
            self._places[key] = place_of(profile, self._digest)
        return self._places[key]

    def _of(self, place: str, model: str, provider: str) -> Mapping[str, tuple[Any, Source]]:
        facts = self._facts.get((place, model))
        if facts is None:
            row = PROVIDERS.get(provider)
            proxied = bool(row and row.models and row.models.shape is ModelShape.LITELLM)
            looked_up = _facts(self._table.get(place, {}).get(model), Source.TABLE, free=True)
            told = _facts(self._server.get(place, {}).get(model), Source.SERVER, free=not proxied)
            facts = self._facts[place, model] = {**looked_up, **told}
        return facts


def _facts(model: Model | None, source: Source, *, free: bool) -> Mapping[str, tuple[Any, Source]]:
    """What one source knows of a model. A price is known when input and output are. ``free``: a price of 0 is one; LiteLLM puts 0 where
    it does not know (https://github.com/BerriAI/litellm/blob/main/litellm/utils.py, ``_get_model_info_helper``)."""
    if model is None:
        return _NOTHING
    price = None
    if model.input_price is not None and model.output_price is not None:
        price = Price(
            input=model.input_price,
            output=model.output_price,
            cache_read=model.cache_read_price,
            cache_write=model.cache_write_price,
        )
    if price is not None and not free and not (price.input or price.output):
        price = None
    found = {
        "price": price,
        "context_window": model.context_window,
        "supports_tools": model.supports_tools,
        "supports_images": model.supports_images,
    }
    return {name: (value, source) for name, value in found.items() if value is not None}


class KnownModels:
    """This window's. ``read`` gives the user's configuration and ``now`` UTC epoch seconds; ``stamp`` changes when another window has
    put something on the ``shelf``; ``changed`` is called when something new is known."""

    def __init__(
        self,
        read: Callable[[], Configuration],
        *,
        digest: Callable[[str], str],
        now: Callable[[], float],
        shelf: Callable[[], Shelf],
        stamp: Callable[[], object],
        prices: Prices,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._read, self._digest, self._now, self._changed = read, digest, now, changed
        self._shelf, self._stamp, self._prices = shelf, stamp, prices
        self._seen: object = None
        self._listings: dict[str, Listing] = {}
        self._knowledge: Told | None = None
        self._typed: Configuration | None = None
        self._shown = Configuration()
        self._looked_up: dict[str, set[str]] = {}
        self._looked_at: Configuration | None = None
        self._looked_since = now()
        self._turn, self._looking = asyncio.Lock(), asyncio.Lock()

    def configuration(self) -> Configuration:
        """The user's configuration, which knows what is known of its models by now. Never waits."""
        typed = self._read()
        if typed is not self._typed:
            self._typed = typed
            self._shown = typed if self._knowledge is None else replace(typed, knowledge=self._knowledge)
        return self._shown

    @property
    def knowledge(self) -> Knowledge:
        """What is known by now."""
        return self.configuration().knowledge

    async def look(self) -> None:
        """Read what this window or another has put on the shelf, where that is news."""
        async with self._looking:
            stamp = await asyncio.to_thread(self._stamp)
            if stamp is not None and stamp != self._seen:
                await self._learn((await self._shelf().load()).values())
                self._seen = stamp

    async def hear(self, listing: Listing) -> None:
        """A server has told its list just now."""
        await self._learn((listing,))

    async def look_up(self) -> None:
        """Ask the table of prices for what nobody else tells of the configuration's models, once a day, and put it on the shelf."""
        configuration, now = self._read(), self._now()
        if not 0 <= now - self._looked_since < LASTING:
            self._looked_up, self._looked_at, self._looked_since = {}, None, now
        if configuration is self._looked_at:
            return
        self._looked_at = configuration
        for place, (base_url, names) in (await asyncio.to_thread(self._wanted, configuration)).items():
            self._looked_up.setdefault(place, set()).update(names)
            if found := await self._prices(base_url, names, now):
                await self._keep(place, names, found)

    async def _keep(self, place: str, names: Sequence[str], found: Mapping[str, Model]) -> None:
        from rooroute.providers.model_list import Listing, Model

        key = TABLE + place
        fresh = [found.get(name) or Model(id=name) for name in names]
        held = self._listings.get(key)
        others = [each for each in held.models if each.id not in names] if held and not self._old(held) else []
        listing = Listing((*others, *fresh), self._now(), key)
        await self._learn((listing,))
        await self._shelf().store(self._digest(key), listing)

    def _old(self, listing: Listing) -> bool:
        return not 0 <= self._now() - listing.fetched_at < LASTING

    def _wanted(self, configuration: Configuration) -> dict[str, tuple[str, list[str]]]:
        """Base URL and models by place. A LiteLLM proxy sets its own prices: what it leaves out is nobody else's to tell."""
        found: dict[str, tuple[str, dict[str, None]]] = {}
        places: dict[tuple[str, str], str] = {}
        for profile in list(configuration.profiles.values()):
            row, base_url = PROVIDERS.get(profile.provider), base_url_of(profile)
            complete = profile.price is not None and profile.context_window is not None
            if row is None or base_url is None or complete:
                continue
            if row.models is not None and row.models.shape is ModelShape.LITELLM:
                continue
            key = (profile.provider, base_url)
            place = places.get(key) or places.setdefault(key, place_of(profile, self._digest))
            names = found.setdefault(place, (base_url, {}))[1]
            own = resolve_model(profile, None)
            names.update(dict.fromkeys((*names_of(profile), *((own,) if own else ()))))
        wanted = {place: (base_url, self._unknown(place, names)) for place, (base_url, names) in found.items()}
        return {place: each for place, each in wanted.items() if each[1]}

    def _unknown(self, place: str, names: Iterable[str]) -> list[str]:
        held = self._listings.get(TABLE + place)
        known = set() if held is None or self._old(held) else {each.id for each in held.models}
        known |= self._looked_up.get(place, set())
        return [name for name in names if name not in known][:_MOST_LOOKED_UP]

    async def _learn(self, listings: Iterable[Listing]) -> None:
        async with self._turn:
            before = dict(self._listings)
            for listing in sorted(listings, key=lambda each: each.fetched_at):
                if listing.place and not (listing.place.startswith(TABLE) and self._old(listing)):
                    self._listings[listing.place] = _joined(self._listings.get(listing.place), listing)
            if self._listings != before:
                self._knowledge = await asyncio.to_thread(self._told)
                self._typed = None
                self._changed()

    def _told(self) -> Told:
        """What all lists say together, with what the configuration's own models come to worked out before a request asks for it."""
        server, table = dict[str, Mapping[str, Any]](), dict[str, Mapping[str, Any]]()
        for place, listing in list(self._listings.items()):
            into = table if place.startswith(TABLE) else server
            into[place.removeprefix(TABLE)] = {each.id: each for each in listing.models}
        told = Told(self._digest, server, table)
        for profile in list(self._read().profiles.values()):
            if profile.provider in PROVIDERS:
                told.asked(profile, None)
        return told


def _joined(held: Listing | None, listing: Listing) -> Listing:
    """The newer list, with what only the older one had: another key sees other models at the same address."""
    if held is None:
        return listing
    if listing.fetched_at < held.fetched_at:
        listing, held = held, listing
    if listing.place.startswith(TABLE):
        return listing
    newer = {each.id for each in listing.models}
    return replace(listing, models=(*listing.models, *(each for each in held.models if each.id not in newer)))
