"""The house behind the roof: what each method of the protocol does, put together from the floors below."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from rooroute import status as views
from rooroute.admission import refuse
from rooroute.attempt import Sink
from rooroute.chat import ChatRequest, CompletionOptions
from rooroute.completion import Completions
from rooroute.credentials import Credentials, is_fetched
from rooroute.errors import InvalidInput, NotFound, RoorouteError
from rooroute.ledger import GroupBy, figures
from rooroute.moving import Moving, Wish
from rooroute.overview import Overview, SeenFile, SeenState, SeenStore
from rooroute.ports import Ports
from rooroute.profile_checks import check_base_url
from rooroute.profiles import Configuration, Defaults, Pool, Profile, camel
from rooroute.providers.authentication import check as check_authentication
from rooroute.providers.table import PROVIDERS, Vendor, base_url_of
from rooroute.providers.vendor import PriceRange
from rooroute.roster import candidate, pool_of
from rooroute.routing.marks import Change, Snapshot
from rooroute.routing.pool import Nobody, rotate
from rooroute.routing.settling import reset, rest_by_hand
from rooroute.routing.window import Window
from rooroute.saved_profiles import SavedProfiles
from rooroute.secret import Secret, origin_of
from rooroute.unanswered import duration_words, titles_of, unanswered

if TYPE_CHECKING:
    from rooroute.connection_test import ConnectionTest
    from rooroute.discovery import Discovery
    from rooroute.health_checks import HealthChecks
    from rooroute.latency_probes import LatencyProbes

Json: TypeAlias = dict[str, Any]

_POLL_SECONDS: Final = 0.25
_BREATH_SECONDS: Final = 0.02  # several changes at once make one notification
_SETBACK_SECONDS: Final = 1.0
_HEARTBEAT_POLLS: Final = 40
_TABLE_POLLS: Final = 8
ALLOCATIONS_A_COLLECTION: Final = 10_000


class LearntState(SeenState, Protocol):
    """What the house asks of the shared state besides what a request does."""

    def poll(self) -> bool: ...

    def heartbeat(self) -> None: ...

    ledger_days: int

    async def request(self, request_id: str) -> Json | None: ...

    async def latest_requests(self, limit: int = ...) -> list[Json]: ...

    async def close(self) -> None: ...


class ConfigurationFile(SeenFile, Protocol):
    """The configuration's file, watched."""

    def poll(self) -> bool: ...


class Store(SeenStore, Protocol):
    """The secrets' home, open."""

    def close(self) -> None: ...


class KnownModels(Protocol):
    """What is known of models, read beside the requests."""

    async def look(self) -> None:
        """At what this machine knows."""

    async def look_up(self) -> None:
        """In the table of prices, where one is installed."""


class Network(Protocol):
    """What has to be warmed up and closed."""

    async def warm(self) -> None: ...

    async def close(self) -> None: ...


async def no_prices(base_url: str, now: float) -> PriceRange | None:
    """Where no table of prices is at hand."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the composition root hands in. ``discovery``, ``connection_test``, ``health_checks`` and ``latency_probes`` are made when first asked for; ``open_store`` looks at the
    secrets' home and tells what is wrong with it; ``changed`` is set whenever something a user sees has changed."""

    ports: Ports
    window: Window
    completions: Completions
    config: ConfigurationFile
    state: LearntState
    store: Store
    credentials: Credentials
    saved: SavedProfiles
    moving: Moving
    known: KnownModels
    discovery: Callable[[], Discovery]
    connection_test: Callable[[], ConnectionTest]
    health_checks: Callable[[], HealthChecks]
    latency_probes: Callable[[], LatencyProbes]
    network: Network
    open_store: Callable[[], Any]
    changed: asyncio.Event
    price_range: Callable[[str, float], Awaitable[PriceRange | None]] = no_prices


class Backend:
    """One window's house. See ``rpc.methods.Application`` for what the roof expects of each method."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._overview = Overview(
            ports=parts.ports,
            window=parts.window,
            completions=parts.completions,
            config=parts.config,
            state=parts.state,
            store=parts.store,
            credentials=parts.credentials,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._checks: HealthChecks | None = None
        self._probes: LatencyProbes | None = None
        self._unchecked: Configuration | None = None
        self._polls = 0
        self._soonest = float("inf")

    # --- life ---

    def open(self) -> None:
        """Begin to watch the shared state, the file and the clock. Needs a running loop."""
        errands = (
            _for_ever(self._watch),
            _for_ever(self._tell),
            self._open_store(),
            self._warm_up(),
            self._parts.known.look(),
            self._parts.saved.tidy(),
        )
        self._tasks = [asyncio.ensure_future(each) for each in errands]

    async def _warm_up(self) -> None:
        """Load what the first request would have to wait for. All that is loaded by then stays: the garbage collector need not walk it
        again in the middle of answers, nor come several times a request for the few cycles that one leaves
        (https://docs.python.org/3/library/gc.html#gc.set_threshold)."""
        await self._parts.network.warm()
        gc.freeze()
        gc.set_threshold(ALLOCATIONS_A_COLLECTION)

    async def close(self) -> None:
        """Write down what is still unwritten and let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for errands in (self._checks, self._probes):
            if errands is not None:
                await errands.close()
        await self._parts.credentials.close()
        await self._parts.network.close()
        self._parts.completions.limiter.close()
        await self._parts.state.close()
        self._parts.store.close()

    def listen(self, changed: Callable[[Json], None]) -> None:
        self._overview.listeners.append(changed)

    async def _open_store(self) -> None:
        """Look at the secrets' home and, where it can be read, read what is in it: profiles on one key share one quota, and only the keys
        tell which do."""
        store = await self._parts.open_store()
        self._overview.store_problem = store.problem
        self._overview.store_tried.set()
        self._parts.changed.set()
        if store.usable:
            for profile in self._parts.config.current.profiles.values():
                await self._read_key(profile)
            self._parts.changed.set()

    async def _read_key(self, profile: Profile) -> None:
        """What rests or has failed for everybody on a key is told of a profile once its key was read."""
        if is_fetched(profile):
            return  # a token is made, and a command run, when it is needed, not when an editor is opened
        with suppress(RoorouteError):
            await self._parts.credentials.resolve(profile)

    @property
    def configuration(self) -> Configuration:
        """What the file says, or said when it could last be read."""
        return self._parts.config.current

    async def secret_store(self) -> tuple[str, str | None]:
        """Where a typed key would be kept, and what is wrong with that place; waits until the keyring was tried."""
        await self._overview.store_tried.wait()
        return self._parts.store.store_name, self._overview.store_problem

    async def _watch(self) -> None:
        """A look, four times a second: has another window learnt something, was the file edited, is a rest over?"""
        parts = self._parts
        with suppress(RoorouteError):
            await self._overview.look_at_notices()
        await asyncio.sleep(_POLL_SECONDS)
        self._polls += 1
        if self._polls % _HEARTBEAT_POLLS == 0:
            parts.state.heartbeat()
            if self._overview.alerts.standing:
                parts.changed.set()  # one may be over by the passing of time alone
        now = parts.ports.now()
        parts.completions.limiter.tidy()
        parts.state.ledger_days = parts.config.current.defaults.ledger_days
        if edited := await asyncio.to_thread(parts.config.poll):
            parts.changed.set()  # whatever fails below
        await self._look_at_models()
        self._check_health()
        parts.credentials.look_again()
        if parts.state.poll() or edited or min(self._soonest, self._overview.limits_ease) <= now:
            parts.changed.set()
            parts.completions.look_again()
        marks = parts.ports.state.snapshot().marks.values()
        self._soonest = min(
            (each.until for each in marks if each.until is not None and each.until > now), default=float("inf")
        )

    async def _look_at_models(self) -> None:
        """The table of prices takes half a second to load, which only a house that stays has."""
        await self._parts.known.look()
        if self._polls >= _TABLE_POLLS and self._overview.listeners:
            await self._parts.known.look_up()

    async def know(self) -> None:
        """Return when what this machine knows of models has been read; an editor's requests do not wait for that."""
        await self._parts.known.look()

    def _check_health(self) -> None:
        """Where a profile or a pool wants it, and this house stays: a command that ends in a moment checks nobody."""
        configuration = self._parts.config.current
        if self._overview.listeners and configuration is not self._unchecked:
            self._unchecked = configuration
            if any(each.health_check.enabled for each in configuration.profiles.values()):
                self._checks = self._parts.health_checks()
            if any(each.latency.probe_every is not None for each in configuration.pools.values()):
                self._probes = self._parts.latency_probes()
        for errands in (self._checks, self._probes):
            if errands is not None:
                errands.look()

    async def _tell(self) -> None:
        """Who listens hears of it, once something has changed."""
        await self._parts.changed.wait()
        await asyncio.sleep(_BREATH_SECONDS)
        self._parts.changed.clear()
        self._parts.completions.look_again()
        if self._overview.listeners and self._overview.told is not None:
            try:
                await self.status()
            except Exception:
                self._parts.changed.set()  # it is still to be told
                raise

    def _edited(self) -> None:
        """This window's user has changed something: an approval may have come with it."""
        self._parts.credentials.look_again()
        self._parts.changed.set()

    # --- status ---

    async def status(self) -> Json:
        """The whole picture; whoever listens is told what changed since the last one."""
        return await self._overview.status()

    def _profile_status(self, profile_id: str) -> Json:
        return views.profile_status(self._overview.picture(), self._known(profile_id))

    def _known(self, profile_id: str, field: str = "id") -> Profile:
        found = self._parts.config.current.profiles.get(profile_id)
        if found is None:
            raise NotFound(f"There is no profile {profile_id!r}.", field=field)
        return found

    async def providers(self) -> Json:
        """The catalogue; what its models cost comes along where a table of prices is installed."""
        found, now = [], self._parts.ports.now()
        for row in PROVIDERS.values():
            places = [row.default_base_url, *(each.base_url for each in row.presets)]
            found.append(_vendor_json(row, {each: await self._parts.price_range(each, now) for each in places if each}))
        return {"providers": found}

    # --- profiles and pools ---

    async def profile(self, profile_id: str) -> Json:
        return {"profile": self._known(profile_id), "configRevision": self._parts.config.current.revision}

    async def save_profile(
        self, profile: Profile, secrets: Mapping[str, str], *, revision: str | None, approve_origin: bool
    ) -> Json:
        await self._parts.saved.save(profile, secrets, revision=revision, approve_origin=approve_origin)
        return await self._saved(profile.id)

    async def _saved(self, profile_id: str) -> Json:
        self._edited()
        await self._read_key(self._known(profile_id))
        return {"profile": self._profile_status(profile_id), "configRevision": self._parts.config.current.revision}

    async def duplicate_profile(self, profile_id: str, new_id: str | None) -> Json:
        return await self._saved(await self._parts.saved.duplicate(profile_id, new_id))

    async def delete_profile(self, profile_id: str, *, revision: str | None) -> Json:
        before = self._parts.config.current.pools.values()
        rules = [rule.name for pool in before for rule in pool.rules if profile_id in rule.profiles]
        pools = await self._parts.saved.delete(profile_id, revision=revision)
        self._edited()
        return {"pools": list(pools), "rules": rules, "configRevision": self._parts.config.current.revision}

    async def restore_profile(self, profile_id: str) -> Json:
        await self._parts.saved.restore(profile_id)
        return await self._saved(profile_id)

    async def set_enabled(self, profile_id: str, enabled: bool) -> Json:
        await self._parts.saved.set_enabled(profile_id, enabled)
        self._edited()
        return {"profile": self._profile_status(profile_id)}

    async def reset_profile(self, profile_id: str) -> Json:
        # Before the key is forgotten: what lies on its quota is found by it.
        seen = candidate(self._known(profile_id), self._parts.credentials)
        self._parts.credentials.forget(profile_id)

        def forget(snapshot: Snapshot) -> tuple[Change, None]:
            return reset(seen, snapshot), None

        await self._parts.ports.state.update(forget)
        self._edited()
        return {"profile": self._profile_status(profile_id)}

    async def dismiss(self, profile_ids: Sequence[str]) -> None:
        for each in profile_ids:
            self._known(each)
        if len(set(profile_ids)) < 2:
            raise InvalidInput("A suggestion is about two profiles at least; name them all.", field="ids")
        self._parts.window.noticed.dismiss(profile_ids, self._parts.ports.now())
        self._edited()

    async def rename_profile(self, profile_id: str, new_id: str, *, revision: str | None = None) -> Json:
        await self._parts.saved.rename(profile_id, new_id, revision=revision)
        return await self._saved(new_id)

    async def save_pool(self, pool: Pool, *, revision: str | None) -> Json:
        await self._parts.saved.save_pool(pool, revision=revision)
        return self._saved_pool(pool.id)

    async def rename_pool(self, pool_id: str, new_id: str, *, revision: str | None = None) -> Json:
        await self._parts.saved.rename_pool(pool_id, new_id, revision=revision)
        return self._saved_pool(new_id)

    def _saved_pool(self, pool_id: str) -> Json:
        self._edited()
        saved = self._parts.config.current.pools[pool_id]
        return {
            "pool": views.pool_status(self._overview.picture(), saved),
            "configRevision": self._parts.config.current.revision,
        }

    async def delete_pool(self, pool_id: str, *, revision: str | None) -> Json:
        await self._parts.saved.delete_pool(pool_id, revision=revision)
        self._edited()
        return {"pools": [], "rules": [], "configRevision": self._parts.config.current.revision}

    # --- the configuration as a whole ---

    async def settings(self) -> Json:
        current = self._parts.config.current
        return {"defaults": current.defaults, "configRevision": current.revision}

    async def save_settings(self, defaults: Defaults, *, revision: str | None) -> Json:
        await self._parts.saved.save_defaults(defaults, revision=revision)
        self._edited()
        return await self.settings()

    async def import_text(
        self,
        text: str,
        *,
        pool: str | None,
        dry_run: bool,
        approve_origin: bool,
        keep_keys: bool = True,
        revision: str | None = None,
    ) -> Json:
        wish = Wish(pool=pool, dry_run=dry_run, approve_origin=approve_origin, keep_keys=keep_keys, revision=revision)
        found = await self._parts.moving.bring_in(text, wish)
        for each in found["profiles"]:
            each["key"] = self._parts.store.store_name if each["key"] == "keyring" else each["key"]
        self._edited()
        return found

    async def export(self, form: str) -> Json:
        return await asyncio.to_thread(self._parts.moving.export, form)

    async def history(self, since: float | None, limit: int) -> Json:
        return await self._parts.moving.history(since, limit)

    async def undo(self, revision: str | None, *, expected: str | None, dry_run: bool = False) -> Json:
        found = await self._parts.moving.undo(revision, expected=expected, dry_run=dry_run)
        self._edited()
        return found

    async def restore_text(self, text: str, *, revision: str | None = None, dry_run: bool = False) -> Json:
        found = await self._parts.moving.restore(text, expected=revision, dry_run=dry_run)
        self._edited()
        return found

    async def backup(self) -> Json:
        return await self._parts.moving.backup()

    # --- trying a profile ---

    async def test_profile(
        self, target: str | Profile, secrets: Mapping[str, str], level: str, report: Callable[[Json], None]
    ) -> Json:
        profile, typed = self._draft(target, secrets)
        if is_fetched(profile):
            self._parts.credentials.forget(profile.id)  # that what is fetched can be had now is part of what is tested
        found = await self._parts.connection_test().run(profile, typed, level, report)
        if found["ok"] and level != "connect" and isinstance(target, str):
            await self.reset_profile(target)
        return found

    async def models(self, target: str | Profile, secrets: Mapping[str, str], *, refresh: bool) -> Json:
        profile, typed = self._draft(target, secrets)
        refuse(check_authentication(profile), "profile")
        return await self._parts.discovery().models(profile, typed, refresh=refresh)

    def _draft(self, target: str | Profile, secrets: Mapping[str, str]) -> tuple[Profile, Mapping[str, Secret] | None]:
        """The profile meant, and the secrets typed beside it (None: its saved ones)."""
        profile = self._known(target) if isinstance(target, str) else target
        url = base_url_of(profile)
        if url is not None and (why := check_base_url(url)):
            raise InvalidInput(f"{why} Write it as https://host/path.", field="profile.baseUrl")
        if not secrets:
            return profile, None
        if url is None:
            raise InvalidInput(f"{profile.title} has no base URL; add one.", field="profile.baseUrl")
        return profile, {slot: Secret(text.strip(), origin_of(url)) for slot, text in secrets.items()}

    # --- requests ---

    async def complete(self, request: ChatRequest, options: CompletionOptions, sink: Sink) -> Json:
        try:
            return await self._parts.completions.complete(request, options, sink)
        finally:
            self._parts.changed.set()

    async def retry_now(self, request_id: str) -> None:
        self._parts.completions.retry_now(request_id)

    async def skip(self, request_id: str) -> None:
        self._parts.completions.skip(request_id)

    async def rotate(self, pool_id: str | None, *, to: str | None, rest: float | None) -> Json:
        """Move this window to the next profile that can serve. Running answers go on where they are."""
        parts = self._parts
        configuration = parts.config.current
        if to is not None:
            self._known(to, "to")
        pool, picture = pool_of(configuration, pool_id, None, None), self._overview.picture()
        everybody = views.able(picture, pool)
        current = views.pool_status(picture, pool).get("current")
        now = parts.ports.now()
        found = rotate(everybody, parts.ports.state.snapshot(), now, current=current, to=to)
        if isinstance(found, Nobody):
            raise self._nowhere(found, now, to)
        parts.window.rotate(pool.id, found.profile_id)
        if rest is not None and current is not None:
            left = next(each for each in everybody if each.profile_id == current)
            await parts.ports.state.update(
                lambda snapshot: (rest_by_hand(left, rest, snapshot, parts.ports.now()), None)
            )
        parts.changed.set()
        return {"from": current, "to": found.profile_id}

    def _nowhere(self, nobody: Nobody, now: float, to: str | None) -> Exception:
        titles = titles_of(self._parts.config.current.profiles.values())
        error = unanswered(nobody, now=now, request_id="", titles=titles, attempts=(), faults=(), hosts_lost=0)
        del error.data["requestId"], error.data["attempts"]
        reasons = "; ".join(f"{titles.get(each, each)} {why}" for each, why in nobody.excluded.items())
        back = f" The first is back in {duration_words(nobody.soonest - now)}." if nobody.soonest is not None else ""
        what = f"Cannot rotate to {titles.get(to, to)}" if to is not None else "There is nowhere to rotate to"
        error.message = f"{what}: {reasons or 'the pool has no other profile'}.{back}"
        return error

    async def why(self, request_id: str) -> Json:
        """The routing record of one request; ``latest`` names the newest."""
        found = await self._parts.state.request(request_id)
        if found is None and request_id == "latest":
            found = next(iter(await self._parts.state.latest_requests(1)), None)
        if found is None:
            raise NotFound(
                f"There is no record of the request {request_id!r}; records are kept for a week.", field="requestId"
            )
        commands = self._parts.completions.curl(found["request"]["id"])
        explained = [{**each, "curl": curl} for each, curl in zip(found["attempts"], commands, strict=False)]
        return {**found, "attempts": [*explained, *found["attempts"][len(explained) :]]}

    async def dry_run(self, request: ChatRequest, options: CompletionOptions, sink: Sink) -> Json:
        """Who would answer this request now; it is not sent."""
        counters = await self._overview.counters_now()
        return self._parts.completions.foresight.rehearse(request, options, counters)

    async def stats(self, since: float | None, group_by: str) -> Json:
        records = await self._parts.state.attempts(since or 0.0)
        providers = {each.id: each.provider for each in self._parts.config.current.profiles.values()}
        rows = await asyncio.to_thread(figures, records, GroupBy(group_by), providers)
        began = max(since or 0.0, min((each.at for each in records), default=0.0))
        covered = 0.0 if group_by == GroupBy.DAY else self._parts.ports.now() - began
        return {"rows": [views.stats_row(each, covered) for each in rows]}


async def _for_ever(turn: Callable[[], Awaitable[None]]) -> None:
    """``turn`` after ``turn`` for as long as the house stands: one that fails is taken up again a little later. What is unforeseen goes to
    the log, once for as long as it lasts; everything else, such as the lock of another process, passes or is told by the status."""
    known: type[Exception] = RoorouteError
    while True:
        try:
            await turn()
            known = RoorouteError
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the next turn may go well
            if not isinstance(wrong, (RoorouteError, known)):
                known = type(wrong)
                context = {"message": "a turn of the house failed", "exception": wrong}
                asyncio.get_running_loop().call_exception_handler(context)
            await asyncio.sleep(_SETBACK_SECONDS)


def _offer_json(prices: PriceRange | None) -> Json:
    if prices is None:
        return {}
    return {"largestWindow": prices.largest_window, "price": {"input": prices.input, "output": prices.output}}


def _vendor_json(row: Vendor, prices: Mapping[str, PriceRange | None]) -> Json:
    """``prices`` are those of the row's addresses."""

    def plain(value: Any, names: Sequence[str]) -> Json:
        return {camel(name): told for name in names if (told := getattr(value, name)) not in (None, "")}

    return {
        "id": row.id,
        "name": row.name,
        "documentation": row.documentation,
        "capabilities": list(row.offers),
        **plain(row, ("regions", "status_page")),
        **({"keyPage": row.key.page} if row.key.page else {}),
        **_offer_json(prices.get(row.default_base_url or "")),
        "fields": [
            plain(each, ("name", "label", "kind", "required", "help", "placeholder"))
            | ({"choices": list(each.choices)} if each.choices else {})
            for each in row.fields
        ],
        "presets": [
            {
                "id": each.id,
                "name": each.name,
                "baseUrl": each.base_url,
                "needsKey": each.needs_key,
                "documentation": each.documentation,
                **_offer_json(prices.get(each.base_url)),
            }
            for each in row.presets
        ],
    }
