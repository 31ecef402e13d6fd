"""Tests of C{trickster.ranges.gaps}: fetches that fail."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ranges.deltarig import NOW, SECOND_NS, Rig
from tests.ranges.fakeprometheus import (
    breaking,
    having,
    raising,
    saying,
    status,
    truncated,
)
from trickster.errors import Reason, UpstreamBroke, UpstreamError, UpstreamTimeout
from trickster.messages import Response, Status
from trickster.origins.promrange import PrometheusRange
from trickster.ranges.origin_messages import DialectFailed
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import TimeRangeQuery


class FailureTests(SynchronousTestCase):
    """Fetches that fail."""

    def _next_is_fine(self, rig: Rig) -> None:
        self.assertEqual((rig.held(), rig.left_over()), ([], (0, 0, 0)))
        self.assertEqual(rig.ask(-600, 0).octets, rig.direct(-600, 0))

    def test_statuses(self) -> None:
        """An origin's refusal is passed on with its body and fields; a 5xx counts as a failure."""
        for code in (302, 400, 401, 404, 422, 429, 500, 503):
            rig = Rig()
            rig.origin.faults = [status(code, b'{"status":"error"}', ((b"Retry-After", b"9"),))]
            answer = rig.ask(-600, 0)
            self.assertEqual((answer.code, answer.octets), (code, b'{"status":"error"}'))
            self.assertEqual((answer.status, answer.outcome.reason),
                             (Status.PROXY_ERROR if code >= 500 else Status.PROXY_ONLY,
                              Reason.ORIGIN_STATUS))
            self.assertEqual(answer.response.headers.get(b"retry-after"), b"9")
            self._next_is_fine(rig)

    def test_errors(self) -> None:
        """A fetch without a response fails with its own error."""
        for error in (UpstreamTimeout("slow"), UpstreamBroke("gone"), UpstreamError("what")):
            for fault in (raising(error), breaking(error)):
                rig = Rig()
                rig.origin.faults = [fault]
                self.assertIs(self.failureResultOf(rig.start(-600, 0)).value, error)
                self._next_is_fine(rig)

    def test_broken_refusal(self) -> None:
        """A refusal whose body breaks is no refusal but an error."""
        rig = Rig()
        error = UpstreamBroke("gone")
        rig.origin.faults = [lambda response: Response(
            500, response.headers, breaking(error)(response).body)]
        self.assertIs(self.failureResultOf(rig.start(-600, 0)).value, error)
        self._next_is_fine(rig)

    def test_large_refusal(self) -> None:
        """A refusal with a body of some mebibytes is streamed past the cache."""
        rig = Rig()
        rig.origin.always = status(500, b"x" * (2 << 20))
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.code, len(answer.octets)), (500, 2 << 20))
        self.assertEqual(answer.outcome.reason, Reason.TOO_LARGE)
        rig.origin.always = None
        rig.now.advance(15)
        self._next_is_fine(rig)

    def test_nothing_incomplete(self) -> None:
        """What cannot be understood is never stored, and the next answer is right."""
        for fault in (truncated, saying(b"garbage"), saying(b'{"status":"success"}'),
                      having("status", "error"), having("warnings", ["w"])):
            rig = Rig()
            rig.origin.faults = [fault]
            rig.ask(-600, 0)
            self._next_is_fine(rig)

    def test_partial(self) -> None:
        """
        When some fetches fail, the other samples are served and the missing extents are named.
        """
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [None, status(500)]
        answer = rig.ask(-900, 0)
        self.assertEqual((answer.code, answer.outcome.reason),
                         (200, Reason.PARTIAL_FAILURE))
        self.assertEqual(answer.outcome.failed, (((NOW - 240) * SECOND_NS, NOW * SECOND_NS),))
        [warning] = answer.json["warnings"]
        self.assertIn(f"{NOW - 240} to {NOW}", warning)
        self.assertEqual(answer.times, [float(t) for t in range(-900, -299, 60)])
        self.assertEqual(rig.held(), [(-900, -300)])
        self.assertEqual(rig.ask(-900, 0).octets, rig.direct(-900, 0))

    def test_partial_points(self) -> None:
        """What failed was not had from anywhere."""
        rig = Rig()
        rig.origin.series = 1
        rig.ask(-600, -300)
        rig.origin.faults = [None, raising(UpstreamTimeout("slow"))]
        outcome = rig.ask(-900, 0).outcome
        self.assertEqual((outcome.points_cached, outcome.points_fetched, outcome.stored),
                         (6, 5, True))

    def test_all_of_the_rest_failed(self) -> None:
        """Samples that happen to be held are no answer where the origin gives none."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [status(503, b"busy")]
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.code, answer.octets), (503, b"busy"))

    def test_client_error_wins(self) -> None:
        """A fetch refused with a client error refuses the request, even if others succeed."""
        rig = Rig()
        rig.ask(-600, -300)
        rig.origin.faults = [None, status(422, b"what?")]
        answer = rig.ask(-900, 0)
        self.assertEqual((answer.code, answer.octets), (422, b"what?"))

    def test_too_many_is_nobodys_fault(self) -> None:
        """429 and 408 are failures like those of the origin."""
        for code in (429, 408):
            rig = Rig()
            rig.ask(-600, -300)
            rig.origin.faults = [None, status(code)]
            self.assertEqual(rig.ask(-900, 0).outcome.reason, Reason.PARTIAL_FAILURE)

    def test_longer_by_alignment(self) -> None:
        """
        A refusal of an aligned range that is longer than requested makes the requested one be
        fetched.
        """
        rig = Rig()
        rig.origin.faults = [status(400, b"exceeded maximum resolution")]
        answer = rig.ask(-590, 5)
        self.assertEqual((answer.code, answer.octets), (200, rig.direct(-590, 5)))
        self.assertEqual(rig.fetches(), [(-600, 0), (-590, 5)])

    def test_waiters(self) -> None:
        """A failed fetch fails all its waiters, and the origin is asked once."""
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.always = status(500, b"down")
        answers = [rig.start(-600, 0) for _ in range(10)]
        rig.origin.release()
        self.assertEqual([self.successResultOf(answer).octets for answer in answers],
                         [b"down"] * 10)
        self.assertEqual(len(rig.origin.requests), 1)

    def test_wider_failed(self) -> None:
        """A narrower request does not fail because another client's wider request was refused."""
        for fault in (status(422), raising(UpstreamTimeout("slow")), having("warnings", ["w"])):
            rig = Rig()
            rig.origin.is_paused = True
            rig.origin.faults = [fault]
            wide, narrow = rig.start(-6000, 0), rig.start(-300, 0)
            wide.addErrback(lambda failure: None)
            rig.origin.release(0)
            self.assertNoResult(narrow)
            rig.origin.release()
            answer = self.successResultOf(narrow)
            self.assertEqual((answer.octets, answer.outcome.failed), (rig.direct(-300, 0), ()))
            self.assertEqual(answer.outcome.fetched,
                             (((NOW - 300) * SECOND_NS, NOW * SECOND_NS),))
            self.assertEqual((rig.held(), rig.fetcher.fetches), ([(-300, 0)], 0))
            self.assertTrue(answer.outcome.stored)
            self.assertEqual(answer.response.headers.get(b"x-origin"), b"fake")

    def test_wider_failed_again(self) -> None:
        """
        After a wider request was refused, a narrower one does not wait for the next wider one.
        """
        rig = Rig()
        rig.origin.is_paused = True
        rig.origin.faults = [status(422), status(422)]
        answers = [rig.start(-6000, 0), rig.start(-3000, 0), rig.start(-300, 0)]
        rig.origin.release()
        rig.origin.release()
        self.assertEqual([self.successResultOf(answer).code for answer in answers],
                         [422, 422, 200])
        self.assertEqual(rig.fetches(), [(-6000, 0), (-3000, 0), (-300, 0)])

    def test_clumsy_dialect(self) -> None:
        """A dialect that stumbles over an answer does not keep it from the client."""
        rig = Rig(dialect=Clumsy())
        answer = rig.ask(-600, 0)
        self.assertEqual((answer.octets, answer.outcome.reason),
                         (rig.direct(-600, 0), Reason.UNDECODABLE))
        self.assertEqual(len(self.flushLoggedErrors(DialectFailed)), 1)

    def test_bugs_are_loud(self) -> None:
        """An error that no fetch may have is not hidden."""
        rig = Rig()
        rig.origin.faults = [raising(KeyError("bug"))]
        self.failureResultOf(rig.start(-600, 0), KeyError)
        self._next_is_fine(rig)


class Clumsy(PrometheusRange):
    """A dialect that has not thought of everything."""

    def decode_response(self, query: TimeRangeQuery, response: Response) -> Dataset:
        """See L{IQueryDialect.decode_response}."""
        raise KeyError("result")
