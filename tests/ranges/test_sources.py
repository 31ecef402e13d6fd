"""Tests of all dataset sources of C{trickster.ranges}: the contract, and sources on sources."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, Rig, inline, range_request
from tests.ranges.kept.entriesin import entries_in
from trickster.collapsing.hit_for_pass import HitForPass
from trickster.errors import NotADataset, Reason, Undecodable, UpstreamBroke
from trickster.interfaces import IDatasetSource
from trickster.messages import Headers, Octets, Outcome, Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.delta_cache import DeltaCache
from trickster.ranges.gaps import GapFetcher
from trickster.ranges.offloading import Offloading
from trickster.ranges.plan import placed_query
from trickster.ranges.policy import RangePolicy
from trickster.stores.memory import MemoryStore
from trickster.testing.dialects import rows_of
from trickster.testing.doubles import DictStore, at_once
from trickster.testing.sources import RecordingSource, dataset_source_contract
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery
from trickster.timeseries.wire import Codec

STEP = 60 * SECOND_NS


def query(start: int = -600, end: int = -60) -> TimeRangeQuery:
    """:return: a query over a range in seconds relative to now."""
    return placed_query(range_request(NOW + start, NOW + end), PrometheusRange(),
                        RangePolicy("b"), NOW * SECOND_NS)


def extent(start: int, end: int) -> Extent:
    """:return: of seconds relative to now."""
    return Extent((NOW + start) * SECOND_NS, (NOW + end) * SECOND_NS)


def delta(source: Any, store: Any = MemoryStore, prefix: str = "b", **options: Any) -> DeltaCache:
    """:return: a delta cache over a source, with a store of its own."""
    clock = Clock()
    clock.advance(NOW)
    policy, entries = RangePolicy(prefix, **options), entries_in(store(clock), Codec(), 3600.0)
    return DeltaCache(entries, GapFetcher(source, entries, policy, clock), HitForPass(clock), clock,
                      policy, Offloading(inline))


def asked(source: Any, of: TimeRangeQuery) -> DatasetAnswer:
    """:return: what a source answers at once."""
    answer: DatasetAnswer = at_once(source.answer(of))
    return answer


def origin() -> IDatasetSource:
    """:return: the range API of an origin."""
    return Rig().fetcher._source


class DoubleTests(dataset_source_contract(RecordingSource, query()),  # type: ignore[misc]
                  SynchronousTestCase):
    """The contract, for the recording double."""


class OriginTests(dataset_source_contract(origin, query()),  # type: ignore[misc]
                  SynchronousTestCase):
    """The contract, for the range API of an origin."""


class DeltaTests(dataset_source_contract(lambda: Rig().delta, query()),  # type: ignore[misc]
                 SynchronousTestCase):
    """The contract, for the delta cache with a store of objects."""


class OctetsTests(dataset_source_contract(  # type: ignore[misc]
        lambda: Rig(DictStore).delta, query()), SynchronousTestCase):
    """The contract, for the delta cache with a store of octets."""


class FastForwardTests(dataset_source_contract(  # type: ignore[misc]
        lambda: Rig(newest=True).cache._source, query()), SynchronousTestCase):
    """The contract, for fast forward before the delta cache."""


class TowerTests(dataset_source_contract(  # type: ignore[misc]
        lambda: delta(delta(RecordingSource(), prefix="a")), query()), SynchronousTestCase):
    """The contract, for a delta cache before another delta cache."""


@define
class Refusing:
    """A dialect that takes no answer for a dataset, and raises the same error each time."""

    inner: Any
    error: Undecodable = field(factory=lambda: Undecodable("none"))

    def encode_request(self, of: TimeRangeQuery) -> Any:
        """See L{IQueryDialect.encode_request}."""
        return self.inner.encode_request(of)

    def decode_response(self, of: TimeRangeQuery, response: Response) -> Any:
        """See L{IQueryDialect.decode_response}."""
        raise self.error


class OriginErrorTests(SynchronousTestCase):
    """What becomes of errors that a dialect raises."""

    def test_kept_error(self) -> None:
        """An error that a dialect raises time and again holds no frame that has an answer."""
        source: Any = origin()
        source._dialect = dialect = Refusing(source._dialect)
        with self.assertRaises(NotADataset):
            asked(source, query(-600, -60))
        self.assertIsNone(dialect.error.__traceback__)
        self.assertEqual(source._in_flight.held, 0)


class OverAnySourceTests(SynchronousTestCase):
    """The delta cache before a source that is no origin."""

    def test_gaps(self) -> None:
        """
        A dataset source is asked only for the missing extents of a query that is otherwise
        unchanged.
        """
        source = RecordingSource(Headers(((b"X-Group", b"eu"), (b"Date", b"x"))))
        cache = delta(source)
        asked(cache, query(-600, -300))
        source.extents()
        answer = asked(cache, query(-900, -60))
        whole = query(-900, -60)
        self.assertEqual([each.over(whole.extent) for each in source.queries], [whole] * 2)
        self.assertEqual(source.extents(), [extent(-900, -660), extent(-240, -60)])
        self.assertEqual((answer.outcome.status, answer.headers.pairs),
                         (Status.PARTIAL_HIT, ((b"X-Group", b"eu"),)))
        self.assertEqual(asked(cache, whole).outcome.status, Status.HIT)
        self.assertEqual(source.extents(), [])

    def test_partly_failed(self) -> None:
        """What a source's answer does not cover is said to have failed, and asked for again."""
        source = RecordingSource()
        source.instead = [Extents(STEP, (extent(-600, -300),))]
        cache = delta(source)
        answer = asked(cache, query(-600, -60))
        self.assertEqual((answer.outcome.failed, answer.outcome.reason),
                         ((extent(-240, -60),), Reason.PARTIAL_FAILURE))
        self.assertEqual((answer.dataset.extents.spans, answer.entry_key),
                         ((extent(-600, -300),), None))
        source.extents()
        self.assertEqual(asked(cache, query(-600, -60)).outcome.failed, ())
        self.assertEqual(source.extents(), [extent(-240, -60)])

    def test_unstorable(self) -> None:
        """An answer that may not be stored is given, with its reason, and fetched again."""
        source = RecordingSource()
        cache = delta(delta(source, prefix="a"))
        asked(cache, query(-600, -300))
        source.extents()
        source.unstorable = Reason.ORIGIN_PARTIAL
        for _ in range(2):
            answer = asked(cache, query(-600, -60))
            self.assertEqual(rows_of(answer.dataset), rows_of(source.dataset(query(-600, -60))))
            self.assertEqual((answer.outcome.reason, answer.outcome.stored, answer.unstorable,
                              answer.entry_key),
                             (Reason.ORIGIN_PARTIAL, False, Reason.ORIGIN_PARTIAL, None))
            self.assertEqual(source.extents(), [extent(-240, -60)])
        source.unstorable = None
        self.assertTrue(asked(cache, query(-600, -60)).outcome.stored)
        self.assertEqual(asked(cache, query(-600, -60)).outcome.status, Status.HIT)

    def test_unstorable_refresh(self) -> None:
        """
        A dataset that may not be stored does not replace the stored one, even for a client with
        no-cache.
        """
        source = RecordingSource()
        cache = delta(source)
        asked(cache, query(-600, -60))
        source.unstorable, source.identities = Reason.ORIGIN_PARTIAL, (b"a",)
        fresh = query(-600, -60)
        fresh = fresh.placed(fresh.extent, fresh.now_ns, no_cache=True)
        self.assertEqual(set(asked(cache, fresh).dataset.series), {b"a"})
        self.assertEqual(set(asked(cache, query(-600, -60)).dataset.series), {b"a", b"b"})

    def test_not_a_dataset(self) -> None:
        """Where there is no dataset, that is said, and for a while the key is passed."""
        for reason, again in ((Reason.RANGE_DEPENDENT, 1), (Reason.TOO_LARGE, 1),
                              (Reason.IN_FLIGHT_BUDGET, 2)):
            source = RecordingSource(instead=[NotADataset(reason, "so"), NotADataset(reason)])
            cache = delta(source)
            for detail in ("so", ""):
                error = self.assertRaises(NotADataset, asked, cache, query())
                self.assertEqual((error.reason, error.detail, error.response),
                                 (reason, detail, None))
            self.assertEqual(len(source.queries), again, reason)

    def test_instead(self) -> None:
        """A response that replaces a dataset is passed on only if it is to the whole query."""
        said = Response(200, body=Octets(b"warned"), outcome=Outcome())
        for held, whole in ((None, True), (query(-300, -60), False)):
            source = RecordingSource()
            cache = delta(source)
            if held is not None:
                asked(cache, held)
            source.instead = [NotADataset(Reason.ORIGIN_WARNINGS, "w", said)]
            error = self.assertRaises(NotADataset, asked, cache, query(-600, -60))
            self.assertEqual(error.reason, Reason.ORIGIN_WARNINGS)
            self.assertEqual(error.response is not None, whole)

    def test_any_error(self) -> None:
        """An error of the source is the cache's, where there is nothing else."""
        source = RecordingSource(instead=[UpstreamBroke("gone")])
        self.assertRaises(UpstreamBroke, asked, delta(source), query())

    def test_prefixes(self) -> None:
        """Two caches of one store keep apart what they have of the same query."""
        clock = Clock()
        store = MemoryStore(clock)
        sources = [RecordingSource(), RecordingSource()]
        for name, source in zip("ab", sources, strict=True):
            asked(delta(source, lambda _: store, prefix=name), query())
        self.assertEqual([len(source.queries) for source in sources], [1, 1])
        self.assertEqual(sorted(key[:6] for key in at_once(store.keys(""))), ["a.dpc.", "b.dpc."])


class KeyTests(SynchronousTestCase):
    """Keys of entries."""

    def test_path(self) -> None:
        """Keys of one path of a backend begin alike, whoever asks and whatever is asked."""
        rig = Rig()
        rig.ask(-300, 0)
        rig.ask(-300, 0, query="down", headers=((b"Authorization", b"x"),))
        keys = at_once(rig.store.keys(""))
        self.assertEqual(len(keys), 2)
        (beginning,) = {key.rpartition(".")[0] for key in keys}
        self.assertTrue(beginning.startswith("b.dpc."))
