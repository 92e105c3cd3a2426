"""``rooroute demo``: a real ``rooroute serve``, a scripted provider, and everything shown is checked.

Nothing of the user's is touched: the child lives in a temporary HOME, its configuration and state lie there, secrets
stay in its memory.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from json import dumps
from pathlib import Path
from typing import Any, Final, TextIO

from rooroute.demo_client import Backend, BackendGone, Json, RemoteError
from rooroute.demo_screen import Row, Screen
from rooroute.scripted_provider import Answer, Fail, ScriptedProvider
from rooroute.version import PROTOCOL_VERSION

POOL: Final = "demo"
KEYS: Final[Mapping[str, str]] = {
    "Gemini1": "demo-key-gemini-1",
    "Gemini2": "demo-key-gemini-2",
    "default": "demo-key-default",
}
LIMIT: Final = 40.0
"""Seconds after which the demo gives up, whatever is going on."""

LONGEST_REST: Final = 10.0
"""Seconds of cooldown that the demo is ready to watch."""

_NAMES: Final[Mapping[str, str]] = {key: name for name, key in KEYS.items()}
_VERDICTS: Final[Mapping[str, str]] = {
    "ok": "answered",
    "rateLimit": "rate limited",
    "overload": "overloaded",
    "credential": "key rejected",
}
_EXHAUSTED: Final = "Resource has been exhausted (e.g. check quota)."
_FIRST: Final = (
    "Two of your keys could not answer, and you did not have to notice: this text came from the third, word by word."
)
_SECOND: Final = "The keys that rest are left in peace; the profile that worked last answers at once."
_BACK: Final = "Gemini1 has rested, was tried once, and answers again."
_ROTATED: Final = "You asked for another profile, and here it is; Gemini2 was skipped, it still rests."
_RESCUED: Final = "The rejected key is out of the rotation; your request was answered all the same."


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long Gemini1 rests, between words, and how long a picture stands still."""

    rest: float
    word: float
    pause: float


UNHURRIED: Final = Pace(rest=4.0, word=0.05, pause=0.7)
FAST: Final = Pace(rest=0.5, word=0.002, pause=0.0)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was shown, and whether it happened."""

    name: str
    ok: bool
    seen: str = ""


@dataclass
class Story:
    """The scenes. Each shows something and checks it; ``checks`` is what the summary counts."""

    provider: ScriptedProvider
    backend: Backend
    screen: Screen
    pace: Pace
    home: Path
    checks: list[Check] = field(default_factory=list)

    def check(self, name: str, ok: bool, seen: object = "") -> None:
        """Writes down whether ``name`` is true; ``seen`` is shown when it is not."""
        self.checks.append(Check(name, ok, "" if ok else str(seen)))

    async def scenes(self) -> None:
        """All of them, in order."""
        await self.settle_in()
        await self.fall_over()
        await self.rotate_with_nowhere_to_go()
        await self.leave_the_resting_alone()
        await self.watch_the_countdown()
        await self.come_back()
        await self.rotate_now()
        await self.lose_a_key()
        await self.say_goodbye()

    async def settle_in(self) -> None:
        """Initialize, save three profiles and a pool."""
        options = {"rooroute": {"protocolVersion": PROTOCOL_VERSION, "client": "rooroute demo"}}
        params = {"processId": os.getpid(), "rootUri": None, "capabilities": {}, "initializationOptions": options}
        answer = await self.backend.request("initialize", params)
        self.backend.notify("initialized")
        self.check("rooroute serve introduces itself", answer["serverInfo"]["name"] == "rooroute", answer)
        self.screen.title("Three profiles, saved into a pool")
        models = {"Gemini1": "gemini-2.5-pro", "Gemini2": "gemini-2.5-flash", "default": "scripted-model"}
        for name, key in KEYS.items():
            dialect = "openai" if name == "default" else "gemini"
            profile = {
                "id": name,
                "provider": "openai-compatible" if name == "default" else "gemini",
                "model": models[name],
                "baseUrl": self.provider.base_url("openai" if name == "default" else "gemini"),
            }
            await self.backend.request("rooroute/profiles/save", {"profile": profile, "apiKey": key})
            self.screen.line(f"   {name:<8}  {models[name]} ({dialect} dialect)")
        await self.backend.request("rooroute/pools/save", {"pool": {"id": POOL, "profiles": list(KEYS)}})
        status = await self.status()
        self.check("all three are Active", states(status) == ["active"] * 3, states(status))
        self.check(
            "secrets stay in memory, no keyring is touched", status["secretStore"] == "session", status["secretStore"]
        )

    async def fall_over(self) -> None:
        """Past a 429 and a 503 to the profile that answers."""
        limit = Fail("rate-limit", retry_delay=self.pace.rest, lasts=self.pace.rest, message=_EXHAUSTED)
        self.script("Gemini1", limit, self.saying(_BACK))
        self.script("Gemini2", Fail("overloaded"))
        self.script("default", self.saying(_FIRST), self.saying(_SECOND), self.saying(_ROTATED))
        self.screen.title("A request: Gemini1 is rate limited, Gemini2 overloaded, default answers")
        result, pieces = await self.ask("Why should I save three profiles?", "one")
        self.check("the answer arrived whole", "".join(pieces) == _FIRST, "".join(pieces))
        self.check("it arrived as a stream", len(pieces) > 1, f"in {len(pieces)} piece")
        verdicts = [(a["profileId"], a["verdict"], a.get("httpStatus")) for a in result["attempts"]]
        wanted = [("Gemini1", "rateLimit", 429), ("Gemini2", "overload", 503), ("default", "ok", 200)]
        good = [v[:2] for v in verdicts] == [w[:2] for w in wanted] and [v[2] for v in verdicts[:2]] == [429, 503]
        self.check("the attempts tell why: 429, 503, answered", good, verdicts)
        self.check("the provider saw the keys in that order", self.asked() == list(KEYS), self.asked())
        status = await self.status()
        self.check(
            "Gemini1 and Gemini2 rest, default is Active",
            states(status) == ["cooldown", "cooldown", "active"],
            states(status),
        )
        left = rows_of(status)[0].left or 0.0
        self.check("Gemini1 rests for the time Google named", 0 < left <= self.pace.rest * 1.05 + 0.1, f"{left:.2f} s")
        self.screen.line()
        self.screen.table(rows_of(status), last=True)

    async def rotate_with_nowhere_to_go(self) -> None:
        """Rotate now while everybody else rests says so, and until when."""
        self.screen.title("Rotate now, while the others rest")
        try:
            moved = await self.backend.request("rooroute/rotate", {"pool": POOL})
            self.check("rotating with nowhere to go says so", False, moved)
        except RemoteError as said:
            self.screen.line(f"   {said}")
            self.check("rotating with nowhere to go says until when", bool(said.data.get("retryAt")), said.data)

    async def leave_the_resting_alone(self) -> None:
        """The next request goes straight to the profile that works."""
        self.screen.title("The next request does not ask those who rest")
        before = len(self.asked())
        result, pieces = await self.ask("And the next one?", "one")
        self.check(
            "the last working profile answers at once",
            result["profileId"] == "default" and len(result["attempts"]) == 1,
            result,
        )
        self.check("nobody at rest was asked", self.asked()[before:] == ["default"], self.asked()[before:])
        self.check("its answer arrived whole", "".join(pieces) == _SECOND, "".join(pieces))

    async def watch_the_countdown(self) -> None:
        """The status table, alive, until Gemini1 may be asked again."""
        self.screen.title("Gemini1's cooldown runs down")
        loop = asyncio.get_running_loop()
        status = await self.status()
        rows, since = rows_of(status), loop.time()
        first = rows[0].left or 0.0
        if first > LONGEST_REST:
            self.check("the countdown reached its end", False, f"it is {first:.0f} s away")
            return
        while (left := first - (loop.time() - since)) > 0:
            self.screen.table([aged(row, loop.time() - since) for row in rows])
            await asyncio.sleep(min(0.1, left))
        await asyncio.sleep(0.02)
        status = await self.status()
        row = rows_of(status)[0]
        self.screen.table(rows_of(status), last=True)
        self.check("the countdown reached its end", row.state == "active" or not (row.left and row.left > 0), row)

    async def come_back(self) -> None:
        """A new conversation begins with the first profile again."""
        self.screen.title("A new conversation: Gemini1 again")
        result, pieces = await self.ask("Is Gemini1 back?", "two")
        self.check("Gemini1 answers after its cooldown", result["profileId"] == "Gemini1", result)
        self.check("its text came from Gemini1", "".join(pieces) == _BACK, "".join(pieces))
        status = await self.status()
        self.screen.line()
        self.screen.table(rows_of(status), last=True)
        self.check("Gemini1 is Active again", states(status)[0] == "active", states(status))

    async def rotate_now(self) -> None:
        """By hand to the next that can serve; Gemini2 still rests and is skipped."""
        self.screen.title("Rotate now")
        moved = await self.backend.request("rooroute/rotate", {"pool": POOL})
        self.screen.line(f"   {moved['from']} → {moved['to']}")
        self.check("rotating skips Gemini2, which still rests", moved["to"] == "default", moved)
        result, pieces = await self.ask("Who answers now?", "two")
        self.check("the next request uses the new profile", result["profileId"] == "default", result)
        self.check("its text came from default", "".join(pieces) == _ROTATED, "".join(pieces))

    async def lose_a_key(self) -> None:
        """A rejected key fails for good, the request is answered by somebody else."""
        self.script("default", Fail("invalid-key"))
        self.script("Gemini1", self.saying(_RESCUED))
        self.screen.title("default's key is revoked")
        result, pieces = await self.ask("Are you still there?", "two")
        self.check(
            "the request was answered by Gemini1",
            result["profileId"] == "Gemini1" and "".join(pieces) == _RESCUED,
            result,
        )
        verdicts = {(a["profileId"], a["verdict"]) for a in result["attempts"]}
        self.check("the attempts name the rejected key", ("default", "credential") in verdicts, verdicts)
        status = await self.status()
        row = rows_of(status)[2]
        self.screen.line()
        self.screen.table(rows_of(status), last=True)
        self.check("default is Failed and names its remedy", row.state == "failed" and bool(row.remedy), row)

    async def say_goodbye(self) -> None:
        """Shut the child down and look for keys where none may be."""
        pushed = {(row["id"], row["state"]) for change in self.backend.changes for row in change["profiles"]}
        wanted = {("Gemini1", "cooldown"), ("Gemini1", "active"), ("Gemini2", "cooldown"), ("default", "failed")}
        self.check("every change of state was pushed", wanted <= pushed, f"{sorted(wanted - pushed)} were not")
        code = await self.backend.stop()
        self.check("rooroute serve ended cleanly", code == 0, f"exit code {code}")
        written = [path for path in self.home.rglob("*") if path.is_file()]
        leaks = [str(path) for path in written if any(key.encode() in path.read_bytes() for key in KEYS.values())]
        self.check("no key was written to any file", not leaks, leaks)
        self.check(
            "no key was written to the log",
            not any(key.encode() in self.backend.stderr for key in KEYS.values()),
            "stderr",
        )

    async def ask(self, question: str, session: str) -> tuple[Json, list[str]]:
        """One streamed request, shown as it goes: its result and the pieces of text in order of arrival."""
        pieces: list[str] = []
        self.screen.line(f"   » {question}")

        def show(value: Json) -> None:
            if value["kind"] == "text":
                pieces.append(value["text"])
                self.screen.say(value["text"])
            elif value["kind"] == "attempt":
                self.screen.line(self.screen.paint(f"   → {value['profileId']}", "grey"))

        params = {"pool": POOL, "session": session, "messages": [{"role": "user", "content": question}]}
        result: Json = await self.backend.complete(params, show)
        for attempt in result["attempts"]:
            good, verdict = attempt["verdict"] == "ok", _VERDICTS.get(attempt["verdict"], attempt["verdict"])
            status = attempt.get("httpStatus")
            words = verdict if good or status is None else f"{verdict} (HTTP {status})"
            self.screen.attempt(attempt["n"], attempt["profileId"], good, words)
        await asyncio.sleep(self.pace.pause)
        return result, pieces

    async def status(self) -> Json:
        """``rooroute/status``, with the profiles in the pool's order."""
        status: Json = await self.backend.request("rooroute/status")
        by_id = {profile["id"]: profile for profile in status["profiles"]}
        return status | {"profiles": [by_id[name] for name in KEYS]}

    def script(self, name: str, *steps: Answer | Fail) -> None:
        """What the provider does for a profile from now on."""
        self.provider.script(KEYS[name], *steps)

    def saying(self, text: str) -> Answer:
        """An answer at the demo's pace."""
        return Answer(text, delay=self.pace.word)

    def asked(self) -> list[str]:
        """Whom the provider was asked by, in order."""
        return [_NAMES.get(request.key, request.key) for request in self.provider.requests if request.method == "POST"]


def seconds_between(now: str, until: str) -> float:
    """Seconds from one RFC 3339 time to another."""
    return (datetime.fromisoformat(until) - datetime.fromisoformat(now)).total_seconds()


def rows_of(status: Json) -> list[Row]:
    """The table's rows of a status answer."""
    return [
        Row(
            profile.get("name") or profile["id"],
            profile["state"],
            seconds_between(status["now"], profile["until"]) if profile.get("until") else None,
            profile.get("reason") or "",
            profile.get("remedy") or "",
        )
        for profile in status["profiles"]
    ]


def states(status: Json) -> list[str]:
    """The profiles' states in the pool's order."""
    return [profile["state"] for profile in status["profiles"]]


def aged(row: Row, seconds: float) -> Row:
    """A row ``seconds`` later."""
    return Row(row.name, row.state, row.left - seconds if row.left is not None else None, row.reason, row.remedy)


def child_environment(home: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The user's environment without anything of the user's: no home, no keyring, no proxy, no configuration."""
    kept = {
        name: text
        for name, text in environment.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("XDG_", "DBUS_", "ROOROUTE_", "PYTHON_KEYRING"))
    }
    homes = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "STATE", "DATA", "CACHE")}
    return kept | homes | {"HOME": str(home), "ROOROUTE_SECRET_STORE": "session"}


async def tell(story: Story) -> None:
    """Runs the scenes; whatever ends them early becomes a failed check."""
    try:
        async with asyncio.timeout(LIMIT):
            await story.scenes()
    except RemoteError as said:
        story.check("every request was answered", False, f"{said} (code {said.code})")
    except BackendGone:
        story.check("rooroute serve stayed alive", False, story.backend.stderr[-2000:].decode(errors="replace"))
    except TimeoutError:
        story.check("everything came in time", False, "an answer did not come in time")
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        story.check("the answers have the protocol's shape", False, repr(wrong))


def sum_up(screen: Screen, checks: Sequence[Check], seconds: float) -> None:
    """The last lines: what did not happen, and how many of the things shown did."""
    screen.title("Checked")
    for check in checks:
        if not check.ok:
            screen.line(f"   {screen.paint('✗', 'red')} {check.name}: {check.seen}")
    good = sum(check.ok for check in checks)
    words = f"{good} of {len(checks)} things shown here were checked and happened, in {seconds:.1f} s."
    screen.line(f"   {screen.paint('✓', 'green') if good == len(checks) else screen.paint('✗', 'red')} {words}")


async def run(fast: bool, json: bool, out: TextIO | None = None, command: Sequence[str] | None = None) -> int:
    """The demo. ``fast`` is a second's version, ``json`` prints one JSON document in place of the show.

    Returns 0 when everything shown happened, else 1. ``out`` (standard output) and ``command`` (this Python's
    ``rooroute serve``) are for tests.
    """
    sink = out or sys.stdout
    screen, pace = Screen(io.StringIO() if json else sink), FAST if fast else UNHURRIED
    loop = asyncio.get_running_loop()
    began = loop.time()
    home = Path(tempfile.mkdtemp(prefix="rooroute-demo-"))
    try:
        async with ScriptedProvider({}) as provider:
            serve = command or (sys.executable, "-m", "rooroute", "serve")
            backend = await Backend.start(serve, child_environment(home))
            story = Story(provider, backend, screen, pace, home)
            screen.line(screen.paint("rooroute demo", "bold") + f": rooroute serve is process {backend.process.pid},")
            screen.line(f"a scripted provider listens on 127.0.0.1:{provider.port}; nothing of yours is touched.")
            try:
                await tell(story)
            finally:
                await backend.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    seconds = loop.time() - began
    sum_up(screen, story.checks, seconds)
    ok = all(check.ok for check in story.checks)
    if json:
        checks: list[dict[str, Any]] = [
            {"name": c.name, "ok": c.ok, **({"seen": c.seen} if c.seen else {})} for c in story.checks
        ]
        sink.write(dumps({"ok": ok, "seconds": round(seconds, 3), "checks": checks}, indent=2) + "\n")
    return 0 if ok else 1
