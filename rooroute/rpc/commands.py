"""The actions a client without custom methods can run, by ``workspace/executeCommand``.

Their names differ from the editor extension's own on purpose: vscode-languageclient registers every command that a server advertises,
and a name can be registered once only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rooroute.errors import InvalidInput

Arguments = list[Any]


@dataclass(frozen=True, slots=True)
class Command:
    """``params`` turns positional arguments into the params of ``method``."""

    method: str
    params: Callable[[Arguments], dict[str, Any]]
    usage: str


def _none(_: Arguments) -> dict[str, Any]:
    return {}


def _pool(arguments: Arguments) -> dict[str, Any]:
    return {"pool": arguments[0]} if arguments else {}


def _profile(arguments: Arguments) -> dict[str, Any]:
    if not arguments:
        raise InvalidInput("arguments is empty; give the profile's id as the first one.", field="arguments")
    return {"id": arguments[0]}


def _switched(enabled: bool) -> Callable[[Arguments], dict[str, Any]]:
    return lambda arguments: {**_profile(arguments), "enabled": enabled}


COMMANDS: Final[Mapping[str, Command]] = {
    "rooroute.server.rotateNow": Command("rooroute/rotate", _pool, "[pool?]"),
    "rooroute.server.status": Command("rooroute/status", _none, "[]"),
    "rooroute.server.reset": Command("rooroute/profiles/reset", _profile, "[profileId]"),
    "rooroute.server.enable": Command("rooroute/profiles/setEnabled", _switched(True), "[profileId]"),
    "rooroute.server.disable": Command("rooroute/profiles/setEnabled", _switched(False), "[profileId]"),
    "rooroute.server.test": Command("rooroute/profiles/test", _profile, "[profileId]"),
}
