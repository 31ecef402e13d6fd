"""Tests of C{trickster.admin.health} and C{trickster.admin.healthreport}."""

from __future__ import annotations

import json
from typing import Any

import yaml
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.admin.health import HealthOfAll, HealthOfOne, ProcessState, Ready
from trickster.admin.healthreport import BackendHealth, PoolMembers, Situation, as_text
from trickster.messages import Headers, Request, Response, octets_of
from trickster.testing.doubles import at_once
from trickster.upstream.health.state import Health, State, Verdict
from trickster.upstream.pooling.pool import PoolStats

BOARD = [
    BackendHealth("prom-02", "prometheus", Health(State.FAILING, 1_700_000_000.0, "status 500")),
    BackendHealth("prom-01", "prometheus", Health(State.PASSING, 5.0),
                  connections=PoolStats(0, 0, 1, 0, 5, 6)),
    BackendHealth("web", "proxy", connections=PoolStats(1, 2, 3, 4, 5, 6)),
    BackendHealth("new", "influxdb", Health(State.INITIALIZING)),
    BackendHealth("pool", "alb", Health(State.PASSING),
                  PoolMembers("rr", ("a", "b"), (), ("c",))),
]
NOW = "2023-11-14 22:14:20 UTC"


class HealthOfAllTests(SynchronousTestCase):
    """The report on all backends."""

    def got(self, target: bytes = b"/trickster/health", accept: bytes = b"*/*") -> Response:
        """:return: the answer."""
        clock = Clock()
        clock.advance(1_700_000_060)
        request = Request(b"GET", target, Headers(((b"Accept", accept),)))
        response: Response = at_once(HealthOfAll(lambda: BOARD, ProcessState(clock.seconds)).respond(request))
        return response

    def json(self, *args: bytes) -> Any:
        """:return: the report, read again."""
        return json.loads(octets_of(self.got(*args).body) or b"")

    def test_json(self) -> None:
        """Backends are sorted into those available, unavailable and unchecked."""
        report = self.json(b"/trickster/health?json")
        self.assertEqual((report["title"], report["updateTime"]),
                         ("Trickster Backend Health Status", NOW))
        names = {key: [entry["name"] for entry in report[key]]
                 for key in ("available", "unavailable", "unchecked")}
        self.assertEqual(names, {"available": ["pool", "prom-01"], "unavailable": ["prom-02"],
                                 "unchecked": ["new", "web"]})

    def test_json_entry(self) -> None:
        """An unavailable backend has the time since when, and the cause."""
        [entry] = self.json(b"/trickster/health?json")["unavailable"]
        self.assertEqual(entry, {"name": "prom-02", "provider": "prometheus",
                                 "downSince": "2023-11-14 22:13:20 UTC",
                                 "detail": "status 500"})

    def test_json_pool(self) -> None:
        """A pool names its members."""
        entry = self.json(b"/trickster/health?json")["available"][0]
        self.assertEqual((entry["mechanism"], entry["availablePoolMembers"],
                          entry["unavailablePoolMembers"]), ("rr", ["a", "b"], ["c"]))

    def test_json_connections(self) -> None:
        """A backend with an origin says how its connections are used, and who waits for one."""
        report = self.json(b"/trickster/health?json")
        self.assertEqual([entry.get("connections") for entry in report["unchecked"]], [
            None, {"active": 1, "streaming": 2, "idle": 3, "queued": 4}])
        self.assertEqual(report["available"][1]["connections"]["active"], 0)

    def test_text_connections(self) -> None:
        """A line tells of connections where one is in use, lasts, or is waited for."""
        for stats in (PoolStats(1, 0, 0, 0, 0, 0), PoolStats(0, 1, 0, 0, 0, 0),
                      PoolStats(0, 0, 0, 1, 0, 0), PoolStats(0, 0, 1, 0, 9, 9)):
            text = as_text(Situation([BackendHealth(
                "web", "proxy", Health(State.PASSING), connections=stats)], 0.0))
            is_used = stats.active + stats.lasting + stats.waiting > 0
            self.assertEqual("connections: " in text, is_used, stats)

    def test_forms(self) -> None:
        """The query or the Accept field choose the form; plain text is the default."""
        forms = [self.got(*args).headers.get(b"content-type") for args in (
            (), (b"/h?json",), (b"/h", b"application/json"), (b"/h?yaml",),
            (b"/h", b"application/yaml"), (b"/h?%zz",))]
        text = b"text/plain; charset=utf-8"
        self.assertEqual(forms, [text, b"application/json", b"application/json",
                                 b"application/yaml", b"application/yaml", text])

    def test_yaml(self) -> None:
        """YAML says the same as JSON."""
        report = yaml.safe_load(octets_of(self.got(b"/h?yaml").body) or b"")
        self.assertEqual(report, self.json(b"/h?json"))

    def test_text(self) -> None:
        """The text has a line a backend."""
        lines = (octets_of(self.got().body) or b"").decode().splitlines()
        for line in ("pool     alb         available a:[a,b] u:[c]",
                     "prom-01  prometheus  available",
                     "prom-02  prometheus  unavailable since 2023-11-14 22:13:20 UTC: status 500",
                     ("web      proxy       not configured for automated health checks; "
                      "connections: 1 active, 2 streaming, 3 idle, 4 queued"),
                     "new      influxdb    not known yet"):
            self.assertIn(line, lines)

    def test_no_backends(self) -> None:
        """No backends make an empty report."""
        self.assertIn("Health Status", as_text(Situation([], 0.0)))

    def test_failing_caches(self) -> None:
        """A cache that does not work is in the report in every form; one that works is not."""
        for form in (b"?json", b"?yaml", b""):
            request = Request(b"GET", b"/h" + form)
            for failing in ((), ("cold",)):
                responder = HealthOfAll(lambda: BOARD, ProcessState(
                    Clock().seconds, lambda names=failing: names))
                body = octets_of(at_once(responder.respond(request)).body) or b""
                self.assertEqual((b"cold" in body, b"ailing" in body), (bool(failing),) * 2)

    def test_draining(self) -> None:
        """A process that drains says so in every form of the report, and no other does."""
        for is_draining in (False, True):
            responder = HealthOfAll(lambda: BOARD, ProcessState(
                Clock().seconds, is_draining=lambda now=is_draining: now))
            for form in (b"?json", b"?yaml", b""):
                body = octets_of(at_once(responder.respond(Request(b"GET", b"/h" + form))).body)
                self.assertEqual(b"draining" in (body or b""), is_draining)

    def test_not_kept(self) -> None:
        """The report is not to be stored."""
        self.assertEqual(self.got().headers.get(b"cache-control"), b"no-cache")


class ReadyTests(SynchronousTestCase):
    """Whether the process takes requests."""

    def test_ready(self) -> None:
        """Readiness is a 200, and a 503 with C{Retry-After} when the process is about to end."""
        for is_draining, expected in ((False, (200, b"ready\n", None)),
                                      (True, (503, b"draining\n", b"1"))):
            state = ProcessState(Clock().seconds, is_draining=lambda now=is_draining: now)
            response = at_once(Ready(state).respond(Request(b"GET", b"/-/ready")))
            self.assertEqual((response.status, octets_of(response.body),
                              response.headers.get(b"retry-after")), expected)


class HealthOfOneTests(SynchronousTestCase):
    """Probing one backend now."""

    def got(self, name: bytes, verdict: Verdict) -> Response:
        """:return: the answer, where the only backend is C{prom 01}."""
        async def probe() -> Verdict:
            return verdict
        responder = HealthOfOne(lambda: {"prom 01": probe})
        request = Request(b"GET", b"/trickster/health/" + name)
        return at_once(responder.respond(request))  # type: ignore[no-any-return]

    def test_good(self) -> None:
        """A good probe is a 200 with Trickster's header."""
        response = self.got(b"prom%2001", Verdict())
        self.assertEqual((response.status, octets_of(response.body)), (200, b"available\n"))
        self.assertEqual(response.headers.get(b"trk-hc-status"), b"1")
        self.assertNotIn(b"trk-hc-detail", response.headers)

    def test_bad(self) -> None:
        """A failed probe is a 503 with the cause."""
        response = self.got(b"prom%2001", Verdict("status 500, not 200"))
        self.assertEqual((response.status, response.headers.get(b"trk-hc-status"),
                          response.headers.get(b"trk-hc-detail")),
                         (503, b"-1", b"status 500, not 200"))
        self.assertEqual(response.headers.get(b"retry-after"), b"1")

    def test_hostile_detail(self) -> None:
        """The header field with an error of any text is one short line."""
        response = self.got(b"prom%2001", Verdict("a\r\nSet-Cookie: x\0ä" + "y" * 1000))
        detail = response.headers.get(b"trk-hc-detail") or b""
        self.assertTrue(detail.startswith(b"a??Set-Cookie: x??yy"))
        self.assertEqual(len(detail), 200)

    def test_unknown(self) -> None:
        """A name that no backend has is a 404."""
        for name in (b"prom", b"", b"%ff"):
            self.assertEqual(self.got(name, Verdict()).status, 404)
