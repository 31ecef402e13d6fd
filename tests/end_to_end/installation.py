"""A Prometheus with something behind each path of its API, and a Trickster for it."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from tests.end_to_end.counting import ScriptedOrigin
from tests.end_to_end.samples import STEP, openmetrics
from tests.end_to_end.servers import Answer, Prometheus, Trickster, fetch
from tests.end_to_end.waiting import PATIENCE

_SCRAPED = """\
# HELP jobs Jobs that were done.
# TYPE jobs counter
jobs_total{kind="a"} 7 # {trace_id="abc",span="1"} 1.5 %d
jobs_total{kind="b"} 8
# HELP heat How hot it is.
# TYPE heat gauge
heat 21.5
# EOF
"""
_RULES = {"groups": [
    {"name": "recorded", "interval": "1s", "rules": [
        {"record": "job:heat", "expr": "heat * 2"}]},
    {"name": "alerts", "interval": "1s", "rules": [
        {"alert": "AlwaysOn", "expr": "vector(1)", "labels": {"severity": "page"}},
        {"alert": "NeverOn", "expr": "vector(1) > 2"}]},
]}


class Installation:
    """
    Prometheus with samples, if wanted with targets and rules, and Trickster before it.

    :ivar now: the last whole minute of the samples; older ones than that can no longer
        be written.
    """

    def __init__(self, backends: Mapping[str, Mapping[str, Any]],
                 is_scraped: bool = False) -> None:
        """
        :param is_scraped: whether there are targets, rules, alerts and exemplars: it takes
            some seconds until all are found.
        """
        self.now = int(time.time()) // 60 * 60 - 120
        with ExitStack() as started:
            self.root = Path(started.enter_context(tempfile.TemporaryDirectory()))
            self.scraped = ScriptedOrigin(self._scrape)
            started.callback(self.scraped.stop)
            openmetrics(self.root / "samples.om", self.now - 3600 + STEP)
            self.prometheus = Prometheus(
                self.root / "prometheus", self.root / "samples.om",
                ["--enable-feature=native-histograms,exemplar-storage"],
                configuration=self._configuration() if is_scraped else None)
            started.callback(self.prometheus.stop)
            self.trickster = Trickster(self.root / "trickster", {
                name: {"provider": "prometheus", "origin_url": self.prometheus.url, **options}
                for name, options in backends.items()})
            started.callback(self.trickster.stop)
            if is_scraped:
                self._wait_for_a_scrape()
            self._started = started.pop_all()

    def stop(self) -> None:
        """End everything."""
        self._started.close()

    def _configuration(self) -> dict[str, Any]:
        rules = self.root / "rules.yml"
        rules.write_text(yaml.safe_dump(_RULES))
        target = self.scraped.url.removeprefix("http://")
        return {
            "global": {"scrape_interval": "1s"}, "rule_files": [str(rules)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9"]}]}]},
            "scrape_configs": [
                {"job_name": "works", "static_configs": [{"targets": [target]}]},
                {"job_name": "dropped", "static_configs": [{"targets": [target]}],
                 "relabel_configs": [{"action": "drop"}]}],
        }

    def _scrape(self, peer: socket.socket, head: bytes) -> None:
        text = (_SCRAPED % (self.now - 30)).encode()
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; "
                     b"version=1.0.0; charset=utf-8\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n" % len(text) + text)

    def _wait_for_a_scrape(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            rules = fetch(f"{self.prometheus.url}/api/v1/query?query=job:heat").body
            firing = fetch(f"{self.prometheus.url}/api/v1/alerts").body
            if b"43" in rules and b"firing" in firing:
                return
            time.sleep(0.1)
        raise AssertionError("Prometheus has scraped nothing")


def spelled(path: str, params: Mapping[str, Any] | None = None) -> str:
    """:return: a request target; values that are lists are said several times."""
    return path + ("?" + urllib.parse.urlencode(params, doseq=True) if params else "")


def exchange(method: str, url: str, headers: Mapping[str, str] | None = None,
             body: bytes | None = None) -> Answer:
    """:return: what a server answers; redirections are not followed, any method will do."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=PATIENCE)
    try:
        connection.request(method, url[url.index(parts.netloc) + len(parts.netloc):], body,
                           dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def scrubbed(body: bytes, volatile: frozenset[str]) -> Any:
    """:return: a JSON document without the members that differ from moment to moment."""
    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k not in volatile}
        return [without(v) for v in value] if isinstance(value, list) else value

    return without(json.loads(body))
