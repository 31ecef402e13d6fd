"""Tests for L{trickster.frontend.listening.accepting}."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.frontend.connection import Counted
from trickster.frontend.listening.accepting import Acceptance, ceiling


@define
class FakePort:
    """A port, and who is in its backlog."""

    is_reading: bool = True
    is_waited: bool = False

    def startReading(self) -> None:
        self.is_reading = True

    def stopReading(self) -> None:
        self.is_reading = False

    def is_waited_for(self) -> bool:
        return self.is_waited


@define
class FakeSite:
    """Connections, some of them idle."""

    title: str = "Listener a"
    connections: int = 0
    closed: list[int] = field(factory=list)

    def close_idle(self, most: int) -> int:
        self.closed.append(most)
        return 0


class AcceptanceCase(SynchronousTestCase):
    limit = 0
    ceiling = 0
    free: int | None = 10

    def setUp(self) -> None:
        self.clock, self.port, self.site = Clock(), FakePort(), FakeSite()
        self.counted = Counted()
        self.acceptance = Acceptance(self.clock, self.site, self.limit, self.ceiling,
                                     self.counted, self.port, lambda: self.free)

    def come(self, number: int, descriptor: int = 0) -> int:
        """:return: how many of so many were accepted."""
        accepted, room = 0, self.acceptance.room(number)
        while accepted < room and self.port.is_reading:
            accepted += 1
            self.site.connections += 1
            if not self.acceptance.accepted(descriptor):
                break
        return accepted

    def go(self) -> None:
        self.site.connections -= 1
        self.acceptance.ended()


class LimitTests(AcceptanceCase):
    """A listener has no more connections than its limit."""

    limit = 3

    def test_limit(self) -> None:
        """A port accepts connections up to its limit; further clients wait in the backlog."""
        self.assertEqual(self.acceptance.room(100), 3)
        self.assertEqual(self.come(10), 3)
        self.assertFalse(self.port.is_reading)
        self.assertEqual(self.acceptance.room(100), 0)

    def test_room(self) -> None:
        """A port at its limit accepts one more client whenever a connection ends."""
        self.come(3)
        self.go()
        self.assertTrue(self.port.is_reading)
        self.assertEqual(self.come(10), 1)
        self.assertFalse(self.port.is_reading)

    def test_idle(self) -> None:
        """A port at its limit, for which clients wait, has idle connections closed to make room."""
        self.come(3)
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [])
        self.port.is_waited = True
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [16])

    def test_below(self) -> None:
        """A port below its limit looks for no idle connection and schedules no call."""
        self.port.is_waited = True
        self.come(3)
        self.go()
        self.clock.advance(1)
        self.assertEqual((self.site.closed, self.clock.getDelayedCalls()), ([], []))

    def test_stop(self) -> None:
        """A port that is closed is neither paused nor resumed."""
        self.come(3)
        self.acceptance.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.go()
        self.assertFalse(self.port.is_reading)

    def test_told(self) -> None:
        """A port at its limit logs that clients wait in the backlog, at most once a minute."""
        events: list[str] = []

        def observe(event: dict[str, object]) -> None:
            if "backlog" in str(event.get("log_format")):
                events.append(str(event["title"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.come(3)
        for _ in range(5):
            self.go()
            self.come(1)
        self.assertEqual(events, ["Listener a"])
        self.clock.advance(60)
        self.go()
        self.come(1)
        self.assertEqual(events, ["Listener a"] * 2)


class UnlimitedTests(AcceptanceCase):
    """A listener may be without a limit."""

    def test_any(self) -> None:
        """A limit of zero lets a port accept any number of connections."""
        self.assertEqual(self.come(10_000, 9_999), 10_000)
        self.assertTrue(self.port.is_reading)


class DescriptorTests(AcceptanceCase):
    """File descriptors bound the connections of all listeners together."""

    ceiling = 50

    def test_reserve(self) -> None:
        """The last file descriptors of the process are not used for clients."""
        self.assertEqual(self.come(10, 49), 10)
        self.assertEqual(self.come(10, 50), 1)
        self.assertFalse(self.port.is_reading)
        self.go()
        self.assertTrue(self.port.is_reading)

    def test_taken_by_others(self) -> None:
        """As long as others have those that are for clients, clients wait, unless there are none."""
        self.come(2, 50)
        self.free = 50
        self.go()
        self.clock.pump([0.05] * 40)
        self.assertTrue(self.port.is_reading)  # none is left
        self.come(3, 49)
        self.come(1, 50)
        self.go()
        self.clock.pump([0.05] * 40)
        self.assertFalse(self.port.is_reading)
        self.free = None
        self.clock.pump([0.05] * 40)
        self.assertFalse(self.port.is_reading)
        self.free = 49
        self.clock.advance(0.05)
        self.assertTrue(self.port.is_reading)

    def test_none_left(self) -> None:
        """Without a descriptor nothing is accepted for a second, and that is counted."""
        self.acceptance.exhausted()
        self.assertEqual((self.port.is_reading, self.counted.events), (False, ["refused"]))
        self.clock.pump([0.05] * 19)
        self.assertFalse(self.port.is_reading)
        self.clock.pump([0.05] * 2)
        self.assertTrue(self.port.is_reading)

    def test_idle(self) -> None:
        """A port without descriptors has idle connections closed to make room."""
        self.site.connections = 800
        self.port.is_waited = True
        self.acceptance.exhausted()
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [100])

    def test_ceiling(self) -> None:
        """A part of the descriptors that the process may open, at least one, is not for clients."""
        for limit, clients, own in ((64, 32, 48), (1024, 896, 960), (4096, 3584, 3840)):
            self.assertEqual((ceiling(limit, 8), ceiling(limit, 16)), (clients, own))
        self.assertEqual(ceiling(None, 8), 0)
