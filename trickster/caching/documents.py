"""Stored responses: header fields, and the parts of the body that are here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from attrs import evolve, field, frozen

from trickster.bodies import Pieces
from trickster.caching.selecting import Selecting
from trickster.http.dates import format_date
from trickster.http.fields import OF_ONE_MESSAGE
from trickster.http.freshness import Policy, initial_age
from trickster.http.grammar import tokens
from trickster.interfaces import IBody
from trickster.messages import Headers, Octets

Buffer = bytes | memoryview

# Up to here a body is one buffer, which leaves in one piece.
_JOINED = 256 * 1024

# About what the objects of one entry take beside its octets.
_OVERHEAD = 1024


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
        """Octets in it."""
        return self.stop - self.start

    def holds(self, other: Span) -> bool:
        """:return: whether all of C{other} is in it."""
        return self.start <= other.start and other.stop <= self.stop


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
        """What it covers."""
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
class Document:
    """
    A stored response to a GET.

    :ivar headers: as they are sent with each reuse, but for C{Age}.
    :ivar parts: what is here of the body, in order, apart from each other.
    :ivar length: octets of the whole representation, or None where that is not known.
    :ivar policy: what may be done with it.
    :ivar initial_age: seconds, when it arrived (RFC 9111 section 4.2.3).
    :ivar received: when it arrived or was last validated, in seconds of the clock that ages
        are counted by; of those of other processes see L{trickster.steadyclock}.
    :ivar selecting: the request fields that must be equal for it to match.
    """

    status: int
    headers: Headers
    parts: tuple[Part, ...]
    length: int | None
    policy: Policy
    initial_age: float
    received: float
    selecting: Selecting = ()
    phrase: bytes = b""

    @property
    def is_whole(self) -> bool:
        """Whether every octet of the body is here."""
        return self.held == self.length

    @property
    def held(self) -> int:
        """Octets of the body that are here."""
        return sum(part.length for part in self.parts)

    @property
    def nbytes(self) -> int:
        """What it counts for in a store of limited size."""
        fields = sum(len(name) + len(value) + 130 for name, value in self.headers)
        return self.held + fields + _OVERHEAD

    def age(self, now: float) -> float:
        """:return: its current age in seconds (RFC 9111 section 4.2.3)."""
        resident = max(0.0, now - self.received)
        return resident if self.policy.forced else self.initial_age + resident

    def part_with(self, span: Span) -> Part | None:
        """:return: the part that has all of a span, if there is one."""
        for part in self.parts:
            if part.span.holds(span):
                return part
        return None

    def body(self) -> IBody:
        """:return: a new body of everything that is here; for a whole document."""
        parts = self.parts
        if len(parts) == 1 and len(parts[0].buffers) == 1:
            return Octets(parts[0].buffers[0])
        buffers = list(chain.from_iterable(part.buffers for part in parts))
        return Pieces.of(buffers) if buffers else Octets()


def whole_part(buffers: Sequence[bytes]) -> tuple[Part, ...]:
    """
    :return: the parts of a body that is here from its first octet on; a small one is joined,
        once for all the times that it will be sent.
    """
    if len(buffers) > 1 and sum(map(len, buffers)) <= _JOINED:
        buffers = (b"".join(buffers),)
    return (Part(0, tuple(buffers)),) if buffers else ()


def stored_headers(headers: Headers, received: float) -> Headers:
    """
    :param received: seconds since the epoch; it becomes the C{Date} of a response that has
        none (RFC 9110 section 6.6.1).
    :return: the fields that may be stored.
    """
    kept = headers.without(*OF_ONE_MESSAGE, *tokens(headers, b"connection"))
    return kept if b"date" in kept else kept.with_added((b"Date", format_date(received)))


@frozen
class Arrival:
    """
    When a response arrived.

    :ivar at: in seconds of the clock that ages are counted by.
    :ivar date: in seconds since the epoch, to be compared with dates.
    :ivar delay: seconds since the request went out.
    """

    at: float
    date: float
    delay: float = 0.0


def aged(document: Document, headers: Headers, arrival: Arrival) -> Document:
    """
    :param headers: the response's own, with C{Age} and C{Date} if it had them.
    :return: the document as one that arrived with these fields at this time.
    """
    kept = stored_headers(headers, arrival.date)
    return evolve(document, headers=kept.without(b"age"), received=arrival.at,
                  initial_age=initial_age(kept, arrival.date, arrival.delay))


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
