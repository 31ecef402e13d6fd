"""Gives every request a name, which its origin and its client are told."""

from attrs import field, frozen
from zope.interface import implementer

from trickster.interfaces import IMiddlewareType, IResponder


@frozen
class Options:
    """The C{request_id} block of a middleware."""

    header: str = field(default="X-Request-Id", metadata={"doc": "Header with the name."})


@implementer(IResponder)
@frozen
class Named:
    """Names the requests for an inner responder; names that clients give are not believed."""

    inner: object
    header: bytes
    random: object

    async def respond(self, request):
        """Pass a request on by a name, and answer with it."""
        name = b"%016x" % int(self.random() * 2**64)
        headers = request.headers.with_set(self.header, name)
        response = await self.inner.respond(request.with_headers(headers))
        return response.with_headers(response.headers.with_set(self.header, name))


@implementer(IMiddlewareType)
@frozen
class RequestId:
    """The kind of middleware."""

    name = "request_id"
    options = Options

    def wrap(self, inner, options, runtime):
        """Name the requests for a responder."""
        return Named(inner, options.header.encode("ascii"), runtime.random)


request_id = RequestId()
