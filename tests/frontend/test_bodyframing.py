"""Tests for L{trickster.frontend.bodyframing}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.frontend.bodyframing import (
    ChunkedFraming,
    CountedFraming,
    MalformedBody,
    framing_of,
)


def fed(pieces: list[bytes]) -> tuple[bytes, bool, bytes] | int:
    """Body, whether it is done, and the rest; or the status of what is wrong."""
    framing, body, rest = ChunkedFraming(), b"", b""
    try:
        for piece in pieces:
            if framing.is_done:
                rest += piece
            else:
                body += b"".join(framing.feed(piece))
                rest = framing.rest
    except MalformedBody as error:
        return error.malformed.status
    return body, framing.is_done, rest


def octet_by_octet(octets: bytes) -> list[bytes]:
    return [bytes([octet]) for octet in octets]


class CountedTests(SynchronousTestCase):
    """A body of a known length."""

    def test_exact(self) -> None:
        """It is done with its last octet."""
        framing = CountedFraming(3)
        self.assertEqual((framing.feed(b"ab"), framing.is_done), ([b"ab"], False))
        self.assertEqual((framing.feed(b"c"), framing.is_done), ([b"c"], True))

    def test_rest(self) -> None:
        """What comes after is none of it."""
        framing = CountedFraming(2)
        self.assertEqual(framing.feed(b"abc"), [b"ab"])
        self.assertEqual(framing.rest, b"c")

    def test_none(self) -> None:
        """A body of no octets is done from the start."""
        self.assertTrue(framing_of(0).is_done)
        self.assertIsInstance(framing_of(None), ChunkedFraming)


class ChunkedTests(SynchronousTestCase):
    """RFC 9112 section 7.1."""

    def test_body(self) -> None:
        """Chunks make the body; what follows the last one's line end is left."""
        self.assertEqual(fed([b"3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\nrest"]),
                         (b"abc0123456789", True, b"rest"))

    def test_incomplete(self) -> None:
        """Without the end it is not done."""
        self.assertEqual(fed([b"3\r\nabc\r\n0\r\n"]), (b"abc", False, b""))

    def test_extensions(self) -> None:
        """They are checked and ignored."""
        for extension in (b";a", b";a=b", b"; a = b ;c", b';a="x;\\"y"', b" ;a", b';a=""'):
            octets = b"1" + extension + b"\r\nx\r\n0" + extension + b"\r\n\r\n"
            self.assertEqual(fed([octets]), (b"x", True, b""), extension)

    def test_trailers(self) -> None:
        """They are checked and dropped."""
        self.assertEqual(fed([b"0\r\na: b\r\nContent-Length: 5\r\n\r\n"]), (b"", True, b""))

    def test_malformed(self) -> None:
        """What two readers might read differently is refused, however it is cut."""
        for octets in (
            b"\r\n", b"g\r\n", b"0x1\r\nx\r\n", b"+1\r\nx\r\n", b"-1\r\nx\r\n", b" 1\r\nx\r\n",
            b"1 \r\nx\r\n", b"1\nx\r\n", b"1\r\nx\n", b"1\r\nxy\r\n", b"1\r\nx0\r\n", b"1\rx",
            b"1\r\nx\rx", b"1;\r\n", b"1;=a\r\n", b"1;a=\r\n", b'1;a="x\r\n', b"1;a b\r\n",
            b"1;a\nb\r\n", b"1;a\x00\r\n", b"1,1\r\n", b"1" * 17 + b"\r\n", b"1_0\r\n",
            b"0\r\n: x\r\n\r\n", b"0\r\na\r\n\r\n", b"0\r\n b: c\r\n\r\n", b"0\r\na : b\r\n\r\n",
            b"0\r\na: b\n\r\n", b"0\r\na: \x00\r\n\r\n", b"0\n\r\n", b"0\r\n\n", b"\xd9\xa1\r\n",
            b"2\r\nabc\r\n", b"0\r\nx\rx",
        ):
            self.assertEqual(fed([octets]), 400, octets)
            self.assertEqual(fed(octet_by_octet(octets)), 400, octets)

    def test_size_line_bounded(self) -> None:
        """A size line that does not end is refused."""
        self.assertEqual(fed([b"1;" + b"a" * 2000]), 400)

    def test_extensions_bounded(self) -> None:
        """Extensions of many chunks may not outgrow the body without limit."""
        chunk = b"1;" + b"a" * 900 + b"\r\nx\r\n"
        self.assertEqual(fed([chunk * 30]), 400)

    def test_trailers_bounded(self) -> None:
        """Nor may trailers."""
        self.assertEqual(fed([b"0\r\n" + b"a: b\r\n" * 65]), 431)
        self.assertEqual(fed([b"0\r\na: " + b"b" * 20000]), 431)
        self.assertEqual(fed([b"0\r\n" + (b"a: " + b"b" * 6000 + b"\r\n") * 3]), 431)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=4),
           st.lists(st.integers(0, 300), max_size=6))
    def test_any_cut(self, chunks: list[bytes], rest: bytes, places: list[int]) -> None:
        """What was chunked comes out again, however it is cut."""
        octets = b"".join(b"%X\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n" + rest
        edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
        pieces = [octets[a:b] for a, b in pairwise(edges)]
        self.assertEqual(fed(pieces), (b"".join(chunks), True, rest))
        self.assertEqual(fed(octet_by_octet(octets)), (b"".join(chunks), True, rest))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from([b"0", b"1", b"a", b";", b"=", b"\r\n", b"\r", b"\n", b"x",
                                     b"1\r\n", b"0\r\n", b":", b" "]), max_size=14).map(b"".join))
    def test_same_verdict(self, octets: bytes) -> None:
        """Broken or not, the cut does not matter."""
        self.assertEqual(fed(octet_by_octet(octets)), fed([octets]))
