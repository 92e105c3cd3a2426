"""What a name may hold, be it of a profile, a pool, a rule, a tag or a shared quota: whatever can be seen, in any script.

A character that nobody sees makes two names that look alike, and one that turns the direction of writing makes a name look like another
(https://www.unicode.org/reports/tr36/). Those that a script or an emoji cannot do without are let through where they do their work:
joiners as RFC 5892, appendix A, has them, and the parts of emoji sequences (https://www.unicode.org/reports/tr51/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from unicodedata import bidirectional, category, combining

from rooroute.errors import InvalidInput

ID_PATTERN: Final = r"[^\s/\\](?:[^/\\]{0,62}[^\s/\\])?"
_JOINERS: Final = "\u200c\u200d"
_ZWJ: Final = "\u200d"
_PRESENTATION: Final = "\ufe0e\ufe0f"
_KEYCAP: Final = "\u20e3"
_BLACK_FLAG: Final = "\U0001f3f4"
_DRAWN_BY_CHOICE: Final = "\u203c\u2049\u2139\u3030"  # text or picture, and no symbols by their category
_EMPTY: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
"""Letters, marks and a symbol without a picture: fillers, and what only chooses among the forms of a letter."""
_SELECTORS: Final = (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
_VIRAMA: Final = 9
_UNSEEN: Final = frozenset({"Cf", "Cn", "Co"})
_STEERING: Final = frozenset({"Cc", "Zl", "Zp", "Cs"})
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def wrong_with(name: str) -> str | None:
    """What makes ``name`` none that can be told apart at sight, as the end of a sentence about it."""
    if name.isascii():
        return None if name.isprintable() else "holds a line break or another control character"
    for place, each in enumerate(name):
        if not each.isascii() and (what := _wrong(name, place, each)) is not None:
            return f"holds {what} (U+{ord(each):04X}), so that it could be mistaken for another name"
        if each.isascii() and not each.isprintable():
            return "holds a line break or another control character"
    return None


def wrong_with_id(name: str) -> str | None:
    """The same of an id. A slash parts a profile from its model where a request asks for ``profile/model``, so ids have none."""
    if not re.fullmatch(ID_PATTERN, name):
        return "is not 1 to 64 characters without slashes and without a space at either end"
    return wrong_with(name)


def checked_tags(tags: Iterable[str], field: str) -> tuple[str, ...]:
    """The tags of a request. Raises InvalidInput for one that could be mistaken for another."""
    found = tuple(tags)
    for place, tag in enumerate(found):
        if (why := wrong_with(tag)) is not None:
            raise InvalidInput(f"A tag of the request {why}; type it anew.", field=f"{field}.{place}")
    return found


def _wrong(name: str, place: int, each: str) -> str | None:
    kind = category(each)
    if kind in _STEERING:
        return "a control character"
    if each in _TURNING:
        return "a character that turns the direction of writing"
    if kind == "Zs":
        return "another space than the usual one"
    if each in _JOINERS:
        return None if _joins(name[:place], each, name[place + 1 :]) else "an invisible character"
    if ord(each) in _SELECTORS:
        return None if _draws(name[:place], each, name[place + 1 :]) else "an invisible character"
    if 0xE0020 <= ord(each) <= 0xE007F:
        return None if _in_flag(name[:place]) else "an invisible character"
    return "an invisible character" if each in _EMPTY or kind in _UNSEEN else None


def _joins(before: str, joiner: str, after: str) -> bool:
    """Whether a joiner is at work: behind a virama, between Arabic letters, or between the pictures of one emoji."""
    if not before or not after:
        return False
    if combining(before[-1]) == _VIRAMA:
        return True
    if joiner == _ZWJ:
        drawn = category(before[-1]) in {"So", "Sk"} or before[-1] in _PRESENTATION
        return drawn and category(after[0]) in {"So", "Sm"}
    return bidirectional(before[-1]) == bidirectional(after[0]) == "AL"


def _draws(before: str, selector: str, after: str) -> bool:
    """Whether it says of a symbol that it is to be drawn as a picture, or as text."""
    if selector not in _PRESENTATION or not before:
        return False
    last = before[-1]
    keycap = last in "0123456789#*" and after[:1] == _KEYCAP
    return keycap or category(last)[0] == "S" or last in _DRAWN_BY_CHOICE


def _in_flag(before: str) -> bool:
    """Whether a tag character stands in the flag of a region, as England's."""
    return before.rstrip("".join(map(chr, range(0xE0020, 0xE007F)))).endswith(_BLACK_FLAG)
