"""Chunked bodies (RFC 9112 section 7.1)."""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from trickster.http.grammar import PARAMETERS, TEXT, TOKEN
from trickster.http.h1.faults import Malformed, MalformedBody
from trickster.http.h1.leniency import Leniency

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})" + PARAMETERS + rb"([ \t]*)")
_TRAILER = re.compile(TOKEN + rb":" + TEXT)
_UNTAKEN = re.compile(rb"[\0\r]")
_UNTAKEN_YET = re.compile(rb"\0|\r(?!\Z)")
_OVERHEAD_PER_OCTET = 16
_MOST_SIZE = 2 ** 63
_MOST_KNOWN = 64

_BAD_SIZE = Malformed(400, "malformed chunk size")
_BAD_END = Malformed(400, "a line end must be CRLF")
_BAD_OCTET = Malformed(400, "a bare CR or NUL in chunks")
_BAD_TRAILER = Malformed(400, "malformed trailer field")
_LONG_CHUNK = Malformed(400, "a chunk is longer than its size")
_MUCH_OVERHEAD = Malformed(400, "too many chunk extensions")
_LONG_TRAILERS = Malformed(431, "the trailer fields are too large")


@frozen
class ChunkLimits:
    """
    How much may come with a chunked body that is none of it.

    :ivar overhead: octets in all, beyond what a sender of tiny chunks needs.
    :ivar line: octets of one line, without its end.
    :ivar trailers: octets of all trailer fields.
    :ivar trailer_fields: how many there may be.
    """

    overhead: int
    line: int
    trailers: int
    trailer_fields: int

    @classmethod
    def all_within(cls, octets: int) -> ChunkLimits:
        """:return: limits of which each is reached by so many octets alone."""
        return cls(octets, octets, octets, octets)


class _Next(Enum):
    SIZE = "the line with a size"
    DATA = "octets of a chunk"
    DATA_END = "the line end after them"
    TRAILER = "a field after the last chunk, or the end"
    NOTHING = "this was the end"


class ChunkedReader:
    """
    Takes chunks apart.  Extensions and trailers are read and forgotten.

    :ivar is_done: whether the last chunk and the trailers have come.
    :ivar rest: octets that came after that.
    :ivar leniencies: what was taken although RFC 9112 does not know it.
    """

    __slots__ = ("_is_lenient", "_kept", "_left", "_limits", "_next", "_overhead_left", "_sizes",
                 "_trailer_fields", "_trailers", "is_done", "leniencies", "rest")

    def __init__(self, limits: ChunkLimits, is_lenient: bool) -> None:
        """
        :param is_lenient: whether to take what can mean one thing only, as a client does that
            will not use the connection again; a server, to which a next request may be
            smuggled in such ways, refuses it.
        """
        self.is_done = False
        self.rest = b""
        self.leniencies: set[Leniency] = set()
        self._limits = limits
        self._is_lenient = is_lenient
        self._overhead_left = limits.overhead
        self._next = _Next.SIZE
        self._left = 0
        self._kept = b""
        self._sizes: dict[bytes, int] = {}
        self._trailers = self._trailer_fields = 0

    def feed(self, octets: bytes) -> list[bytes]:
        """
        :return: the pieces of the body in these octets.
        :raises MalformedBody: they are not chunks; nothing may be fed after that.
        """
        if self.is_done:
            self.rest += octets
            return []
        new = len(octets)
        if self._kept:
            octets, self._kept = self._kept + octets, b""
        pieces: list[bytes] = []
        at = self._read(octets, pieces)
        # Cut once for each portion, not for each chunk: that would be quadratic for tiny ones.
        left = octets[at:]
        if self._next is _Next.NOTHING:
            self.is_done, self.rest = True, left
            return pieces
        self._kept = left
        body = sum(map(len, pieces))
        self._overhead_left -= new - body - _OVERHEAD_PER_OCTET * body
        if self._overhead_left < 0:
            raise MalformedBody(
                _LONG_TRAILERS if self._next is _Next.TRAILER else _MUCH_OVERHEAD)
        return pieces

    def _read(self, octets: bytes, pieces: list[bytes]) -> int:
        """:return: up to where they have been read."""
        at, end = 0, len(octets)
        while at < end and self._next is not _Next.NOTHING:
            if self._next is _Next.DATA:
                piece = octets[at:at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._next = _Next.DATA_END
                continue
            if self._next is _Next.SIZE:
                at = self._plain_chunks(octets, at, pieces)
            line_end = octets.find(b"\n", at)
            if line_end < 0:
                self._check_beginning(octets[at:])
                break
            self._take_line(self._line(octets[at:line_end]))
            at = line_end + 1
        return at

    def _plain_chunks(self, octets: bytes, at: int, pieces: list[bytes]) -> int:
        """
        Read as many as there are of whole chunks, in the form that senders usually write.

        :return: where the first begins that is not such.
        """
        size_of, last = self._sizes.get, len(octets) - 2
        while True:
            start = octets.find(b"\r\n", at) + 2
            size = size_of(octets[at:start])
            if size is None:
                return at
            stop = start + size
            if stop > last or octets[stop:stop + 2] != b"\r\n":
                return at
            pieces.append(octets[start:stop])
            at = stop + 2

    def _line(self, line: bytes) -> bytes:
        if line[-1:] == b"\r":
            return line[:-1]
        self._take(Leniency.LINE_FEED, _BAD_END)
        return line

    def _take(self, kind: Leniency, fault: Malformed) -> None:
        if not self._is_lenient:
            raise MalformedBody(fault)
        self.leniencies.add(kind)

    def _check_beginning(self, line: bytes) -> None:
        """
        Refuse as soon as no good line can come of it, rather than wait for its end.

        :param line: what is here of a line; its last octet may be the C{CR} of its end.
        :raises MalformedBody: it would be refused, however it went on.
        """
        if self._next is _Next.DATA_END and line != b"\r":
            raise MalformedBody(_LONG_CHUNK)
        if _UNTAKEN_YET.search(line):
            raise MalformedBody(_BAD_OCTET)
        self._check_length(line.removesuffix(b"\r"))

    def _check_length(self, line: bytes) -> None:
        if self._next is _Next.TRAILER:
            if self._trailers + len(line) > self._limits.trailers:
                raise MalformedBody(_LONG_TRAILERS)
        elif len(line) > self._limits.line:
            raise MalformedBody(_BAD_SIZE)

    def _take_line(self, line: bytes) -> None:
        if self._next is _Next.DATA_END:
            if line:
                raise MalformedBody(_LONG_CHUNK)
            self._next = _Next.SIZE
            return
        self._check_length(line)
        if self._next is _Next.SIZE:
            self._take_size(line)
        else:
            self._take_trailer(line)

    def _take_size(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        size = int(found[1], 16) if found else _MOST_SIZE
        if found is None or size >= _MOST_SIZE:
            raise MalformedBody(_BAD_SIZE)
        if found[2]:
            self._take(Leniency.CHUNK_PADDING, _BAD_SIZE)
        elif size and found[1] == line and len(self._sizes) < _MOST_KNOWN:
            self._sizes[line + b"\r\n"] = size
        self._left = size
        self._next = _Next.DATA if size else _Next.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._next = _Next.NOTHING
            return
        self._trailers += len(line) + 2
        self._trailer_fields += 1
        if self._trailer_fields > self._limits.trailer_fields:
            raise MalformedBody(_LONG_TRAILERS)
        if _UNTAKEN.search(line):
            raise MalformedBody(_BAD_OCTET)
        if _TRAILER.fullmatch(line) is None:
            self._take(Leniency.TRAILER, _BAD_TRAILER)
