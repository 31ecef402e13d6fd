"""The demonstration from beginning to end: refreshes both ways, and compares the answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from demo.api import Ledger
from demo.dashboard import Dashboard, PanelAnswer, Refresh, Window
from demo.options import Options
from demo.report import Display, Tally, closing_table, progress_line, refresh_line

_Samples = dict[Decimal, str]
_Table = dict[frozenset[tuple[str, str]], _Samples]

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


class _Unreadable(ValueError):
    """An answer that is not a matrix."""


def difference(direct: PanelAnswer, through: PanelAnswer, window: Window) -> str:
    """
    :return: what is different, or an empty string.  Answers that say nothing at all are
        not the same, since nothing could be compared.
    """
    try:
        ours, theirs = _table(through, window), _table(direct, window)
    except _Unreadable as error:
        return str(error)
    if not theirs:
        return "there is nothing to compare"
    if ours.keys() != theirs.keys():
        return f"{len(theirs)} series direct, {len(ours)} through Trickster, not the same"
    for labels in theirs:
        if ours[labels] != theirs[labels]:
            return _first_difference(dict(labels), theirs[labels], ours[labels])
    return ""


def _first_difference(labels: dict[str, str], direct: _Samples, through: _Samples) -> str:
    at = min(at for at in direct.keys() | through.keys() if direct.get(at) != through.get(at))
    return f"{labels} at {at}: {direct.get(at)} direct, {through.get(at)} through Trickster"


def _table(answer: PanelAnswer, window: Window) -> _Table:
    if answer.status != 200:
        said = answer.failure or answer.body[:200].decode("utf-8", "replace")
        raise _Unreadable(f"status {answer.status}: {said}")
    try:
        data = json.loads(answer.body, parse_float=Decimal)["data"]
        if data["resultType"] != "matrix":
            raise _Unreadable(f"a {data['resultType']}, not a matrix")
        found = {frozenset(row["metric"].items()): _aligned(row["values"], window)
                 for row in data["result"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Unreadable(f"not an answer to a range query: {error!r}") from error
    if len(found) != len(data["result"]):
        raise _Unreadable("a series comes twice")
    return {labels: samples for labels, samples in found.items() if samples}


def _aligned(values: list[Any], window: Window) -> _Samples:
    return {Decimal(at): value for at, value in values
            if window.start <= at <= window.end and not at % window.step}
