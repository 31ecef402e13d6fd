"""What goes to an origin and comes back, counted."""

from __future__ import annotations

from attrs import define, evolve
from zope.interface import implementer

from trickster.errors import RequestError
from trickster.interfaces import IBody, IDuplex, IResponder
from trickster.messages import Octets, Request, Response
from trickster.observability.counters import OriginCounters


@implementer(IResponder)
@define(eq=False)
class CountedOrigin:
    """Counts requests to an origin, failures, and octets of bodies."""

    inner: IResponder
    counters: OriginCounters

    async def respond(self, request: Request) -> Response:
        """See L{IResponder.respond}."""
        counters = self.counters
        counters.requests += 1
        counters.sent_octets += request.body.length or 0
        try:
            response = await self.inner.respond(request)
        except RequestError:
            counters.failures += 1
            raise
        body = response.body
        if type(body) is Octets:
            counters.received_octets += len(body.octets)
            return response
        if IDuplex.providedBy(body):
            return response
        return evolve(response, body=_Counted(body, counters))


@implementer(IBody)
@define(eq=False)
class _Counted:
    _inner: IBody
    _counters: OriginCounters

    @property
    def length(self) -> int | None:
        """Octets in all, where known."""
        length: int | None = self._inner.length
        return length

    async def read(self) -> bytes:
        """See L{IBody.read}."""
        octets = await self._inner.read()
        self._counters.received_octets += len(octets)
        return octets

    def close(self) -> None:
        """See L{IBody.close}."""
        self._inner.close()
