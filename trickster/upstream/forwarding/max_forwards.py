"""Requests that end here because C{Max-Forwards} says so (RFC 9110 section 7.6.2)."""

from __future__ import annotations

from trickster.errors import BadRequest
from trickster.messages import Headers, Octets, Outcome, Request, Response

_COUNTED = frozenset((b"TRACE", b"OPTIONS"))
# RFC 9110 section 9.3.8: what is likely to be secret is not shown to a page that can make a
# browser ask.
_SECRET = (b"authorization", b"proxy-authorization", b"cookie")
_MOST_DIGITS = 9
_MOST = 255


def counted_down(request: Request) -> Request | Response:
    """
    :return: the request to send on, which may be the same, or the answer that we give
        as the last in the chain.
    :raises BadRequest: the count is not a number.
    """
    if request.method not in _COUNTED or b"max-forwards" not in request.headers:
        return request
    said = request.headers.get_all(b"max-forwards")
    if len(said) > 1 or not said[0].isdigit():
        raise BadRequest("Max-Forwards is one number")
    left = min(int(said[0][:_MOST_DIGITS]), _MOST)
    if left == 0:
        return _echo(request) if request.method == b"TRACE" else _options()
    return request.with_headers(request.headers.with_set(b"Max-Forwards", b"%d" % (left - 1)))


def _echo(request: Request) -> Response:
    lines = [b"%b: %b\r\n" % pair for pair in request.headers.without(*_SECRET)]
    octets = b"%b %b %b\r\n%b\r\n" % (request.method, request.target, request.version,
                                      b"".join(lines))
    return Response(200, Headers(((b"Content-Type", b"message/http"),)), Octets(octets), Outcome())


def _options() -> Response:
    return Response(200, outcome=Outcome())
