"""What clients' requests want of a cache, and which are none of its business."""

from __future__ import annotations

from trickster.http.cache_control import NO_DIRECTIVES, Directives, parse_cache_control
from trickster.messages import Headers, Request

_FRESH = parse_cache_control([b"no-cache"])
_FRESH_UNSTORED = parse_cache_control([b"no-cache, no-store"])


def wished(headers: Headers) -> Directives:
    """:return: the directives of a request; C{Pragma} counts where there are no others."""
    lines = headers.get_all(b"cache-control")
    if not lines and b"no-cache" in (headers.joined(b"pragma") or b"").lower():
        return _FRESH  # RFC 9111 section 5.4
    return parse_cache_control(lines)


def heeded(headers: Headers, in_full: bool) -> Directives:
    """
    :param in_full: whether all directives of a request are obeyed, as RFC 9111 section 5.2.1
        has them.
    :return: those that are obeyed; else the wish for a fresh answer alone, which C{no-store}
        is too.  It is about the answer to the one who asks: nothing is taken from others.
    """
    if b"cache-control" not in headers and b"pragma" not in headers:
        return NO_DIRECTIVES
    said = wished(headers)
    if in_full:
        return said
    if b"no-store" in said:
        return _FRESH_UNSTORED
    return _FRESH if b"no-cache" in said else NO_DIRECTIVES


def is_more_than_reading(request: Request) -> bool:
    """
    :param request: a GET or HEAD.
    :return: whether no stored answer can be one to it.
    """
    # A body may be part of what is asked (RFC 9110 section 9.3.1), and no key has it; and
    # a connection that changes its protocol is not shared.  HTTP/2 in clear is never spoken.
    if request.body.length != 0:
        return True
    upgrade = request.headers.get(b"upgrade")
    return upgrade is not None and upgrade.strip().lower() != b"h2c"
