"""The table of reasons: every value of the enumeration, with what it means for a reader."""

from __future__ import annotations

from tables import table

from trickster.errors import Reason

MEANINGS = {
    Reason.PROXY_PATH: "This path is always proxied: its answers may not, or need not, be cached.",
    Reason.PROXY_ONLY: "The backend has `proxy_only: true`.",
    Reason.METHOD: "Requests with this method are not cached.",
    Reason.OVERRIDE_HEADER: "A request field may ask for something else than the URL does "
    "(`override_headers`).",
    Reason.AMBIGUOUS_PATH: "Servers read this path in different ways (repeated or encoded "
    "slashes, dot segments); it was passed on as it is.",
    Reason.REQUEST_NO_CACHE: "The client asked for a fresh answer (`no-cache`), or for a fresher "
    "one than is stored.",
    Reason.REQUEST_NO_STORE: "The client forbade storing (`no-store`).",
    Reason.ONLY_IF_CACHED: "The client wanted an answer only if it was cached, and it was not.",
    Reason.MISSING_PARAMETER: "A parameter of range queries is missing; the origin says so itself.",
    Reason.UNPARSABLE_PARAMETER: "A time or step could not be read; the origin says so itself.",
    Reason.UNPARSABLE_BODY: "The request's body is no form that could be read.",
    Reason.UNPARSABLE_QUERY: "The query could not be read well enough to cut it by time.",
    Reason.INVERTED_RANGE: "The end is before the start.",
    Reason.STEP_TOO_FINE: "The step is finer than the cache can keep apart.",
    Reason.TOO_MANY_POINTS: "More points are asked for than origins answer.",
    Reason.RANGE_DEPENDENT: "Values depend on the range asked (`@ start()`, `@ end()`).",
    Reason.UNKNOWN_FUNCTION: "The query calls a function not known to be safe to cut by time.",
    Reason.STATS_ASKED: "Statistics were asked for; they describe one evaluation only.",
    Reason.NOT_A_TIME_RANGE: "The request does not ask for a time range.",
    Reason.TOO_OLD: "The whole range is older than what the backend retains, and not all of it is held.",
    Reason.NOT_FINAL: "The data asked for may still change, however old it is.",
    Reason.RANGE_REFUSED: "The range is longer than `max_query_range`.",
    Reason.KEY_MISS: "Nothing was stored under this key.",
    Reason.RANGE_MISS: "Something was stored under this key, but not all of what was asked for.",
    Reason.VOLATILE: "The newest points, inside the backfill tolerance, were asked for again.",
    Reason.STALE: "What was stored is no longer fresh.",
    Reason.VARY_MISS: "What was stored is for requests with other header fields (`Vary`, or who asks).",
    Reason.REVALIDATED: "The origin said that what was stored is still right (304).",
    Reason.COLLAPSED: "The answer came from an equal request that another client had under way.",
    Reason.ORIGIN_WARNINGS: "The origin answered with warnings; passed on, not stored.",
    Reason.ORIGIN_PARTIAL: "The origin calls its answer incomplete; passed on, not stored.",
    Reason.ORIGIN_STATUS: "The origin answered with an error; it was passed on.",
    Reason.ORIGIN_UNREACHABLE: "No connection to the origin (502).",
    Reason.ORIGIN_TIMEOUT: "The origin took longer than the backend's `timeout` (504).",
    Reason.ORIGIN_BROKE: "The origin went away before its answer was whole.",
    Reason.ORIGIN_MALFORMED: "What the origin sent is not unambiguous HTTP (502).",
    Reason.ORIGIN_DOUBTFUL: "The origin's answer is not quite HTTP, and servers may differ about "
    "what it is; passed on, not stored.",
    Reason.UNDECODABLE: "The origin's answer could not be read; passed on, not stored.",
    Reason.PARTIAL_FAILURE: "Some missing ranges could not be had; `failed` names them.",
    Reason.NO_STORE: "The origin forbids storing (`no-store`).",
    Reason.PRIVATE: "The origin allows private caches only (`private`).",
    Reason.NO_CACHE: "The origin wants each use validated (`no-cache`), and gives no validator.",
    Reason.NO_FRESHNESS: "The origin says nothing that would make its answer fresh for any time.",
    Reason.SET_COOKIE: "The answer sets a cookie.",
    Reason.AUTHORIZATION: "The request was authorised, and the origin does not allow sharing.",
    Reason.VARY: "The answer depends on request fields (`Vary`) that are not part of the key.",
    Reason.VARY_STAR: "The answer depends on more than the request (`Vary: *`).",
    Reason.REQUEST_FAULT: "The error may be the fault of this one request, and is not kept for "
    "others.",
    Reason.STATUS_NOT_STORABLE: "Answers with this status are not stored.",
    Reason.TOO_LARGE: "The body is larger than may be stored; it was streamed through.",
    Reason.NO_ROUTE: "No backend answers this host and path (404).",
    Reason.METHOD_NOT_ALLOWED: "The path is known, the method is not allowed there (405).",
    Reason.BLOCKED: "Trickster does not pass this path on.",
    Reason.MALFORMED_REQUEST: "The request is not unambiguous HTTP (400).",
    Reason.REQUEST_TOO_LARGE: "The request's body is larger than the listener takes (413).",
    Reason.REQUEST_TIMEOUT: "The request did not arrive in time (408).",
    Reason.OVERLOADED: "A configured bound on concurrent work is reached (503).",
    Reason.IN_FLIGHT_BUDGET: "Too much is being fetched and sent at once to hold this answer as well.",
    Reason.STORE_ERROR: "The cache store failed; the answer came from the origin.",
    Reason.CLIENT_GONE: "The client left before it was answered.",
    Reason.INTERNAL: "A defect in Trickster or a plugin (500); the log has the details.",
}


def render() -> str:
    """
    :return: a Markdown table, in the order of the enumeration.
    :raises KeyError: a reason whose meaning is not written down.
    """
    return table(("Reason", "Meaning"),
                 ((f"`{reason.value}`", MEANINGS[reason]) for reason in Reason))
