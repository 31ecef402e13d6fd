"""Tests of C{trickster.observability.decisionlog}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.logging.doubles import Lines
from trickster.errors import Reason
from trickster.messages import Engine, FastForward, Outcome, Request, Status
from trickster.observability.accesslog import AccessEntry
from trickster.observability.counters import RouteLabels
from trickster.observability.decisionlog import DecisionLog, Notes, Several, decision_fields
from trickster.observability.logging.lines import logfmt

SECOND = 10**9
LABELS = RouteLabels("prom", "prometheus", "/api/v1/query_range")


def entry(outcome: Outcome, **notes: Any) -> AccessEntry:
    """:return: a request with these notes."""
    noted = Notes()
    for name, values in notes.items():
        for value in values:
            noted(name, value)
    request = Request(b"GET", b"/api/v1/query_range?query=up&token=s3cret", noted=noted)
    return AccessEntry(request, LABELS, 200, outcome, 10, 0.25, 0.5)


def told(outcome: Outcome, **notes: Any) -> dict[str, object]:
    """:return: the fields of a line."""
    return dict(decision_fields(entry(outcome, **notes), 0.0))


class DecisionTests(SynchronousTestCase):
    """A line has the decisions that were made about a request."""

    def test_all(self) -> None:
        """A line has key, extents asked, held, fetched and stored, reason and the origin's time."""
        outcome = Outcome(
            Engine.DELTA, Status.PARTIAL_HIT, Reason.RANGE_MISS, "so",
            fetched=((60 * SECOND, 120 * SECOND),), failed=((60 * SECOND, 60 * SECOND),),
            fast_forward=FastForward.MISS, aligned=(0, 120 * SECOND), points_cached=7,
            points_fetched=2, stored=True, ttl=9.5, age=1.25, origin_status=200,
            missed=Reason.STALE)
        fields = told(outcome, key=["prom.dpc.1"], asked=[((1 * SECOND, 121 * SECOND),)],
                      held=[((0, 59 * SECOND),)], origin=["a:9090", "a:9090"],
                      originMS=[3.5, 4.5])
        for gone in ("time", "app", "method", "backendName", "provider", "path"):
            del fields[gone]
        self.assertEqual(fields, {
            "level": "debug", "event": "decision", "status": 200, "engine": "DeltaProxyCache",
            "uri": "/api/v1/query_range?query=up&token=*****", "cacheStatus": "phit",
            "key": "prom.dpc.1", "asked": "1000-121000", "held": "0-59000",
            "origin": "a:9090", "originRequests": 2, "originMS": "3.5,4.5",
            "reason": "range-miss", "missed": "stale", "detail": "so", "answered": "0-120000",
            "fetched": "60000-120000", "failed": "60000-60000", "fastForward": "miss",
            "pointsCached": 7, "pointsFetched": 2, "originStatus": 200, "stored": True,
            "ttl": 9.5, "age": 1.25, "headersMS": 250.0})

    def test_nothing_to_say(self) -> None:
        """A field without a value is left out of the line."""
        fields = told(Outcome(Engine.OBJECT, Status.HIT))
        self.assertEqual([name for name in fields if name not in (
            "time", "app", "level", "event", "method", "uri", "status", "backendName",
            "provider", "path", "engine", "cacheStatus", "headersMS")], ["stored"])

    def test_collapsed(self) -> None:
        """A response that came from another request's fetch is marked as collapsed."""
        self.assertTrue(told(Outcome(status=Status.PROXY_HIT))["collapsed"])
        self.assertTrue(told(Outcome(reason=Reason.COLLAPSED))["collapsed"])

    def test_form(self) -> None:
        """A form's parameters are in the line, with secrets masked."""
        asked = evolve(entry(Outcome()), form=b"query=up&password=s3cret")
        self.assertEqual(dict(decision_fields(asked, 0))["query"], "query=up&password=*****")

    def test_bounded(self) -> None:
        """However many requests to the origin there are, the line is not long."""
        fields = told(Outcome(), originMS=[1.0] * 10_000)
        self.assertLess(len(str(fields["originMS"])), 200)

    def test_no_notes(self) -> None:
        """A request without notes in its span has a line as well."""
        bare = evolve(entry(Outcome()), request=Request(b"GET", b"/"))
        self.assertNotIn("key", dict(decision_fields(bare, 0)))


class LogTests(SynchronousTestCase):
    """Which logs the lines are written to."""

    def test_line(self) -> None:
        """Each request makes one line."""
        sink = Lines()
        log = DecisionLog(sink, logfmt, lambda: 1.0)  # type: ignore[arg-type]
        log.write(entry(Outcome(), key=["k"]))
        (line,) = sink.lines
        self.assertIn("level=debug event=decision", line)
        self.assertIn("key=k", line)

    def test_several(self) -> None:
        """Several logs have each request in turn."""
        sink = Lines()
        log = DecisionLog(sink, logfmt, lambda: 1.0)  # type: ignore[arg-type]
        both = Several((log, log))
        both.write(entry(Outcome()))
        self.assertEqual((len(sink.lines), both.wants_notes), (2, True))
