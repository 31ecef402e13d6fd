"""Tests of C{trickster.timeseries.wire}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from itertools import cycle, groupby, pairwise
from statistics import median
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows
from trickster.timeseries.windows import Windows
from trickster.timeseries.wire import Codec
from trickster.timeseries.wire_forms import VERSION, head_of
from trickster.timeseries.wire_writing import Standing

MS = 1_000_000
STEP = 1000 * MS


ARRAYS = RowFormat(b",", b",", b"[", b"]")


def text_run(ticks: list[int]) -> TextRows:
    return TextRows.of(b",".join(b'[%d,"%d"]' % (t, t * t) for t in ticks), ARRAYS)


def line_run(ticks: list[int]) -> TextRows:
    return TextRows.of(b"\n".join(b"%d\t%d" % (t * t, t) for t in ticks),
                       RowFormat.delimited(b"\t", 1, unit_ns=STEP))


def indexed_run(ticks: list[int], separator: bytes = b"\n") -> IndexedRows:
    return IndexedRows.of([(t * STEP, bytes([t % 256])) for t in ticks], separator)


def cut(ticks: list[int], borders: list[int]) -> list[list[int]]:
    """:return: the ticks again, in as many lists as there are borders among them, and one."""
    edges = [-1000, *sorted(borders), 1000]
    parts = [[t for t in ticks if low <= t < high] for low, high in pairwise(edges)]
    return [part for part in parts if part]


def runs_of(ticks: list[int], borders: list[int], forms: list[Any]) -> Runs:
    """:return: runs in time order, in any forms."""
    parts = cut(sorted(ticks), borders)
    return tuple(form(part) for part, form in zip(parts, cycle(forms), strict=False))


runs = st.builds(
    runs_of, st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=9),
    st.lists(st.integers(0, 50), max_size=3),
    st.lists(st.sampled_from([text_run, line_run, indexed_run]), min_size=1, max_size=3))
datasets = st.builds(
    lambda spans, series, kind: Dataset(Extents.of(STEP, spans), series, kind=kind),
    st.lists(st.tuples(*[st.integers(-99, 99).map(lambda t: t * STEP)] * 2), max_size=4),
    st.dictionaries(st.binary(max_size=9), runs, max_size=4),
    st.sampled_from([None, "matrix", b"m", 7, True, ("matrix", ("a", 1.5), ())]))
pairs = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=3).map(tuple)


def contents(series: Mapping[bytes, Runs]) -> list[Any]:
    """:return: series and rows by form; runs of one form are equal to one of that form."""
    return [(name, [(form, [row for run in alike for row in run.rows()])
                    for form, alike in groupby(runs, form_of)])
            for name, runs in series.items()]


def form_of(run: Rows) -> Any:
    return run.format if isinstance(run, TextRows) else run.separator


EXAMPLE = Codec().to_parts(
    Dataset(Extents(STEP, (Extent(0, 9 * STEP),)),
            {b"a": (text_run([1, 2]), indexed_run([3])), b"b": (text_run([5]),)}, kind="matrix"),
    ((b"Content-Type", b"text/plain"),), b"17")


class CodecTests(SynchronousTestCase):
    """Datasets as octets."""

    @given(datasets, pairs, st.binary(max_size=9))
    def test_there_and_back(self, dataset: Dataset, headers: tuple[tuple[bytes, bytes], ...],
                            beside: bytes) -> None:
        """
        An encoded dataset is decoded with its extents, kind, series in order, rows and extra data.
        """
        read = Codec(bytes.lower).from_parts(Codec().to_parts(dataset, headers, beside))
        assert read is not None
        found, *rest = read
        self.assertEqual(rest, [headers, beside])
        self.assertEqual((found.extents, found.kind, found.collation),
                         (dataset.extents, dataset.kind, bytes.lower))
        self.assertEqual(contents(found.series), contents(dataset.series))

    @given(datasets, st.integers(1, 60))
    def test_any_piece(self, dataset: Dataset, most: int) -> None:
        """However few timestamps a window may have, what is decoded is what was encoded."""
        parts = Codec(most_instants=most).to_parts(dataset)
        read = Codec().from_parts(parts)
        assert read is not None
        self.assertEqual(contents(read[0].series), contents(dataset.series))
        for part in parts[-len(head_of(parts[0]).windows):]:
            start, end, _ = msgspec.msgpack.decode(part) if len(parts) > 1 else (0, 0, ())
            self.assertLessEqual(end - start, most * STEP)

    def test_shared_formats(self) -> None:
        """Datasets share the forms of their rows, which take memory of their own."""
        runs = [read[0].series[b"b"][0] for read in map(Codec().from_parts, [EXAMPLE] * 2) if read]
        first, second = (run.format for run in runs if isinstance(run, TextRows))
        self.assertIs(first, second)

    def test_part(self) -> None:
        """Of a run that was cut, only the remaining rows are encoded."""
        whole = text_run(list(range(1000)))
        part = whole.cropped(STEP, 2 * STEP)
        assert part is not None
        parts = Codec().to_parts(Dataset(Extents(STEP), {b"a": (part,)}))
        self.assertLess(sum(map(len, parts)), 200)

    def test_damaged(self) -> None:
        """Damaged parts are decoded or refused, and raise no error."""
        for index, part in enumerate(EXAMPLE):
            for i in range(len(part)):
                for change in (1, 0x80, 0xFF):
                    damaged = part[:i] + bytes([part[i] ^ change]) + part[i + 1:]
                    Codec().from_parts([*EXAMPLE[:index], damaged, *EXAMPLE[index + 1:]])

    def test_missing(self) -> None:
        """A dataset of which a needed part is missing is not decoded."""
        self.assertIsNotNone(Codec().from_parts(EXAMPLE))
        for few in ([], EXAMPLE[1:], EXAMPLE[:1], EXAMPLE[:2], [EXAMPLE[0], *EXAMPLE[2:]]):
            self.assertIsNone(Codec().from_parts(few))

    def test_deep(self) -> None:
        """Octets that are deeper than any dataset are none, as a head and as a whole."""
        head = msgspec.msgpack.decode(EXAMPLE[0])
        at = EXAMPLE[0].index(msgspec.msgpack.encode(head[3]))
        deep = EXAMPLE[0][:at] + b"\x91" * 100_000 + EXAMPLE[0][at:]
        self.assertIsNone(Codec().head(deep))
        self.assertIsNone(Codec().from_parts([deep, *EXAMPLE[1:]]))

    def test_other_version(self) -> None:
        """Parts of another version are not read."""
        self.assertIsNone(Codec().from_parts([EXAMPLE[0].replace(VERSION, b"TkD9"), *EXAMPLE[1:]]))

    @settings(max_examples=200)
    @given(st.lists(st.binary(max_size=200), max_size=3))
    def test_garbage(self, parts: list[bytes]) -> None:
        """Octets of another writer are not decoded, even behind a head of ours."""
        self.assertIsNone(Codec().from_parts(parts))
        self.assertIsNone(Codec().from_parts([EXAMPLE[0], *parts]))

    def test_nested(self) -> None:
        """A kind that is nested deeper than can be read is not read, and raises nothing."""
        version = msgspec.msgpack.encode(VERSION)
        for depth in (*range(200, 1200, 7), 200_000):
            head = (b"\x9a" + version + b"\x01\x90" + b"\x91" * depth + b"\xc0\x90\xc4\x00\x90\x00"
                    + b"\xc4\x00\x90")
            read = Codec().from_parts([head])
        self.assertIsNone(read)

    def test_impossible(self) -> None:
        """Parts in the right form with impossible contents are not decoded."""
        text, indexed = ["t", 0, b'[1,"1"]'], ["i", b",", [[1, b"x"]]]
        self.assertIsNotNone(Codec().from_parts(stored(runs=[text, indexed])))
        for impossible in (
                stored(step=0), stored(step=-1), stored(step="1"), stored(spans=[[0]]),
                stored(runs=[]), stored(runs=[["t", 0, b""]]),
                stored(runs=[["t", 1, b'[1,"1"]']]), stored(runs=[["t", -1, b'[1,"1"]']]),
                stored(runs=[["t", 0, b'["1"]']]), stored(groups=-1), stored(groups=9),
                stored(runs=[["i", b",", []]]), stored(runs=[["i", b",", [[1 << 63, b"x"]]]]),
                stored(runs=[["i", b",", [[2, b"x"], [1, b"x"]]]]), stored(runs=[["z", 1, b""]]),
                stored(identity=b"other"), stored(bounds=(0, 8)), stored(windows=()),
                stored(windows=((0, 9), (9, 18))), stored(identities=b"other"),
                *(stored(format=wrong) for wrong in (
                    [], [b"", b",", b"[", b"]", b"", 0, 1], [b",", b"", b"[", b"]", b"", 0, 1],
                    [b",", b",", b"[", b"]", b"", -1, 1], [b",", b",", b"[", b"]", b"", 0, 0]))):
            with self.subTest(octets=impossible):
                self.assertIsNone(Codec().from_parts(impossible))


class RefreshedTests(SynchronousTestCase):
    """Datasets of which most is decoded already."""

    def refreshed(self, old: Dataset, new: Dataset, most: int = 0) -> tuple[Any, int]:
        """
        :param most: timestamps in a window.
        :return: what is made of the parts that are new, and how many are not.
        """
        codec = Codec(most_instants=most)
        before = frozenset(codec.to_parts(old))
        whole = codec.to_parts(new, ((b"a", b"b"),), b"7")
        parts = [whole[0], *(None if part in before else part for part in whole[1:])]
        return Codec(bytes.lower).refreshed(parts, old), parts.count(None)

    def assert_refreshed(self, old: Dataset, new: Dataset, known: int, most: int = 0) -> None:
        """The new dataset is made, and at least so many of its parts were known."""
        found, count = self.refreshed(old, new, most)
        self.assertGreaterEqual(count, known)
        dataset, *beside = found
        self.assertEqual(beside, [((b"a", b"b"),), b"7"])
        self.assertEqual((dataset.extents, dataset.kind, dataset.collation),
                         (new.extents, new.kind, bytes.lower))
        self.assertEqual(list(dataset.series), list(new.series))
        for identity in new.series:
            self.assertEqual(list(dataset.rows(identity)), list(new.rows(identity)))

    def grown(self, first: int, last: int, names: Iterable[int] = range(40)) -> Dataset:
        """:return: rows of so many series from one tick to another."""
        return RefreshTests("dataset").dataset(first, last, names)

    def test_by_a_step(self) -> None:
        """A dataset that has grown is made of what there was and the newest windows."""
        self.assert_refreshed(self.grown(5000, 9000), self.grown(5000, 9001), 5)

    def test_sliding(self) -> None:
        """A dataset that has lost its oldest rows and grown has neither too many nor too few."""
        self.assert_refreshed(self.grown(5000, 9000), self.grown(5013, 9005), 5)

    def test_changed(self) -> None:
        """A dataset whose newest rows are other ones has these."""
        old = self.grown(5000, 9000)
        newer = Dataset(Extents.of(STEP, [(8990 * STEP, 9001 * STEP)]), {
            identity: (TextRows.of(b"[%d,\"x\"]" % 8995, ARRAYS),) for identity in old.series})
        self.assert_refreshed(old, old.merged(newer), 5)

    def test_window_gone(self) -> None:
        """Rows of a window in which there are none any more are not there, though its neighbours are."""
        old = self.grown(5000, 6000)
        for first, last in ((5120, 5183), (5100, 5500), (5000, 5128), (5900, 6000)):
            gone = Extents.of(STEP, [(first * STEP, last * STEP)])
            left = old.restricted(old.extents - gone)
            for new in (left, Dataset(old.extents, left.series)):
                self.assert_refreshed(old, new, 5, 64)

    def test_nothing_known(self) -> None:
        """Where nothing is known, all that is new is read, unless it has other series."""
        old = self.grown(5000, 5003)
        self.assert_refreshed(old, self.grown(7000, 7010), 1)
        self.assertIsNone(self.refreshed(old, self.grown(5000, 5003, range(41)))[0])

    def test_series_gone(self) -> None:
        """A dataset that lost a series is read anew: which are left is not known."""
        self.assertIsNone(self.refreshed(
            self.grown(5000, 5003), self.grown(5000, 5003, range(39)))[0])

    def test_wrong_entry(self) -> None:
        """Parts of another dataset than the one that is decoded here are no dataset."""
        whole = Codec().to_parts(self.grown(5000, 5003))
        parts = [whole[0], *(None for _ in whole[1:])]
        self.assertIsNone(Codec().refreshed(parts, self.grown(5000, 5003, range(1, 41))))

    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.booleans()),
                    min_size=1, max_size=6), st.sampled_from([0, 2, 16]))
    def test_any_order(self, changes: list[tuple[int, int, bool]], most: int) -> None:
        """However a dataset changes, what is made of the new parts is what all parts make."""
        dataset = self.grown(5000, 5100, range(3))
        for at, length, crop in changes:
            first = 5000 + at
            new = dataset.merged(self.grown(first, first + length, range(3)))
            if crop:
                new = new.restricted(new.extents - Extents.of(
                    STEP, [(first * STEP, (first + 2 * length) * STEP)]))
            if new.series:
                found, _ = self.refreshed(dataset, new, most)
                if found is not None:
                    self.assert_refreshed(dataset, new, 0, most)
            dataset = new


class SinceTests(SynchronousTestCase):
    """Datasets of which much is encoded already."""

    def since(self, old: Dataset, parts: list[bytes], new: Dataset, most: int = 0) -> tuple[list[bytes], int]:
        """
        :param parts: of the old dataset.
        :param most: timestamps in a window.
        :return: parts of the new one, and how many of them are among those of the old one.
        """
        found = Codec(most_instants=most).parts_since(new, ((b"a", b"b"),), b"7", old, parts[0])
        self.assertIsInstance(found[0], bytes)
        whole = [parts[part] if isinstance(part, int) else part for part in found]
        return whole, sum(isinstance(part, int) for part in found)

    def assert_written(self, parts: list[bytes], new: Dataset) -> None:
        """The parts are those of the dataset."""
        read = Codec(bytes.lower).from_parts(parts)
        assert read is not None
        dataset, *beside = read
        self.assertEqual(beside, [((b"a", b"b"),), b"7"])
        self.assertEqual((dataset.extents, dataset.kind, list(dataset.series)),
                         (new.extents, new.kind, list(new.series)))
        for identity in new.series:
            self.assertEqual(list(dataset.rows(identity)), list(new.rows(identity)))

    def grown(self, first: int, last: int, names: Iterable[int] = range(40)) -> Dataset:
        """:return: rows of so many series from one tick to another."""
        return RefreshTests("dataset").dataset(first, last, names)

    def test_by_a_step(self) -> None:
        """Of a dataset that grows by a step, again and again, the newest windows are encoded alone."""
        for most in (0, 420):
            dataset = self.grown(5000, 9000)
            parts = Codec(most_instants=most).to_parts(dataset)
            known, encoded = [], 0
            for last in range(9001, 9101):
                new = dataset.merged(self.grown(last, last))
                following, same = self.since(dataset, parts, new, most)
                known.append(same / len(following))
                encoded += sum(map(len, set(following) - set(parts)))
                dataset, parts = new, following
                # In the same windows as if all were encoded: narrow ones become wide ones.
                self.assertEqual(parts[0], Codec(most_instants=most).to_parts(
                    dataset, ((b"a", b"b"),), b"7")[0])
            self.assert_written(parts, dataset)
            self.assertGreater(median(known), 0.5)
            self.assertLess(encoded // 100, dataset.nbytes // 40)

    def test_sliding(self) -> None:
        """Where the oldest rows are gone, what is between the first window and the newest is as it was."""
        dataset = self.grown(5000, 9000)
        new = dataset.merged(self.grown(9001, 9001)).restricted(
            Extents.of(STEP, [(5013 * STEP, 9001 * STEP)]))
        parts, same = self.since(dataset, Codec().to_parts(dataset), new)
        self.assert_written(parts, new)
        self.assertGreater(same, len(parts) // 2)

    def test_series_come(self) -> None:
        """Where series come, older windows are as they were."""
        dataset = self.grown(5000, 9000)
        new = dataset.merged(self.grown(9001, 9001, range(50)))
        parts, same = self.since(dataset, Codec().to_parts(dataset), new)
        self.assert_written(parts, new)
        self.assertGreater(same, len(parts) // 2)

    def test_nothing_new(self) -> None:
        """Where only what is beside the rows is new, only the head is."""
        dataset = self.grown(5000, 5003)
        parts, same = self.since(dataset, Codec().to_parts(dataset), dataset)
        self.assert_written(parts, dataset)
        self.assertEqual(same, len(parts) - 1)

    def test_stretches(self) -> None:
        """What is written anew is a few stretches of time, side by side with the windows that stand."""
        old = self.grown(5000, 9000)
        new = old.merged(self.grown(9001, 9001)).restricted(
            Extents.of(STEP, [(5013 * STEP, 9001 * STEP)]))
        cutting = Windows.of(new)
        standing = Standing.of(old, Codec().to_parts(old)[0], new, cutting)
        self.assertLess(len(standing.stretches), 5)
        edges = sorted([*standing.windows, *((start, end + 1) for start, end in standing.stretches)])
        for (_, end), (start, _) in pairwise(edges):
            self.assertLessEqual(end, start)
        for tick in range(5013, 9002):
            holding = [edge for edge in edges if edge[0] <= tick * STEP < edge[1]]
            self.assertEqual(len(holding), 1)

    def test_other_form(self) -> None:
        """What is encoded in another form is encoded anew."""
        dataset = self.grown(5000, 5003)
        for head in (b"", b"x", EXAMPLE[0][:-1], EXAMPLE[0].replace(VERSION, b"TkD4")):
            parts, same = self.since(dataset, [head], dataset)
            self.assert_written(parts, dataset)
            self.assertEqual(same, 0)

    @given(datasets, datasets, st.integers(0, 9))
    def test_any(self, old: Dataset, new: Dataset, most: int) -> None:
        """Whatever a dataset was before, its parts make it, in whatever forms its rows are."""
        codec = Codec(most_instants=most)
        for later in (new, Dataset(new.extents, {**old.series, **new.series}, kind=new.kind)):
            parts, _ = self.since(old, codec.to_parts(old), later, most)
            read = Codec().from_parts(parts)
            assert read is not None
            self.assertEqual(contents(read[0].series), contents(later.series))

    @settings(max_examples=60)
    @given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40), st.booleans(),
                              st.integers(1, 4)), min_size=1, max_size=6), st.sampled_from([0, 4, 64]))
    def test_any_order(self, changes: list[tuple[int, int, bool, int]], most: int) -> None:
        """However a dataset changes, again and again, its parts make it, series that go included."""
        dataset = self.grown(5000, 5100, range(3))
        parts = Codec(most_instants=most).to_parts(dataset)
        for at, length, crop, names in changes:
            first = 5000 + at
            new = dataset.merged(self.grown(first, first + length, range(names)))
            if crop:
                new = new.restricted(new.extents - Extents.of(
                    STEP, [((first - names) * STEP, (first + 2 * length) * STEP)]))
            parts, _ = self.since(dataset, parts, new, most)
            self.assert_written(parts, new)
            dataset = new


class RefreshTests(SynchronousTestCase):
    """Datasets that grow, and are encoded again and again."""

    def dataset(self, first: int, last: int, names: Iterable[int] = range(40)) -> Dataset:
        """:return: rows of so many series from one tick to another, 20 octets each."""
        return Dataset(Extents.of(STEP, [(first * STEP, last * STEP)]), {
            b"%d" % name: (TextRows.of(b",".join(
                b'[%d,"%08d"]' % (t, t * name % 9973) for t in range(first, last + 1)), ARRAYS),)
            for name in names})

    def new(self, before: Dataset, after: Dataset, most: int = 0) -> list[int]:
        """
        :param most: timestamps in a window.
        :return: how long those parts are, but for the head, that were not there before.
        """
        codec = Codec(most_instants=most)
        known = set(codec.to_parts(before))
        return [len(part) for part in codec.to_parts(after)[1:] if part not in known]

    def test_by_a_step(self) -> None:
        """Refreshes of a growing dataset each write little, and few of them write more."""
        written, dataset = [], self.dataset(5000, 9000)
        size = dataset.nbytes
        for last in range(9001, 9101):
            more = dataset.merged(self.dataset(last, last))
            written.append(sum(self.new(dataset, more)))
            dataset = more
        self.assertLess(median(written), size // 50)
        self.assertLess(sum(written) // len(written), size // 50)

    def test_by_a_step_in_pieces(self) -> None:
        """Also where windows have few timestamps, refreshes of a growing dataset write little."""
        for most in (420, 16):
            dataset, written = self.dataset(5000, 9000), 0
            size = dataset.nbytes
            for last in range(9001, 9021):
                more = dataset.merged(self.dataset(last, last))
                new = self.new(dataset, more, most)
                written, dataset = written + sum(new), more
            self.assertLess(written, 20 * size // 50)

    def test_sliding(self) -> None:
        """A dataset that also loses its oldest rows has only their window written anew."""
        before, after = self.dataset(5000, 9000), self.dataset(5003, 9000)
        self.assertEqual(len(self.new(before, after)), 1)

    def test_series_that_come_and_go(self) -> None:
        """
        A series that comes or goes changes the windows with its rows, and its group of identities.
        """
        many = range(3000)
        before = self.dataset(8000, 8100, many)
        gone = before.merged(self.dataset(8101, 8101, (n for n in many if n != 1500)))
        self.assertLess(sum(self.new(before, gone)), before.nbytes // 20)

    def test_hole_filled(self) -> None:
        """Rows that come between others change the windows around them, and no other."""
        whole = self.dataset(5000, 9000)
        holed = whole.restricted(whole.extents - self.dataset(6000, 6100, [1]).extents)
        self.assertEqual(len(self.new(holed, holed.merged(self.dataset(6000, 6100)))), 1)

    def test_any_reach(self) -> None:
        """Few rows over a long time are few parts."""
        rows = [(t * STEP, b"x") for t in (0, 1 << 20, 1 << 33)]
        sparse = Dataset(Extents.of(STEP, [(t, t) for t, _ in rows]),
                         {b"a": (IndexedRows.of(rows),)})
        self.assertLess(len(Codec().to_parts(sparse)), 6)

    def test_many_holes(self) -> None:
        """However many spans are far from each other, the parts are few, and a refresh writes little."""
        far = [(k << 22, (k << 22) + 3) for k in range(1500)]
        for spans in (far, [(k << 12, (k << 12) + 3) for k in range(1500)], far[:200]):
            first = spans[-1][1] + (1 << 22)
            reach = Extents.of(STEP, [(a * STEP, b * STEP) for a, b in spans])
            rows = [(t * STEP, b"x" * 9) for a, b in spans for t in range(a, b + 1)]
            holed = Dataset(reach, {b"a": (IndexedRows.of(rows),)})
            dense = holed.merged(self.indexed(first, first + 40000))
            self.assertLess(max(len(Codec().to_parts(each)) for each in (holed, dense)), 300)
            refreshed = dense.merged(self.indexed(first + 40001, first + 40001))
            self.assertLess(sum(self.new(dense, refreshed)), dense.encoded_bytes // 4)

    def indexed(self, first: int, last: int) -> Dataset:
        """:return: one series with a row of 20 octets at each tick."""
        rows = [(t * STEP, b"%020d" % t) for t in range(first, last + 1)]
        return Dataset.from_rows(Extents.of(STEP, [(first * STEP, last * STEP)]), {b"a": rows})

    def test_many_series(self) -> None:
        """However many series there are, the groups of their identities are few."""
        run = (TextRows.of(b'[1,"1"]', ARRAYS),)
        for count, most in ((1000, 20), (150_000, 400)):
            dataset = Dataset(Extents.of(STEP, [(STEP, STEP)]),
                              {b"%d" % name: run for name in range(count)})
            self.assertLess(len(Codec().to_parts(dataset)), most)


def stored(step: int = STEP, spans: Any = ((0, STEP),), runs: Any = (["i", b",", [[1, b"x"]]],),
           format: Any = (b",", b",", b"[", b"]", b"", 0, 1), groups: int = 1,
           identity: bytes = b"a", windows: Any = ((0, 9),), bounds: Any = (0, 9),
           identities: bytes | None = None) -> list[bytes]:
    """:return: octets in our form, with anything in it."""
    digest = blake2b(b"a", digest_size=16).digest()
    all_of = blake2b(blake2b(identity, digest_size=16).digest(), digest_size=16).digest()
    head = [VERSION, step, spans, "matrix", [], b"", [format], groups, identities or all_of, windows]
    window = [*bounds, [[digest, runs]]]
    return [msgspec.msgpack.encode(part) for part in (head, [identity], window)]
