"""``rooroute stats`` and ``rooroute why``: what was, in figures and in one request's story."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rooroute.commands.call import OK, Call
from rooroute.commands.terminal import Cell, Painted
from rooroute.commands.typed import moment
from rooroute.routing.costs import usd
from rooroute.routing.pool import HOLDS_CACHE

Json: TypeAlias = dict[str, Any]

_HEADINGS: Final = ("REQUESTS", "GOOD", "MEDIAN", "P90", "P95", "P99 TO FIRST TOKEN", "TOKENS IN", "OUT", "USD")
_A_MONTH: Final = "USD IN 30 DAYS"
_COLUMNS: Final = (
    "requests", "attempts", "successes", "successRate", "errorRate", "uptime", "averageFirstTokenMs", "medianFirstTokenMs",
    "p90FirstTokenMs", "p95FirstTokenMs", "p99FirstTokenMs", "inputTokens", "outputTokens", "cachedInputTokens", "cacheWriteTokens",
    "reasoningTokens", "cost", "costPerMonth", "lastAt",
)  # fmt: skip
VERDICTS: Final[Mapping[str, str]] = {
    "ok": "answered",
    "rateLimit": "rate limited",
    "quota": "quota used up",
    "overload": "overloaded",
    "transient": "its server failed",
    "timeout": "too slow",
    "network": "not reached",
    "credential": "key rejected",
    "permission": "not permitted",
    "billing": "not paid for",
    "model": "no such model",
    "config": "misconfigured",
    "badAnswer": "a broken answer",
    "context": "prompt too long",
    "policy": "refused by policy",
    "request": "request rejected",
    "cancelled": "cancelled",
    "localLimit": "held back by a limit of yours",
}
"""How an attempt ended, in a person's words."""


PRICED_BY: Final[Mapping[str, str]] = {
    "server": "by what the server tells",
    "table": "by the offline table of prices",
}
"""Whose prices a cost goes by, where they are not the user's own."""
_LISTED: Final = 5


def stats(call: Call) -> int:
    """Counts, times, tokens and cost."""
    since = moment(call.options.since, call.now())
    found = call.visit(lambda backend: backend.stats(since, call.options.by))
    if call.options.json:
        call.terminal.json(found)
    elif call.options.csv:
        call.terminal.piece(_csv(call.options.by, found["rows"]))
    elif found["rows"]:
        forecast = any("costPerMonth" in row for row in found["rows"])
        headings = (call.options.by.upper(), *_HEADINGS, *((_A_MONTH,) if forecast else ()))
        rows = [(*_stats_cells(row), *((_usd(row.get("costPerMonth")),) if forecast else ())) for row in found["rows"]]
        call.terminal.show(call.terminal.table(headings, rows))
        for words in _priced(found["rows"]):
            call.terminal.remark(words)
    else:
        call.terminal.say("Nothing was asked in that time.")
    return OK


def _priced(rows: Sequence[Json]) -> Iterator[str]:
    """By whose prices the costs are reckoned, where the user did not type them all."""
    for source, words in PRICED_BY.items():
        keys = [str(row["key"]) for row in rows if source in row.get("priceSources", ())]
        if keys:
            more = f" and {len(keys) - _LISTED} more" if len(keys) > _LISTED else ""
            yield f"USD of {', '.join(keys[:_LISTED])}{more}: {words}."


def _stats_cells(row: Json) -> Sequence[Cell]:
    def wait(name: str) -> str:
        value = row.get(f"{name}FirstTokenMs")
        return "" if value is None else f"{value / 1000:.2f} s"

    rate, cost = row.get("successRate"), row.get("cost")
    return (
        row["key"],
        f"{row['requests']:,}",
        "" if rate is None else f"{rate:.0%}",
        *(wait(name) for name in ("median", "p90", "p95", "p99")),
        f"{row['inputTokens']:,}",
        f"{row['outputTokens']:,}",
        _usd(cost),
    )


def _usd(cost: float | None) -> str:
    return "" if cost is None else usd(cost)


def _csv(by: str, rows: Sequence[Json]) -> str:
    """Every figure of every row, under the names that the protocol gives them; empty where it is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, (by, *_COLUMNS), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({by: row["key"], **{name: row[name] for name in _COLUMNS if name in row}} for row in rows)
    return text.getvalue()


def why(call: Call) -> int:
    """One request's story."""
    found = call.visit(lambda backend: backend.why(call.options.request))
    if call.options.json:
        call.terminal.json(found)
        return OK
    asked = found["request"]
    waited = f", waited {asked['waitedSeconds']:g} s" if asked.get("waitedSeconds") else ""
    model = f", model {asked['model']}" if asked.get("model") else ""
    call.terminal.say(
        f"Request {asked['id']} of {asked['at']}, pool {asked['pool']} ({found['strategy']}){model}{waited}"
    )
    first = next((each["profileId"] for each in found["candidates"] if each.get("rank") == 1), None)
    if first and found.get("because"):
        led = f", led by the rule {found['rule']}" if found.get("rule") else ""
        call.terminal.say(f"{first} {found['because']}{led}.")
    if found.get("switchCost"):
        came = "would have cost" if str(found.get("because")).startswith(HOLDS_CACHE) else "cost"
        call.terminal.say(f"Leaving the warm prompt cache {came} about ${usd(found['switchCost'])}.")
    call.terminal.say()
    if found["candidates"]:
        call.terminal.show(
            call.terminal.table(("CONSIDERED", ""), [candidate_cells(each) for each in found["candidates"]])
        )
    else:
        call.terminal.say("Nobody was considered: the pool held no profile.")
    if found["attempts"]:
        call.terminal.say()
        headings = ("ATTEMPT", "PROFILE", "MODEL", "CAME TO", "TOOK", "")
        call.terminal.show(call.terminal.table(headings, [attempt_cells(each) for each in found["attempts"]]))
    for attempt in found["attempts"]:
        for mark in attempt.get("taught", ()):
            until = f" until {mark['until']}" if mark.get("until") else ""
            call.terminal.remark(f"Attempt {attempt['n']} taught: {mark['scope']} {mark['state']}{until}.")
        if attempt.get("cost") is not None:
            whose = PRICED_BY.get(attempt.get("priceSource", ""), "by your price")
            call.terminal.remark(f"Attempt {attempt['n']} cost ${usd(attempt['cost'], 6)}, {whose}.")
        if attempt.get("rawError"):
            call.terminal.remark(f"Attempt {attempt['n']} was told: {attempt['rawError']}")
    return OK


def candidate_cells(candidate: Json) -> Sequence[Cell]:
    """One candidate as a table's row."""
    if "excludedBy" in candidate:
        return (candidate["profileId"], Painted(f"left out: {candidate['excludedBy']}", "grey"))
    return (candidate["profileId"], f"choice {candidate['rank']}")


def attempt_cells(attempt: Json) -> Sequence[Cell]:
    """One attempt as a table's row."""
    return (
        str(attempt["n"]),
        attempt["profileId"],
        attempt["model"],
        Painted(verdict_words(attempt), "green" if attempt["verdict"] == "ok" else "red"),
        f"{attempt['durationMs'] / 1000:.2f} s",
        attempt.get("detail") or "",
    )


def verdict_words(attempt: Json) -> str:
    """How an attempt ended, with the HTTP status where one tells more."""
    words = VERDICTS.get(attempt["verdict"], attempt["verdict"])
    status = attempt.get("httpStatus")
    return words if attempt["verdict"] == "ok" or status in (None, 200) else f"{words} (HTTP {status})"
