"""Byte ranges: asked for, satisfied, written and read."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.caching.documents import Document, Part, Span, merged_parts, without
from trickster.caching.partials import combined, missing_of, partial_document
from trickster.caching.ranges import (
    ContentRange,
    Wanted,
    boundary_of,
    content_range,
    multipart,
    parse_content_range,
    parse_range,
    range_field,
    read_multipart,
    satisfiable,
)
from trickster.http.freshness import Policy, Rules
from trickster.messages import NO_HEADERS, Headers

SPANS = st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10)).map(
    lambda pair: Span(pair[0], min(30, pair[0] + pair[1]))), max_size=5)
BODY = bytes(range(30))


def ranged(value: bytes, most: int = 9) -> tuple[Wanted, ...]:
    """:return: what a Range field asks for."""
    return parse_range(Headers(((b"Range", value),)), most)


def said(value: bytes) -> ContentRange | None:
    """:return: what a Content-Range says."""
    return parse_content_range(Headers(((b"Content-Range", value),)))


def held(*spans: Span, headers: Headers = NO_HEADERS) -> Document:
    """:return: a document that has these parts of the body."""
    parts = tuple(Part(span.start, (BODY[span.start:span.stop],)) for span in spans)
    return Document(200, headers, parts, 30, Policy(), 0.0, 10.0**9)


class ParseTests(SynchronousTestCase):
    """Reading fields."""

    def test_range(self) -> None:
        """First, last and suffix."""
        self.assertEqual(ranged(b"bytes=1-2, 3- ,,-4"),
                         (Wanted(1, 2), Wanted(3, None), Wanted(None, 4)))

    def test_far_beyond(self) -> None:
        """Offsets may have more digits than any length has (RFC 9110 section 14.1.2)."""
        most = 10**20 - 1
        self.assertEqual(ranged(b"bytes=0-%d, -%d" % (most, most)),
                         (Wanted(0, most), Wanted(None, most)))
        self.assertEqual(satisfiable(ranged(b"bytes=0-%d" % most), 10), [Span(0, 10)])

    def test_not_a_range(self) -> None:
        """All or nothing."""
        for value in (b"bytes=1-2,x", b"bytes=2-1", b"bytes=-", b"bytes=1", b"items=1-2",
                      b"bytes=" + b"9" * 101 + b"-", b"bytes=1 -2", b"bytes:1-2"):
            self.assertEqual(ranged(value), (), value)
        self.assertEqual(ranged(b"bytes=1-2,3-4", most=1), ())

    def test_content_range(self) -> None:
        """All its forms."""
        self.assertEqual(said(b"bytes 1-2/9"), ContentRange(Span(1, 3), 9))
        self.assertEqual(said(b"bytes 1-2/*"), ContentRange(Span(1, 3), None))
        self.assertEqual(said(b"bytes */9"), ContentRange(None, 9))
        for value in (b"bytes 2-1/9", b"bytes 1-9/9", b"bytes */*", b"1-2/9", b"bytes 1-2",
                      b"bytes=1-2/9", b"items 1-2/9"):
            self.assertIsNone(said(value), value)

    def test_round_trips(self) -> None:
        """What is written is read."""
        self.assertEqual(said(content_range(Span(3, 5), 9)), ContentRange(Span(3, 5), 9))
        self.assertEqual(said(content_range(Span(3, 5), None)), ContentRange(Span(3, 5), None))
        self.assertEqual(ranged(range_field([Span(0, 1), Span(5, 9)])),
                         (Wanted(0, 0), Wanted(5, 8)))

    def test_boundary(self) -> None:
        """Only of the one type, quoted or not."""
        self.assertEqual(boundary_of(b"multipart/byteranges; boundary=x"), b"x")
        self.assertEqual(boundary_of(b'Multipart/ByteRanges;charset=a;Boundary="x y"'), b"x y")
        self.assertIsNone(boundary_of(b"multipart/mixed; boundary=x"))
        self.assertIsNone(boundary_of(b"multipart/byteranges"))


class SatisfiableTests(SynchronousTestCase):
    """What exists of what is asked for."""

    WANTED = st.lists(st.one_of(
        st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
            lambda pair: Wanted(min(pair), max(pair))),
        st.integers(0, 40).map(lambda n: Wanted(n, None)),
        st.integers(0, 40).map(lambda n: Wanted(None, n))), max_size=5)

    @settings(max_examples=300, deadline=None)
    @given(WANTED, st.integers(0, 30))
    def test_against_a_model(self, wanted: list[Wanted], length: int) -> None:
        """Exactly the octets that exist, each once."""
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


class PartTests(SynchronousTestCase):
    """Parts of a body."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=5), st.data())
    def test_cut(self, buffers: list[bytes], data: st.DataObject) -> None:
        """A cut is a slice, wherever the borders of buffers are."""
        part = Part(7, tuple(buffers))
        start = data.draw(st.integers(7, part.span.stop))
        stop = data.draw(st.integers(start, part.span.stop))
        self.assertEqual(b"".join(part.cut(Span(start, stop))),
                         b"".join(buffers)[start - 7:stop - 7])

    @settings(max_examples=300, deadline=None)
    @given(SPANS, SPANS)
    def test_merged(self, old: list[Span], new: list[Span]) -> None:
        """Each octet once, the fresh one where there are two; neighbours are one part."""
        apart = [span for n, span in enumerate(old) if all(
            span.stop <= o.start or o.stop <= span.start for o in old[:n])]
        fresh = [span for n, span in enumerate(new) if all(
            span.stop <= o.start or o.stop <= span.start for o in new[:n])]
        parts = merged_parts([Part(s.start, (b"o" * s.length,)) for s in apart],
                             [Part(s.start, (b"n" * s.length,)) for s in fresh])
        model = {n: "o" for s in apart for n in range(s.start, s.stop)}
        model |= {n: "n" for s in fresh for n in range(s.start, s.stop)}
        found = {part.start + n: chr(octet) for part in parts
                 for n, octet in enumerate(b"".join(part.buffers))}
        self.assertEqual(found, model)
        self.assertTrue(all(a.span.stop < b.start for a, b in pairwise(parts)))

    @settings(max_examples=200, deadline=None)
    @given(st.tuples(st.integers(0, 20), st.integers(1, 10)), SPANS)
    def test_without(self, pair: tuple[int, int], taken: list[Span]) -> None:
        """What is left is what is not stored."""
        span = Span(pair[0], pair[0] + pair[1])
        left = [n for s in without(span, taken) for n in range(s.start, s.stop)]
        covered = {n for s in taken for n in range(s.start, s.stop)}
        self.assertEqual(left, [n for n in range(span.start, span.stop) if n not in covered])

    def test_missing(self) -> None:
        """What is wanted and not held."""
        document = held(Span(5, 10))
        self.assertEqual(missing_of(document, None), (Span(0, 5), Span(10, 30)))
        self.assertEqual(missing_of(document, [Span(20, 21), Span(6, 12)]),
                         (Span(10, 12), Span(20, 21)))
        self.assertEqual(missing_of(document, [Span(5, 10)]), ())


class MultipartTests(SynchronousTestCase):
    """Bodies of several parts."""

    @settings(max_examples=100, deadline=None)
    @given(SPANS.filter(bool), st.sampled_from([b"", b"--B", b"\r\n--B--\r\n"]))
    def test_round_trip(self, spans: list[Span], noise: bytes) -> None:
        """What is written is read, for any octets."""
        body = (noise * 10 + BODY)[:30]
        document = Document(200, Headers(((b"Content-Type", b"x/y"),)), (Part(0, (body,)),), 30,
                            Policy(), 0.0, 0.0)
        octets = b"".join(multipart(document, spans, b"B"))
        parts, length, kind = read_multipart(octets, b"B")
        self.assertEqual([(p.span, b"".join(p.buffers)) for p in parts],
                         [(span, body[span.start:span.stop]) for span in spans])
        self.assertEqual((length, kind), (30, b"x/y"))

    def test_malformed(self) -> None:
        """Anything unclear is refused."""
        part = b"--B\r\nContent-Range: bytes 0-1/9\r\n\r\nab"
        for body in (b"", b"--B--", part, part + b"\r\n--B", part + b"--B--",
                     part[:-1] + b"\r\n--B--", part + b"c\r\n--B--", b"x" + part + b"\r\n--B--",
                     part.replace(b"9", b"*") + b"\r\n" + part + b"\r\n--B--",
                     b"--B\r\n\r\nab\r\n--B--", b"--B\r\nx\r\n\r\nab\r\n--B--",
                     b"--Bx\r\n" + part[5:] + b"\r\n--B--"):
            with self.assertRaises(ValueError):
                read_multipart(body, b"B")

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=80))
    def test_rubbish(self, body: bytes) -> None:
        """It is refused, and nothing else happens."""
        with self.assertRaises(ValueError):
            read_multipart(body, b"B")


class PartialDocumentTests(SynchronousTestCase):
    """Documents of 206 answers."""

    def made(self, octets: bytes = b"ab", **headers: str) -> Document | None:
        """:return: the document of an answer."""
        fields = Headers(tuple((n.replace("_", "-").encode(), v.encode())
                               for n, v in headers.items()))
        head = Document(206, fields, (), len(octets), Policy(), 0.0, 0.0)
        return partial_document(head, fields, octets)

    def test_one(self) -> None:
        """It is a 200 of which a part is here."""
        document = self.made(Content_Range="bytes 3-4/9", Content_Type="x/y")
        assert document is not None
        self.assertEqual((document.status, document.length, document.held), (200, 9, 2))
        self.assertNotIn(b"content-range", document.headers)
        self.assertEqual(document.headers.get(b"content-type"), b"x/y")
        self.assertFalse(document.is_whole)

    def test_overlapping_parts(self) -> None:
        """Parts that overlap may contradict each other."""
        part = b"--B\r\nContent-Range: bytes 0-1/9\r\n\r\nab\r\n"
        kind = "multipart/byteranges; boundary=B"
        self.assertIsNone(self.made(part + part + b"--B--", Content_Type=kind))
        self.assertIsNotNone(self.made(part + b"--B--", Content_Type=kind))

    def test_combined_only_when_certain(self) -> None:
        """A strong validator and the length must be the same."""
        strong = Headers(((b"ETag", b'"a"'),))
        for old, new, expected in (
                (strong, strong, True), (strong, Headers(((b"ETag", b'"b"'),)), False),
                (strong, NO_HEADERS, False), (NO_HEADERS, NO_HEADERS, False),
                (Headers(((b"ETag", b'W/"a"'),)), Headers(((b"ETag", b'W/"a"'),)), False)):
            found = combined(held(Span(0, 5), headers=old), held(Span(5, 9), headers=new), Rules())
            self.assertIs(found is not None, expected)

    def test_combined_by_date(self) -> None:
        """A Last-Modified well before Date is a strong validator (RFC 9110 8.8.2.2)."""
        modified = (b"Last-Modified", b"Sun, 09 Sep 2001 01:00:00 GMT")
        for date, expected in ((b"Sun, 09 Sep 2001 01:46:40 GMT", True),
                               (b"Sun, 09 Sep 2001 01:00:00 GMT", False)):
            headers = Headers((modified, (b"Date", date)))
            found = combined(held(Span(0, 5), headers=headers), held(Span(5, 9), headers=headers),
                             Rules())
            self.assertIs(found is not None, expected)
