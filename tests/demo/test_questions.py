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
    """Parameters of range queries."""

    def refused(self, said: str, **changed: str) -> None:
        """Assert that this is refused, and what is said."""
        error = self.assertRaises(ApiError, a_range, **changed)
        self.assertEqual((error.status, error.kind), (400, "bad_data"))
        self.assertIn(said, error.detail)

    def test_understood(self) -> None:
        """The expression and the grid of a range query are read."""
        self.assertEqual(a_range(), Question(parse("up"), Grid(100_000, 200_000, 15_000), True))

    def test_times(self) -> None:
        """A range query needs both times, and both have to be valid."""
        self.refused('invalid parameter "start": cannot parse "" to a valid timestamp', start="")
        self.refused('invalid parameter "end": cannot parse "x" to a valid timestamp', end="x")

    def test_inverted(self) -> None:
        """A range query whose end is before its start is refused."""
        self.refused('invalid parameter "end": end timestamp must not be before', end="99")

    def test_instant(self) -> None:
        """The start and end of a range query may be equal."""
        self.assertEqual(len(a_range(end="100").grid.times), 1)

    def test_step(self) -> None:
        """The step of a range query is a positive duration."""
        self.refused('invalid parameter "step": cannot parse "" to a valid duration', step="")
        self.refused("zero or negative query resolution step", step="0")
        self.refused("zero or negative query resolution step", step="-5")

    def test_resolution(self) -> None:
        """A range query may have eleven thousand steps, and no more."""
        self.assertEqual(len(a_range(start="0", end="11000", step="1").grid.times), 11_001)
        self.refused("exceeded maximum resolution of 11,000 points",
                     start="0", end="11001", step="1")

    def test_timeout(self) -> None:
        """A timeout, if present, has to be a duration."""
        self.refused('invalid parameter "timeout"', timeout="x")
        self.assertEqual(a_range(timeout="5s"), a_range())

    def test_query(self) -> None:
        """A malformed expression is refused with its position and the kind of mistake."""
        self.refused('invalid parameter "query": unknown position: parse error: no expr',
                     query="")
        self.refused('invalid parameter "query": 1:3: parse error', query="up)")


class InstantQuestionTests(SynchronousTestCase):
    """Parameters of instant queries."""

    def test_time(self) -> None:
        """The time of an instant query is the given one."""
        asked = instant_question(Params((("query", "up"), ("time", "7.5"))), 99)
        self.assertEqual(asked, Question(parse("up"), Grid(7500, 7500, 1), False))

    def test_now(self) -> None:
        """The time of an instant query without one is now."""
        self.assertEqual(instant_question(Params((("query", "up"),)), 99).grid.start_ms, 99)

    def test_refused(self) -> None:
        """An instant query with a malformed time is refused."""
        params = Params((("query", "up"), ("time", "soon")))
        self.assertRaises(ApiError, instant_question, params, 99)


class OtherParameterTests(SynchronousTestCase):
    """Selectors and limits."""

    def test_selectors(self) -> None:
        """Every C{match[]} is read as a selector."""
        params = Params((("match[]", "up"), ("match[]", '{a="b"}'), ("start", "5")))
        self.assertEqual(selectors(params), [parse("up"), parse('{a="b"}')])

    def test_wrong_selectors(self) -> None:
        """A malformed selector or time is refused."""
        for pair in (("match[]", "{}"), ("match[]", "1"), ("start", "x"), ("end", "x")):
            self.assertRaises(ApiError, selectors, Params((pair,)))

    def test_count(self) -> None:
        """A limit is a whole number, or absent."""
        self.assertEqual(count(Params((("limit", "5"),)), "limit"), 5)
        self.assertIsNone(count(Params(), "limit"))
        self.assertRaises(ApiError, count, Params((("limit", "x"),)), "limit")
