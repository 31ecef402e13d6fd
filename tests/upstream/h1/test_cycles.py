"""Memory of connections to origins is given back when they end, not when the collector comes."""

from __future__ import annotations

from collections import Counter

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.cycles import left_in_cycles
from tests.upstream.scripted import Keeper, Wire, a_request
from trickster.bodies import read_all
from trickster.testing.doubles import at_once
from trickster.upstream.h1.connection import Connection
from trickster.upstream.h1.exchange import Order
from trickster.upstream.options import UpstreamOptions

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class CycleTests(SynchronousTestCase):
    """However a connection ends."""

    def after(self, *pieces: bytes, reads: bool = True) -> Counter[str]:
        """:return: what is left of a connection over which these came before it was lost."""
        def act() -> None:
            clock = Clock()
            connection = Connection(Keeper(), clock, UpstreamOptions(), False)
            wire = Wire()
            wire.protocol = connection
            connection.makeConnection(wire)
            answer = connection.exchange(Order(a_request(), b"request", None))
            answer.addErrback(lambda _: None)
            for piece in pieces[:1]:
                connection.dataReceived(piece)
            response = getattr(answer, "result", None)
            for piece in pieces[1:]:
                connection.dataReceived(piece)
            if response is not None and reads:
                at_once(read_all(response.body, 99))
            elif response is not None:
                response.body.close()
            if wire.protocol is not None:
                connection.connectionLost(Failure(ConnectionDone()))
            wire.protocol = None  # as real transports do

        return left_in_cycles(act)

    def test_whole(self) -> None:
        """After an answer that came at once, or in pieces."""
        self.assertEqual(self.after(WHOLE), Counter())
        self.assertEqual(self.after(WHOLE[:-2], b"o", b"k"), Counter())

    def test_unread(self) -> None:
        """After one whose body was not read."""
        self.assertEqual(self.after(WHOLE[:-2], b"o", reads=False), Counter())

    def test_none(self) -> None:
        """Without one."""
        self.assertEqual(self.after(), Counter())
