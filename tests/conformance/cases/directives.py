"""What the directives of answers forbid, and what those of requests ask for."""

from __future__ import annotations

from attrs import evolve

from tests.conformance.model import (
    Answer,
    Case,
    Group,
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

CC = "Cache-Control: "
TAG = 'ETag: "a"'
SAME = Answer((CC + "max-age=3600",), 304)


def _validated(rule: str, *fields: str, gets: Answer = SAME) -> Case:
    return required(rule, first(*fields),
                    Step(Source.VALIDATED, gets=gets, seen=('If-None-Match: "a"',)))


_FORBIDDEN = (
    not_reused("no-store is not stored", CC + "no-store"),
    not_reused("no-store is not stored in upper case", CC + "NO-STORE"),
    not_reused("no-store is not stored beside max-age", CC + "no-store, max-age=3600"),
    not_reused("no-store is not stored behind max-age", CC + "max-age=3600, no-store"),
    not_reused("no-store is not stored on a line of its own", CC + "max-age=3600",
               CC + "no-store"),
    not_reused("no-store is not stored beside Expires", CC + "no-store", "Expires: {+3600}"),
    not_reused("no-store is not stored beside public and s-maxage",
               CC + "public, s-maxage=3600, no-store"),
    required("no-store is not stored, nor asked for conditionally", first(
        CC + "no-store, max-age=3600", TAG),
        evolve(fetched(), unseen=("If-None-Match", "If-Modified-Since"))),
    not_reused("private is not stored", CC + "private"),
    not_reused("private is not stored in upper case", CC + "PRIVATE, max-age=3600"),
    not_reused("private is not stored beside max-age", CC + "private, max-age=3600"),
    not_reused("private is not stored beside s-maxage", CC + "s-maxage=3600, private"),
    not_reused("private is not stored on a line of its own", CC + "max-age=3600", CC + "private"),
    informative("private with field names is not stored at all",
                first(CC + 'private="x-a", max-age=3600', "X-A: b"), fetched()),
    not_reused("no-cache is not used unasked", CC + "no-cache"),
    not_reused("no-cache is not used unasked in upper case", CC + "No-CaChE, max-age=3600"),
    not_reused("no-cache is not used unasked beside max-age", CC + "no-cache, max-age=3600"),
    not_reused("no-cache is not used unasked beside Expires", CC + "no-cache",
               "Expires: {+3600}"),
    not_reused("no-cache is not used unasked beside Last-Modified", CC + "no-cache",
               "Last-Modified: {-864000}"),
    informative("no-cache with field names is not used unasked either",
                first(CC + 'no-cache="x-a", max-age=3600', "X-A: b"), fetched()),
)

_VALIDATED = (
    _validated("no-cache is stored and validated", CC + "no-cache", TAG,
               gets=Answer(status=304)),
    _validated("no-cache is stored and validated however fresh", CC + "no-cache, max-age=3600",
               TAG, gets=Answer(status=304)),
    required("no-cache is validated at each use", first(CC + "no-cache, max-age=3600", TAG),
             Step(Source.VALIDATED, gets=Answer(status=304)),
             Step(Source.VALIDATED, gets=Answer(status=304))),
    _validated("max-age=0 is stored and validated", CC + "max-age=0", TAG),
    _validated("must-revalidate is validated once stale",
               CC + "max-age=10, must-revalidate", "Age: 20", TAG),
    reused("must-revalidate is used while fresh", CC + "max-age=3600, must-revalidate"),
    reused("proxy-revalidate is used while fresh", CC + "max-age=3600, proxy-revalidate"),
    not_reused("must-revalidate without freshness is not used", CC + "must-revalidate"),
    reused("immutable is used while fresh", CC + "max-age=3600, immutable"),
    not_reused("immutable is not used stale", CC + "max-age=3600, immutable", "Age: 4000"),
    not_reused("public is no freshness", CC + "public"),
    reused("no-transform is used while fresh", CC + "max-age=3600, no-transform"),
)

_NEWER = (
    required("once an answer says no-store, the older one is not used again",
             first(CC + "max-age=1", "Age: 1"), first(CC + "no-store"), fetched()),
    required("once an answer says no-store with max-age, the older one is not used again",
             first(CC + "max-age=1", "Age: 1"), first(CC + "no-store, max-age=3600"), fetched()),
    required("once an answer says no-store, the older one is not validated again",
             first(CC + "max-age=1", "Age: 1", TAG), first(CC + "no-store"),
             evolve(fetched(), unseen=("If-None-Match",))),
    required("once an answer says private, the older one is not used again",
             first(CC + "max-age=1", "Age: 1"), first(CC + "private, max-age=3600"), fetched()),
    required("a newer answer takes the place of the older one",
             first(CC + "max-age=1", "Age: 1"), first(CC + "max-age=3600"),
             evolve(cached(), text=None)),
    required("once a 304 says no-store, what it validates is not used again",
             first(CC + "max-age=1", "Age: 1", TAG),
             Step(Source.VALIDATED, gets=Answer((CC + "no-store",), 304)), fetched()),
    required("once a 304 says private, what it validates is not used again",
             first(CC + "max-age=1", "Age: 1", TAG),
             Step(Source.VALIDATED, gets=Answer((CC + "private",), 304)), fetched()),
)

_UNDERSTOOD = (
    reused("must-understand alone is stored with a status that is understood",
           CC + "must-understand, max-age=3600"),
    informative("must-understand overrides no-store with a status that is understood",
                first(CC + "must-understand, no-store, max-age=3600"), cached()),
    required("must-understand is not stored with an unknown status",
             first(CC + "must-understand, max-age=3600", status=599), fetched()),
    required("must-understand and no-store are not stored with an unknown status",
             first(CC + "must-understand, no-store, max-age=3600", status=599), fetched()),
)

KEPT = first(CC + "max-age=3600")
KEPT_AGED = first(CC + "max-age=3600", "Age: 1800")

# By default a reverse proxy is the origin's: clients cannot have it ask again but by purging.
_DEFAULT = (
    informative("a client's max-age=0 is not heeded", KEPT, cached(CC + "max-age=0")),
    informative("a client's min-fresh is not heeded", KEPT, cached(CC + "min-fresh=7200")),
    informative("a client's only-if-cached is not heeded", fetched(CC + "only-if-cached")),
    required("a client's no-cache is answered by the origin", KEPT, fetched(CC + "no-cache")),
    required("a client's Pragma: no-cache is answered by the origin", KEPT,
             fetched("Pragma: no-cache")),
    required("a client's no-cache purges", KEPT, fetched(CC + "no-cache"), fetched()),
    required("a client's no-store is answered by the origin", KEPT, fetched(CC + "no-store")),
    required("an unknown directive of a client's means nothing", KEPT,
             cached(CC + "nothing-known", "Pragma: foo")),
)

_HONOURED = (
    required("max-age=0 asks for an answer that is new", KEPT, fetched(CC + "max-age=0")),
    required("max-age=0 asks for validation", first(CC + "max-age=3600", TAG),
             Step(Source.VALIDATED, asks=(CC + "max-age=0",), gets=SAME)),
    required("an answer older than max-age will not do", KEPT_AGED, fetched(CC + "max-age=600")),
    required("an answer younger than max-age will do", KEPT_AGED, cached(CC + "max-age=2400")),
    optional("max-stale allows any staleness", first(CC + "max-age=1000", "Age: 1800"),
             cached(CC + "max-stale")),
    optional("max-stale allows so much staleness", first(CC + "max-age=1500", "Age: 1800"),
             cached(CC + "max-stale=1000")),
    required("max-stale does not allow more staleness", first(CC + "max-age=1500", "Age: 1800"),
             fetched(CC + "max-stale=200")),
    required("max-stale does not override must-revalidate",
             first(CC + "max-age=1500, must-revalidate", "Age: 1800"),
             fetched(CC + "max-stale=1000")),
    required("an answer that stays fresh for min-fresh will do", KEPT_AGED,
             cached(CC + "min-fresh=1000")),
    required("an answer that does not stay fresh for min-fresh will not do", KEPT_AGED,
             fetched(CC + "min-fresh=3000")),
    required("no-cache asks for validation with what is stored",
             first(CC + "max-age=3600", TAG), Step(
                 Source.VALIDATED, asks=(CC + "no-cache",), gets=SAME,
                 seen=('If-None-Match: "a"',))),
    required("no-cache asks for validation by date",
             first(CC + "max-age=3600", "Last-Modified: {-864000}"), Step(
                 Source.VALIDATED, asks=(CC + "no-cache",), gets=SAME,
                 seen=("If-Modified-Since: {-864000}",))),
    required("no-cache is fetched anew where there is no validator", KEPT,
             fetched(CC + "no-cache")),
    required("what a no-cache request fetched serves others", KEPT,
             Step(Source.FETCHED, asks=(CC + "no-cache",), gets=Answer((CC + "max-age=3600",))),
             cached()),
    required("Pragma: no-cache is as good where there is no Cache-Control", KEPT,
             fetched("Pragma: no-cache")),
    required("Pragma: no-cache means nothing beside Cache-Control", KEPT,
             cached("Pragma: no-cache", CC + "max-age=3600")),
    required("the answer to a no-store request is not stored",
             first(CC + "max-age=3600", asks=(CC + "no-store",)), fetched()),
    required("only-if-cached is answered 504 where nothing is stored",
             Step(Source.NOWHERE, asks=(CC + "only-if-cached",), status=504)),
    required("only-if-cached is answered 504 where what is stored is stale",
             first(CC + "max-age=0", TAG),
             Step(Source.NOWHERE, asks=(CC + "only-if-cached",), status=504)),
    required("only-if-cached is answered with what is stored", KEPT,
             cached(CC + "only-if-cached")),
)

GROUPS = (
    Group("response directives", "RFC 9111 section 5.2.2",
          _FORBIDDEN + _VALIDATED + _NEWER + _UNDERSTOOD),
    Group("request directives, by default", "Trickster's own rules", _DEFAULT),
    Group("request directives, honoured", "RFC 9111 sections 5.2.1 and 5.4", _HONOURED,
          "strict"),
    Group("request directives, honoured on a path", "RFC 9111 sections 5.2.1 and 5.4", _HONOURED,
          "pathwise"),
)
