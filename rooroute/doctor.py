"""``rooroute doctor``: looks at everything a request would need and names cause and remedy of whatever is wrong.

It sends nothing but one list of models per profile, and changes nothing. Clocks, keyring and network arrive as
arguments.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rooroute.checkup import Finding, Network, Visit, call_on, of_sentence
from rooroute.profile_checks import check_profile
from rooroute.profiles import Configuration, Problem
from rooroute.providers.table import check

SKEW: Final = 60.0
"""Seconds by which a clock may differ before it is called wrong."""
SILENT: Final = 60.0
"""Seconds without a heartbeat after which a server is called stuck; it shows one every ten or so."""


class KeyringStatus(Protocol):
    """What trying the keyring came to; ``problem`` is "what is wrong; what to do", None when all is well."""

    @property
    def store_name(self) -> str: ...

    @property
    def problem(self) -> str | None: ...


class Window(Protocol):
    """One running server, as the state store knows it. Times are UTC epoch seconds; ``identity`` begins with its
    process number."""

    @property
    def identity(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def heartbeat(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the doctor may look at. ``now`` gives UTC epoch seconds, ``version`` is this rooroute's."""

    configuration: Configuration
    keyring: Callable[[], Awaitable[KeyringStatus]]
    network: Network
    windows: Callable[[], Awaitable[Sequence[Window]]]
    now: Callable[[], float]
    version: str
    state_problems: Sequence[Problem] = ()


async def examine(around: Surroundings) -> list[Finding]:
    """Everything looked at, in an order a person would mend it in; a check that itself fails is a finding too."""
    findings = [*_configuration(around), await _keyring(around), *_state(around), *await _windows(around)]
    profiles = [profile for profile in around.configuration.profiles.values() if profile.enabled]
    visits = await asyncio.gather(*(call_on(around.network, profile, around.now) for profile in profiles))
    findings += _clock(visits)
    return findings + [finding for visit in visits for finding in visit.findings]


def _configuration(around: Surroundings) -> Iterator[Finding]:
    configuration = around.configuration
    problems = list(configuration.problems)
    seen = {(problem.profile_id, problem.message) for problem in problems}
    for profile in configuration.profiles.values():
        found = (*check_profile(profile), *check(profile))
        problems += [problem for problem in found if (problem.profile_id, problem.message) not in seen]
    for problem in problems:
        place = f"line {problem.line}" if problem.line else problem.field or ""
        where = ", ".join(part for part in (problem.profile_id, place) if part and f"{part}:" not in problem.message)
        cause = f"{problem.message.rstrip('.')}{f' ({where})' if where else ''}."
        yield Finding("configuration", False, cause, problem.remedy or "Mend the configuration file there.")
    if not problems and not configuration.profiles:
        yield Finding("configuration", False, "There is no profile yet.", "Add one: rooroute profiles add.")
    elif not problems:
        yield Finding("configuration", True, f"{len(configuration.profiles)} profiles, nothing wrong with any.")


async def _keyring(around: Surroundings) -> Finding:
    status = await around.keyring()
    if status.problem is None:
        return Finding("keyring", True, f"Keys are kept in: {status.store_name}.")
    return of_sentence("keyring", status.problem)


def _state(around: Surroundings) -> Iterator[Finding]:
    for problem in around.state_problems:
        yield Finding("state", False, problem.message, problem.remedy or "")


async def _windows(around: Surroundings) -> list[Finding]:
    findings = []
    windows = await around.windows()
    for window in windows:
        process = window.identity.partition(":")[0]
        silent = around.now() - window.heartbeat
        if window.version != around.version:
            cause = f"The server in process {process} is rooroute {window.version}, this is {around.version}."
            findings.append(Finding("server", False, cause, "Reload its editor window, so that it starts the new one."))
        elif silent > SILENT:
            cause = f"The server in process {process} has shown no sign of life for {_span(silent)}."
            findings.append(Finding("server", False, cause, f"Reload its editor window, or end process {process}."))
    well = (
        f"{len(windows)} running, each of this version and alive." if windows else "None is running, and none is stuck."
    )
    return findings or [Finding("server", True, well)]


def _clock(visits: Sequence[Visit]) -> list[Finding]:
    """Servers outvote one of them whose own clock is wrong: the middle one counts."""
    told = sorted(visit.skew for visit in visits if visit.skew is not None)
    if not told:
        return []
    skew = told[len(told) // 2]
    if abs(skew) <= SKEW:
        return [Finding("clock", True, f"This machine's clock is within {SKEW:g} seconds of the providers'.")]
    cause = f"This machine's clock is {_span(abs(skew))} {'behind' if skew > 0 else 'ahead of'} the providers'."
    return [Finding("clock", False, cause, "Let the system set its clock from the network (NTP).")]


def _span(seconds: float) -> str:
    units = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
    name, size = next((unit for unit in units if seconds >= 2 * unit[1]), units[-1])
    return f"{seconds / size:.0f} {name}"
