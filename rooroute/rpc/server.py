"""The language server: pygls' life cycle over our own framing, our own encoding and our own errors. pygls is imported only here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol, lsp_method

from rooroute.errors import InvalidInput, RoorouteError
from rooroute.rpc.commands import COMMANDS
from rooroute.rpc.envelope import INVALID_REQUEST, Call, Refused, Reply, encode
from rooroute.rpc.failures import CANCELLED, error_for, error_message, note, told
from rooroute.rpc.framing import frame
from rooroute.rpc.session import MakeApplication, Session, WatchParent, keep_quiet
from rooroute.rpc.stdio import Outgoing, seal_standard_streams
from rooroute.version import VERSION

Json: TypeAlias = dict[str, Any]

_NOT_INITIALIZED: Final = -32002
_INVALID_PARAMS: Final = -32602
_LIFE_CYCLE: Final = frozenset(
    {types.INITIALIZE, types.INITIALIZED, types.SHUTDOWN, types.EXIT, types.WORKSPACE_EXECUTE_COMMAND}
)


class _NotLsp(Exception):
    """Params that LSP does not define."""


@dataclass(frozen=True, slots=True)
class _Greeting:
    """What ``initialize`` says that matters here."""

    process_id: int | None
    options: Any


@dataclass(frozen=True, slots=True)
class _Order:
    """One ``workspace/executeCommand``."""

    command: str
    arguments: list[Any]


def _greeting(params: Any) -> _Greeting:
    process_id = params.get("processId") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not (process_id is None or type(process_id) is int):
        raise _NotLsp
    return _Greeting(process_id, params.get("initializationOptions"))


def _order(params: Any) -> _Order:
    command = params.get("command") if isinstance(params, dict) else None
    arguments = (params.get("arguments") if isinstance(params, dict) else None) or []
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise _NotLsp
    return _Order(command, arguments)


_LSP_PARAMS: Final[Mapping[str, Callable[[Any], Any]]] = {
    types.INITIALIZE: _greeting,
    types.WORKSPACE_EXECUTE_COMMAND: _order,
}


class Server(LanguageServer):
    """pygls' server, which tells the user nothing behind our back."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        if not isinstance(error, JsonRpcException):
            note(error)


class Protocol(LanguageServerProtocol):
    """pygls' bookkeeping of requests with three things of our own: params stay the dicts they were, whatever is sent is encoded and
    queued by us, and no error tells more than it should. No converter is needed then: the one for all of LSP takes 10 ms to make."""

    session: Session
    outgoing: Outgoing

    def __init__(self, server: LanguageServer, converter: Any) -> None:
        super().__init__(server, converter)
        self._in_flight: set[str | int] = set()
        self._initialized = False
        for name in self.fm.builtin_features.keys() - _LIFE_CYCLE:
            del self.fm.builtin_features[name]  # no document is any of our business

    # --- what comes in

    def receive(self, message: Call | Reply | Refused) -> None:
        """Serve or refuse one message."""
        if isinstance(message, Refused):
            self.send(error_message(message.id, message.code, message.message, "invalidMessage"))
        elif isinstance(message, Reply):
            self.session.questions.settle(message)
        elif message.method == types.CANCEL_REQUEST:
            self._cancel(message.params)
        elif (refusal := self._untimely(message)) is not None:
            if message.id is not None:
                self.receive(Refused(refusal[0], refusal[1], message.id))
        else:
            self._serve(message)

    def _cancel(self, params: Any) -> None:
        ident = params.get("id") if isinstance(params, dict) else None
        future = self._request_futures.get(ident) if isinstance(ident, str | int) else None
        if future is not None:
            future.cancel()

    def _untimely(self, call: Call) -> tuple[int, str] | None:
        if call.method == types.EXIT:
            return None
        if not self._initialized and call.method != types.INITIALIZE:
            return _NOT_INITIALIZED, "The server has not been initialized; send initialize first."
        if self._shutdown:
            return INVALID_REQUEST, "The server is shutting down; start it again."
        if call.method == types.INITIALIZE and self._initialized:
            return INVALID_REQUEST, "The server has been initialized already."
        if call.id is not None and call.id in self._in_flight:
            return INVALID_REQUEST, "A request of that id is still running; give each its own."
        return None

    def _serve(self, call: Call) -> None:
        read = _LSP_PARAMS.get(call.method)
        try:
            params = read(call.params) if read is not None else call.params
        except _NotLsp:
            if call.id is not None:
                self.receive(Refused(_INVALID_PARAMS, "The params are not what LSP defines for this method.", call.id))
            return
        if call.method == types.INITIALIZE:
            self._initialized = True
        if call.method.startswith("rooroute/"):
            self._serve_ours(call)
            return
        if call.id is None:
            self.handle_message(JsonRPCNotification(call.method, "2.0", params))
            return
        self._in_flight.add(call.id)
        self.handle_message(JsonRPCRequestMessage(call.id, call.method, "2.0", params))

    def _serve_ours(self, call: Call) -> None:
        """What pygls does for a feature, without its search for a handler and for the handler's kind: a tenth of a request's own time."""
        task = asyncio.ensure_future(self.session.serve_method(call.method, call.params))
        if call.id is None:
            task.add_done_callback(self._check_handler_result)
            return
        self._in_flight.add(call.id)
        running: dict[Any, Any] = self._request_futures  # asyncio's futures, whatever pygls declares
        running[call.id] = task
        task.add_done_callback(partial(self._send_handler_result, msg_id=call.id))

    # --- the life cycle

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: _Greeting) -> Json:  # type: ignore[override]
        return {
            "capabilities": {
                "executeCommandProvider": {"commands": list(self.fm.commands)},
                "experimental": {"rooroute": self.session.greet(params.process_id, params.options)},
            },
            "serverInfo": {"name": self._server.name, "version": self._server.version},
        }

    @lsp_method(types.INITIALIZED)
    def lsp_initialized(self, *args: Any) -> None:
        self.session.open()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        self.session.end(self.exit_code)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(self, params: _Order) -> Any:  # type: ignore[override]
        command = COMMANDS.get(params.command)
        if command is None:
            known = ", ".join(COMMANDS)
            raise InvalidInput(f"There is no such command; the commands are {known}.", field="command")
        return await self.session.serve_method(command.method, command.params(params.arguments))

    @property
    def exit_code(self) -> int:
        """LSP: an end without ``shutdown`` is an error."""
        return 0 if self._shutdown else 1

    def cancel_everything(self) -> list[asyncio.Future[Any]]:
        """Cancel what still runs; gives it, to be waited for."""
        futures: list[Any] = list(self._request_futures.values())  # asyncio's, whatever pygls declares
        running = [future for future in futures if isinstance(future, asyncio.Future)]
        for future in running:
            future.cancel()
        return running

    # --- what goes out

    def _send_handler_result(self, future: Any, *, msg_id: str | int) -> None:
        self._request_futures.pop(msg_id, None)
        if future.cancelled():
            self._fail(msg_id, error_message(msg_id, CANCELLED, "The request was cancelled.", "cancelled"))
        elif (wrong := future.exception()) is not None:
            self._fail(msg_id, error_for(msg_id, wrong))
        else:
            self._send_response(msg_id, future.result())

    def _check_handler_result(self, future: Any) -> None:
        """A notification has no answer; pygls would show the exception's text to the user."""
        wrong = None if future.cancelled() else future.exception()
        if wrong is not None and not isinstance(wrong, RoorouteError):
            note(wrong)

    def _send_response(self, msg_id: str | int, result: Any = None, error: types.ResponseError | None = None) -> None:
        if error is not None:
            self._fail(msg_id, error_message(msg_id, error.code, told(error.code), "protocol"))
            return
        try:
            body = encode({"jsonrpc": "2.0", "id": msg_id, "result": result})
        except Exception as wrong:  # noqa: BLE001 - every request is answered
            self._fail(msg_id, error_for(msg_id, wrong))
            return
        self._in_flight.discard(msg_id)
        self.outgoing.write(frame(body))

    def _fail(self, msg_id: str | int, error: Json) -> None:
        self._in_flight.discard(msg_id)
        try:
            self.send(error)
        except Exception as wrong:  # noqa: BLE001 - every request is answered, also where the error's data cannot be spelt
            self.send(error_for(msg_id, wrong))

    def send(self, message: Json) -> None:
        """One message, from a plain dict."""
        self.outgoing.write(frame(encode(message)))

    def notify(self, method: str, params: Any | None = None) -> None:
        """A notification, from a plain dict."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})


def serve(make_application: MakeApplication, *, watch_parent: WatchParent | None = None) -> int:
    """Serve one client over this process's standard streams; gives the exit code.

    ``make_application`` is called once the client has said ``initialized``, with the client's own secret storage if it offers one; what
    it needs should be imported inside it. ``watch_parent(pid, gone)`` calls ``gone``, from any thread, when that process has died.
    """
    incoming, outgoing = seal_standard_streams()
    # pygls quotes the client: bodies at INFO, unknown methods at WARNING, params at ERROR; Server tells its errors by their place.
    logging.getLogger("pygls").setLevel(logging.CRITICAL)
    keep_quiet()
    server = Server("rooroute", VERSION, protocol_cls=Protocol, converter_factory=Converter, max_workers=1)
    for name in COMMANDS:
        server.command(name)(_unused)
    protocol: Protocol = server.protocol  # type: ignore[assignment]

    async def run() -> int:
        protocol.session = Session(protocol, make_application, watch_parent)
        return await protocol.session.run(incoming, outgoing)

    return asyncio.run(run())


def _unused() -> None:
    """Registered so that pygls advertises a command; Protocol runs it."""
