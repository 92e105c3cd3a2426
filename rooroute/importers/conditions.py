"""The conditions of the simple guide's content rules: ``prompt contains 'a' OR prompt contains 'b'``, ``… AND length > 1000``."""

from __future__ import annotations

import re
from typing import Any, Final

from rooroute.profiles import When

_TOKEN: Final = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|>=|<=|[<>]|\w+)""")
_LONGEST: Final = 10_000


def whens(raw: Any) -> tuple[When, ...]:
    """What has to be met, as alternatives: any of them will do.

    Raises ValueError with a sentence for what cannot be told with a rule's conditions.
    """
    if not isinstance(raw, str) or not raw.strip() or len(raw) > _LONGEST:
        raise ValueError("It must be text such as: prompt contains 'debug' AND length > 1000.")
    alternatives = [_parts(each, "AND") for each in _parts(_tokens(raw), "OR")]
    found = [[_term(term) for term in terms] for terms in alternatives]
    words = [terms[0][1] for terms in found if len(terms) == 1 and terms[0][0] == "contains"]
    if len(words) == len(found):
        return (When(contains=tuple(dict.fromkeys(words))),)
    return tuple(_when(terms) for terms in found)


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    text = text.strip()
    while at < len(text):
        if not (token := _TOKEN.match(text, at)):
            raise ValueError("It cannot be read; write it as: prompt contains 'debug' AND length > 1000.")
        found.append(token[1])
        at = token.end()
    return found


def _parts(tokens: list[str], word: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token.upper() == word:
            parts.append([])
        else:
            parts[-1].append(token)
    if not all(parts):
        raise ValueError(f"{word} stands between two conditions.")
    return parts


def _term(tokens: list[str]) -> tuple[str, Any]:
    words = [token.lower() for token in tokens[:-1]]
    last = tokens[-1]
    if words in (["prompt", "contains"], ["message", "contains"]) and last[0] in "'\"" and len(last) > 2:
        return "contains", re.sub(r"\\(.)", r"\1", last[1:-1])
    if len(words) >= 2 and words[:-1] in (["length"], ["prompt", "length"]) and last.isdecimal():
        limit = int(last)
        bounds = {
            ">": ("min_length", limit + 1),
            ">=": ("min_length", limit),
            "<": ("max_length", limit - 1),
            "<=": ("max_length", limit),
        }
        if words[-1] in bounds:
            return bounds[words[-1]]
    raise ValueError("It asks for something other than what the prompt contains and how long it is.")


def _when(terms: list[tuple[str, Any]]) -> When:
    """All of the terms at once. Several words that must all be there become one pattern: a list of words is met by any of them."""
    words = [value for name, value in terms if name == "contains"]
    lowest = [value for name, value in terms if name == "min_length"]
    highest = [value for name, value in terms if name == "max_length"]
    several = r"(?is)\A" + "".join(f"(?=.*{re.escape(word)})" for word in words)
    return When(
        contains=tuple(words) if len(words) == 1 else (),
        pattern=several if len(words) > 1 else None,
        min_length=max(lowest, default=None),
        max_length=min(highest, default=None),
    )
