"""The command line: what each word means and which function answers it. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rooroute.version import VERSION


def run(arguments: Sequence[str]) -> int:
    """Run one command; gives the exit code."""
    parser = argparse.ArgumentParser(prog="rooroute", description="Language model requests that simply get answered.")
    parser.add_argument("--version", action="version", version=f"rooroute {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serving = commands.add_parser("serve", help="speak JSON-RPC on standard input and output, for an editor")
    serving.add_argument("--config", metavar="PATH", help="another configuration file")
    demo = commands.add_parser("demo", help="watch a request get past a rate-limited and an overloaded profile")
    demo.add_argument("--fast", action="store_true", help="in about a second")
    demo.add_argument("--json", action="store_true", help="the checked summary as JSON")
    chosen = parser.parse_args(arguments)
    return {"serve": serve, "demo": demonstrate}[chosen.command](chosen)


def serve(chosen: argparse.Namespace) -> int:
    """``rooroute serve``."""
    import os

    from rooroute.adapters import machine
    from rooroute.compose import make_backend, places
    from rooroute.rpc.server import serve as serve_client

    machine.harden()
    where = places(chosen.config)
    return serve_client(lambda client: make_backend(where, os.environ, client), watch_parent=machine.watch_parent)


def demonstrate(chosen: argparse.Namespace) -> int:
    """``rooroute demo``."""
    import asyncio

    from rooroute.demo import run as run_demo

    return asyncio.run(run_demo(chosen.fast, chosen.json))
