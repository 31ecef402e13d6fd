"""One exchange with the origin for the object cache, from the request to the stored answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from trickster.bodies import BodyTooLarge
from trickster.collapsing.broadcast import BroadcastBody
from trickster.collapsing.fills import Fill, Filled, FillTable
from trickster.collapsing.waiters import settled
from trickster.errors import Reason, RequestError, Undecodable, UpstreamBroke, UpstreamError
from trickster.http.byte_ranges import Span
from trickster.http.conditions import is_conditional, still_selects
from trickster.http.freshness import is_young_enough, may_replace_error
from trickster.interfaces import IResponder
from trickster.messages import Engine, Octets, Outcome, Response, Status, passed_status
from trickster.objects.fetch import Fetch, is_first_hand, outcome_of
from trickster.objects.options import Collapse, ObjectOptions
from trickster.objects.partial_responses import combined, incomplete_response
from trickster.objects.requests import RequestRules, fetch_request, range_request
from trickster.objects.responses import Reply, answer, needs_all
from trickster.objects.storage_policy import Archive
from trickster.objects.stored_response import StoredResponse, whole_part

_Fill = Fill[StoredResponse]


@define
class Fetcher:
    """Asks the origin, tells a L{Fill} what comes of it, and has stored what may be stored."""

    _inner: IResponder
    _clock: IReactorTime
    _archive: Archive
    _table: FillTable[StoredResponse]
    _requests: RequestRules
    _options: ObjectOptions

    async def fetch(self, fill: _Fill, fetch: Fetch) -> None:
        """
        :raises trickster.errors.RequestError: the origin gave no answer, and nothing stored
            may take its place.
        """
        if len(fetch.missing) > 1 and self._options.dearticulate_upstream_ranges:
            await self._fetch_separately(fill, fetch)
            return
        sent = self._clock.seconds()
        try:
            response = await self._inner.respond(fetch.sent)
        except RequestError as error:
            if self._lands_stale(fill, fetch, error.reason):
                return
            raise
        try:
            await self._take(fill, fetch, response, sent)
        except BaseException:
            response.body.close()
            raise

    async def _take(self, fill: _Fill, fetch: Fetch, response: Response, sent: float) -> None:
        if response.status >= 500 and self._lands_stale(
                fill, fetch, Reason.ORIGIN_STATUS, response.status):
            response.body.close()
        elif response.status == 304:
            response.body.close()
            await self._not_modified(fill, fetch, response, sent)
        elif response.status == 206:
            await self._partial(fill, fetch, response, sent)
        elif fetch.missing and response.status == 416:
            response.body.close()
            await self._anew(fill, fetch)
        else:
            await self._answered(fill, fetch, response, sent)

    def _lands_stale(self, fill: _Fill, fetch: Fetch, reason: Reason,
                     status: int | None = None) -> bool:
        """Use what is stored in the place of an error, if that is allowed (RFC 5861)."""
        stored = fetch.stored
        if stored is None or not stored.is_whole:
            return False
        age, asked = stored.age(self._clock.seconds()), fetch.lookup.directives
        if b"no-cache" in asked or not is_young_enough(stored.policy, age, asked):
            return False
        if not may_replace_error(stored.policy, age, self._options.stale_if_error):
            return False
        fill.complete(Filled(stored, Outcome(
            Engine.OBJECT, Status.HIT, Reason.STALE, "stale-if-error", origin_status=status,
            cause=reason)))
        return True

    # What a 304 may mean.

    async def _not_modified(self, fill: _Fill, fetch: Fetch, response: Response,
                            sent: float) -> None:
        stored = fetch.stored
        if stored is None and not is_conditional(fetch.sent.headers):
            await self._release(fill, fetch, response, Reason.STATUS_NOT_STORABLE)
        elif stored is None:
            # The client's own condition: what it has is good.
            head = self._archive.head(fetch.lookup, response, sent)
            reason = self._archive.why_personal(fetch.lookup, head)
            if reason is not None:
                await self._release(fill, fetch, response, reason)
                return
            outcome = outcome_of(Status.KEY_MISS, fetch.reason, response)
            fill.complete(Filled(head, outcome, first_hand=True))
        elif still_selects(stored.headers, response.headers):
            await self._validated(fill, fetch, response, sent)
        else:
            # It speaks of a representation that is not stored here.
            await self._anew(fill, fetch)

    async def _validated(self, fill: _Fill, fetch: Fetch, response: Response,
                         sent: float) -> None:
        lookup, stored = fetch.lookup, fetch.stored
        assert stored is not None
        fresh = self._archive.renewed(lookup, stored, response, sent)
        missing = self._archive.missing(fresh, lookup.request)
        if missing:
            await self._fetch_missing(fill, fetch, fresh, missing)
            return
        is_requested = fetch.reason is Reason.REQUEST_NO_CACHE
        outcome = outcome_of(
            Status.REVALIDATED, fetch.reason if is_requested else Reason.REVALIDATED, response)
        reason = self._archive.why_personal(lookup, fresh)
        if reason is not None:
            reply = Reply(fresh, lookup.request, self._clock.seconds(), outcome,
                          self._options.range_rules)
            await self._release(fill, fetch, answer(reply), reason)
            return
        fill.complete(Filled(fresh, evolve(outcome, stored=True)))
        if fill.begin_storing():
            await self._archive.keep_renewed(lookup, fresh, stored)
            self._table.stored(lookup.key)

    async def _anew(self, fill: _Fill, fetch: Fetch) -> None:
        """What is stored is of no use: ask as if there were nothing."""
        sent = fetch_request(fetch.lookup, self._requests)
        if fetch.stored is not None:
            await self._archive.drop(fetch.lookup, fetch.stored)
            sent = evolve(sent, headers=sent.headers.without(
                b"if-none-match", b"if-modified-since"))
        await self.fetch(fill, evolve(fetch, stored=None, missing=(), sent=sent,
                                      reason=Reason.STALE))

    # Parts of a body.

    async def _fetch_missing(self, fill: _Fill, fetch: Fetch, stored: StoredResponse,
                             missing: tuple[Span, ...]) -> None:
        sent = range_request(fetch.lookup, stored, missing, self._requests)
        if sent is None:
            await self._anew(fill, fetch)
        else:
            await self.fetch(fill, evolve(fetch, stored=stored, sent=sent, missing=missing))

    async def _partial(self, fill: _Fill, fetch: Fetch, response: Response,
                       sent: float) -> None:
        head = self._archive.head(fetch.lookup, response, sent)
        reason = self._archive.why_not_partial(
            fetch.lookup, fetch.sent, response, head.policy)
        if reason is not None:
            await self._not_kept(fill, fetch, response, reason)
            return
        octets = await self._whole(response)
        fresh = self._joined(fetch.stored, incomplete_response(head, response.headers, octets))
        if fresh is not None and not self._archive.missing(fresh, fetch.lookup.request):
            await self._land_partial(fill, fetch, fresh, response)
        elif fetch.missing:
            await self._anew(fill, fetch)
        else:
            passed = evolve(response, body=Octets(octets))
            await self._release(fill, fetch, passed, Reason.STATUS_NOT_STORABLE)

    async def _not_kept(self, fill: _Fill, fetch: Fetch, response: Response,
                        reason: Reason) -> None:
        if not fetch.missing:
            await self._release(fill, fetch, response, reason)
            return
        # It is what we asked for, but only a part of what the client did.
        response.body.close()
        if reason is not Reason.TOO_LARGE:
            await self._anew(fill, fetch)
            return
        sent = fetch_request(fetch.lookup, self._requests)
        await self.fetch(fill, evolve(fetch, stored=None, missing=(), sent=sent))

    def _joined(self, stored: StoredResponse | None, fresh: StoredResponse | None
                ) -> StoredResponse | None:
        if stored is None or fresh is None:
            return fresh
        return combined(stored, fresh, self._options.rules) or fresh

    async def _land_partial(self, fill: _Fill, fetch: Fetch, fresh: StoredResponse,
                            response: Response) -> None:
        status, reason = Status.KEY_MISS, fetch.reason
        if fetch.stored is not None and fetch.missing:
            status, reason = self._partial_status(fetch, fetch.stored), Reason.RANGE_MISS
        await self._land(fill, fetch, fresh, outcome_of(status, reason, response),
                         is_first_hand(response))

    def _partial_status(self, fetch: Fetch, stored: StoredResponse) -> Status:
        spans = self._archive.wanted(stored, fetch.lookup.request)
        wanted = (stored.length or 0) if spans is None else sum(s.length for s in spans)
        missing = sum(span.length for span in fetch.missing)
        return Status.PARTIAL_HIT if missing < wanted else Status.RANGE_MISS

    async def _fetch_separately(self, fill: _Fill, fetch: Fetch) -> None:
        """Ask for each missing span by itself, all at once."""
        results = await settled([
            Deferred.fromCoroutine(self._one_span(fetch, span)) for span in fetch.missing])
        responses = [result[0] for result in results if isinstance(result, tuple)]
        fresh = self._all_joined(fetch, [
            result[1] for result in results if isinstance(result, tuple)])
        if fresh is None or self._archive.missing(fresh, fetch.lookup.request):
            await self._anew(fill, fetch)
        else:
            await self._land_partial(fill, fetch, fresh, responses[0])

    async def _one_span(self, fetch: Fetch, span: Span) -> tuple[Response, StoredResponse | None]:
        assert fetch.stored is not None
        request = range_request(fetch.lookup, fetch.stored, (span,), self._requests)
        assert request is not None  # there was a validator for all of them
        sent = self._clock.seconds()
        response = await self._inner.respond(request)
        try:
            head = self._archive.head(fetch.lookup, response, sent)
            if response.status != 206 or self._archive.why_not_partial(
                    fetch.lookup, request, response, head.policy):
                return response, None
            octets = await self._whole(response)
            return response, incomplete_response(head, response.headers, octets)
        finally:
            response.body.close()

    def _all_joined(self, fetch: Fetch, fresh: Sequence[StoredResponse | None]
                    ) -> StoredResponse | None:
        joined = fetch.stored
        for one in fresh:
            if one is None or joined is None:
                return None
            joined = combined(joined, one, self._options.rules)
        return joined

    # Whole bodies.

    async def _answered(self, fill: _Fill, fetch: Fetch, response: Response,
                        sent: float) -> None:
        head = self._archive.head(fetch.lookup, response, sent)
        reason = self._archive.why_not_stored(fetch.lookup, response, head.policy)
        if self._is_transformed(response):
            await self._transform(fill, fetch, response, head)
        elif reason is not None:
            await self._release(fill, fetch, response, reason)
        elif response.status == 204:
            # Who sends it on does not read its body, and so would seem to have left.
            response.body.close()
            await self._land_new(fill, fetch, evolve(head, length=0), response)
        else:
            await self._stream(fill, fetch, response, head)

    async def _release(self, fill: _Fill, fetch: Fetch, response: Response,
                       reason: Reason) -> None:
        """Give an answer to the one who asked first, and let the others ask themselves."""
        _let_go(fetch)
        if reason is not Reason.REQUEST_NO_STORE:
            self._table.hit_for_pass.mark(fetch.slot, reason)
        if fetch.stored is not None and _outdates(fetch, response, reason):
            # The origin has another answer now: the older one must not be used again.
            await self._archive.drop(fetch.lookup, fetch.stored)
        status = passed_status(response.status) if response.status >= 400 else Status.KEY_MISS
        outcome = outcome_of(status, reason, response)
        fill.release(evolve(response, outcome=evolve(outcome, missed=fetch.reason)))

    async def _stream(self, fill: _Fill, fetch: Fetch, response: Response,
                      head: StoredResponse) -> None:
        """Pass an answer on as it comes, and store it when it is whole."""
        self._table.hit_for_pass.clear(fetch.slot)
        fits = self._archive.fits(response.body.length or 0)
        reason = fetch.reason if fits else Reason.TOO_LARGE
        outcome = evolve(outcome_of(Status.KEY_MISS, reason, response), stored=fits,
                         missed=fetch.reason)
        first_hand = is_first_hand(response)
        body = BroadcastBody(
            response.body, self._options.buffering,
            overflowed=lambda: self._too_large(fill, fetch, stream),
            left=fill.left, is_end_awaited=fill.is_awaited)
        stream = partial(fill.stream, head, body, outcome, first_hand)
        examined = self._options.route.unkept is not None and response.status == 200
        if not examined and not needs_all(
                head, fetch.lookup.request, self._options.range_rules):
            stream()
        await body.pump()
        if not body.is_kept:
            return
        octets = b"".join(body.buffer.in_memory()) if examined else b""
        unkept = self._unkept(octets) if examined else None
        if unkept is not None:
            await self._release(fill, fetch, evolve(response, body=Octets(octets)), unkept)
            return
        fresh = evolve(head, parts=whole_part(body.buffer.in_memory()), length=body.size)
        await self._land(fill, fetch, fresh, outcome, first_hand)

    def _unkept(self, octets: bytes) -> Reason | None:
        unkept = self._options.route.unkept
        return None if unkept is None else unkept(octets)

    def _too_large(self, fill: _Fill, fetch: Fetch, stream: Callable[[], None]) -> None:
        _let_go(fetch)
        fill.is_background = False
        if fill.body is None:
            stream()
        if self._options.collapse is Collapse.BASIC:
            self._table.hit_for_pass.mark(fetch.slot, Reason.TOO_LARGE)
            fill.release()

    def _is_transformed(self, response: Response) -> bool:
        return (self._options.route.transform is not None and response.status == 200
                and b"content-encoding" not in response.headers)

    async def _transform(self, fill: _Fill, fetch: Fetch, response: Response,
                         head: StoredResponse) -> None:
        transform = self._options.route.transform
        assert transform is not None
        octets = await self._whole(response)
        try:
            changed = transform(octets)
        except Undecodable as error:
            passed = evolve(response, body=Octets(octets))
            await self._release(fill, fetch, passed, error.reason)
            return
        reason = self._unkept(octets) or self._archive.why_not_stored(
            fetch.lookup, response, head.policy)
        if reason is not None:
            await self._release(fill, fetch, evolve(response, body=Octets(changed)), reason)
            return
        parts = whole_part((changed,) if changed else ())
        await self._land_new(fill, fetch, evolve(head, parts=parts, length=len(changed)), response)

    async def _land_new(self, fill: _Fill, fetch: Fetch, fresh: StoredResponse,
                        response: Response) -> None:
        self._table.hit_for_pass.clear(fetch.slot)
        await self._land(fill, fetch, fresh, outcome_of(
            Status.KEY_MISS, fetch.reason, response), is_first_hand(response))

    async def _whole(self, response: Response) -> bytes:
        expected = response.body.length
        try:
            octets = bytes(await self._options.in_flight.read_all(
                response.body, self._options.max_capture_bytes))
        except BodyTooLarge as error:
            raise error.refusal(UpstreamError("too large to be changed as configured",
                                              Reason.TOO_LARGE)) from error
        if expected is not None and len(octets) != expected:
            raise UpstreamBroke(f"{len(octets)} octets of a body of {expected}")
        return octets

    async def _land(self, fill: _Fill, fetch: Fetch, fresh: StoredResponse, outcome: Outcome,
                    first_hand: bool) -> None:
        """Answer all who wait, then store, unless the response was outdated on its way."""
        fits = self._archive.fits(fresh.held)
        outcome = evolve(outcome, stored=fits)
        if not fits:
            outcome = evolve(outcome, reason=Reason.TOO_LARGE)
        fill.complete(Filled(fresh, outcome, first_hand))
        if fits and fill.begin_storing():
            await self._archive.keep(fetch.lookup, fresh)
            self._table.stored(fetch.lookup.key)


def _let_go(fetch: Fetch) -> None:
    """What is not kept is a client's to read, for as long as it may last."""
    if fetch.sent.collecting is not None:
        fetch.sent.collecting.end()


def _outdates(fetch: Fetch, response: Response, reason: Reason) -> bool:
    """
    :param reason: why an answer is not stored.
    :return: whether what is stored must not be used any more because of it.
    """
    if fetch.reason is not Reason.REQUEST_NO_CACHE:
        return response.status < 500
    # It is fresh still.  What the origin has against this request, or has for this client
    # alone, says nothing about it.
    return (response.status < 400 or response.status in (404, 410)) and (
        reason not in (Reason.SET_COOKIE, Reason.AUTHORIZATION))
