"""Tests of the demonstration from beginning to end, on a clock and without a network."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from demo.dashboard import PanelAnswer, Refresh
from demo.demonstration import Demonstration
from demo.display import Display
from demo.ledger import Ledger
from demo.options import Options
from demo.panels import Panel, Window
from demo.proxy import ProxyFailed
from demo.spelling import success
from tests.demo.test_api import now_clock


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
    """Refreshing both ways."""

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
        """Without a time there are as many refreshes as are asked for."""
        self.successResultOf(self.run_for(7.5))
        self.assertEqual(len(self.direct.windows), 3)
        self.assertEqual(self.out.getvalue().count("\n"), 3)

    def test_so_long(self) -> None:
        """With a time it ends then, however many refreshes there are."""
        self.options = evolve(self.options, seconds=8.0)
        running = self.run_for(7.9)
        self.assertNoResult(running)
        self.clock.advance(0.2)
        self.successResultOf(running)

    def test_at_least_one(self) -> None:
        """A refresh that takes longer than there is time is finished."""
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
        """Refreshes that take longer than the time between them follow at once."""
        self.options = evolve(self.options, refresh=0.1)
        self.successResultOf(self.run_for(3.5))

    def test_table(self) -> None:
        """The closing table tells of all of it."""
        self.successResultOf(self.run_for(7.5))
        self.demonstration.close()
        self.assertIn("answers equal: 6 of 6", self.out.getvalue())
        self.assertTrue(self.demonstration.tally.is_good)

    def test_different(self) -> None:
        """A difference is told with the panel's title."""
        self.through.value = "2"
        self.successResultOf(self.run_for(7.5))
        self.demonstration.close()
        self.assertIn("different: one: ", self.out.getvalue())
        self.assertFalse(self.demonstration.tally.is_good)

    def test_trickster_gone(self) -> None:
        """It fails when Trickster is gone."""
        self.patch(type(self), "check", _gone)
        self.failureResultOf(self.run_for(1.2), ProxyFailed)


def _gone(case: DemonstrationTests) -> None:
    raise ProxyFailed("gone", "")
