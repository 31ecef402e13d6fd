"""Samples of every kind: instants, results, labels that are set, remote reading and writing."""

from __future__ import annotations

import json
import time

from tests.end_to_end.bothways import BothWays
from tests.end_to_end.installation import scrubbed, spelled
from tests.end_to_end.protobufs import (
    READ_HEADERS,
    WRITE_HEADERS,
    asked,
    histogram,
    unsnappy,
    written,
)
from tests.end_to_end.servers import fetch


class SampleTests(BothWays):
    """Instants, kinds of results, labels that are set, remote reading and writing."""

    def test_instants_are_rounded(self) -> None:
        """Instants in whole seconds, however spelled, are rounded down to 15 seconds."""
        query = "sum(temperature)"
        times = (self.now, self.now + 14, self.now + 15, f"{self.now + 14}.0", self.now + 14.5)
        statuses, bodies = [], []
        for at in times:
            answer = self.get("/api/v1/query", {"query": query, "time": at})
            statuses.append(answer.lookup)
            bodies.append(json.loads(answer.body)["data"]["result"][0]["value"][0])
        self.assertEqual(statuses, ["kmiss", "hit", "kmiss", "hit", "kmiss"])
        self.assertEqual([at - self.now for at in bodies], [0, 0, 15, 0, 14.5])
        rfc3339 = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now + 15))
        self.both("/api/v1/query", {"query": query, "time": rfc3339})

    def test_kinds_of_results(self) -> None:
        """
        Vectors, scalars, strings, matrices and empty results are served unchanged, also from the
        cache.
        """
        for kind, query in (
                ("vector", "odd"), ("vector", "missing"), ("scalar", "1e300"), ("scalar", "NaN"),
                ("scalar", "-Inf"), ("string", '"a \\"b\\" ü <>"'), ("matrix", "odd[10m]"),
                ("matrix", "requests_total[1m]"), ("matrix", "missing[1m]"),
                ("vector", "requests_total @ end()"), ("vector", "temperature offset 1h"),
                ("matrix", "temperature[10m:1m]")):
            question = {"query": query, "time": self.now}
            first, second = (self.both("/api/v1/query", question) for _ in range(2))
            self.assertEqual(json.loads(first.body)["data"]["resultType"], kind)
            self.assertEqual((first.lookup, second.lookup), ("kmiss", "hit"), query)

    def test_stats(self) -> None:
        """The statistics of a query are served unchanged."""
        for path, more in (("/api/v1/query", {"time": self.now}), ("/api/v1/query_range", {
                "start": self.now - 600, "end": self.now, "step": 60})):
            for value in ("all", "1"):
                target = spelled(path, {"query": "odd", "stats": value, **more})
                got, want = (scrubbed(fetch(base + target).body, frozenset({"timings"}))
                             for base in (self.through, self.direct))
                self.assertEqual(got, want)
                self.assertIn("samples", got["data"]["stats"])

    def test_labels_that_are_set(self) -> None:
        """Configured labels are on every series, in label order, and nothing else changes."""
        labels = {"cluster": 'a "b"', "zone": "z"}
        ranged = {"start": self.now - 600, "end": self.now, "step": 60}
        for path, more in (("/api/v1/query", {"time": self.now}), ("/api/v1/query_range", ranged)):
            for query in ("temperature", "sum(odd)", "vector(1)", "missing",
                          "sum by (zone) (label_replace(odd, 'zone', 'y', '', ''))"):
                params = {"query": query, **more}
                want = json.loads(fetch(self.direct + spelled(path, params)).body)
                for series in want["data"]["result"]:
                    series["metric"].update(labels)
                for status in ("kmiss", "hit"):
                    got = self.get(path, params, "labelled")
                    self.assertEqual(json.loads(got.body), want, (path, query))
                    self.assertEqual(got.lookup, status, (path, query))
        scalar = {"query": "1", "time": self.now}
        self.assertEqual(self.get("/api/v1/query", scalar, "labelled").body,
                         fetch(self.direct + spelled("/api/v1/query", scalar)).body)

    def test_set_labels_are_found(self) -> None:
        """Configured labels are among the label names, and their values among the values."""
        names = json.loads(fetch(f"{self.direct}/api/v1/labels").body)["data"]
        for path, want in (
                ("/api/v1/labels", sorted([*names, "cluster", "zone"])),
                ("/api/v1/label/cluster/values", ['a "b"']),
                ("/api/v1/label/zone/values", ["z"]),
                ("/api/v1/label/floor/values", ["0", "1"])):
            for _ in range(2):
                got = json.loads(self.get(path, backend="labelled").body)
                self.assertEqual(got, {"status": "success", "data": want}, path)
        for path in ("/api/v1/query", "/api/v1/query_range", "/api/v1/series"):
            got = self.get(path, backend="labelled")
            self.assertEqual(got.status, 400)
            self.assertEqual(got.body, fetch(self.direct + path).body)

    def test_remote_write(self) -> None:
        """Samples that are written through Trickster can be queried, and errors are passed on."""
        at = int(time.time() * 1000)
        body = written({"__name__": "remote", "by": "trickster"}, [(at, 4.25)])
        answer = fetch(f"{self.through}/api/v1/write", body, WRITE_HEADERS)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(answer.lookup, "proxy-only")
        found = self.both("/api/v1/query", {"query": "remote", "time": at / 1000 + 1})
        self.assertIn(b'"4.25"', found.body)
        self.assertEqual(
            self.send("/api/v1/write", "POST", WRITE_HEADERS, b"rubbish").status, 400)

    def test_remote_read(self) -> None:
        """Remote reads are passed on, whole or streamed."""
        for streamed in (False, True):
            body = asked({"__name__": "temperature", "room": "r0"}, (self.now - 600) * 1000,
                         self.now * 1000, streamed)
            got = self.send("/api/v1/read", "POST", READ_HEADERS, body)
            self.assertEqual(got.status, 200)
            self.assertIn(b"room", got.body if streamed else unsnappy(got.body))
            self.assertEqual(got.lookup, "proxy-only")

    def test_native_histograms(self) -> None:
        """
        Native histograms are served unchanged in instant and range queries, also from the cache.
        """
        last = int(time.time()) // 15 * 15
        samples = [histogram((last - 15 * i) * 1000, [3 + i, 1, 0, 7 * i], 12.5 + i)
                   for i in reversed(range(8))]
        answer = fetch(f"{self.through}/api/v1/write", written(
            {"__name__": "native", "kind": "h"}, histograms=samples), WRITE_HEADERS)
        self.assertEqual(answer.status, 204, answer.body)
        ranged = {"start": last - 90, "end": last, "step": 15}
        for query in ("native", "rate(native[1m])", "histogram_quantile(0.5, native)",
                      "native or temperature"):
            statuses = []
            for window in (ranged, ranged, {**ranged, "start": last - 105}):
                statuses.append(self.both("/api/v1/query_range",
                                          {"query": query, **window}).lookup)
            self.assertEqual(statuses, ["kmiss", "hit", "phit"], query)
            self.both("/api/v1/query", {"query": query, "time": last})
        got = self.get("/api/v1/query_range", {"query": "native", **ranged}, "labelled").body
        series = json.loads(got)["data"]["result"][0]
        self.assertEqual(series["metric"]["zone"], "z")
        self.assertEqual(len(series["histograms"]), 7)
