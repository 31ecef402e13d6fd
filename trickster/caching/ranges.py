"""Byte ranges (RFC 9110 section 14): asked for, satisfied, and written as one or many parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from trickster.caching.documents import Buffer, Document, Part, Span
from trickster.messages import Headers

_UNIT = re.compile(rb"bytes=(.*)", re.IGNORECASE | re.DOTALL)
# Offsets may be far beyond the end, and in more digits than any object has octets.
_SPEC = re.compile(rb"(\d{1,100})-(\d{1,100})?|-(\d{1,100})")
_CONTENT_RANGE = re.compile(
    rb"bytes (?:(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)|\*/(\d{1,18}))", re.IGNORECASE)
_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)

# A part's own header section: two or three short fields.
_LONGEST_PART_HEAD = 4096


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
    pieces = [p for p in (piece.strip(b" \t") for piece in found[1].split(b",")) if p]
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
    :return: None where the field is absent, repeated or contradicts itself.
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


def multipart(document: Document, spans: Sequence[Span], boundary: bytes) -> Iterator[Buffer]:
    """
    :param spans: each within one part of the document.
    :return: the octets of a C{multipart/byteranges} body (RFC 9110 section 14.6).
    """
    kind = document.headers.get(b"content-type")
    for number, span in enumerate(spans):
        yield part_head(kind, span, document.length, boundary, number == 0)
        part = document.part_with(span)
        if part is not None:
            yield from part.cut(span)
    yield b"\r\n--" + boundary + b"--\r\n"


def part_head(kind: bytes | None, span: Span, length: int | None, boundary: bytes,
              is_first: bool) -> bytes:
    """
    :param kind: the representation's C{Content-Type}.
    :return: the octets before the content of one part.
    """
    start = b"--" if is_first else b"\r\n--"
    content_type = b"Content-Type: " + kind + b"\r\n" if kind is not None else b""
    return (start + boundary + b"\r\n" + content_type + b"Content-Range: "
            + content_range(span, length) + b"\r\n\r\n")


def boundary_of(content_type: bytes) -> bytes | None:
    """
    :return: the boundary of a C{multipart/byteranges} type; None for any other type.
    """
    if not content_type.lower().startswith(b"multipart/byteranges"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]) if found is not None else None


def read_multipart(body: bytes, boundary: bytes) -> tuple[list[Part], int | None, bytes | None]:
    """
    :param body: of a C{multipart/byteranges} answer, whole.
    :return: its parts, the length of the whole representation, and its C{Content-Type}.
    :raises ValueError: it is malformed, or its parts contradict each other.
    """
    parts: list[Part] = []
    lengths: set[int | None] = set()
    kind = None
    at = _after_delimiter(body, boundary, 0)
    while at is not None:
        headers, start = _part_headers(body, at)
        said = parse_content_range(headers)
        if said is None or said.span is None:
            raise ValueError("a part without its range")
        end = start + said.span.length
        parts.append(Part(said.span.start, (body[start:end],)))
        lengths.add(said.length)
        kind = headers.get(b"content-type")
        at = _after_delimiter(body, boundary, end)
    if len(lengths) != 1:
        raise ValueError("parts of different representations")
    return parts, lengths.pop(), kind


def _after_delimiter(body: bytes, boundary: bytes, at: int) -> int | None:
    # The content's length is known from its range: its octets are never searched.
    delimiter = b"--" + boundary
    if body.startswith(b"\r\n", at):
        at += 2
    elif at != 0:
        raise ValueError("no delimiter after a part")
    if not body.startswith(delimiter, at):
        raise ValueError("no delimiter")
    at += len(delimiter)
    if body.startswith(b"--", at):
        return None
    end = body.find(b"\r\n", at)
    if end < 0 or body[at:end].strip(b" \t"):
        raise ValueError("no end of line after a delimiter")
    return end + 2


def _part_headers(body: bytes, at: int) -> tuple[Headers, int]:
    end = body.find(b"\r\n\r\n", at, at + _LONGEST_PART_HEAD)
    if end < 0:
        raise ValueError("a part without an end of its header section")
    pairs = []
    for line in body[at:end].split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("a part with a line that is no field")
        pairs.append((name, value.strip(b" \t")))
    return Headers(tuple(pairs)), end + 4
