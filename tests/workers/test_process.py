"""Tests of L{trickster.workers.process}."""

from __future__ import annotations

import os
import signal
import sys
from errno import EAGAIN
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.compose.logged import LoggedTestCase
from tests.workers.doubles import Children
from trickster.workers.assignment import Assignment
from trickster.workers.process import Launcher, State, Watched, WorkerProcess


class ProcessCase(LoggedTestCase):
    """Has a worker process, and notes what is told of it."""

    def setUp(self) -> None:
        """Make it; it is not started."""
        super().setUp()
        self.clock, self.children = Clock(), Children()
        self.told: list[str] = []
        self.lines: list[str] = []
        watched = Watched(lambda process: self.told.append("serves"),
                          lambda process, how: self.told.append(how), self.lines.append)
        self.process = WorkerProcess(Assignment(3, 4), (10, 11), self.clock, watched)

    def start(self) -> Any:
        """:return: the child process."""
        self.process.start(Launcher(self.children.spawn, {"A": "b", "PYTHONPATH": "x"}))
        return self.children.latest

    def serving(self) -> Any:
        """:return: the child process; it serves."""
        child = self.start()
        child.serves()
        return child


class LaunchTests(ProcessCase):
    """How a process is started."""

    def test_command(self) -> None:
        """The process runs the same interpreter, nothing from where it happens to run."""
        child = self.start()
        self.assertEqual(child.args, (sys.executable, "-P", "-m", "trickster.worker"))

    def test_environment(self) -> None:
        """It has the environment of the supervisor, and imports what that would."""
        child = self.start()
        self.assertEqual(child.environ["A"], "b")
        self.assertEqual(child.environ["PYTHONPATH"].split(os.pathsep),
                         [each for each in sys.path if each])

    def test_descriptors(self) -> None:
        """It has pipes for what it is told and for what it says, and the sockets after these."""
        self.assertEqual(self.start().descriptors,
                         {0: "w", 1: "r", 2: "r", 3: "r", 4: 10, 5: 11})

    def test_assignment(self) -> None:
        """It is told what to do when it runs."""
        self.assertEqual(self.start().assignment, self.process.assignment)

    def test_not_started(self) -> None:
        """One that cannot be started is gone soon, which is told with the reason, but not at once."""
        self.children.error = OSError(EAGAIN, "no more processes")
        self.process.start(Launcher(self.children.spawn, {}))
        self.assertEqual(self.told, [])
        ended = self.process.ended()
        self.clock.advance(0)
        self.assertEqual(self.told, ["could not be started: no more processes"])
        self.assertIs(self.process.state, State.GONE)
        self.successResultOf(ended)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_started_and_ended(self) -> None:
        """One that cannot be started can be told to end, and to hurry, before that is known."""
        self.children.error = OSError(EAGAIN, "no more processes")
        self.process.start(Launcher(self.children.spawn, {}))
        self.process.end(30.0)
        self.process.hurry()
        self.clock.advance(0)
        self.assertIs(self.process.state, State.GONE)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StateTests(ProcessCase):
    """Where a process stands."""

    def test_serves(self) -> None:
        """It serves once it says so, and has all the time in the world then."""
        child = self.start()
        self.assertIs(self.process.state, State.STARTING)
        child.serves()
        self.assertIs(self.process.state, State.SERVING)
        child.serves()
        self.clock.advance(1e6)
        self.assertEqual((self.told, child.sent), (["serves"], []))

    def test_never_serves(self) -> None:
        """One that does not serve within a minute is killed, and that is told."""
        child = self.start()
        self.clock.advance(59.9)
        self.assertEqual(child.sent, [])
        self.clock.advance(0.1)
        self.assertEqual(child.sent, ["SIGKILL"])
        self.assertEqual(self.logged(),
                         ["Worker 3 (process 1000) does not serve after 60 s, and is killed"])
        child.dies()
        self.assertEqual(self.told, ["was ended by SIGKILL"])

    def test_gone(self) -> None:
        """How it ended is told once it is gone, and nothing of it is left."""
        for number, (end, how) in enumerate((
                (lambda child: child.exits(), "ended with status 0"),
                (lambda child: child.exits(3), "ended with status 3"),
                (lambda child: child.dies(signal.SIGSEGV), "was ended by SIGSEGV"),
                (lambda child: child.dies(signal.SIGRTMIN + 1),
                 f"was ended by signal {signal.SIGRTMIN + 1}"),
                (lambda child: child.protocol.processEnded(Failure(Exception("oddly"))),
                 "ended: oddly"))):
            self.setUp()
            self.start()
            ended = self.process.ended()
            end(self.children.latest)
            self.assertEqual(self.told, [how], number)
            self.assertIs(self.process.state, State.GONE)
            self.successResultOf(ended)
            self.successResultOf(self.process.ended())
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_name(self) -> None:
        """Logs name the worker, and the process once there is one."""
        self.assertEqual(self.process.name, "Worker 3")
        self.start()
        self.assertEqual(self.process.name, "Worker 3 (process 1000)")

    def test_left(self) -> None:
        """One who waits for the end may leave; others are told."""
        child = self.serving()
        left, staying = self.process.ended(), self.process.ended()
        left.addErrback(lambda failure: None)
        left.cancel()
        child.exits()
        self.successResultOf(staying)


class EndTests(ProcessCase):
    """How a process is ended."""

    def test_serving(self) -> None:
        """
        One that serves is told on its standard input, not by a signal: what ends a service often
        sends one to each process of it, and the second one means at once.
        """
        child = self.serving()
        self.process.end(20.0)
        self.assertIs(self.process.state, State.ENDING)
        self.assertEqual(child.sent, ["end"])

    def test_starting(self) -> None:
        """One that does not serve yet, and may not listen to anything, gets a signal."""
        child = self.start()
        self.process.end(20.0)
        self.assertEqual(child.sent, ["SIGTERM"])
        child.serves()
        self.assertIs(self.process.state, State.ENDING)
        self.assertEqual(self.told, [])

    def test_give_way(self) -> None:
        """One that serves is told that others do in its place, before it is to end."""
        child = self.start()
        self.process.give_way()
        self.assertEqual(child.told, b"")
        child.serves()
        self.process.give_way()
        self.process.end(20.0)
        self.process.give_way()
        self.assertEqual((child.told, child.sent), (b"give way\n", ["end"]))

    def test_give_way_unnoticed(self) -> None:
        """One that has ended, which is not known yet, is told nothing, and that does no harm."""
        child = self.serving()
        child.leaves()
        self.process.give_way()
        self.assertEqual(child.told, b"")

    def test_killed(self) -> None:
        """One that has not ended after its time is killed."""
        child = self.serving()
        self.process.end(20.0)
        self.clock.advance(19.9)
        self.assertEqual(child.sent, ["end"])
        self.clock.advance(0.1)
        self.assertEqual(child.sent, ["end", "SIGKILL"])

    def test_twice(self) -> None:
        """Being told to end again changes nothing."""
        child = self.serving()
        self.process.end(20.0)
        self.clock.advance(10.0)
        self.process.end(20.0)
        self.clock.advance(10.0)
        self.assertEqual(child.sent, ["end", "SIGKILL"])

    def test_in_time(self) -> None:
        """One that ends in time is not killed; what it is told after that is harmless."""
        child = self.serving()
        self.process.end(20.0)
        child.exits()
        self.process.end(20.0)
        self.process.hurry()
        self.clock.advance(100.0)
        self.assertEqual((child.sent, self.told), (["end"], ["serves", "ended with status 0"]))

    def test_hurry(self) -> None:
        """One that ends is told to hurry, and is killed after five seconds."""
        child = self.serving()
        self.process.end(20.0)
        self.process.hurry()
        self.assertEqual(child.sent, ["end", "hurry"])
        self.clock.advance(5.0)
        self.assertEqual(child.sent, ["end", "hurry", "SIGKILL"])

    def test_hurry_again(self) -> None:
        """However often it is told to hurry, it is not killed later for that."""
        child = self.serving()
        for seconds in (1.0, 2.0, 2.0):
            self.process.hurry()
            self.clock.advance(seconds)
        self.assertEqual(child.sent, ["end", "hurry", "hurry", "hurry", "SIGKILL"])
        self.process.hurry()
        self.clock.advance(5.0)
        self.assertEqual(child.sent[5:], ["hurry", "SIGKILL"])

    def test_hurry_late(self) -> None:
        """One that would be killed sooner than that still is."""
        child = self.serving()
        self.process.end(20.0)
        self.clock.advance(18.0)
        self.process.hurry()
        self.clock.advance(2.0)
        self.assertEqual(child.sent, ["end", "hurry", "SIGKILL"])

    def test_hurry_at_once(self) -> None:
        """One that is to hurry is told to end first, if it was not."""
        for started, sent in ((self.start, ["SIGTERM", "SIGTERM"]),
                              (self.serving, ["end", "hurry"])):
            self.setUp()
            child = started()
            self.process.hurry()
            self.assertEqual(child.sent, sent)
            self.assertIs(self.process.state, State.ENDING)

    def test_unnoticed(self) -> None:
        """One that has ended, which is not known yet, gets no signal."""
        child = self.start()
        child.leaves()
        self.process.end(20.0)
        self.process.hurry()
        self.assertEqual(child.sent, [])


class OutputTests(ProcessCase):
    """What a process says."""

    def test_log(self) -> None:
        """Lines of its log are passed on whole and as they are, wherever they were cut."""
        child = self.start()
        for piece in (b"level=info ev", b"ent=x\nlevel=", b"warn\nrest"):
            child.says(piece)
        self.assertEqual(self.lines, ["level=info event=x", "level=warn"])
        child.dies()
        self.assertEqual((self.lines[2:], self.logged()), (["rest"], []))

    def test_errors(self) -> None:
        """What it writes to standard error is logged as its own, its last words included."""
        child = self.start()
        child.says(b"Traceback\n  {line}", 2)
        child.exits(1)
        self.assertEqual(self.lines, [])
        self.assertEqual(self.logged(), ["Worker 3 (process 1000) wrote: Traceback",
                                         "Worker 3 (process 1000) wrote:   {line}"])

    def test_apart(self) -> None:
        """The two are not mixed."""
        child = self.start()
        child.says(b"lo", 1)
        child.says(b"err\n", 2)
        child.says(b"g\n", 1)
        self.assertEqual(self.lines, ["log"])

    def test_last_words(self) -> None:
        """Its last lines come before it is known to be gone."""
        child = self.start()
        child.says(b"last")
        self.process.ended().addCallback(lambda _: self.lines.append("gone"))
        child.dies()
        self.assertEqual(self.lines, ["last", "gone"])
