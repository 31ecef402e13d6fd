"""Partial content (RFC 9110 section 15.3.7): parts of a representation, put together and sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from trickster.http.byte_ranges import Span, content_range, parse_content_range, without
from trickster.messages import Headers

Buffer = bytes | memoryview

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
# A part's own header section: two or three short fields.
_LONGEST_PART_HEAD = 4096


@frozen(eq=False)
class Part:
    """
    A run of octets of a representation, as the buffers in which they came.

    :ivar start: offset of the first octet.
    """

    start: int
    buffers: tuple[bytes, ...]
    length: int = field()

    @length.default
    def _sum(self) -> int:
        return sum(map(len, self.buffers))

    @property
    def span(self) -> Span:
        """:return: which octets of the representation these are."""
        return Span(self.start, self.start + self.length)

    def cut(self, span: Span) -> Iterator[Buffer]:
        """
        :param span: within this part.
        :return: its octets, without copying them.
        """
        at = self.start
        for buffer in self.buffers:
            first, last = max(span.start - at, 0), min(span.stop - at, len(buffer))
            if first < last:
                yield buffer if last - first == len(buffer) else memoryview(buffer)[first:last]
            at += len(buffer)
            if at >= span.stop:
                return


@frozen(eq=False)
class PartialContent:
    """
    What is here of a representation.

    :ivar parts: apart from each other.
    :ivar length: octets of the whole, or None where that is not known.
    :ivar kind: its C{Content-Type}, or None where it has none.
    """

    parts: tuple[Part, ...]
    length: int | None
    kind: bytes | None = None

    def part_with(self, span: Span) -> Part | None:
        """:return: the part that has all of a span, if there is one."""
        return next((part for part in self.parts if part.span.holds(span)), None)


def merged_parts(held: Sequence[Part], fresh: Sequence[Part]) -> tuple[Part, ...]:
    """
    :return: all parts in order; where they overlap the fresh octets count, and those that
        touch are one.
    """
    pieces = list(fresh)
    taken = [part.span for part in fresh]
    for part in held:
        for span in without(part.span, taken):
            pieces.append(part if span == part.span else _copied(part, span))
    pieces.sort(key=lambda part: part.start)
    merged: list[Part] = []
    for part in pieces:
        if merged and merged[-1].span.stop == part.start:
            part = Part(merged[-1].start, merged.pop().buffers + part.buffers)
        merged.append(part)
    return tuple(merged)


def _copied(part: Part, span: Span) -> Part:
    # A slice would keep all of its buffer alive, and so more memory than the store counts.
    return Part(span.start, tuple(bytes(piece) for piece in part.cut(span)))


def multipart(content: PartialContent, spans: Sequence[Span], boundary: bytes
              ) -> Iterator[Buffer]:
    """
    :param spans: each within one part of what is here.
    :return: the octets of a C{multipart/byteranges} body (RFC 9110 section 14.6).
    """
    for number, span in enumerate(spans):
        start = b"--" if number == 0 else b"\r\n--"
        yield b"%b%b\r\n%b" % (start, boundary, _part_head(content, span))
        part = content.part_with(span)
        if part is not None:
            yield from part.cut(span)
    yield b"\r\n--" + boundary + b"--\r\n"


def _part_head(content: PartialContent, span: Span) -> bytes:
    kind = b"" if content.kind is None else b"Content-Type: %b\r\n" % content.kind
    return b"%bContent-Range: %b\r\n\r\n" % (kind, content_range(span, content.length))


def boundary_of(content_type: bytes) -> bytes | None:
    """
    :return: the boundary of a C{multipart/byteranges} type; None for any other type.
    """
    if not content_type.lower().startswith(b"multipart/byteranges"):
        return None
    found = _BOUNDARY.search(content_type)
    return (found[1] or found[2]) if found is not None else None


def read_multipart(body: bytes, boundary: bytes) -> PartialContent:
    """
    :param body: of a C{multipart/byteranges} answer, whole.
    :return: what it has of the representation, in the order of the answer, which may not be
        that of offsets; parts may overlap, which is for the caller to look at.
    :raises ValueError: it is malformed, or its parts say different lengths of the whole.
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
    return PartialContent(tuple(parts), lengths.pop(), kind)


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
