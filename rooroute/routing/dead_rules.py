"""Rules that can never do what they say: nothing meets them, whatever does met another first, or none of their profiles could take it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from rooroute.profiles import Need, Pool, Profile, Rule, When, camel
from rooroute.routing.rules import CHARACTERS_A_TOKEN, conditions, model_matches

_CHANGE: Final = "Change or remove it."


def dead_rules(pool: Pool, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str, str]]:
    """Field, sentence and remedy for each. ``profiles`` are those that can be read; of others nothing is said."""
    for place, rule in enumerate(pool.rules):
        where = f"rules.{place}"
        for field, why in _unmeetable(rule.when):
            yield f"{where}.when.{field}", f"rule {rule.name} can never fire: {why}", _CHANGE
        for field, why in _empty(rule.when):
            yield f"{where}.when.{field}", f"rule {rule.name} asks nothing there: {why}", _CHANGE
        for earlier in pool.rules[:place]:
            if covers(earlier.when, rule.when):
                why = f"rule {rule.name} can never fire: whatever meets it meets {earlier.name} first."
                yield f"{where}.when", why, "Put it before that rule, or remove it."
                break
        if rule.region and rule.when.region and rule.region.casefold() not in _folded(rule.when.region):
            why = f"rule {rule.name} can never bind a request to {rule.region}: whatever meets it is bound to {' or '.join(rule.when.region)} by then."
            yield f"{where}.region", why, "Leave one of the two out."
        elif (lack := _lacking(rule, pool, profiles)) is not None:
            yield f"{where}.profiles", f"rule {rule.name} can never choose its profiles: {lack}", "Lead it to others."


def _unmeetable(when: When) -> Iterator[tuple[str, str]]:
    for least, most in (("min_length", "max_length"), ("min_tokens", "max_tokens")):
        low, high = getattr(when, least), getattr(when, most)
        if low is not None and high is not None and low > high:
            yield camel(least), f"{camel(least)} is above {camel(most)}."
        if high is not None and high < 0:
            yield camel(most), f"{camel(most)} is less than 0."
    if when.min_length and when.max_tokens is not None and when.min_length // CHARACTERS_A_TOKEN > when.max_tokens >= 0:
        yield "maxTokens", f"a message of minLength characters is estimated at more than {when.max_tokens:,} tokens."
    if when.max_length is not None and when.contains and min(map(len, when.contains)) > when.max_length >= 0:
        yield "contains", f"a message of {when.max_length:,} characters (maxLength) holds no text as long."
    if when.pattern is not None:
        try:
            re.compile(when.pattern)
        except re.error as wrong:
            yield "pattern", f"its pattern is no regular expression ({wrong})."
    for field in ("model", "mode", "task", "intent", "language", "tags", "region"):
        if "" in getattr(when, field):
            yield field, f"{field} holds an empty text."


def _empty(when: When) -> Iterator[tuple[str, str]]:
    if "" in when.contains:
        yield "contains", "every message contains an empty text."
    for least in ("min_length", "min_tokens"):
        if (getattr(when, least) or 0) < 0:
            yield camel(least), f"{camel(least)} is less than 0."


def covers(earlier: When, later: When) -> bool:
    """Whether every request that meets ``later`` meets ``earlier``, as far as that can be told from the conditions alone: tried after it,
    ``later`` would never fire."""
    wanted, given = conditions(earlier), conditions(later)
    return all(
        name in given and _IMPLIED.get(name, _same)(value, given[name])
        for name, value in wanted.items()
        if not _always(name, value)
    )


def _always(name: str, value: Any) -> bool:
    return (name.startswith("min_") and value <= 0) or (name == "contains" and "" in value)


def _same(earlier: Any, later: Any) -> bool:
    return bool(later == earlier)


def _any_of(earlier: Iterable[str], later: Iterable[str]) -> bool:
    return _folded(later) <= _folded(earlier)


def _all_of(earlier: Iterable[object], later: Iterable[object]) -> bool:
    return _folded(later) >= _folded(earlier)


def model_covers(earlier: str, later: str) -> bool:
    """Whether every model that meets the name ``later`` meets ``earlier``. Of names with other signs than ``*`` only equals are known to."""
    plain = not ({"?", "["} & set(earlier) or "[" in later)
    return earlier.casefold() == later.casefold() or (plain and model_matches(later, (earlier,)))


_IMPLIED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(("mode", "task", "intent", "language", "region"), _any_of),
    **dict.fromkeys(("needs", "tags"), _all_of),
    **dict.fromkeys(("min_length", "min_tokens"), lambda earlier, later: bool(later >= earlier)),
    **dict.fromkeys(("max_length", "max_tokens"), lambda earlier, later: bool(later <= earlier)),
    "model": lambda earlier, later: all(any(model_covers(each, name) for each in earlier) for name in later),
    "contains": lambda earlier, later: all(any(each in text for each in _folded(earlier)) for text in _folded(later)),
    "metadata": lambda earlier, later: earlier.items() <= later.items(),
}
"""Whether a condition that is met means that the earlier rule's is, too."""


def _folded(values: Iterable[object]) -> set[str]:
    return {str(each).casefold() for each in values}


def _lacking(rule: Rule, pool: Pool, profiles: Mapping[str, Profile]) -> str | None:
    """What all profiles lack that the rule leads to (a rule that names none leads to its pool's)."""
    names = rule.profiles or pool.profiles
    if not names or not all(name in profiles for name in names):
        return None
    asked = dict(_asked(rule))
    able = {words: [fits(profiles[name]) for name in names] for words, fits in asked.items()}
    if not able or any(all(each) for each in zip(*able.values(), strict=True)):
        return None
    missing = next((words for words, each in able.items() if not any(each)), None)
    return f"none of them {missing or ' and '.join(able)}."


def _asked(rule: Rule) -> Iterator[tuple[str, Callable[[Profile], bool]]]:
    """What the rule's requests want of a profile, in words that end a sentence."""
    regions = _folded(rule.when.region or ((rule.region,) if rule.region else ()))
    if regions:
        yield "is in the region it is bound to", lambda profile: (profile.region or "").casefold() in regions
    if Need.TOOLS in rule.when.needs:
        yield "takes tools", lambda profile: profile.supports_tools is not False
    if Need.IMAGES in rule.when.needs:
        yield "takes images", lambda profile: profile.supports_images is not False
    tokens = max(rule.when.min_tokens or 0, (rule.when.min_length or 0) // CHARACTERS_A_TOKEN)
    if tokens > 0:
        yield f"has a window of {tokens:,} tokens", lambda profile: (profile.context_window or tokens) >= tokens
