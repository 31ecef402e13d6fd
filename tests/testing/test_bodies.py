"""Tests of C{trickster.testing.bodies}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody, IDuplex
from trickster.testing.bodies import PausedBody, PausedDuplex, ScriptedBody
from trickster.testing.doubles import at_once


def _begun(awaitable: Any) -> Deferred[Any]:
    async def awaiting() -> Any:
        return await awaitable
    return Deferred.fromCoroutine(awaiting())


class PausedBodyTests(SynchronousTestCase):
    """A body that comes when the test says so."""

    def setUp(self) -> None:
        """Make one."""
        self.body = PausedBody()

    def test_provides(self) -> None:
        """A paused body provides C{IBody}."""
        verifyObject(IBody, self.body)

    def test_fed_before(self) -> None:
        """Octets that were fed are read in pieces, up to the end, which stays."""
        self.body.feed(b"a", b"bc", b"")
        self.assertEqual([at_once(self.body.read()) for _ in range(4)], [b"a", b"bc", b"", b""])

    def test_fed_later(self) -> None:
        """A reader waits for octets that are not fed yet."""
        reading = _begun(self.body.read())
        self.assertTrue(self.body.is_awaited)
        self.body.feed(b"a")
        self.assertEqual(self.successResultOf(reading), b"a")
        self.assertFalse(self.body.is_awaited)

    def test_error(self) -> None:
        """A paused body can break off with an error."""
        self.body.feed(b"a", UpstreamBroke())
        at_once(self.body.read())
        self.assertRaises(UpstreamBroke, at_once, self.body.read())

    def test_cancelled(self) -> None:
        """A reader of a paused body may be cancelled."""
        reading = _begun(self.body.read())
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertFalse(self.body.is_awaited)
        self.body.close()
        self.assertTrue(self.body.is_closed)

    def test_counts(self) -> None:
        """Reads, reads that were given up, and closings are counted."""
        reading = _begun(self.body.read())
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.body.close()
        self.body.close()
        body = self.body
        self.assertEqual((body.reads, body.cancels, body.closes, body.is_closed), (1, 1, 2, True))


class PausedDuplexTests(SynchronousTestCase):
    """A paused duplex is the far end of a tunnel."""

    def setUp(self) -> None:
        """Make one."""
        self.far = PausedDuplex()

    def test_provides(self) -> None:
        """A paused duplex provides C{IDuplex}."""
        verifyObject(IDuplex, self.far)

    def test_both_ways(self) -> None:
        """A paused duplex notes what it is sent, and sends what the test feeds it."""
        at_once(self.far.write(b"up"))
        self.far.feed(b"down")
        self.assertEqual((self.far.written, at_once(self.far.read())), ([b"up"], b"down"))
        self.far.end()
        self.assertTrue(self.far.has_ended)

    def test_full(self) -> None:
        """A write waits for as long as the test says that the far end is full."""
        self.far.full = Deferred()
        writing = _begun(self.far.write(b"up"))
        self.assertNoResult(writing)
        self.far.full.callback(None)
        self.assertIsNone(self.successResultOf(writing))


class ScriptedBodyTests(SynchronousTestCase):
    """A body that has all its octets from the start."""

    def test_provides(self) -> None:
        """A scripted body provides C{IBody}."""
        verifyObject(IBody, ScriptedBody.of())

    def test_script(self) -> None:
        """The script is given in order, errors are raised, and then comes the end."""
        body = ScriptedBody.of(b"a", UpstreamBroke("gone"), length=3)
        self.assertEqual((body.length, at_once(body.read())), (3, b"a"))
        self.assertRaises(UpstreamBroke, at_once, body.read())
        self.assertEqual([at_once(body.read()), at_once(body.read())], [b"", b""])

    def test_waiting(self) -> None:
        """A Deferred in the script is waited for."""
        later: Deferred[bytes] = Deferred()
        reading = _begun(ScriptedBody.of(later).read())
        self.assertNoResult(reading)
        later.callback(b"x")
        self.assertEqual(self.successResultOf(reading), b"x")

    def test_closed(self) -> None:
        """Closings are counted."""
        body = ScriptedBody.of(b"a")
        body.close()
        self.assertEqual((body.closes, body.is_closed), (1, True))
