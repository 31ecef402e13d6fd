"""Collapsed forwarding (RFC 9111 section 4): one fetch answers all lookups that wait for it."""

from __future__ import annotations

from attrs import define, evolve

from trickster.collapsing.fills import Fill, Filled, FillResult, Streaming, Unshared
from trickster.errors import Reason
from trickster.keys.selecting import matches
from trickster.messages import Response, Status
from trickster.objects.fetching.fetch import Storage
from trickster.objects.fetching.leased import LeasedFetching
from trickster.objects.options import Collapse
from trickster.objects.partial_responses import wanted_spans
from trickster.objects.requests import Found, Lookup
from trickster.objects.responses import Responses
from trickster.objects.reuse import FetchPlan, answers_waiter, plan_of
from trickster.objects.stored_response import StoredResponse

_Fill = Fill[StoredResponse]


@define(eq=False)
class CollapsedFetching:
    """Begins fetches for lookups, or has them wait for one that is on its way."""

    _storage: Storage
    _fetching: LeasedFetching
    _responses: Responses

    def refresh(self, lookup: Lookup, found: Found) -> None:
        """
        Fetch anew, in the background, what a client has just been given stale (RFC 5861 section
        3), unless that is being fetched already.

        :param found: with what the client was given.
        """
        plan = self._plan(lookup, found)
        if self._storage.table.find(plan.slot) is None:
            self._begin(plan, Fill(is_background=True))

    async def response(self, lookup: Lookup, found: Found) -> Response | None:
        """
        Ask the origin, together with all who ask the same.

        :return: the answer; None where what came is for other requests: look again.
        :raises trickster.errors.RequestError: the origin gave none, and nothing stored may
            take its place.
        """
        plan, table = self._plan(lookup, found), self._storage.table
        if table.hit_for_pass.reason(plan.slot) is not None:
            return await self.response_alone(lookup, found)
        fill = table.find(plan.slot) or self._fill_with_part(lookup, found)
        if fill is not None and b"no-cache" in lookup.directives:
            # What it brings was asked for before this client came.
            return await self.response_alone(lookup, found)
        if fill is not None:
            return await self._as_waiter(lookup, await fill.wait(), found)
        fill = Fill(is_progressive=self._is_progressive)
        waiter = fill.wait()
        self._begin(plan, fill)
        return await self._as_first(lookup, await waiter, found)

    async def response_alone(self, lookup: Lookup, found: Found) -> Response:
        """
        Ask the origin without waiting for others, nor having them wait.

        :param found: with the stored response to be validated or completed, if any.
        :return: the answer, which is always one to this request.
        :raises trickster.errors.RequestError: as L{response}.
        """
        plan = self._plan(lookup, found)
        fill: _Fill = Fill()
        waiter = fill.wait()
        self._storage.table.begin_unshared(plan.slot, fill, self._fetching.run_alone(plan, fill))
        return await self._as_first(lookup, await waiter, found)

    @property
    def _is_progressive(self) -> bool:
        return self._storage.policy.options.collapse is Collapse.PROGRESSIVE

    def _plan(self, lookup: Lookup, found: Found) -> FetchPlan:
        now = self._storage.clock.seconds()
        return plan_of(lookup, found, now, self._storage.policy.options)

    def _begin(self, plan: FetchPlan, fill: _Fill) -> None:
        self._storage.table.begin(plan.slot, fill, self._fetching.run(plan, fill))

    def _fill_with_part(self, lookup: Lookup, found: Found) -> _Fill | None:
        """:return: a fetch of the whole that will do for a request for a part of it."""
        if b"range" not in lookup.request.headers:
            return None
        fill = self._storage.table.find(found.slot)
        if fill is None or not self._is_progressive:
            return fill
        stored, body = fill.stored, fill.body
        if stored is None or body is None:
            return None
        spans = wanted_spans(
            evolve(stored, length=body.length), lookup.request, self._storage.clock.seconds(),
            self._storage.policy.options.ranges)
        if spans is None or len(spans) != 1 or spans[0].stop > body.size:
            return None
        return fill

    async def _as_first(self, lookup: Lookup, result: FillResult[StoredResponse], found: Found
                        ) -> Response:
        """:return: the answer to the one for whom a fetch was begun."""
        if not isinstance(result, Unshared):
            return self._response(lookup, result, False)
        if result.response is not None:
            return result.response
        return await self.response_alone(lookup, found)

    async def _as_waiter(self, lookup: Lookup, result: FillResult[StoredResponse], found: Found
                         ) -> Response | None:
        """:return: the answer to one that waited for a fetch; None as in L{response}."""
        if isinstance(result, Unshared):
            _close(result)
            return await self.response_alone(lookup, found)
        stored, policy = result.stored, self._storage.policy
        if not matches(stored.selecting, lookup.request.headers, stored.headers,
                       policy.options.identity):
            _close(result)
            return None
        if not answers_waiter(stored, lookup, self._storage.clock.seconds()):
            _close(result)
            held = stored if isinstance(result, Filled) else found.stored
            return await self.response_alone(lookup, evolve(found, stored=held))
        return self._response(lookup, result, True)

    def _response(self, lookup: Lookup, result: Filled[StoredResponse] | Streaming[StoredResponse],
                  is_waiter: bool) -> Response:
        outcome = result.outcome
        if is_waiter and outcome.cause is None:  # what is stored and stale is so for all
            outcome = evolve(outcome, status=Status.PROXY_HIT, reason=Reason.COLLAPSED)
        is_reused = is_waiter or not result.first_hand
        if isinstance(result, Streaming):
            return self._responses.streaming(result, lookup.request, outcome, is_reused)
        return self._responses.reusing(result.stored, lookup.request, outcome, is_reused)


def _close(result: FillResult[StoredResponse]) -> None:
    """
    Leave alone what is for another request.

    :param result: of a fetch; what it has of a body is given up.
    """
    if isinstance(result, Streaming):
        result.body.close()
    elif isinstance(result, Unshared) and result.response is not None:
        result.response.body.close()
