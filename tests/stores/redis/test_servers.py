"""Tests of C{trickster.stores.redis.servers} and C{trickster.stores.redis.commands}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Server, turns
from trickster.stores.redis.addresses import Address
from trickster.stores.redis.commands import encoded
from trickster.stores.redis.node import Node
from trickster.stores.redis.servers import Standalone
from trickster.stores.redis.settings import Settings
from trickster.testing.doubles import at_once
from trickster.testing.runtime import FakeRuntime


class StandaloneTests(SynchronousTestCase):
    """One server, which has all keys."""

    def test_all(self) -> None:
        """Everything is asked of the one server, in one group."""
        clock = Clock()
        server = Server(clock)
        node = Node(Address("a", 1), Settings(), FakeRuntime(clock), server.dial)
        servers = Standalone(node)
        servers.start()
        turns(clock)

        async def asked(given: object) -> object:
            return given

        self.assertIs(at_once(servers.at(b"k", asked)), node)
        self.assertEqual(at_once(servers.each(asked)), [node])
        self.assertIs(servers.node_of(b"k"), node)
        self.assertEqual(list(servers.grouped([b"a", b"b"])), [[b"a", b"b"]])
        self.assertEqual(list(servers.grouped([])), [])
        stopped = Deferred.fromCoroutine(servers.stop())
        turns(clock)
        self.successResultOf(stopped)


class EncodingTests(SynchronousTestCase):
    """Commands as they are sent."""

    def test_large(self) -> None:
        """Large arguments are not copied."""
        large = b"x" * 5000
        pieces = encoded(("SET", "a", large, "PX", 12))
        self.assertIs(pieces[1], large)
        self.assertEqual(b"".join(pieces), b"*5\r\n$3\r\nSET\r\n$1\r\na\r\n$5000\r\n" + large
                         + b"\r\n$2\r\nPX\r\n$2\r\n12\r\n")
