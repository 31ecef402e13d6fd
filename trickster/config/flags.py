"""The original's flags, with one dash or two, spelled as Twisted's parser reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trickster.config.document.problems import meant
from trickster.config.notices import ALLOW_FLAG
from trickster.config.overlay import FLAGS

_VALUED = ("config", *FLAGS)
_BARE = ("validate-config", ALLOW_FLAG, "version", "help")
_NAMES = (*_VALUED, *_BARE)
_TRUE = ("1", "t", "true")
_FALSE = ("0", "f", "false")


class MisspeltFlag(ValueError):
    """There is no such flag, it lacks its value, or has one that is none."""


def normalised(words: Sequence[str]) -> list[str]:
    """
    Spell the original's flags, with one dash or two, as Twisted reads them.

    :param words: the command line without the command.
    :return: C{--name=value} for known flags; everything else as it is.
    :raises MisspeltFlag: there is no such flag, it lacks its value, or a switch has one that
        is none.
    """
    found: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or word.startswith("---"):
            found.append(word)
        elif name in _VALUED:
            found.append(f"--{name}={value if equals else _next(name, left)}")
        elif name in _BARE:
            found.extend(_switch(name, value if equals else "true"))
        else:
            _check_short(word, name)
            found.append(word)
    return found


def _check_short(word: str, name: str) -> None:
    """
    Find misspelt flags before Twisted does, which would read one letter, and complain of that.

    :param word: as it was given.
    :param name: the same without dashes and value.
    :raises MisspeltFlag: it is neither a flag of one letter nor C{-c} with a file.
    """
    is_file = name.startswith("c") and (re.search(r"[./]", name) or not meant(name, _NAMES))
    if len(name) > 1 and not word.startswith("--") and not is_file:
        raise MisspeltFlag(f"there is no flag -{name}{meant(name, _NAMES)}")


def _next(name: str, left: list[str]) -> str:
    if not left:
        raise MisspeltFlag(f"the flag -{name} needs a value")
    return left.pop(0)


def _switch(name: str, value: str) -> list[str]:
    if value.lower() in _TRUE:
        return [f"--{name}"]
    if value.lower() in _FALSE:
        return []
    raise MisspeltFlag(f"the flag -{name} is true or false, not {value!r}")
