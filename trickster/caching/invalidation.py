"""What an unsafe request makes invalid (RFC 9111 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from trickster.messages import Headers, Request, Response

SAFE_METHODS = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"REPORT",
                          b"SEARCH", b"QUERY"))


def invalidated(request: Request, response: Response) -> Iterator[bytes]:
    """
    :return: the targets, in origin form, of which stored responses must not be used any
        more; methods that nobody knows count as unsafe.
    """
    if request.method in SAFE_METHODS or not 200 <= response.status < 400:
        return
    yield request.target
    for name in (b"location", b"content-location"):
        target = _same_origin(request, response.headers, name)
        if target is not None and target != request.target:
            yield target


def _same_origin(request: Request, headers: Headers, name: bytes) -> bytes | None:
    """A URI of another origin is none of the sender's business: it could empty the cache."""
    value = headers.get(name)
    if value is None:
        return None
    try:
        base = f"http://{request.authority.decode('ascii')}{request.target.decode('ascii')}"
        found = urlsplit(urljoin(base, value.decode("ascii")))
        ours = urlsplit(base)
        is_ours = found.hostname == ours.hostname and _port(found.port) == _port(ours.port)
    except ValueError:
        return None
    if not is_ours or found.scheme not in ("http", "https"):
        return None
    path = found.path or "/"
    return (f"{path}?{found.query}" if found.query else path).encode("ascii")


def _port(port: int | None) -> int | None:
    return None if port in (80, 443) else port
