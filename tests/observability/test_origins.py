"""Tests of C{trickster.observability.origins}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import Pieces, read_all
from trickster.errors import BadRequest, RequestError, UpstreamBroke, UpstreamTimeout
from trickster.messages import Octets, Request, Response
from trickster.observability.counters import OriginCounters
from trickster.observability.decisionlog import Notes
from trickster.observability.origins import CountedOrigin
from trickster.observability.outages import OutageLog
from trickster.testing.bodies import PausedBody, PausedDuplex
from trickster.testing.doubles import PausedOrigin, RecordingResponder, at_once


def outages() -> OutageLog:
    """:return: a log of an origin's outages."""
    return OutageLog("prom", "a.test:9090", Clock())


class CountedOriginTests(SynchronousTestCase):
    """Requests and octets of one origin."""

    def ask(self, answer: Response | Exception) -> OriginCounters:
        counters = OriginCounters()
        counted = CountedOrigin(RecordingResponder.of(answer), counters, outages())
        response = at_once(counted.respond(Request(b"POST", b"/", body=Octets(b"abc"))))
        at_once(read_all(response.body, 100))
        return counters

    def test_a_whole_body(self) -> None:
        """A body that is whole is counted at once."""
        counters = self.ask(Response(200, body=Octets(b"12345")))
        self.assertEqual((counters.requests, counters.sent_octets, counters.received_octets),
                         (1, 3, 5))

    def test_a_body_on_its_way(self) -> None:
        """A body that comes in pieces is counted as it is read."""
        self.assertEqual(self.ask(Response(200, body=Pieces.of([b"12", b"345"])))
                         .received_octets, 5)

    def test_a_failure(self) -> None:
        """An origin that gives no answer is a failure, which goes on to the caller."""
        counters = OriginCounters()
        counted = CountedOrigin(RecordingResponder.of(UpstreamTimeout()), counters, outages())
        with self.assertRaises(UpstreamTimeout):
            at_once(counted.respond(Request(b"GET", b"/")))
        self.assertEqual((counters.requests, counters.failures), (1, 1))

    def failing(self, error: RequestError) -> CountedOrigin:
        """:return: an origin that was asked, and gave no answer."""
        counted = CountedOrigin(RecordingResponder.of(error), OriginCounters(), outages())
        with self.assertRaises(type(error)):
            at_once(counted.respond(Request(b"GET", b"/")))
        return counted

    def test_noted(self) -> None:
        """The origin and the milliseconds that it took are noted in the span of a request."""
        for answer in (Response(200), UpstreamTimeout()):
            clock, notes = Clock(), Notes()
            paused = PausedOrigin()
            counted = CountedOrigin(paused, OriginCounters(), OutageLog("b", "a:1", clock))
            asking = Deferred.fromCoroutine(counted.respond(Request(
                b"GET", b"/", noted=notes)))
            clock.advance(0.25)
            if isinstance(answer, Response):
                paused.asked[0].answer(answer)
            else:
                paused.asked[0].fail(answer)
            asking.addErrback(lambda _: None)
            self.assertEqual(notes.values, {"origin": ["a:1"], "originMS": [250.0]})

    def test_an_outage(self) -> None:
        """An origin that gives no answer is logged."""
        with capturedLogs() as events:
            self.failing(UpstreamTimeout("too slow"))
        self.assertEqual([formatEvent(event) for event in events],
                         ["Origin a.test:9090 of backend prom fails: too slow"])

    def test_a_fault_of_the_client(self) -> None:
        """A request that cannot be sent on is no failure of the origin."""
        counted = self.failing(BadRequest("the body is shorter than it was said to be"))
        self.assertEqual((counted.counters.failures, counted.outages.is_failing), (0, False))

    def test_broken_off(self) -> None:
        """An origin that goes away within its answer fails, with any status."""
        body = PausedBody()
        body.feed(UpstreamBroke("gone"))
        counted = CountedOrigin(
            RecordingResponder.of(Response(200, body=body)), OriginCounters(), outages())
        answer = at_once(counted.respond(Request(b"GET", b"/")))
        with self.assertRaises(UpstreamBroke):
            at_once(answer.body.read())
        self.assertEqual((counted.counters.failures, counted.outages.is_failing), (1, True))

    def test_recovery(self) -> None:
        """An origin has recovered once a response has come to its end, not with a head alone."""
        for body in (Octets(b"x"), Pieces.of([b"x"]), Octets()):
            counted = self.failing(UpstreamTimeout())
            counted.inner = RecordingResponder.of(Response(503, body=body))
            answer = at_once(counted.respond(Request(b"GET", b"/")))
            self.assertEqual(counted.outages.is_failing, type(body) is Pieces)
            at_once(read_all(answer.body, 100))
            self.assertFalse(counted.outages.is_failing)

    def test_recovery_without_an_end(self) -> None:
        """An origin has recovered without a read past a known length, and with a tunnel."""
        body = PausedBody(length=3)
        body.feed(b"a", b"bc")
        counted = self.failing(UpstreamTimeout())
        counted.inner = RecordingResponder.of(Response(200, body=body))
        answer = at_once(counted.respond(Request(b"GET", b"/")))
        for is_failing in (True, False):
            at_once(answer.body.read())
            self.assertEqual(counted.outages.is_failing, is_failing)
        counted = self.failing(UpstreamTimeout())
        counted.inner = RecordingResponder.of(Response(101, body=PausedDuplex()))
        at_once(counted.respond(Request(b"GET", b"/")))
        self.assertFalse(counted.outages.is_failing)

    def test_left(self) -> None:
        """A body that its reader leaves is closed, and tells nothing of the origin."""
        body = PausedBody()
        counted = self.failing(UpstreamTimeout())
        counted.inner = RecordingResponder.of(Response(200, body=body))
        at_once(counted.respond(Request(b"GET", b"/"))).body.close()
        self.assertEqual((body.is_closed, counted.outages.is_failing), (True, True))
