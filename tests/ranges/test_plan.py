"""Tests of C{trickster.ranges.plan}: what a request comes to, before the cache is asked."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, range_request
from trickster.errors import BadRequest, NotATimeRange, Reason
from trickster.keys.identity import Identity
from trickster.messages import Request, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.plan import Plan, is_longer, placed_query, planned, realigned
from trickster.ranges.policy import RangePolicy
from trickster.timeseries.extents import Extent, Extents
from trickster.timeseries.query import TimeRangeQuery

STEP = 60 * SECOND_NS


def _plan(start: float, end: float, step: Any = 60, now: float = NOW, query: str = "up",
          headers: tuple[tuple[bytes, bytes], ...] = (), **options: Any) -> Plan:
    request = range_request(start, end, step, query, headers)
    policy = RangePolicy("b", **options)
    return planned(placed_query(request, PrometheusRange(), policy, int(now * SECOND_NS)), policy)


def _seconds(plan: Plan) -> tuple[float, float]:
    return plan.wanted.start_ns / SECOND_NS, plan.wanted.end_ns / SECOND_NS


class AlignedTests(SynchronousTestCase):
    """Ranges on the step's grid."""

    def test_floored(self) -> None:
        """Both ends of a range are floored to the step, so a last part of a step is left out."""
        for asked, answered in (((125, 905), (120, 900)), ((900, 1000), (900, 960)),
                                ((900, 900), (900, 900)), ((0, 59), (0, 0)),
                                ((900.5, 1000.75), (900, 960))):
            self.assertEqual(_seconds(_plan(*asked, now=1000)), answered)

    def test_future(self) -> None:
        """An end that is to come is left alone: it is never stored, but it is asked for."""
        plan = _plan(900, 2000, now=1000)
        self.assertEqual((_seconds(plan), plan.final_ns), ((900, 1980), 1000 * SECOND_NS))

    def test_steps(self) -> None:
        """Steps are exact, below a second too."""
        self.assertEqual(_seconds(_plan(10.3, 11.9, "0.5", now=20)), (10.0, 11.5))
        self.assertEqual(_seconds(_plan(3601, 90_000, "1h30m", now=90_000)), (0, 86_400))

    def test_said(self) -> None:
        """A realigned range is reported if its start moved, and not if only its end did."""
        self.assertEqual(realigned(_plan(125, 905, now=1000).query), Extent(120 * SECOND_NS, 900 * SECOND_NS))
        self.assertIsNone(realigned(_plan(120, 905, now=1000).query))
        self.assertIsNone(realigned(_plan(120, 900, now=1000).query))

    def test_longer(self) -> None:
        """An aligned range may have one instant more than the requested range."""
        self.assertTrue(is_longer(_plan(130, 905, now=1000).query))
        self.assertFalse(is_longer(_plan(130, 910, now=1000).query))
        self.assertFalse(is_longer(_plan(120, 900, now=1000).query))


class PhaseTests(SynchronousTestCase):
    """Ranges in mode phase."""

    def test_unchanged(self) -> None:
        """In mode phase only an incomplete last step is left out of a range."""
        plan = _plan(125, 905.5, now=1000, phase=True)
        self.assertEqual((_seconds(plan), realigned(plan.query), is_longer(plan.query)),
                         ((125, 905), None, False))

    def test_keys(self) -> None:
        """In mode phase the phase is part of the key."""
        self.assertEqual(_plan(125, 905, now=1000, phase=True).key,
                         _plan(185, 910, now=1000, phase=True).key)
        self.assertNotEqual(_plan(125, 905, now=1000, phase=True).key,
                            _plan(126, 905, now=1000, phase=True).key)


class KeyTests(SynchronousTestCase):
    """Which requests have the same key."""

    def test_times(self) -> None:
        """The times of a range are no part of the key, and the backend's prefix is."""
        self.assertEqual(_plan(120, 600, now=1000).key, _plan(300, 900, now=1000).key)
        self.assertTrue(_plan(120, 600, now=1000).key.startswith("b.dpc."))

    def test_identity(self) -> None:
        """
        The named request fields are part of the key, in which absent, empty and each value differ.
        """
        def key(*headers: tuple[bytes, bytes]) -> str:
            return _plan(120, 600, now=1000, headers=headers, identity=Identity(frozenset((b"x-a", b"x-b")))).key

        keys = [key(), key((b"X-A", b"")), key((b"X-A", b"1")), key((b"X-B", b"1")),
                key((b"X-A", b"1"), (b"X-B", b"2")), key((b"X-A", b"1+2")),
                key((b"X-A", b"1"), (b"X-A", b"2"))]
        self.assertEqual(len(set(keys)), len(keys))
        self.assertEqual(key((b"X-C", b"1")), key())

    def test_unambiguous(self) -> None:
        """No two lists of parts run together into one."""
        def key(a: bytes, b: bytes) -> str:
            return _plan(120, 600, now=1000, headers=((b"x-a", a), (b"x-b", b)),
                         identity=Identity(frozenset((b"x-a", b"x-b")))).key

        self.assertNotEqual(key(b"1+2", b"3"), key(b"1", b"2+3"))


class FinalTests(SynchronousTestCase):
    """Up to which instant samples may be stored."""

    def _final(self, query: str = "up", **options: Any) -> float | None:
        final_ns = _plan(120, 600, now=1000, query=query, **options).final_ns
        return None if final_ns is None else final_ns / SECOND_NS

    def test_tolerance(self) -> None:
        """The longer of the two tolerances counts."""
        self.assertEqual(self._final(), 1000)
        self.assertEqual(self._final(tolerance=90.5), 909.5)
        self.assertEqual(self._final(tolerance=90.0, tolerance_points=2), 880)
        self.assertEqual(self._final(tolerance=90.0, tolerance_points=1), 910)

    def test_comment(self) -> None:
        """A tolerance in a query's comment overrides both configured ones, even a longer one."""
        comment = "up # trickster-backfill-tolerance:30"
        self.assertEqual(self._final(comment, tolerance=90.0, tolerance_points=9), 970)

    def test_ahead(self) -> None:
        """Samples that look ahead are final later, or never."""
        self.assertEqual(self._final("up offset -5m", tolerance=10.0), 690)
        self.assertIsNone(self._final("up @ 1001"))


class RefusedTests(SynchronousTestCase):
    """What cannot be planned."""

    def test_too_old(self) -> None:
        """A range that ends before the retained samples is refused, except under lru."""
        for end, refused in ((539, True), (540, False), (900, False)):
            self.assertIs(_plan(60, end, now=1000, retention=7).is_too_old, refused)
            self.assertFalse(_plan(60, end, now=1000, retention=7, lru=True).is_too_old)

    def test_length(self) -> None:
        """A range longer than max_query_range, as the client requested it, is refused."""
        _plan(60, 660, now=1000, max_query_range=600.0)
        error = self.assertRaises(BadRequest, _plan, 60, 660.001, now=1000,
                                  max_query_range=600.0)
        self.assertEqual((error.status, error.reason), (400, Reason.RANGE_REFUSED))
        self.assertIn("10m", error.detail)

    def test_careless_dialect(self) -> None:
        """An impossible range, without a step or with the end before the start, is refused."""
        for wrong in ({"step_ns": 0}, {"step_ns": -1}, {"extent": Extent(10, 9)}):
            self.assertRaises(NotATimeRange, placed_query, range_request(60, 120), Careless(wrong),
                              RangePolicy("b"), 1000 * SECOND_NS)

    def test_too_far(self) -> None:
        """An instant or a step that 64 bits of nanoseconds do not hold is the origin's to answer."""
        far = 1 << 63
        for wrong in ({"extent": Extent(0, far)}, {"extent": Extent(-far - 1, 0)},
                      {"extent": Extent(1 - far, 0), "step_ns": far // 3}, {"step_ns": far}):
            with self.assertRaises(NotATimeRange) as caught:
                placed_query(range_request(60, 120), Careless(wrong), RangePolicy("b"),
                             1000 * SECOND_NS)
            self.assertEqual(caught.exception.reason, Reason.UNPARSABLE_PARAMETER)
        placed_query(range_request(60, 120), Careless({"extent": Extent(-far, far - 1), "step_ns": 1}),
                     RangePolicy("b"), 1000 * SECOND_NS)

    def test_malformed_parameters(self) -> None:
        """Parameters that cannot be read are the origin's to refuse, in every dialect."""
        request = evolve(range_request(60, 120), target=b"/api/v1/query_range?query=%zz")
        with self.assertRaises(NotATimeRange) as caught:
            placed_query(request, Trusting(), RangePolicy("b"), 1000 * SECOND_NS)
        self.assertEqual(caught.exception.reason, Reason.UNPARSABLE_PARAMETER)


class Trusting:
    """A dialect that does not expect a broken query string."""

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        request.params.get("query")
        return PrometheusRange().decode_request(request, now_ns)


class Careless:
    """A dialect that does not look at what it gives."""

    def __init__(self, wrong: dict[str, Any]) -> None:
        self.wrong = wrong

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        return evolve(PrometheusRange().decode_request(request, now_ns), **self.wrong)


class LookupTests(SynchronousTestCase):
    """How a lookup went, and why the origin had to be asked."""

    def setUp(self) -> None:
        """Ask for ten minutes, of which the last two may still change."""
        self.plan = _plan(NOW - 600, NOW, tolerance=120.0)

    def _extents(self, start: int, end: int) -> Extents:
        return Extents.of(STEP, [((NOW + start) * SECOND_NS, (NOW + end) * SECOND_NS)])

    def test_status(self) -> None:
        """A lookup is a key miss, a range miss or a partial hit by what is stored."""
        self.assertEqual(self.plan.status(None), Status.KEY_MISS)
        self.assertEqual(self.plan.status(self._extents(-1200, -660)), Status.RANGE_MISS)
        self.assertEqual(self.plan.status(self._extents(-1200, -600)), Status.PARTIAL_HIT)

    def test_reason(self) -> None:
        """The reason of a fetch is a missing, volatile or not yet existing extent."""
        def reason(start: int, end: int) -> Reason:
            return self.plan.reason(Status.PARTIAL_HIT, self._extents(start, end))

        self.assertEqual(reason(-600, 0), Reason.RANGE_MISS)
        self.assertEqual(reason(-60, 0), Reason.VOLATILE)
        self.assertEqual(reason(60, 120), Reason.NOT_FINAL)

    def test_other_reasons(self) -> None:
        """
        A key miss, a collapsed request, and a query without final samples have reasons of their
        own.
        """
        missing = self._extents(-600, 0)
        self.assertEqual(self.plan.reason(Status.KEY_MISS, missing), Reason.KEY_MISS)
        self.assertEqual(self.plan.reason(Status.PROXY_HIT, missing), Reason.COLLAPSED)
        plan = evolve(self.plan, final_ns=None)
        self.assertEqual(plan.reason(Status.RANGE_MISS, missing), Reason.NOT_FINAL)
