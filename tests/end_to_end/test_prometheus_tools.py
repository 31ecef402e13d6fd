"""Prometheus's own tools do their work through Trickster: promtool and the web page."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.chromium import Chromium
from tests.end_to_end.installation import Installation
from tests.end_to_end.servers import fetch, program
from tests.end_to_end.waiting import PATIENCE

_LOAD_TIME = re.compile(r"Load time: \d+ms")
_SERIES = re.compile(r'<span class="label">([^<]+)</span>')
_PATHS = re.compile(r'<path [^>]*\bd="([^"]+)"')
_HEIGHT = re.compile(r",([0-9.]+)")
# Above this row, the page tells how long the query took.
_BELOW_THE_TIMES = 230


class ToolTests(SynchronousTestCase):
    """C{promtool query}, and a browser with the page of graphs, find no difference."""

    installation: ClassVar[Installation]
    profile: ClassVar[tempfile.TemporaryDirectory[str]]
    chromium: ClassVar[Chromium]

    @classmethod
    def setUpClass(cls) -> None:
        cls.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        cls.chromium = Chromium(Path(cls.profile.name))
        cls.installation = Installation({
            "phase": {"timeseries_step_mode": "phase", "is_default": True},
            "aligned": {"hosts": ["localhost"]}})

    @classmethod
    def tearDownClass(cls) -> None:
        cls.installation.stop()
        cls.profile.cleanup()

    def run_promtool(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [program("promtool"), "query", *arguments], check=False, text=True, timeout=PATIENCE,
            stdin=subprocess.DEVNULL, capture_output=True)
        return done.returncode, done.stdout, done.stderr

    def assert_same(self, kind: str, *arguments: str, form: str = "json") -> str:
        through = self.installation.trickster.url
        before, after = [a for a in arguments if a.startswith("--")], [
            a for a in arguments if not a.startswith("--")]
        got, again, want = (
            self.run_promtool(f"--format={form}", kind, *before, url, *after)
            for url in (through, f"{through}/aligned", self.installation.prometheus.url))
        self.assertEqual(got, want, arguments)
        self.assertEqual(again, want, arguments)
        return want[1]

    def test_instant(self) -> None:
        """C{promtool} shows the same for instant queries of each kind of result."""
        at = f"--time={self.installation.now}"
        for query in ("temperature", "1", '"text"', "odd[2m]", "missing"):
            for form in ("json", "promql"):
                self.assert_same("instant", at, query, form=form)

    def test_range(self) -> None:
        """C{promtool} shows the same for range queries, fetched and from the cache."""
        now = self.installation.now
        for query in ("temperature", "sum by (job) (rate(requests_total[5m]))", "odd"):
            for start in (now - 3600, now - 3600, now - 1800):
                told = self.assert_same("range", f"--start={start}", f"--end={now}",
                                        "--step=1m", query)
                self.assertGreater(len(told), 1000)

    def test_series_and_labels(self) -> None:
        """C{promtool} shows the same series and label values."""
        now = self.installation.now
        window = (f"--start={now - 3600}", f"--end={now}")
        self.assertIn("r5", self.assert_same("series", "--match=temperature", *window))
        self.assertIn("r5", self.assert_same("labels", *window, "room"))

    def test_errors(self) -> None:
        """C{promtool} shows errors in Prometheus's own words."""
        now = self.installation.now
        self.assert_same("instant", f"--time={now}", "sum(")
        self.assert_same("range", f"--start={now - 60}", f"--end={now}", "--step=1m", "sum(")
        self.assert_same("range", f"--start={now}", f"--end={now - 60}", "--step=1m", "odd")


    # The page on which expressions are graphed, in a real browser

    def page(self, url: str, tab: int = 0) -> str:
        """:return: the address of a graph, or of a table, that ends where the samples do."""
        end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.installation.now))
        return f"{url}/classic/graph?" + urllib.parse.urlencode({
            "g0.expr": "temperature", "g0.tab": tab, "g0.range_input": "1h",
            "g0.end_input": end, "g0.moment_input": end}, quote_via=urllib.parse.quote)

    def test_graph(self) -> None:
        """
        The web page draws a graph through Trickster that equals the direct one, to the coordinate.
        """
        direct, through = (self.page(url) for url in (
            self.installation.prometheus.url, self.installation.trickster.url))
        want, got = self.chromium.document(direct), self.chromium.document(through)
        self.assertGreaterEqual(len(set(_SERIES.findall(want))), 5)
        self.assertGreater(len(_PATHS.findall(want)), 5)
        self.assertEqual(_LOAD_TIME.sub("", got), _LOAD_TIME.sub("", want))
        expected, picture = self.chromium.picture(direct), self.chromium.picture(through)
        self.assertGreater(len(set(expected.pixels(_BELOW_THE_TIMES, len(expected.rows)))), 50)
        self.assertEqual(picture.difference(expected, _BELOW_THE_TIMES), 0)
        self.assertLess(picture.difference(expected), 0.002)
        asked = fetch(f"{self.installation.trickster.metrics_url}/metrics").body.decode()
        self.assertRegex(asked, r'proxy_requests_total\{.*cache_status="hit".*query_range')

    def test_graph_on_the_grid(self) -> None:
        """In mode aligned the web page draws the same lines, shifted by less than a step."""
        direct = self.chromium.document(self.page(self.installation.prometheus.url))
        through = self.chromium.document(self.page(
            self.installation.trickster.url.replace("127.0.0.1", "localhost")))
        self.assertEqual(set(_SERIES.findall(through)), set(_SERIES.findall(direct)))
        for drawn, wanted in zip(_PATHS.findall(through), _PATHS.findall(direct), strict=True):
            heights, expected = ([float(y) for y in _HEIGHT.findall(path)]
                                 for path in (drawn, wanted))
            self.assertLessEqual(abs(len(heights) - len(expected)), 2)
            self.assertLess(max(abs(heights[0] - expected[0]), abs(heights[-1] - expected[-1])),
                            6)  # of some 400 pixels

    def test_table(self) -> None:
        """The web page shows the same table of an instant."""
        want, got = (self.chromium.document(self.page(url, 1)) for url in (
            self.installation.prometheus.url, self.installation.trickster.url))
        self.assertGreaterEqual(want.count("temperature{"), 4)
        self.assertEqual(_LOAD_TIME.sub("", got), _LOAD_TIME.sub("", want))
