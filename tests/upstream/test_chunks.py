"""Tests for L{trickster.upstream.chunks}."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamMalformed
from trickster.upstream.chunks import ChunkedReader
from trickster.upstream.leniency import Leniency


def cut(octets: bytes) -> Iterator[bytes]:
    """:return: each octet by itself."""
    return (octets[i:i + 1] for i in range(len(octets)))


class Reference:
    """What llhttp makes of chunks."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_complete = False

    def on_body(self, octets: bytes) -> None:
        if not self.is_complete:
            self.pieces.append(octets)

    def on_message_complete(self) -> None:
        self.is_complete = True


class ChunkTests(SynchronousTestCase):
    def read(self, *portions: bytes, limit: int = 1000) -> tuple[bytes, ChunkedReader]:
        reader = ChunkedReader(limit)
        return b"".join(piece for octets in portions for piece in reader.feed(octets)), reader

    def test_body(self) -> None:
        """Chunks are joined; sizes may have leading zeros and either case."""
        body, reader = self.read(b"00a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")
        self.assertEqual((body, reader.is_complete, reader.has_extra),
                         (b"0123456789" * 2, True, False))

    def test_malformed(self) -> None:
        """What readers may differ about is refused."""
        for octets in (b"\r\n", b"x\r\n", b"-1\r\n", b" 1\r\na", b"1\r\nab", b"1\r\na\r\r",
                       b"1;\r\n", b"1;\x00", b"1\r2", b"0x1\r\n", b"1 2\r\n", b"\n", b"+1\r\n",
                       b"1_0\r\n", b"\xb2\r\n", b"fffffffffffffffff\r\n", b"ffffffffffffffff\r\n",
                       b"0\r\nX: \x00\r\n", b"0\r\n\rX", b"1\r\na1\r\n"):
            self.assertRaises(UpstreamMalformed, self.read, octets)
            self.assertRaises(UpstreamMalformed, self.read, *cut(octets), b"!")

    def test_lenient(self) -> None:
        """What can only be taken for one thing is taken, and told."""
        for octets, kind in (
                (b"5  \r\nhello\r\n0\r\n\r\n", Leniency.CHUNK_PADDING),
                (b"5\t\r\nhello\r\n0 \r\n\r\n", Leniency.CHUNK_PADDING),
                (b"5;a=b \r\nhello\r\n0\r\n\r\n", Leniency.CHUNK_PADDING),
                (b"5\nhello\n0\n\n", Leniency.LINE_FEED),
                (b"2\r\nhe\r\n3\r\nllo\n0\r\n\r\n", Leniency.LINE_FEED),
                (b"5\r\nhello\r\n0\r\n\n", Leniency.LINE_FEED),
                (b"5\r\nhello\r\n0\r\nX\r\n\r\n", Leniency.TRAILER),
                (b"5\r\nhello\r\n0\r\n X: y\r\n\r\n", Leniency.TRAILER)):
            for portions in ((octets,), tuple(cut(octets))):
                body, reader = self.read(*portions)
                self.assertEqual((body, reader.is_complete, reader.has_extra, reader.leniencies),
                                 (b"hello", True, False, {kind}), octets)

    def test_strict(self) -> None:
        """What RFC 9112 knows is nothing to tell."""
        for octets in (b"0005;a\r\nhello\r\n000;b=\"c;\\\"d\"\r\n\r\n",
                       b"5 ; a = b;c\r\nhello\r\n0\r\nX:\r\nY: \xff\r\n\r\n"):
            for portions in ((octets,), tuple(cut(octets))):
                body, reader = self.read(*portions)
                self.assertEqual((body, reader.leniencies), (b"hello", set()))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
    def test_any_cut(self, chunks: list[bytes], data: st.DataObject) -> None:
        """However chunks are cut into portions, the body is theirs, and llhttp's."""
        octets = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
        places = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
        ends = [0, *places, len(octets)]
        body, reader = self.read(*(octets[a:b] for a, b in pairwise(ends)))
        self.assertEqual((body, reader.is_complete, reader.leniencies),
                         (b"".join(chunks), True, set()))
        reference = Reference()
        httptools.HttpResponseParser(reference).feed_data(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + octets)
        self.assertEqual(b"".join(reference.pieces), body)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(
        [b"1", b"5", b"0", b"a", b"hello", b"\r\n", b"\r\n", b"\n", b"\r", b" ", b";", b"\0", b"X: y"]
    ), max_size=12).map(b"".join))
    def test_as_strict_as_the_reference(self, octets: bytes) -> None:
        """What is taken without a word, llhttp takes too; cutting changes nothing."""
        found = []
        for portions in ((octets,), tuple(cut(octets))):
            try:
                body, reader = self.read(*portions)
            except UpstreamMalformed:
                found.append(None)
            else:
                found.append((body, reader.is_complete, reader.leniencies))
        whole, bit_by_bit = found
        if whole is not None:
            self.assertEqual(whole, bit_by_bit)
        if whole is not None and whole[1] and not whole[2]:
            reference = Reference()
            with contextlib.suppress(httptools.HttpParserError):
                httptools.HttpResponseParser(reference).feed_data(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + octets)
            self.assertTrue(reference.is_complete)
            self.assertEqual(b"".join(reference.pieces), whole[0])

    def test_unfinished(self) -> None:
        """Without the last chunk, and the line after it, there is no end."""
        for octets in (b"", b"1", b"1\r\na", b"1\r\na\r\n", b"1\r\na\r\n0\r\n",
                       b"1\r\na\r\n0\r\nX: y\r\n"):
            self.assertFalse(self.read(octets)[1].is_complete)

    def test_extra(self) -> None:
        """What comes after the end is noticed, and is not body."""
        for extra in (b"x", b"HTT", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"):
            for portions in ((b"1\r\na\r\n0\r\n\r\n" + extra,), (b"1\r\na\r\n0\r\n\r\n", extra)):
                body, reader = self.read(*portions)
                self.assertEqual((body, reader.is_complete, reader.has_extra),
                                 (b"a", True, True))

    def test_long_extension(self) -> None:
        """An extension without end is refused."""
        self.assertRaises(UpstreamMalformed, self.read, b"1;" + b"a" * 600, b"a" * 600)

    def test_many_trailers(self) -> None:
        """So are trailers without end."""
        self.assertRaises(UpstreamMalformed, self.read, b"0\r\n", *[b"X-Y: z\r\n"] * 200)

    def test_small_chunks(self) -> None:
        """A body in the smallest chunks is clumsy, and right."""
        body, reader = self.read(*[b"1\r\na\r\n"] * 2000, b"0\r\n\r\n", limit=100)
        self.assertEqual((len(body), reader.is_complete), (2000, True))
