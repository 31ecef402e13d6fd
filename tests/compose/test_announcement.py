"""Tests of L{trickster.compose.announcement}."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.logger import LogEvent, Logger, LogLevel, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.config.doubles import ONE, loaded
from trickster import __version__
from trickster.compose.announcement import Announcement


@frozen
class Listening:
    """A listener, and where it really listens."""

    address: Any


class AnnouncementTests(SynchronousTestCase):
    """The lines that the log has at the start."""

    def events(self, listeners: dict[str, Any], text: str = ONE, **changes: Any) -> list[LogEvent]:
        """:return: what is logged."""
        publisher = LogPublisher()
        events: list[LogEvent] = []
        publisher.addObserver(events.append)
        configuration = evolve(loaded(text), notices=(), unprotected=())
        Announcement(evolve(configuration, **changes), listeners,
                     Logger("trickster.test", observer=publisher)).make()
        return events

    def test_first_line(self) -> None:
        """The first line has version, file, backends with origins, and listeners with ports."""
        (event,) = self.events({
            "default": Listening(IPv4Address("TCP", "0.0.0.0", 18480)),
            "metrics": Listening(IPv6Address("TCP", "::", 18481)), "mgmt": Listening(None)},
            source="t.yaml")
        self.assertEqual(
            formatEvent(event),
            f"Trickster {__version__} serves; configuration: t.yaml; backends: one (prometheus, "
            "http://prom:9090); listeners: default 0.0.0.0:18480, metrics [::]:18481, mgmt closed")
        self.assertEqual(event["log_level"], LogLevel.info)
        self.assertEqual(event["version"], __version__)

    def test_no_file(self) -> None:
        """A start without a file is announced as such."""
        (event,) = self.events({}, source="", backends={})
        self.assertIn("configuration: none; backends: none; listeners: none",
                      str(formatEvent(event)))

    def test_many(self) -> None:
        """The length of the announcement is bounded, however many backends there are."""
        one = loaded(ONE).backends["one"]
        (event,) = self.events({}, backends={f"b{i}": one for i in range(1000)})
        self.assertIn(" and 980 more;", str(formatEvent(event)))

    def test_notices(self) -> None:
        """
        A notice is a line of its own, with any text in it; what is open although the
        configuration says otherwise comes before, and is loudest.
        """
        events = self.events({}, notices=("a notice with {braces}",), unprotected=("{open}",))
        self.assertEqual([formatEvent(event) for event in events[1:]],
                         ["{open}", "a notice with {braces}"])
        self.assertEqual([event["log_level"] for event in events[1:]],
                         [LogLevel.critical, LogLevel.warn])
