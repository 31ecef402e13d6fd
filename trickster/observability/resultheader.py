"""The two header fields that tell a client what became of its request."""

from __future__ import annotations

from collections.abc import Iterable

from trickster.errors import Reason
from trickster.messages import Engine, Outcome, Pair, Status

RESULT = b"X-Trickster-Result"
CACHE_STATUS = b"Cache-Status"

_NS_PER_MS = 1_000_000

# RFC 9211 section 2.2: why a request went forward.  Where the reason does not know better.
_FORWARDED = {
    Status.PARTIAL_HIT: "partial",
    Status.RANGE_MISS: "partial",
    Status.KEY_MISS: "uri-miss",
    Status.REVALIDATED: "stale",
    Status.PROXY_HIT: "uri-miss",
    Status.PROXY_ONLY: "bypass",
    Status.PROXY_ERROR: "miss",
    Status.PURGE: "request",
}
_FORWARDED_BY_REASON = {
    Reason.METHOD: "method",
    Reason.REQUEST_NO_CACHE: "request",
    Reason.REQUEST_NO_STORE: "request",
    Reason.PROXY_PATH: "bypass",
    Reason.PROXY_ONLY: "bypass",
    Reason.VARY_MISS: "vary-miss",
    Reason.STALE: "stale",
    Reason.REVALIDATED: "stale",
    Reason.KEY_MISS: "uri-miss",
}
# Nothing was asked of any origin, so nothing went forward.
_OURS_ALONE = frozenset({
    Reason.ONLY_IF_CACHED, Reason.NO_ROUTE, Reason.METHOD_NOT_ALLOWED, Reason.BLOCKED,
    Reason.MALFORMED_REQUEST, Reason.REQUEST_TOO_LARGE, Reason.REQUEST_TIMEOUT,
    Reason.OVERLOADED, Reason.IN_FLIGHT_BUDGET, Reason.RANGE_REFUSED, Reason.INTERNAL,
})


def result_value(outcome: Outcome) -> bytes:
    """
    :return: the value of C{X-Trickster-Result}: fields separated by C{"; "}, extents in
        milliseconds since the epoch, a reason unless it was a full hit that is fresh.
    """
    # _value_ is the plain attribute behind value, a sixth of the price; this runs for
    # every answer.
    text = f"engine={outcome.engine._value_}; status={outcome.status._value_}"
    if outcome.fetched:
        text += f"; fetched=[{extents_text(outcome.fetched)}]"
    if outcome.fast_forward is not None:
        text += f"; ffstatus={outcome.fast_forward._value_}"
    if outcome.failed:
        text += f"; failed=[{extents_text(outcome.failed)}]"
    if outcome.aligned is not None:
        text += f"; aligned=[{aligned_text(*outcome.aligned)}]"
    if outcome.reason is not None:
        text += f"; reason={outcome.reason._value_}"
    if outcome.cause is not None:
        text += f"; cause={outcome.cause._value_}"
    return text.encode("ascii")


def cache_status_value(outcome: Outcome) -> bytes:
    """:return: this cache's member of the C{Cache-Status} list (RFC 9211 section 2)."""
    text = "Trickster" + _how(outcome)
    if outcome.ttl is not None and outcome.ttl == outcome.ttl:
        text += f"; ttl={_whole_seconds(outcome.ttl)}"
    if outcome.reason is not None:
        # A token may have a slash in it (RFC 8941 section 3.3.4).
        text += f"; detail={outcome.reason._value_}"
        if outcome.cause is not None:
            text += f"/{outcome.cause._value_}"
    return text.encode("ascii")


def result_fields(outcome: Outcome) -> tuple[Pair, Pair]:
    """:return: both fields, to be added to an answer."""
    return ((RESULT, result_value(outcome)), (CACHE_STATUS, cache_status_value(outcome)))


def without_result(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """
    Strip what another Trickster, upstream of this one, said of itself.

    C{Cache-Status} stays: it is a list to which every cache on the way adds.

    :param pairs: of an answer's headers.
    :return: the very same tuple where there is nothing to strip, which is the rule.
    """
    for name, _ in pairs:
        # The length tells nearly all names apart, at a fifth of the price of lower().
        if len(name) == 18 and name.lower() == b"x-trickster-result":
            return tuple(p for p in pairs if p[0].lower() != b"x-trickster-result")
    return pairs


def aligned_text(start_ns: int | None, end_ns: int | None) -> str:
    """
    :param start_ns: first nanosecond that was answered, where it was another one asked for.
    :param end_ns: the last one.
    :return: both in milliseconds.
    """
    return f"{_milliseconds(start_ns)}-{_milliseconds(end_ns)}"


def extents_text(extents: Iterable[tuple[int, int]]) -> str:
    """
    :param extents: first and last nanosecond of each.
    :return: the same in milliseconds, for people.
    """
    return ";".join(f"{start // _NS_PER_MS}-{end // _NS_PER_MS}" for start, end in extents)


def _milliseconds(time_ns: int | None) -> str:
    return "" if time_ns is None else str(time_ns // _NS_PER_MS)


def _how(outcome: Outcome) -> str:
    if outcome.status is Status.HIT or outcome.status is Status.NEGATIVE_HIT:
        return "; hit"
    why = _forwarded(outcome)
    if why is None:
        return ""
    text = f"; fwd={why}"
    if outcome.origin_status is not None:
        text += f"; fwd-status={outcome.origin_status}"
    if outcome.stored:
        text += "; stored"
    if outcome.status is Status.PROXY_HIT or outcome.reason is Reason.COLLAPSED:
        text += "; collapsed"
    return text


def _forwarded(outcome: Outcome) -> str | None:
    if outcome.status is Status.ERROR:
        return None
    reason = outcome.reason
    if reason is not None:
        if reason in _OURS_ALONE and outcome.origin_status is None:
            return None
        found = _FORWARDED_BY_REASON.get(outcome.missed or reason)
        if found is not None:
            return found
        if reason is Reason.ORIGIN_STATUS and outcome.engine is not Engine.PROXY:
            return "miss"
    return _FORWARDED[outcome.status]


# RFC 8941 section 3.3.1: an integer has at most 15 digits.
_MOST_SECONDS = 10 ** 15 - 1


def _whole_seconds(seconds: float) -> int:
    return int(max(-_MOST_SECONDS, min(_MOST_SECONDS, seconds)))
