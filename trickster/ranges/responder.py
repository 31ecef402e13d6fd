"""HTTP before a dataset source: requests become queries, and datasets responses."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf

from attrs import define, field
from zope.interface import implementer

from trickster.bodies import BodyTooLarge
from trickster.collapsing.hit_memo import CacheHits
from trickster.collapsing.home import Home
from trickster.errors import NotADataset, NotATimeRange, NotHere, Reason
from trickster.http.fields import REQUEST_DIRECTIVES
from trickster.interfaces import IDatasetSource, IQueryDialect, IResponder
from trickster.messages import Headers, Octets, Request, Response
from trickster.ranges.offloading import Offloading
from trickster.ranges.pass_through import PassThrough
from trickster.ranges.plan import SECOND_NS, placed_query
from trickster.ranges.policy import RangePolicy
from trickster.remembering import remembered
from trickster.timeseries.query import DatasetAnswer, TimeRangeQuery

_LONGEST_REMEMBERED = 4096
_LONGEST_AT_ONCE = 16 << 10  # octets of a request; what is longer is read in a thread


@implementer(IResponder)
@define
class RangeResponder:
    """
    Decodes what clients ask for, asks its source, and encodes what that answers.  It alone
    knows what clients see of that.

    :ivar _source: answers queries.
    :ivar _passing: asks the origin for what cannot be served by range.
    :ivar _objects: serves what can be cached whole but not by range.
    :ivar _wall: seconds since the epoch: what "now" is in a query.
    :ivar _hits: small answers that were full hits, or None to remember none.
    :ivar home: of keys, where several processes share what is stored; None where this one fetches
        for all of them.
    """

    _dialect: IQueryDialect
    _source: IDatasetSource
    _passing: PassThrough
    _objects: IResponder
    _policy: RangePolicy
    _offloading: Offloading
    _wall: Callable[[], float]
    _hits: CacheHits | None = None
    home: Home | None = field(default=None, init=False)

    async def respond(self, request: Request) -> Response:
        """
        See L{trickster.interfaces.IResponder.respond}.

        :raises trickster.errors.BadRequest: it asks for a longer range than the path allows.
        :raises trickster.errors.RequestTooLarge: its body has more octets than are read of one.
        :raises trickster.errors.NotCached: it wants nothing of the origin's, and something of it
            is not stored.
        """
        return await self._responded(request, False)

    async def at_home(self, request: Request) -> Response:
        """
        Answer in this process, whichever is the home of the key.

        :return: as L{respond}.
        :raises trickster.errors.RequestError: the same.
        """
        return await self._responded(request, True)

    async def _responded(self, request: Request, is_here: bool) -> Response:
        now_ns = int(self._wall() * SECOND_NS)
        memo_key = self._memo_key(request)
        if memo_key is not None and self._hits is not None and request.noted is None:
            hit = self._hits.response(memo_key, now_ns / SECOND_NS)
            if hit is not None:
                request.body.close()
                return hit
        if type(request.body) is not Octets:
            request = request.with_body(await self._passing.in_flight.request_body(
                request.body, self._policy.max_request_bytes))
        if self._policy.overrides.are_in(request.headers):
            return await self._passing.respond(request, Reason.OVERRIDE_HEADER)
        try:
            query = (placed_query(request, self._dialect, self._policy, now_ns)
                     if _is_short(request) else await self._offloading.in_thread(
                         placed_query, request, self._dialect, self._policy, now_ns))
        except NotATimeRange as unfit:
            if unfit.fallback == "object":
                return await self._objects.respond(request)
            return await self._passing.respond(request, unfit.reason, unfit.detail)
        if request.noted is not None:
            request.noted("asked", (query.requested,))
        try:
            return await self._answered(request, query, memo_key, is_here)
        except NotADataset as found:
            return await self._passing.instead(request, query, found)

    async def _answered(self, request: Request, query: TimeRangeQuery,
                        memo_key: Hashable | None, is_here: bool) -> Response:
        home, answer = self.home, None
        if home is not None and not is_here:
            try:
                answer = await self._source.answer(query)
            except NotHere as away:
                response = await home.asked(away.key, request)
                if response is not None:
                    return response
        if answer is None:
            answer = await self._source.answer(query.fetched_here())
        return await self._encoded(request, query, answer, memo_key)

    def _memo_key(self, request: Request) -> Hashable | None:
        """:return: what the hit memo knows the request by, or None where it does not."""
        headers = request.headers
        policy = self._policy
        if (request.method != b"GET" or len(request.target) > _LONGEST_REMEMBERED
                or request.identity is not None):
            return None
        if policy.overrides.are_in(headers):
            return None
        if not headers.has_any(policy.inspected_fields):
            return request.target, headers.get(b"accept"), None
        if headers.has_any(REQUEST_DIRECTIVES):
            return None
        return request.target, headers.get(b"accept"), policy.identity.of(headers)

    async def _encoded(self, request: Request, query: TimeRangeQuery, answer: DatasetAnswer,
                       memo_key: Hashable | None) -> Response:
        dataset, headers, outcome = answer.dataset, answer.headers, answer.outcome
        warnings = [f"trickster: the origin failed to answer for {start // SECOND_NS} to "
                    f"{end // SECOND_NS}" for start, end in outcome.failed]
        response = self._dialect.encode_response(query, dataset, warnings)
        body, held = response.body, dataset if answer.entry is None else answer.entry
        try:
            self._passing.in_flight.count(body, held, held.nbytes)
        except BodyTooLarge as over:
            body.close()
            return await self._passing.respond(request, over.reason)
        fields = _joined(response.headers, headers) if headers.pairs else response.headers
        response = Response(response.status, fields, body, outcome)
        if memo_key is not None and answer.entry_key is not None and self._hits is not None:
            self._hits.keep(memo_key, answer.entry_key, inf, response)
        return response


@remembered(1 << 20)
def _joined(first: Headers, more: Headers) -> Headers:
    # The fields of a query's answers are the same each time, and so is what is known of them.
    return first.with_added(*more.pairs)


def _is_short(request: Request) -> bool:
    """:return: whether what a request asks is read in no time."""
    return len(request.target) + (request.body.length or 0) <= _LONGEST_AT_ONCE
