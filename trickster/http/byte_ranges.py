"""Byte ranges (RFC 9110 section 14): asked for, satisfied, and told of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from trickster.http.grammar import split_list
from trickster.messages import Headers

_UNIT = re.compile(rb"bytes=(.*)", re.IGNORECASE | re.DOTALL)
# Offsets may be far beyond the end, and in more digits than any object has octets.
_SPEC = re.compile(rb"(\d{1,100})-(\d{1,100})?|-(\d{1,100})")
_CONTENT_RANGE = re.compile(
    rb"bytes (?:(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)|\*/(\d{1,18}))", re.IGNORECASE)


@frozen
class Span:
    """
    Some octets of a representation.

    :ivar start: offset of the first.
    :ivar stop: offset after the last.
    """

    start: int
    stop: int

    @property
    def length(self) -> int:
        """:return: how many octets it has, 1 at least where it was read from a message."""
        return self.stop - self.start

    def holds(self, other: Span) -> bool:
        """:return: whether all of C{other} is in it."""
        return self.start <= other.start and other.stop <= self.stop


@frozen
class Wanted:
    """
    One range of a C{Range} field.

    :ivar first: offset of the first octet, or None for a suffix.
    :ivar last: offset of the last octet, None for all that follow; of a suffix its length.
    """

    first: int | None
    last: int | None

    def within(self, length: int) -> Span | None:
        """
        :param length: octets of the whole representation.
        :return: what is meant, or None where nothing of it exists.
        """
        if self.first is None:
            start = max(0, length - (self.last or 0))
            return Span(start, length) if start < length else None
        if self.first >= length:
            return None
        return Span(self.first, length if self.last is None else min(self.last + 1, length))

    def bounded(self) -> Span | None:
        """:return: the span, where it is known without knowing the length."""
        if self.first is None or self.last is None:
            return None
        return Span(self.first, self.last + 1)


@frozen
class ContentRange:
    """
    What a C{Content-Range} says.

    :ivar span: which octets there are; None in an answer that says there are none.
    :ivar length: octets of the whole, None where the sender does not know.
    """

    span: Span | None
    length: int | None


def parse_range(headers: Headers, most: int) -> tuple[Wanted, ...]:
    """
    :param headers: of a request.
    :param most: ranges that may be asked for at once.
    :return: the ranges; none where the field is absent, malformed, of another unit or too
        long, since then it is to be ignored (RFC 9110 section 14.2).
    """
    values = headers.get_all(b"range")
    found = _UNIT.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return ()
    pieces = list(split_list(found[1]))
    if len(pieces) > most:
        return ()
    wanted = tuple(_wanted(piece) for piece in pieces)
    return () if None in wanted else wanted  # type: ignore[return-value]


def _wanted(piece: bytes) -> Wanted | None:
    found = _SPEC.fullmatch(piece)
    if found is None:
        return None
    if found[3] is not None:
        return Wanted(None, int(found[3]))
    first, last = int(found[1]), int(found[2]) if found[2] is not None else None
    return None if last is not None and last < first else Wanted(first, last)


def satisfiable(wanted: Sequence[Wanted], length: int) -> list[Span]:
    """
    :return: what exists of the ranges, as asked; ranges that overlap are joined, so that
        no octet is sent twice (RFC 9110 section 15.3.7.2).
    """
    spans = [span for one in wanted if (span := one.within(length)) is not None]
    joined: list[Span] = []
    for span in spans:
        for other in [o for o in joined if o.start < span.stop and span.start < o.stop]:
            joined.remove(other)
            span = Span(min(span.start, other.start), max(span.stop, other.stop))
        joined.append(span)
    return joined


def range_field(spans: Sequence[Span]) -> bytes:
    """:return: the value of a C{Range} field that asks for exactly these."""
    return b"bytes=" + b",".join(b"%d-%d" % (s.start, s.stop - 1) for s in spans)


def content_range(span: Span, length: int | None) -> bytes:
    """:return: the value of C{Content-Range} for one span of a representation."""
    whole = b"*" if length is None else b"%d" % length
    return b"bytes %d-%d/%b" % (span.start, span.stop - 1, whole)


def parse_content_range(headers: Headers) -> ContentRange | None:
    """
    :param headers: of a 206 or 416 answer, or of one part of a 206.
    :return: what its C{Content-Range} says; None where that is absent, repeated, of another
        unit, or contradicts itself (RFC 9110 section 14.4).
    """
    values = headers.get_all(b"content-range")
    found = _CONTENT_RANGE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    if found[4] is not None:
        return ContentRange(None, int(found[4]))
    span = Span(int(found[1]), int(found[2]) + 1)
    length = None if found[3] == b"*" else int(found[3])
    if span.length < 1 or (length is not None and span.stop > length):
        return None
    return ContentRange(span, length)


def without(span: Span, taken: Sequence[Span]) -> list[Span]:
    """:return: what of a span none of the others covers, in order."""
    left = []
    at = span.start
    for other in sorted(taken, key=lambda one: one.start):
        if other.start >= span.stop:
            break
        if other.start > at:
            left.append(Span(at, other.start))
        at = max(at, other.stop)
    if at < span.stop:
        left.append(Span(at, span.stop))
    return left
