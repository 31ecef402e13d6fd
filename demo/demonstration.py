"""The demonstration from beginning to end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from demo.comparison import difference
from demo.dashboard import Dashboard, Refresh
from demo.display import Display
from demo.ledger import Ledger
from demo.options import Options
from demo.panels import Window
from demo.report import Tally, closing_table, progress_line, refresh_line

#: Kinds of clients of the origin.
DIRECT = "direct"
THROUGH = "through Trickster"


@define
class Demonstration:
    """
    Refreshes a dashboard both ways, and shows what comes of it.

    :ivar check: raises when Trickster is gone.
    """

    clock: IReactorTime
    options: Options
    direct: Dashboard
    through: Dashboard
    ledger: Ledger
    display: Display
    check: Callable[[], None]
    tally: Tally = field(factory=Tally)

    async def run(self) -> None:
        """Refresh as often, or for as long, as the options say."""
        began = self.clock.seconds()
        number = 0
        while self._goes_on(number, began):
            number += 1
            due = self.clock.seconds() + self.options.refresh
            await self._refresh(number)
            if self._goes_on(number, began):
                await self._pause(due, began)

    def close(self) -> None:
        """Show the closing table."""
        table = closing_table(self.tally, self.ledger.account(DIRECT),
                              self.ledger.account(THROUGH))
        self.display.say(f"\n{table}")

    def _goes_on(self, number: int, began: float) -> bool:
        if self.options.seconds is None:
            return number < self.options.refreshes
        return number == 0 or self.clock.seconds() < began + self.options.seconds

    async def _pause(self, due: float, began: float) -> None:
        if self.options.seconds is not None:
            due = min(due, began + self.options.seconds)
        await deferLater(self.clock, max(0.0, due - self.clock.seconds()))

    async def _refresh(self, number: int) -> None:
        window = Window.ending(self.clock.seconds(), self.options.span, self.options.step)
        direct = await self._one_way(number, DIRECT, self.direct, window)
        through = await self._one_way(number, THROUGH, self.through, window)
        self.check()
        differences = self._differences(direct, through, window)
        self.tally.add(direct, through, differences)
        self.display.say(refresh_line(number, direct, through, differences))

    def _differences(self, direct: Refresh, through: Refresh, window: Window) -> list[str]:
        panels = zip(self.direct.panels, direct.answers, through.answers, strict=True)
        found = ((panel.title, difference(a, b, window)) for panel, a, b in panels)
        return [words and f"{title}: {words}" for title, words in found]

    def _one_way(self, number: int, way: str, dashboard: Dashboard,
                 window: Window) -> Awaitable[Refresh]:
        done = 0

        def answered() -> None:
            nonlocal done
            done += 1
            self.display.update(progress_line(number, way, done, len(dashboard.panels)))

        return dashboard.refresh(window, answered)
