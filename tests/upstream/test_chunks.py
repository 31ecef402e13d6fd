"""Tests for L{trickster.upstream.chunks}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamMalformed
from trickster.upstream.chunks import ChunkedReader


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
        """All that RFC 9112 does not know is refused."""
        for octets in (b"\r\n", b"x\r\n", b"-1\r\n", b"1 \r\na", b" 1\r\na", b"1\na",
                       b"1\r\nab", b"1\r\na\n", b"1\r\na\r\r", b"1;\r\n", b"1;\x00\r\n",
                       b"1;a\nb\r\n", b"0\r\nX\r\n", b"0\r\n X: y\r\n", b"0\r\nX: y\n",
                       b"fffffffffffffffff\r\n", b"0\r\nX: \x00\r\n", b"0\r\n\rX"):
            self.assertRaises(UpstreamMalformed, self.read, octets)

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
