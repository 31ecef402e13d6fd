"""Tests of C{trickster.stores.filesystem.index}."""

from __future__ import annotations

from math import inf
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.stores.filesystem.index import Index, Victim
from trickster.stores.filesystem.value_file import Place
from trickster.stores.limits import StoreLimits

BLOCK = 4096
_CHUNKS = ("", "~" + "0" * 32, "~" + "1" * 32)


def put(index: Index, key: str, blocks: int = 1, deadline: float = inf) -> list[str]:
    """:return: what goes for a value that is put, by keys; ["no"] where it is not put."""
    size = blocks * BLOCK
    room = index.reserve(Place.of(key), key, size)
    if room.fits:
        index.put(Place.of(key), (key, deadline, (0, 0, size)))
    index.release(room)
    gone = keys(room.victims)
    return gone if room.fits else [*gone, "no"]


def keys(victims: Any) -> list[str]:
    """:return: those of the values of victims."""
    return [known[0] for victim in victims for known in victim.values]


def made(**limits: int) -> Index:
    """:return: an index with limits, of which octets are given in blocks."""
    return Index(StoreLimits(**{name: value * BLOCK if "octets" in name else value
                                for name, value in limits.items()}))


class IndexTests(SynchronousTestCase):
    """Which entries go first, and when."""

    def test_counted(self) -> None:
        """Files count in whole blocks, and entries once, however many values they have."""
        index = made()
        for key, blocks in (("a", 2), ("a" + _CHUNKS[1], 3), ("b", 1)):
            put(index, key, blocks)
        self.assertEqual((index.objects, index.octets), (2, 6 * BLOCK))
        index.remove(Place.of("a"))
        self.assertEqual((index.objects, index.octets), (2, 4 * BLOCK))

    def test_least_recently_used(self) -> None:
        """The entry that was used least recently goes first; a use of a value is one of it."""
        index = made(max_octets=3)
        for key in "abc":
            put(index, key)
        index.touch(["a"])
        self.assertEqual(put(index, "d"), ["b"])

    def test_put_is_a_use(self) -> None:
        """To put a value of an entry is a use of the entry."""
        index = made(max_octets=4)
        for key in ("a" + _CHUNKS[1], "a", "b", "c", "a"):
            put(index, key)
        self.assertEqual(put(index, "d"), ["b"])

    def test_whole_entries(self) -> None:
        """An entry goes with all of its chunks, and itself first."""
        index = made(max_octets=4)
        for key in ("a" + _CHUNKS[1], "a" + _CHUNKS[2], "a", "b"):
            put(index, key)
        self.assertEqual(put(index, "c"), ["a", "a" + _CHUNKS[1], "a" + _CHUNKS[2]])

    def test_chunks_alone(self) -> None:
        """Chunks whose entry is gone go first, unless some are put anew."""
        for is_anew in (False, True):
            index = made(max_octets=4)
            for key in ("b", "c", "a" + _CHUNKS[1], "a"):
                put(index, key)
            index.remove(Place.of("a"))
            if is_anew:
                put(index, "a" + _CHUNKS[1])
            put(index, "d")
            self.assertEqual(put(index, "e"), ["b" if is_anew else "a" + _CHUNKS[1]])

    def test_backoff(self) -> None:
        """An eviction goes down as far as the limits say, before the value is put."""
        index = made(max_octets=10, backoff_octets=4)
        for number in range(10):
            self.assertEqual(put(index, str(number)), [])
        self.assertEqual(put(index, "a"), ["0", "1", "2", "3"])
        self.assertEqual(put(index, "b"), [])

    def test_backoff_objects(self) -> None:
        """So it does for the number of entries."""
        index = made(max_objects=10, backoff_objects=4)
        for number in range(10):
            self.assertEqual(put(index, str(number)), [])
        victims = index.reserve(Place.of("a"), "a", 1).victims
        self.assertEqual((keys(victims), {each.reason for each in victims}),
                         (["0", "1", "2", "3"], {"size_objects"}))

    def test_replaced_value(self) -> None:
        """A value that takes the place of another one needs only what it has more."""
        index = made(max_octets=3)
        put(index, "a", 2)
        put(index, "b")
        self.assertEqual(put(index, "a", 2), [])
        self.assertEqual(put(index, "a", 3), ["b"])

    def test_own_chunks(self) -> None:
        """What is left of an entry that is as large as all may be goes for its new chunks."""
        index = made(max_octets=3)
        put(index, "a" + _CHUNKS[1], 2)
        put(index, "a")
        self.assertEqual(put(index, "a" + _CHUNKS[2], 2), ["a" + _CHUNKS[1]])
        self.assertEqual(put(index, "a"), [])

    def test_room_is_kept(self) -> None:
        """What is being written counts already, so that two that are do not share the room."""
        index = made(max_octets=3, max_objects=2)
        put(index, "a")
        first = index.reserve(Place.of("b"), "b", BLOCK)
        second = index.reserve(Place.of("c"), "c", BLOCK)
        self.assertEqual((keys(first.victims), keys(second.victims)), ([], ["a"]))
        third = index.reserve(Place.of("d"), "d", 2 * BLOCK)
        self.assertFalse(third.fits)
        index.release(second)
        self.assertTrue(index.reserve(Place.of("d"), "d", 2 * BLOCK).fits)

    def test_over(self) -> None:
        """What is found to be there beyond the limits is to go."""
        index = made(max_octets=2)
        for key in "abc":
            index.put(Place.of(key), (key, inf, (0, 0, 1)))
        self.assertEqual(keys(index.over()), ["a"])
        self.assertEqual(keys(index.over()), [])

    def test_oldest(self) -> None:
        """On demand, as much goes as is asked for, and never the entry that asks."""
        index = made()
        for key in "abc":
            put(index, key, 2)
        self.assertEqual(keys(index.oldest(BLOCK, "a")), ["b"])
        self.assertEqual(keys(index.oldest(100 * BLOCK, "a")), ["c"])

    def test_due(self) -> None:
        """Values are due once their time is over, and until they are removed."""
        index = made()
        put(index, "a", deadline=5.0)
        put(index, "b", deadline=50.0)
        self.assertEqual([index.due(4.0, 10), index.due(5.0, 10)], [[], ["a"]])
        put(index, "a", deadline=9.0)
        self.assertEqual(index.due(5.0, 10), [])

    def test_order_by_date(self) -> None:
        """The order of use is, where it is not known, that of writing."""
        index = made()
        for key, date in (("a", 3), ("b", 1), ("c", 2)):
            index.put(Place.of(key), (key, inf, (0, date, 1)))
        index.order_by_date()
        self.assertEqual([key for key, _, _ in index.known()], ["b", "c", "a"])

    def test_changes(self) -> None:
        """What is to be saved is a change, and nothing else is."""
        index = made()
        put(index, "a")
        changes = index.changes
        index.touch(["b"])
        index.remove(Place.of("b"))
        self.assertEqual(index.changes, changes)
        index.touch(["a"])
        self.assertEqual((index.changes, index.uses), (changes, 1))
        index.remove(Place.of("a"))
        self.assertGreater(index.changes, changes)

    @given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(_CHUNKS),
                              st.integers(0, 6), st.booleans()), max_size=60),
           st.integers(0, 12), st.integers(0, 5), st.integers(0, 20))
    def test_bounds(self, puts: list, octets: int, objects: int, backoff: int) -> None:
        """Whatever is put and removed, the counts are those of what is known, within limits."""
        index = made(max_octets=octets, max_objects=objects, backoff_octets=backoff,
                     backoff_objects=backoff)
        model: dict[str, int] = {}
        for key, chunk, blocks, is_put in puts:
            name = key + chunk
            if is_put:
                gone = put(index, name, blocks)
                for each in gone:
                    model.pop(each, None)
                if gone[-1:] != ["no"]:
                    model[name] = max(1, blocks) * BLOCK
            else:
                index.remove(Place.of(name))
                model.pop(name, None)
            self.assertEqual({known[0] for known in index.known()}, set(model))
            self.assertEqual(index.octets, sum(model.values()))
            self.assertEqual(index.objects, len({name[0] for name in model}))
            self.assertTrue(not octets or index.octets <= octets * BLOCK)
            self.assertTrue(not objects or index.objects <= objects)

    def test_victims_are_told_once(self) -> None:
        """A chunk that goes alone is not the end of an entry."""
        index = made(max_octets=2)
        put(index, "a" + _CHUNKS[1])
        put(index, "a")
        victims = index.reserve(Place.of("a" + _CHUNKS[2]), "a" + _CHUNKS[2], BLOCK).victims
        self.assertEqual(victims, [Victim("size_bytes", victims[0].values, False)])
