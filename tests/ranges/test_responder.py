"""Tests of C{trickster.ranges.responder}: requests in, answers of any source out."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, inline, range_request
from trickster.bodies import read_all
from trickster.collapsing.byte_budget import ByteBudget
from trickster.errors import NotADataset, Reason, UpstreamBroke
from trickster.messages import Headers, Octets, Outcome, Request, Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.offloading import Offloading
from trickster.ranges.pass_through import PassThrough
from trickster.ranges.policy import RangePolicy
from trickster.ranges.responder import RangeResponder
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.sources import RecordingSource
from trickster.timeseries.extents import Extent, Extents

STEP = 60 * SECOND_NS
SERIES = b'{"metric":{"a":"b"},"values":['


class ResponderTests(SynchronousTestCase):
    """The responder between clients and a dataset source."""

    def setUp(self) -> None:
        """Make it, before a source that is no origin."""
        self.source = RecordingSource(Headers(((b"X-Group", b"eu"),)), (SERIES,))
        self.origin, self.objects = RecordingResponder.of(Response(200)), RecordingResponder()

    def ask(self, start: int, end: int, request: Request | None = None,
            **options: Any) -> tuple[Response, bytes]:
        """:return: the answer to a range in seconds relative to now, and its body."""
        policy, offloading = RangePolicy("b", **options), Offloading(inline)
        passing = PassThrough(self.origin, policy, ByteBudget(1 << 20), offloading)
        responder = RangeResponder(PrometheusRange(), self.source, passing, self.objects, policy,
                                   offloading, lambda: float(NOW))
        response: Response = at_once(Deferred.fromCoroutine(
            responder.respond(request or range_request(NOW + start, NOW + end))))
        return response, bytes(at_once(Deferred.fromCoroutine(read_all(response.body, 1 << 20))))

    def test_encoded(self) -> None:
        """The dataset is encoded; fields of source and dialect go with it."""
        response, _ = self.ask(-600, 0)
        self.assertEqual(response.headers.pairs, (
            (b"Content-Type", b"application/json"), (b"X-Group", b"eu")))
        self.assertEqual(self.source.extents(), [
            Extent((NOW - 600) * SECOND_NS, NOW * SECOND_NS)])

    def test_query(self) -> None:
        """The source is asked on the grid, with the client's extent, the time and no-cache."""
        self.ask(0, 0, range_request(NOW - 590, NOW + 7, headers=((b"Cache-Control", b"no-cache"),)))
        (query,) = self.source.queries
        self.assertEqual((query.extent, query.requested, query.now_ns, query.no_cache), (
            Extent((NOW - 600) * SECOND_NS, NOW * SECOND_NS),
            Extent((NOW - 590) * SECOND_NS, (NOW + 7) * SECOND_NS), NOW * SECOND_NS, True))

    def test_phase(self) -> None:
        """In mode phase the source is asked on the client's own grid."""
        self.ask(-590, 7, phase=True)
        self.assertEqual(self.source.extents(), [
            Extent((NOW - 590) * SECOND_NS, (NOW - 590 + 540) * SECOND_NS)])

    def test_failed(self) -> None:
        """A response with missing extents carries a warning for the client."""
        self.source.instead = [Extents.of(STEP, [((NOW - 600) * SECOND_NS, (NOW - 300) * SECOND_NS)])]
        _, octets = self.ask(-600, 0)
        self.assertIn(b"trickster: the origin failed to answer for %d to %d" % (NOW - 240, NOW),
                      octets)

    def test_passed(self) -> None:
        """Without a dataset or an answer, the origin is sent the client's own request."""
        self.source.instead = [NotADataset(Reason.TOO_OLD, "old")]
        request = range_request(NOW - 590, NOW)
        response, _ = self.ask(0, 0, request)
        self.assertEqual([sent.target for sent in self.origin.requests], [request.target])
        self.assertEqual((response.outcome.status, response.outcome.reason, response.outcome.detail),
                         (Status.PROXY_ONLY, Reason.TOO_OLD, "old"))

    def test_instead(self) -> None:
        """What the origin said to the very range is passed on; what it said to another is not."""
        said = Response(200, body=Octets(b"warned"), outcome=Outcome(reason=Reason.ORIGIN_WARNINGS))
        for start, expected, sent in ((-600, b"warned", 0), (-590, b"", 1)):
            self.origin.requests.clear()
            self.source.instead = [NotADataset(Reason.ORIGIN_WARNINGS, "", said)]
            response, octets = self.ask(start, 0)
            self.assertEqual((octets, response.outcome.reason), (expected, Reason.ORIGIN_WARNINGS))
            self.assertEqual(len(self.origin.requests), sent)

    def test_refused(self) -> None:
        """A refusal is passed on, unless it may be that of a longer range than the client's."""
        for status, start, passed in ((400, -600, True), (400, -590, False), (429, -590, True),
                                      (503, -590, True)):
            self.origin.requests.clear()
            self.source.instead = [NotADataset(Reason.ORIGIN_STATUS, "", Response(status))]
            response, _ = self.ask(start, 0)
            self.assertEqual((response.status if passed else 0, len(self.origin.requests)),
                             (status if passed else 0, 0 if passed else 1), (status, start))

    def test_transformed(self) -> None:
        """What is passed on is transformed as what would have been passed."""
        said = Response(200, body=Octets(b"warned"))
        self.source.instead = [NotADataset(Reason.ORIGIN_WARNINGS, "", said)]
        self.assertEqual(self.ask(-600, 0, transform=bytes.upper)[1], b"WARNED")

    def test_errors(self) -> None:
        """An error of the source is the answer."""
        self.source.instead = [UpstreamBroke("gone")]
        self.assertRaises(UpstreamBroke, self.ask, -600, 0)

    def test_not_a_range(self) -> None:
        """The source is not asked for what is no range."""
        self.ask(0, 0, Request(b"GET", b"/api/v1/query_range?query=up"))
        self.assertEqual((self.source.queries, len(self.origin.requests)), ([], 1))
