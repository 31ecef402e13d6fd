"""Tests of L{trickster.workers.slot}."""

from __future__ import annotations

import signal
from errno import ENOMEM
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from tests.compose.logged import LoggedTestCase
from tests.workers.doubles import Child, Children
from trickster.workers.assignment import Assignment
from trickster.workers.process import Launcher, State, Watched, WorkerProcess
from trickster.workers.slot import Make, NotReplaced, Slot


class SlotCase(LoggedTestCase):
    """Has the place of worker 7, whose processes do what the test says."""

    def setUp(self) -> None:
        """Make it; nothing is started."""
        super().setUp()
        self.clock, self.children = Clock(), Children()
        self.restarts = 0
        self.random = 0.0
        self.changes: list[tuple[int | None, State]] = []
        self.slot = Slot(7, self.making("first"), self.clock, lambda: self.random, self.restarted,
                         lambda line: None, self.changed)

    def making(self, path: str) -> Make:
        """:return: makes processes that have this configuration."""
        return partial(self.make, path)

    def make(self, path: str, number: int, watched: Watched) -> WorkerProcess:
        """:return: a process that is started."""
        process = WorkerProcess(Assignment(number, 8, path), (), self.clock, watched)
        process.start(Launcher(self.children.spawn, {}))
        return process

    def restarted(self) -> None:
        """Count."""
        self.restarts += 1

    def changed(self, process: WorkerProcess) -> None:
        """Note."""
        self.changes.append((process._pid, process.state))

    def serving(self) -> Child:
        """:return: the process of the slot, which serves."""
        self.slot.start()
        self.children.latest.serves()
        return self.children.latest

    def replacing(self, path: str = "second", patience: float = 20.0) -> Deferred[None]:
        """:return: fires when the process is replaced."""
        return Deferred.fromCoroutine(self.slot.replace(self.making(path), patience))

    def stopping(self) -> Deferred[None]:
        """:return: fires when the slot has stopped."""
        return Deferred.fromCoroutine(self.slot.stop(20.0))

    def pid(self) -> int | None:
        """:return: of the process of the slot."""
        return None if self.slot.process is None else self.slot.process._pid

    def paths(self) -> list[str | None]:
        """:return: what the configurations are of those processes that there are."""
        return [child.assignment.path for child in self.children.living]

    def assertAllOver(self) -> None:
        """There is no process any more, and nothing that would start one."""
        self.assertEqual((self.children.living, self.clock.getDelayedCalls()), ([], []))
        self.assertIsNone(self.slot.process)


class RestartTests(SlotCase):
    """A process that dies is followed by another one."""

    def test_started(self) -> None:
        """A process is started with the number of the slot, and changes of it are told."""
        self.serving()
        self.assertEqual(self.children.latest.assignment.number, 7)
        self.assertEqual(self.changes, [(1000, State.SERVING)])
        self.assertEqual(self.logged(), ["Worker 7 (process 1000) serves"])

    def test_died(self) -> None:
        """One that dies is told, and another one is started and counted after a pause."""
        self.serving().dies(signal.SIGSEGV)
        self.assertEqual(self.changes[1:], [(1000, State.GONE)])
        self.assertEqual(self.logged()[1:], [
            "Worker 7 (process 1000) was ended by SIGSEGV; another one is started in 0.1 s"])
        self.clock.advance(0.09)
        self.assertEqual((self.pid(), self.restarts), (None, 0))
        self.clock.advance(0.02)
        self.assertEqual((self.pid(), self.restarts), (1001, 1))

    def pauses(self, count: int) -> list[float]:
        """:return: the seconds after which so many processes are followed that die at once."""
        found = []
        for _ in range(count):
            self.children.latest.exits(1)
            [pause] = self.clock.getDelayedCalls()
            found.append(pause.getTime() - self.clock.seconds())
            self.clock.advance(found[-1])
        return found

    def test_back_off(self) -> None:
        """The pause doubles with each process in a row that does not last, up to half a minute."""
        self.slot.start()
        self.assertEqual([round(pause, 3) for pause in self.pauses(12)],
                         [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0])

    def test_very_long(self) -> None:
        """However many there were, the pause is no longer than that."""
        self.slot.start()
        self.assertEqual(self.pauses(2000)[-1], 30.0)

    def test_chance(self) -> None:
        """The pause is up to a half longer by chance, so that not all come back at once."""
        self.random = 0.999
        self.slot.start()
        self.assertAlmostEqual(self.pauses(1)[0], 0.15, 2)

    def test_lasted(self) -> None:
        """One that has lasted for a minute is followed at once, and what was before is forgotten."""
        self.slot.start()
        self.pauses(8)
        self.children.latest.serves()
        self.clock.advance(60.0)
        self.assertEqual(self.pauses(1), [0.0])
        self.assertAlmostEqual(self.pauses(1)[0], 0.1)

    def test_just_not(self) -> None:
        """One that has not quite lasted is another one in the row."""
        self.slot.start()
        self.pauses(3)
        self.children.latest.serves()
        self.clock.advance(59.9)
        self.assertAlmostEqual(self.pauses(1)[0], 0.8)

    def test_not_started(self) -> None:
        """Where no process can be started, that is tried again with growing pauses."""
        self.children.error = OSError(ENOMEM, "no memory")
        self.slot.start()
        for pause in (0.1, 0.2, 0.4):
            self.clock.advance(0)
            [again] = self.clock.getDelayedCalls()
            self.assertAlmostEqual(again.getTime() - self.clock.seconds(), pause)
            self.clock.advance(pause)
        self.children.error = None
        self.clock.pump([0, 1.0])
        self.assertEqual(len(self.children.living), 1)
        self.assertIn("Worker 7 could not be started: no memory", str(self.logged()[0]))

    def test_never_serves(self) -> None:
        """One that never serves is killed, and followed by another one."""
        self.slot.start()
        self.clock.advance(60.0)
        self.assertEqual(self.children.latest.sent, ["SIGKILL"])
        self.children.latest.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.pid(), 1001)


class ReplaceTests(SlotCase):
    """Another process takes the place of one."""

    def test_order(self) -> None:
        """The process before is told to end once the other one serves, and is waited for."""
        before, replaced = self.serving(), self.replacing()
        after = self.children.latest
        self.assertEqual((before.sent, self.pid()), ([], 1000))
        after.serves()
        self.assertEqual((before.told, before.sent, self.pid()), (b"give way\n", ["end"], 1001))
        self.assertNoResult(replaced)
        before.exits()
        self.successResultOf(replaced)
        self.assertEqual((self.paths(), self.restarts), (["second"], 0))
        self.assertEqual(self.changes, [(1000, State.SERVING), (1001, State.SERVING),
                                        (1000, State.GONE)])

    def test_followed(self) -> None:
        """What dies from now on is followed by one that is as the replacing one was."""
        before, replaced = self.serving(), self.replacing()
        self.children.latest.serves()
        self.children.latest.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.paths(), ["first", "second"])
        before.exits()
        self.successResultOf(replaced)
        self.assertEqual((self.paths(), self.restarts, self.pid()), (["second"], 1, 1002))

    def test_before_has_died(self) -> None:
        """A process that has died when the other one serves, which is not known yet, does no harm."""
        before, replaced = self.serving(), self.replacing()
        before.leaves()
        self.children.latest.serves()
        self.assertEqual(self.pid(), 1001)
        before.dies()
        self.successResultOf(replaced)
        self.assertEqual(self.paths(), ["second"])

    def test_patience(self) -> None:
        """The process before is killed when it has had its time."""
        before, replaced = self.serving(), self.replacing(patience=30.0)
        self.children.latest.serves()
        self.clock.advance(30.0)
        self.assertEqual(before.sent, ["end", "SIGKILL"])
        before.dies()
        self.successResultOf(replaced)

    def test_replacing_dies(self) -> None:
        """Where the other one dies before it serves, nothing is changed, and that is told."""
        before, replaced = self.serving(), self.replacing()
        self.children.latest.exits(1)
        error = self.failureResultOf(replaced, NotReplaced)
        self.assertEqual(error.getErrorMessage(), "Worker 7 (process 1001) ended with status 1")
        self.assertEqual((before.sent, self.pid(), self.restarts), ([], 1000, 0))
        before.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.paths(), ["first"])

    def test_not_started(self) -> None:
        """The same where the other one cannot be started."""
        before = self.serving()
        self.children.error = OSError(ENOMEM, "no memory")
        replaced = self.replacing()
        self.assertNoResult(replaced)
        self.clock.advance(0)
        self.failureResultOf(replaced, NotReplaced)
        self.assertEqual((before.sent, self.pid()), ([], 1000))

    def test_never_serves(self) -> None:
        """The same where the other one does not serve in its time."""
        before, replaced = self.serving(), self.replacing()
        self.clock.advance(60.0)
        self.children.latest.dies()
        self.failureResultOf(replaced, NotReplaced)
        self.assertEqual((before.sent, self.pid()), ([], 1000))

    def test_before_dies(self) -> None:
        """
        A process that dies while it is replaced is followed by one that is as it was, as long as
        the other one does not serve; that one is then replaced.
        """
        before, replaced = self.serving(), self.replacing()
        after = self.children.latest
        before.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.paths(), ["second", "first"])
        after.serves()
        self.assertEqual((self.pid(), self.children.latest.sent), (1001, ["SIGTERM"]))
        self.children.latest.dies(signal.SIGTERM)
        self.successResultOf(replaced)
        self.assertEqual(self.paths(), ["second"])

    def test_in_the_pause(self) -> None:
        """A process that serves between one that died and the next is all that there is."""
        self.serving().dies()
        replaced = self.replacing()
        self.children.latest.serves()
        self.successResultOf(replaced)
        self.clock.advance(100.0)
        self.assertEqual((self.paths(), self.pid(), self.restarts), (["second"], 1001, 0))

    def test_both_die(self) -> None:
        """Where both die, one that is as it was is started."""
        before, replaced = self.serving(), self.replacing()
        for child in (self.children.latest, before):
            child.dies()
        self.failureResultOf(replaced, NotReplaced)
        self.clock.advance(1.0)
        self.assertEqual((self.paths(), self.restarts), (["first"], 1))

    def test_both_die_the_other_way(self) -> None:
        """Likewise where the process before dies first."""
        before, replaced = self.serving(), self.replacing()
        after = self.children.latest
        before.dies()
        after.dies()
        self.failureResultOf(replaced, NotReplaced)
        self.clock.advance(1.0)
        self.assertEqual((self.paths(), self.restarts), (["first"], 1))

    def test_again(self) -> None:
        """A process that is not replaced can be replaced later, as can one that was."""
        self.serving()
        failed = self.replacing("bad")
        self.children.latest.dies()
        self.failureResultOf(failed, NotReplaced)
        for path in ("second", "third"):
            [before] = self.children.living
            replaced = self.replacing(path)
            self.children.latest.serves()
            before.exits()
            self.successResultOf(replaced)
            self.assertEqual(self.paths(), [path])

    def test_cancelled(self) -> None:
        """Where it is given up, the other one is told to end, and nothing is changed."""
        before, replaced = self.serving(), self.replacing()
        after = self.children.latest
        replaced.cancel()
        self.failureResultOf(replaced, CancelledError)
        self.assertEqual((after.sent, before.sent, self.pid()), (["SIGTERM"], [], 1000))
        after.serves()
        self.assertEqual(self.pid(), 1000)
        after.exits()
        before.dies()
        self.clock.advance(1.0)
        self.assertEqual(self.paths(), ["first"])

    def test_cancelled_late(self) -> None:
        """Where it is given up while the process before ends, that goes on."""
        before, replaced = self.serving(), self.replacing()
        self.children.latest.serves()
        replaced.cancel()
        self.failureResultOf(replaced, CancelledError)
        before.exits()
        self.clock.advance(100.0)
        self.assertEqual((self.paths(), self.pid()), (["second"], 1001))


class RenewTests(SlotCase):
    """A process ends so that another one can be started."""

    def test_renewed(self) -> None:
        """The next one is started when the process has ended, at once; nothing has died."""
        before = self.serving()
        self.slot.renew(self.making("second"), 20.0)
        self.assertEqual((before.told, before.sent), (b"give way\n", ["end"]))
        before.exits()
        self.assertEqual((self.paths(), self.restarts), (["second"], 0))
        self.assertEqual(self.logged()[1:], [])

    def test_next(self) -> None:
        """One that dies after that is followed with a pause, as ever."""
        before = self.serving()
        self.slot.renew(self.making("second"), 20.0)
        before.exits()
        self.children.latest.dies()
        self.assertIsNone(self.slot.process)
        self.clock.advance(1.0)
        self.assertEqual((self.paths(), self.restarts), (["second"], 1))

    def test_in_the_pause(self) -> None:
        """Where there is no process, the next one is another one."""
        self.serving().dies()
        self.slot.renew(self.making("second"), 20.0)
        self.clock.advance(1.0)
        self.assertEqual(self.paths(), ["second"])

    def test_stopped(self) -> None:
        """Where all is to end meanwhile, none is started."""
        before = self.serving()
        self.slot.renew(self.making("second"), 20.0)
        stopped = self.stopping()
        before.exits()
        self.successResultOf(stopped)
        self.assertAllOver()


class StopTests(SlotCase):
    """Nothing is started any more."""

    def test_stopped(self) -> None:
        """The process is told to end, waited for, and not followed."""
        child, stopped = self.serving(), self.stopping()
        self.assertEqual((child.told, child.sent), (b"", ["end"]))
        self.assertNoResult(stopped)
        child.exits()
        self.successResultOf(stopped)
        self.assertAllOver()
        self.assertEqual(self.logged()[1:], [])

    def test_in_the_pause(self) -> None:
        """Between one process and the next there is nothing to be waited for."""
        self.serving().dies()
        self.successResultOf(self.stopping())
        self.assertAllOver()

    def test_not_started(self) -> None:
        """Where nothing was started, there is nothing to be waited for."""
        self.successResultOf(self.stopping())
        self.assertAllOver()

    def test_cannot_start(self) -> None:
        """A process that cannot be started, which is not known yet, is waited for."""
        self.children.error = OSError(ENOMEM, "no memory")
        self.slot.start()
        stopped = self.stopping()
        self.clock.advance(0)
        self.successResultOf(stopped)
        self.assertAllOver()

    def test_twice(self) -> None:
        """Stopping again waits for the same."""
        child = self.serving()
        stopped = [self.stopping(), self.stopping()]
        child.exits()
        for each in stopped:
            self.successResultOf(each)

    def assertStopped(self, ended: Deferred[Any], *children: Child) -> None:
        """Stopping waits for all of these, whichever ends first."""
        stopped = self.stopping()
        for child in children:
            self.assertNoResult(stopped)
            child.exits()
        self.successResultOf(stopped)
        ended.addErrback(lambda failure: failure.trap(NotReplaced))
        self.successResultOf(ended)
        self.assertAllOver()

    def test_while_replaced(self) -> None:
        """While a process is replaced, both are told to end, and waited for."""
        for order in (slice(None), slice(None, None, -1)):
            self.setUp()
            before, replaced = self.serving(), self.replacing()
            self.assertStopped(replaced, *[before, self.children.latest][order])
            self.assertEqual([child.sent for child in self.children.all], [["end"], ["SIGTERM"]])

    def test_once_replaced(self) -> None:
        """The same once the other one serves; nothing is told to end twice."""
        for order in (slice(None), slice(None, None, -1)):
            self.setUp()
            before, replaced = self.serving(), self.replacing()
            self.children.latest.serves()
            self.assertStopped(replaced, *[before, self.children.latest][order])
            self.assertEqual([child.sent for child in self.children.all], [["end"], ["end"]])

    def test_given_up(self) -> None:
        """One that was to take another one's place, which was given up, is waited for, too."""
        before, replaced = self.serving(), self.replacing()
        replaced.cancel()
        self.failureResultOf(replaced, CancelledError)
        stopped = self.stopping()
        before.exits()
        self.assertNoResult(stopped)
        self.children.latest.exits()
        self.successResultOf(stopped)

    def test_no_more(self) -> None:
        """A slot that has stopped, or is to, replaces nothing."""
        child = self.serving()
        self.stopping()
        self.failureResultOf(self.replacing(), NotReplaced)
        child.exits()
        self.failureResultOf(self.replacing(), NotReplaced)
        self.assertEqual(len(self.children.all), 1)

    def test_hurry(self) -> None:
        """All that runs is told to hurry: the one that is replaced, and the other one."""
        self.serving()
        self.replacing()
        self.slot.hurry()
        self.assertEqual([child.sent for child in self.children.all],
                         [["end", "hurry"], ["SIGTERM", "SIGTERM"]])

    def test_hurry_while_stopping(self) -> None:
        """What was told to end is told once more, and killed then."""
        child, stopped = self.serving(), self.stopping()
        self.clock.advance(10.0)
        self.slot.hurry()
        self.clock.advance(5.0)
        self.assertEqual(child.sent, ["end", "hurry", "SIGKILL"])
        child.dies()
        self.successResultOf(stopped)
