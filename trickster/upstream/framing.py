"""Where the body of a response ends (RFC 9112 section 6)."""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from trickster.errors import UpstreamMalformed
from trickster.messages import Headers
from trickster.upstream.heads import ResponseHead

_MAX_LENGTH = 2 ** 63
_KEEP_ALIVE = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)


class Ending(Enum):
    """How the end of a body is known."""

    NO_BODY = "no body"
    LENGTH = "Content-Length"
    CHUNKED = "chunked"
    CLOSE = "the connection's end"
    UPGRADED = "no HTTP any more"


@frozen(slots=True)
class Framing:
    """
    :ivar length: octets in the body, for C{Ending.LENGTH}.
    :ivar is_persistent: whether the connection can be used again after it.
    """

    ending: Ending
    length: int | None
    is_persistent: bool


def framing_of(head: ResponseHead, method: bytes) -> Framing:
    """
    :param method: of the request; an answer to HEAD has no body.
    :raises UpstreamMalformed: different readers might find different ends.
    """
    headers = head.headers
    codings = headers.get_all(b"transfer-encoding")
    length = _content_length(headers)
    if codings:
        _check_codings(codings, length, head.minor)
    is_persistent = _stays_open(head)
    if head.status == 101:
        return Framing(Ending.UPGRADED, None, False)
    if head.status == 204:
        # RFC 9110 section 15.3.5: it has no body; one that claims to is not to be trusted.
        return Framing(Ending.NO_BODY, None, is_persistent and not (codings or length))
    if method == b"HEAD" or head.status == 304:
        return Framing(Ending.NO_BODY, None, is_persistent)
    if codings:
        return Framing(Ending.CHUNKED, None, is_persistent)
    if length is not None:
        return Framing(Ending.LENGTH, length, is_persistent)
    return Framing(Ending.CLOSE, None, False)


def _content_length(headers: Headers) -> int | None:
    values = headers.get_all(b"content-length")
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit() or len(values[0]) > 4096:
        raise UpstreamMalformed("a Content-Length that is not one number")
    length = int(values[0])
    if length > _MAX_LENGTH:
        raise UpstreamMalformed("a Content-Length that nobody can send")
    return length


def _check_codings(codings: list[bytes], length: int | None, minor: int) -> None:
    if length is not None:
        raise UpstreamMalformed("both Content-Length and Transfer-Encoding")
    if len(codings) > 1 or codings[0].lower() != b"chunked":
        raise UpstreamMalformed("a Transfer-Encoding other than chunked")
    if minor == 0:
        # RFC 9112 section 6.1: such a message's framing is faulty.
        raise UpstreamMalformed("a Transfer-Encoding in HTTP/1.0")


def _stays_open(head: ResponseHead) -> bool:
    options = head.headers.joined(b"connection")
    if options is None:
        return head.minor > 0
    said = {option.strip() for option in options.lower().split(b",")}
    return b"close" not in said and (head.minor > 0 or b"keep-alive" in said)


def kept_for(headers: Headers) -> float:
    """
    :return: seconds for which the origin says it keeps an idle connection, less one for
        the way: a request that meets its closing would be lost.  Infinite when it says
        nothing.
    """
    said = headers.joined(b"keep-alive")
    found = _KEEP_ALIVE.search(said) if said else None
    return float(found[1]) - 1.0 if found else float("inf")
