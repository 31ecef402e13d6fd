"""Tests of C{trickster.observability.origins}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.bodies import Pieces, read_all
from trickster.errors import UpstreamTimeout
from trickster.messages import Octets, Request, Response
from trickster.observability.counters import OriginCounters
from trickster.observability.origins import CountedOrigin
from trickster.testing.doubles import RecordingResponder, at_once


class CountedOriginTests(SynchronousTestCase):
    """Requests and octets of one origin."""

    def ask(self, answer: Response | Exception) -> OriginCounters:
        counters = OriginCounters()
        counted = CountedOrigin(RecordingResponder.of(answer), counters)
        response = at_once(counted.respond(Request(b"POST", b"/", body=Octets(b"abc"))))
        at_once(read_all(response.body, 100))
        return counters

    def test_a_whole_body(self) -> None:
        """A body that is here is counted at once."""
        counters = self.ask(Response(200, body=Octets(b"12345")))
        self.assertEqual((counters.requests, counters.sent_octets, counters.received_octets),
                         (1, 3, 5))

    def test_a_body_on_its_way(self) -> None:
        """One that comes in pieces is counted as it is read."""
        self.assertEqual(self.ask(Response(200, body=Pieces.of([b"12", b"345"])))
                         .received_octets, 5)

    def test_a_failure(self) -> None:
        """An origin that gives no answer is a failure, which goes on to whoever asked."""
        counters = OriginCounters()
        counted = CountedOrigin(RecordingResponder.of(UpstreamTimeout()), counters)
        with self.assertRaises(UpstreamTimeout):
            at_once(counted.respond(Request(b"GET", b"/")))
        self.assertEqual((counters.requests, counters.failures), (1, 1))
