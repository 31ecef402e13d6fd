"""May a response be stored, as what, and for how long (RFC 9111 section 3): pure."""

from __future__ import annotations

from attrs import Factory, evolve, field, frozen

from trickster.errors import Reason
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
from trickster.objects.options import ObjectOptions
from trickster.objects.requests import UNSENT_WHEN_WHOLE, Lookup
from trickster.objects.stored_response import Arrival, StoredResponse, aged, revised

# Without a validator, what may not be used unasked is still for all who ask at the same time.
_FOR_ONE = NOT_FOR_OTHERS - {Reason.NO_CACHE} | {Reason.AUTHORIZATION}
# Seconds that an answer with a validator is kept at least.
_LEAST_WITH_VALIDATOR = 600.0


@frozen
class StoragePolicy:
    """What may be stored of the responses of one path."""

    options: ObjectOptions
    _unsent: frozenset[bytes] = field(init=False, default=Factory(
        lambda self: _unsent(self.options), takes_self=True))

    def head(self, lookup: Lookup, response: Response, arrival: Arrival) -> StoredResponse:
        """:return: a response that has just begun to arrive, as it would be stored; no parts."""
        options = self.options
        policy = policy_of(response.status, response.headers, arrival.date, options.freshness)
        head = StoredResponse(
            response.status, NO_HEADERS, (), response.body.length, policy, 0.0, arrival.at,
            self._selecting(lookup, response.status, response.headers, policy),
            response.phrase)
        return aged(head, response.headers, arrival)

    def freshened(self, lookup: Lookup, stored: StoredResponse, response: Response,
                  arrival: Arrival) -> StoredResponse:
        """
        :param response: without a body; it says that the stored one is still good.
        :return: the stored response with its fields brought up to date (RFC 9111 sections 3.2
            and 4.3.4).
        """
        headers = updated(stored.headers, response.headers)
        if b"date" not in response.headers:
            headers = headers.without(b"date")
        fresh = revised(aged(stored, headers, arrival), self.options.freshness, arrival.date)
        return evolve(fresh, selecting=self._selecting(
            lookup, fresh.status, fresh.headers, fresh.policy))

    def _selecting(self, lookup: Lookup, status: int, headers: Headers, policy: Policy
                   ) -> Selecting:
        return selecting_values(self._selectors(status, headers, policy),
                                lookup.request.headers, headers, self.options.identity)

    def _selectors(self, status: int, headers: Headers, policy: Policy) -> frozenset[bytes]:
        """:return: what has to be equal in requests that are answered alike."""
        if is_about_request(status):
            # Nothing that the origin says makes an error one for all clients.
            names = frozenset((ALL_FIELDS,)) if policy.forced else COMPARED
        else:
            # The origin may say that it is for all of them (RFC 9111 section 3.5).
            names = frozenset() if policy.public else self.options.unless_public
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
        route = self.options.route
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
        if not counts_whole(self.options.key, request, lookup.body):
            return True
        selectors = self._selectors(response.status, response.headers, policy)
        if ALL_FIELDS in selectors:
            return False
        names = selectors | self.options.identity.names
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
        """:return: why a 206 answer is not stored (RFC 9111 section 3.3); None if it is."""
        if response.is_doubtful:
            return Reason.ORIGIN_DOUBTFUL
        if b"range" not in sent.headers:
            return Reason.STATUS_NOT_STORABLE
        if b"no-store" in lookup.directives:
            return Reason.REQUEST_NO_STORE
        length = response.body.length
        if length is None or not self.fits(length):
            return Reason.TOO_LARGE
        return not_storable(sent.headers, 206, response.headers, policy)

    def stays_storable(self, lookup: Lookup, fresh: StoredResponse) -> bool:
        """:return: whether a freshened response may still be stored."""
        return not_storable(
            lookup.request.headers, fresh.status, fresh.headers, fresh.policy) is None

    def fits(self, octets: int) -> bool:
        """:return: whether a body of that size may be stored."""
        return octets <= self.options.max_object_size_bytes

    def is_of_use(self, stored: StoredResponse) -> bool:
        """:return: whether it is worth storing: not where it was too old when it arrived."""
        return self.ttl(stored) > 0

    def ttl(self, stored: StoredResponse) -> float:
        """
        :return: for how long a stored response is of any use, in seconds from its arrival:
            while it is fresh, may be used stale, or is worth validating.
        """
        policy, options = stored.policy, self.options
        if policy.forced:
            return min(policy.lifetime, options.max_ttl)
        uses = [policy.lifetime]
        has_validator = b"etag" in stored.headers or b"last-modified" in stored.headers
        # Clients that are heeded may ask for what is stale (RFC 9111 section 5.2.1.2).
        if has_validator or (options.honour_request_directives and not policy.must_revalidate):
            uses += [policy.lifetime * options.revalidation_factor, _LEAST_WITH_VALIDATOR]
        if not policy.must_revalidate:
            swr, sie = policy.stale_while_revalidate, policy.stale_if_error
            uses.append(policy.lifetime + (
                options.stale_while_revalidate if swr is None else swr))
            uses.append(policy.lifetime + (options.stale_if_error if sie is None else sie))
        return min(max(uses), options.max_ttl) - stored.initial_age


def _unsent(options: ObjectOptions) -> frozenset[bytes]:
    # Origins may say that answers vary by what they never see.
    return frozenset((b"*", *(UNSENT_WHEN_WHOLE if options.fetches_whole else ())))
