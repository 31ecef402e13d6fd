"""What requests that change things do to what is stored."""

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
    required,
)

FRESH = "Cache-Control: max-age=3600"


def _does(method: str, *fields: str, status: int = 200, to: str = "") -> Step:
    sends = "x=1" if method in ("POST", "PUT", "PATCH") else ""
    return Step(Source.FETCHED, method, to, sends=sends, gets=Answer(fields, status),
                status=status)


def _by_method() -> Iterator[Case]:
    for method in ("POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "FOO"):
        yield required(f"{method} makes what is stored unusable", first(FRESH), _does(method),
                       fetched())
        yield required(f"{method} makes every variant unusable",
                       first(FRESH, "Vary: Foo", asks=("Foo: 1",)),
                       first(FRESH, "Vary: Foo", asks=("Foo: 2",)), _does(method),
                       fetched("Foo: 1"), fetched("Foo: 2"))
        yield required(f"{method} that fails changes nothing", first(FRESH),
                       _does(method, status=500), cached())
    for method in ("OPTIONS", "PROPFIND"):
        yield required(f"{method} changes nothing", first(FRESH), _does(method), cached())


def _by_status() -> Iterator[Case]:
    for status in (201, 204, 302, 303):
        yield required(f"an answer {status} makes what is stored unusable", first(FRESH),
                       _does("POST", status=status), fetched())
    for status in (400, 404, 409, 503):
        yield required(f"an answer {status} changes nothing", first(FRESH),
                       _does("POST", status=status), cached())


def _by_field() -> Iterator[Case]:
    elsewhere = first(FRESH, to="-b")
    for name in ("Location", "Content-Location"):
        for words, value in (
                ("a path", "{here}-b"), ("a URL", "http://cached.example{here}-b"),
                ("a URL of the origin's own", "http://{origin}{here}-b"),
                ("a relative path", ".{here}-b"),
                ("a URL in other case", "HTTP://CACHED.example:80{here}-b")):
            for method in ("POST", "PUT", "DELETE", "FOO"):
                if method == "POST" or words == "a path":
                    yield required(
                        f"{method} makes unusable what {name} names by {words}", elsewhere,
                        _does(method, f"{name}: {value}", status=201), fetched(to="-b"))
        yield required(f"{name} of another host changes nothing", elsewhere,
                       _does("POST", f"{name}: http://other.example{{here}}-b"), cached(to="-b"))
        yield required(f"{name} of a failure changes nothing", elsewhere,
                       _does("POST", f"{name}: {{here}}-b", status=400), cached(to="-b"))
        yield required(f"{name} of a safe request changes nothing", elsewhere,
                       first(f"{name}: {{here}}-b", FRESH), cached(to="-b"))


_OTHERS = (
    required("other queries of the same path stay", first(FRESH, to="?a=1"),
             _does("POST", to="?a=2"), cached(to="?a=1")),
    required("the same query goes", first(FRESH, to="?a=1"), _does("POST", to="?a=1"),
             fetched(to="?a=1")),
    required("other paths stay", first(FRESH, to="-b"), _does("POST"), cached(to="-b")),
    required("what is fetched afterwards is stored again", first(FRESH), _does("POST"),
             first(FRESH), cached()),
    required("what is made unusable is not validated either", first(FRESH, 'ETag: "a"'),
             _does("POST"), evolve(fetched(), unseen=("If-None-Match",))),
    required("the answer to a POST is not stored", _does("POST", FRESH), fetched()),
    required("the answer to a PUT is not stored", _does("PUT", FRESH), fetched()),
    required("a stored answer does not serve a POST", first(FRESH), _does("POST")),
    required("one POST does not serve another", _does("POST", FRESH), _does("POST", FRESH)),
    required("an unknown method is not stored", _does("FOO", FRESH), _does("FOO", FRESH)),
    required("parts go too", Step(
        Source.FETCHED, asks=("Range: bytes=0-4",), status=206,
        gets=Answer((FRESH, 'ETag: "a"', "Content-Range: bytes 0-4/10"), 206, "01234")),
        _does("POST"), Step(Source.FETCHED, asks=("Range: bytes=0-4",))),
)

_PREFIXED = tuple(
    required(f"{name} counts when it is {words}, below the origin's own path",
             first(FRESH, to="-b"), _does("POST", f"{name}: {value}", status=201),
             fetched(to="-b"))
    for name in ("Location", "Content-Location")
    for words, value in (
        ("a path", "/prefix{here}-b"), ("a relative path", ".{here}-b"),
        ("a URL", "http://{origin}/prefix{here}-b"))
) + (
    required("what is not below the origin's own path is something else",
             first(FRESH, to="-b"),
             _does("POST", "Location: http://{origin}/prefixed{here}-b", status=201),
             cached(to="-b")),
)

GROUPS = (
    Group("invalidation below a path", "RFC 9111 section 4.4", _PREFIXED, "prefixed"),
    Group("invalidation", "RFC 9111 section 4.4",
          (*_by_method(), *_by_status(), *_by_field(), *_OTHERS)),
)
