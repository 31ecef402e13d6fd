"""CDN-Cache-Control: directives that are for caches such as this one alone."""

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
    required,
    reused,
)

CDN, CC = "CDN-Cache-Control: ", "Cache-Control: "
LONG, NONE = CC + "max-age=3600", CC + "no-store"
FUTURE = "Expires: {+3600}"

_DECIDES = (
    reused("max-age makes an answer fresh", CDN + "max-age=3600"),
    not_reused("max-age=0 makes an answer stale", CDN + "max-age=0"),
    reused("max-age beats a shorter one of Cache-Control", CDN + "max-age=3600", CC + "max-age=0"),
    not_reused("max-age beats a longer one of Cache-Control", CDN + "max-age=0", LONG),
    not_reused("max-age beats an s-maxage of Cache-Control", CDN + "max-age=0",
               CC + "s-maxage=3600"),
    reused("max-age beats an Expires that has passed", CDN + "max-age=3600", "Expires: {-10}"),
    not_reused("max-age=0 beats an Expires in the future", CDN + "max-age=0", FUTURE),
    not_reused("an Expires does not count beside it", CDN + "public", FUTURE),
    not_reused("an Age counts against max-age", CDN + "max-age=3600", "Age: 7200"),
    reused("an Age below max-age leaves the rest", CDN + "max-age=3600", "Age: 1000"),
    reused("s-maxage beats max-age", CDN + "max-age=0, s-maxage=3600"),
    reused("a great max-age is long", CDN + "max-age=999999999999999"),
    not_reused("no-store forbids", CDN + "no-store", LONG),
    not_reused("no-store forbids beside max-age", CDN + "no-store, max-age=3600", LONG),
    not_reused("private forbids", CDN + "private, max-age=3600", LONG),
    not_reused("no-cache forbids use unasked", CDN + "no-cache, max-age=3600", LONG),
    required("no-cache asks for validation", first(CDN + "no-cache", LONG, 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer(status=304))),
    reused("no-store of Cache-Control does not count beside it", CDN + "max-age=3600", NONE),
    reused("private of Cache-Control does not count beside it", CDN + "max-age=3600",
           CC + "private"),
    reused("no-cache of Cache-Control does not count beside it", CDN + "max-age=3600",
           CC + "no-cache"),
    reused("an extension does no harm", CDN + "foo, max-age=3600"),
    reused("an extension with a parameter does no harm", CDN + 'foo;a="b", max-age=3600'),
    reused("an extension with an inner list does no harm", CDN + "foo=(a b), max-age=3600"),
    reused("two lines are one dictionary", CDN + "foo", CDN + "max-age=3600"),
    not_reused("the last of two max-age counts", CDN + "max-age=3600, max-age=0"),
    reused("the last of two max-age counts, which is the longer",
           CDN + "max-age=0, max-age=3600"),
    reused("a false no-store is none", CDN + "no-store=?0, max-age=3600"),
    not_reused("a true no-store is one", CDN + "no-store=?1, max-age=3600"),
    reused("max-age may have parameters", CDN + "max-age=3600;a=b"),
    required("must-revalidate forbids stale use",
             first(CDN + "max-age=10, must-revalidate, stale-if-error=3600", "Age: 20"),
             Step(Source.FETCHED, gets=Answer(hangs_up=True), status=502)),
    required("stale-while-revalidate counts",
             first(CDN + "max-age=10, stale-while-revalidate=3600", "Age: 20", CC + "no-cache"),
             evolve(cached(), source=Source.STORED)),
    required("public allows answers to authorised requests",
             first(CDN + "public, max-age=3600", CC + "private", asks=("Authorization: a",)),
             cached("Authorization: a")),
)


def _invalid(value: str, words: str) -> tuple[Case, Case]:
    return (
        not_reused(f"{words} makes it invalid, so that Cache-Control forbids", CDN + value, NONE),
        reused(f"{words} makes it invalid, so that Cache-Control allows", CDN + value, LONG),
    )


_INVALID = (
    *_invalid("max-age=abc", "a word for max-age"),
    *_invalid("max-age=3600.0", "a decimal for max-age"),
    *_invalid('max-age="3600"', "a string for max-age"),
    *_invalid("max-age=:MzYwMA==:", "octets for max-age"),
    *_invalid("max-age", "a missing value of max-age"),
    *_invalid("max-age =3600", "a space before ="),
    *_invalid("max-age= 3600", "a space behind ="),
    *_invalid("max-age=3600,", "a trailing comma"),
    *_invalid("max-age=3600, &&&", "rubbish"),
    *_invalid("MAX-AGE=3600", "upper case"),
    *_invalid("max-age=1234567890123456", "a number of 16 digits"),
    *_invalid("max-age=(3600)", "an inner list for max-age"),
    *_invalid('no-store="a"', "a string for no-store"),
    *_invalid("max-age=0, foo=[1]", "an unknown type"),
    *_invalid("", "an empty field"),
)

_OTHERS = (
    reused("an invalid one leaves Expires to count", CDN + "max-age=x", FUTURE),
    informative("it is passed on to clients", evolve(
        first(CDN + "max-age=3600"), has=(CDN + "max-age=3600",))),
    informative("a negative max-age is stale", first(CDN + "max-age=-5", LONG), fetched()),
    required("Surrogate-Control means nothing",
             first("Surrogate-Control: max-age=3600", CC + "no-store"), fetched()),
    required("that of a 304 replaces that which is stored",
             first(CDN + "max-age=0", 'ETag: "a"', LONG),
             Step(Source.VALIDATED, gets=Answer((CDN + "max-age=3600",), 304)), cached()),
)

GROUPS = (
    Group("CDN-Cache-Control", "RFC 9213", _DECIDES + _OTHERS),
    Group("CDN-Cache-Control, invalid", "RFC 9213 section 2.1 and RFC 9651 section 4.2", _INVALID),
)
