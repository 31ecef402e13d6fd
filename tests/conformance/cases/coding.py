"""Content codings that the cache applies itself, and what must not be mixed up by them."""

from __future__ import annotations

from attrs import evolve

from tests.conformance.model import Answer, Group, Source, Step, cached, first, required

FRESH, STALE, TAG = "Cache-Control: max-age=3600", "Cache-Control: max-age=0", 'ETag: "a"'
PLAIN, GZIP = "Accept-Encoding: identity", "Accept-Encoding: gzip"
LONG = "0123456789" * 200
KEPT = first(FRESH, TAG, asks=(PLAIN,), body=LONG)

_CASES = (
    required("a long text is coded for clients that accept that, under a weak tag", KEPT,
             evolve(cached(GZIP), has=("Content-Encoding: gzip", 'ETag: W/"a"',
                                       "Vary: ~Accept-Encoding", "Age: >=0"))),
    required("what was fetched for one who accepts codings serves one who does not",
             first(FRESH, TAG, asks=(GZIP,), body=LONG),
             evolve(cached(PLAIN), has=(TAG, "Vary: ~Accept-Encoding"),
                    lacks=("Content-Encoding",))),
    required("what must not be transformed is not coded",
             first(FRESH + ", no-transform", asks=(PLAIN,), body=LONG),
             evolve(cached(GZIP), lacks=("Content-Encoding",))),
    required("what is coded already is not coded again",
             first(FRESH, "Content-Encoding: br", asks=(GZIP,), body=LONG),
             evolve(cached(GZIP), has=("Content-Encoding: br",), text=LONG)),
    required("a HEAD is told of the coding that a GET would get", KEPT,
             Step(Source.CACHED, "HEAD", asks=(GZIP,), has=("Content-Encoding: gzip",))),
    required("the weak tag of a coded answer is good for a 304", KEPT,
             Step(Source.CACHED, asks=(GZIP, 'If-None-Match: W/"a"'), status=304,
                  has=("ETag: ~\"a\"",))),
    required("the weak tag of a coded answer is good for no range", KEPT,
             Step(Source.CACHED, asks=(PLAIN, "Range: bytes=0-4", 'If-Range: W/"a"'),
                  status=200, text=LONG)),
    required("a range is one of what is not coded", KEPT,
             Step(Source.CACHED, asks=(GZIP, "Range: bytes=0-4"), status=206, text="01234",
                  has=("Content-Range: bytes 0-4/2000",), lacks=("Content-Encoding",))),
    required("the origin is asked about its own tag, not the weak one",
             first(STALE, TAG, asks=(GZIP,), body=LONG),
             Step(Source.VALIDATED, asks=(GZIP, 'If-None-Match: W/"a"'), status=304,
                  gets=Answer((FRESH, TAG), 304), seen=('If-None-Match: "a"',))),
)

GROUPS = (Group("codings", "RFC 9110 sections 8.4, 8.8.1 and 12.5.3", _CASES),)
