"""Tests of L{trickster.http.byte_ranges}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.byte_ranges import (
    ContentRange,
    Span,
    Wanted,
    content_range,
    parse_content_range,
    parse_range,
    range_field,
    satisfiable,
    without,
)
from trickster.http.partial_content import (
    boundary_of,
)
from trickster.messages import Headers

SPANS = st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10)).map(
    lambda pair: Span(pair[0], min(30, pair[0] + pair[1]))), max_size=5)
BODY = bytes(range(30))


def ranged(value: bytes, most: int = 9) -> tuple[Wanted, ...]:
    """:return: what a Range field asks for."""
    return parse_range(Headers(((b"Range", value),)), most)


def said(value: bytes) -> ContentRange | None:
    """:return: what a Content-Range says."""
    return parse_content_range(Headers(((b"Content-Range", value),)))


class ParseTests(SynchronousTestCase):
    """Reading fields."""

    def test_range(self) -> None:
        """A range has a first and a last octet, the first alone, or a suffix length."""
        self.assertEqual(ranged(b"bytes=1-2, 3- ,,-4"),
                         (Wanted(1, 2), Wanted(3, None), Wanted(None, 4)))

    def test_far_beyond(self) -> None:
        """Offsets may have more digits than any length has (RFC 9110 section 14.1.2)."""
        most = 10**20 - 1
        self.assertEqual(ranged(b"bytes=0-%d, -%d" % (most, most)),
                         (Wanted(0, most), Wanted(None, most)))
        self.assertEqual(satisfiable(ranged(b"bytes=0-%d" % most), 10), [Span(0, 10)])

    def test_not_a_range(self) -> None:
        """A C{Range} with one malformed member is none."""
        for value in (b"bytes=1-2,x", b"bytes=2-1", b"bytes=-", b"bytes=1", b"items=1-2",
                      b"bytes=" + b"9" * 101 + b"-", b"bytes=1 -2", b"bytes:1-2"):
            self.assertEqual(ranged(value), (), value)
        self.assertEqual(ranged(b"bytes=1-2,3-4", most=1), ())

    def test_content_range(self) -> None:
        """C{Content-Range} is read in all its forms."""
        self.assertEqual(said(b"bytes 1-2/9"), ContentRange(Span(1, 3), 9))
        self.assertEqual(said(b"bytes 1-2/*"), ContentRange(Span(1, 3), None))
        self.assertEqual(said(b"bytes */9"), ContentRange(None, 9))
        for value in (b"bytes 2-1/9", b"bytes 1-9/9", b"bytes */*", b"1-2/9", b"bytes 1-2",
                      b"bytes=1-2/9", b"items 1-2/9"):
            self.assertIsNone(said(value), value)

    def test_round_trips(self) -> None:
        """A C{Content-Range} that is written is read as the same."""
        self.assertEqual(said(content_range(Span(3, 5), 9)), ContentRange(Span(3, 5), 9))
        self.assertEqual(said(content_range(Span(3, 5), None)), ContentRange(Span(3, 5), None))
        self.assertEqual(ranged(range_field([Span(0, 1), Span(5, 9)])),
                         (Wanted(0, 0), Wanted(5, 8)))

    def test_boundary(self) -> None:
        """The boundary of C{multipart/byteranges} is read quoted or not, and of no other type."""
        self.assertEqual(boundary_of(b"multipart/byteranges; boundary=x"), b"x")
        self.assertEqual(boundary_of(b'Multipart/ByteRanges;charset=a;Boundary="x y"'), b"x y")
        self.assertIsNone(boundary_of(b"multipart/mixed; boundary=x"))
        self.assertIsNone(boundary_of(b"multipart/byteranges"))


class SatisfiableTests(SynchronousTestCase):
    """Which octets of a representation satisfy a C{Range}."""

    WANTED = st.lists(st.one_of(
        st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
            lambda pair: Wanted(min(pair), max(pair))),
        st.integers(0, 40).map(lambda n: Wanted(n, None)),
        st.integers(0, 40).map(lambda n: Wanted(None, n))), max_size=5)

    @settings(max_examples=300, deadline=None)
    @given(WANTED, st.integers(0, 30))
    def test_against_a_model(self, wanted: list[Wanted], length: int) -> None:
        """The satisfiable ranges are exactly the octets that exist, each once."""
        expected = set()
        for one in wanted:
            if one.first is None:
                expected |= set(range(max(0, length - (one.last or 0)), length))
            else:
                last = length if one.last is None else one.last + 1
                expected |= set(range(one.first, min(last, length)))
        spans = satisfiable(wanted, length)
        octets = [n for span in spans for n in range(span.start, span.stop)]
        self.assertEqual(sorted(octets), sorted(expected))
        self.assertTrue(all(span.length > 0 for span in spans))


class WithoutTests(SynchronousTestCase):
    """Spans without others."""

    @settings(max_examples=200, deadline=None)
    @given(st.tuples(st.integers(0, 20), st.integers(1, 10)), SPANS)
    def test_without(self, pair: tuple[int, int], taken: list[Span]) -> None:
        """A range without others is the octets of it that are in none of them."""
        span = Span(pair[0], pair[0] + pair[1])
        left = [n for s in without(span, taken) for n in range(s.start, s.stop)]
        covered = {n for s in taken for n in range(s.start, s.stop)}
        self.assertEqual(left, [n for n in range(span.start, span.stop) if n not in covered])
