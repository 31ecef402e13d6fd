"""
Whether a query may select series that a matcher names: pure.

What cannot be told is taken to do so: rather too much is purged than too little
(https://prometheus.io/docs/prometheus/latest/querying/basics/#time-series-selectors).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import re2
from attrs import frozen

from trickster.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Enclosed,
    Matcher,
    Node,
    Selector,
    Suffixed,
    parsed,
)
from trickster.promql.tokens import Unreadable
from trickster.remembering import remembered

_NAME = "__name__"
# Functions that select series which no selector names.
_SELECTING = frozenset(("info",))


@frozen
class Selection:
    """
    Conditions that the labels of a series meet, all of them.

    :ivar values: what labels are equal to, by name.
    """

    matchers: tuple[Matcher, ...]

    @property
    def values(self) -> dict[str, str]:
        """:return: what labels are equal to, by name; of several values the last."""
        return {one.name: one.value for one in self.matchers if one.operator == "="}


@remembered(1 << 20)
def selection(text: str) -> Selection:
    """
    :param text: a vector selector, such as C{up{job="a"}}.
    :return: what it selects.
    :raises Unreadable: it is none.
    """
    node = parsed(text)
    if not isinstance(node, Selector):
        raise Unreadable("it is another expression")
    found = _selection(node)
    for one in found.matchers:
        if one.operator in ("=~", "!~") and _matches(one.value, "") is None:
            raise Unreadable(f"the pattern {one.value!r}")
    return found


@remembered(2 << 20)
def may_select(wanted: str, query: str) -> bool:
    """
    :param wanted: a vector selector.
    :param query: PromQL.
    :return: whether there may be a series that both select; also where one of the two cannot be
        read.
    """
    try:
        one = selection(wanted)
        others = _selections(parsed(query))
    except Unreadable:
        return True
    return others is None or any(_may_meet(one, other) for other in others)


def _selections(node: Node) -> Sequence[Selection] | None:
    """:return: what an expression selects; None where nothing tells."""
    found: list[Selection] = []
    todo: list[Node] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, Call) and one.name.lower() in _SELECTING:
            return None
        if isinstance(one, Selector):
            found.append(_selection(one))
        todo += _within(one)
    return found


def _within(node: Node) -> Iterator[Node]:
    if isinstance(node, Suffixed | Enclosed):
        yield node.inner
    elif isinstance(node, Binary):
        yield from (node.left, node.right)
    elif isinstance(node, Aggregation | Call):
        yield from node.arguments


def _selection(node: Selector) -> Selection:
    named = (Matcher(node.start, node.end, _NAME, "=", node.name),) if node.name else ()
    return Selection((*named, *node.matchers))


def _may_meet(one: Selection, other: Selection) -> bool:
    return _allows(one, other.values) and _allows(other, one.values)


def _allows(selection: Selection, values: dict[str, str]) -> bool:
    """:return: whether a series with these values of labels may be among those selected."""
    return all(_may_be(matcher, values[matcher.name])
               for matcher in selection.matchers if matcher.name in values)


def _may_be(matcher: Matcher, value: str) -> bool:
    if matcher.operator in ("=", "!="):
        return (matcher.value == value) is (matcher.operator == "=")
    matches = _matches(matcher.value, value)
    return matches is None or matches is (matcher.operator == "=~")


def _matches(pattern: str, value: str) -> bool | None:
    """:return: whether a pattern is of all of a value; None where it is no pattern."""
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.fullmatch(pattern, value, options=options) is not None
    except (re2.error, UnicodeError):
        return None
