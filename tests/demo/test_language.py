"""Tests of the demo origin's part of PromQL."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from demo.language import (
    Aggregate,
    Arithmetic,
    Matcher,
    MatchType,
    NotUnderstood,
    Number,
    Rate,
    Selector,
    duration_ms,
    is_label_name,
    is_scalar,
    parse,
    parse_selector,
)

UP = Selector((Matcher("__name__", MatchType.EQUAL, "up"),))


def accepts(text: str, **labels: str) -> bool:
    """:return: whether a selector accepts a series."""
    return parse_selector(text).accepts(tuple(sorted(labels.items())))


class DurationTests(SynchronousTestCase):
    """Durations in PromQL."""

    def test_units(self) -> None:
        """The units of a duration add up."""
        self.assertEqual(duration_ms("1h30m5s7ms"), 5_405_007)

    def test_minutes_are_not_milliseconds(self) -> None:
        """C{m} and C{ms} are different units."""
        self.assertEqual((duration_ms("5m"), duration_ms("5ms")), (300_000, 5))

    def test_refused(self) -> None:
        """
        An empty duration, one without a unit, and one with units in the wrong order are refused.
        """
        for text in ("", "5", "m", "5s1m", "1.5h", "-5m", "5m ", "9" * 50 + "s"):
            self.assertRaises(NotUnderstood, duration_ms, text)


class SelectorTests(SynchronousTestCase):
    """Selectors and their matchers in PromQL."""

    def test_name(self) -> None:
        """A bare name selects by the metric's name."""
        self.assertEqual(parse("up"), UP)

    def test_equal(self) -> None:
        """An equal matcher matches exactly its value."""
        self.assertTrue(accepts('up{job="a"}', __name__="up", job="a"))
        self.assertFalse(accepts('up{job="a"}', __name__="up", job="ab"))

    def test_not_equal(self) -> None:
        """A missing label is not equal to a value."""
        self.assertTrue(accepts('up{job!="a"}', __name__="up"))

    def test_pattern_is_anchored(self) -> None:
        """A pattern matches whole values only."""
        self.assertTrue(accepts('up{code=~"5.."}', __name__="up", code="500"))
        self.assertFalse(accepts('up{code=~"5.."}', __name__="up", code="5000"))

    def test_not_pattern(self) -> None:
        """A negative pattern selects the series that the pattern does not match."""
        self.assertFalse(accepts('up{code!~"5.."}', __name__="up", code="500"))
        self.assertTrue(accepts('up{code!~"5.."}', __name__="up", code="200"))

    def test_escapes(self) -> None:
        """Quotes and backslashes in values can be escaped, in either kind of quotes."""
        self.assertTrue(accepts(r'''up{a="\"\\"}''', __name__="up", a='"\\'))
        self.assertTrue(accepts(r"""up{a='}"'}""", __name__="up", a='}"'))

    def test_without_name(self) -> None:
        """A selector needs no name if one of its matchers does not match the empty value."""
        self.assertTrue(accepts('{job="a",}', __name__="up", job="a"))

    def test_everything(self) -> None:
        """A selector that would match every series is refused."""
        for text in ("{}", '{job=""}', '{job=~".*"}'):
            self.assertIn("non-empty matcher", why_not(text))

    def test_only_selectors(self) -> None:
        """A C{match[]} has to be a selector, and not another expression."""
        self.assertRaises(NotUnderstood, parse_selector, "rate(up[5m])")

    def test_patterns_are_checked(self) -> None:
        """Broken and very long patterns are refused."""
        self.assertIn("regexp", why_not('up{a=~"("}'))
        self.assertIn("too long", why_not('up{a=~"%s"}' % ("x" * 257)))


def why_not(text: str) -> str:
    """:return: what is said of an expression that is refused."""
    try:
        parse(text)
    except NotUnderstood as error:
        return str(error)
    return ""


class ExpressionTests(SynchronousTestCase):
    """Expressions in PromQL."""

    def test_rate(self) -> None:
        """A rate has a selector and a window."""
        self.assertEqual(parse("rate(up[5m])"), Rate(UP, 300_000))

    def test_aggregation(self) -> None:
        """The grouping may come before or after the expression."""
        expected = Aggregate("sum", ("a", "b"), False, UP)
        self.assertEqual(parse("sum by (a, b) (up)"), expected)
        self.assertEqual(parse("sum(up) by (a, b,)"), expected)

    def test_without(self) -> None:
        """Grouping may name the labels to drop."""
        self.assertEqual(parse("max without (a) (up)"), Aggregate("max", ("a",), True, UP))

    def test_ungrouped(self) -> None:
        """An aggregation without a grouping has one group."""
        self.assertEqual(parse("avg(up)"), Aggregate("avg", (), False, UP))

    def test_metric_named_like_an_aggregation(self) -> None:
        """A name of an aggregation is a metric unless an aggregation follows."""
        self.assertIsInstance(parse("sum"), Selector)

    def test_precedence(self) -> None:
        """
        Multiplication binds more strongly than subtraction, and operators group from the left.
        """
        self.assertEqual(parse("1 - 2 * 3 - 4"), Arithmetic(
            "-", Arithmetic("-", Number(1), Arithmetic("*", Number(2), Number(3))), Number(4)))

    def test_parentheses(self) -> None:
        """Parentheses change the grouping of operators."""
        self.assertEqual(parse("(1+2)*up"), Arithmetic(
            "*", Arithmetic("+", Number(1), Number(2)), UP))

    def test_scalars(self) -> None:
        """A calculation with numbers alone is a number."""
        self.assertTrue(is_scalar(parse("1e3+.5")))
        self.assertFalse(is_scalar(parse("1+up")))

    def test_refused(self) -> None:
        """An expression that is not understood is refused with a place and a reason."""
        for text, said in (
                ("", "no expression found"), ("  ", "no expression found"),
                ("histogram_quantile(0.9, up)", '"histogram_quantile"'),
                ("up + up", "1:8: parse error: the demo origin does not join two vectors"),
                ("up[5m]", "only inside of rate()"), ("rate(up)", "expected ["),
                ("rate(up[0s])", "greater than 0"), ("up offset 5m", "unexpected 'offset'"),
                ("up @ 0", "'@'"), ("sum(1)", "got scalar"), ("up{", "expected }"),
                ("up{a}", "label matching operator"), ('up{a="\\q"}', "escape"),
                ("up\n  )", "2:3: parse error"), ("(" * 40, "nested too deeply"),
                ("x" * 70_000, "too long"), ("up)", "unexpected ')'"), ("5m", "'5m'")):
            self.assertIn(said, why_not(text))

    @settings(max_examples=200)
    @given(st.text(alphabet='up{}()[]=~"1m+*, sumbyrate', max_size=30))
    def test_never_anything_else(self, text: str) -> None:
        """Any text is parsed or refused, and raises no other error."""
        try:
            parse(text)
        except NotUnderstood as error:
            self.assertIn("parse error", f"parse error {error}")

    def test_label_names(self) -> None:
        """A label name has letters, digits and underscores, and does not begin with a digit."""
        self.assertTrue(is_label_name("__name__"))
        self.assertFalse(any(map(is_label_name, ("", "1a", "a-b", "a\n"))))
