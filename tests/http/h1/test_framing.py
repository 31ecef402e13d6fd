"""Tests of L{trickster.http.h1.framing}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamMalformed
from trickster.http.h1.chunked import ChunkedReader
from trickster.http.h1.framing import (
    CountedReader,
    Ending,
    Framing,
    kept_for,
    request_body_reader,
    response_framing,
)
from trickster.http.h1.leniency import Leniency
from trickster.http.h1.responses import ResponseHead
from trickster.messages import Headers, Pair

LENGTH = (b"Content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")


def framed(*fields: Pair, status: int = 200, method: bytes = b"GET", minor: int = 1) -> Framing:
    return response_framing(ResponseHead(minor, status, b"", Headers(fields)), method)


class EndingTests(SynchronousTestCase):
    """What ends the body of a response (RFC 9112 section 6.3)."""

    def test_order_of_the_rules(self) -> None:
        """A response is framed by the rules of RFC 9112 section 6.3, in their order."""
        for fields, options, ending in (
                ((LENGTH,), {}, Ending.LENGTH),
                ((CHUNKED,), {}, Ending.CHUNKED),
                ((), {}, Ending.CLOSE),
                ((LENGTH,), {"method": b"HEAD"}, Ending.NO_BODY),
                ((CHUNKED,), {"method": b"HEAD"}, Ending.NO_BODY),
                ((), {"method": b"HEAD"}, Ending.NO_BODY),
                ((LENGTH,), {"status": 304}, Ending.NO_BODY),
                ((CHUNKED,), {"status": 204}, Ending.NO_BODY),
                ((LENGTH,), {"status": 205}, Ending.LENGTH),
                ((LENGTH,), {"status": 101}, Ending.UPGRADED)):
            self.assertEqual(framed(*fields, **options).ending, ending)

    def test_length(self) -> None:
        """A length is a number of octets, however large and with any zeros before it."""
        for value, length in ((b"0", 0), (b"0005", 5), (b"9223372036854775808", 2 ** 63)):
            self.assertEqual(framed((b"content-length", value)).length, length)

    def test_malformed_wherever_it_stands(self) -> None:
        """Framing that is unclear is refused even where there is no body to frame."""
        for status, method in ((200, b"GET"), (204, b"GET"), (304, b"GET"), (200, b"HEAD")):
            for fields in ((LENGTH, (b"Content-Length", b"6")), ((b"Content-Length", b"a"),),
                           ((b"Transfer-Encoding", b"gzip"),),
                           (CHUNKED, (b"Transfer-Encoding", b"gzip"))):
                self.assertRaises(UpstreamMalformed, framed, *fields, status=status,
                                  method=method)


    def test_lenient(self) -> None:
        """A lenient framing is taken where it can mean one thing, without keeping connections."""
        for fields, kinds, ending in (
                ((LENGTH, LENGTH), {Leniency.REPEATED_LENGTH}, Ending.LENGTH),
                ((LENGTH, CHUNKED), {Leniency.LENGTH_AND_CODING}, Ending.CHUNKED),
                ((CHUNKED, CHUNKED), {Leniency.REPEATED_CODING}, Ending.CHUNKED)):
            found = framed(*fields)
            self.assertEqual((found.ending, found.leniencies, found.is_persistent),
                             (ending, kinds, False))


class PersistenceTests(SynchronousTestCase):
    """Whether a connection persists after a response (RFC 9112 section 9.3)."""

    def kept(self, *options: bytes, minor: int = 1, status: int = 200) -> bool:
        fields = [(b"Connection", option) for option in options]
        return framed(LENGTH, *fields, minor=minor, status=status).is_persistent

    def test_default(self) -> None:
        """HTTP/1.1 keeps connections, HTTP/1.0 does not (RFC 9112 section 9.3)."""
        self.assertTrue(self.kept())
        self.assertFalse(self.kept(minor=0))

    def test_said(self) -> None:
        """C{Connection} decides in either version, and C{close} outweighs C{keep-alive}."""
        self.assertTrue(self.kept(b"Keep-Alive", minor=0))
        for options in ((b"close",), (b"x, CLOSE",), (b"keep-alive", b"close"),
                        (b"close,keep-alive",)):
            self.assertFalse(self.kept(*options))
            self.assertFalse(self.kept(*options, minor=0))

    def test_closing_is_the_end(self) -> None:
        """A response that ends with its connection does not keep the connection."""
        self.assertFalse(framed((b"Connection", b"keep-alive")).is_persistent)

    def test_no_content(self) -> None:
        """A 204 that says it has content may be followed by content or by another answer."""
        self.assertFalse(self.kept(status=204))
        self.assertTrue(framed((b"Content-Length", b"0"), status=204).is_persistent)
        self.assertFalse(framed(CHUNKED, status=204).is_persistent)


class KeepAliveTests(SynchronousTestCase):
    """How long an origin keeps an idle connection, by its C{Keep-Alive}."""

    def test_said(self) -> None:
        """A connection is kept idle as long as the origin's C{Keep-Alive} says, less a second."""
        for value, seconds in ((b"timeout=5", 4), (b"timeout=5, max=100", 4), (b"Timeout = 7", 6),
                               (b"max=1; timeout=9", 8), (b"timeout=0", -1)):
            self.assertEqual(kept_for(Headers(((b"Keep-Alive", value),))), seconds)

    def test_unsaid(self) -> None:
        """A C{Keep-Alive} that is absent or malformed bounds no idle time."""
        for value in (b"", b"x", b"max=5", b"timeout", b"timeout=x", b"xtimeout=5"):
            self.assertEqual(kept_for(Headers(((b"Keep-Alive", value),))), float("inf"))
        self.assertEqual(kept_for(Headers()), float("inf"))


class CountedTests(SynchronousTestCase):
    """A body of a known length."""

    def test_exact(self) -> None:
        """A body of known length is done with its last octet."""
        reader = CountedReader(3)
        self.assertEqual((reader.feed(b"ab"), reader.is_done), ([b"ab"], False))
        self.assertEqual((reader.feed(b"c"), reader.is_done), ([b"c"], True))

    def test_rest(self) -> None:
        """Octets after the end of a counted body are left."""
        reader = CountedReader(2)
        self.assertEqual(reader.feed(b"abc"), [b"ab"])
        self.assertEqual(reader.rest, b"c")

    def test_none(self) -> None:
        """A body of no octets is done from the start."""
        self.assertTrue(request_body_reader(0).is_done)
        self.assertIsInstance(request_body_reader(None), ChunkedReader)
