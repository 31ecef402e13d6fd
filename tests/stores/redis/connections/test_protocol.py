"""Tests of C{trickster.stores.redis.connections.protocol}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.stores.redis.servers import Server, spoken, turns
from trickster.stores.redis.connections.protocol import KINDS, MOST_OCTETS
from trickster.stores.redis.errors import ErrorReply, NoAnswer


class ConnectionCases:
    """What is the same with both parsers."""

    kind: str

    def setUp(self) -> None:
        """A connection to a server that answers when the test says so."""
        self.clock = Clock()
        self.server = Server(self.clock, self.kind, lambda command: b"")
        self.connection = self.server.connected(KINDS[self.kind](self.clock, 3.0, 2.0))
        [self.wire] = self.server.wires

    def asked(self, *commands: Any) -> list[Deferred[Any]]:
        """:return: the replies to some commands."""
        return self.connection.ask(commands)

    def says(self, octets: bytes, size: int = 1 << 30) -> None:
        """Have the server say something, in pieces of a size."""
        for start in range(0, len(octets), size):
            self.wire.says(octets[start:start + size])
            turns(self.clock)

    def test_replies(self) -> None:
        """Replies come as octets, numbers, None and lists, whatever is in them, in any pieces."""
        said = (b"+OK\r\n:12\r\n$4\r\n0012\r\n$-1\r\n$0\r\n\r\n*-1\r\n$3\r\n\xff\r\n\r\n"
                + spoken(b"a", 1, None, [b"b", []]))
        expected = [b"OK", 12, b"0012", None, b"", None, b"\xff\r\n", [b"a", 1, None, [b"b", []]]]
        for size in (1, 2, 7, 1 << 30):
            replies = self.asked(*[("X",)] * len(expected))
            self.says(said, size)
            self.assertEqual([self.successResultOf(reply) for reply in replies], expected)

    def test_error_reply(self) -> None:
        """An error is a reply with the server's own text, and its first word."""
        [reply] = self.asked(("GET", "a"))
        self.says(b"-MOVED 3999 127.0.0.1:6381\r\n")
        error = self.successResultOf(reply)
        self.assertIsInstance(error, ErrorReply)
        self.assertEqual((error.code, error.text), ("MOVED", "MOVED 3999 127.0.0.1:6381"))

    def test_secret_in_error(self) -> None:
        """What a server repeats of a command that it does not know is not kept: it may be secret."""
        [reply] = self.asked(("AUTH", "s3cret"))
        self.says(b"-ERR unknown command 'AUTH', with args beginning with: 's3cret' \r\n")
        self.assertEqual(self.successResultOf(reply).text, "ERR unknown command 'AUTH'")

    def test_sent(self) -> None:
        """Arguments are sent to the octet, and none of the commands waits for another's reply."""
        large = bytes(range(256)) * 4096
        self.asked(("SET", "ä", b"\r\n\x00"), ("SET", b"a", large), ("PX", 12, 1.5))
        self.assertEqual(self.wire.commands, [
            [b"SET", "ä".encode(), b"\r\n\x00"], [b"SET", b"a", large], [b"PX", b"12", b"1.5"]])
        self.assertEqual(self.connection.in_flight, 3)

    def test_cancelled(self) -> None:
        """A command that is cancelled takes its reply with it, and not that of another one."""
        first, second = self.asked(("A",), ("B",))
        first.cancel()
        self.failureResultOf(first)
        self.says(b"+1\r\n+2\r\n")
        self.assertEqual(self.successResultOf(second), b"2")

    def test_no_answer(self) -> None:
        """Without an answer in its time, all that is under way fails, and the connection goes."""
        replies = self.asked(("A",), ("B",))
        self.clock.advance(2.9)
        self.assertNoResult(replies[0])
        self.clock.advance(0.2)
        turns(self.clock)
        for reply in replies:
            self.failureResultOf(reply, NoAnswer)
        self.assertTrue(self.wire.is_aborted and self.connection.is_hung)

    def test_each_in_time(self) -> None:
        """Answers that come one after the other, each in its time, are waited for."""
        replies = self.asked(("A",), ("B",))
        self.clock.advance(2.5)
        self.says(b"+1\r\n")
        self.clock.advance(2.0)
        self.says(b"+2\r\n")
        self.assertEqual([self.successResultOf(reply) for reply in replies], [b"1", b"2"])
        self.clock.advance(100.0)
        self.assertFalse(self.wire.is_aborted)

    def test_dripping(self) -> None:
        """A command takes no longer than it may, however many before it are answered in time."""
        replies = self.asked(*[("A",)] * 5)
        for _ in range(2):
            self.clock.advance(2.0)
            self.says(b"+1\r\n")
        self.assertNoResult(replies[2])
        self.clock.advance(1.1)
        turns(self.clock)
        for reply in replies[2:]:
            self.failureResultOf(reply, NoAnswer)

    def test_not_read(self) -> None:
        """A server that reads nothing is given up, after the time for that."""
        [reply] = self.asked(("A",))
        self.wire.producer.pauseProducing()
        self.assertFalse(self.connection.is_writable)
        self.clock.advance(1.9)
        self.assertNoResult(reply)
        self.clock.advance(0.2)
        turns(self.clock)
        self.assertIn("reads nothing", str(self.failureResultOf(reply, NoAnswer).value))

    def test_read_again(self) -> None:
        """A server that reads again has its time for the answer from then on."""
        [reply] = self.asked(("A",))
        self.wire.producer.pauseProducing()
        self.clock.advance(1.5)
        self.wire.producer.resumeProducing()
        self.assertTrue(self.connection.is_writable)
        self.clock.advance(2.9)
        self.says(b"+1\r\n")
        self.assertEqual(self.successResultOf(reply), b"1")

    def test_lost(self) -> None:
        """When the connection is lost, what is under way fails, and so does what comes later."""
        [reply] = self.asked(("A",))
        self.wire.drops()
        turns(self.clock)
        self.failureResultOf(reply, NoAnswer)
        self.failureResultOf(self.asked(("A",))[0], NoAnswer)

    def test_foreign(self) -> None:
        """A server that does not speak as Redis does is left, and no exception gets out."""
        for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$x\r\n", b"*x\r\n", b":x\r\n",
                     b"+\xff\xfe\r\n" if self.kind == "python" else b"!\r\n", b"x" * 70_000):
            self.setUp()
            [reply] = self.asked(("A",))
            self.says(said)
            self.clock.advance(4.0)
            turns(self.clock)
            self.failureResultOf(reply, NoAnswer)
            self.assertTrue(self.wire.is_aborted or self.wire.disconnecting, said)

    def test_unasked(self) -> None:
        """What a server says before it closes is told."""
        self.says(b"-ERR max number of clients reached\r\n")
        self.assertIn("max number of clients", str(self.connection.error))

    def test_too_large(self) -> None:
        """A reply of which there is no end breaks the connection."""
        [reply] = self.asked(("A",))
        self.says(b"$%d\r\n" % (MOST_OCTETS * 2) + b"x" * MOST_OCTETS, 4 << 20)
        turns(self.clock)
        self.failureResultOf(reply, NoAnswer)

    def test_pushed(self) -> None:
        """Messages of a channel are no replies."""
        pushed: list[Any] = []
        self.connection.pushed = pushed.append
        [reply] = self.asked(("PING",))
        self.says(spoken(b"message", b"c", [b"k"]) + spoken(b"message", b"c", None)
                  + spoken(b"pong", b""))
        self.assertEqual(pushed, [[b"message", b"c", [b"k"]], [b"message", b"c", None]])
        self.assertEqual(self.successResultOf(reply), [b"pong", b""])


class PureTests(ConnectionCases, SynchronousTestCase):
    """With replies read in Python."""

    kind = "python"


class HiredisTests(ConnectionCases, SynchronousTestCase):
    """With replies read by hiredis."""

    kind = "hiredis"
