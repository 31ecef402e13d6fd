"""Where a request body ends: Content-Length or chunked, read strictly (RFC 9112 section 7)."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import define, field

from trickster.frontend.requesthead import Malformed, parse_pairs
from trickster.http.grammar import PARAMETERS

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(" + PARAMETERS + rb")")

_LONGEST_SIZE_LINE = 1024
_MOST_EXTENSIONS = 16 * 1024
_MOST_TRAILERS = 16 * 1024
_MOST_TRAILER_FIELDS = 64

_BAD_SIZE = Malformed(400, "malformed chunk size")
_BAD_END = Malformed(400, "a line end must be CRLF")
_LONG_EXTENSIONS = Malformed(400, "too many chunk extensions")
_LONG_TRAILERS = Malformed(431, "the trailer fields are too large")

Pieces = list[bytes]


class MalformedBody(Exception):
    """
    A body whose end cannot be found.

    :ivar malformed: why.
    """

    def __init__(self, malformed: Malformed) -> None:
        super().__init__(malformed.detail)
        self.malformed = malformed


@define
class CountedFraming:
    """
    A body of a length known before.

    :ivar remaining: octets that are still to come.
    :ivar is_done: whether all of it has come.
    :ivar rest: what came after its end.
    """

    remaining: int
    is_done: bool = False
    rest: bytes = b""

    def feed(self, data: bytes) -> Pieces:
        """:return: what of this belongs to the body."""
        size = len(data)
        if size < self.remaining:
            self.remaining -= size
            return [data]
        body, self.rest = data[:self.remaining], data[self.remaining:]
        self.remaining = 0
        self.is_done = True
        return [body] if body else []


@define
class ChunkedFraming:
    """
    A chunked body.  Extensions are checked and ignored; trailers are checked and dropped.

    :ivar is_done: whether all of it has come.
    :ivar rest: what came after its end.
    """

    is_done: bool = False
    rest: bytes = b""
    _buffer: bytes = b""
    _at: int = 0
    _remaining: int = 0
    _extensions: int = 0
    _trailers: list[bytes] = field(factory=list)
    _step: Callable[[Pieces], bool] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._step = self._size

    def feed(self, data: bytes) -> Pieces:
        """
        :return: what of this belongs to the body, without its framing.
        :raises MalformedBody: the framing is broken; nothing may be fed after it.
        """
        self._buffer = self._buffer + data if self._buffer else data
        self._at = 0
        pieces: Pieces = []
        while not self.is_done and self._step(pieces):
            pass
        # Cut once a feed, not once a chunk: that would be quadratic for tiny chunks.
        left = self._buffer[self._at:]
        self.rest, self._buffer = (left, b"") if self.is_done else (b"", left)
        return pieces

    def _line(self, limit: int, too_long: Malformed) -> bytes | None:
        """:return: the next line, without its CRLF, or None while it is not complete."""
        buffer, start = self._buffer, self._at
        stop = start + limit + 1
        cr = buffer.find(b"\r", start, stop)
        if buffer.find(b"\n", start, stop if cr < 0 else cr) >= 0:
            raise MalformedBody(_BAD_END)
        if cr < 0:
            if len(buffer) - start > limit:
                raise MalformedBody(too_long)
            return None
        if cr + 1 == len(buffer):
            return None
        if buffer[cr + 1] != 0x0A:
            raise MalformedBody(_BAD_END)
        self._at = cr + 2
        return buffer[start:cr]

    def _size(self, pieces: Pieces) -> bool:
        line = self._line(_LONGEST_SIZE_LINE, _BAD_SIZE)
        if line is None:
            return False
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise MalformedBody(_BAD_SIZE)
        self._extensions += len(found[2])
        if self._extensions > _MOST_EXTENSIONS:
            raise MalformedBody(_LONG_EXTENSIONS)
        self._remaining = int(found[1], 16)
        self._step = self._data if self._remaining else self._trailer
        return True

    def _data(self, pieces: Pieces) -> bool:
        piece = self._buffer[self._at:self._at + self._remaining]
        if not piece:
            return False
        self._at += len(piece)
        self._remaining -= len(piece)
        pieces.append(piece)
        if not self._remaining:
            self._step = self._data_end
        return True

    def _data_end(self, pieces: Pieces) -> bool:
        end = self._buffer[self._at:self._at + 2]
        if not b"\r\n".startswith(end):
            raise MalformedBody(Malformed(400, "a chunk is longer than its size"))
        if len(end) < 2:
            return False
        self._at += 2
        self._step = self._size
        return True

    def _trailer(self, pieces: Pieces) -> bool:
        line = self._line(_MOST_TRAILERS, _LONG_TRAILERS)
        if line is None:
            return False
        if line:
            self._keep_trailer(line)
            return True
        checked = parse_pairs(b"".join(self._trailers))
        if isinstance(checked, Malformed):
            raise MalformedBody(checked)
        self.is_done = True
        return True

    def _keep_trailer(self, line: bytes) -> None:
        self._trailers.append(line + b"\r\n")
        if len(self._trailers) > _MOST_TRAILER_FIELDS \
                or sum(map(len, self._trailers)) > _MOST_TRAILERS:
            raise MalformedBody(_LONG_TRAILERS)


Framing = CountedFraming | ChunkedFraming


def framing_of(length: int | None) -> Framing:
    """
    :param length: octets, or None for a chunked body.
    """
    return ChunkedFraming() if length is None else CountedFraming(length, length == 0)
