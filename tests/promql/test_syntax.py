"""Tests of C{trickster.promql.syntax}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.promql.syntax import (
    Aggregation,
    Binary,
    Call,
    Enclosed,
    Literal,
    Node,
    Selector,
    Suffixed,
    parsed,
    unquoted,
)
from trickster.promql.tokens import Unreadable


def shape(text: str) -> str:
    """:return: an expression with all of its structure in brackets."""
    return _shape(parsed(text), text)


def _shape(node: Node, text: str) -> str:
    if isinstance(node, Binary):
        return f"({_shape(node.left, text)} {node.operator} {_shape(node.right, text)})"
    if isinstance(node, Enclosed):
        return f"<{_shape(node.inner, text)}>"
    if isinstance(node, Suffixed):
        return f"{_shape(node.inner, text)}~"
    if isinstance(node, Call | Aggregation):
        return f"{node.name}[{', '.join(_shape(one, text) for one in node.arguments)}]"
    return text[node.start:node.end]


class ShapeTests(SynchronousTestCase):
    """How expressions are parsed."""

    def test_precedence(self) -> None:
        """Operators bind as they do in Prometheus."""
        for text, wanted in (
                ("a + b * c", "(a + (b * c))"), ("a * b + c", "((a * b) + c)"),
                ("a - b - c", "((a - b) - c)"), ("a ^ b ^ c", "(a ^ (b ^ c))"),
                ("-a ^ b", "<(a ^ b)>"), ("-a * b", "(<a> * b)"), ("a ^ -b * c", "((a ^ <b>) * c)"),
                ("a or b and c", "(a or (b and c))"), ("a and b == c", "(a and (b == c))"),
                ("a == b + c", "(a == (b + c))"), ("a unless b OR c", "((a unless b) or c)"),
                ("a > bool 1", "(a > 1)"), ("a atan2 b % c", "((a atan2 b) % c)"),
                ("(a + b) * c", "(<(a + b)> * c)"), ("1 - - 2", "(1 - <2>)")):
            self.assertEqual(shape(text), wanted)

    def test_operands(self) -> None:
        """Literals, selectors, calls and groups are parsed as operands."""
        for text, wanted in (
                ("1", "1"), ("NaN", "NaN"), ("inf", "inf"), ('"x"', '"x"'), ("0x1F", "0x1F"),
                ("sum(a)", "sum[a]"), ("SUM by (b) (a)", "sum[a]"), ("sum(a) without (b,)", "sum[a]"),
                ("topk(3, a)", "topk[3, a]"), ("rate(a[5m])", "rate[a~]"), ("time()", "time[]"),
                ("sum", "sum"), ("by", "by"), ("a:b:c", "a:b:c"), ('{a="b"}', '{a="b"}'),
                ("a[5m:1m] offset -1h @ end()", "a~"), ("a @ 1.5 + b", "(a~ + b)"),
                ("a offset (1h + 5m)", "a~"), ("a[5m:]", "a~"), ("(a)[1h:1m]", "<a>~"),
                ("a[5m * 2]", "a~"), ("a # c\n + b", "(a + b)"),
                ("a / on (b, c) group_left (d) e", "(a / e)"), ("a + ignoring () b", "(a + b)"),
                ("a * group_right b", "(a * b)")):
            self.assertEqual(shape(text), wanted)

    def test_nodes_know_their_place(self) -> None:
        """A node's text is what it was made of."""
        text = ' sum ( rate(a{b = "c"}[5m] offset 1m) ) / 2 # x'
        node = parsed(text)
        assert isinstance(node, Binary)
        self.assertEqual(text[node.left.start:node.left.end],
                         'sum ( rate(a{b = "c"}[5m] offset 1m) )')
        self.assertEqual(text[node.right.start:node.right.end], "2")


class PartsTests(SynchronousTestCase):
    """Labels and matchers of an expression."""

    def test_matchers(self) -> None:
        """A matcher has name, operator and value; a string alone is the metric's name."""
        node = parsed("a{b='c', \"d.e\"!=`f\\`, g=~\"h\\n\", i!~\"\", \"j\",}")
        assert isinstance(node, Selector)
        self.assertEqual([(m.name, m.operator, m.value) for m in node.matchers], [
            ("b", "=", "c"), ("d.e", "!=", "f\\"), ("g", "=~", "h\n"), ("i", "!~", ""),
            ("__name__", "=", "j")])
        self.assertEqual((node.name, node.opening), ("a", 2))

    def test_matching(self) -> None:
        """The labels of C{on} and C{ignoring} are parsed."""
        for text, compared in (("a + b", True), ("a + on (x) b", True), ("a + on (y) b", False),
                               ("a + ignoring (x) b", False), ("a + ignoring (y) b", True),
                               ("a + on () b", False)):
            node = parsed(text)
            assert isinstance(node, Binary)
            self.assertIs(node.matching.compares("x"), compared, text)

    def test_grouping(self) -> None:
        """The labels of a grouping are parsed before and after the operand."""
        for text in ('sum by (x, "y") (a)', 'sum (a) by ("x", y)'):
            node = parsed(text)
            assert isinstance(node, Aggregation)
            self.assertEqual((node.grouping, node.labels), ("by", {"x", "y"}))

    def test_strings(self) -> None:
        """Escapes are those of Go, as far as they are of characters."""
        for text, value in (('"a"', "a"), ("'\\''", "'"), ('"\\"\\\\\\t"', '"\\\t'), ("`\\n`", "\\n"),
                            ('"\\x41\\u00e9"', "Aé")):
            self.assertEqual(unquoted(text), value)
        for text in ('"\\xff"', '"\\377"', '"\\q"', '"\\U0001F600"'):
            self.assertRaises(Unreadable, unquoted, text)
        literal = parsed('"a"')
        assert isinstance(literal, Literal)
        self.assertTrue(literal.is_string)


class UnreadableTests(SynchronousTestCase):
    """Expressions that are not parsed."""

    def test_broken(self) -> None:
        """Expressions that Prometheus refuses are unreadable, as far as that matters."""
        for text in ("", "sum(", "a b", "a +", "a{b}", "a{b=c}", 'a{b="c"', "a[5m", "a)", "(a",
                     "a{b='c' d='e'}", "a + on b c", "sum by x (a)", "a offset", "a @", "f(a",
                     "a[5m)]", "*a", "a{=}", "a offset 'x'", "a + fill (1) b", "sum(a,b", "a,b"):
            with self.subTest(text=text):
                self.assertRaises(Unreadable, parsed, text)

    def test_bounds(self) -> None:
        """Deep nesting and thousands of words are not read; long chains are."""
        for text in ("(" * 65 + "a" + ")" * 65, "-" * 65 + "a", "f(" * 65 + "a" + ")" * 65,
                     "a + " * 5000 + "a", "a ^ " * 65 + "a"):
            self.assertRaises(Unreadable, parsed, text)
        for text in ("(" * 60 + "a" + ")" * 60, "a + " * 4000 + "a", "a" + "[1m:]" * 1500):
            parsed(text)

    @given(st.text('ab(){}[],="+-/ 15mon#by@:', max_size=20))
    def test_anything(self, text: str) -> None:
        """Any text is read, or refused in the one way."""
        try:
            node = parsed(text)
        except Unreadable:
            return
        self.assertTrue(0 <= node.start <= node.end <= len(text))
