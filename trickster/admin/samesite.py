"""What web pages of others must not do: browsers send requests that pages ask them to send."""

from __future__ import annotations

from collections.abc import Awaitable
from urllib.parse import urlsplit

from attrs import frozen
from zope.interface import implementer

from trickster.admin.endpoints import own_json
from trickster.interfaces import IResponder
from trickster.messages import Request, Response

# What browsers say of requests that no page of another site has asked for
# (https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header).
_OWN = (b"same-origin", b"none")


@implementer(IResponder)
@frozen
class SameSite:
    """Refuses what a browser sends for a page of another site; programs send no such fields."""

    inner: IResponder

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as the inner responder, or a 403.
        """
        if _is_foreign(request):
            request.body.close()
            return _refused()
        return self.inner.respond(request)


async def _refused() -> Response:
    return own_json(403, {"error": "a web page of another site may not ask for this"})


def _is_foreign(request: Request) -> bool:
    headers = request.headers
    site = headers.get(b"sec-fetch-site")
    if site is not None and site.strip().lower() not in _OWN:
        return True
    origins = headers.get_all(b"origin")
    return bool(origins) and not all(_is_own(origin, request.authority) for origin in origins)


def _is_own(origin: bytes, authority: bytes) -> bool:
    try:
        place = urlsplit(origin.decode("latin-1")).netloc
    except ValueError:
        return False
    return place.lower() == authority.decode("latin-1").lower()
