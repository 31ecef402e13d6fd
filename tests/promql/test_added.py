"""Tests of C{trickster.promql.added}; end to end they are held against a real Prometheus."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.promql.added import Inexpressible, translated, translated_selector
from trickster.promql.tokens import Unreadable

LABELS = {"dc": "x"}
PUT = 'label_replace({},"dc","x","dc","(?s:.*)")'


class SelectorTests(SynchronousTestCase):
    """Matchers of added labels in selectors."""

    def assert_translated(self, *pairs: tuple[str, str]) -> None:
        for text, wanted in pairs:
            self.assertEqual(translated_selector(text, LABELS), wanted, text)

    def test_none(self) -> None:
        """A selector without matchers of added labels stays as it is spelled."""
        for text in ("a", ' a { b = "c" , } ', '{b="dc"}', '{__name__="dc"}', "{}", '{a=~".*"}'):
            self.assert_translated((text, text))

    def test_true(self) -> None:
        """A matcher that is true of all series is left out."""
        self.assert_translated(
            ('a{dc="x"}', "a{}"), ('a{dc="x",b="c"}', 'a{b="c"}'), ('a{b="c", dc!="y"}', 'a{b="c"}'),
            ('a{dc=~"x|y"}', "a{}"), ('a{dc=~".+",dc!~"y.*"}', "a{}"), ("a{dc!=''}", "a{}"),
            ('{"a",dc="x"}', '{"a"}'), ('{dc="x",b="c"}', '{b="c"}'))

    def test_false(self) -> None:
        """A matcher that is true of no series selects nothing."""
        nothing = 'dc="",dc!=""'
        self.assert_translated(
            ('a{dc="y"}', f"a{{{nothing}}}"), ('a{b="c",dc!="x"}', f'a{{b="c",{nothing}}}'),
            ('a{dc=~"y"}', f"a{{{nothing}}}"), ('a{dc=""}', f"a{{{nothing}}}"),
            ('{dc="x",dc!~".*"}', f"{{{nothing}}}"), ('a{dc=~""}', f"a{{{nothing}}}"))

    def test_anything(self) -> None:
        """A selector of all series becomes one that Prometheus accepts."""
        self.assert_translated(
            ('{dc="x"}', '{__name__!=""}'), ('{dc="x",b=~".*"}', '{b=~".*",__name__!=""}'),
            ('{dc="x",b!="c"}', '{b!="c",__name__!=""}'), ('{dc="x",b=~".+"}', '{b=~".+"}'))

    def test_refused(self) -> None:
        """A selector that Prometheus refuses stays as it is, for Prometheus to refuse."""
        self.assert_translated(('{dc=~".*"}', '{dc=~".*"}'), ('{dc!="y"}', '{dc!="y"}'))
        for text in ("sum(a)", "a[5m]", "a{", 'a{dc=~"("}', f'a{{dc=~"{"x" * 20000}"}}'):
            self.assertRaises(Unreadable, translated_selector, text, LABELS)

    def test_patterns(self) -> None:
        """Patterns are matched as RE2 matches the whole value, in bounded time."""
        for pattern, is_true in (("x", True), ("", False), ("X", False), ("(?i)X", True),
                                 ("[[:alpha:]]", True), ("x{1}", True), (".", True), ("xx", False),
                                 ("(x*)*y", False), ("(x+x+)+y", False)):
            self.assertEqual(translated_selector(f'a{{dc=~"{pattern}"}}', LABELS) == "a{}",
                             is_true, pattern)


class ExpressionTests(SynchronousTestCase):
    """Which series still have the added labels, and where the database adds labels."""

    def assert_lacking(self, *texts: str) -> None:
        for text in texts:
            found = translated(text, LABELS)
            self.assertEqual((found.text, found.missing), (text, {"dc"}), text)

    def assert_without(self, *texts: str) -> None:
        for text in texts:
            found = translated(text, LABELS)
            self.assertEqual((found.text, found.missing), (text, frozenset()), text)

    def assert_put(self, *pairs: tuple[str, str]) -> None:
        for text, wanted in pairs:
            found = translated(text, LABELS)
            self.assertEqual((found.text, found.missing), (wanted, frozenset()), text)

    def test_kept(self) -> None:
        """Most operations leave series the added labels, which are missing in the result."""
        self.assert_lacking(
            "a", "a[5m]", "rate(a[5m])", "-a", "(a)", "a + 1", "2 * a", "a > bool 1", "a + b",
            "a and b", "a or b", "a unless b", "sum by (dc) (a)", "sum without (b) (a)",
            "topk(1, a)", "bottomk by (b) (1, a)", "a + on (dc) b", "a + ignoring (b) c",
            "a + on (b) group_left c", "a + on (b) group_left (dc) c", "a * scalar(b)",
            "max_over_time(a[1h:])", "histogram_quantile(0.9, a)", 'label_replace(a,"b","c","d","e")',
            'label_join(a,"b",",","c")', 'count_values without (b) ("c", a)', "clamp(a, 1, scalar(b))",
            "sum by (dc) (a) / sum by (dc) (b)", "timestamp(a)", "a and on (b) sum(c)",
            "a * on (b) group_left sum by (b) (c)", "sum by (b) (c) * on (b) group_right a",
            "a unless on () vector(1)", " a # dc")

    def test_lost(self) -> None:
        """Some operations remove the added labels, and results without series have none."""
        self.assert_without(
            "1", '"x"', "time()", "vector(1)", "hour()", "scalar(a)", "sum(a)", "sum by (b) (a)",
            "sum without (dc) (a)", "count(a) by (b)", 'count_values("c", a)', "a + on (b) c",
            "a + ignoring (dc) b", "sum(a) / sum(b)", "absent(a)", "absent(sum(a))", "-sum(a)",
            "sum(a) or vector(0)", "topk(1, sum(a))", "a * on (b) sum by (b) (c)",
            "a * ignoring (dc) sum without (dc) (c)", "quantile(0.5, a)", "sum(a)[1h:]")

    def test_put_on(self) -> None:
        """Where one operand has the added labels and the other has not, the database adds them."""
        put = PUT.format
        self.assert_put(
            ("a or vector(0)", f"{put('a')} or vector(0)"),
            ("a / sum(a)", f"{put('a')} / sum(a)"), ("sum(a) / a", f"sum(a) / {put('a')}"),
            ("a or on (b) sum(c)", f"{put('a')} or on (b) sum(c)"),
            ("sum by (dc) (a) / sum(a)", f"{put('sum by (dc) (a)')} / sum(a)"),
            ("a and sum(b)", f"{put('a')} and sum(b)"),
            ("a offset 5m / sum(a)", f"{put('a offset 5m')} / sum(a)"),
            ("sum(a) * on () group_right (dc) b", f"sum(a) * on () group_right (dc) {put('b')}"),
            ('a{dc="x"} or vector(0)', f"{put('a{}')} or vector(0)"),
            ("a + b or vector(0)", f"{put('a + b')} or vector(0)"))

    def test_named(self) -> None:
        """The database adds the labels where a function reads or writes them."""
        put = PUT.format
        self.assert_put(
            ('label_replace(a,"b","$1","dc","(.*)")', f'label_replace({put("a")},"b","$1","dc","(.*)")'),
            ('label_replace(a,"dc","y","","")', f'label_replace({put("a")},"dc","y","","")'),
            ('label_join(a,"b",",","c","dc")', f'label_join({put("a")},"b",",","c","dc")'),
            ('count_values("dc", a)', f'count_values("dc", {put("a")})'),
            ("limit_ratio(0.5, a)", f'limit_ratio(0.5, {put("a")})'))

    def test_absent(self) -> None:
        """C{absent} has the added labels that its selector has."""
        self.assert_put(
            ('absent(a{dc="x"})', PUT.format("absent(a{})")),
            ('absent_over_time(a{dc="x"}[5m])', PUT.format("absent_over_time(a{}[5m])")),
            ('absent(a{dc="y"})', 'label_replace(absent(a{dc="",dc!=""}),"dc","y","dc","(?s:.*)")'),
            ('absent(a{dc=~"x"})', "absent(a{})"), ('absent(a{dc!="x"})', 'absent(a{dc="",dc!=""})'))
        for text in ('absent((a{dc="x"}))', 'absent(a{dc="x",dc!="y"})'):
            self.assertEqual(self.assertRaises(Inexpressible, translated, text, LABELS).label, "dc")

    def test_several(self) -> None:
        """Each of several added labels is translated by itself."""
        labels = {"dc": "x", "env": 'a"$1\\'}
        self.assertEqual(translated("sum by (dc) (a)", labels).missing, {"dc"})
        found = translated("sum without (dc) (a) / on (env) group_left () sum(a)", labels)
        self.assertEqual(found.missing, frozenset())
        self.assertEqual(
            found.text, 'label_replace(sum without (dc) (a),"env","a\\"$$1\\\\","env","(?s:.*)") '
            "/ on (env) group_left () sum(a)")

    def test_unreadable(self) -> None:
        """An expression that is not understood is not translated."""
        for text in ("", "sum(", "nosuch(a)", "info(a)", "a smoothed", '{dc=~"("}'):
            self.assertRaises(Unreadable, translated, text, LABELS)

    def test_long_chains(self) -> None:
        """A sum of thousands is not too deep."""
        self.assert_lacking(" + ".join(["a"] * 3000))
