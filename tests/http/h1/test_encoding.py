"""Tests of L{trickster.http.h1.encoding}."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import BadRequest
from trickster.http.h1.encoding import (
    BodyFraming,
    UnsendableHead,
    chunk_head,
    encode_fields,
    encode_head,
    has_no_body,
    interim_head,
    response_head,
    upgrade_head,
)
from trickster.messages import Headers, Octets, Outcome, Pair, Response, Status
from trickster.testing.bodies import PausedBody

BYTES = st.binary(max_size=6)
DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"


def head(response: Response, method: bytes = b"GET", version: bytes = b"HTTP/1.1",
         closing: bool = False) -> tuple[list[bytes], BodyFraming]:
    made = response_head(method, version, response, DATE, closing)
    lines = made.octets.split(b"\r\n")
    assert lines[-2:] == [b"", b""]
    return lines[:-2], made.framing


def streamed(status: int = 200, length: int | None = None, *pairs: Pair) -> Response:
    return Response(status, Headers(pairs), PausedBody(length))


class FramingTests(SynchronousTestCase):
    """The end of an answer is framed as RFC 9112 section 6 says."""

    def test_length(self) -> None:
        """A body of known length is framed by it, which no header field may contradict."""
        lines, framing = head(Response(200, Headers(((b"Content-Length", b"9"),)), Octets(b"ab")))
        self.assertEqual(framing, BodyFraming.LENGTH)
        self.assertEqual([line for line in lines if b"Length" in line], [b"Content-Length: 2"])

    def test_empty(self) -> None:
        """An empty body has a length of 0."""
        self.assertIn(b"Content-Length: 0", head(Response(200))[0])

    def test_unknown(self) -> None:
        """A body of unknown length is chunked, but for HTTP/1.0."""
        self.assertEqual(head(streamed())[1], BodyFraming.CHUNKED)
        lines, framing = head(streamed(), version=b"HTTP/1.0")
        self.assertEqual((framing, lines[-1]), (BodyFraming.CLOSE, b"Connection: close"))

    def test_none(self) -> None:
        """An answer whose status or method allows no body ends with its head."""
        for status in (204, 304):
            lines, framing = head(streamed(status))
            self.assertEqual(framing, BodyFraming.NONE)
            self.assertFalse([line for line in lines if b"Length" in line or b"Transf" in line])
        self.assertTrue(has_no_body(b"GET", 101))
        self.assertFalse(has_no_body(b"GET", 205))

    def test_stated_length(self) -> None:
        """The Content-Length of an answer to HEAD, and of a 304, is kept (RFC 9110 section 8.6)."""
        stated = ((b"content-length", b"9"),)
        self.assertIn(b"Content-Length: 9", head(streamed(304, 0, *stated))[0])
        self.assertIn(b"Content-Length: 9", head(streamed(200, 0, *stated), b"HEAD")[0])
        self.assertNotIn(b"Content-Length: 9", head(streamed(204, 0, *stated))[0])

    def test_nonsense_length(self) -> None:
        """A C{Content-Length} that is malformed is left out of the answer to HEAD and of a 304."""
        lines, _ = head(streamed(304, 0, (b"content-length", b"9\r\nx: y")))
        self.assertFalse([line for line in lines if b"x" in line])

    def test_head_of_ours(self) -> None:
        """The answer to HEAD of a body that is there gives the body's length."""
        self.assertIn(b"Content-Length: 2", head(Response(200, body=Octets(b"ab")), b"HEAD")[0])
        self.assertNotIn(b"Content-Length: 0", head(Response(200), b"HEAD")[0])


class FieldTests(SynchronousTestCase):
    """Fields of the head."""

    def test_date(self) -> None:
        """C{Date} is added to an answer that has none (RFC 9110 section 6.6.1)."""
        self.assertIn(b"Date: " + DATE, head(Response(200))[0])
        lines, _ = head(Response(200, Headers(((b"date", b"yesterday"),))))
        self.assertEqual([line for line in lines if line[:4].lower() == b"date"],
                         [b"date: yesterday"])

    def test_hit_again(self) -> None:
        """An answer that is given again has the same head, but for the present date."""
        hit = Response(200, Headers(((b"ETag", b'"x"'), (b"Content-Length", b"9"))), Octets(b"abc"),
                       Outcome(status=Status.HIT))
        for date in (b"Thu, 01 Jan 1970 00:00:00 GMT", b"Thu, 01 Jan 1970 00:00:01 GMT"):
            made = response_head(b"GET", b"HTTP/1.1", hit, date, False)
            self.assertEqual(made.octets, b'HTTP/1.1 200 OK\r\nETag: "x"\r\nDate: %b\r\n'
                             b"Content-Length: 3\r\n\r\n" % date)

    def test_no_server(self) -> None:
        """The origin's C{Server} stays, and none is added."""
        self.assertFalse([line for line in head(Response(200))[0] if line.startswith(b"Server")])
        self.assertIn(b"Server: x", head(Response(200, Headers(((b"Server", b"x"),))))[0])

    def test_hop_by_hop(self) -> None:
        """Hop-by-hop fields of the origin's connection are removed."""
        pairs = tuple((name, b"x") for name in (b"Connection", b"Keep-Alive", b"TE", b"Trailer",
                                                b"Transfer-Encoding", b"Upgrade"))
        self.assertEqual(len(head(Response(200, Headers(pairs)))[0]), 3)

    def test_closing(self) -> None:
        """The last answer on a connection has C{Connection: close}."""
        self.assertEqual(head(Response(200), closing=True)[0][-1], b"Connection: close")

    def test_status_line(self) -> None:
        """The phrase of a status line is the origin's, else the registered one, else empty."""
        for response, expected in [(Response(404), b"HTTP/1.1 404 Not Found"),
                                   (Response(200, phrase=b"Fine"), b"HTTP/1.1 200 Fine"),
                                   (Response(599), b"HTTP/1.1 599 ")]:
            self.assertEqual(head(response)[0][0], expected)

    def test_interim(self) -> None:
        """Interim answers have no date and no length."""
        self.assertEqual(interim_head(103, Headers(((b"Link", b"x"), (b"Connection", b"y")))),
                         b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")

    def test_upgrade(self) -> None:
        """A 101 names the protocol and nothing about a body."""
        response = Response(101, Headers(((b"upgrade", b"websocket"),)))
        self.assertEqual(upgrade_head(response, DATE),
                         b"HTTP/1.1 101 Switching Protocols\r\nDate: " + DATE
                         + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    def test_upgrade_unsendable(self) -> None:
        """An upgrade to a protocol whose name has line ends cannot be sent."""
        response = Response(101, Headers(((b"upgrade", b"a\r\nb: c"),)))
        self.assertRaises(UnsendableHead, upgrade_head, response, DATE)

    def test_text(self) -> None:
        """Fields that are text, or no pairs, are no fields."""
        fields: list[Any] = [("X-A", "1"), (b"X-A", "1"), ("X-A", b"1"), (b"X-A", 1), (1, b"1")]
        for pair in fields:
            self.assertRaises(UnsendableHead, head, Response(200, Headers((pair,))))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.tuples(st.sampled_from([b"a", b"Date", b"b"]),
                              st.lists(st.sampled_from([b"x", b"\r", b"\n", b"\r\n", b": "]),
                                       max_size=3).map(b"".join)), max_size=4))
    def test_never_more_lines(self, pairs: list[Pair]) -> None:
        """A field with line ends is not sent: each field is one line, or there is no head."""
        response = Response(200, Headers(tuple(pairs)))
        is_bad = any(b"\r" in value or b"\n" in value for _, value in pairs)
        if is_bad:
            self.assertRaises(UnsendableHead, head, response)
        else:
            dates = 0 if any(name == b"Date" for name, _ in pairs) else 1
            self.assertEqual(len(head(response)[0]), len(pairs) + dates + 2)


class RequestTests(SynchronousTestCase):
    """Heads of requests."""

    def test_long(self) -> None:
        """The time to find out that a head cannot be sent grows no faster than its length."""
        target = b"/" * (1 << 20)
        self.assertRaises(BadRequest, encode_head, b"GET", target + b" ", b"")
        self.assertRaises(BadRequest, encode_fields, [(b"a ", target)])

    def test_head(self) -> None:
        """A request head is its line, its fields in order, and an empty line."""
        self.assertEqual(encode_head(b"GET", b"/a?b", encode_fields([(b"Host", b"c"), (b"A", b"")])),
                         b"GET /a?b HTTP/1.1\r\nHost: c\r\nA: \r\n\r\n")

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.just(b"GET"), BYTES), st.one_of(st.just(b"/"), BYTES),
           st.lists(st.tuples(st.one_of(st.just(b"A"), BYTES), st.one_of(st.just(b"b"), BYTES)),
                    max_size=3))
    def test_always_one_request(self, method: bytes, target: bytes,
                                fields: list[tuple[bytes, bytes]]) -> None:
        """Of any input, what is sent is one request with just these fields."""
        try:
            octets = encode_head(method, target, encode_fields(fields))
        except BadRequest:
            return
        line, *rest = octets.removesuffix(b"\r\n\r\n").split(b"\r\n")
        self.assertEqual(line.split(b" "), [method, target, b"HTTP/1.1"])
        self.assertEqual([tuple(field.split(b": ", 1)) for field in rest], fields)
        self.assertNotIn(b"\n", octets.replace(b"\r\n", b""))
        self.assertNotIn(b"\r", octets.replace(b"\r\n", b""))
        self.assertNotIn(b"\0", octets)


class ChunkTests(SynchronousTestCase):
    """Sizes of chunks that are sent."""

    def test_head(self) -> None:
        """The size of a chunk is hexadecimal."""
        self.assertEqual(chunk_head(255), b"ff\r\n")
