"""What goes out by itself: the deltas of a running request, and changes of status.

A delta leaves at once, unless another left less than 8 ms ago: then it is joined with those that follow it within these 8 ms, since
each notification costs an editor more than the text in it. Word of an attempt leaves with its first delta or after 8 ms. While the client does not
read they wait here, joined, so that memory stays bounded and nothing is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, Final

from rooroute.rpc.envelope import encode
from rooroute.rpc.framing import frame
from rooroute.rpc.stdio import Outgoing

if TYPE_CHECKING:
    from rooroute.chat import ToolCallDelta, Usage

_JOIN_SECONDS: Final = 0.008
_NEVER: Final = float("-inf")


def rfc3339(moment: float) -> str:
    """UTC epoch seconds as the protocol writes times, to the millisecond."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def progress_frame(token: str | int, value: dict[str, Any]) -> bytes:
    """One ``$/progress`` notification."""
    return frame(encode({"jsonrpc": "2.0", "method": "$/progress", "params": {"token": token, "value": value}}))


class ProgressSink:
    """``attempt.Sink`` over ``$/progress``."""

    def __init__(self, token: str | int, request_id: str, out: Outgoing) -> None:
        self._token = token
        self._request_id = request_id
        self._out = out
        self._text_head = progress_frame_head(token)
        self._pending: list[dict[str, Any]] = []
        self._open_text: list[str] | None = None
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._last = _NEVER
        self._armed = False
        self._soon: asyncio.TimerHandle | None = None
        self.room = out.room

    def text(self, text: str) -> None:
        if self._open_text is None:
            self._open_text = [text]
            self._pending.append({"kind": "text", "text": self._open_text})
        else:
            self._open_text.append(text)
        self._offer()

    def thinking(self, text: str, signature: str | None) -> None:
        last = self._last_of("thinking")
        if last is not None and last["signature"] is None:
            last["text"] += text
            last["signature"] = signature
        else:
            self._add({"kind": "thinking", "text": text, "signature": signature})
        self._offer()

    def tool_call(self, delta: ToolCallDelta) -> None:
        last = self._last_of("toolCall")
        if last is not None and last["index"] == delta.index and delta.id is None and delta.name is None:
            last["argumentsDelta"] += delta.arguments
            last["signature"] = delta.signature or last["signature"]
        else:
            self._add(
                {
                    "kind": "toolCall",
                    "index": delta.index,
                    "id": delta.id,
                    "name": delta.name,
                    "argumentsDelta": delta.arguments,
                    "signature": delta.signature,
                }
            )
        self._offer()

    def attempt(self, n: int, profile_id: str, model: str, why: str) -> None:
        value = {"requestId": self._request_id, "n": n, "profileId": profile_id, "model": model, "why": why}
        self._add({"kind": "attempt", **value})
        if self._soon is None:  # it may leave with the first delta: a write of its own would delay the request
            self._soon = self._loop.call_later(_JOIN_SECONDS, self._flush)

    def waiting(self, until: float | None, now: float, profile_ids: tuple[str, ...]) -> None:
        if self._last_of("waiting") is not None:
            self._pending.pop()  # the client has not seen it; only the newest is of use
        end = None if until is None else rfc3339(until)
        self._add(
            {
                "kind": "waiting",
                "requestId": self._request_id,
                "until": end,
                "now": rfc3339(now),
                "profileIds": list(profile_ids),
            }
        )
        self._flush()

    def reset(self, n: int) -> None:
        self._add({"kind": "reset", "n": n})
        self._flush()
        self._last = _NEVER

    def usage(self, usage: Usage) -> None:
        if self._last_of("usage") is not None:
            self._pending.pop()
        self._add({"kind": "usage", "usage": usage})
        self._offer()

    def finish(self) -> None:
        """Everything leaves, or waits in the queue, before the answer that follows."""
        if self._soon is not None:
            self._soon.cancel()
        self._write()

    def _last_of(self, kind: str) -> dict[str, Any] | None:
        last = self._pending[-1] if self._pending else None
        return last if last is not None and last["kind"] == kind else None

    def _add(self, value: dict[str, Any]) -> None:
        self._open_text = None
        self._pending.append(value)

    def _offer(self) -> None:
        now = self._time()
        wait = self._last + _JOIN_SECONDS - now
        if wait < 0:
            self._last = now
            self._flush()
        elif self._soon is None:
            self._soon = self._loop.call_later(wait, self._turn)

    def _turn(self) -> None:
        self._last = self._time()
        self._flush()

    def _freed(self) -> None:
        self._armed = False
        self._turn()

    def _flush(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if not self._out.blocked:
            self._write()
        elif not self._armed:
            self._armed = True
            self._out.when_free(self._freed)

    def _write(self) -> None:
        pending, self._pending, self._open_text = self._pending, [], None
        if pending:
            self._out.write(b"".join(map(self._frame, pending)))

    def _frame(self, value: dict[str, Any]) -> bytes:
        kind = value["kind"]
        if kind == "text":
            return frame(self._text_head + quoted("".join(value["text"])).encode() + b"}}}")
        if kind == "usage":
            return progress_frame(self._token, {"kind": "usage", **_usage(value["usage"])})
        return progress_frame(self._token, {k: v for k, v in value.items() if v is not None or k == "until"})


def progress_frame_head(token: str | int) -> bytes:
    """Everything before the text in a text delta's body; the text is followed by three braces."""
    return b'{"jsonrpc":"2.0","method":"$/progress","params":{"token":%b,"value":{"kind":"text","text":' % encode(token)


def _usage(usage: Usage) -> dict[str, Any]:
    value = {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cachedInputTokens": usage.cached_input_tokens,
        "cacheWriteTokens": usage.cache_write_tokens,
        "reasoningTokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
    }
    return {name: count for name, count in value.items() if count is not None}


class StatusFeed:
    """``rooroute/statusChanged``. While the client does not read, later news of the same profile or pool replaces earlier."""

    def __init__(self, out: Outgoing, send: Callable[[dict[str, Any]], None]) -> None:
        self._out = out
        self._send = send
        self._waiting: dict[str, Any] | None = None

    def changed(self, params: dict[str, Any]) -> None:
        """Tell the client now, or when it reads again."""
        if not self._out.blocked:
            self._send(params)
        elif self._waiting is None:
            self._waiting = params
            self._out.when_free(self._tell)
        else:
            self._waiting = _merged(self._waiting, params)

    def _tell(self) -> None:
        params, self._waiting = self._waiting, None
        if params is not None:
            self.changed(params)


def _merged(earlier: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    removed = {kind: set(later["removed"][kind]) for kind in ("profiles", "pools")}
    news = {
        kind: {entry["id"]: entry for entry in (*earlier[kind], *later[kind]) if entry["id"] not in removed[kind]}
        for kind in removed
    }
    gone = {kind: sorted(removed[kind] | (set(earlier["removed"][kind]) - news[kind].keys())) for kind in removed}
    return {**earlier, **later, **{kind: list(entries.values()) for kind, entries in news.items()}, "removed": gone}
