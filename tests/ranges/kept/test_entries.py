"""Tests of C{trickster.ranges.kept.entries}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import inline
from tests.ranges.kept.entriesin import entries_in
from trickster.messages import Headers
from trickster.purging.label import Label
from trickster.purging.table import Judgement, Verdict
from trickster.ranges.kept.entries import Entries, RangeFormat
from trickster.ranges.kept.entry import Entry
from trickster.stores.memory import MemoryStore
from trickster.stores.sealed import seal
from trickster.stores.typed_store import UNCHANGED
from trickster.testing.doubles import DictStore, PausedStore, RecordingStore, at_once
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.wire import Codec

HEADERS = Headers(((b"X-Org", b"1"), (b"X-Org", b"2")))


def _entry(*instants: int, span: int = 7) -> Entry:
    rows = [(t, b"[%d]" % t) for t in instants]
    extents = Extents.of(1, [(instants[0], instants[-1])])
    return Entry(Dataset.from_rows(extents, {b"s": rows}), HEADERS, span)


def _one_more(entry: Entry | None) -> Entry:
    last = entry.dataset.extents.spans[-1].end_ns if entry else 0
    return _entry(*range(1, last + 2))


def _sealed(entry: Entry | None) -> bytes:
    assert entry is not None
    return seal(RangeFormat(Codec()).parts(entry)).placed((), 0.0, 1.0).encoded()


class DescribedTests(SynchronousTestCase):
    """What is told of an entry to those who look into a cache."""

    def setUp(self) -> None:
        """Have an entry."""
        self.form = RangeFormat(Codec())
        self.entry = evolve(_entry(1, 2, 3, 4, 5), mark=7, label=Label(
            "b", "k", "g", b"/a", b"/a?b", (), "up\udcff"))

    def test_described(self) -> None:
        """It is the same from the object and from its first octets."""
        told = self.form.described(self.entry, 0.0)
        assert told is not None
        self.assertEqual((told.label, told.mark, told.size), (
            self.entry.label, 7, self.entry.nbytes))
        self.assertEqual(told.extents, self.entry.dataset.extents)
        self.assertEqual(self.form.described_head(self.form.parts(self.entry)[0], 0.0),
                         evolve(told, size=0))

    def test_not_described(self) -> None:
        """Nothing is told of what is none of these entries."""
        head = self.form.parts(self.entry)[0]
        self.assertIsNone(self.form.described(object(), 0.0))
        for octets in (b"", head[:-1], head[1:], b"TROBJ\x04{}", self.form.parts(self.entry)[1],
                       Codec().to_parts(self.entry.dataset, (), b"x")[0]):
            self.assertIsNone(self.form.described_head(octets, 0.0))

    def test_left(self) -> None:
        """Of a time series, a purge leaves what is outside of its spans."""
        told = self.form.described(self.entry, 0.0)
        assert told is not None
        for judgement, spans in (
                (Judgement(), [(1, 5)]), (Judgement(Verdict.STALE), [(1, 5)]),
                (Judgement(spans=((2, 3),)), [(1, 1), (4, 5)]),
                (Judgement(spans=((2, 9), (-5, 1))), None), (Judgement(Verdict.GONE), None)):
            left = self.form.left(told, judgement)
            self.assertEqual(None if left is None or left.extents is None
                             else [tuple(span) for span in left.extents.spans], spans)


class KeptTests(SynchronousTestCase):
    """Entries in stores of both kinds."""

    def _both(self) -> list[Entries]:
        clock = Clock()
        return [entries_in(MemoryStore(clock), Codec(), 60.0), entries_in(DictStore(clock), Codec(), 60.0)]

    def test_nothing(self) -> None:
        """A key under which nothing is stored gives None."""
        for entries in self._both():
            self.assertIsNone(at_once(entries.get("a")))

    def test_kept(self) -> None:
        """An entry's samples, fields and span are stored and read back."""
        for entries in self._both():
            self.assertTrue(at_once(entries.change("a", lambda entry: _entry(1, 2, 3))))
            got = at_once(entries.get("a"))
            self.assertEqual((got.headers, got.span, list(got.dataset.rows(b"s"))),
                             (HEADERS, 7, [(1, b"[1]"), (2, b"[2]"), (3, b"[3]")]))
            self.assertEqual(got.dataset.extents.spans, (Extent(1, 3),))

    def test_changed(self) -> None:
        """A change is applied to the stored entry."""
        for entries in self._both():
            for _ in range(3):
                at_once(entries.change("a", _one_more))
            self.assertEqual(at_once(entries.get("a")).dataset.extents.count(), 3)
            self.assertEqual(entries.busy, 0)

    def test_left_as_it_is(self) -> None:
        """A change may leave an entry as it is, whatever is done in a thread."""
        clock = Clock()
        for store in (MemoryStore(clock), DictStore(clock)):
            entries = entries_in(store, Codec(), 60.0, inline)
            at_once(entries.change("k", _one_more))
            for still in (None, lambda: True):
                self.assertFalse(at_once(entries.change("k", lambda _: UNCHANGED, still)))
            self.assertEqual(at_once(entries.get("k")), _entry(1))

    def test_token(self) -> None:
        """An entry is read with the token that it was put with."""
        form = RangeFormat(Codec())
        parts = form.parts(evolve(_entry(1, 2), token=1 << 60))
        read = form.entry(parts)
        assert read is not None
        self.assertEqual(read.token, 1 << 60)

    def test_removed(self) -> None:
        """An entry that is removed, or changed into nothing, is no longer found."""
        for entries in self._both():
            at_once(entries.change("a", _one_more))
            at_once(entries.remove("a"))
            self.assertIsNone(at_once(entries.get("a")))
            at_once(entries.change("a", _one_more))
            self.assertFalse(at_once(entries.change("a", lambda entry: None)))
            self.assertIsNone(at_once(entries.get("a")))

    def test_change_fails(self) -> None:
        """A change that fails changes nothing, and stands in no other's way."""
        def fail(entry: Entry | None) -> Entry:
            raise ValueError("no")

        for entries in self._both():
            with self.assertRaises(ValueError):
                at_once(entries.change("a", fail))
            self.assertEqual(entries.busy, 0)
            self.assertTrue(at_once(entries.change("a", _one_more)))

    def test_foreign(self) -> None:
        """A value of another kind under the key is no entry."""
        store = MemoryStore(Clock())
        store.put_object("a", object(), 1, 60.0)
        self.assertIsNone(at_once(entries_in(store, Codec(), 60.0).get("a")))
        octets = DictStore()
        at_once(octets.put("a", b"something", 60.0))
        self.assertIsNone(at_once(entries_in(octets, Codec(), 60.0).get("a")))

    def test_peek(self) -> None:
        """Only an entry that needs no waiting is found by a peek."""
        memory, octets = self._both()
        for entries in (memory, octets):
            at_once(entries.change("a", _one_more))
        self.assertIsNotNone(memory.peek("a"))
        self.assertIsNone(octets.peek("a"))

    def test_counted(self) -> None:
        """The fields of an entry count for the size in the store as well as its samples."""
        entry = _entry(1, 2)
        self.assertGreater(entry.nbytes, entry.dataset.nbytes + 12)


class RefreshTests(SynchronousTestCase):
    """Entries in a store of octets that are refreshed again and again."""

    def entry(self, first: int, last: int) -> Entry:
        """:return: an entry of 50 series, a row of 20 octets each at every instant."""
        extents = Extents.of(1, [(first, last)])
        rows = {b"%d" % n: [(t, b"%020d" % hash((n, t))) for t in range(first, last + 1)]
                for n in range(50)}
        return Entry(Dataset.from_rows(extents, rows), HEADERS)

    def test_what_is_new(self) -> None:
        """A refresh by one timestamp writes about what is new, and not the entry."""
        store = RecordingStore(Clock())
        entries = entries_in(store, Codec(), 60.0)
        at_once(entries.change("a", lambda _: self.entry(1, 3000)))
        whole = sum(octets for _, octets in store.puts)
        for last in range(3001, 3065):
            newer = self.entry(last, last)
            at_once(entries.change("a", lambda entry, newer=newer: Entry(
                entry.dataset.merged(newer.dataset), HEADERS)))
        refreshes = sum(octets for _, octets in store.puts) - whole
        self.assertLess(refreshes, 64 * whole // 50)
        self.assertEqual(at_once(entries_in(store, Codec(), 60.0).get("a")).dataset.extents.count(),
                         3064)


class SlowTests(SynchronousTestCase):
    """Stores that take their time."""

    def setUp(self) -> None:
        """A store that answers when the test says so."""
        self.store = PausedStore()
        self.entries = entries_in(self.store, Codec(), 60.0)

    def _change(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.entries.change("a", _one_more))

    def _get(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.entries.get("a"))

    def test_one_after_the_other(self) -> None:
        """Changes of one key wait for each other, and lose nothing."""
        store, slow = DictStore(), self.store

        def pass_on() -> None:
            slow.asked.pop(0).callback(at_once(store.get("a")))

        first, second = self._change(), self._change()
        self.assertEqual(len(slow.asked), 1)
        pass_on()
        at_once(store.put("a", _sealed(_one_more(None)), 60.0))
        slow.asked.pop(0).callback(None)  # the first is written, the second reads
        pass_on()
        slow.asked.pop(0).callback(None)
        self.assertEqual([self.successResultOf(first), self.successResultOf(second)],
                         [True, True])
        self.assertEqual(self.entries.busy, 0)

    def test_other_keys(self) -> None:
        """Changes of different keys do not wait for each other."""
        self._change()
        Deferred.fromCoroutine(self.entries.change("b", _one_more))
        self.assertEqual(len(self.store.asked), 2)

    def test_shared(self) -> None:
        """All readers of one key at a time share one read."""
        readers = [self._get() for _ in range(5)]
        [asked] = self.store.asked
        asked.callback(_sealed(_entry(1, 2)))
        first, *others = (self.successResultOf(reader) for reader in readers)
        self.assertTrue(all(other is first for other in others))
        self.assertEqual(self.entries.busy, 0)

    def test_readers_leave(self) -> None:
        """The last reader to leave gives up the read."""
        readers = [self._get(), self._get()]
        for reader in readers:
            self.assertFalse(self.store.asked[0].called)
            reader.cancel()
            self.failureResultOf(reader, CancelledError)
        self.assertTrue(self.store.asked[0].called)
        self.assertEqual(self.entries.busy, 0)

    def test_not_older_than_a_change(self) -> None:
        """A read during which a change ended reads again."""
        reader, change = self._get(), self._change()
        first_read, change_read = self.store.asked
        change_read.callback(None)
        self.store.asked[2].callback(None)
        self.assertTrue(self.successResultOf(change))
        first_read.callback(None)
        self.assertNoResult(reader)
        self.store.asked[3].callback(_sealed(_entry(1)))
        self.assertEqual(self.successResultOf(reader).dataset.extents.count(), 1)
        self.assertEqual(self.entries.busy, 0)

    def test_told_one_after_the_other(self) -> None:
        """A read entry is never older than a change that another reader made in its callback."""
        first, second = self._get(), self._get()
        first.addCallback(self._change_promptly)
        self.store.asked[0].callback(None)
        self.assertEqual(self.successResultOf(second).dataset.extents.count(), 1)

    def _change_promptly(self, _: Any) -> None:
        self.entries._typed._octets.store = DictStore()
        at_once(self.entries.change("a", _one_more))

    def test_not_for_ever(self) -> None:
        """A read ends, however often its entry is changed."""
        reader = self._get()
        for _ in range(3):
            current = next(asked for asked in self.store.asked if not asked.called)
            change = self._change()
            self.store.asked[-1].callback(None)
            self.store.asked[-1].callback(None)
            self.successResultOf(change)
            current.callback(None)
        self.assertIsNone(self.successResultOf(reader))

    def test_removed_while_changing(self) -> None:
        """What is removed does not come back with a change that had begun before."""
        change = self._change()
        removal = Deferred.fromCoroutine(self.entries.remove("a"))
        self.store.asked[0].callback(None)
        self.store.asked[1].callback(None)
        self.successResultOf(change)
        self.assertNoResult(removal)
        self.store.asked[2].callback(1)  # the deletion is the last thing that is done
        self.successResultOf(removal)

    def test_cancelled(self) -> None:
        """A caller that leaves in the middle of a change, or waiting for one, leaves no lock."""
        first, second, third = self._change(), self._change(), self._change()
        for leaving in (second, first):
            leaving.cancel()
            self.failureResultOf(leaving, CancelledError)
        self.store.asked[-1].callback(None)
        self.store.asked[-1].callback(None)
        self.assertTrue(self.successResultOf(third))
        self.assertEqual(self.entries.busy, 0)


class ThreadTests(SynchronousTestCase):
    """Large entries, and changes that take long."""

    def changing(self) -> tuple[Entries, list[Deferred[Any]]]:
        """:return: entries with three instants, and what is done in threads."""
        threads: list[Deferred[Any]] = []

        def offload(function: Any, *args: Any) -> Deferred[Any]:
            threads.append(Deferred())
            return threads[-1].addCallback(lambda _: function(*args))

        entries = entries_in(MemoryStore(Clock()), Codec(), 60.0, offload)
        at_once(entries.change("a", lambda entry: _entry(1, 2, 3)))
        return entries, threads

    def test_long_change(self) -> None:
        """A change that takes long is made in a thread, and then put."""
        entries, threads = self.changing()
        changed = Deferred.fromCoroutine(entries.change("a", _one_more, lambda: True))
        self.assertEqual(at_once(entries.get("a")).dataset.extents.count(), 3)
        threads[0].callback(None)
        self.assertTrue(self.successResultOf(changed))
        self.assertEqual(at_once(entries.get("a")).dataset.extents.count(), 4)

    def test_overtaken(self) -> None:
        """A change made in a thread is made anew if another change came in between."""
        entries, threads = self.changing()
        changed = Deferred.fromCoroutine(entries.change("a", _one_more, lambda: True))
        for turn in range(5):
            at_once(entries.change("a", _one_more))
            if turn < len(threads):
                threads[turn].callback(None)
        self.assertTrue(self.successResultOf(changed))
        self.assertEqual(at_once(entries.get("a")).dataset.extents.count(), 9)

    def test_no_more(self) -> None:
        """The result of a change that is no longer wanted is not put."""
        entries, threads = self.changing()
        changed = Deferred.fromCoroutine(entries.change("a", _one_more, lambda: False))
        at_once(entries.remove("a"))
        threads[0].callback(None)
        self.assertFalse(self.successResultOf(changed))
        self.assertIsNone(at_once(entries.get("a")))

    def test_offloaded(self) -> None:
        """Large entries are encoded and decoded in a thread; small ones never are."""
        called: list[Any] = []

        async def offload(function: Any, *args: Any) -> Any:
            called.append(function)
            return function(*args)

        store = DictStore()
        entries = entries_in(store, Codec(), 60.0, offload)
        at_once(entries.change("small", _one_more))
        at_once(entries_in(store, Codec(), 60.0, offload).get("small"))
        self.assertEqual(called, [])
        rows = [(1, b"x" * (2 << 20))]
        large = Entry(Dataset.from_rows(Extents.of(1, [(1, 1)]), {b"s": rows}))
        at_once(entries.change("large", lambda entry: large))
        again = entries_in(store, Codec(), 60.0, offload)
        self.assertEqual(list(at_once(again.get("large")).dataset.rows(b"s")), rows)
        self.assertEqual(len(called), 2)
