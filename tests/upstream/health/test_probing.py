"""Tests of C{trickster.upstream.health.probing}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamUnreachable
from trickster.messages import Octets, Request, Response, octets_of
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import PausedOrigin, RecordingResponder, at_once
from trickster.upstream.health.plan import Expectation, ProbePlan
from trickster.upstream.health.probing import HealthCheck
from trickster.upstream.health.state import Health, State, Thresholds


def _status(status: int, body: bytes = b"") -> Response:
    return Response(status, body=Octets(body))


class ProbingTestCase(SynchronousTestCase):
    """Sets up a clock."""

    def setUp(self) -> None:
        """Make lists of what is told."""
        self.clock = Clock()
        self.changes: list[Health] = []
        self.latencies: list[float] = []

    def check(self, origin: Any, **plan: Any) -> HealthCheck:
        """:return: a check of an origin."""
        return HealthCheck("prom", "prometheus", origin, ProbePlan(**plan), self.clock,
                           lambda: 0.5, on_change=self.changes.append,
                           on_latency=self.latencies.append)


class OnDemandTests(ProbingTestCase):
    """A single probe on demand."""

    def fault(self, origin: Any, **plan: Any) -> str:
        """:return: what is wrong with an origin that answers at once."""
        return at_once(self.check(origin, **plan).probe()).fault  # type: ignore[no-any-return]

    def test_good(self) -> None:
        """A probe with the expected response is good."""
        self.assertEqual(self.fault(RecordingResponder.of(_status(200))), "")

    def test_bad(self) -> None:
        """A probe with another response than expected is bad, and says why."""
        self.assertEqual(self.fault(RecordingResponder.of(_status(500))), "status 500, not 200")

    def test_unreachable(self) -> None:
        """A probe of an origin that cannot be reached is bad, and says why."""
        self.assertEqual(self.fault(RecordingResponder.of(UpstreamUnreachable("refused"))),
                         "refused")
        self.assertEqual(self.fault(RecordingResponder.of(UpstreamUnreachable())),
                         "origin-unreachable")

    def test_unforeseen(self) -> None:
        """A probe that fails by a bug is logged, and changes no health."""
        self.assertEqual(self.fault(RecordingResponder.of(ZeroDivisionError())),
                         "ZeroDivisionError")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_body(self) -> None:
        """The body of a probe's response is compared where one is expected."""
        expectation = Expectation(body=b"ok")
        for body, fault in ((b"ok", ""), (b"no", "the body is not as expected")):
            origin = RecordingResponder.of(_status(200, body))
            self.assertEqual(self.fault(origin, expectation=expectation), fault)

    def test_endless_body(self) -> None:
        """An endless body of a probe's response is not read to its end."""
        for expectation in (Expectation(), Expectation(body=b"ok")):
            body = PausedBody()
            body.feed(*[b"x" * (1 << 19)] * 4)
            origin = RecordingResponder.of(Response(200, body=body))
            self.fault(origin, expectation=expectation)
            self.assertTrue(body.is_closed)

    def test_timeout(self) -> None:
        """After the timeout the probe is bad, and the request is given up."""
        origin = PausedOrigin()
        probing = Deferred.fromCoroutine(self.check(origin, timeout=2.0).probe())
        self.clock.advance(2.0)
        self.assertEqual(self.successResultOf(probing).fault, "no answer in 2 s")
        self.assertTrue(origin.asked[0].is_cancelled)

    def test_latency(self) -> None:
        """A probe reports how long it took."""
        origin = PausedOrigin()
        probing = Deferred.fromCoroutine(self.check(origin).probe())
        self.clock.advance(1.5)
        origin.asked[0].answer(_status(200))
        self.assertEqual(self.successResultOf(probing).seconds, 1.5)
        self.assertEqual(self.latencies, [1.5])

    def test_body_again(self) -> None:
        """Each probe is sent with the configured body."""
        origin = RecordingResponder.of(_status(200))
        check = self.check(origin, request=Request(b"POST", b"/", body=Octets(b"ask")))
        for _ in range(2):
            at_once(check.probe())
        self.assertEqual([octets_of(request.body) for request in origin.requests],
                         [b"ask", b"ask"])
        self.assertIsNot(origin.requests[0].body, origin.requests[1].body)

    def test_changes_nothing(self) -> None:
        """A probe on demand does not change the health that is kept."""
        check = self.check(RecordingResponder.of(_status(500)))
        at_once(check.probe())
        self.assertEqual(check.health, Health())


class IntervalTests(ProbingTestCase):
    """Probes at intervals."""

    def setUp(self) -> None:
        """Start to probe an origin that the test answers for."""
        super().setUp()
        self.origin = PausedOrigin()
        self.checking = self.check(self.origin, interval=10.0, thresholds=Thresholds(2, 2))
        self.checking.startService()

    def round(self, status: int) -> None:
        """Let one probe be made, and answered so."""
        self.clock.advance(10.0 + 0.505)
        self.origin.waiting[0].answer(_status(status))

    def test_on_demand_only(self) -> None:
        """A plan without an interval probes nothing by itself."""
        check = self.check(RecordingResponder())
        before = len(self.clock.getDelayedCalls())
        check.startService()
        check.stopService()
        self.assertEqual((len(self.clock.getDelayedCalls()), check.health.state),
                         (before, State.UNCHECKED))

    def test_jitter(self) -> None:
        """The first probe comes after between 10 ms and 1 s."""
        self.assertIs(self.checking.health.state, State.INITIALIZING)
        self.clock.advance(0.5)
        self.assertEqual(len(self.origin.asked), 0)
        self.clock.advance(0.006)
        self.assertEqual(len(self.origin.asked), 1)

    def test_one_at_a_time(self) -> None:
        """A slow probe delays the next one."""
        self.clock.advance(2.9)
        self.clock.advance(0.5)
        self.assertEqual(len(self.origin.asked), 1)

    def test_changes(self) -> None:
        """Each change of health is reported once."""
        for status in (200, 200, 500, 500, 500, 200, 200):
            self.round(status)
        self.assertEqual([health.state for health in self.changes],
                         [State.PASSING, State.FAILING, State.PASSING])

    def test_told(self) -> None:
        """Changes of health are logged with the fault."""
        with capturedLogs() as events:
            for status in (200, 200, 200, 503, 503, 503, 200, 200):
                self.round(status)
        self.assertEqual([(event["log_level"], formatEvent(event)) for event in events], [
            (LogLevel.info, "Backend prom is healthy"),
            (LogLevel.error, "Backend prom is unhealthy: status 503, not 200"),
            (LogLevel.info, "Backend prom is healthy")])

    def test_stop(self) -> None:
        """After the stop no probe is sent, and one under way is cancelled."""
        self.clock.advance(1.0)
        self.checking.stopService()
        self.assertTrue(self.origin.asked[0].is_cancelled)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_between(self) -> None:
        """After a stop between two probes no probe is sent."""
        self.round(200)
        self.checking.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_survives_reload(self) -> None:
        """The health known before is kept when probing begins again."""
        self.round(200)
        self.checking.stopService()
        self.checking.startService()
        self.assertIs(self.checking.health.state, State.PASSING)
