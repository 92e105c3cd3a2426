"""The composition root: reads the clock and the environment, builds the adapters and puts the house together."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

from rooroute.version import VERSION

if TYPE_CHECKING:
    from rooroute.adapters.keychain import ClientStore
    from rooroute.application import Backend
    from rooroute.connection_test import ConnectionTest
    from rooroute.discovery import Discovery
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
    chosen = Path(config).expanduser().absolute() if config else platformdirs.user_config_path(APP) / "config.yaml"
    return Places(chosen, platformdirs.user_state_path(APP) / "state.sqlite3", platformdirs.user_log_path(APP))


async def make_backend(
    where: Places, environment: Mapping[str, str], client_secrets: ClientSecrets | None = None
) -> Backend:
    """The house, open: configuration read, state shared, nothing asked of the keyring yet. ``client_secrets`` is the editor's own store."""
    from rooroute.adapters import machine
    from rooroute.adapters.config_file import ConfigFile
    from rooroute.adapters.http import Upstream
    from rooroute.adapters.keychain import Keychain
    from rooroute.adapters.keychain_vaults import Trouble, Vault, VaultError, open_system_vault
    from rooroute.adapters.state_store import StateStore
    from rooroute.application import Backend, Parts
    from rooroute.completion import Completions
    from rooroute.credentials import Credentials
    from rooroute.ports import Ports
    from rooroute.providers.table import check
    from rooroute.routing.window import Window
    from rooroute.saved_profiles import SavedProfiles

    def no_vault() -> Vault:
        raise VaultError(Trouble.ABSENT)

    @cache
    def discovery() -> Discovery:
        from rooroute.discovery import Discovery

        return Discovery(upstream.request, credentials.resolve, time.time)

    @cache
    def connection_test() -> ConnectionTest:
        from rooroute.adapters.dial import dial
        from rooroute.connection_test import ConnectionTest

        return ConnectionTest(upstream, dial, credentials.resolve, time.time, time.monotonic)

    owner = machine.identity()
    config = ConfigFile(where.config, check)
    state = StateStore(where.state, owner, clock=time.time, version=VERSION)
    await asyncio.gather(asyncio.to_thread(config.load), asyncio.to_thread(state.open))
    session_only = environment.get(SECRET_STORE) == "session"
    keychain = Keychain(
        open_vault=no_vault if session_only else open_system_vault, client=_client_store(client_secrets)
    )
    credentials = Credentials(keychain, environment, state.approved, state.fingerprint, time.monotonic)
    upstream = Upstream(environment)
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
    backend = Backend(
        Parts(
            ports=ports,
            window=window,
            completions=Completions(ports, window),
            config=config,
            state=state,
            store=keychain,
            credentials=credentials,
            saved=SavedProfiles(config, keychain, state, check=check, now=time.time),
            discovery=discovery,
            connection_test=connection_test,
            network=upstream,
            open_store=keychain.open,
            changed=changed,
        )
    )
    backend.open()
    return backend


def _client_store(client: ClientSecrets | None) -> ClientStore | None:
    from rooroute.adapters.keychain import ClientStore

    return ClientStore(client.get, client.set, client.delete) if client is not None else None
