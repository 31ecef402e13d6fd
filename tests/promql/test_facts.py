"""Tests of C{trickster.promql.facts}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Reason
from trickster.promql.facts import MILLISECOND_NS, SECOND_NS, Facts, duration_ns, facts
from trickster.promql.tokens import LONGEST, MOST_TOKENS

MINUTE_NS = 60 * SECOND_NS

# What dashboards are made of: no two alike in construct.
ORDINARY = """
up
vector(1)
1
-1.5e-3 + .5 * 0x1F ^ 2 % Inf - NaN
node_load1{instance="a:9100",job=~"node|other",mode!="idle",x!~".+"}
{__name__=~"job:.*",env=""}
{"metric.with.dots", "label with space"="x"}
rate(http_requests_total[5m])
sum(rate(http_requests_total{code=~"5.."}[5m])) by (service) / sum by (service) (irate(x[1m]))
histogram_quantile(0.99, sum by (le, job) (rate(latency_bucket[1h30m])))
topk(5, sum without (instance) (x)) or bottomk(5, y) unless on (a) z and ignoring (b) w
max_over_time(rate(x[5m])[1h:1m])
max_over_time(deriv(rate(distance_covered_total[5s])[30s:5s])[10m:])
x offset 5m
rate(x[5m] offset 1w)
x offset 300
x{a="b"} offset 1h30m > bool 0.5
label_replace(up, "host", "$1", "instance", "(.*):.*")
label_join(up, "a", "-", "b", "c")
count_values("version", build_version)
quantile(0.9, x) * on (instance) group_left (nodename) node_uname_info{release!=""}
a * on () group_right b
absent(up{job="x"}) or absent_over_time(up[1h])
predict_linear(node_filesystem_free_bytes[6h], 4 * 3600) < 0
clamp_max(clamp_min(scalar(x), 0), 1) atan2 pi()
day_of_week() == 0 or hour(timestamp(x)) >= 22 and time() - y > 86400
SUM(x) BY (y) AND Count(z)
sum(x) > +Inf or x == -inf
x # a remark with ( and " in it
x @ 1609746000
x @ 1609746000.123 offset 5m
ceph_osd_metadata{osd_objectstore="bluestore"} * on (ceph_daemon) group_left (device) disk
offset
sum by (offset, by, on, start, end) (x{offset="5m",end!="1",start=~"a",smoothed="x"})
start - end
x{a='it\\'s',b="say \\"hi\\" \\\\",c=`raw \\ "quotes'`}
x{a="}])({[",b="# no remark",c="@ end()",d="offset -1h"}
limit_ratio(0.5, x)
topk by (a) (3, x) or bottomk without (b, c) (-0x1, y) + quantile(0.5, z{quantile="0.5"}) / on (quantile) topk > bool quantile
quantile_over_time(scalar(x), y[5m]) and predict_linear(x[5m:] offset 5m, scalar(y))
""".strip().splitlines()


class OrdinaryTests(SynchronousTestCase):
    """Expressions whose samples depend on their own instant and what was before it."""

    def test_accepted(self) -> None:
        """What dashboards are made of is fit for the cache."""
        for expression in ORDINARY:
            with self.subTest(expression=expression):
                found = facts(expression)
                self.assertIsNone(found.reason, found.detail)
                self.assertEqual(found.ahead_ns, 0)

    def test_lines(self) -> None:
        """Lines, and remarks at their ends, change nothing."""
        self.assertEqual(facts("sum(\n\tx # one (\r\n) by (y) # two"), Facts())

    @given(st.text(alphabet="ab\\\"'`(){}[]#@\n -1h", max_size=20))
    def test_any_string(self, text: str) -> None:
        """The text of a string means nothing."""
        quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        self.assertEqual(facts("x{a=" + quoted + "}"), Facts())
        raw = "`" + text.replace("`", "") + "`"
        self.assertEqual(facts("x{a=" + raw + "} > 0"), Facts())

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text at all is accepted or refused, and nothing else happens."""
        self.assertIsInstance(facts(text), Facts)

    @given(st.lists(st.sampled_from([*"()[]{}@#-,.:", " offset ", "1h", "-5", "\"a\"", " x ",
                                     "start", "rate", " by ", "1e999", "0x1"]), max_size=8))
    def test_any_tokens(self, words: list[str]) -> None:
        """
        Any sequence of what expressions are made of is accepted or refused, and nothing
        else happens.
        """
        self.assertIsInstance(facts("".join(words)), Facts)


class RangeDependentTests(SynchronousTestCase):
    """Expressions whose samples depend on the range that is asked for."""

    def assert_refused(self, reason: Reason, *expressions: str) -> None:
        for expression in expressions:
            with self.subTest(expression=expression):
                self.assertIs(facts(expression).reason, reason)

    def test_start_and_end(self) -> None:
        """Expressions with the ends of the range, anywhere, in any case, depend on the range."""
        self.assert_refused(
            Reason.RANGE_DEPENDENT, "x @ start()", "x @ end()", "x@end()", "rate(x[5m] @ start())",
            "x offset 1h @ end ( )", "max_over_time(x[1h:1m] @ END())", "x @ # remark\n start()",
            "x{a=\"@ 5\"} @ end() offset 5m", "sum(x @ Start())")

    def test_computed_parameters(self) -> None:
        """A parameter that is computed may be computed once, for where the range begins."""
        self.assert_refused(
            Reason.RANGE_DEPENDENT, "topk(scalar(x), y)", "quantile(time() / 1e10, x)",
            "bottomk by (a) (scalar(x), y)", "TOPK without (a, b) (1 + 1, x)", "topk((5), x)",
            "limit_ratio(scalar(x), y)", "Quantile by () (-scalar(x), y)")

    def test_fixed_ranges(self) -> None:
        """What goes on computing with a range fixed in time is not the same for each range."""
        self.assert_refused(
            Reason.RANGE_DEPENDENT, "predict_linear(x[5m] @ 1609746000, 60)",
            "quantile_over_time(scalar(y), x[5m] @ 1609746000)",
            "x @ 1609746000 + holt_winters(y[5m], 0.5, scalar(z))")

    def test_computed_durations(self) -> None:
        """Durations that are computed from the range or the step are refused."""
        self.assert_refused(
            Reason.UNKNOWN_FUNCTION, "x[step()]", "rate(x[5m+range()])", "x[1h:step()]",
            "start()", "x > end()", "range()")

    def test_computed_offsets(self) -> None:
        """An offset that is computed may be one into the future."""
        self.assert_refused(
            Reason.UNPARSABLE_QUERY, "x offset (-1h)", "x offset -(5m*2)", "x offset (5m)",
            "x offset -max(5m, 10m)", "x offset min(5m, -10m)", "x offset +step()", "x offset step() * 2")

    def test_picking(self) -> None:
        """Which series C{limitk} picks depends on the series in the range."""
        self.assert_refused(
            Reason.RANGE_DEPENDENT, "limitk(5, x)", "LIMITK by (a) (5, x)", "limitk without (a) (1, x)",
            "sum(x) by (a) limit 3")
        self.assertIsNone(facts("sum by (limit) (limit) + limitk").reason)

    def test_smoothed(self) -> None:
        """Modifiers that look at later samples are refused."""
        self.assert_refused(Reason.UNKNOWN_FUNCTION, "rate(x[5m] smoothed)", "x SMOOTHED",
                            "rate(x[5m] anchored)")

    def test_unknown_functions(self) -> None:
        """Functions that are not Prometheus's own are refused: what they look at is unknown."""
        self.assert_refused(
            Reason.UNKNOWN_FUNCTION, "running_sum(x)", "range_avg(x)", "now()", "info(up)",
            "WITH (a = b) a", "Rate(x[5m])", "keep_last_value(x)", "xrate (y[1m])",
            "rollup_rate # remark\n (x[5m])")

    def test_unparsable(self) -> None:
        """A text that is no expression is refused for the origin to judge."""
        self.assert_refused(
            Reason.UNPARSABLE_QUERY, "", " ", "# only a remark", "x{", "x)", "sum(x]", "(x}", '"open',
            "x{a='b}", "x[5i]", "5Ki", "x{a=\"b\nc\"}", "x & y", "x @", "x @ y", "x @ 5m", "x @ (5)",
            "x @ 0x10", "x ; y", "\x00", "x @ 1e999", "x offset 1e999", "x offset 1h1h",
            "x offset 0x10", "x offset " + "9" * 5000 + "s", "x offset -" + "1h" * 5000, "£")

    def test_not_ascii(self) -> None:
        """Digits of other scripts are no digits."""
        self.assert_refused(Reason.UNPARSABLE_QUERY, "x offset ٥m", "x @ ١٢")

    def test_carriage_return(self) -> None:
        """A remark ends at a carriage return too, and what follows counts."""
        self.assert_refused(Reason.RANGE_DEPENDENT, "x # remark\r @ end()")

    def test_long(self) -> None:
        """An expression as long as a request can be is looked at in no time."""
        digits = "1" * 60_000
        self.assert_refused(Reason.UNPARSABLE_QUERY, digits + "x", digits + "." + digits + "x",
                            digits + "e" + digits + "x", "1m" * 30_000 + "_", '"' + "\\a" * 30_000)
        self.assertIsNone(facts(" or ".join(["x"] * 10_000)).reason)
        self.assertIsNone(facts("(" * 30_000 + "x" + ")" * 30_000).reason)

    def test_too_long(self) -> None:
        """Words, comments and characters of an expression are bounded."""
        most = MOST_TOKENS - 1
        self.assertIsNone(facts("-" * most + "x").reason)
        self.assertIsNone(facts("#\n" * most + "x").reason)
        self.assertIsNone(facts(" " * (LONGEST - 1) + "x").reason)
        self.assert_refused(Reason.UNPARSABLE_QUERY, "-" * (most + 1) + "x",
                            "#\n" * (most + 1) + "x", " " * LONGEST + "x")


class AheadTests(SynchronousTestCase):
    """Expressions that look into the future of their samples."""

    def test_negative_offset(self) -> None:
        """A negative offset is how far the expression looks ahead."""
        for expression, ahead_ns in (
                ("x offset -5m", 5 * MINUTE_NS), ("x offset - 1h30m", 90 * MINUTE_NS),
                ("x OFFSET -300", 5 * MINUTE_NS), ("x offset -0.5", SECOND_NS // 2),
                ("x offset # remark\n -5m", 5 * MINUTE_NS), ("rate(x[5m] offset -1m)", MINUTE_NS),
                ("x offset -1y2w", (365 + 14) * 24 * 60 * MINUTE_NS),
                ("x offset -1e-4", MILLISECOND_NS), ("x offset +5m", 0)):
            with self.subTest(expression=expression):
                found = facts(expression)
                self.assertEqual((found.reason, found.ahead_ns), (None, ahead_ns))

    def test_nested(self) -> None:
        """Offsets inside of offsets add up, so that none is underestimated."""
        found = facts("max_over_time((x offset -5m)[1h:1m] offset -1h) + y offset 1d")
        self.assertEqual(found.ahead_ns, 65 * MINUTE_NS)

    def test_minus_after_a_name(self) -> None:
        """A metric or label that is called offset may be subtracted from."""
        self.assertEqual(facts("sum by (offset) (x) - 5").ahead_ns, 0)

    def test_fixed(self) -> None:
        """The latest fixed instant of an expression is known."""
        found = facts("x @ 1609746000 + y @ 1609746060.5 + z @ -5")
        self.assertEqual((found.reason, found.fixed_ns),
                         (None, 1_609_746_060_500 * MILLISECOND_NS))
        self.assertIsNone(facts("x").fixed_ns)
        self.assertEqual(facts("x @ -5").fixed_ns, -5 * SECOND_NS)
        self.assertEqual(facts("x @ +1.7e9").fixed_ns, 1_700_000_000 * SECOND_NS)


class DirectiveTests(SynchronousTestCase):
    """Comments have directives for Trickster."""

    def test_fast_forward(self) -> None:
        """A directive switches off the newest sample."""
        self.assertFalse(facts("x # trickster-fast-forward:off").fast_forward)
        self.assertFalse(facts("x # trickster-fast-forward : OFF\n").fast_forward)
        self.assertTrue(facts("x # trickster-fast-forward:on").fast_forward)
        self.assertTrue(facts("x").fast_forward)

    def test_tolerance(self) -> None:
        """A directive sets the backfill tolerance in whole seconds, also before the expression."""
        for comment, tolerance_ns in (
                ("# trickster-backfill-tolerance:30", 30 * SECOND_NS),
                ("# a trickster-backfill-tolerance: 5, b", 5 * SECOND_NS),
                ("# trickster-backfill-tolerance:0", None),
                ("# trickster-backfill-tolerance:-5", None),
                ("# trickster-backfill-tolerance:1m", None),
                ("# trickster-backfill-tolerance:", None),
                ("# trickster-backfill-tolerance:²", None),
                ("# trickster-backfill-tolerance:" + "9" * 5000, None)):
            with self.subTest(comment=comment):
                self.assertEqual(facts("x " + comment).tolerance_ns, tolerance_ns)
                self.assertEqual(facts(comment + "\nx").tolerance_ns, tolerance_ns)

    def test_both(self) -> None:
        """Two directives may stand in one comment, or in two."""
        for comment in ("# trickster-fast-forward:off trickster-backfill-tolerance:9",
                        "# trickster-backfill-tolerance:9\n# trickster-fast-forward:off"):
            found = facts("x " + comment)
            self.assertEqual((found.fast_forward, found.tolerance_ns), (False, 9 * SECOND_NS))

    def test_in_a_string(self) -> None:
        """A directive in a string is none."""
        self.assertEqual(facts('x{a="# trickster-fast-forward:off"}'), Facts())


class DurationTests(SynchronousTestCase):
    """Prometheus's durations."""

    def test_units(self) -> None:
        """A duration has each unit at most once, the largest first."""
        for text, seconds in (("1s", 1), ("1m", 60), ("1h30m", 5400), ("1d", 86400),
                              ("1w", 604800), ("1y", 31536000), ("0s", 0), ("90m", 5400),
                              ("1y1w1d1h1m1s", 32230861)):
            self.assertEqual(duration_ns(text), seconds * SECOND_NS)
        self.assertEqual(duration_ns("1s500ms"), 1500 * MILLISECOND_NS)

    def test_refused(self) -> None:
        """A malformed duration is refused."""
        for text in ("", "1", "m", "1m1h", "1h1h", "1.5h", "-1h", " 1h", "1h ", "1H", "1ms1s", "1us",
                     "٥m", "1" * 5000 + "s", "1s\n"):
            with self.subTest(text=text):
                self.assertIsNone(duration_ns(text))
