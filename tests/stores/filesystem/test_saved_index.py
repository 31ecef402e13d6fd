"""Tests of C{trickster.stores.filesystem.saved_index}."""

from __future__ import annotations

from math import inf, nan

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.saved_index import decoded, encoded

_NUMBERS = st.integers(0, 2**63)
_KNOWN = st.tuples(
    st.text(st.characters(codec=None), max_size=20), st.floats(allow_nan=False),
    st.tuples(_NUMBERS, _NUMBERS, st.integers(0, 1 << 20)))
ONE = [("key", 7.0, (1, 2, 3)), ("other", inf, (4, 5, 6))]


class SavedIndexTests(SynchronousTestCase):
    """What is saved of the index."""

    @given(st.lists(_KNOWN))
    def test_round_trip(self, known: list) -> None:
        """What is saved is read, in its order."""
        self.assertEqual(decoded(encoded(known, 5.0), 6.0, 10.0), known)

    def test_every_octet_counts(self) -> None:
        """An index of which any octet is another one, or missing, is none."""
        octets = encoded(ONE, 5.0)
        for place in range(len(octets)):
            changed = bytearray(octets)
            changed[place] ^= 0x55
            self.assertIsNone(decoded(bytes(changed), 6.0, 10.0))
            self.assertIsNone(decoded(octets[:place], 6.0, 10.0))
        self.assertIsNone(decoded(octets + b"\x00", 6.0, 10.0))

    def test_too_old(self) -> None:
        """An index that is older than it may be is none, nor is one of a date to come."""
        octets = encoded(ONE, 100.0)
        self.assertEqual([decoded(octets, now, 10.0) is not None
                          for now in (99.0, 100.0, 110.0, 110.5)], [False, True, True, False])

    def test_impossible(self) -> None:
        """An index that says what cannot be is none."""
        for known in (("a", nan, (1, 2, 3)), ("a", 1.0, (1, 2, -3)), ("a", 1.0, (1, 2, 1 << 40))):
            self.assertIsNone(decoded(encoded([known], 5.0), 6.0, 10.0))

    @given(st.binary(max_size=100))
    def test_anything(self, octets: bytes) -> None:
        """Any octets are no index."""
        self.assertIsNone(decoded(octets, 6.0, 10.0))
