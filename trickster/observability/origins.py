"""What goes to an origin and comes back, counted."""

from __future__ import annotations

from attrs import define, field
from zope.interface import implementer

from trickster.errors import UpstreamError
from trickster.interfaces import IBody, IDuplex, IResponder
from trickster.messages import Octets, Request, Response
from trickster.observability.counters import OriginCounters
from trickster.observability.outages import OutageLog


@implementer(IResponder)
@define(eq=False)
class CountedOrigin:
    """
    Counts requests to an origin, failures, and octets of bodies.

    :ivar outages: is told of failures and of whole answers.
    """

    inner: IResponder
    counters: OriginCounters
    outages: OutageLog

    async def respond(self, request: Request) -> Response:
        """
        Pass the request on, and count it.

        :param request: its body counts as sent with the length that it is said to have, if any.
        :return: the answer, of whose body octets count as they are read; those of a tunnel do
            not.
        :raises UpstreamError: there is no usable answer, which is counted and, in time, logged.
        """
        counters = self.counters
        counters.requests += 1
        counters.sent_octets += request.body.length or 0
        started = self._begun(request)
        try:
            response = await self.inner.respond(request)
        except UpstreamError as error:
            self.failed(error)
            raise
        finally:
            if request.noted is not None:
                took = self.outages.clock.seconds() - started
                request.noted("originMS", round(took * 1000, 3))
        body = response.body
        if type(body) is Octets:
            counters.received_octets += len(body.octets)
            self.outages.answered()
            return response
        if IDuplex.providedBy(body):
            self.outages.answered()
            return response
        return response.with_body(_Counted(body, self))

    def _begun(self, request: Request) -> float:
        if request.noted is None:
            return 0.0
        request.noted("origin", self.outages.origin)
        return self.outages.clock.seconds()

    def failed(self, error: UpstreamError) -> None:
        """
        A request got no usable answer, or only a part of one.

        :param error: why.
        """
        self.counters.failures += 1
        self.outages.failed(error)


@implementer(IBody)
@define(eq=False)
class _Counted:
    _inner: IBody
    _origin: CountedOrigin
    _octets: int = field(default=0, init=False)

    @property
    def length(self) -> int | None:
        """:return: octets in all; None when not known."""
        length: int | None = self._inner.length
        return length

    async def read(self) -> bytes:
        """
        :return: as L{IBody.read}; at the end, the origin counts as one that answers.
        :raises UpstreamError: the origin went away in the middle, which is counted as a failure.
        """
        try:
            octets = await self._inner.read()
        except UpstreamError as error:
            self._origin.failed(error)
            raise
        self._origin.counters.received_octets += len(octets)
        self._octets += len(octets)
        # Some readers do not ask for the end of what they know the length of.
        if not octets or self._octets == self._inner.length:
            self._origin.outages.answered()
        return octets

    def close(self) -> None:
        """See L{IBody.close}."""
        self._inner.close()
