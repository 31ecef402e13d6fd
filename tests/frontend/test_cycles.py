"""Memory of connections is given back when they end, not when the collector comes."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.cycles import left_in_cycles
from tests.frontend.connection import Connection, Echo, Streaming, lose
from trickster.interfaces import IResponder
from trickster.testing.doubles import PausedOrigin

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"


class CycleTests(SynchronousTestCase):
    """A connection that has ended, however that came about, is in no cycle of references."""

    def after(self, responder: IResponder, *pieces: bytes) -> Counter[str]:
        """:return: what is left of a connection over which these came before it was lost."""
        def act() -> None:
            connection = Connection(responder)
            connection.send(*pieces)
            lose(connection)

        return left_in_cycles(act)

    def test_answered(self) -> None:
        """A connection that has answered requests with and without a body is in no cycle."""
        for pieces in ((GET,), (GET * 3,), (POST, b"body"), (POST + b"bo", b"dy", GET)):
            self.assertEqual(self.after(Echo(), *pieces), Counter(), pieces)

    def test_unfinished_heads(self) -> None:
        """A connection that ends in an unfinished or malformed head is in no cycle."""
        for pieces in ((), (b"GET / HT",), (b"nonsense\r\n\r\n",), (GET + b"GE",)):
            self.assertEqual(self.after(Echo(), *pieces), Counter(), pieces)

    def test_unfinished_bodies(self) -> None:
        """A connection that ends in the middle of a request's body is in no cycle."""
        self.assertEqual(self.after(Echo(), POST, b"bo"), Counter())

    def test_left(self) -> None:
        """A connection that ends while the answer is awaited is in no cycle."""
        self.assertEqual(self.after(PausedOrigin(), GET), Counter())

    def test_left_in_the_answer(self) -> None:
        """A connection that ends while the answer's body is sent is in no cycle."""
        def act() -> None:
            streaming = Streaming(9)
            connection = Connection(streaming)
            connection.send(GET)
            streaming.body.feed(b"abc")
            lose(connection)

        self.assertEqual(left_in_cycles(act), Counter())
