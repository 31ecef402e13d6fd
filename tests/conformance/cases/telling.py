"""Cache-Status: what the cache says that it did."""

from __future__ import annotations

from attrs import evolve

from tests.conformance.model import (
    Answer,
    Group,
    Source,
    Step,
    cached,
    fetched,
    first,
    optional,
    required,
)

FRESH, STALE, TAG = "Cache-Control: max-age=3600", "Cache-Control: max-age=0", 'ETag: "a"'


def _tells(step: Step, *members: str) -> Step:
    return evolve(step, has=tuple(f"Cache-Status: ~{one}" for one in members))


_CASES = (
    required("a hit is told", first(FRESH), _tells(cached(), "Trickster; hit", "; ttl=3")),
    required("a miss is told", _tells(first(FRESH), "; fwd=uri-miss", "; stored")),
    required("what is not stored is not told to be",
             evolve(_tells(first("Cache-Control: no-store"), "; fwd=uri-miss"))),
    required("staleness is told", first(STALE, TAG), _tells(first(FRESH), "; fwd=stale")),
    optional("staleness is told also where what is fetched is not stored",
             first(STALE, TAG), _tells(fetched(), "; fwd=stale")),
    required("a validation is told with its status", first(STALE, TAG),
             _tells(Step(Source.VALIDATED, gets=Answer((FRESH,), 304)), "; fwd=stale",
                    "; fwd-status=304")),
    required("another variant is told", first(FRESH, "Vary: Foo", asks=("Foo: 1",)),
             _tells(first(FRESH, "Vary: Foo", asks=("Foo: 2",)), "; fwd=vary-miss")),
    optional("another variant is told also where what is fetched is not stored",
             first(FRESH, "Vary: Foo", asks=("Foo: 1",)),
             _tells(fetched("Foo: 2"), "; fwd=vary-miss")),
    required("a method that is not cached is told",
             _tells(Step(Source.FETCHED, "POST", sends="x"), "; fwd=")),
    required("a request that purges is told", first(FRESH),
             _tells(fetched("Cache-Control: no-cache"), "; fwd=request")),
    required("a hit after the end of freshness has a negative ttl",
             first("Cache-Control: max-age=10, stale-while-revalidate=60", "Age: 20"),
             _tells(Step(Source.STORED), "; hit", "; ttl=-1")),
    required("a part that is fetched is told",
             Step(Source.FETCHED, asks=("Range: bytes=0-4",), status=206, gets=Answer(
                 (FRESH, TAG, "Content-Range: bytes 0-4/10"), 206, "01234")),
             _tells(Step(Source.ANY, gets=Answer((FRESH, TAG), body="0123456789", on_range=Answer(
                 (FRESH, TAG, "Content-Range: bytes 5-9/10"), 206, "56789")), status=200,
                 text="0123456789"), "; fwd=partial")),
    required("what caches before this one told comes first",
             _tells(first(FRESH, "Cache-Status: Other; hit"), "Other; hit, Trickster")),
    required("what this cache tells is not stored", first(FRESH),
             evolve(cached(), has=("Cache-Status: ~Trickster; hit",)),
             evolve(cached(), has=("Cache-Status: ~Trickster; hit",))),
    required("Trickster's own result header tells of a hit", first(FRESH),
             evolve(cached(), has=("X-Trickster-Result: ~status=hit",))),
    required("Trickster's own result header tells of a miss",
             evolve(first(FRESH), has=("X-Trickster-Result: ~status=kmiss",))),
)

GROUPS = (Group("Cache-Status", "RFC 9211", _CASES),)
