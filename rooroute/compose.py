"""The composition root: reads the clock and the environment, builds the adapters and puts the house together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from rooroute.version import VERSION

if TYPE_CHECKING:
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import ClientStore
    from rooroute.adapters.keychain_vaults import Vault
    from rooroute.adapters.state_picture import Window
    from rooroute.adapters.token_source import TokenSource
    from rooroute.application import Backend
    from rooroute.connection_test import ConnectionTest
    from rooroute.discovery import Discovery
    from rooroute.doctor import Surroundings
    from rooroute.health_checks import HealthChecks
    from rooroute.profiles import Problem, Profile
    from rooroute.providers.vendor import PriceRange
    from rooroute.rpc.reverse import ClientSecrets

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


async def make_backend(
    where: Places,
    environment: Mapping[str, str],
    client_secrets: ClientSecrets | None = None,
    redact: Callable[[str], None] = lambda text: None,
) -> Backend:
    """The house, open: configuration read, state shared, nothing asked of the keyring yet. ``client_secrets`` is the editor's own store;
    ``redact`` is told of every secret before anything is done with it."""
    from rooroute.adapters import config_exchange, machine
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.adapters.config_history import ConfigHistory, folder_for
    from rooroute.adapters.credential_files import CredentialFiles
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import Keychain
    from rooroute.adapters.state_store import StateStore
    from rooroute.application import Backend, Parts
    from rooroute.completion import Completions
    from rooroute.credentials import Credentials
    from rooroute.moving import Moving, Spelling
    from rooroute.ports import Ports
    from rooroute.providers.table import check as by_vendor
    from rooroute.routing.window import Window
    from rooroute.saved_profiles import SavedProfiles

    @cache
    def discovery() -> Discovery:
        from rooroute.adapters.model_cache import ModelCache
        from rooroute.adapters.price_table import known_prices
        from rooroute.discovery import Discovery

        return Discovery(
            upstream.request,
            credentials.resolve,
            time.time,
            digest=state.fingerprint,
            shelf=ModelCache(where.state.with_name("models.json")),
            prices=known_prices,
            complete=credentials.complete,
        )

    async def price_range(base_url: str, now: float) -> PriceRange | None:
        from rooroute.adapters.price_table import known_range

        return await known_range(base_url, now)

    @cache
    def connection_test() -> ConnectionTest:
        from rooroute.adapters.dial import Dialer
        from rooroute.connection_test import ConnectionTest

        return ConnectionTest(
            upstream, Dialer(environment), credentials.resolve, time.time, time.monotonic, credentials.complete
        )

    @cache
    def health_checks() -> HealthChecks:
        from rooroute.health_checks import HealthChecks

        return HealthChecks(ports, upstream, completions.limiter, window.measurements)

    owner = machine.identity()
    files = CredentialFiles()

    def check(profile: Profile) -> list[Problem]:
        return [*by_vendor(profile), *files.check(profile)]

    history = ConfigHistory(folder_for(where.config, where.state), time.time)
    config = ConfigFile(where.config, check, history, config_schema, files.changed)
    state = StateStore(where.state, owner, clock=time.time, version=VERSION)
    await asyncio.gather(asyncio.to_thread(config.load), asyncio.to_thread(state.open))
    keychain = Keychain(open_vault=_vault_opener(environment), client=_client_store(client_secrets), redact=redact)
    upstream = Upstream(environment)
    tokens = _token_source(upstream, environment, redact)
    credentials = Credentials(keychain, environment, state.approved, state.fingerprint, time.monotonic, redact, tokens)
    changed = asyncio.Event()
    ports = Ports(
        now=time.time,
        monotonic=time.monotonic,
        jitter=random.random,
        configuration=lambda: config.current,
        state=state,
        credentials=credentials,
        upstream=upstream,
        owner=owner,
        changed=changed.set,
    )
    window = Window()
    completions = Completions(ports, window)
    saved = SavedProfiles(config, keychain, state, check=check, now=time.time)
    spelling = Spelling(
        config_exchange.plain_data,
        lambda text: config_exchange.as_configuration(text, check),
        config_exchange.spelled,
        config_exchange.as_yaml,
    )
    backend = Backend(
        Parts(
            ports=ports,
            window=window,
            completions=completions,
            config=config,
            state=state,
            store=keychain,
            credentials=credentials,
            saved=saved,
            moving=Moving(saved, config, spelling),
            discovery=discovery,
            connection_test=connection_test,
            health_checks=health_checks,
            network=upstream,
            open_store=keychain.open,
            changed=changed,
            price_range=price_range,
        )
    )
    backend.open()
    return backend


@asynccontextmanager
async def make_surroundings(where: Places, environment: Mapping[str, str]) -> AsyncIterator[Surroundings]:
    """What the doctor looks at: this machine's own parts without the house, since a doctor starts nothing and changes nothing."""
    from rooroute.adapters import machine
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.adapters.credential_files import CredentialFiles
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import Keychain
    from rooroute.adapters.proxies import proxy_for
    from rooroute.adapters.state_store import StateStore
    from rooroute.checkup import Network
    from rooroute.credentials import Credentials
    from rooroute.doctor import Surroundings
    from rooroute.providers.table import check

    def proxy_of(url: str, chosen: str | None) -> str | None:
        proxy = proxy_for(url, chosen, {name.lower(): text for name, text in environment.items()})
        return f"{'https' if proxy.secure else 'http'}://{proxy.host}:{proxy.port}" if proxy else None

    async def other_windows() -> list[Window]:
        return [each for each in await state.windows() if each.identity != owner]

    owner = machine.identity()
    files = CredentialFiles()
    config = ConfigFile(where.config, lambda profile: [*check(profile), *files.check(profile)])
    state = StateStore(where.state, owner, clock=time.time, version=VERSION)
    await asyncio.gather(asyncio.to_thread(config.load), asyncio.to_thread(state.open))
    keychain, upstream = Keychain(open_vault=_vault_opener(environment)), Upstream(environment)
    tokens = _token_source(upstream, environment)
    credentials = Credentials(keychain, environment, state.approved, state.fingerprint, time.monotonic, tokens=tokens)
    network = Network(credentials.resolve, lambda request, proxy: upstream.request(request, proxy=proxy), proxy_of)
    try:
        yield Surroundings(
            configuration=config.current,
            keyring=keychain.open,
            network=network,
            windows=other_windows,
            now=time.time,
            version=VERSION,
            state_problems=state.problems,
        )
    finally:
        await credentials.close()
        await upstream.close()
        await state.close()
        keychain.close()


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
