"""Tests for what the client takes for an answer, octet for octet."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs

from tests.upstream.scripted import (
    OK,
    ClientCase,
    a_client,
    a_request,
    reading,
)
from trickster.errors import (
    Reason,
    UpstreamBroke,
    UpstreamMalformed,
)
from trickster.messages import Headers, Request, Response, octets_of


class StrictTests(ClientCase):
    MALFORMED = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, \r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\nok",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA\x01: b\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b" HTTP/1.1 200 OK\r\n\r\n",
        b"\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
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
            self.assertTrue(self.origin.wire.is_aborted, octets)
            self.at_rest()

    def test_malformed_octet_by_octet(self) -> None:
        """A malformed response stays malformed however its octets are split."""
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

    def test_content_lengths_that_differ_in_spelling(self) -> None:
        """Numbers that are spelled in different ways are not taken for one."""
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 02\r\n\r\nok")
        self.failureResultOf(asked, UpstreamMalformed)

    def test_short_body(self) -> None:
        """A body shorter than announced is an error, after what has come."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        self.origin.wire.closes()
        self.assertEqual(self.successResultOf(reading(response.body)), b"abc")
        self.failureResultOf(reading(response.body), UpstreamBroke)
        self.at_rest()

    def test_unfinished_chunks(self) -> None:
        """A chunked body without its last chunk is broken."""
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
                self.assertTrue(self.origin.wire.is_aborted)
                self.at_rest()

    def test_late_extra_octets(self) -> None:
        """Octets on an unused connection cost that connection."""
        self.answered(OK)
        self.origin.wire.sends(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertTrue(self.origin.wire.is_aborted)
        self.at_rest()

    def test_body_where_none_may_be(self) -> None:
        """The body of a 204, a 304 or a response to HEAD is ignored, and the connection dropped."""
        for method, head in ((b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
                             (b"GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
                             (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")):
            response = self.answered(head + b"body", request=a_request(method))
            self.assertEqual(octets_of(response.body), b"")
            self.assertTrue(self.origin.wire.is_aborted)
            self.at_rest()

    def test_no_content_with_length(self) -> None:
        """A 204 that announces a body has none, and its connection is dropped."""
        response = self.answered(b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n")
        self.assertNotIn(b"content-length", response.headers)
        self.assertTrue(self.origin.wire.is_aborted)

    def test_huge_head(self) -> None:
        """A header larger than the limit is refused, whether or not it ends."""
        self.client = a_client(self.origin, self.clock, max_response_header_bytes=100)
        for end in (b"", b"\r\n\r\n"):
            asked = self.asked()
            self.origin.wire.sends(b"HTTP/1.1 200 OK\r\nA: ", b"b" * 90, end)
            self.failureResultOf(asked, UpstreamMalformed)

    def test_many_fields(self) -> None:
        """A header with more fields than the limit is refused."""
        self.answered(b"HTTP/1.1 204 X\r\n" + b"A: b\r\n" * 1000 + b"\r\n")
        asked = self.asked()
        self.origin.wire.sends(b"HTTP/1.1 204 X\r\n" + b"A: b\r\n" * 1001 + b"\r\n")
        self.failureResultOf(asked, UpstreamMalformed)

    def test_huge_claim(self) -> None:
        """A Content-Length up to 2^63 is a number like any other."""
        response = self.answered(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nabc")
        self.assertEqual(response.body.length, 2 ** 63)
        response.body.close()
        self.at_rest()

    def test_space_before_colon(self) -> None:
        """White space before the colon is removed, as it must be of a response."""
        response = self.answered(b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\nA\t:\tb \r\n\r\nok")
        self.assertEqual(response.headers.pairs, ((b"A", b"b"),))
        self.assertTrue(self.origin.wire.is_aborted)


HELLO = b"Content-Length: 5\r\n\r\nhello"
OK_LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"\r\n5\r\nhello\r\n0\r\n\r\n"


class LenientTests(ClientCase):
    """Answers that are not quite HTTP, and can be taken for one thing only."""

    # What came, and what is said about it; where servers differ about what it is, no cache
    # keeps it.
    TAKEN = (
        (b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "line-feed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\n\r\nhello", "line-feed"),
        (b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\nhello", "line-feed"),
        (b"\r\n" + OK_LINE + HELLO, "blank-line"),
        (b"HTTP/1.10 200 OK\r\n" + HELLO, "version"),
        (b"HTTP/2.0 200 OK\r\n" + HELLO, "version"),
        (b"HTTP/0.9 200 OK\r\n" + HELLO, "version"),
        (b"http/1.1 200 OK\r\n" + HELLO, "version"),
        (b"HTTP/1.1  200 OK\r\n" + HELLO, "status-line"),
        (b"HTTP/1.1\t200 OK\r\n" + HELLO, "status-line"),
        (b"HTTP/1.1 200\tOK\r\n" + HELLO, "status-line"),
        (b"HTTP/1.1 999 Odd\r\n" + HELLO, "status"),
        (b"HTTP/1.1 600 Odd\r\n" + HELLO, "status"),
        (OK_LINE + b"Content-Length : 5\r\n\r\nhello", "space-before-colon"),
        (OK_LINE + b"A: b\r\n c\r\n\td \r\n" + HELLO, "fold"),
        (OK_LINE + b"A(: b\r\n" + HELLO, "field-name"),
        (OK_LINE + b"A\xe4: b\r\n" + HELLO, "field-name"),
        (OK_LINE + b"nothing\r\n" + HELLO, "field-name"),
        (OK_LINE + b"A: b\x01c\x7f\r\n" + HELLO, "control-octet"),
        (b"HTTP/1.1 200 O\x01K\r\n" + HELLO, "control-octet"),
        (OK_LINE + b"Content-Length: 5\r\n" + HELLO, "repeated-length"),
        (OK_LINE + b"Content-Length: 5, 5\r\n\r\nhello", "repeated-length"),
        (OK_LINE + b"Content-Length: 9\r\n" + CHUNKED + CHUNKS, "length-and-coding"),
        (OK_LINE + CHUNKED + b"Content-Length: 5\r\n" + CHUNKS, "length-and-coding"),
        (OK_LINE + CHUNKED + CHUNKED + CHUNKS, "repeated-coding"),
        (OK_LINE + b"Transfer-Encoding: chunked, Chunked\r\n" + CHUNKS, "repeated-coding"),
        (OK_LINE + b"Transfer-Encoding: identity\r\n" + HELLO, "identity-coding"),
        (OK_LINE + b"Transfer-Encoding:\r\n" + HELLO, "identity-coding"),
        (b"HTTP/1.0 200 OK\r\n" + CHUNKED + CHUNKS, "coding-in-http-1.0"),
        (OK_LINE + CHUNKED + b"\r\n5  \r\nhello\r\n0\r\n\r\n", "chunk-padding"),
        (OK_LINE + CHUNKED + b"\r\n5\nhello\n0\n\n", "line-feed"),
        (OK_LINE + CHUNKED + b"\r\n5\r\nhello\r\n0\r\nbad trailer\r\n\r\n", "trailer"),
    )
    NOT_KEPT: ClassVar = {
        "version", "status", "field-name", "length-and-coding", "repeated-coding",
        "identity-coding", "coding-in-http-1.0"}

    def setUp(self) -> None:
        super().setUp()
        self.counted: list[str] = []
        self.client = a_client(self.origin, self.clock)
        self.client.on_lenient = self.counted.append
        self.client.__attrs_post_init__()

    def test_taken(self) -> None:
        """
        A lenient response is read, its connection is not used again, and the deviation is reported
        once.
        """
        for octets, kind in self.TAKEN:
            for portions in ((octets,), tuple(octets[i:i + 1] for i in range(len(octets)))):
                self.counted.clear()
                response = self.answered(*portions)
                self.assertEqual(self.whole(response.body), b"hello", octets)
                self.assertEqual(self.counted, [kind], octets)
                self.assertTrue(self.origin.wire.is_aborted)
                self.at_rest()
                self.assertEqual(response.is_doubtful, kind in self.NOT_KEPT, octets)
                self.assertNotIn(b"content-length", response.headers)

    def test_nothing_to_tell(self) -> None:
        """A response that RFC 9112 allows keeps its connection."""
        for octets in (OK_LINE + HELLO, b"HTTP/1.1 200\r\n" + HELLO, b"HTTP/1.1 200 \r\n" + HELLO,
                       b"HTTP/1.2 200 OK\r\n" + HELLO, OK_LINE + b"A:\r\nB: \xff\r\n" + HELLO,
                       OK_LINE + CHUNKED + CHUNKS, OK_LINE + b"Content-Length: 05\r\n\r\nhello",
                       OK_LINE + b"transfer-encoding: CHUNKED\r\n" + CHUNKS,
                       b"HTTP/1.1 599 Odd\r\n" + HELLO):
            response = self.answered(octets)
            self.assertEqual(self.whole(response.body), b"hello")
            self.assertFalse(response.is_doubtful)
        self.assertEqual(self.counted, [])
        self.assertEqual(len(self.origin.wires), 1)
        self.at_rest(idle=1)

    def test_what_is_passed_on(self) -> None:
        """Folds and control octets become spaces, and fields without a name are left out."""
        response = self.answered(
            OK_LINE + b"A: b\r\n  c\r\n\td \r\nB(: x\r\nC: e\x01f\r\n" + HELLO)
        self.assertEqual(response.headers.pairs, ((b"A", b"b c d"), (b"C", b"e f")))
        self.assertEqual(sorted(self.counted), ["control-octet", "field-name", "fold"])

    def test_interim(self) -> None:
        """An interim answer that is not quite HTTP costs the connection too."""
        self.answered(b"HTTP/1.1 103 Hints\n\n" + OK)
        self.assertEqual(self.counted, ["line-feed"])
        self.assertTrue(self.origin.wire.is_aborted)

    def test_no_second_answer(self) -> None:
        """Octets that follow a lenient response belong to no request."""
        for octets, _ in self.TAKEN:
            self.answered(octets + OK_LINE + b"Content-Length: 4\r\n\r\nevil")
            self.assertTrue(self.origin.wire.is_aborted)
            self.at_rest()

    def test_told_once_a_minute(self) -> None:
        """Deviations are logged at once, and then at most once a minute with their number."""
        with capturedLogs() as logs:
            for _ in range(3):
                self.answered(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
            self.assertEqual([log["kinds"] for log in logs], ["line-feed: 1"])
            self.assertEqual(logs[0]["log_level"].name, "warn")
            self.clock.advance(61)
            self.answered(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n")
            self.assertEqual(logs[1]["kinds"], "line-feed: 2, status: 1")


class InterimTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.seen: list[tuple[int, Headers]] = []

    def request(self) -> Request:
        return a_request(interim=lambda status, headers: self.seen.append((status, headers)))

    def test_relayed(self) -> None:
        """Interim responses are given to callers that want them, as they come."""
        asked = self.asked(self.request())
        self.origin.wire.sends(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n")
        self.assertEqual(self.seen, [(103, Headers(((b"Link", b"</a>"),)))])
        self.assertNoResult(asked)
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)
        self.assertEqual([status for status, _ in self.seen], [103, 102])
        self.assertNotIn(b"link", self.successResultOf(asked).headers)

    def test_not_wanted(self) -> None:
        """Interim responses are dropped where the caller does not want them."""
        response = self.answered(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 X\r\n\r\n" + OK)
        self.assertEqual(response.status, 200)

    def test_cancelled_by_one(self) -> None:
        """A caller may cancel its request when it gets an interim response."""
        asked: Deferred[Response] = Deferred()
        request = a_request(interim=lambda status, headers: asked.cancel())
        asked = self.asked(request)
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" + OK)
        self.failureResultOf(asked, CancelledError)
        self.at_rest()

    def test_flood(self) -> None:
        """The number of interim responses to one request is limited."""
        asked = self.asked(self.request())
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n" * 17)
        self.failureResultOf(asked, UpstreamMalformed)
        self.at_rest()

    def test_closed_after(self) -> None:
        """
        A connection that closes after an interim response gave no response, and is not retried.
        """
        self.answered(OK)
        asked = self.asked(self.request())
        self.origin.wire.sends(b"HTTP/1.1 102 Processing\r\n\r\n")
        self.origin.wire.closes()
        self.failureResultOf(asked, UpstreamBroke)
        self.assertEqual(len(self.origin.wires), 1)
