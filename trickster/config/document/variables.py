"""C{${NAME}} in values, in whose place the value of an environment variable is put."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Braces only: $x, and the $2b$... of a hash, are meant as they are.
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Substituted(str):
    """
    A text with the values of environment variables in it.

    :ivar written: as it stands in the file.
    """

    __slots__ = ("written",)
    written: str

    @classmethod
    def of(cls, text: str, written: str) -> Substituted:
        """
        :param text: the value.
        :param written: how the file has it.
        """
        made = cls(text)
        made.written = written
        return made


def has_variable(text: str) -> bool:
    """:return: whether there is a C{${NAME}} in a text."""
    return "${" in text and _VARIABLE.search(text) is not None


def unset(text: str, environ: Mapping[str, str]) -> str:
    """
    :param environ: variables that are set, if only to an empty text.
    :return: the name of the first variable in a text that is not set; empty for none.
    """
    names = (found[1] for found in _VARIABLE.finditer(text))
    return next((name for name in names if name not in environ), "")


def substituted(text: str, environ: Mapping[str, str]) -> str:
    """
    :param text: all of whose variables are in C{environ}.
    :return: the text with their values.
    """
    if not has_variable(text):
        return text
    return Substituted.of(_VARIABLE.sub(lambda found: environ[found[1]], text), text)
