"""What limits and the ledger add to the processor time of a request of 200 chunks; the network is played, everything else is real."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from rooroute.adapters import machine
from rooroute.adapters.state_store import StateStore
from rooroute.application import ALLOCATIONS_A_COLLECTION
from rooroute.chat import CompletionOptions
from rooroute.completion import Completions
from rooroute.credentials import Credentials
from rooroute.ports import Ports
from rooroute.profiles import Budget, Configuration, Limits, Pool, Price, Profile, Timeouts
from rooroute.providers.dialect import HttpRequest
from rooroute.routing.window import Window
from rooroute.secret import Secret
from tests.benchmarks.figures import Figure, Round
from tests.house import HELLO, Heard, Keys

GOAL = 1.05
ORIGIN = "https://provider.example:443"
_CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}\n\n'
_END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Played:
    """An answer of 200 chunks that costs nobody a socket."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    @property
    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(200):
            yield _CHUNK
        yield _END

    def join_chunks(self) -> None:
        pass

    async def read(self, limit: int) -> bytes:
        raise NotImplementedError


class Network:
    @asynccontextmanager
    async def open(self, request: HttpRequest, timeouts: Timeouts, proxy: str | None) -> AsyncIterator[Played]:
        yield Played()


def limits(of: str, limited: bool) -> dict[str, object]:
    if not limited:
        return {}
    many = Limits(requests_per_minute=1_000_000, tokens_per_day=10**12, concurrent_requests=100)
    return {"limits": many, "budget": Budget(per_month=1_000_000 if of == "pool" else 900_000)}


@asynccontextmanager
async def window(folder: Path, limited: bool) -> AsyncIterator[tuple[Completions, StateStore]]:
    profile = Profile(
        id="A",
        provider="openai-compatible",
        base_url=f"{ORIGIN}/v1",
        model="m",
        price=Price(input=1, output=2),
        **limits("profile", limited),  # type: ignore[arg-type]
    )
    pool = Pool(id="default", profiles=("A",), **limits("pool", limited))  # type: ignore[arg-type]
    configuration = Configuration(profiles={"A": profile}, pools={"default": pool})
    state = StateStore(folder / f"state-{limited}.db", machine.identity(), clock=time.time)
    await asyncio.to_thread(state.open)
    keys = Keys({"A": Secret("key", ORIGIN)})
    credentials = Credentials(keys, {}, state.approved, state.fingerprint, time.monotonic)
    ports = Ports(
        now=time.time,
        monotonic=time.monotonic,
        jitter=lambda: 0.0,
        configuration=lambda: configuration,
        state=state,
        credentials=credentials,
        upstream=Network(),
        owner=machine.identity(),
        changed=lambda: None,
    )
    yield Completions(ports, Window()), state
    await state.close()


async def requests(completions: Completions, state: StateStore, times: int) -> float:
    """Microseconds of processor time a request, with what it leaves to be written: else the other side's clock would have it."""
    began = time.process_time()
    for number in range(times):
        await completions.complete(HELLO, CompletionOptions(request_id=f"r{number}"), Heard())
    await state.notices()  # all that was noted is written before anything is read
    return (time.process_time() - began) / times * 1e6


async def rounds(folder: Path, times: int, count: int) -> list[Round]:
    found = []
    async with window(folder, limited=False) as plain, window(folder, limited=True) as limited:
        for each in (plain, limited):
            await requests(*each, max(2, times // 4))
        for number in range(count):
            sides = [plain, limited] if number % 2 else [limited, plain]
            took = {each: await requests(*each, times) for each in sides}
            found.append(Round(took[plain], took[limited]))
    return found


def keeping_books(times: int, count: int) -> Iterator[Figure]:
    """One figure, of four times ``count`` rounds of ``times`` requests: one that the machine disturbs for a moment is then one of many.
    Garbage is collected as seldom as in the process."""
    before = gc.get_threshold()
    gc.set_threshold(ALLOCATIONS_A_COLLECTION)
    try:
        with tempfile.TemporaryDirectory() as folder:
            seen = asyncio.run(rounds(Path(folder), times, 4 * count))
    finally:
        gc.set_threshold(*before)
    yield Figure("limits and budgets, processor time of a 200-chunk request", "µs", seen, GOAL)
