"""Tests of C{trickster.timeseries.rows}, against lists of instants and octets."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.row_format import SECOND_NS, RowFormat
from trickster.timeseries.rows import IndexedRows, Rows, TextRows, appended

MS = 1_000_000
Model = list[tuple[int, bytes]]
ARRAYS = RowFormat(b",", b",", b"[", b"]")
# How a row of seconds and a value is written in each of several formats.
FORMATS = {
    ARRAYS: b'[%(time)b,"%(value)b"]',
    RowFormat(b",", b'"', b'["', b"]"): b'["%(time)b",%(value)b]',
    RowFormat(b",", b"]", b"[", b"]", b",", 1): b"[%(value)b,%(time)b]",
    RowFormat.delimited(b"\t"): b"%(time)b\t%(value)b",
    RowFormat.delimited(b",", 1): b"%(value)b,%(time)b",
    RowFormat.delimited(b",", 1, 3): b"a,%(time)b,%(value)b",
    RowFormat(b"\r\n", b" "): b"%(time)b %(value)b",
}

# Instants in milliseconds: near each other, so that the interesting cuts are hit; at the
# epoch and before it; and of today.
instants_ms = st.one_of(
    st.integers(-3000, 3000), st.integers(1_700_000_000_000, 1_700_000_009_000))
values = st.sampled_from([b"0", b"1.5", b"-3", b"NaN", b"+Inf", b"-Inf", b"1e+30",
                          b"12345678901234567890.123456789"])


def seconds(milliseconds: int) -> bytes:
    """:return: seconds with no more digits than are needed."""
    text = format(Decimal(milliseconds) / 1000, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def padded(milliseconds: int) -> bytes:
    """:return: seconds as Prometheus writes them: three decimals, or none."""
    text = format(Decimal(milliseconds) / 1000, ".3f")
    return text.removesuffix(".000").encode()


def row(milliseconds: int, value: bytes = b"1") -> bytes:
    return b'[%b,"%b"]' % (seconds(milliseconds), value)


@st.composite
def models(draw: st.DrawFn, rows: RowFormat = ARRAYS) -> Model:
    """Rows as one origin would spell them, at instants of any distance."""
    spelled, written = draw(st.sampled_from([seconds, padded])), FORMATS[rows]
    found = draw(st.dictionaries(instants_ms, values, min_size=1, max_size=30))
    return [(t * MS, written % {b"time": spelled(t), b"value": found[t]}) for t in sorted(found)]


def text_rows(model: Model, rows: RowFormat = ARRAYS) -> TextRows:
    return TextRows.of(rows.separator.join(octets for _, octets in model), rows)


def between(model: Model, start_ns: int, end_ns: int) -> Model:
    return [one for one in model if start_ns <= one[0] <= end_ns]


class Holding(SynchronousTestCase):
    """Asserts which rows a run holds."""

    def assert_holds(self, run: Rows | None, model: Model, separator: bytes = b",") -> None:
        """The run is of the model's rows, in each way in which one can look at it."""
        if not model:
            self.assertIsNone(run)
            return
        assert run is not None
        self.assertEqual(list(run.rows()), model)
        self.assertEqual(bytes(run.encoded()), separator.join(octets for _, octets in model))
        self.assertEqual((run.first_ns, run.last_ns), (model[0][0], model[-1][0]))


class TextRowsTests(Holding):
    """Runs of text rows, which are cut without being read."""

    @settings(max_examples=300)
    @given(st.sampled_from([*FORMATS]), st.data())
    def test_cropped(self, rows: RowFormat, data: st.DataObject) -> None:
        """
        A cut between any two instants holds exactly the rows between them, also when cut again.
        """
        model = data.draw(models(rows))
        run: Rows | None = text_rows(model, rows)
        near = st.sampled_from([t for t, _ in model]).flatmap(
            lambda t: st.integers(t - 2 * MS, t + 2 * MS))
        for _ in range(3):
            start, end = data.draw(near), data.draw(near)
            model = between(model, start, end)
            run = run.cropped(start, end) if run else None
            self.assert_holds(run, model, rows.separator)

    @settings(max_examples=300)
    @given(st.lists(st.integers(1, 40), max_size=12), st.lists(st.integers(0, 41), min_size=4,
                                                                max_size=4))
    def test_any_order(self, inner: list[int], cuts: list[int]) -> None:
        """A cut of rows that an origin did not order holds some of them, in the same order."""
        every = [row(t * 1000) for t in (0, *inner, 41)]
        run: TextRows | None = TextRows.of(b",".join(every), ARRAYS)
        for start, end in (cuts[:2], cuts[2:]):
            run = run.cropped(start * SECOND_NS, end * SECOND_NS) if run else None
            found = [octets for _, octets in run.rows()] if run else []
            self.assertIn(b",".join(found), b",".join(every))

    def test_first_row_only(self) -> None:
        """The first row alone is found as any other is."""
        run = text_rows([(t * SECOND_NS, row(t * 1000)) for t in (1700, 1715, 1730)])
        self.assert_holds(run.cropped(0, 1700 * SECOND_NS), [(1700 * SECOND_NS, row(1700_000))])

    def test_between_rows(self) -> None:
        """A cut that falls between two rows holds none."""
        self.assertIsNone(text_rows([(0, row(0)), (9 * SECOND_NS, row(9000))]).cropped(1, 2))

    def test_outside(self) -> None:
        """A cut before or after all rows holds none."""
        run = text_rows([(SECOND_NS, row(1000))])
        self.assertIsNone(run.cropped(0, SECOND_NS - 1))
        self.assertIsNone(run.cropped(SECOND_NS + 1, 2 * SECOND_NS))

    def test_uneven(self) -> None:
        """Rows whose widths and distances differ wildly are cut where they should be."""
        ticks = [0, 1, 2, 3, 1000, 1001, 500_000, 500_001, 10**9, 10**9 + 1]
        model = [(t * MS, row(t, b"1" * (1 + 97 * i % 800))) for i, t in enumerate(ticks)]
        run = text_rows(model)
        for start in ticks:
            for end in ticks:
                self.assert_holds(run.cropped(start * MS, end * MS),
                                  between(model, start * MS, end * MS))

    def test_many(self) -> None:
        """Each of many rows can be cut out."""
        model = [(t * 15 * SECOND_NS, row(t * 15_000, b"%d" % t)) for t in range(500)]
        run = text_rows(model)
        for t, octets in model:
            self.assert_holds(run.cropped(t, t), [(t, octets)])

    def test_order(self) -> None:
        """Border rows in the wrong order, or of one instant, are refused."""
        for wrong in ((2, 1), (1, 1)):
            with self.assertRaises(ValueError):
                TextRows.of(b",".join(row(t * 1000) for t in wrong), ARRAYS)

    def test_no_rows(self) -> None:
        """A text without a row is refused."""
        for octets in (b"", b"x", b"[", b'["a","b"]'):
            with self.subTest(octets=octets), self.assertRaises(ValueError):
                TextRows.of(octets, ARRAYS)

    def test_unit(self) -> None:
        """Timestamps of a run may be in units other than milliseconds."""
        run = TextRows.of(b"[1500,1],[2500,null]", RowFormat(b",", b",", b"[", b"]", unit_ns=MS))
        self.assertEqual(list(run.rows()), [(1500 * MS, b"[1500,1]"), (2500 * MS, b"[2500,null]")])

    def test_compacted(self) -> None:
        """A compacted run has the same rows, and holds on to no other octets."""
        run = text_rows([(t * SECOND_NS, row(t * 1000)) for t in range(100)])
        few = run.cropped(50 * SECOND_NS, 51 * SECOND_NS)
        assert few is not None
        self.assertEqual(few.nbytes, run.nbytes)
        self.assertEqual(few.compacted().nbytes, len(few.encoded()))
        self.assertEqual(list(few.compacted().rows()), list(few.rows()))
        self.assertIs(run.compacted(), run)

    def test_large_is_not_copied(self) -> None:
        """A large part is a view of what it was cut out of."""
        run = text_rows([(t * SECOND_NS, row(t * 1000)) for t in range(2000)])
        most = run.cropped(SECOND_NS, 2000 * SECOND_NS)
        assert most is not None
        self.assertIsInstance(most.encoded(), memoryview)


class IndexedRowsTests(Holding):
    """Runs of rows of any form, with an index."""

    @given(models(), st.sampled_from([b",", b"\n", b"\r\n", b""]), st.data())
    def test_cropped(self, model: Model, separator: bytes, data: st.DataObject) -> None:
        """
        A cut between any two instants holds exactly the rows between them, also when cut again.
        """
        run: Rows | None = IndexedRows.of(model, separator)
        near = st.sampled_from([t for t, _ in model]).flatmap(
            lambda t: st.integers(t - 2 * MS, t + 2 * MS))
        for _ in range(3):
            start, end = data.draw(near), data.draw(near)
            model = between(model, start, end)
            run = run.cropped(start, end) if run else None
            self.assert_holds(run, model, separator)
            if run:
                self.assert_holds(run.compacted(), model, separator)

    def test_any_form(self) -> None:
        """Rows with commas or brackets, and empty rows, are rows like any others."""
        model = [(1, b"],["), (2, b""), (5, b",,")]
        run = IndexedRows.of(model)
        self.assert_holds(run, model)
        self.assert_holds(run.cropped(2, 2), model[1:2])

    def test_order(self) -> None:
        """Rows out of order, or twice at an instant, are refused."""
        for wrong in ([(2, b""), (1, b"")], [(1, b""), (1, b"")]):
            with self.assertRaises(ValueError):
                IndexedRows.of(wrong)

    def test_no_rows(self) -> None:
        """A run without rows cannot be made."""
        with self.assertRaises(ValueError):
            IndexedRows.of([])

    def test_out_of_range(self) -> None:
        """Instants that 64 bits do not hold are refused."""
        for instant in (1 << 63, -(1 << 63) - 1):
            with self.assertRaises(ValueError):
                IndexedRows.of([(instant, b"")])

    def test_compacted(self) -> None:
        """A compacted run has the same rows, and holds on to no other octets."""
        run = IndexedRows.of([(t, b"%d" % t) for t in range(100)])
        few = run.cropped(5, 6)
        assert few is not None
        self.assertLess(few.compacted().nbytes, run.nbytes)
        self.assertEqual(list(few.compacted().rows()), [(5, b"5"), (6, b"6")])
        self.assertIs(run.compacted(), run)


class SplitTests(Holding):
    """Runs of any kind, split at an instant."""

    @given(st.sampled_from(list(FORMATS)).flatmap(
        lambda rows: st.tuples(st.just(rows), models(rows).filter(lambda model: len(model) > 1))),
        st.booleans(), st.data())
    def test_split(self, made: tuple[RowFormat, Model], is_text: bool, data: st.DataObject) -> None:
        """The rows before an instant are one run, all others the other."""
        rows, model = made
        separator = rows.separator if is_text else b"\n"
        run: Rows = text_rows(model, rows) if is_text else IndexedRows.of(model, separator)
        instant = data.draw(st.one_of(st.sampled_from([t for t, _ in model[1:]]),
                                      st.integers(model[0][0] + 1, model[-1][0])))
        before, others = run.split(instant)
        self.assert_holds(before, [one for one in model if one[0] < instant], separator)
        self.assert_holds(others, [one for one in model if one[0] >= instant], separator)


class AppendedTests(Holding):
    """Runs put behind each other."""

    @given(models(), st.lists(st.integers(0, 30), max_size=6), st.data())
    def test_pieces(self, model: Model, cuts: list[int], data: st.DataObject) -> None:
        """Runs of any kind and length put together again hold the same rows."""
        borders = sorted({0, *(c for c in cuts if c < len(model)), len(model)})
        runs: tuple[Rows, ...] = ()
        for low, high in itertools.pairwise(borders):
            piece = model[low:high]
            run: Rows = data.draw(st.sampled_from([IndexedRows.of, text_rows]))(piece)
            runs = appended(runs, run, data.draw(st.sampled_from([0, 60, 4096])))
        self.assertEqual([one for run in runs for one in run.rows()], model)
        self.assertEqual([t for run in runs for t in (run.first_ns, run.last_ns)],
                         sorted(t for run in runs for t in (run.first_ns, run.last_ns)))

    def test_sliding(self) -> None:
        """Rows appended one at a time, of every kind, make few runs that hold little memory."""
        for make in (IndexedRows.of, text_rows):
            runs: tuple[Rows, ...] = ()
            for t in range(2000):
                runs = appended(runs, make([(t * SECOND_NS, row(t * 1000))]))
            self.assertEqual(sum(1 for run in runs for _ in run.rows()), 2000)
            self.assertLess(len(runs), 20)

    def test_part_of_much(self) -> None:
        """A run that was appended holds on to its own rows only."""
        much = text_rows([(t * SECOND_NS, row(t * 1000)) for t in range(1000)])
        few = much.cropped(0, SECOND_NS)
        assert few is not None
        runs = appended((few,), text_rows([(3 * SECOND_NS, row(3000))]))
        self.assertLess(sum(run.nbytes for run in runs), 100)

    def test_formats(self) -> None:
        """Runs in different formats are not mixed."""
        other = RowFormat(b",", b",", b"[", b"]", unit_ns=MS)
        runs = appended((TextRows.of(b"[1,0]", ARRAYS),), TextRows.of(b"[2000,0]", other))
        self.assertEqual([t for run in runs for t, _ in run.rows()], [SECOND_NS, 2 * SECOND_NS])

    def test_separators(self) -> None:
        """Runs with different separators are not joined into one."""
        runs = appended((IndexedRows.of([(1, b"a")]),), IndexedRows.of([(2, b"b")], b"\n"))
        self.assertEqual([bytes(run.encoded()) for run in runs], [b"a", b"b"])
        (run,) = appended((IndexedRows.of([(1, b"a")], b"\n"),), IndexedRows.of([(2, b"b")], b"\n"))
        self.assert_holds(run, [(1, b"a"), (2, b"b")], b"\n")
