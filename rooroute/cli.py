"""The command line's door: finds the function that answers a command, gives it the clock and the terminal, and lets no traceback out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from rooroute.errors import RoorouteError

if TYPE_CHECKING:
    import argparse

    from rooroute.adapters.logs import Logs
    from rooroute.application import Backend
    from rooroute.commands.call import Call
    from rooroute.rpc.reverse import ClientSecrets


_ANSWERED_FIRST: Final = 0.05  # seconds
_AS_EDITORS_START_IT: Final = (["serve"], ["serve", "--stdio"])


def run(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit code."""
    words = [*arguments[1:], "--help"] if arguments[:1] == ["help"] else list(arguments)
    if words in _AS_EDITORS_START_IT:  # an editor waits for it: no grammar is needed to understand that
        return _serve(None, os.environ)
    from rooroute.commands.grammar import grammar

    try:
        chosen = grammar(serve_alone=words[:1] == ["serve"]).parse_args(words)
    except SystemExit as answered:
        return _flushed(answered.code if isinstance(answered.code, int) else 1)
    module, _, name = chosen.handler.partition(":")
    if module == __name__:
        own: Callable[[argparse.Namespace], int] = globals()[name]
        return own(chosen)
    return _answer(module, name, chosen)


def serve(chosen: argparse.Namespace) -> int:
    """``rooroute serve`` with options."""
    try:
        environment = _environment(chosen)
    except RoorouteError as wrong:
        sys.stderr.write(f"rooroute: {wrong.message}\n")
        return 1
    return _serve(chosen.config, environment)


def _serve(config: str | None, environment: Mapping[str, str]) -> int:
    """What the house needs is imported once ``initialize`` has been answered: an editor waits for that."""
    from rooroute.rpc.server import serve as serve_client

    opened: list[Logs] = []

    async def open_house(client: ClientSecrets | None) -> Backend:
        from rooroute.adapters import logs, machine
        from rooroute.compose import make_backend, places

        machine.harden()
        where = places(config)
        opened.append(logs.start(folder=where.logs))
        return await make_backend(where, environment, client, opened[0].redactor.register)

    code = serve_client(open_house, watch_parent=_watch_parent)
    for log in opened:
        log.close()
    return code


def _watch_parent(process_id: int, gone: Callable[[], None]) -> None:
    """Begin to watch as soon as ``initialize`` is answered."""
    import asyncio

    def begin() -> None:
        from rooroute.adapters import machine

        machine.watch_parent(process_id, gone)

    asyncio.get_running_loop().call_later(_ANSWERED_FIRST, begin)


def demonstrate(chosen: argparse.Namespace) -> int:
    """``rooroute demo``."""
    import asyncio

    from rooroute.demo import run as run_demo

    return asyncio.run(run_demo(chosen.fast, chosen.json))


def _answer(module: str, name: str, chosen: argparse.Namespace) -> int:
    """Every other command. What goes wrong becomes one sentence on standard error, and with ``--json`` an object on standard output."""
    import logging
    import time

    from rooroute.adapters import machine
    from rooroute.commands.call import INTERRUPTED, Call
    from rooroute.commands.terminal import Terminal
    from rooroute.compose import places

    machine.harden()
    logging.getLogger().addHandler(logging.NullHandler())  # else asyncio's complaints would come out as tracebacks
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    terminal = Terminal(sys.stdin, sys.stdout, sys.stderr, os.environ)
    call = Call(chosen, terminal, places(chosen.config), os.environ, time.time)
    try:
        call = replace(call, environment=_environment(chosen))
        handler: Callable[[Call], int] = getattr(import_module(module), name)
        return _flushed(handler(call))
    except BrokenPipeError:
        return _nobody_reads()
    except (KeyboardInterrupt, EOFError):
        terminal.remark("Cancelled.")
        return INTERRUPTED
    except RoorouteError as wrong:
        return _sorry(call, wrong)
    except Exception as wrong:  # noqa: BLE001 - no traceback is ever shown to a user; it goes to the log
        return _puzzled(call, wrong)


def _environment(chosen: argparse.Namespace) -> Mapping[str, str]:
    """The environment, with what ``--env-file`` adds to it."""
    if chosen.env_file is None:
        return os.environ
    from pathlib import Path

    from rooroute.adapters import env_file

    return {**env_file.read(Path(chosen.env_file).expanduser()), **os.environ}


def _sorry(call: Call, wrong: RoorouteError) -> int:
    from rooroute.commands.failing import report

    try:
        return report(call, wrong)
    except BrokenPipeError:
        return _nobody_reads()


def _puzzled(call: Call, wrong: Exception) -> int:
    """A fault of rooroute's own. Its text may quote anything, so only its name is shown."""
    import io
    import logging

    from rooroute.adapters import logs

    log = logs.start(folder=call.places.logs, stderr=io.StringIO())
    logging.getLogger("rooroute").error("A command failed.", exc_info=wrong)
    log.close()
    where = f"; its log is {log.path}" if log.path else ""
    call.terminal.remark(f"rooroute: something unexpected happened inside rooroute ({type(wrong).__name__}){where}.")
    return 1


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _nobody_reads()
    return code


def _nobody_reads() -> int:
    """Whoever read our output has gone, as ``head`` does; the interpreter must not complain when it flushes at its end.

    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
