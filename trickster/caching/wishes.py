"""What clients' requests want of a cache, and which are none of its business."""

from __future__ import annotations

from trickster.caching.directives import Directives, parse_cache_control
from trickster.messages import Headers, Request

_NO_CACHE = frozenset((b"no-cache", b"no-store", b"private"))


def wished(headers: Headers) -> Directives:
    """:return: the directives of a request; C{Pragma} counts where there are no others."""
    lines = headers.get_all(b"cache-control")
    if not lines and b"no-cache" in (headers.joined(b"pragma") or b"").lower():
        return parse_cache_control([b"no-cache"])  # RFC 9111 section 5.4
    return parse_cache_control(lines)


def purges(headers: Headers) -> bool:
    """:return: whether a request wants what is stored forgotten, as Trickster takes it."""
    if b"cache-control" not in headers and b"pragma" not in headers:
        return False
    return not _NO_CACHE.isdisjoint(wished(headers).values)


def is_more_than_reading(request: Request) -> bool:
    """
    :param request: a GET or HEAD.
    :return: whether no stored answer can be one to it.
    """
    # A body may be part of what is asked (RFC 9110 section 9.3.1), and no key has it; and
    # nobody shares a connection that changes its protocol.  HTTP/2 in clear is never spoken.
    if request.body.length != 0:
        return True
    upgrade = request.headers.get(b"upgrade")
    return upgrade is not None and upgrade.strip().lower() != b"h2c"
