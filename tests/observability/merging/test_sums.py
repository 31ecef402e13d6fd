"""Tests of C{trickster.observability.merging.sums}."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from math import inf, isnan, nan

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.observability.merging.sums import (
    added,
    condensed,
    largest,
    largest_limit,
    least,
    limits_added,
)

_NUMBERS = st.lists(st.floats(-1e300, 1e300), max_size=6)
_RULES = (added, largest, least, limits_added, largest_limit)


class RuleTests(SynchronousTestCase):
    """What several numbers are together."""

    def test_rules(self) -> None:
        """Each rule does what its name says; a limit of 0 is no limit."""
        for values, together in (((3.0, 1.0), (4, 3, 1, 4, 3)), ((5.0,), (5, 5, 5, 5, 5)),
                                 ((3.0, 0.0), (3, 3, 0, 0, 0)), ((0.0, 0.0), (0, 0, 0, 0, 0))):
            self.assertEqual(tuple(rule(values) for rule in _RULES), together, values)

    def test_unknown(self) -> None:
        """A number that is not known spoils no other; where none is, nothing is."""
        for rule in _RULES:
            self.assertEqual(rule((nan, 2.0, nan)), 2.0)
            self.assertTrue(isnan(rule((nan, nan))))
            self.assertTrue(isnan(rule(())))

    def test_infinite(self) -> None:
        """What is beyond all floats is infinite, and both infinities are nothing."""
        self.assertEqual(added((inf, 1.0)), inf)
        self.assertEqual(added((1.7e308, 1.7e308)), inf)
        self.assertTrue(isnan(added((inf, -inf))))

    @given(st.lists(st.integers(0, 1 << 50), min_size=1, max_size=8))
    def test_integers(self, values: list[int]) -> None:
        """Integers stay integers, as far as floats have them."""
        self.assertEqual(added(map(float, values)), sum(values))

    @given(st.lists(st.floats(-1e10, 1e10), min_size=1, max_size=4))
    def test_any_order(self, values: list[float]) -> None:
        """The order of the numbers does not matter."""
        for rule in _RULES:
            self.assertEqual(len({rule(each) for each in permutations(values)}), 1)


class CondensedTests(SynchronousTestCase):
    """Few numbers in the place of many."""

    @given(_NUMBERS)
    def test_exact(self, values: list[float]) -> None:
        """Their sum is exactly the same."""
        few = condensed(values) if values else ()
        self.assertEqual(sum(map(Fraction, few)), sum(map(Fraction, values)))

    def test_few(self) -> None:
        """Integers are one number; of fractions there is no more than their digits need."""
        self.assertEqual(condensed([float(n) for n in range(1000)]), (499500.0,))
        self.assertEqual(condensed([1.0, 2.0 ** -60]), (1.0, 2.0 ** -60))
        self.assertEqual(condensed([0.0, 0.0]), (0.0,))

    def test_not_finite(self) -> None:
        """What is unknown or infinite stays so, alone."""
        self.assertEqual(condensed([inf, 1.0]), (inf,))
        self.assertEqual(condensed([1.7e308, 1.7e308]), (inf,))
        self.assertTrue(isnan(condensed([nan])[0]))
        self.assertEqual(condensed([nan, 2.0]), (2.0,))
