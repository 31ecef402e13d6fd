"""Tests of C{trickster.upstream.side_client}."""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.upstream.scripted import ScriptedOrigin
from trickster.errors import (
    Overloaded,
    UpstreamBroke,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.http.origin_url import OriginURL
from trickster.interfaces import IResponder
from trickster.messages import Headers, Octets, Request, Response, octets_of
from trickster.upstream.options import UpstreamOptions
from trickster.upstream.side_client import SideClient

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class SideClientCase(SynchronousTestCase):
    """A client, its service and its clock."""

    def setUp(self) -> None:
        """Have connections come about at once."""
        self.clock = Clock()
        self.origin = ScriptedOrigin()
        self.client = self.made()

    def made(self, url: str = "http://origin.test:9090/prefix", largest: int = 100,
             **options: Any) -> SideClient:
        """:return: a client of a service."""
        return SideClient(OriginURL.parse(url), UpstreamOptions(**options), self.origin,
                          self.clock, largest)

    def asked(self, request: Request | None = None) -> Deferred[Response]:
        """:return: the answer, or the wait for it."""
        asked = request or Request(b"GET", b"/")
        return Deferred.fromCoroutine(self.client.respond(asked))

    def answered(self, *portions: bytes, request: Request | None = None) -> Response:
        """:return: the answer that is made of these octets."""
        asked = self.asked(request)
        self.origin.wire.sends(*portions)
        return self.successResultOf(asked)

    def failed(self, kind: type[Exception], *portions: bytes) -> str:
        """:return: the detail of what such an answer, and the end of the connection, fail with."""
        asked = self.asked()
        self.origin.wire.sends(*portions)
        self.origin.wire.closes()
        return str(self.failureResultOf(asked, kind).value)


class AskingTests(SideClientCase):
    """What a side client sends."""

    def test_provides(self) -> None:
        """A side client provides IResponder."""
        verifyObject(IResponder, self.client)

    def test_spelling(self) -> None:
        """Path and query are sent as spelled, after the prefix of the service."""
        target = b"/api?match[]=a+b&x=%5b|%2B{}\"^`'"
        self.asked(Request(b"GET", target))
        line = self.origin.wire.asked().partition(b"\r\n")[0]
        self.assertEqual(line, b"GET /prefix%b HTTP/1.1" % target)

    def test_fields(self) -> None:
        """The fields of the request are sent, without a request for a content coding."""
        self.asked(Request(b"GET", b"/", Headers(((b"X-Scope", b"a"), (b"X-Scope", b"b")))))
        head = self.origin.wire.asked().lower()
        self.assertEqual(sorted(head.split(b"\r\n")[1:-2]), [
            b"connection: close", b"host: origin.test:9090", b"via: 1.1 trickster",
            b"x-scope: a", b"x-scope: b"])

    def test_method_and_body(self) -> None:
        """The method is sent, and the body whole with its length."""
        self.asked(Request(b"POST", b"/", body=Octets(b"ask")))
        sent = self.origin.wire.asked()
        self.assertTrue(sent.startswith(b"POST /prefix/ HTTP/1.1\r\n"))
        self.assertIn(b"Content-Length: 3\r\n", sent)
        self.assertTrue(sent.endswith(b"\r\n\r\nask"))

    def test_each_by_itself(self) -> None:
        """Each request of a side client has a connection of its own."""
        self.answered(OK)
        self.answered(OK)
        self.assertEqual(len(self.origin.wires), 2)

    def test_no_cookies(self) -> None:
        """A cookie that an answer sets is not sent with the next request."""
        self.answered(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
        self.asked()
        self.assertNotIn(b"ookie", self.origin.wire.asked())


class AnswerTests(SideClientCase):
    """What a side client returns."""

    def test_answer(self) -> None:
        """Status, phrase, fields and body are those of the service's response."""
        response = self.answered(b"HTTP/1.1 404 Gone Fishing\r\nX-A: 1\r\nx-a: 2\r\n"
                                 b"Content-Length: 3\r\n\r\nfoo")
        self.assertEqual((response.status, response.phrase, octets_of(response.body)),
                         (404, b"Gone Fishing", b"foo"))
        self.assertEqual(response.headers.joined(b"x-a"), b"1, 2")

    def test_redirect(self) -> None:
        """A redirect is an answer like any other."""
        response = self.answered(b"HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\n"
                                 b"Content-Length: 0\r\n\r\n")
        self.assertEqual((response.status, len(self.origin.wires)), (302, 1))

    def test_coded(self) -> None:
        """A coded body stays coded, and the field that says so is there."""
        coded = gzip.compress(b"x" * 50)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                                 b"Content-Length: %d\r\n\r\n%b" % (len(coded), coded))
        self.assertEqual((octets_of(response.body), response.headers.get(b"content-encoding")),
                         (coded, b"gzip"))

    def test_no_coding(self) -> None:
        """A response without a content coding has no Content-Encoding."""
        self.assertIsNone(self.answered(OK).headers.get(b"content-encoding"))

    def test_chunks(self) -> None:
        """A chunked body is read to its end."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")
        self.assertEqual(octets_of(response.body), b"abc")

    def test_until_the_end(self) -> None:
        """A body without a length ends with the connection."""
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n", b"abc")
        self.assertNoResult(asked)
        self.origin.wire.closes()
        self.assertEqual(octets_of(self.successResultOf(asked).body), b"abc")

    def test_endless_body(self) -> None:
        """A body above the limit is cut soon after that, and its connection closed."""
        response = self.answered(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100, b"y", b"z" * 1000)
        self.assertEqual(octets_of(response.body), b"x" * 100 + b"y")
        self.assertTrue(self.origin.wire.disconnecting)

    def test_endless_head(self) -> None:
        """A header above the limit is malformed, and its connection is closed."""
        self.client = self.made(max_response_header_bytes=200)
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n", *[b"X-A: 0123456789\r\n"] * 20)
        failure = self.failureResultOf(asked, UpstreamMalformed)
        self.assertIn("head larger", str(failure.value))
        self.assertFalse(self.origin.wire.is_open)

    def test_large_answer(self) -> None:
        """The limit of the header does not apply to the body."""
        self.client = self.made(largest=1000, max_response_header_bytes=60)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x" * 900)
        self.assertEqual(response.body.length, 900)

    def test_large_portion(self) -> None:
        """
        The limit of the header does not refuse a large body that arrives together with its header.
        """
        self.client = self.made(largest=1000, max_response_header_bytes=60)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 900)
        self.assertEqual(response.body.length, 900)


class FailureTests(SideClientCase):
    """How a side client fails."""

    def test_refused(self) -> None:
        """A connection that is refused gives an error with the address and the reason."""
        self.origin.refusal = ConnectionRefusedError("no")
        failure = self.failureResultOf(self.asked(), UpstreamUnreachable)
        self.assertIn("origin.test:9090: Connection was refused", str(failure.value))

    def test_unknown_name(self) -> None:
        """A name that cannot be looked up gives an error in the words of the lookup."""
        self.origin.refusal = DNSLookupError("there is no such name")
        failure = self.failureResultOf(self.asked(), UpstreamUnreachable)
        self.assertIn("there is no such name", str(failure.value))

    def test_slow_connection(self) -> None:
        """A connection that takes too long is given up."""
        self.client = self.made(connect_timeout=2.0)
        self.origin.hesitates = True
        asked = self.asked()
        self.clock.advance(1.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        self.failureResultOf(asked, UpstreamTimeout)
        self.assertEqual((self.origin.cancelled, self.clock.getDelayedCalls()), (1, []))

    def test_no_answer(self) -> None:
        """A connection that closes before or within a response fails as broken."""
        for portions in ((), (b"HTTP/1.1 200",), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na",),
                         (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na",)):
            self.assertIn("closed the connection", self.failed(UpstreamBroke, *portions))

    def test_broken_at_the_end(self) -> None:
        """The end of a connection that breaks is not the end of a body (RFC 9112 section 8)."""
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n", b"ab")
        self.origin.wire.resets()
        failure = self.failureResultOf(asked, UpstreamBroke)
        self.assertIn("closed the connection", str(failure.value))

    def test_broken_after_the_end(self) -> None:
        """A response that is complete is given even if its connection breaks afterwards."""
        for portions in ((OK,), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                 b"2\r\nok\r\n0\r\n\r\n")):
            asked = self.asked()
            self.origin.wire.sends(*portions)
            self.origin.wire.resets()
            self.assertEqual(octets_of(self.successResultOf(asked).body), b"ok")

    def test_no_http(self) -> None:
        """A response that is not HTTP is an error that says so."""
        self.assertNotEqual(self.failed(UpstreamMalformed, b"SSH-2.0-OpenSSH\r\n\r\n"), "")


class EndTests(SideClientCase):
    """How a side client closes its connections."""

    def at_rest(self) -> None:
        """Assert that no connection and no timer is left."""
        self.assertEqual([wire.is_open for wire in self.origin.wires if not wire.disconnecting],
                         [False] * sum(not wire.disconnecting for wire in self.origin.wires))
        self.assertEqual((self.clock.getDelayedCalls(), self.client._open), ([], set()))

    def test_orderly(self) -> None:
        """After a response the connection is closed in an orderly way."""
        self.answered(OK)
        wire = self.origin.wire
        self.assertEqual((wire.disconnecting, wire.is_aborted), (True, False))
        wire.closes()
        self.at_rest()

    def test_peer_that_stays(self) -> None:
        """A connection that the service does not close is closed by the client soon."""
        self.answered(OK)
        self.clock.advance(1.0)
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_cancelled(self) -> None:
        """A request can be cancelled while connecting, waiting, and in the header or body."""
        for portions in (None, (), (b"HTTP/1.1 200 OK\r\nX",),
                         (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na",)):
            self.origin.hesitates = portions is None
            asked = self.asked()
            if portions is not None:
                self.origin.wire.sends(*portions)
            asked.cancel()
            self.failureResultOf(asked, CancelledError)
            if portions is not None:
                self.assertTrue(self.origin.wire.is_aborted)
            self.at_rest()
        self.assertEqual(self.origin.cancelled, 1)

    def test_stop(self) -> None:
        """The stop cancels requests, closes lingering connections, and refuses new requests."""
        self.answered(OK)
        asked = self.asked()
        self.successResultOf(self.client.stop())
        self.failureResultOf(asked, Overloaded)
        self.failureResultOf(self.asked(), Overloaded)
        self.assertEqual([wire.is_aborted for wire in self.origin.wires], [True, True])
        self.at_rest()
