"""``.env`` files: names and values as shells and dotenv libraries write them, with nothing in them run or replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from rooroute.adapters import machine
from rooroute.errors import InvalidInput

_LARGEST: Final = 1_000_000
_LINE: Final = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<bare>(?:[^'"\s\#](?:(?<!\s)\#|[^\#])*?)?))
    \s*(?:(?<![^\s=])\#.*)?""",
    re.VERBOSE,
)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


def read(path: Path) -> dict[str, str]:
    """The variables in the file at ``path``. Raises InvalidInput, which tells the line and never what stands there."""
    try:
        text = machine.read_regular(path, _LARGEST).decode("utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput(f"There is no file {path}; name another with --env-file.", field="envFile") from None
    except OSError as wrong:
        raise InvalidInput(f"{path} cannot be read: {wrong.strerror or wrong}.", field="envFile") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not UTF-8 text; save it in that encoding.", field="envFile") from None
    return parsed(text, str(path))


def parsed(text: str, name: str = "The file") -> dict[str, str]:
    """The variables in ``text``, the last of a name counting."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        told = _LINE.fullmatch(line)
        if told is None:
            raise InvalidInput(f"{name}, line {number}: this is not NAME=value.", field="envFile", line=number)
        double = told["double"]
        if double is not None:
            found[told["name"]] = re.sub(r"\\(.)", lambda each: _ESCAPES.get(each[1], each[1]), double)
        else:
            found[told["name"]] = told["single"] if told["single"] is not None else (told["bare"] or "")
    return found
