"""What a shared cache may do with a response: RFC 9111, RFC 5861 and RFC 9213 as functions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import evolve, field, frozen

from trickster.errors import Reason
from trickster.http.cache_control import (
    SATURATED,
    Directives,
    parse_cache_control,
    parse_targeted,
)
from trickster.http.dates import parse_date
from trickster.http.fields import ADDRESS_CHAINS, COOKIES_SET
from trickster.http.grammar import split_list
from trickster.messages import Headers

# RFC 9110 section 15.1: statuses whose answers may be fresh by guess.
HEURISTIC_STATUSES = frozenset((200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501))

# What must-understand calls understood: the final statuses of RFC 9110 section 15.
UNDERSTOOD_STATUSES = frozenset((
    *range(200, 207), *range(300, 304), 305, 307, 308, *range(400, 418), 421, 422, 426,
    *range(500, 506)))

HEURISTIC_FRACTION = 0.1
LONGEST_GUESS = 86400.0

# What is made for one request only; each waiter for the same asks for itself.
NOT_FOR_OTHERS = frozenset((
    Reason.NO_STORE, Reason.PRIVATE, Reason.SET_COOKIE, Reason.NO_CACHE, Reason.VARY,
    Reason.VARY_STAR))


class Use(Enum):
    """What may be done with a stored response."""

    FRESH = "fresh"
    STALE_WHILE_REVALIDATE = "stale-while-revalidate"
    VALIDATE = "validate"


@frozen
class FreshnessRules:
    """
    What an operator may decide about freshness.

    :ivar negative: seconds of freshness by status, also against the headers' lifetime.
    :ivar ttl: seconds of freshness of every 200, also against the headers' lifetime, or
        None.
    :ivar shares_cookies: whether an answer with C{Set-Cookie} is as good as any other.
    :ivar max_ttl: seconds; no answer is fresh for longer.
    """

    negative: Mapping[int, float] = field(factory=dict)
    ttl: float | None = None
    max_ttl: float = 90000.0
    shares_cookies: bool = False


@frozen
class Policy:
    """
    What a response's own fields say about its reuse.

    :ivar lifetime: seconds from its making that it is fresh.
    :ivar explicit: whether the origin gave the lifetime, rather than our guess.
    :ivar forced: whether an operator's rule gave it; then ages count from its arrival.  Only
        the lifetime is overruled: all else that the origin says stands.
    :ivar no_cache: it must be validated before each use.
    :ivar must_revalidate: it must not be used stale in any case.
    :ivar shareable: it may be stored although its request had C{Authorization}.
    :ivar public: it is for all users, even if its request had C{Authorization}.
    :ivar sets_cookie: it has a cookie for the client that asked.
    :ivar stale_while_revalidate: seconds, or None where nothing is said (RFC 5861).
    :ivar stale_if_error: likewise.
    """

    lifetime: float = 0.0
    explicit: bool = False
    forced: bool = False
    no_store: bool = False
    private: bool = False
    no_cache: bool = False
    must_revalidate: bool = False
    shareable: bool = False
    public: bool = False
    sets_cookie: bool = False
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None


def policy_of(status: int, headers: Headers, received: float, rules: FreshnessRules) -> Policy:
    """
    :param received: seconds since the epoch, when the response arrived.
    """
    targeted = parse_targeted(headers.get_all(b"cdn-cache-control"))
    said = targeted or parse_cache_control(headers.get_all(b"cache-control"))
    sets_cookie = not rules.shares_cookies and headers.has_any(COOKIES_SET)
    forced = _forced_lifetime(status, rules)
    lifetime, explicit = (
        (forced, True) if forced is not None
        else _lifetime(status, headers, said, received) if targeted is None
        else _targeted_lifetime(status, headers, said, received))
    return evolve(_directed(said, status), lifetime=min(lifetime, rules.max_ttl),
                  explicit=explicit, forced=forced is not None, sets_cookie=sets_cookie)


def _directed(said: Directives, status: int) -> Policy:
    understood = b"must-understand" in said and status in UNDERSTOOD_STATUSES
    foreign = b"must-understand" in said and not understood
    must_revalidate = b"must-revalidate" in said or b"s-maxage" in said
    return Policy(
        no_store=foreign or (b"no-store" in said and not understood),
        private=b"private" in said,
        no_cache=b"no-cache" in said,
        must_revalidate=must_revalidate or b"proxy-revalidate" in said,
        shareable=must_revalidate or b"public" in said,
        public=b"public" in said or b"s-maxage" in said,
        stale_while_revalidate=said.seconds(b"stale-while-revalidate"),
        stale_if_error=said.seconds(b"stale-if-error"),
    )


def _forced_lifetime(status: int, rules: FreshnessRules) -> float | None:
    if status in rules.negative:
        return rules.negative[status]
    return rules.ttl if status == 200 else None


def _targeted_lifetime(status: int, headers: Headers, said: Directives,
                       received: float) -> tuple[float, bool]:
    # Expires is the untargeted caches' business (RFC 9213 section 2.2).
    return _lifetime(status, headers.without(b"expires"), said, received)


def _lifetime(status: int, headers: Headers, said: Directives,
              received: float) -> tuple[float, bool]:
    for name in (b"s-maxage", b"max-age"):
        seconds = said.seconds(name)
        if seconds is not None:
            return float(seconds), True
    made = date_of(headers, received)
    expires = headers.get_all(b"expires")
    if expires:
        until = parse_date(expires[0], received) if len(expires) == 1 else None
        return (max(0.0, until - made) if until is not None else 0.0), True
    if status in HEURISTIC_STATUSES or b"public" in said:
        return _guess(headers, made, received), False
    return 0.0, False


def _guess(headers: Headers, made: float, received: float) -> float:
    value = headers.get(b"last-modified")
    modified = parse_date(value, received) if value is not None else None
    if modified is None:
        return 0.0
    return min(LONGEST_GUESS, max(0.0, made - modified) * HEURISTIC_FRACTION)


def date_of(headers: Headers, received: float) -> float:
    """
    :return: when a response was made, in seconds since the epoch: its C{Date}, or when it
        arrived, where that is absent or invalid (RFC 9110 section 6.6.1).
    """
    value = headers.get(b"date")
    made = parse_date(value, received) if value is not None else None
    return received if made is None else float(made)


def age_value(headers: Headers) -> int:
    """
    :return: the seconds in C{Age}; 0 where it is absent or no number.  Of a list the first
        member counts (RFC 9111 section 5.1).
    """
    joined = headers.joined(b"age")
    first = joined.partition(b",")[0].strip(b" \t") if joined is not None else b""
    if not first.isdigit():
        return 0
    return SATURATED if len(first.lstrip(b"0")) > 10 else min(int(first), SATURATED)


def initial_age(headers: Headers, received: float, delay: float) -> float:
    """
    :param received: when the response's header section arrived, in seconds since the epoch.
    :param delay: seconds from the sending of the request until then.
    :return: the C{corrected_initial_age} of RFC 9111 section 4.2.3, in seconds.
    """
    apparent = max(0.0, received - date_of(headers, received))
    corrected = age_value(headers) + delay
    return max(apparent, corrected)


def not_storable(request: Headers, status: int, headers: Headers, policy: Policy
                 ) -> Reason | None:
    """
    :param request: the fields of the request that was answered.
    :return: why a shared cache must not store the answer to a GET (RFC 9111 section 3), or
        has no use for it; None where it may.
    """
    if status < 200 or status == 304:
        return Reason.STATUS_NOT_STORABLE
    if policy.no_store:
        return Reason.NO_STORE
    if policy.private:
        return Reason.PRIVATE
    if b"authorization" in request and not (policy.shareable or policy.forced):
        return Reason.AUTHORIZATION
    if policy.sets_cookie:
        return Reason.SET_COOKIE
    if names_everything(headers):
        return Reason.VARY_STAR
    if not ADDRESS_CHAINS.isdisjoint(vary_names(headers)):
        return Reason.VARY
    if _is_of_use(status, headers, policy):
        return None
    return Reason.NO_CACHE if policy.no_cache else Reason.NO_FRESHNESS


def not_for_others(headers: Headers, counted: frozenset[bytes], rules: FreshnessRules
                   ) -> Reason | None:
    """
    :param headers: of an answer that has a lifetime of our own in the place of its own.
    :param counted: request fields, in lower case, that are part of the key, or that never
        reach the origin.
    :return: why it is only for the client that asked (RFC 9111 sections 3, 4.1 and 5.2.2);
        None where it is for all whose requests have the same key.
    """
    policy = policy_of(200, headers, 0.0, rules)
    if policy.no_store:
        return Reason.NO_STORE
    if policy.private:
        return Reason.PRIVATE
    if policy.sets_cookie:
        return Reason.SET_COOKIE
    if policy.no_cache:
        return Reason.NO_CACHE
    names = vary_names(headers)
    if b"*" in names:
        return Reason.VARY_STAR
    return None if names <= counted - ADDRESS_CHAINS else Reason.VARY


def _is_of_use(status: int, headers: Headers, policy: Policy) -> bool:
    if policy.lifetime > 0 and not policy.no_cache:
        return True
    has_validator = b"etag" in headers or b"last-modified" in headers
    if has_validator and (policy.explicit or policy.no_cache or status in HEURISTIC_STATUSES):
        return True
    return bool(policy.stale_while_revalidate or policy.stale_if_error)


def vary_names(headers: Headers) -> frozenset[bytes]:
    """:return: the field names in C{Vary}, in lower case."""
    value = headers.joined(b"vary")
    return frozenset(name.lower() for name in split_list(value)) if value else frozenset()


def names_everything(headers: Headers) -> bool:
    """:return: whether C{Vary} has a C{*} anywhere: no other request is answered by this."""
    return b"*" in vary_names(headers)


def use_of(policy: Policy, age: float, asked: Directives, default_swr: float = 0.0) -> Use:
    """
    Decide about a stored response that matches a request.

    :param age: its current age in seconds.
    :param asked: the request's directives, or none where they are not to be honoured.
    :param default_swr: seconds of C{stale-while-revalidate} where the response has none.
    """
    if policy.no_cache or b"no-cache" in asked or not is_young_enough(policy, age, asked):
        return Use.VALIDATE
    staleness = age - policy.lifetime
    if staleness < 0:
        return Use.FRESH
    if policy.must_revalidate:
        return Use.VALIDATE
    if b"max-stale" in asked and staleness <= _most_stale(asked):
        return Use.FRESH
    window = policy.stale_while_revalidate
    window_seconds = default_swr if window is None else float(window)
    return Use.STALE_WHILE_REVALIDATE if staleness < window_seconds else Use.VALIDATE


def is_young_enough(policy: Policy, age: float, asked: Directives) -> bool:
    """
    :param age: of a stored response, in seconds.
    :param asked: as in L{use_of}.
    :return: whether C{max-age} and C{min-fresh} of a request allow it (RFC 9111 section 5.2.1).
    """
    if not asked.values:
        return True
    oldest = asked.seconds(b"max-age")
    if oldest is not None and (age > oldest or oldest == 0):
        return False
    left = asked.seconds(b"min-fresh")
    return left is None or policy.lifetime - age >= left


def _most_stale(asked: Directives) -> float:
    if asked.values[b"max-stale"] == (None,):
        return float("inf")
    return float(asked.seconds(b"max-stale") or 0)


def may_replace_error(policy: Policy, age: float, default_sie: float = 0.0) -> bool:
    """
    :param age: of the stored response, in seconds.
    :param default_sie: seconds of C{stale-if-error} where the response has none.
    :return: whether it may be used in the place of an error (RFC 5861 section 4).
    """
    if policy.must_revalidate or policy.no_cache:
        return False
    window = policy.stale_if_error
    return age - policy.lifetime < (default_sie if window is None else window)
