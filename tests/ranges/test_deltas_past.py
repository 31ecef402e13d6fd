"""Tests of C{trickster.ranges.delta_cache}: what goes past the cache, or is not kept in it."""

from __future__ import annotations

from email.utils import formatdate

from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, Rig, range_request
from tests.ranges.fakeprometheus import having, saying, status, truncated
from trickster.errors import BadRequest, NotATimeRange, Reason, RequestTooLarge
from trickster.messages import Headers, Octets, Request, Status
from trickster.origins.promrange import PrometheusRange
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once
from trickster.timeseries.planning import Sharding
from trickster.timeseries.query import TimeRangeQuery


# Seconds relative to now, as in the worked examples: the ranges asked for before, the one
# asked for, what of it is missing, and the status.
class PastTests(SynchronousTestCase):
    """Requests that bypass the cache go to the origin as they came."""

    def _goes_past(self, rig: Rig, request: Request, reason: Reason) -> None:
        rig.origin.always = status(400, b'{"status":"error","error":"says the origin"}')
        rig.origin.requests.clear()
        answer = at_once(rig.send(request))
        self.assertEqual((answer.code, answer.octets),
                         (400, b'{"status":"error","error":"says the origin"}'))
        self.assertEqual((answer.status, answer.outcome.reason), (Status.PROXY_ONLY, reason))
        [asked] = rig.origin.requests
        self.assertEqual((asked.target, asked.body), (request.target, request.body))

    def test_inverted(self) -> None:
        """An inverted range gets the origin's 400, whether there is an entry or not."""
        rig = Rig()
        self._goes_past(rig, range_request(NOW, NOW - 300), Reason.INVERTED_RANGE)
        rig.origin.always = None
        rig.ask(-300, 0)
        self._goes_past(rig, range_request(NOW, NOW - 300), Reason.INVERTED_RANGE)

    def test_step(self) -> None:
        """A request without a step, or with a step of zero, is never a hit."""
        for step, reason in ((0, Reason.UNPARSABLE_PARAMETER), ("", Reason.MISSING_PARAMETER)):
            self._goes_past(Rig(), range_request(NOW - 300, NOW, step), reason)

    def test_range_dependent(self) -> None:
        """An expression whose values depend on the requested range bypasses the cache."""
        self._goes_past(Rig(), range_request(NOW - 300, NOW, query="up @ end()"),
                     Reason.RANGE_DEPENDENT)

    def test_limit(self) -> None:
        """
        A merged response with more series than the origin's limit is not given: the whole is
        fetched.
        """
        rig = Rig(phase=True, sharding=Sharding(1))
        for asked in ([(-420, -420), (-60, -60), (-420, -60)], [(-420, -60)]):
            answer = rig.ask(-420, -60, 360, limit="2")
            self.assertEqual((answer.status, answer.outcome.reason, answer.octets),
                             (Status.PROXY_ONLY, Reason.RANGE_DEPENDENT,
                              rig.direct(-420, -60, 360)))
            self.assertEqual((rig.fetches(), rig.held()), (asked, []))
        self.assertEqual([rig.ask(-420, -60, 360, limit="3").status for _ in range(2)],
                         [Status.KEY_MISS, Status.HIT])

    def test_post(self) -> None:
        """A form is passed on with its octets, even if its body came in pieces."""
        request = range_request(NOW, NOW - 300, method=b"POST")
        self._goes_past(Rig(), request, Reason.INVERTED_RANGE)

    def test_body_by_and_by(self) -> None:
        """A request body that is still arriving is waited for."""
        rig, body = Rig(), PausedBody()
        request = range_request(NOW - 300, NOW, method=b"POST")
        whole = request.body
        assert isinstance(whole, Octets)
        answer = rig.send(Request(b"POST", request.target, request.headers, body))
        self.assertNoResult(answer)
        body.feed(whole.octets[:9], whole.octets[9:], b"")
        self.assertEqual(self.successResultOf(answer).octets, rig.direct(-300, 0))

    def test_body_too_large(self) -> None:
        """A request body above the limit is refused."""
        body = PausedBody(length=11 << 20)
        answer = Rig().send(Request(b"POST", b"/api/v1/query_range", Headers(), body))
        self.failureResultOf(answer, RequestTooLarge)
        self.assertTrue(body.is_closed)

    def test_too_old(self) -> None:
        """A range wholly before the retained samples bypasses the cache."""
        rig = Rig(retention=10)
        answer = rig.ask(-1260, -660)
        self.assertEqual((answer.status, answer.outcome.reason),
                         (Status.PROXY_ONLY, Reason.TOO_OLD))
        self.assertEqual(answer.octets, rig.direct(-1260, -660))
        self.assertEqual(rig.ask(-1260, -600).status, Status.KEY_MISS)

    def test_max_query_range(self) -> None:
        """A range longer than allowed is refused, and the origin not asked."""
        rig = Rig(max_query_range=600.0)
        error = self.failureResultOf(rig.start(-601, 0), BadRequest).value
        self.assertEqual((error.status, error.reason), (400, Reason.RANGE_REFUSED))
        self.assertEqual(rig.fetches(), [])
        self.assertEqual(rig.ask(-600, 0).code, 200)


class NoCacheTests(SynchronousTestCase):
    """Request directives and conditions of clients."""

    def test_other_directives(self) -> None:
        """Directives other than those for a fresh response do not count."""
        rig = Rig()
        rig.ask(-300, 0)
        for value in (b"max-age=0", b"no-cached", b"x=no-cache"):
            self.assertEqual(rig.ask(-300, 0, headers=((b"Cache-Control", value),)).status,
                             Status.HIT)

    def test_conditional(self) -> None:
        """A client's conditions are not sent to the origin."""
        rig = Rig()
        answer = rig.ask(-300, 0, headers=(
            (b"If-None-Match", b'"1"'), (b"Range", b"bytes=0-1"), (b"Accept-Encoding", b"gzip")))
        [asked] = rig.origin.requests
        self.assertEqual((answer.code, asked.headers.pairs), (200, ()))


class NotStorableTests(SynchronousTestCase):
    """Answers with status 200 that must not be stored."""

    def _not_stored(self, rig: Rig, reason: Reason, start: float = -300) -> bytes:
        answer = rig.ask(start, 0)
        self.assertEqual((answer.code, answer.status, answer.outcome.reason),
                         (200, Status.PROXY_ONLY, reason))
        self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))
        return answer.octets

    def test_verbatim(self) -> None:
        """What the client asked for itself is passed on to the octet."""
        for fault, reason in (
                (having("warnings", ["a"]), Reason.ORIGIN_WARNINGS),
                (having("infos", ["a"]), Reason.ORIGIN_WARNINGS),
                (having("isPartial", True), Reason.ORIGIN_PARTIAL),
                (having("unknown", 1), Reason.UNDECODABLE),
                (saying(b"<html>"), Reason.UNDECODABLE), (saying(b""), Reason.UNDECODABLE),
                (saying(b"[" * 100_000), Reason.UNDECODABLE), (truncated, Reason.UNDECODABLE)):
            rig = Rig()
            rig.origin.faults = [fault]
            expected = fault(rig.origin.matrix("up", (NOW - 300) * 1000, NOW * 1000, 60_000))
            self.assertEqual(self._not_stored(rig, reason), at_once(expected.body.read()))
            self.assertEqual(len(rig.origin.requests), 1)

    def test_asked_again(self) -> None:
        """An answer to another range than the client's is not passed on as its own."""
        rig = Rig()
        rig.origin.always = having("warnings", ["a"])
        body = self._not_stored(rig, Reason.ORIGIN_WARNINGS, -290)
        self.assertIn(b'"warnings":["a"]', body)
        self.assertEqual(rig.fetches(), [(-300, 0), (-290, 0)])

    def test_end_between_instants(self) -> None:
        """
        An answer to a range whose end was moved to the last instant in it is not the
        client's own.
        """
        rig = Rig(phase=True)
        rig.origin.always = having("warnings", ["a"])
        self._not_stored(rig, Reason.ORIGIN_WARNINGS, -290)
        self.assertEqual(rig.fetches(), [(-290, -50), (-290, 0)])

    def test_partly_cached(self) -> None:
        """A response to a part is not passed on as the whole, and the stored samples stay."""
        rig = Rig()
        rig.ask(-300, -60)
        rig.origin.always = having("warnings", ["a"])
        self.assertIn(b'"warnings"', rig.ask(-300, 0).octets)
        self.assertEqual(rig.held(), [(-300, -60)])

    def test_remembered(self) -> None:
        """
        For 15 seconds after an unstorable response each request goes to the origin once, not twice.
        """
        rig = Rig()
        rig.origin.faults = [having("warnings", ["a"])]
        rig.ask(-300, 0)
        rig.fetches()
        rig.now.advance(14)
        answer = rig.ask(-290, 0)
        self.assertEqual((answer.outcome.reason, rig.fetches()),
                         (Reason.ORIGIN_WARNINGS, [(-290, 0)]))
        rig.now.advance(1)
        self.assertEqual(rig.ask(-300, 0).status, Status.KEY_MISS)

    def test_coded(self) -> None:
        """A content coding that was not asked for is passed on with its octets."""
        rig = Rig()
        rig.origin.always = lambda response: type(response)(
            200, Headers(((b"Content-Encoding", b"br"),)), response.body)
        self.assertEqual(self._not_stored(rig, Reason.UNDECODABLE), rig.direct(-300, 0))
        self.assertEqual(rig.ask(-300, 0).response.headers.get(b"content-encoding"), b"br")

    def test_waiters(self) -> None:
        """Clients that asked for the same get the same, and the origin is asked once."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = having("warnings", ["a"])
        answers = [rig.start(-300, 0) for _ in range(5)]
        rig.origin.release()
        self.assertEqual(len({self.successResultOf(answer).octets for answer in answers}), 1)
        self.assertEqual(rig.fetches(), [(-300, 0)])


class VolatileTests(SynchronousTestCase):
    """Samples that may still change are never kept."""

    def test_refreshed(self) -> None:
        """What was volatile is asked for again, on what were a full hit otherwise."""
        rig = Rig(tolerance=120.0)
        rig.origin.settle_ms = 120_000
        first = rig.ask(-600, 0)
        rig.now.advance(10)
        again = rig.ask(-600, 0)
        self.assertEqual(rig.fetches(), [(-600, 0), (-60, 0)])
        self.assertEqual(again.octets, rig.direct(-600, 0))
        self.assertNotEqual(first.octets, again.octets)
        self.assertEqual((again.status, again.outcome.reason),
                         (Status.PARTIAL_HIT, Reason.VOLATILE))

    def test_origin_behind(self) -> None:
        """What the origin cannot know yet, by its own clock, is asked for again."""
        rig = Rig()
        rig.origin.always = lambda response: type(response)(200, response.headers.with_added(
            (b"Date", formatdate(NOW - 90, usegmt=True).encode())), response.body)
        answers = [rig.ask(-300, 0), rig.ask(-300, 0)]
        self.assertEqual([answer.octets for answer in answers], [rig.direct(-300, 0)] * 2)
        self.assertEqual(rig.fetches(), [(-300, 0), (-60, 0)])

    def test_points(self) -> None:
        """The tolerance in steps counts where it is longer than the one in time."""
        rig = Rig(tolerance=30.0, tolerance_points=3)
        rig.ask(-600, 0)
        self.assertEqual(rig.held(), [(-600, -180)])

    def test_comment(self) -> None:
        """A comment in the query overrides both tolerances, and 0 is a tolerance of nothing."""
        for seconds, last in ((60, -60), (600, -600), (0, -180)):
            rig = Rig(tolerance_points=3)
            rig.ask(-1200, 0, query=f"up # trickster-backfill-tolerance:{seconds}")
            self.assertEqual(rig.held(), [(-1200, last)])

    def test_only_volatile(self) -> None:
        """Where nothing is final nothing is stored, and nothing said to be."""
        rig = Rig(tolerance=600.0)
        for _ in range(2):
            answer = rig.ask(-300, 0)
            self.assertEqual((answer.status, answer.outcome.stored),
                             (Status.KEY_MISS, False))
            self.assertEqual(answer.octets, rig.direct(-300, 0))
        self.assertEqual(rig.held(), [])

    def test_future_end(self) -> None:
        """An end beyond now is asked for and answered, and not stored."""
        rig = Rig()
        for _ in range(2):
            answer = rig.ask(-300, 300)
            self.assertEqual(answer.octets, rig.direct(-300, 300))
        self.assertEqual((rig.fetches(), rig.held()), ([(-300, 300), (60, 300)], [(-300, 0)]))

    def test_all_future(self) -> None:
        """A range that is all to come is asked for and answered, and not stored."""
        rig = Rig()
        self.assertEqual(rig.ask(60, 300).octets, rig.direct(60, 300))
        self.assertEqual((rig.fetches(), rig.held()), ([(60, 300)], []))

    def test_negative_offset(self) -> None:
        """Samples that look ahead are final that much later."""
        rig = Rig()
        rig.ask(-600, 0, query="up offset -5m")
        self.assertEqual(rig.held(), [(-600, -300)])

    def test_fixed_instant(self) -> None:
        """A future fixed instant makes no sample final; a past one does."""
        for at, held in ((NOW + 60, []), (NOW - 60, [(-600, 0)])):
            rig = Rig()
            answer = rig.ask(-600, 0, query=f"up @ {at}")
            self.assertEqual((answer.code, rig.held()), (200, held))


class Whole(PrometheusRange):
    """A dialect in which no response can be cut."""

    def decode_request(self, request: Request, now_ns: int) -> TimeRangeQuery:
        """See L{IQueryDialect.decode_request}."""
        raise NotATimeRange(Reason.NOT_A_TIME_RANGE, fallback="object")


class ObjectFallbackTests(SynchronousTestCase):
    """What can be kept whole but not by range."""

    def test_object(self) -> None:
        """
        A request that can be cached whole but not by range goes to the object cache unchanged.
        """
        rig, request = Rig(dialect=Whole()), range_request(NOW - 300, NOW)
        self.assertEqual(at_once(rig.send(request)).octets, b"ok")
        self.assertEqual((rig.objects.requests, rig.fetches()), ([request], []))
