"""The composition root: reads the clock and the environment, builds the adapters and puts the house together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from rooroute.version import VERSION

if TYPE_CHECKING:
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import ClientStore, Keychain
    from rooroute.adapters.keychain_vaults import Vault
    from rooroute.adapters.model_cache import ModelCache
    from rooroute.adapters.state_picture import Window as OtherWindow
    from rooroute.adapters.state_store import StateStore
    from rooroute.adapters.token_source import TokenSource
    from rooroute.application import Backend
    from rooroute.completion import Completions
    from rooroute.connection_test import ConnectionTest
    from rooroute.credentials import Credentials
    from rooroute.discovery import Discovery
    from rooroute.doctor import Surroundings
    from rooroute.health_checks import HealthChecks
    from rooroute.known_models import KnownModels
    from rooroute.latency_probes import LatencyProbes
    from rooroute.moving import Moving
    from rooroute.ports import Ports
    from rooroute.profiles import Problem, Profile
    from rooroute.providers.model_list import Model
    from rooroute.providers.vendor import PriceRange
    from rooroute.routing.window import Window
    from rooroute.rpc.reverse import ClientSecrets
    from rooroute.saved_profiles import SavedProfiles

APP: Final = "rooroute"
SECRET_STORE: Final = "ROOROUTE_SECRET_STORE"
"""Environment variable: ``session`` keeps typed keys in memory only and leaves the system's keyring alone (demo, tests)."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a user's things lie."""

    config: Path
    state: Path
    logs: Path


def places(config: str | None = None) -> Places:
    """The platform's own directories; ``config`` names another configuration file."""
    chosen = Path(config).expanduser().absolute() if config else _own(platformdirs.user_config_path) / "config.yaml"
    return Places(chosen, _own(platformdirs.user_state_path) / "state.sqlite3", _own(platformdirs.user_log_path))


def _own(directory: Callable[..., Path]) -> Path:
    return directory(APP, appauthor=False)


@dataclass(frozen=True, slots=True)
class _Cellar:
    """What touches the outside, and the credentials that stand right on it."""

    owner: str
    check: Callable[[Profile], list[Problem]]
    config: ConfigFile
    state: StateStore
    keychain: Keychain
    upstream: Upstream
    credentials: Credentials


async def _cellar(
    where: Places,
    environment: Mapping[str, str],
    client: ClientStore | None = None,
    redact: Callable[[str], None] = lambda text: None,
    *,
    keeps_history: bool = True,
) -> _Cellar:
    """Configuration read, state open, nothing asked of the keyring yet."""
    from rooroute.adapters import machine
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.adapters.config_history import ConfigHistory, folder_for
    from rooroute.adapters.credential_files import CredentialFiles
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import Keychain
    from rooroute.adapters.state_store import StateStore
    from rooroute.credentials import Credentials
    from rooroute.providers.table import check as by_vendor

    owner, files = machine.identity(), CredentialFiles()

    def check(profile: Profile) -> list[Problem]:
        return [*by_vendor(profile), *files.check(profile)]

    if keeps_history:
        history = ConfigHistory(folder_for(where.config, where.state), time.time)
        config = ConfigFile(where.config, check, history, config_schema, files.changed)
    else:
        config = ConfigFile(where.config, check)
    state = StateStore(where.state, owner, clock=time.time, version=VERSION)
    await asyncio.gather(asyncio.to_thread(config.load), asyncio.to_thread(state.open))
    state.ledger_days = config.current.defaults.ledger_days  # before anything is swept
    keychain = Keychain(open_vault=_vault_opener(environment), client=client, redact=redact)
    upstream = Upstream(environment)
    tokens = _token_source(upstream, environment, redact)
    credentials = Credentials(keychain, environment, state.approved, state.fingerprint, time.monotonic, redact, tokens)
    return _Cellar(owner, check, config, state, keychain, upstream, credentials)


async def make_backend(
    where: Places,
    environment: Mapping[str, str],
    client_secrets: ClientSecrets | None = None,
    redact: Callable[[str], None] = lambda text: None,
) -> Backend:
    """The house, open: configuration read, state shared, nothing asked of the keyring yet. ``client_secrets`` is the editor's own store;
    ``redact`` is told of every secret before anything is done with it."""
    from rooroute.application import Backend, Parts
    from rooroute.completion import Completions
    from rooroute.known_models import KnownModels
    from rooroute.ports import Ports
    from rooroute.routing.noticed import Noticed
    from rooroute.routing.window import Window
    from rooroute.saved_profiles import SavedProfiles

    below = await _cellar(where, environment, _client_store(client_secrets), redact)
    changed, window = asyncio.Event(), Window(noticed=Noticed(below.state.note_notice))
    shelf = _models_path(where)
    known = KnownModels(
        lambda: below.config.current,
        digest=below.state.fingerprint,
        now=time.time,
        shelf=partial(_shelf, where),
        stamp=lambda: _stamp(shelf),
        prices=_known_prices,
        changed=changed.set,
    )
    ports = Ports(
        now=time.time,
        monotonic=time.monotonic,
        jitter=random.random,
        configuration=known.configuration,
        state=below.state,
        credentials=below.credentials,
        upstream=below.upstream,
        owner=below.owner,
        changed=changed.set,
    )
    completions = Completions(ports, window)
    saved = SavedProfiles(
        below.config,
        below.keychain,
        below.state,
        check=below.check,
        now=time.time,
        knowledge=lambda: known.knowledge,
    )
    backend = Backend(
        Parts(
            ports=ports,
            window=window,
            completions=completions,
            config=below.config,
            state=below.state,
            store=below.keychain,
            credentials=below.credentials,
            saved=saved,
            moving=_moving(saved, below),
            known=known,
            discovery=cache(partial(_discovery, below, where, known)),
            connection_test=cache(partial(_connection_test, below, environment)),
            health_checks=cache(partial(_health_checks, ports, below, completions, window)),
            latency_probes=cache(partial(_latency_probes, ports, below, completions, window)),
            network=below.upstream,
            open_store=below.keychain.open,
            changed=changed,
            price_range=_price_range,
        )
    )
    backend.open()
    return backend


# --- rooms that are entered late, and loaded then ---


def _models_path(where: Places) -> Path:
    return where.state.with_name("models.json")


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes with the file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@cache
def _shelf(where: Places) -> ModelCache:
    from rooroute.adapters.model_cache import ModelCache

    return ModelCache(_models_path(where))


async def _known_prices(base_url: str, ids: Sequence[str], now: float) -> Mapping[str, Model]:
    from rooroute.adapters.price_table import known_prices

    return await known_prices(base_url, ids, now)


def _discovery(below: _Cellar, where: Places, known: KnownModels) -> Discovery:
    from rooroute.discovery import Discovery

    return Discovery(
        below.upstream.request,
        below.credentials.resolve,
        time.time,
        digest=below.state.fingerprint,
        shelf=_shelf(where),
        prices=_known_prices,
        complete=below.credentials.complete,
        heard=known.hear,
    )


def _connection_test(below: _Cellar, environment: Mapping[str, str]) -> ConnectionTest:
    from rooroute.adapters.dial import Dialer
    from rooroute.connection_test import ConnectionTest

    secrets = below.credentials
    return ConnectionTest(
        below.upstream, Dialer(environment), secrets.resolve, time.time, time.monotonic, secrets.complete
    )


def _health_checks(ports: Ports, below: _Cellar, completions: Completions, window: Window) -> HealthChecks:
    from rooroute.health_checks import HealthChecks

    return HealthChecks(ports, below.upstream, completions.limiter, window.measurements)


def _latency_probes(ports: Ports, below: _Cellar, completions: Completions, window: Window) -> LatencyProbes:
    from rooroute.latency_probes import LatencyProbes

    return LatencyProbes(ports, below.upstream, completions.limiter, window.measurements, below.state.attempts)


async def _price_range(base_url: str, now: float) -> PriceRange | None:
    from rooroute.adapters.price_table import known_range

    return await known_range(base_url, now)


def _moving(saved: SavedProfiles, below: _Cellar) -> Moving:
    from rooroute.adapters import config_exchange
    from rooroute.moving import Moving, Spelling

    spelling = Spelling(
        config_exchange.plain_data,
        lambda text: config_exchange.as_configuration(text, below.check),
        config_exchange.spelled,
        config_exchange.as_yaml,
    )
    return Moving(saved, below.config, spelling)


@asynccontextmanager
async def make_surroundings(where: Places, environment: Mapping[str, str]) -> AsyncIterator[Surroundings]:
    """What the doctor looks at: this machine's own parts without the house, since a doctor starts nothing and changes nothing."""
    from rooroute.checkup import Network
    from rooroute.doctor import Surroundings
    from rooroute.proxies import proxy_for

    def proxy_of(url: str, chosen: str | None) -> str | None:
        proxy = proxy_for(url, chosen, {name.lower(): text for name, text in environment.items()})
        return f"{'https' if proxy.secure else 'http'}://{proxy.host}:{proxy.port}" if proxy else None

    async def other_windows() -> list[OtherWindow]:
        return [each for each in await below.state.windows() if each.identity != below.owner]

    below = await _cellar(where, environment, keeps_history=False)
    network = Network(
        below.credentials.resolve, lambda request, proxy: below.upstream.request(request, proxy=proxy), proxy_of
    )
    try:
        yield Surroundings(
            configuration=below.config.current,
            keyring=below.keychain.open,
            network=network,
            windows=other_windows,
            now=time.time,
            version=VERSION,
            state_problems=below.state.problems,
        )
    finally:
        await below.credentials.close()
        await below.upstream.close()
        await below.state.close()
        below.keychain.close()


def _token_source(
    upstream: Upstream, environment: Mapping[str, str], redact: Callable[[str], None] = lambda text: None
) -> TokenSource:
    from rooroute.adapters.commands import Commands
    from rooroute.adapters.google_auth import GoogleTokens
    from rooroute.adapters.token_source import TokenSource

    google = GoogleTokens(upstream.request, time.time)
    return TokenSource(upstream.request, Commands(environment), google, time.time, redact)


def config_schema() -> str:
    """The JSON Schema of the configuration file."""
    return Path(__file__).with_name("config.schema.json").read_text(encoding="utf-8")


def _vault_opener(environment: Mapping[str, str]) -> Callable[[], Vault]:
    from rooroute.adapters.keychain_vaults import Trouble, VaultError, open_system_vault

    def no_vault() -> Vault:
        raise VaultError(Trouble.ABSENT)

    return no_vault if environment.get(SECRET_STORE) == "session" else open_system_vault


def _client_store(client: ClientSecrets | None) -> ClientStore | None:
    from rooroute.adapters.keychain import ClientStore

    return ClientStore(client.get, client.set, client.delete) if client is not None else None
