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
    limit = 3

    def test_limit(self) -> None:
        """No more than the limit are accepted; the rest waits."""
        self.assertEqual(self.acceptance.room(100), 3)
        self.assertEqual(self.come(10), 3)
        self.assertFalse(self.port.is_reading)
        self.assertEqual(self.acceptance.room(100), 0)

    def test_room(self) -> None:
        """When one goes, another may come, and then they wait again."""
        self.come(3)
        self.go()
        self.assertTrue(self.port.is_reading)
        self.assertEqual(self.come(10), 1)
        self.assertFalse(self.port.is_reading)

    def test_idle(self) -> None:
        """Where all are in use and clients wait, idle connections make room."""
        self.come(3)
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [])
        self.port.is_waited = True
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [16])

    def test_below(self) -> None:
        """Below the limit, nothing is looked for, and nothing left with the clock."""
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
        """It is logged, once a minute."""
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
    def test_any(self) -> None:
        """Zero is no limit."""
        self.assertEqual(self.come(10_000, 9_999), 10_000)
        self.assertTrue(self.port.is_reading)


class DescriptorTests(AcceptanceCase):
    ceiling = 50

    def test_reserve(self) -> None:
        """The last descriptors are not for clients."""
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
        """Idle connections make room then as well."""
        self.site.connections = 800
        self.port.is_waited = True
        self.acceptance.exhausted()
        self.clock.advance(0.05)
        self.assertEqual(self.site.closed, [100])

    def test_ceiling(self) -> None:
        """What is left to others is a part of what the process may open, and never nothing."""
        for limit, clients, own in ((64, 32, 48), (1024, 896, 960), (4096, 3584, 3840)):
            self.assertEqual((ceiling(limit, 8), ceiling(limit, 16)), (clients, own))
        self.assertEqual(ceiling(None, 8), 0)
