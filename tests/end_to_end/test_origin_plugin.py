"""A stranger's origin type: built, installed beside Trickster, and driven through twistd."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.end_to_end.plugging import PluginCase, done, found_at
from tests.end_to_end.servers import Answer, Trickster, fetch

PLUGIN = Path(__file__).parents[2] / "examples" / "origin_plugin"
STEP = 60
START = 1_700_000_040  # a whole minute
HOUR = 3600
TARGETS = ("servers.a.load", "servers.b.load")


class FakeGraphite:
    """
    Renders series that are made up of the time, and remembers what it was asked.

    :ivar asked: first and last instant of each request to C{/render}, in order.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        graphite = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(urllib.parse.urlsplit(self.path).query)

            def do_POST(self) -> None:
                octets = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                self._answer(octets.decode("ascii"))

            def _answer(self, query: str) -> None:
                octets = graphite.rendered(dict(urllib.parse.parse_qsl(query)))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def rendered(self, params: dict[str, str]) -> bytes:
        """:return: what Graphite answers: from is exclusive, until is inclusive."""
        if "target" not in params:
            return b'"1.1.10"'
        instants = range(int(params["from"]) // STEP * STEP + STEP, int(params["until"]) + 1, STEP)
        self.asked.append((instants[0], instants[-1]))
        series = [{"target": name, "tags": {"name": name},
                   "datapoints": [[value(name, t), t] for t in instants]} for name in TARGETS]
        return json.dumps(series).encode()

    def stop(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()


def value(name: str, instant: int) -> float | None:
    """:return: the value of a series: always the same at an instant, and now and then none."""
    tick = instant // STEP + len(name) * ord(name[8])
    return None if tick % 7 == 0 else math.sin(tick) * 10 ** (tick % 9 - 4)


class OriginPluginTests(PluginCase):
    """Graphite behind Trickster, by a plugin that Trickster does not know."""

    plugin = PLUGIN

    def serving(self) -> tuple[FakeGraphite, Trickster]:
        """:return: a Graphite, and a Trickster in front of it that has the plugin."""
        graphite = FakeGraphite()
        self.addCleanup(graphite.stop)
        trickster = self.started({"provider": "graphite", "origin_url": graphite.url,
                                  "graphite": {"resolution": "1m"},
                                  "timeseries_retention_factor": 1 << 30})
        return graphite, trickster

    def started(self, backend: dict[str, Any]) -> Trickster:
        with found_at(self.site):
            trickster = Trickster(Path(tempfile.mkdtemp(dir=self.directory.name)),
                                  {"default": backend})
        self.addCleanup(trickster.stop)
        return trickster

    def asked(self, trickster: Trickster, graphite: FakeGraphite, start: int, end: int,
              form: bool = False) -> Answer:
        """:return: the answer through Trickster, found to be Graphite's own."""
        params = {"target": "servers.*.load", "from": str(start), "until": str(end),
                  "format": "json", "maxDataPoints": "800"}
        query = urllib.parse.urlencode(params)
        answer = (fetch(f"{trickster.url}/render", query.encode()) if form
                  else fetch(f"{trickster.url}/render?{query}"))
        before = list(graphite.asked)
        own = json.loads(graphite.rendered(params))
        graphite.asked[:] = before
        self.assertEqual((answer.status, json.loads(answer.body)), (200, own))
        return answer

    def test_dashboard(self) -> None:
        """
        Only samples that were not fetched before are fetched, also for a window that slides, and
        responses are Graphite's own all the time.
        """
        graphite, trickster = self.serving()
        steps = [
            ((START, START + HOUR), False, "kmiss", [(START + 60, START + HOUR)]),
            ((START, START + HOUR), False, "hit", []),
            ((START + 7, START + HOUR + 59), True, "hit", []),
            ((START + 600, START + HOUR + 120), False, "phit",
             [(START + HOUR + 60, START + HOUR + 120)]),
            ((START - 60, START + HOUR + 180), True, "phit",
             [(START, START), (START + HOUR + 180, START + HOUR + 180)]),
            ((START + 2 * HOUR, START + 2 * HOUR + 60), False, "rmiss",
             [(START + 2 * HOUR + 60, START + 2 * HOUR + 60)]),
            ((START - 60, START + 2 * HOUR + 60), False, "phit",
             [(START + HOUR + 240, START + 2 * HOUR)]),
        ]
        for (start, end), form, status, fetched in steps:
            answer = self.asked(trickster, graphite, start, end, form)
            self.assertEqual((answer.lookup, sorted(graphite.asked)), (status, fetched))
            graphite.asked.clear()

    def test_passed_on(self) -> None:
        """
        A request that the plugin does not take for a time range is passed to Graphite each time.
        """
        graphite, trickster = self.serving()
        query = urllib.parse.urlencode({
            "target": "derivative(servers.*.load)", "from": str(START),
            "until": str(START + HOUR), "format": "json"})
        for _ in range(2):
            answer = fetch(f"{trickster.url}/render?{query}")
            self.assertEqual(answer.status, 200)
            self.assertNotEqual(answer.lookup, "hit")
            self.assertIn("range-dependent-query", answer.result)
        self.assertEqual(len(graphite.asked), 2)

    def test_own_tests(self) -> None:
        """The plugin's own tests pass where it is installed."""
        self.assertOwnTestsPass("tests.test_graphite")

    def test_not_installed(self) -> None:
        """A provider that is not installed is unknown, and the error names the known ones."""
        file = Path(tempfile.mkdtemp(dir=self.directory.name)) / "trickster.yaml"
        file.write_text("backends: {default: {provider: graphite, origin_url: 'http://x'}}\n")
        tried = done([str(Path(sys.executable).parent / "trickster"), "-config", str(file),
                      "-validate-config"])
        self.assertNotEqual(tried.returncode, 0)
        self.assertIn("graphite", tried.stderr + tried.stdout)
        self.assertIn("prometheus", tried.stderr + tried.stdout)
