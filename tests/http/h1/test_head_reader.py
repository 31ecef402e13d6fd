"""Tests of L{trickster.http.h1.head_reader}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.h1.faults import Malformed
from trickster.http.h1.head_reader import HeadLimits, HeadReader
from trickster.http.h1.requests import RequestHead

SMALL = HeadLimits(line=40, block=60, fields=4)
HOST = b"Host: h\r\n"

Found = list[RequestHead | Malformed]


def fed(pieces: list[bytes], limits: HeadLimits = SMALL) -> tuple[Found, bytes]:
    """All heads up to the first malformed one, and what is left after them."""
    reader, found, rest = HeadReader(limits), [], b""
    for piece in pieces:
        data = rest + piece
        rest = b""
        while True:
            result = reader.feed(data)
            if result is None:
                break
            found.append(result)
            if isinstance(result, Malformed):
                return found, b""
            data = reader.rest
            if not data:
                break
    return found, rest


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """The same octets in pieces."""
    edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
    return [octets[a:b] for a, b in pairwise(edges)]


def one(octets: bytes, limits: HeadLimits = SMALL) -> RequestHead | Malformed | None:
    return HeadReader(limits).feed(octets)


def status(octets: bytes, limits: HeadLimits = SMALL) -> int | None:
    found = one(octets, limits)
    return found.status if isinstance(found, Malformed) else None


class ReadingTests(SynchronousTestCase):
    """Finding heads."""

    def test_rest(self) -> None:
        """Octets after a head are left."""
        reader = HeadReader(SMALL)
        self.assertIsInstance(reader.feed(b"GET / HTTP/1.1\r\n" + HOST + b"\r\nbody"), RequestHead)
        self.assertEqual(reader.rest, b"body")

    def test_in_pieces(self) -> None:
        """A head may come octet by octet."""
        octets = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
        found, _ = fed([bytes([octet]) for octet in octets])
        self.assertEqual(found, [one(octets)])

    def test_has_begun(self) -> None:
        """A reader knows whether it holds a part of the next head."""
        reader = HeadReader(SMALL)
        self.assertFalse(reader.has_begun)
        reader.feed(b"GET / HTTP/1.1\r\n")
        self.assertTrue(reader.has_begun)
        reader.feed(HOST + b"\r\n")
        self.assertFalse(reader.has_begun)

    def test_same_fields_again(self) -> None:
        """Equal field blocks give equal fields, with any request line."""
        reader = HeadReader(SMALL)
        first = reader.feed(b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n")
        second = reader.feed(b"GET /b HTTP/1.1\r\n" + HOST + b"\r\n")
        assert isinstance(first, RequestHead) and isinstance(second, RequestHead)
        self.assertEqual((second.target, second.headers), (b"/b", first.headers))

    def test_old_version_with_remembered_fields(self) -> None:
        """A remembered field block is judged by the version of each request line."""
        block = HOST + b"Transfer-Encoding: chunked\r\n\r\n"
        reader = HeadReader(SMALL)
        self.assertIsInstance(reader.feed(b"GET /a HTTP/1.1\r\n" + block), RequestHead)
        self.assertIsInstance(reader.feed(b"GET /a HTTP/1.0\r\n" + block), Malformed)


class EmptyLineTests(SynchronousTestCase):
    """RFC 9112 section 2.2: an empty line before a request."""

    def test_one(self) -> None:
        """A single empty line before a request is ignored."""
        self.assertIsInstance(one(b"\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"), RequestHead)

    def test_two(self) -> None:
        """Two empty lines before a request are malformed."""
        self.assertEqual(status(b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"), 400)

    def test_bare(self) -> None:
        """An empty line without its CR is not ignored."""
        self.assertEqual(status(b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n"), 400)


class EarlyTests(SynchronousTestCase):
    """Octets that cannot become a request are refused before they are a whole head."""

    def test_bare_line_ends(self) -> None:
        """CR alone and LF alone end no line."""
        for octets in (b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\rH", b"GET / HTTP/1.1\r\nHost: h\n",
                       b"GET / HTTP/1.1\r\nHost: h\rx", b"GET / HTTP/1.1\r\n\n"):
            self.assertEqual(status(octets), 400, octets)

    def test_no_text(self) -> None:
        """Octets that do not begin with a method, such as a TLS greeting, are malformed."""
        self.assertEqual(status(b"\x16\x03\x01"), 400)

    def test_http2(self) -> None:
        """The preface of HTTP/2 is refused by its first line."""
        self.assertEqual(status(b"PRI * HTTP/2.0\r\n"), 505)

    def test_old_simple_request(self) -> None:
        """HTTP/0.9 is refused by its first line."""
        self.assertEqual(status(b"GET /\r\n"), 400)


class LimitTests(SynchronousTestCase):
    """Limits hold to the octet."""

    def request(self, line: int, block: int) -> bytes:
        target = b"/" + b"a" * (line - len(b"GET / HTTP/1.1"))
        filler = b"X:" + b"a" * (block - len(HOST) - 4) + b"\r\n"
        return b"GET " + target + b" HTTP/1.1\r\n" + HOST + filler + b"\r\n"

    def test_exactly(self) -> None:
        """A head of exactly the allowed size is taken."""
        self.assertIsInstance(one(self.request(40, 60)), RequestHead)

    def test_line(self) -> None:
        """A request line one octet too long is a 414, also before it is complete."""
        self.assertEqual(status(self.request(41, 60)), 414)
        self.assertEqual(status(b"GET /" + b"a" * 36), 414)
        self.assertIsNone(status(b"GET /" + b"a" * 35))

    def test_block(self) -> None:
        """A field block one octet too long is a 431, also before it is complete."""
        self.assertEqual(status(self.request(40, 61)), 431)
        self.assertEqual(status(b"GET / HTTP/1.1\r\n" + b"X:" + b"a" * 59), 431)
        self.assertIsNone(status(b"GET / HTTP/1.1\r\n" + b"X:" + b"a" * 58))

    def test_count(self) -> None:
        """A head with one field too many is a 431."""
        block = HOST + b"a:\r\n" * 3
        self.assertIsInstance(one(b"GET / HTTP/1.1\r\n" + block + b"\r\n"), RequestHead)
        self.assertEqual(status(b"GET / HTTP/1.1\r\n" + block + b"a:\r\n"), 431)
        self.assertEqual(status(b"GET / HTTP/1.1\r\n" + block + b"a:\r\n\r\n"), 431)

    def test_long_queries(self) -> None:
        """A PromQL query of 64 KiB fits by default."""
        octets = b"GET /?query=" + b"a" * 65536 + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        self.assertIsInstance(one(octets, HeadLimits()), RequestHead)


PIECES = st.sampled_from([
    b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", HOST, b"\r\n", b"\r", b"\n",
    b"GET", b" ", b"/", b"a" * 30, b"x: y\r\n", b"a:\r\n", b"HTTP/2.0", b"HTTP/1.0", b": ", b"\x00",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Expect: x\r\n", b"#",
])


class SegmentationTests(SynchronousTestCase):
    """How the network cuts octets does not matter."""

    @settings(max_examples=500, deadline=None)
    @given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 400), max_size=8))
    @example(b"GET " + b"a" * 40 + b"\r", [])
    @example(b"GET / HTTP/1.1\r\n" + b"a" * 60 + b"\rx", [-1])
    def test_any_cut(self, octets: bytes, places: list[int]) -> None:
        """Pieces of any size give what the whole gives, and so do single octets."""
        whole = fed([octets])
        self.assertEqual(fed(cut(octets, places)), whole)
        self.assertEqual(fed([bytes([octet]) for octet in octets]), whole)
