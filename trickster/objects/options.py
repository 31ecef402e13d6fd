"""The policies of one path: how its responses are keyed, fetched, stored and reused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from attrs import Factory, field, frozen

from trickster.http.fields import COUNTED_FIELDS
from trickster.http.freshness import FreshnessRules
from trickster.identity import AUTHORIZATION, COOKIE, IDENTITY_HEADERS, OVERRIDE_HEADERS
from trickster.keys.cache_key import ALL_PARAMS, KeyRules
from trickster.keys.identity import Identity, Overrides, field_names
from trickster.objects.partial_responses import RangeRules
from trickster.routes import Route

_PERSONAL = frozenset((AUTHORIZATION, COOKIE))


class Collapse(Enum):
    """What requests do that come while the same is being fetched; values as configured."""

    BASIC = "basic"
    PROGRESSIVE = "progressive"


@frozen
class ObjectOptions:
    """
    What an operator chooses for one path, and the rules that come of it: made once.

    :ivar key_prefix: of all keys: the backend's name and its C{cache_key_prefix}.
    :ivar route: the path; its C{ttl}, C{form}, C{ignored_params}, C{key_headers},
        C{normalise}, C{align} and C{transform} are honoured.
    :ivar negative: seconds that answers of a status are fresh, against their own lifetime.
    :ivar max_ttl: seconds; nothing is fresh, or kept, for longer.
    :ivar revalidation_factor: times its lifetime that an answer with a validator is kept.
    :ivar max_object_size_bytes: octets of body; larger answers stream through.
    :ivar max_capture_bytes: octets of body that a C{transform} is given at most.
    :ivar honour_request_directives: whether clients' C{Cache-Control} is obeyed as RFC 9111
        section 5.2.1 has it; otherwise no-cache means purge.
    :ivar stale_while_revalidate: seconds, for answers that do not say (RFC 5861).
    :ivar stale_if_error: seconds, for answers that do not say (RFC 5861).
    :ivar key_params: C{cache_key_params}; C{("*",)} for the whole query.
    :ivar key_headers: C{cache_key_headers}, in lower case.
    :ivar identity_headers: of the backend, in lower case.
    :ivar override_headers: of the backend, in lower case; requests with them are passed.
    :ivar key_form_fields: C{cache_key_form_fields}; they make POST answers cacheable.
    :ivar shares_cookies: C{cache_set_cookie}: whether an answer with C{Set-Cookie} is stored,
        and given to those who wait, as any other.
    :ivar with_authority: whether the host asked for is part of the key.
    :ivar max_request_body_bytes: octets of a POST that is part of the key.
    :ivar multipart_ranges_disabled: whether requests for several byte ranges get everything.
    :ivar dearticulate_upstream_ranges: whether several byte ranges are fetched one by one.
    :ivar freshness: what decides about freshness.
    :ivar key: what makes two requests have one key.
    :ivar identity: request fields that tell entries apart, also where C{Vary} does not name
        them.
    :ivar unless_public: identity fields that do not where the origin says that an answer is for
        all users.
    :ivar overrides: requests with these fields are passed.
    :ivar ranges: how byte ranges are treated.
    """

    key_prefix: str
    route: Route
    negative: Mapping[int, float] = field(factory=dict)
    max_ttl: float = 90000.0
    revalidation_factor: float = 2.0
    max_object_size_bytes: int = 524288
    max_capture_bytes: int = 256 * 1024 * 1024
    honour_request_directives: bool = False
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    collapse: Collapse = Collapse.BASIC
    key_params: tuple[str, ...] = ALL_PARAMS
    key_headers: tuple[bytes, ...] = ()
    identity_headers: frozenset[bytes] = field_names(IDENTITY_HEADERS)
    override_headers: frozenset[bytes] = field_names(OVERRIDE_HEADERS)
    key_form_fields: tuple[str, ...] = ()
    shares_cookies: bool = False
    with_authority: bool = True
    max_request_body_bytes: int = 10 * 1024 * 1024
    multipart_ranges_disabled: bool = False
    dearticulate_upstream_ranges: bool = False
    freshness: FreshnessRules = field(init=False, default=Factory(
        lambda self: _freshness(self), takes_self=True))
    key: KeyRules = field(init=False, default=Factory(
        lambda self: _key(self), takes_self=True))
    identity: Identity = field(init=False, default=Factory(
        lambda self: _identity(self), takes_self=True))
    unless_public: frozenset[bytes] = field(init=False, default=Factory(
        lambda self: _unless_public(self), takes_self=True))
    overrides: Overrides = field(init=False, default=Factory(
        lambda self: Overrides(self.override_headers, self.identity.names | self.unless_public),
        takes_self=True))
    ranges: RangeRules = field(init=False, default=Factory(
        lambda self: RangeRules(not self.multipart_ranges_disabled), takes_self=True))

    @property
    def fetches_whole(self) -> bool:
        """
        :return: whether only whole answers are of use, so that the origin is sent no client's
            conditions and ranges: where the route says for how long answers are fresh.
        """
        return self.route.ttl is not None

    @property
    def takes_body(self) -> bool:
        """:return: whether the body of a POST is part of the key; if not, a POST is passed."""
        return self.route.form or bool(self.key_form_fields)


def _freshness(options: ObjectOptions) -> FreshnessRules:
    return FreshnessRules(options.negative, options.route.ttl, options.max_ttl,
                 shares_cookies=options.shares_cookies)


def _key(options: ObjectOptions) -> KeyRules:
    route = options.route
    return KeyRules(
        prefix=options.key_prefix,
        params=options.key_params,
        ignored_params=route.ignored_params,
        form_fields=options.key_form_fields,
        form=route.form,
        normalise=route.normalise,
        align=route.align,
        with_authority=options.with_authority and not route.form,
    )


def _named(options: ObjectOptions) -> frozenset[bytes]:
    return frozenset((*options.key_headers, *options.route.key_headers))


def _identity(options: ObjectOptions) -> Identity:
    return Identity((options.identity_headers - _PERSONAL).union(_named(options), COUNTED_FIELDS))


def _unless_public(options: ObjectOptions) -> frozenset[bytes]:
    return (_PERSONAL & options.identity_headers | {AUTHORIZATION}) - _named(options)
