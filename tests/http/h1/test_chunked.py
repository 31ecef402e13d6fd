"""Tests of L{trickster.http.h1.chunked}, in both roles."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.h1.chunked import ChunkedReader, ChunkLimits
from trickster.http.h1.faults import MalformedBody
from trickster.http.h1.framing import request_body_reader
from trickster.http.h1.leniency import Leniency


def cut(octets: bytes) -> Iterator[bytes]:
    """:return: each octet by itself."""
    return (octets[i:i + 1] for i in range(len(octets)))


def fed(pieces: Iterable[bytes]) -> tuple[bytes, bool, bytes] | int:
    """:return: body, whether it is done, and the rest; or the status of what is wrong."""
    reader, body = request_body_reader(None), b""
    try:
        for piece in pieces:
            body += b"".join(reader.feed(piece))
    except MalformedBody as error:
        return error.malformed.status
    return body, reader.is_done, reader.rest


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


class ClientTests(SynchronousTestCase):
    """Chunks of responses, of which all is taken that can mean one thing only."""

    def read(self, *portions: bytes, limit: int = 1000) -> tuple[bytes, ChunkedReader]:
        reader = ChunkedReader(ChunkLimits.all_within(limit), is_lenient=True)
        return b"".join(piece for octets in portions for piece in reader.feed(octets)), reader

    def test_body(self) -> None:
        """Chunks are joined; sizes may have leading zeros and either case."""
        body, reader = self.read(b"00a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")
        self.assertEqual((body, reader.is_done, bool(reader.rest)),
                         (b"0123456789" * 2, True, False))

    def test_malformed(self) -> None:
        """A chunked body about which readers may differ is refused."""
        for octets in (b"\r\n", b"x\r\n", b"-1\r\n", b" 1\r\na", b"1\r\nab", b"1\r\na\r\r",
                       b"1;\r\n", b"1;\x00", b"1\r2", b"0x1\r\n", b"1 2\r\n", b"\n", b"+1\r\n",
                       b"1_0\r\n", b"\xb2\r\n", b"fffffffffffffffff\r\n", b"ffffffffffffffff\r\n",
                       b"0\r\nX: \x00\r\n", b"0\r\n\rX", b"1\r\na1\r\n"):
            self.assertRaises(MalformedBody, self.read, octets)
            self.assertRaises(MalformedBody, self.read, *cut(octets), b"!")

    def test_lenient(self) -> None:
        """A chunked body that can mean one thing only is read, and its leniency is noted."""
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
                self.assertEqual((body, reader.is_done, bool(reader.rest), reader.leniencies),
                                 (b"hello", True, False, {kind}), octets)

    def test_strict(self) -> None:
        """A chunked body in a spelling of RFC 9112 needs no leniency."""
        for octets in (b"0005;a\r\nhello\r\n000;b=\"c;\\\"d\"\r\n\r\n",
                       b"5 ; a = b;c\r\nhello\r\n0\r\nX:\r\nY: \xff\r\n\r\n"):
            for portions in ((octets,), tuple(cut(octets))):
                body, reader = self.read(*portions)
                self.assertEqual((body, reader.leniencies), (b"hello", set()))

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
    def test_any_cut(self, chunks: list[bytes], data: st.DataObject) -> None:
        """A body is the one that llhttp reads, however its chunks are cut into portions."""
        octets = b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
        places = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=6)))
        ends = [0, *places, len(octets)]
        body, reader = self.read(*(octets[a:b] for a, b in pairwise(ends)))
        self.assertEqual((body, reader.is_done, reader.leniencies),
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
        """A body read without leniency is read by llhttp as the same, however it is cut."""
        found = []
        for portions in ((octets,), tuple(cut(octets))):
            try:
                body, reader = self.read(*portions)
            except MalformedBody:
                found.append(None)
            else:
                found.append((body, reader.is_done, reader.leniencies))
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
        """A chunked body has no end before its last chunk, and the line after that."""
        for octets in (b"", b"1", b"1\r\na", b"1\r\na\r\n", b"1\r\na\r\n0\r\n",
                       b"1\r\na\r\n0\r\nX: y\r\n"):
            self.assertFalse(self.read(octets)[1].is_done)

    def test_extra(self) -> None:
        """Octets after the end of a chunked body are noticed, and are not part of the body."""
        for extra in (b"x", b"HTT", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"):
            for portions in ((b"1\r\na\r\n0\r\n\r\n" + extra,), (b"1\r\na\r\n0\r\n\r\n", extra)):
                body, reader = self.read(*portions)
                self.assertEqual((body, reader.is_done, bool(reader.rest)),
                                 (b"a", True, True))

    def test_long_extension(self) -> None:
        """An extension without end is refused."""
        self.assertRaises(MalformedBody, self.read, b"1;" + b"a" * 600, b"a" * 600)

    def test_many_trailers(self) -> None:
        """Trailers without end are refused."""
        self.assertRaises(MalformedBody, self.read, b"0\r\n", *[b"X-Y: z\r\n"] * 200)

    def test_small_chunks(self) -> None:
        """A body in chunks of one octet is read as any other."""
        body, reader = self.read(*[b"1\r\na\r\n"] * 2000, b"0\r\n\r\n", limit=100)
        self.assertEqual((len(body), reader.is_done), (2000, True))


class ServerTests(SynchronousTestCase):
    """Chunks of requests, of which nothing is taken but what RFC 9112 section 7.1 knows."""

    def test_body(self) -> None:
        """Chunks make the body; what follows the last one's line end is left."""
        self.assertEqual(fed([b"3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\nrest"]),
                         (b"abc0123456789", True, b"rest"))

    def test_incomplete(self) -> None:
        """A chunked body is not done before the line end after its last chunk."""
        self.assertEqual(fed([b"3\r\nabc\r\n0\r\n"]), (b"abc", False, b""))

    def test_extensions(self) -> None:
        """Chunk extensions are checked and ignored."""
        for extension in (b";a", b";a=b", b"; a = b ;c", b';a="x;\\"y"', b" ;a", b';a=""'):
            octets = b"1" + extension + b"\r\nx\r\n0" + extension + b"\r\n\r\n"
            self.assertEqual(fed([octets]), (b"x", True, b""), extension)

    def test_trailers(self) -> None:
        """Trailer fields are checked and dropped."""
        self.assertEqual(fed([b"0\r\na: b\r\nContent-Length: 5\r\n\r\n"]), (b"", True, b""))

    def test_malformed(self) -> None:
        """A body that two readers might read differently is refused, however it is cut."""
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
            self.assertEqual(fed(cut(octets)), 400, octets)

    def test_size_line_bounded(self) -> None:
        """A size line that does not end is refused."""
        self.assertEqual(fed([b"1;" + b"a" * 2000]), 400)

    def test_extensions_bounded(self) -> None:
        """Extensions of many chunks may not outgrow the body without limit."""
        chunk = b"1;" + b"a" * 900 + b"\r\nx\r\n"
        self.assertEqual(fed([chunk * 30]), 400)

    def test_trailers_bounded(self) -> None:
        """Trailers may not outgrow the body without limit."""
        self.assertEqual(fed([b"0\r\n" + b"a: b\r\n" * 65]), 431)
        self.assertEqual(fed([b"0\r\na: " + b"b" * 20000]), 431)
        self.assertEqual(fed([b"0\r\n" + (b"a: " + b"b" * 6000 + b"\r\n") * 3]), 431)

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(max_size=4),
           st.lists(st.integers(0, 300), max_size=6))
    def test_any_cut(self, chunks: list[bytes], rest: bytes, places: list[int]) -> None:
        """A body that was chunked is read as it was, however its chunks are cut."""
        octets = b"".join(b"%X\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n" + rest
        edges = sorted({0, len(octets), *(place % (len(octets) + 1) for place in places)})
        pieces = [octets[a:b] for a, b in pairwise(edges)]
        self.assertEqual(fed(pieces), (b"".join(chunks), True, rest))
        self.assertEqual(fed(cut(octets)), (b"".join(chunks), True, rest))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from([b"0", b"1", b"a", b";", b"=", b"\r\n", b"\r", b"\n", b"x",
                                     b"1\r\n", b"0\r\n", b":", b" "]), max_size=14).map(b"".join))
    def test_same_verdict(self, octets: bytes) -> None:
        """Whether a chunked body is malformed does not depend on how it is cut."""
        self.assertEqual(fed(cut(octets)), fed([octets]))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.sampled_from(
        [b"1", b"5", b"0", b"a", b"hello", b"\r\n", b"\r\n", b";a", b"=", b'"', b" ", b"X: y"]
    ), max_size=12).map(b"".join))
    def test_as_strict_as_the_reference(self, octets: bytes) -> None:
        """A chunked body that is taken is taken by llhttp as the same body."""
        found = fed([octets])
        if isinstance(found, int) or not found[1]:
            return
        reference = Reference()
        with contextlib.suppress(httptools.HttpParserError):
            httptools.HttpRequestParser(reference).feed_data(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + octets)
        self.assertTrue(reference.is_complete)
        self.assertEqual(b"".join(reference.pieces), found[0])
