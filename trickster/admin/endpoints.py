"""Several paths served by responders of our own."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping

from attrs import define, field
from zope.interface import implementer

from trickster.errors import SOON, Reason
from trickster.interfaces import IResponder
from trickster.messages import Outcome, Pair, Request, Response, Status, text_response

NO_CACHE: Pair = (b"Cache-Control", b"no-cache")
_AGAIN: Pair = (b"Retry-After", b"%d" % SOON)

_OURS = Outcome(status=Status.PROXY_ONLY, reason=Reason.PROXY_PATH)


def own_text(status: int, text: str, headers: Iterable[Pair] = ()) -> Response:
    """
    :return: a small answer in plain text that no cache should keep; a 503 says when to ask
        again (RFC 9110 section 15.6.4).
    """
    again = (_AGAIN,) if status == 503 else ()
    return text_response(status, text, _OURS, (NO_CACHE, *again, *headers))


@implementer(IResponder)
@define
class Endpoints:
    """
    Sends requests to responders by their path.

    :ivar exact: by whole path, as C{"/trickster/ping"}.
    :ivar below: by the path before a last slash: everything below it.
    """

    exact: Mapping[str, IResponder]
    below: Mapping[str, IResponder] = field(factory=dict)

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}; no such path is a 404."""
        path = request.path.decode("latin-1")
        found = self.exact.get(path)
        if found is None:
            found = self._above(path)
        if found is None:
            return _nothing()
        return found.respond(request)

    def _above(self, path: str) -> IResponder | None:
        end = path.rfind("/")
        while end > 0:
            found = self.below.get(path[:end])
            if found is not None:
                return found
            end = path.rfind("/", 0, end)
        return None


async def _nothing() -> Response:
    return own_text(404, "not found\n")


@implementer(IResponder)
@define
class ReadOnly:
    """Lets GET and HEAD through, and answers 405 to all others (RFC 9110 section 15.5.6)."""

    inner: IResponder

    def respond(self, request: Request) -> Awaitable[Response]:
        """See L{IResponder.respond}."""
        if request.method in (b"GET", b"HEAD"):
            return self.inner.respond(request)
        return _not_allowed()


async def _not_allowed() -> Response:
    return own_text(405, "method not allowed\n", ((b"Allow", b"GET, HEAD"),))
