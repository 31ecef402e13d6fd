"""Tests of L{trickster.http.partial_content}."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.byte_ranges import (
    Span,
)
from trickster.http.partial_content import (
    Part,
    PartialContent,
    merged_parts,
    multipart,
    read_multipart,
)

SPANS = st.lists(st.tuples(st.integers(0, 29), st.integers(1, 10)).map(
    lambda pair: Span(pair[0], min(30, pair[0] + pair[1]))), max_size=5)
BODY = bytes(range(30))


class PartTests(SynchronousTestCase):
    """Parts of a body."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=5), st.data())
    def test_cut(self, buffers: list[bytes], data: st.DataObject) -> None:
        """A part of a body is a slice of it, wherever the borders of buffers are."""
        part = Part(7, tuple(buffers))
        start = data.draw(st.integers(7, part.span.stop))
        stop = data.draw(st.integers(start, part.span.stop))
        self.assertEqual(b"".join(part.cut(Span(start, stop))),
                         b"".join(buffers)[start - 7:stop - 7])

    @settings(max_examples=300, deadline=None)
    @given(SPANS, SPANS)
    def test_merged(self, old: list[Span], new: list[Span]) -> None:
        """Merged parts have each octet once, fresh ones before old; neighbours are one part."""
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


class MultipartTests(SynchronousTestCase):
    """Bodies of several parts."""

    @settings(max_examples=100, deadline=None)
    @given(SPANS.filter(bool), st.sampled_from([b"", b"--B", b"\r\n--B--\r\n"]))
    def test_round_trip(self, spans: list[Span], noise: bytes) -> None:
        """A multipart body that is written is read as the same parts, for any octets."""
        body = (noise * 10 + BODY)[:30]
        content = PartialContent((Part(0, (body,)),), 30, b"x/y")
        found = read_multipart(b"".join(multipart(content, spans, b"B")), b"B")
        self.assertEqual([(p.span, b"".join(p.buffers)) for p in found.parts],
                         [(span, body[span.start:span.stop]) for span in spans])
        self.assertEqual((found.length, found.kind), (30, b"x/y"))

    def test_malformed(self) -> None:
        """A malformed multipart body is refused."""
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
        """Any octets that are no multipart body raise C{ValueError}, and nothing else."""
        with self.assertRaises(ValueError):
            read_multipart(body, b"B")
