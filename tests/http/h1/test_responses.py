"""Tests of L{trickster.http.h1.responses}."""

from __future__ import annotations

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamMalformed
from trickster.http.h1.responses import ResponseHead, take_head

BYTES = st.binary(max_size=6)
LINES = st.lists(st.one_of(
    st.sampled_from((b"A: b", b"A:b", b"a-b:\tc ", b"A:", b"Content-Length: 3")),
    st.tuples(BYTES, BYTES).map(b":".join), BYTES), max_size=4)


class Reference:
    """What llhttp makes of a head, and of a request."""

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.begun = 0

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_complete = True


def parse_head(octets: bytes, max_fields: int) -> ResponseHead:
    """
    :return: what is read of octets that are one whole head.
    :raises UpstreamMalformed: they are none, or there is less, or more.
    """
    taken = take_head(octets, 0, max_fields)
    if taken is None or taken[1] != len(octets):
        raise UpstreamMalformed("not one whole head")
    return taken[0]


class ParseTests(SynchronousTestCase):
    """Heads of responses are parsed."""

    def test_parts(self) -> None:
        """A head is a version, a status, a phrase and fields, as they came."""
        head = parse_head(b"HTTP/1.0 404 Not  Found \r\nA:b\r\na:\t c d\t\r\nE:\r\n\r\n", 9)
        self.assertEqual((head.minor, head.status, head.phrase), (0, 404, b"Not  Found "))
        self.assertEqual(head.headers.pairs, ((b"A", b"b"), (b"a", b"c d"), (b"E", b"")))

    def test_no_phrase(self) -> None:
        """The phrase may be empty, and, as some write it, the space before it missing."""
        for line in (b"HTTP/1.1 200 \r\n\r\n", b"HTTP/1.1 200\r\n\r\n"):
            head = parse_head(line, 9)
            self.assertEqual((head.phrase, head.headers.pairs), (b"", ()))

    def test_octets_above_ascii(self) -> None:
        """Values and phrases may hold what earlier versions of HTTP allowed."""
        head = parse_head(b"HTTP/1.1 200 \xe4\r\nA: \xff\x80\r\n\r\n", 9)
        self.assertEqual((head.phrase, head.headers.get(b"a")), (b"\xe4", b"\xff\x80"))

    def test_hostile(self) -> None:
        """Fields without end are refused in a time that grows as they do."""
        for field in (b"a: b\r\n", b"a", b"a:", b" ", b"a:b c\r\n"):
            octets = b"HTTP/1.1 200 OK\r\na" + field * (1 << 18) + b"\x00\r\n\r\n"
            self.assertRaises(UpstreamMalformed, parse_head, octets, 1 << 30)

    def test_beginnings(self) -> None:
        """The beginning of a head is refused as soon as no head can come of it."""
        for octets in (b"", b"H", b"http/", b"\r", b"\r\n", b"\n\r\nHTTP/1.1", b"HTTP/1.1 200 OK\r",
                       b"HTTP/1.1 200 OK\r\nA", b"HTTP/1.1 200\n", b"HTTP/1.1 200\r\nA: b\n"):
            self.assertIsNone(take_head(octets, 0, 9), octets)
        for octets in (b"x", b"HTTP/x", b"HTTPS", b" HTTP", b"\n\n\n", b"\r\r", b"HTTP/1.1 200\r\r",
                       b"HTTP/1.1 200\r\nA: \0", b"<html>"):
            self.assertRaises(UpstreamMalformed, take_head, octets, 0, 9)

    def test_end(self) -> None:
        """The end of a head is found however its octets are cut, and what follows is not read."""
        for head in (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", b"HTTP/1.1 200 OK\nA: b\n\n",
                     b"HTTP/1.1 200 OK\r\nA: b\n\r\n", b"\n\r\nHTTP/1.1 200 OK\nA: b\r\n\n",
                     b"HTTP/1.1 200 OK\n\n"):
            for cut in range(len(head)):
                self.assertIsNone(take_head(head[:cut], max(0, cut - 1), 9), (head, cut))
                taken = take_head(head + b"\r\n\r\nmore", cut, 9)
                assert taken is not None
                self.assertEqual(taken[1], len(head))

    @settings(max_examples=300, deadline=None)
    @given(LINES)
    def test_stricter_than_the_reference(self, lines: list[bytes]) -> None:
        """A head read without leniency is read by an independent strict parser as the same."""
        octets = b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
        try:
            head = parse_head(octets, 9)
        except UpstreamMalformed:
            return
        if head.leniencies:
            return
        names = [name.lower() for name, _ in head.headers]
        if names.count(b"content-length") > 1:
            return  # refused later, as framing
        reference = Reference()
        parser = httptools.HttpResponseParser(reference)
        parser.feed_data(octets)
        self.assertTrue(reference.is_complete)
        stripped = [(name, value.strip(b" \t")) for name, value in reference.pairs]
        self.assertEqual(list(head.headers.pairs), stripped)
