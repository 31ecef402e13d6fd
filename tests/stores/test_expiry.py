"""Tests of C{trickster.stores.expiry}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.expiry import Expiries


class ExpiriesTests(SynchronousTestCase):
    """Keys by the second."""

    def test_due(self) -> None:
        """A key is due once its deadline has come, never before."""
        expiries = Expiries()
        expiries.add("a", 1.25)
        self.assertEqual(expiries.due(1.2, 9), [])
        self.assertEqual(expiries.due(2.0, 9), ["a"])

    def test_at_most(self) -> None:
        """No more due keys are given than were asked for."""
        expiries = Expiries()
        for key in "abc":
            expiries.add(key, 1.0)
        self.assertEqual(len(expiries.due(5.0, 2)), 2)

    def test_removed(self) -> None:
        """A removed key is never due."""
        expiries = Expiries()
        expiries.add("a", 1.0)
        expiries.remove("a", 1.0)
        self.assertEqual(expiries.due(5.0, 9), [])

    def test_never(self) -> None:
        """An infinite deadline never comes, and can be removed."""
        expiries = Expiries()
        expiries.add("a", float("inf"))
        self.assertEqual(expiries.due(1e300, 9), [])
        expiries.remove("a", float("inf"))

    def test_no_litter(self) -> None:
        """Seconds whose keys are all gone do not pile up."""
        expiries = Expiries()
        for second in range(10_000):
            expiries.add("a", float(second))
            expiries.remove("a", float(second))
        self.assertLess(len(expiries._queue), 1100)

    def test_clear(self) -> None:
        """Cleared of everything, nothing is due."""
        expiries = Expiries()
        expiries.add("a", 1.0)
        expiries.clear()
        self.assertEqual(expiries.due(5.0, 9), [])

    @given(st.dictionaries(st.text("abcdef", max_size=2), st.floats(0, 30), max_size=20),
           st.floats(0, 40))
    @settings(max_examples=200)
    def test_drained(self, deadlines: dict[str, float], now: float) -> None:
        """Taking what is due until nothing is leaves exactly what is not past its second."""
        expiries = Expiries()
        for key, deadline in deadlines.items():
            expiries.add(key, deadline)
        taken = []
        while due := expiries.due(now, 3):
            taken += due
            for key in due:
                expiries.remove(key, deadlines[key])
        self.assertTrue(all(deadlines[key] <= now for key in taken))
        self.assertTrue(all(key in taken for key, at in deadlines.items() if at <= now - 1))
