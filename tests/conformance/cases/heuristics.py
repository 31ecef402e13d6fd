"""Freshness by guess, where the origin says nothing but when it last changed."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from tests.conformance.model import (
    Case,
    Group,
    cached,
    fetched,
    first,
    informative,
    not_reused,
    optional,
    required,
    reused,
)

OLD = "Last-Modified: {-864000}"


def _by_status() -> Iterator[Case]:
    for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501):
        yield optional(f"the status {status} may be fresh by guess",
                       first(OLD, status=status), cached())
    for status in (201, 202, 299, 302, 303, 307, 400, 403, 409, 429, 500, 502, 503, 504, 599):
        yield required(f"the status {status} is never fresh by guess",
                       first(OLD, status=status), fetched())
    for status in (201, 302, 403, 599):
        yield optional(f"public allows guesses for the status {status}",
                       first(OLD, "Cache-Control: public", status=status), cached())


def _by_distance() -> Iterator[Case]:
    for seconds in (5, 60, 3600):
        yield informative(f"what changed {seconds} seconds ago is fresh for a moment",
                          first(f"Last-Modified: {{-{seconds}}}"), cached())
    for seconds in (86400, 8640000):
        yield optional(f"what changed {seconds} seconds ago is fresh for a while",
                       first(f"Last-Modified: {{-{seconds}}}"), cached())


_OTHERS = (
    optional("a guess is for answers with public too",
             first(OLD, "Cache-Control: public"), cached()),
    not_reused("what has no Last-Modified is not fresh by guess", 'ETag: "a"'),
    not_reused("what will change in the future is not fresh by guess", "Last-Modified: {+3600}"),
    not_reused("a Last-Modified that is no date gives no guess", "Last-Modified: yesterday"),
    not_reused("an explicit lifetime leaves nothing to guess", OLD, "Cache-Control: max-age=0"),
    not_reused("an Expires that has passed leaves nothing to guess", OLD, "Expires: {-10}"),
    not_reused("an Age above any guess is stale", OLD, "Age: 864000"),
    optional("a target with a query is no different",
             first(OLD, to="?a=1"), cached(to="?a=1")),
    optional("an attachment is no different",
             first(OLD, "Content-Disposition: attachment; filename=a"), cached()),
    reused("an attachment with explicit freshness is no different",
           "Cache-Control: max-age=3600", "Content-Disposition: attachment; filename=a"),
    optional("what is fresh by guess has an Age",
             first(OLD), evolve(cached(), has=("Age: >=0",))),
)

GROUPS = (
    Group("heuristics", "RFC 9111 section 4.2.2", (*_by_status(), *_by_distance(), *_OTHERS)),
)
