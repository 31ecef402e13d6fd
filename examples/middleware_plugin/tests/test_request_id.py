"""Tests of C{trickster_request_id}."""

from trickster_request_id import Options, request_id
from twisted.trial.unittest import SynchronousTestCase

from trickster.messages import Request
from trickster.testing.doubles import at_once
from trickster.testing.middlewares import middleware_contract


class RequestIdTests(middleware_contract(request_id, Options("X-Name")), SynchronousTestCase):
    """Requests have names, and the middleware does what every one does."""

    def test_named(self):
        """Origin and client are told the same name, and another one each time."""
        self.runtime.drawn[:] = [0.25, 0.5]
        responder = self.wrapped()
        told = [at_once(responder.respond(Request(b"GET", b"/"))).headers.get(b"x-name")
                for _ in range(2)]
        asked = [request.headers.get(b"x-name") for request in self.inner.requests]
        self.assertEqual(told, [b"4000000000000000", b"8000000000000000"])
        self.assertEqual(asked, told)
