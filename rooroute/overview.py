"""The picture a user sees of one window, kept as it was last told: what is in it, what is wrong, and whom to tell of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from rooroute import status as views
from rooroute.alerts import Notices
from rooroute.completion import Completions
from rooroute.credentials import Credentials
from rooroute.health_status import latest, unwell
from rooroute.ledger import AttemptRecord, Figures, figures
from rooroute.limiter import limits_of
from rooroute.ports import Ports
from rooroute.profiles import Configuration, Problem, Profile
from rooroute.routing.limits import Counters
from rooroute.routing.noticed import Notice
from rooroute.routing.window import Window

Json: TypeAlias = dict[str, Any]

_RECENT_SECONDS: Final = 7 * 86_400.0
_RECENT_ATTEMPTS: Final = 2_000


class SeenState(Protocol):
    """What is shown of the shared state besides its snapshot."""

    @property
    def problems(self) -> tuple[Problem, ...]: ...

    async def counters(self) -> Counters: ...

    async def notices(self) -> list[Notice]: ...

    async def attempts(self, since: float = ..., limit: int = ...) -> list[AttemptRecord]: ...


class SeenFile(Protocol):
    """The configuration as it stands in the file."""

    path: Path

    @property
    def current(self) -> Configuration: ...


class SeenStore(Protocol):
    """The secrets' home."""

    @property
    def store_name(self) -> str: ...


@dataclass(slots=True)
class _Recent:
    """What the ledger says of late, by profile id."""

    figures: Mapping[str, Figures] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    latest: Mapping[str, AttemptRecord] = field(default_factory=dict)


class Overview:
    """One window's. ``alerts`` are those raised here; ``store_tried`` is set once the secrets' home was looked at, and ``store_problem`` is
    what was wrong with it then; ``told`` is what ``status`` gave last (None: nobody has asked), and ``limits_ease`` when by the passing of
    time alone less of a limit will be used that it told of (UTC epoch seconds)."""

    def __init__(
        self,
        *,
        ports: Ports,
        window: Window,
        completions: Completions,
        config: SeenFile,
        state: SeenState,
        store: SeenStore,
        credentials: Credentials,
    ) -> None:
        self._ports, self._window, self._completions = ports, window, completions
        self._config, self._state, self._store, self._credentials = config, state, store, credentials
        self.listeners: list[Callable[[Json], None]] = []
        self.alerts = Notices()
        self.store_problem: str | None = None
        self.store_tried = asyncio.Event()
        self.told: Json | None = None
        self._recent = _Recent()
        self._limits: Mapping[str, Sequence[Json]] = {}
        self.limits_ease = inf
        self._counters = Counters()
        self._noticed_at: int | None = None

    @property
    def secret_store(self) -> str:
        """Where keys are kept; ``UNCHECKED`` until the keyring was tried, which may take as long as the user needs to unlock it."""
        return self._store.store_name if self.store_tried.is_set() else views.UNCHECKED

    def _home(self, profile: Profile) -> str:
        home = self._credentials.home(profile)
        return self.secret_store if home == self._store.store_name else home

    async def look_at_notices(self) -> None:
        """What another window, or one before, has noticed of models and quotas; read when anything was written."""
        revision = self._ports.state.snapshot().revision
        if revision != self._noticed_at:
            self._window.noticed.show(await self._state.notices())
            self._noticed_at = revision

    # --- what is drawn ---

    def picture(self) -> views.Picture:
        configuration = self._ports.configuration()
        return views.Picture(
            now=self._ports.now(),
            configuration=configuration,
            snapshot=self._ports.state.snapshot(),
            credentials=self._credentials,
            homes={each.id: self._home(each) for each in configuration.profiles.values()},
            figures=self._recent.figures,
            last_errors=self._recent.errors,
            latest=self._recent.latest,
            quotas=self._window.measurements.quotas,
            limits=self._limits,
            limited=lambda profile: self._completions.foresight.limit_on(profile, self._counters),
            next=lambda pool, unfit: self._completions.foresight.next(pool.id, self._counters, unfit),
        )

    async def _limits_now(self) -> dict[str, list[Json]]:
        """How far every limit the user set is used, by holder; nothing is read where there is none."""
        self._counters, now = await self.counters_now(), self._ports.now()
        gauges, idle = limits_of(self._config.current), self._completions.limiter.idle_places
        self.limits_ease = min((views.eases_at(each, self._counters, now) for each in gauges), default=inf)
        return views.limit_rows(gauges, self._counters, now, idle)

    async def counters_now(self) -> Counters:
        """What all windows have taken of their limits; nothing is read where there is none."""
        if not limits_of(self._config.current):
            return Counters()
        self._completions.limiter.tidy()
        return await self._state.counters()

    def _problems(self) -> list[Problem]:
        store = (Problem(self.store_problem),) if self.store_problem else ()
        near = views.limit_warnings(self._limits)
        aged = views.old_keys(self._config.current, self._ports.now())
        unhealthy = unwell(self._config.current, self._ports.state.snapshot().checks)
        unpriced = views.unpriced(self._ports.configuration())
        noticed = views.noticed_problems(self._window.noticed, self._config.current, self._credentials)
        return [
            *self._config.current.problems,
            *unpriced,
            *self._state.problems,
            *store,
            *near,
            *unhealthy,
            *self.alerts.standing.values(),
            *aged,
            *noticed,
        ]

    async def status(self) -> Json:
        """The whole picture; whoever listens is told what changed since the last one."""
        records = await self._state.attempts(self._ports.now() - _RECENT_SECONDS, _RECENT_ATTEMPTS)
        self._recent = await asyncio.to_thread(_recent, records)
        self.alerts.look(records, self._config.current, self._ports.now())
        for each in records:
            measured = self._window.measurements
            measured.learn(each.profile_id, each.at, each.first_token_s, each.output_tokens)
            if each.quotas:
                measured.told(each.profile_id, each.at, each.quotas)
        self._limits = await self._limits_now()
        await self.look_at_notices()
        found = views.status(self.picture(), self.secret_store, self._problems())
        found["configPath"] = str(self._config.path)
        changes = views.difference(self.told, found) if self.told is not None else None
        self.told = found
        if changes is not None:
            for listener in self.listeners:
                listener(changes)
        return found


def _recent(records: Sequence[AttemptRecord]) -> _Recent:
    return _Recent({each.key: each for each in figures(records)}, views.last_errors(records), latest(records))
