"""Memory of connections to origins is given back when they end, not when the collector comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.cycles import left_in_cycles
from tests.upstream.scripted import Keeper, Wire, a_request
from trickster.bodies import read_all
from trickster.interfaces import IBody
from trickster.testing.bodies import PausedBody
from trickster.testing.doubles import at_once
from trickster.upstream.h1.connection import Connection
from trickster.upstream.h1.outgoing import OutgoingRequest
from trickster.upstream.options import UpstreamOptions

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 300_000
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")


class Roomy(Keeper):
    """Has room for what lasts."""

    def set_apart(self, connection: Connection) -> bool:
        return True


class World:
    """A connection that carries an exchange, and both of its ends."""

    def __init__(self, body: IBody | None = None, is_asking: bool = False) -> None:
        self.clock = Clock()
        self.connection = Connection(Roomy(), self.clock, UpstreamOptions(), False)
        self.wire = Wire()
        self.wire.protocol = self.connection
        self.connection.makeConnection(self.wire)
        self.answer: Deferred[Any] = self.connection.exchange(OutgoingRequest(
            a_request(), b"request", body, upgrade=(b"websocket",), is_asking=is_asking))
        self.answer.addErrback(lambda _: None)

    @property
    def body(self) -> Any:
        """The body of the response."""
        result: Any = self.answer.result
        return result.body

    def lose(self, error: Exception) -> None:
        """The connection is gone; real transports forget their protocol then."""
        if self.wire.is_open:
            self.connection.connectionLost(Failure(error))
        self.wire.protocol = None


class CycleTests(SynchronousTestCase):
    """Exchanges and connections leave no reference cycles, however they end."""

    def left(self, act: Callable[[World], object], make: Callable[[], World] = World,
             error: Callable[[], Exception] = ConnectionDone) -> Counter[str]:
        """:return: what is left after this was done with a connection, and it was lost."""
        def live() -> None:
            world = make()
            act(world)
            world.lose(error())

        return left_in_cycles(live)

    def test_whole(self) -> None:
        """A response that came at once or in pieces leaves no cycles."""
        def in_pieces(world: World) -> None:
            world.wire.sends(WHOLE[:-2], b"o", b"k")
            at_once(read_all(world.body, 99))

        self.assertEqual(self.left(lambda world: world.wire.sends(WHOLE)), Counter())
        self.assertEqual(self.left(in_pieces), Counter())

    def test_unread(self) -> None:
        """A response whose body was not read, or only in part while paused, leaves no cycles."""
        def unread(world: World) -> None:
            world.wire.sends(WHOLE[:-1])
            world.body.close()

        def in_part(world: World) -> None:
            world.wire.sends(LARGE)
            at_once(world.body.read())
            world.wire.sends(b"x" * 290_000)
            world.body.close()

        self.assertEqual(self.left(unread), Counter())
        self.assertEqual(self.left(in_part), Counter())

    def test_none(self) -> None:
        """
        An exchange that was cancelled, timed out or got a malformed response leaves no cycles.
        """
        for act in (lambda world: None, lambda world: world.answer.cancel(),
                    lambda world: world.clock.advance(60),
                    lambda world: world.wire.sends(b"garbage"),
                    lambda world: world.connection.abort()):
            self.assertEqual(self.left(act), Counter())
            self.assertEqual(self.left(act, error=ConnectionLost), Counter())

    def test_cut(self) -> None:
        """A response that is cut while a reader waits for the rest leaves no cycles."""
        def waiting(world: World) -> None:
            world.wire.sends(WHOLE[:-2])
            Deferred.fromCoroutine(world.body.read()).addErrback(lambda _: None)

        self.assertEqual(self.left(waiting, error=ConnectionLost), Counter())

    def test_upload(self) -> None:
        """A request body that is sent, on its way, blocked, unwanted or broken leaves no cycles."""
        def sent(world: World) -> None:
            body.feed(b"x")
            body.feed(b"")
            world.wire.sends(WHOLE)

        def blocked(world: World) -> None:
            world.wire.producer.pauseProducing()
            body.feed(b"x")

        def early(world: World) -> None:
            body.feed(b"x")
            world.wire.sends(WHOLE)

        def broken(world: World) -> None:
            body.feed(b"x" * 9)

        def make(is_asking: bool = False) -> World:
            nonlocal body
            body = PausedBody(None if is_asking else 1)
            return World(body, is_asking)

        body = PausedBody()
        for act in (sent, blocked, early, broken, lambda world: world.answer.cancel()):
            self.assertEqual(self.left(act, make), Counter(), act)
        for act in (lambda world: world.wire.sends(WHOLE), lambda world: world.answer.cancel()):
            self.assertEqual(self.left(act, lambda: make(True)), Counter(), act)

    def test_upgrade(self) -> None:
        """An upgraded connection leaves no cycles, whichever end closes first."""
        def client_first(world: World) -> None:
            world.wire.sends(SWITCH, b"x")
            at_once(world.body.write(b"y"))
            world.body.close()

        def origin_first(world: World) -> None:
            world.wire.sends(SWITCH)
            world.connection.readConnectionLost()
            world.body.close()

        def cut(world: World) -> None:
            world.wire.sends(SWITCH)
            world.body.end()

        for act in (client_first, origin_first, cut):
            self.assertEqual(self.left(act), Counter(), act)
            self.assertEqual(self.left(act, error=ConnectionLost), Counter(), act)
