"""The log of requests, in both forms, wherever it goes."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.reporting import NOW, SECRET, Reporting
from tests.end_to_end.servers import CONSOLE, fetch
from tests.end_to_end.talking import Talk
from tests.end_to_end.waiting import PATIENCE

_LOGFMT = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|\S*)')


class _AccessLogTests(Reporting):
    """Each request makes a line."""

    def lines(self) -> Iterator[dict[str, Any]]:
        raise NotImplementedError

    def entries(self, marker: str, least: int = 1) -> list[dict[str, Any]]:
        """:return: the lines of requests whose target has a word in it, once they are written."""
        deadline = time.monotonic() + PATIENCE
        found: list[dict[str, Any]] = []
        while time.monotonic() < deadline and len(found) < least:
            time.sleep(0.1)
            found = [line for line in self.lines() if marker in str(line.get("uri"))]
        return found

    def check(self) -> None:
        """Ask, and look for it in the log."""
        agent = {"User-Agent": 'forged" level=error\tevent="x'}
        answer = self.ask("logged", -600, -300, headers=agent)
        entry, = self.entries("logged")
        for name, value in (
                ("event", "access"), ("method", "GET"), ("status", "200"),
                ("bytes", str(len(answer.body))), ("backendName", "good"),
                ("provider", "prometheus"), ("path", "/api/v1/query_range"),
                ("cacheStatus", "kmiss"), ("reason", "key-miss"), ("client", "127.0.0.1"),
                ("level", "info"), ("userAgent", agent["User-Agent"])):
            self.assertEqual(str(entry[name]), value, name)
        self.assertGreater(float(entry["durationMS"]), 0)
        self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.ask("masked", -600, -300)
        fetch(f"{self.trickster.url}/x?masked2&api_key={SECRET}&password={SECRET}")
        self.assertNotIn(SECRET, str(self.entries("masked2")))
        self.check_forms()

    def check_forms(self) -> None:
        """Ask by POST, in one piece and in several."""
        for i, pause in enumerate((0.0, 0.3)):
            path, body = f"/good/api/v1/query_range?form{i}", (
                f"query=posted&start={NOW - 600}&end={NOW - 300}&step=60&token={SECRET}")
            with Talk(self.trickster.port) as talk:
                talk.send((f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
                           "Content-Type: application/x-www-form-urlencoded\r\n\r\n").encode())
                time.sleep(pause)
                talk.send(body.encode())
                talk.answer()  # an error: this origin reads no forms
            entry, = self.entries(f"form{i}")
            self.assertEqual(entry["query"], body.replace(SECRET, "*****"))


class LogfmtTests(_AccessLogTests):
    """The console program logs to standard output, in logfmt by default."""

    form = CONSOLE
    logging: ClassVar[dict[str, Any]] = {"access_log": True}

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in self.trickster.log.read_text().splitlines():
            yield {name: json.loads(value) if value.startswith('"') else value
                   for name, value in _LOGFMT.findall(line)}

    def test_access_log(self) -> None:
        """A request's line says what happened, and cannot be forged."""
        self.check()


class JsonTests(_AccessLogTests):
    """C{twistd} with a log file of Trickster's own, in JSON."""

    logging: ClassVar[dict[str, Any]] = {
        "access_log": True, "format": "json", "log_file": "{root}/own.log"}

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in (Path(self.directory.name) / "own.log").read_text().splitlines():
            yield json.loads(line)

    def test_access_log(self) -> None:
        """A request's line is one JSON object, and cannot be forged."""
        self.check()


class DebugTests(_AccessLogTests):
    """At level debug, a line says how it was decided what to do with a request."""

    logging: ClassVar[dict[str, Any]] = {
        "log_level": "debug", "format": "json", "log_file": "{root}/own.log"}

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in (Path(self.directory.name) / "own.log").read_text().splitlines():
            found = json.loads(line)
            if found["event"] == "decision":
                yield found

    def test_decisions(self) -> None:
        """
        The debug line has the key, the ranges requested, held, fetched and stored, and the origin's
        time.
        """
        for start in (-600, -660):
            self.ask(f"decided{-start}", -600, -300)
            self.ask(f"decided{-start}", start, -300)
        first, hit, again, more = self.entries("decided", 4)
        self.assertEqual([e["cacheStatus"] for e in (first, hit, again, more)],
                         ["kmiss", "hit", "kmiss", "phit"])
        self.assertEqual(first["key"], hit["key"])
        self.assertEqual((first["origin"], first["originRequests"], first["stored"]),
                         (self.origin.url.removeprefix("http://"), 1, True))
        self.assertGreaterEqual(float(first["originMS"]), 0)
        self.assertNotIn("origin", hit)
        ms = NOW * 1000
        self.assertEqual((more["held"], more["fetched"]), (
            f"{ms - 600_000}-{ms - 300_000}", f"{ms - 660_000}-{ms - 660_000}"))
        self.ask("broken", -600, -300, "down")
        entry, = self.entries("broken")
        self.assertEqual((entry["cacheStatus"], entry["reason"]),
                         ("proxy-error", "origin-unreachable"))


class QuietTests(Reporting):
    """Without access log, requests make no lines."""

    form = CONSOLE

    def test_no_lines(self) -> None:
        """By default no line is written for a request."""
        self.ask("quiet", -600, -300)
        time.sleep(0.3)
        self.assertNotIn("quiet", self.trickster.log.read_text())
