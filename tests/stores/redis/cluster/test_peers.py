"""Tests of C{trickster.stores.redis.cluster.peers}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.cluster.clustered import A, B, C, FakeServers, key_in
from trickster.errors import StoreError
from trickster.stores.redis.cluster.peers import Peers
from trickster.stores.redis.commands import Commands
from trickster.stores.redis.errors import ErrorReply, NoAnswer

KEY = key_in(0)


async def got(server: Commands) -> Any:
    """:return: what is under a key."""
    return await server.execute(b"GET", KEY)


class PeerTests(SynchronousTestCase):
    """Connections to the servers of a cluster."""

    def setUp(self) -> None:
        """Have servers, of which one has all slots."""
        self.servers = FakeServers()
        self.servers.own((0, 16383, [A, B]))
        self.peers = Peers(self.servers.make, 3)

    def asked(self) -> Deferred[Any]:
        """:return: what is under a key, as the first server says."""
        return Deferred.fromCoroutine(self.peers.at(A).ask(got))

    def test_one_each(self) -> None:
        """There is one of each, connected to when it is first needed."""
        self.assertIsNone(self.peers.node(A))
        self.assertIs(self.peers.at(A), self.peers.at(A))
        self.assertEqual(self.servers.open_to(), [A])
        self.assertIs(self.peers.node(A), self.peers.at(A).node)

    def test_doubted(self) -> None:
        """One that cannot be reached is doubted until it answers again, with an error even."""
        self.assertFalse(self.peers.is_doubted(A))
        for failure in (NoAnswer("is away"), None):
            self.servers[A].failure = failure
            self.asked().addErrback(lambda _: None)
            self.assertEqual(self.peers.is_doubted(A), failure is not None)
        self.peers.doubt(A)
        self.servers[A].errors = ["ERR no"]
        self.failureResultOf(self.asked(), ErrorReply)
        self.assertFalse(self.peers.is_doubted(A))

    def test_doubted_unknown(self) -> None:
        """One that there is no connection to is neither doubted nor made for that."""
        self.peers.doubt(C)
        self.assertEqual((self.peers.is_doubted(C), self.servers.open_to()), (False, []))

    def test_partial(self) -> None:
        """That one of them fails, says nothing of the others."""
        self.servers[A].failure = NoAnswer("is away")
        self.assertTrue(self.failureResultOf(self.asked(), StoreError).value.is_partial)

    def test_kept(self) -> None:
        """Those that are not named any more are closed, when nothing is under way there."""
        self.servers[A].held = []
        asked = self.asked()
        for address in (B, C):
            self.peers.at(address)
        self.peers.keep([C])
        self.assertEqual(self.servers.open_to(), [A, C])
        self.servers[A].let_go()
        self.assertIsNone(self.successResultOf(asked))
        self.assertEqual(self.servers.open_to(), [C])

    def test_named_again(self) -> None:
        """One that is named again meanwhile stays."""
        self.servers[A].held = []
        asked = self.asked()
        self.peers.keep([C])
        self.peers.keep([A])
        self.servers[A].let_go()
        self.successResultOf(asked)
        self.assertEqual(self.servers.open_to(), [A])

    def test_most(self) -> None:
        """There are no more than so many."""
        for port in range(3):
            self.peers.at(A.__class__("10.0.0.2", 1 + port))
        self.assertRaises(StoreError, self.peers.at, A)

    def test_stopped(self) -> None:
        """Once they are stopped, none is connected to any more."""
        self.peers.at(A)
        self.successResultOf(Deferred.fromCoroutine(self.peers.stop()))
        self.assertEqual(self.servers.open_to(), [])
        self.assertRaises(StoreError, self.peers.at, A)
