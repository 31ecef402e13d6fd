"""Vary: which requests one answer is for."""

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
    optional,
    required,
)

FRESH = "Cache-Control: max-age=3600"


def _kept(vary: str | tuple[str, ...], *asks: str) -> Step:
    lines = (vary,) if isinstance(vary, str) else vary
    return first(FRESH, *(f"Vary: {line}" for line in lines), asks=asks)


_MATCHING = (
    required("an equal field matches", _kept("Foo", "Foo: 1"), cached("Foo: 1")),
    required("another value does not match", _kept("Foo", "Foo: 1"), fetched("Foo: 2")),
    required("an absent field does not match one that was there",
             _kept("Foo", "Foo: 1"), fetched()),
    required("a field does not match one that was absent", _kept("Foo"), fetched("Foo: 1")),
    required("an absent field matches an absent one", _kept("Foo"), cached()),
    required("an empty field does not match an absent one", _kept("Foo"), fetched("Foo:")),
    required("other case of the value does not match",
             _kept("Foo", "Foo: a"), fetched("Foo: A")),
    required("the name of the field may have any case",
             _kept("fOO", "Foo: 1"), cached("FOO: 1")),
    required("fields that are not named do not count",
             _kept("Foo", "Foo: 1", "Other: 2"), cached("Foo: 1", "Other: 3")),
    required("fields that are not named may be absent",
             _kept("Foo", "Foo: 1", "Other: 2"), cached("Foo: 1")),
    required("two equal fields match", _kept("Foo, Bar", "Foo: 1", "Bar: 2"),
             cached("Foo: 1", "Bar: 2")),
    required("the order of fields in the request means nothing",
             _kept("Foo, Bar", "Foo: 1", "Bar: 2"), cached("Bar: 2", "Foo: 1")),
    required("the first of two fields counts", _kept("Foo, Bar", "Foo: 1", "Bar: 2"),
             fetched("Foo: 2", "Bar: 2")),
    required("the second of two fields counts", _kept("Foo, Bar", "Foo: 1", "Bar: 2"),
             fetched("Foo: 1", "Bar: 1")),
    required("swapped values do not match", _kept("Foo, Bar", "Foo: 1", "Bar: 2"),
             fetched("Foo: 2", "Bar: 1")),
    required("one of two fields absent does not match",
             _kept("Foo, Bar", "Foo: 1", "Bar: 2"), fetched("Foo: 1")),
    required("a second field does not match one that was absent",
             _kept("Foo, Bar", "Foo: 1"), fetched("Foo: 1", "Bar: 2")),
    required("a second field that was absent matches an absent one",
             _kept("Foo, Bar", "Foo: 1"), cached("Foo: 1")),
    required("three equal fields match",
             _kept("Foo, Bar, Baz", "Foo: 1", "Bar: 2", "Baz: 3"),
             cached("Foo: 1", "Bar: 2", "Baz: 3")),
    required("the last of three fields counts",
             _kept("Foo, Bar, Baz", "Foo: 1", "Bar: 2", "Baz: 3"),
             fetched("Foo: 1", "Bar: 2", "Baz: 4")),
    required("one of three fields absent does not match",
             _kept("Foo, Bar, Baz", "Foo: 1", "Bar: 2", "Baz: 3"), fetched("Foo: 1", "Baz: 3")),
    required("a field that is named twice counts once", _kept("Foo, Foo", "Foo: 1"),
             cached("Foo: 1")),
    required("an answer without Vary is for all clients",
             first(FRESH, asks=("Foo: 1",)), cached("Foo: 2", "Accept-Language: de")),
)

_VARIANTS = (
    required("several variants are kept at once", _kept("Foo", "Foo: 1"),
             _kept("Foo", "Foo: 2"), cached("Foo: 1"), cached("Foo: 2")),
    required("three variants are kept at once", _kept("Foo", "Foo: 1"),
             _kept("Foo", "Foo: 2"), _kept("Foo", "Foo: 3"), cached("Foo: 1"),
             cached("Foo: 2"), cached("Foo: 3")),
    required("a variant is kept beside one for requests without the field", _kept("Foo"),
             _kept("Foo", "Foo: 2"), cached(), cached("Foo: 2")),
    required("a newer answer takes the place of its own variant only",
             first(FRESH, "Vary: Foo", "Age: 4000", asks=("Foo: 1",)),
             _kept("Foo", "Foo: 2"), _kept("Foo", "Foo: 1"), cached("Foo: 2"),
             cached("Foo: 1")),
    required("a variant that varies by more has its own rules", _kept("Foo", "Foo: 1"),
             _kept("Foo, Bar", "Foo: 2", "Bar: 1"), fetched("Foo: 2", "Bar: 2"),
             cached("Foo: 1")),
    required("each variant is validated by its own tag",
             first(FRESH, "Vary: Foo", "Age: 4000", 'ETag: "1"', asks=("Foo: 1",)),
             first(FRESH, "Vary: Foo", "Age: 4000", 'ETag: "2"', asks=("Foo: 2",)),
             Step(Source.VALIDATED, asks=("Foo: 1",), gets=Answer(status=304),
                  seen=("If-None-Match: \"1\"", "Foo: 1"))),
    required("a fresh variant leaves a stale one stale",
             first(FRESH, "Vary: Foo", "Age: 4000", asks=("Foo: 1",)),
             _kept("Foo", "Foo: 2"), fetched("Foo: 1")),
)

_STARS = (
    required("* matches nothing", _kept("*", "Foo: 1"), fetched("Foo: 1")),
    required("* matches nothing, not even a bare request", _kept("*"), fetched()),
    required("* twice matches nothing", _kept("*, *"), fetched()),
    required("* on two lines matches nothing", _kept(("*", "*")), fetched()),
    required("* behind an empty member matches nothing", _kept(", *"), fetched()),
    required("* before an empty member matches nothing", _kept("*, "), fetched()),
    required("* before a name matches nothing", _kept("*, Foo", "Foo: 1"), fetched("Foo: 1")),
    required("* behind a name matches nothing", _kept("Foo, *", "Foo: 1"), fetched("Foo: 1")),
    required("* on another line than a name matches nothing",
             _kept(("Foo", "*"), "Foo: 1"), fetched("Foo: 1")),
    required("* on a line before a name matches nothing",
             _kept(("*", "Foo"), "Foo: 1"), fetched("Foo: 1")),
)

_LISTED = (
    required("names on two lines count", _kept(("Foo", "Bar"), "Foo: 1", "Bar: 2"),
             fetched("Foo: 1", "Bar: 3")),
    required("names without spaces between count", _kept("Foo,Bar", "Foo: 1", "Bar: 2"),
             fetched("Foo: 1", "Bar: 3")),
    required("names around an empty member count", _kept("Foo, ,Bar", "Foo: 1", "Bar: 2"),
             fetched("Foo: 1", "Bar: 3")),
    required("an empty Vary names nothing", _kept(""), cached("Foo: 1")),
    optional("two lines are as one", _kept("Foo", "Foo: 1", "Foo: 2"), cached("Foo: 1, 2")),
    optional("one line is as two", _kept("Foo", "Foo: 1, 2"), cached("Foo: 1", "Foo: 2")),
    optional("white space around commas means nothing", _kept("Foo", "Foo: 1, 2"),
             cached("Foo: 1 ,   2")),
    optional("a missing space behind a comma means nothing", _kept("Foo", "Foo: 1, 2"),
             cached("Foo: 1,2")),
    required("two lines do not match one of them", _kept("Foo", "Foo: 1", "Foo: 2"),
             fetched("Foo: 1")),
    required("the order of members counts where nothing says otherwise",
             _kept("Foo", "Foo: 1, 2"), fetched("Foo: 2, 1")),
    required("white space within a quoted string counts", _kept("Foo", 'Foo: "1, 2"'),
             fetched('Foo: "1,2"')),
)


def _language(rule: str, kept: str, asked: str) -> Case:
    return optional(rule, _kept("Accept-Language", f"Accept-Language: {kept}"),
                    cached(f"Accept-Language: {asked}"))


_LANGUAGES = (
    _language("languages are the same in any case", "en, de", "eN, De"),
    _language("languages are the same in any order", "en, de", "de, en"),
    _language("languages are the same with other white space", "en, de", "en ,  de"),
    _language("a weight of 1 is that of no weight", "en;q=1.0, de;q=0.5", "en, de;q=0.5"),
    _language("order means nothing beside weights", "en;q=0.5, de", "de, en;q=0.5"),
    required("another language does not match",
             _kept("Accept-Language", "Accept-Language: en"), fetched("Accept-Language: de")),
    required("swapped weights do not match",
             _kept("Accept-Language", "Accept-Language: en, de;q=0.5"),
             fetched("Accept-Language: de, en;q=0.5")),
    optional("an answer in the language that is liked best will do",
             first(FRESH, "Vary: Accept-Language", "Content-Language: de",
                   asks=("Accept-Language: en;q=0.5, de",)),
             cached("Accept-Language: fr;q=0.5, de;q=1.0")),
    required("an answer in a language that is liked less will not do",
             first(FRESH, "Vary: Accept-Language", "Content-Language: de",
                   asks=("Accept-Language: fr, de;q=0.5",)),
             fetched("Accept-Language: fr, es;q=0.5")),
    informative("the codings of Accept-Encoding may come in any order",
                _kept("Accept-Encoding", "Accept-Encoding: gzip, br"),
                cached("Accept-Encoding: br, gzip")),
    required("another coding does not match",
             _kept("Accept-Encoding", "Accept-Encoding: gzip"),
             fetched("Accept-Encoding: identity")),
)

_OTHERS = (
    required("a HEAD request is matched like a GET", _kept("Foo", "Foo: 1"),
             Step(Source.CACHED, "HEAD", asks=("Foo: 1",))),
    required("Vary is told to the client", _kept("Foo", "Foo: 1"),
             evolve(cached("Foo: 1"), has=("Vary: Foo",))),
    required("Vary: Host is satisfied by the same host", _kept("Host"), cached()),
    required("Vary: Cookie tells cookies apart", _kept("Cookie", "Cookie: a=1"),
             fetched("Cookie: a=2")),
    required("a 304 that varies anew tells requests apart",
             first(FRESH, "Age: 4000", 'ETag: "a"', asks=("Foo: 1",)),
             Step(Source.VALIDATED, asks=("Foo: 1",), gets=Answer((FRESH, "Vary: Foo"), 304)),
             fetched("Foo: 2")),
)

GROUPS = (
    Group("vary", "RFC 9111 section 4.1", _MATCHING + _VARIANTS + _OTHERS),
    Group("vary as a list", "RFC 9110 sections 5.3 and 12.5.5", _STARS + _LISTED + _LANGUAGES),
)
