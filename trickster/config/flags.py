"""The original's flags, with one dash or two, spelled as Twisted's parser reads them."""

from __future__ import annotations

from collections.abc import Sequence

from trickster.config.overlay import FLAGS

_VALUED = ("config", *FLAGS)
_BARE = ("validate-config", "version", "help")
_TRUE = ("1", "t", "true")
_FALSE = ("0", "f", "false")


class MisspeltFlag(ValueError):
    """A flag lacks its value, or has one that is none."""


def normalised(words: Sequence[str]) -> list[str]:
    """
    Spell the original's flags, with one dash or two, as Twisted reads them.

    :param words: the command line without the command.
    :return: C{--name=value} for known flags; everything else as it is.
    :raises MisspeltFlag: a flag lacks its value, or a switch has one that is none.
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
            found.append(word)
    return found


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
