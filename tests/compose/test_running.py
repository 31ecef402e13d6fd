"""Tests of L{trickster.compose.running}."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.compose.logged import LoggedTestCase
from trickster.compose.running import HangUps, Parts, Phase, Program, StopSignals


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


class HangUpTests(LoggedTestCase):
    """C{SIGHUP}."""

    def test_told(self) -> None:
        """C{SIGHUP} ends nothing, and is logged in one line, outside of the signal's handler."""
        signals, calls = Signals(), Calls()
        HangUps(calls, signals.handle).startService()
        signals.handlers[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(self.logged(), [])
        for call in calls.waiting:
            call()
        (line,) = self.logged()
        self.assertIn("SIGHUP: reloading is not yet effective", str(line))

    def test_reloads(self) -> None:
        """Where the configuration can be read again, each C{SIGHUP} does that, outside of it."""
        signals, calls, reloads = Signals(), Calls(), []
        HangUps(calls, signals.handle, lambda: reloads.append(1)).startService()
        for _ in range(2):
            signals.handlers[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(reloads, [])
        for call in calls.waiting:
            call()
        self.assertEqual((reloads, self.logged()), ([1, 1], []))

    def test_left_as_it_was(self) -> None:
        """The former handler of C{SIGHUP} is restored when the service stops."""
        for before in (signal.SIG_IGN, None):
            signals = Signals({signal.SIGHUP: before})
            service = HangUps(Calls(), signals.handle)
            service.startService()
            service.stopService()
            self.assertEqual(signals.handlers, {signal.SIGHUP: before or signal.SIG_DFL})


@define
class Thing(Service):
    """Something that is started and stopped; stopping waits for the test."""

    name: str
    events: list[str]
    stopping: Deferred[None] = field(factory=Deferred)
    patience: float = 0.0

    def startService(self) -> None:
        """Say so."""
        super().startService()
        self.events.append(f"{self.name} starts")

    def stopService(self) -> Deferred[None]:
        """Say so, and wait."""
        super().stopService()
        self.events.append(f"{self.name} stops")
        return self.stopping

    def abort(self) -> None:
        """Wait no more."""
        self.events.append(f"{self.name} aborts")
        if not self.stopping.called:
            self.stopping.callback(None)


class ProgramTests(SynchronousTestCase):
    """The order in which things start and end."""

    def setUp(self) -> None:
        """Make a program of a store, a listener of backends, and one of its own."""
        self.events: list[str] = []
        self.store, self.front, self.own = (
            Thing(name, self.events) for name in ("store", "front", "own"))
        self.phase = Phase()
        self.program = Program(
            Parts([self.store], [self.front], [self.own]), self.phase,  # type: ignore[list-item]
            lambda: self.events.append("announced"), lambda: self.events.append("origins abort"),
            lambda: None)
        self.program.startService()

    def test_start(self) -> None:
        """The store starts before the listeners, and everything before the announcement."""
        self.assertEqual(self.events[0], "store starts")
        self.assertEqual(self.events[-1], "announced")
        self.assertFalse(self.phase.is_draining)

    def test_stop(self) -> None:
        """The endpoints stop after the last request has ended, and the store after that."""
        self.events.clear()
        stopped = self.program.stopService()
        self.assertEqual((self.events, self.phase.is_draining), (["front stops"], True))
        self.front.stopping.callback(None)
        self.assertEqual(self.events[1:], ["own stops"])
        self.own.stopping.callback(None)
        self.assertEqual(self.events[2:], ["store stops"])
        self.assertNoResult(stopped)
        self.store.stopping.callback(None)
        self.successResultOf(stopped)

    def test_hurry(self) -> None:
        """A program that is to hurry waits for no request and no origin any more."""
        stopped = self.program.stopService()
        self.events.clear()
        self.program.hurry()
        self.assertEqual(self.events[:3], ["front aborts", "own stops", "front aborts"])
        self.assertIn("origins abort", self.events)
        self.assertIn("store stops", self.events)
        self.store.stopping.callback(None)
        self.successResultOf(stopped)

    def test_give_way(self) -> None:
        """Listeners of backends that give way are patient with idle connections; others are not."""
        self.program.give_way()
        self.assertEqual([each.patience for each in (self.front, self.own)], [2.0, 0.0])

    def test_too_early(self) -> None:
        """A program that is to hurry before it stops does so once it stops."""
        self.program.hurry()
        self.assertNotIn("front aborts", self.events)
        self.program.stopService()
        self.assertIn("front aborts", self.events)


@define(eq=False)
class Failing(Thing):
    """Fails to start."""

    def startService(self) -> None:
        """Fail, as where a file cannot be opened."""
        super().startService()
        raise OSError("cannot be opened")


@define(eq=False)
class Taken(Thing):
    """Has no socket to listen on."""

    def privilegedStartService(self) -> None:
        """Fail, as where an address is taken."""
        self.events.append(f"{self.name} binds")
        raise OSError("the address is taken")


class FailedStartTests(SynchronousTestCase):
    """A program of which a part cannot be started."""

    def setUp(self) -> None:
        """Note what happens."""
        self.events: list[str] = []

    def failed(self, kinds: dict[str, type[Thing]]) -> list[str]:
        """:return: what happens where parts of some kinds are started and the last one fails."""
        things = {name: kind(name, self.events) for name, kind in kinds.items()}
        for thing in things.values():
            thing.stopping.callback(None)
        own, front = things.pop("own"), things.pop("front")
        program = Program(
            Parts([*things.values()], [front], [own]), Phase(),  # type: ignore[list-item]
            lambda: self.events.append("announced"), lambda: None, lambda: None)
        self.assertRaises(OSError, program.startService)
        self.assertFalse(program.running)
        return self.events

    def test_needed(self) -> None:
        """Services started before a failing one are stopped, the last first; no more start."""
        self.assertEqual(
            self.failed({"a": Thing, "b": Thing, "c": Failing, "d": Thing, "own": Thing,
                         "front": Thing}),
            ["a starts", "b starts", "c starts", "front stops", "own stops", "c stops", "b stops",
             "a stops"])

    def test_listeners(self) -> None:
        """A start that fails closes the sockets that were bound, and touches nothing else."""
        self.assertEqual(self.failed({"a": Thing, "own": Thing, "front": Taken}),
                         ["front binds", "front stops", "own stops"])


@define
class StoppingReactor(Calls):
    """A reactor that can be told to end, once."""

    triggers: list[Callable[[], None]] = field(factory=list)
    running: list[Callable[[], None]] = field(factory=list)
    events_heard: list[str] = field(factory=list)

    def addSystemEventTrigger(self, phase: str, event: str, function: Callable[[], None]) -> None:
        """Remember what is to be done before it ends."""
        assert (phase, event) == ("before", "shutdown")
        self.triggers.append(function)

    def stop(self) -> None:
        """End."""
        self.events_heard.append("stop")

    def callWhenRunning(self, function: Callable[[], None]) -> None:
        """Remember what is to be done when it runs."""
        self.running.append(function)

    def call_all(self) -> None:
        """Make the calls that wait."""
        calls, self.waiting = self.waiting, []
        for call in calls:
            call()


@define
class SignalModule(Signals):
    """The module C{signal}."""

    def getsignal(self, number: int) -> Any:
        """:return: the handler."""
        return self.handlers.get(number)

    def signal(self, number: int, handler: Any) -> Any:
        """Set the handler."""
        return self.handle(number, handler)


class StopSignalTests(LoggedTestCase):
    """Signals that end the process."""

    def setUp(self) -> None:
        """Start, with the reactor's handlers in place."""
        super().setUp()
        self.reactor = StoppingReactor()
        self.events_heard = self.reactor.events_heard
        self.signals = SignalModule({signal.SIGTERM: self.reactors, signal.SIGINT: self.reactors})
        self.service = StopSignals(
            self.reactor, lambda: self.events_heard.append("hurry"), self.signals)
        self.service.startService()
        self.assertEqual(self.signals.handlers[signal.SIGTERM], self.reactors)
        for call in self.reactor.running:
            call()

    def reactors(self, number: int, frame: object) -> None:
        """The reactor's own handler."""
        self.events_heard.append(f"reactor {number}")

    def send(self, number: int) -> None:
        """Send a signal."""
        self.signals.handlers[number](number, None)
        self.reactor.call_all()

    def test_once(self) -> None:
        """The first signal is handled by the reactor."""
        self.send(signal.SIGTERM)
        self.assertEqual(self.events_heard, [f"reactor {signal.SIGTERM:d}"])

    def test_again(self) -> None:
        """A second signal, of either kind, stops the program at once, without the reactor."""
        self.send(signal.SIGINT)
        self.send(signal.SIGTERM)
        self.send(signal.SIGINT)
        self.assertEqual(self.events_heard, [f"reactor {signal.SIGINT:d}", "hurry", "hurry"])
        self.assertIn("Told to end once more", str(self.logged()[0]))

    def test_while_it_ends(self) -> None:
        """
        While the reactor ends for another cause, too, only the second signal stops the program at
        once: a worker may be told by its supervisor before it hears what that has heard.
        """
        for trigger in self.reactor.triggers:
            trigger()
        self.service.stopService()
        self.send(signal.SIGTERM)
        self.assertEqual(self.events_heard, [])
        self.send(signal.SIGTERM)
        self.assertEqual(self.events_heard, ["hurry"])

    def test_ended_without(self) -> None:
        """The process can be ended without a signal; the reactor, which stops once, hears of no other."""
        for _ in range(2):
            self.service.end()
        self.send(signal.SIGTERM)
        self.assertEqual(self.events_heard, ["stop"])
        self.send(signal.SIGTERM)
        self.assertEqual(self.events_heard, ["stop", "hurry"])

    def test_ended_after(self) -> None:
        """Once a signal has come, nothing else ends it, also before the reactor has begun to stop."""
        self.send(signal.SIGTERM)
        self.service.end()
        self.assertEqual(self.events_heard, [f"reactor {signal.SIGTERM:d}"])

    def test_given_back(self) -> None:
        """The reactor's signal handlers are restored when the service ends before the reactor."""
        self.service.stopService()
        self.assertEqual(self.signals.handlers[signal.SIGTERM], self.reactors)

    def test_ignored(self) -> None:
        """A signal that is ignored stays so."""
        signals = SignalModule({signal.SIGTERM: self.reactors, signal.SIGINT: signal.SIG_IGN})
        reactor = StoppingReactor()
        StopSignals(reactor, lambda: None, signals).startService()
        for call in reactor.running:
            call()
        self.assertEqual(signals.handlers[signal.SIGINT], signal.SIG_IGN)
