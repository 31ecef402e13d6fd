"""Tests of L{trickster.middleware.static_response}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.objects.objectworld import fields
from trickster.bodies import read_all
from trickster.errors import Reason
from trickster.interfaces import IResponder
from trickster.messages import Request
from trickster.middleware.static_response import StaticOptions, StaticResponder, StaticType
from trickster.routes import StaticResponse
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import RecordingResponder, at_once
from trickster.testing.middlewares import middleware_contract
from trickster.testing.runtime import FakeRuntime


class StaticResponderTests(SynchronousTestCase):
    """Every request gets the same response."""

    def test_response(self) -> None:
        """A static response has its configured status, fields and body, each time anew."""
        responder = StaticResponder(StaticResponse(200, b"up", fields(Content_Type="text/plain")))
        self.assertTrue(IResponder.providedBy(responder))
        for _ in range(2):
            response = at_once(responder.respond(Request(b"GET", b"/")))
            self.assertEqual((response.status, response.headers.get(b"content-type")),
                             (200, b"text/plain"))
            self.assertEqual(bytes(at_once(read_all(response.body, 9))), b"up")
            self.assertIsNone(response.outcome.reason)

    def test_error(self) -> None:
        """A static response with an error status has the reason C{BLOCKED}."""
        responder = StaticResponder(StaticResponse(403, b""))
        response = at_once(responder.respond(Request(b"GET", b"/")))
        self.assertIs(response.outcome.reason, Reason.BLOCKED)

    def test_request_body(self) -> None:
        """The body of a request is closed unread."""
        body = PausedBody()
        at_once(StaticResponder(StaticResponse(200, b"")).respond(Request(b"POST", b"/", body=body)))
        self.assertTrue(body.is_closed)


class KindTests(middleware_contract(StaticType(), passes=False),  # type: ignore[misc]
                SynchronousTestCase):
    """Static responses keep the contract of middlewares."""

    def test_configured(self) -> None:
        """The middleware's response is the one of its options."""
        options = StaticOptions(403, "no", {"X-A": "1"})
        wrapped = StaticType().wrap(RecordingResponder(), options, FakeRuntime())
        response = at_once(wrapped.respond(Request(b"GET", b"/")))
        self.assertEqual((response.status, response.headers.get(b"x-a")), (403, b"1"))

    def test_refused(self) -> None:
        """A configured status that is not final, or a malformed field, is refused."""
        for said in ({"status": 101}, {"status": 600}, {"headers": {"a b": "1"}},
                     {"headers": {"Connection": "close"}}, {"headers": {"a": "1\r\nb: 2"}}):
            with self.assertRaises(ValueError):
                StaticOptions(**said)  # type: ignore[arg-type]
