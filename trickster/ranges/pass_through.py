"""Pass-through: the origin's own answer, where there is no dataset."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve

from trickster.bodies import BodyTooLarge
from trickster.collapsing.byte_budget import ByteBudget
from trickster.errors import NotADataset, NotCached, Reason
from trickster.http.cache_control import request_directives
from trickster.interfaces import IResponder
from trickster.messages import Collecting, Octets, Request, Response, Status
from trickster.ranges.offloading import Offloading
from trickster.ranges.plan import is_longer
from trickster.ranges.policy import RangePolicy
from trickster.timeseries.query import TimeRangeQuery

_RETRIED = (408, 429)  # refusals that are not the client's fault
Transform = Callable[[bytes], bytes]


@define
class PassThrough:
    """
    Gives the client the origin's own answer: to the client's own request, or one that was had
    when samples were fetched.

    :ivar in_flight: bounds what is held of answers on their way.
    """

    _upstream: IResponder
    _policy: RangePolicy
    in_flight: ByteBudget
    _offloading: Offloading

    async def respond(self, request: Request, reason: Reason, detail: str = "") -> Response:
        """
        Send the origin the client's own request, and pass its answer on.

        :param request: its body is an C{Octets}.
        :param reason: why it is not answered from samples.
        :return: the origin's answer, transformed where the policy says so; its body is the
            caller's to read or close.
        :raises NotCached: the client wants nothing of the origin's.
        :raises trickster.errors.RequestError: the origin gave no answer, or one that is too
            large to be transformed.
        """
        if self._policy.honours and b"only-if-cached" in request_directives(request.headers):
            raise NotCached("not cached, and only-if-cached was asked for")
        transform = self._policy.transform
        if transform is not None:
            request = evolve(request, headers=request.headers.without(b"accept-encoding"),
                             collecting=Collecting())
        body = request.body
        assert isinstance(body, Octets)
        response = await self._upstream.respond(request.with_body(Octets(body.octets)))
        is_error = response.outcome.status is Status.PROXY_ERROR
        if transform is not None and response.status == 200:
            response = response.with_body(await self._transformed(response, transform))
        return response.with_outcome(evolve(
            response.outcome, status=Status.PROXY_ERROR if is_error else Status.PROXY_ONLY,
            reason=reason, detail="" if detail == reason.value else detail))

    async def instead(self, request: Request, query: TimeRangeQuery, found: NotADataset
                      ) -> Response:
        """
        :param request: of which C{query} is what it asks for.
        :param found: instead of a dataset.
        :return: the answer that came with it, where it is to what the client asked for.
        """
        response = found.response
        if response is None:
            return await self.respond(request, found.reason, found.detail)
        if found.is_refusal:
            is_clients_fault = 400 <= response.status < 500 and response.status not in _RETRIED
            if is_clients_fault and is_longer(query):
                return await self.respond(request, Reason.ORIGIN_STATUS)
            return response
        if query.requested != query.extent:
            return await self.respond(request, found.reason, found.detail)
        return await self._whole(request, response, found)

    async def _whole(self, request: Request, response: Response, found: NotADataset) -> Response:
        body = response.body
        assert isinstance(body, Octets)
        if self._policy.transform is not None:
            body = Octets(await self._offloading.computed(
                len(body.octets), self._policy.transform, body.octets))
        try:
            self.in_flight.count(body)
        except BodyTooLarge as over:
            return await self.respond(request, over.reason)
        return response.with_body(body)

    async def _transformed(self, response: Response, transform: Transform) -> Octets:
        async def change(octets: bytes) -> bytes:
            changed: bytes = await self._offloading.computed(len(octets), transform, octets)
            return changed

        return await self.in_flight.changed(
            response.body, self._policy.max_answer_bytes, change)
