"""Sets of header fields, by what they are about; all names are in lower case."""

from __future__ import annotations

# For one connection only (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authentication-info",
    b"proxy-authorization", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
    b"upgrade",
))
# Made anew for each message that has a body; nothing of them is stored (RFC 9111 section 3.1).
OF_ONE_MESSAGE = HOP_BY_HOP | {b"content-length"}
# Fields of a request that a proxy makes itself: no configuration can set them.
MADE_BY_PROXY = OF_ONE_MESSAGE | {b"expect", b"host", b"http2-settings"}

# The fields in which proxies tell each other, and the origin, who asked for what.  They come
# from trusted peers only; those of all others are removed where the request is read.
FORWARDING_FIELDS = frozenset((
    b"forwarded", b"x-forwarded-by", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-server",
))
# Those of them that answers may be made for, such as links and redirects: no cache may give
# an answer to a request in which they say something else.
COUNTED_FIELDS = frozenset((
    b"forwarded", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"))
# Of these the origin sees what we write, with the address of the client, and not what the
# client sent: no request has a value to compare.
ADDRESS_CHAINS = frozenset((b"forwarded", b"x-forwarded-for"))

# RFC 9110 section 13.1; the last is about ranges.
PRECONDITIONS = frozenset((
    b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"))
CONDITIONS = PRECONDITIONS | {b"if-range"}
# What asks for a part of an answer, or for one only where it has changed.
OF_PARTS = CONDITIONS | {b"range"}
# In which a request speaks of caches (RFC 9111 sections 5.2.1 and 5.4).
REQUEST_DIRECTIVES = frozenset((b"cache-control", b"pragma"))

# About the octets of a body as they are (RFC 9110 section 8, RFC 9530), and ranges of them.
OF_OCTETS = frozenset((
    b"content-length", b"content-md5", b"digest", b"content-digest", b"repr-digest",
    b"accept-ranges"))
# How the octets of a body are to be read: they change with the octets only.
OF_READING = frozenset((b"content-length", b"content-encoding", b"content-range",
                        b"transfer-encoding"))
VALIDATORS = frozenset((b"etag", b"last-modified"))
COOKIES_SET = frozenset((b"set-cookie", b"set-cookie2"))
