"""Tests for L{trickster.upstream.client}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from tests.upstream.scripted import OK, ClientCase, a_client, a_request, reading
from trickster.errors import (
    BadRequest,
    Reason,
    RequestError,
    UpstreamBroke,
)
from trickster.interfaces import IResponder
from trickster.messages import Octets, Request, Response, Status, octets_of
from trickster.testing.bodies import PausedBody


class AnswerTests(ClientCase):
    def test_interface(self) -> None:
        """An upstream client provides IResponder."""
        verifyObject(IResponder, self.client)

    def test_request(self) -> None:
        """The origin gets the request, its own name as the host, and no framing."""
        self.asked(a_request(b"GET", b"/a?b=%20", (b"Accept", b"*/*")))
        self.assertEqual(
            self.origin.wire.asked(),
            b"GET /a?b=%20 HTTP/1.1\r\nHost: origin.test:9090\r\nAccept: */*\r\n"
            b"Via: 1.1 trickster\r\n\r\n")

    def test_prefix(self) -> None:
        """The origin's path comes before the request's."""
        self.client = a_client(self.origin, self.clock, "http://origin.test/prom/")
        self.asked(a_request(b"GET", b"/a"))
        self.assertTrue(self.origin.wire.asked().startswith(b"GET /prom/a HTTP/1.1\r\n"))

    def test_small_answer(self) -> None:
        """A response that arrives whole is given with its body in memory."""
        response = self.answered(
            b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nok")
        self.assertEqual((response.status, response.phrase), (200, b"Fine"))
        self.assertEqual(response.headers.pairs, ((b"X-Y", b"z"),))
        self.assertEqual(octets_of(response.body), b"ok")
        self.at_rest(idle=1)

    def test_outcome(self) -> None:
        """The outcome of a response says that it was proxied, and has the origin's status."""
        outcome = self.answered(OK).outcome
        self.assertEqual((outcome.status, outcome.origin_status), (Status.PROXY_ONLY, 200))

    def test_outcome_of_an_error(self) -> None:
        """The origin's errors are answers, named as what they are."""
        response = self.answered(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(response.status, 503)
        self.assertEqual((response.outcome.status, response.outcome.reason),
                         (Status.PROXY_ERROR, Reason.ORIGIN_STATUS))

    def test_redirect(self) -> None:
        """Redirects are for the client to follow."""
        response = self.answered(
            b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual((response.status, response.headers.get(b"location")), (302, b"/x"))

    def test_streamed(self) -> None:
        """A longer response is given as soon as its header has arrived."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        self.assertEqual(response.body.length, 6)
        first = reading(response.body)
        self.assertNoResult(first)
        self.origin.wire.sends(b"abc", b"def")
        self.assertEqual(self.successResultOf(first) + self.whole(response.body), b"abcdef")
        self.at_rest(idle=1)

    def test_chunked(self) -> None:
        """Chunks are taken apart; trailers are dropped."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"3;x=y\r\ndef\r\n0\r\nX-Trailer: 1\r\n\r\n")
        self.assertIsNone(response.body.length)
        self.assertEqual(self.whole(response.body), b"abcdef")
        self.at_rest(idle=1)

    def test_until_close(self) -> None:
        """A body without any length ends with its connection."""
        response = self.answered(b"HTTP/1.0 200 OK\r\n\r\nabc", b"def")
        self.origin.wire.closes()
        self.assertEqual(self.whole(response.body), b"abcdef")
        self.at_rest()

    def test_head(self) -> None:
        """An answer to HEAD has no body and keeps its Content-Length."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
                                 request=a_request(b"HEAD"))
        self.assertEqual(response.headers.get(b"content-length"), b"99")
        self.assertEqual(octets_of(response.body), b"")
        self.at_rest(idle=1)

    def test_not_modified(self) -> None:
        """A 304 has no body, also with a Content-Length."""
        response = self.answered(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")
        self.assertEqual(response.headers.get(b"content-length"), b"99")
        self.at_rest(idle=1)

    def test_kept_connection(self) -> None:
        """The next request goes over the same connection."""
        self.answered(OK)
        self.answered(OK)
        self.assertEqual(len(self.origin.wires), 1)
        self.assertEqual(self.client.stats.opened_total, 1)

    def test_connection_close(self) -> None:
        """A connection that the origin wants to close is not used again."""
        self.answered(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        self.at_rest()
        self.assertTrue(self.origin.wire.is_aborted)

    def test_keeps_none(self) -> None:
        """A client that keeps no connections says so to the origin."""
        self.client = a_client(self.origin, self.clock, max_idle_conns=0)
        asked = self.asked()
        self.assertIn(b"\r\nConnection: close\r\n", self.origin.wire.asked())
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest()


class RetryTests(ClientCase):
    def stale(self, request: Request, came: bytes = b"") -> Deferred[Response]:
        self.answered(OK)
        asked = self.asked(request)
        wire = self.origin.wire
        wire.sends(came)
        wire.resets()
        return asked

    def test_stale_connection(self) -> None:
        """A kept connection that was closed meanwhile costs nothing but a new one."""
        for method in (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"):
            asked = self.stale(a_request(method, b"/again"))
            self.assertTrue(self.origin.wire.asked().startswith(method + b" /again "))
            self.origin.wire.sends(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.successResultOf(asked)
            self.at_rest(idle=1)
        self.assertEqual(len(self.origin.wires), 7)

    def test_with_body(self) -> None:
        """A request whose body is in memory can be sent again."""
        for size in (3, 100_000):
            octets = b"x" * size
            asked = self.stale(a_request(b"PUT", b"/", body=Octets(octets)))
            self.assertTrue(self.origin.wire.asked().endswith(b"\r\n\r\n" + octets))
            self.origin.wire.sends(OK)
            self.successResultOf(asked)

    def test_post(self) -> None:
        """A request that is not idempotent is not sent again."""
        for method in (b"POST", b"PATCH", b"QUERYISH"):
            asked = self.stale(a_request(method, b"/", body=Octets(b"x")))
            self.failureResultOf(asked, UpstreamBroke)
            self.at_rest()

    def test_streamed_body(self) -> None:
        """A request whose body was streamed is not sent again."""
        self.failureResultOf(self.stale(a_request(b"PUT", body=PausedBody())), UpstreamBroke)

    def test_something_came(self) -> None:
        """A request is not sent again once the first octet of a response has come."""
        self.failureResultOf(self.stale(a_request(), b"H"), UpstreamBroke)

    def test_new_connection(self) -> None:
        """A request is not sent again when a new connection is closed."""
        asked = self.asked()
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 1)

    def test_only_once(self) -> None:
        """A request that fails for the second time is not sent a third time."""
        asked = self.stale(a_request())
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.at_rest()

    def test_several_stale(self) -> None:
        """The second attempt takes a new connection even where others are kept."""
        first, second = self.asked(), self.asked()
        for wire in self.origin.wires:
            wire.sends(OK)
        self.successResultOf(first)
        self.successResultOf(second)
        asked = self.asked()
        self.origin.wires[1].resets()
        self.assertEqual(len(self.origin.wires), 3)
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.assertEqual(self.client.stats.active, 0)

    def test_budget(self) -> None:
        """
        Retries are limited to a part of the requests, so that an origin in trouble gets no more
        load.
        """
        for _ in range(100):
            asked = self.stale(a_request())
            if asked.called:
                break
            self.origin.wire.sends(OK)
            self.successResultOf(asked)
        self.failureResultOf(asked, UpstreamBroke)


class RefusedTests(ClientCase):
    def test_bad_targets(self) -> None:
        """A target that could become another request is not sent."""
        for target in (b"", b"a", b"/a b", b"/a\r\nX: y", b"/a\n", b"/\x00", b"/\x7f", b"*",
                       b"http://other/"):
            self.failureResultOf(self.asked(a_request(b"GET", target)), BadRequest)
        self.assertEqual(self.origin.wires, [])

    def test_bad_methods(self) -> None:
        """A method that could become another request is not sent."""
        for method in (b"", b"GET /", b"G\r\nT", b"G\x00T", b"G:T"):
            self.failureResultOf(self.asked(a_request(method)), BadRequest)

    def test_bad_fields(self) -> None:
        """Fields that could become another request are not sent, wherever they come from."""
        for pair in ((b"A", b"b\r\nC: d"), (b"A", b"b\n"), (b"A\r\nB", b"c"), (b"", b"c"),
                     (b"A b", b"c"), (b"A", b"\x00")):
            self.failureResultOf(self.asked(a_request(b"GET", b"/", pair)), BadRequest)

    def test_connect(self) -> None:
        """A CONNECT request is refused, since a reverse proxy opens no tunnels."""
        error = self.failureResultOf(self.asked(a_request(b"CONNECT", b"a:1")), RequestError)
        self.assertEqual(error.value.reason, Reason.METHOD_NOT_ALLOWED)

    def test_last_hop(self) -> None:
        """A request with no hops left is answered by the proxy."""
        asked = self.asked(a_request(b"TRACE", b"/", (b"Max-Forwards", b"0")))
        self.assertEqual(self.successResultOf(asked).status, 200)
        self.asked(a_request(b"TRACE", b"/", (b"Max-Forwards", b"2")))
        self.assertIn(b"\r\nMax-Forwards: 1\r\n", self.origin.wire.asked())

    def test_asterisk(self) -> None:
        """OPTIONS with an asterisk is sent as such."""
        self.asked(a_request(b"OPTIONS", b"*"))
        self.assertTrue(self.origin.wire.asked().startswith(b"OPTIONS * HTTP/1.1\r\n"))
