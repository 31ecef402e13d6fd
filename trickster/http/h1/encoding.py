"""Messages to octets: heads, how bodies are framed, and chunks (RFC 9112)."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from http import HTTPStatus
from types import MappingProxyType

from attrs import frozen

from trickster.errors import BadRequest
from trickster.http.fields import OF_ONE_MESSAGE
from trickster.http.grammar import TEXT, TOKEN
from trickster.messages import Headers, Octets, Pair, Response, Status

_STATUS_LINES = MappingProxyType({
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
})


_REQUEST = re.compile(TOKEN + rb" [\x21-\x7e\x80-\xff]+")
_LINES = re.compile(rb"(?:" + TOKEN + rb": " + TEXT + rb"\r\n)*")
_FORBIDDEN = "the request cannot be passed on: it has octets that HTTP forbids"
LAST_CHUNK = b"0\r\n\r\n"


class BodyFraming(Enum):
    """How the end of a body is told."""

    NONE = "no body"
    LENGTH = "by its length"
    CHUNKED = "in chunks"
    CLOSE = "by the end of the connection"


# Members of an enum are slow to look up, and every request asks.
_LENGTH = BodyFraming.LENGTH
_CLOSE = BodyFraming.CLOSE
_HIT = Status.HIT


class UnsendableHead(Exception):
    """A header field or a phrase would break the message's framing, or is no octets."""


@frozen
class EncodedHead:
    """
    What goes before the body.

    :ivar octets: as on the wire, with the empty line.
    """

    octets: bytes
    framing: BodyFraming


def _on_one_line(value: bytes) -> bytes:
    if b"\r" in value or b"\n" in value:
        raise UnsendableHead
    return value


def _status_line(status: int, phrase: bytes) -> bytes:
    if phrase or status not in _STATUS_LINES:
        return b"HTTP/1.1 %d %s\r\n" % (status, _on_one_line(phrase))
    return _STATUS_LINES[status]


def has_no_body(method: bytes, status: int) -> bool:
    """:return: whether such an answer ends with its head (RFC 9112 section 6.3)."""
    return method == b"HEAD" or status in (204, 304) or status < 200


def _framed(method: bytes, version: bytes, response: Response) -> tuple[BodyFraming, bytes]:
    status, length = response.status, response.body.length
    if has_no_body(method, status):
        if method != b"HEAD" and status != 304:
            return BodyFraming.NONE, b""
        stated = response.headers.get(b"content-length")
        if stated is None and length and status != 304:
            stated = b"%d" % length
        if stated is None or not stated.isdigit():
            return BodyFraming.NONE, b""
        return BodyFraming.NONE, b"Content-Length: %b\r\n" % stated
    if length is not None:
        return _LENGTH, b"Content-Length: %d\r\n" % length
    if version == b"HTTP/1.1":
        return BodyFraming.CHUNKED, b"Transfer-Encoding: chunked\r\n"
    return BodyFraming.CLOSE, b""


def _field_lines(headers: Headers, _: None = None) -> tuple[bytes, bool]:
    """
    :return: the fields that are sent as they are, each with its line end; and whether
        C{Date} is among them.
    :raises UnsendableHead: there are line ends where there must be none, or no octets.
    """
    lines = []
    has_date = False
    try:
        for pair in headers.pairs:
            lowered = pair[0].lower()
            if lowered == b"date":
                has_date = True
            elif lowered in OF_ONE_MESSAGE:
                continue  # framing is ours to say, and so is the connection's state
            lines.append(b": ".join(pair))
    except (TypeError, AttributeError) as error:
        # Text where octets must be, from a plugin.
        raise UnsendableHead from error
    lines.append(b"")
    block = b"\r\n".join(lines)
    if not block.count(b"\n") == block.count(b"\r") == len(lines) - 1:
        raise UnsendableHead
    return block, has_date


def can_be_sent(response: Response) -> bool:
    """
    :return: whether a response has a phrase and header fields of octets that stay on their
        lines, as L{response_head} needs them.
    """
    try:
        _status_line(response.status, response.phrase)
        _field_lines(response.headers)
    except UnsendableHead:
        return False
    return True


def _dated_lines(response: Response, date: bytes) -> bytes:
    headers = response.headers
    # Small hits have the very same fields time and again.
    is_repeated = response.outcome.status is _HIT and type(response.body) is Octets
    lines, has_date = headers.derived(_field_lines) if is_repeated else _field_lines(headers)
    # RFC 9110 section 6.6.1: a recipient with a clock adds it to an answer without it.
    return lines if has_date else b"%bDate: %b\r\n" % (lines, date)


def response_head(method: bytes, version: bytes, response: Response, date: bytes,
                  closing: bool) -> EncodedHead:
    """
    :param method: of the request.
    :param version: of the client's HTTP.
    :param date: the present, as an HTTP date, for answers that have none.
    :param closing: whether the connection ends with this answer.
    :raises UnsendableHead: there are line ends where there must be none.
    """
    framing, length = _framed(method, version, response)
    connection = b"Connection: close\r\n" if closing or framing is _CLOSE else b""
    line = _status_line(response.status, response.phrase)
    fields = _dated_lines(response, date)
    return EncodedHead(b"%b%b%b%b\r\n" % (line, fields, length, connection), framing)


def interim_head(status: int, headers: Headers) -> bytes:
    """
    :return: an interim (1xx) answer.
    :raises UnsendableHead: as L{response_head}.
    """
    return b"%b%b\r\n" % (_status_line(status, b""), _field_lines(headers)[0])


def upgrade_head(response: Response, date: bytes) -> bytes:
    """
    :return: the head of a 101 answer (RFC 9110 section 15.2.2).
    :raises UnsendableHead: as L{response_head}.
    """
    protocol = _on_one_line(response.headers.joined(b"upgrade") or b"")
    return b"%b%bUpgrade: %b\r\nConnection: Upgrade\r\n\r\n" % (
        _status_line(101, response.phrase), _dated_lines(response, date), protocol)


def encode_fields(fields: Collection[Pair]) -> bytes:
    """
    :param fields: written in this order.
    :return: their lines, ready to be sent.
    :raises BadRequest: something in it would not be one field to every reader, such as a line
        end in a value.
    """
    octets = b"".join([b"%b: %b\r\n" % pair for pair in fields])
    if _LINES.fullmatch(octets) is None or octets.count(b"\r\n") != len(fields):
        raise BadRequest(_FORBIDDEN)
    return octets


def encode_head(method: bytes, target: bytes, lines: bytes) -> bytes:
    """
    :param lines: of the fields, from L{encode_fields}.
    :return: a request head, ready to be sent.
    :raises BadRequest: its first line would not be one to every reader.
    """
    line = b"%b %b" % (method, target)
    if _REQUEST.fullmatch(line) is None:
        raise BadRequest(_FORBIDDEN)
    return b"%b HTTP/1.1\r\n%b\r\n" % (line, lines)


def chunk_head(size: int) -> bytes:
    """
    :param size: octets of a chunk, which C{CRLF} is to follow; not 0.
    :return: the line before it.
    """
    return b"%x\r\n" % size
