"""Tests of L{trickster.objects.partial_responses}."""

from __future__ import annotations

from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.byte_ranges import (
    Span,
)
from trickster.http.freshness import FreshnessRules, Policy
from trickster.http.partial_content import (
    Part,
)
from trickster.messages import NO_HEADERS, Headers
from trickster.objects.partial_responses import combined, incomplete_response, missing_of
from trickster.objects.stored_response import StoredResponse

SPANS = st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10)).map(
    lambda pair: Span(pair[0], min(30, pair[0] + pair[1]))), max_size=5)
BODY = bytes(range(30))


def held(*spans: Span, headers: Headers = NO_HEADERS) -> StoredResponse:
    """:return: a stored response that has these parts of the body."""
    parts = tuple(Part(span.start, (BODY[span.start:span.stop],)) for span in spans)
    return StoredResponse(200, headers, parts, 30, Policy(), 0.0, 10.0**9)


class MissingTests(SynchronousTestCase):
    """What is not stored of what is wanted."""

    def test_missing(self) -> None:
        """The missing ranges are those that are wanted and not stored."""
        stored = held(Span(5, 10))
        self.assertEqual(missing_of(stored, None), (Span(0, 5), Span(10, 30)))
        self.assertEqual(missing_of(stored, [Span(20, 21), Span(6, 12)]),
                         (Span(10, 12), Span(20, 21)))
        self.assertEqual(missing_of(stored, [Span(5, 10)]), ())


class PartialDocumentTests(SynchronousTestCase):
    """Documents of 206 answers."""

    def made(self, octets: bytes = b"ab", **headers: str) -> StoredResponse | None:
        """:return: the stored response of a 206 answer."""
        fields = Headers(tuple((n.replace("_", "-").encode(), v.encode())
                               for n, v in headers.items()))
        head = StoredResponse(206, fields, (), len(octets), Policy(), 0.0, 0.0)
        return incomplete_response(head, fields, octets)

    def test_one(self) -> None:
        """A 206 response becomes a stored 200 of which a part is held."""
        stored = self.made(Content_Range="bytes 3-4/9", Content_Type="x/y")
        assert stored is not None
        self.assertEqual((stored.status, stored.length, stored.held), (200, 9, 2))
        self.assertNotIn(b"content-range", stored.headers)
        self.assertEqual(stored.headers.get(b"content-type"), b"x/y")
        self.assertFalse(stored.is_whole)

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
            found = combined(held(Span(0, 5), headers=old), held(Span(5, 9), headers=new),
                             FreshnessRules())
            self.assertIs(found is not None, expected)

    def test_combined_by_date(self) -> None:
        """A Last-Modified well before Date is a strong validator (RFC 9110 8.8.2.2)."""
        modified = (b"Last-Modified", b"Sun, 09 Sep 2001 01:00:00 GMT")
        for date, expected in ((b"Sun, 09 Sep 2001 01:46:40 GMT", True),
                               (b"Sun, 09 Sep 2001 01:00:00 GMT", False)):
            headers = Headers((modified, (b"Date", date)))
            found = combined(held(Span(0, 5), headers=headers), held(Span(5, 9), headers=headers),
                             FreshnessRules())
            self.assertIs(found is not None, expected)
