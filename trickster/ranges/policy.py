"""How the range queries of one path are cached: one value, made once."""

from __future__ import annotations

from collections.abc import Callable

from attrs import Factory, field, frozen

from trickster.http.fields import OF_PARTS, REQUEST_DIRECTIVES
from trickster.http.freshness import FreshnessRules
from trickster.keys.identity import NO_IDENTITY, Identity, Overrides
from trickster.timeseries.planning import Sharding

NOT_SHARDED = Sharding()
NO_RULES = FreshnessRules()
NO_OVERRIDES = Overrides()
# What a cache must not send on when it fetches something else than the client asked for, and
# content codings, which it could not cut.
NOT_FETCHED = (b"accept-encoding", b"content-length", *OF_PARTS, *REQUEST_DIRECTIVES)
_NEVER_SENT = frozenset((*NOT_FETCHED, b"host"))


@frozen
class RangePolicy:
    """
    How the range queries of a path are cached; durations in seconds, sizes in octets.

    :ivar prefix: begins every key: the backend's name and key prefix.
    :ivar backend: the backend's name.
    :ivar identity: request fields whose values are part of the key.
    :ivar overrides: requests that are sent to the origin as they are.
    :ivar phase: whether ranges are kept apart by start modulo step, and never changed.
    :ivar retention: timestamps kept of a query, at least.
    :ivar lru: whether what was least recently used is dropped first, not the oldest.
    :ivar max_age: age of the oldest timestamp kept; 0 for any.
    :ivar max_bytes: of one entry; 0 for as much as the store takes.
    :ivar tolerance: age up to which samples may still change.
    :ivar tolerance_points: the same in steps; the longer of both counts.
    :ivar ttl: seconds that an entry is kept after its last change.
    :ivar fast_forward: whether newest samples are added.
    :ivar fast_forward_ttl: seconds that a newest sample serves.
    :ivar concurrency: fetches of one request at a time.
    :ivar max_query_range: longest range that is answered at all; 0 for any.
    :ivar max_answer_bytes: largest answer of the origin that is held in memory.
    :ivar max_request_bytes: largest body of a request that is read to find out what it asks for.
    :ivar most_instants: timestamps in a piece of an entry, where it is kept in pieces; 0 for as
        many as suit.
    :ivar transform: applied to answers that pass the cache by.
    :ivar honours: whether all directives of a client's C{Cache-Control} are obeyed.
    :ivar rules: what decides whether an answer is for all who ask alike.
    :ivar vary_fields: request fields that C{Vary} may name (RFC 9111 section 4.1): those that
        are part of the key or not sent on.
    :ivar inspected_fields: request fields for which a request is inspected before it is looked up.
    """

    prefix: str
    identity: Identity = NO_IDENTITY
    overrides: Overrides = NO_OVERRIDES
    phase: bool = False
    retention: int = 1024
    lru: bool = False
    max_age: float = 0.0
    max_bytes: int = 0
    tolerance: float = 0.0
    tolerance_points: int = 0
    ttl: float = 21600.0
    fast_forward: bool = True
    fast_forward_ttl: float = 15.0
    sharding: Sharding = NOT_SHARDED
    concurrency: int = 16
    max_query_range: float = 0.0
    max_answer_bytes: int = 256 << 20
    max_request_bytes: int = 10 << 20
    most_instants: int = 0
    transform: Callable[[bytes], bytes] | None = None
    honours: bool = False
    rules: FreshnessRules = NO_RULES
    backend: str = ""
    vary_fields: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: _NEVER_SENT | self.identity.names, takes_self=True))
    inspected_fields: frozenset[bytes] = field(init=False, repr=False, eq=False, default=Factory(
        lambda self: REQUEST_DIRECTIVES | self.identity.names, takes_self=True))
