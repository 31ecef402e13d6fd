"""What comes of a fetch that the origin answers with parts of a body (RFC 9111 section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define
from twisted.internet.defer import Deferred

from trickster.errors import Reason
from trickster.http.byte_ranges import Span
from trickster.messages import Octets, Response, Status
from trickster.net.waiters import settled
from trickster.objects.fetching.fetch import Exchange, Exchanges, Fetch
from trickster.objects.partial_responses import (
    combined,
    incomplete_response,
    missing_spans,
    wanted_spans,
)
from trickster.objects.requests import range_request
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import StoredResponse


@define(eq=False)
class PartialFetcher:
    """Puts the parts that an origin gives together with those that are stored."""

    _exchanges: Exchanges
    _policy: StoragePolicy

    async def answered(self, fetch: Fetch, exchange: Exchange) -> Fetch | None:
        """
        :param exchange: with a 206.
        :return: the fetch to go on with, if this does not end it.
        """
        plan, lookup, response = fetch.plan, fetch.lookup, exchange.response
        head = self._policy.head(lookup, response, exchange.arrival)
        reason = self._policy.why_not_partial(lookup, exchange.sent, response, head.policy)
        if reason is not None:
            return await _not_stored(fetch, response, reason)
        octets = await self._exchanges.whole(response)
        stored = self._joined(
            plan.stored, incomplete_response(head, response.headers, octets))
        if stored is not None and self._answers(fetch, stored):
            await self._complete(fetch, stored, exchange)
            return None
        if plan.missing:
            return await fetch.anew()
        await fetch.release(response.with_body(Octets(octets)), Reason.STATUS_NOT_STORABLE)
        return None

    async def fetch_separately(self, fetch: Fetch) -> Fetch | None:
        """
        Ask for each missing span by itself, all at once.

        :return: the fetch to go on with, if this does not end it.
        """
        results = await settled([
            Deferred.fromCoroutine(self._one_span(fetch, span)) for span in fetch.plan.missing])
        parts = [result for result in results if isinstance(result, tuple)]
        stored = self._all_joined(fetch.plan.stored, [part for _, part in parts])
        if stored is None or not self._answers(fetch, stored):
            return await fetch.anew()
        await self._complete(fetch, stored, parts[0][0])
        return None

    async def _one_span(self, fetch: Fetch, span: Span
                        ) -> tuple[Exchange, StoredResponse | None]:
        lookup, stored = fetch.lookup, fetch.plan.stored
        assert stored is not None
        request = range_request(lookup, stored, (span,), self._policy.options)
        assert request is not None  # there was a validator for all of them
        exchange = await self._exchanges.made(request)
        response = exchange.response
        try:
            head = self._policy.head(lookup, response, exchange.arrival)
            if response.status != 206 or self._policy.why_not_partial(
                    lookup, request, response, head.policy):
                return exchange, None
            octets = await self._exchanges.whole(response)
            return exchange, incomplete_response(head, response.headers, octets)
        finally:
            response.body.close()

    def _joined(self, stored: StoredResponse | None, part: StoredResponse | None
                ) -> StoredResponse | None:
        if stored is None or part is None:
            return part
        return combined(stored, part, self._policy.options.freshness) or part

    def _all_joined(self, stored: StoredResponse | None,
                    parts: Sequence[StoredResponse | None]) -> StoredResponse | None:
        for part in parts:
            if part is None or stored is None:
                return None
            stored = combined(stored, part, self._policy.options.freshness)
        return stored

    def _answers(self, fetch: Fetch, stored: StoredResponse) -> bool:
        return not missing_spans(
            stored, fetch.lookup.request, fetch.now, self._policy.options.ranges)

    async def _complete(self, fetch: Fetch, stored: StoredResponse, exchange: Exchange) -> None:
        status, reason = Status.KEY_MISS, fetch.plan.reason
        if fetch.plan.stored is not None and fetch.plan.missing:
            status, reason = self._status(fetch, fetch.plan.stored), Reason.RANGE_MISS
        await fetch.complete(stored, fetch.outcome(status, exchange.response, reason),
                             exchange.is_first_hand)

    def _status(self, fetch: Fetch, before: StoredResponse) -> Status:
        """:return: whether what was stored before was of any use."""
        spans = wanted_spans(before, fetch.lookup.request, fetch.now, self._policy.options.ranges)
        wanted = (before.length or 0) if spans is None else sum(s.length for s in spans)
        missing = sum(span.length for span in fetch.plan.missing)
        return Status.PARTIAL_HIT if missing < wanted else Status.RANGE_MISS


async def _not_stored(fetch: Fetch, response: Response, reason: Reason) -> Fetch | None:
    if not fetch.plan.missing:
        await fetch.release(response, reason)
        return None
    # It is what we asked for, but only a part of what the client did.
    response.body.close()
    return fetch.whole() if reason is Reason.TOO_LARGE else await fetch.anew()
