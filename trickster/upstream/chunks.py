"""Chunked bodies of answers (RFC 9112 section 7.1)."""

from __future__ import annotations

import re
from enum import Enum

from trickster.errors import UpstreamMalformed
from trickster.http.grammar import PARAMETERS, TEXT, TOKEN
from trickster.upstream.leniency import Leniency

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})" + PARAMETERS + rb"([ \t]*)")
_TRAILER = re.compile(TOKEN + rb":" + TEXT)
_UNTAKEN = re.compile(rb"[\0\r]")
_UNTAKEN_YET = re.compile(rb"\0|\r(?!\Z)")
_OVERHEAD_PER_OCTET = 16
_MOST_SIZE = 2 ** 63
_MOST_KNOWN = 64


class _Next(Enum):
    SIZE = "the line with a size"
    DATA = "octets of a chunk"
    DATA_END = "the line end after them"
    TRAILER = "a field after the last chunk, or the end"
    NOTHING = "this was the end"


class ChunkedReader:
    """
    Takes chunks apart.  Extensions and trailers are read and forgotten.

    :ivar is_complete: whether the last chunk and the trailers have come.
    :ivar has_extra: whether more octets came after that.
    :ivar leniencies: what was taken although RFC 9112 does not know it.
    """

    __slots__ = ("_kept", "_left", "_next", "_overhead_left", "_sizes", "has_extra",
                 "is_complete", "leniencies")

    def __init__(self, overhead_limit: int) -> None:
        """
        :param overhead_limit: how many octets may come that are not of the body, beyond
            what a sender of tiny chunks needs.
        """
        self.is_complete = False
        self.has_extra = False
        self.leniencies: set[Leniency] = set()
        self._overhead_left = overhead_limit
        self._next = _Next.SIZE
        self._left = 0
        self._kept = b""
        self._sizes: dict[bytes, int] = {}

    def feed(self, octets: bytes) -> list[bytes]:
        """
        :return: the pieces of the body in these octets.
        :raises UpstreamMalformed: they are not chunks.
        """
        if self.is_complete:
            self.has_extra = self.has_extra or bool(octets)
            return []
        new = len(octets)
        if self._kept:
            octets, self._kept = self._kept + octets, b""
        pieces: list[bytes] = []
        at = self._read(octets, pieces)
        self._kept = octets[at:]
        if self._next is _Next.NOTHING:
            self.is_complete, self.has_extra = True, bool(self._kept)
            return pieces
        body = sum(map(len, pieces))
        self._overhead_left -= new - body - _OVERHEAD_PER_OCTET * body
        if self._overhead_left < 0:
            raise UpstreamMalformed("more chunk extensions or trailers than can be taken")
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
        self.leniencies.add(Leniency.LINE_FEED)
        return line

    def _check_beginning(self, line: bytes) -> None:
        """Refuse as soon as no good line can come of it."""
        if self._next is _Next.DATA_END and line != b"\r":
            raise UpstreamMalformed("a chunk is longer than its size")
        if _UNTAKEN_YET.search(line):
            raise UpstreamMalformed("malformed chunks: a bare CR or NUL")

    def _take_line(self, line: bytes) -> None:
        if self._next is _Next.SIZE:
            self._take_size(line)
        elif self._next is _Next.TRAILER:
            self._take_trailer(line)
        elif line:
            raise UpstreamMalformed("a chunk is longer than its size")
        else:
            self._next = _Next.SIZE

    def _take_size(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        size = int(found[1], 16) if found else _MOST_SIZE
        if found is None or size >= _MOST_SIZE:
            raise UpstreamMalformed("malformed chunks: a line that is no size")
        if found[2]:
            self.leniencies.add(Leniency.CHUNK_PADDING)
        elif size and found[1] == line and len(self._sizes) < _MOST_KNOWN:
            self._sizes[line + b"\r\n"] = size
        self._left = size
        self._next = _Next.DATA if size else _Next.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._next = _Next.NOTHING
        elif _UNTAKEN.search(line):
            raise UpstreamMalformed("malformed chunks: a bare CR or NUL in a trailer")
        elif _TRAILER.fullmatch(line) is None:
            self.leniencies.add(Leniency.TRAILER)
