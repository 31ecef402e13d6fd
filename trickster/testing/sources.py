"""
What every dataset source must do, as test cases to inherit from, and a double of one::

    class MySourceTests(dataset_source_contract(make_source, query), SynchronousTestCase):
        ...

where C{SynchronousTestCase} is C{twisted.trial.unittest}'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field
from zope.interface import implementer
from zope.interface.verify import verifyObject

from trickster.errors import Reason
from trickster.interfaces import IDatasetSource
from trickster.messages import NO_HEADERS, Headers, Outcome
from trickster.testing.dialects import rows_of
from trickster.testing.doubles import at_once
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Base
else:
    _Base = object


@implementer(IDatasetSource)
@define(eq=False)
class RecordingSource:
    """
    A source whose series have a row at each instant, and which notes its queries.

    :ivar headers: that go with every answer.
    :ivar identities: of the series.
    :ivar instead: what becomes of the next answers, one each: an error is raised, extents are all
        that an answer covers, and None leaves it whole, as are those after the last of these.
    :ivar unstorable: why nothing of an answer may be stored; None where it may.
    :ivar queries: all that it has answered or failed to answer.
    """

    headers: Headers = NO_HEADERS
    identities: tuple[bytes, ...] = (b"a", b"b")
    instead: list[Exception | Extents | None] = field(factory=list)
    unstorable: Reason | None = None
    queries: list[TimeRangeQuery] = field(factory=list, init=False)

    async def answer(self, query: TimeRangeQuery) -> DatasetAnswer:
        """
        :param query: noted; its extent is on the grid of its step.
        :return: the whole answer, which the outcome says was fetched; or what C{instead} has in
            its place: what an answer does not cover then is among C{failed}.
        :raises Exception: an error that is next in C{instead}.
        """
        self.queries.append(query)
        instead = self.instead.pop(0) if self.instead else None
        if isinstance(instead, Exception):
            raise instead
        dataset, whole = self.dataset(query), Extents(query.step_ns, (query.extent,))
        covered = whole if instead is None else instead & whole
        failed = (whole - covered).spans
        return DatasetAnswer(dataset.restricted(covered), self.headers,
                             Outcome(fetched=(query.extent,), failed=failed),
                             unstorable=self.unstorable)

    def dataset(self, query: TimeRangeQuery) -> Dataset:
        """:return: the whole answer to a query."""
        start, end = query.extent
        rows = [(t, b"[%d]" % t) for t in range(start, end + 1, query.step_ns)]
        return Dataset.from_rows(
            Extents(query.step_ns, (query.extent,)), dict.fromkeys(self.identities, rows))

    def extents(self) -> list[Extent]:
        """:return: the extents of the queries since last time."""
        found = [query.extent for query in self.queries]
        self.queries.clear()
        return found


class _SourceCases(_Base):
    make: Any
    query: TimeRangeQuery

    def setUp(self) -> None:
        super().setUp()
        self.source: IDatasetSource = type(self).make()

    def answered(self, query: TimeRangeQuery) -> DatasetAnswer:
        """:return: the answer to a query."""
        answer: DatasetAnswer = at_once(self.source.answer(query))
        return answer

    def test_provides(self) -> None:
        """It has every member of the interface, with the right arguments."""
        verifyObject(IDatasetSource, self.source)

    def test_covers(self) -> None:
        """An answer covers the extent of its query, no less and no more, with rows inside."""
        extent = self.query.extent
        dataset = self.answered(self.query).dataset
        self.assertEqual(dataset.extents, Extents(self.query.step_ns, (extent,)))
        self.assertTrue(dataset.series)
        for rows in rows_of(dataset).values():
            self.assertTrue(all(extent.start_ns <= t <= extent.end_ns for t, _ in rows))

    def test_again(self) -> None:
        """The same query has the same samples again, also where nothing stored is wanted."""
        first = rows_of(self.answered(self.query).dataset)
        fresh = self.query.placed(self.query.extent, self.query.now_ns, no_cache=True)
        for query in (self.query, fresh, self.query):
            self.assertEqual(rows_of(self.answered(query).dataset), first)

    def test_windows(self) -> None:
        """Parts of an extent are the whole, queried before the whole and after it."""
        start, end = self.query.extent
        middle = start + (end - start) // self.query.step_ns // 2 * self.query.step_ns
        parts = [self.query.over(Extent(middle, end)),
                 self.query.over(Extent(start, middle - self.query.step_ns))]
        before = [self.answered(part).dataset for part in parts]
        whole = rows_of(self.answered(self.query).dataset)
        for second, first in (before, [self.answered(part).dataset for part in parts]):
            self.assertEqual(rows_of(first.merged(second)), whole)

    def test_entry(self) -> None:
        """An answer that is said to depend on an entry alone names it, and stays the same."""
        answers = [self.answered(self.query) for _ in range(3)]
        for one, next_one in itertools.pairwise(answers):
            if one.entry_key is not None:
                self.assertGreater(one.entry.nbytes, 0)
                self.assertEqual((next_one.entry_key, rows_of(next_one.dataset)),
                                 (one.entry_key, rows_of(one.dataset)))


def dataset_source_contract(make: Callable[[], IDatasetSource], query: TimeRangeQuery) -> type:
    """
    :param make: makes a new source, before each test, whose answers are there at once.
    :param query: one that has a dataset of at least four instants and one series, whose samples
        do not change; its extent is on the grid of its step.
    :return: a mixin for a C{TestCase}, to be named before it.
    """
    return type("DatasetSourceContract", (_SourceCases,),
                {"make": staticmethod(make), "query": query})
