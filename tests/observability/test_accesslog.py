"""Tests of C{trickster.observability.accesslog}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.logging.doubles import Lines
from trickster.errors import Reason
from trickster.messages import Engine, Headers, Outcome, Peer, Request, Status
from trickster.observability.accesslog import AccessEntry, AccessLog
from trickster.observability.counters import RouteLabels
from trickster.observability.logging.lines import json_text


def _entry(**kwargs: Any) -> AccessEntry:
    request = kwargs.pop("request", Request(b"GET", b"/"))
    outcome = kwargs.pop("outcome", Outcome(Engine.DELTA, Status.HIT))
    return AccessEntry(request, RouteLabels("prom", "prometheus", "/api/v1/*"), 200, outcome,
                       1234, 0.0011, 0.0022)


class AccessLogTests(SynchronousTestCase):
    """A line a request."""

    def fields(self, **kwargs: Any) -> dict[str, Any]:
        """:return: what is logged of an entry."""
        sink, clock = Lines(), Clock()
        clock.advance(1_700_000_000)
        AccessLog(sink, json_text, clock.seconds).write(_entry(**kwargs))
        return json.loads(sink.lines[0])  # type: ignore[no-any-return]

    def test_fields(self) -> None:
        """A line has client, request and outcome."""
        request = Request(b"GET", b"/x?y=1", Headers(((b"User-Agent", b"Grafana/11"),)),
                          peer=Peer("192.0.2.7", 999))
        self.assertEqual(self.fields(request=request), {
            "time": "2023-11-14T22:13:20.000Z", "app": "trickster", "level": "info",
            "event": "access", "method": "GET", "uri": "/x?y=1", "status": 200, "bytes": 1234,
            "durationMS": 2.2, "headersMS": 1.1, "backendName": "prom",
            "provider": "prometheus", "path": "/api/v1/*", "engine": "DeltaProxyCache",
            "cacheStatus": "hit", "client": "192.0.2.7", "userAgent": "Grafana/11"})

    def test_reason(self) -> None:
        """The line of a response that was no full hit has the reason."""
        outcome = Outcome(reason=Reason.UNDECODABLE, detail="no data in it")
        fields = self.fields(outcome=outcome)
        self.assertEqual((fields["reason"], fields["detail"]), ("undecodable", "no data in it"))
        self.assertNotIn("cause", fields)

    def test_stale(self) -> None:
        """The line of a stale response in place of the origin's has the origin's failure."""
        fields = self.fields(outcome=Outcome(
            Engine.OBJECT, Status.HIT, Reason.STALE, "stale-if-error", cause=Reason.ORIGIN_TIMEOUT))
        self.assertEqual((fields["reason"], fields["cause"], fields["detail"]),
                         ("stale", "origin-timeout", "stale-if-error"))

    def test_bounded(self) -> None:
        """However much a client sends, a line is of some KiB."""
        request = Request(b"M" * 9999, b"/" + b"x" * 99999,
                          Headers(((b"User-Agent", b"\0" * 9999),)))
        fields = self.fields(request=request, outcome=Outcome(detail="d" * 9999))
        self.assertLess(len(json.dumps(fields)), 8000)

    def test_odd_octets(self) -> None:
        """Octets that are no text do no harm."""
        request = Request(b"G\xffT", b"/\xfe", Headers(((b"User-Agent", b"\xfd"),)))
        fields = self.fields(request=request)
        self.assertEqual((fields["method"], fields["uri"], fields["userAgent"]),
                         ("G\\xffT", "/\\xfe", "\\xfd"))
