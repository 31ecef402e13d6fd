"""What is logged while a test runs."""

from __future__ import annotations

from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase


class LoggedTestCase(SynchronousTestCase):
    """Reads what is logged."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self) -> list[str | None]:
        """:return: the texts of all events."""
        return [formatEvent(event) for event in self.events]
