"""Makes stored responses of answers, and keeps those that may be kept."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, evolve, field
from twisted.internet.interfaces import IReactorTime

from trickster.errors import Reason
from trickster.http.byte_ranges import Span
from trickster.http.conditions import updated
from trickster.http.freshness import (
    NOT_FOR_OTHERS,
    Policy,
    not_storable,
    policy_of,
    vary_names,
)
from trickster.keys.cache_key import counts_whole
from trickster.keys.request_errors import COMPARED, is_about_request, is_unremarkable
from trickster.keys.selecting import ALL_FIELDS, WHO, Selecting, selecting_values
from trickster.messages import NEVER_STORED, NO_HEADERS, Headers, Request, Response
from trickster.objects.codec import revised
from trickster.objects.options import ObjectOptions, ttl_of
from trickster.objects.partial_responses import missing_of
from trickster.objects.requests import UNSENT_WHEN_WHOLE, Lookup
from trickster.objects.responses import wanted_spans
from trickster.objects.stored_response import Arrival, StoredResponse, aged
from trickster.objects.variant_store import VariantStore

# Without a validator, what may not be used unasked is still for all who ask at the same time.
_FOR_ONE = NOT_FOR_OTHERS - {Reason.NO_CACHE} | {Reason.AUTHORIZATION}


@define
class Archive:
    """
    The stored responses of one path.

    :ivar _wall: seconds since the epoch, to compare with dates.
    """

    _variants: VariantStore
    _clock: IReactorTime
    _options: ObjectOptions
    _wall: Callable[[], float]
    _unsent: frozenset[bytes] = field(init=False)

    def __attrs_post_init__(self) -> None:
        # Origins may say that answers vary by what they never see.
        unsent = UNSENT_WHEN_WHOLE if self._options.route.ttl is not None else ()
        self._unsent = frozenset((b"*", *unsent))

    def head(self, lookup: Lookup, response: Response, sent: float) -> StoredResponse:
        """
        :param sent: when the request went out, in the clock's seconds.
        :return: the answer that has just begun to arrive, as a stored response without parts.
        """
        arrival = self._arrival(sent)
        policy = policy_of(response.status, response.headers, arrival.date, self._options.rules)
        head = StoredResponse(
            response.status, NO_HEADERS, (), response.body.length, policy, 0.0, arrival.at,
            self._selecting(lookup, response.status, response.headers, policy),
            response.phrase)
        return aged(head, response.headers, arrival)

    def renewed(self, lookup: Lookup, stored: StoredResponse, response: Response,
                sent: float) -> StoredResponse:
        """
        :param response: without a body; it says that the stored one is still good.
        :return: the stored response with its fields brought up to date (RFC 9111 3.2).
        """
        headers = updated(stored.headers, response.headers)
        if b"date" not in response.headers:
            headers = headers.without(b"date")
        arrival = self._arrival(sent)
        fresh = revised(aged(stored, headers, arrival), self._options.rules, arrival.date)
        return evolve(fresh, selecting=self._selecting(
            lookup, fresh.status, fresh.headers, fresh.policy))

    def _arrival(self, sent: float) -> Arrival:
        at = self._clock.seconds()
        return Arrival(at, self._wall(), max(0.0, at - sent))

    def _selecting(self, lookup: Lookup, status: int, headers: Headers, policy: Policy
                   ) -> Selecting:
        return selecting_values(self._selectors(status, headers, policy),
                                lookup.request.headers, headers, self._options.identity)

    def _selectors(self, status: int, headers: Headers, policy: Policy) -> frozenset[bytes]:
        """:return: what has to be equal in requests that are answered alike."""
        if is_about_request(status):
            # Nothing that the origin says makes an error one for all clients.
            names = frozenset((ALL_FIELDS,)) if policy.forced else COMPARED
        else:
            # The origin may say that it is for all of them (RFC 9111 section 3.5).
            names = frozenset() if policy.public else self._options.unless_public
        return names | {WHO} | (vary_names(headers) - self._unsent)

    def why_not_stored(self, lookup: Lookup, response: Response, policy: Policy
                       ) -> Reason | None:
        """:return: why a whole answer is not stored, its size aside; None if it is."""
        if response.is_doubtful:
            return Reason.ORIGIN_DOUBTFUL
        if response.status in NEVER_STORED:
            return Reason.STATUS_NOT_STORABLE
        if b"no-store" in lookup.directives:
            return Reason.REQUEST_NO_STORE
        route = self._options.route
        if route.transform is not None and b"content-encoding" in response.headers:
            return Reason.UNDECODABLE
        if route.ttl is not None and not policy.forced:
            return Reason.ORIGIN_STATUS
        if response.status >= 400 and self._is_fault(lookup, response, policy):
            return Reason.REQUEST_FAULT
        return not_storable(lookup.request.headers, response.status, response.headers, policy)

    def _is_fault(self, lookup: Lookup, response: Response, policy: Policy) -> bool:
        """:return: whether an error may be about something that is not compared."""
        request = lookup.request
        if request.method != b"GET" and is_about_request(response.status):
            return True
        if not counts_whole(self._options.key_rules, request, lookup.body):
            return True
        selectors = self._selectors(response.status, response.headers, policy)
        if ALL_FIELDS in selectors:
            return False
        names = selectors | self._options.identity.names
        return not is_unremarkable(response.status, request.headers, names)

    def why_personal(self, lookup: Lookup, head: StoredResponse) -> Reason | None:
        """
        :param head: the fields of an answer, and its policy.
        :return: why it is only for the one whom the origin answered; None if it is not.
        """
        reason = not_storable(lookup.request.headers, 200, head.headers, head.policy)
        return reason if reason in _FOR_ONE else None

    def why_not_partial(self, lookup: Lookup, sent: Request, response: Response,
                        policy: Policy) -> Reason | None:
        """:return: why a 206 answer is not stored; None if it is."""
        if response.is_doubtful:
            return Reason.ORIGIN_DOUBTFUL
        if b"range" not in sent.headers:
            return Reason.STATUS_NOT_STORABLE
        if b"no-store" in lookup.directives:
            return Reason.REQUEST_NO_STORE
        length = response.body.length
        if length is None or length > self._options.max_object_size_bytes:
            return Reason.TOO_LARGE
        return not_storable(sent.headers, 206, response.headers, policy)

    def missing(self, stored: StoredResponse, request: Request) -> tuple[Span, ...]:
        """:return: what of the octets that a request wants is not stored."""
        if stored.is_whole:
            return ()
        return missing_of(stored, self.wanted(stored, request))

    def wanted(self, stored: StoredResponse, request: Request) -> list[Span] | None:
        """:return: the octets that a request wants; None for all of them."""
        now = self._clock.seconds()
        return wanted_spans(stored, request, now, self._options.range_rules)

    def fits(self, octets: int) -> bool:
        """:return: whether a body of that size may be stored."""
        return octets <= self._options.max_object_size_bytes

    async def keep(self, lookup: Lookup, response: StoredResponse) -> None:
        """Store a response."""
        await self._variants.keep(lookup.key, response, ttl_of(response, self._options))

    async def keep_renewed(self, lookup: Lookup, fresh: StoredResponse, stored: StoredResponse
                           ) -> bool:
        """
        Store a response that was brought up to date, unless it now says that it must not be.

        :return: whether it is stored.
        """
        if self._is_still_storable(lookup, fresh):
            await self.keep(lookup, fresh)
            return True
        await self.drop(lookup, stored)
        return False

    def _is_still_storable(self, lookup: Lookup, fresh: StoredResponse) -> bool:
        return not_storable(
            lookup.request.headers, fresh.status, fresh.headers, fresh.policy) is None

    async def drop(self, lookup: Lookup, stored: StoredResponse) -> None:
        """Forget one variant."""
        await self._variants.drop_one(lookup.key, stored)
