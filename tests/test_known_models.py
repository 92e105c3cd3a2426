"""What is known of models fills the gaps that profiles leave, by model and place, and never more than is known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from rooroute.known_models import LASTING, KnownModels, place_of
from rooroute.profiles import Configuration, Price, Profile, Source
from rooroute.providers.model_list import Listing, Model

NOW = 1_800_000_000.0
TOLD = Model(id="m", context_window=8_000, supports_tools=False, input_price=1.0, output_price=4.0)
PROXY = Profile(id="p", provider="litellm", base_url="https://proxy.example", model="m")
SERVER = Profile(id="s", provider="openai-compatible", base_url="https://models.example/v1", model="m")


def digest(text: str) -> str:
    return f"#{text}"


class Shelf:
    def __init__(self, *listings: Listing) -> None:
        self.lists = {f"key-{number}": each for number, each in enumerate(listings)}
        self.stamp = 1

    async def load(self) -> Mapping[str, Listing]:
        return self.lists

    async def store(self, key: str, listing: Listing) -> None:
        self.lists[key] = listing
        self.stamp += 1


class Table:
    """The table of prices; ``known`` by id."""

    def __init__(self, *known: Model) -> None:
        self.known = {each.id: each for each in known}
        self.asked: list[tuple[str, list[str]]] = []

    async def __call__(self, base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]:
        self.asked.append((base_url, list(ids)))
        return {each: self.known[each] for each in ids if each in self.known}


class Window:
    """One window's knowledge, on a shelf that outlives it."""

    def __init__(self, *profiles: Profile, shelf: Shelf | None = None, table: Table | None = None) -> None:
        self.typed = Configuration({each.id: each for each in profiles})
        self.shelf, self.table, self.changes, self.now = shelf or Shelf(), table or Table(), 0, NOW
        self.known = KnownModels(
            lambda: self.typed,
            digest=digest,
            now=lambda: self.now,
            shelf=lambda: self.shelf,
            stamp=lambda: self.shelf.stamp,
            prices=self.table,
            changed=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1

    def filled(self, profile: Profile, requested: str | None = None) -> Profile:
        return self.known.configuration().knowledge.asked(profile, requested)


def listing(profile: Profile, *models: Model, at: float = NOW) -> Listing:
    return Listing(models, at, place_of(profile, digest))


async def test_what_a_server_told_fills_what_the_user_left_open_and_says_whose_it_is() -> None:
    window = Window(PROXY, shelf=Shelf(listing(PROXY, TOLD)))
    assert window.known.configuration() is window.typed, "nobody waits for the shelf"
    await window.known.look()
    seen = window.known.configuration()
    assert seen is window.known.configuration() and window.changes == 1
    assert seen.profiles["p"] is PROXY, "the profile itself stays as the user typed it"
    filled = seen.knowledge.asked(PROXY, None)
    assert filled == replace(PROXY, price=Price(input=1.0, output=4.0), context_window=8_000, supports_tools=False)
    assert set(seen.knowledge.sources(PROXY, None).values()) == {Source.SERVER}
    assert filled.supports_images is None, "what is merely assumed of a model is not known"


async def test_what_the_user_typed_wins() -> None:
    mine = replace(PROXY, price=Price(input=9.0, output=9.0), context_window=500, supports_tools=True)
    window = Window(mine, shelf=Shelf(listing(PROXY, TOLD)))
    await window.known.look()
    assert window.filled(mine) == mine
    sources = window.known.configuration().knowledge.sources(mine, None)
    assert sources == dict.fromkeys(("price", "context_window", "supports_tools"), Source.YOURS)


@pytest.mark.parametrize("requested", ["other", "p/other", "mapped"])
async def test_a_request_for_another_model_gets_that_models_facts_or_none(requested: str) -> None:
    profile = replace(PROXY, model_map={"mapped": "other"})
    other = Model(id="other", input_price=3.0, output_price=5.0)
    window = Window(profile, shelf=Shelf(listing(profile, TOLD, other)))
    await window.known.look()
    assert window.filled(profile, requested) == replace(profile, price=Price(input=3.0, output=5.0))
    assert window.filled(profile, "m").context_window == 8_000
    assert window.filled(profile, "unheard-of") == profile


async def test_a_model_of_the_same_name_elsewhere_is_another() -> None:
    window = Window(PROXY, SERVER, shelf=Shelf(listing(PROXY, TOLD)))
    await window.known.look()
    assert window.filled(SERVER) == SERVER
    assert window.filled(replace(PROXY, base_url="https://other.example")).price is None


@pytest.mark.parametrize(
    ("told", "price"),
    [
        (Model(id="m", input_price=1.0), None),
        (Model(id="m", input_price=0.0, output_price=0.0), None),
        (Model(id="m", input_price=0.0, output_price=2.0), Price(input=0.0, output=2.0)),
    ],
    ids=["half a price", "the nothing of a proxy that does not know", "free input"],
)
async def test_half_a_price_and_a_proxys_nothing_are_no_price(told: Model, price: Price | None) -> None:
    window = Window(PROXY, shelf=Shelf(listing(PROXY, told)))
    await window.known.look()
    assert window.filled(PROXY).price == price


async def test_a_server_that_is_free_says_so_itself() -> None:
    window = Window(SERVER, shelf=Shelf(listing(SERVER, Model(id="m", input_price=0.0, output_price=0.0))))
    await window.known.look()
    assert window.filled(SERVER).price == Price(input=0.0, output=0.0)


async def test_the_table_tells_what_the_server_does_not_and_is_asked_once_a_day() -> None:
    table = Table(Model(id="m", context_window=1, input_price=2.0, output_price=3.0))
    window = Window(SERVER, PROXY, table=table)
    await window.known.hear(listing(SERVER, Model(id="m", context_window=8_000)))
    await window.known.look_up()
    await window.known.look_up()
    assert table.asked == [(SERVER.base_url, ["m"])], "a proxy sets its own prices"
    filled = window.filled(SERVER)
    assert (filled.context_window, filled.price) == (8_000, Price(input=2.0, output=3.0))
    sources = window.known.configuration().knowledge.sources(SERVER, None)
    assert (sources["context_window"], sources["price"]) == (Source.SERVER, Source.TABLE)
    window.typed = Configuration({"s": replace(SERVER, models=("n",))})
    await window.known.look_up()
    assert table.asked[1:] == [(SERVER.base_url, ["n"])], "only what is new"
    window.now += LASTING + 1
    await window.known.look_up()
    assert table.asked[2:] == [(SERVER.base_url, ["m", "n"])]

    later = Window(SERVER, shelf=window.shelf, table=Table())
    later.now = window.now
    await later.known.look()
    assert later.filled(SERVER).price == Price(input=2.0, output=3.0), "kept for the next process"
    await later.known.look_up()
    assert later.table.asked == []


async def test_without_the_table_nothing_is_known() -> None:
    window = Window(SERVER)
    await window.known.look_up()
    assert window.known.configuration() is window.typed
    assert window.shelf.lists == {}


async def test_what_another_window_heard_is_known_here_and_an_older_list_takes_nothing_back() -> None:
    shelf = Shelf()
    window = Window(PROXY, shelf=shelf)
    await window.known.look()
    await shelf.store("theirs", listing(PROXY, TOLD))
    await window.known.look()
    assert window.filled(PROXY).context_window == 8_000
    await window.known.hear(listing(PROXY, Model(id="m", context_window=1), at=NOW - 5))
    assert window.filled(PROXY).context_window == 8_000
    newer = listing(PROXY, Model(id="n", context_window=2), at=NOW + 5)
    await window.known.hear(newer)
    assert window.filled(PROXY).context_window == 8_000, "another key may see other models"
    assert window.filled(PROXY, "n").context_window == 2


async def test_an_edit_keeps_what_is_known_and_two_who_look_at_once_read_once() -> None:
    window = Window(PROXY, shelf=Shelf(listing(PROXY, TOLD)))
    await asyncio.gather(window.known.look(), window.known.look())
    assert window.changes == 1
    edited = replace(PROXY, price=Price(input=7.0, output=7.0))
    window.typed = Configuration({"p": edited})
    assert window.filled(edited).price == edited.price and window.filled(edited).context_window == 8_000
