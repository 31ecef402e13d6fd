"""The range API of an origin, as a dataset source."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.logger import Logger
from zope.interface import implementer

from trickster.bodies import BodyTooLarge
from trickster.collapsing.byte_budget import ByteBudget, Reservation
from trickster.errors import NotADataset, Reason, Undecodable
from trickster.http.freshness import not_for_others
from trickster.interfaces import IDatasetSource, IQueryDialect, IResponder
from trickster.messages import Octets, Outcome, Request, Response
from trickster.net.tracebacks import forget_traceback
from trickster.ranges.offloading import Offloading
from trickster.ranges.origin_messages import (
    OF_ONE_ANSWER,
    DialectFailed,
    decoded,
    fetch_request,
    is_plain,
)
from trickster.ranges.plan import realigned
from trickster.ranges.policy import RangePolicy
from trickster.timeseries.dataset import Dataset
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery

_LARGEST_REFUSAL = 1 << 20  # octets of an error's body
_NO_CACHE = (b"Cache-Control", b"no-cache")


@implementer(IDatasetSource)
@define
class OriginRange:
    """
    Sends each query to an origin in its own words, and decodes what it answers.

    :ivar _upstream: sends requests to the origin.
    :ivar _in_flight: bounds what is held of answers on their way.  What an answer takes is
        counted for as long as the L{DatasetAnswer} exists.
    """

    _dialect: IQueryDialect
    _upstream: IResponder
    _policy: RangePolicy
    _in_flight: ByteBudget
    _offloading: Offloading
    _log: Logger = field(factory=Logger)

    async def answer(self, query: TimeRangeQuery) -> DatasetAnswer:
        """
        See L{trickster.interfaces.IDatasetSource.answer}.

        :raises NotADataset: the origin's answer is none, is larger than may be held, or is not
            for all who send this request.
        """
        with self._in_flight.reservation() as reservation:
            try:
                answer = await self._answer(query, reservation)
            except BodyTooLarge as over:
                raise NotADataset(over.reason) from over
            reservation.release_with(answer)
            return answer

    async def _answer(self, query: TimeRangeQuery, reservation: Reservation) -> DatasetAnswer:
        response = await self._upstream.respond(self._request(query))
        is_refusal = response.status != 200
        octets: Any = await reservation.read_all(
            response.body, _LARGEST_REFUSAL if is_refusal else self._policy.max_answer_bytes)
        if is_refusal:
            raise NotADataset(Reason.ORIGIN_STATUS, "",
                              response.with_body(Octets(bytes(octets))))
        response = response.with_body(Octets(octets))
        reason = self._not_for_others(response)
        if reason is not None:
            raise NotADataset(reason, reason.value, response)
        try:
            dataset = await self._decoded(query, response)
        except Undecodable as why:
            if isinstance(why, DialectFailed):
                self._log.failure("A dialect failed to decode an answer")
            # A dialect may keep the errors that it raises, and their frames have the answer.
            forget_traceback(why)
            raise NotADataset(why.reason, str(why), response) from why
        return DatasetAnswer(dataset, response.headers.without(*OF_ONE_ANSWER), Outcome(
            fetched=(query.extent,), aligned=realigned(query), origin_status=200))

    def _request(self, query: TimeRangeQuery) -> Request:
        request = fetch_request(self._dialect.encode_request(query))
        if not query.no_cache:
            return request
        # RFC 9111 section 5.2: caches on the way to the origin are meant too.
        return request.with_headers(request.headers.with_added(_NO_CACHE))

    def _not_for_others(self, response: Response) -> Reason | None:
        if response.is_doubtful:
            return Reason.ORIGIN_DOUBTFUL
        return not_for_others(response.headers, self._policy.vary_fields, self._policy.rules)

    async def _decoded(self, query: TimeRangeQuery, response: Response) -> Dataset:
        if not is_plain(response.headers):
            raise Undecodable("content coding")
        dataset: Dataset = await self._offloading.computed(
            response.body.length or 0, decoded, self._dialect.decode_response, query, response)
        return dataset
