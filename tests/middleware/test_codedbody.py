"""Bodies that are coded as they are read."""

from __future__ import annotations

import zlib
from collections import Counter
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.cycles import left_in_cycles
from tests.middleware.decoding import decoded, decoded_so_far
from trickster.bodies import Pieces, read_all
from trickster.errors import UpstreamBroke
from trickster.interfaces import IBody
from trickster.messages import Octets
from trickster.middleware.codedbody import PIECE, CodedBody, Resumed, next_turn
from trickster.middleware.coders import codings
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once

GZIP = next(coding for coding in codings() if coding.name == b"gzip")


class CycleTests(SynchronousTestCase):
    """A coded body that is closed is in no cycle of references."""

    def test_left(self) -> None:
        """A coded body whose client leaves in the middle is in no cycle of references."""
        def act() -> None:
            body = CodedBody(PausedBody(), GZIP.encoder(), Deferred, None)
            reading = Deferred.fromCoroutine(body.read())
            reading.addErrback(lambda failure: failure.cleanFailure())
            reading.cancel()
            body.close()

        self.assertEqual(left_in_cycles(act), Counter())


class CodedBodyTests(SynchronousTestCase):
    """A coded body comes piece by piece, no faster than the body within and no slower."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.kept: list[bytes] = []

    def coded(self, source: Any) -> CodedBody:
        """:return: the coded form of a body."""
        return CodedBody(source, GZIP.encoder(), partial(next_turn, self.clock),
                         self.kept.append)

    def started(self, awaitable: Any) -> Deferred[Any]:
        """:return: a coroutine on its way."""
        return Deferred.fromCoroutine(awaitable)

    def test_interface(self) -> None:
        """A coded body provides C{IBody}, and its length is unknown."""
        body = self.coded(Octets(b"x"))
        verifyObject(IBody, body)
        self.assertIsNone(body.length)

    def test_a_large_body_takes_turns(self) -> None:
        """A turn of the reactor is for 64 KiB, however the octets come."""
        turns: list[int] = []

        async def turn() -> None:
            turns.append(1)

        octets = bytes(range(256)) * (PIECE // 256) * 10
        for source in (Octets(octets), Pieces.of([octets[:999], memoryview(octets)[999:]])):
            turns.clear()
            coded = at_once(read_all(CodedBody(source, GZIP.encoder(), turn), 1 << 30))
            self.assertEqual(decoded("gzip", bytes(coded)), octets)
            self.assertIn(len(turns), (8, 9))

    def test_the_next_turn(self) -> None:
        """Between two turns of coding the reactor makes all calls that are due."""
        reading = self.started(read_all(self.coded(Octets(bytes(PIECE * 2))), 1 << 30))
        self.assertNoResult(reading)
        [call] = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), self.clock.seconds())
        self.clock.advance(0)
        self.assertEqual(len(decoded("gzip", bytes(self.successResultOf(reading)))), PIECE * 2)

    def test_kept_whole(self) -> None:
        """At the end, and only then, the coded form is kept in the memo."""
        coded = bytes(at_once(read_all(self.coded(Octets(b"x" * 1000)), 1 << 20)))
        self.assertEqual(self.kept, [coded])
        source = PausedBody()
        body = self.coded(source)
        source.feed(b"begun")
        at_once(body.read())
        body.close()
        self.assertEqual(len(self.kept), 1)

    def test_nothing_is_kept_once_closed(self) -> None:
        """A reader that asks a closed body again gets its end, which is not taken for the whole."""
        body = self.coded(Octets(b"x" * 1000))
        body.close()
        self.assertEqual((at_once(body.read()), self.kept), (b"", []))

    def test_nothing_is_held_back(self) -> None:
        """Octets that have come are passed on before more is waited for."""
        source = PausedBody()
        body = self.coded(source)
        coded = b""
        for word in (b"one ", b"two ", b"three"):
            source.feed(word)
            coded += at_once(body.read())
            self.assertTrue(decoded_so_far("gzip", coded).endswith(word))
        waiting = self.started(body.read())
        self.assertTrue(source.is_awaited)
        self.assertNoResult(waiting)
        source.feed(b"")
        coded += self.successResultOf(waiting)
        self.assertEqual(decoded("gzip", coded), b"one two three")
        self.assertEqual(at_once(body.read()), b"")

    def test_no_more_than_one_ahead(self) -> None:
        """Without a reader, the body within is not read."""
        source = PausedBody()
        self.coded(source)
        self.assertFalse(source.is_awaited)

    def test_broken(self) -> None:
        """Where the body within breaks, the coded form breaks off without its end."""
        source = PausedBody()
        body = self.coded(source)
        source.feed(b"begun")
        coded = at_once(body.read())
        source.feed(UpstreamBroke("gone"))
        with self.assertRaises(UpstreamBroke):
            at_once(body.read())
        self.assertFalse(zlib_ended(coded))

    def test_shorter_or_longer_than_said(self) -> None:
        """A body shorter or longer than its length breaks its coded form off."""
        for length in (4, 6):
            source = PausedBody(length=length)
            source.feed(b"12345", b"")
            with self.assertRaises(UpstreamBroke):
                at_once(read_all(self.coded(source), 1 << 20))
        self.assertEqual(self.kept, [])

    def test_closed_while_more_is_coming(self) -> None:
        """Closing cancels the read that is under way, and closes the body within."""
        source = PausedBody()
        body = self.coded(source)
        source.feed(b"begun")
        at_once(body.read())
        self.assertTrue(source.is_awaited)
        body.close()
        body.close()
        self.assertFalse(source.is_awaited)
        self.assertTrue(source.is_closed)
        self.assertEqual(at_once(body.read()), b"")

    def test_closed_after_an_error_that_nobody_saw(self) -> None:
        """An error that came after the last read is not raised."""
        source = PausedBody()
        body = self.coded(source)
        source.feed(b"begun")
        at_once(body.read())
        source.feed(UpstreamBroke("gone"))
        body.close()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelled_while_waiting(self) -> None:
        """A reader that is cancelled while the body within is awaited cancels that read."""
        source = PausedBody()
        reading = self.started(self.coded(source).read())
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertFalse(source.is_awaited)

    def test_cancelled_between_turns(self) -> None:
        """A reader that is cancelled between two pieces leaves no delayed call."""
        reading = self.started(read_all(self.coded(Octets(bytes(PIECE * 3))), 1 << 30))
        self.assertNoResult(reading)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.binary(min_size=1, max_size=200), max_size=8), st.randoms())
    def test_any_arrival(self, pieces: list[bytes], random: Any) -> None:
        """However pieces come and are read, the body is the same."""
        source = PausedBody()
        reading = self.started(read_all(self.coded(source), 1 << 20))
        waiting = [*pieces, b""]
        while waiting:
            count = random.randrange(1, len(waiting) + 1)
            source.feed(*waiting[:count])
            del waiting[:count]
        self.assertEqual(decoded("gzip", bytes(self.successResultOf(reading))), b"".join(pieces))


def zlib_ended(coded: bytes) -> bool:
    """:return: whether a gzip member has its end."""
    inflater = zlib.decompressobj(31)
    inflater.decompress(coded)
    return inflater.eof


class ResumedTests(SynchronousTestCase):
    """A body whose first pieces have been read already."""

    def test_all_in_order(self) -> None:
        """A resumed body is its first pieces, then the rest."""
        body = Resumed([b"a", b"b"], Octets(b"c"), 3)
        verifyObject(IBody, body)
        self.assertEqual((at_once(read_all(body, 9)), body.length), (b"abc", 3))

    def test_closed(self) -> None:
        """Closing a resumed body drops its first pieces, and closes the rest."""
        rest = PausedBody()
        body = Resumed([b"a"], rest, None)
        body.close()
        rest.feed(b"")
        self.assertTrue(rest.is_closed)
        self.assertEqual(at_once(body.read()), b"")
