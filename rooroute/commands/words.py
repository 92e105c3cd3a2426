"""Reading a command line: options anywhere, one sentence for what is wrong, the nearest word for a misspelt one.

Nothing heavy is imported here: ``serve`` comes through this door too.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import Any, Final, NoReturn

_KEY_OPTIONS: Final = re.compile(r"--?(?:api[-_]?)?(?:key|token|secret|password)\b(?!-)", re.IGNORECASE)
_NO_KEY_HERE: Final = (
    "a key is never taken from the command line, where other programs can read it; "
    "use --ask-key, --key-stdin or --key-env NAME"
)
_CHOICE: Final = re.compile(r"argument (?P<where>\S+): invalid choice: (?P<typed>.+?) \(choose from (?P<choices>.*)\)")
_ARGUMENT: Final = re.compile(r"argument (?P<where>[^:]+): (?P<what>.*)")

_SPOKEN: Final = {"expected one argument": "needs a value"}


class Words(argparse.ArgumentParser):
    """A parser for one command or one group of them; ``words`` are the commands below it."""

    every_option: Final[set[str]] = set()

    def __init__(self, *, top: bool = False, **given: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **given)
        self.words: Iterable[str] = ()
        default = None if top else argparse.SUPPRESS  # below the top it must not undo what was said before the command
        self.add_argument("--config", metavar="PATH", default=default, help="another configuration file")
        told = "a .env file with more environment variables; what is set already counts"
        self.add_argument("--env-file", metavar="PATH", default=default, help=told)

    def add_argument(self, *names: Any, **given: Any) -> argparse.Action:
        self.every_option.update(name for name in names if name.startswith("--"))
        return super().add_argument(*names, **given)

    def error(self, message: str) -> NoReturn:
        """One sentence and exit code 2. What was typed is not repeated: a part of it may be a key."""
        sentence = self._sentence(message)
        self.exit(2, f"{self.prog}: {sentence}{'' if sentence.endswith('?') else '.'}\n")

    def _sentence(self, message: str) -> str:
        if chosen := _CHOICE.match(message):
            return self._not_a_choice(**chosen.groupdict())
        if message.startswith("unrecognized arguments: "):
            return self._left_over(message.partition(": ")[2].split())
        if message.startswith("the following arguments are required: "):
            missing = message.partition(": ")[2]
            return (
                f"say what to do: {', '.join(self.words)}"
                if missing == "COMMAND"
                else self._hinted(f"{missing} is missing")
            )
        if told := _ARGUMENT.match(message):
            return self._hinted(f"{told['where']} {_SPOKEN.get(told['what'], told['what'])}")
        return message.rstrip(".")

    def _not_a_choice(self, where: str, typed: str, choices: str) -> str:
        if where != "COMMAND":
            return f"{where} is one of {choices.replace(chr(39), '')}"
        word = typed.strip("'\"")
        near = _nearest(word, self.words)
        return (
            f"there is no command {word!r}; did you mean {near}?"
            if near
            else self._hinted(f"there is no command {word!r}")
        )

    def _left_over(self, words: list[str]) -> str:
        option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if option is None:
            return self._hinted("there is a word too many")
        if _KEY_OPTIONS.match(option):
            return _NO_KEY_HERE
        near = _nearest(option.lstrip("-"), (each.removeprefix("--") for each in self.every_option), "--")
        return (
            f"there is no option {option}; did you mean {near}?"
            if near
            else self._hinted(f"there is no option {option}")
        )

    def _hinted(self, sentence: str) -> str:
        return f"{sentence}; see {self.prog} --help"


def _nearest(typed: str, words: Iterable[str], dashes: str = "") -> str:
    from difflib import get_close_matches

    return " or ".join(f"{dashes}{word}" for word in get_close_matches(typed, list(words), n=2))
