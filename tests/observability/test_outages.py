"""Tests of C{trickster.observability.outages}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import UpstreamMalformed, UpstreamUnreachable
from trickster.observability.outages import OutageLog

REFUSED = UpstreamUnreachable("a.test:9090: Connection refused")


class OutageLogTests(SynchronousTestCase):
    """An origin that is down is logged, and not too often."""

    def setUp(self) -> None:
        """Make a log that can be read."""
        self.clock, publisher = Clock(), LogPublisher()
        self.events: list[LogEvent] = []
        publisher.addObserver(self.events.append)
        self.outages = OutageLog("prom", "a.test:9090", self.clock,
                                 Logger("trickster.test", observer=publisher))

    def lines(self) -> list[str | None]:
        """:return: the texts so far."""
        return [formatEvent(event) for event in self.events]

    def test_begins(self) -> None:
        """The first failure is logged at once, with backend, origin and cause, as an error."""
        self.outages.failed(REFUSED)
        (event,) = self.events
        self.assertEqual(formatEvent(event), "Origin a.test:9090 of backend prom fails: "
                                             "a.test:9090: Connection refused")
        self.assertEqual(event["log_level"], LogLevel.error)
        self.assertEqual((event["backend"], event["origin"], event["reason"]),
                         ("prom", "a.test:9090", "origin-unreachable"))

    def test_no_words(self) -> None:
        """A failure without a detail is logged by its reason."""
        self.outages.failed(UpstreamMalformed())
        self.assertEqual(self.lines(),
                         ["Origin a.test:9090 of backend prom fails: origin-malformed"])

    def test_lasts(self) -> None:
        """While an outage lasts, there is one line a minute, with the number of failures since."""
        for _ in range(121):
            self.outages.failed(REFUSED)
            self.clock.advance(1)
        self.assertEqual([event["failures"] for event in self.events], [1, 60, 60])
        self.assertIn("(60 failed requests since the last such line)", str(self.lines()[-1]))

    def test_ends(self) -> None:
        """The first whole response ends the outage: one line, with how many failed and how long."""
        self.outages.failed(REFUSED)
        self.clock.advance(2.5)
        self.outages.failed(REFUSED)
        for _ in range(3):
            self.outages.answered()
        self.assertEqual(str(self.lines()[-1]), "Origin a.test:9090 of backend prom answers again, "
                                                "after 2 failed requests in 2.5 s")
        self.assertEqual(len(self.events), 2)
        self.assertEqual(self.events[1]["log_level"], LogLevel.info)

    def test_works(self) -> None:
        """An origin that works is not logged."""
        self.outages.answered()
        self.assertEqual(self.events, [])

    def test_flaps(self) -> None:
        """An origin that fails every other time is logged a few times a minute."""
        for _ in range(600):
            self.outages.failed(REFUSED)
            self.outages.answered()
            self.clock.advance(0.1)
        self.assertEqual(len(self.events), 10)
        self.clock.advance(60)
        self.outages.failed(REFUSED)
        self.assertEqual(self.events[-1]["failures"], 596)
