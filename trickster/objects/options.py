"""What an operator may choose about the object cache of one path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from secrets import token_hex

from attrs import field, frozen

from trickster.collapsing.broadcast import Buffering
from trickster.collapsing.byte_budget import ByteBudget
from trickster.collapsing.spool import ISpool
from trickster.http.fields import COUNTED_FIELDS
from trickster.http.freshness import Rules
from trickster.http.invalidation import NOWHERE_ELSE, Place
from trickster.identity import AUTHORIZATION, COOKIE, IDENTITY_HEADERS, OVERRIDE_HEADERS
from trickster.keys.cache_key import ALL_PARAMS, KeyRules
from trickster.keys.identity import Identity, field_names
from trickster.objects.responses import RangeRules
from trickster.objects.stored_response import StoredResponse
from trickster.routes import Route

_PERSONAL = frozenset((AUTHORIZATION, COOKIE))
# Seconds that an answer with a validator is kept at least.
_LEAST_WITH_VALIDATOR = 600.0


class Collapse(Enum):
    """What requests do that come while the same is being fetched; values as configured."""

    BASIC = "basic"
    PROGRESSIVE = "progressive"


def _boundary() -> bytes:
    return token_hex(16).encode("ascii")


@frozen
class ObjectOptions:
    """
    Settings of one path.

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
    :ivar place: where the origin is, in its own words.
    :ivar spool: makes a place for large bodies of progressive forwarding.
    :ivar in_flight: what all answers together may hold until they are stored and sent; what
        finds no room streams through.
    :ivar boundary: makes unpredictable texts between the parts of an answer.
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
    place: Place = NOWHERE_ELSE
    spool: Callable[[], ISpool] | None = None
    in_flight: ByteBudget = field(factory=lambda: ByteBudget(1 << 30))
    boundary: Callable[[], bytes] = _boundary

    @property
    def rules(self) -> Rules:
        """What decides about freshness."""
        return Rules(self.negative, self.route.ttl, self.max_ttl,
                     shares_cookies=self.shares_cookies)

    @property
    def key_rules(self) -> KeyRules:
        """What makes two requests have one key."""
        return KeyRules(
            prefix=self.key_prefix,
            params=self.key_params,
            ignored_params=self.route.ignored_params,
            form_fields=self.key_form_fields,
            form=self.route.form,
            normalise=self.route.normalise,
            align=self.route.align,
            with_authority=self.with_authority and not self.route.form,
        )

    @property
    def identity(self) -> Identity:
        """Request fields that tell entries apart, also where C{Vary} does not name them."""
        return Identity((self.identity_headers - _PERSONAL).union(self._named, COUNTED_FIELDS))

    @property
    def unless_public(self) -> frozenset[bytes]:
        """Identity fields that do not where the origin says that an answer is for all users."""
        return (_PERSONAL & self.identity_headers | {AUTHORIZATION}) - self._named

    @property
    def _named(self) -> frozenset[bytes]:
        return frozenset((*self.key_headers, *self.route.key_headers))

    @property
    def range_rules(self) -> RangeRules:
        """How byte ranges are treated."""
        return RangeRules(self.boundary, not self.multipart_ranges_disabled)

    @property
    def buffering(self) -> Buffering:
        """How much of a body on its way is held, and where."""
        is_progressive = self.collapse is Collapse.PROGRESSIVE
        return Buffering(self.max_object_size_bytes, in_flight=self.in_flight,
                      spool=self.spool if is_progressive else None)


def ttl_of(stored: StoredResponse, options: ObjectOptions) -> float:
    """
    :return: for how long a stored response is of any use, in seconds from its arrival: while
        it is fresh, may be used stale, or is worth validating.
    """
    policy = stored.policy
    if policy.forced:
        return min(policy.lifetime, options.max_ttl)
    uses = [policy.lifetime]
    has_validator = b"etag" in stored.headers or b"last-modified" in stored.headers
    # Clients that are heeded may ask for what is stale (RFC 9111 section 5.2.1.2).
    if has_validator or (options.honour_request_directives and not policy.must_revalidate):
        uses += [policy.lifetime * options.revalidation_factor, _LEAST_WITH_VALIDATOR]
    if not policy.must_revalidate:
        swr, sie = policy.stale_while_revalidate, policy.stale_if_error
        uses.append(policy.lifetime + (options.stale_while_revalidate if swr is None else swr))
        uses.append(policy.lifetime + (options.stale_if_error if sie is None else sie))
    return min(max(uses), options.max_ttl) - stored.initial_age
