"""Tests of C{trickster.timeseries.wire}."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, TextRows
from trickster.timeseries.wire import Codec

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


runs = st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=5).map(sorted).flatmap(
    lambda ticks: st.sampled_from([text_run(ticks), line_run(ticks), indexed_run(ticks)]))
datasets = st.builds(
    lambda spans, series, kind: Dataset(Extents.of(STEP, spans), series, kind=kind),
    st.lists(st.tuples(*[st.integers(-99, 99).map(lambda t: t * STEP)] * 2), max_size=4),
    st.dictionaries(st.binary(max_size=9), st.lists(runs, min_size=1, max_size=3).map(tuple),
                    max_size=4),
    st.sampled_from([None, "matrix"]))
pairs = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=3).map(tuple)


def contents(series: dict[bytes, Runs]) -> list[Any]:
    return [(name, [(type(run), run.separator, list(run.rows()), bytes(run.encoded()))
                    for run in runs])
            for name, runs in series.items()]


EXAMPLE = Codec().to_octets(
    Dataset(Extents(STEP, (Extent(0, 9 * STEP),)),
            {b"a": (text_run([1, 2]), indexed_run([3])), b"b": (text_run([5]),)}, kind="matrix"),
    ((b"Content-Type", b"text/plain"),), 17)


class CodecTests(SynchronousTestCase):
    """Datasets as octets."""

    @given(datasets, pairs, st.integers(0, 1 << 62))
    def test_there_and_back(self, dataset: Dataset, headers: tuple[tuple[bytes, bytes], ...],
                            span: int) -> None:
        """What was written is read: coverage, kind, series in order, rows, and what is beside."""
        read = Codec(bytes.lower).from_octets(Codec().to_octets(dataset, headers, span))
        assert read is not None
        found, *beside = read
        self.assertEqual(beside, [headers, span])
        self.assertEqual((found.extents, found.kind, found.collation),
                         (dataset.extents, dataset.kind, bytes.lower))
        self.assertEqual(contents(dict(found.series)), contents(dict(dataset.series)))

    def test_part(self) -> None:
        """Of a run that was cut, only what is left is written."""
        whole = text_run(list(range(1000)))
        part = whole.cropped(STEP, 2 * STEP)
        assert part is not None
        octets = Codec().to_octets(Dataset(Extents(STEP), {b"a": (part,)}))
        self.assertLess(len(octets), 100)

    def test_damaged(self) -> None:
        """Any octet that changed makes it unreadable, not wrong."""
        for i in range(len(EXAMPLE)):
            for change in (1, 0x80, 0xFF):
                damaged = EXAMPLE[:i] + bytes([EXAMPLE[i] ^ change]) + EXAMPLE[i + 1:]
                self.assertIsNone(Codec().from_octets(damaged))

    def test_cut_or_longer(self) -> None:
        """Any octet too few, or too many, makes it unreadable, not wrong."""
        for i in range(len(EXAMPLE)):
            self.assertIsNone(Codec().from_octets(EXAMPLE[:i]))
        self.assertIsNone(Codec().from_octets(EXAMPLE + b"\0"))

    @settings(max_examples=200)
    @given(st.binary(max_size=200))
    def test_garbage(self, octets: bytes) -> None:
        """Octets of another writer are nothing that we know, even with our marks on them."""
        self.assertIsNone(Codec().from_octets(octets))
        self.assertIsNone(Codec().from_octets(signed(octets)))

    def test_impossible(self) -> None:
        """What is written in the right form but cannot be is not read either."""
        text, indexed = ["t", 0, b'[1,"1"]'], ["i", b",", [[1, b"x"]]]
        self.assertIsNotNone(Codec().from_octets(stored(runs=[text, indexed])))
        for impossible in (
                stored(step=0), stored(step=-1), stored(step="1"), stored(spans=[[0]]),
                stored(runs=[]), stored(runs=[["t", 0, b""]]),
                stored(runs=[["t", 1, b'[1,"1"]']]), stored(runs=[["t", -1, b'[1,"1"]']]),
                stored(runs=[["t", 0, b'["1"]']]),
                stored(runs=[["i", b",", []]]), stored(runs=[["i", b",", [[1 << 63, b"x"]]]]),
                stored(runs=[["i", b",", [[2, b"x"], [1, b"x"]]]]), stored(runs=[["z", 1, b""]]),
                *(stored(format=wrong) for wrong in (
                    [], [b"", b",", b"[", b"]", b"", 0, 1], [b",", b"", b"[", b"]", b"", 0, 1],
                    [b",", b",", b"[", b"]", b"", -1, 1], [b",", b",", b"[", b"]", b"", 0, 0]))):
            with self.subTest(octets=impossible):
                self.assertIsNone(Codec().from_octets(impossible))


def stored(step: int = STEP, spans: Any = ((0, STEP),), runs: Any = (["i", b",", [[1, b"x"]]],),
           format: Any = (b",", b",", b"[", b"]", b"", 0, 1)) -> bytes:
    """:return: octets in our form, with anything in it."""
    form = [step, spans, "matrix", [[b"a", runs]], [], 0, [format]]
    return signed(msgspec.msgpack.encode(form))


def signed(octets: bytes) -> bytes:
    return EXAMPLE[:4] + zlib.crc32(octets).to_bytes(4, "big") + octets
