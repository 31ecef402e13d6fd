"""What Trickster tells of itself: headers, metrics, health and configuration."""

from __future__ import annotations

import json
import time
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.end_to_end.installation import exchange
from tests.end_to_end.reporting import NOW, SECRET, Reporting
from tests.end_to_end.servers import Answer, fetch
from tests.end_to_end.talking import Talk, request

_ROUTE = {"backend_name", "provider", "method", "path", "http_status"}


class HeaderTests(Reporting):
    """The fields X-Trickster-Result and Cache-Status."""

    def test_result_and_cache_status(self) -> None:
        """Each response states its cache status, and why it was not a full hit."""
        ms = NOW * 1000
        def fetched(start: int, end: int) -> str:
            return rf"fetched=\[{ms + start * 1000}-{ms + end * 1000}\]"

        aligned = fetched(-660, -300).replace("fetched", "aligned")
        failed = fetched(-600, -300).replace("fetched", "failed")
        aligned = fetched(-660, -300).replace("fetched", "aligned")
        failed = fetched(-600, -300).replace("fetched", "failed")
        # query, range, headers; then what both fields have to match
        cases: tuple[tuple[str, int, int, dict[str, str], str, str], ...] = (
            ("a", -600, -300, {},
             f"status=kmiss; {fetched(-600, -300)}; ffstatus=off; reason=key-miss",
             "fwd=uri-miss; fwd-status=200; stored; detail=key-miss"),
            ("a", -600, -300, {}, "status=hit; ffstatus=off", "hit"),
            ("a", -600, -240, {},
             f"status=phit; {fetched(-240, -240)}; ffstatus=off; reason=range-miss",
             "fwd=partial; fwd-status=200; stored; detail=range-miss"),
            ("a", -6000, -5400, {},
             f"status=rmiss; {fetched(-6000, -5400)}; ffstatus=off; reason=range-miss",
             "fwd=partial; fwd-status=200; stored; detail=range-miss"),
            ("a", -601, -299, {},
             f"status=phit; {fetched(-660, -660)}; ffstatus=off; {aligned}; reason=range-miss",
             "fwd=partial; fwd-status=200; stored; detail=range-miss"),
            ("a", -600, -300, {"Cache-Control": "no-cache"},
             f"status=rmiss; {fetched(-600, -300)}; ffstatus=off; reason=request-no-cache",
             "fwd=request; fwd-status=200; stored; detail=request-no-cache"),
            ("fail", -600, -300, {},
             f"status=proxy-error; {fetched(-600, -300)}; {failed}; reason=origin-status",
             "fwd=miss; fwd-status=503; detail=origin-status"),
        )
        for query, start, end, headers, result, status in cases:
            answer = self.ask(query, start, end, headers=headers)
            self.assertRegex(answer.result, f"^engine=DeltaProxyCache; {result}$")
            self.assertRegex(answer.headers["Cache-Status"], f"^Trickster; {status}$")

    def test_reasons(self) -> None:
        """A response that was not cached says why."""
        for query, start, end, backend, reason in (
                ("x @ end()", -600, -300, "good", "range-dependent-query"),
                ("sum(", -600, -300, "good", "unparsable-query"),
                ("warn", -600, -300, "good", "origin-warnings"),
                ("x", -300, -600, "good", "inverted-range"),
                ("x", -90000, 0, "good", "range-refused"),
                ("x", -600, -300, "down", "origin-unreachable")):
            answer = self.ask(query, start, end, backend)
            self.assertIn(f"reason={reason}", answer.result, (query, answer.status))
            self.assertIn(f"detail={reason}", answer.headers["Cache-Status"])


class RefusalTests(Reporting):
    """Error responses of Trickster to clients of Prometheus's API."""

    def refused(self, answer: Answer, kind: str) -> None:
        """See that an answer is an error of the API, and gives nothing away."""
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        told = json.loads(answer.body)
        self.assertEqual((told["status"], told["errorType"]), ("error", kind))
        self.assertNotIn("127.0.0.1", str(answer.body) + str(answer.headers))

    def test_api(self) -> None:
        """An error of Trickster on an API path is JSON, as Prometheus's own errors are."""
        self.refused(self.ask("x", -90000, 0), "bad_data")
        self.refused(self.ask("x", -600, -300, "down"), "unavailable")
        for path in ("query?query=x", "labels", "series?match[]=x", "alerts", "no/such/thing"):
            answer = fetch(f"{self.trickster.url}/down/api/v1/{path}")
            self.assertEqual(answer.status, 502)
            self.refused(answer, "unavailable")
        self.refused(request(f"{self.trickster.url}/good/api/v1/query", method="TRACE"),
                     "bad_data")
        with Talk(self.trickster.port) as talk:
            large = talk.asked("/good/api/v1/query", [("Content-Length", str(1 << 40))], "POST")
        self.assertEqual(large.status, 413)
        self.refused(large, "bad_data")

    def test_elsewhere(self) -> None:
        """An error on any other path is plain text, which reveals nothing either."""
        for answer in (fetch(f"{self.trickster.url}/down/graph"),
                       fetch(f"{self.trickster.url}/down/%2e%2e/x")):
            self.assertEqual(answer.headers["Content-Type"].partition(";")[0], "text/plain")
            self.assertNotIn("127.0.0.1", str(answer.body) + str(answer.headers))


class MetricsTests(Reporting):
    """Metrics after some requests."""

    def families(self) -> dict[str, Any]:
        """:return: what the metrics say; a page is at most a second old."""
        time.sleep(1.1)
        page = fetch(f"{self.trickster.metrics_url}/metrics")
        self.assertEqual(page.headers["Content-Type"].partition(";")[0], "text/plain")
        return {f.name: f for f in text_string_to_metric_families(page.body.decode())}

    def total(self, families: dict[str, Any], name: str, **labels: str) -> float:
        """:return: the sum of a family's samples with these labels; of a histogram, how many."""
        return sum(float(s.value) for s in families[f"trickster_{name}"].samples
                   if s.name.removeprefix(f"trickster_{name}") in ("", "_total", "_count")
                   and labels.items() <= s.labels.items())

    def test_requests(self) -> None:
        """Requests are counted by configured path, cache status and reason."""
        octets = sum(len(self.ask(query, start, -300, "unchecked").body) for start, query in (
            (-600, "m"), (-600, "m"), (-660, "m"), (-600, "fail")))
        for room in "abc":
            fetch(f"{self.trickster.url}/unchecked/api/v1/label/{room}/values")
            fetch(f"{self.trickster.url}/unchecked/some/page/{room}")
        backend = {"backend_name": "unchecked", "provider": "prometheus"}
        ranged = {**backend, "path": "/api/v1/query_range"}
        got = {**ranged, "method": "GET"}
        families = self.families()
        for name, labels, wanted in (
                ("frontend_requests", {**got, "http_status": "2xx"}, 3),
                ("frontend_requests", {**got, "http_status": "5xx"}, 1),
                ("frontend_requests", {**backend, "path": "/api/v1/label/"}, 3),
                ("frontend_requests", {**backend, "path": "/"}, 3),
                ("frontend_requests_duration_seconds", got, 4),
                ("proxy_request_duration_seconds", {**got, "status": "hit"}, 1),
                ("proxy_requests", {**got, "cache_status": "hit"}, 1),
                ("proxy_requests", {**got, "cache_status": "phit", "http_status": "200"}, 1),
                ("proxy_requests", {**got, "cache_status": "proxy-error",
                                    "http_status": "503"}, 1),
                ("proxy_reasons", {**ranged, "reason": "key-miss"}, 1),
                ("proxy_reasons", {**ranged, "reason": "range-miss"}, 1),
                ("proxy_reasons", {**ranged, "reason": "origin-status"}, 1),
                ("proxy_points", {**ranged, "cache_status": "uncached"}, 7),
                ("proxy_points", {**ranged, "cache_status": "cached"}, 12)):
            self.assertEqual(self.total(families, name, **labels), wanted, (name, labels))
        self.assertEqual(self.total(families, "frontend_written_bytes", **ranged), octets)
        paths = {s.labels["path"] for s in families["trickster_frontend_requests"].samples}
        self.assertFalse([path for path in paths if "page" in path or "values" in path])

    def test_names_and_labels(self) -> None:
        """The metrics that dashboards use are there, with their labels."""
        self.ask("n", -600, -300)
        self.ask("n", -90000, 0)
        self.ask("n", -600, -300, "down")
        families = self.families()
        for name, labels in (
                ("build_info", None),
                ("config_last_reload_successful", set()),
                ("config_last_reload_success_time_seconds", set()),
                ("frontend_requests", _ROUTE),
                ("frontend_requests_duration_seconds", _ROUTE),
                ("frontend_written_bytes", _ROUTE),
                ("proxy_requests", {*_ROUTE, "cache_status"}),
                ("proxy_request_duration_seconds", {*_ROUTE, "status"}),
                ("proxy_points", {"backend_name", "provider", "cache_status", "path"}),
                ("proxy_query_range_rejections", {"backend_name"}),
                ("proxy_max_connections", set()), ("proxy_active_connections", set()),
                ("proxy_requested_connections", set()), ("proxy_accepted_connections", set()),
                ("proxy_closed_connections", set()), ("proxy_failed_connections", set()),
                ("cache_operation_objects", {"cache_name", "provider", "operation", "status"}),
                ("cache_operation_bytes", {"cache_name", "provider", "operation", "status"}),
                ("cache_usage_objects", {"cache_name", "provider"}),
                ("cache_usage_bytes", {"cache_name", "provider"}),
                ("cache_max_usage_objects", {"cache_name", "provider"}),
                ("cache_max_usage_bytes", {"cache_name", "provider"}),
                ("cache_usage_protected_bytes", {"cache_name", "provider"}),
                ("healthcheck_probe_latency_seconds", {"backend_name"})):
            samples = families[f"trickster_{name}"].samples
            self.assertTrue(samples, name)
            if labels is not None:
                self.assertEqual({*samples[0].labels} - {"le"}, labels, name)
        self.assertEqual(self.total(families, "proxy_query_range_rejections",
                                    backend_name="good"), 1)
        self.assertGreater(self.total(families, "cache_usage_objects"), 0)
        self.assertIn("process_cpu_seconds", families)

    def test_when_it_was_configured(self) -> None:
        """The configuration at the start counts as a successful load."""
        families = self.families()
        self.assertEqual(self.total(families, "config_last_reload_successful"), 1)
        loaded = self.total(families, "config_last_reload_success_time_seconds")
        self.assertLess(abs(time.time() - loaded), 300)


class EndpointTests(Reporting):
    """The built-in endpoints, each on its listeners and nowhere else."""

    def statuses(self, path: str) -> tuple[int, int, int]:
        """:return: of the frontend, the metrics and the management listener."""
        front, metrics, mgmt = (fetch(base + path).status for base in (
            self.trickster.url, self.trickster.metrics_url, self.trickster.mgmt_url))
        return front, metrics, mgmt

    def test_ping(self) -> None:
        """The frontend answers a ping in plain text that is not cached."""
        answer = fetch(f"{self.trickster.url}/trickster/ping")
        self.assertEqual((answer.status, answer.body), (200, b"pong"))
        self.assertEqual(answer.headers["Content-Type"].partition(";")[0], "text/plain")
        self.assertIn("no-cache", answer.headers["Cache-Control"])
        self.assertEqual(exchange("HEAD", f"{self.trickster.url}/trickster/ping").body, b"")

    def health(self) -> Any:
        for _ in range(200):
            report = json.loads(fetch(
                f"{self.trickster.metrics_url}/trickster/health?json").body)
            if report["available"] and report["unavailable"]:
                return report
            time.sleep(0.05)
        raise AssertionError("the health of the backends is not known")

    def test_health_of_all(self) -> None:
        """The health of every backend is served, for programs and for people."""
        report = self.health()
        self.assertEqual([entry["name"] for entry in report["available"]], ["good"])
        self.assertEqual([entry["name"] for entry in report["unavailable"]], ["down"])
        self.assertEqual([entry["name"] for entry in report["unchecked"]], ["unchecked"])
        self.assertIn("downSince", report["unavailable"][0])
        self.assertIn("detail", report["unavailable"][0])
        url = f"{self.trickster.metrics_url}/trickster/health"
        accepted = fetch(url, headers={"Accept": "application/json"})
        self.assertEqual(accepted.headers["Content-Type"], "application/json")
        self.assertEqual(set(json.loads(accepted.body)), set(report))
        self.assertEqual(set(yaml.safe_load(fetch(f"{url}?yaml").body)), set(report))
        text = fetch(url)
        self.assertEqual(text.headers["Content-Type"].partition(";")[0], "text/plain")
        self.assertRegex(text.body.decode(), r"good +prometheus +available(; connections: .*)?\n")
        self.assertRegex(text.body.decode(), r"down +prometheus +unavailable since ")

    def test_health_of_one(self) -> None:
        """A request for the health of one backend probes that backend."""
        url = f"{self.trickster.metrics_url}/trickster/health"
        for name, status, state in (("good", 200, "1"), ("unchecked", 200, "1"),
                                    ("down", 503, "-1")):
            answer = fetch(f"{url}/{name}")
            self.assertEqual((answer.status, answer.headers["Trk-HC-Status"]), (status, state))
        self.assertTrue(fetch(f"{url}/down").headers["Trk-HC-Detail"])
        self.assertEqual(fetch(f"{url}/nobody").status, 404)

    def test_configuration(self) -> None:
        """The running configuration is shown, whole and without secrets."""
        for path in ("/trickster/config", "/trickster/config/sanitized"):
            answer = fetch(self.trickster.mgmt_url + path)
            self.assertEqual(answer.status, 200)
            self.assertNotIn(SECRET.encode(), answer.body)
            shown = yaml.safe_load(answer.body)
            self.assertEqual(set(shown["backends"]), {"good", "down", "unchecked"})
            self.assertEqual(shown["listeners"]["default"]["port"], self.trickster.port)

    def test_listeners(self) -> None:
        """The built-in endpoints are not on the frontend, where their paths go to the origin."""
        # The scripted origin answers every request.
        origins = 200
        for path, wanted in (
                ("/trickster/health", (origins, 200, 404)),
                ("/trickster/health/down", (origins, 503, 404)),
                ("/trickster/config", (origins, 404, 200)),
                ("/metrics", (origins, 200, 404))):
            self.assertEqual(self.statuses(path), wanted, path)
            answer = fetch(self.trickster.url + path)
            self.assertEqual(answer.body, b'{"status":"success","data":[]}')
