"""Tests of C{trickster.ranges.kept.retention}, through the cache and by themselves."""

from __future__ import annotations

from email.utils import formatdate

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, Rig, range_request
from trickster.messages import NO_HEADERS, Headers, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.kept.entry import Entry
from trickster.ranges.kept.retention import mergeable, storable, unfenced, with_more
from trickster.ranges.plan import Plan, placed_query, planned
from trickster.ranges.policy import RangePolicy
from trickster.stores.memory import MemoryStore
from trickster.testing.doubles import DictStore
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.extents import Extent, Extents

STEP = 60 * SECOND_NS


def _plan(start: int, end: int, **options: object) -> Plan:
    request = range_request(NOW + start, NOW + end)
    policy = RangePolicy("b", **options)  # type: ignore[arg-type]
    return planned(placed_query(request, PrometheusRange(), policy, NOW * SECOND_NS), policy)


def _dataset(start: int, end: int, kind: str = "matrix") -> Dataset:
    first, last = (NOW + start) * SECOND_NS, (NOW + end) * SECOND_NS
    rows = [(t, b"[%d]" % t) for t in range(first, last + 1, STEP)]
    return Dataset.from_rows(Extents.of(STEP, [(first, last)]), {b"s": rows}, kind)


def _held(entry: Entry) -> list[tuple[int, int]]:
    return [(s.start_ns // SECOND_NS - NOW, s.end_ns // SECOND_NS - NOW)
            for s in entry.dataset.extents.spans]


def _marked(mark: int, start: int, count: int) -> Dataset:
    instants = range(start, start + count)
    return Dataset.from_rows(Extents.of(1, [(start, start + count - 1)]),
                             {b"s": [(t, b"[%d,%d]" % (t, mark)) for t in instants]})


class FencedTests(SynchronousTestCase):
    """What was fetched under an older lease replaces nothing that was under a newer one."""

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8), st.integers(1, 6)),
                    max_size=10))
    @settings(deadline=None)
    def test_against_a_dict(self, fetches: list[tuple[int, int, int]]) -> None:
        """
        In any order of merges, an older fetch adds what is missing, and replaces no sample; any
        other one replaces what it has.
        """
        entry: Entry | None = None
        samples: dict[int, bytes] = {}
        newest = 0
        for mark, (token, start, count) in enumerate(fetches):
            new = Entry(_marked(mark, start, count), token=token)
            final = new.dataset if entry is None else unfenced(new, entry)
            is_older = 0 < token < newest
            rows = dict(new.dataset.rows(b"s"))
            self.assertEqual(final is None, is_older and rows.keys() <= samples.keys())
            samples = {**rows, **samples} if is_older else {**samples, **rows}
            newest = max(newest, token)
            if final is not None:
                merged = final if entry is None else entry.dataset.merged(final)
                entry = Entry(merged, token=newest)
            assert entry is not None
            self.assertEqual(dict(entry.dataset.rows(b"s")), samples)


class StorableTests(SynchronousTestCase):
    """Which part of an answer may be kept."""

    def test_all(self) -> None:
        """All of a response is stored, uncopied, where all of its samples are final."""
        dataset = _dataset(-600, 0)
        self.assertIs(storable(_plan(-600, 0), dataset), dataset)

    def test_part(self) -> None:
        """Of a response only the samples older than the tolerance are stored."""
        kept = storable(_plan(-600, 0, tolerance=90.0), _dataset(-600, 0))
        assert kept is not None
        expected = _dataset(-600, -120)
        self.assertEqual(kept.extents, expected.extents)
        self.assertEqual(list(kept.rows(b"s")), list(expected.rows(b"s")))

    def test_behind(self) -> None:
        """An answer from a clock behind ours is only final up to its own date."""
        plan, dataset = _plan(-600, 0), _dataset(-600, 0)
        for seconds, kept in ((0, 0), (1, 0), (2, -60), (61, -60), (62, -120), (86401, None),
                              (86402, 0), (-3600, 0)):
            date = formatdate(NOW - seconds, usegmt=True).encode()
            found = storable(plan, dataset, date)
            with self.subTest(behind=seconds):
                self.assertEqual(found and found.extents,
                                 _dataset(-600, kept).extents if kept is not None else None)
        self.assertIs(storable(plan, dataset, b"yesterday"), dataset)

    def test_none(self) -> None:
        """Nothing is stored of a response without a final sample."""
        plan = _plan(-600, 0, tolerance=601.0)
        self.assertIsNone(storable(plan, _dataset(-600, 0)))
        self.assertIsNone(storable(evolve(plan, final_ns=None), _dataset(-600, 0)))


class OldestTests(SynchronousTestCase):
    """What is dropped because it is old."""

    def test_points(self) -> None:
        """
        Of samples that no client has asked for, only the configured number before now are kept.
        """
        rig = Rig(retention=10)
        rig.ask(-900, -600)
        rig.now.advance(600)
        rig.ask(300, 600)
        self.assertEqual(rig.held(), [(300, 600)])

    def test_sliding(self) -> None:
        """A window that slides holds what it shows, and a bound's worth behind it."""
        rig = Rig(retention=10)
        for _ in range(30):
            rig.ask(rig.now.seconds() - NOW - 300, rig.now.seconds() - NOW)
            rig.now.advance(60)
        self.assertEqual(rig.held(), [(29 * 60 - 600, 29 * 60)])
        self.assertEqual([e - s for s, e in rig.fetches()], [300] + [0] * 29)

    def test_no_permanent_partial_hit(self) -> None:
        """A panel with more points than are kept by default is not a partial hit for ever."""
        for store in (MemoryStore, DictStore):
            rig = Rig(store, retention=10)
            rig.ask(-6000, 0)
            self.assertEqual(rig.ask(-6000, 0).status, Status.HIT)
            rig.now.advance(60)
            rig.ask(-5940, 60)
            self.assertEqual(rig.fetches(), [(-6000, 0), (60, 60)])

    def test_narrow_beside_wide(self) -> None:
        """
        A wide panel is no partial hit for ever where a narrow one of the same query
        refreshes in between.
        """
        for store in (MemoryStore, DictStore):
            rig = Rig(store, retention=10)
            rig.ask(-6000, 0)
            for i in range(1, 4):
                rig.now.advance(60)
                rig.ask(60 * i - 300, 60 * i)
                self.assertEqual(rig.ask(60 * i - 6000, 60 * i).status, Status.HIT)

    def test_memory_given_back(self) -> None:
        """What is dropped is not held on to: a day of refreshes weighs no more than an hour."""
        rig = Rig(retention=10)
        weights = []
        for i in range(200):
            rig.now.advance(60)
            rig.ask(60 * i - 300, 60 * i)
            entry = rig.entry()
            assert entry is not None
            weights.append(entry.nbytes)
        self.assertLess(max(weights[150:]), 3 * max(weights[:20]))

    def test_max_age(self) -> None:
        """Samples older than max_age are dropped unless a client requests them."""
        rig = Rig(max_age=600.0)
        rig.ask(-300, 0)
        rig.now.advance(600)
        rig.ask(300, 600)
        self.assertEqual(rig.held(), [(0, 0), (300, 600)])

    def test_max_bytes(self) -> None:
        """An entry that is too heavy keeps what is being asked for."""
        rig = Rig(max_bytes=3000)
        for _ in range(10):
            rig.ask(rig.now.seconds() - NOW - 300, rig.now.seconds() - NOW)
            rig.now.advance(600)
        entry = rig.entry()
        assert entry is not None
        self.assertLess(entry.dataset.nbytes, 3000)
        self.assertEqual(rig.held()[-1], (5100, 5400))

    def test_other_limits_alternating(self) -> None:
        """
        A wide panel beside a narrow one stays a hit under a limit of age and under one of size.
        """
        for options in ({"max_age": 600.0}, {"max_bytes": 3000}):
            rig = Rig(**options)
            rig.ask(-6000, 0)
            for i in range(1, 4):
                rig.now.advance(60)
                rig.ask(60 * i - 300, 60 * i)
                self.assertEqual(rig.ask(60 * i - 6000, 60 * i).status, Status.HIT)

class LeastRecentlyUsedTests(SynchronousTestCase):
    """What is dropped because it was not used."""

    def _check(self, store: type) -> None:
        rig = Rig(store, retention=12, lru=True)
        rig.ask(-6000, -5700)  # six points each
        rig.ask(-3000, -2700)
        rig.now.advance(1)
        self.assertEqual(rig.ask(-6000, -5700).status, Status.HIT)
        rig.ask(-300, 0)
        self.assertEqual(rig.held(), [(-6000, -5700), (-300, 0)])

    def test_use_counts(self) -> None:
        """A full hit is a use: what was used before it goes first, old or not."""
        self._check(MemoryStore)

    def test_octets(self) -> None:
        """The least recently used rule also holds in a store that keeps octets."""
        self._check(DictStore)

    def test_asked_for_is_kept(self) -> None:
        """What is being asked for is kept, at any size, and hit the next time."""
        rig = Rig(retention=3, lru=True)
        rig.ask(-6000, 0)
        self.assertEqual(rig.ask(-6000, 0).status, Status.HIT)

    def test_not_too_old(self) -> None:
        """Under lru no range is too old."""
        rig = Rig(retention=3, lru=True)
        rig.ask(-6000, -5000)
        self.assertEqual(rig.ask(-6000, -5000).status, Status.HIT)


class WithMoreTests(SynchronousTestCase):
    """The entry that replaces another one."""

    def test_first(self) -> None:
        """A new entry begins with the first response's samples and its fields."""
        headers = Headers(((b"X", b"1"),))
        entry = with_more(None, _dataset(-600, 0), headers, _plan(-600, 0), RangePolicy("b"))
        self.assertEqual((_held(entry), entry.headers, entry.span), ([(-600, 0)], headers, 11))

    def test_given_back(self) -> None:
        """What is dropped is not held on to."""
        entry = with_more(None, _dataset(-600_000, 0), NO_HEADERS, _plan(-60, 0),
                          RangePolicy("b", retention=10))
        self.assertEqual(_held(entry), [(-600, 0)])
        self.assertLess(entry.nbytes, 2000)

    def test_slack(self) -> None:
        """A sixteenth more may be kept, so that not every refresh has to cut."""
        for start, held in ((-2040, -2040), (-2100, -1920)):
            entry = with_more(None, _dataset(start, 0), NO_HEADERS, _plan(-60, 0),
                              RangePolicy("b", retention=32))
            self.assertEqual(_held(entry), [(held, 0)])

    def test_other_kind(self) -> None:
        """An answer of another kind takes the place of all there was."""
        old = Entry(_dataset(-1200, -660, "vector"))
        entry = with_more(old, _dataset(-600, 0), NO_HEADERS, _plan(-600, 0), RangePolicy("b"))
        self.assertEqual(entry.dataset, _dataset(-600, 0))

    def test_mergeable(self) -> None:
        """Where one of two has no series, its kind does not matter."""
        empty = Dataset(Extents.of(STEP, [(0, STEP)]), kind="vector")
        self.assertTrue(mergeable(empty, _dataset(-60, 0)))
        self.assertTrue(mergeable(_dataset(-60, 0), empty))
        self.assertFalse(mergeable(_dataset(-60, 0), _dataset(-60, 0, "vector")))

    def test_limited(self) -> None:
        """
        Two datasets within the limit do not merge into one above the limit; without a limit any do.
        """
        one = _dataset(-120, -60)
        other = evolve(_dataset(0, 0), series={b"t": _dataset(0, 0).series[b"s"]})
        both = one.merged(other)
        for limit, merging in ((0, True), (1, False), (2, True)):
            self.assertIs(mergeable(one, other, limit), merging)
        self.assertTrue(mergeable(both, one, 1))
        self.assertTrue(mergeable(one, one, 1))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.tuples(st.integers(-40, 0), st.integers(0, 20)), min_size=1, max_size=6),
           st.booleans(), st.integers(1, 30), st.sampled_from([0, 600]),
           st.sampled_from([0, 2500]))
    def test_wanted_is_kept(self, asked: list[tuple[int, int]], lru: bool, retention: int,
                            max_age: int, max_bytes: int) -> None:
        """What was asked for last is not dropped, and nothing is made up."""
        options = RangePolicy("b", lru=lru, retention=retention, max_age=float(max_age),
                               max_bytes=max_bytes)
        entry = None
        seen: set[int] = set()
        for end, length in asked:
            plan = evolve(_plan(60 * (end - length), 60 * end, lru=True))
            plan = evolve(plan, uses=((plan.wanted, 1.0),))
            entry = with_more(entry, _dataset(60 * (end - length), 60 * end), NO_HEADERS, plan,
                              options)
            seen.update(range(60 * (end - length), 60 * end + 1, 60))
            self.assertTrue(entry.dataset.extents.covers(plan.wanted))
        assert entry is not None
        held = {t for first, last in _held(entry) for t in range(first, last + 1, 60)}
        self.assertLessEqual(held, seen)
        self.assertEqual([t // SECOND_NS - NOW for t, _ in entry.dataset.rows(b"s")],
                         sorted(held))


class ChangedKindTests(SynchronousTestCase):
    """An origin whose responses change their kind."""

    def test_asked_whole(self) -> None:
        """
        Samples of two kinds are not mixed: the client's range is fetched whole for a new entry.
        """
        rig = Rig(dialect=Kinds())
        rig.ask(-600, -300)
        Kinds.kind = "other"
        self.addCleanup(setattr, Kinds, "kind", "matrix")
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.status, answer.octets),
                         (Status.PROXY_ONLY, rig.direct(-600, 0)))
        self.assertEqual(rig.ask(-600, 0).octets, rig.direct(-600, 0))
        self.assertEqual(rig.ask(-600, 0).status, Status.HIT)


class Kinds(PrometheusRange):
    """A dialect whose answers are of a kind that changes."""

    kind = "matrix"

    def decode_response(self, query, response):  # type: ignore[no-untyped-def]
        """See L{IQueryDialect.decode_response}."""
        return evolve(super().decode_response(query, response), kind=self.kind)


class ExtentSanityTests(SynchronousTestCase):
    """The helpers of these tests."""

    def test_dataset(self) -> None:
        """A dataset of ten minutes has eleven rows."""
        self.assertEqual(_dataset(-600, 0).extents.count(), 11)
        self.assertEqual(_dataset(-600, 0).extents.spans,
                         (Extent((NOW - 600) * SECOND_NS, NOW * SECOND_NS),))
