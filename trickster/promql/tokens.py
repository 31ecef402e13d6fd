"""The words of PromQL (https://prometheus.io/docs/prometheus/latest/querying/basics/)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from attrs import define, field

#: Characters, and words with comments, of one expression that are looked at.  What has more of
#: them takes longer than a cache may, and is the origin's alone to read.
LONGEST = 131_072
MOST_TOKENS = 65_536

_CLOSING = {"(": ")", "[": "]", "{": "}"}
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
        """:return: where it ends, in characters: the place of the first one after it."""
        return self.start + len(self.text)


_END = Token("end", "")


@define
class Words:
    """The words of an expression, which are taken one after the other."""

    _words: Sequence[Token]
    _at: int = field(default=0, init=False)

    @property
    def next(self) -> Token:
        """
        :return: the word that is taken next, which stays; one of kind C{end} where there is none.
        """
        return self._words[self._at] if self._at < len(self._words) else _END

    @property
    def second(self) -> Token:
        """
        :return: the word after the next one, which stays; one of kind C{end} where there is none.
        """
        return self._words[self._at + 1] if self._at + 1 < len(self._words) else _END

    @property
    def last_end(self) -> int:
        """
        :return: where the word ends that was taken last, in characters; to be asked only once one
            was.
        """
        return self._words[self._at - 1].end

    def take(self) -> Token:
        """
        :return: the next word.
        :raises Unreadable: there is none.
        """
        word = self.next
        if word is _END:
            raise Unreadable("it ends too early")
        self._at += 1
        return word

    def eats(self, *texts: str) -> str:
        """:return: the next word in lower case, taken, if it is one of these; else empty."""
        word = self.next
        text = word.text.lower() if word.kind != "string" else ""
        if text not in texts:
            return ""
        self._at += 1
        return text

    def expect(self, text: str) -> None:
        """
        Take a word.

        :param text: of the word, in lower case.
        :raises Unreadable: another one comes next, or none.
        """
        if not self.eats(text):
            raise Unreadable(f"{text} expected at character {self.next.start + 1}")

    def expect_end(self) -> None:
        """:raises Unreadable: there is more."""
        if self.next is not _END:
            raise Unreadable(f"more than an expression at character {self.next.start + 1}")

    def skip_brackets(self) -> None:
        """
        Take all from an opening bracket, which comes next, to the one that closes it.

        :raises Unreadable: brackets in it do not match, or it is not closed.
        """
        closing: list[str] = []
        while True:
            word = self.take()
            if word.kind != "mark":
                continue
            if word.text in _CLOSING:
                closing.append(_CLOSING[word.text])
            elif word.text in _CLOSING.values() and word.text != closing.pop():
                raise Unreadable(f"unmatched {word.text} at character {word.end}")
            if not closing:
                return


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
