"""Reads the part of PromQL that the demo origin understands."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from attrs import define, frozen

from demo.series import Labels

#: Octets of an expression, and of a pattern in it, that are read at all.
LONGEST_QUERY = 65_536
_LONGEST_PATTERN = 256
_DEEPEST = 32

_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000,
       "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")
_TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<sign>!=|=~|!~|[=(){}\[\],+\-*/])
""", re.VERBOSE)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

AGGREGATIONS = frozenset({"sum", "avg", "min", "max", "count"})


class NotUnderstood(ValueError):
    """An expression that is not PromQL, or not in the part of it that we know."""


def is_label_name(text: str) -> bool:
    """:return: whether this may name a label."""
    return _LABEL_NAME.fullmatch(text) is not None


def duration_ms(text: str) -> int:
    """
    :param text: such as C{5m} or C{1h30m}, largest unit first.
    :return: milliseconds.
    :raises NotUnderstood: it is no duration.
    """
    found = _DURATION.fullmatch(text)
    if found is None or not text or len(text) > 40:
        raise NotUnderstood(f'not a valid duration string: "{text}"')
    units = ("y", "w", "d", "h", "m", "s", "ms")
    return sum(int(count) * _MS[unit]
               for count, unit in zip(found.groups(), units, strict=True) if count)


class MatchType(Enum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    PATTERN = "=~"
    NOT_PATTERN = "!~"


@frozen
class Matcher:
    """
    A condition on one label; a label that a series does not have counts as empty.

    :ivar pattern: for the two pattern types, anchored by the caller.
    """

    name: str
    kind: MatchType
    value: str
    pattern: re.Pattern[str] | None = None

    def accepts(self, value: str) -> bool:
        """:return: whether a label of this value is what is asked for."""
        if self.pattern is None:
            return (value == self.value) is (self.kind is MatchType.EQUAL)
        matched = self.pattern.fullmatch(value) is not None
        return matched is (self.kind is MatchType.PATTERN)


@frozen
class Selector:
    """Series by their labels."""

    matchers: tuple[Matcher, ...]

    def accepts(self, labels: Labels) -> bool:
        """:return: whether a series with these labels is selected."""
        values = dict(labels)
        return all(m.accepts(values.get(m.name, "")) for m in self.matchers)


@frozen
class Rate:
    """How quickly counters grow, per second.

    :ivar window_ms: how far to look back, in milliseconds.
    """

    selector: Selector
    window_ms: int


@frozen
class Aggregate:
    """
    Many series made one for each group.

    :ivar names: labels to group by; all others if C{is_without}.
    """

    operation: str
    names: tuple[str, ...]
    is_without: bool
    inner: Node


@frozen
class Number:
    """A scalar."""

    value: float


@frozen
class Arithmetic:
    """Two expressions, at least one of them a scalar, and a sign of C{+-*/} between them."""

    sign: str
    left: Node
    right: Node


Node = Selector | Rate | Aggregate | Number | Arithmetic


def is_scalar(node: Node) -> bool:
    """:return: whether the value is a number, not a vector of them."""
    if isinstance(node, Arithmetic):
        return is_scalar(node.left) and is_scalar(node.right)
    return isinstance(node, Number)


def parse(text: str) -> Node:
    """
    :raises NotUnderstood: says where and what, as C{line:column: parse error: ...}.
    """
    if len(text) > LONGEST_QUERY:
        raise NotUnderstood("parse error: the expression is too long")
    if not text.strip():
        raise NotUnderstood("unknown position: parse error: no expression found in input")
    parser = _Parser(text, _tokens(text))
    node = parser.expression()
    parser.expect("end")
    return node


def parse_selector(text: str) -> Selector:
    """
    :param text: what a C{match[]} parameter says.
    :raises NotUnderstood: it is no plain selector.
    """
    node = parse(text)
    if not isinstance(node, Selector):
        raise NotUnderstood("1:1: parse error: expected a series selector")
    return node


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _where(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"{line}:{at - text.rfind(chr(10), 0, at)}"


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotUnderstood(
                f"{_where(text, at)}: parse error: the demo origin does not understand "
                f"{text[at]!r}")
        if match.lastgroup != "space":
            kind = match.group() if match.lastgroup == "sign" else str(match.lastgroup)
            found.append(_Token(kind, match.group(), at))
        at = match.end()
    found.append(_Token("end", "", at))
    return found


@define
class _Parser:
    text: str
    tokens: list[_Token]
    at: int = 0
    depth: int = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def fail(self, detail: str) -> NotUnderstood:
        return NotUnderstood(f"{_where(self.text, self.next.at)}: parse error: {detail}")

    def take(self, kind: str) -> _Token | None:
        token = self.next
        if token.kind != kind:
            return None
        self.at += 1
        return token

    def expect(self, kind: str) -> _Token:
        token = self.take(kind)
        if token is None:
            said = repr(self.next.text) if self.next.text else "end of input"
            raise self.fail(f"unexpected {said}, expected {kind}")
        return token

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.fail("the expression is nested too deeply")
        left = self._term()
        while self.next.kind in ("+", "-"):
            left = self._joined(left, self._term)
        self.depth -= 1
        return left

    def _term(self) -> Node:
        left = self._factor()
        while self.next.kind in ("*", "/"):
            left = self._joined(left, self._factor)
        return left

    def _joined(self, left: Node, operand: object) -> Node:
        sign = self.expect(self.next.kind).kind
        right = operand()  # type: ignore[operator]
        if not (is_scalar(left) or is_scalar(right)):
            raise self.fail("the demo origin does not join two vectors")
        return Arithmetic(sign, left, right)

    def _factor(self) -> Node:
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        number = self.take("number")
        if number:
            return Number(float(number.text))
        if self.next.kind == "{":
            return self._selector("")
        return self._named(self.expect("name").text)

    def _named(self, name: str) -> Node:
        if name in AGGREGATIONS and self.next.kind in ("name", "("):
            return self._aggregate(name)
        if self.next.kind != "(":
            return self._selector(name)
        if name != "rate":
            raise self.fail(f'the demo origin does not understand the function "{name}"')
        self.expect("(")
        rate = self._rate()
        self.expect(")")
        return rate

    def _rate(self) -> Rate:
        name = self.take("name")
        selector = self._selector(name.text if name else "", is_ranged=True)
        self.expect("[")
        window = duration_ms(self.expect("duration").text)
        self.expect("]")
        if window <= 0:
            raise self.fail("duration must be greater than 0")
        return Rate(selector, window)

    def _aggregate(self, operation: str) -> Aggregate:
        grouping = self._grouping()
        self.expect("(")
        inner = self.expression()
        self.expect(")")
        names, is_without = grouping or self._grouping() or ((), False)
        if is_scalar(inner):
            raise self.fail("expected type instant vector in aggregation expression, got scalar")
        return Aggregate(operation, names, is_without, inner)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if self.next.kind != "name" or self.next.text not in ("by", "without"):
            return None
        is_without = self.expect("name").text == "without"
        self.expect("(")
        names = []
        while self.next.kind == "name":
            names.append(self.expect("name").text)
            if not self.take(","):
                break
        self.expect(")")
        return tuple(names), is_without

    def _selector(self, name: str, is_ranged: bool = False) -> Selector:
        matchers = [Matcher("__name__", MatchType.EQUAL, name)] if name else []
        if not name or self.next.kind == "{":
            matchers += self._matchers()
        if all(matcher.accepts("") for matcher in matchers):
            raise self.fail("vector selector must contain at least one non-empty matcher")
        if self.next.kind == "[" and not is_ranged:
            raise self.fail("the demo origin takes a range only inside of rate()")
        return Selector(tuple(matchers))

    def _matchers(self) -> list[Matcher]:
        self.expect("{")
        matchers = []
        while self.next.kind == "name":
            matchers.append(self._matcher(self.expect("name").text))
            if not self.take(","):
                break
        self.expect("}")
        return matchers

    def _matcher(self, name: str) -> Matcher:
        if self.next.kind not in ("=", "!=", "=~", "!~"):
            raise self.fail("expected a label matching operator")
        kind = MatchType(self.expect(self.next.kind).kind)
        value = self._unquoted(self.expect("string").text[1:-1])
        if kind in (MatchType.EQUAL, MatchType.NOT_EQUAL):
            return Matcher(name, kind, value)
        if len(value) > _LONGEST_PATTERN:
            raise self.fail("the pattern is too long")
        try:
            return Matcher(name, kind, value, re.compile(value))
        except re.error as error:
            raise self.fail(f"error parsing regexp: {error}") from error

    def _unquoted(self, text: str) -> str:
        def one(match: re.Match[str]) -> str:
            if match[1] not in _ESCAPES:
                raise self.fail(f"unknown escape sequence in {text!r}")
            return _ESCAPES[match[1]]
        return _ESCAPE.sub(one, text)
