"""Routing rules that were copied from a web page which had lost their line ends and turned dashes into bullets.

    routing_rules:
        • strategy: load_balancing algorithm: weighted_round_robin providers:
          • name: openai_gpt4 weight: 3 # Handles 3 parts of traffic

What is lost is told apart by the guide's own words, so only they are known here.
"""

from __future__ import annotations

import re
from typing import Any, Final

BULLET: Final = "•"
_LISTS: Final = ("providers", "rules", "splits")
_OF_RULES: Final = (
    "strategy", "algorithm", "monitor_interval_seconds", "fallback_on_high_latency", "model_mapping", *_LISTS,
)  # fmt: skip
_OF_ITEMS: Final = (
    "name", "priority", "weight", "max_cost_per_token", "condition", "route_to", "default_route", "provider", "percentage",
)  # fmt: skip
_KEY: Final = re.compile(rf"(?<![\w'\"])({'|'.join((*_OF_RULES, *_OF_ITEMS))}):(?=\s|$)")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_PAIR: Final = re.compile(r"(?<!\S)(\w+): (\w+)(?=\s+\w+:\s|\s*$)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")


def is_flattened(text: str) -> bool:
    """Whether this is such a text."""
    return BULLET in text and "routing_rules:" in text


def read(text: str) -> dict[str, Any]:
    """The rules as plain data. ValueError, with a sentence, when even this cannot be made out."""
    rules: list[dict[str, Any]] = []
    opened: list[dict[str, Any]] | None = None
    outer: int | None = None
    for line in text.splitlines():
        indent, bullet, told = line.partition(BULLET)
        if not bullet:
            continue
        outer = len(indent) if outer is None else outer
        pairs = _pairs(told)
        if len(indent) <= outer:
            rules.append({})
            opened = None
        elif opened is None:
            raise ValueError("An entry of a list stands where no list begins.")
        item: dict[str, Any] = {}
        for name, value in pairs:
            if name in _LISTS:
                opened = rules[-1].setdefault(name, [])
            elif name in _OF_RULES or len(indent) <= outer:
                rules[-1][name] = value
            else:
                item[name] = value
        if item and opened is not None:
            opened.append(item)
    if not rules or not all(rules):
        raise ValueError("No rule can be made out.")
    return {"routing_rules": rules}


def _pairs(text: str) -> list[tuple[str, Any]]:
    masked = _QUOTED.sub(lambda found: "x" * len(found[0]), text)
    marks = list(_KEY.finditer(masked))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return [(mark[1], _value(mark[1], text[mark.end() : end].strip())) for mark, end in zip(marks, ends, strict=True)]


def _value(name: str, text: str) -> Any:
    if name == "model_mapping":
        return dict(_PAIR.findall(text))
    if quoted := _QUOTED.match(text):
        return quoted[0][1:-1]
    plain = _COMMENT.sub("", text).strip()
    if plain in ("true", "false"):
        return plain == "true"
    if re.fullmatch(r"-?\d+", plain):
        return int(plain)
    return float(plain) if re.fullmatch(r"-?\d*\.\d+(?:[eE][-+]?\d+)?", plain) else plain
