"""Tests of C{trickster.upstream.health.plan}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from trickster.config.options.backends import HealthCheckOptions
from trickster.messages import Headers, octets_of
from trickster.routes import Probe
from trickster.upstream.health.plan import Expectation, ProbePlan, probe_plan
from trickster.upstream.health.state import Thresholds


class ExpectationTests(SynchronousTestCase):
    """What the response to a probe must be like."""

    def fault(self, expectation: Expectation, status: int = 200, body: bytes = b"ok") -> str:
        """:return: what is wrong with an answer."""
        headers = Headers(((b"X-Role", b"leader"),))
        return expectation.fault(status, headers, body)

    def test_code(self) -> None:
        """The status of a probe's response has to be one of the expected ones."""
        self.assertEqual(self.fault(Expectation((200, 204)), 204), "")
        self.assertEqual(self.fault(Expectation((200, 204)), 500), "status 500, not 200 or 204")

    def test_headers(self) -> None:
        """A probe's response has to have the expected fields with their values."""
        self.assertEqual(self.fault(Expectation(headers=((b"x-role", b"leader"),))), "")
        for pair in ((b"x-role", b"follower"), (b"x-other", b"leader")):
            self.assertIn("header x-", self.fault(Expectation(headers=(pair,))))

    def test_body(self) -> None:
        """The body of a probe's response has to be the expected one, to the octet."""
        self.assertEqual(self.fault(Expectation(body=b"ok")), "")
        self.assertEqual(self.fault(Expectation(body=b"OK")), "the body is not as expected")
        self.assertIn("body", self.fault(Expectation(body=b"")))


class PlanTests(SynchronousTestCase):
    """Probes of origin types, and what the configuration changes of them."""

    PROBE = Probe(b"/api/v1/query?query=up", headers=Headers(((b"Accept", b"*/*"),)))

    def plan(self, **options: Any) -> ProbePlan:
        """:return: the plan with these settings."""
        return probe_plan(self.PROBE, HealthCheckOptions(**options))

    def test_defaults(self) -> None:
        """The probe of the origin type is used where the configuration says nothing."""
        plan = self.plan()
        self.assertEqual((plan.request.method, plan.request.target, plan.interval),
                         (b"GET", b"/api/v1/query?query=up", 0.0))
        self.assertEqual(plan.expectation, Expectation())

    def test_path(self) -> None:
        """A configured path replaces the path and the query of a probe."""
        self.assertEqual(self.plan(path="/-/healthy").request.target, b"/-/healthy")
        self.assertEqual(self.plan(path="healthy", query="x=1").request.target, b"/healthy?x=1")

    def test_query(self) -> None:
        """A configured query keeps the path of a probe; an empty one removes the query."""
        self.assertEqual(self.plan(query="query=1").request.target, b"/api/v1/query?query=1")
        self.assertEqual(self.plan(query="").request.target, b"/api/v1/query")

    def test_message(self) -> None:
        """The method, fields and body of a probe are the configured ones."""
        request = self.plan(verb="post", headers={"accept": "a", "X": "y"}, body="b").request
        self.assertEqual((request.method, octets_of(request.body)), (b"POST", b"b"))
        self.assertEqual(request.headers.pairs, ((b"accept", b"a"), (b"X", b"y")))

    def test_expectation(self) -> None:
        """The expectations of a probe's response are the configured ones."""
        plan = self.plan(expected_codes=(204,), expected_headers={"X-A": "1"}, expected_body="")
        self.assertEqual(plan.expectation, Expectation((204,), ((b"x-a", b"1"),), b""))

    def test_timeout(self) -> None:
        """The timeout is what is configured, however long, and a tenth of a second at least."""
        self.assertEqual([self.plan(timeout=t).timeout for t in (0.01, 5.0, 99.0)],
                         [0.1, 5.0, 99.0])

    def test_not_ascii(self) -> None:
        """Values are sent, and compared, as UTF-8, as those of request_headers are."""
        plan = self.plan(headers={"A": "€"}, expected_headers={"B": "€"})
        self.assertIn((b"A", "€".encode()), plan.request.headers.pairs)
        self.assertEqual(plan.expectation.headers, ((b"b", "€".encode()),))

    def test_times(self) -> None:
        """The interval and thresholds of a plan are the configured ones."""
        plan = self.plan(interval=5.0, failure_threshold=1, recovery_threshold=2)
        self.assertEqual((plan.interval, plan.thresholds), (5.0, Thresholds(1, 2)))
