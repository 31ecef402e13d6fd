"""Conditional requests: from clients to the cache, and from the cache to the origin."""

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

FRESH, STALE = "Cache-Control: max-age=3600", "Cache-Control: max-age=0"
TAG, WEAK, CHANGED = 'ETag: "a"', 'ETag: W/"a"', "Last-Modified: {-3000}"
SAME = Answer((FRESH,), 304)


def _unchanged(*asks: str, has: tuple[str, ...] = ()) -> Step:
    return Step(Source.CACHED, asks=asks, status=304, has=has, text="")


def _whole(*asks: str) -> Step:
    return Step(Source.CACHED, asks=asks, status=200)


def _by_tag(rule: str, condition: str, tag: str = TAG) -> Case:
    return required(rule, first(FRESH, tag), _unchanged(f"If-None-Match: {condition}"))


def _not_by_tag(rule: str, condition: str, tag: str = TAG) -> Case:
    return required(rule, first(FRESH, tag), _whole(f"If-None-Match: {condition}"))


_BY_TAG = (
    _by_tag("a tag that matches is answered 304", '"a"'),
    _by_tag("a weak tag matches a weak one", 'W/"a"', WEAK),
    _by_tag("a weak tag in the request matches a strong one", 'W/"a"'),
    _by_tag("a strong tag in the request matches a weak one", '"a"', WEAK),
    _by_tag("the first of a list matches", '"a", "b"'),
    _by_tag("the last of a list matches", '"b", "c", "a"'),
    _by_tag("a member without spaces around it matches", '"b","a","c"'),
    _by_tag("a weak member of a list matches", '"b", W/"a"'),
    _by_tag("a star matches", "*"),
    _by_tag("a tag with a comma in it matches", '"a,b"', 'ETag: "a,b"'),
    _by_tag("a tag with a backslash in it matches", '"a\\b"', 'ETag: "a\\b"'),
    _by_tag("a tag with octets above ASCII matches", '"\xe4"', 'ETag: "\xe4"'),
    _by_tag("an empty tag matches", '""', 'ETag: ""'),
    required("a tag on another line matches", first(FRESH, TAG),
             _unchanged('If-None-Match: "b"', 'If-None-Match: "a"')),
    _not_by_tag("another tag is answered with everything", '"b"'),
    _not_by_tag("a tag in other case is another", '"A"'),
    _not_by_tag("a longer tag is another", '"aa"'),
    _not_by_tag("a list of other tags is answered with everything", '"b", "c"'),
    _not_by_tag("a tag within another's quotes is none", '"b, a, c"'),
    informative("a tag without quotes is none", first(FRESH, TAG), _whole("If-None-Match: a")),
    informative("a lower-case w makes no weak tag", first(FRESH, TAG),
                _whole('If-None-Match: w/"a"')),
    informative("a tag that was stored without quotes matches nothing",
                first(FRESH, "ETag: a"), _whole("If-None-Match: a")),
    required("a tag of which nothing is stored is answered with everything", first(FRESH),
             _whole('If-None-Match: "a"')),
    required("a tag that does not match wins over a date that does",
             first(FRESH, TAG, CHANGED),
             _whole('If-None-Match: "b"', "If-Modified-Since: {-3000}")),
    required("a tag that matches wins over a date that does not",
             first(FRESH, TAG, CHANGED),
             _unchanged('If-None-Match: "a"', "If-Modified-Since: {-9000}")),
    required("a HEAD with a tag that matches is answered 304", first(FRESH, TAG),
             Step(Source.CACHED, "HEAD", asks=('If-None-Match: "a"',), status=304)),
    required("If-Match with another tag is answered 412", first(FRESH, TAG),
             Step(Source.CACHED, asks=('If-Match: "b"',), status=412, text="")),
    required("If-Match with that tag is answered with everything", first(FRESH, TAG),
             _whole('If-Match: "a"')),
)

_TOLD = tuple(
    required(f"a 304 tells the client {line.partition(':')[0]}", first(FRESH, TAG, line),
             _unchanged('If-None-Match: "a"', has=(line.replace("Vary: ", "Vary: ~"),)))
    for line in ("Content-Location: /b", "Vary: Foo", "Expires: {+7200}", "Date: {-5}",
                 "X-Other: b")
) + (
    required("a 304 tells the client ETag and Cache-Control", first(FRESH, TAG),
             _unchanged('If-None-Match: "a"', has=(TAG, FRESH, "Age: >=0"))),
    required("a 304 says nothing of the length of a body",
             first(FRESH, TAG), evolve(_unchanged('If-None-Match: "a"'),
                                       lacks=("Transfer-Encoding", "Content-Range"))),
)

_BY_DATE = (
    required("what has not changed since is answered 304", first(FRESH, CHANGED),
             _unchanged("If-Modified-Since: {-3000}")),
    required("what has not changed since a later date is answered 304", first(FRESH, CHANGED),
             _unchanged("If-Modified-Since: {-1000}")),
    required("what has changed since is answered with everything", first(FRESH, CHANGED),
             _whole("If-Modified-Since: {-6000}")),
    required("the date may be in the form of RFC 850", first(FRESH, CHANGED),
             _unchanged("If-Modified-Since: {-3000:rfc850}")),
    required("the stored date may be in the form of RFC 850",
             first(FRESH, "Last-Modified: {-3000:rfc850}"),
             _unchanged("If-Modified-Since: {-3000}")),
    required("the date may be in the form of asctime", first(FRESH, CHANGED),
             _unchanged("If-Modified-Since: {-3000:asctime}")),
    required("an invalid date is no condition", first(FRESH, CHANGED),
             _whole("If-Modified-Since: yesterday")),
    optional("the Date counts where there is no Last-Modified",
             first(FRESH, "Date: {-10}"), _unchanged("If-Modified-Since: {-5}")),
    required("an older date than Date is no match where there is no Last-Modified",
             first(FRESH, "Date: {-10}"), _whole("If-Modified-Since: {-3000}")),
    required("If-Unmodified-Since that fails is answered 412", first(FRESH, CHANGED),
             Step(Source.CACHED, asks=("If-Unmodified-Since: {-6000}",), status=412, text="")),
    required("conditions mean nothing where the answer is no success",
             first(FRESH, TAG, status=404),
             Step(Source.CACHED, asks=('If-None-Match: "a"',), status=404)),
)


def _asks(rule: str, fields: tuple[str, ...], seen: tuple[str, ...],
          unseen: tuple[str, ...] = ()) -> Case:
    return required(rule, first(*fields),
                    Step(Source.VALIDATED, gets=SAME, seen=seen, unseen=unseen), cached())


_ASKED = (
    _asks("what is stale is validated by its tag", (STALE, TAG), ('If-None-Match: "a"',),
          ("If-Modified-Since", "If-Range", "If-Match")),
    _asks("what is stale is validated by its weak tag", (STALE, WEAK), ('If-None-Match: W/"a"',)),
    _asks("what is stale is validated by its date", (STALE, CHANGED),
          ("If-Modified-Since: {-3000}",), ("If-None-Match",)),
    _asks("what is stale is validated by tag and date", (STALE, TAG, CHANGED),
          ('If-None-Match: "a"', "If-Modified-Since: {-3000}")),
    _asks("the date of validation is spelled as it came", (STALE, "Last-Modified: {-3000:rfc850}"),
          ("If-Modified-Since: {-3000:rfc850}",)),
    _asks("what expired by Expires is validated", ("Expires: {-10}", TAG),
          ('If-None-Match: "a"',)),
    _asks("what was never fresh is validated", (TAG, "Cache-Control: no-cache"),
          ('If-None-Match: "a"',)),
    required("what has no validator is fetched without conditions", first(STALE),
             evolve(fetched(), unseen=("If-None-Match", "If-Modified-Since"))),
    required("a new answer to a condition takes the place of the old one", first(STALE, TAG),
             first(FRESH, 'ETag: "b"'), evolve(cached(), has=('ETag: "b"',))),
    required("validation carries the fields that select", first(
        STALE, TAG, "Vary: Foo", asks=("Foo: 1",)),
        Step(Source.VALIDATED, asks=("Foo: 1",), gets=SAME, seen=("Foo: 1",))),
    required("a client's own condition does not replace that of the cache",
             first(STALE, TAG),
             Step(Source.VALIDATED, asks=('If-None-Match: "old"',), gets=SAME, status=200,
                  seen=('If-None-Match: "a"',))),
    required("a client that has what was validated is answered 304", first(STALE, TAG),
             Step(Source.VALIDATED, asks=('If-None-Match: "a"',), gets=SAME, status=304)),
    informative("a condition on what is not stored is forwarded",
                Step(Source.FETCHED, asks=('If-None-Match: "a"',),
                     gets=Answer((FRESH, TAG), 304), status=304, seen=('If-None-Match: "a"',))),
    required("a condition on what is not stored does not prevent a whole answer",
             Step(Source.FETCHED, asks=('If-None-Match: "a"',), gets=Answer((FRESH,)), status=200,
                  seen=('If-None-Match: "a"',)), cached()),
    required("a condition on what is not stored, and must not be, is the origin's business",
             Step(Source.FETCHED, asks=('If-None-Match: "a"', "If-Modified-Since: {-10}"),
                  gets=Answer(), status=200,
                  seen=('If-None-Match: "a"', "If-Modified-Since: {-10}"))),
    required("another tag in the origin's answer makes it a whole one",
             Step(Source.FETCHED, asks=('If-None-Match: "a"',), gets=Answer((FRESH, 'ETag: "b"')),
                  status=200), cached()),
    required("a client's older date does not prevent a whole answer",
             Step(Source.FETCHED, asks=("If-Modified-Since: {-9000}",),
                  gets=Answer((FRESH, CHANGED)), status=200), cached()),
    required("a 304 to a client's own condition is not stored as an answer",
             Step(Source.ANY, asks=('If-None-Match: "a"',), gets=Answer((FRESH, TAG), 304)),
             evolve(fetched(), status=200)),
    required("a 304 that names another tag is not believed", first(STALE, TAG),
             Step(Source.FETCHED, gets=Answer((FRESH, 'ETag: "b"'), 304), status=200, times=2)),
    required("a 412 is not stored", Step(Source.ANY, asks=('If-Match: "b"',),
                                        gets=Answer((FRESH,), 412)),
             evolve(fetched(), status=200)),
)

GROUPS = (
    Group("conditions on tags", "RFC 9111 section 4.3.2", _BY_TAG + _TOLD),
    Group("conditions on dates", "RFC 9111 section 4.3.2", _BY_DATE),
    Group("validation", "RFC 9111 section 4.3.1", _ASKED),
)
