"""Tests of how the demo origin is served."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from demo.api import Account, Api, Cost
from demo.origin import OriginResource
from demo.series import standard_catalogue
from tests.demo.doubles import CHEAP, now_clock


class OriginTests(SynchronousTestCase):
    """The demo origin behind Twisted's server."""

    def setUp(self) -> None:
        """Set the clock."""
        self.clock = now_clock()
        self.account = Account()

    def render(self, target: bytes, method: bytes = b"GET", form: bytes = b"",
               cost: Cost = CHEAP) -> Any:
        """:return: the channel that an answer goes to."""
        channel = DummyChannel()
        request = Request(channel, False)
        if form:
            request.requestHeaders.setRawHeaders(
                b"content-type", [b"application/x-www-form-urlencoded"])
        request.gotLength(len(form))
        request.handleContentChunk(form)
        self.resource = OriginResource(
            Api(self.clock, standard_catalogue(), cost), self.account)
        channel.site.getResourceFor = lambda request: self.resource
        self.request = request
        request.requestReceived(method, target, b"HTTP/1.1")
        return channel.transport.written

    def test_get(self) -> None:
        """A response has a status, a type, a length and a body."""
        written = self.render(b"/api/v1/query?query=1%2B1&time=5")
        self.clock.advance(0)
        answer = written.getvalue()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"application/json\r\n", answer)
        body = b'{"status":"success","data":{"resultType":"scalar","result":[5,"2"]}}'
        self.assertIn(b"%d\r\n" % len(body), answer)
        self.assertTrue(answer.endswith(body))

    def test_form(self) -> None:
        """Some or all parameters may come in a form."""
        written = self.render(b"/api/v1/query?time=5", b"POST", b"query=1%2B1")
        self.clock.advance(0)
        self.assertIn(b'"result":[5,"2"]', written.getvalue())

    def test_repeated(self) -> None:
        """A parameter may come more than once."""
        written = self.render(b"/api/v1/series?match[]=up&match%5B%5D=node_load1")
        self.assertIn(b'"up"', written.getvalue())
        self.assertIn(b'"node_load1"', written.getvalue())

    def test_escaped_path(self) -> None:
        """An escaped path is decoded."""
        written = self.render(b"/api/v1/label/%6aob/values")
        self.assertIn(b'["node","shop"]', written.getvalue())

    def test_not_utf8(self) -> None:
        """Parameters that are not UTF-8 are bad_data, not a failure."""
        written = self.render(b"/api/v1/query?query=%ff")
        self.assertIn(b"400 Bad Request", written.getvalue())

    def test_client_gone(self) -> None:
        """A query is cancelled when its client leaves."""
        written = self.render(b"/api/v1/query?query=up", cost=Cost(5.0, 0.0))
        self.request.connectionLost(ConnectionError())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(written.getvalue(), b"")
        self.assertEqual(self.account.queries, 0)
