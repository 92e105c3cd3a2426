"""Which models a profile can be asked for, and what is known of each.

A server's list is kept by base URL and a hash of the whole key, and is shown, with its age, while a newer one cannot be had. What the
server leaves out comes from a table of prices, else from the defaults that Roo Code documents
(https://docs.roocode.com/providers/litellm), each of these named as assumed; what the user wrote into the profile wins.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final, Protocol, TypeAlias

from rooroute.diagnosis import Asked, Diagnosis, not_a_list, of_answer, of_silence, unlisted
from rooroute.known_models import Prices, Shelf, names_of, place_of
from rooroute.outcome import Unreachable
from rooroute.profiles import Profile, camel
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from rooroute.providers.model_list import Listing, Model, first_page, read_page, turned
from rooroute.providers.table import base_url_of, resolve_model, target_for, vendor_of
from rooroute.providers.vendor import ModelShape, Vendor
from rooroute.secret import Secret
from rooroute.unanswered import timestamp

Json: TypeAlias = dict[str, Any]

FRESH: Final = 3600.0
"""Seconds for which a list is used without asking again."""
QUIET: Final = 30.0
"""Seconds after a failed fetch in which only a refresh asks again."""
ASSUMED: Final[Mapping[str, Any]] = {
    "max_tokens": 8192,
    "context_window": 200_000,
    "supports_images": True,
    "supports_prompt_cache": True,
    "input_price": 3.0,
    "output_price": 15.0,
}
"""What holds where nobody knows better: tokens, and USD per million of them."""

_SECONDS: Final = 10.0
_MOST_PAGES: Final = 20
_KEPT: Final = 200
_FILLED: Final = tuple(field.name for field in fields(Model) if field.name not in ("id", "name"))


class Ask(Protocol):
    """One short exchange through a profile's proxy. Raises Unreachable."""

    async def __call__(self, request: HttpRequest, *, seconds: float, proxy: str | None) -> ErrorAnswer: ...


async def as_typed(profile: Profile, typed: Mapping[str, Secret]) -> Mapping[str, Secret]:
    """Typed secrets that are sent as they are: no token is made of them."""
    return typed


async def to_nobody(listing: Listing) -> None:
    """Where nobody goes by what a list says."""


class _NoList(Exception):
    """The list could not be had; ``diagnosis`` says why."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.cause)
        self.diagnosis = diagnosis


class Discovery:
    """Lists of models by profile. ``complete`` adds what is made of a draft's typed secrets; ``heard`` is told of every list. ``now`` gives UTC epoch seconds; ``digest`` is a keyed hash, so that what lies on a shelf tells
    nothing of a key."""

    def __init__(
        self,
        ask: Ask,
        resolve: Callable[[Profile], Awaitable[Mapping[str, Secret]]],
        now: Callable[[], float],
        *,
        digest: Callable[[str], str] = lambda text: hashlib.sha256(text.encode()).hexdigest(),
        shelf: Shelf | None = None,
        prices: Prices | None = None,
        complete: Callable[[Profile, Mapping[str, Secret]], Awaitable[Mapping[str, Secret]]] = as_typed,
        heard: Callable[[Listing], Awaitable[None]] = to_nobody,
    ) -> None:
        self._ask = ask
        self._resolve = resolve
        self._now = now
        self._digest = digest
        self._shelf = shelf
        self._prices = prices
        self._complete = complete
        self._heard = heard
        self._lists: dict[str, Listing] = {}
        self._failed: dict[str, tuple[float, Diagnosis]] = {}
        self._running: dict[str, asyncio.Task[Listing]] = {}
        self._loaded: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Give up what is still being fetched."""
        tasks = [*self._running.values(), *([self._loaded] if self._loaded else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def models(self, profile: Profile, secrets: Mapping[str, Secret] | None, *, refresh: bool = False) -> Json:
        """The result of ``profiles/models``. ``secrets`` are typed ones (None: the profile's own); ``refresh`` asks the server again.

        A list that cannot be had is told in ``problem``, beside the last one that could, or beside the names the profile itself has.
        Raises what reading the profile's secrets raises, and InvalidInput for a profile that cannot be asked.
        """
        row = vendor_of(profile)
        given = await (self._resolve(profile) if secrets is None else self._complete(profile, secrets))
        target = target_for(profile, profile.model or "", given)
        request = first_page(target)
        if request is None:
            return await self._shown(profile, row, None, None)
        key = self._digest(_identity(request))
        await self._from_shelf()
        held, failed = self._lists.get(key), self._failed.get(key)
        now, place = self._now(), place_of(profile, self._digest)
        if held is not None and held.place != place:  # of a version that did not write down whose it was
            held = self._lists[key] = replace(held, place=place)
            await self._heard(held)
        diagnosis = None
        if failed is not None and now - failed[0] < QUIET and not refresh:
            diagnosis = failed[1]
        elif refresh or held is None or not 0 <= now - held.fetched_at < FRESH:
            try:
                held = await self._fetched(key, Asked(row, target), request)
            except _NoList as failure:
                diagnosis = failure.diagnosis
        return await self._shown(profile, row, held, diagnosis)

    async def _fetched(self, key: str, asked: Asked, request: HttpRequest) -> Listing:
        """The list, fetched once for everybody who wants it at the same time; one of them leaving takes it from nobody else."""
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch_and_keep(key, asked, request))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: str, done: asyncio.Task[Listing]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # read, in case everybody who wanted it has left

    async def _fetch_and_keep(self, key: str, asked: Asked, request: HttpRequest) -> Listing:
        try:
            models = await self._fetch(asked, request)
        except _NoList as failure:
            self._failed[key] = (self._now(), failure.diagnosis)
            _keep_newest(self._failed)
            raise
        listing = Listing(models, self._now(), place_of(asked.target.profile, self._digest))
        self._failed.pop(key, None)
        self._lists.pop(key, None)
        self._lists[key] = listing
        _keep_newest(self._lists)
        await self._heard(listing)
        if self._shelf is not None:
            await self._shelf.store(key, listing)
        return listing

    async def _fetch(self, asked: Asked, request: HttpRequest) -> tuple[Model, ...]:
        shape = asked.row.models.shape if asked.row.models else ModelShape.OPENAI
        found: dict[str, Model] = {}
        query: Mapping[str, str] = {}
        for _ in range(_MOST_PAGES):
            answer = await self._page(asked, turned(request, query))
            page = read_page(shape, answer.body)
            if page is None:
                raise _NoList(not_a_list(asked))
            for model in page.models:
                found.setdefault(model.id, model)
            if not page.next or page.next == query:
                break
            query = page.next
        return tuple(found.values())

    async def _page(self, asked: Asked, request: HttpRequest) -> ErrorAnswer:
        try:
            answer = await self._ask(request, seconds=_SECONDS, proxy=asked.target.profile.proxy)
        except Unreachable as lost:
            raise _NoList(of_silence(asked, lost.failure)) from None
        diagnosis = of_answer(asked, answer, self._now())
        if not diagnosis.ok:
            raise _NoList(diagnosis)
        return answer

    async def _from_shelf(self) -> None:
        """What an earlier process knew, read when the first list is wanted."""
        if self._shelf is None:
            return
        if self._loaded is None:
            self._loaded = asyncio.get_running_loop().create_task(self._load(self._shelf))
        await asyncio.shield(self._loaded)

    async def _load(self, shelf: Shelf) -> None:
        self._lists.update(await shelf.load())

    # --- what is shown ----------------------------------------------------------------------------------------------------------------

    async def _shown(self, profile: Profile, row: Vendor, held: Listing | None, diagnosis: Diagnosis | None) -> Json:
        own = names_of(profile)
        listed = held.models if held else tuple(Model(id=name) for name in own)
        known = await self._known(profile, row, listed)
        answer: Json = {
            "models": [described(model, known.get(model.id), profile, own) for model in listed],
            "stale": held is not None and (diagnosis is not None or self._now() - held.fetched_at >= FRESH),
        }
        if held is not None:
            answer["fetchedAt"] = timestamp(held.fetched_at)
        if diagnosis is not None:
            answer["problem"] = {"message": diagnosis.cause, "remedy": diagnosis.remedy}
        elif row.models is None:
            answer["problem"] = {"message": f"{row.name} shows no list of models; these are the profile's own."}
        elif held is not None and (missing := _missing(profile, row, held)):
            answer["problem"] = {"message": missing.cause, "remedy": missing.remedy}
        return answer

    async def _known(self, profile: Profile, row: Vendor, listed: Iterable[Model]) -> Mapping[str, Model]:
        """What a table of prices adds. A LiteLLM proxy sets its own prices: what it leaves out is assumed, not looked up."""
        base_url = base_url_of(profile)
        ids = [model.id for model in listed]
        if self._prices is None or not ids or base_url is None:
            return {}
        if row.models is not None and row.models.shape is ModelShape.LITELLM:
            return {}
        return await self._prices(base_url, ids, self._now())


def _keep_newest(kept: dict[str, Any]) -> None:
    while len(kept) > _KEPT:
        del kept[next(iter(kept))]


def _missing(profile: Profile, row: Vendor, held: Listing) -> Diagnosis | None:
    """The profile's own model, when the server does not list it."""
    chosen = resolve_model(profile, None)
    return unlisted(row, chosen, [model.id for model in held.models]) if chosen else None


def _identity(request: HttpRequest) -> str:
    """All that decides what a server lists: its address, every header, the whole key."""
    secrets = {**request.secret_headers, **request.secret_query}
    parts = [request.url, *(f"{name}={value}" for name, value in sorted(request.headers.items()))]
    parts += [f"{name}={prefix}{secret.reveal(secret.origin)}" for name, (prefix, secret) in sorted(secrets.items())]
    return "\0".join(parts)


def described(model: Model, known: Model | None, profile: Profile, own: Sequence[str]) -> Json:
    """One model in protocol spelling: the user's values, else the server's, else a price table's, else the documented defaults, which
    are named in ``assumed``. The user's values are those of the models in ``own``, the profile's, or of all where it names none."""
    if known is not None:
        gaps = {name: getattr(known, name) for name in _FILLED if getattr(model, name) is None}
        model = replace(model, name=model.name or known.name, **gaps)
    if model.id in own or not own:
        model = replace(model, **_users(profile))
    assumed = [name for name in ASSUMED if getattr(model, name) is None]
    model = replace(model, **{name: ASSUMED[name] for name in assumed})
    shown = {camel(each.name): getattr(model, each.name) for each in fields(Model)}
    return {**{name: value for name, value in shown.items() if value is not None}, "assumed": [*map(camel, assumed)]}


def _users(profile: Profile) -> dict[str, Any]:
    price = profile.price
    values = {
        "context_window": profile.context_window,
        "input_price": price and price.input,
        "output_price": price and price.output,
        "cache_read_price": price and price.cache_read,
        "cache_write_price": price and price.cache_write,
    }
    return {name: value for name, value in values.items() if value is not None}
