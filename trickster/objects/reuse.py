"""
When a stored response answers a lookup, and what is asked of the origin where it does not
(RFC 9111 section 4).
"""

from __future__ import annotations

from attrs import evolve, frozen

from trickster.errors import Reason
from trickster.http.byte_ranges import Span
from trickster.http.cache_control import NO_DIRECTIVES
from trickster.http.conditions import validators
from trickster.http.freshness import Use, is_young_enough, may_replace_error, use_of
from trickster.messages import Request
from trickster.objects.options import ObjectOptions
from trickster.objects.partial_responses import missing_spans
from trickster.objects.requests import (
    Found,
    Lookup,
    conditional_request,
    fetch_request,
    fetch_slot,
    range_request,
)
from trickster.objects.stored_response import StoredResponse


@frozen
class FetchPlan:
    """
    What is asked of the origin for a lookup.

    :ivar lookup: of the request that the fetch is for.
    :ivar request: to be sent.
    :ivar slot: equal for lookups that one exchange answers.
    :ivar stored: the response that is validated or completed, if any.
    :ivar reason: why what is stored does not do.
    :ivar missing: what is wanted of the stored response's body and is not here, where just that
        is asked for.
    """

    lookup: Lookup
    request: Request
    slot: str
    stored: StoredResponse | None = None
    reason: Reason = Reason.KEY_MISS
    missing: tuple[Span, ...] = ()


def use_for(stored: StoredResponse, lookup: Lookup, now: float, options: ObjectOptions) -> Use:
    """
    :param now: in seconds of the clock that ages are counted by, as everywhere here.
    :return: what may be done with a response that matches.
    """
    return use_of(stored.policy, stored.age(now), lookup.directives,
                  options.stale_while_revalidate)


def why_validated(stored: StoredResponse, lookup: Lookup, now: float, options: ObjectOptions
                  ) -> Reason:
    """:return: why the origin is asked about what is stored."""
    if not lookup.directives.values:
        return Reason.STALE
    use = use_for(stored, evolve(lookup, directives=NO_DIRECTIVES), now, options)
    return Reason.STALE if use is Use.VALIDATE else Reason.REQUEST_NO_CACHE


def answers_waiter(stored: StoredResponse, lookup: Lookup, now: float) -> bool:
    """
    :return: whether what was fetched for an earlier request is an answer to this one: not
        where it must be validated for each, nor where it is older than the request allows.
    """
    return not stored.policy.no_cache and is_young_enough(
        stored.policy, stored.age(now), lookup.directives)


def replaces_error(stored: StoredResponse, lookup: Lookup, now: float, options: ObjectOptions
                   ) -> bool:
    """:return: whether a stored response may be used in the place of an error (RFC 5861)."""
    age, directives = stored.age(now), lookup.directives
    return (stored.is_whole and b"no-cache" not in directives
            and is_young_enough(stored.policy, age, directives)
            and may_replace_error(stored.policy, age, options.stale_if_error))


def plan_of(lookup: Lookup, found: Found, now: float, options: ObjectOptions) -> FetchPlan:
    """:return: what to ask of the origin: everything, what is missing, or for a validation."""
    stored = found.stored
    request: Request | None = None
    missing: tuple[Span, ...] = ()
    reason = _why_missed(lookup, found)
    use = None if stored is None else use_for(stored, lookup, now, options)
    if stored is not None and use is not Use.VALIDATE:
        missing = missing_spans(stored, lookup.request, now, options.ranges)
    if stored is not None and missing:
        request = range_request(lookup, stored, missing, options)
        reason = Reason.RANGE_MISS
    elif stored is not None:
        # Also what a client has just been given stale.
        reason = (why_validated(stored, lookup, now, options) if use is Use.VALIDATE
                  else Reason.STALE)
        if validators(stored.headers):
            request = conditional_request(lookup, stored, options)
    if request is None:
        request, missing = fetch_request(lookup, options), ()
    slot = fetch_slot(found.slot, request.headers)
    return FetchPlan(lookup, request, slot, stored, reason, missing)


def _why_missed(lookup: Lookup, found: Found) -> Reason:
    if b"no-store" in lookup.directives:
        return Reason.REQUEST_NO_STORE
    return Reason.VARY_MISS if found.others else Reason.KEY_MISS


def plan_anew(plan: FetchPlan, options: ObjectOptions) -> FetchPlan:
    """:return: what to ask instead where what is stored turned out to be of no use."""
    request = fetch_request(plan.lookup, options)
    if plan.stored is not None:
        request = request.with_headers(request.headers.without(
            b"if-none-match", b"if-modified-since"))
    return evolve(plan, request=request, stored=None, missing=(), reason=Reason.STALE)


def plan_whole(plan: FetchPlan, options: ObjectOptions) -> FetchPlan:
    """:return: what to ask instead where the missing part alone is too large to be stored."""
    return evolve(plan, request=fetch_request(plan.lookup, options), stored=None, missing=())


def plan_missing(plan: FetchPlan, stored: StoredResponse, now: float, options: ObjectOptions
                 ) -> FetchPlan | None:
    """
    :param stored: the response, just found to be still good.
    :return: what to ask to complete it; None where nothing makes sure that it would fit.
    """
    missing = missing_spans(stored, plan.lookup.request, now, options.ranges)
    request = range_request(plan.lookup, stored, missing, options)
    if request is None:
        return None
    return evolve(plan, request=request, stored=stored, missing=missing)
