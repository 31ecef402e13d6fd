"""When what is stale may be served, and when it must not be."""

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

CC = "Cache-Control: max-age=10"
OLD = "Age: 20"
CLOSED = Answer(hangs_up=True)
GONE = Step(Source.FETCHED, gets=CLOSED, status=502)
SERVED = evolve(cached(), source=Source.STORED, status=200)


def _forbidden() -> Iterator[Case]:
    for directive in ("must-revalidate", "proxy-revalidate", "s-maxage=10", "no-cache"):
        line = f"{CC}, {directive}"
        yield required(f"{directive} is not used stale when the origin hangs up",
                       first(line, OLD), GONE)
        for status in (500, 503):
            yield required(f"{directive} is not used stale when the origin says {status}",
                           first(line, OLD),
                           Step(Source.FETCHED, gets=Answer(status=status), status=status))
        yield required(f"{directive} is stronger than stale-if-error",
                       first(f"{line}, stale-if-error=3600", OLD), GONE)
        yield required(f"{directive} is stronger than stale-while-revalidate",
                       first(f"{line}, stale-while-revalidate=3600", OLD), fetched())


def _on_errors() -> Iterator[Case]:
    for status in (500, 502, 503, 504):
        yield required(f"stale-if-error allows what is stale when the origin says {status}",
                       first(f"{CC}, stale-if-error=3600", OLD),
                       evolve(SERVED, gets=Answer(status=status)))
        yield required(f"after its window, {status} is passed on",
                       first(f"{CC}, stale-if-error=5", OLD),
                       Step(Source.FETCHED, gets=Answer(status=status), status=status))
    for status in (404, 410, 403):
        yield required(f"stale-if-error is for errors of the server, and {status} is none",
                       first(f"{CC}, stale-if-error=3600", OLD),
                       Step(Source.FETCHED, gets=Answer(status=status), status=status))
    for status in (501, 599):
        yield informative(f"stale-if-error is for {status} too",
                          first(f"{CC}, stale-if-error=3600", OLD),
                          evolve(SERVED, gets=Answer(status=status)))


_IF_ERROR = (
    required("stale-if-error allows what is stale when the origin hangs up",
             first(f"{CC}, stale-if-error=3600", OLD),
             evolve(SERVED, gets=CLOSED, has=("Age: >=20",))),
    required("after its window, what is stale is not used when the origin hangs up",
             first(f"{CC}, stale-if-error=5", OLD), GONE),
    required("stale-if-error=0 allows nothing", first(f"{CC}, stale-if-error=0", OLD), GONE),
    required("an invalid stale-if-error allows nothing",
             first(f"{CC}, stale-if-error=long", OLD), GONE),
    required("an answer used after an error is validated the next time",
             first(f"{CC}, stale-if-error=3600", OLD, 'ETag: "a"'),
             evolve(SERVED, gets=CLOSED),
             Step(Source.VALIDATED, gets=Answer((CC,), 304))),
    required("an error does not take the place of what is stored",
             first(f"{CC}, stale-if-error=3600", OLD),
             evolve(SERVED, gets=Answer(("Cache-Control: max-age=3600",), 503)),
             evolve(SERVED, gets=CLOSED)),
    required("a HEAD is served what is stale like a GET, or passed the error on",
             first(f"{CC}, stale-if-error=3600", OLD),
             Step(Source.ANY, "HEAD", gets=Answer(status=503)),
             evolve(SERVED, gets=CLOSED)),
    required("a variant for others is not used after an error",
             first(f"{CC}, stale-if-error=3600", OLD, "Vary: Foo", asks=("Foo: 1",)),
             evolve(GONE, asks=("Foo: 2",))),
    required("no-store is not there to be used after an error",
             first("Cache-Control: no-store, stale-if-error=3600"), GONE),
)

_WHILE = (
    required("stale-while-revalidate serves what is stale at once",
             first(f"{CC}, stale-while-revalidate=3600", OLD),
             evolve(SERVED, gets=Answer(("Cache-Control: max-age=3600",)), has=("Age: >=20",))),
    required("what is fetched meanwhile is served the next time",
             first(f"{CC}, stale-while-revalidate=3600", OLD),
             evolve(SERVED, gets=Answer(("Cache-Control: max-age=3600", "X-A: 2"))),
             evolve(cached(), after=1.5, has=("X-A: 2",))),
    required("what is validated meanwhile is fresh the next time",
             first(f"{CC}, stale-while-revalidate=3600", OLD, 'ETag: "a"'),
             evolve(SERVED, gets=Answer(("Cache-Control: max-age=3600", "X-A: 2"), 304)),
             evolve(cached(), after=1.5, has=("X-A: 2",))),
    required("after its window, stale-while-revalidate allows nothing",
             first(f"{CC}, stale-while-revalidate=5", OLD), fetched()),
    required("after its window, what is stale is validated first",
             first(f"{CC}, stale-while-revalidate=5", OLD, 'ETag: "a"'),
             Step(Source.VALIDATED, gets=Answer((CC,), 304))),
    required("stale-while-revalidate=0 allows nothing",
             first(f"{CC}, stale-while-revalidate=0", OLD), fetched()),
    required("an invalid stale-while-revalidate allows nothing",
             first(f"{CC}, stale-while-revalidate=x", OLD), fetched()),
    required("a failure meanwhile leaves what is stale to be served",
             first(f"{CC}, stale-while-revalidate=3600", OLD), evolve(SERVED, gets=CLOSED),
             evolve(SERVED, after=0.5)),
    required("a variant for others is not served meanwhile",
             first(f"{CC}, stale-while-revalidate=3600", OLD, "Vary: Foo", asks=("Foo: 1",)),
             fetched("Foo: 2")),
    required("a range of what is stale is served meanwhile",
             first(f"{CC}, stale-while-revalidate=3600", OLD, body="0123456789"),
             evolve(SERVED, asks=("Range: bytes=0-4",), status=206, text="01234")),
    required("both windows may stand side by side",
             first(f"{CC}, stale-while-revalidate=5, stale-if-error=3600", OLD),
             evolve(SERVED, gets=CLOSED)),
)

# With time that really passes, in case the store forgets too early.
_WAITED = (
    required("what may be used after an error is kept until then",
             first("Cache-Control: max-age=1, stale-if-error=3600"),
             evolve(SERVED, after=2.2, gets=CLOSED)),
    required("what may be served meanwhile is kept until then",
             first("Cache-Control: max-age=1, stale-while-revalidate=3600"),
             evolve(SERVED, after=2.2)),
    required("what may be served meanwhile is not served after that time",
             first("Cache-Control: max-age=1, stale-while-revalidate=1"),
             evolve(fetched(), after=3.2)),
    required("what may be used after an error is not used after that time",
             first("Cache-Control: max-age=1, stale-if-error=1"), evolve(GONE, after=3.2)),
    required("what can be validated is kept until then",
             first("Cache-Control: max-age=3", 'ETag: "a"'),
             Step(Source.VALIDATED, after=4.2, gets=Answer(("Cache-Control: max-age=3",), 304)),
             evolve(cached(), has=("Age: >=0",)),
             Step(Source.VALIDATED, after=4.2, gets=Answer(status=304))),
)

_ELSE = (
    informative("what is stale is served when the origin hangs up, though nothing allows it",
                first(CC, OLD), evolve(SERVED, gets=CLOSED)),
    informative("what is stale is served when the origin says 503, though nothing allows it",
                first(CC, OLD), evolve(SERVED, gets=Answer(status=503))),
    informative("what is stale has a Warning", first(f"{CC}, stale-if-error=3600", OLD),
                evolve(SERVED, gets=CLOSED, has=("Warning: *",))),
    required("when the origin hangs up and nothing is stored, the client is told 502", GONE),
    optional("the error of an origin that hung up is not kept", GONE, fetched()),
)

GROUPS = (
    Group("stale", "RFC 9111 section 4.2.4", (*_forbidden(), *_ELSE)),
    Group("staleness, with time", "RFC 5861 and RFC 9111 section 4.3", _WAITED),
    Group("stale-if-error", "RFC 5861 section 4", (*_on_errors(), *_IF_ERROR)),
    Group("stale-while-revalidate", "RFC 5861 section 3", _WHILE),
)
