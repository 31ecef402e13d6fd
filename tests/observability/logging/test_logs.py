"""Tests of C{trickster.observability.logging.logs}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observability.logging.doubles import Lines
from trickster.config.options.model import LoggingOptions
from trickster.messages import Outcome, Request
from trickster.observability.accesslog import AccessEntry
from trickster.observability.counters import RouteLabels
from trickster.observability.logging.lines import json_text
from trickster.observability.logging.logs import Logs, ProgramLog, logs, numbered, stream_logs
from trickster.observability.logging.sinks import PublisherSink

ENTRY = AccessEntry(Request(b"GET", b"/x"), RouteLabels("b", "p", "/"), 200, Outcome(), 0, 0, 0)


class ProgramLogTests(SynchronousTestCase):
    """Events as lines."""

    def setUp(self) -> None:
        """Make a log that can be read."""
        self.sink = Lines()
        self.publisher = LogPublisher()
        self.log = Logger("trickster.test", observer=self.publisher)

    def observe(self, level: str = "debug") -> ProgramLog:
        """:return: the observer, observing."""
        observer = ProgramLog(self.sink, level, json_text)
        self.publisher.addObserver(observer)
        return observer

    def last(self) -> dict[str, Any]:
        """:return: the last line's fields."""
        return json.loads(self.sink.lines[-1])  # type: ignore[no-any-return]

    def test_provides(self) -> None:
        """The program's log provides C{ILogObserver}."""
        verifyObject(ILogObserver, self.observe())

    def test_fields(self) -> None:
        """A line has Trickster's fields, and what the event brings along."""
        self.observe()
        self.log.info("Cache {cache} works", cache="default", size=3, other=object())
        fields = self.last()
        self.assertRegex(fields.pop("time"), r"^20\d\d-.*Z$")
        self.assertEqual(fields, {"app": "trickster", "level": "info", "cache": "default",
                                  "event": "Cache default works", "caller": "trickster.test",
                                  "size": 3})

    def test_levels(self) -> None:
        """An event less severe than the level is left out."""
        for level, count in (("trace", 5), ("debug", 5), ("INFO", 4), ("warn", 3), ("error", 2),
                             ("none", 0)):
            self.setUp()
            self.observe(level)
            for one in LogLevel.iterconstants():
                self.log.emit(one, "x")
            self.assertEqual(len(self.sink.lines), count)

    def test_words(self) -> None:
        """The levels have Trickster's names."""
        self.observe()
        for level in LogLevel.iterconstants():
            self.log.emit(level, "x")
        self.assertEqual([json.loads(line)["level"] for line in self.sink.lines],
                         ["debug", "info", "warn", "error", "critical"])

    def test_errors_at_once(self) -> None:
        """An error is written at once."""
        self.observe()
        self.log.info("x")
        self.log.error("x")
        self.assertEqual(self.sink.flushes, 1)

    def test_failure(self) -> None:
        """A failure brings its traceback, in the same line."""
        self.observe()
        self.log.failure("Broken", Failure(ZeroDivisionError("by 0")))
        fields = self.last()
        self.assertEqual((fields["event"], fields["error"]), ("Broken", "by 0"))
        self.assertIn("ZeroDivisionError", fields["traceback"])

    def test_secrets(self) -> None:
        """Passwords in URLs are not shown, wherever they are."""
        self.observe()
        self.log.info("From {url}", url="http://me:s3cret@x/?token=s3cret")
        self.assertNotIn("s3cret", self.sink.lines[0])

    def test_bounded(self) -> None:
        """However long an event is, its line is not."""
        self.observe()
        self.log.info("x" * 10**6, more="y" * 10**6, octets=b"z" * 10**6)
        self.assertLess(len(self.sink.lines[0]), 20_000)

    def test_unprintable(self) -> None:
        """An event that cannot be formatted still makes a line."""
        self.observe()
        self.log.info("{missing}")
        self.assertIn("missing", self.sink.lines[0])

    def test_odd_events(self) -> None:
        """Events of any library make lines, with or without the usual fields."""
        self.observe()({})
        self.assertEqual(self.last(), {"time": "1970-01-01T00:00:00.000Z", "app": "trickster",
                                       "level": "info", "event": ""})

    def test_own_names(self) -> None:
        """An event cannot pretend to be another, and what is Twisted's own is left out."""
        self.observe()
        self.log.info("x", event="y", app="other", isError=1)
        self.assertEqual((self.last()["event"], self.last()["app"]), ("x", "trickster"))
        self.assertNotIn("isError", self.last())


class LogsTests(SynchronousTestCase):
    """The logs that a configuration asks for."""

    def setUp(self) -> None:
        """Make a place for them."""
        self.path = Path(self.mktemp() + ".log")
        self.publisher = LogPublisher()
        self.clock = Clock()

    def made(self, instance_id: int = 0, **settings: Any) -> Logs:
        """:return: the logs of these settings."""
        return logs(LoggingOptions(**settings), instance_id, self.clock, self.publisher)

    def test_file(self) -> None:
        """Events and requests go to the file, while the service runs."""
        made = self.made(log_file=str(self.path), access_log=True, format="json")
        self.assertFalse(self.path.exists())
        made.startService()
        Logger("a", observer=self.publisher).info("hello")
        assert made.access is not None
        made.access.write(ENTRY)
        self.successResultOf(made.stopService())
        Logger("a", observer=self.publisher).info("too late")
        events = [json.loads(line)["event"] for line in self.path.read_text().splitlines()]
        self.assertEqual(events, ["hello", "access"])

    def test_left_to_others(self) -> None:
        """Without a file, events are left to twistd, and requests are among them."""
        made = self.made(access_log=True)
        made.startService()
        assert made.access is not None
        with capturedLogs() as events:
            made.access.write(ENTRY)
        self.assertIsNone(made.observer)
        self.assertIn("uri=/x", events[0]["line"])

    def test_a_request_is_one_line(self) -> None:
        """A line about a request that comes as an event is not put into another line."""
        kept = Lines()
        with capturedLogs() as events:
            PublisherSink().write("time=1 event=access")
        ProgramLog(kept, "error")(events[0])
        self.assertEqual(kept.lines, ["time=1 event=access"])

    def test_no_requests(self) -> None:
        """Requests are logged only where that is asked for."""
        self.assertIsNone(self.made().access)

    def test_decisions(self) -> None:
        """At level debug, each request makes a line about what was decided."""
        for level, is_told in (("debug", True), ("trace", True), ("info", False), ("none", False)):
            made = self.made(log_level=level)
            self.assertEqual(made.access is not None, is_told)
        made = self.made(log_level="debug", access_log=True)
        assert made.access is not None
        with capturedLogs() as events:
            made.access.write(ENTRY)
        self.assertEqual(["event=decision" in event["line"] for event in events], [False, True])

    def test_stream(self) -> None:
        """A program of its own logs to standard output; nothing is opened before its start."""
        made = stream_logs(LoggingOptions(log_level="warn"), self.clock, self.publisher)
        assert made.observer is not None
        self.assertEqual((made.observer.level, made.access), ("warn", None))

    def test_cannot_be_opened(self) -> None:
        """A file that cannot be opened is found out at the start."""
        self.path = self.path / "not" / "there.log"
        self.assertRaises(OSError, self.made(log_file=str(self.path)).startService)

    def test_numbered(self) -> None:
        """Several processes have a file each."""
        self.assertEqual([numbered("/var/log/trickster.log", n) for n in (0, 2)],
                         ["/var/log/trickster.log", "/var/log/trickster.2.log"])
        self.assertEqual((numbered("/a.b/log", 1), numbered("", 1)), ("/a.b/log.1.log", ""))
