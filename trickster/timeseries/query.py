"""Queries to dataset sources, and their answers: values."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from trickster.errors import Reason
from trickster.messages import NO_HEADERS, PROXIED, Headers, Outcome, Request
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent

NEVER_FINAL = None


@frozen(slots=True)
class TimeRangeQuery:
    """
    A query of some series, over an extent, a sample every step.

    :ivar request: as the client sent it, its body whole.
    :ivar key: what makes two queries the same but for their extent: statement,
        parameters that can change an answer, format.
    :ivar extent: first and last instant; on the step's grid once it is L{placed}.
    :ivar step_ns: more than 0.
    :ivar lead_ns: how much later than an instant the data may be that its sample depends
        on: 0 where a sample looks back only, the bucket width where it stands for what
        follows it, C{NEVER_FINAL} where no age makes it final.
    :ivar fixed_ns: the latest instant that every sample depends on, wherever in the range
        it stands, or None.
    :ivar tolerance_ns: the client's own backfill tolerance, or None for the backend's.
    :ivar wants_newest: whether the newest sample may be added at the end (fast forward).
    :ivar most_series: answers with more series than this are cut by the origin, so that they
        depend on the range; 0 where there is no limit.
    :ivar text: the statement in the words of the origin, without times and steps: what it is
        purged by.
    :ivar statement: the dialect's own, for its use in C{encode_request}.
    :ivar requested: the client's own extent, once it is L{placed}; no dialect sets it.
    :ivar now_ns: when the client sent it, likewise.
    :ivar no_cache: whether the client wants nothing that was stored before (RFC 9111 section
        5.2.1.4), likewise.
    :ivar is_here: whether this process fetches what is missing, whichever is the home of the key;
        no dialect sets it.
    """

    request: Request
    key: str
    extent: Extent
    step_ns: int
    lead_ns: int | None = 0
    fixed_ns: int | None = None
    tolerance_ns: int | None = None
    wants_newest: bool = True
    most_series: int = 0
    statement: Any = None
    text: str = ""
    requested: Extent | None = None
    now_ns: int = 0
    no_cache: bool = False
    is_here: bool = False

    def fetched_here(self) -> TimeRangeQuery:
        """:return: the same, with what is missing fetched by this process."""
        return evolve(self, is_here=True)

    def placed(self, extent: Extent, now_ns: int, no_cache: bool = False) -> TimeRangeQuery:
        """
        :param extent: the client's, put on the step's grid.
        :return: the query as dataset sources have it.
        """
        # Once a request, and twice as fast as evolve.
        return TimeRangeQuery(
            self.request, self.key, extent, self.step_ns, self.lead_ns, self.fixed_ns,
            self.tolerance_ns, self.wants_newest, self.most_series, self.statement,
            self.text, self.extent, now_ns, no_cache)

    def over(self, extent: Extent) -> TimeRangeQuery:
        """:return: the same query over another extent of the same grid."""
        return evolve(self, extent=extent)


@frozen(slots=True)
class DatasetAnswer:
    """
    What a dataset source answers.  Octets that it holds on to may be counted as in flight for
    as long as the answer exists: let go of it once its dataset has been used.

    :ivar dataset: covers the query's extent, but for what the outcome says has failed.
    :ivar headers: fields that go with the dataset to clients.
    :ivar outcome: how it came about.
    :ivar entry_key: where the answer was cut from one object of a store, and depends on
        nothing else, the key of that object: while the very object stands there, the same
        query has the same answer.  None otherwise.
    :ivar entry: what the dataset was cut from, with C{nbytes}, so that it is counted once for
        all that are cut from it; None where the dataset stands for itself.
    :ivar unstorable: why a cache may keep nothing of the dataset, such as that a part of the
        source did not answer; None where it may keep all that will not change any more.
    """

    dataset: Dataset
    headers: Headers = NO_HEADERS
    outcome: Outcome = PROXIED
    entry_key: str | None = None
    entry: Any = None
    unstorable: Reason | None = None
