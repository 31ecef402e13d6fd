"""Tests of L{trickster.workers.sockets}."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from tests.workers.doubles import Addresses
from trickster.config.options.listeners import ListenerOptions
from trickster.workers.sockets import Address, Sockets


def listeners(**ports: int) -> Mapping[str, ListenerOptions]:
    """:return: listeners with these names and ports."""
    return {name: ListenerOptions(port=port, address="127.0.0.1") for name, port in ports.items()}


class SocketsTests(SynchronousTestCase):
    """Sockets that follow a configuration."""

    def setUp(self) -> None:
        """Have two."""
        self.addresses = Addresses()
        self.sockets = Sockets().following(listeners(a=1, b=2), self.addresses.bind)

    def following(self, **ports: int) -> Sockets:
        """:return: the sockets of other listeners."""
        return self.sockets.following(listeners(**ports), self.addresses.bind)

    def test_bound(self) -> None:
        """Each listener has a socket at its address."""
        self.assertEqual([self.sockets.address(name) for name in "abc"],
                         [Address("127.0.0.1", 1), Address("127.0.0.1", 2), None])
        self.assertEqual([self.sockets.descriptor(name) for name in "ab"], [100, 101])

    def test_duplicate(self) -> None:
        """A duplicate is another descriptor, which can be closed by itself."""
        other = self.sockets.duplicate("a")
        self.assertNotEqual(other.fileno(), self.sockets.descriptor("a"))
        other.close()
        self.assertEqual(self.addresses.ports, [1, 2])

    def test_kept(self) -> None:
        """A listener that is where it was keeps its socket; only new addresses are bound."""
        after = self.following(a=1, b=3)
        self.assertEqual([after.descriptor(name) for name in "ab"], [100, 102])
        self.assertEqual(self.addresses.ports, [1, 2, 3])
        self.sockets.close(after)
        self.assertEqual(self.addresses.ports, [1, 3])
        after.close()
        self.assertEqual([each.closed for each in self.addresses.bound], [1, 1, 1])

    def test_exchanged(self) -> None:
        """Listeners that exchange their addresses exchange their sockets."""
        after = self.following(a=2, b=1)
        self.assertEqual([after.descriptor(name) for name in "ab"], [101, 100])
        self.sockets.close(after)
        self.assertEqual(self.addresses.ports, [1, 2])

    def test_renamed(self) -> None:
        """A listener with another name has the socket at its address, whose it ever was."""
        after = self.following(c=1)
        self.assertEqual((after.descriptor("c"), after.address("a")), (100, None))
        self.sockets.close(after)
        self.assertEqual(self.addresses.ports, [1])

    def test_other_address(self) -> None:
        """The same port of another address is another place."""
        options = ListenerOptions(port=1, address="127.0.0.2")
        after = self.sockets.following({"a": options}, self.addresses.bind)
        self.assertEqual(after.address("a"), Address("127.0.0.2", 1))
        self.assertEqual(len(self.addresses.open), 3)

    def test_taken(self) -> None:
        """
        Where an address cannot be had, that is told, and what was bound before it is closed
        again, once; what there was stays.
        """
        self.addresses.taken[4] = CannotListenError("127.0.0.1", 4, OSError("taken"))
        self.assertRaises(CannotListenError, self.following, a=1, b=3, c=4)
        self.assertEqual(self.addresses.ports, [1, 2])
        self.assertEqual([each.closed for each in self.addresses.bound], [0, 0, 1])

    def test_close(self) -> None:
        """Closing all closes each once."""
        self.sockets.close()
        self.assertEqual([each.closed for each in self.addresses.bound], [1, 1])
