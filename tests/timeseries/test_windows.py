"""Tests of C{trickster.timeseries.windows}."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows
from trickster.timeseries.windows import Windows

S = 1_000_000_000
ARRAYS = RowFormat(b",", b",", b"[", b"]")


def text_run(ticks: list[int]) -> TextRows:
    """:return: rows at so many seconds, in their order."""
    octets = b",".join(b'[%d,"%d"]' % (tick, index) for index, tick in enumerate(ticks))
    return TextRows(octets, 0, len(octets), ticks[0] * S, ticks[-1] * S, ARRAYS)


def indexed_run(ticks: list[int]) -> IndexedRows:
    """:return: rows at so many seconds, ascending."""
    return IndexedRows.of([(tick * S, b"%d" % tick) for tick in ticks])


ascending = st.lists(st.integers(-60, 60), min_size=1, max_size=20, unique=True).map(sorted)
runs = st.one_of(ascending.map(text_run), ascending.map(indexed_run))
windows = st.builds(
    lambda base, first, second, last: Windows(
        (base * first * second, base * first, base), last),
    st.sampled_from([S, 7 * S]), st.sampled_from([1, 2, 8]), st.sampled_from([1, 4]),
    st.integers(-60, 60).map(lambda tick: tick * S))


def octets_of(pieces: list[Rows]) -> bytes:
    return pieces[0].separator.join(bytes(piece.encoded()) for piece in pieces)


class WindowsTests(SynchronousTestCase):
    """Windows of time, and runs that are cut into them."""

    @given(windows, st.integers(-100, 100))
    def test_side_by_side(self, windows: Windows, tick: int) -> None:
        """An instant is in one window, and the next begins where it ends."""
        start, end = windows.around(tick * S)
        self.assertTrue(start <= tick * S < end)
        self.assertEqual({windows.around(t) for t in (start, tick * S, end - 1)}, {(start, end)})
        self.assertEqual(windows.around(end)[0], end)

    @given(windows)
    def test_the_same_later(self, windows: Windows) -> None:
        """Windows of the widest width stay the same while time goes on."""
        wide, later = windows.widths[0], Windows(windows.widths, windows.last_ns + 1000 * S)
        for tick in range(-60, 60):
            start, end = windows.around(tick * S)
            if end - start == wide and end <= windows.last_ns:
                self.assertEqual(later.around(tick * S), (start, end))

    @given(windows, runs)
    def test_cut(self, windows: Windows, run: Rows) -> None:
        """Each row is in the piece of its window, and the pieces together are the run."""
        pieces = list(windows.cut((run,)))
        for start, piece in pieces:
            self.assertEqual({windows.around(instant)[0] for instant, _ in piece.rows()}, {start})
            instants = [instant for instant, _ in piece.rows()]
            self.assertEqual((piece.first_ns, piece.last_ns), (instants[0], instants[-1]))
        self.assertEqual(octets_of([piece for _, piece in pieces]), bytes(run.encoded()))

    @given(windows, st.lists(st.integers(-60, 60), min_size=2, max_size=20).filter(
        lambda ticks: ticks[0] < ticks[-1]))
    def test_out_of_order(self, windows: Windows, ticks: list[int]) -> None:
        """Rows that an origin sent out of order are all kept, and in their places."""
        run = text_run(ticks)
        pieces = list(windows.cut((run,)))
        self.assertEqual(octets_of([piece for _, piece in pieces]), bytes(run.encoded()))
        self.assertTrue(all(one <= other for (one, _), (other, _) in pairwise(pieces)))

    @given(st.integers(1, 200), st.integers(1, 30), st.integers(1, 1 << 16))
    def test_widths(self, series: int, rows: int, size: int) -> None:
        """Widths are the step times powers of two, and enough for so many octets."""
        step = 15 * S
        run = IndexedRows.of([(tick * step, b"x" * size) for tick in range(rows)])
        dataset = Dataset(Extents.of(step, [(0, run.last_ns)]),
                          {b"%d" % name: (run,) for name in range(series)})
        for width, least in zip(Windows.of(dataset).widths, (1 << 21, 1 << 18, 1 << 15),
                                strict=True):
            steps, rest = divmod(width, step)
            self.assertEqual((rest, steps & (steps - 1)), (0, 0))
            self.assertGreaterEqual(steps * (size + 1) * series, least)
            if least > 1024 * series:
                self.assertLessEqual((steps - 1) * size * series, 2 * least)

    @given(st.integers(1, 50), st.integers(1, 60), st.integers(1, 1 << 12), st.integers(1, 100))
    def test_most(self, series: int, rows: int, size: int, most: int) -> None:
        """No window has more timestamps than it may, and none is wider for that."""
        step = 15 * S
        run = IndexedRows.of([(tick * step, b"x" * size) for tick in range(rows)])
        dataset = Dataset(Extents.of(step, [(0, run.last_ns)]),
                          {b"%d" % name: (run,) for name in range(series)})
        bounded, suiting = Windows.of(dataset, most), Windows.of(dataset)
        for width, wide in zip(bounded.widths, suiting.widths, strict=True):
            steps, rest = divmod(width, step)
            self.assertEqual((rest, steps & (steps - 1)), (0, 0))
            self.assertLessEqual(steps, most)
            self.assertLessEqual(width, wide)
        counts = Counter(start for start, piece in bounded.cut((run,)) for _ in piece.rows())
        self.assertLessEqual(max(counts.values()), most)
        self.assertEqual(counts.total(), rows)

    def test_most_with_holes(self) -> None:
        """Also of a dataset with many holes no window has more timestamps than it may."""
        extents = Extents.of(S, [(n * 10 * S, n * 10 * S) for n in range(500)])
        run = IndexedRows.of([(n * 10 * S, b"x") for n in range(500)])
        self.assertEqual(set(Windows.of(Dataset(extents, {b"a": (run,)}), 9).widths), {8 * S})

    def test_nothing(self) -> None:
        """A dataset that covers nothing has windows without rows."""
        self.assertEqual(list(Windows.of(Dataset(Extents(S))).cut(())), [])
