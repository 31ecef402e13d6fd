"""Tests of C{trickster.ranges.fast_forward}: the newest sample, beside a range."""

from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, Rig, inline, range_request
from tests.ranges.fakeprometheus import (
    FORBIDDING,
    JSON,
    Lingering,
    doubtful,
    headed,
    raising,
    saying,
    status,
)
from trickster.errors import UpstreamTimeout
from trickster.messages import FastForward, Headers, Octets, Request, Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.fast_forward import NewestSamples, instant_wanted
from trickster.ranges.offloading import Offloading
from trickster.ranges.origin_messages import DialectFailed
from trickster.ranges.plan import placed_query
from trickster.ranges.policy import RangePolicy
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PausedOrigin, at_once
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import TimeRangeQuery


def _wanted(start: float, end: float, step: float = 60, now: float = NOW + 37.5,
            query: str = "up", ttl: float = 15.0) -> float | None:
    now_ns = int(now * SECOND_NS)
    request = range_request(NOW + start, NOW + end, step, query)
    at_ns = instant_wanted(
        placed_query(request, PrometheusRange(), RangePolicy("b"), now_ns), ttl)
    return None if at_ns is None else at_ns / SECOND_NS - NOW


class WantedTests(SynchronousTestCase):
    """When there is a newer sample, and at which instant."""

    def test_newest(self) -> None:
        """The newest sample is at the requested end, or at now if that is earlier."""
        self.assertEqual([_wanted(-600, 37), _wanted(-600, 37.5), _wanted(-600, 59)],
                         [37, 37.5, 37.5])

    def test_nothing_newer(self) -> None:
        """
        No newer sample is wanted where the range ends with a whole step, or before the newest.
        """
        self.assertEqual([_wanted(-600, 0), _wanted(-600, -10), _wanted(-6600, -1800)], [None] * 3)

    def test_future(self) -> None:
        """No newer sample is wanted where the range ends a step after now, or later."""
        self.assertIsNone(_wanted(-600, 60))

    def test_fine_steps(self) -> None:
        """No newer sample is wanted where a step is not longer than one sample serves."""
        self.assertIsNone(_wanted(-600, 37, 15))
        self.assertEqual(_wanted(-600, 37, 16), 37)
        self.assertIsNone(_wanted(-600, 37, 60, ttl=60.0))

    def test_switched_off(self) -> None:
        """No newer sample is wanted where a comment says so, or samples are from elsewhere."""
        for query in ("up # trickster-fast-forward:off", "up offset -5m"):
            self.assertIsNone(_wanted(-600, 37, query=query))


class AnswerTests(SynchronousTestCase):
    """What clients get of fast forward."""

    def setUp(self) -> None:
        """Half a minute after the last whole one."""
        self.rig = Rig(newest=True)
        self.rig.now.advance(37)

    def test_appended(self) -> None:
        """
        Fast forward adds one sample at the end that the client asked for, and stores none of it.
        """
        answer = self.rig.ask(-600, 30)
        self.assertEqual(answer.times, [*(float(t) for t in range(-600, 1, 60)), 30])
        self.assertEqual(answer.outcome.fast_forward, FastForward.MISS)
        self.assertEqual((self.rig.held(), self.rig.origin.newest),
                         ([(-600, 0)], [(NOW + 30) * 1000]))

    def test_on_hits(self) -> None:
        """Full hits get the remembered newest sample, without another request while it is valid."""
        self.rig.ask(-600, 30)
        self.rig.now.advance(10)
        again = self.rig.ask(-600, 40)
        self.assertEqual((again.status, again.outcome.fast_forward, again.times[-1]),
                         (Status.HIT, FastForward.HIT, 30))
        self.rig.now.advance(5)
        later = self.rig.ask(-600, 45)
        self.assertEqual((later.outcome.fast_forward, later.times[-1]), (FastForward.MISS, 45))

    def test_hit_at_once(self) -> None:
        """A hit whose newest sample is remembered is answered without waiting."""
        self.rig.ask(-600, 30)
        stepping = self.rig.cache.respond(range_request(NOW - 600, NOW + 30))
        self.assertRaises(StopIteration, stepping.send, None)

    def test_never_outside(self) -> None:
        """A remembered sample that is newer than the requested end is not used."""
        self.rig.ask(-600, 30)
        answer = self.rig.ask(-600, 20)
        self.assertEqual((answer.times[-1], answer.outcome.fast_forward), (20, FastForward.MISS))

    def test_overtaken(self) -> None:
        """A newest sample that the range itself has overtaken is no use."""
        self.rig.now.advance(20)
        self.rig.ask(-600, 57)
        self.rig.now.advance(5)
        answer = self.rig.ask(-600, 62)
        self.assertEqual(answer.times[-2:], [60, 62])

    def test_series_order(self) -> None:
        """A series that is new at its end stands where its labels put it."""
        self.rig.origin.series = 5
        result = self.rig.ask(-60, 30).json["data"]["result"]
        self.assertEqual([one["metric"]["n"] for one in result], list("01234"))

    def test_off(self) -> None:
        """Where fast forward is off the outcome says so, and no sample is fetched."""
        for rig, end in ((Rig(), 30), (self.rig, 0), (Rig(phase=True), 30)):
            rig.now.advance(NOW + 37 - rig.now.seconds())
            self.assertEqual(rig.ask(-600, end).outcome.fast_forward, FastForward.OFF)
            self.assertEqual(rig.origin.newest, [])

    def test_unharmful(self) -> None:
        """A range is answered whether the newest sample can be had or not."""
        for fault in (status(500), raising(UpstreamTimeout("slow")), saying(b"garbage"),
                      saying(b'{"status":"success","data":{"resultType":"matrix","result":[]}}'),
                      _gzipped, _at(NOW), _at(NOW - 5), _at(NOW + 31)):
            rig = Rig(newest=True)
            rig.now.advance(37)
            rig.origin.newest_fault = fault
            answer = rig.ask(-600, 30)
            self.assertEqual((answer.octets, answer.outcome.fast_forward),
                             (rig.direct(-600, 0), FastForward.ERROR))

    def test_clumsy_dialect(self) -> None:
        """A bug of a dialect in fast forward does not keep the range from being answered."""
        rig = Rig(newest=True, dialect=Clumsy())
        rig.now.advance(37)
        answer = rig.ask(-600, 30)
        self.assertEqual((answer.octets, answer.outcome.fast_forward),
                         (rig.direct(-600, 0), FastForward.ERROR))
        self.assertEqual(len(self.flushLoggedErrors(DialectFailed)), 1)

    def test_clients_own(self) -> None:
        """
        The newest sample is fetched with the client's credentials but without its codings and
        conditions.
        """
        self.rig.ask(-600, 30, headers=((b"Accept-Encoding", b"gzip"), (b"If-None-Match", b"1"),
                                        (b"Authorization", b"x")))
        [asked] = [r for r in self.rig.origin.requests if r.path == b"/api/v1/query"]
        self.assertEqual(asked.headers.pairs, ((b"Authorization", b"x"),))

    def test_range_fails(self) -> None:
        """A range that fails does not wait for the newest sample."""
        self.rig.origin.faults = [status(500)]
        self.assertEqual(self.rig.ask(-600, 30).code, 500)

    def test_client_gone(self) -> None:
        """A client that leaves cancels both the range and the newest sample."""
        paused = PausedOrigin()
        self.rig.newest._upstream = paused
        self.rig.origin.is_paused = True
        answer = self.rig.start(-600, 30)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertTrue(paused.asked[0].is_cancelled)
        self.assertEqual(self.rig.left_over(), (0, 0, 0))

    def test_refused_while_waiting(self) -> None:
        """A refused range cancels the fetch of the newest sample."""
        paused = PausedOrigin()
        self.rig.newest._upstream = paused
        self.rig.origin.is_paused, self.rig.origin.faults = True, [status(400)]
        answer = self.rig.start(-600, 30)
        self.assertFalse(paused.asked[0].is_cancelled)
        self.rig.origin.release()
        self.assertEqual(self.successResultOf(answer).code, 400)
        self.assertTrue(paused.asked[0].is_cancelled)

    def test_refused_at_once(self) -> None:
        """No newest sample is fetched where it is known at once that the range has no dataset."""
        self.rig.origin.faults = [saying(b"nonsense"), None]
        for _ in range(2):  # the second is a hit for pass
            self.rig.ask(-600, 30)
        self.assertEqual(self.rig.origin.newest, [])

    def test_only_if_cached(self) -> None:
        """No newest sample is fetched for a request with only-if-cached."""
        rig = Rig(newest=True, honours=True)
        rig.now.advance(37)
        rig.ask(-600, 0)
        stored = rig.ask(-600, 30, headers=((b"Cache-Control", b"only-if-cached"),))
        self.assertEqual((stored.status, stored.times[-1], rig.origin.newest),
                         (Status.HIT, 0, []))
        self.assertEqual(rig.ask(-600, 30).times[-1], 30)


class Clumsy(PrometheusRange):
    """A dialect with a bug."""

    def decode_newest(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{INewestDialect.decode_newest}."""
        raise KeyError("result")


def _gzipped(response: Response) -> Response:
    return Response(200, Headers(((b"Content-Encoding", b"gzip"),)), response.body)


def _at(instant: int):  # type: ignore[no-untyped-def]
    text = (b'{"status":"success","data":{"resultType":"vector","result":'
            b'[{"metric":{"a":"b"},"value":[%d,"1"]}]}}' % instant)
    return lambda response: Response(200, JSON, Octets(text))


class NewestSamplesTests(SynchronousTestCase):
    """Asking for, and remembering, newest samples."""

    def setUp(self) -> None:
        """An origin that waits."""
        self.rig = Rig()
        self.paused = PausedOrigin()
        self.newest = NewestSamples(PrometheusRange(), self.paused, self.rig.now,
                                     self.rig.policy, self.rig.in_flight, Offloading(inline))
        self.query: TimeRangeQuery = placed_query(
            range_request(NOW - 60, NOW + 40), PrometheusRange(), RangePolicy("b"), NOW * SECOND_NS)

    def _ask(self, at: int, key: str = "k") -> Deferred[tuple[Dataset | None, FastForward]]:
        return Deferred.fromCoroutine(
            self.newest.newest(key, self.query, (NOW + at) * SECOND_NS))

    def _answer(self, which: int, at: int) -> None:
        self.paused.asked[which].answer(_at(NOW + at)(Response(200)))

    def test_shared(self) -> None:
        """Clients that want a newest sample at the same or a later instant share one fetch."""
        clients = [self._ask(30), self._ask(30), self._ask(35)]
        self.assertEqual(len(self.paused.asked), 1)
        self._answer(0, 30)
        self.assertEqual([self.successResultOf(client)[1] for client in clients],
                         [FastForward.MISS] * 3)

    def test_for_one_alone(self) -> None:
        """A newest sample that may not be shared is neither given to waiters nor remembered."""
        plain = _at(NOW + 30)
        for fault in (doubtful, *(headed(pair) for pair, _ in FORBIDDING)):
            for _ in range(2):
                clients = [self._ask(30) for _ in range(3)]
                [asked] = self.paused.waiting
                asked.answer(fault(plain(Response(200))))
                first, *others = [self.successResultOf(client) for client in clients]
                self.assertEqual(first[1], FastForward.MISS)
                self.assertEqual(others, [(None, FastForward.ERROR)] * 2)

    def test_earlier(self) -> None:
        """A client that wants an earlier sample than the one being fetched fetches its own."""
        late, early = self._ask(35), self._ask(30)
        self.assertEqual(len(self.paused.asked), 2)
        self._answer(1, 30)
        self._answer(0, 35)
        self.assertEqual([self.successResultOf(client)[1] for client in (late, early)],
                         [FastForward.MISS] * 2)

    def test_keys_apart(self) -> None:
        """Newest samples of different queries are independent."""
        self._ask(30)
        self._ask(30, "other")
        self.assertEqual(len(self.paused.asked), 2)

    def test_last_leaves(self) -> None:
        """
        The last waiter to leave cancels the fetch of a newest sample, and nothing is left behind.
        """
        clients = [self._ask(30), self._ask(35)]
        for client in clients:
            client.cancel()
            self.failureResultOf(client, CancelledError)
        self.assertTrue(self.paused.asked[0].is_cancelled)
        self.assertEqual((self.newest._under_way, self.rig.now.getDelayedCalls()), ({}, []))

    def test_abandoned_not_joined(self) -> None:
        """A fetch that was cancelled but has not ended gets no waiters."""
        lingering: Deferred[None] = Deferred()
        self.newest._upstream = Lingering(self.paused, lingering)
        first = self._ask(30)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        second = self._ask(30)
        lingering.callback(None)
        self._answer(1, 30)
        self.assertEqual(self.successResultOf(second)[1], FastForward.MISS)

    def test_hanging(self) -> None:
        """A fetch that takes longer than its sample would be valid is cancelled."""
        client = self._ask(30)
        self.rig.now.advance(14.9)
        self.assertNoResult(client)
        self.rig.now.advance(0.1)
        self.assertEqual(self.successResultOf(client), (None, FastForward.ERROR))
        self.assertTrue(self.paused.asked[0].is_cancelled)
        self.assertEqual((self.newest._under_way, self.rig.now.getDelayedCalls()), ({}, []))

    def test_ttl_from_asking(self) -> None:
        """The lifetime of a newest sample begins when its fetch begins."""
        first = self._ask(30)
        self.rig.now.advance(14)
        self._answer(0, 30)
        self.successResultOf(first)
        self.assertEqual(self.successResultOf(self._ask(30))[1], FastForward.HIT)
        self.rig.now.advance(1)
        self.assertNoResult(self._ask(30))

    def test_in_flight(self) -> None:
        """
        A newest sample counts against the byte budget until it is decoded, and is refused without
        room.
        """
        for limit, expected in ((1000, FastForward.MISS), (9, FastForward.ERROR)):
            self.rig.in_flight.limit = limit
            answer = _at(NOW + 30)(Response(200))
            body, octets = PausedBody(), at_once(answer.body.read())
            client = self._ask(30, str(limit))
            self.paused.asked[-1].answer(evolve(answer, body=body))
            body.feed(octets[:5])
            self.assertEqual(self.rig.in_flight.held, 5)
            body.feed(octets[5:], b"")
            self.assertEqual((self.successResultOf(client)[1], self.rig.in_flight.held),
                             (expected, 0))

    def test_post(self) -> None:
        """The newest sample of a query by POST is fetched by POST."""
        request: Request = range_request(NOW - 60, NOW + 40, method=b"POST")
        self.query = PrometheusRange().decode_request(request, NOW * SECOND_NS)
        self._ask(30)
        [asked] = self.paused.asked
        body = asked.request.body
        assert isinstance(body, Octets)
        self.assertEqual((asked.request.method, asked.request.target, body.octets),
                         (b"POST", b"/api/v1/query", b"query=up&time=%d" % (NOW + 30)))
