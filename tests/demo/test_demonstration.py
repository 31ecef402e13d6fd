"""Tests of the demonstration from beginning to end, on a clock and without a network."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any

from attrs import define, evolve, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from demo.api import Ledger
from demo.dashboard import Panel, PanelAnswer, Refresh, Window
from demo.demonstration import Demonstration, difference
from demo.options import Options
from demo.proxy import ProxyFailed
from demo.report import Display
from demo.spelling import success, write_json
from tests.demo.doubles import now_clock

WINDOW = Window(100, 130, 10)
FULL = [[100, "1"], [110, "2"], [120, "3"], [130, "4"]]


def answer(*series: tuple[dict[str, str], list[Any]]) -> PanelAnswer:
    """:return: an answer with these series."""
    rows = [{"metric": labels, "values": values} for labels, values in series]
    return PanelAnswer(200, success(write_json({"resultType": "matrix", "result": rows})))


def with_values(values: list[Any]) -> PanelAnswer:
    """:return: an answer with one series of these samples."""
    return answer(({"a": "1"}, values))


class EqualTests(SynchronousTestCase):
    """Pairs of responses that compare as equal."""

    def equal(self, direct: PanelAnswer, through: PanelAnswer) -> None:
        """Assert that they are."""
        self.assertEqual(difference(direct, through, WINDOW), "")

    def test_same(self) -> None:
        """Two responses with the same data are equal."""
        self.equal(with_values(FULL), with_values(FULL))

    def test_order_of_series(self) -> None:
        """The order of the series in a response is not compared."""
        one, other = ({"a": "1", "b": "2"}, FULL), ({"a": "2"}, FULL)
        self.equal(answer(one, other), answer(other, one))

    def test_off_the_grid(self) -> None:
        """A sample that lies on no grid, or out of the window, is not compared."""
        self.equal(with_values(FULL), with_values([[90, "0"], *FULL, [131.5, "5"], [140, "9"]]))

    def test_series_off_the_grid(self) -> None:
        """A series that has only samples off the grid, or out of the window, is not compared."""
        self.equal(with_values(FULL), answer(({"a": "1"}, FULL), ({"b": "1"}, [[131, "5"]])))

    def test_spelling_of_times(self) -> None:
        """Times are compared as numbers."""
        self.equal(with_values([[100, "1"]]), with_values([[100.000, "1"]]))


class DifferentTests(SynchronousTestCase):
    """Pairs of responses that compare as different."""

    def different(self, said: str, direct: PanelAnswer, through: PanelAnswer) -> None:
        """Assert that they are, and what is said."""
        self.assertIn(said, difference(direct, through, WINDOW))

    def test_values(self) -> None:
        """Values are compared as spelled."""
        self.different("at 110: 2 direct, 2.0 through Trickster", with_values(FULL),
                       with_values([[100, "1"], [110, "2.0"], *FULL[2:]]))

    def test_missing_sample(self) -> None:
        """A sample that only one of two responses has is a difference."""
        self.different("at 120: 3 direct, None through", with_values(FULL),
                       with_values([*FULL[:2], FULL[3]]))
        self.different("at 130: None direct", with_values(FULL[:3]), with_values(FULL))

    def test_missing_series(self) -> None:
        """A series that only one of two responses has is a difference."""
        self.different("1 series direct, 2 through", with_values(FULL),
                       answer(({"a": "1"}, FULL), ({"a": "2"}, FULL)))

    def test_nothing(self) -> None:
        """Two responses without anything to compare are not equal."""
        self.different("nothing to compare", answer(), answer())
        self.different("nothing to compare", with_values([[101, "1"]]), with_values(FULL))

    def test_errors(self) -> None:
        """Two errors are not equal answers."""
        self.different("status 400: why", PanelAnswer(400, b"why"), PanelAnswer(400, b"why"))
        self.different("status 0: gone", with_values(FULL), PanelAnswer(0, failure="gone"))

    def test_something_else(self) -> None:
        """A response that is no matrix is not equal to any other."""
        bodies = (b"", b"[]", b"{}", b'{"data":null}', b'{"data":{"resultType":"matrix"}}',
                  b'{"data":{"resultType":"matrix","result":[{"metric":[],"values":[]}]}}',
                  b'{"data":{"resultType":"matrix","result":[{"metric":{},"values":[1]}]}}')
        for body in bodies:
            self.different("not an answer", with_values(FULL), PanelAnswer(200, body))

    def test_vector(self) -> None:
        """A vector is not equal to a matrix."""
        body = success('{"resultType":"vector","result":[]}')
        self.different("a vector", with_values(FULL), PanelAnswer(200, body))

    def test_series_twice(self) -> None:
        """A response in which a series comes twice is not equal to any other."""
        self.different("twice", with_values(FULL),
                       answer(({"a": "1"}, FULL[:2]), ({"a": "1"}, FULL[2:])))

    @settings(max_examples=50)
    @given(st.sets(st.sampled_from(range(100, 131, 10))),
           st.sets(st.sampled_from(range(100, 131, 10)), min_size=1))
    def test_any_difference(self, ours: set[int], theirs: set[int]) -> None:
        """Two responses are equal exactly if they have the same samples."""
        direct, through = (with_values([[at, "1"] for at in sorted(some)])
                           for some in (theirs, ours))
        self.assertEqual(not difference(direct, through, WINDOW), ours == theirs)


@define
class _Dashboard:
    """Refreshes in a given time, with a given value."""

    clock: object
    seconds: float
    value: str = "1"
    panels: tuple[Panel, ...] = (Panel("one", "up"), Panel("two", "up"))
    windows: list[Window] = field(factory=list)

    async def refresh(self, window: Window, answered: Callable[[], None]) -> Refresh:
        """:return: two equal answers."""
        self.windows.append(window)
        await deferLater(self.clock, self.seconds)  # type: ignore[arg-type]
        answered()
        answered()
        data = (f'{{"resultType":"matrix","result":[{{"metric":{{}},'
                f'"values":[[{window.start},"{self.value}"]]}}]}}')
        answer = PanelAnswer(200, success(data), "engine=X; status=hit")
        return Refresh(self.seconds, (answer,) * 2)


class DemonstrationTests(SynchronousTestCase):
    """Refreshes of both ways, directly and through Trickster."""

    def setUp(self) -> None:
        """Direct takes a second, through Trickster a tenth of it."""
        self.clock = now_clock()
        self.out = StringIO()
        self.direct = _Dashboard(self.clock, 1.0)
        self.through = _Dashboard(self.clock, 0.1)
        self.options = Options(refreshes=3, refresh=3.0)

    def check(self) -> None:
        """All is well."""

    def begin(self) -> tuple[Demonstration, Deferred[None]]:
        """:return: a demonstration that has begun."""
        demonstration = Demonstration(
            self.clock, self.options, self.direct, self.through,  # type: ignore[arg-type]
            Ledger(), Display(self.out, False), self.check)
        return demonstration, Deferred.fromCoroutine(demonstration.run())

    def run_for(self, seconds: float) -> Deferred[None]:
        """:return: what fires when the demonstration is over, after some time."""
        self.demonstration, running = self.begin()
        self.clock.pump([0.05] * round(seconds / 0.05))
        return running

    def test_so_many(self) -> None:
        """Without a duration, the demonstration makes the requested number of refreshes."""
        self.successResultOf(self.run_for(7.5))
        self.assertEqual(len(self.direct.windows), 3)
        self.assertEqual(self.out.getvalue().count("\n"), 3)

    def test_so_long(self) -> None:
        """
        With a duration, the demonstration ends after it, whatever number of refreshes is requested.
        """
        self.options = evolve(self.options, seconds=8.0)
        running = self.run_for(7.9)
        self.assertNoResult(running)
        self.clock.advance(0.2)
        self.successResultOf(running)

    def test_at_least_one(self) -> None:
        """A refresh that takes longer than the duration is finished."""
        self.options = evolve(self.options, seconds=0.5)
        self.successResultOf(self.run_for(1.2))
        self.assertEqual(self.demonstration.tally.compared, 2)

    def test_same_window(self) -> None:
        """Both ways are asked for the same windows, which slide."""
        self.options = evolve(self.options, refresh=15.0)
        self.successResultOf(self.run_for(46))
        self.assertEqual(self.direct.windows, self.through.windows)
        ends = [window.end for window in self.direct.windows]
        self.assertEqual([end - ends[0] for end in ends], [0, 15, 30])

    def test_slow_refreshes(self) -> None:
        """Refreshes that take longer than the interval follow each other at once."""
        self.options = evolve(self.options, refresh=0.1)
        self.successResultOf(self.run_for(3.5))

    def test_table(self) -> None:
        """The closing table covers all refreshes."""
        self.successResultOf(self.run_for(7.5))
        self.demonstration.close()
        self.assertIn("answers equal: 6 of 6", self.out.getvalue())
        self.assertTrue(self.demonstration.tally.is_good)

    def test_different(self) -> None:
        """A difference is shown with the panel's title."""
        self.through.value = "2"
        self.successResultOf(self.run_for(7.5))
        self.demonstration.close()
        self.assertIn("different: one: ", self.out.getvalue())
        self.assertFalse(self.demonstration.tally.is_good)

    def test_trickster_gone(self) -> None:
        """The demonstration fails when Trickster's process has ended."""
        self.patch(type(self), "check", _gone)
        self.failureResultOf(self.run_for(1.2), ProxyFailed)


def _gone(case: DemonstrationTests) -> None:
    raise ProxyFailed("gone", "")
