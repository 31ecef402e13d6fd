"""What can go wrong, and the closed list of reasons that answers carry."""

from __future__ import annotations

from enum import Enum
from typing import Any

# Seconds after which clients may ask again what was refused for the moment.
SOON = 1.0


class Reason(Enum):
    """
    Why an answer did not come whole from the cache.

    A closed list: the result header, the access log, the reason counter and the span
    all spell it by its C{value}.
    """

    # Served past the cache by design.
    PROXY_PATH = "proxy-path"
    PROXY_ONLY = "proxy-only-backend"
    METHOD = "method"
    OVERRIDE_HEADER = "override-header"
    AMBIGUOUS_PATH = "ambiguous-path"
    REQUEST_NO_CACHE = "request-no-cache"
    REQUEST_NO_STORE = "request-no-store"
    ONLY_IF_CACHED = "only-if-cached"

    # A time range request that cannot safely be served by range.
    MISSING_PARAMETER = "missing-parameter"
    UNPARSABLE_PARAMETER = "unparsable-parameter"
    UNPARSABLE_BODY = "unparsable-body"
    UNPARSABLE_QUERY = "unparsable-query"
    INVERTED_RANGE = "inverted-range"
    STEP_TOO_FINE = "step-too-fine"
    TOO_MANY_POINTS = "too-many-points"
    RANGE_DEPENDENT = "range-dependent-query"
    UNKNOWN_FUNCTION = "unknown-function"
    STATS_ASKED = "stats-asked"
    NOT_A_TIME_RANGE = "not-a-time-range"
    TOO_OLD = "too-old"
    NOT_FINAL = "not-final"
    RANGE_REFUSED = "range-refused"

    # What was missing.
    KEY_MISS = "key-miss"
    RANGE_MISS = "range-miss"
    VOLATILE = "volatile"
    STALE = "stale"
    VARY_MISS = "vary-miss"
    REVALIDATED = "revalidated"
    COLLAPSED = "collapsed"

    # What the origin did.
    ORIGIN_WARNINGS = "origin-warnings"
    ORIGIN_PARTIAL = "origin-partial-data"
    ORIGIN_STATUS = "origin-status"
    ORIGIN_UNREACHABLE = "origin-unreachable"
    ORIGIN_TIMEOUT = "origin-timeout"
    ORIGIN_BROKE = "origin-broke"
    ORIGIN_MALFORMED = "origin-malformed"
    ORIGIN_DOUBTFUL = "origin-doubtful"
    UNDECODABLE = "undecodable"
    PARTIAL_FAILURE = "partial-failure"

    # Why an answer may not be stored (RFC 9111 section 3).
    NO_STORE = "no-store"
    PRIVATE = "private"
    NO_CACHE = "no-cache"
    NO_FRESHNESS = "no-freshness"
    SET_COOKIE = "set-cookie"
    AUTHORIZATION = "authorization"
    VARY = "vary"
    VARY_STAR = "vary-star"
    REQUEST_FAULT = "request-fault"
    STATUS_NOT_STORABLE = "status-not-storable"
    TOO_LARGE = "too-large"

    # Ourselves.
    NO_ROUTE = "no-route"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    BLOCKED = "blocked"
    MALFORMED_REQUEST = "malformed-request"
    REQUEST_TOO_LARGE = "request-too-large"
    REQUEST_TIMEOUT = "request-timeout"
    OVERLOADED = "overloaded"
    IN_FLIGHT_BUDGET = "in-flight-budget"
    STORE_ERROR = "store-error"
    CLIENT_GONE = "client-gone"
    INTERNAL = "internal"


class TricksterError(Exception):
    """Everything that this package raises on purpose."""


class ConfigurationError(TricksterError):
    """
    A configuration cannot be used.

    :ivar problems: all that is wrong with it, one line each, with its place.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(TricksterError):
    """A plugin that the configuration names cannot be used."""


class UnknownPlugin(PluginError):
    """Nothing of that name is installed, or more than one thing."""


class NotInstalled(UnknownPlugin):
    """Nothing of that name is installed: something else may stand in for it."""


class BrokenPlugin(PluginError):
    """The plugin is installed, but cannot be imported, or does not provide its interface."""


class StoreError(TricksterError):
    """
    A cache store failed.  The caches see a miss; the guard counts and logs it.

    :ivar is_partial: whether it is known that only a part of the store does not work, such as one
        server of several, so that other keys are worth being asked for.
    """

    is_partial = False


class StoreTimeout(StoreError):
    """A cache store has not answered in time: it hangs, and will do so for the next as well."""


class RequestError(TricksterError):
    """
    No answer can be given.

    :ivar status: the HTTP status code that the client is told.
    :ivar reason: why, for the header, the log and the metric.
    :ivar detail: a sentence for the client, in plain text.
    :ivar retry_after: seconds after which asking again may succeed, or None
        (RFC 9110 section 10.2.3).  A 503 always says (RFC 9110 section 15.6.4): L{SOON}, where
        nothing better is known.
    :ivar fields: header fields of the answer, such as C{Allow}.
    """

    status = 500
    reason = Reason.INTERNAL
    fields: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, detail: str = "", reason: Reason | None = None,
                 status: int | None = None, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if reason is not None:
            self.reason = reason
        if status is not None:
            self.status = status
        if retry_after is None and self.status == 503:
            retry_after = SOON
        self.retry_after = retry_after


class BadRequest(RequestError):
    """The client's fault, as RFC 9110 section 15.5.1 has it."""

    status = 400
    reason = Reason.MALFORMED_REQUEST


class NotFound(RequestError):
    """No backend answers this host and path (RFC 9110 section 15.5.5)."""

    status = 404
    reason = Reason.NO_ROUTE


class MethodNotAllowed(RequestError):
    """
    The path is known, the method is not allowed there (RFC 9110 section 15.5.6).

    :ivar fields: C{Allow}, with the methods that are.
    """

    status = 405
    reason = Reason.METHOD_NOT_ALLOWED

    def __init__(self, allow: tuple[str, ...]) -> None:
        super().__init__("method not allowed")
        self.fields = ((b"Allow", ", ".join(allow).encode("latin-1")),)


class NotCached(RequestError):
    """C{only-if-cached} was asked for, and nothing stored would do (RFC 9111 section 5.2.1.7)."""

    status = 504
    reason = Reason.ONLY_IF_CACHED


class RequestTooLarge(RequestError):
    """More octets in a request body than the listener takes (RFC 9110 section 15.5.14)."""

    status = 413
    reason = Reason.REQUEST_TOO_LARGE


class Overloaded(RequestError):
    """A configured bound is reached; later may be better (RFC 9110 section 15.6.4)."""

    status = 503
    reason = Reason.OVERLOADED


class UpstreamError(RequestError):
    """
    The origin gave no usable answer (RFC 9110 section 15.6.3).

    :ivar detail: what happened, for the log only: it may name addresses and files that are
        not for clients.
    """

    status = 502
    reason = Reason.ORIGIN_BROKE


class UpstreamUnreachable(UpstreamError):
    """No connection to the origin could be made; nothing was sent to it."""

    reason = Reason.ORIGIN_UNREACHABLE


class UpstreamBroke(UpstreamError):
    """The origin went away before its answer was whole."""

    reason = Reason.ORIGIN_BROKE


class UpstreamMalformed(UpstreamError):
    """What the origin sent is not an unambiguous HTTP/1.1 message."""

    reason = Reason.ORIGIN_MALFORMED


class UpstreamTimeout(UpstreamError):
    """The origin took longer than the backend's C{timeout} (RFC 9110 section 15.6.5)."""

    status = 504
    reason = Reason.ORIGIN_TIMEOUT


class NotATimeRange(TricksterError):
    """
    The delta cache must not serve this request by range.

    :ivar reason: why; it is what the client's result header will say.
    :ivar fallback: how the request is to be served instead: C{"proxy"}, so that the
        client gets the origin's own answer, or C{"object"}, cached whole.
    """

    def __init__(self, reason: Reason, detail: str = "", fallback: str = "proxy") -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail
        self.fallback = fallback


class NotADataset(TricksterError):
    """
    A time range query is not answered with a dataset.

    :ivar reason: why; it is what the client's result header will say.
    :ivar response: what the origin answered instead, whole, and which this client may have;
        None where the origin has to be sent the client's own request.
    """

    def __init__(self, reason: Reason, detail: str = "", response: Any = None) -> None:
        super().__init__(detail or reason.value)
        self.reason = reason
        self.detail = detail
        self.response = response

    @property
    def is_refusal(self) -> bool:
        """
        :return: whether the origin refused, or failed, with another status than 200; False
            where C{response} is None, since nothing is known of that then.
        """
        return self.response is not None and self.response.status != 200


class NotHere(TricksterError):
    """
    What is missing is for another process to fetch.

    :ivar key: of the query; that process is its home.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Undecodable(TricksterError):
    """
    An origin's answer is not one whose parts may be kept: it is passed on as it is.

    :ivar reason: why.
    """

    def __init__(self, detail: str, reason: Reason = Reason.UNDECODABLE) -> None:
        super().__init__(detail)
        self.reason = reason
