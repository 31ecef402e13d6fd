"""Tests of C{trickster.timeseries.dataset}, against plain dictionaries."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from attrs import evolve, field, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.timeseries.dataset import Dataset, Runs
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.row_format import SECOND_NS, RowFormat
from trickster.timeseries.rows import IndexedRows, TextRows

STEP = 15 * SECOND_NS
ARRAYS = RowFormat(b",", b",", b"[", b"]")
LINES = RowFormat.delimited(b"\t")
NAMES = [b"a", b"b", b"c", b"d"]
TICKS = 24
Series = dict[bytes, dict[int, bytes]]


def at(tick: int) -> int:
    return tick * STEP


def row(tick: int, value: str) -> bytes:
    return f'[{tick * 15},"{value}"]'.encode()


def text_runs(rows: list[tuple[int, bytes]]) -> Runs:
    """:return: the rows in one run, as a decoder that does not look at them makes it."""
    return (TextRows.of(b",".join(octets for _, octets in rows), ARRAYS),)


def indexed_runs(rows: list[tuple[int, bytes]]) -> Runs:
    return (IndexedRows.of(rows),)


def split_runs(rows: list[tuple[int, bytes]]) -> Runs:
    """:return: the rows, each in a run of its own."""
    return tuple(IndexedRows.of([one]) for one in rows)


@frozen
class Model:
    """What a dataset means: instants that are covered, and rows by series and instant."""

    covered: frozenset[int] = frozenset()
    series: Series = field(factory=dict)

    def restricted(self, instants: frozenset[int]) -> Model:
        return Model(self.covered & instants, kept(self.series, instants))

    def merged(self, newer: Model) -> Model:
        joined = kept(self.series, self.covered - newer.covered)
        for name, rows in newer.series.items():
            joined[name] = {**joined.get(name, {}), **rows}
        return Model(self.covered | newer.covered, joined)


def kept(series: Series, instants: frozenset[int]) -> Series:
    left = {n: {t: r for t, r in rows.items() if t in instants} for n, rows in series.items()}
    return {n: rows for n, rows in left.items() if rows}


def dataset_of(model: Model, runs: Callable[[list[tuple[int, bytes]]], Runs]) -> Dataset:
    extents = Extents.of(STEP, [(t, t) for t in model.covered])
    return Dataset(extents, {n: runs(sorted(rows.items())) for n, rows in model.series.items()})


def model_of(dataset: Dataset) -> Model:
    covered = frozenset(t for s in dataset.extents.spans
                        for t in range(s.start_ns, s.end_ns + 1, STEP))
    return Model(covered, {n: dict(dataset.rows(n)) for n in dataset.series})


ticks = st.integers(0, TICKS - 1)
some_instants = st.lists(st.tuples(ticks, ticks), min_size=1, max_size=3).map(
    lambda spans: frozenset(at(t) for a, b in spans for t in range(min(a, b), max(a, b) + 1)))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Some series with some samples in some instants, the value telling whose they are."""
    covered = sorted(draw(some_instants))
    fetch = draw(st.integers(0, 10**6))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    series = {n: {t: row(t // STEP, f"{fetch}") for t in draw(
        st.lists(st.sampled_from(covered), unique=True))} for n in names}
    return Model(frozenset(covered), {n: rows for n, rows in series.items() if rows})


run_kinds = st.sampled_from([text_runs, indexed_runs, split_runs])


class DatasetTests(SynchronousTestCase):
    """Datasets, which are rows by series over the covered extents."""

    def assert_same(self, dataset: Dataset, model: Model) -> None:
        """The dataset means what the model says, and its rows stand in order."""
        self.assertEqual(model_of(dataset), model)
        for name in dataset.series:
            instants = [t for t, _ in dataset.rows(name)]
            self.assertEqual(instants, sorted(set(instants)))
            for run in dataset.series[name]:
                first, *_, last = [t for t, _ in run.rows()] * 2
                self.assertEqual((run.first_ns, run.last_ns), (first, last))

    @settings(max_examples=300)
    @given(st.lists(st.tuples(models(), run_kinds), min_size=2, max_size=6))
    def test_merged(self, fetches: list[tuple[Model, Callable[..., Runs]]]) -> None:
        """
        A dataset merged from any fetches has, at each instant, what the newest fetch that covers it
        has.
        """
        model, dataset = Model(), Dataset(Extents(STEP))
        for fetched, runs in fetches:
            model = model.merged(fetched)
            dataset = dataset.merged(dataset_of(fetched, runs))
            self.assert_same(dataset, model)

    @settings(max_examples=200)
    @given(models(), models(), some_instants, run_kinds)
    def test_restricted(self, first: Model, second: Model, instants: frozenset[int],
                        runs: Callable[..., Runs]) -> None:
        """A restricted dataset has only the rows inside the given extents, in any kind of run."""
        both = dataset_of(first, runs).merged(dataset_of(second, runs))
        model = first.merged(second).restricted(instants)
        extents = Extents.of(STEP, [(t, t) for t in instants])
        self.assert_same(both.restricted(extents), model)
        self.assert_same(both.restricted(extents).compacted(), model)

    @given(models(), models(), ticks, ticks, run_kinds)
    def test_window(self, first: Model, second: Model, start: int, end: int,
                    runs: Callable[..., Runs]) -> None:
        """A window is the same as being restricted to it."""
        both = dataset_of(first, runs).merged(dataset_of(second, runs))
        extent = Extent(at(min(start, end)), at(max(start, end)))
        inside = both.restricted(Extents(STEP, (extent,)))
        window = both.window(extent)
        self.assertEqual(window.extents, Extents(STEP, (extent,)))
        self.assertEqual(model_of(window).series, model_of(inside).series)

    def test_whole_window(self) -> None:
        """A window of everything is the dataset itself."""
        whole = dataset_of(Model(frozenset([0]), {b"a": {0: row(0, "1")}}), text_runs)
        self.assertIs(whole.window(Extent(0, 0)), whole)

    def test_window_of_many(self) -> None:
        """Many series are cut as they are looked at, which does not show."""
        extents = Extents(STEP, (Extent(0, at(9)),))
        rows = [(at(t), row(t, "1")) for t in range(10)]
        few = [(at(t), row(t, "1")) for t in range(3)]
        whole = Dataset(extents, {b"%03d" % i: text_runs(few if i % 3 else rows)
                                  for i in range(300)})
        window = whole.window(Extent(at(3), at(5)))
        inside = whole.restricted(Extents(STEP, (Extent(at(3), at(5)),)))
        for same in (window, window.window(Extent(at(3), at(5))), window.restricted(extents),
                     window.compacted(), Dataset(Extents(STEP)).merged(window)):
            self.assertEqual(model_of(same), model_of(inside))
            self.assertEqual(list(same.series), list(inside.series))
        self.assertEqual((b"000" in window.series, b"001" in window.series), (True, False))
        self.assertEqual(window.encoded_bytes, inside.encoded_bytes)

    @given(models(), run_kinds)
    def test_sizes(self, model: Model, runs: Callable[..., Runs]) -> None:
        """The size of a dataset in memory is at least that of its octets."""
        dataset = dataset_of(model, runs)
        octets = sum(len(r) for rows in model.series.values() for r in rows.values())
        self.assertGreaterEqual(dataset.encoded_bytes, octets)
        self.assertGreaterEqual(dataset.nbytes, octets)


def one_row_each(names: list[bytes], tick: int) -> Dataset:
    """:return: rows of some series at one instant, in that order."""
    return Dataset(Extents(STEP, (Extent(at(tick), at(tick)),)),
                   {n: text_runs([(at(tick), row(tick, "1"))]) for n in names},
                   collation=bytes.lower)


class OrderTests(SynchronousTestCase):
    """The order of series in a merged dataset."""

    def order(self, old: list[bytes], new: list[bytes]) -> list[bytes]:
        return list(one_row_each(old, 0).merged(one_row_each(new, 1)).series)

    def test_same(self) -> None:
        """Two datasets with the same series merge into the order of the newer one."""
        self.assertEqual(self.order([b"c", b"a"], [b"a", b"c"]), [b"a", b"c"])

    def test_more(self) -> None:
        """A dataset that has all series of another one gives the merged order."""
        self.assertEqual(self.order([b"b"], [b"c", b"b", b"a"]), [b"c", b"b", b"a"])
        self.assertEqual(self.order([b"c", b"b", b"a"], [b"b"]), [b"c", b"b", b"a"])

    def test_neither(self) -> None:
        """Datasets that each have series of their own merge into the order of the collation."""
        self.assertEqual(self.order([b"c", b"a"], [b"b", b"c"]), [b"a", b"b", b"c"])

    @given(st.lists(st.sampled_from(NAMES), unique=True),
           st.lists(st.sampled_from(NAMES), unique=True))
    def test_sorted_stay_sorted(self, old: list[bytes], new: list[bytes]) -> None:
        """Answers in the collation's order make one in that order."""
        self.assertEqual(self.order(sorted(old), sorted(new)), sorted({*old, *new}))

    @given(st.lists(st.sampled_from([*NAMES, *(n.upper() for n in NAMES)]), unique_by=bytes.lower),
           st.lists(st.sampled_from([*NAMES, *(n.upper() for n in NAMES)]), unique_by=bytes.lower))
    def test_any_order(self, old: list[bytes], new: list[bytes]) -> None:
        """
        A merged dataset has each series once with its new spelling, whatever the order and
        spelling.
        """
        spelled = {n.lower(): n for n in [*old, *new]}
        found = self.order(old, new)
        self.assertEqual(sorted(found), sorted(spelled.values()))

    def test_few_are_collated(self) -> None:
        """Of thousands of series only those that come or go are collated."""
        collated: list[bytes] = []

        def collation(name: bytes) -> bytes:
            collated.append(name)
            return name

        names = [b"%05d" % i for i in range(5000)]
        old = one_row_each(names[:2000] + names[2003:], 0)
        new = evolve(one_row_each(names[:1000] + names[1002:], 1), collation=collation)
        self.assertEqual(list(old.merged(new).series), names)
        self.assertLess(len(collated), 100)

    def test_spelled_anew(self) -> None:
        """A series spelled in another way is the same series, and has the newer spelling."""
        merged = one_row_each([b"a", b"b"], 0).merged(one_row_each([b"A", b"c"], 1))
        self.assertEqual({n: [t for t, _ in merged.rows(n)] for n in merged.series},
                         {b"A": [at(0), at(1)], b"b": [at(0)], b"c": [at(1)]})


class KindTests(SynchronousTestCase):
    """Datasets of different kinds."""

    def test_refused(self) -> None:
        """Datasets of different kinds are not merged."""
        extents = Extents(STEP, (Extent(0, 0),))
        one = Dataset.from_rows(extents, {b"a": [(0, b"1")]}, "matrix")
        with self.assertRaises(ValueError):
            one.merged(Dataset.from_rows(extents, {b"a": [(0, b"1")]}, "table"))

    def test_empty(self) -> None:
        """A dataset without series merges with one of any kind."""
        one = Dataset.from_rows(Extents(STEP, (Extent(0, 0),)), {b"a": [(0, b"1")]}, "matrix")
        none = Dataset(Extents(STEP, (Extent(at(1), at(1)),)), {}, kind="none")
        self.assertEqual((one.merged(none).kind, none.merged(one).kind), ("matrix", "matrix"))
        self.assertEqual(one.merged(none).extents, none.merged(one).extents)


class FromRowsTests(SynchronousTestCase):
    """Datasets made of plain rows."""

    def test_outside(self) -> None:
        """Rows outside the extents are left out, and so are series without any."""
        found = Dataset.from_rows(Extents(STEP, (Extent(at(1), at(2)),)), {
            b"a": [(at(t), b"%d" % t) for t in range(4)], b"b": [(0, b"x")], b"c": []})
        self.assertEqual({n: list(found.rows(n)) for n in found.series},
                         {b"a": [(at(1), b"1"), (at(2), b"2")]})

    def test_order(self) -> None:
        """Rows out of order are refused."""
        with self.assertRaises(ValueError):
            Dataset.from_rows(Extents(STEP, (Extent(0, at(9)),)), {b"a": [(2, b""), (1, b"")]})

    def test_iterators(self) -> None:
        """Rows may come from an iterator."""
        found = Dataset.from_rows(Extents(STEP, (Extent(0, at(9)),)), {b"a": iter([(0, b"x")])})
        self.assertEqual(list(found.rows(b"a")), [(0, b"x")])


class FollowedByTests(SynchronousTestCase):
    """The newest sample behind the others."""

    def test_behind(self) -> None:
        """
        A newest sample comes behind the stored ones; the covered extents stay and new series are
        added.
        """
        ours = one_row_each([b"a", b"b"], 0)
        newest = Dataset(Extents(1), {n: indexed_runs([(7 * SECOND_NS, b"[7]")])
                                      for n in (b"b", b"c")}, bytes.lower)
        joined = ours.followed_by(newest)
        self.assertEqual(joined.extents, ours.extents)
        self.assertEqual({n: [t // SECOND_NS for t, _ in joined.rows(n)] for n in joined.series},
                         {b"a": [0], b"b": [0, 7], b"c": [7]})


class MemoryTests(SynchronousTestCase):
    """The memory that a long-lived dataset takes."""

    def test_sliding_window(self) -> None:
        """A window that slides for days holds little more than what it shows."""
        def fetched(tick: int) -> Dataset:
            return one_row_each(NAMES, tick)

        held = fetched(0)
        for tick in range(1, 3000):
            held = held.merged(fetched(tick))
            if tick % 10 == 0:
                held = held.restricted(held.extents.since(at(tick - 240))).compacted()
        self.assertLess(held.nbytes, 4 * held.encoded_bytes)
        self.assertLess(max(len(runs) for runs in held.series.values()), 10)

    def test_compacted(self) -> None:
        """A small part lets go of the large answer that it came from."""
        rows = [(at(t), row(t, "1")) for t in range(1000)]
        whole = Dataset(Extents(STEP, (Extent(0, at(999)),)), {b"a": text_runs(rows)})
        part = whole.restricted(Extents(STEP, (Extent(at(5), at(6)),)))
        self.assertGreater(part.nbytes, 10_000)
        self.assertLess(part.compacted().nbytes, 500)
        self.assertEqual(list(part.compacted().rows(b"a")), rows[5:7])


class ManySpansTests(SynchronousTestCase):
    """Gaps that are filled in any order."""

    @given(st.permutations(range(6)))
    def test_any_order(self, order: list[int]) -> None:
        """Six neighbours, fetched in any order, are one range with its rows in order."""
        held = Dataset(Extents(STEP))
        for part in order:
            rows = [(at(t), row(t, "1")) for t in range(part * 4, part * 4 + 4)]
            extents = Extents(STEP, (Extent(rows[0][0], rows[-1][0]),))
            held = held.merged(Dataset(extents, {b"a": text_runs(rows)}))
        self.assertEqual(held.extents.spans, (Extent(0, at(23)),))
        times = [t for t, _ in held.rows(b"a")]
        self.assertEqual(times, [at(t) for t in range(24)])
        self.assertTrue(all(a < b for a, b in itertools.pairwise(times)))


class EncodedTests(SynchronousTestCase):
    """Datasets of octets as they stand in an answer, and back."""

    extents = Extents.of(STEP, [(at(0), at(9))])

    def test_there_and_back(self) -> None:
        """What is made of octets has the rows that are in them, and gives them back."""
        octets = {b"a": b"\n".join(b"%d\t%d" % (15 * t, t) for t in range(10)), b"b": b"0\tx"}
        dataset = Dataset.from_encoded(self.extents, octets, LINES, "kind")
        self.assertEqual(list(dataset.rows(b"a")), [(at(t), b"%d\t%d" % (15 * t, t)) for t in range(10)])
        self.assertEqual({i: b"".join(pieces) for i, pieces in dataset.encoded()}, octets)
        self.assertEqual((dataset.extents, dataset.kind), (self.extents, "kind"))

    def test_in_runs(self) -> None:
        """Runs are given back with separators between them, of whatever form they are."""
        first = Dataset.from_encoded(Extents.of(STEP, [(at(0), at(1))]), {b"a": b"0\tx\n15\ty"}, LINES)
        second = Dataset.from_rows(Extents.of(STEP, [(at(2), at(3))]),
                                   {b"a": [(at(2), b"30.0\tz")]}, separator=b"\n")
        for merged in (first.merged(second), second.merged(first)):
            self.assertEqual([(i, b"".join(pieces)) for i, pieces in merged.encoded()],
                             [(b"a", b"0\tx\n15\ty\n30.0\tz")])

    def test_left_out(self) -> None:
        """Rows outside are left out, and so are series without any."""
        octets = {b"a": b"", b"b": b"0\tx\n15\ty", b"c": b"150\tz"}
        dataset = Dataset.from_encoded(Extents.of(STEP, [(at(1), at(9))]), octets, LINES)
        self.assertEqual([(i, b"".join(pieces)) for i, pieces in dataset.encoded()],
                         [(b"b", b"15\ty")])

    def test_another_form(self) -> None:
        """Rows that are not in the form, or not in order, are refused."""
        for octets in (b"0\tx\n", b"0.5\tx", b"x\t1", b"15\tx\n0\ty", b"15\tx\n15\ty"):
            with self.assertRaises(ValueError):
                Dataset.from_encoded(self.extents, {b"a": octets}, LINES)
