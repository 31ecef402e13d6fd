"""Tests for L{trickster.upstream.client}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.upstream.scripted import (
    PausedBody,
    ScriptedOrigin,
    a_client,
    a_request,
    answering,
    reading,
)
from trickster.errors import (
    BadRequest,
    Overloaded,
    Reason,
    RequestError,
    UpstreamBroke,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from trickster.interfaces import IDuplex, IResponder
from trickster.messages import Headers, Octets, Request, Response, Status, octets_of

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class ClientCase(SynchronousTestCase):
    """A client, its origin and its clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.origin = ScriptedOrigin()
        self.client = a_client(self.origin, self.clock)

    def asked(self, request: Request | None = None) -> Deferred[Response]:
        return answering(self.client, request or a_request())

    def answered(self, *portions: bytes, request: Request | None = None) -> Response:
        asked = self.asked(request)
        self.origin.wire.sends(*portions)
        return self.successResultOf(asked)

    def whole(self, body: Any) -> bytes:
        found = b""
        while octets := self.successResultOf(reading(body)):
            found += octets
        return found

    def at_rest(self, idle: int = 0) -> None:
        stats = self.client.stats
        self.assertEqual((stats.active, stats.idle, stats.waiting), (0, idle, 0))


class AnswerTests(ClientCase):
    def test_interface(self) -> None:
        """It is a responder."""
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
        """An answer that comes whole is here whole, and says so."""
        response = self.answered(
            b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-Y: z\r\n\r\nok")
        self.assertEqual((response.status, response.phrase), (200, b"Fine"))
        self.assertEqual(response.headers.pairs, ((b"X-Y", b"z"),))
        self.assertEqual(octets_of(response.body), b"ok")
        self.at_rest(idle=1)

    def test_outcome(self) -> None:
        """An answer says that it was proxied, and what the origin's status was."""
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
        """A longer answer is given as soon as its head is here."""
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
        """A 304 has no body whatever its Content-Length says."""
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
        self.assertTrue(self.origin.wire.aborted)

    def test_keeps_none(self) -> None:
        """Where no connection is kept, the origin is told."""
        self.client = a_client(self.origin, self.clock, max_idle_conns=0)
        asked = self.asked()
        self.assertIn(b"\r\nConnection: close\r\n", self.origin.wire.asked())
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest()


class StrictTests(ClientCase):
    MALFORMED = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad trailer\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x01c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x7fc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nc: d\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\xe4: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA(: b\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.10 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b" HTTP/1.1 200 OK\r\n\r\n",
        b"<html>hello</html>",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    )

    def test_malformed(self) -> None:
        """What is not one clear response is an error, and its connection is dropped."""
        for octets in self.MALFORMED:
            asked = self.asked()
            self.origin.wire.sends(octets)
            error = self.failureResultOf(asked, UpstreamMalformed).value
            self.assertEqual((error.status, error.reason), (502, Reason.ORIGIN_MALFORMED))
            self.assertTrue(self.origin.wire.aborted, octets)
            self.at_rest()

    def test_malformed_octet_by_octet(self) -> None:
        """How the octets are cut does not make a response clearer."""
        for octets in self.MALFORMED:
            asked = self.asked()
            self.origin.wire.sends(*(octets[i:i + 1] for i in range(len(octets))))
            self.assertTrue(asked.called, octets)
            if not isinstance(getattr(asked, "result", None), Response):
                self.failureResultOf(asked, UpstreamMalformed)
                self.at_rest()
                continue
            # The head was good; then it is the body that says what is wrong.
            body = self.successResultOf(asked).body
            self.assertIsInstance(self.failure_of(body), UpstreamMalformed)
            self.at_rest()

    def failure_of(self, body: Any) -> BaseException:
        while True:
            read = reading(body)
            self.assertTrue(read.called)
            if not isinstance(read.result, bytes):
                return self.failureResultOf(read).value
            self.assertTrue(read.result)

    def test_short_body(self) -> None:
        """A body shorter than announced is an error, after what has come."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        self.origin.wire.closes()
        self.assertEqual(self.successResultOf(reading(response.body)), b"abc")
        self.failureResultOf(reading(response.body), UpstreamBroke)
        self.at_rest()

    def test_unfinished_chunks(self) -> None:
        """Chunks without the last one are not a body."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        self.origin.wire.closes()
        self.assertEqual(self.successResultOf(reading(response.body)), b"abc")
        self.failureResultOf(reading(response.body), UpstreamBroke)

    def test_reset_instead_of_close(self) -> None:
        """A broken connection is no orderly end of a body."""
        response = self.answered(b"HTTP/1.1 200 OK\r\n\r\nabc")
        self.origin.wire.resets()
        self.assertIsInstance(self.failure_of(response.body), UpstreamBroke)

    def test_close_within_head(self) -> None:
        """A connection that is closed within a head gives no answer."""
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-")
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.at_rest()

    def test_extra_octets(self) -> None:
        """Octets after a response cost the connection, not the response."""
        for extra in (b"x", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"):
            for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                         b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"):
                response = self.answered(head + extra)
                self.assertEqual(octets_of(response.body), b"ok")
                self.assertTrue(self.origin.wire.aborted)
                self.at_rest()

    def test_late_extra_octets(self) -> None:
        """Octets on a connection that nobody uses cost that connection."""
        self.answered(OK)
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_body_where_none_may_be(self) -> None:
        """A body of a 204, a 304 or an answer to HEAD is ignored, its connection dropped."""
        for method, head in ((b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
                             (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
                             (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")):
            response = self.answered(head + b"body", request=a_request(method))
            self.assertEqual(octets_of(response.body), b"")
            self.assertTrue(self.origin.wire.aborted)
            self.at_rest()

    def test_no_content_with_length(self) -> None:
        """A 204 that announces a body is not waited for, and its connection not trusted."""
        response = self.answered(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n")
        self.assertNotIn(b"content-length", response.headers)
        self.assertTrue(self.origin.wire.aborted)

    def test_huge_head(self) -> None:
        """A head may not be larger than the limit, whether or not it ends."""
        self.client = a_client(self.origin, self.clock, head_octets=100)
        for end in (b"", b"\r\n\r\n"):
            asked = self.asked()
            self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 90, end)
            self.failureResultOf(asked, UpstreamMalformed)

    def test_many_fields(self) -> None:
        """A head may not have more fields than the limit."""
        self.client = a_client(self.origin, self.clock, head_fields=3)
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4 + b"\r\n")
        self.failureResultOf(asked, UpstreamMalformed)

    def test_huge_claim(self) -> None:
        """A length up to 2^63 is a number like any other."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nabc")
        self.assertEqual(response.body.length, 2 ** 63)
        response.body.close()
        self.at_rest()

    def test_space_before_colon(self) -> None:
        """White space before the colon is removed, as it must be of a response."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\nA\t:\tb \r\n\r\nok")
        self.assertEqual(response.headers.pairs, ((b"A", b"b"),))


class InterimTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[int, Headers]] = []

    def request(self) -> Request:
        return a_request(interim=lambda status, headers: self.seen.append((status, headers)))

    def test_relayed(self) -> None:
        """Interim answers go to whoever wants them, as they come."""
        asked = self.asked(self.request())
        self.origin.wire.sends(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n")
        self.assertEqual(self.seen, [(103, Headers(((b"Link", b"</a>"),)))])
        self.assertNoResult(asked)
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)
        self.assertEqual([status for status, _ in self.seen], [103, 102])
        self.assertNotIn(b"link", self.successResultOf(asked).headers)

    def test_not_wanted(self) -> None:
        """Where nobody wants them they are dropped."""
        response = self.answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\n\r\n" + OK)
        self.assertEqual(response.status, 200)

    def test_cancelled_by_one(self) -> None:
        """Whoever is told of one may go away."""
        asked: Deferred[Response] = Deferred()
        request = a_request(interim=lambda status, headers: asked.cancel())
        asked = self.asked(request)
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)
        self.failureResultOf(asked, CancelledError)
        self.at_rest()

    def test_flood(self) -> None:
        """There is an end to them."""
        asked = self.asked(self.request())
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" * 17)
        self.failureResultOf(asked, UpstreamMalformed)
        self.at_rest()

    def test_closed_after(self) -> None:
        """An interim answer alone is no answer, and no reason to ask again."""
        self.answered(OK)
        asked = self.asked(self.request())
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n")
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 1)


class TimeTests(ClientCase):
    def test_no_answer(self) -> None:
        """An origin that does not answer in time is given up."""
        asked = self.asked()
        self.clock.advance(59.9)
        self.assertNoResult(asked)
        self.clock.advance(0.1)
        error = self.failureResultOf(asked, UpstreamTimeout).value
        self.assertEqual((error.status, error.reason), (504, Reason.ORIGIN_TIMEOUT))
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_endless_head(self) -> None:
        """A head that comes ever so slowly does not get more time."""
        asked = self.asked()
        for _ in range(6):
            self.origin.wire.sends(b"H" if _ == 0 else b"")
            self.clock.advance(10)
        self.failureResultOf(asked, UpstreamTimeout)

    def test_between_reads(self) -> None:
        """Each part of a body may take that long again."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for octets in (b"ab", b"cd"):
            self.clock.advance(59)
            self.origin.wire.sends(octets)
            self.assertEqual(self.successResultOf(reading(response.body)), octets)
        read = reading(response.body)
        self.clock.advance(60)
        self.failureResultOf(read, UpstreamTimeout)
        self.at_rest()

    def test_total(self) -> None:
        """A total time is an end, however well the answer comes on."""
        self.client = a_client(self.origin, self.clock, total_timeout=100.0)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        self.clock.advance(50)
        self.origin.wire.sends(b"ab")
        self.successResultOf(reading(response.body))
        self.clock.advance(50)
        self.failureResultOf(reading(response.body), UpstreamTimeout)

    def test_slow_reader(self) -> None:
        """The origin is not blamed for a client that does not read."""
        self.client = a_client(self.origin, self.clock, buffered_octets=10)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + b"x" * 20)
        self.clock.advance(3600)
        self.assertEqual(self.successResultOf(reading(response.body)), b"x" * 20)
        self.clock.advance(59)
        self.origin.wire.sends(b"x" * 10)
        self.assertEqual(self.whole(response.body), b"x" * 10)

    def test_kept_too_long(self) -> None:
        """A connection that nobody uses is closed in the end."""
        self.answered(OK)
        self.clock.advance(119)
        self.at_rest(idle=1)
        self.clock.advance(1)
        self.at_rest()
        self.assertTrue(self.origin.wire.aborted)

    def test_origin_keeps_it_shorter(self) -> None:
        """A connection is given up a little before the origin said it would."""
        self.answered(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n")
        self.clock.advance(4)
        self.at_rest()
        self.answered(b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n")
        self.at_rest()

    def test_nothing_left(self) -> None:
        """A closed connection leaves nothing with the clock."""
        self.answered(OK)
        self.origin.wire.closes()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FlowTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, buffered_octets=10)

    def test_paused(self) -> None:
        """The connection is not read while nobody reads the body, and is when somebody does."""
        response = self.answered(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10)
        self.assertFalse(self.origin.wire.is_read)
        self.successResultOf(reading(response.body))
        self.assertTrue(self.origin.wire.is_read)

    def test_ends_while_paused(self) -> None:
        """A connection that was paused is kept readable."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", b"x" * 11, b"x")
        self.assertTrue(self.origin.wire.is_read)
        self.at_rest(idle=1)
        self.assertEqual(self.whole(response.body), b"x" * 12)
        self.assertTrue(self.origin.wire.is_read)

    def test_last_part_is_large(self) -> None:
        """The end of a body does not pause a connection that is free again."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", b"x" * 50)
        self.assertTrue(self.origin.wire.is_read)
        self.assertEqual(self.whole(response.body), b"x" * 50)

    def test_close_early(self) -> None:
        """A body that is closed before its end drops the connection."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        response.body.close()
        response.body.close()
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_close_late(self) -> None:
        """A body that has come whole may be closed unread."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"abc")
        response.body.close()
        self.assertFalse(self.origin.wire.aborted)
        self.at_rest(idle=1)

    def test_cancelled_reader(self) -> None:
        """A reader that goes away leaves the body to be closed."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        read = reading(response.body)
        read.cancel()
        self.failureResultOf(read, CancelledError)
        self.origin.wire.sends(b"ab")
        response.body.close()
        self.at_rest()


class UploadTests(ClientCase):
    def test_small(self) -> None:
        """A body that is here goes with the head."""
        self.asked(a_request(b"POST", b"/", body=Octets(b"abc")))
        asked = self.origin.wire.asked()
        self.assertTrue(asked.endswith(b"\r\nContent-Length: 3\r\n\r\nabc"), asked)

    def test_none(self) -> None:
        """A POST without a body says so; a GET does not."""
        self.asked(a_request(b"POST"))
        self.assertIn(b"\r\nContent-Length: 0\r\n", self.origin.wire.asked())
        self.asked(a_request(b"DELETE"))
        self.assertNotIn(b"Content-Length", self.origin.wire.asked())

    def test_large(self) -> None:
        """A large body that is here is sent as the origin takes it."""
        asked = self.asked(a_request(b"PUT", b"/", body=Octets(b"x" * 100_000)))
        self.assertTrue(self.origin.wire.asked().endswith(b"x" * 100_000))
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest(idle=1)

    def test_counted(self) -> None:
        """A body of known length is sent as it is."""
        body = PausedBody(4)
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.assertIn(b"\r\nContent-Length: 4\r\n\r\n", self.origin.wire.asked())
        body.gives(b"ab")
        body.gives(b"cd")
        body.gives(b"")
        self.assertEqual(self.origin.wire.asked(), b"abcd")
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.at_rest(idle=1)

    def test_chunked(self) -> None:
        """A body of unknown length is sent in chunks."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", (b"Content-Length", b"9"), body=body))
        head = self.origin.wire.asked()
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n\r\n", head)
        self.assertNotIn(b"Content-Length", head)
        body.gives(b"x" * 17)
        body.gives(b"")
        self.assertEqual(self.origin.wire.asked(), b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n")
        self.origin.wire.sends(OK)
        self.successResultOf(asked)

    def test_back_pressure(self) -> None:
        """No more is read than the origin takes."""
        body = PausedBody()
        self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.producer.pauseProducing()
        body.gives(b"ab")
        self.assertIsNone(body.waiting)
        self.origin.wire.producer.resumeProducing()
        self.assertIsNotNone(body.waiting)

    def test_origin_that_takes_nothing(self) -> None:
        """An origin that does not take the body in time is given up."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.clock.advance(3600)
        self.assertNoResult(asked)
        self.origin.wire.producer.pauseProducing()
        body.gives(b"ab")
        self.clock.advance(60)
        self.failureResultOf(asked, UpstreamTimeout)
        self.assertEqual(body.closed, 1)
        self.at_rest()

    def test_wrong_length(self) -> None:
        """A body of another length than announced must not become a request."""
        for pieces in ((b"abc", b""), (b"abcde",)):
            body = PausedBody(4)
            asked = self.asked(a_request(b"POST", b"/", body=body))
            for octets in pieces:
                body.gives(octets)
            self.failureResultOf(asked, BadRequest)
            self.assertTrue(self.origin.wire.aborted)
            self.assertNotIn(b"e", self.origin.wire.asked()[-5:])
            self.at_rest()

    def test_sender_fails(self) -> None:
        """What is wrong with the client's body is what the client is told."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.gives(RequestError("too large", Reason.REQUEST_TOO_LARGE, 413))
        self.assertEqual(self.failureResultOf(asked, RequestError).value.status, 413)
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_answer_before_end(self) -> None:
        """An answer before the body's end is an answer; the rest is not sent."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        body.gives(b"ab")
        self.origin.wire.sends(b"HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno")
        self.assertEqual(self.successResultOf(asked).status, 413)
        self.assertEqual((body.cancelled, body.closed), (1, 1))
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_answer_beside_body(self) -> None:
        """A body and the answer to it may go on side by side."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        response = self.successResultOf(asked)
        self.clock.advance(1000)
        self.origin.wire.asked()
        body.gives(b"xy")
        body.gives(b"")
        self.assertEqual(self.origin.wire.asked(), b"2\r\nxy\r\n0\r\n\r\n")
        self.origin.wire.sends(b"cd")
        self.assertEqual(self.whole(response.body), b"abcd")
        self.at_rest(idle=1)

    def test_body_fails_beside_answer(self) -> None:
        """A client's body that fails ends the answer to it as well."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        read = reading(self.successResultOf(asked).body)
        body.gives(RequestError("gone", Reason.CLIENT_GONE))
        self.failureResultOf(read, RequestError)
        self.at_rest()

    def test_origin_closes(self) -> None:
        """An origin that closes without an answer gives none."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual((body.cancelled, body.closed), (1, 1))

    def test_expectation(self) -> None:
        """The frontend answers expectations; the origin is not asked."""
        self.asked(a_request(b"POST", b"/", (b"Expect", b"100-continue"), body=Octets(b"a")))
        self.assertNotIn(b"Expect", self.origin.wire.asked())


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
        """A body that is here can be sent again."""
        for size in (3, 100_000):
            octets = b"x" * size
            asked = self.stale(a_request(b"PUT", b"/", body=Octets(octets)))
            self.assertTrue(self.origin.wire.asked().endswith(b"\r\n\r\n" + octets))
            self.origin.wire.sends(OK)
            self.successResultOf(asked)

    def test_post(self) -> None:
        """What is not idempotent is not sent again."""
        for method in (b"POST", b"PATCH", b"QUERYISH"):
            asked = self.stale(a_request(method, b"/", body=Octets(b"x")))
            self.failureResultOf(asked, UpstreamBroke)
            self.at_rest()

    def test_streamed_body(self) -> None:
        """A body that was read is not there any more."""
        self.failureResultOf(self.stale(a_request(b"PUT", body=PausedBody())), UpstreamBroke)

    def test_something_came(self) -> None:
        """The first octet of an answer is proof that the origin got the request."""
        self.failureResultOf(self.stale(a_request(), b"H"), UpstreamBroke)

    def test_new_connection(self) -> None:
        """A new connection that is closed was closed on purpose."""
        asked = self.asked()
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 1)

    def test_only_once(self) -> None:
        """A second failure is the answer."""
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
        """Retries are few among the requests; an origin in trouble is left alone."""
        self.client = a_client(self.origin, self.clock, retry_ratio=0.0)
        self.failureResultOf(self.stale(a_request()), UpstreamBroke)


class ConnectingTests(ClientCase):
    def test_refused(self) -> None:
        """An origin that refuses is unreachable, and the detail says where and why."""
        self.origin.refusal = ConnectionRefusedError()
        error = self.failureResultOf(self.asked(), UpstreamUnreachable).value
        self.assertEqual((error.status, error.reason), (502, Reason.ORIGIN_UNREACHABLE))
        self.assertIn("origin.test:9090: Connection was refused", error.detail)
        self.assertEqual(self.client.stats.failed_total, 1)
        self.at_rest()

    def test_unknown_name(self) -> None:
        """So is one whose name nobody knows."""
        self.origin.refusal = DNSLookupError("no results")
        error = self.failureResultOf(self.asked(), UpstreamUnreachable).value
        self.assertIn("no results", error.detail)

    def test_no_connection_in_time(self) -> None:
        """One that does not answer in time has timed out."""
        self.origin.hesitates = True
        asked = self.asked()
        self.clock.advance(10)
        error = self.failureResultOf(asked, UpstreamTimeout).value
        self.assertIn("origin.test:9090", error.detail)
        self.assertEqual(self.origin.cancelled, 1)
        self.at_rest()

    def test_next_request(self) -> None:
        """A failure to connect is forgotten with the request it was for."""
        self.origin.refusal = ConnectionRefusedError()
        self.failureResultOf(self.asked(), UpstreamUnreachable)
        self.origin.refusal = None
        self.assertEqual(self.answered(OK).status, 200)

    def test_slow_start(self) -> None:
        """The time to connect is not taken from the time to answer."""
        self.origin.hesitates = True
        asked = self.asked()
        self.clock.advance(9)
        self.origin.accept()
        self.clock.advance(59)
        self.origin.wire.sends(OK)
        self.successResultOf(asked)


class CancelTests(ClientCase):
    def test_while_connecting(self) -> None:
        """A client that goes away stops the attempt to connect."""
        self.origin.hesitates = True
        asked = self.asked()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((self.origin.cancelled, self.client.stats.failed_total), (1, 0))
        self.at_rest()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_while_waiting_for_an_answer(self) -> None:
        """A client that goes away stops the origin's work."""
        asked = self.asked()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_while_uploading(self) -> None:
        """A client that goes away within its body leaves nothing behind."""
        body = PausedBody()
        asked = self.asked(a_request(b"POST", b"/", body=body))
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual((body.cancelled, body.closed), (1, 1))
        self.at_rest()

    def test_while_queueing(self) -> None:
        """A client that goes away loses its place, and nobody else's."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1)
        first, second, third = self.asked(), self.asked(), self.asked()
        self.assertEqual(self.client.stats.waiting, 2)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.origin.wire.sends(OK)
        self.successResultOf(first)
        self.origin.wire.sends(OK)
        self.successResultOf(third)
        self.assertEqual(len(self.origin.wires), 1)
        self.at_rest(idle=1)


class QueueTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=2,
                               queued_requests=1, queue_timeout=5.0)

    def test_bounded(self) -> None:
        """No more connections than allowed are made, and no more requests wait."""
        self.asked(), self.asked(), self.asked()
        self.assertEqual((len(self.origin.wires), self.client.stats.waiting), (2, 1))
        error = self.failureResultOf(self.asked(), Overloaded).value
        self.assertEqual(error.status, 503)

    def test_patience(self) -> None:
        """Who waits too long is told to come back."""
        self.asked(), self.asked()
        third = self.asked()
        self.clock.advance(5)
        self.failureResultOf(third, Overloaded)
        self.assertEqual(self.client.stats.waiting, 0)

    def test_after_a_failure(self) -> None:
        """A connection that breaks makes room for a new one."""
        first = self.asked()
        self.asked()
        third = self.asked()
        self.origin.wires[0].resets()
        self.failureResultOf(first, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 3)
        self.origin.wire.sends(OK)
        self.successResultOf(third)

    def test_idle_bound(self) -> None:
        """No more connections are kept than allowed."""
        self.client = a_client(self.origin, self.clock, max_idle_conns=1)
        asked = [self.asked() for _ in range(3)]
        for wire, waiting in zip(self.origin.wires, asked, strict=True):
            wire.sends(OK)
            self.successResultOf(waiting)
        self.at_rest(idle=1)

    def test_no_bound(self) -> None:
        """Zero means any number."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=0)
        for _ in range(50):
            self.asked()
        self.assertEqual(self.client.stats.active, 50)


class UpgradeTests(ClientCase):
    SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
              b"Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")

    def request(self, protocol: bytes = b"websocket") -> Request:
        return a_request(b"GET", b"/ws", (b"Connection", b"keep-alive, Upgrade"),
                         (b"Upgrade", protocol))

    def upgraded(self, more: bytes = b"") -> Any:
        response = self.answered(self.SWITCH + more, request=self.request())
        self.assertEqual(response.status, 101)
        self.origin.wire.asked()
        return response.body

    def test_request(self) -> None:
        """A wish to upgrade is passed on."""
        self.asked(self.request())
        asked = self.origin.wire.asked()
        self.assertTrue(asked.endswith(b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))

    def test_answer(self) -> None:
        """The answer says what it changes to, and its body goes both ways."""
        response = self.answered(self.SWITCH, request=self.request())
        self.assertEqual(response.headers.pairs, (
            (b"Sec-WebSocket-Accept", b"x"), (b"Connection", b"Upgrade"),
            (b"Upgrade", b"websocket")))
        verifyObject(IDuplex, response.body)

    def test_both_ways(self) -> None:
        """Octets go through in both directions, for as long as it takes."""
        body = self.upgraded(b"first")
        self.assertEqual(self.successResultOf(reading(body)), b"first")
        self.clock.advance(100_000)
        self.successResultOf(Deferred.fromCoroutine(body.write(b"hello")))
        self.assertEqual(self.origin.wire.asked(), b"hello")
        read = reading(body)
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertEqual(self.successResultOf(read), b"HTTP/1.1 200 OK\r\n\r\n")
        self.clock.advance(100_000)
        self.assertEqual(self.client.stats.active, 1)

    def test_back_pressure(self) -> None:
        """Writing waits for an origin that does not read, but not for ever."""
        body = self.upgraded()
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"hello"))
        self.assertNoResult(writing)
        self.origin.wire.producer.resumeProducing()
        self.successResultOf(writing)
        self.origin.wire.producer.pauseProducing()
        writing = Deferred.fromCoroutine(body.write(b"hello"))
        self.clock.advance(60)
        self.failureResultOf(writing, UpstreamBroke)
        self.failureResultOf(reading(body), UpstreamTimeout)
        self.at_rest()

    def test_origin_ends(self) -> None:
        """When the origin has said all, the client may go on."""
        body = self.upgraded()
        self.origin.wire.protocol.readConnectionLost()
        self.assertEqual(self.successResultOf(reading(body)), b"")
        self.successResultOf(Deferred.fromCoroutine(body.write(b"more")))
        self.assertEqual(self.origin.wire.asked(), b"more")
        body.close()
        self.assertTrue(self.origin.wire.disconnecting)
        self.origin.wire.closes()
        self.at_rest()

    def test_client_ends(self) -> None:
        """When the client has said all, the origin may go on."""
        body = self.upgraded()
        body.end()
        self.origin.wire.sends(b"more")
        self.assertEqual(self.successResultOf(reading(body)), b"more")
        self.failureResultOf(Deferred.fromCoroutine(body.write(b"x")), UpstreamBroke)

    def test_close(self) -> None:
        """What was written last is sent, and then the connection closed; in time."""
        body = self.upgraded()
        self.successResultOf(Deferred.fromCoroutine(body.write(b"bye")))
        body.close()
        self.assertTrue(self.origin.wire.disconnecting)
        self.assertFalse(self.origin.wire.aborted)
        self.at_rest()
        self.clock.advance(60)
        self.assertTrue(self.origin.wire.aborted)

    def test_broken(self) -> None:
        """A connection that breaks is an error to both directions."""
        body = self.upgraded()
        self.origin.wire.resets()
        self.failureResultOf(reading(body), UpstreamBroke)
        self.failureResultOf(Deferred.fromCoroutine(body.write(b"x")), UpstreamBroke)
        self.at_rest()

    def test_refused(self) -> None:
        """An origin may answer without upgrading."""
        response = self.answered(OK, request=self.request())
        self.assertEqual((response.status, self.client.stats.idle), (200, 1))

    def test_another_protocol(self) -> None:
        """An upgrade to something nobody asked for is no answer."""
        for answer in (self.SWITCH.replace(b"websocket", b"tls/1.3"),
                       self.SWITCH.replace(b"Connection: Upgrade\r\n", b""),
                       self.SWITCH.replace(b"Upgrade: websocket\r\n", b"")):
            asked = self.asked(self.request())
            self.origin.wire.sends(answer)
            self.failureResultOf(asked, UpstreamMalformed)
            self.at_rest()

    def test_too_early(self) -> None:
        """An upgrade before the request was whole cannot be meant."""
        request = evolve(self.request(), method=b"POST", body=PausedBody())
        asked = self.asked(request)
        self.origin.wire.sends(self.SWITCH)
        self.failureResultOf(asked, UpstreamMalformed)
        self.at_rest()

    def test_http2(self) -> None:
        """HTTP/2 would go past everything that is checked here; it is not offered."""
        self.asked(self.request(b"h2c"))
        self.assertNotIn(b"pgrade", self.origin.wire.asked())


class RefusedTests(ClientCase):
    def test_bad_targets(self) -> None:
        """A target that could become another request is not sent."""
        for target in (b"", b"a", b"/a b", b"/a\r\nX: y", b"/a\n", b"/\x00", b"/\x7f", b"*",
                       b"http://other/"):
            self.failureResultOf(self.asked(a_request(b"GET", target)), BadRequest)
        self.assertEqual(self.origin.wires, [])

    def test_bad_methods(self) -> None:
        """Nor is such a method."""
        for method in (b"", b"GET /", b"G\r\nT", b"G\x00T", b"G:T"):
            self.failureResultOf(self.asked(a_request(method)), BadRequest)

    def test_bad_fields(self) -> None:
        """Nor are such fields, wherever they come from."""
        for pair in ((b"A", b"b\r\nC: d"), (b"A", b"b\n"), (b"A\r\nB", b"c"), (b"", b"c"),
                     (b"A b", b"c"), (b"A", b"\x00")):
            self.failureResultOf(self.asked(a_request(b"GET", b"/", pair)), BadRequest)

    def test_connect(self) -> None:
        """A reverse proxy does not open tunnels."""
        error = self.failureResultOf(self.asked(a_request(b"CONNECT", b"a:1")), RequestError)
        self.assertEqual(error.value.reason, Reason.METHOD_NOT_ALLOWED)

    def test_last_hop(self) -> None:
        """A request that may go no further is answered here."""
        asked = self.asked(a_request(b"TRACE", b"/", (b"Max-Forwards", b"0")))
        self.assertEqual(self.successResultOf(asked).status, 200)
        self.asked(a_request(b"TRACE", b"/", (b"Max-Forwards", b"2")))
        self.assertIn(b"\r\nMax-Forwards: 1\r\n", self.origin.wire.asked())

    def test_asterisk(self) -> None:
        """OPTIONS may be about the whole server."""
        self.asked(a_request(b"OPTIONS", b"*"))
        self.assertTrue(self.origin.wire.asked().startswith(b"OPTIONS * HTTP/1.1\r\n"))


class StopTests(ClientCase):
    def test_idle(self) -> None:
        """Connections that nobody uses are closed."""
        self.answered(OK)
        self.successResultOf(self.client.stop())
        self.assertTrue(self.origin.wire.aborted)
        self.at_rest()

    def test_never_used(self) -> None:
        """Where there is nothing, nothing has to be waited for."""
        self.successResultOf(self.client.stop())

    def test_in_use(self) -> None:
        """What has begun may end; nothing is kept after it."""
        asked = self.asked()
        stopping = self.client.stop()
        self.assertNoResult(stopping)
        self.origin.wire.sends(OK)
        self.successResultOf(asked)
        self.successResultOf(stopping)
        self.at_rest()

    def test_afterwards(self) -> None:
        """No new requests are taken."""
        self.client.stop()
        self.failureResultOf(self.asked(), Overloaded)

    def test_abort(self) -> None:
        """Or everything ends at once."""
        self.client = a_client(self.origin, self.clock, max_concurrent_conns=1)
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        waiting = self.asked()
        stopping = self.client.stop()
        self.client.abort()
        self.failureResultOf(waiting, Overloaded)
        self.failureResultOf(reading(response.body), UpstreamBroke)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])
