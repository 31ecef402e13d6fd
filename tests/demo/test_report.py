"""Tests of what the demonstration shows."""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from demo.api import Account
from demo.dashboard import PanelAnswer, Refresh
from demo.report import (
    Display,
    Tally,
    cache_status,
    closing_table,
    progress_line,
    refresh_line,
)


def refresh(seconds: float, *statuses: str) -> Refresh:
    """:return: one with these cache statuses."""
    return Refresh(seconds, tuple(
        PanelAnswer(200, b"", f"engine=DeltaProxyCache; status={one}; fetched=[1-2]")
        for one in statuses))


class StatusTests(SynchronousTestCase):
    """Statuses read from result headers."""

    def test_found(self) -> None:
        """The status is found anywhere in the result header, with either separator."""
        for header in ("engine=X; status=phit; ffstatus=off", "engine=X, status=phit",
                       "status=phit"):
            self.assertEqual(cache_status(PanelAnswer(200, b"", header)), "phit")

    def test_not_the_fast_forward_status(self) -> None:
        """A field whose name only ends in status is not taken for the status."""
        self.assertEqual(cache_status(PanelAnswer(200, b"", "ffstatus=hit; status=kmiss")),
                         "kmiss")

    def test_none(self) -> None:
        """
        A response without a result header, and a missing response, have a status that says so.
        """
        self.assertEqual(cache_status(PanelAnswer(200)), "no result header")
        self.assertEqual(cache_status(PanelAnswer(0)), "failed")


class TallyTests(SynchronousTestCase):
    """Tallies of refreshes."""

    def test_good(self) -> None:
        """A tally is good if everything compared is equal."""
        tally = Tally()
        tally.add(refresh(1.0, "hit"), refresh(1.0, "hit"), [""])
        self.assertTrue(tally.is_good)

    def test_nothing_compared(self) -> None:
        """A tally without any comparison is not good."""
        self.assertFalse(Tally().is_good)

    def test_differences(self) -> None:
        """One difference makes the comparison fail; only the first few differences are kept."""
        tally = Tally()
        for _ in range(4):
            tally.add(refresh(1.0), refresh(1.0), ["x", "y", ""])
        self.assertFalse(tally.is_good)
        self.assertEqual((tally.equal, tally.compared), (4, 12))
        self.assertEqual(tally.differences, ["x", "y", "x", "y", "x"])


class LineTests(SynchronousTestCase):
    """Lines about a refresh."""

    def test_refresh(self) -> None:
        """A refresh is shown in one line."""
        line = refresh_line(3, refresh(1.5), refresh(0.03, "hit", "phit", "hit"), ["", "", "x"])
        self.assertEqual(line, "refresh   3  direct   1500 ms  Trickster     30 ms   50.0 x  "
                               "equal 2/3  hit 2, phit 1")

    def test_progress(self) -> None:
        """The progress line has a bar of as many places as panels."""
        self.assertEqual(progress_line(3, "direct", 2, 5),
                         "refresh   3  direct            [##...]")


class TableTests(SynchronousTestCase):
    """The closing table of a demonstration."""

    def table(self, tally: Tally) -> str:
        """:return: the table, with some amounts."""
        return closing_table(tally, Account(20, 1_000_000, 5000), Account(10, 100_000, 0))

    def test_rows(self) -> None:
        """The table has times, amounts, statuses and equality, with ratios."""
        tally = Tally()
        tally.add(refresh(2.0), refresh(4.0, "kmiss"), [""])
        tally.add(refresh(1.0), refresh(0.01, "hit"), [""])
        tally.add(refresh(3.0), refresh(0.02, "hit"), ["t: x"])
        lines = [line.split("  ") for line in self.table(tally).splitlines()]
        rows = {line[0]: [part.strip() for part in line[1:] if part] for line in lines}
        self.assertEqual(rows["refresh, first"], ["2000 ms", "4000 ms", "0.5 x"])
        self.assertEqual(rows["refresh, p50"], ["2000 ms", "20 ms", "100.0 x"])
        self.assertEqual(rows["refresh, worst"], ["3000 ms", "4000 ms", "0.8 x"])
        self.assertEqual(rows["refresh, worst after the first"],
                         ["3000 ms", "20 ms", "150.0 x"])
        self.assertEqual(rows["points asked of the origin"], ["1,000,000", "100,000", "10.0 x"])
        self.assertEqual(rows["bytes the origin sent"], ["5,000", "0", "-"])
        self.assertIn(["cache statuses: hit 2, kmiss 1"], lines)
        self.assertIn(["answers equal: 2 of 3"], lines)
        self.assertIn(["", "different: t: x"], lines)

    def test_even_number(self) -> None:
        """The median of two times is halfway between them."""
        tally = Tally()
        for seconds in (1.0, 2.0):
            tally.add(refresh(seconds), refresh(seconds), [""])
        self.assertIn("1500 ms", self.table(tally))

    def test_long_times(self) -> None:
        """Long times are shown in seconds."""
        tally = Tally()
        tally.add(refresh(12.34), refresh(1.0), [""])
        self.assertIn("12.3 s", self.table(tally))

    def test_nothing(self) -> None:
        """A demonstration without a refresh has no table."""
        self.assertEqual(self.table(Tally()), "No refresh was finished.")


class DisplayTests(SynchronousTestCase):
    """Output to terminals and files."""

    def shown(self, is_terminal: bool, width: int = 80) -> str:
        """:return: what is written for two changing lines and a last one."""
        out = StringIO()
        display = Display(out, is_terminal, width)
        display.update("one #")
        display.update("one ##")
        display.say("one")
        display.say("two")
        return out.getvalue()

    def test_terminal(self) -> None:
        """On a terminal the progress line is rewritten, and replaced by the last one."""
        self.assertEqual(self.shown(True),
                         "\r\x1b[Kone #\r\x1b[Kone ##\r\x1b[Kone\ntwo\n")

    def test_file(self) -> None:
        """In a file only whole lines are written."""
        self.assertEqual(self.shown(False), "one\ntwo\n")

    def test_narrow(self) -> None:
        """On a narrow terminal the progress line does not wrap."""
        self.assertIn("\x1b[Kone\r", self.shown(True, width=4))
