"""Finds request heads in the octets of a connection, within limits."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from trickster.http.grammar import TOKEN_OCTETS
from trickster.http.h1.faults import Malformed
from trickster.http.h1.requests import (
    Fields,
    RequestHead,
    RequestLine,
    assemble,
    parse_fields,
    parse_request_line,
)

_CR, _LF = 0x0D, 0x0A
_TOKEN_STARTS = frozenset(TOKEN_OCTETS)


@frozen
class HeadLimits:
    """
    How large a head may be.

    :ivar line: octets of the request line; more is a 414.
    :ivar block: octets of all header fields; more is a 431.
    :ivar fields: how many header fields; more is a 431.
    """

    line: int = 80 * 1024
    block: int = 64 * 1024
    fields: int = 256


def _everything(fields: Fields) -> Fields:
    return fields


@define
class HeadReader:
    """
    Takes octets as they come and gives one head after another.

    What it finds does not depend on how the octets are cut into pieces.  Time and memory
    are linear in what is fed.

    :ivar sieve: takes out what this client may not say, and adds what is known about it.
    :ivar rest: octets after the head found last; for the body's reader, and to be
        fed again when the next head is due.
    """

    _limits: HeadLimits
    rest: bytes = b""
    _sieve: Callable[[Fields], Fields] = field(default=_everything, kw_only=True)
    _pending: bytearray = field(factory=bytearray, init=False)
    _scanned: int = field(default=0, init=False)
    _start: int = field(default=0, init=False)
    _count: int = field(default=0, init=False)
    _line: RequestLine | None = field(default=None, init=False)
    _skipped: bool = field(default=False, init=False)
    _last_block: bytes | None = field(default=None, init=False)
    _last_fields: Fields | None = field(default=None, init=False)

    @property
    def has_begun(self) -> bool:
        """
        :return: whether something of the next head was fed already, be it the empty line that
            may come before it (RFC 9112 section 2.2).
        """
        return self._skipped or bool(self._pending) or self._line is not None

    def stop(self) -> None:
        """Nothing is read any more: let go of the sieve, which may hold the connection."""
        self._sieve = _everything

    def feed(self, data: bytes) -> RequestHead | Malformed | None:
        """
        :param data: what came after that which was fed before.
        :return: a head, what is wrong with it, or None while it is not complete.
        """
        if not self.has_begun and data and data[0] in _TOKEN_STARTS:
            end = data.find(b"\r\n\r\n")
            if end > 0 and _is_clean(data, end + 4):
                line_end = data.find(b"\r\n")
                if line_end <= self._limits.line and end - line_end <= self._limits.block:
                    self.rest = data[end + 4:]
                    return self._whole(data[:line_end], data[line_end + 2:end + 2])
        self._pending += data
        return self._advance()

    def _whole(self, line: bytes, block: bytes) -> RequestHead | Malformed:
        parsed = parse_request_line(line)
        if type(parsed) is Malformed:
            return parsed
        return self._with_block(parsed, block)  # type: ignore[arg-type]

    def _with_block(self, line: RequestLine, block: bytes) -> RequestHead | Malformed:
        fields = self._last_fields
        # A client repeats its fields from request to request: they are parsed once.
        if fields is None or block != self._last_block:
            if block.count(b"\n") > self._limits.fields:
                return Malformed(431, "too many header fields")
            parsed = parse_fields(block)
            if isinstance(parsed, Malformed):
                return parsed
            fields = self._last_fields = self._sieve(parsed)
            self._last_block = block
        return assemble(line, fields)

    def _advance(self) -> RequestHead | Malformed | None:
        if self._line is None:
            result = self._read_line()
            if not isinstance(result, RequestLine):
                return result
            self._line = result
        return self._read_block()

    def _read_line(self) -> RequestLine | Malformed | None:
        pending = self._pending
        # RFC 9112 section 2.2: one empty line before the request line is ignored.
        if not self._skipped and pending[:2] == b"\r\n":
            self._skipped = True
            del pending[:2]
        if not pending or (pending == b"\r" and not self._skipped):
            return None
        if pending[0] not in _TOKEN_STARTS:
            return Malformed(400, "malformed request line")
        end = self._line_end(self._limits.line, Malformed(414, "the request line is too long"))
        if not isinstance(end, int):
            return end
        line = bytes(pending[:end])
        del pending[:end + 2]
        self._scanned = 0
        return parse_request_line(line)

    def _read_block(self) -> RequestHead | Malformed | None:
        too_large = Malformed(431, "the header fields are too large")
        while True:
            end = self._line_end(self._limits.block, too_large)
            if not isinstance(end, int):
                return end
            if end == self._start:
                return self._complete(end)
            self._count += 1
            if self._count > self._limits.fields:
                return Malformed(431, "too many header fields")
            self._start = self._scanned = end + 2

    def _complete(self, end: int) -> RequestHead | Malformed:
        pending, line = self._pending, self._line
        assert line is not None
        block, self.rest = bytes(pending[:end]), bytes(pending[end + 2:])
        pending.clear()
        self._scanned = self._start = self._count = 0
        self._line, self._skipped = None, False
        return self._with_block(line, block)

    def _line_end(self, limit: int, too_long: Malformed) -> int | Malformed | None:
        """
        :return: where the next CRLF begins, what is wrong, or None while it is not here.
        """
        pending = self._pending
        end = _first_line_octet(pending, self._scanned, limit + 1)
        if end < 0:
            self._scanned = min(len(pending), limit + 1)
            return too_long if len(pending) > limit else None
        if pending[end] == _LF:
            return Malformed(400, "a line end must be CRLF")
        if end + 1 == len(pending):
            self._scanned = end
            return None
        return end if pending[end + 1] == _LF else Malformed(400, "a line end must be CRLF")


def _is_clean(data: bytes, end: int) -> bool:
    """:return: whether all line ends up to there are CRLF."""
    pairs = data.count(b"\r\n", 0, end)
    return data.count(b"\n", 0, end) == pairs == data.count(b"\r", 0, end)


def _first_line_octet(pending: bytearray, start: int, stop: int) -> int:
    cr, lf = pending.find(b"\r", start, stop), pending.find(b"\n", start, stop)
    if cr < 0 or lf < 0:
        return max(cr, lf)
    return min(cr, lf)
