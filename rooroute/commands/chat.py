"""``rooroute chat``: an answer as it arrives on standard output, and beside it, discreetly, who gives it and who could not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from rooroute.chat import ChatRequest, Message, ToolCallDelta, Usage
from rooroute.commands.call import OK, Call, WrongUse
from rooroute.commands.rehearsal import filled, wishes
from rooroute.commands.statistics import verdict_words
from rooroute.commands.status import tell_of_file
from rooroute.commands.terminal import Terminal
from rooroute.errors import RoorouteError
from rooroute.routing.costs import usd
from rooroute.routing.pool import SAFETY_NET
from rooroute.unanswered import duration_words, titles_of

if TYPE_CHECKING:
    from rooroute.application import Backend

Json: TypeAlias = dict[str, Any]

_TICK_SECONDS: Final = 0.5
_CUT: Final = {"length": ", cut off at its longest", "contentFilter": ", cut off by a content filter"}


def chat(call: Call) -> int:
    """One prompt, or a conversation where somebody types."""
    prompt = _prompt(call)
    opening = (Message("system", call.options.system),) if call.options.system else ()
    if prompt is not None:
        _turn(call, (*opening, Message("user", prompt)), session=None)
        return OK
    call.terminal.remark("Ctrl-D ends the conversation.")
    said, session = opening, secrets.token_hex(8)
    while (words := _typed(call.terminal)) is not None:
        asked = (*said, Message("user", words))
        try:
            said = (*asked, _turn(call, asked, session))
        except RoorouteError as wrong:  # said, and the conversation goes on without this turn
            call.terminal.complain(wrong.message)
    return OK


def _prompt(call: Call) -> str | None:
    """The prompt; None where it is to be typed."""
    words: list[str] = call.options.prompt
    stdin = call.terminal.stdin
    if words and words != ["-"]:
        return " ".join(words)
    if not words and stdin.isatty() and not call.options.json:
        return None
    text = stdin.read()
    if not text.strip():
        raise WrongUse('there is no prompt: write it behind "chat", or pipe it in.')
    return text


def _typed(terminal: Terminal) -> str | None:
    try:
        while True:
            if words := terminal.ask("you"):
                return words
    except EOFError:
        return None


def _turn(call: Call, messages: tuple[Message, ...], session: str | None) -> Message:
    options = call.options
    wish = wishes(options, session)

    async def ask(backend: Backend) -> Json:
        onlooker = Onlooker(call.terminal, titles_of(backend.configuration.profiles.values()), silent=options.json)
        if not options.json and all(each.role != "assistant" for each in messages):
            tell_of_file(backend.configuration, call.terminal)
        try:
            found = await backend.complete(ChatRequest(messages), wish, onlooker)
            onlooker.done(found)
        except RoorouteError as wrong:
            onlooker.failed(wrong.data.get("attempts", ()))
            raise filled(wrong, backend.configuration, wish.pool) from None
        finally:
            onlooker.stop()
        return found

    found = call.visit(ask)
    if options.json:
        call.terminal.json(found)
    answer: Message = found["message"]
    return answer


class Onlooker:
    """A ``Sink`` that shows the answer to whoever sits there. ``titles`` names profiles by id; ``silent`` shows nothing."""

    def __init__(self, terminal: Terminal, titles: Mapping[str, str], *, silent: bool = False) -> None:
        self._terminal, self._titles, self._silent = terminal, titles, silent
        self._countdown: asyncio.Task[None] | None = None
        self._ended_line = True
        self._asked: list[str] = []
        self._thought = False
        self._waits_for: tuple[float | None, tuple[str, ...]] | None = None

    def attempt(self, n: int, profile_id: str, model: str, why: str) -> None:
        """The second attempt and those after it are a failover, and told as it happens; so is that nobody is left but who rests."""
        self.stop()
        self._waits_for = None
        if why == SAFETY_NET and not self._silent:
            self._end_line()
            self._terminal.remark(f"· {self._title(profile_id)} {why}")
        elif self._asked and not self._silent:
            self._end_line()
            next_one = "it once more" if profile_id == self._asked[-1] else self._title(profile_id)
            self._terminal.remark(f"· {self._title(self._asked[-1])} could not answer, asking {next_one}")
        self._asked.append(profile_id)

    def text(self, text: str) -> None:
        if self._silent or not text:
            return
        self._unthink()
        self._terminal.piece(text)
        self._ended_line = text.endswith("\n")

    def thinking(self, text: str, signature: str | None) -> None:
        """Thoughts are no answer; that there are some is worth a word where it can be taken back."""
        if not (self._silent or self._thought) and text and self._terminal.live_remarks:
            self._terminal.redraw_remark("· thinking …")
            self._thought = True

    def tool_call(self, delta: ToolCallDelta) -> None: ...

    def waiting(self, until: float | None, now: float, profile_ids: tuple[str, ...]) -> None:
        """Count down where that can be drawn; elsewhere say once how long it will take."""
        if self._silent or self._waits_for == (until, profile_ids):
            return
        self.stop()
        self._waits_for = (until, profile_ids)
        whom = ", ".join(map(self._title, profile_ids)) or "a profile"
        left = None if until is None else max(0.0, until - now)
        if left is None or not self._terminal.live_remarks:
            back = "" if left is None else f", back in {duration_words(left)}"
            self._terminal.remark(f"· waiting for {whom}{back}")
        else:
            self._countdown = asyncio.ensure_future(self._count(whom, left))

    def reset(self, n: int) -> None:
        self._end_line()
        self._terminal.remark("· the answer broke off and begins anew")

    def usage(self, usage: Usage) -> None: ...

    async def room(self) -> None: ...

    def stop(self) -> None:
        """No countdown runs, and nothing is left of one."""
        if self._countdown is not None:
            self._countdown.cancel()
            self._countdown = None
            self._terminal.redraw_remark("")
        self._unthink()

    def done(self, found: Json) -> None:
        """Who answered, at what price, and who could not."""
        self.stop()
        if self._silent:
            return
        self._end_line()
        usage: Usage = found["usage"]
        about = "about " if usage.estimated else ""
        cost = f", {usd(found['cost'])} USD" if found.get("cost") is not None else ""
        lost = [f"{self._title(each['profileId'])} {verdict_words(each)}" for each in _failures(found["attempts"])]
        after = f" after {', '.join(lost)}" if lost else ""
        self._terminal.remark(
            f"· {self._title(found['profileId'])} ({found['model']}){after}; {about}"
            f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{cost}{_CUT.get(found['finishReason'], '')}"
        )

    def failed(self, attempts: Sequence[Json]) -> None:
        """Who was asked in vain."""
        self.stop()
        self._end_line()
        for each in () if self._silent else _failures(attempts):
            detail = f": {each['detail']}" if each.get("detail") else ""
            self._terminal.remark(f"· {self._title(each['profileId'])} {verdict_words(each)}{detail}")

    async def _count(self, whom: str, left: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + left
        while (rest := end - loop.time()) > 0:
            self._terminal.redraw_remark(f"· waiting for {whom}, back in {duration_words(rest)} (Ctrl-C cancels)")
            await asyncio.sleep(min(_TICK_SECONDS, rest))
        self._terminal.redraw_remark(f"· waiting for {whom}")

    def _title(self, profile_id: str) -> str:
        return self._titles.get(profile_id, profile_id)

    def _unthink(self) -> None:
        if self._thought:
            self._terminal.redraw_remark("")
            self._thought = False

    def _end_line(self) -> None:
        if not self._ended_line:
            self._terminal.piece("\n")
            self._ended_line = True


def _failures(attempts: Sequence[Json]) -> list[Json]:
    return [each for each in attempts if each["verdict"] not in ("ok", "cancelled")]
