"""Tests of L{trickster.testing.transports}."""

from __future__ import annotations

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from trickster.testing.transports import MemoryTransport


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Protocol):
    """Counts how often it hears that it may write no more."""

    told = 0

    def readConnectionLost(self) -> None:
        """Never."""
        raise AssertionError

    def writeConnectionLost(self) -> None:
        """Count."""
        self.told += 1


class MemoryTransportTests(SynchronousTestCase):
    """One end of a connection."""

    def test_written(self) -> None:
        """What is written is noted piece by piece, and given once."""
        transport = MemoryTransport()
        transport.write(b"a")
        transport.writeSequence([b"b", b"cd"])
        self.assertEqual(transport.writes, [b"a", b"b", b"cd"])
        self.assertEqual((transport.written(), transport.written()), (b"abcd", b""))

    def test_ending(self) -> None:
        """How a connection was ended can be read."""
        for method, ending in (("loseConnection", "closed"), ("abortConnection", "aborted"),
                               ("loseWriteConnection", "half-closed")):
            transport = MemoryTransport()
            self.assertEqual(transport.ending, "open")
            getattr(transport, method)()
            self.assertEqual((transport.ending, transport.is_aborted),
                             (ending, ending == "aborted"))

    def test_half_closed(self) -> None:
        """A half-close reaches a protocol that provides for half-closed connections alone."""
        for protocol in (HalfCloseable(), Protocol()):
            transport = MemoryTransport()
            transport.protocol = protocol
            transport.loseWriteConnection()
            self.assertEqual(getattr(protocol, "told", 1), 1)

    def test_back_pressure(self) -> None:
        """Whether the protocol reads on can be read; a write of nothing is no error."""
        transport = MemoryTransport()
        transport.pauseProducing()
        self.assertFalse(transport.is_read)
        transport.resumeProducing()
        self.assertTrue(transport.is_read)
        transport.unregisterProducer()
