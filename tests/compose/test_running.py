"""Tests of L{trickster.compose.running}."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from trickster.compose.running import HangUps, Program


@define
class Signals:
    """The handlers of a process."""

    handlers: dict[int, Any] = field(factory=dict)

    def handle(self, number: int, handler: Any) -> Any:
        """:return: the one before, as C{signal.signal} does."""
        before = self.handlers.get(number)
        self.handlers[number] = handler
        return before


@define
class Calls:
    """A reactor that makes calls when told to."""

    waiting: list[Callable[[], None]] = field(factory=list)

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        """Remember a call."""
        self.waiting.append(lambda: function(*arguments))


class LoggedTestCase(SynchronousTestCase):
    """Reads what is logged."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self) -> list[str | None]:
        """:return: the texts of all events."""
        return [formatEvent(event) for event in self.events]


class HangUpTests(LoggedTestCase):
    """C{SIGHUP}."""

    def test_told(self) -> None:
        """It ends nothing, and one line says so; not from within the signal's handler."""
        signals, calls = Signals(), Calls()
        HangUps(calls, signals.handle).startService()
        signals.handlers[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(self.logged(), [])
        for call in calls.waiting:
            call()
        (line,) = self.logged()
        self.assertIn("SIGHUP: reloading is not yet effective", str(line))

    def test_left_as_it_was(self) -> None:
        """Afterwards the signal is handled as it was before."""
        for before in (signal.SIG_IGN, None):
            signals = Signals({signal.SIGHUP: before})
            service = HangUps(Calls(), signals.handle)
            service.startService()
            service.stopService()
            self.assertEqual(signals.handlers, {signal.SIGHUP: before or signal.SIG_DFL})


class NoticeTests(LoggedTestCase):
    """What is said at the start."""

    def test_said_once(self) -> None:
        """A notice is a line of its own, whatever is in it, and in no other field."""
        Program((), (), ["a notice with {braces}"]).startService()
        self.assertEqual(self.logged(), ["a notice with {braces}"])
        (event,) = self.events
        self.assertNotIn("notice", event)

    def test_unprotected(self) -> None:
        """What is open although the configuration says otherwise is told first, and loudest."""
        Program((), (), ["a notice"], ["{open}"]).startService()
        self.assertEqual(self.logged(), ["{open}", "a notice"])
        self.assertEqual(self.events[0]["log_level"], LogLevel.critical)
