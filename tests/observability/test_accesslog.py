"""Tests of C{trickster.observability.accesslog} and C{.masking}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.observability.doubles import Lines
from trickster.errors import Reason
from trickster.messages import Engine, Headers, Outcome, Peer, Request, Status
from trickster.observability.accesslog import AccessEntry, AccessLog
from trickster.observability.counters import RouteLabels
from trickster.observability.lines import json_text
from trickster.observability.masking import masked_target, masked_text


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
        """A line says who asked what, and what became of it."""
        request = Request(b"GET", b"/x?y=1", Headers(((b"User-Agent", b"Grafana/11"),)),
                          peer=Peer("192.0.2.7", 999))
        self.assertEqual(self.fields(request=request), {
            "time": "2023-11-14T22:13:20.000Z", "app": "trickster", "level": "info",
            "event": "access", "method": "GET", "uri": "/x?y=1", "status": 200, "bytes": 1234,
            "durationMS": 2.2, "headersMS": 1.1, "backendName": "prom",
            "provider": "prometheus", "path": "/api/v1/*", "engine": "DeltaProxyCache",
            "cacheStatus": "hit", "client": "192.0.2.7", "userAgent": "Grafana/11"})

    def test_reason(self) -> None:
        """Where it was no full hit, it says why."""
        outcome = Outcome(reason=Reason.UNDECODABLE, detail="no data in it")
        fields = self.fields(outcome=outcome)
        self.assertEqual((fields["reason"], fields["detail"]), ("undecodable", "no data in it"))
        self.assertNotIn("cause", fields)

    def test_stale(self) -> None:
        """Where a stale answer stands for one of the origin's, it says what the origin did."""
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


class MaskingTests(SynchronousTestCase):
    """Secrets in targets."""

    def test_parameters(self) -> None:
        """Values of parameters that look secret are not shown."""
        for name in ("password", "p", "Token", "access_token", "api_key", "X-Amz-Signature",
                     "pass%77ord", "jwt", "key", "authToken", "accesstoken"):
            self.assertEqual(masked_target(f"/q?u=me&{name}=s3cret&x=1".encode()),
                             f"/q?u=me&{name}=*****&x=1")

    def test_others(self) -> None:
        """All else is."""
        target = "/api/v1/query?query=up%7Bx%3D%22y%22%7D&start=1&monkey=2&empty=&flag"
        self.assertEqual(masked_target(target.encode()), target)

    def test_no_query(self) -> None:
        """Paths are shown whole."""
        self.assertEqual(masked_target(b"/password=x"), "/password=x")

    def test_statements(self) -> None:
        """A statement that sets a password is shown without it."""
        cases = [
            (b"/query?q=CREATE+USER+a+WITH+PASSWORD+'s3cret'&x=1",
             "/query?q=CREATE+USER+a+WITH+PASSWORD+'*****&x=1"),
            (b"/query?q=set%20password%20FOR%20%22a%22%20%3D%20%27s3cret%27",
             "/query?q=set%20password%20FOR%20%22*****"),
        ]
        for target, expected in cases:
            self.assertEqual(masked_target(target), expected)

    def test_long(self) -> None:
        """A long target is cut."""
        self.assertEqual(masked_target(b"/" + b"x" * 5000), "/" + "x" * 2047 + "...")

    def test_texts(self) -> None:
        """Users and passwords go from URLs in any text, and so do secret parameters."""
        self.assertEqual(
            masked_text("GET http://me:s3cret@x/?u=1&p=s3cret failed, token=s3cret a=b"),
            "GET http://*****@x/?u=1&p=***** failed, token=***** a=b")
