"""Several paths served by responders of our own."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterable, Mapping

from attrs import define, frozen
from zope.interface import implementer

from trickster.errors import SOON, Reason
from trickster.interfaces import IResponder
from trickster.messages import (
    Headers,
    Octets,
    Outcome,
    Pair,
    Request,
    Response,
    Status,
    text_response,
)
from trickster.routing.table import PathTable

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


def own_json(status: int, document: object, indent: int | None = 2) -> Response:
    """
    :param document: what C{json} can write.
    :param indent: for people who read it; None for what is large, as that is written in C.
    :return: an answer that no cache should keep; a 503 says when to ask again.
    """
    again = (_AGAIN,) if status == 503 else ()
    text = json.dumps(document, indent=indent) + "\n"
    fields = Headers(((b"Content-Type", b"application/json"), NO_CACHE, *again))
    return Response(status, fields, Octets(text.encode()), _OURS)


@implementer(IResponder)
@frozen
class Endpoints:
    """Sends requests to responders by their path."""

    _table: PathTable[IResponder]

    @classmethod
    def of(cls, exact: Mapping[str, IResponder],
           below: Mapping[str, IResponder] | None = None) -> Endpoints:
        """
        :param exact: by whole path, as C{"/trickster/ping"}.
        :param below: by the path before a last slash: everything below it.
        :return: the endpoints.
        """
        return cls(PathTable.of(
            {path.encode(): responder for path, responder in exact.items()},
            {path.encode() + b"/": responder for path, responder in (below or {}).items()}))

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: what the responder at the path answers, else the one at the longest path above
            it; a 404 where there is neither.
        """
        found = self._table.best(request.path)
        return _nothing() if found is None else found.respond(request)


async def _nothing() -> Response:
    return own_text(404, "not found\n")


@implementer(IResponder)
@define
class ReadOnly:
    """Lets GET and HEAD through, and answers 405 to all others (RFC 9110 section 15.5.6)."""

    inner: IResponder

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as the inner responder, or a 405 that says what is allowed.
        """
        return Only(self.inner, (b"GET", b"HEAD")).respond(request)


@implementer(IResponder)
@frozen
class Only:
    """
    Lets some methods through, and answers 405 to all others (RFC 9110 section 15.5.6).

    :ivar methods: those that are let through.
    """

    inner: IResponder
    methods: tuple[bytes, ...]

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        See L{IResponder.respond}.

        :return: as the inner responder, or a 405 that says what is allowed.
        """
        if request.method in self.methods:
            return self.inner.respond(request)
        request.body.close()
        return self._not_allowed()

    async def _not_allowed(self) -> Response:
        return own_text(405, "method not allowed\n", ((b"Allow", b", ".join(self.methods)),))
