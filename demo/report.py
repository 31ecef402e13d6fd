"""What the demonstration shows: lines of progress, one for each refresh, the closing table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from attrs import define, field

from demo.api import Account
from demo.dashboard import PanelAnswer, Refresh

_STATUS = re.compile(r"(?:^|[;,\s])status=([a-z-]+)")
#: Differences that are told in full.
_MOST_TOLD = 5
#: Where a terminal's cursor goes back and erases to the right (ECMA-48).
_AGAIN = "\r\x1b[K"


@define
class Display:
    """
    A terminal, or a file that is no terminal and gets whole lines only.

    :ivar is_terminal: whether lines can be rewritten.
    :ivar width: columns; longer changing lines are cut, since a wrapped line cannot be
        rewritten.
    """

    out: TextIO
    is_terminal: bool
    width: int = 80
    _is_open: bool = False

    def update(self, line: str) -> None:
        """Show this in the place of the last changing line."""
        if self.is_terminal:
            self._write(_AGAIN + line[:self.width - 1])
            self._is_open = True

    def say(self, text: str = "") -> None:
        """Show this for good, in the place of a changing line if there is one."""
        self._write((_AGAIN if self._is_open else "") + text + "\n")
        self._is_open = False

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


@define
class Tally:
    """
    What has been seen so far.

    :ivar direct: seconds of each refresh.
    :ivar through: the same, through Trickster.
    :ivar statuses: how often each cache status came.
    :ivar differences: the first few, in words.
    """

    direct: list[float] = field(factory=list)
    through: list[float] = field(factory=list)
    statuses: Counter[str] = field(factory=Counter)
    compared: int = 0
    equal: int = 0
    differences: list[str] = field(factory=list)

    def add(self, direct: Refresh, through: Refresh, differences: Sequence[str]) -> None:
        """
        :param differences: of each panel; an empty string where there was none.
        """
        self.direct.append(direct.seconds)
        self.through.append(through.seconds)
        self.statuses.update(cache_status(answer) for answer in through.answers)
        self.compared += len(differences)
        found = [one for one in differences if one]
        self.equal += len(differences) - len(found)
        self.differences += found[:_MOST_TOLD - len(self.differences)]

    @property
    def is_good(self) -> bool:
        """Whether something was compared, and all of it was equal."""
        return self.compared > 0 and self.equal == self.compared


def cache_status(answer: PanelAnswer) -> str:
    """:return: Trickster's word for what its cache did, or what else came."""
    if not answer.status:
        return "failed"
    found = _STATUS.search(answer.result)
    return found[1] if found else "no result header"


def refresh_line(number: int, direct: Refresh, through: Refresh,
                 differences: Sequence[str]) -> str:
    """
    :param number: of the refresh, from 1.
    :return: one line, without its end.
    """
    statuses = Counter(cache_status(answer) for answer in through.answers)
    equal = sum(not one for one in differences)
    return (f"refresh {number:3}  direct {_time(direct.seconds)}  "
            f"Trickster {_time(through.seconds)} {_ratio(direct.seconds, through.seconds):>8}  "
            f"equal {equal}/{len(differences)}  {_counts(statuses)}")


def progress_line(number: int, way: str, done: int, panels: int) -> str:
    """:return: how far a refresh is, as a line with a bar."""
    return f"refresh {number:3}  {way:17} [{'#' * done}{'.' * (panels - done)}]"


def closing_table(tally: Tally, direct: Account, through: Account) -> str:
    """
    :param direct: what the origin was asked for directly.
    :param through: what Trickster asked it for.
    :return: some lines.
    """
    if not tally.direct:
        return "No refresh was finished."
    rows = [
        ("refresh, first", *_times(tally.direct[0], tally.through[0])),
        ("refresh, p50", *_times(_median(tally.direct), _median(tally.through))),
        ("refresh, worst", *_times(max(tally.direct), max(tally.through))),
    ]
    if len(tally.direct) > 1:
        later = max(tally.direct[1:]), max(tally.through[1:])
        rows.append(("refresh, worst after the first", *_times(*later)))
    rows += [
        ("queries the origin answered", *_amounts(direct.queries, through.queries)),
        ("points asked of the origin", *_amounts(direct.points, through.points)),
        ("bytes the origin sent", *_amounts(direct.octets, through.octets)),
    ]
    lines = [_row("", "direct", "through Trickster", "ratio"),
             *(_row(*row) for row in rows), "",
             f"cache statuses: {_counts(tally.statuses)}",
             f"answers equal: {tally.equal} of {tally.compared}"]
    lines += [f"  different: {one}" for one in tally.differences]
    return "\n".join(lines)


def _row(name: str, direct: str, through: str, ratio: str) -> str:
    return f"{name:32}{direct:>14}{through:>20}{ratio:>10}".rstrip()


def _times(direct: float, through: float) -> tuple[str, str, str]:
    return _time(direct), _time(through), _ratio(direct, through)


def _amounts(direct: int, through: int) -> tuple[str, str, str]:
    return f"{direct:,}", f"{through:,}", _ratio(direct, through)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:6.0f} ms" if seconds < 10 else f"{seconds:6.1f} s "


def _ratio(direct: float, through: float) -> str:
    return f"{direct / through:.1f} x" if through > 0 else "-"


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _counts(statuses: Counter[str]) -> str:
    return ", ".join(f"{status} {count}" for status, count in sorted(statuses.items()))
