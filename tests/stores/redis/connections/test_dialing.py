"""Tests of C{trickster.stores.redis.connections.dialing}."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Listening, Server, simple, turns
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.connections.dialing import Dialler, endpoint_of
from trickster.stores.redis.errors import NotConnected
from trickster.stores.redis.settings import Credentials, Settings


class GreetingTests(SynchronousTestCase):
    """What is said on a new connection, and what comes of it."""

    def setUp(self) -> None:
        """A server."""
        self.clock = Clock()
        self.server = Server(self.clock)

    def dialled(self, answers: dict[bytes, bytes] | None = None, **settings: Any) -> Deferred[Any]:
        """:return: what comes of a connection to a server that answers some commands so."""
        self.server.answer = lambda command: (answers or {}).get(command[0], simple(command))
        dialler = Dialler(partial(Listening, self.server), self.clock, Settings(**settings))
        made = Deferred.fromCoroutine(dialler())
        turns(self.clock)
        return made

    def refused(self, answers: dict[bytes, bytes], **settings: Any) -> str:
        """:return: why there is no connection; it has been ended."""
        error = self.failureResultOf(self.dialled(answers, **settings), NotConnected).value
        self.assertTrue(self.server.wires[-1].is_aborted)
        return str(error)

    def test_nothing_to_say(self) -> None:
        """Without a password, the server is asked whether it works."""
        self.assertIsNone(self.successResultOf(self.dialled()).error)
        self.assertEqual(self.server.commands, [[b"PING"]])

    def test_who_we_are(self) -> None:
        """Password, user, and database are said first."""
        for credentials, expected in (
                (Credentials(password="p"), [b"AUTH", b"p"]),
                (Credentials(username="u", password="p"), [b"AUTH", b"u", b"p"]),
                (Credentials(username="u"), [b"AUTH", b"u", b""])):
            self.server.commands.clear()
            self.successResultOf(self.dialled(credentials=credentials, db=3))
            self.assertEqual(self.server.commands, [expected, [b"SELECT", b"3"], [b"PING"]])

    def test_refused(self) -> None:
        """What the server says against it is told."""
        for name, said in ((b"AUTH", "WRONGPASS invalid username-password pair"),
                           (b"SELECT", "ERR DB index is out of range"),
                           (b"PING", "NOAUTH Authentication required."),
                           (b"PING", "LOADING Redis is loading the dataset in memory"),
                           (b"PING", "MASTERDOWN Link with MASTER is down"),
                           (b"PING", "DENIED Redis is running in protected mode")):
            why = self.refused({name: b"-" + said.encode() + b"\r\n"}, db=3,
                               credentials=Credentials(password="p@ss"))
            self.assertIn(said, why)

    def test_password_hidden(self) -> None:
        """A password that the server repeats is not told."""
        why = self.refused({b"AUTH": b"-ERR what is s3cret?\r\n"},
                           credentials=Credentials(password="s3cret"))
        self.assertEqual(why, "Redis refuses: ERR what is ...?")

    def test_no_ping(self) -> None:
        """A user who may not ask for a ping may work all the same."""
        self.successResultOf(self.dialled({b"PING": b"-NOPERM this user has no permissions\r\n"}))

    def test_master(self) -> None:
        """Where a master is wanted, what says that it is none is not used."""
        self.successResultOf(self.dialled(is_master=True))
        replica = b"*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:0\r\n"
        for said in (replica, b"+master\r\n", b"*0\r\n", b"-NOPERM no\r\n"):
            self.refused({b"ROLE": said}, is_master=True)

    def test_hung(self) -> None:
        """A server that takes connections and says nothing is left after the time for that."""
        made = self.dialled({b"PING": b""}, dial_timeout=2.0)
        self.clock.advance(1.9)
        self.assertNoResult(made)
        self.clock.advance(0.2)
        self.failureResultOf(made, NotConnected)
        self.assertTrue(self.server.wires[0].is_aborted)

    def test_cancelled(self) -> None:
        """Nothing is left of an attempt that is cancelled."""
        made = self.dialled({b"PING": b""})
        made.cancel()
        turns(self.clock)
        self.failureResultOf(made)
        self.assertTrue(self.server.wires[0].is_aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_there(self) -> None:
        """Why there is no connection is told."""
        self.server.is_up = False
        self.assertIn("refused", str(self.failureResultOf(self.dialled(), NotConnected).value))

    def test_lost_meanwhile(self) -> None:
        """A connection that is lost before the server has said anything is none."""
        made = self.dialled({b"PING": b""}, credentials=Credentials(password="p"))
        self.server.wires[0].drops()
        turns(self.clock)
        self.failureResultOf(made, NotConnected)


class EndpointTests(SynchronousTestCase):
    """How a server is reached."""

    def test_kinds(self) -> None:
        """A socket by its path, an address without a lookup, a name with one."""
        reactor = MemoryReactorClock()
        for address, kind in ((Address(path="/run/redis.sock"), UNIXClientEndpoint),
                              (Address("::1", 1), TCP6ClientEndpoint),
                              (Address("redis", 1), HostnameEndpoint)):
            self.assertIsInstance(endpoint_of(reactor, address, 1.0), kind)
