"""Tests of C{trickster.collapsing.body_buffer}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.collapsing.fakespool import FakeSpool
from trickster.collapsing.body_buffer import BodyBuffer
from trickster.errors import UpstreamBroke
from trickster.testing.doubles import at_once

PIECE = 9000  # octets that are not joined with others


class MemoryTests(SynchronousTestCase):
    """A buffer without a spool."""

    def test_forgotten(self) -> None:
        """
        A buffer without a spool forgets what its slowest reader has read, and cannot be joined
        then.
        """
        buffer = BodyBuffer(10, None)
        for octet in (b"a", b"b"):
            buffer.append(octet * PIECE)
        self.assertTrue(buffer.has_beginning)
        buffer.forget(PIECE)
        self.assertEqual((buffer.in_memory(), buffer.size, buffer.has_beginning),
                         ((b"b" * PIECE,), 2 * PIECE, False))

    def test_nothing_to_spill(self) -> None:
        """A buffer without a spool spills nothing, and loses what it forgets."""
        buffer = BodyBuffer(10, None)
        buffer.append(b"a" * PIECE)
        at_once(buffer.spill())
        buffer.forget(PIECE)
        self.assertFalse(buffer.is_spooled)
        with self.assertRaises(UpstreamBroke):
            at_once(buffer.from_spool(0))
        buffer.close()


class SpoolTests(SynchronousTestCase):
    """A buffer with a spool."""

    def setUp(self) -> None:
        """Ten octets stay in memory."""
        self.spool = FakeSpool()
        self.made = 0
        self.buffer = BodyBuffer(10, self._make)

    def _make(self) -> FakeSpool:
        self.made += 1
        return self.spool

    def _arrive(self, *octets: bytes) -> None:
        for octet in octets:
            self.buffer.append(octet * PIECE)
            at_once(self.buffer.spill())

    def test_small(self) -> None:
        """
        No spool is made, and no octet is forgotten, while a body fits in memory and may be joined.
        """
        self.buffer.append(b"x" * 10)
        at_once(self.buffer.spill())
        self.buffer.forget(10)
        self.assertEqual((self.made, self.buffer.in_memory()), (0, (b"x" * 10,)))

    def test_all_of_it(self) -> None:
        """The spool has the whole body, and the window of forgotten octets stays in memory."""
        self._arrive(b"a", b"b", b"c")
        self.buffer.forget(0)
        self.assertEqual((self.made, self.buffer.in_memory()), (1, (b"c" * PIECE,)))
        self.assertIsNone(self.buffer.at(0))
        self.assertEqual(at_once(self.buffer.from_spool(PIECE)), b"b" * PIECE + b"c" * PIECE)
        self.assertTrue(self.buffer.has_beginning)

    def test_not_before_it_is_written(self) -> None:
        """Octets that are not in the spool yet stay in memory."""
        self.spool.held = []
        self.buffer.append(b"a" * PIECE)
        spilling = Deferred.fromCoroutine(self.buffer.spill())
        self.buffer.append(b"b" * PIECE)
        self.buffer.forget(2 * PIECE)
        self.assertEqual(len(self.buffer.in_memory()), 2)
        while not spilling.called:
            self.spool.held.pop().callback(None)
        self.buffer.forget(2 * PIECE)
        self.assertEqual(self.buffer.in_memory(), ())

    def test_full(self) -> None:
        """
        After the spool is full, new octets are for readers that have read all octets before them.
        """
        self.spool.limit = PIECE
        self._arrive(b"a", b"b", b"c")
        self.buffer.forget(0)
        self.assertEqual((len(self.spool.octets), self.buffer.in_memory()),
                         (PIECE, (b"c" * PIECE,)))
        self.assertFalse(self.buffer.has_beginning)
        with self.assertRaises(UpstreamBroke):
            at_once(self.buffer.from_spool(PIECE))

    def test_lost(self) -> None:
        """A disk that fails to give back what it has taken breaks the body."""
        self._arrive(b"a", b"b")
        self.spool.fails = True
        with self.assertRaises(UpstreamBroke):
            at_once(self.buffer.from_spool(0))

    def test_closed(self) -> None:
        """The spool of a buffer is closed when the buffer is, and closing twice does no harm."""
        self._arrive(b"a")
        for _ in range(2):
            self.buffer.close()
        self.assertEqual((self.spool.was_closed, self.buffer.is_spooled), (True, False))
