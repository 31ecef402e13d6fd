"""Tests of C{trickster.upstream.h1.outlet} and C{trickster.upstream.h1.uploads}, without a client."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableDescriptor, IPushProducer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import alsoProvides
from zope.interface.verify import verifyObject

from tests.upstream.scripted import Wire
from trickster.errors import BadRequest, UpstreamBroke
from trickster.testing.bodies import ScriptedBody
from trickster.upstream.h1.outlet import Outlet
from trickster.upstream.h1.uploads import upload


class Told:
    """What is told whether the origin reads, in the place of the patience of an exchange."""

    def __init__(self) -> None:
        self.blocks: list[bool] = []

    def blocked(self) -> None:
        """The origin takes no more."""
        self.blocks.append(True)

    def unblocked(self) -> None:
        """The origin takes more again."""
        self.blocks.append(False)


class OutletCase(SynchronousTestCase):
    """An outlet that is open."""

    def setUp(self) -> None:
        """Open it."""
        self.transport: Any = StringTransport()
        self.told: Any = Told()
        self.outlet = Outlet(self.transport, self.told)
        self.outlet.open()

    def writing(self, octets: bytes = b"x") -> Deferred[None]:
        """:return: fires when there is room for more."""
        return Deferred.fromCoroutine(self.outlet.write(octets))


class OutletTests(OutletCase):
    """Outlets, which write no faster than the origin reads."""

    def test_provides(self) -> None:
        """An outlet is the transport's push producer."""
        verifyObject(IPushProducer, self.outlet)
        self.assertEqual((self.transport.producer, self.transport.streaming),
                         (self.outlet, True))

    def test_room(self) -> None:
        """A write to a transport that has room does not wait."""
        self.successResultOf(self.writing(b"ab"))
        self.assertEqual(self.transport.value(), b"ab")

    def test_paused(self) -> None:
        """
        A write to a paused transport waits, and the patience is told when the wait begins and ends.
        """
        self.outlet.pauseProducing()
        writing = self.writing()
        self.assertNoResult(writing)
        self.outlet.resumeProducing()
        self.successResultOf(writing)
        self.assertEqual(self.told.blocks, [True, False])

    def test_closed(self) -> None:
        """A closed outlet writes nothing, and fails those that wait for room."""
        self.outlet.pauseProducing()
        writing = self.writing()
        self.outlet.close()
        self.failureResultOf(writing, UpstreamBroke)
        self.failureResultOf(self.writing(b"late"), UpstreamBroke)
        self.assertEqual((self.transport.value(), self.transport.producer), (b"x", None))

    def test_transport_gone(self) -> None:
        """An outlet whose transport is gone fails those that wait for room."""
        self.outlet.pauseProducing()
        writing = self.writing()
        self.outlet.stopProducing()
        self.failureResultOf(writing, UpstreamBroke)
        self.failureResultOf(self.writing(), UpstreamBroke)

    def test_cancelled(self) -> None:
        """A cancelled wait for room does no harm when room comes later."""
        self.outlet.pauseProducing()
        writing = self.writing()
        writing.addErrback(lambda _: None)
        writing.cancel()
        self.outlet.resumeProducing()
        self.assertEqual(self.told.blocks, [True, False])

    def test_end(self) -> None:
        """The end of an outlet closes only its own direction, where the transport has two."""
        self.outlet.end()
        self.assertTrue(self.transport.disconnecting)
        wire: Any = Wire()
        alsoProvides(wire, IHalfCloseableDescriptor)
        outlet = Outlet(wire, self.told)
        outlet.open()
        outlet.end()
        outlet.end()
        self.assertEqual((wire.is_half_closed, wire.disconnecting), (True, False))


class UploadTests(OutletCase):
    """How request bodies are framed (RFC 9112 section 6)."""

    def uploading(self, *script: Any, length: int | None) -> Deferred[None]:
        """:return: fires when such a body has been sent."""
        return Deferred.fromCoroutine(upload(ScriptedBody.of(*script, length=length), self.outlet))

    def test_chunks(self) -> None:
        """A body of unknown length is sent in chunks, one for each piece, and a last one."""
        self.successResultOf(self.uploading(b"ab", b"c" * 17, length=None))
        self.assertEqual(self.transport.value(),
                         b"2\r\nab\r\n11\r\n" + b"c" * 17 + b"\r\n0\r\n\r\n")

    def test_counted(self) -> None:
        """A body of a known length goes as it is."""
        self.successResultOf(self.uploading(b"ab", memoryview(b"cd"), length=4))
        self.assertEqual(self.transport.value(), b"abcd")

    def test_wrong_length(self) -> None:
        """A request body that is longer or shorter than its declared length is a bad request."""
        self.failureResultOf(self.uploading(b"ab", b"c", length=2), BadRequest)
        self.assertEqual(self.transport.value(), b"ab")
        self.failureResultOf(self.uploading(b"ab", length=3), BadRequest)
