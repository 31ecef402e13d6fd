"""Tests of C{trickster.stores.lmdb.writing}: which operations are committed together."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from trickster.errors import StoreError
from trickster.stores.lmdb.writing import PATIENCE, Committed, Operation, Writer


class WriterTests(SynchronousTestCase):
    """A writer whose transactions take as long as the test says."""

    def setUp(self) -> None:
        """Make it."""
        self.clock = Clock()
        self.batches: list[tuple[list[Operation], Deferred[Committed]]] = []
        self.heard: list[Committed] = []
        self.writer = Writer(self.clock, self.commit, self.heard.append)

    def commit(self, operations: list[Operation]) -> Deferred[Committed]:
        """Begin a transaction."""
        self.batches.append((operations, Deferred()))
        return self.batches[-1][1]

    def write(self, result: Any, octets: int = 1) -> Deferred[Any]:
        """:return: fires with a result, or fails with it."""
        return self.writer.write(lambda change: result, octets)

    def end(self) -> None:
        """End the last transaction."""
        operations, done = self.batches[-1]
        change: Any = None
        results = tuple(one.perform(change) for one in operations)
        done.callback(Committed(results, (7, 3), (), False))

    def test_together(self) -> None:
        """What is asked for during a transaction is in the next one, all of it."""
        first, *others = [self.write(number) for number in range(5)]
        self.assertEqual(len(self.batches), 1)
        self.assertNoResult(first)
        self.end()
        self.assertEqual(self.successResultOf(first), 0)
        self.assertEqual([len(batch) for batch, _ in self.batches], [1, 4])
        self.end()
        self.assertEqual(list(map(self.successResultOf, others)), [1, 2, 3, 4])
        self.assertEqual(len(self.heard), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bounded(self) -> None:
        """A transaction has so many octets and no more, since other processes wait for it."""
        for _ in range(12):
            self.write(0, 1 << 20)
        sizes = []
        while len(self.batches) > len(sizes):
            sizes.append(len(self.batches[-1][0]))
            self.end()
        self.assertEqual(sizes, [1, 4, 4, 3])

    def test_one_fails(self) -> None:
        """An operation that could not be done fails alone."""
        failing, other = self.write(0), self.write(StoreError("full"))
        self.end()
        self.end()
        self.assertEqual(self.successResultOf(failing), 0)
        self.failureResultOf(other, StoreError)

    def test_all_fail(self) -> None:
        """Where a transaction fails, all that is in it does, and the next one begins."""
        first, second = self.write(0), self.write(1)
        self.batches[-1][1].errback(OSError("no disk"))
        self.assertIn("no disk", str(self.failureResultOf(first, StoreError).value))
        self.end()
        self.assertEqual(self.successResultOf(second), 1)

    def test_late(self) -> None:
        """While another process holds the file for long, what waits fails, and more at once."""
        waiting = [self.write(number) for number in range(3)]
        self.clock.advance(PATIENCE)
        for one in waiting:
            self.failureResultOf(one, StoreError)
        self.assertRaises(StoreError, self.write, 4)
        self.end()
        after = self.write(5)
        self.end()
        self.assertEqual(self.successResultOf(after), 5)
        self.assertEqual([len(batch) for batch, _ in self.batches], [1, 1])

    def test_cancelled(self) -> None:
        """What is cancelled before it has begun is known not to be waited for."""
        first, second = self.write(0), self.write(1)
        second.cancel()
        self.failureResultOf(second)
        self.end()
        self.assertTrue(self.batches[-1][0][0].done.called)
        self.end()
        self.assertEqual(self.successResultOf(first), 0)

    def test_many_wait(self) -> None:
        """So many operations wait, and no more."""
        for _ in range(10_001):
            self.write(0)
        self.assertRaises(StoreError, self.write, 0)

    def test_idle(self) -> None:
        """To wait until all is written is to wait for what is added meanwhile, too."""
        self.write(0)
        idle = Deferred.fromCoroutine(self.writer.idle())
        self.write(1)
        self.end()
        self.assertNoResult(idle)
        self.end()
        self.successResultOf(idle)
        self.successResultOf(Deferred.fromCoroutine(self.writer.idle()))
