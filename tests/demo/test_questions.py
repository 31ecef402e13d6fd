"""Tests of how the demo origin reads queries."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from demo.evaluation import Grid
from demo.language import parse
from demo.questions import (
    ApiError,
    Question,
    count,
    instant_question,
    range_question,
    selectors,
)
from trickster.messages import Params

RANGE = {"query": "up", "start": "100", "end": "200", "step": "15"}


def a_range(**changed: str) -> Question:
    """:return: a range question with other parameters; empty ones count as missing."""
    return range_question(Params(tuple({**RANGE, **changed}.items())))


class RangeQuestionTests(SynchronousTestCase):
    """Range queries."""

    def refused(self, said: str, **changed: str) -> None:
        """Assert that this is refused, and what is said."""
        error = self.assertRaises(ApiError, a_range, **changed)
        self.assertEqual((error.status, error.kind), (400, "bad_data"))
        self.assertIn(said, error.detail)

    def test_understood(self) -> None:
        """Expression and grid are read."""
        self.assertEqual(a_range(), Question(parse("up"), Grid(100_000, 200_000, 15_000), True))

    def test_times(self) -> None:
        """A range query needs both times, and both have to be valid."""
        self.refused('invalid parameter "start": cannot parse "" to a valid timestamp', start="")
        self.refused('invalid parameter "end": cannot parse "x" to a valid timestamp', end="x")

    def test_inverted(self) -> None:
        """The end is not before the start."""
        self.refused('invalid parameter "end": end timestamp must not be before', end="99")

    def test_instant(self) -> None:
        """Start and end may be the same."""
        self.assertEqual(len(a_range(end="100").grid.times), 1)

    def test_step(self) -> None:
        """The step is a duration of more than nothing."""
        self.refused('invalid parameter "step": cannot parse "" to a valid duration', step="")
        self.refused("zero or negative query resolution step", step="0")
        self.refused("zero or negative query resolution step", step="-5")

    def test_resolution(self) -> None:
        """Eleven thousand steps are allowed, and no more."""
        self.assertEqual(len(a_range(start="0", end="11000", step="1").grid.times), 11_001)
        self.refused("exceeded maximum resolution of 11,000 points",
                     start="0", end="11001", step="1")

    def test_timeout(self) -> None:
        """A timeout is a duration, if there is one."""
        self.refused('invalid parameter "timeout"', timeout="x")
        self.assertEqual(a_range(timeout="5s"), a_range())

    def test_query(self) -> None:
        """What is wrong with the expression is said last."""
        self.refused('invalid parameter "query": unknown position: parse error: no expr',
                     query="")
        self.refused('invalid parameter "query": 1:3: parse error', query="up)")


class InstantQuestionTests(SynchronousTestCase):
    """Instant queries."""

    def test_time(self) -> None:
        """The time is the one that is asked for."""
        asked = instant_question(Params((("query", "up"), ("time", "7.5"))), 99)
        self.assertEqual(asked, Question(parse("up"), Grid(7500, 7500, 1), False))

    def test_now(self) -> None:
        """Without a time it is now."""
        self.assertEqual(instant_question(Params((("query", "up"),)), 99).grid.start_ms, 99)

    def test_refused(self) -> None:
        """A wrong time is refused."""
        params = Params((("query", "up"), ("time", "soon")))
        self.assertRaises(ApiError, instant_question, params, 99)


class OtherParameterTests(SynchronousTestCase):
    """Selectors and limits."""

    def test_selectors(self) -> None:
        """Every C{match[]} counts."""
        params = Params((("match[]", "up"), ("match[]", '{a="b"}'), ("start", "5")))
        self.assertEqual(selectors(params), [parse("up"), parse('{a="b"}')])

    def test_wrong_selectors(self) -> None:
        """A wrong one is refused, and so is a wrong time."""
        for pair in (("match[]", "{}"), ("match[]", "1"), ("start", "x"), ("end", "x")):
            self.assertRaises(ApiError, selectors, Params((pair,)))

    def test_count(self) -> None:
        """A limit is a whole number, or there is none."""
        self.assertEqual(count(Params((("limit", "5"),)), "limit"), 5)
        self.assertIsNone(count(Params(), "limit"))
        self.assertRaises(ApiError, count, Params((("limit", "x"),)), "limit")
