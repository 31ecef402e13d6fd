"""Tests of C{trickster.timeseries.sharing}."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import AFTER_ALL, BEFORE_ALL, Extents
from trickster.timeseries.row_format import RowFormat
from trickster.timeseries.rows import IndexedRows, TextRows
from trickster.timeseries.sharing import common_span

STEP = 1_000_000_000
ARRAYS = RowFormat(b",", b",", b"[", b"]")


def text(ticks: Sequence[int], value: str = "x", width: int = 0) -> TextRows:
    """:return: rows in a buffer of their own."""
    row = f'[%d,"{value.ljust(width, ".")}"]'
    return TextRows.of(b",".join((row % t).encode() for t in ticks), ARRAYS)


def indexed(ticks: Sequence[int], value: str = "x") -> IndexedRows:
    """:return: rows with an index."""
    return IndexedRows.of([(t * STEP, b"%d %b" % (t, value.encode())) for t in ticks])


def dataset(first: int, last: int, **series: Runs) -> Dataset:
    """:return: a dataset of some series."""
    return Dataset(Extents.of(STEP, [(first * STEP, last * STEP)]),
                   {name.encode(): runs for name, runs in series.items()})


def span(old: Dataset, new: Dataset) -> tuple[int, int] | None:
    """:return: the first and the last step that both have in common."""
    found = common_span(old, new)
    if found is None:
        return None
    since, until = found
    return (since if since == BEFORE_ALL else -(-since // STEP),
            until if until == AFTER_ALL else until // STEP)


class SpanTests(SynchronousTestCase):
    """What is in common."""

    def grown(self, form: str, old: range, new: range) -> tuple[Dataset, Dataset]:
        """:return: a dataset, and the same with newer rows, without what is older than the new range."""
        make = {"text": text, "indexed": indexed, "long": lambda t: text(t, width=5000)}[form]
        before = dataset(old[0], old[-1], a=(make(old),), b=(make(old),))
        more = range(old[-1] + 1, new[-1] + 1)
        after = before
        if more:
            after = before.merged(dataset(more[0], more[-1], a=(make(more),), b=(make(more),)))
        return before, after.restricted(Extents.of(STEP, [(new[0] * STEP, new[-1] * STEP)]))

    def test_same(self) -> None:
        """A dataset has everything in common with itself, and with one that is equal."""
        for form in ("text", "indexed", "long"):
            one, other = (self.grown(form, range(9), range(9))[0] for _ in range(2))
            for new in (one, other):
                self.assertEqual(span(one, new), (BEFORE_ALL, AFTER_ALL))

    def test_grown(self) -> None:
        """With one that has grown, it has all but the newer rows."""
        for form, until in (("text", 9), ("indexed", 9), ("long", 9)):
            old, new = self.grown(form, range(10), range(12))
            self.assertEqual(span(old, new), (BEFORE_ALL, until))
            self.assertEqual(span(new, old), (BEFORE_ALL, until))

    def test_slid(self) -> None:
        """With one that has also lost its oldest rows, all that is in between."""
        for form in ("text", "indexed", "long"):
            old, new = self.grown(form, range(10), range(3, 12))
            self.assertEqual(span(old, new), (3, 9))
            self.assertEqual(span(new, old), (3, 9))

    def test_apart(self) -> None:
        """With one that has none of its rows, at most the time between both."""
        for form in ("text", "indexed", "long"):
            old, new = self.grown(form, range(10), range(12, 15))
            self.assertEqual(span(old, new), (10, 11))

    def test_changed(self) -> None:
        """From where a row is another one, nothing is in common; from the first on: nothing at all."""
        for make in (text, indexed):
            old = dataset(0, 9, a=(make(range(5)), make(range(5, 10))))
            for at, expected in ((7, 4), (4, None)):
                new = old.merged(dataset(at, at, a=(make([at], "y"),)))
                found = span(old, new)
                assert found is not None or expected is None
                if found is not None and expected is not None:
                    self.assertGreaterEqual(found[1], expected)
                    self.assertLess(found[1], at)

    def test_other_forms(self) -> None:
        """Rows in two forms are not the same: only before the first there is none in both."""
        pairs = [RowFormat.delimited(b"\t", column, unit_ns=STEP) for column in (0, 1)]
        one, other = (TextRows.of(b"0\t0\n1\t1\n8\t8", form) for form in pairs)
        for old, new in ((text(range(9)), indexed(range(9))), (text(range(9)), one), (one, other)):
            self.assertEqual(span(dataset(0, 8, a=(old,)), dataset(0, 8, a=(new,))),
                             (BEFORE_ALL, -1))

    def test_series_come(self) -> None:
        """Before the first row of a new series, all may be in common; after the last of one that goes."""
        a, b = (text(range(10)),), (text(range(4, 8)),)
        self.assertEqual(span(dataset(0, 9, a=a), dataset(0, 9, a=a, b=b)), (BEFORE_ALL, 3))
        self.assertEqual(span(dataset(0, 9, a=a, b=b), dataset(0, 9, a=a)), (8, AFTER_ALL))

    def test_hole(self) -> None:
        """What comes into a hole ends what is in common."""
        old = dataset(0, 9, a=(text(range(4)), text(range(7, 10))))
        new = dataset(0, 9, a=(*old.series[b"a"][:1], text([5]), *old.series[b"a"][1:]))
        self.assertEqual(span(old, new), (BEFORE_ALL, 4))
        self.assertEqual(span(new, old), (BEFORE_ALL, 4))
        # Also where it is in one run with rows that were there.
        new = dataset(0, 9, a=(*old.series[b"a"][:1], text(range(5, 10))))
        self.assertEqual(span(old, new), (BEFORE_ALL, 4))

    ticks = st.lists(st.integers(0, 30), unique=True, max_size=12).map(sorted)
    series = st.dictionaries(st.sampled_from("abc"), ticks.filter(bool), max_size=3)

    @given(series, st.lists(st.tuples(
        st.integers(0, 30), st.integers(0, 30), series, st.booleans(), st.sampled_from("xy")),
        max_size=5), st.sampled_from([text, indexed]), st.sampled_from([0, 3000]))
    def test_any(self, first: dict[str, list[int]], changes: list[tuple[int, int, dict[str, list[int]],
                 bool, str]], make: type, width: int) -> None:
        """Whatever has become of a dataset, in the span that is found all rows are the same."""
        options = {"width": width} if make is text else {}
        versions = [dataset(0, 30, **{name: (make(t, **options),) for name, t in first.items()})]
        for start, end, rows, crops, value in changes:
            low, high = sorted((start, end))
            reach = Extents.of(STEP, [(low * STEP, high * STEP)])
            latest = versions[-1]
            if crops:
                latest = latest.restricted(reach)
            else:
                newer = dataset(0, 30, **{name: (make(t, value, **options),)
                                          for name, t in rows.items()})
                latest = latest.merged(newer.restricted(reach))
            versions.append(latest)
        for old in versions:
            for new in versions:
                found = common_span(old, new)
                if found is not None:
                    self.assertEqual(self.rows_of(old, *found), self.rows_of(new, *found))

    def rows_of(self, of: Dataset, since: int, until: int) -> dict[bytes, list[tuple[int, bytes]]]:
        """:return: the rows of a span, of the series that have some."""
        found = {name: [row for row in of.rows(name) if since <= row[0] <= until]
                 for name in of.series}
        return {name: rows for name, rows in found.items() if rows}
