"""Google's short-lived tokens, from a service account's file or application default credentials. The one room that knows google-auth, which
comes with the extra ``vertex`` and is imported when the first such token is wanted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final

from rooroute.adapters import machine
from rooroute.adapters.token_source import Ask
from rooroute.errors import RoorouteError, SecretUnavailable
from rooroute.outcome import Unreachable
from rooroute.providers.dialect import ErrorAnswer, HttpRequest
from rooroute.providers.tokens import Token
from rooroute.secret import Secret

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_LONGEST_FILE: Final = 1_000_000
_LONGEST_ANSWER: Final = 1_000_000
_REQUEST_SECONDS: Final = 20.0
_NO_LIBRARY: Final = (
    "Google's tokens need its library, which is not installed; run: python -m pip install 'rooroute[vertex]'"
)
_NO_DEFAULT: Final = "There are no application default credentials; run gcloud auth application-default login, or set options.credentialsFile."


class GoogleTokens:
    """Makes Google tokens. ``ask`` is the network, so that proxies and the system's trust hold for Google's token endpoints too; ``now``
    gives UTC epoch seconds."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        self._ask = ask
        self._now = now

    async def __call__(self, credentials_file: str | None, origin: str, proxy: str | None) -> Token:
        """A token for Google Cloud. google-auth blocks, so it has a thread of its own; what it sends is sent by this loop.

        Raises SecretUnavailable with a remedy.
        """
        network = _Network(self._ask, asyncio.get_running_loop(), proxy)
        return await _in_daemon(lambda: self._made(credentials_file, origin, network))

    def _made(self, credentials_file: str | None, origin: str, network: _Network) -> Token:
        try:
            from google.auth import exceptions
        except ImportError:
            raise SecretUnavailable(_NO_LIBRARY) from None
        try:
            credentials = _of_file(credentials_file) if credentials_file else _default(network)
            credentials.refresh(network)
        except exceptions.DefaultCredentialsError:
            raise SecretUnavailable(_NO_DEFAULT) from None
        except exceptions.RefreshError as refused:
            raise SecretUnavailable(_refused(refused, credentials_file)) from None
        except exceptions.GoogleAuthError:
            raise SecretUnavailable(
                f"No Google token could be made{network.why}; check the network and the credentials."
            ) from None
        except RoorouteError:
            raise
        except Exception:  # noqa: BLE001 - of what a credentials file may lead to; it may quote the private key
            raise SecretUnavailable("No Google token could be made; check the credentials with gcloud.") from None
        if not credentials.token:
            raise SecretUnavailable("Google gave no token; check the credentials' roles.")
        end = credentials.expiry  # UTC without saying so
        expires_at = end.replace(tzinfo=UTC).timestamp() if end is not None else self._now() + 300.0
        return Token(Secret(credentials.token, origin), expires_at)


async def _in_daemon(work: Callable[[], Token]) -> Token:
    """``work`` in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Token] = loop.create_future()

    def settle(token: Token | None, wrong: Exception | None) -> None:
        if done.cancelled():
            return
        if token is not None:
            done.set_result(token)
        else:
            done.set_exception(wrong or SecretUnavailable("Google gave no token."))

    def run() -> None:
        token, wrong = None, None
        try:
            token = work()
        except Exception as error:  # noqa: BLE001 - goes to whoever waits
            wrong = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, token, wrong)

    threading.Thread(target=run, name="google-auth", daemon=True).start()
    return await done


def _of_file(path: str) -> Any:
    """Credentials of a JSON file that Google made."""
    from google.oauth2 import credentials, service_account

    kinds: Mapping[str, Callable[..., Any]] = {
        "service_account": service_account.Credentials.from_service_account_info,
        "authorized_user": credentials.Credentials.from_authorized_user_info,
    }
    info = read_credentials(path)
    make = kinds.get(str(info.get("type")))
    if make is None:
        raise SecretUnavailable(
            f"{path} is neither a service account nor a user's credentials; name such a file, or use it through GOOGLE_APPLICATION_CREDENTIALS."
        )
    try:
        return make(info, scopes=[_SCOPE])
    except Exception:  # noqa: BLE001 - the library may quote the private key
        raise SecretUnavailable(f"{path} is not whole; download the credentials anew.") from None


def read_credentials(path: str) -> Mapping[str, Any]:
    """What a credentials file says. Raises SecretUnavailable when it is not there, can be read by others, or is no JSON object."""
    whole = Path(path).expanduser()
    try:
        exposed = machine.others_may_read(whole)
        raw = machine.read_regular(whole, _LONGEST_FILE)
    except FileNotFoundError:
        raise SecretUnavailable(f"The credentials file {path} is not there; correct options.credentialsFile.") from None
    except OSError as wrong:
        raise SecretUnavailable(f"The credentials file {path} cannot be read: {wrong.strerror or wrong}.") from None
    if exposed:
        raise SecretUnavailable(f"The credentials file {path} can be read by others; run: chmod 600 {path}")
    try:
        info = json.loads(raw)
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise SecretUnavailable(f"{path} holds no credentials in JSON; download them anew.")
    return info


def _default(network: Any) -> Any:
    import google.auth

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a user's credentials name no project to pay: the profile does
        found, _ = google.auth.default(scopes=[_SCOPE], request=network)
    return found


def _refused(refused: Exception, path: str | None) -> str:
    """Google's own word for why (``invalid_grant``); its sentence may quote what was sent."""
    answer = next((each for each in refused.args if isinstance(each, dict)), {})
    code = answer.get("error") if isinstance(answer, dict) else None
    said = f" ({code})" if isinstance(code, str) and code.replace("_", "").isalnum() else ""
    remedy = f"check {path} and this machine's clock" if path else "run gcloud auth application-default login"
    return f"Google gave no token{said}; {remedy}."


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer as google-auth wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Network:
    """google-auth's transport (https://google-auth.readthedocs.io/en/latest/reference/google.auth.transport.html) on our own network."""

    def __init__(self, ask: Ask, loop: asyncio.AbstractEventLoop, proxy: str | None) -> None:
        self._ask = ask
        self._loop = loop
        self._proxy = proxy
        self.why = ""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Answer:
        from google.auth import exceptions

        sent = body.encode() if isinstance(body, str) else body or b""
        seconds = min(timeout or _REQUEST_SECONDS, _REQUEST_SECONDS)
        asking = self._exchange(HttpRequest(method, url, dict(headers or {}), body=sent), seconds)
        try:
            answer = asyncio.run_coroutine_threadsafe(asking, self._loop).result(seconds + _REQUEST_SECONDS)
        except Unreachable as lost:
            self.why = f": {lost.failure.message.partition(';')[0].rstrip('.')}"
        except (RoorouteError, TimeoutError):
            self.why = ""
        else:
            return _Answer(answer.status, answer.headers, answer.body)
        failed: Any = exceptions.TransportError  # untyped there
        raise failed("no answer")

    async def _exchange(self, request: HttpRequest, seconds: float) -> ErrorAnswer:
        return await self._ask(request, seconds=seconds, limit=_LONGEST_ANSWER, proxy=self._proxy)
