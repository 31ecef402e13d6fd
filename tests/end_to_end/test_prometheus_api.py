"""Every path of Prometheus's HTTP API, through Trickster and directly."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

from tests.end_to_end.bothways import BothWays
from tests.end_to_end.installation import exchange, spelled
from tests.end_to_end.servers import Answer, fetch
from tests.end_to_end.talking import Talk

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CACHED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/v1/query", {"query": "vector(7)"}),
    ("/api/v1/series", {"match[]": ["temperature", 'odd{n="1"}']}),
    ("/api/v1/labels", {}),
    ("/api/v1/labels", {"match[]": "odd"}),
    ("/api/v1/label/room/values", {}),
    ("/api/v1/label/name/values", {"match[]": "odd"}),
    ("/api/v1/label/__name__/values", {}),
    ("/api/v1/label/nolabel/values", {}),
    ("/api/v1/metadata", {}),
    ("/api/v1/targets", {}),
    ("/api/v1/targets/metadata", {"match_target": '{job="works"}', "metric": "jobs"}),
    ("/api/v1/alertmanagers", {}),
    ("/api/v1/scrape_pools", {}),
    ("/api/v1/format_query", {"query": 'sum(rate(x{a="b"}[5m]))by(c)'}),
    ("/api/v1/status/config", {}),
    ("/api/v1/status/flags", {}),
    ("/api/v1/status/runtimeinfo", {}),
    ("/api/v1/status/buildinfo", {}),
    ("/api/v1/status/tsdb", {}),
    ("/api/v1/status/walreplay", {}),
)
PASSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/v1/alerts", {}),
    ("/api/v1/rules", {}),
    ("/api/v1/rules", {"type": "alert"}),
    ("/", {}),
    ("/graph", {}),
    ("/classic/graph", {}),
    ("/classic/flags", {}),
    ("/classic/static/js/graph/index.js", {}),
    ("/classic/static/css/graph.css", {}),
    ("/-/healthy", {}),
    ("/-/ready", {}),
    ("/version", {}),
)
# This Prometheus does not know them, or not such values: its own words reach the client.
REFUSED: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("/api/v1/features", {}, 404),
    ("/api/v1/parse_query", {"query": "up"}, 404),
    ("/api/v1/nonsense", {}, 404),
    ("/no/such/page", {}, 404),
    ("/api/v1/query", {"query": "sum("}, 400),
    ("/api/v1/query", {}, 400),
    ("/api/v1/query", {"query": "up", "time": "x"}, 400),
    ("/api/v1/query", {"query": "up", "timeout": "x"}, 400),
    ("/api/v1/series", {}, 400),
    ("/api/v1/labels", {"match[]": "{"}, 400),
    ("/api/v1/label/a%2Fb/values", {}, 404),
    ("/api/v1/metadata", {"limit": "x"}, 400),
    ("/api/v1/rules", {"type": "x"}, 400),
    ("/api/v1/query_exemplars", {"query": "sum(", "start": 1, "end": 2}, 400),
    ("/api/v1/format_query", {"query": "sum("}, 400),
    ("/federate", {"match[]": "{"}, 400),
)


class EndpointTests(BothWays):
    """The endpoints of Prometheus's HTTP API, and what is stored of their responses."""

    is_scraped = True

    def test_what_is_cached(self) -> None:
        """
        A cached endpoint's response equals the origin's, is stored, and has an Age when it is a
        hit.
        """
        for path, params in CACHED:
            params = {**params, "time": self.now} if path == "/api/v1/query" else params
            first, second = self.both(path, params), self.both(path, params)
            self.assertEqual((first.status, first.lookup), (200, "kmiss"), (path, params))
            self.assertIsNone(first.headers["Age"])
            self.assertEqual((second.status, second.lookup), (200, "hit"), (path, params))
            self.assertLess(int(second.headers["Age"]), 30)
            self.assertEqual(second.body, first.body)
            self.assertIn("; hit; ttl=", second.headers["Cache-Status"])

    def test_what_is_passed_on(self) -> None:
        """A response of other endpoints is fetched each time, and redirects are passed on."""
        for path, params in PASSED:
            for _ in range(2):
                answer = self.both(path, params)
                self.assertEqual(answer.lookup, "proxy-only", path)
                self.assertIn("reason=proxy-path", answer.result)
                self.assertIsNone(answer.headers["Age"])

    def test_federation(self) -> None:
        """The federation endpoint is passed on, in its own format."""
        target = spelled("/federate", {"match[]": ["heat", 'odd{n="0"}']})
        got, want = self.between_scrapes(target)
        self.assert_same(got, want)
        self.assertIn(b"heat{", got.body)
        self.assertEqual(got.headers["Content-Type"].partition(";")[0], "text/plain")

    def between_scrapes(self, target: str) -> tuple[Answer, Answer]:
        for _ in range(50):
            before, got, after = (fetch(base + target) for base in (
                self.direct, self.through, self.direct))
            if before.body == after.body:
                return got, before
        raise AssertionError(f"{target} is never the same twice")

    def test_what_is_refused(self) -> None:
        """A request that the origin refuses is refused in the origin's words, and not stored."""
        for path, params, status in REFUSED:
            for _ in range(2):
                answer = self.both(path, params)
                self.assertEqual((answer.status, answer.lookup), (status, "proxy-only"), path)
                self.assertIn("reason=origin-status", answer.result)

    def test_time_ranges_of_lookups(self) -> None:
        """Whole seconds of a lookup are widened to the minute, and the header says so."""
        for path in ("/api/v1/labels", "/api/v1/label/job/values", "/api/v1/series"):
            match = {"match[]": "requests_total"}  # which has no holes at any time
            statuses = self.lookups(path, *(
                {"start": start, "end": end, **match} for start, end in (
                    (self.now - 600, self.now - 60), (self.now - 590, self.now - 90),
                    (self.now - 590.5, self.now - 90), (self.now - 540, self.now - 60))))
            self.assertEqual(statuses, ["kmiss", "hit", "kmiss", "kmiss"], path)
            told = self.get(path, {"start": self.now - 590, "end": self.now - 90, **match}).result
            self.assertIn(f"; aligned=[{self.now - 600}000-{self.now - 60}000]", told)
            told = self.get(path, {"start": self.now - 600, "end": self.now - 60, **match}).result
            self.assertNotIn("aligned", told)

    def test_instants(self) -> None:
        """The instant that is answered is the requested one, or the header names it."""
        for at in (self.now - 46, self.now - 45, self.now - 45.5):
            whole = datetime.fromtimestamp(at, UTC).isoformat()
            for text in (str(at), f"{at:.3f}", f"{at / 1e9:.12f}e9", whole):
                for method in ("GET", "POST"):
                    for backend in ("plain", "exact"):
                        self.assert_told(self.instant(text, method, backend), at, (
                            backend == "plain" and at == self.now - 46))

    def instant(self, text: str, method: str, backend: str) -> Answer:
        params = spelled("", {"query": "time()", "time": text})
        url = f"{self.through}/{backend}/api/v1/query"
        if method == "GET":
            return exchange("GET", url + params)
        return exchange("POST", url, _FORM, params[1:].encode())

    def assert_told(self, answer: Answer, at: float, is_rounded: bool) -> None:
        stamped, value = json.loads(answer.body)["data"]["result"]
        self.assertEqual(stamped, float(value))
        if is_rounded:
            self.assertEqual(stamped, at // 15 * 15)
            self.assertIn(f"; aligned=[{stamped}000-{stamped}000]", answer.result)
        else:
            self.assertEqual(stamped, at)
            self.assertNotIn("aligned", answer.result)

    def test_exemplars(self) -> None:
        """Exemplars are served and stored."""
        params = {"query": "jobs_total", "start": self.now - 300, "end": self.now + 60}
        self.assertIn(b"trace_id", self.both("/api/v1/query_exemplars", params).body)
        self.assertEqual(self.both("/api/v1/query_exemplars", params).lookup, "hit")

    def test_forms(self) -> None:
        """A form shares its response with the GET of the same parameters."""
        for path, params in (
                ("/api/v1/query", {"query": "sum(odd)", "time": self.now}),
                ("/api/v1/series", {"match[]": ["odd", "temperature"]}),
                ("/api/v1/labels", {"match[]": "temperature", "start": self.now}),
                ("/api/v1/query_exemplars", {"query": "jobs_total", "start": self.now - 600,
                                             "end": self.now}),
                ("/api/v1/format_query", {"query": "a+b"})):
            body = spelled("", params)[1:].encode()
            self.assertEqual(self.send(path, "POST", _FORM, body).lookup, "kmiss", path)
            self.assertEqual(self.both(path, params).lookup, "hit", path)

    def test_posted_without_a_form(self) -> None:
        """A POST with all parameters in its query string shares its response with the GET."""
        params = {"query": "sum(odd) + 1", "time": self.now}
        answer = self.send(spelled("/api/v1/query", params), "POST")
        self.assertEqual((answer.status, answer.lookup), (200, "kmiss"))
        self.assertEqual(self.both("/api/v1/query", params).lookup, "hit")

    def test_a_form_beside_a_query_string(self) -> None:
        """Parameters in both the form and the query string count as the origin counts them."""
        for form, query in (("query=1&time=15", "query=2&time=30"), ("query=1&time=15", "time=45"),
                            ("", "query=3&time=15"), ("query=vector(1)", "time=45"),
                            ("query=%zz", "query=4&time=15"), ("time=15", "query=a%zz")):
            for kind in (_FORM, {"Content-Type": "text/plain"}, {"Content-Type": "x"},
                         {"Content-Type": _FORM["Content-Type"] + "; charset=UTF-8"}):
                self.send(f"/api/v1/query?{query}", "POST", kind, form.encode())

    def test_filters_are_asked_for(self) -> None:
        """Parameters that filter are part of the key."""
        filters: tuple[tuple[str, tuple[dict[str, Any], ...]], ...] = (
            ("/api/v1/targets", ({"state": "active"}, {"state": "dropped"})),
            ("/api/v1/metadata", ({"metric": "heat"}, {"metric": "jobs"}, {"limit": 0})),
            ("/api/v1/targets/metadata", ({"metric": "heat"}, {"metric": "jobs"})),
            ("/api/v1/series", ({"match[]": "heat"}, {"match[]": ["heat", "odd"]})),
            ("/api/v1/labels", ({"match[]": "heat"}, {"match[]": "jobs_total"})),
        )
        for path, each in filters:
            bodies = {self.both(path, params).body for params in each}
            self.assertEqual(len(bodies), len(each), path)
            self.assertEqual(self.lookups(path, *each), ["hit"] * len(each), path)

    def test_limits_are_asked_for(self) -> None:
        """The limit of a lookup is part of the key."""
        for limit, status in ((1, "kmiss"), (2, "kmiss"), (1, "hit"), (2, "hit")):
            answer = self.get("/api/v1/metadata", {"limit": limit})
            self.assertEqual(answer.lookup, status)
            self.assertEqual(len(json.loads(answer.body)["data"]), limit)

    def test_parameters_that_the_origin_may_know(self) -> None:
        """Unknown parameters that may change a response are part of the key."""
        known = ("limit", "timeout", "lookback_delta", "stats", "dedup", "partial_response",
                 "max_source_resolution", "engine", "unheard_of")
        question = {"query": "count(odd)", "time": self.now}
        asked = [question, *({**question, name: "1"} for name in known)]
        for params in asked:
            self.assertEqual(self.get("/api/v1/query", params).lookup, "kmiss", params)
        self.assertEqual({self.get("/api/v1/query", params).lookup for params in asked}, {"hit"})

    def test_parameters_that_change_nothing(self) -> None:
        """The order of parameters, and those that browsers add, do not change the cache key."""
        first = {"query": "max(odd)", "time": self.now}
        self.assertEqual(self.lookups("/api/v1/query", first, {
            "_": "17", "time": self.now, "query": "max(odd)"}), ["kmiss", "hit"])

    def test_tenants(self) -> None:
        """The tenant is part of the key."""
        question = {"query": "min(odd)", "time": self.now}
        who: list[dict[str, str]] = [
            {}, {"X-Scope-OrgID": "a"}, {"X-Scope-OrgID": "b"}, {"X-Scope-OrgID": "a|b"},
            {"Authorization": "Basic YTpi"}, {"Authorization": "Basic YTpj"},
            {"X-Grafana-User": "u"}, {"THANOS-TENANT": "a"}]
        for wanted in ("kmiss", "hit"):
            for headers in who:
                answer = self.get("/api/v1/query", question, headers=headers)
                self.assertEqual(answer.lookup, wanted, headers)

    def test_no_cache(self) -> None:
        """A no-cache request gets a new response."""
        question = {"query": "avg(odd)", "time": self.now}
        headers = {"Cache-Control": "no-cache"}
        self.assertEqual(self.get("/api/v1/query", question).lookup, "kmiss")
        self.assertEqual(self.get("/api/v1/query", question, headers=headers).lookup, "kmiss")
        self.assertEqual(self.get("/api/v1/query", question).lookup, "hit")

    def test_cross_origin(self) -> None:
        """A cross-origin request gets the origin's CORS fields for its own site."""
        for site in ("http://a.example", "http://b.example"):
            answer = self.both("/api/v1/labels", headers={"Origin": site})
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")

    def test_compressed(self) -> None:
        """A client that accepts gzip reads the same response."""
        for path in ("/api/v1/label/__name__/values?x=1", "/classic/graph"):
            plain = fetch(self.direct + path).body
            for _ in range(2):
                got = fetch(self.through + path, headers={"Accept-Encoding": "gzip"})
                compressed = got.headers["Content-Encoding"] == "gzip"
                self.assertEqual(gzip.decompress(got.body) if compressed else got.body, plain)

    def test_admin_is_blocked(self) -> None:
        """The admin API is blocked for any method."""
        for path in ("tsdb/snapshot", "tsdb/delete_series?match[]=odd", "tsdb/clean_tombstones",
                     "", "%74sdb/snapshot"):
            for method in ("POST", "PUT", "GET"):
                answer = exchange(method, f"{self.through}/api/v1/admin/{path}")
                self.assertEqual(answer.status, 400, (method, path))
                self.assertEqual(answer.headers["Content-Type"], "application/json")
                self.assertEqual(json.loads(answer.body)["status"], "error")
                self.assertIn("reason=blocked", answer.result)

    def test_disguised_admin_paths(self) -> None:
        """The admin API is blocked in any spelling of its path."""
        before = fetch(f"{self.direct}/api/v1/status/tsdb").status
        for path in ("/api/v1/%61dmin/tsdb/snapshot", "/api/v1/./admin/tsdb/snapshot",
                     "/api/v1/x/../admin/tsdb/snapshot", "//api/v1/admin/tsdb/snapshot",
                     "/api/v1//admin/tsdb/snapshot", "/api//v1/admin/tsdb/snapshot",
                     "/plain/api/v1/%61dmin/tsdb/snapshot", "/api/v1%2Fadmin/tsdb/snapshot",
                     "/api/v1/adm%69n/tsdb/snapshot", "/x/%2e%2e/api/v1/admin/tsdb/snapshot"):
            answer = exchange("POST", self.through + path, body=b"")
            self.assertNotIn(b"snapshot", answer.body.lower().replace(b"/snapshot", b""), path)
            self.assertGreaterEqual(answer.status, 300, path)
        self.assertEqual(before, 200)
        self.assertFalse(list((self.installation.root / "prometheus/data").glob("snapshots/*")))

    def test_methods(self) -> None:
        """
        A method that a path does not have is refused as by the origin, which decides where it may
        know more.
        """
        for path in ("/api/v1/query?query=1", "/api/v1/query_range", "/api/v1/series",
                     "/api/v1/targets", "/api/v1/label/a/values"):
            self.send(path, "OPTIONS")
            for method in ("PUT", "PATCH", "BREW"):
                got, want = (exchange(method, where + path) for where in (self.through, self.direct))
                self.assertEqual((got.status, want.status), (405, 405), (method, path))
                theirs = set(want.headers["Allow"].split(", "))
                self.assertLessEqual(theirs - {"DELETE"}, set(got.headers["Allow"].split(", ")))
        for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "BREW"):
            for path in ("/api/v1/alerts", "/graph"):
                self.send(path, method)
        self.send("/api/v1/series", "DELETE")

    def test_head(self) -> None:
        """HEAD is answered as by the origin, or from a stored GET, and never with a body."""
        target = spelled("/api/v1/label/floor/values")
        self.send(target, "HEAD")
        stored = fetch(self.through + target)
        answer = exchange("HEAD", self.through + target)
        self.assertEqual((answer.status, answer.lookup, answer.body), (200, "hit", b""))
        self.assertEqual(int(answer.headers["Content-Length"]), len(stored.body))

    def test_targets_that_are_not_quite_urls(self) -> None:
        """A target with raw UTF-8, repeated slashes or dot segments gets the origin's response."""
        for target in ('/api/v1/query?query=vector(1)+or+x{city="köln"}', "//api/v1/query?query=1",
                       '/plain//api/v1/labels', "/api/v1/./query?query=1", "/x/../api/v1/labels",
                       "/api%2Fv1/query?query=1", '/api/v1/label/köln/values', "/graph//x"):
            raw = target.encode()
            got = _raw(self.through, raw)
            want = _raw(self.direct, raw.removeprefix(b"/plain"))
            self.assertEqual((got.status, got.headers["Location"]),
                             (want.status, want.headers["Location"]), target)
            if want.body.startswith(b"{"):
                self.assertEqual(json.loads(got.body)["status"], json.loads(want.body)["status"])

    def test_long_urls(self) -> None:
        """A GET may have an expression of 64 KiB."""
        rooms = "|".join(f"r{i}" for i in range(9000))
        query = f'temperature{{room=~"{rooms}"}}'
        self.assertGreater(len(query), 48 << 10)
        target = spelled("/api/v1/query", {"query": query, "time": self.now})
        self.assertGreater(len(target), 64 << 10)
        for status in ("kmiss", "hit"):
            self.assertEqual(self.send(target).lookup, status)
        ranged = spelled("/api/v1/query_range", {
            "query": query, "start": self.now - 600, "end": self.now, "step": 60})
        for status in ("kmiss", "hit"):
            self.assertEqual(self.send(ranged).lookup, status)


def _raw(url: str, target: bytes) -> Answer:
    """:return: the answer to a target that libraries would not send as it is."""
    with Talk(int(url.rpartition(":")[2])) as talk:
        talk.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
        return talk.answer()
