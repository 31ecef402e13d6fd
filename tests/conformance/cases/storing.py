"""What is stored: statuses, fields, answers to authorised requests, cookies, and by what key."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from tests.conformance.model import (
    Answer,
    Case,
    Framing,
    Group,
    Interim,
    Source,
    Step,
    cached,
    fetched,
    first,
    informative,
    not_reused,
    optional,
    required,
    reused,
)

CC, FRESH, STALE = "Cache-Control: ", "Cache-Control: max-age=3600", "Cache-Control: max-age=0"
AUTHORISED = ("Authorization: Basic eDp5",)

_STATUSES = (200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405,
             410, 414, 451, 499, 500, 501, 502, 503, 504, 599)


def _by_status() -> Iterator[Case]:
    for status in _STATUSES:
        weigh = required if status in (200, 203, 204, 301, 302, 307, 308, 404, 410) else optional
        yield weigh(f"the status {status} is stored with explicit freshness",
                    first(FRESH, status=status), cached())
        yield required(f"the status {status} is not used stale",
                       first(STALE, status=status), fetched())
    for status in (407, 411, 412, 413, 415, 416, 417, 421, 425, 426, 428, 429, 431, 511):
        yield not_reused(f"the status {status} is about one request, and not stored",
                         FRESH, status=status)
    for status in (400, 403, 405, 414, 500):
        yield required(f"the status {status} is not stored where a field is very long",
                       first(FRESH, status=status, asks=("X-Long: " + "a" * 4000,)), fetched())
        yield required(f"the status {status} is not stored where a field is odd",
                       first(FRESH, status=status, asks=("X-Odd: ../<a>",)), fetched())
    yield required("the phrase and the body of a failure are stored with it",
                   first(FRESH, status=404, body="nothing here"),
                   evolve(cached(), text="nothing here"))


def _stored_fields() -> Iterator[Case]:
    for line in ("X-Test: a", "Test: a", "Content-Foo: a", "X-Content-Foo: a", "Server: a",
                 "Content-Type: text/plain", "Content-Language: de", "Content-Encoding: identity",
                 "Content-Location: /a", "Content-MD5: rL0Y20zC+Fzt72VPzMSk2A==", "P3P: a",
                 "Content-Security-Policy: default-src 'self'", "X-Frame-Options: deny",
                 "X-XSS-Protection: 1", "Link: </a>; rel=b", "Last-Modified: {-3000}",
                 'ETag: "a"', "Expires: {+7200}", "Vary: Foo", "Allow: GET", "Retry-After: 5",
                 "WWW-Authenticate: Basic", "Strict-Transport-Security: max-age=1",
                 "Clear-Site-Data: a", "Public-Key-Pins: a", "Date: {-5}", "Accept-Ranges: bytes",
                 "Warning: 199 - a", "Pragma: a", "Via: 1.1 b", "Alt-Svc: clear"):
        name = line.partition(":")[0]
        value = line if name != "Via" else "Via: ~1.1 b"
        yield required(f"{name} is stored and sent again", first(FRESH, line),
                       evolve(cached(), has=(value,)))
    for line in ("Connection: X-Hop", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive",
                 "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: a=b",
                 "Proxy-Authorization: Basic eDp5", "TE: trailers", "Upgrade: foo"):
        name = line.partition(":")[0]
        lacks = ("X-Hop",) if name == "Connection" else (name,)
        yield required(f"{name} is for one connection, and not stored",
                       first(FRESH, line, "X-Hop: 1"), evolve(cached(), lacks=lacks))
    yield required("several lines of one name are stored as several",
                   first(FRESH, "X-Many: a", "X-Many: b"),
                   evolve(cached(), has=("X-Many: a, b",)))


def _allowed(directive: str) -> Iterator[Case]:
    said = f"{CC}max-age=3600, {directive}"
    yield required(f"{directive} allows the answer to an authorised request to be stored",
                   first(said, asks=AUTHORISED), cached(*AUTHORISED))
    weigh = informative if directive == "must-revalidate" else optional
    yield weigh(f"{directive} allows it to be used for other users",
                first(said, asks=AUTHORISED), cached("Authorization: Basic ejp5"))
    yield weigh(f"{directive} allows it to be used for all users",
                first(said, asks=AUTHORISED), cached())


_AUTHORISED = (
    required("the answer to an authorised request is not stored", first(FRESH, asks=AUTHORISED),
             fetched(*AUTHORISED)),
    required("the answer to an authorised request is not for others",
             first(FRESH, asks=AUTHORISED), fetched()),
    required("the answer to an authorised request is not for other users",
             first(FRESH, asks=AUTHORISED), fetched("Authorization: Basic ejp5")),
    required("Expires does not allow it either", first("Expires: {+3600}", asks=AUTHORISED),
             fetched(*AUTHORISED)),
    required("proxy-revalidate does not allow it either",
             first(CC + "max-age=3600, proxy-revalidate", asks=AUTHORISED), fetched(*AUTHORISED)),
    *_allowed("public"), *_allowed("must-revalidate"), *_allowed("s-maxage=3600"),
    required("s-maxage=0 allows it to be stored, not to be used unasked",
             first(CC + "s-maxage=0", 'ETag: "a"', asks=AUTHORISED),
             Step(Source.VALIDATED, asks=AUTHORISED, gets=Answer(status=304))),
    informative("the answer to an open request is used for authorised ones",
                first(FRESH), cached(*AUTHORISED)),
)

COOKIE = "Set-Cookie: a=b"


def _kept(*asks: str) -> Step:
    """:return: a request that nothing stored answers, and whose answer is stored."""
    return evolve(fetched(*asks), gets=Answer((FRESH,)))


_COOKIES = (
    required("a cookie in the request prevents nothing", first(FRESH, asks=("Cookie: a=1",)),
             cached("Cookie: a=1")),
    required("a cookie in the request is part of the key",
             first(FRESH, asks=("Cookie: a=1",)), _kept("Cookie: a=2"), cached("Cookie: a=1"),
             cached("Cookie: a=2")),
    required("a request without a cookie is another one",
             first(FRESH, asks=("Cookie: a=1",)), _kept(), cached()),
    required("an answer that is public is for all cookies",
             first(CC + "public, max-age=3600", asks=("Cookie: a=1",)), cached("Cookie: a=2")),
    required("an answer with s-maxage is for all cookies",
             first(CC + "s-maxage=3600", asks=("Cookie: a=1",)), cached()),
    required("an answer that sets a cookie is not fresh by guess",
             first("Last-Modified: {-864000}", COOKIE), fetched()),
    not_reused("an answer that sets a cookie is not stored with s-maxage",
               CC + "s-maxage=3600", COOKIE),
    not_reused("an answer that sets a cookie is not stored with public and max-age",
               CC + "public, max-age=3600", COOKIE),
    not_reused("an answer that sets a cookie is not stored with max-age", FRESH, COOKIE),
    required("a 304 that sets a cookie is for the one who asked",
             first(STALE, 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer((FRESH, 'ETag: "a"', COOKIE), 304),
                  has=(COOKIE,)),
             evolve(fetched(), lacks=("Set-Cookie",))),
    required("an answer that sets a cookie is not stored with private",
             first(CC + "private, max-age=3600", COOKIE), fetched()),
    required("an answer that sets a cookie is not stored with no-store",
             first(CC + "no-store, max-age=3600", COOKIE), fetched()),
    required("an answer that sets a cookie and says nothing is not stored",
             first(COOKIE, 'ETag: "a"'),
             evolve(fetched(), unseen=("If-None-Match",))),
)

_SHARED_COOKIES = (
    required("an answer that sets a cookie is stored with s-maxage",
             first(CC + "s-maxage=3600", COOKIE), evolve(cached(), has=(COOKIE,))),
    required("an answer that sets a cookie is stored with public and max-age",
             first(CC + "public, max-age=3600", COOKIE), evolve(cached(), has=(COOKIE,))),
    required("an answer that sets a cookie is stored with max-age",
             first(FRESH, COOKIE), evolve(cached(), has=(COOKIE,))),
    required("a cookie in a 304 replaces what is stored",
             first(STALE, 'ETag: "a"', "Set-Cookie: a=1"),
             Step(Source.VALIDATED, gets=Answer((FRESH, 'ETag: "a"', COOKIE), 304),
                  has=(COOKIE,)),
             evolve(cached(), has=(COOKIE,))),
    not_reused("an answer that sets a cookie is not stored with private",
               CC + "private, max-age=3600", COOKIE),
)


def _identities() -> Iterator[Case]:
    for name in ("X-Scope-OrgID", "THANOS-TENANT", "X-Grafana-User", "X-WEBAUTH-USER", "X-Tenant",
                 "X-Forwarded-User", "X-Api-Key", "X-ClickHouse-User", "X-Forwarded-Prefix"):
        for said in (FRESH, CC + "public, max-age=3600"):
            yield required(
                f"{name} is part of the key ({said})", first(said, asks=(f"{name}: a",)),
                _kept(f"{name}: b"), _kept(), cached(f"{name}: a"), cached())
    for name in ("X-Original-URL: /a", "X-HTTP-Method-Override: DELETE", "X-Host: a.example",
                 "X-Rewrite-URL: /a", "X-Forwarded-For: <a>", 'Forwarded: for="<a>"'):
        yield required(f"{name} makes an answer one for this request", first(FRESH, asks=(name,)),
                       _kept(), cached(), fetched(name))
    for name in ("X-Forwarded-For: 192.0.2.1", "X-Real-IP: 2001:db8::1",
                 'Forwarded: for="[2001:db8::1]:80";by=_a, for=unknown'):
        yield required(f"{name} changes no answer", first(FRESH, asks=(name,)), cached())
    yield required("Forwarded is part of the key for what it says of the request",
                   first(FRESH, asks=("Forwarded: for=192.0.2.1;host=a.example",)), _kept(),
                   cached("Forwarded: for=192.0.2.2;host=a.example"))


_KEYS = (
    required("the query is part of the key", first(FRESH, to="?a=1"), fetched(to="?a=2")),
    required("the query is compared whole", first(FRESH, to="?a=1&b=2"), fetched(to="?a=1")),
    required("the same query is the same target", first(FRESH, to="?a=1&b=2"),
             cached(to="?a=1&b=2")),
    required("a query and none are two targets", first(FRESH), fetched(to="?a")),
    informative("an empty query and none are one target", first(FRESH), cached(to="?")),
    informative("other order of parameters is another target", first(FRESH, to="?a=1&b=2"),
                fetched(to="?b=2&a=1")),
    required("the path is part of the key", first(FRESH), fetched(to="/b")),
    required("a slash at the end is part of the path", first(FRESH), fetched(to="/")),
    required("case is part of the path", first(FRESH, to="/a"), fetched(to="/A")),
    required("the host is part of the key", first(FRESH, asks=("Host: a.example",)),
             fetched("Host: b.example")),
    required("the host is the same in any case", first(FRESH, asks=("Host: a.example",)),
             cached("Host: A.EXAMPLE")),
    required("the method is part of the key", first(FRESH),
             Step(Source.FETCHED, "OPTIONS", gets=Answer((FRESH,)))),
)

_PRAGMA = (
    reused("Pragma in an answer means nothing", FRESH, "Pragma: no-cache"),
    optional("Pragma in an answer prevents no guess",
             first("Last-Modified: {-864000}", "Pragma: no-cache"), cached()),
    not_reused("an unknown Pragma in an answer gives no freshness", "Pragma: max-age=3600"),
    required("an unknown Pragma in a request means nothing", first(FRESH), cached("Pragma: a")),
)

_POSTS = (
    informative("a POST whose Content-Location is its target serves a GET",
                Step(Source.FETCHED, "POST", sends="x",
                     gets=Answer((FRESH, "Content-Location: {here}"))), cached()),
    required("a POST whose Content-Location is elsewhere serves no GET",
             Step(Source.FETCHED, "POST", sends="x",
                  gets=Answer((FRESH, "Content-Location: {here}-b"))), fetched()),
)


def _interim(status: int, *fields: str) -> Step:
    return Step(Source.FETCHED, gets=Answer((FRESH,), interims=(Interim(status, fields),)),
                relayed=(Interim(status, fields),), status=200)


_INTERIMS = (
    optional("103 is relayed", _interim(103, "Link: </a>; rel=preload")),
    optional("102 is relayed", _interim(102)),
    optional("an unknown interim answer is relayed", _interim(199)),
    optional("several interim answers are relayed in order",
             Step(Source.FETCHED, gets=Answer(interims=(
                 Interim(102), Interim(103), Interim(103))), relayed=(
                 Interim(102), Interim(103), Interim(103)))),
    optional("a 103 is relayed with all its fields", _interim(
        103, "Link: </a>; rel=preload", "X-Early: 1")),
    required("fields of a 103 are not those of the final answer",
             evolve(_interim(103, "X-Early: 1", "Link: </a>"), relayed=None,
                    lacks=("X-Early", "Link"))),
    required("an interim answer is not stored", evolve(_interim(103, "X-Early: 1"), relayed=None),
             evolve(cached(), lacks=("X-Early",), relayed=(), status=200)),
    required("an unasked 100 does no harm", evolve(_interim(100), relayed=None),
             evolve(cached(), relayed=(), status=200)),
    required("the freshness of a 103 is not that of the final answer", Step(
        Source.FETCHED, gets=Answer((CC + "no-store",), interims=(Interim(103, (FRESH,)),))),
        fetched()),
)

# Otherwise what is large, or may be, comes in a coding of the cache's own.
PLAIN = ("Accept-Encoding: identity",)
_LARGE = "0123456789" * 60000


def _framed(framing: Framing, body: str | None = None) -> Step:
    return Step(Source.FETCHED, asks=PLAIN, gets=Answer((FRESH,), body=body, framing=framing))


def _transfers() -> Iterator[Case]:
    for framing in (Framing.LENGTH, Framing.CHUNKED, Framing.CLOSE):
        yield required(f"a body that ends by {framing.value} is stored whole", _framed(framing),
                       cached())
        yield required(f"a range of a body that ended by {framing.value} is served",
                       _framed(framing, "0123456789"),
                       Step(Source.CACHED, asks=("Range: bytes=-2",), status=206, text="89"))
        yield required(f"the length of a body that ended by {framing.value} is told to a HEAD",
                       _framed(framing, "0123456789"),
                       Step(Source.CACHED, "HEAD", has=("Content-Length: 10",)))
        yield required(f"an empty body that ends by {framing.value} is stored",
                       _framed(framing, ""), evolve(cached(), text=""))
        yield informative(f"a large body that ends by {framing.value} is not stored by default",
                          _framed(framing, _LARGE), fetched(*PLAIN))
    for framing in (Framing.SHORT, Framing.UNENDED):
        broken = evolve(_framed(framing), source=Source.BROKEN)
        yield required(f"a body that ends by {framing.value} is an error, and not stored",
                       broken, fetched())
        yield required(f"a body that ends by {framing.value} is no answer to a HEAD either",
                       broken, Step(Source.FETCHED, "HEAD"))
    yield required("a body in a coding of the origin's is stored as it came",
                   first(FRESH, "Content-Encoding: gzip", body="not really"),
                   evolve(cached(), has=("Content-Encoding: gzip", "Content-Length: 10"),
                          text="not really"))


GROUPS = (
    Group("transfers", "RFC 9111 section 3.3", tuple(_transfers())),
    Group("statuses", "RFC 9111 section 3", tuple(_by_status())),
    Group("stored fields", "RFC 9111 section 3.1", tuple(_stored_fields())),
    Group("authorised requests", "RFC 9111 section 3.5", _AUTHORISED),
    Group("cookies", "RFC 9111 section 7.3", _COOKIES),
    Group("shared cookies", "RFC 9111 section 7.3", _SHARED_COOKIES, "cookies"),
    Group("identities", "docs/decisions/identity-in-the-key.md", tuple(_identities())),
    Group("keys", "RFC 9111 section 2", _KEYS),
    Group("Pragma", "RFC 9111 section 5.4", _PRAGMA),
    Group("POST", "RFC 9110 section 9.3.3", _POSTS),
    Group("interim answers", "RFC 9110 section 15.2", _INTERIMS),
)
