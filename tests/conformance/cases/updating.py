"""What a 304, or the answer to a HEAD, does to what is stored."""

from __future__ import annotations

from collections.abc import Iterator

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

FRESH, STALE, TAG = "Cache-Control: max-age=3600", "Cache-Control: max-age=0", 'ETag: "a"'


def _fields() -> Iterator[Case]:
    for name, old, new in (
            ("X-Other", "1", "2"), ("Content-Foo", "1", "2"), ("Content-Language", "de", "en"),
            ("Content-Location", "/a", "/b"), ("Content-Security-Policy", "a", "b"),
            ("Content-Disposition", "inline", "attachment"), ("Expires", "{-10}", "{+7200}"),
            ("Date", "{-10}", "{-1}"), ("Link", "</a>", "</b>"),
            ("Vary", "Foo", "Foo, Bar"), ("Last-Modified", "{-3000}", "{-2000}"),
            ("Access-Control-Allow-Origin", "a", "*"), ("Cache-Control", "max-age=0", FRESH[15:])):
        lines = tuple(one for one in (STALE,) if name != "Cache-Control")
        newer = tuple(one for one in (FRESH,) if name != "Cache-Control")
        yield required(
            f"{name} in a 304 replaces what is stored", first(*lines, TAG, f"{name}: {old}"),
            Step(Source.VALIDATED, gets=Answer((*newer, TAG, f"{name}: {new}"), 304),
                 has=(f"{name}: {new}",)),
            evolve(cached(), has=(f"{name}: {new}",)))
    for name, old, new in (
            ("Content-Encoding", "identity", "gzip"), ("Content-Range", "bytes 0-1/2", "x"),
            ("Content-Length", "", "10000")):
        before = (f"{name}: {old}",) if old else ()
        yield required(
            f"{name} in a 304 does not replace what is stored", first(STALE, TAG, *before),
            Step(Source.VALIDATED, gets=Answer((FRESH, TAG, f"{name}: {new}"), 304)),
            evolve(cached(), has=before))


_OTHERS = (
    required("a field that a 304 adds is stored", first(STALE, TAG),
             Step(Source.VALIDATED, gets=Answer((FRESH, "X-New: 1"), 304), has=("X-New: 1",)),
             evolve(cached(), has=("X-New: 1",))),
    required("a field that a 304 has not stays", first(STALE, TAG, "X-Other: 1"),
             Step(Source.VALIDATED, gets=Answer((FRESH,), 304), has=("X-Other: 1",)),
             evolve(cached(), has=("X-Other: 1", TAG))),
    required("several lines in a 304 replace all lines of that name",
             first(STALE, TAG, "X-Other: 1", "X-Other: 2"),
             Step(Source.VALIDATED, gets=Answer((FRESH, "X-Other: 3"), 304)),
             evolve(cached(), has=("X-Other: 3",))),
    required("a 304 without freshness of its own renews that which is stored",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG),
             Step(Source.VALIDATED, gets=Answer(status=304)), cached()),
    required("a 304 may make what is stored stale",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG),
             Step(Source.VALIDATED, gets=Answer((STALE,), 304)),
             Step(Source.VALIDATED, gets=Answer(status=304))),
    required("a 304 with no-cache has what is stored validated from then on",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG),
             Step(Source.VALIDATED, gets=Answer(("Cache-Control: no-cache",), 304)),
             Step(Source.VALIDATED, gets=Answer(status=304))),
    informative("Content-Type in a 304 replaces what is stored",
                first(STALE, TAG, "Content-Type: text/plain"),
                Step(Source.VALIDATED, gets=Answer((FRESH, "Content-Type: text/html"), 304)),
                evolve(cached(), has=("Content-Type: text/html",))),
    informative("a 304 may strengthen a tag", first(STALE, 'ETag: W/"a"'),
                Step(Source.VALIDATED, gets=Answer((FRESH, TAG), 304)),
                evolve(cached(), has=(TAG,))),
    required("Connection in a 304 and what it names are not stored", first(STALE, TAG),
             Step(Source.VALIDATED, gets=Answer((FRESH, "Connection: X-Hop", "X-Hop: 1"), 304)),
             evolve(cached(), lacks=("X-Hop",))),
)


def _head(*fields: str, status: int = 200, source: Source = Source.FETCHED) -> Step:
    return Step(source, "HEAD", gets=Answer(fields, status))


_HEADS = (
    required("a stored GET answers a HEAD", first(FRESH, TAG),
             Step(Source.CACHED, "HEAD", has=(TAG, FRESH, "Age: >=0"), status=200)),
    required("a HEAD answered from the cache has the length of the GET",
             first(FRESH, body="12345"),
             Step(Source.CACHED, "HEAD", has=("Content-Length: 5",), status=200)),
    required("a HEAD does not answer a GET", _head(FRESH, TAG), fetched()),
    required("a HEAD for what is stale is not answered from it", first(STALE),
             _head(FRESH)),
    optional("a HEAD that agrees makes what is stored fresh",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG, body="12345"),
             Step(Source.ANY, "HEAD", gets=Answer((FRESH, TAG), body="12345")), cached()),
    optional("a HEAD that agrees replaces fields of what is stored",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG, "X-Other: 1", body="12345"),
             Step(Source.ANY, "HEAD", gets=Answer((FRESH, TAG, "X-Other: 2"), body="12345")),
             evolve(cached(), has=("X-Other: 2",))),
    required("a HEAD with another tag makes what is stored unusable",
             first("Cache-Control: max-age=3600", "Age: 4000", TAG, body="12345"),
             Step(Source.ANY, "HEAD", gets=Answer((FRESH, 'ETag: "b"'), body="12345")),
             fetched()),
    required("a HEAD with another length makes what is stored unusable",
             first("Cache-Control: max-age=3600", "Age: 4000", body="12345"),
             Step(Source.ANY, "HEAD", gets=Answer((FRESH,), body="123456")), fetched()),
    optional("a HEAD that finds the target gone makes what is stored unusable",
             first("Cache-Control: max-age=10, stale-if-error=3600", "Age: 20"),
             _head(status=410), fetched()),
    informative("a HEAD is passed on as HEAD", Step(
        Source.FETCHED, "HEAD", gets=Answer((FRESH,)), times=1)),
)

GROUPS = (
    Group("304", "RFC 9111 sections 3.2 and 4.3.4", (*_fields(), *_OTHERS)),
    Group("HEAD", "RFC 9111 section 4.3.5", _HEADS),
)
