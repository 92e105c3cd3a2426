"""One process's life with one client: reading, loading what the methods need, serving them, and ending in time.

``initialize`` is answered before anything heavy is imported; what the methods need is loaded right after ``initialized``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import chain
from os import _exit as leave_at_once
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from rooroute.rpc.envelope import Call, Refused, Reply, envelope, parse
from rooroute.rpc.failures import UnknownMethod, note
from rooroute.rpc.framing import Frames
from rooroute.rpc.progress import ProgressSink, StatusFeed, progress_frame
from rooroute.rpc.reverse import ClientSecrets, Questions
from rooroute.rpc.stdio import Outgoing, open_input, open_output
from rooroute.version import PROTOCOL_VERSION

if TYPE_CHECKING:
    from rooroute.attempt import Sink
    from rooroute.rpc.methods import Application

Json: TypeAlias = dict[str, Any]
MakeApplication: TypeAlias = Callable[[ClientSecrets | None], Awaitable["Application"]]
WatchParent: TypeAlias = Callable[[int, Callable[[], None]], object]

_BIG_BODY: Final = 256 * 1024
_MANY: Final = 500
_MOST_UNREAD: Final = 32 * 1024 * 1024
_CLOSING_SECONDS: Final = 1.2
_LAST_SECONDS: Final = 1.7

log = logging.getLogger(__name__)


class Connection(Protocol):
    """What a session needs of the protocol it runs."""

    outgoing: Outgoing

    @property
    def exit_code(self) -> int: ...

    def receive(self, message: Call | Reply | Refused) -> None: ...

    def notify(self, method: str, params: Any | None = None) -> None: ...

    def send(self, message: Json) -> None: ...

    def cancel_everything(self) -> list[asyncio.Future[Any]]: ...


class _Context:
    """What one handler may ask of its connection."""

    def __init__(self, out: Outgoing) -> None:
        self._out = out
        self._sinks: list[ProgressSink] = []

    def new_request_id(self) -> str:
        return secrets.token_hex(8)

    def sink(self, token: str | int | None, request_id: str) -> Sink:
        if token is None:
            from rooroute.attempt import Silence

            return Silence()
        self._sinks.append(ProgressSink(token, request_id, self._out))
        return self._sinks[-1]

    def progress(self, token: str | int | None, value: Json) -> None:
        if token is not None:
            self._out.write(progress_frame(token, value))

    def finish(self) -> None:
        for sink in self._sinks:
            sink.finish()


class Session:
    """One process's life with one client."""

    def __init__(
        self, protocol: Connection, make_application: MakeApplication, watch_parent: WatchParent | None
    ) -> None:
        self._protocol = protocol
        self._make_application = make_application
        self._watch_parent = watch_parent
        self._loop = asyncio.get_running_loop()
        self._frames = Frames()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._opening: asyncio.Task[Application] | None = None
        self._secrets: ClientSecrets | None = None
        self.questions = Questions(protocol.send)

    async def run(self, incoming: int, outgoing: int) -> int:
        """Serve until the end; gives the exit code."""
        protocol = self._protocol
        protocol.outgoing = open_output(outgoing, lambda: self.end(1))
        self._feed = StatusFeed(protocol.outgoing, partial(protocol.notify, "rooroute/statusChanged"))
        self._loop.set_exception_handler(_unforeseen)
        self._mind_signals()
        await open_input(incoming, self._take)
        code = await self._ended
        _leave_after(_LAST_SECONDS, code)
        await self._close()
        return code

    def end(self, code: int) -> None:
        """The process ends with this code; the first one counts."""
        if not self._ended.done():
            self._ended.set_result(code)

    def _mind_signals(self) -> None:
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and sys.platform != "win32":
                self._loop.add_signal_handler(number, self.end, 128 + number)

    def _take(self, data: bytes) -> Awaitable[None] | None:
        """Serve what has come, at once but for what takes its time: that is given back, to be waited for."""
        if not data:
            self.end(self._protocol.exit_code)
            return None
        pieces = iter(self._frames.feed(data))
        for piece in pieces:
            if not isinstance(piece, Refused) and len(piece) > _BIG_BODY:
                return self._take_slowly(chain((piece,), pieces))
            self._serve(piece)
        return self._protocol.outgoing.room() if self._protocol.outgoing.waiting > _MOST_UNREAD else None

    async def _take_slowly(self, pieces: Iterable[bytes | Refused]) -> None:
        """Big bodies are parsed in a thread, with a Python call at each object so that the loop gets its turns."""
        for piece in pieces:
            if isinstance(piece, Refused) or len(piece) <= _BIG_BODY:
                self._serve(piece)
            else:
                parsed = await asyncio.to_thread(parse, piece, _same)
                self._receive(envelope(parsed))
        if self._protocol.outgoing.waiting > _MOST_UNREAD:
            await self._protocol.outgoing.room()

    def _serve(self, piece: bytes | Refused) -> None:
        self._receive(piece if isinstance(piece, Refused) else envelope(parse(piece)))

    def _receive(self, message: Call | Reply | Refused) -> None:
        if self._ended.done():
            return
        try:
            self._protocol.receive(message)
        except Exception as wrong:  # noqa: BLE001 - nothing may keep the process from ending
            note(wrong)
            self.end(1)
        if isinstance(message, Refused) and message.fatal:
            self.end(1)

    def greet(self, process_id: int | None, options: Any) -> Json:
        """What ``initialize`` says of rooroute: whether both sides speak the same protocol."""
        if process_id is not None and process_id > 0 and self._watch_parent is not None:
            self._watch_parent(process_id, self._parent_gone)
        asked = options.get("rooroute") if isinstance(options, dict) else None
        asked = asked if isinstance(asked, dict) else {}
        if asked.get("secrets") is True:
            self._secrets = ClientSecrets(self.questions)
        wanted = asked.get("protocolVersion")
        answer: Json = {"protocolVersion": PROTOCOL_VERSION, "compatible": True}
        if isinstance(wanted, str) and wanted.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
            answer["compatible"] = False
            answer["message"] = (
                f"This rooroute speaks protocol {PROTOCOL_VERSION}, the editor's extension another major version; "
                "update the older one of the two."
            )
        return answer

    def _parent_gone(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(self.end, 1)

    def open(self) -> asyncio.Task[Application]:
        """Begin to load what the methods need; tried again by the next request after a failure."""
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = self._opening = asyncio.create_task(self._load())
            opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return opening

    async def _load(self) -> Application:
        await asyncio.to_thread(_import_methods)
        application = await self._make_application(self._secrets)
        application.listen(self._feed.changed)
        return application

    async def serve_method(self, name: str, params: Any) -> Any:
        """Answer one request for a method of ours."""
        application = await asyncio.shield(self.open())
        from rooroute.rpc.methods import METHODS
        from rooroute.rpc.validation import validated

        method = METHODS.get(name)
        if method is None:
            raise UnknownMethod
        context = _Context(self._protocol.outgoing)
        try:
            if _long(params):
                wanted = await asyncio.to_thread(validated, method.params, params)
            else:
                wanted = validated(method.params, params)
            return await method.handle(application, wanted, context)
        finally:
            context.finish()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                running = self._protocol.cancel_everything()
                await asyncio.gather(*running, return_exceptions=True)
                await self._close_application()
                await self._protocol.outgoing.room()
        except TimeoutError:
            log.warning("not everything had ended in time")
        except Exception as wrong:  # noqa: BLE001 - nothing may keep the process from ending
            note(wrong)
        self._protocol.outgoing.close()

    async def _close_application(self) -> None:
        opening = self._opening
        if opening is None:
            return
        opening.cancel()  # one that is done is not changed by that
        await asyncio.wait([opening])
        if not opening.cancelled() and opening.exception() is None:
            await opening.result().close()


def _import_methods() -> None:
    import rooroute.rpc.methods
    import rooroute.rpc.validation  # noqa: F401


def _long(params: Any) -> bool:
    """Whether reading these params would keep the loop; it is the number of things that counts, not their length."""
    return isinstance(params, dict) and any(isinstance(v, list) and len(v) > _MANY for v in params.values())


def _same(value: Json) -> Json:
    return value


def _unforeseen(_: asyncio.AbstractEventLoop, context: Json) -> None:
    wrong = context.get("exception")
    if isinstance(wrong, BaseException):
        note(wrong)
    else:
        log.error("the event loop reports: %s", context.get("message", "something unforeseen"))


def _leave_after(seconds: float, code: int) -> None:
    """Whatever hangs, be it a thread that joins another, the process is gone by then."""
    timer = threading.Timer(seconds, leave_at_once, (code,))
    timer.daemon = True
    timer.start()


def keep_quiet() -> None:
    """No traceback and no message text reaches stderr, whoever fails."""

    def note_failure(wrong: BaseException | None) -> None:
        if wrong is not None:
            note(wrong)

    sys.excepthook = lambda _, wrong, __: note_failure(wrong)
    threading.excepthook = lambda failed: note_failure(failed.exc_value)
    sys.unraisablehook = lambda failed: note_failure(failed.exc_value)
