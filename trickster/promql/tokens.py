"""The words of PromQL (https://prometheus.io/docs/prometheus/latest/querying/basics/)."""

from __future__ import annotations

import re
from typing import NamedTuple

#: Characters, and words with comments, of one expression that are looked at.  What has more of
#: them takes longer than a cache may, and is the origin's alone to read.
LONGEST = 131_072
MOST_TOKENS = 65_536

_TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>\#[^\r\n]*)
  | (?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*)*" | '[^'\\\n]*(?:\\.[^'\\\n]*)*' | `[^`]*`)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?![A-Za-z0-9_]))
  | (?P<number>(?:0[xX][0-9a-fA-F]+ | (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
        (?![A-Za-z0-9_]))
  | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
  | (?P<mark>==|!=|<=|>=|=~|!~|[-+*/%^(){}\[\],=<>@:.])
  | (?P<other>.)
""", re.VERBOSE | re.ASCII)


class Unreadable(ValueError):
    """An expression is not PromQL, or not in the part of it that is known here."""


class Token(NamedTuple):
    """
    A word of an expression.

    :ivar kind: C{string}, C{duration}, C{number}, C{word}, C{mark} or C{end}.
    :ivar start: where it begins, in characters.
    """

    kind: str
    text: str
    start: int = 0

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.text)


def tokens(expression: str, most: int = MOST_TOKENS) -> tuple[list[Token], list[str]]:
    """
    :param most: words and comments that there may be.
    :return: the words of an expression without the space between them; and its comments.
    :raises Unreadable: there is something else in it, or it is longer than L{LONGEST}, or has
        more words than C{most}.
    """
    if len(expression) > LONGEST:
        raise Unreadable(f"longer than {LONGEST} characters")
    found: list[Token] = []
    comments: list[str] = []
    for match in _TOKEN.finditer(expression):
        kind = match.lastgroup
        if kind == "other":
            raise Unreadable(f"at character {match.start() + 1}")
        if kind == "space":
            continue
        if kind == "comment":
            comments.append(match.group())
        else:
            found.append(Token(str(kind), match.group(), match.start()))
        if len(found) + len(comments) > most:
            raise Unreadable(f"more than {most} words")
    return found, comments
