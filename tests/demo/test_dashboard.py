"""Tests of the simulated dashboard, against the demo origin in memory."""

from __future__ import annotations

import json
from typing import Any

from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from twisted.web.resource import Resource
from zope.interface import implementer

from demo.api import Account, Api, Cost
from demo.dashboard import (
    CONNECTIONS,
    Dashboard,
    Panel,
    PanelAnswer,
    Refresh,
    Window,
    standard_panels,
)
from demo.origin import OriginResource
from demo.series import standard_catalogue
from tests.demo.doubles import CHEAP, NOW, now_clock

WINDOW = Window.ending(NOW, 600, 15)


class WindowTests(SynchronousTestCase):
    """The windows that a dashboard shows."""

    def test_ends_on_the_grid(self) -> None:
        """The window ends at the newest multiple of the step, and is as long as it should be."""
        self.assertEqual(Window.ending(1007.9, 600, 15), Window(405, 1005, 15))

    def test_both_ends_on_the_grid(self) -> None:
        """A span that is no multiple of the step is cut to one."""
        self.assertEqual(Window.ending(1005, 100, 15), Window(915, 1005, 15))

    def test_params(self) -> None:
        """A panel's query has the window's ends and step."""
        self.assertEqual(Window(15, 30, 15).params(Panel("t", "up")), [
            ("query", "up"), ("start", "15"), ("end", "30"), ("step", "15")])


@implementer(IBodyProducer)
class _AtOnce:
    """A form that is sent without a cooperator, which would need a reactor."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.length = len(octets)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        """:return: has fired."""
        consumer.write(self._octets)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is over already."""

    def resumeProducing(self) -> None:
        """It is over already."""

    def stopProducing(self) -> None:
        """It is over already."""


class RefreshTests(SynchronousTestCase):
    """Refreshes of a dashboard."""

    def setUp(self) -> None:
        """Put an origin that takes its time behind a client in memory."""
        self.clock = now_clock()
        self.account = Account()
        self.done = 0

    def answered(self) -> None:
        """Count panels."""
        self.done += 1

    def refresh(self, cost: Cost, panels: tuple[Panel, ...]) -> tuple[Any, Deferred[Refresh]]:
        """:return: the wire, and what fires with the answers."""
        api = Api(self.clock, standard_catalogue(), cost)
        agent = RequestTraversalAgent(OriginResource(api, self.account))
        dashboard = Dashboard(self.clock, HTTPClient(agent, None, _AtOnce), "http://origin",
                              panels)
        return agent, Deferred.fromCoroutine(dashboard.refresh(WINDOW, self.answered))

    def refreshed(self, *panels: Panel) -> Refresh:
        """:return: the answers of an origin that takes no time."""
        agent, refreshing = self.refresh(CHEAP, panels)
        self.flush(agent, 0)
        return self.successResultOf(refreshing)

    def flush(self, agent: Any, seconds: float) -> None:
        """Let time pass, and octets flow before and after."""
        agent.flush()
        self.clock.advance(seconds)
        agent.flush()

    def test_standard_panels_have_data(self) -> None:
        """The origin understands all of the standard panels and has series for them."""
        agent, refreshing = self.refresh(CHEAP, standard_panels())
        for _ in range(5):
            self.flush(agent, 0)
        for answer in self.successResultOf(refreshing).answers:
            self.assertEqual(answer.status, 200, answer.body)
            for row in json.loads(answer.body)["data"]["result"]:
                self.assertEqual(len(row["values"]), 41)
        self.assertEqual(self.done, len(standard_panels()))

    def test_forms_ask_the_same(self) -> None:
        """A query sent as a form has the result of the same query string."""
        one, other = self.refreshed(
            Panel("t", "avg(node_load1)"), Panel("t", "avg(node_load1)", is_form=True)).answers
        self.assertEqual(one, other)

    def test_points_are_counted(self) -> None:
        """The origin counts the points that a refresh requests."""
        self.refreshed(Panel("t", "up"))
        self.assertEqual(self.account.points, 2 * 41)

    def test_errors_are_answers(self) -> None:
        """An error response is what a panel shows."""
        (answer,) = self.refreshed(Panel("t", "up)")).answers
        self.assertEqual(answer.status, 400)

    def test_time(self) -> None:
        """A refresh takes until its last panel is answered."""
        agent, refreshing = self.refresh(Cost(2.0, 0.0), (Panel("t", "up"),))
        self.flush(agent, 2.0)
        self.assertAlmostEqual(self.successResultOf(refreshing).seconds, 2.0)

    def test_connections(self) -> None:
        """A dashboard requests no more panels at once than a browser would."""
        panels = (Panel("t", "up"),) * (CONNECTIONS + 1)
        agent, refreshing = self.refresh(Cost(2.0, 0.0), panels)
        self.flush(agent, 2.0)
        self.assertNoResult(refreshing)
        self.assertEqual(self.done, CONNECTIONS)
        self.flush(agent, 2.0)
        self.successResultOf(refreshing)

    def test_cancelled(self) -> None:
        """A refresh that is cancelled is no refresh with failures."""
        agent, refreshing = self.refresh(Cost(2.0, 0.0), (Panel("t", "up"),) * 7)
        agent.flush()
        refreshing.cancel()
        self.failureResultOf(refreshing, CancelledError)
        agent.flush()
        self.assertEqual(self.done, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_patience(self) -> None:
        """A response that does not come within the timeout is given up."""
        agent, refreshing = self.refresh(Cost(3600.0, 0.0), (Panel("t", "up"),))
        self.flush(agent, 61)
        (answer,) = self.successResultOf(refreshing).answers
        self.assertEqual(answer.status, 0)
        self.assertIn("Timeout", answer.failure)


class _Refusing:
    """An agent that never reaches a server."""

    def request(self, *args: object, **kwargs: object) -> Deferred[Any]:
        """:return: has failed."""
        return fail(ConnectionRefusedError())


class _Labelled(Resource):
    """Answers with a result header."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """:return: nothing."""
        request.setHeader(b"x-trickster-result", b"engine=DeltaProxyCache; status=hit")
        return b""


class AnswerTests(SynchronousTestCase):
    """Single responses to a panel."""

    def ask(self, agent: Any) -> PanelAnswer:
        """:return: the answer to one panel."""
        dashboard = Dashboard(Clock(), HTTPClient(agent), "http://origin", (Panel("t", "up"),))
        refreshing = Deferred.fromCoroutine(dashboard.refresh(WINDOW, lambda: None))
        if isinstance(agent, RequestTraversalAgent):
            agent.flush()
        return self.successResultOf(refreshing).answers[0]

    def test_unreachable(self) -> None:
        """A server that cannot be reached gives a failure, in words."""
        answer = self.ask(_Refusing())
        self.assertEqual((answer.status, answer.body), (0, b""))
        self.assertIn("ConnectionRefusedError", answer.failure)

    def test_result_header(self) -> None:
        """The result header of Trickster is kept with the response."""
        answer = self.ask(RequestTraversalAgent(_Labelled()))
        self.assertEqual(answer.result, "engine=DeltaProxyCache; status=hit")
