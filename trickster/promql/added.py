"""
Expressions about series that have labels which their database does not know.

A proxy may show every series of a database with labels of its own (C{cluster="eu"}).  What is
asked about such series is put here into words that the database understands, so that it answers
what one would that had those labels on every series:

- A matcher on an added label is true or false for all series alike.  A true one is left out, a
  false one is replaced by a condition that no series meets.
- Most expressions give series that all have the label, or that all have lost it.  In the first
  case it is I{missing} from the database's answer, and is put into it afterwards; in the second
  there is nothing to do.
- Where both kinds meet, or a function reads or writes the label, the database itself puts it on
  the series, with C{label_replace}, and then computes with it.

The database must not have labels of these names itself.
(https://prometheus.io/docs/prometheus/latest/querying/operators/#vector-matching)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import re2
from attrs import define, evolve, frozen

from trickster.promql.facts import FUNCTIONS
from trickster.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Enclosed,
    Literal,
    Matcher,
    Node,
    Selector,
    Suffixed,
    parsed,
    unquoted,
)
from trickster.promql.tokens import Unreadable

_LONGEST_PATTERN = 16_384
_NONE: frozenset[str] = frozenset()
_SET_OPERATORS = frozenset({"and", "or", "unless"})
_ABSENT = frozenset({"absent", "absent_over_time"})
# Aggregations that give series as they were, with all their labels.
_CHOOSING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})
# What chooses by all the labels of a series, those that we add among them.
_HASHING = frozenset({"limit_ratio"})
# Functions whose result has none of the labels of their argument.
_UNLABELLED = frozenset({"scalar", "vector", "time", "pi"})
_SCALAR = frozenset({"scalar", "time", "pi"})
_LABELLING = {"label_replace": (1, 3), "label_join": (1, None)}  # which arguments are names


class Inexpressible(ValueError):
    """
    An expression is about an added label in a way that cannot be put into other words.

    :ivar label: its name.
    """

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


@frozen
class Translated:
    """
    An expression as the database understands it.

    :ivar missing: names of the added labels that every series of its answer lacks.
    """

    text: str
    missing: frozenset[str] = _NONE


@frozen
class _Part:
    text: str
    missing: frozenset[str] = _NONE
    is_scalar: bool = False


def translated(expression: str, labels: Mapping[str, str]) -> Translated:
    """
    :param expression: about series that have the labels.
    :param labels: names and values of the labels that are added to every series.
    :return: what to ask of a database that has none of them, and what its answer lacks.
    :raises Unreadable: it is not PromQL as it is known here.
    :raises Inexpressible: it cannot be answered.
    """
    part = _Translator(expression, labels, parsed(expression)).whole()
    return Translated(part.text, part.missing)


def translated_selector(text: str, labels: Mapping[str, str]) -> str:
    """
    :param text: of a C{match[]}: a selector with nothing around it.
    :param labels: names and values of the labels that are added to every series.
    :return: a selector of the same series in a database that has none of these labels; one that
        selects nothing where they do not match.
    :raises Unreadable: it is none.
    :raises Inexpressible: it cannot be answered.
    """
    node = parsed(text)
    if not isinstance(node, Selector):
        raise Unreadable("not a selector")
    return _Translator(text, labels, node).whole().text


@define
class _Translator:
    _text: str
    _labels: Mapping[str, str]
    _root: Node

    def whole(self) -> _Part:
        """:return: the whole of it, with the space and the comments around it."""
        root = self._root
        part = self._part(root)
        return evolve(part, text=self._text[:root.start] + part.text + self._text[root.end:])

    def _part(self, node: Node) -> _Part:
        if isinstance(node, Selector):
            return _Part(self._selector(node), frozenset(self._labels))
        if isinstance(node, Binary):
            return self._binary(node)
        if isinstance(node, Suffixed | Enclosed):
            inner = self._part(node.inner)
            return evolve(inner, text=self._around(node, (node.inner,), (inner,)))
        if isinstance(node, Aggregation):
            return self._aggregation(node)
        if isinstance(node, Call):
            return self._call(node)
        return _Part(self._text[node.start:node.end], is_scalar=True)

    def _around(self, node: Node, children: Sequence[Node], parts: Iterable[_Part]) -> str:
        """:return: the text of a node, with that of its children replaced."""
        texts, at = [], node.start
        for child, part in zip(children, parts, strict=True):
            texts += [self._text[at:child.start], part.text]
            at = child.end
        return "".join([*texts, self._text[at:node.end]])

    def _labelled(self, part: _Part, names: frozenset[str] | None = None) -> _Part:
        """:return: the part, with labels put on its series by the database; all it lacks."""
        names = part.missing if names is None else names & part.missing
        text = part.text
        for name in sorted(names):
            text = _put_on(text, name, self._labels[name])
        return _Part(text, part.missing - names, part.is_scalar)

    # Selectors

    def _selector(self, node: Selector) -> str:
        ours = [m for m in node.matchers if m.name in self._labels]
        if not ours or _is_refused(node):
            return self._text[node.start:node.end]
        for matcher in ours:
            if not _accepts(matcher, self._labels[matcher.name]):
                return self._selecting(node, f'{ours[0].name}="",{ours[0].name}!=""')
        others = [m for m in node.matchers if m.name not in self._labels]
        # Prometheus refuses a selector that could be of any series.
        is_any = not node.name and all(_accepts(m, "") for m in others)
        return self._selecting(node, '__name__!=""' if is_any else "")

    def _selecting(self, node: Selector, more: str) -> str:
        kept = [self._text[m.start:m.end] for m in node.matchers if m.name not in self._labels]
        before = self._text[node.start:node.opening]
        return f"{before}{','.join([*kept, more] if more else kept)}}}"

    # Aggregations

    def _aggregation(self, node: Aggregation) -> _Part:
        parts = [self._part(one) for one in node.arguments]
        if not parts:
            return _Part(self._text[node.start:node.end])
        if node.name in _HASHING or self._names_one_of_ours(node):
            parts[-1] = self._labelled(parts[-1])
        missing = parts[-1].missing
        if node.name not in _CHOOSING:
            missing = {"by": missing & node.labels, "without": missing - node.labels}.get(
                node.grouping, _NONE)
        return _Part(self._around(node, node.arguments, parts), missing)

    def _names_one_of_ours(self, node: Aggregation) -> bool:
        """
        :param node: has an argument.
        :return: whether the counted values (C{count_values}) go into one of our labels, or into
            one whose name cannot be told.
        """
        if node.name != "count_values":
            return False
        name = _string(node.arguments[0])
        return name is None or name in self._labels

    # Functions

    def _call(self, node: Call) -> _Part:
        if node.name in _ABSENT and len(node.arguments) == 1:
            return self._absent(node)
        if node.name not in FUNCTIONS:
            raise Unreadable(f"the function {node.name}")
        parts = [self._part(one) for one in node.arguments]
        if node.name in _LABELLING and parts and self._names_ours(node):
            parts[0] = self._labelled(parts[0])
        missing = frozenset().union(*(part.missing for part in parts))
        if node.name in _UNLABELLED:
            missing = _NONE
        return _Part(self._around(node, node.arguments, parts), missing, node.name in _SCALAR)

    def _names_ours(self, node: Call) -> bool:
        """
        :param node: a call of C{label_replace} or C{label_join}.
        :return: whether the function reads or writes one of our labels, or one whose name cannot
            be told.
        """
        first, second = _LABELLING[node.name]
        named = [node.arguments[first:first + 1]]
        named.append(node.arguments[3:] if second is None else node.arguments[second:second + 1])
        names = [_string(one) for part in named for one in part]
        return any(name is None or name in self._labels for name in names)

    def _absent(self, node: Call) -> _Part:
        """
        What is absent has the labels that its selector demands: those of matchers for equality,
        if no other matcher is about the same label.

        :param node: a call of C{absent} or C{absent_over_time} with one argument.
        :return: the call, with those of our labels put on that its selector demands; it lacks
            none.
        :raises Inexpressible: versions of Prometheus differ in which labels the result has.
        """
        (inner,) = node.arguments
        part = _Part(self._around(node, node.arguments, [self._part(inner)]))
        bare = inner.inner if isinstance(inner, Suffixed) else inner
        if not isinstance(bare, Selector):
            while isinstance(bare, Enclosed | Suffixed):
                bare = bare.inner
            if isinstance(bare, Selector):
                self._refuse_ours(bare)  # versions differ in what they make of parentheses
            return part
        for name in sorted({m.name for m in bare.matchers} & set(self._labels)):
            about = [m for m in bare.matchers if m.name == name]
            if len(about) > 1:
                raise Inexpressible(name)  # and in what they make of these
            if about[0].operator == "=" and about[0].value:
                part = _Part(_put_on(part.text, name, about[0].value))
        return part

    def _refuse_ours(self, selector: Selector) -> None:
        for matcher in selector.matchers:
            if matcher.name in self._labels:
                raise Inexpressible(matcher.name)

    # Operators

    def _binary(self, node: Binary) -> _Part:
        spine = [node]  # a sum of thousands is not nested thousands deep
        while isinstance(spine[-1].left, Binary):
            spine.append(spine[-1].left)
        part = self._part(spine[-1].left)
        for one in reversed(spine):
            part = self._operated(one, part, self._part(one.right))
        return part

    def _operated(self, node: Binary, left: _Part, right: _Part) -> _Part:
        if left.is_scalar or right.is_scalar:
            missing = left.missing | right.missing
        else:
            both = left.missing & right.missing
            clashing = frozenset(name for name in (left.missing | right.missing) - both
                                 if _decides(node, name))
            left, right = self._labelled(left, clashing), self._labelled(right, clashing)
            missing = _left_over(node, left.missing, right.missing)
        between = self._text[node.left.end:node.right.start]
        return _Part(left.text + between + right.text, missing,
                     left.is_scalar and right.is_scalar)


def _decides(node: Binary, name: str) -> bool:
    """:return: whether it matters that one side has a label and the other has not."""
    return (node.matching.compares(name) or node.operator == "or"
            or name in node.matching.included)


def _left_over(node: Binary, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """
    :param left: what the left side lacks; of what matters, both sides lack the same.
    :return: what the result lacks.
    """
    if node.operator in _SET_OPERATORS or node.matching.side == "left":
        return left
    if node.matching.side == "right":
        return right
    # One series of each side: the result has the labels that they were matched by.
    return frozenset(name for name in left & right if node.matching.compares(name))


def _put_on(text: str, name: str, value: str) -> str:
    """:return: an expression that puts a label on every series of another one."""
    replacement = json.dumps(value.replace("$", "$$"), ensure_ascii=False)
    quoted = json.dumps(name)
    return f'label_replace({text},{quoted},{replacement},{quoted},"(?s:.*)")'


def _string(node: Node) -> str | None:
    return unquoted(node.text) if isinstance(node, Literal) and node.is_string else None


def _is_refused(selector: Selector) -> bool:
    """
    :return: whether Prometheus refuses the selector, since it could be of any series: it names no
        metric, and each of its matchers takes a label that is not there.
    :raises Unreadable: a pattern is none that the databases know.
    """
    return not selector.name and all(_accepts(m, "") for m in selector.matchers)


def _accepts(matcher: Matcher, value: str) -> bool:
    """
    :param value: of the matcher's label; empty where a series does not have it.
    :return: whether the matcher takes it.
    :raises Unreadable: it has no such pattern as the databases know.
    """
    if matcher.operator in ("=", "!="):
        return (matcher.value == value) is (matcher.operator == "=")
    return _matches(matcher.value, value) is (matcher.operator == "=~")


def _matches(pattern: str, value: str) -> bool:
    if len(pattern) > _LONGEST_PATTERN:
        raise Unreadable("too long a pattern")
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.fullmatch(pattern, value, options=options) is not None
    except re2.error as error:
        raise Unreadable("not a pattern") from error
