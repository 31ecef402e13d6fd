"""Tests for L{trickster.bodies}."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from trickster.bodies import PIECE, BodyTooLarge, Pieces, drain, read_all
from trickster.errors import Reason, UpstreamBroke
from trickster.interfaces import IBody
from trickster.messages import Octets
from trickster.testing.bodies import ScriptedBody


class ReadAllTests(SynchronousTestCase):
    def reading(self, body: object, limit: int = 100) -> bytes | bytearray:
        return self.successResultOf(Deferred.fromCoroutine(read_all(body, limit)))

    def failing(self, body: object, expected: type[Exception], limit: int = 100) -> Exception:
        reading = Deferred.fromCoroutine(read_all(body, limit))
        return self.failureResultOf(reading, expected).value

    def test_no_octets(self) -> None:
        """A body without octets is read as empty."""
        self.assertEqual(self.reading(ScriptedBody.of()), b"")

    def test_all_pieces(self) -> None:
        """All pieces of a body are read in order, as any kind of buffer."""
        body = ScriptedBody.of(b"ab", memoryview(b"cd"), bytearray(b"ef"))
        self.assertEqual(self.reading(body), b"abcdef")

    def test_one_piece_is_not_copied(self) -> None:
        """A body of one piece is that piece itself."""
        octets = b"x" * 50
        self.assertIs(self.reading(ScriptedBody.of(octets, length=50)), octets)

    def test_one_view(self) -> None:
        """A body of one memoryview becomes bytes, which have all methods of bytes."""
        self.assertIsInstance(self.reading(ScriptedBody.of(memoryview(b"ab"))), bytes)

    def test_octets_can_be_read_again(self) -> None:
        """A body that is in memory can be read again."""
        body = Octets(b"abc")
        self.assertIs(self.reading(body), self.reading(body))

    def test_exactly_the_limit(self) -> None:
        """A body of exactly the limit is read."""
        self.assertEqual(self.reading(ScriptedBody.of(b"ab", b"cd"), limit=4), b"abcd")

    def test_announced_too_large(self) -> None:
        """An announced length above the limit is refused before anything is read."""
        body = ScriptedBody.of(b"ab", length=2 ** 63)
        self.assertEqual(self.failing(body, BodyTooLarge, 4).limit, 4)
        self.assertEqual((body.closes, len(body.script)), (1, 1))

    def test_octets_too_large(self) -> None:
        """A body that is in memory already is refused above the limit."""
        self.failing(Octets(b"abcde"), BodyTooLarge, 4)

    def test_first_piece_too_large(self) -> None:
        """A first piece above the limit is refused, and the body closed."""
        body = ScriptedBody.of(b"abcde", b"f")
        self.failing(body, BodyTooLarge, 4)
        self.assertEqual(body.closes, 1)

    def test_later_piece_too_large(self) -> None:
        """A body whose pieces together exceed the limit is refused."""
        body = ScriptedBody.of(b"ab", b"cde", b"f")
        self.failing(body, BodyTooLarge, 4)
        self.assertEqual((body.closes, body.script), (1, [b"f"]))

    def test_no_room(self) -> None:
        """
        A body is read piece by piece while there is room, and fails with the reason when there is
        none.
        """
        body, taken = ScriptedBody.of(b"ab", b"c", b"de"), list[int]()

        def take(octets: int) -> bool:
            taken.append(octets)
            return sum(taken) <= 3

        reading = Deferred.fromCoroutine(read_all(body, 100, take))
        error = self.failureResultOf(reading, BodyTooLarge).value
        self.assertEqual((error.reason, taken, body.closes),
                         (Reason.IN_FLIGHT_BUDGET, [2, 1, 2], 1))

    def test_closed_at_the_end(self) -> None:
        """A body that has been read whole is closed."""
        body = ScriptedBody.of(b"ab")
        self.assertEqual((self.reading(body), body.closes), (b"ab", 1))

    def test_huge_claim(self) -> None:
        """A huge announced length costs no memory."""
        body = ScriptedBody.of(b"ab", b"c", length=2 ** 62)
        self.assertEqual(self.reading(body, limit=2 ** 63), b"abc")

    def test_broken(self) -> None:
        """An error of the sender reaches the reader, and the body is closed."""
        body = ScriptedBody.of(b"ab", UpstreamBroke("gone"))
        self.failing(body, UpstreamBroke)
        self.assertEqual(body.closes, 1)

    def test_cancelled(self) -> None:
        """A cancelled reader closes the body."""
        body = ScriptedBody.of(b"ab", Deferred())
        reading = Deferred.fromCoroutine(read_all(body, 10))
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assertEqual(body.closes, 1)


class DrainTests(SynchronousTestCase):
    def draining(self, body: ScriptedBody, limit: int) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(drain(body, limit)))

    def test_to_the_end(self) -> None:
        """A body within the limit is read to its end."""
        body = ScriptedBody.of(b"ab", b"cd")
        self.assertTrue(self.draining(body, 4))
        self.assertEqual((body.script, body.closes), ([], 1))

    def test_too_much(self) -> None:
        """A body longer than the limit is closed, and not drained."""
        body = ScriptedBody.of(b"ab", b"cd", b"ef")
        self.assertFalse(self.draining(body, 3))
        self.assertEqual((body.script, body.closes), ([b"ef"], 1))


BUFFERS = st.lists(st.one_of(
    st.binary(max_size=40),
    st.integers(PIECE - 2, 2 * PIECE + 2).map(lambda size: b"x" * size),
    st.binary(max_size=9).map(memoryview),
), max_size=12)


class PiecesTests(SynchronousTestCase):
    def reads(self, body: Pieces) -> list[bytes]:
        found = []
        while octets := self.successResultOf(Deferred.fromCoroutine(body.read())):
            found.append(octets)
        return found

    def test_interface(self) -> None:
        """Pieces provide IBody."""
        verifyObject(IBody, Pieces.of([b"a"]))

    def test_length(self) -> None:
        """The length of pieces that are in memory is known; otherwise it is the declared one."""
        self.assertEqual(Pieces.of([b"ab", b"c"]).length, 3)
        self.assertIsNone(Pieces.streamed(iter([b"ab"])).length)
        self.assertEqual(Pieces.streamed(iter([b"ab"]), 2).length, 2)

    @settings(max_examples=60, deadline=None)
    @given(BUFFERS)
    def test_same_octets(self, buffers: list[bytes]) -> None:
        """Pieces give the same octets, none empty and none larger than the limit of a piece."""
        pieces = self.reads(Pieces.of(buffers))
        self.assertEqual(b"".join(pieces), b"".join(buffers))
        self.assertTrue(all(0 < len(piece) <= PIECE for piece in pieces))

    def test_few_pieces(self) -> None:
        """Small buffers are joined to larger pieces."""
        pieces = self.reads(Pieces.of([b"x" * 100] * 10_000))
        self.assertEqual(len(pieces), 4)

    def test_only_when_asked(self) -> None:
        """A buffer is made only when the body is read."""
        made = []

        def making() -> Iterator[bytes]:
            for number in range(10):
                made.append(number)
                yield b"x" * PIECE

        body = Pieces.streamed(making())
        self.successResultOf(Deferred.fromCoroutine(body.read()))
        self.assertEqual(len(made), 2)

    def test_close(self) -> None:
        """A closed body ends the generator that makes its buffers, and gives no more."""
        ended = []

        def making() -> Iterator[bytes]:
            try:
                while True:
                    yield b"x" * (PIECE + 1)
            finally:
                ended.append(True)

        body = Pieces.streamed(making())
        self.successResultOf(Deferred.fromCoroutine(body.read()))
        body.close()
        body.close()
        self.assertEqual((self.reads(body), ended), ([], [True]))
