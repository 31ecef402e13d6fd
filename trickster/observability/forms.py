"""The forms that requests have for bodies, as far as a log shows them."""

from __future__ import annotations

from collections.abc import Awaitable

from attrs import define, field, frozen
from zope.interface import implementer

from trickster.interfaces import IBody, IResponder
from trickster.messages import Octets, Request, Response
from trickster.spans import Span

# More than a log shows, so that it can be seen that something was cut off.
_SHOWN = 2049


@implementer(IBody)
@define(eq=False)
class ReadForm:
    """
    A body whose beginning is kept as it is read.

    :ivar beginning: what was read first.
    """

    _inner: IBody
    beginning: bytes = field(default=b"", init=False)

    @property
    def length(self) -> int | None:
        """:return: octets in all; None when not known."""
        length: int | None = self._inner.length
        return length

    async def read(self) -> bytes:
        """
        :return: as L{IBody.read}; a little more of its beginning than a log shows is kept as
            well.
        """
        octets = await self._inner.read()
        if len(self.beginning) < _SHOWN:
            self.beginning += bytes(octets[:_SHOWN - len(self.beginning)])
        return octets

    def close(self) -> None:
        """See L{IBody.close}."""
        self._inner.close()


def with_form_kept(request: Request) -> Request:
    """:return: the request; where it has a form that is still coming, with that noted down."""
    if not _has_form(request) or type(request.body) is Octets:
        return request
    return request.with_body(ReadForm(request.body))


@implementer(IResponder)
@frozen(eq=False)
class FormsKept:
    """Has the beginnings of forms kept in the spans of requests as they are read."""

    inner: IResponder

    def respond(self, request: Request) -> Awaitable[Response]:
        """
        Pass the request on.

        :param request: where it is an observed POST, its span knows the body from now on, and so
            what was read of a form, also if another body takes its place further inside.
        :return: what the inner responder gives.
        """
        span = request.span
        if request.method == b"POST" and span is not None:
            request = with_form_kept(request)
            span.form = request.body
        return self.inner.respond(request)


def form_of(request: Request, span: Span) -> bytes:
    """
    :param span: in which L{FormsKept} may have kept something.
    :return: the beginning of its form, as far as it was read; empty where it has none.
    """
    body = request.body if span.form is None else span.form
    if type(body) is ReadForm:
        return body.beginning
    if type(body) is Octets and _has_form(request):
        return body.octets[:_SHOWN]
    return b""


def _has_form(request: Request) -> bool:
    if request.method != b"POST" or b"content-encoding" in request.headers:
        return False
    kind = request.headers.get(b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() == b"application/x-www-form-urlencoded"
