"""Tests of L{trickster.stores.eviction.segmented_lru}; against a model: those of the memory store."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.eviction.frequency_sketch import FrequencySketch
from trickster.stores.eviction.segmented_lru import SegmentedLRU


class SegmentedLRUTests(SynchronousTestCase):
    """Two segments, of which one withstands scans."""

    def put(self, entries: SegmentedLRU, keys: str, octets: int = 10) -> None:
        """Put entries of so many octets, and push out what has to go."""
        for key in keys:
            entries.put(key, (key, octets, 0.0))
            while entries.octets > entries.most_octets:
                entries.pop(entries.push_out())

    def test_order(self) -> None:
        """What was used once goes before what was used again, each in the order of last uses."""
        entries = SegmentedLRU(100)
        self.put(entries, "abcde")
        for key in "bdb":
            entries.use(key)
        self.assertEqual("".join(entries), "acedb")
        self.assertEqual((len(entries), entries.octets, entries.protected_octets), (5, 50, 20))

    def test_falls_back(self) -> None:
        """What the protected segment has no room for is the newest on probation."""
        entries = SegmentedLRU(100)
        self.put(entries, "abcdefghij")
        for key in "abcdefghij":
            entries.use(key)
        self.assertEqual("".join(entries), "abcdefghij")
        self.assertEqual(entries.protected_octets, 80)
        self.put(entries, "k")
        self.assertEqual("".join(entries), "bkcdefghij")

    def test_put_last_stays(self) -> None:
        """What was put last stays, also where all else on probation had to go."""
        entries = SegmentedLRU(100)
        self.put(entries, "aabbcc")
        self.put(entries, "d", 75)
        self.assertEqual("".join(entries), "dbc")
        self.put(entries, "e", 95)
        self.assertEqual("".join(entries), "e")

    def test_known_again(self) -> None:
        """A key that was pushed out, but none that was popped, is protected when it is put again."""
        entries = SegmentedLRU(100, pushed_out=FrequencySketch(1 << 24))
        self.put(entries, "abcdefghijk")
        entries.pop("b")
        self.put(entries, "ab")
        self.assertEqual([key in entries.protected for key in "ab"], [True, False])

    def test_cleared(self) -> None:
        """Once it is cleared there is nothing, and there is room for as much as before."""
        entries = SegmentedLRU(100)
        self.put(entries, "aabbc")
        entries.clear()
        self.assertEqual((len(entries), entries.octets, entries.protected_octets), (0, 0, 0))
        self.put(entries, "aa", 80)
        self.assertEqual(entries.protected_octets, 80)

    @given(st.integers(1, 12), st.integers(0, 200))
    def test_any_scan(self, asked: int, once: int) -> None:
        """However many keys are put once, none that was used again goes, if four fifths hold them."""
        entries = SegmentedLRU(150)
        again = "abcdefghijkl"[:asked]
        self.put(entries, again)
        for key in again:
            entries.use(key)
        self.put(entries, "".join(chr(1000 + number) for number in range(once)))
        self.assertEqual([key for key in again if entries.get(key) is None], [])
