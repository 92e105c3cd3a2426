"""Which rule leads a request. ``PREDICATES`` is the whole of what a rule can ask; there is no nesting: all conditions of one rule are met,
and the first rule in order fires."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

from rooroute.profiles import Need, Rule, When

CHARACTERS_A_TOKEN: Final = 4  # the usual rule of thumb for English: https://platform.openai.com/tokenizer
_TEXT_SEARCHED: Final = 100_000
"""Characters of a message that conditions look at, so that a pattern stays quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What can be said of a request without asking anybody.

    ``text`` is the last message of the user, ``tokens`` the estimated input, ``output_tokens`` the most it asks for (None: not said).
    ``tools`` and ``images`` say that it needs them. ``region`` is where the client bound it to.
    """

    model: str | None = None
    mode: str | None = None
    task: str | None = None
    intent: str | None = None
    tools: bool = False
    images: bool = False
    text: str = ""
    tokens: int = 0
    output_tokens: int | None = None
    language: str | None = None
    tags: frozenset[str] = frozenset()
    region: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


NOTHING: Final = Facts()
Predicate = Callable[[Any, Facts], bool]


def _among(fact: str | None, wanted: Iterable[str]) -> bool:
    return fact is not None and fact.casefold() in {each.casefold() for each in wanted}


def model_matches(model: str | None, wanted: Iterable[str]) -> bool:
    """Whether a requested model is one of these names, in which ``*`` stands for anything."""
    return any(fnmatchcase((model or "").casefold(), each.casefold()) for each in wanted)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that is none, which the user is told of where the configuration is read, matches nothing."""
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(r"(?!)")


def _contains(wanted: Sequence[str], facts: Facts) -> bool:
    text = facts.text[:_TEXT_SEARCHED].casefold()
    return any(each.casefold() in text for each in wanted)


def _needs(wanted: Sequence[Need], facts: Facts) -> bool:
    return all({Need.TOOLS: facts.tools, Need.IMAGES: facts.images}[each] for each in wanted)


PREDICATES: Final[Mapping[str, Predicate]] = {
    "model": lambda wanted, facts: model_matches(facts.model, wanted),
    "mode": lambda wanted, facts: _among(facts.mode, wanted),
    "task": lambda wanted, facts: _among(facts.task, wanted),
    "intent": lambda wanted, facts: _among(facts.intent, wanted),
    "needs": _needs,
    "contains": _contains,
    "pattern": lambda wanted, facts: _compiled(wanted).search(facts.text[:_TEXT_SEARCHED]) is not None,
    "min_length": lambda wanted, facts: len(facts.text) >= wanted,
    "max_length": lambda wanted, facts: len(facts.text) <= wanted,
    "min_tokens": lambda wanted, facts: facts.tokens >= wanted,
    "max_tokens": lambda wanted, facts: facts.tokens <= wanted,
    "language": lambda wanted, facts: _among(facts.language, wanted),
    "tags": lambda wanted, facts: set(wanted) <= facts.tags,
    "region": lambda wanted, facts: _among(facts.region, wanted),
    "metadata": lambda wanted, facts: all(str(facts.metadata.get(name)) == value for name, value in wanted.items()),
}


def conditions(when: When) -> dict[str, Any]:
    """The conditions that were given, by name."""
    every = {name: getattr(when, name) for name in PREDICATES}
    return {name: wanted for name, wanted in every.items() if wanted is not None and wanted not in ((), {})}


def unmet(rule: Rule, facts: Facts) -> str | None:
    """The first condition of the rule that this request does not meet; None when the rule fires."""
    return next((name for name, wanted in conditions(rule.when).items() if not PREDICATES[name](wanted, facts)), None)


def first_rule(rules: Iterable[Rule], facts: Facts) -> Rule | None:
    """The first rule whose conditions the request meets."""
    return next((rule for rule in rules if unmet(rule, facts) is None), None)


def told(rules: Iterable[Rule], facts: Facts) -> list[dict[str, Any]]:
    """What a dry run says of each rule: whether it fires, would but for an earlier one, or which condition is not met."""
    found: list[dict[str, Any]] = []
    fired = False
    for rule in rules:
        missing = unmet(rule, facts)
        line: dict[str, Any] = {"name": rule.name, "fires": missing is None and not fired}
        if missing is not None:
            head, *rest = missing.split("_")
            line["unmet"] = head + "".join(word.capitalize() for word in rest)
        fired = fired or missing is None
        found.append(line)
    return found
