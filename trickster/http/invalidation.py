"""What an unsafe request makes invalid (RFC 9111 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from attrs import frozen

from trickster.http.methods import SAFE
from trickster.messages import Request, Response


@frozen
class Place:
    """
    Where an origin is, in its own words: it knows nothing of us.

    :ivar authority: what C{Host} says to it; empty for what clients say.
    :ivar prefix: what the path of every target begins with there, without a slash at its end.
    """

    authority: bytes = b""
    prefix: bytes = b""


NOWHERE_ELSE = Place()


def invalidated(request: Request, response: Response, place: Place = NOWHERE_ELSE
                ) -> Iterator[bytes]:
    """
    :param request: as it came from a client.
    :param place: of the origin that answered.
    :return: the targets, in origin form, of which stored responses must not be used any
        more; unknown methods count as unsafe.
    """
    if request.method in SAFE or not 200 <= response.status < 400:
        return
    targets = [request.target]
    for name in (b"location", b"content-location"):
        value = response.headers.get(name)
        if value is not None:
            targets += _named(request, value, place)
    yield from dict.fromkeys(targets)


def _named(request: Request, value: bytes, place: Place) -> Iterator[bytes]:
    """
    :param value: of C{Location} or C{Content-Location}: a URI, or a reference that is relative to
        the request's (RFC 3986 section 4.1).
    :param place: of the origin that sent it.
    :return: the targets, as clients ask for them, that it may mean: it is read in their words,
        and in the origin's, less its prefix; none where it is of another origin in both.
    """
    ours = Place(request.authority)
    theirs = Place(place.authority or request.authority, place.prefix)
    for one in dict.fromkeys((ours, theirs)):
        target = _same_origin(one, request.target, value)
        if target is not None and target.startswith((one.prefix + b"/", one.prefix + b"?")):
            rest = target[len(one.prefix):]
            yield rest if rest.startswith(b"/") else b"/" + rest


def _same_origin(place: Place, target: bytes, value: bytes) -> bytes | None:
    """
    :param place: whose words the URI is taken for.
    :param target: of the request, which a relative reference starts from.
    :return: the target that it means there, with the prefix; None where it is malformed, or of
        another host or port: those are none of the sender's business, which could empty the
        cache (RFC 9111 section 4.4).
    """
    try:
        base = f"http://{place.authority.decode('ascii')}{(place.prefix + target).decode('ascii')}"
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
