"""
The grammar of PromQL, as far as it must be known to change an expression without evaluating it.

Nodes know where they stand in the text, so that what is not changed stays as it was written.
Whether an expression is valid is for the origin to say: types, signatures and the meaning of
durations are not looked at (https://prometheus.io/docs/prometheus/latest/querying/basics/).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field, frozen

from trickster.promql.tokens import Token, Unreadable, Words, tokens

MOST_WORDS = 8192
_DEEPEST = 64  # parentheses in parentheses
_AGGREGATIONS = frozenset((
    "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk",
    "count_values", "quantile", "limitk", "limit_ratio"))
_PRECEDENCE = {
    "or": 1, "and": 2, "unless": 2, "==": 3, "!=": 3, "<=": 3, "<": 3, ">=": 3, ">": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "atan2": 5, "^": 6,
}
_POWER = 6
_NUMBERS = ("inf", "nan")
_MATCHING = ("on", "ignoring")
_GROUPING = ("by", "without")
_MATCH_OPERATORS = ("=", "!=", "=~", "!~")
T = TypeVar("T")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-7][0-9a-fA-F])|u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@frozen(slots=True)
class Node:
    """
    A part of an expression.

    :ivar start: where it begins in the text, in characters.
    :ivar end: where it ends.
    """

    start: int
    end: int


@frozen(slots=True)
class Literal(Node):
    """A number, or a string with its quotes."""

    text: str

    @property
    def is_string(self) -> bool:
        """
        :return: whether it is a string, in any of the three kinds of quotes; otherwise it is a
            number.
        """
        return self.text[0] in "\"'`"


@frozen(slots=True)
class Matcher(Node):
    """
    A condition on a label.

    :ivar operator: C{=}, C{!=}, C{=~} or C{!~}.
    :ivar value: without its quotes.
    """

    name: str
    operator: str
    value: str


@frozen(slots=True)
class Selector(Node):
    """
    Series by their labels.

    :ivar name: of the metric, where it stands outside of matchers; else empty.
    :ivar opening: where the inside of the braces begins; the end where there are no braces.
    """

    name: str
    matchers: tuple[Matcher, ...]
    opening: int


@frozen(slots=True)
class Suffixed(Node):
    """An expression with ranges, sub-queries, offsets or fixed times behind it."""

    inner: Node


@frozen(slots=True)
class Enclosed(Node):
    """An expression in parentheses, or with a sign before it."""

    inner: Node


@frozen(slots=True)
class Matching:
    """
    How the series of two sides are brought together.

    :ivar is_on: whether C{labels} are those that count, or those that do not.
    :ivar side: C{left} or C{right} where many series stand for one of the other side.
    :ivar included: labels that are taken from the other side.
    """

    is_on: bool = False
    labels: frozenset[str] = frozenset()
    side: str = ""
    included: frozenset[str] = frozenset()

    def compares(self, label: str) -> bool:
        """:return: whether series that differ in this label do not match."""
        return (label in self.labels) is self.is_on


@frozen(slots=True)
class Binary(Node):
    """Two expressions, and the operator between them in lower case."""

    operator: str
    left: Node
    right: Node
    matching: Matching


@frozen(slots=True)
class Aggregation(Node):
    """
    Many series made fewer.

    :ivar name: of the aggregation, in lower case.
    :ivar grouping: C{by}, C{without}, or empty.
    """

    name: str
    arguments: tuple[Node, ...]
    grouping: str
    labels: frozenset[str]


@frozen(slots=True)
class Call(Node):
    """A function of other expressions."""

    name: str
    arguments: tuple[Node, ...]


def parsed(expression: str) -> Node:
    """
    :param expression: PromQL, with comments, maybe.
    :return: the tree of it, whose nodes know where in the text they stand.
    :raises Unreadable: it is not PromQL as it is known here, or too long, or nested too deeply.
    """
    words = Words(tokens(expression, MOST_WORDS)[0])
    node = _Reader(words).expression()
    words.expect_end()
    return node


def unquoted(text: str) -> str:
    """
    :param text: a string with its quotes.
    :return: what it stands for; between backquotes nothing is an escape.
    :raises Unreadable: an escape in it is none of a character, but of an octet.
    """
    inner = text[1:-1]
    return inner if text[0] == "`" or "\\" not in inner else _ESCAPE.sub(_unescaped, inner)


def _unescaped(match: re.Match[str]) -> str:
    one, two, four, other = match.groups()
    if other is not None:
        raise Unreadable(f"the escape {match.group()}")
    return _ESCAPED.get(one, one) if one else chr(int(two or four, 16))


@define
class _Reader:
    _words: Words
    _depth: int = field(default=0, init=False)

    # Expressions

    def expression(self, least: int = 1) -> Node:
        """
        :param least: precedence of the operators that still belong to it.
        :return: the expression that begins with the next word; its words are taken.
        :raises Unreadable: there is none, or it is nested too deeply.
        """
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unreadable("nested too deeply")
        left = self._signed()
        while True:
            word = self._words.next
            operator = word.text.lower() if word.kind in ("word", "mark") else ""
            precedence = _PRECEDENCE.get(operator, 0)
            if precedence < least:
                self._depth -= 1
                return left
            self._words.take()
            matching = self._matching()
            right = self.expression(precedence if operator == "^" else precedence + 1)
            left = Binary(left.start, right.end, operator, left, right, matching)

    def _signed(self) -> Node:
        start = self._words.next.start
        if not self._words.eats("-", "+"):
            return self._suffixed(self._operand())
        inner = self.expression(_POWER)
        return Enclosed(start, inner.end, inner)

    def _matching(self) -> Matching:
        self._words.eats("bool")
        how = self._words.eats(*_MATCHING)
        labels = self._labels() if how else frozenset()
        side = self._words.eats("group_left", "group_right").removeprefix("group_")
        included = self._labels() if side and self._words.next.text == "(" else frozenset()
        if self._words.next.text.lower().startswith("fill") and self._words.second.text == "(":
            raise Unreadable("values for what does not match")
        return Matching(how == "on", labels, side, included)

    def _labels(self) -> frozenset[str]:
        self._words.expect("(")
        return frozenset(self._listed(self._label, ")"))

    def _label(self) -> str:
        word = self._words.take()
        if word.kind not in ("word", "string"):
            raise Unreadable(f"no label at character {word.start + 1}")
        return unquoted(word.text) if word.kind == "string" else word.text

    # Operands

    def _operand(self) -> Node:
        word = self._words.next
        if word.text == "(":
            return self._parenthesised()
        if word.text == "{":
            return self._selector(word.start, "")
        self._words.take()
        if word.kind in ("number", "duration", "string"):
            return Literal(word.start, word.end, word.text)
        if word.kind != "word":
            raise Unreadable(f"{word.text} at character {word.start + 1}")
        return self._named(word)

    def _named(self, word: Token) -> Node:
        lower = word.text.lower()
        if lower in _AGGREGATIONS and self._words.next.text.lower() in ("(", *_GROUPING):
            return self._aggregation(word.start, lower)
        if self._words.next.text == "(":
            arguments = self._arguments()
            return Call(word.start, self._words.last_end, word.text, arguments)
        if lower in _NUMBERS and self._words.next.text != "{":
            return Literal(word.start, word.end, word.text)
        return self._selector(word.start, word.text)

    def _parenthesised(self) -> Node:
        start = self._words.take().start
        inner = self.expression()
        self._words.expect(")")
        return Enclosed(start, self._words.last_end, inner)

    def _aggregation(self, start: int, name: str) -> Node:
        grouping = self._words.eats(*_GROUPING)
        labels = self._labels() if grouping else frozenset()
        arguments = self._arguments()
        if not grouping:
            grouping = self._words.eats(*_GROUPING)
            labels = self._labels() if grouping else labels
        return Aggregation(start, self._words.last_end, name, arguments, grouping, labels)

    def _arguments(self) -> tuple[Node, ...]:
        self._words.expect("(")
        return tuple(self._listed(self.expression, ")"))

    def _listed(self, item: Callable[[], T], closing: str) -> list[T]:
        """:return: items with commas between them, and perhaps one behind, up to the closing."""
        found: list[T] = []
        while not self._words.eats(closing):
            found.append(item())
            if not self._words.eats(","):
                self._words.expect(closing)
                break
        return found

    def _selector(self, start: int, name: str) -> Node:
        if self._words.next.text != "{":
            return Selector(start, self._words.last_end, name, (), self._words.last_end)
        opening = self._words.take().end
        matchers = tuple(self._listed(self._matcher, "}"))
        return Selector(start, self._words.last_end, name, matchers, opening)

    def _matcher(self) -> Matcher:
        word = self._words.next
        name = self._label()
        operator = self._words.eats(*_MATCH_OPERATORS)
        if not operator and word.kind == "string":
            return Matcher(word.start, word.end, "__name__", "=", name)
        value = self._words.take()
        if not operator or value.kind != "string":
            raise Unreadable(f"no matcher at character {word.start + 1}")
        return Matcher(word.start, value.end, name, operator, unquoted(value.text))

    # What stands behind an operand

    def _suffixed(self, node: Node) -> Node:
        inner = node
        while True:
            if self._words.next.text == "[":
                self._words.skip_brackets()
            elif self._words.eats("offset") or self._words.eats("@"):
                self._skip_amount()
            else:
                return node
            node = Suffixed(inner.start, self._words.last_end, inner)

    def _skip_amount(self) -> None:
        """Pass over a signed number, a duration, C{start()}, or what is in parentheses."""
        words = self._words
        words.eats("-", "+")
        if words.next.text != "(" and words.take().kind not in ("number", "duration", "word"):
            raise Unreadable("no amount")
        if words.next.text == "(":
            words.skip_brackets()
