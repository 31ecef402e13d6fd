"""Tests of C{trickster.upstream.leniency}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from trickster.http.h1.leniency import Leniency
from trickster.upstream.leniency import LeniencyLog

ONE, OTHER = sorted(Leniency, key=lambda kind: kind.value)[:2]


class LeniencyLogTests(SynchronousTestCase):
    """The log and count of responses that deviate from HTTP/1.1."""

    def setUp(self) -> None:
        """Have a log, and count."""
        self.clock = Clock()
        self.counted: list[str] = []
        self.log = LeniencyLog("prom:9090", self.clock, self.counted.append)

    def lines(self, *kinds: Leniency) -> list[str]:
        """:return: what is written to the log when an answer has these."""
        with capturedLogs() as events:
            self.log.note(kinds)
        self.assertTrue(all(event["log_level"] is LogLevel.warn for event in events))
        return [formatEvent(event) for event in events]

    def test_nothing(self) -> None:
        """A response that keeps to HTTP/1.1 is neither counted nor logged."""
        self.assertEqual((self.lines(), self.counted), ([], []))

    def test_counted(self) -> None:
        """Each deviation of each response is counted."""
        self.lines(ONE, OTHER)
        self.lines(ONE)
        self.assertEqual(self.counted, [ONE.value, OTHER.value, ONE.value])

    def test_once_a_minute(self) -> None:
        """Deviations are logged at most once a minute, with all that came since the last line."""
        [first] = self.lines(ONE)
        self.assertIn(f"The origin at prom:9090 does not keep to HTTP/1.1 ({ONE.value}: 1)", first)
        self.clock.advance(59)
        self.assertEqual(self.lines(ONE, OTHER), [])
        self.clock.advance(1)
        [second] = self.lines(OTHER)
        self.assertIn(f"({ONE.value}: 1, {OTHER.value}: 2)", second)
