"""Tests for L{trickster.upstream.h1.answers}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamBroke, UpstreamMalformed
from trickster.http.h1.framing import Ending
from trickster.upstream.h1.answers import AnswerReader, NothingCame

TOKENS = st.text("abcXYZ019-_.!", min_size=1, max_size=12).map(str.encode)
VALUES = st.binary(max_size=20).map(
    lambda octets: bytes(c for c in octets if c == 9 or c > 31 and c != 127).strip())
FIELDS = st.lists(st.tuples(TOKENS.filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection")),
    VALUES), max_size=6)
BODIES = st.binary(max_size=200)


def field_lines(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in fields)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    """:return: a body as chunks of about these sizes, with all that a sender may add."""
    found = b""
    for size in sizes:
        chunk, body = body[:size], body[size:]
        if chunk:
            found += b"%X;ext=\"a;b\"\r\n%b\r\n" % (len(chunk), chunk)
    if body:
        found += b"%x\r\n%b\r\n" % (len(body), body)
    return found + b"0\r\nX-Trailer: y\r\n\r\n"


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes, bool]:
    """:return: method, octets, fields, body, and whether only the connection's end ends it."""
    fields, body = draw(FIELDS), draw(BODIES)
    interims = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * draw(st.integers(0, 3))
    line = b"HTTP/1.1 200 " + draw(VALUES) + b"\r\n"
    ending = draw(st.sampled_from(("length", "chunked", "close", "head")))
    head = interims + line + field_lines(fields)
    if ending == "length":
        return b"GET", head + b"content-LENGTH: %d\r\n\r\n" % len(body) + body, fields, body, False
    if ending == "chunked":
        chunks = chunked(body, draw(st.lists(st.integers(1, 30), max_size=5)))
        return b"GET", head + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks, fields, body, False
    if ending == "head":
        return b"HEAD", head + b"Content-Length: 77\r\n\r\n", fields, b"", False
    return b"GET", head + b"\r\n" + body, fields, body, True


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """:return: the octets, cut at these places."""
    bounds = [0, *sorted(place % (len(octets) + 1) for place in places), len(octets)]
    return [octets[start:end] for start, end in pairwise(bounds)]


class SplitTests(SynchronousTestCase):
    @settings(max_examples=300, deadline=None)
    @given(responses(), st.lists(st.integers(0, 500), max_size=12))
    def test_any_split(self, response: tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes, bool],
                       places: list[int]) -> None:
        """However the octets are cut, the response is the same, and is the one sent."""
        method, octets, fields, body, ends_with_connection = response
        reader = AnswerReader(method, 1 << 18)
        pieces = []
        for portion in cut(octets, places):
            self.assertFalse(reader.is_complete and portion)
            reader.feed(portion)
            pieces += reader.take()
        if ends_with_connection:
            self.assertFalse(reader.is_complete)
            reader.end(True)
        assert reader.head is not None
        theirs = [pair for pair in reader.head.headers.pairs
                  if pair[0].lower() not in (b"content-length", b"transfer-encoding")]
        self.assertEqual(theirs, fields)
        self.assertEqual(b"".join(pieces), body)
        self.assertTrue(reader.is_complete)
        self.assertEqual(reader.is_reusable, not ends_with_connection)

    @settings(max_examples=200, deadline=None)
    @given(responses(), st.data())
    def test_early_end(self, response: tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes, bool],
                       data: st.DataObject) -> None:
        """A response that is cut off is never taken for a whole one."""
        method, octets, _, _, ends_with_connection = response
        end = data.draw(st.integers(0, len(octets) - 1))
        reader = AnswerReader(method, 1 << 18)
        reader.feed(octets[:end])
        if reader.head is not None and ends_with_connection:
            return
        self.assertFalse(reader.is_complete)
        self.assertRaises(UpstreamBroke, reader.end, True)

    @settings(max_examples=300, deadline=None)
    @given(responses(), st.data())
    def test_one_octet_changed(
            self, response: tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes, bool],
            data: st.DataObject) -> None:
        """
        A response with any octet changed is complete, malformed or incomplete, and no other error.
        """
        method, octets, _, _, _ = response
        place = data.draw(st.integers(0, len(octets) - 1))
        changed = octets[:place] + data.draw(st.binary(max_size=2)) + octets[place + 1:]
        reader = AnswerReader(method, 1 << 18)
        try:
            reader.feed(changed)
            if not reader.is_complete:
                reader.end(True)
        except (UpstreamMalformed, UpstreamBroke):
            return
        self.assertIsNotNone(reader.head)


class EndTests(SynchronousTestCase):
    def reader(self, octets: bytes, method: bytes = b"GET",
               most_head: int = 1 << 18) -> AnswerReader:
        reader = AnswerReader(method, most_head)
        reader.feed(octets)
        return reader

    def test_nothing(self) -> None:
        """A connection that ends before the first octet of a response fails with NothingCame."""
        self.assertRaises(NothingCame, self.reader(b"").end, True)

    def test_an_octet(self) -> None:
        """A connection that ends after one octet of a response is one on which something came."""
        error = self.assertRaises(UpstreamBroke, self.reader(b"H").end, True)
        self.assertNotIsInstance(error, NothingCame)

    def test_unclean(self) -> None:
        """Only an orderly close ends a body without a length."""
        reader = self.reader(b"HTTP/1.1 200 OK\r\n\r\nabc")
        self.assertRaises(UpstreamBroke, reader.end, False)

    def test_nothing_is_kept_of_upgraded(self) -> None:
        """The octets after an upgrade are no HTTP."""
        reader = self.reader(b"HTTP/1.1 101 X\r\nContent-Length: 1\r\n\r\nabc")
        self.assertEqual((reader.ending, reader.take()), (Ending.UPGRADED, [b"abc"]))
        reader.end(True)
        self.assertFalse(reader.is_reusable)

    def test_pieces_are_not_copied(self) -> None:
        """A large counted body is passed on as it came."""
        reader = self.reader(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        octets = b"x" * 65536
        reader.feed(octets)
        self.assertIs(reader.take()[0], octets)

    def test_head_of_exactly_the_limit(self) -> None:
        """A header of exactly the limit is accepted."""
        octets = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.assertTrue(self.reader(octets, most_head=len(octets)).is_complete)
        self.assertRaises(UpstreamMalformed, self.reader, octets, most_head=len(octets) - 1)

    def test_interims_count_against_nothing_else(self) -> None:
        """The limit of a response's header applies to each interim response by itself."""
        octets = b"HTTP/1.1 102 X\r\nA: " + b"b" * 50 + b"\r\n\r\n"
        reader = self.reader(octets * 16 + b"HTTP/1.1 204 X\r\n\r\n", most_head=100)
        self.assertEqual((len(reader.take_interims()), reader.is_complete), (16, True))
        self.assertEqual(reader.take_interims(), [])
