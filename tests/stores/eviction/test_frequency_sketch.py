"""Tests of L{trickster.stores.eviction.frequency_sketch}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.eviction.frequency_sketch import FrequencySketch


class FrequencySketchTests(SynchronousTestCase):
    """Counting keys in few octets."""

    @given(st.lists(st.sampled_from("abcdefgh"), max_size=100), st.integers(1, 40))
    def test_never_less(self, keys: list[str], size: int) -> None:
        """While nothing is halved, no key is counted less often than it was added."""
        sketch = FrequencySketch(size * 800)
        for key in keys:
            sketch.add(key)
        for key in keys:
            self.assertGreaterEqual(sketch.count(key), keys.count(key))

    @given(st.integers(1, 5000), st.integers(0, 3000))
    def test_bounded(self, size: int, added: int) -> None:
        """However many keys are added, counters are as many as they were, and of an octet."""
        sketch = FrequencySketch(size)
        for number in range(added):
            sketch.add(str(number))
        self.assertEqual(sketch.size, size)
        self.assertLess(max(sketch.count(str(number)) for number in range(added + 1)), 256)

    def test_full(self) -> None:
        """A key that is added again and again is counted as often as a counter can say."""
        sketch = FrequencySketch(80_000)
        for _ in range(1000):
            sketch.add("a")
        self.assertEqual(sketch.count("a"), 255)

    def test_forgets(self) -> None:
        """What is not added again is forgotten, however large the sketch is."""
        for size in (800, 200_000):
            sketch = FrequencySketch(size)
            sketch.add("a")
            for _ in range(2 * size // 8):
                sketch.add("b")
            self.assertIn(sketch.count("a"), (0, sketch.count("b")))
            self.assertGreater(sketch.count("b"), 50)

    def test_few_are_mistaken(self) -> None:
        """Of the keys that were never added, about one in ten is taken for another at most."""
        sketch = FrequencySketch(10_000)
        for number in range(100_000):
            sketch.add(f"added {number}")
        mistaken = sum(sketch.count(f"never {number}") > 0 for number in range(10_000))
        self.assertLess(mistaken, 2_000)
