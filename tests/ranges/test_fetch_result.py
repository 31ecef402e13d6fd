"""Tests of L{trickster.ranges.fetch_result}."""

from __future__ import annotations

from weakref import ref

from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import Reason
from trickster.messages import Headers
from trickster.ranges.fetch_result import FetchResult, combined
from trickster.ranges.kept.entry import Entry
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents


def part(start: int, end: int, kind: str = "matrix", series: bytes = b"s") -> FetchResult:
    """:return: what a fetch of some instants has brought."""
    dataset = Dataset.from_rows(Extents.of(1, [(start, end)]),
                                {series: [(t, b"[%d]" % t) for t in range(start, end + 1)]}, kind)
    return FetchResult(dataset, Headers(((b"X", b"%d" % start),)), None,
                       asked=(Extent(start, end),))


class CombinedTests(SynchronousTestCase):
    """Parts that were fetched by several processes are one result."""

    def test_one(self) -> None:
        """A part alone is itself."""
        self.assertEqual(combined([part(1, 2)], 0), part(1, 2))

    def test_all(self) -> None:
        """The dataset has all instants; fields and entry are the last part's that has them."""
        entry = Entry(part(3, 4).dataset)
        third = FetchResult(part(5, 5).dataset, Headers(), None, Reason.VOLATILE)
        second = FetchResult(part(3, 4).dataset, Headers(), ref(entry))
        found = combined([part(1, 2), second, third], 0)
        assert found is not None and found.entry is not None
        self.assertEqual([t for t, _ in found.dataset.rows(b"s")], [1, 2, 3, 4, 5])
        self.assertEqual(found.headers, Headers())
        self.assertIs(found.entry(), entry)
        self.assertEqual((found.unstorable, found.asked), (Reason.VOLATILE, (Extent(1, 2),)))

    def test_no_parts_of_one_whole(self) -> None:
        """Parts of other kinds, or with too many series together, are none."""
        self.assertIsNone(combined([part(1, 2), part(3, 4, "vector")], 0))
        self.assertIsNone(combined([part(1, 2), part(3, 4, series=b"t")], 1))
