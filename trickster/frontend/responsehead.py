"""The head of an answer, and how its body is framed (RFC 9112 section 6)."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from types import MappingProxyType

from attrs import frozen

from trickster.http.fields import OF_ONE_MESSAGE
from trickster.messages import Headers, Octets, Response, Status

# Framing is ours to say, and the connection's state is the channel's.
_SPECIAL = OF_ONE_MESSAGE | {b"date"}

_STATUS_LINES = MappingProxyType({
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii"))
    for status in HTTPStatus
})


class BodyFraming(Enum):
    """How the end of a body is told."""

    NONE = "no body"
    LENGTH = "by its length"
    CHUNKED = "in chunks"
    CLOSE = "by the end of the connection"


class UnsendableHead(Exception):
    """A header field or a phrase would break the message's framing."""


@frozen
class ResponseHead:
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
        return BodyFraming.LENGTH, b"Content-Length: %d\r\n" % length
    if version == b"HTTP/1.1":
        return BodyFraming.CHUNKED, b"Transfer-Encoding: chunked\r\n"
    return BodyFraming.CLOSE, b""


def _field_lines(headers: Headers, _: None = None) -> tuple[bytes, bool]:
    """
    :return: the fields that are sent as they are, each with its line end; and whether
        C{Date} is among them.
    :raises UnsendableHead: there are line ends where there must be none.
    """
    lines = []
    has_date = False
    for pair in headers.pairs:
        lowered = pair[0].lower()
        if lowered in _SPECIAL:
            if lowered != b"date":
                continue
            has_date = True
        lines.append(b": ".join(pair))
    lines.append(b"")
    block = b"\r\n".join(lines)
    if not block.count(b"\n") == block.count(b"\r") == len(lines) - 1:
        raise UnsendableHead
    return block, has_date


def _dated_lines(response: Response, date: bytes) -> bytes:
    headers = response.headers
    # Small hits have the very same fields time and again.
    is_repeated = response.outcome.status is Status.HIT and type(response.body) is Octets
    lines, has_date = headers.derived(_field_lines) if is_repeated else _field_lines(headers)
    # RFC 9110 section 6.6.1: a recipient with a clock adds it to an answer without it.
    return lines if has_date else b"%bDate: %b\r\n" % (lines, date)


def response_head(method: bytes, version: bytes, response: Response, date: bytes,
                  closing: bool) -> ResponseHead:
    """
    :param method: of the request.
    :param version: of the client's HTTP.
    :param date: the present, as an HTTP date, for answers that have none.
    :param closing: whether the connection ends with this answer.
    :raises UnsendableHead: there are line ends where there must be none.
    """
    framing, length = _framed(method, version, response)
    connection = b"Connection: close\r\n" if closing or framing is BodyFraming.CLOSE else b""
    line = _status_line(response.status, response.phrase)
    fields = _dated_lines(response, date)
    return ResponseHead(b"%b%b%b%b\r\n" % (line, fields, length, connection), framing)


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
