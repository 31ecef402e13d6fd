"""What request methods mean (RFC 9110 section 9)."""

from __future__ import annotations

# Section 9.2.1; the last four are of RFC 4918, RFC 3253, RFC 5323 and of the draft of QUERY.
SAFE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PROPFIND", b"REPORT", b"SEARCH",
                  b"QUERY"))
# Section 9.2.2, of those that origins know: of others nothing is assumed.
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
# Section 8.6: those whose semantics have a body, so that one of no octets is said to be that.
WITH_BODY = frozenset((b"POST", b"PUT", b"PATCH"))
