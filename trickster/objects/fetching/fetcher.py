"""What comes of a fetch, by what the origin answers."""

from __future__ import annotations

from functools import partial

from attrs import define, evolve, field

from trickster.collapsing.broadcast import BroadcastBody, Buffering
from trickster.errors import Reason, RequestError, Undecodable
from trickster.http.conditions import is_conditional, still_selects
from trickster.messages import Octets, Response, Status
from trickster.objects.fetching.fetch import Exchange, Exchanges, Fetch
from trickster.objects.fetching.partial import PartialFetcher
from trickster.objects.partial_responses import missing_spans, needs_all
from trickster.objects.responses import Reply, response_of
from trickster.objects.storage_policy import StoragePolicy
from trickster.objects.stored_response import StoredResponse, whole_part


@define(eq=False)
class Fetcher:
    """
    Carries out fetches.  A step asks the origin once, and either ends the fetch or gives the
    fetch to go on with: so each method here does.

    :ivar _buffering: of bodies that are read as they come.
    """

    _exchanges: Exchanges
    _policy: StoragePolicy
    _buffering: Buffering
    _partial: PartialFetcher = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._partial = PartialFetcher(self._exchanges, self._policy)

    async def run(self, fetch: Fetch) -> None:
        """
        :raises trickster.errors.RequestError: the origin gave no answer, and nothing stored
            may take its place.
        """
        following: Fetch | None = fetch
        while following is not None:
            following = await self._step(following)

    async def _step(self, fetch: Fetch) -> Fetch | None:
        if len(fetch.plan.missing) > 1 and self._policy.options.dearticulate_upstream_ranges:
            return await self._partial.fetch_separately(fetch)
        try:
            exchange = await self._exchanges.made(fetch.plan.request)
        except RequestError as error:
            if fetch.serve_stale(error.reason):
                return None
            raise
        try:
            return await self._answered(fetch, exchange)
        except BaseException:
            exchange.response.body.close()
            raise

    async def _answered(self, fetch: Fetch, exchange: Exchange) -> Fetch | None:
        response = exchange.response
        if response.status >= 500 and fetch.serve_stale(Reason.ORIGIN_STATUS, response.status):
            response.body.close()
            return None
        if response.status == 304:
            response.body.close()
            return await self._not_modified(fetch, exchange)
        if response.status == 206:
            return await self._partial.answered(fetch, exchange)
        if response.status == 416 and fetch.plan.missing:
            response.body.close()
            return await fetch.anew()
        await self._whole(fetch, exchange)
        return None

    # What a 304 may mean.

    async def _not_modified(self, fetch: Fetch, exchange: Exchange) -> Fetch | None:
        stored, response = fetch.plan.stored, exchange.response
        if stored is None:
            await self._client_has_it(fetch, exchange)
            return None
        if fetch.plan.missing:
            # What is not here of it was asked for, and not whether it is still the same.
            return await fetch.anew()
        if still_selects(stored.headers, response.headers):
            return await self._validated(fetch, exchange, stored)
        # It speaks of a representation that is not stored here.
        return await fetch.anew()

    async def _client_has_it(self, fetch: Fetch, exchange: Exchange) -> None:
        """
        End with the answer to the client's own condition: what it has is good.

        :param exchange: with a 304, while nothing is stored.
        """
        response = exchange.response
        if not is_conditional(exchange.sent.headers):
            await fetch.release(response, Reason.STATUS_NOT_STORABLE)
            return
        head = self._policy.head(fetch.lookup, response, exchange.arrival)
        reason = self._policy.why_personal(fetch.lookup, head)
        if reason is not None:
            await fetch.release(response, reason)
        else:
            fetch.share_unstored(head, fetch.outcome(Status.KEY_MISS, response), True)

    async def _validated(self, fetch: Fetch, exchange: Exchange, stored: StoredResponse
                         ) -> Fetch | None:
        lookup, response = fetch.lookup, exchange.response
        fresh = self._policy.freshened(lookup, stored, response, exchange.arrival)
        if missing_spans(fresh, lookup.request, fetch.now, self._policy.options.ranges):
            return await fetch.missing(fresh)
        is_requested = fetch.plan.reason is Reason.REQUEST_NO_CACHE
        outcome = fetch.outcome(
            Status.REVALIDATED, response, None if is_requested else Reason.REVALIDATED)
        reason = self._policy.why_personal(lookup, fresh)
        if reason is None:
            await fetch.freshen(fresh, outcome)
        else:
            await fetch.release(response_of(Reply(
                fresh, lookup.request, fetch.now, outcome, self._policy.options.ranges)), reason)
        return None

    # Whole bodies.

    async def _whole(self, fetch: Fetch, exchange: Exchange) -> None:
        response, lookup = exchange.response, fetch.lookup
        head = self._policy.head(lookup, response, exchange.arrival)
        reason = self._policy.why_not_stored(lookup, response, head.policy)
        if self._is_transformed(response):
            await self._transform(fetch, exchange, head)
        elif reason is not None:
            await fetch.release(response, reason)
        elif response.status == 204:
            # Who sends it on does not read its body, and so would seem to have left.
            response.body.close()
            await _complete(fetch, exchange, evolve(head, length=0))
        else:
            await self._stream(fetch, exchange, head)

    async def _stream(self, fetch: Fetch, exchange: Exchange, head: StoredResponse) -> None:
        """
        Pass an answer on as it comes, and store it when it is whole.

        :param exchange: with a response that may be stored, its size aside.
        :param head: that response as it would be stored, without parts.
        :raises UpstreamBroke: the body is cut short; its readers are told likewise.
        """
        fetch.clear_hit_for_pass()
        options, response = self._policy.options, exchange.response
        fits = self._policy.fits(response.body.length or 0)
        reason = None if fits else Reason.TOO_LARGE
        outcome = evolve(fetch.outcome(Status.KEY_MISS, response, reason), missed=fetch.plan.reason,
                         stored=fits and self._policy.is_of_use(head))
        body = BroadcastBody(
            response.body, self._buffering, overflowed=lambda: fetch.outgrow(stream),
            left=fetch.fill.left, is_end_awaited=fetch.fill.is_awaited)
        stream = partial(fetch.fill.stream, head, body, outcome, exchange.is_first_hand)
        is_examined = options.route.unkept is not None and response.status == 200
        if not is_examined and not needs_all(head, fetch.lookup.request, options.ranges):
            stream()
        await body.pump()
        if not body.is_kept:
            return
        octets = b"".join(body.buffer.in_memory()) if is_examined else b""
        unkept = self._unkept(octets) if is_examined else None
        if unkept is not None:
            await fetch.release(response.with_body(Octets(octets)), unkept)
            return
        fresh = evolve(head, parts=whole_part(body.buffer.in_memory()), length=body.size)
        await fetch.complete(fresh, outcome, exchange.is_first_hand)

    def _unkept(self, octets: bytes) -> Reason | None:
        unkept = self._policy.options.route.unkept
        return None if unkept is None else unkept(octets)

    def _is_transformed(self, response: Response) -> bool:
        return (self._policy.options.route.transform is not None and response.status == 200
                and b"content-encoding" not in response.headers)

    async def _transform(self, fetch: Fetch, exchange: Exchange, head: StoredResponse) -> None:
        transform = self._policy.options.route.transform
        assert transform is not None
        response = exchange.response
        octets = await self._exchanges.whole(response)
        try:
            changed = transform(octets)
        except Undecodable as error:
            await fetch.release(response.with_body(Octets(octets)), error.reason)
            return
        reason = self._unkept(octets) or self._policy.why_not_stored(
            fetch.lookup, response, head.policy)
        if reason is not None:
            await fetch.release(response.with_body(Octets(changed)), reason)
            return
        parts = whole_part((changed,) if changed else ())
        await _complete(fetch, exchange, evolve(head, parts=parts, length=len(changed)))


async def _complete(fetch: Fetch, exchange: Exchange, stored: StoredResponse) -> None:
    fetch.clear_hit_for_pass()
    await fetch.complete(stored, fetch.outcome(Status.KEY_MISS, exchange.response),
                         exchange.is_first_hand)
