"""The requests that a cache sends to an origin on behalf of its clients."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from trickster.errors import Reason
from trickster.http.byte_ranges import Span, parse_range, range_field
from trickster.http.cache_control import NO_DIRECTIVES, Directives, honoured_directives
from trickster.http.conditions import strong_validator, validators
from trickster.http.fields import CONDITIONS
from trickster.keys.cache_key import READ_ONLY, Merged, digest, key_of, merged, shared_key
from trickster.keys.form_fields import is_form
from trickster.messages import Collecting, Headers, Octets, Request
from trickster.objects.options import ObjectOptions
from trickster.objects.stored_response import StoredResponse
from trickster.purging.label import Label, tags_of

# What origins that are asked for whole answers only never see.
UNSENT_WHEN_WHOLE = (*CONDITIONS, b"range", b"accept-encoding")


@frozen
class Lookup:
    """
    What a request asks of the cache.

    :ivar key: of the entries that may answer it.
    :ivar body: of the request, whole; None for GET and HEAD.
    :ivar directives: of the client (RFC 9111 section 5.2.1), as far as they are honoured.
    :ivar merged: its parameters, where the route has a C{form}.
    :ivar mark: the number of the newest purge that was known before what is asked for it.
    """

    key: str
    request: Request
    body: bytes | None = None
    directives: Directives = NO_DIRECTIVES
    merged: Merged | None = None
    mark: int = 0

    def label(self, backend: str, response: Headers, statement: str = "") -> Label:
        """
        :param response: the fields of what is stored for it.
        :param statement: the parameter that has a query; empty where there is none.
        :return: what purges know that by.
        """
        request, asked = self.request, self.merged
        query = asked.params.get(statement) if statement and asked is not None else None
        return Label(backend, self.key, shared_key(self.key, request), request.path,
                     request.target, tags_of(response), query)


@frozen
class Found:
    """
    What a lookup found.

    :ivar stored: the newest response that matches the request, if any.
    :ivar slot: equal for requests that, as far as is known, select the same response.
    :ivar others: whether there are stored responses for other requests to the same key.
    :ivar mark: the number of the newest purge that was known when it was looked for.
    """

    stored: StoredResponse | None
    slot: str
    others: bool = False
    mark: int = 0


def why_passed(request: Request, options: ObjectOptions) -> Reason | None:
    """:return: why a request is none of the cache's business; None where it may be looked up."""
    if options.overrides.are_in(request.headers):
        return Reason.OVERRIDE_HEADER
    if request.method in READ_ONLY:
        return Reason.PROXY_PATH if is_more_than_reading(request) else None
    if request.method != b"POST" or not options.takes_body:
        return Reason.METHOD
    # Origins read only forms that say so.
    if request.body.length != 0 and options.route.form and not is_form(request.headers):
        return Reason.UNPARSABLE_BODY
    return None


def lookup_of(request: Request, body: bytes | None, options: ObjectOptions) -> Lookup:
    """
    :param request: one that is not to be passed.
    :param body: of the request, whole; None for GET and HEAD.
    :raises trickster.messages.MalformedParams: its parameters cannot be read in one way only.
    :raises trickster.keys.form_fields.UnreadableBody: nor can its body.
    """
    params = merged(options.key, request, body) if options.key.form else None
    return Lookup(
        key_of(options.key, request, body, params), request, body,
        honoured_directives(request.headers, options.honour_request_directives), params)


def forwarded_request(lookup: Lookup, options: ObjectOptions) -> Request:
    """
    :return: the client's own request, conditions and all, with the parameters that its key
        is made of.
    """
    return evolve(_canonical(lookup, options), method=lookup.request.method)


def fetch_request(lookup: Lookup, options: ObjectOptions) -> Request:
    """:return: the request to send where nothing is stored."""
    request = _canonical(lookup, options)
    headers = request.headers
    if options.fetches_whole:
        headers = headers.without(*UNSENT_WHEN_WHOLE)
    elif b"range" in headers and not parse_range(headers, options.ranges.limit):
        headers = headers.without(b"range", b"if-range")
    return evolve(request, headers=headers, collecting=Collecting())


def conditional_request(lookup: Lookup, stored: StoredResponse, options: ObjectOptions) -> Request:
    """:return: the request to send where what is stored may still be good."""
    request = fetch_request(lookup, options)
    gone = CONDITIONS if not stored.is_whole else (*CONDITIONS, b"range")
    headers = request.headers.without(*gone).with_added(*validators(stored.headers))
    return request.with_headers(headers)


def range_request(lookup: Lookup, stored: StoredResponse, missing: Sequence[Span],
                  options: ObjectOptions) -> Request | None:
    """
    :param missing: what the client wants and is not stored.
    :return: the request for exactly that, of the very representation that is stored; None
        where nothing would make sure of it (RFC 9110 section 13.1.5).
    """
    validator = strong_validator(stored.headers, stored.received)
    if validator is None:
        return None
    request = fetch_request(lookup, options)
    headers = request.headers.without(*CONDITIONS, b"range").with_added(
        (b"Range", range_field(missing)), (b"If-Range", validator))
    return request.with_headers(headers)


def _canonical(lookup: Lookup, options: ObjectOptions) -> Request:
    request = lookup.request
    method = b"GET" if request.method == b"HEAD" else request.method
    if options.key.form and (options.key.normalise is not None or options.key.align is not None):
        return _normalised(lookup, method, options)
    body = Octets(lookup.body) if lookup.body is not None else Octets()
    return evolve(request, method=method, body=body)


def _normalised(lookup: Lookup, method: bytes, options: ObjectOptions) -> Request:
    request = lookup.request
    asked = lookup.merged or merged(options.key, request, lookup.body)
    encoded = asked.params.encode()
    if lookup.body:
        return evolve(request, method=method, target=request.path, body=Octets(encoded))
    target = request.path + b"?" + encoded if encoded else request.path
    return evolve(request, method=method, target=target, body=Octets())


def fetch_slot(slot: str, sent: Headers) -> str:
    """
    :param slot: of the variant.
    :param sent: the fields of the request that is sent.
    :return: what is equal for requests that are answered by one exchange.
    """
    names = (*CONDITIONS, b"range")
    if not any(name in sent for name in names):
        return slot
    return slot + ".c" + digest(sent.joined(name) for name in names)


def is_more_than_reading(request: Request) -> bool:
    """
    :param request: a GET or HEAD.
    :return: whether no stored answer can be one to it.
    """
    # A body may be part of what is asked (RFC 9110 section 9.3.1), and no key has it; and
    # a connection that changes its protocol is not shared.  HTTP/2 in clear is never spoken.
    if request.body.length != 0:
        return True
    upgrade = request.headers.get(b"upgrade")
    return upgrade is not None and upgrade.strip().lower() != b"h2c"
