"""Tests of C{trickster.remembering}."""

from __future__ import annotations

import gc
import random
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import trickster
from trickster.keys.cache_key import KeyRules, key_of
from trickster.keys.identity import Identity
from trickster.messages import Headers, Params, Request
from trickster.origins.promjson import relabeller
from trickster.remembering import OVERHEAD, SizedLRU, octets_held, remembered


def taken(make: Callable[[], object]) -> tuple[object, int]:
    """:return: what a function gives, and how many octets of memory have come to be used."""
    # What earlier tests have left, and what its finalizers leave, is not to be collected meanwhile.
    while gc.collect():
        pass
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = make()
        gc.collect()  # the interpreter's lists of free tuples too
        return made, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


class SizeTests(SynchronousTestCase):
    """The size of values in memory."""

    def test_at_least(self) -> None:
        """
        The size of a value is at least nine tenths of the memory taken, and less than half more.
        """
        makers: list[Callable[[], object]] = [
            lambda: tuple(str(n) * 9 for n in range(1000)),
            lambda: Params(tuple((f"name{n}", f"value{n}") for n in range(1000))),
            lambda: Headers(tuple((b"X-%d" % n, b"v" * (n % 40 + 2)) for n in range(1000)))]
        for make in makers:
            made, octets = taken(make)
            self.assertLess(octets * 0.9, octets_held(made))
            self.assertLess(octets_held(made), octets * 1.5)


class SizedLRUTests(SynchronousTestCase):
    """The least recently used values, within a size."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 900)), max_size=60),
           st.integers(0, 4000))
    def test_against_a_model(self, puts: list[tuple[int, int]], limit: int) -> None:
        """A sized LRU holds the last values put, as far as they fit."""
        lru: SizedLRU[int, int] = SizedLRU(limit)
        model: list[tuple[int, int]] = []
        for key, size in puts:
            self.assertEqual(lru.put(key, size, size), size + OVERHEAD <= limit)
            model = [one for one in model if one[0] != key]
            if size + OVERHEAD <= limit:
                model.append((key, size))
            while sum(size + OVERHEAD for _, size in model) > limit:
                del model[0]
            self.assertEqual(lru.octets, sum(size + OVERHEAD for _, size in model))
            self.assertEqual(len(lru), len(model))
        for key, size in model:
            self.assertEqual(lru.get(key), size)

    def test_used(self) -> None:
        """A value that has been looked up is not the first to be evicted."""
        lru: SizedLRU[str, str] = SizedLRU(2 * OVERHEAD + 2)
        for key in "ab":
            lru.put(key, key, 1)
        self.assertEqual(lru.get("a"), "a")
        lru.put("c", "c", 1)
        self.assertEqual((lru.get("a"), lru.get("b"), lru.get("c")), ("a", None, "c"))

    def test_forgotten(self) -> None:
        """A value that is taken out counts no more."""
        lru: SizedLRU[str, str] = SizedLRU(1000)
        lru.put("a", "x", 1)
        self.assertEqual((lru.pop("a"), lru.pop("a"), lru.octets), ("x", None, 0))


class RememberedTests(SynchronousTestCase):
    """Functions of texts with remembered results."""

    def setUp(self) -> None:
        self.calls: list[tuple[str, ...]] = []

        @remembered(64 << 10)
        def joined(*texts: str) -> str:
            if "no" in texts:
                raise ValueError(texts)
            self.calls.append(texts)
            return "".join(texts)

        self.joined = joined

    def test_once(self) -> None:
        """A remembered function is called once for equal texts."""
        self.assertEqual([self.joined("a", "b"), self.joined("a", "b")], ["ab", "ab"])
        self.assertEqual(len(self.calls), 1)

    def test_long_texts(self) -> None:
        """Results for long texts are not remembered, and evict none."""
        self.joined("a")
        for _ in range(100):
            self.joined("1234" * 1000)
        self.joined("a")
        self.assertEqual(len(self.calls), 101)

    def test_used(self) -> None:
        """A text that is asked for again and again stays remembered beside all others."""
        for number in range(2000):
            self.joined(str(number))
            self.joined("often")
        self.assertLess(self.calls.count(("often",)), 3)
        self.assertEqual(len(self.calls), 2001)

    def test_failures(self) -> None:
        """An error of the function is raised each time, and not remembered."""
        for _ in range(2):
            self.assertRaises(ValueError, self.joined, "no")

    def test_bounded(self) -> None:
        """The memory of results is bounded, however many and however long the texts are."""
        sizes = random.Random(7)

        @remembered(1 << 20)
        def doubled(text: str) -> tuple[str, ...]:
            return tuple(text[at:at + 3] for at in range(0, len(text), 3))

        def ask() -> None:
            for number in range(20_000):
                doubled(str(number) * sizes.randrange(1, 40))

        _, octets = taken(ask)
        self.assertLess(octets, 1 << 20)
        self.assertGreater(octets, 1 << 18)


class StrangersTests(SynchronousTestCase):
    """Memos of what clients and origins send."""

    def test_in_all(self) -> None:
        """All memos together take no more memory than the documentation says (Sizing)."""
        sources = Path(trickster.__file__).parent.rglob("*.py")
        found = [int(size) for source in sources for size in re.findall(
            r"^ *@remembered\((\d+) << 20\)", source.read_text(), re.MULTILINE)]
        self.assertGreater(len(found), 10)
        self.assertLessEqual(sum(found), 62)

    def assert_bounded(self, ask: Callable[[int], object], octets: int) -> None:
        """Fail if answers to many different questions leave more memory taken than that."""
        ask(-1)

        def act() -> None:
            for number in range(300):
                ask(number)

        self.assertLess(taken(act)[1], octets)

    def test_identities(self) -> None:
        """However many clients name themselves at length, little of it is remembered."""
        identity = Identity(frozenset((b"cookie",)))
        self.assert_bounded(
            lambda n: identity.of(Headers(((b"Cookie", b"%060000d" % n),))), 2 << 20)

    def test_authorities(self) -> None:
        """However many hosts clients ask for, little of them is remembered."""
        rules = KeyRules("p", with_authority=True)
        self.assert_bounded(
            lambda n: key_of(rules, Request(b"GET", b"/", authority=b"%060000d" % n)), 2 << 20)

    def test_relabelled(self) -> None:
        """
        Of the label sets of many databases, each of which gets other labels, little is
        remembered.
        """
        found = [relabeller({"dc": str(n)}) for n in range(20)]
        metrics = [b'{"a":"%0999d"}' % n for n in range(1000)]

        def act() -> None:
            for relabel in found:
                for metric in metrics:
                    relabel(metric)

        self.assertLess(taken(act)[1], 20 << 20)
